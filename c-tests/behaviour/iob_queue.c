/* Filling and releasing batches: who owns what, and until when. */
#include "batch.h"

static void *map_page(void) {
  void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

/* As a program's array_fail leaves it. */
static void fail_array(io_batch *b) {
  b->b.p = NULL;
  b->b.allocated = -1;
}

/* promise: What a batch is */
TEST(a_batch_of_zeros_is_an_empty_batch) {
  struct { io_batch b; char behind[8]; } h;
  memset(&h, 0, sizeof h);
  iob_reset(&h.b);
  iob_reset(&h.b);
  CHECK_INT(iob_bytesleft(&h.b), 0);
  CHECK_INT(iob_send(-1, &h.b), 0);
  CHECK_INT(iob_addbuf(&h.b, "abc", 3), 1);
  CHECK_INT(iob_adds(&h.b, "defg"), 1);
  B_CHECK(&h.b, 7, 0, 2, 0);
  iob_reset(&h.b);
  B_CHECK(&h.b, 0, 0, 0, 0);
  CHECK(h.b.b.p == NULL);
}

/* promise: What a batch is */
TEST(batches_may_move_with_the_programs_array) {
  io_batch *b = calloc(2, sizeof *b), *moved;
  int64 d[2], f = t_tmpfile(10);
  b_tcp(d);
  CHECK_INT(iob_addbuf(b + 1, "head", 4), 1);
  CHECK_INT(iob_addfile_close(b + 1, f, 0, 10), 1);
  moved = calloc(100, sizeof *b);
  memcpy(moved, b, 2 * sizeof *b);
  memset(b, 0xee, 2 * sizeof *b);
  free(b);
  CHECK_INT(iob_send(d[0], moved + 1), 14);
  b_expect(d[1], "head");
  b_expect_file(d[1], 0, 10);
  CHECK(!b_open(f));
  free(moved);
}

/* promise: Adding to a batch */
TEST(an_addition_of_no_bytes_queues_nothing) {
  io_batch b = {0};
  CHECK_INT(iob_addbuf(&b, NULL, 0), 1);
  CHECK_INT(iob_addbuf(&b, "x", 0), 1);
  CHECK_INT(iob_addbuf_munmap(&b, NULL, 0), 1);
  CHECK_INT(iob_adds(&b, ""), 1);
  CHECK_INT(iob_addfile(&b, -1, 0, 0), 1);
  CHECK_INT(iob_addbuf_internal(&b, "x", 0, NULL), 1);
  B_CHECK(&b, 0, 0, 0, 0);
}

/* promise: Who owns what was added */
TEST(an_empty_owned_buffer_is_freed_at_once) {
  io_batch b = {0};
  void *p = b_big("");
  CHECK_INT(iob_addbuf_free(&b, p, 0), 1);
  CHECK(!b_mapped(p));
  p = b_big("");
  CHECK_INT(iob_adds_free(&b, p), 1);
  CHECK(!b_mapped(p));
  B_CHECK(&b, 0, 0, 0, 0);
}

/* promise: Who owns what was added */
TEST(an_empty_owned_file_is_closed_at_once) {
  io_batch b = {0};
  int64 f = t_tmpfile(0);
  CHECK_INT(iob_addfile_close(&b, f, 0, 0), 1);
  CHECK(!b_open(f));
  B_CHECK(&b, 0, 0, 0, 0);
  CHECK_INT(iob_addfile_close(&b, -1, 0, 0), 1);
}

/* promise: Who owns what was added */
TEST(reset_releases_what_it_owns) {
  io_batch b = {0};
  void *p = b_big("abc"), *s = b_big("def"), *m = map_page();
  static const char borrowed[] = "ghi";
  int64 mine = t_tmpfile(10), its = t_tmpfile(10);
  CHECK_INT(iob_addbuf_free(&b, p, 3), 1);
  CHECK_INT(iob_adds_free(&b, s), 1);
  CHECK_INT(iob_addbuf_munmap(&b, m, 4096), 1);
  CHECK_INT(iob_addbuf(&b, borrowed, 3), 1);
  CHECK_INT(iob_addfile(&b, mine, 0, 10), 1);
  CHECK_INT(iob_addfile_close(&b, its, 5, 5), 1);
  B_CHECK(&b, 3 + 3 + 4096 + 3 + 10 + 5, 0, 4, 2);
  CHECK(b_mapped(p) && b_mapped(s) && b_mapped(m) && b_open(its));
  iob_reset(&b);
  CHECK(!b_mapped(p));
  CHECK(!b_mapped(s));
  CHECK(!b_mapped(m));
  CHECK(b_open(mine));
  CHECK(!b_open(its));
  iob_reset(&b);
}

/* promise: Who owns what was added */
TEST(iob_addbuf_munmap_unmaps_what_was_sent_too) {
  io_batch b = {0};
  int64 d[2];
  char *m = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int64 sent;
  CHECK(m != MAP_FAILED);
  b_tcp(d);
  CHECK_INT(iob_addbuf_munmap(&b, m, 1 << 24), 1);
  sent = iob_send(d[0], &b);
  CHECK(sent >= 4096 && sent < 1 << 24);
  CHECK(b_mapped(m));
  iob_reset(&b);
  CHECK(!b_mapped(m));
  CHECK(!b_mapped(m + sent));
  CHECK(!b_mapped(m + (1 << 24) - 1));
}

/* promise: Adding to a batch */
TEST(a_failed_add_changes_nothing) {
  io_batch b = {0};
  CHECK_INT(iob_addbuf(&b, "ab", 2), 1);
  CHECK_INT(iob_addbuf(&b, "x", UINT64_MAX), 0);
  CHECK_ERRNO(EOVERFLOW);
  CHECK_INT(iob_addfile(&b, 0, 0, UINT64_MAX - 1), 0);
  B_CHECK(&b, 2, 0, 1, 0);
  CHECK_INT(iob_addbuf(&b, "x", UINT64_MAX - 2), 1);
  CHECK_INT(iob_bytesleft(&b), -1);
  iob_reset(&b);
  fail_array(&b);
  CHECK_INT(iob_addbuf(&b, "abc", 3), 0);
  CHECK_ERRNO(ENOMEM);
}

/* promise: Who owns what was added */
TEST(a_failed_add_releases_what_it_was_given) {
  io_batch b = {0};
  void *p = b_big("abc"), *s = b_big("abc"), *m = map_page();
  int64 f = t_tmpfile(10);
  fail_array(&b);
  CHECK_INT(iob_addbuf_free(&b, p, 3), 0);
  CHECK(!b_mapped(p));
  CHECK_INT(iob_adds_free(&b, s), 0);
  CHECK(!b_mapped(s));
  CHECK_INT(iob_addfile_close(&b, f, 0, 10), 0);
  CHECK(!b_open(f));
  CHECK_INT(iob_addbuf_munmap(&b, m, 4096), 0);
  CHECK(!b_mapped(m));
  CHECK_INT(b.bytesleft, 0);
  iob_reset(&b);
  CHECK_INT(iob_addbuf(&b, "abc", 3), 1);
}

/* promise: Adding to a batch */
TEST(a_batch_that_is_NULL_is_an_error) {
  void *p = b_big("abc"), *m = map_page();
  int64 f = t_tmpfile(10);
  CHECK_INT(iob_addbuf(NULL, "abc", 3), 0);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(iob_addbuf_free(NULL, p, 3), 0);
  CHECK(!b_mapped(p));
  CHECK_INT(iob_addbuf_munmap(NULL, m, 4096), 0);
  CHECK(!b_mapped(m));
  CHECK_INT(iob_adds(NULL, "abc"), 0);
  CHECK_INT(iob_addfile(NULL, f, 0, 3), 0);
  CHECK_INT(iob_addfile_close(NULL, f, 0, 3), 0);
  CHECK(!b_open(f));
  CHECK_INT(iob_bytesleft(NULL), 0);
  iob_reset(NULL);
  iob_free(NULL);
  iob_prefetch(NULL, 10);
}

TEST(a_string_that_is_NULL_is_an_error) {
  io_batch b = {0};
  CHECK_INT(iob_adds(&b, NULL), 0);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(iob_adds_free(&b, NULL), 0);
  CHECK_INT(b.bytesleft, 0);
}

static uint64 lengths[8];
static int cleanups;

static void note(struct iob_entry *e) {
  lengths[cleanups++] = e->offset + e->n;
}

/* promise: Who owns what was added */
TEST(entries_are_released_in_the_order_of_adding) {
  io_batch b = {0};
  int64 d[2];
  b_tcp(d);
  CHECK_INT(iob_addbuf_internal(&b, "a", 1, note), 1);
  CHECK_INT(iob_addbuf_internal(&b, "bb", 2, note), 1);
  CHECK_INT(iob_addbuf_internal(&b, "ccc", 3, note), 1);
  iob_reset(&b);
  CHECK_INT(cleanups, 3);
  CHECK_INT(lengths[0], 1);
  CHECK_INT(lengths[1], 2);
  CHECK_INT(lengths[2], 3);
  CHECK_INT(iob_addbuf_internal(&b, "dddd", 4, note), 1);
  CHECK_INT(iob_addbuf_internal(&b, "eeeee", 5, note), 1);
  CHECK_INT(iob_send(d[0], &b), 9);
  CHECK_INT(cleanups, 5);
  CHECK_INT(lengths[3], 4);
  CHECK_INT(lengths[4], 5);
}

/* A multi-range answer: the part headers point into a buffer that the last entry owns, and all parts are of
 * one file, which the last part owns. */
/* promise: Who owns what was added */
TEST(an_owned_entry_outlives_borrowed_entries_before_it) {
  io_batch b = {0};
  int64 d[2], f = t_tmpfile(30000);
  char *headers = b_big("one:two:end");
  b_tcp(d);
  CHECK_INT(iob_addbuf(&b, headers, 4), 1);
  CHECK_INT(iob_addfile(&b, f, 100, 10000), 1);
  CHECK_INT(iob_addbuf(&b, headers + 4, 4), 1);
  CHECK_INT(iob_addfile_close(&b, f, 20000, 10000), 1);
  CHECK_INT(iob_addbuf_free(&b, headers + 0, 11), 1);
  CHECK_INT(iob_send(d[0], &b), 20019);
  b_expect(d[1], "one:");
  b_expect_file(d[1], 100, 10000);
  b_expect(d[1], "two:");
  b_expect_file(d[1], 20000, 10000);
  b_expect(d[1], "one:two:end");
  CHECK(!b_mapped(headers));
  CHECK(!b_open(f));
}

/* promise: Emptying a batch */
TEST(new_batches_are_malloc_memory) {
  int hints[] = {0, 1, 100, -1, INT32_MAX, INT32_MIN};
  size_t i;
  for (i = 0; i < sizeof hints / sizeof *hints; i++) {
    io_batch *b = iob_new(hints[i]);
    CHECK(b);
    B_CHECK(b, 0, 0, 0, 0);
    CHECK_INT(iob_adds(b, "abc"), 1);
    iob_reset(b);
    if (i % 2) iob_free(b); else free(b);
  }
}

/* Bytes of the file that the page cache has. */
static int cached(int64 f, int pages) {
  unsigned char in[64];
  int i, sum = 0;
  void *p = mmap(NULL, (size_t)pages * 4096, PROT_READ, MAP_SHARED, (int)f, 0);
  CHECK(p != MAP_FAILED);
  CHECK_INT(mincore(p, (size_t)pages * 4096, in), 0);
  CHECK_INT(munmap(p, (size_t)pages * 4096), 0);
  for (i = 0; i < pages; i++) sum += in[i] & 1;
  return sum;
}

TEST(prefetch_reads_the_next_piece_wherever_it_starts) {
  io_batch b = {0};
  int64 f = t_tmpfile(64 * 4096), end = t_now_ms() + 3000;
  if (t_portable()) SKIP("the portable build tells the kernel nothing");
  CHECK_INT(fsync((int)f), 0);
  CHECK_INT(posix_fadvise((int)f, 0, 0, POSIX_FADV_DONTNEED), 0);
  if (cached(f, 64) != 0) SKIP("this file system does not drop its cache");
  CHECK_INT(iob_addfile(&b, f, 5, 64 * 4096 - 5), 1);
  iob_prefetch(&b, 1 << 20);
  while (cached(f, 64) != 64) CHECK(t_now_ms() < end);
  B_CHECK(&b, 64 * 4096 - 5, 0, 0, 1);
  B_CHECK_ENTRY(&b, 0, 5, 64 * 4096 - 5);
  iob_reset(&b);
}

/* promise: Files in a batch */
TEST(prefetch_changes_nothing_and_never_fails) {
  io_batch b = {0};
  int64 p[2];
  t_pipe(p);
  iob_prefetch(&b, 100);
  CHECK_INT(iob_adds(&b, "abc"), 1);
  iob_prefetch(&b, 100);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_addfile(&b, p[0], UINT64_MAX, 10), 1);
  iob_prefetch(&b, 0);
  iob_prefetch(&b, UINT64_MAX);
  B_CHECK(&b, 23, 0, 1, 2);
  iob_reset(&b);
}
