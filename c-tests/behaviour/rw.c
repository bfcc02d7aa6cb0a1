/* io_tryread, io_trywrite, io_waitread, io_waitwrite on descriptors in non-blocking mode. */
#include "loop.h"

#include <pthread.h>
#include <sys/time.h>

static const int64 strange[] = {-1, INT64_MIN, 1LL << 31, 1LL << 32, INT64_MAX};

static char buf[1 << 20];

typedef int64 reader(int64, char *, int64);
typedef int64 writer(int64, const char *, int64);
static reader *const readers[] = {io_tryread, io_waitread, io_tryreadtimeout};
static writer *const writers[] = {io_trywrite, io_waitwrite, io_trywritetimeout};

TEST(S3_6_S3_1_bad_descriptors) {
  int i;
  unsigned k;
  int64 d[2];
  l_pipe(d, 0);
  close((int)d[0]); /* closed, yet registered */
  for (i = 0; i < 3; i++) {
    CHECK_INT(readers[i](d[0], buf, 1), -3);
    CHECK_ERRNO(EBADF);
    CHECK_INT(writers[i](d[0], buf, 1), -3);
    CHECK_ERRNO(EBADF);
    for (k = 0; k < sizeof strange / sizeof *strange; k++) {
      CHECK_INT(readers[i](strange[k], buf, 1), -3);
      CHECK_ERRNO(EBADF);
      CHECK_INT(writers[i](strange[k], buf, 1), -3);
      CHECK_ERRNO(EBADF);
    }
  }
}

TEST(S3_6_S3_1_null_buffer_is_efault) {
  int i;
  int64 d[2];
  t_skip_under_valgrind();
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  l_put(d[1], "x");
  for (i = 0; i < 3; i++) {
    CHECK_INT(readers[i](d[0], NULL, 1), -3);
    CHECK_ERRNO(EFAULT);
    CHECK_INT(writers[i](d[0], NULL, 1), -3);
    CHECK_ERRNO(EFAULT);
  }
}

TEST(S3_6_S3_1_length_zero_does_nothing) {
  int i;
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  io_wantwrite(d[0]);
  l_put(d[1], "x");
  io_check();
  for (i = 0; i < 3; i++) {
    CHECK_INT(readers[i](d[0], buf, 0), 0);
    CHECK_INT(readers[i](d[0], NULL, 0), 0);
    CHECK_INT(writers[i](d[0], buf, 0), 0);
    CHECK_INT(writers[i](d[0], NULL, 0), 0);
  }
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canwrite(), d[0]);
}

/* A write of nothing is an empty datagram, a read of nothing takes none. */
TEST(S3_6_S3_1_length_zero_and_datagrams) {
  unsigned i;
  int p[2];
  int64 d[2];
  for (i = 0; i < sizeof writers / sizeof *writers; i++) {
    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
    d[0] = p[0];
    d[1] = p[1];
    CHECK_INT(io_fd(d[0]), 1);
    CHECK_INT(writers[i](d[0], NULL, 0), 0);
    CHECK_INT(recv(p[1], buf, 1, MSG_DONTWAIT), 0);
    CHECK_INT(recv(p[1], buf, 1, MSG_DONTWAIT), -1);
    l_put(d[1], "x");
    CHECK_INT(readers[i](d[0], buf, 0), 0);
    CHECK_INT(readers[i](d[0], buf, 1), 1);
    io_close(d[0]);
    close(p[1]);
    CHECK_INT(readers[i](d[0], buf, 0), -3);
    CHECK_ERRNO(EBADF);
    CHECK_INT(writers[i](d[0], buf, 0), -3);
    CHECK_ERRNO(EBADF);
  }
}

TEST(S3_6_S3_1_negative_length_is_refused) {
  int i;
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  l_put(d[1], "x");
  for (i = 0; i < 3; i++) {
    CHECK_INT(readers[i](d[0], buf, -1), -3);
    CHECK(errno == EINVAL || errno == EFAULT);
    CHECK_INT(writers[i](d[0], buf, INT64_MIN), -3);
    CHECK(errno == EINVAL || errno == EFAULT);
  }
  CHECK_INT(io_tryread(d[0], buf, 2), 1);
}

TEST(S3_1_huge_length_is_clamped) {
  int64 d[2];
  t_skip_under_valgrind();
  l_pipe(d, 0);
  l_put(d[1], "hello");
  CHECK_INT(io_tryread(d[0], buf, 1LL << 40), 5);
  l_put(d[1], "hello");
  CHECK_INT(io_tryread(d[0], buf, INT64_MAX), 5);
  CHECK_INT(memcmp(buf, "hello", 5), 0);
}

TEST(S3_6_T34_not_ready_is_minus_one_with_eagain) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  errno = 0;
  CHECK_INT(io_tryread(d[0], buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  while (io_trywrite(d[0], buf, sizeof buf) > 0) {
  }
  errno = 0;
  CHECK_INT(io_trywrite(d[0], buf, sizeof buf), -1);
  CHECK_ERRNO(EAGAIN);
}

TEST(S3_6_T33_errno_is_the_cause) {
  int64 d[2], file = open("/dev/null", O_RDONLY), dir = open("/", O_RDONLY);
  l_pipe(d, 0);
  CHECK_INT(io_fd(file), 1);
  CHECK_INT(io_fd(dir), 1);
  CHECK_INT(io_trywrite(file, "x", 1), -3);
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_tryread(dir, buf, 1), -3);
  CHECK_ERRNO(EISDIR);
  CHECK_INT(io_waitread(dir, buf, 1), -3);
  CHECK_ERRNO(EISDIR);
}

TEST(S3_6_end_of_file_is_zero) {
  int64 d[2], file = t_tmpfile(10);
  l_pipe(d, 0);
  l_put(d[1], "x");
  close((int)d[1]);
  CHECK_INT(io_tryread(d[0], buf, 10), 1);
  CHECK_INT(io_tryread(d[0], buf, 10), 0);
  CHECK_INT(io_waitread(d[0], buf, 10), 0);
  CHECK_INT(io_fd(file), 1);
  CHECK_INT(io_tryread(file, buf, 100), 10);
  CHECK_INT(io_tryread(file, buf, 100), 0);
}

TEST(S3_6_regular_files_are_written_in_full) {
  int64 file = t_tmpfile(0);
  CHECK_INT(io_fd(file), 1);
  CHECK_INT(io_trywrite(file, buf, sizeof buf), sizeof buf);
  CHECK_INT(io_waitwrite(file, buf, sizeof buf), sizeof buf);
  CHECK_INT(lseek((int)file, 0, SEEK_END), 2 * sizeof buf);
}

static void *feed(void *p) {
  poll(NULL, 0, 60);
  CHECK_INT(write(*(int *)p, "late", 4), 4);
  return NULL;
}

TEST(S3_6_waitread_waits_in_either_mode) {
  int nonblocking;
  for (nonblocking = 0; nonblocking < 3; nonblocking++) {
    int64 d[2];
    int write_end;
    pthread_t thread;
    t_pipe(d);
    if (nonblocking == 1) io_nonblock(d[0]);
    CHECK_INT(io_fd(d[0]), 1);
    /* behind the library's back */
    if (nonblocking == 2) CHECK_INT(fcntl((int)d[0], F_SETFL, O_NONBLOCK), 0);
    write_end = (int)d[1];
    CHECK_INT(pthread_create(&thread, NULL, feed, &write_end), 0);
    CHECK_INT(io_waitread(d[0], buf, 10), 4);
    CHECK_INT(pthread_join(thread, NULL), 0);
  }
}

static void *eat(void *p) {
  static char room[65536];
  poll(NULL, 0, 60);
  CHECK(read(*(int *)p, room, sizeof room) > 0);
  return NULL;
}

/* The kernel never says that such a socket is at its end: not in non-blocking mode. */
TEST(RULE3_S3_6_waitread_of_a_socket_that_is_shut_down_ends) {
  static const int ways[] = {SHUT_RD, SHUT_RDWR};
  int d[2], i;
  char c;
  for (i = 0; i < 2; i++) {
    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, d), 0);
    CHECK_INT(write(d[1], "x", 1), 1);
    CHECK_INT(shutdown(d[0], ways[i]), 0);
    CHECK_INT(io_waitread(d[0], &c, 1), 1);
    CHECK_INT(io_waitread(d[0], &c, 1), 0);
  }
  CHECK_INT(io_waitwrite(d[0], &c, 1), -3);
  CHECK_ERRNO(EPIPE);
}

TEST(S3_6_waitwrite_waits_for_room) {
  int64 d[2];
  int read_end;
  pthread_t thread;
  t_pipe(d);
  t_fill(d[1]);
  CHECK_INT(io_fd(d[1]), 1);
  read_end = (int)d[0];
  CHECK_INT(pthread_create(&thread, NULL, eat, &read_end), 0);
  CHECK(io_waitwrite(d[1], buf, 1 << 20) > 0);
  CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(S3_6_waitwrite_may_come_up_short) {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[1]);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_waitwrite(d[1], buf, sizeof buf), 65536);
}

static void on_signal(int number) { (void)number; }

TEST(Q9_S3_6_signal_ends_waitread) {
  struct itimerval timer = {{0, 0}, {0, 60000}};
  struct sigaction action;
  int nonblocking;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  for (nonblocking = 0; nonblocking < 2; nonblocking++) {
    int64 d[2];
    t_pipe(d);
    if (nonblocking) io_nonblock(d[0]);
    CHECK_INT(io_fd(d[0]), 1);
    CHECK_INT(setitimer(ITIMER_REAL, &timer, NULL), 0);
    CHECK_INT(io_waitread(d[0], buf, 1), -3);
    CHECK_ERRNO(EINTR);
  }
}

TEST(Q3_S3_1_open_but_unregistered_is_served) {
  int64 d[2];
  t_pipe(d);
  CHECK_INT(io_trywrite(d[1], "x", 1), 1);
  CHECK_INT(io_tryread(d[0], buf, 10), 1);
  alarm(2); /* kills a library that blocks */
  CHECK_INT(io_tryread(d[0], buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  alarm(0);
  CHECK_INT(io_waitwrite(d[1], "xy", 2), 2);
  CHECK_INT(io_waitread(d[0], buf, 10), 2);
}

TEST(S3_6_full_read_keeps_the_pending_event_honest) {
  int64 d[2];
  l_pipe(d, 1);
  l_put(d[1], "0123456789");
  io_check();
  CHECK_INT(io_tryread(d[0], buf, 4), 4); /* full, and more is left */
  io_check();
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_tryread(d[0], buf, 6), 6);
}
