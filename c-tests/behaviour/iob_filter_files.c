/* What a filter is offered of files, and of nothing. */
#include "batch.h"
#include "filter.h"

#include <malloc.h>

B_BATCH(b)

static void never(struct iob_entry *e) { CHECK(!e); }

static void add_nothing(int64 f) {
  CHECK_INT(iob_addbuf(&b, "", 0), 1);
  CHECK_INT(iob_addbuf(&b, NULL, 0), 1);
  CHECK_INT(iob_addbuf_free(&b, malloc(8), 0), 1);
  CHECK_INT(iob_addbuf_internal(&b, "", 0, never), 1);
  CHECK_INT(iob_adds(&b, ""), 1);
  CHECK_INT(iob_adds_free(&b, strdup("")), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 0), 1);
  CHECK_INT(iob_addfile_close(&b, dup((int)f), 0, 0), 1);
}

/* `filter` checks it: with entries of nothing, files that end where a piece does, and files that end too early. */
/* promise: Filtering a batch */
TEST(a_filter_is_never_called_with_0_bytes) {
  uint64 size;
  for (size = 0; size <= 131072; size += 32768) {
    uint64 off;
    for (off = 0; off <= size; off += 32768) {
      int64 f = t_tmpfile((int64)size);
      sum = 0;
      ANSWER_ALL();
      add_nothing(f);
      CHECK_INT(iob_addfile(&b, f, off, size - off), 1);
      add_nothing(f);
      CHECK_INT(iob_adds(&b, "!"), 1);
      CHECK_INT(iob_write(target, &b, filter), size - off + 1);
      b_check_file(taken, off, size - off);
      CHECK_INT(iob_addfile_close(&b, f, off, size - off + 1), 1);
      if (size > off) CHECK_INT(iob_write(target, &b, filter), size - off);
      CHECK_INT(iob_write(target, &b, filter), -3);
      CHECK_ERRNO(EIO);
      iob_reset(&b);
      CHECK(!b_open(f));
    }
  }
}

static int64 file;

static void closes_the_file(void) { io_close(file); }

/* What was read of the file is delivered. Then the bad descriptor is an error, and a batch that owns it closes no other
 * file under its number. */
TEST(the_filter_may_close_the_file_that_is_sent) {
  int owned;
  for (owned = 0; owned < 2; owned++) {
    sum = 0;
    file = t_tmpfile(100000);
    CHECK_INT((owned ? iob_addfile_close : iob_addfile)(&b, file, 0, 100000), 1);
    ANSWER(100, 16284);
    inside = closes_the_file;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), 100);
    CHECK_INT(iob_write(target, &b, acts), 16284);
    b_check_file(taken, 0, 16384);
    CHECK_INT(iob_write(target, &b, acts), -3);
    CHECK_ERRNO(EBADF);
    CHECK_INT(calls, 2);
    CHECK_INT(iob_bytesleft(&b), 100000 - 16384);
    iob_reset(&b);
  }
}

static int64 shrinks_to;

static void shrinks(void) { CHECK_INT(ftruncate((int)file, shrinks_to), 0); }

/* While the filter looks at the first piece, to a size before its end, at it, in a later piece or at its end: the
 * piece is delivered as it was read, then what is still there. The error comes after that. */
TEST(a_file_that_shrinks_between_pieces_or_within_one_is_an_error) {
  static const int64 sizes[] = {0, 30000, 65536, 65537, 100000, 131072, 140000};
  int i;
  for (i = 0; i < 7; i++) {
    int64 there = sizes[i] < 65536 ? 65536 : sizes[i];
    sum = 0;
    file = t_tmpfile(200000);
    shrinks_to = sizes[i];
    CHECK_INT(iob_addfile_close(&b, file, 0, 200000), 1);
    CHECK_INT(iob_adds(&b, "tail"), 1);
    ANSWER_ALL();
    inside = shrinks;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), there);
    b_check_file(taken, 0, (uint64)there);
    CHECK_INT(iob_write(target, &b, acts), -3);
    CHECK_ERRNO(EIO);
    CHECK_INT(sum, there);
    CHECK_INT(iob_bytesleft(&b), 200004 - there);
    iob_reset(&b);
    CHECK(!b_open(file));
  }
}

enum { STALLED = 200, BLOCK = 16 << 10 };

/* Bytes that malloc has given out. */
static size_t in_use(void) {
  struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

static void check_each_holds_a_block(size_t before, int stalled) {
  size_t each = (in_use() - before) / (size_t)stalled;
  /* And what it takes to find it again. */
  if (each > BLOCK + 2048) CHECK_INT(each, BLOCK);
}

/* Takes what `takes` has left, and then nothing. */
static int64 takes;

static int64 stalls(int64 s, const void *bytes, uint64 n) {
  int64 k = takes < (int64)n ? takes : (int64)n;
  CHECK(s >= target && bytes);
  takes -= k;
  errno = EAGAIN;
  return k > 0 ? k : -1;
}

static const int64 taken_first[] = {0, 1, 100, 16384, 50000, 65536, 200000};
enum { WAYS = sizeof taken_first / sizeof *taken_first };

/* promise: A stalled filter holds little */
TEST(a_stalled_filter_of_a_large_file_holds_one_block) {
  static io_batch batches[STALLED];
  int64 f = t_tmpfile(300000);
  int i, k;
  if (t_memory_is_checked()) SKIP("a memory checker must have a malloc of its own");
  for (k = 0; k < WAYS; k++) {
    size_t before = in_use();
    for (i = 0; i < STALLED; i++) {
      CHECK_INT(iob_addfile(&batches[i], f, (uint64)i, 290000), 1);
      takes = taken_first[k];
      CHECK_INT(iob_write(target, &batches[i], stalls), taken_first[k] ? taken_first[k] : -1);
      CHECK_INT(iob_write(target, &batches[i], stalls), -1);
      CHECK_INT(iob_bytesleft(&batches[i]), 290000 - taken_first[k]);
    }
    check_each_holds_a_block(before, STALLED);
    for (i = 0; i < STALLED; i++) iob_reset(&batches[i]);
  }
}

TEST(a_stalled_filter_without_a_batch_holds_one_block) {
  int64 f = t_tmpfile(300000);
  int i, k;
  if (t_memory_is_checked()) SKIP("a memory checker must have a malloc of its own");
  for (k = 0; k < WAYS; k++) {
    size_t before = in_use();
    for (i = 0; i < STALLED; i++) {
      takes = taken_first[k];
      CHECK_INT(io_mmapwritefile(target + i, f, (uint64)i, 290000, stalls), taken_first[k] ? taken_first[k] : -1);
      takes = 0;
      CHECK_INT(io_mmapwritefile(target + i, f, (uint64)(i + taken_first[k]), 290000, stalls), -1);
    }
    check_each_holds_a_block(before, STALLED);
    io_finishandshutdown();
  }
}

/* promise: A stalled filter holds little */
TEST(a_filter_that_has_taken_a_file_holds_nothing_of_it) {
  static io_batch batches[STALLED];
  int64 f = t_tmpfile(100000);
  size_t before, each;
  int i;
  if (t_memory_is_checked()) SKIP("a memory checker must have a malloc of its own");
  before = in_use();
  for (i = 0; i < STALLED; i++) {
    CHECK_INT(iob_addfile(&batches[i], f, 0, 100000), 1);
    CHECK_INT(iob_adds(&batches[i], "rest"), 1);
    takes = 100001;
    CHECK_INT(iob_write(target, &batches[i], stalls), 100001);
    CHECK_INT(iob_bytesleft(&batches[i]), 3);
  }
  /* The entries, and some blocks for the next reader. */
  each = (in_use() - before) / STALLED;
  if (each > 2048) CHECK_INT(each, 2048);
}
