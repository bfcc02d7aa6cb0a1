/* What libowfat 0.33 and 0.34 added, and the 64 bytes that older programs have. */
#include "batch.h"


/* A batch of 0.32, embedded in front of other data. */
struct old {
  _Alignas(io_batch) char batch[64];
  unsigned char behind[8];
};

static io_batch *old(struct old *o) {
  memset(o->batch, 0, sizeof o->batch);
  memset(o->behind, 0xff, sizeof o->behind);
  return (io_batch *)(void *)o->batch;
}

static int untouched(const struct old *o) {
  static const unsigned char same[8] = {255, 255, 255, 255, 255, 255, 255, 255};
  return memcmp(o->behind, same, 8) == 0;
}

static int64 takes_two(int64 s, const void *bytes, uint64 n) {
  CHECK(s == 7 && bytes);
  return n < 2 ? (int64)n : 2;
}

/* Bytes behind an old batch look like a set autofree member: they are neither believed nor written. */
/* promise: What a batch is */
TEST(a_batch_of_64_bytes_is_not_touched_behind_its_end) {
  struct old o;
  io_batch *b = old(&o);
  int64 d[2], f = t_tmpfile(10);
  void *p = b_big("ab");
  int i;
  b_tcp(d);
  CHECK_INT(iob_addbuf_free(b, p, 2), 1);
  CHECK_INT(iob_addfile_close(b, f, 0, 10), 1);
  iob_prefetch(b, 5);
  CHECK_INT(iob_write(7, b, takes_two), 4);
  CHECK(b_mapped(p));
  CHECK(untouched(&o));
  CHECK_INT(iob_send(d[0], b), 8);
  CHECK(!b_mapped(p) && !b_open(f));
  for (i = 0; i < 200; i++) CHECK_INT(iob_adds(b, "abc"), 1);
  iob_reset(b);
  CHECK(untouched(&o));
}

/* promise: What a batch is */
TEST(iob_init_makes_an_empty_batch_of_any_memory) {
  io_batch b;
  int i;
  for (i = 0; i < 4; i++) {
    size_t hints[] = {0, 1, 1000, SIZE_MAX};
    memset(&b, 0xee, sizeof b);
    CHECK_INT(iob_init(&b, hints[i]), 0);
    B_CHECK(&b, 0, 0, 0, 0);
    CHECK_INT(b.autofree, 0);
    CHECK_INT(iob_adds(&b, "abc"), 1);
    iob_reset(&b);
  }
  CHECK_INT(iob_init(NULL, 1), -1);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(iob_init_autofree(NULL, 1), -1);
}

static int cleanups;

static void count(struct iob_entry *e) {
  CHECK(e->buf);
  cleanups++;
}

static void early(io_batch *b) {
  int64 d[2], f = t_tmpfile(30000), r;
  static char text[8 << 20];
  b_tcp(d);
  cleanups = 0;
  CHECK_INT(iob_addbuf_internal(b, text, 10, count), 1);
  CHECK_INT(iob_addfile_close(b, f, 0, 30000), 1);
  CHECK_INT(iob_addbuf_internal(b, text, sizeof text, count), 1);
  r = iob_send(d[0], b);
  CHECK(r > 30010 && (uint64)r < sizeof text);
  CHECK_INT(cleanups, 1);
  CHECK(!b_open(f));
  iob_reset(b);
  CHECK_INT(cleanups, 2);
}

static void early_filtered(io_batch *b) {
  int64 f = t_tmpfile(3);
  cleanups = 0;
  CHECK_INT(iob_addbuf_internal(b, "ab", 2, count), 1);
  CHECK_INT(iob_addfile_close(b, f, 0, 3), 1);
  CHECK_INT(iob_addbuf_internal(b, "cdef", 4, count), 1);
  CHECK_INT(iob_write(7, b, takes_two), 4);
  CHECK_INT(cleanups, 1);
  CHECK(b_open(f));
  CHECK_INT(iob_write(7, b, takes_two), 3);
  CHECK(!b_open(f));
  CHECK_INT(cleanups, 1);
  CHECK_INT(iob_write(7, b, takes_two), 2);
  CHECK_INT(cleanups, 2);
  CHECK_INT(iob_bytesleft(b), 0);
}

/* promise: Batches that let go early */
TEST(autofree_releases_each_entry_when_it_is_sent) {
  io_batch b, *made = iob_new_autofree(10);
  int i;
  CHECK(made && made->autofree == 1);
  early(made);
  iob_free(made);
  for (i = 0; i < 2; i++) {
    CHECK_INT(iob_init_autofree(&b, 10), 0);
    CHECK_INT(b.autofree, 1);
    early(&b);
    CHECK_INT(iob_init_autofree(&b, 0), 0);
    early_filtered(&b);
  }
}

/* Two entries, of which the first is sent; it is kept if the batch is one like any other. */
static void kept(io_batch *b) {
  CHECK_INT(b->autofree, 0);
  cleanups = 0;
  CHECK_INT(iob_addbuf_internal(b, "ab", 2, count), 1);
  CHECK_INT(iob_addbuf_internal(b, "cde", 3, count), 1);
  CHECK_INT(iob_write(7, b, takes_two), 4);
  CHECK_INT(iob_bytesleft(b), 1);
  CHECK_INT(cleanups, 0);
  CHECK_INT(iob_write(7, b, takes_two), 1);
  CHECK_INT(cleanups, 2);
}

/* promise: Batches that let go early */
TEST(autofree_ends_with_a_reset) {
  io_batch b, *made = iob_new_autofree(0);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  iob_reset(&b); /* also of an empty one */
  kept(&b);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  CHECK_INT(iob_adds(&b, "a"), 1);
  iob_reset(&b);
  kept(&b);
  iob_reset(&b);
  kept(&b);
  CHECK(made != NULL);
  CHECK_INT(iob_adds(made, "a"), 1);
  iob_reset(made);
  kept(made);
  iob_free(made);
}

/* (libowfat 0.34 forgets it then, and a program that goes on filling the batch needs ever more memory.) */
/* promise: Batches that let go early */
TEST(autofree_goes_on_when_all_is_sent) {
  io_batch b;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  CHECK_INT(iob_adds(&b, "ab"), 1);
  CHECK_INT(iob_send(d[0], &b), 2);
  early(&b);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  CHECK_INT(iob_adds(&b, "ab"), 1);
  CHECK_INT(iob_write(7, &b, takes_two), 2);
  CHECK_INT(b.autofree, 1);
  early_filtered(&b);
  CHECK_INT(b.autofree, 1);
  iob_reset(&b);
  CHECK_INT(b.autofree, 0);
}

TEST(without_autofree_every_entry_is_kept_until_all_is_sent) {
  io_batch *b = iob_new(1);
  CHECK_INT(b->autofree, 0);
  CHECK_INT(iob_addbuf_internal(b, "ab", 2, count), 1);
  CHECK_INT(iob_addbuf_internal(b, "cd", 2, count), 1);
  CHECK_INT(iob_write(7, b, takes_two), 4);
  CHECK_INT(cleanups, 2);
  CHECK_INT(iob_addbuf_internal(b, "ab", 2, count), 1);
  CHECK_INT(iob_addbuf_internal(b, "cde", 3, count), 1);
  CHECK_INT(iob_write(7, b, takes_two), 4);
  CHECK_INT(cleanups, 2);
  iob_free(b);
  CHECK_INT(cleanups, 4);
}

static int64 pieces[8][3], answers[8];
static int calls;

static int64 whole(int64 out, int64 in, uint64 off, uint64 n, io_write_callback cb) {
  CHECK(out == 7 && cb == takes_two);
  pieces[calls][0] = in;
  pieces[calls][1] = (int64)off;
  pieces[calls][2] = (int64)n;
  errno = answers[calls] == -1 ? EAGAIN : EIO;
  return answers[calls++];
}

/* promise: Filtering a batch */
TEST(iob_write2_hands_files_over_whole) {
  io_batch b = {0};
  int64 f = t_tmpfile(0);
  int64 script[] = {-1, 1000, 0, -2, INT64_MAX};
  memcpy(answers, script, sizeof script);
  CHECK_INT(iob_adds(&b, "ab"), 1);
  CHECK_INT(iob_addfile(&b, f, 5, 200000), 1);
  CHECK_INT(iob_write2(7, &b, takes_two, whole), 2);
  CHECK_INT(calls, 1);
  CHECK_INT(iob_write2(7, &b, takes_two, whole), 1000);
  CHECK_INT(iob_write2(7, &b, takes_two, whole), 0);
  CHECK_INT(iob_write2(7, &b, takes_two, whole), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_bytesleft(&b), 199000);
  CHECK_INT(iob_write2(7, &b, takes_two, whole), 199000);
  B_CHECK(&b, 0, 0, 0, 0);
  CHECK_INT(pieces[0][0], f);
  CHECK_INT(pieces[0][1], 5);
  CHECK_INT(pieces[0][2], 200000);
  CHECK_INT(pieces[4][1], 1005);
  CHECK_INT(pieces[4][2], 199000);
}

TEST(iob_write2_with_io_sendfile_says_EIO_of_a_short_file) {
  io_batch b = {0};
  int64 f = t_tmpfile(3);
  CHECK_INT(iob_addfile(&b, f, 0, 10), 1);
  CHECK_INT(iob_write2(7, &b, takes_two, io_mmapwritefile), 2);
  CHECK_INT(iob_write2(7, &b, takes_two, NULL), 1);
  CHECK_INT(iob_write2(7, &b, takes_two, io_mmapwritefile), -3);
  CHECK_ERRNO(EIO);
  CHECK_INT(iob_write2(7, &b, NULL, io_mmapwritefile), -3);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(iob_bytesleft(&b), 7);
  iob_reset(&b);
}

/* Reads everything and leaves with 0 if it was n bytes, each that of its mebibyte. */
static pid_t start_reader(int64 d[2], uint64 n) {
  pid_t reader = fork();
  CHECK(reader != -1);
  if (reader == 0) {
    static unsigned char bytes[1 << 16];
    uint64 got = 0;
    ssize_t r;
    CHECK_INT(close((int)d[0]), 0);
    while ((r = read((int)d[1], bytes, sizeof bytes)) > 0) {
      CHECK_INT(bytes[0], (got >> 20) & 255);
      CHECK_INT(bytes[r - 1], ((got + (uint64)r - 1) >> 20) & 255);
      got += (uint64)r;
    }
    t_leave(got == n ? 0 : 1);
  }
  CHECK_INT(close((int)d[1]), 0);
  return reader;
}

/* Of this program alone: what getrusage(2) tells begins with what its parent had when it forked. */
static long peak_kib(void) {
  char line[256];
  long kib = -1;
  FILE *f = fopen("/proc/self/status", "r");
  CHECK(f != NULL);
  while (fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %ld", &kib);
  fclose(f);
  CHECK(kib > 0);
  return kib;
}

TEST(autofree_of_a_gibibyte_takes_little_memory) {
  enum { MIB = 1 << 20, PIECES = 1024, PEAK_KIB = 64 << 10 };
  io_batch b;
  int64 d[2];
  pid_t reader;
  int i = 0, status;
  if (t_memory_is_checked()) SKIP("the peak would be the memory checker's");
  t_unix_pair(d);
  b_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  reader = start_reader(d, (uint64)PIECES * MIB);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  while (i < PIECES || iob_bytesleft(&b)) {
    struct pollfd p = {.fd = (int)d[0], .events = POLLOUT};
    /* Ahead of the socket by some pieces, so that the batch is never empty. */
    while (i < PIECES && iob_bytesleft(&b) < 4 * MIB) {
      char *piece = malloc(MIB);
      CHECK(piece);
      memset(piece, i++, MIB);
      CHECK_INT(iob_addbuf_free(&b, piece, MIB), 1);
    }
    if (iob_send(d[0], &b) < 0) {
      CHECK_ERRNO(EAGAIN);
      CHECK_INT(poll(&p, 1, 5000), 1);
    }
  }
  CHECK_INT(close((int)d[0]), 0);
  CHECK_INT(waitpid(reader, &status, 0), reader);
  CHECK_INT(status, 0);
  CHECK(peak_kib() < PEAK_KIB);
  iob_reset(&b);
}

static int64 takes_all(int64 s, int64 f, uint64 off, uint64 n, io_write_callback cb) {
  (void)s, (void)f, (void)off, (void)cb;
  return (int64)n;
}

static int64 writes(int64 s, const void *bytes, uint64 n) { return io_trywrite(s, bytes, (int64)n); }

static int64 takes_none(int64 s, const void *bytes, uint64 n) {
  (void)s, (void)bytes, (void)n;
  return -1;
}

/* More than a number of 32 bits counts, and where no offset of 32 bits reaches. */
/* promise: Files in a batch */
TEST(files_beyond_4_gib_are_sent) {
  const int64 size = ((int64)5 << 30) + 3;
  int64 d[2], f = t_tmpfile(0);
  io_batch b = {.bytesleft = 0};
  char end[3];
  if (ftruncate((int)f, size - 3) != 0) SKIP("no file of 5 GiB in /tmp");
  CHECK_INT(pwrite((int)f, "end", 3, size - 3), 3);
  CHECK_INT(iob_addfile(&b, f, 0, (uint64)size), 1);
  CHECK_INT(iob_bytesleft(&b), (uint64)size);
  CHECK_INT(iob_write2(-1, &b, takes_none, takes_all), size);
  CHECK_INT(iob_bytesleft(&b), 0);
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(iob_addfile(&b, f, (uint64)size - 3, 3), 1);
  CHECK_INT(iob_send(d[0], &b), 3);
  CHECK_INT(read((int)d[1], end, 3), 3);
  CHECK(memcmp(end, "end", 3) == 0);
  CHECK_INT(io_sendfile(d[0], f, (uint64)size - 2, 2), 2);
  CHECK_INT(io_mmapwritefile(d[0], f, (uint64)size - 2, 2, writes), 2);
  CHECK_INT(read((int)d[1], end, 3), 3);
  CHECK(memcmp(end, "ndn", 3) == 0);
}
