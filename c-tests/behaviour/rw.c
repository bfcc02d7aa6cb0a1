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

TEST(reads_and_writes_of_bad_descriptors_are_EBADF) {
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

/* promise: Results of transfers */
TEST(a_buffer_that_is_NULL_is_EFAULT) {
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

/* promise: Results of transfers */
TEST(a_length_of_zero_does_nothing) {
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
/* promise: Results of transfers */
TEST(a_write_of_nothing_is_an_empty_datagram_and_a_read_of_nothing_takes_none) {
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

/* promise: Results of transfers */
TEST(a_negative_length_is_EINVAL) {
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

/* promise: Results of transfers */
TEST(a_huge_length_is_cut_to_what_one_call_can_transfer) {
  int64 d[2];
  t_skip_under_valgrind();
  l_pipe(d, 0);
  l_put(d[1], "hello");
  CHECK_INT(io_tryread(d[0], buf, 1LL << 40), 5);
  l_put(d[1], "hello");
  CHECK_INT(io_tryread(d[0], buf, INT64_MAX), 5);
  CHECK_INT(memcmp(buf, "hello", 5), 0);
}

/* promise: Results of transfers */
TEST(what_is_not_ready_is_minus_one_with_EAGAIN) {
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

/* promise: Results of transfers */
TEST(a_failed_read_or_write_leaves_the_cause_in_errno) {
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

/* promise: Results of transfers */
TEST(the_end_of_file_is_zero) {
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

/* promise: Transfers never wait */
TEST(regular_files_are_written_in_full) {
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

/* promise: Transfers that wait */
TEST(io_waitread_waits_in_blocking_and_non_blocking_mode) {
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
/* promise: Transfers that wait */
TEST(io_waitread_of_a_socket_that_is_shut_down_ends) {
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

/* promise: Transfers that wait */
TEST(io_waitwrite_waits_for_room) {
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

/* promise: Transfers that wait */
TEST(io_waitwrite_may_write_less_than_it_was_given) {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[1]);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_waitwrite(d[1], buf, sizeof buf), 65536);
}

static void on_signal(int number) { (void)number; }

/* promise: Transfers that wait */
TEST(a_signal_ends_io_waitread_with_EINTR) {
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

/* promise: Numbers that were never registered */
TEST(an_open_number_that_was_never_registered_is_read_and_written) {
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

TEST(a_full_read_before_the_event_is_taken_keeps_the_event_for_the_rest) {
  int64 d[2];
  l_pipe(d, 1);
  l_put(d[1], "0123456789");
  io_check();
  CHECK_INT(io_tryread(d[0], buf, 4), 4); /* full, and more is left */
  io_check();
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_tryread(d[0], buf, 6), 6);
}
