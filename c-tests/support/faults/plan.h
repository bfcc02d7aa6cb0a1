/* The plan: which call fails, and how. */
#ifndef FAULTS_PLAN_H
#define FAULTS_PLAN_H
#include "../t.h"

#include <dlfcn.h>

/* ALLOC is every way to get memory; PREAD and WRITEV are also the calls with a position and flags, PIPE, POLL
 * and EPOLL_CREATE whatever their names end in. CALLBACK and FILE_CALLBACK are functions of the test, which ask fault_due. */
#define FAULT_KIND_LIST(X)                                                                     \
  X(SENDMSG) X(SEND) X(WRITEV) X(WRITE) X(SENDFILE) X(PREAD) X(READ) X(RECV) X(RECVMSG)        \
  X(ALLOC) X(MUNMAP) X(FADVISE) X(OPEN) X(PIPE) X(SOCKETPAIR) X(ACCEPT) X(CLOSE) X(FSTAT)      \
  X(FCNTL) X(IOCTL) X(GETSOCKOPT) X(SETSOCKOPT) X(POLL) X(EPOLL_CREATE) X(EPOLL_CTL)           \
  X(EPOLL_WAIT) X(EVENTFD) X(THREAD) X(CALLBACK) X(FILE_CALLBACK)
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
  /* A second rule, for one call. */
  struct { enum fault_kind kind; long nth; int what; } second;
  /* Errno of all calls of a kind that the rule leaves alone. */
  int refused[FAULT_KINDS];

  long calls[FAULT_KINDS];
  int hit, last; /* calls that the rule hit, and what became of the last one */
  unsigned char ended_with[256]; /* errnos that armed calls ended with; EIO also for an end of file */
  int64 out;               /* the descriptor whose bytes are counted */
  uint64 moved;
  long live, mappings; /* blocks of memory, and mappings, that were made and not released */
  struct fault_owned owned[16];
  int owners, releases;
} fault = {.out = -1};

/* Threads that the library starts are left alone: what they call when is nobody's plan. */
T_HELPER __thread int fault_exempt;

/* May a call be made? Above 0: yes, with up to *n bytes; 0: the call answers 0; below: it fails with errno. */
T_HELPER int fault_due(enum fault_kind kind, size_t *n) {
  int what = fault.refused[kind];
  long since;
  if (!fault.armed || fault_exempt || !kind) return 1;
  since = ++fault.calls[kind] - fault.nth;
  if (kind == fault.kind && (since == 0 || (fault.then && (since == 1 || (since > 1 && fault.for_ever))))) {
    fault.hit++;
    what = fault.last = since == 0 ? fault.what : fault.then;
  } else if (kind == fault.second.kind && fault.calls[kind] == fault.second.nth) {
    fault.hit++;
    what = fault.last = fault.second.what;
  }
  if (what > 0) {
    fault.ended_with[what] = 1;
    errno = what;
    return -1;
  }
  if (what == FAULT_END) return 0;
  if (what == FAULT_HALF && *n > 1) *n /= 2;
  if (what == FAULT_ONE && *n > 1) *n = 1;
  return 1;
}

T_HELPER ssize_t fault_ended(ssize_t r) {
  if (fault.armed && !fault_exempt && r <= 0) fault.ended_with[r ? errno & 255 : EIO] = 1;
  return r;
}

T_HELPER ssize_t fault_moved(int to, ssize_t r) {
  if (fault.armed && to == fault.out && r > 0) fault.moved += (uint64)r;
  return fault_ended(r);
}

/* The function that this file hides. */
#define FAULT_REAL(name)                                                                       \
  __extension__({                                                                              \
    static __typeof__(&name) real;                                                             \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                              \
    real;                                                                                      \
  })

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
  fault.second.kind = FAULT_NO_KIND;
  fault.hit = fault.last = 0;
  fault.moved = 0;
  memset(fault.calls, 0, sizeof fault.calls);
}

T_HELPER void fault_same_rule(void) { fault_rule(fault.kind, fault.nth, fault.what, fault.then, fault.for_ever); }

T_HELPER const char *fault_end(int what) {
  static const char *const ends[] = {"goes through", "half", "one", "end", "-3", "more"};
  return what > 0 ? strerror(what) : ends[-what];
}

T_HELPER const char *fault_name(enum fault_kind kind) {
#define FAULT_NAME(name) #name,
  static const char *const names[] = {"nothing", FAULT_KIND_LIST(FAULT_NAME)};
  return names[kind];
}

/* For a failing check. */
T_HELPER void fault_tell(void) {
  fprintf(stderr, "the rule: %s number %ld: %s; ", fault_name(fault.kind), fault.nth, fault_end(fault.what));
  fprintf(stderr, "then%s: %s; ", fault.for_ever ? " for ever" : "", fault_end(fault.then));
  if (fault.second.kind)
    fprintf(stderr, "and %s number %ld: %s; ", fault_name(fault.second.kind), fault.second.nth,
            fault_end(fault.second.what));
  fprintf(stderr, "hit: %d; moved: %" PRIu64 "\n", fault.hit, (uint64_t)fault.moved);
}

#endif
