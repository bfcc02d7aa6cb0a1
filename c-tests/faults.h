/* Faults on order, and books of what is released.
 *
 * A program that includes this stands between the library and the C library: the functions below are found
 * first by the dynamic linker. While `fault.armed` is set, calls are counted by kind, and the one that the rule
 * names fails or falls short; all others go through. fault_own enters what the library has to release. Such memory
 * is only overwritten and such a mapping only closed to everybody, so that their addresses stay theirs until
 * fault_end_books.
 *
 * A function of the C library that is not here cannot be made to fail: tests check that what they wanted to fail
 * was reached (`fault.hit`), and that every byte which left the library passed through here (`fault.moved`). */
#ifndef FAULTS_H
#define FAULTS_H
#include "t.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* ALLOC is every way to get memory; PREAD and WRITEV are also the calls with a position and flags. CALLBACK and
 * FILE_CALLBACK are functions of the test, which ask fault_due. */
#define FAULT_KIND_LIST(X)                                                                     \
  X(SENDMSG) X(SEND) X(WRITEV) X(WRITE) X(SENDFILE) X(PREAD) X(READ) X(RECVMSG) X(ALLOC)       \
  X(MMAP) X(MUNMAP) X(CLOSE) X(FSTAT) X(FCNTL) X(GETSOCKOPT) X(SETSOCKOPT) X(POLL)             \
  X(EPOLL_CTL) X(CALLBACK) X(FILE_CALLBACK)
#define FAULT_KIND(name) FAULT_##name,
enum fault_kind { FAULT_NO_KIND, FAULT_KIND_LIST(FAULT_KIND) FAULT_KINDS, FAULT_FREE };

/* What becomes of a call: a positive number is the errno with which it fails. */
enum { FAULT_HALF = -1, FAULT_ONE = -2, FAULT_END = -3, FAULT_MINUS_3 = -4, FAULT_MORE = -5 };

struct fault_owned {
  enum fault_kind how; /* FAULT_FREE, FAULT_MUNMAP or FAULT_CLOSE */
  uintptr_t what;
  size_t size;
  uint64 until; /* what must have moved before it may be released early */
  int times, order;
  uint64 moved; /* what had moved when it was released */
};

static struct {
  int armed;
  /* The rule: call number `nth` of this kind ends so, the next one `then` (0: as it likes), and if `for_ever` all
   * that follow too. */
  enum fault_kind kind;
  long nth;
  int what, then, for_ever;
  /* Errno of all calls of a kind that the rule leaves alone. */
  int refused[FAULT_KINDS];

  long calls[FAULT_KINDS];
  int hit, last; /* calls that the rule hit, and what became of the last one */
  int zero_copy; /* it hit a send without a copy */
  unsigned char seen[256]; /* errnos that armed calls ended with; EIO also for an end of file */
  int64 out;               /* the descriptor whose bytes are counted */
  uint64 moved;
  long live; /* blocks of memory */
  struct fault_owned owned[16];
  int owners, releases;
} fault = {.out = -1};

/* May a call be made? Above 0: yes, with up to *n bytes; 0: the call answers 0; below: it fails with errno. */
T_HELPER int fault_due(enum fault_kind kind, size_t *n) {
  int what = fault.refused[kind];
  long since;
  if (!fault.armed) return 1;
  since = ++fault.calls[kind] - fault.nth;
  if (kind == fault.kind && (since == 0 || (fault.then && (since == 1 || (since > 1 && fault.for_ever))))) {
    fault.hit++;
    what = fault.last = since == 0 ? fault.what : fault.then;
  }
  if (what > 0) {
    fault.seen[what] = 1;
    errno = what;
    return -1;
  }
  if (what == FAULT_END) return 0;
  if (what == FAULT_HALF && *n > 1) *n /= 2;
  if (what == FAULT_ONE && *n > 1) *n = 1;
  return 1;
}

T_HELPER ssize_t fault_ended(ssize_t r) {
  if (fault.armed && r <= 0) fault.seen[r ? errno & 255 : EIO] = 1;
  return r;
}

T_HELPER ssize_t fault_moved(int to, ssize_t r) {
  if (fault.armed && to == fault.out && r > 0) fault.moved += (uint64)r;
  return fault_ended(r);
}

T_HELPER struct fault_owned *fault_release(enum fault_kind how, uintptr_t what) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    struct fault_owned *o = fault.owned + i;
    if (o->how != how || o->what != what) continue;
    if (o->times++ == 0) {
      o->order = fault.releases++;
      o->moved = fault.moved;
    }
    return o;
  }
  return NULL;
}

T_HELPER void fault_own(enum fault_kind how, uintptr_t what, size_t size, uint64 until) {
  CHECK(fault.owners < (int)(sizeof fault.owned / sizeof *fault.owned));
  fault.owned[fault.owners++] = (struct fault_owned){how, what, size, until, 0, -1, 0};
}

/* The function that this file hides. */
#define FAULT_REAL(name)                                                                       \
  __extension__({                                                                              \
    static __typeof__(&name) real;                                                             \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                              \
    real;                                                                                      \
  })

#define FAULT_BYTES(kind, to, n, call)                                                         \
  do {                                                                                         \
    int due = fault_due(kind, &(n));                                                           \
    return due > 0 ? fault_moved(to, call) : fault_ended(due);                                 \
  } while (0)

/* Due for a send of n bytes. A kernel that has no room for the rest does not wait for it either. */
T_HELPER int fault_send_due(enum fault_kind kind, size_t *n, int *flags) {
  size_t all = *n;
  int hit = fault.hit, due = fault_due(kind, n);
  if (fault.hit > hit && (*flags & MSG_ZEROCOPY)) fault.zero_copy = 1;
  if (*n < all) *flags &= ~MSG_MORE;
  return due;
}

ssize_t send(int fd, const void *p, size_t n, int flags) {
  int due = fault_send_due(FAULT_SEND, &n, &flags);
  return due > 0 ? fault_moved(fd, FAULT_REAL(send)(fd, p, n, flags)) : fault_ended(due);
}
ssize_t write(int fd, const void *p, size_t n) {
  FAULT_BYTES(FAULT_WRITE, fd, n, FAULT_REAL(write)(fd, p, n));
}
ssize_t sendfile(int out, int in, off_t *off, size_t n) {
  FAULT_BYTES(FAULT_SENDFILE, out, n, FAULT_REAL(sendfile)(out, in, off, n));
}
ssize_t pread(int fd, void *p, size_t n, off_t off) {
  FAULT_BYTES(FAULT_PREAD, -2, n, FAULT_REAL(pread)(fd, p, n, off));
}
ssize_t read(int fd, void *p, size_t n) {
  FAULT_BYTES(FAULT_READ, -2, n, FAULT_REAL(read)(fd, p, n));
}
ssize_t recvmsg(int fd, struct msghdr *m, int flags) {
  size_t n = 1;
  FAULT_BYTES(FAULT_RECVMSG, -2, n, FAULT_REAL(recvmsg)(fd, m, flags));
}

#define FAULT_PIECES 1024

/* The first n bytes of a list; returns the number of pieces in `to`. */
T_HELPER int fault_cut(const struct iovec *v, size_t n, struct iovec *to) {
  int count = 0;
  for (; n > 0; n -= to[count++].iov_len, v++) {
    to[count] = *v;
    if (to[count].iov_len > n) to[count].iov_len = n;
  }
  return count;
}

T_HELPER size_t fault_sum(const struct iovec *v, size_t count) {
  size_t n = 0;
  for (; count > 0; count--) n += v++->iov_len;
  return n;
}

ssize_t writev(int fd, const struct iovec *v, int count) {
  struct iovec part[FAULT_PIECES];
  size_t all = fault_sum(v, (size_t)count), n = all;
  FAULT_BYTES(FAULT_WRITEV, fd, n,
              n < all && count <= FAULT_PIECES ? FAULT_REAL(writev)(fd, part, fault_cut(v, n, part))
                                               : FAULT_REAL(writev)(fd, v, count));
}

ssize_t pwritev2(int fd, const struct iovec *v, int count, off_t off, int flags) {
  struct iovec part[FAULT_PIECES];
  size_t all = fault_sum(v, (size_t)count), n = all;
  FAULT_BYTES(FAULT_WRITEV, fd, n,
              n < all && count <= FAULT_PIECES ? FAULT_REAL(pwritev2)(fd, part, fault_cut(v, n, part), off, flags)
                                               : FAULT_REAL(pwritev2)(fd, v, count, off, flags));
}

ssize_t preadv2(int fd, const struct iovec *v, int count, off_t off, int flags) {
  struct iovec part[FAULT_PIECES];
  size_t all = fault_sum(v, (size_t)count), n = all;
  FAULT_BYTES(FAULT_PREAD, -2, n,
              n < all && count <= FAULT_PIECES ? FAULT_REAL(preadv2)(fd, part, fault_cut(v, n, part), off, flags)
                                               : FAULT_REAL(preadv2)(fd, v, count, off, flags));
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
  struct iovec part[FAULT_PIECES];
  struct msghdr cut = *m;
  size_t all = fault_sum(m->msg_iov, m->msg_iovlen), n = all;
  int due = fault_send_due(FAULT_SENDMSG, &n, &flags);
  if (due <= 0) return fault_ended(due);
  if (n < all && m->msg_iovlen <= FAULT_PIECES) {
    cut.msg_iov = part;
    cut.msg_iovlen = (size_t)fault_cut(m->msg_iov, n, part);
  }
  return fault_moved(fd, FAULT_REAL(sendmsg)(fd, &cut, flags));
}

/* Calls that succeed or fail as a whole. */
#define FAULT_WHOLE(kind, name, params, args)                                                  \
  int name params {                                                                            \
    size_t whole = 1;                                                                          \
    int r = fault_due(kind, &whole) < 0 ? -1 : FAULT_REAL(name) args;                          \
    return r < 0 ? (int)fault_ended(r) : r;                                                    \
  }

FAULT_WHOLE(FAULT_FSTAT, fstat, (int fd, struct stat *s), (fd, s))
FAULT_WHOLE(FAULT_FSTAT, fstat64, (int fd, struct stat64 *s), (fd, s))
FAULT_WHOLE(FAULT_GETSOCKOPT, getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
            (fd, level, name, value, n))
FAULT_WHOLE(FAULT_SETSOCKOPT, setsockopt, (int fd, int level, int name, const void *value, socklen_t n),
            (fd, level, name, value, n))
FAULT_WHOLE(FAULT_POLL, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
FAULT_WHOLE(FAULT_EPOLL_CTL, epoll_ctl, (int set, int op, int fd, struct epoll_event *e), (set, op, fd, e))

int fcntl(int fd, int command, ...) {
  size_t whole = 1;
  va_list rest;
  long argument;
  va_start(rest, command);
  argument = va_arg(rest, long);
  va_end(rest);
  return fault_due(FAULT_FCNTL, &whole) < 0 ? -1 : FAULT_REAL(fcntl)(fd, command, argument);
}

/* As on Linux the number is free whatever close says. */
int close(int fd) {
  size_t whole = 1;
  int due = fault_due(FAULT_CLOSE, &whole), saved = errno, r = FAULT_REAL(close)(fd);
  fault_release(FAULT_CLOSE, (uintptr_t)fd);
  if (due < 0) {
    errno = saved;
    return -1;
  }
  return r;
}

void *mmap(void *p, size_t n, int protection, int flags, int fd, off_t off) {
  size_t whole = 1;
  return fault_due(FAULT_MMAP, &whole) < 0 ? MAP_FAILED : FAULT_REAL(mmap)(p, n, protection, flags, fd, off);
}
void *mmap64(void *p, size_t n, int protection, int flags, int fd, off64_t off) {
  return mmap(p, n, protection, flags, fd, off);
}

int munmap(void *p, size_t n) {
  struct fault_owned *o = fault_release(FAULT_MUNMAP, (uintptr_t)p);
  size_t whole = 1;
  if (o) CHECK_INT(n, o->size);
  if (fault_due(FAULT_MUNMAP, &whole) < 0) return -1;
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
  fault.live += p != NULL;
  return p;
}
void *calloc(size_t n, size_t size) {
  void *p = fault_no_memory() ? NULL : __libc_calloc(n, size);
  fault.live += p != NULL;
  return p;
}
void *realloc(void *old, size_t n) {
  void *p = fault_no_memory() ? NULL : __libc_realloc(old, n);
  fault.live += p && !old;
  return p;
}
int posix_memalign(void **p, size_t alignment, size_t n) {
  void *block = fault_no_memory() ? NULL : __libc_memalign(alignment, n);
  if (!block) return ENOMEM;
  *p = block;
  fault.live++;
  return 0;
}
void free(void *p) {
  struct fault_owned *o = p ? fault_release(FAULT_FREE, (uintptr_t)p) : NULL;
  fault.live -= p != NULL;
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
  int seen = fault.live != before;
  free(p);
  CHECK(seen || t_memory_is_checked());
  return seen;
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

#define FAULT_APART 64 /* plus the answer, which is small, is the exit status of the other process */

/* Forks, so that the library does everything for the first time. Returns 0 in the new process, which has to
 * t_leave(FAULT_APART + answer); in the old one waits for that and returns 1. */
T_HELPER int fault_apart(int *answer) {
  int status;
  pid_t child = fork();
  CHECK(child != -1);
  if (child == 0) return 0;
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) >= FAULT_APART);
  *answer = WEXITSTATUS(status) - FAULT_APART;
  return 1;
}

/* The rule for the next armed calls; no memory of earlier ones. */
T_HELPER void fault_rule(enum fault_kind kind, long nth, int what, int then, int for_ever) {
  fault.kind = kind;
  fault.nth = nth;
  fault.what = what;
  fault.then = then;
  fault.for_ever = for_ever;
  fault.hit = fault.last = fault.zero_copy = 0;
  fault.moved = 0;
  memset(fault.calls, 0, sizeof fault.calls);
}

T_HELPER void fault_same_rule(void) { fault_rule(fault.kind, fault.nth, fault.what, fault.then, fault.for_ever); }

T_HELPER const char *fault_end(int what) {
  static const char *const ends[] = {"goes through", "half", "one", "end", "-3", "more"};
  return what > 0 ? strerror(what) : ends[-what];
}

/* For a failing check. */
T_HELPER void fault_tell(void) {
#define FAULT_NAME(name) #name,
  static const char *const names[] = {"nothing", FAULT_KIND_LIST(FAULT_NAME)};
  fprintf(stderr, "the rule: %s number %ld: %s; ", names[fault.kind], fault.nth, fault_end(fault.what));
  fprintf(stderr, "then%s: %s; hit: %d; moved: %" PRIu64 "\n", fault.for_ever ? " for ever" : "", fault_end(fault.then),
          fault.hit, (uint64_t)fault.moved);
}

#endif
