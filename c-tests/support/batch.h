/* Helpers for tests of batches. */
#ifndef BATCH_H
#define BATCH_H
#include "t.h"

#include <sys/mman.h>

#include "iob_internal.h"

/* Larger than malloc's highest mmap threshold, so that free unmaps it and the test can see that. */
#define B_BIG (40 << 20)

/* The batch that all cases of a program use. */
#define B_BATCH(b)                                                                             \
  static io_batch b;                                                                           \
  __attribute__((constructor)) static void b_is_ours(void) { t_batch = &b; }

T_HELPER void *b_big(const char *text) {
  char *p = malloc(B_BIG);
  if (t_memory_is_checked()) SKIP("a memory checker does not unmap what is freed");
  CHECK(p);
  strcpy(p, text);
  return p;
}

/* Whether memory is mapped at p. */
T_HELPER int b_mapped(void *p) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  uintptr_t from, to;
  int found = 0;
  CHECK(maps);
  while (!found && fgets(line, sizeof line, maps)) {
    found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from <= (uintptr_t)p && (uintptr_t)p < to;
  }
  CHECK_INT(fclose(maps), 0);
  return found;
}

T_HELPER int b_open(int64 d) { return fcntl((int)d, F_GETFD) != -1; }

T_HELPER void b_nonblock(int64 d) {
  CHECK_INT(fcntl((int)d, F_SETFL, fcntl((int)d, F_GETFL) | O_NONBLOCK), 0);
}

/* A connected pair whose first half is registered and non-blocking. */
T_HELPER void b_tcp(int64 d[2]) {
  t_tcp_pair(d);
  b_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
}

T_HELPER int b_readable(int64 d, int ms) {
  struct pollfd p = {.fd = (int)d, .events = POLLIN};
  return poll(&p, 1, ms);
}

/* Reads exactly n bytes; the limit is for a failing test. */
T_HELPER char *b_read(int64 d, size_t n) {
  char *bytes = malloc(n + 1);
  size_t got = 0;
  CHECK(bytes);
  while (got < n) {
    ssize_t r;
    CHECK_INT(b_readable(d, 3000), 1);
    r = read((int)d, bytes + got, n - got);
    CHECK(r > 0);
    got += (size_t)r;
  }
  bytes[n] = 0;
  return bytes;
}

T_HELPER void b_expect(int64 d, const char *text) {
  char *got = b_read(d, strlen(text));
  if (strcmp(got, text) != 0) fprintf(stderr, "got \"%s\", not \"%s\"\n", got, text);
  CHECK(strcmp(got, text) == 0);
  free(got);
}

/* Checks n bytes of a t_tmpfile from position off on. */
T_HELPER void b_check_file(const char *bytes, uint64 off, uint64 n) {
  uint64 i;
  for (i = 0; i < n; i++) {
    if (bytes[i] != t_byte(off + i)) CHECK_INT(i, -1);
  }
}

T_HELPER void b_expect_file(int64 d, uint64 off, uint64 n) {
  char *got = b_read(d, n);
  b_check_file(got, off, n);
  free(got);
}

T_HELPER iob_entry *b_entry(io_batch *b, int i) { return (iob_entry *)(void *)b->b.p + i; }

/* The fields that programs see. */
#define B_CHECK(b, left, next_, bufs_, files_)                                                 \
  do {                                                                                         \
    CHECK_INT((b)->bytesleft, left);                                                           \
    CHECK_INT((b)->next, next_);                                                               \
    CHECK_INT((b)->bufs, bufs_);                                                               \
    CHECK_INT((b)->files, files_);                                                             \
  } while (0)

#define B_CHECK_ENTRY(b, i, offset_, n_)                                                       \
  do {                                                                                         \
    CHECK_INT(b_entry(b, i)->offset, offset_);                                                 \
    CHECK_INT(b_entry(b, i)->n, n_);                                                           \
  } while (0)

#endif
