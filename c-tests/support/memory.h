/* Makes memory run out: at one allocation, at all from one on, or for the whole process. A program that includes this
 * interposes the allocation functions of the C library. */
#ifndef MEMORY_H
#define MEMORY_H
#include "t.h"

#include <sys/resource.h>

/* The program's allocation functions, which the library uses as well. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

static struct {
  int armed, for_ever;
  long calls, nth; /* the first one to fail, counted from 1 */
  int hit;
  long live; /* blocks */
} memory;

T_HELPER int gone(void) {
  long call;
  if (!memory.armed) return 0;
  call = __atomic_add_fetch(&memory.calls, 1, __ATOMIC_SEQ_CST);
  if (call != memory.nth && !(memory.for_ever && call > memory.nth)) return 0;
  memory.hit = 1;
  errno = ENOMEM;
  return 1;
}

T_HELPER void *counted(void *p) {
  if (p) __atomic_add_fetch(&memory.live, 1, __ATOMIC_SEQ_CST);
  return p;
}

#if !T_ASAN
void *malloc(size_t n) { return gone() ? NULL : counted(__libc_malloc(n)); }
void *calloc(size_t n, size_t size) { return gone() ? NULL : counted(__libc_calloc(n, size)); }
void *aligned_alloc(size_t alignment, size_t n) {
  return gone() ? NULL : counted(__libc_memalign(alignment, n));
}
void *realloc(void *p, size_t n) {
  void *q = gone() ? NULL : __libc_realloc(p, n);
  return p ? q : counted(q);
}
int posix_memalign(void **p, size_t alignment, size_t n) {
  void *q = aligned_alloc(alignment, n);
  if (q) *p = q;
  return q ? 0 : ENOMEM;
}
void free(void *p) {
  if (p) __atomic_sub_fetch(&memory.live, 1, __ATOMIC_SEQ_CST);
  __libc_free(p);
}
#endif

T_HELPER void need_this_malloc(void) {
  if (t_memory_is_checked()) SKIP("a memory checker must have a malloc of its own");
}

/* A block that is there whatever the library finds. */
T_HELPER void *sure(size_t n) {
  void *p = counted(__libc_malloc(n));
  CHECK(p);
  return p;
}

/* How many calls were refused without memory. */
static int enough, refusals;

T_HELPER void refused(void) {
  CHECK_ERRNO(ENOMEM);
  CHECK(!enough);
  refusals++;
}

/* True if the call did what it should; otherwise its result must be the documented failure. */
#define DONE(call, failure) ((call) != (failure) || (refused(), 0))

/* Allocates everything below the limit of this process, and frees it. */
struct hoard {
  struct hoard *next;
};

T_HELPER struct hoard *take_all(void) {
  static const struct rlimit none = {0, RLIM_INFINITY};
  struct hoard *all = NULL, *h;
  size_t n;
  CHECK_INT(setrlimit(RLIMIT_AS, &none), 0);
  for (n = 1 << 20; n >= sizeof *h; n /= 2) {
    while ((h = malloc(n))) {
      h->next = all;
      all = h;
    }
  }
  return all;
}

T_HELPER void give_back(struct hoard *all) {
  static const struct rlimit endless = {RLIM_INFINITY, RLIM_INFINITY};
  CHECK_INT(setrlimit(RLIMIT_AS, &endless), 0);
  while (all) {
    struct hoard *next = all->next;
    free(all);
    all = next;
  }
}
#endif
