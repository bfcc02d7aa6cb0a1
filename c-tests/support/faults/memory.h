/* Faults of memory: none to be had, or none to be given back. */
#ifndef FAULTS_MEMORY_H
#define FAULTS_MEMORY_H
#include "books.h"

#include <sys/mman.h>

T_HELPER void fault_lives(long blocks) { __atomic_add_fetch(&fault.live, blocks, __ATOMIC_RELAXED); }

void *mmap(void *p, size_t n, int protection, int flags, int fd, off_t off) {
  void *at = FAULT_REAL(mmap)(p, n, protection, flags, fd, off);
  fault.mappings += at != MAP_FAILED;
  return at;
}
void *mmap64(void *p, size_t n, int protection, int flags, int fd, off64_t off) {
  return mmap(p, n, protection, flags, fd, off);
}

int munmap(void *p, size_t n) {
  struct fault_owned *o = fault_release(FAULT_MUNMAP, (uintptr_t)p);
  size_t whole = 1;
  if (o) CHECK_INT(n, o->size);
  if (fault_due(FAULT_MUNMAP, &whole) < 0) return -1;
  fault.mappings--;
  return o ? mprotect(p, n, PROT_NONE) : FAULT_REAL(munmap)(p, n);
}

/* glibc's own names: dlsym itself may need memory. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

T_HELPER int fault_no_memory(void) {
  size_t whole = 1;
  return fault_due(FAULT_ALLOC, &whole) < 0;
}

#if !T_ASAN
void *malloc(size_t n) {
  void *p = fault_no_memory() ? NULL : __libc_malloc(n);
  fault_lives(p != NULL);
  return p;
}
void *calloc(size_t n, size_t size) {
  void *p = fault_no_memory() ? NULL : __libc_calloc(n, size);
  fault_lives(p != NULL);
  return p;
}
void *realloc(void *old, size_t n) {
  void *p = fault_no_memory() ? NULL : __libc_realloc(old, n);
  fault_lives(p && !old);
  return p;
}
int posix_memalign(void **p, size_t alignment, size_t n) {
  void *block = fault_no_memory() ? NULL : __libc_memalign(alignment, n);
  if (!block) return ENOMEM;
  *p = block;
  fault_lives(1);
  return 0;
}
void free(void *p) {
  struct fault_owned *o = p ? fault_release(FAULT_FREE, (uintptr_t)p) : NULL;
  fault_lives(-(p != NULL));
  if (o) {
    memset(p, 0xdd, o->size);
  } else {
    __libc_free(p);
  }
}
#endif

/* Valgrind puts its own functions in the place of those above, and AddressSanitizer must have its own. */
T_HELPER int fault_sees_memory(void) {
  long before = fault.live;
  void *volatile p = malloc(1);
  int changed = fault.live != before;
  free(p);
  CHECK(changed || t_memory_is_checked());
  return changed;
}

#define NO_MEMORY_FAULTS "a memory checker's own functions stand in the place of those that would fail"

/* Gives back for good what was released. */
T_HELPER void fault_end_books(void) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    struct fault_owned *o = fault.owned + i;
    if (o->how == FAULT_FREE) __libc_free((void *)o->what);
    if (o->how == FAULT_MUNMAP) CHECK_INT(FAULT_REAL(munmap)((void *)o->what, o->size), 0);
  }
  fault.owners = fault.releases = 0;
}

#endif
