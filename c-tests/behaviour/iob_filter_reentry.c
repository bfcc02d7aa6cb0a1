/* A filter that changes its own batch from inside: each change has its result, and no memory is used after it
 * was let go (valgrind looks at that). */
#include "batch.h"
#include "filter.h"

B_BATCH(b)
/* For iob_write2: a piece of the file at a time. */
static int64 hands_on(int64 s, int64 file, uint64 off, uint64 n, io_write_callback cb) {
  static char piece[1000];
  ssize_t got = pread((int)file, piece, n < sizeof piece ? n : sizeof piece, (off_t)off);
  CHECK(got > 0);
  return cb(s, piece, (uint64)got);
}

static void begin(int autofree) {
  if (autofree) {
    CHECK_INT(iob_init_autofree(&b, 0), 0);
  } else {
    memset(&b, 0, sizeof b);
  }
  sum = 0;
}

static int cleanups;

static void count(struct iob_entry *e) {
  CHECK(e != NULL);
  cleanups++;
}

enum { BORROWED, OWNED, COUNTED, WHOLE_FILE, OWNED_FILE, KINDS };

static int64 queue_10_bytes(int kind) {
  int64 f = kind >= WHOLE_FILE ? t_tmpfile(10) : -1;
  switch (kind) {
  case BORROWED: CHECK_INT(iob_adds(&b, "0123456789"), 1); break;
  case OWNED: CHECK_INT(iob_adds_free(&b, strdup("0123456789")), 1); break;
  case COUNTED: CHECK_INT(iob_addbuf_internal(&b, "0123456789", 10, count), 1); break;
  case WHOLE_FILE: CHECK_INT(iob_addfile(&b, f, 0, 10), 1); break;
  case OWNED_FILE: CHECK_INT(iob_addfile_close(&b, f, 0, 10), 1); break;
  }
  return f;
}

static void resets(void) { iob_reset(&b); }

static int64 result(int64 before, int64 reply) {
  if (reply >= 0) return before + (reply < 10 ? reply : 10);
  return before > 0 ? before : answer_errno == EAGAIN ? -1 : -3;
}

/* Entry `at` of three is the one that the filter is looking at. */
static void reset_at(int kind, int at, int64 reply, io_sendfile_callback files, int autofree) {
  int64 open_file = -1;
  int i;
  begin(autofree);
  cleanups = 0;
  for (i = 0; i < 3; i++) {
    if (i == at) {
      open_file = queue_10_bytes(kind);
    } else {
      queue_10_bytes(COUNTED);
    }
  }
  ANSWER(10, 10, 10);
  answers[at] = reply;
  inside_at = at;
  inside = resets;
  CHECK_INT(iob_write2(target, &b, acts, files), result(10 * at, reply));
  if (reply < 0 && at == 0) CHECK_ERRNO(answer_errno);
  CHECK_INT(calls, at + 1);
  CHECK_INT(cleanups, kind == COUNTED ? 3 : 2);
  B_CHECK(&b, 0, 0, 0, 0);
  if (kind == OWNED_FILE) CHECK(!b_open(open_file));
  if (kind == WHOLE_FILE) CHECK_INT(close((int)open_file), 0);

  /* It is a batch like any other, without autofree. */
  cleanups = 0;
  queue_10_bytes(COUNTED);
  queue_10_bytes(COUNTED);
  ANSWER(10, 3);
  CHECK_INT(iob_write(target, &b, filter), 13);
  CHECK_INT(cleanups, 0);
  iob_reset(&b);
  CHECK_INT(cleanups, 2);
}

/* promise: What a filter may do */
TEST(iob_reset_in_the_filter_ends_the_call) {
  static const int64 replies[] = {10, 3, 0, 11, -1};
  int autofree, kind, at, i;
  for (autofree = 0; autofree < 2; autofree++) {
    for (kind = 0; kind < KINDS; kind++) {
      for (at = 0; at < 3; at++) {
        for (i = 0; i < 5; i++) {
          answer_errno = EAGAIN;
          reset_at(kind, at, replies[i], NULL, autofree);
          reset_at(kind, at, replies[i], hands_on, autofree);
        }
        answer_errno = EPIPE;
        reset_at(kind, at, -1, NULL, autofree);
        reset_at(kind, at, -1, hands_on, autofree);
      }
    }
  }
}

/* What the filter was given goes with the batch. */
static int64 looks_and_resets(int64 s, const void *bytes, uint64 n) {
  CHECK_INT(s, target);
  CHECK(sum + (int64)n <= (int64)sizeof taken);
  memcpy(taken + sum, bytes, (size_t)n);
  sum += (int64)n;
  if (calls++ == 1) iob_reset(&b);
  return calls == 3 ? -1 : (int64)n;
}

TEST(iob_reset_in_the_filter_ends_the_call_in_the_middle_of_a_file) {
  int autofree;
  for (autofree = 0; autofree < 2; autofree++) {
    int64 f = t_tmpfile(200000);
    begin(autofree);
    calls = 0;
    CHECK_INT(iob_addfile_close(&b, f, 0, 200000), 1);
    CHECK_INT(iob_write(target, &b, looks_and_resets), 32768);
    b_check_file(taken, 0, 32768);
    CHECK(!b_open(f));
    B_CHECK(&b, 0, 0, 0, 0);
  }
}

static const char text[] = "0123456789";

static void requeues(void) {
  iob_reset(&b);
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
}

static int64 all(int64 s, const void *bytes, uint64 n) {
  CHECK(s == target && bytes);
  return (int64)n;
}

static void writes_and_requeues(void) {
  CHECK_INT(iob_write(target, &b, all), 10);
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
}

static int64 requeues_and_takes(int64 s, const void *bytes, uint64 n) {
  requeues();
  return all(s, bytes, n);
}

static void lets_another_requeue(void) { CHECK_INT(iob_write(target, &b, requeues_and_takes), 10); }

static int64 socket_pair[2];

static void sends_and_requeues(void) {
  CHECK_INT(iob_send(socket_pair[0], &b), 10);
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
}

/* The same memory, and an entry that looks the same: nothing of it counts as taken. */
static void check_new(void (*act)(void)) {
  static const int64 replies[] = {10, 3, 0, -1};
  int autofree, i;
  for (autofree = 0; autofree < 2; autofree++) {
    for (i = 0; i < 4; i++) {
      begin(autofree);
      CHECK_INT(iob_addbuf(&b, text, 10), 1);
      ANSWER(replies[i]);
      inside = act;
      inside_at = 0;
      CHECK_INT(iob_write(target, &b, acts), replies[i]);
      B_CHECK(&b, 10, 0, 1, 0);
      B_CHECK_ENTRY(&b, 0, 0, 10);
      CHECK_INT(calls, 1);
      CHECK_INT(iob_write(target, &b, filter), 10);
      CHECK(offers[1].at == text && offers[1].n == 10);
    }
  }
}

TEST(what_the_filter_queues_after_a_reset_is_new) { check_new(requeues); }
TEST(what_the_filter_queues_after_a_write_of_its_own_is_new) { check_new(writes_and_requeues); }
TEST(what_a_filter_within_the_filter_queues_is_new) { check_new(lets_another_requeue); }

TEST(what_the_filter_queues_after_a_send_is_new) {
  b_tcp(socket_pair);
  check_new(sends_and_requeues);
}

static int64 old_file;

/* The number of the file that was queued is the number of another one now. */
static void queues_another_file(void) {
  static char x[10000];
  int64 f;
  memset(x, 'x', sizeof x);
  iob_reset(&b);
  f = t_tmpfile(0);
  CHECK_INT(f, old_file);
  CHECK_INT(write((int)f, x, sizeof x), sizeof x);
  CHECK_INT(iob_addfile_close(&b, f, 0, sizeof x), 1);
}

TEST(a_file_that_the_filter_queues_is_not_sent_with_the_bytes_of_the_old_one) {
  static const int64 replies[] = {-1, 0, 100, 10000};
  int i;
  for (i = 0; i < 4; i++) {
    begin(0);
    old_file = t_tmpfile(10000);
    CHECK_INT(iob_addfile_close(&b, old_file, 0, 10000), 1);
    ANSWER(replies[i]);
    inside = queues_another_file;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), replies[i]);
    CHECK_INT(iob_bytesleft(&b), 10000);
    CHECK_INT(iob_write(target, &b, filter), 10000);
    CHECK_INT(calls, 2);
    CHECK_INT(offers[1].first, 'x');
    CHECK(!b_open(old_file));
  }
}

static void adds_1000(void) {
  int i;
  for (i = 0; i < 1000; i++) CHECK_INT(iob_adds_free(&b, strdup("more")), 1);
}

static int64 collects(int64 s, const void *bytes, uint64 n) {
  CHECK(s == target && n > 0 && sum + (int64)n <= (int64)sizeof taken);
  memcpy(taken + sum, bytes, (size_t)n);
  sum += (int64)n;
  return (int64)n;
}

/* The array of the entries moves; the entry that the filter is looking at stays the first. */
/* promise: What a filter may do */
TEST(the_filter_may_add_a_thousand_entries) {
  static const int64 replies[] = {10, 3, 0, -1};
  int kind, at, i, more;
  for (kind = 0; kind < KINDS * 2; kind++) {
    for (at = 0; at < 2; at++) {
      for (i = 0; i < 4; i++) {
        begin(kind >= KINDS);
        if (at == 1) queue_10_bytes(BORROWED);
        queue_10_bytes(kind % KINDS);
        ANSWER(10, 1, 1);
        answers[at] = replies[i];
        answer_count = at + 2;
        inside = adds_1000;
        inside_at = at;
        CHECK_INT(iob_write2(target, &b, acts, kind % 2 ? hands_on : NULL),
                  replies[i] == 10 ? 10 * at + 11 : result(10 * at, replies[i]));
        CHECK_INT(iob_bytesleft(&b) + (uint64)sum, 10 * at + 10 + 4000);
        more = (int)iob_bytesleft(&b);
        CHECK_INT(iob_write(target, &b, collects), more);
        B_CHECK(&b, 0, 0, 0, 0);
        CHECK_INT(sum, 10 * at + 10 + 4000);
        if (kind % KINDS >= WHOLE_FILE) {
          b_check_file(taken + 10 * at, 0, 10);
        } else {
          CHECK(memcmp(taken + 10 * at, text, 10) == 0);
        }
        for (more = 10 * at + 10; more < sum; more += 4) CHECK(memcmp(taken + more, "more", 4) == 0);
      }
    }
  }
}

static void sends(void) { CHECK_INT(iob_send(socket_pair[0], &b), 20); }

/* promise: What a filter may do */
TEST(the_filter_may_send_its_own_batch) {
  b_tcp(socket_pair);
  begin(0);
  queue_10_bytes(OWNED);
  queue_10_bytes(BORROWED);
  ANSWER(10);
  inside = sends;
  inside_at = 0;
  CHECK_INT(iob_write(target, &b, acts), 10);
  CHECK_INT(calls, 1);
  B_CHECK(&b, 0, 0, 0, 0);
  b_expect(socket_pair[1], "01234567890123456789");
}

static int64 takes_4(int64 s, const void *bytes, uint64 n) {
  CHECK(s == target && bytes);
  return n < 4 ? (int64)n : 4;
}

static void writes_4(void) { CHECK_INT(iob_write(target, &b, takes_4), 4); }

/* What the inner call took is gone; what the outer one says is told, and not counted a second time. */
TEST(the_filter_may_filter_a_part_of_its_own_batch) {
  int kind;
  for (kind = 0; kind < KINDS * 2; kind++) {
    begin(kind >= KINDS);
    queue_10_bytes(kind % KINDS);
    queue_10_bytes(BORROWED);
    ANSWER(10);
    inside = writes_4;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), 10);
    CHECK_INT(calls, 1);
    CHECK_INT(iob_bytesleft(&b), 16);
    B_CHECK_ENTRY(&b, 0, 4, 6);
    CHECK_INT(iob_write(target, &b, filter), 16);
    CHECK_INT(offers[1].n, 6);
  }
}

static int64 takes_nothing(int64 s, const void *bytes, uint64 n) {
  CHECK(s == target && bytes && n > 0);
  errno = EAGAIN;
  return -1;
}

static void writes_nothing(void) { CHECK_INT(iob_write(target, &b, takes_nothing), -1); }

TEST(a_filter_within_the_filter_that_takes_nothing_changes_nothing) {
  int kind;
  for (kind = 0; kind < KINDS * 2; kind++) {
    begin(kind >= KINDS);
    queue_10_bytes(kind % KINDS);
    queue_10_bytes(BORROWED);
    ANSWER(10, 10);
    inside = writes_nothing;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), 20);
    CHECK_INT(calls, 2);
    B_CHECK(&b, 0, 0, 0, 0);
  }
}

static void resets_and_queues(struct iob_entry *e) {
  CHECK(e != NULL);
  requeues();
}

static void adds_to_a_full_batch(struct iob_entry *e) {
  CHECK(e != NULL);
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
}

/* promise: What a filter may do */
TEST(what_a_clean_up_function_queues_between_two_entries_is_filtered_once) {
  begin(1);
  CHECK_INT(iob_addbuf_internal(&b, text, 10, resets_and_queues), 1);
  CHECK_INT(iob_addbuf(&b, text, 10), 1);
  ANSWER(10, 10);
  CHECK_INT(iob_write(target, &b, filter), 20);
  CHECK_INT(calls, 2);
  B_CHECK(&b, 0, 0, 0, 0);
}

TEST(the_last_clean_up_function_may_add_to_any_batch) {
  int autofree, n, i;
  int64 pair[2];
  char all[1024];
  t_unix_pair(pair);
  for (autofree = 0; autofree < 2; autofree++) {
    for (n = 1; n < 40; n++) {
      begin(autofree);
      for (i = 1; i < n; i++) CHECK_INT(iob_addbuf(&b, text, 10), 1);
      CHECK_INT(iob_addbuf_internal(&b, text, 10, adds_to_a_full_batch), 1);
      iob_reset(&b);
      CHECK_INT(iob_bytesleft(&b), 10);
      CHECK_INT(iob_write(target, &b, collects), 10);
      begin(autofree);
      for (i = 1; i < n; i++) CHECK_INT(iob_addbuf(&b, text, 10), 1);
      CHECK_INT(iob_addbuf_internal(&b, text, 10, adds_to_a_full_batch), 1);
      CHECK_INT(iob_write(target, &b, collects), 10 * n + 10);
      B_CHECK(&b, 0, 0, 0, 0);
      /* A send has no mark in the batch: what is released leaves the array, be it all. */
      begin(autofree);
      for (i = 1; i < n; i++) CHECK_INT(iob_addbuf(&b, text, 10), 1);
      CHECK_INT(iob_addbuf_internal(&b, text, 10, adds_to_a_full_batch), 1);
      CHECK_INT(iob_send(pair[0], &b), 10 * n + 10);
      B_CHECK(&b, 0, 0, 0, 0);
      CHECK_INT(read((int)pair[1], all, sizeof all), 10 * n + 10);
    }
  }
}

static int64 dives(int64 s, const void *bytes, uint64 n) {
  CHECK(bytes && n == 10);
  if (++calls < 100) CHECK_INT(iob_write(s, &b, dives), 1);
  return 1;
}

TEST(iob_write_may_be_nested_a_hundred_times) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    begin(0);
    queue_10_bytes(kind);
    calls = 0;
    CHECK_INT(iob_write(target, &b, dives), 1);
    CHECK_INT(calls, 100);
    CHECK_INT(iob_bytesleft(&b), 9);
    iob_reset(&b);
  }
}

static void hangs_up(void) {
  iob_reset(&b);
  io_close(target);
}

/* promise: What a filter may do */
TEST(the_filter_may_close_its_connection_and_reset_the_batch) {
  int64 f;
  b_tcp(socket_pair);
  target = socket_pair[0];
  io_wantwrite(target);
  begin(0);
  queue_10_bytes(OWNED);
  f = queue_10_bytes(OWNED_FILE);
  ANSWER(-1);
  answer_errno = ECONNRESET;
  inside = hangs_up;
  inside_at = 0;
  CHECK_INT(iob_write(target, &b, acts), -3);
  CHECK_ERRNO(ECONNRESET);
  CHECK(!b_open(target) && !b_open(f));
  B_CHECK(&b, 0, 0, 0, 0);
  CHECK_INT(io_canwrite(), -1);
}

static int64 queues_more(int64 s, const void *bytes, uint64 n) {
  (void)s, (void)bytes;
  if (calls++ == 1) CHECK_INT(iob_adds(&b, "67890"), 1);
  return (int64)n;
}

TEST(iob_write_of_more_than_63_bits_hold_returns_the_largest_number) {
  static const char nowhere[] = "nothing of this length";
  CHECK_INT(iob_addbuf(&b, nowhere, INT64_MAX), 1);
  CHECK_INT(iob_addbuf(&b, nowhere, INT64_MAX), 1);
  CHECK_INT(iob_write(target, &b, queues_more), INT64_MAX);
  CHECK_INT(calls, 3);
  CHECK_INT(iob_bytesleft(&b), 0);
}
