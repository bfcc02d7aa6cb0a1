/* Faults of calls that move bytes: they fail, or fall short. */
#ifndef FAULTS_TRANSFERS_H
#define FAULTS_TRANSFERS_H
#include "plan.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

#define FAULT_BYTES(kind, to, n, call)                                                         \
  do {                                                                                         \
    int due = fault_due(kind, &(n));                                                           \
    return due > 0 ? fault_moved(to, call) : fault_ended(due);                                 \
  } while (0)

/* Due for a send of n bytes. A kernel that has no room for the rest does not wait for it either. */
T_HELPER int fault_send_due(enum fault_kind kind, size_t *n, int *flags) {
  size_t all = *n;
  int due = fault_due(kind, n);
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
#if __SIZEOF_POINTER__ < 8 /* the names that the library calls there */
ssize_t sendfile64(int out, int in, off64_t *off, size_t n) {
  FAULT_BYTES(FAULT_SENDFILE, out, n, FAULT_REAL(sendfile64)(out, in, off, n));
}
ssize_t pread64(int fd, void *p, size_t n, off64_t off) {
  FAULT_BYTES(FAULT_PREAD, -2, n, FAULT_REAL(pread64)(fd, p, n, off));
}
#endif
ssize_t read(int fd, void *p, size_t n) {
  FAULT_BYTES(FAULT_READ, -2, n, FAULT_REAL(read)(fd, p, n));
}
ssize_t recv(int fd, void *p, size_t n, int flags) {
  FAULT_BYTES(FAULT_RECV, -2, n, FAULT_REAL(recv)(fd, p, n, flags));
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

#define FAULT_VECTORS(kind, to, name, offset)                                                  \
  ssize_t name(int fd, const struct iovec *v, int count, offset off, int flags) {              \
    struct iovec part[FAULT_PIECES];                                                           \
    size_t all = fault_sum(v, (size_t)count), n = all;                                         \
    FAULT_BYTES(kind, to, n,                                                                   \
                n < all && count <= FAULT_PIECES                                               \
                    ? FAULT_REAL(name)(fd, part, fault_cut(v, n, part), off, flags)            \
                    : FAULT_REAL(name)(fd, v, count, off, flags));                             \
  }

#define FAULT_PREADV(name, offset)                                                             \
  ssize_t name(int fd, const struct iovec *v, int count, offset off) {                         \
    struct iovec part[FAULT_PIECES];                                                           \
    size_t all = fault_sum(v, (size_t)count), n = all;                                         \
    FAULT_BYTES(FAULT_PREAD, -2, n,                                                            \
                n < all && count <= FAULT_PIECES                                               \
                    ? FAULT_REAL(name)(fd, part, fault_cut(v, n, part), off)                   \
                    : FAULT_REAL(name)(fd, v, count, off));                                    \
  }

FAULT_VECTORS(FAULT_WRITEV, fd, pwritev2, off_t)
FAULT_VECTORS(FAULT_PREAD, -2, preadv2, off_t)
FAULT_PREADV(preadv, off_t)
#if __SIZEOF_POINTER__ < 8
FAULT_VECTORS(FAULT_WRITEV, fd, pwritev64v2, off64_t)
FAULT_VECTORS(FAULT_PREAD, -2, preadv64v2, off64_t)
FAULT_PREADV(preadv64, off64_t)
#endif

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

#endif
