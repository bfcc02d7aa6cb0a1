/* io_sendfile and io_mmapwritefile. */
#include "batch.h"
#include "filter.h"

/* promise: io_sendfile */
TEST(io_sendfile_sends_to_sockets_pipes_and_files) {
  int64 d[2], p[2], f = t_tmpfile(5000), out = t_tmpfile(0);
  int i;
  t_tcp_pair(d);
  t_pipe(p);
  for (i = 0; i < 4; i++) {
    int64 to[] = {d[0], p[1], out, out}, from[] = {d[1], p[0], out, out};
    /* sendfile refuses a target in append mode. */
    if (i == 3) CHECK_INT(fcntl((int)out, F_SETFL, O_APPEND), 0);
    CHECK_INT(io_sendfile(to[i], f, 10, 4000), 4000);
    if (i >= 2) CHECK_INT(lseek((int)out, -4000, SEEK_END), 4000 * (i - 2));
    b_expect_file(from[i], 10, 4000);
  }
  CHECK_INT(lseek((int)f, 0, SEEK_CUR), 0);
}

/* promise: io_sendfile */
TEST(io_sendfile_at_the_end_of_the_file_returns_zero) {
  int64 d[2], f = t_tmpfile(100);
  t_tcp_pair(d);
  CHECK_INT(io_sendfile(d[0], f, 0, 0), 0);
  CHECK_INT(io_sendfile(-1, f, 0, 0), 0);
  CHECK_INT(io_sendfile(d[0], -1, 0, 0), 0);
  CHECK_INT(io_sendfile(d[0], f, 60, 4096), 40);
  b_expect_file(d[1], 60, 40);
  CHECK_INT(io_sendfile(d[0], f, 100, 4096), 0);
  CHECK_INT(io_sendfile(d[0], f, 5000, 4096), 0);
}

TEST(io_sendfile_without_room_says_EAGAIN) {
  int64 d[2], p[2], f = t_tmpfile(100);
  t_tcp_pair(d);
  t_fill(d[0]);
  CHECK_INT(io_sendfile(d[0], f, 0, 100), -1);
  CHECK_ERRNO(EAGAIN);
  t_pipe(p);
  t_fill(p[1]);
  CHECK_INT(io_sendfile(p[1], f, 0, 100), -1);
  CHECK_ERRNO(EAGAIN);
}

#define REFUSED(call, why)                                                                     \
  do {                                                                                         \
    CHECK_INT(call, -3);                                                                       \
    CHECK_ERRNO(why);                                                                          \
  } while (0)

/* promise: io_sendfile */
TEST(io_sendfile_says_what_is_wrong_with_its_arguments) {
  int64 d[2], p[2], f = t_tmpfile(100), dir = open("/", O_RDONLY | O_DIRECTORY);
  t_tcp_pair(d);
  t_pipe(p);
  REFUSED(io_sendfile(-1, f, 0, 10), EBADF);
  REFUSED(io_sendfile(d[0], -1, 0, 10), EBADF);
  REFUSED(io_sendfile(d[0], (int64)1 << 32, 0, 10), EBADF);
  REFUSED(io_sendfile((int64)1 << 32, f, 0, 10), EBADF);
  REFUSED(io_sendfile(d[0], 1000000, 0, 10), EBADF);
  REFUSED(io_sendfile(d[0], p[0], 0, 10), ESPIPE);
  REFUSED(io_sendfile(d[0], dir, 0, 10), EINVAL);
  REFUSED(io_sendfile(d[0], f, (uint64)1 << 63, 10), EINVAL);
  REFUSED(io_sendfile(d[0], f, UINT64_MAX, 10), EINVAL);
  CHECK_INT(b_readable(d[1], 0), 0);
}

/* promise: io_sendfile */
TEST(io_sendfile_sends_a_proc_file) {
  char text[512];
  int64 d[2], f = open("/proc/version", O_RDONLY);
  ssize_t n = read((int)f, text, sizeof text - 1);
  CHECK(n > 10);
  text[n] = 0;
  t_tcp_pair(d);
  CHECK_INT(io_sendfile(d[0], f, 5, 4096), n - 5);
  b_expect(d[1], text + 5);
  CHECK_INT(io_sendfile(d[0], f, (uint64)n, 10), 0);
}

TEST(io_sendfile_of_more_than_the_file_has_sends_what_there_is) {
  int64 d[2], f = t_tmpfile(1000);
  t_tcp_pair(d);
  CHECK_INT(io_sendfile(d[0], f, 0, UINT64_MAX), 1000);
  CHECK_INT(io_sendfile(d[0], f, 999, INT64_MAX), 1);
  b_expect_file(d[1], 0, 1000);
  b_expect_file(d[1], 999, 1);
}

TEST(a_short_sendfile_leaves_events_of_other_descriptors_alone) {
  int64 d[2], e[2], f = t_tmpfile(8 << 20), n = 0, r;
  b_tcp(d);
  b_tcp(e);
  io_wantwrite(e[0]);
  io_wantwrite(d[0]);
  CHECK(io_waituntil2(1000) >= 1);
  while ((r = io_sendfile(d[0], f, (uint64)n, (uint64)((8 << 20) - n))) > 0) n += r;
  CHECK_INT(r, -1);
  CHECK_INT(io_canwrite(), e[0]);
  CHECK_INT(io_canwrite(), -1);
}

TEST(pieces_end_at_16_kib_boundaries) {
  int64 f = t_tmpfile(200000);
  CHECK_INT(io_mmapwritefile(target, f, 10, 150000, filter), 150000);
  CHECK_INT(calls, 10);
  CHECK_INT(offers[0].n, 16374);
  CHECK_INT(offers[1].n, 16384);
  CHECK_INT(offers[9].n, 150000 - 16374 - 8 * 16384);
  CHECK_INT(io_mmapwritefile(target, f, 10, 0, filter), 0);
  CHECK_INT(calls, 10);
}

/* promise: io_mmapwritefile */
TEST(io_mmapwritefile_returns_what_the_filter_took) {
  int64 f = t_tmpfile(200000);
  ANSWER(16384, 100);
  CHECK_INT(io_mmapwritefile(target, f, 0, 150000, filter), 16484);
  ANSWER(0);
  CHECK_INT(io_mmapwritefile(target, f, 0, 150000, filter), 0);
  ANSWER(16384, -1);
  CHECK_INT(io_mmapwritefile(target, f, 0, 150000, filter), 16384);
  ANSWER(-1);
  CHECK_INT(io_mmapwritefile(target, f, 0, 150000, filter), -1);
  CHECK_ERRNO(EAGAIN);
  ANSWER(-3);
  CHECK_INT(io_mmapwritefile(target, f, 0, 150000, filter), -3);
  answer_errno = EIO;
  ANSWER(-1);
  REFUSED(io_mmapwritefile(target, f, 0, 150000, filter), EIO);
  ANSWER(INT64_MAX);
  CHECK_INT(io_mmapwritefile(target, f, 0, 100, filter), 100);
}

/* Takes the place of memory of the library's that was freed too early. */
static int64 turn(int64 f, uint64 off, uint64 n) {
  static void **held;
  int64 r = io_mmapwritefile(target, f, off, n, filter);
  int size;
  for (size = 1000; size <= 65536; size += 64) {
    void **taken = malloc((size_t)size);
    CHECK(taken);
    *taken = held;
    held = taken;
  }
  return r;
}

/* promise: io_mmapwritefile */
TEST(io_mmapwritefile_offers_a_retry_the_same_address_and_length) {
  int64 f = t_tmpfile(200000);
  ANSWER(16374, -1, -1, 5, -1);
  CHECK_INT(turn(f, 10, 100000), 16374);
  CHECK_INT(turn(f, 16384, 83626), -1);
  CHECK_INT(turn(f, 16384, 83626), 5);
  CHECK_INT(turn(f, 16389, 83621), -1);
  CHECK_INT(calls, 5);
  CHECK(offers[1].at == offers[2].at && offers[2].at == offers[3].at);
  CHECK_INT(offers[1].n, 16384);
  CHECK_INT(offers[2].n, 16384);
  CHECK_INT(offers[3].n, 16384);
  CHECK(offers[4].at == offers[3].at + 5);
}

/* promise: io_mmapwritefile */
TEST(io_mmapwritefile_does_not_offer_bytes_of_a_closed_file) {
  int64 d[2], f = t_tmpfile(1000), g;
  b_tcp(d);
  target = d[0];
  ANSWER(-1, -1);
  CHECK_INT(io_mmapwritefile(target, f, 0, 1000, filter), -1);
  CHECK_INT(offers[calls - 1].first, t_byte(0));
  io_close(f);
  g = t_tmpfile(0);
  CHECK_INT(g, f);
  CHECK_INT(write((int)g, "xxxx", 4), 4);
  CHECK_INT(io_mmapwritefile(target, g, 0, 4, filter), -1);
  CHECK_INT(offers[calls - 1].first, 'x');
}

/* promise: io_mmapwritefile */
TEST(io_mmapwritefile_stops_at_the_end_of_the_file_and_then_says_EIO) {
  int64 f = t_tmpfile(100);
  CHECK_INT(io_mmapwritefile(target, f, 40, 4096, filter), 60);
  CHECK_INT(offers[0].n, 60);
  REFUSED(io_mmapwritefile(target, f, 100, 4096, filter), EIO);
  CHECK_INT(calls, 1);
}

/* promise: io_mmapwritefile */
TEST(io_mmapwritefile_says_what_is_wrong_with_its_arguments) {
  int64 p[2], f = t_tmpfile(100);
  t_pipe(p);
  REFUSED(io_mmapwritefile(target, -1, 0, 10, filter), EBADF);
  REFUSED(io_mmapwritefile(target, (int64)1 << 32, 0, 10, filter), EBADF);
  REFUSED(io_mmapwritefile(target, p[0], 0, 10, filter), ESPIPE);
  REFUSED(io_mmapwritefile(target, f, UINT64_MAX, 10, filter), EINVAL);
  REFUSED(io_mmapwritefile(target, f, 0, 10, NULL), EFAULT);
  CHECK_INT(calls, 0);
}

static int64 again(int64 s, const void *bytes, uint64 n) {
  (void)s, (void)bytes, (void)n;
  errno = EAGAIN;
  return -1;
}

static volatile int go_on = 1;

static void *feeds(void *file) {
  int64 f = *(int64 *)file, i;
  for (i = 0; go_on; i++) io_mmapwritefile(-(i % 8), f, 0, 10, again);
  return NULL;
}

/* A thread that is inside the library when another forks is missing in the child. */
TEST(a_child_forked_while_a_filter_runs_finds_nothing_locked) {
  int64 f = t_tmpfile(10);
  pthread_t thread;
  int i, status;
  CHECK_INT(pthread_create(&thread, NULL, feeds, &f), 0);
  for (i = 0; i < 200; i++) {
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
      alarm(5);
      t_account_for_nothing();
      CHECK_INT(io_mmapwritefile(-100, f, 0, 10, again), -1);
      io_close(f);
      t_leave(b_open(f));
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
  }
  go_on = 0;
  CHECK_INT(pthread_join(thread, NULL), 0);
}
