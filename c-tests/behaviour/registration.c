/* io_fd and its variants, io_nonblock, io_block, io_closeonexec. */
#include "loop.h"

#include <sys/resource.h>

static const int64 strange[] = {-1, -2, INT64_MIN, 1LL << 31, 1LL << 32, INT64_MAX};

/* A library that wants memory for every number below must not take the machine down. */
static void limit_memory(void) {
  struct rlimit limit = {256 << 20, 256 << 20};
  if (T_ASAN) return; /* which needs terabytes of addresses */
  CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
}

static int is_nonblocking(int64 d) { return (fcntl((int)d, F_GETFL) & O_NONBLOCK) != 0; }

/* promise: Registering a descriptor */
TEST(io_fd_accepts_what_is_open) {
  int64 d[2], s[2], dir = open("/", O_RDONLY), file = t_tmpfile(1);
  t_pipe(d);
  t_tcp_pair(s);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(s[0]), 1);
  CHECK_INT(io_fd(dir), 1);
  CHECK_INT(io_fd(file), 1);
  CHECK(io_getcookie(d[0]) == NULL);
}

/* promise: Registering a descriptor */
TEST(io_fd_refuses_what_is_not_open) {
  unsigned i;
  int64 d[2];
  t_pipe(d);
  close((int)d[0]);
  CHECK_INT(io_fd(d[0]), 0);
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_fd_canwrite(d[0]), 0);
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_fd_flags(d[0], 0), 0);
  CHECK_ERRNO(EBADF);
  limit_memory();
  for (i = 0; i < 3; i++) {
    CHECK_INT(io_fd(strange[i]), 0);
    CHECK_ERRNO(EBADF);
    CHECK_INT(io_fd_canwrite(strange[i]), 0);
    CHECK_ERRNO(EBADF);
  }
}

/* promise: Impossible numbers */
TEST(numbers_past_int_are_refused) {
  unsigned i;
  CHECK(fcntl(0, F_GETFD) != -1); /* the low half of 2^32 is open */
  limit_memory();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    errno = 0;
    CHECK_INT(io_fd(strange[i]), 0);
    CHECK_ERRNO(EBADF);
  }
}

/* promise: The mode that the program states */
TEST(flags_do_not_make_a_bad_number_good) {
  unsigned i;
  int flags;
  limit_memory();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    for (flags = 0; flags < 8; flags++) {
      errno = 0;
      CHECK_INT(io_fd_flags(strange[i], flags), 0);
      CHECK_ERRNO(EBADF);
    }
  }
}

TEST(huge_numbers_are_accepted_and_cheap) {
  static int cookie;
  limit_memory();
  CHECK_INT(io_fd_flags(100000, IO_FD_NONBLOCK), 1);
  io_setcookie(100000, &cookie);
  CHECK(io_getcookie(100000) == &cookie);
  CHECK(io_getcookie(99999) == NULL);
}

/* promise: Memory and time do not depend on the number */
TEST(memory_does_not_grow_with_the_size_of_a_number) {
  static int cookie;
  limit_memory();
  CHECK_INT(io_fd_flags(INT32_MAX, IO_FD_NONBLOCK), 1);
  CHECK_INT(io_fd_flags(1 << 30, IO_FD_NONBLOCK), 1);
  io_setcookie(INT32_MAX, &cookie);
  CHECK(io_getcookie(INT32_MAX) == &cookie);
  CHECK(io_getcookie(1 << 30) == NULL);
}

/* promise: The mode that the program states */
TEST(io_fd_flags_believes_the_mode_that_it_is_told) {
  int64 d[2];
  t_pipe(d);
  close((int)d[0]);
  CHECK_INT(io_fd_flags(d[0], IO_FD_NONBLOCK), 1); /* even of a closed number */
  CHECK_INT(io_fd_flags(d[1], IO_FD_BLOCK), 1);
  CHECK_INT(io_fd_flags(d[1], IO_FD_BLOCK | IO_FD_NONBLOCK), 1);
  CHECK_INT(io_fd_flags(d[1], 0x7ffffff8), 1); /* unknown bits are ignored */
  CHECK_INT(is_nonblocking(d[1]), 0);
}

/* promise: Registering again */
TEST(io_fd_again_keeps_interest_cookie_and_deadline) {
  int64 d[2];
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd_flags(d[0], IO_FD_NONBLOCK), 1);
  CHECK(io_getcookie(d[0]) == d);
  CHECK_INT(io_timedout(d[0]), 1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Registering again */
TEST(io_fd_again_keeps_a_pending_event) {
  int64 d[2];
  l_pipe(d, 1);
  l_put(d[1], "x");
  io_check();
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Registering again */
TEST(io_fd_again_reads_the_mode_again) {
  int64 d[2];
  char c;
  t_pipe(d);
  CHECK_INT(fcntl((int)d[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(fcntl((int)d[0], F_SETFL, 0), 0); /* unknown to the library */
  CHECK_INT(io_fd(d[0]), 1);
  alarm(2); /* kills a library that blocks */
  CHECK_INT(io_tryread(d[0], &c, 1), -1);
  CHECK_ERRNO(EAGAIN);
}

/* promise: Registering a descriptor */
TEST(the_mode_is_never_changed_unasked) {
  int64 d[2];
  char c;
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd_flags(d[1], IO_FD_NONBLOCK), 1);
  io_wantread(d[0]);
  io_wantwrite(d[0]);
  io_waituntil2(1);
  CHECK_INT(io_tryread(d[0], &c, 1), -1);
  CHECK_INT(io_trywrite(d[0], "x", 1), 1);
  CHECK_INT(is_nonblocking(d[0]), 0);
  CHECK_INT(is_nonblocking(d[1]), 0);
  CHECK_INT(fcntl((int)d[0], F_GETFD), 0);
}

/* promise: Setting the mode */
TEST(io_nonblock_and_io_block_work_before_and_after_io_fd) {
  int64 d[2];
  char c;
  int registered;
  for (registered = 0; registered < 2; registered++) {
    t_pipe(d);
    if (registered) CHECK_INT(io_fd_flags(d[0], IO_FD_NONBLOCK), 1);
    io_nonblock(d[0]);
    CHECK_INT(is_nonblocking(d[0]), 1);
    CHECK_INT(io_fd(d[0]), 1);
    CHECK_INT(io_tryread(d[0], &c, 1), -1);
    io_block(d[0]);
    CHECK_INT(is_nonblocking(d[0]), 0);
    alarm(2); /* kills a library that still believes in non-blocking mode */
    CHECK_INT(io_tryread(d[0], &c, 1), -1);
    alarm(0);
  }
}

/* promise: Setting the mode */
TEST(io_nonblock_keeps_the_other_flags) {
  char path[] = "/tmp/owfat-io-test.XXXXXX";
  int64 d = mkstemp(path);
  unlink(path);
  CHECK_INT(fcntl((int)d, F_SETFL, O_APPEND), 0);
  io_nonblock(d);
  CHECK_INT(fcntl((int)d, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
  io_block(d);
  CHECK_INT(fcntl((int)d, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND);
}

TEST(io_nonblock_and_io_block_ignore_bad_numbers) {
  unsigned i;
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    io_nonblock(strange[i]);
    io_block(strange[i]);
    io_closeonexec(strange[i]);
  }
  CHECK_INT(is_nonblocking(0), 0);
  CHECK_INT(fcntl(0, F_GETFD), 0); /* 2^32 did not reach descriptor 0 */
}

TEST(a_registered_socket_in_blocking_mode_serves_plain_recv) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  char buf[8];
  int64 s = socket(AF_INET, SOCK_DGRAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_INT(bind((int)s, (struct sockaddr *)&address, length), 0);
  CHECK_INT(getsockname((int)s, (struct sockaddr *)&address, &length), 0);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  io_block(s);
  CHECK_INT(is_nonblocking(s), 0);
  CHECK_INT(sendto((int)s, "hello", 5, 0, (struct sockaddr *)&address, length), 5);
  l_idle();
  l_check_asleep();
  CHECK_INT(recv((int)s, buf, sizeof buf, 0), 5);
}

/* promise: Impossible numbers */
TEST(every_call_is_harmless_before_the_first_io_fd) {
  CHECK(io_getcookie(3) == NULL);
  io_setcookie(3, &errno);
  io_timeout(3, l_in_ms(1000));
  io_wantread(3);
  io_wantwrite(3);
  io_dontwantread(3);
  io_dontwantwrite(3);
  io_eagain(3);
  CHECK_INT(io_timedout(3), 0);
  CHECK_INT(io_timeouted(), -1);
  CHECK_INT(io_waituntil2(1000), 0);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  CHECK(io_getcookie(3) == NULL);
}
