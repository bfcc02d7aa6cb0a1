/* A filter that follows a script and records what it was offered. */
#ifndef FILTER_H
#define FILTER_H
#include "t.h"

/* The number that is handed to the filter. It is not open unless a case registers it: 0.32 maps files only for a
 * registered target. */
static int64 target = 77;

/* The filter: what it was offered, what it took, and what it answers. */
static struct { const void *at; uint64 n; char first; } offers[64];
static int calls;
static char taken[1 << 20];
static int64 sum;
/* The bytes that each call takes; after the end of the script all. A negative answer is returned as it is, with
 * errno. */
static int64 answers[64], answer_count;
static int answer_errno = EAGAIN;

T_HELPER int64 filter(int64 s, const void *bytes, uint64 n) {
  int64 k = calls < answer_count ? answers[calls] : (int64)n;
  CHECK_INT(s, target);
  CHECK(n > 0 && calls < 64);
  offers[calls].at = bytes;
  offers[calls].n = n;
  offers[calls++].first = *(const char *)bytes;
  if (k < 0) {
    errno = answer_errno;
    return k;
  }
  if ((uint64)k <= n) {
    CHECK((size_t)(sum + k) <= sizeof taken);
    memcpy(taken + sum, bytes, (size_t)k);
    sum += k;
  }
  return k;
}

/* A filter that calls `inside` in its call number `inside_at`, counted from 0. */
T_HELPER void (*inside)(void);
T_HELPER int inside_at;

T_HELPER int64 acts(int64 s, const void *bytes, uint64 n) {
  int call = calls;
  int64 r = filter(s, bytes, n);
  int e = errno;
  if (call == inside_at) inside();
  errno = e;
  return r;
}

T_HELPER void answer(int count, const int64 *list) {
  memcpy(answers, list, (size_t)count * sizeof *list);
  answer_count = count;
  calls = 0;
}
#define ANSWER(...)                                                                            \
  answer(sizeof((int64[]){__VA_ARGS__}) / sizeof(int64), (int64[]){__VA_ARGS__})
#define ANSWER_ALL() answer(0, answers)
#endif
