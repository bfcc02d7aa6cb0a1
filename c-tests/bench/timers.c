/* Deadlines alone: `timers DEADLINES TURNS` pushes 100 back and looks for expired ones in every turn, and prints
 * the nanoseconds a turn takes. The turns go round, so that every deadline is pushed in the end. With 0 turns it
 * goes on for 50 ms. */
#define _GNU_SOURCE
#define DEADLINES
#include "loop.h"

#include <stdint.h>
#include <time.h>

#define PUSHED 100
#define LONG_ENOUGH_NS 50000000

static int count, *fds;

static int readable(int fd) {
  (void)fd;
  return 1;
}

static void expired(int fd) {
  (void)fd;
  die("expired");
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void take(int turns) {
  static int at;
  for (int turn = 0; turn < turns; ++turn) {
    for (int i = 0; i < PUSHED; ++i) {
      loop_push(fds[at]);
      if (++at == count) at = 0;
    }
    loop_look();
  }
}

int main(int argc, char** argv) {
  int turns, ends[2];
  int64_t begin, taken = 0;
  if (argc != 3 || (count = atoi(argv[1])) < PUSHED || !(fds = calloc((size_t)count, sizeof *fds))) return 2;
  turns = atoi(argv[2]);
  if (pipe(ends) == -1) die("pipe");
  loop_start();
  loop_look();
  for (int i = 0; i < count; ++i) {
    if ((fds[i] = dup(ends[0])) == -1) die("dup");
    loop_add(fds[i]);
    loop_want_read(fds[i]);
    loop_push(fds[i]);
  }
  loop_flush();
  begin = now_ns();
  do {
    take(turns ? turns : 100);
    taken += turns ? turns : 100;
  } while (!turns && now_ns() - begin < LONG_ENOUGH_NS);
  printf("ns_per_turn %.1f\n", (double)(now_ns() - begin) / (double)taken);
  return 0;
}
