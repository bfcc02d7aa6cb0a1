/* Prints the results of differential programs: errno by name, and ready descriptors by role instead of number. Print
 * only what libowfat 0.32 and this library must agree on. */
#ifndef SAY_H
#define SAY_H
#define T_OWN_MAIN
#include "loop.h"

/* The results after which errno is printed. */
T_HELPER void say(const char *what, int64 result) {
  int e = errno;
  printf("%s: %" PRId64, what, result);
  if (result == -1 || result == -2 || result == -3) printf(" %s", strerrorname_np(e));
  putchar('\n');
}

/* For functions that fail with 0. */
T_HELPER void say_ok(const char *what, int64 result) {
  int e = errno;
  printf("%s: %" PRId64 " %s\n", what, result, result == 0 ? strerrorname_np(e) : "");
}

#define SAY(call)                                                                              \
  do {                                                                                         \
    errno = 0;                                                                                 \
    say(#call, (call));                                                                        \
  } while (0)
#define SAY_OK(call)                                                                           \
  do {                                                                                         \
    errno = 0;                                                                                 \
    say_ok(#call, (call));                                                                     \
  } while (0)

/* One poll, and then how often d is named for reading and for writing; others are counted apart. */
T_HELPER void say_events(const char *what, int64 d) {
  int64 next;
  int reads = 0, writes = 0, others = 0;
  io_waituntil2(20);
  while ((next = io_canread()) != -1) *(next == d ? &reads : &others) += 1;
  while ((next = io_canwrite()) != -1) *(next == d ? &writes : &others) += 1;
  printf("%s: %d reads, %d writes, %d others\n", what, reads, writes, others);
}

/* libowfat 0.32 hangs if the first wait comes after certain numbers were registered. */
T_HELPER void say_start(void) {
  l_idle();
  io_check();
}
#endif
