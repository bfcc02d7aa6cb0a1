/* iob_send: files that fail, targets that refuse, and targets that are no sockets. */
#include "batch.h"

B_BATCH(b)

/* promise: Files in a batch */
TEST(a_short_file_is_an_error_and_not_the_end) {
  int64 d[2], f = t_tmpfile(1000);
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile_close(&b, f, 0, 5000), 1);
  CHECK_INT(iob_adds(&b, "tail"), 1);
  CHECK_INT(iob_send(d[0], &b), 1004);
  B_CHECK(&b, 4004, 1, 2, 1);
  B_CHECK_ENTRY(&b, 0, 0, 4);
  B_CHECK_ENTRY(&b, 1, 1000, 4000);
  B_CHECK_ENTRY(&b, 2, 0, 4);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_send(d[0], &b), -3);
  B_CHECK(&b, 4004, 1, 2, 1);
  CHECK(b_open(f));
  iob_reset(&b);
  CHECK(!b_open(f));
}

/* A batch of three bytes is as it was after that target has refused it. */
static void refused_by(int64 d, int64 result, int error) {
  CHECK_INT(iob_adds(&b, "abc"), 1);
  CHECK_INT(iob_send(d, &b), result);
  CHECK_ERRNO(error);
  B_CHECK(&b, 3, 0, 1, 0);
  iob_reset(&b);
}

TEST(iob_send_to_what_is_not_open_is_EBADF) {
  refused_by(-1, -3, EBADF);
  refused_by((int64)1 << 32, -3, EBADF);
  refused_by(INT64_MIN, -3, EBADF);
}

TEST(iob_send_of_no_batch_is_EFAULT) {
  int64 p[2];
  t_pipe(p);
  CHECK_INT(iob_send(p[1], NULL), -3);
  CHECK_ERRNO(EFAULT);
}

/* A header, a file and a trailer to a target that was never registered. */
static void send_to_unregistered(int64 d) {
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile_close(&b, t_tmpfile(20000), 0, 20000), 1);
  CHECK_INT(iob_adds(&b, "tail"), 1);
  CHECK_INT(iob_send(d, &b), 20008);
  B_CHECK(&b, 0, 0, 0, 0);
}

static void expect_all(int64 d) {
  b_expect(d, "head");
  b_expect_file(d, 0, 20000);
  b_expect(d, "tail");
}

/* promise: Numbers that were never registered */
TEST(sockets_that_were_never_registered_are_sent_to) {
  int64 d[2];
  t_tcp_pair(d);
  send_to_unregistered(d[0]);
  expect_all(d[1]);
  t_unix_pair(d);
  send_to_unregistered(d[0]);
  expect_all(d[1]);
}

/* promise: Targets of a batch */
TEST(pipes_and_files_that_were_never_registered_are_sent_to) {
  int64 d[2], f = t_tmpfile(0);
  t_pipe(d);
  send_to_unregistered(d[1]);
  expect_all(d[0]);
  send_to_unregistered(f);
  CHECK_INT(lseek((int)f, 0, SEEK_SET), 0);
  expect_all(f);
}

TEST(a_full_socket_that_was_never_registered_says_again) {
  int64 d[2];
  t_unix_pair(d);
  t_fill(d[0]);
  refused_by(d[0], -1, EAGAIN);
}

/* promise: Targets of a batch */
TEST(what_is_not_open_is_no_target_registered_or_not) {
  int64 d[2];
  t_pipe(d);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(close((int)d[0]), 0);
  refused_by(d[0], -3, EBADF);
  refused_by(d[1], -3, EBADF);
}

/* promise: Every byte once */
TEST(a_failed_iob_send_leaves_the_cause_in_errno_and_the_batch_as_it_was) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  signal(SIGPIPE, SIG_IGN);
  CHECK_INT(close((int)d[1]), 0);
  refused_by(d[0], -3, EPIPE);
  b_tcp(d);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EBADF);
}

/* promise: Adding to a batch */
TEST(a_bad_buffer_is_an_error_when_it_is_sent) {
  int64 d[2];
  t_skip_under_valgrind();
  b_tcp(d);
  CHECK_INT(iob_addbuf(&b, NULL, 5), 1);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EFAULT);
  B_CHECK(&b, 5, 0, 1, 0);
}

/* promise: Sending a batch */
TEST(an_error_after_some_bytes_is_returned_by_the_next_call) {
  int64 d[2];
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "abc"), 1);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_adds(&b, "def"), 1);
  CHECK_INT(iob_send(d[0], &b), 3);
  CHECK_INT(iob_send(d[0], &b), -3);
  B_CHECK(&b, 13, 1, 2, 1);
}

/* Files without a page cache. */
/* promise: Files in a batch */
TEST(a_proc_file_can_be_sent) {
  char text[512], *got;
  int64 d[2], f = open("/proc/version", O_RDONLY), g = open("/proc/self/cmdline", O_RDONLY);
  ssize_t n = read((int)f, text, sizeof text - 1);
  CHECK(n > 10);
  text[n] = 0;
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "v="), 1);
  CHECK_INT(iob_addfile_close(&b, f, 0, (uint64)n), 1);
  CHECK_INT(iob_adds(&b, "."), 1);
  CHECK_INT(iob_send(d[0], &b), n + 3);
  b_expect(d[1], "v=");
  b_expect(d[1], text);
  b_expect(d[1], ".");
  n = read((int)g, text, sizeof text - 1);
  CHECK(n > 10);
  CHECK_INT(iob_addfile_close(&b, g, 3, (uint64)n - 3), 1);
  CHECK_INT(iob_send(d[0], &b), n - 3);
  got = b_read(d[1], (size_t)n - 3);
  CHECK(memcmp(got, text + 3, (size_t)n - 3) == 0);
  free(got);
}

TEST(a_directory_in_a_batch_is_an_error) {
  int64 d[2], f = open("/", O_RDONLY | O_DIRECTORY);
  b_tcp(d);
  CHECK_INT(iob_addfile(&b, f, 0, 10), 1);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EINVAL);
}

/* promise: Targets of a batch */
TEST(a_batch_is_sent_to_pipes_and_files_too) {
  int64 p[2], u[2], f = t_tmpfile(5000), out = t_tmpfile(0);
  int i;
  t_pipe(p);
  t_unix_pair(u);
  for (i = 0; i < 4; i++) {
    int64 to[] = {p[1], u[0], out, out}, from[] = {p[0], u[1], out, out};
    /* sendfile refuses a target in append mode. */
    if (i == 3) CHECK_INT(fcntl((int)out, F_SETFL, O_APPEND), 0);
    CHECK_INT(io_fd(to[i]), 1);
    CHECK_INT(iob_adds(&b, "head"), 1);
    CHECK_INT(iob_addfile(&b, f, 10, 4000), 1);
    CHECK_INT(iob_adds(&b, "tail"), 1);
    CHECK_INT(iob_send(to[i], &b), 4008);
    if (i >= 2) CHECK_INT(lseek((int)out, -4008, SEEK_END), 4008 * (i - 2));
    b_expect(from[i], "head");
    b_expect_file(from[i], 10, 4000);
    b_expect(from[i], "tail");
  }
}

TEST(iob_send_to_a_full_pipe_says_EAGAIN) {
  int64 p[2];
  t_pipe(p);
  t_fill(p[1]);
  CHECK_INT(io_fd(p[1]), 1);
  CHECK_INT(iob_adds(&b, "abc"), 1);
  CHECK_INT(iob_send(p[1], &b), -1);
  CHECK_ERRNO(EAGAIN);
  iob_reset(&b);
  CHECK_INT(iob_addfile(&b, t_tmpfile(10), 0, 10), 1);
  CHECK_INT(iob_send(p[1], &b), -1);
  CHECK_ERRNO(EAGAIN);
  B_CHECK(&b, 10, 0, 0, 1);
}

/* promise: Sending a batch */
TEST(iob_send_to_a_blocking_socket_blocks_until_all_is_sent) {
  static char text[4 << 20];
  int64 d[2], f = t_tmpfile(1 << 20);
  pid_t child;
  int status;
  t_tcp_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    close((int)d[0]);
    free(b_read(d[1], sizeof text));
    b_expect_file(d[1], 0, 1 << 20);
    t_leave(0);
  }
  CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 1 << 20), 1);
  CHECK_INT(iob_send(d[0], &b), (4 << 20) + (1 << 20));
  CHECK_INT(iob_bytesleft(&b), 0);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}
