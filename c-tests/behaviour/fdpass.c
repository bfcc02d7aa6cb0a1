/* io_passfd, io_receivefd. */
#include "t.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

/* Sends a byte with n descriptors, all of them duplicates of d. */
static void send_many(int64 sock, char byte, int64 d, int n) {
  union {
    char room[CMSG_SPACE(253 * sizeof(int))];
    struct cmsghdr aligned;
  } control;
  struct iovec iov = {&byte, 1};
  struct msghdr message;
  struct cmsghdr *header;
  int i, numbers[253];
  memset(&message, 0, sizeof message);
  memset(&control, 0, sizeof control);
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
  header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
  for (i = 0; i < n; i++) numbers[i] = (int)d;
  memcpy(CMSG_DATA(header), numbers, (size_t)n * sizeof(int));
#ifndef __GLIBC__
  if (message.msg_controllen > 1024) SKIP("musl sends no such message (ENOMEM)");
#endif
  CHECK_INT(sendmsg((int)sock, &message, 0), 1);
}

static int open_descriptors(void) {
  int d, n = 0;
  for (d = 0; d < 1024; d++) n += fcntl(d, F_GETFD) != -1;
  return n;
}

static int lowest_free(void) {
  int d = dup(0);
  CHECK(d >= 0);
  CHECK_INT(close(d), 0);
  return d;
}

static void allow_descriptors_below(int n) {
  struct rlimit limit;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)n;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* valgrind keeps the limit from the kernel. */
static int limit_holds(void) {
  int p[2];
  return socketpair(AF_UNIX, SOCK_STREAM, 0, p) == -1;
}

static void same_file(int64 a, int64 b) {
  struct stat first, second;
  CHECK_INT(fstat((int)a, &first), 0);
  CHECK_INT(fstat((int)b, &second), 0);
  CHECK(first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

static void pair_of(int type, int64 d[2]) {
  int p[2];
  CHECK_INT(socketpair(AF_UNIX, type, 0, p), 0);
  d[0] = p[0];
  d[1] = p[1];
}

static void passes_over(int type) {
  int64 u[2], p[2], got;
  pair_of(type, u);
  t_pipe(p);
  CHECK_INT(io_passfd(u[0], p[1]), 0);
  got = io_receivefd(u[1]);
  CHECK(got >= 0);
  CHECK(got != p[1]);
  same_file(got, p[1]);
  CHECK_INT(fcntl((int)p[1], F_GETFD), 0); /* still open here */
  CHECK_INT(fcntl((int)got, F_GETFD), 0);  /* not close-on-exec */
}

/* promise: Passing descriptors */
TEST(io_passfd_passes_descriptors_over_a_stream) { passes_over(SOCK_STREAM); }
/* promise: Passing descriptors */
TEST(io_passfd_passes_descriptors_over_datagrams) { passes_over(SOCK_DGRAM); }
/* promise: Passing descriptors */
TEST(io_passfd_passes_descriptors_over_packets) { passes_over(SOCK_SEQPACKET); }

/* promise: Passing descriptors */
TEST(the_mode_goes_with_a_passed_descriptor) {
  int64 u[2], p[2], got;
  t_unix_pair(u);
  t_pipe(p);
  CHECK_INT(io_passfd(u[0], p[0]), 0);
  got = io_receivefd(u[1]);
  CHECK(got >= 0);
  CHECK_INT(fcntl((int)got, F_GETFL) & O_NONBLOCK, 0);
  CHECK_INT(fcntl((int)p[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_INT(io_passfd(u[0], p[0]), 0);
  got = io_receivefd(u[1]);
  CHECK(got >= 0);
  CHECK_INT(fcntl((int)got, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(a_received_descriptor_is_not_registered) {
  int64 u[2], got;
  int cookie;
  t_unix_pair(u);
  CHECK_INT(io_passfd(u[0], u[0]), 0);
  got = io_receivefd(u[1]);
  CHECK(got >= 0);
  io_setcookie(got, &cookie);
  CHECK(io_getcookie(got) == NULL);
}

/* The format that processes linked with libowfat expect: one byte 'x', one descriptor. */
/* promise: Passing descriptors */
TEST(io_passfd_sends_one_byte) {
  int64 u[2];
  char got[8];
  t_unix_pair(u);
  CHECK_INT(io_passfd(u[0], u[0]), 0);
  CHECK_INT(write((int)u[0], "rest", 4), 4);
  CHECK_INT(recv((int)u[1], got, 1, 0), 1);
  CHECK_INT(got[0], 'x');
  CHECK_INT(recv((int)u[1], got, sizeof got, 0), 4);
}

/* promise: Passing descriptors */
TEST(io_receivefd_takes_one_byte_of_whatever_value) {
  int64 u[2];
  char got[8];
  t_unix_pair(u);
  send_many(u[0], '\0', u[0], 1);
  CHECK_INT(write((int)u[0], "rest", 4), 4);
  CHECK(io_receivefd(u[1]) >= 0);
  CHECK_INT(recv((int)u[1], got, sizeof got, 0), 4);
  CHECK(memcmp(got, "rest", 4) == 0);
}

TEST(descriptors_may_be_passed_between_lengths_written_raw) {
  int64 u[2], got, file = t_tmpfile(100);
  uint32_t length = 0;
  int status;
  pid_t child;
  CHECK_INT(io_socketpair(u), 1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    static const uint32_t lengths[2] = {100, 0x78787878};
    int i;
    for (i = 0; i < 2; i++) {
      CHECK_INT(write((int)u[1], &lengths[i], sizeof lengths[i]), sizeof lengths[i]);
      CHECK_INT(io_passfd(u[1], file), 0);
    }
    t_leave(0);
  }
  CHECK_INT(close((int)u[1]), 0);
  CHECK_INT(read((int)u[0], &length, sizeof length), sizeof length);
  CHECK_INT(length, 100);
  got = io_receivefd(u[0]);
  CHECK(got >= 0);
  same_file(got, file);
  CHECK_INT(read((int)u[0], &length, sizeof length), sizeof length);
  CHECK_INT(length, 0x78787878);
  CHECK(io_receivefd(u[0]) >= 0);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  errno = 0;
  CHECK_INT(io_receivefd(u[0]), -1); /* the child has closed */
  CHECK_ERRNO(EPROTO);
}

/* promise: More than one descriptor in a message */
TEST(of_several_descriptors_the_first_is_returned_and_the_others_are_closed) {
  static const int counts[] = {2, 3, 60, 61, 253};
  int64 u[2], p[2];
  size_t i;
  t_unix_pair(u);
  t_pipe(p);
  for (i = 0; i < sizeof counts / sizeof *counts; i++) {
    int before = open_descriptors();
    int64 got;
    send_many(u[0], 'x', p[0], counts[i]);
    got = io_receivefd(u[1]);
    CHECK(got >= 0);
    same_file(got, p[0]);
    CHECK_INT(open_descriptors(), before + 1);
    CHECK_INT(close((int)got), 0);
  }
}

/* promise: More than one descriptor in a message */
TEST(what_else_comes_with_a_descriptor_is_skipped_and_closed) {
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
  static const int names[] = {SO_PASSCRED, SO_TIMESTAMP, SO_PASSPIDFD};
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
  size_t i, t;
  for (t = 0; t < 2; t++) {
    int64 u[2], p[2], got;
    int before;
    pair_of(types[t], u);
    t_pipe(p);
    for (i = 0; i < 3; i++) {
      int on = 1, r = setsockopt((int)u[1], SOL_SOCKET, names[i], &on, sizeof on);
      CHECK(r == 0 || names[i] == SO_PASSPIDFD); /* which older kernels do not have */
    }
    before = open_descriptors();
    CHECK_INT(io_passfd(u[0], p[0]), 0);
    got = io_receivefd(u[1]);
    CHECK(got >= 0);
    same_file(got, p[0]);
    CHECK_INT(open_descriptors(), before + 1);
    CHECK_INT(send((int)u[0], "x", 1, 0), 1);
    errno = 0;
    CHECK_INT(io_receivefd(u[1]), -1);
    CHECK_ERRNO(EPROTO);
    CHECK_INT(open_descriptors(), before + 1);
  }
}

/* promise: Passing descriptors */
TEST(a_byte_without_a_descriptor_is_EPROTO_and_taken) {
  int64 u[2];
  char got[4];
  t_unix_pair(u);
  CHECK_INT(write((int)u[0], "ab", 2), 2);
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1);
  CHECK_ERRNO(EPROTO);
  CHECK_INT(recv((int)u[1], got, sizeof got, MSG_DONTWAIT), 1);
  CHECK_INT(got[0], 'b');
}

TEST(io_receivefd_at_the_end_of_the_stream_is_EPROTO) {
  int64 u[2];
  t_unix_pair(u);
  CHECK_INT(close((int)u[0]), 0);
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1);
  CHECK_ERRNO(EPROTO);
}

TEST(io_receivefd_of_an_empty_nonblocking_socket_is_EAGAIN) {
  int64 u[2];
  t_unix_pair(u);
  CHECK_INT(fcntl((int)u[1], F_SETFL, O_NONBLOCK), 0);
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1);
  CHECK_ERRNO(EAGAIN);
}

TEST(io_passfd_to_a_full_nonblocking_socket_is_EAGAIN) {
  int64 u[2];
  t_unix_pair(u);
  CHECK(t_fill(u[0]) > 0);
  errno = 0;
  CHECK_INT(io_passfd(u[0], u[0]), -1);
  CHECK_ERRNO(EAGAIN);
}

TEST(io_receivefd_without_a_free_descriptor_is_EMFILE) {
  int64 u[2], p[2];
  int lowest;
  t_unix_pair(u);
  t_pipe(p);
  CHECK_INT(io_passfd(u[0], p[0]), 0);
  lowest = lowest_free();
  allow_descriptors_below(lowest);
  if (!limit_holds()) SKIP("the descriptor limit has no effect");
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1);
  CHECK_ERRNO(EMFILE);
  allow_descriptors_below(lowest + 1);
  CHECK_INT(lowest_free(), lowest);
}

/* promise: More than one descriptor in a message */
TEST(io_receivefd_needs_room_for_one_of_two_descriptors_only) {
  int64 u[2], p[2];
  int lowest;
  t_unix_pair(u);
  t_pipe(p);
  send_many(u[0], 'x', p[0], 2);
  lowest = lowest_free();
  allow_descriptors_below(lowest + 1);
  CHECK_INT(io_receivefd(u[1]), lowest);
  same_file(lowest, p[0]);
}

TEST(passfd_to_a_closed_peer_is_EPIPE_and_no_signal) {
  int64 u[2], tcp[2];
  int i, r = 0;
  signal(SIGPIPE, SIG_DFL);
  t_unix_pair(u);
  CHECK_INT(close((int)u[1]), 0);
  errno = 0;
  CHECK_INT(io_passfd(u[0], 0), -1);
  CHECK_ERRNO(EPIPE);
  /* TCP learns of it with the answer to the first byte. */
  t_tcp_pair(tcp);
  CHECK_INT(close((int)tcp[1]), 0);
  for (i = 0; i < 1000 && r == 0; i++) {
    struct pollfd until = {(int)tcp[0], 0, 0}; /* reset: POLLERR or POLLHUP */
    r = io_passfd(tcp[0], 0);
    if (r == 0) CHECK(poll(&until, 1, 5000) == 1);
  }
  CHECK_INT(r, -1);
  CHECK(errno == EPIPE || errno == ECONNRESET);
}

TEST(io_passfd_and_io_receivefd_refuse_bad_descriptors) {
  static const int64 bad[] = {-1, 99999, 1LL << 32, INT64_MIN, INT64_MAX};
  int64 u[2], p[2];
  size_t i;
  t_unix_pair(u);
  t_pipe(p);
  CHECK_INT(fcntl((int)u[1], F_SETFL, O_NONBLOCK), 0);
  for (i = 0; i < sizeof bad / sizeof *bad; i++) {
    errno = 0;
    CHECK_INT(io_passfd(bad[i], p[0]), -1);
    CHECK_ERRNO(EBADF);
    errno = 0;
    CHECK_INT(io_passfd(u[0], bad[i]), -1);
    CHECK_ERRNO(EBADF);
    errno = 0;
    CHECK_INT(io_receivefd(bad[i]), -1);
    CHECK_ERRNO(EBADF);
  }
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1); /* nothing was sent */
  CHECK_ERRNO(EAGAIN);
  errno = 0;
  CHECK_INT(io_passfd(p[1], p[0]), -1);
  CHECK_ERRNO(ENOTSOCK);
  errno = 0;
  CHECK_INT(io_receivefd(p[0]), -1);
  CHECK_ERRNO(ENOTSOCK);
}

static void nothing(int sig) { (void)sig; }

TEST(a_signal_ends_a_blocking_io_receivefd) {
  /* Repeated, in case the first comes before the call. */
  struct itimerval often = {{0, 50000}, {0, 50000}};
  struct sigaction action;
  int64 u[2];
  t_unix_pair(u);
  memset(&action, 0, sizeof action);
  action.sa_handler = nothing;
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
  errno = 0;
  CHECK_INT(io_receivefd(u[1]), -1);
  CHECK_ERRNO(EINTR);
  CHECK(t_fill(u[0]) > 0);
  CHECK_INT(fcntl((int)u[0], F_SETFL, 0), 0);
  errno = 0;
  CHECK_INT(io_passfd(u[0], 0), -1);
  CHECK_ERRNO(EINTR);
}
