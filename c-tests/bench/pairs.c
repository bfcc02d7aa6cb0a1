/* Socket pairs, most of them idle: `pairs PAIRS ACTIVE EVENTS`. ACTIVE bytes travel; each event reads one and
 * writes it into the next pair; they start too far apart to meet. With -DDEADLINES every pair has a deadline, and
 * each event pushes its own. */
#define _GNU_SOURCE
#include "loop.h"

#include <stdint.h>

static int next_writer[LOOP_MAX];
static int64_t events_left;

static int readable(int fd) {
  char b[2];
  if (loop_read(fd, b, sizeof b) != 1) die("not one byte");
#ifdef DEADLINES
  loop_push(fd);
#endif
  if (write(next_writer[fd], b, 1) != 1) die("write");
  if (--events_left == 0) exit(0);
  return 1;
}

#ifdef DEADLINES
static void expired(int fd) {
  (void)fd;
  die("expired");
}
#endif

int main(int argc, char** argv) {
  int pairs, active, (*ends)[2];
  if (argc != 4 || (pairs = atoi(argv[1])) < 1 || !(ends = calloc((size_t)pairs, sizeof *ends))) return 2;
  active = atoi(argv[2]);
  events_left = atoll(argv[3]);
  loop_start();
#ifdef DEADLINES
  loop_clock();
#endif
  for (int i = 0; i < pairs; ++i) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]) == -1) die("socketpair");
    loop_add(ends[i][0]);
    loop_want_read(ends[i][0]);
#ifdef DEADLINES
    loop_push(ends[i][0]);
#endif
  }
  for (int i = 0; i < pairs; ++i) next_writer[ends[i][0]] = ends[(i + 1) % pairs][1];
  for (int i = 0; i < active; ++i)
    if (write(ends[i * (pairs / active)][1], "", 1) != 1) die("write");
  loop_run();
}
