/* iob_write: the filter sees each byte once. */
#include "batch.h"
#include "filter.h"

B_BATCH(b)

static void register_target(void) {
  int64 d[2];
  b_tcp(d);
  target = d[0];
}

static void three(void) {
  static const char text[] = "0123456789abcdefXYZ";
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
  CHECK_INT(iob_addbuf(&b, text + 10, 6), 1);
  CHECK_INT(iob_addbuf(&b, text + 16, 3), 1);
}

/* promise: Filtering a batch */
TEST(iob_write_that_sent_everything_resets_the_batch) {
  int64 f = t_tmpfile(100000);
  three();
  CHECK_INT(iob_addfile_close(&b, f, 10, 99990), 1);
  CHECK_INT(iob_write(target, &b, filter), 19 + 99990);
  CHECK_INT(calls, 10);
  CHECK_INT(offers[3].n, 16374);
  CHECK_INT(offers[4].n, 16384);
  CHECK_INT(offers[9].n, 100000 - 6 * 16384);
  CHECK(memcmp(taken, "0123456789abcdefXYZ", 19) == 0);
  b_check_file(taken + 19, 10, 99990);
  B_CHECK(&b, 0, 0, 0, 0);
  CHECK(!b_open(f));
  CHECK_INT(iob_write(target, &b, filter), 0);
  CHECK_INT(calls, 10);
}

/* promise: Filtering a batch */
TEST(a_batch_that_is_filtered_in_part_keeps_its_rest) {
  static const char text[] = "0123456789abcdefghij";
  CHECK_INT(iob_addbuf(&b, text, 20), 1);
  ANSWER(10, 10);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK_INT(iob_bytesleft(&b), 10);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK(memcmp(taken, text, 20) == 0);
  CHECK_INT(iob_bytesleft(&b), 0);
}

TEST(bytesleft_and_next_are_right_after_each_partial_iob_write) {
  three();
  ANSWER(3, 3, 3, 1, 3, 3, 3);
  CHECK_INT(iob_write(target, &b, filter), 3);
  CHECK_INT(iob_bytesleft(&b), 16);
  B_CHECK_ENTRY(&b, 0, 3, 7);
  CHECK_INT(iob_write(target, &b, filter), 3);
  CHECK_INT(iob_write(target, &b, filter), 3);
  B_CHECK_ENTRY(&b, 0, 9, 1);
  CHECK_INT(iob_write(target, &b, filter), 4);
  CHECK_INT(iob_bytesleft(&b), 6);
  B_CHECK_ENTRY(&b, 0, 10, 0);
  B_CHECK_ENTRY(&b, 1, 3, 3);
  B_CHECK_ENTRY(&b, 2, 0, 3);
  CHECK_INT(iob_write(target, &b, filter), 6);
  CHECK_INT(iob_bytesleft(&b), 0);
  CHECK(memcmp(taken, "0123456789abcdefXYZ", 19) == 0);
}

/* promise: Filtering a batch */
TEST(a_filter_that_says_again_is_minus_one_only_if_nothing_was_taken) {
  three();
  ANSWER(-1, 10, -1);
  CHECK_INT(iob_write(target, &b, filter), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(iob_bytesleft(&b), 19);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK_INT(iob_bytesleft(&b), 9);
  B_CHECK_ENTRY(&b, 0, 10, 0);
  B_CHECK_ENTRY(&b, 1, 0, 6);
  iob_reset(&b);
}

/* promise: Filtering a batch */
TEST(errors_of_the_filter_other_than_EAGAIN_are_minus_three) {
  int64 f = t_tmpfile(10);
  answer_errno = EIO;
  three();
  CHECK_INT(iob_addfile(&b, f, 0, 10), 1);
  ANSWER(-1, -3, INT64_MIN, 10, -1);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK_INT(iob_bytesleft(&b), 19);
  iob_reset(&b);
  CHECK_INT(iob_addfile(&b, f, 0, 10), 1);
  ANSWER(-1);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_bytesleft(&b), 10);
}

/* promise: Filtering a batch */
TEST(a_filter_that_says_end_of_file_ends_the_call) {
  three();
  ANSWER(0, 10, 0);
  CHECK_INT(iob_write(target, &b, filter), 0);
  CHECK_INT(iob_bytesleft(&b), 19);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK_INT(iob_bytesleft(&b), 9);
}

TEST(a_filter_that_claims_more_than_it_was_offered_took_all) {
  int64 f = t_tmpfile(10);
  three();
  CHECK_INT(iob_addfile(&b, f, 0, 10), 1);
  ANSWER(11, INT64_MAX, 3, 4096);
  CHECK_INT(iob_write(target, &b, filter), 29);
  CHECK_INT(calls, 4);
  CHECK_INT(iob_bytesleft(&b), 0);
}

TEST(iob_write_without_a_filter_or_a_batch_is_EFAULT) {
  CHECK_INT(iob_write(target, &b, filter), 0);
  CHECK_INT(calls, 0);
  CHECK_INT(iob_write(target, NULL, filter), -3);
  CHECK_ERRNO(EFAULT);
  three();
  CHECK_INT(iob_write(target, &b, NULL), -3);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(iob_bytesleft(&b), 19);
}

TEST(iob_write_of_a_bad_file_is_an_error) {
  int64 p[2];
  t_pipe(p);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(EBADF);
  iob_reset(&b);
  CHECK_INT(iob_addfile(&b, p[0], 0, 10), 1);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(ESPIPE);
  CHECK_INT(calls, 0);
}

/* Takes the place of memory of the library's that was freed too early. */
static int64 turn(io_batch *batch) {
  static void **held;
  int64 r = iob_write(target, batch, filter);
  int saved = errno, size;
  for (size = 1000; size <= 65536; size += 64) {
    void **taken = malloc((size_t)size);
    CHECK(taken);
    *taken = held;
    held = taken;
  }
  errno = saved;
  return r;
}

/* promise: Filtering a batch */
TEST(iob_write_offers_a_retry_the_same_address_and_length) {
  int64 f = t_tmpfile(200000);
  uint64 rest;
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, f, 10, 150000), 1);
  ANSWER(-1, 4, -1, -1, 16374, -1, 100, -1);
  CHECK_INT(turn(&b), -1);
  CHECK_INT(turn(&b), 4);
  CHECK_INT(turn(&b), -1);
  CHECK_INT(turn(&b), 16374);
  CHECK_INT(turn(&b), 100);
  CHECK_INT(turn(&b), -1);
  CHECK_INT(calls, 8);
  CHECK(offers[0].at == offers[1].at);
  CHECK_INT(offers[0].n, offers[1].n);
  CHECK(offers[2].at == offers[3].at && offers[3].at == offers[4].at);
  CHECK_INT(offers[2].n, 16374);
  CHECK_INT(offers[3].n, 16374);
  CHECK_INT(offers[4].n, 16374);
  CHECK(offers[5].at == offers[6].at);
  CHECK_INT(offers[5].n, 16384);
  CHECK_INT(offers[6].n, 16384);
  CHECK((const char *)offers[7].at == (const char *)offers[6].at + 100);
  rest = iob_bytesleft(&b);
  CHECK_INT(rest, 150000 - 16374 - 100);
  CHECK_INT(turn(&b), rest);
  CHECK(memcmp(taken, "head", 4) == 0);
  b_check_file(taken + 4, 10, 150000);
}

/* Two connections that download one file, and one of them is aborted. */
TEST(a_reset_of_one_batch_leaves_the_retry_of_another_as_it_is) {
  static io_batch other;
  int64 f = t_tmpfile(1000);
  CHECK_INT(iob_addfile(&b, f, 0, 1000), 1);
  CHECK_INT(iob_addfile(&other, f, 0, 1000), 1);
  ANSWER(-1, -1, -1);
  CHECK_INT(turn(&b), -1);
  CHECK_INT(turn(&other), -1);
  iob_reset(&other);
  CHECK_INT(turn(&b), -1);
  CHECK(offers[0].at == offers[2].at);
}

/* promise: Files in a batch */
TEST(a_file_that_shrinks_while_it_is_filtered_is_an_error) {
  int64 f = t_tmpfile(100000);
  register_target();
  CHECK_INT(iob_addfile_close(&b, f, 0, 100000), 1);
  CHECK_INT(ftruncate((int)f, 100), 0);
  CHECK_INT(iob_adds(&b, "tail"), 1);
  CHECK_INT(iob_write(target, &b, filter), 100);
  CHECK_INT(calls, 1);
  CHECK_INT(offers[0].n, 100);
  CHECK_INT(iob_bytesleft(&b), 99904);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_INT(calls, 1);
  CHECK(b_open(f));
  iob_reset(&b);
  CHECK(!b_open(f));
}

static int64 shrinks(int64 s, const void *bytes, uint64 n) {
  CHECK_INT(ftruncate((int)s, 0), 0);
  memcpy(taken + sum, bytes, (size_t)n);
  sum += (int64)n;
  return (int64)n;
}

TEST(a_file_that_shrinks_while_the_filter_looks_at_it_is_no_signal) {
  int64 f = t_tmpfile(60000);
  CHECK_INT(iob_addfile(&b, f, 0, 60000), 1);
  CHECK_INT(iob_write(f, &b, shrinks), 60000);
  CHECK_INT(sum, 60000);
  b_check_file(taken, 0, 60000);
}

/* promise: Files in a batch */
TEST(a_short_file_is_not_padded_with_zeros) {
  int64 f = t_tmpfile(100);
  register_target();
  CHECK_INT(iob_addfile(&b, f, 0, 4096), 1);
  CHECK_INT(iob_write(target, &b, filter), 100);
  CHECK_INT(sum, 100);
  CHECK_INT(iob_bytesleft(&b), 3996);
}

TEST(a_new_file_is_not_sent_with_the_bytes_of_the_old_one) {
  int64 one = t_tmpfile(40000), two = open("/dev/null", O_RDWR);
  char x[30000];
  int i;
  register_target();
  memset(x, 'x', sizeof x);
  for (i = 0; i < 2; i++) {
    CHECK_INT(iob_addfile_close(&b, one, 0, 30000), 1);
    ANSWER(-1);
    CHECK_INT(iob_write(target, &b, filter), -1);
    CHECK_INT(offers[0].first, t_byte(0));
    iob_reset(&b);
    CHECK(!b_open(one));
    /* In the second round under the same number. */
    two = t_tmpfile(0);
    CHECK_INT(write((int)two, x, sizeof x), sizeof x);
    if (i == 1) CHECK_INT(two, one);
    sum = 0;
    CHECK_INT(iob_addfile_close(&b, two, 0, 30000), 1);
    CHECK_INT(iob_write(target, &b, filter), 30000);
    CHECK(memcmp(taken, x, sizeof x) == 0);
    one = t_tmpfile(40000);
  }
}

static int64 reenters(int64 s, const void *bytes, uint64 n) {
  io_wantread(s);
  io_dontwantwrite(s);
  io_eagain_write(s);
  io_wantwrite(s);
  CHECK(io_getcookie(s) == &b);
  if (calls++ < 300) CHECK_INT(iob_addbuf(&b, "more", 4), 1);
  CHECK(bytes);
  return (int64)n;
}

/* promise: What a filter may do */
TEST(the_filter_may_use_the_library) {
  int64 d[2], f = t_tmpfile(100);
  b_tcp(d);
  io_setcookie(d[0], &b);
  CHECK_INT(iob_addfile(&b, f, 0, 100), 1);
  CHECK_INT(iob_write(d[0], &b, reenters), 100 + 300 * 4);
  B_CHECK(&b, 0, 0, 0, 0);
}

static int64 closes(int64 s, const void *bytes, uint64 n) {
  CHECK(bytes && n);
  calls++;
  io_close(s);
  errno = EAGAIN;
  return -1;
}

TEST(the_filter_may_close_the_target) {
  int64 d[2];
  b_tcp(d);
  CHECK_INT(iob_addfile(&b, t_tmpfile(100), 0, 100), 1);
  CHECK_INT(iob_write(d[0], &b, closes), -1);
  CHECK(!b_open(d[0]));
  CHECK_INT(iob_bytesleft(&b), 100);
  iob_reset(&b);
}

/* promise: Filtering a batch */
TEST(iob_send_goes_on_where_iob_write_stopped) {
  int64 d[2];
  b_tcp(d);
  three();
  ANSWER(10, 2);
  CHECK_INT(iob_write(target, &b, filter), 12);
  CHECK_INT(iob_send(d[0], &b), 7);
  b_expect(d[1], "cdefXYZ");
}
