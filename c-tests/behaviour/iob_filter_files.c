/* What a filter is offered of files, and of nothing. */
#include "batch.h"
#include "filter.h"

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
TEST(S3_11_a_filter_is_never_called_with_0_bytes) {
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

/* What was read of it is delivered; then the bad descriptor shows, and a batch that owns it closes nobody else's. */
TEST(S3_11_a_filter_that_closes_the_file) {
  int owned;
  for (owned = 0; owned < 2; owned++) {
    sum = 0;
    file = t_tmpfile(100000);
    CHECK_INT((owned ? iob_addfile_close : iob_addfile)(&b, file, 0, 100000), 1);
    ANSWER(100, 65436);
    inside = closes_the_file;
    inside_at = 0;
    CHECK_INT(iob_write(target, &b, acts), 100);
    CHECK_INT(iob_write(target, &b, acts), 65436);
    b_check_file(taken, 0, 65536);
    CHECK_INT(iob_write(target, &b, acts), -3);
    CHECK_ERRNO(EBADF);
    CHECK_INT(calls, 2);
    CHECK_INT(iob_bytesleft(&b), 100000 - 65536);
    iob_reset(&b);
  }
}

static int64 shrinks_to;

static void shrinks(void) { CHECK_INT(ftruncate((int)file, shrinks_to), 0); }

/* While the filter looks at the first piece, to a size before its end, at it, in a later piece or at its end: the
 * piece is delivered as it was read, then what is still there. The error comes after that. */
TEST(Q6_S3_11_a_file_that_shrinks_between_pieces_and_within_one) {
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
