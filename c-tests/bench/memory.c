/* Bytes of memory of a registered descriptor whose read event is wanted; -DDEADLINES gives it a deadline, too:
 * `memory COUNT`. What the first 1,000 cost is not counted: that is the loop's own set-up. */
#define _GNU_SOURCE
#include "loop.h"

#include <string.h>

#define FIRST 1000

static int readable(int fd) {
  (void)fd;
  return 1;
}

#ifdef DEADLINES
static void expired(int fd) {
  (void)fd;
  die("expired");
}
#endif

/* smaps_rollup counts pages; /proc/self/statm lags behind on kernels since 6.2. Anonymous, because the pages of a library's
 * code come 16 at a time, with the first call that touches one of them. */
static long resident_kib(void) {
  static char line[256];
  long kib = -1;
  FILE* f = fopen("/proc/self/smaps_rollup", "r");
  if (!f) die("smaps_rollup");
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "Anonymous: %ld", &kib) == 1) break;
  fclose(f);
  return kib;
}

static void add(const int* fds, int n) {
  for (int i = 0; i < n; ++i) {
    loop_add(fds[i]);
    loop_want_read(fds[i]);
#ifdef DEADLINES
    loop_push(fds[i]);
#endif
  }
  loop_flush();
}

int main(int argc, char** argv) {
  int count, ends[2], *fds;
  long before;
  if (argc != 2 || (count = atoi(argv[1])) <= FIRST || !(fds = calloc((size_t)count, sizeof *fds))) return 2;
  if (pipe(ends) == -1) die("pipe");
  loop_start();
  for (int i = 0; i < count; ++i)
    if ((fds[i] = dup(ends[0])) == -1) die("dup");
#ifdef DEADLINES
  loop_clock();
#endif
  add(fds, FIRST);
  resident_kib();
  before = resident_kib();
  add(fds + FIRST, count - FIRST);
  printf("bytes_per_descriptor %.1f\n", (double)(resident_kib() - before) * 1024 / (count - FIRST));
  return 0;
}
