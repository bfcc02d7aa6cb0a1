/* promise: The same answers as libowfat */
/* Which events come when: wanting, ignoring, reading in full and in part, hints, withdrawing. */
#include "say.h"

static char buf[100000];

static void reading(void) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  l_put(d[1], "0123456789");
  say_events("not wanted", d[0]);
  io_wantread(d[0]);
  io_wantread(d[0]);
  say_events("wanted", d[0]);
  say_events("ignored", d[0]);
  SAY(io_tryread(d[0], buf, 4));
  say_events("read in part", d[0]);
  SAY(io_tryread(d[0], buf, 6));
  say_events("read in full", d[0]);
  l_put(d[1], "x");
  say_events("more came", d[0]);
  SAY(io_tryread(d[0], buf, 100));
  say_events("read short", d[0]);
  l_put(d[1], "x");
  io_dontwantread(d[0]);
  say_events("not wanted any more", d[0]);
  io_wantread(d[0]);
  say_events("wanted again", d[0]);
  io_check();
  io_eagain_read(d[0]);
  printf("withdrawn %d\n", io_canread() == -1);
  say_events("asked again", d[0]);
  io_check();
  io_dontwantread(d[0]);
  printf("withdrawn %d\n", io_canread() == -1);
  io_close(d[0]);
}

static void writing(void) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  say_events("not wanted", d[0]);
  io_wantwrite(d[0]);
  say_events("wanted", d[0]);
  say_events("ignored", d[0]);
  while (io_trywrite(d[0], buf, sizeof buf) > 0) {
  }
  say_events("full", d[0]);
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  say_events("drained", d[0]);
  l_put(d[1], "x");
  io_wantread(d[0]);
  say_events("both", d[0]);
  io_dontwantwrite(d[0]);
  say_events("read only", d[0]);
  io_dontwantread(d[0]);
  io_wantwrite(d[0]);
  say_events("write only", d[0]);
  io_close(d[0]);
}

static void hints(void) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  printf("hint alone %d\n", io_canwrite() == d[0]);
  io_wantwrite(d[0]);
  printf("hint wanted %d\n", io_canwrite() == d[0]);
  printf("hint used up %d\n", io_canwrite() == d[0]);
  say_events("then the kernel", d[0]);
  io_close(d[0]);
}

static void closing(void) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  printf("cookie %d\n", io_getcookie(d[0]) != NULL);
  io_setcookie(d[0], d);
  printf("cookie %d\n", io_getcookie(d[0]) == d);
  CHECK_INT(io_fd(d[0]), 1);
  printf("cookie %d\n", io_getcookie(d[0]) == d);
  io_wantread(d[0]);
  l_put(d[1], "x");
  say_events("before", d[0]);
  io_close(d[0]);
  printf("cookie %d\n", io_getcookie(d[0]) != NULL);
  say_events("after", d[0]);
  SAY_OK(io_fd(d[0]));
  io_setcookie(d[0], d);
  io_close(d[0]);
}

static void many(void) {
  static int64 d[60][2];
  int64 next;
  int i, n = 0;
  for (i = 0; i < 60; i++) {
    t_pipe(d[i]);
    io_nonblock(d[i][0]);
    l_read_event(d[i][0]);
    if (i % 3 == 0) l_put(d[i][1], "x");
  }
  io_check();
  while ((next = io_canread()) != -1) n++;
  printf("%d of 60\n", n);
}

int main(void) {
  say_start();
  reading();
  writing();
  hints();
  closing();
  many();
  return 0;
}
