/* promise: The same answers as libowfat */
/* Deadlines, as far as 0.32 is right: the highest number never expires here, and nothing waits. */
#include "say.h"

static char c;

int main(void) {
  int64 d[4][2], next;
  int i;
  say_start();
  for (i = 0; i < 4; i++) l_pipe(d[i], i & 1);
  printf("none %d\n", io_timedout(d[0][0]));
  io_timeout(d[0][0], l_in_ms(-1000));
  io_timeout(d[1][0], l_in_ms(-2000));
  io_timeout(d[2][0], l_in_ms(100000));
  for (i = 0; i < 4; i++) printf("%d: %d\n", i, io_timedout(d[i][0]));
  for (i = 0; i < 2; i++) { /* two sweeps; the order is free */
    int first = 0, second = 0, others = 0;
    while ((next = io_timeouted()) != -1) *(next == d[0][0] ? &first : next == d[1][0] ? &second : &others) += 1;
    printf("expired: %d %d %d\n", first, second, others);
  }
  SAY(io_tryreadtimeout(d[0][0], &c, 1));
  SAY(io_tryreadtimeout(d[2][0], &c, 1));
  l_put(d[0][1], "x");
  SAY(io_tryreadtimeout(d[0][0], &c, 1));
  io_timeout(d[0][0], l_never());
  printf("cleared %d\n", io_timedout(d[0][0]));
  io_timeout(d[1][0], l_in_ms(100000));
  printf("moved %d\n", io_timedout(d[1][0]));
  printf("left %d\n", io_timeouted() == -1);
  io_timeout(d[1][0], l_in_ms(-1000));
  io_close(d[1][0]);
  printf("closed %d\n", io_timeouted() == -1);
  io_timeout(d[3][0], l_in_ms(-1000));
  l_idle(); /* a higher number */
  l_put(d[3][1], "x");
  io_check();
  printf("has an event %d\n", io_timeouted() == -1);
  printf("%d\n", io_canread() == d[3][0]);
  SAY(io_timedout(-1));
  SAY(io_timedout(900));
  return 0;
}
