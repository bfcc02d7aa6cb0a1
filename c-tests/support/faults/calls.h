/* Faults of calls that succeed or fail as a whole. */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H
#include "memory.h"

#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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
FAULT_WHOLE(FAULT_EPOLL_CREATE, epoll_create1, (int flags), (flags))
FAULT_WHOLE(FAULT_EPOLL_CREATE, epoll_create, (int size), (size))
FAULT_WHOLE(FAULT_EPOLL_CTL, epoll_ctl, (int set, int op, int fd, struct epoll_event *e), (set, op, fd, e))
FAULT_WHOLE(FAULT_EPOLL_WAIT, epoll_wait, (int set, struct epoll_event *e, int n, int ms), (set, e, n, ms))
FAULT_WHOLE(FAULT_EVENTFD, eventfd, (unsigned count, int flags), (count, flags))
FAULT_WHOLE(FAULT_PIPE, pipe, (int ends[2]), (ends))
FAULT_WHOLE(FAULT_PIPE, pipe2, (int ends[2], int flags), (ends, flags))
FAULT_WHOLE(FAULT_SOCKETPAIR, socketpair, (int family, int type, int protocol, int ends[2]),
            (family, type, protocol, ends))
FAULT_WHOLE(FAULT_ACCEPT, accept, (int fd, struct sockaddr *from, socklen_t *n), (fd, from, n))

/* The one argument that may follow the named ones. */
#define FAULT_REST(last, type)                                                                 \
  __extension__({                                                                              \
    va_list rest;                                                                              \
    type argument;                                                                             \
    va_start(rest, last);                                                                      \
    argument = va_arg(rest, type);                                                             \
    va_end(rest);                                                                              \
    argument;                                                                                  \
  })

int fcntl(int fd, int command, ...) {
  size_t whole = 1;
  long argument = FAULT_REST(command, long);
  return (int)fault_ended(fault_due(FAULT_FCNTL, &whole) < 0 ? -1 : FAULT_REAL(fcntl)(fd, command, argument));
}

int ioctl(int fd, unsigned long request, ...) {
  size_t whole = 1;
  void *argument = FAULT_REST(request, void *);
  return (int)fault_ended(fault_due(FAULT_IOCTL, &whole) < 0 ? -1 : FAULT_REAL(ioctl)(fd, request, argument));
}

int open(const char *path, int flags, ...) {
  size_t whole = 1;
  unsigned mode = FAULT_REST(flags, unsigned);
  return (int)fault_ended(fault_due(FAULT_OPEN, &whole) < 0 ? -1 : FAULT_REAL(open)(path, flags, mode));
}
int open64(const char *path, int flags, ...) { return open(path, flags, FAULT_REST(flags, unsigned)); }

/* Returns the error, as pthread_create does. */
int posix_fadvise(int fd, off_t from, off_t n, int advice) {
  size_t whole = 1;
  return fault_due(FAULT_FADVISE, &whole) < 0 ? errno : FAULT_REAL(posix_fadvise)(fd, from, n, advice);
}

#if __SIZEOF_POINTER__ < 8 /* the name that the library calls there */
int posix_fadvise64(int fd, off64_t from, off64_t n, int advice) {
  size_t whole = 1;
  return fault_due(FAULT_FADVISE, &whole) < 0 ? errno : FAULT_REAL(posix_fadvise64)(fd, from, n, advice);
}
#endif

struct fault_thread { void *(*run)(void *), *argument; };

T_HELPER void *fault_run(void *p) {
  struct fault_thread t = *(struct fault_thread *)p;
  fault_exempt = 1;
  free(p);
  return t.run(t.argument);
}

int pthread_create(pthread_t *id, const pthread_attr_t *how, void *(*run)(void *), void *argument) {
  size_t whole = 1;
  struct fault_thread *t;
  int error;
  if (fault_due(FAULT_THREAD, &whole) < 0) return errno;
  t = T_ASAN ? malloc(sizeof *t) : __libc_malloc(sizeof *t);
  CHECK(t);
  fault_lives(1);
  *t = (struct fault_thread){run, argument};
  error = FAULT_REAL(pthread_create)(id, how, fault_run, t);
  if (error) free(t);
  return error;
}

/* As on Linux the number is free whatever close says. */
int close(int fd) {
  size_t whole = 1;
  int due = fault_due(FAULT_CLOSE, &whole), saved = errno, r = FAULT_REAL(close)(fd);
  fault_release(FAULT_CLOSE, (uintptr_t)fd);
  if (due > 0) return (int)fault_ended(r);
  errno = saved;
  return -1;
}

#endif
