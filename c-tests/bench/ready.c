/* Descriptors that are always ready, of which each turn takes some: `ready DESCRIPTORS TAKEN TURNS`. What a turn costs
 * must follow what the program takes, not what is ready. With 0 turns it goes on for 50 ms. Before it counts it goes
 * round once, and prints
 *
 *     ns_per_event N */
#define _GNU_SOURCE
#define TAKES
#include "loop.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>

#define LONG_ENOUGH_NS 50000000

/* A program looks at each event. */
static volatile int64_t taken;

static int readable(int fd) {
  (void)fd;
  ++taken;
  return 1;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char** argv) {
  int count, most, turns;
  int64_t begin;
  if (argc != 4 || (count = atoi(argv[1])) < 1 || (most = atoi(argv[2])) < 1) return 2;
  turns = atoi(argv[3]);
  loop_start();
  for (int i = 0; i < count; ++i) {
    int fd = eventfd(1, EFD_NONBLOCK);
    if (fd == -1) die("eventfd");
    loop_add(fd);
    loop_want_read(fd);
  }
  while (taken < count) loop_take(most);
  begin = now_ns();
  taken = 0;
  for (int turn = 0; turns ? turn < turns : now_ns() - begin < LONG_ENOUGH_NS; ++turn) loop_take(most);
  printf("ns_per_event %.1f\n", (double)(now_ns() - begin) / (double)taken);
  return 0;
}
