/* Files that were opened with O_DIRECT are sent and filtered like others, from any position. */
#include "batch.h"
#include "filter.h"

B_BATCH(b)

enum { SIZE = 200123 };

/* A t_tmpfile that is read without the page cache. */
static int64 direct(void) {
  int64 f = t_tmpfile(SIZE), d;
  char path[64], first[10];
  snprintf(path, sizeof path, "/proc/self/fd/%d", (int)f);
  d = open(path, O_RDONLY | O_DIRECT);
  if (d == -1) SKIP("no file can be opened with O_DIRECT here");
  CHECK_INT(fsync((int)f), 0);
  if (pread((int)d, first, sizeof first, 1) >= 0) SKIP("O_DIRECT asks for nothing special here");
  CHECK_INT(close((int)f), 0);
  return d;
}

/* Where a piece begins and how long it is: at the borders of blocks and beside them, and to the end of the file. */
static const struct { uint64 off, n; } pieces[] = {
    {0, 4096},  {0, SIZE},      {1, 1},        {511, 2},           {4095, 4098},      {16383, 2},
    {5, 20000}, {16384, 16384}, {70000, 1000}, {SIZE - 1, 1},      {100, SIZE - 100}, {131072, SIZE - 131072},
};
enum { PIECES = sizeof pieces / sizeof *pieces };

/* promise: Files in a batch */
TEST(files_without_a_page_cache_are_sent) {
  int64 f = direct();
  int i;
  for (i = 0; i < PIECES; i++) {
    int64 d[2], pid, r;
    int status;
    t_unix_pair(d);
    CHECK_INT(iob_adds(&b, "head"), 1);
    CHECK_INT(iob_addfile(&b, f, pieces[i].off, pieces[i].n), 1);
    CHECK_INT(iob_adds(&b, "tail"), 1);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      b_expect(d[1], "head");
      b_expect_file(d[1], pieces[i].off, pieces[i].n);
      b_expect(d[1], "tail");
      _exit(0);
    }
    while ((r = iob_send(d[0], &b)) > 0) {}
    CHECK_INT(r, 0);
    CHECK_INT(waitpid((pid_t)pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(close((int)d[0]), 0);
    CHECK_INT(close((int)d[1]), 0);
  }
}

TEST(files_without_a_page_cache_are_filtered) {
  int64 f = direct();
  int i;
  for (i = 0; i < PIECES; i++) {
    int64 n = (int64)pieces[i].n;
    sum = 0;
    ANSWER_ALL();
    CHECK_INT(iob_addfile(&b, f, pieces[i].off, pieces[i].n), 1);
    CHECK_INT(iob_write(target, &b, filter), n);
    CHECK_INT(sum, n);
    b_check_file(taken, pieces[i].off, pieces[i].n);
    sum = 0;
    calls = 0;
    CHECK_INT(io_mmapwritefile(target, f, pieces[i].off, pieces[i].n, filter), n);
    b_check_file(taken, pieces[i].off, pieces[i].n);
  }
}

/* promise: io_sendfile */
TEST(io_sendfile_reads_files_without_a_page_cache) {
  int64 f = direct();
  int i;
  for (i = 0; i < PIECES; i++) {
    int64 out = t_tmpfile(0), n;
    uint64 done = 0;
    while (done < pieces[i].n) {
      n = io_sendfile(out, f, pieces[i].off + done, pieces[i].n - done);
      CHECK(n > 0);
      done += (uint64)n;
    }
    CHECK_INT(lseek((int)out, 0, SEEK_SET), 0);
    b_expect_file(out, pieces[i].off, pieces[i].n);
    CHECK_INT(close((int)out), 0);
  }
}

TEST(a_file_without_a_page_cache_that_is_too_short_is_an_error) {
  int64 f = direct(), d[2];
  t_unix_pair(d);
  CHECK_INT(io_sendfile(d[0], f, SIZE, 100), 0);
  CHECK_INT(io_sendfile(d[0], f, SIZE + 5000, 100), 0);
  CHECK_INT(iob_addfile(&b, f, SIZE - 10, 100), 1);
  CHECK_INT(iob_send(d[0], &b), 10);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EIO);
  iob_reset(&b);
  CHECK_INT(iob_addfile(&b, f, SIZE - 10, 100), 1);
  CHECK_INT(iob_write(target, &b, filter), 10);
  CHECK_INT(iob_write(target, &b, filter), -3);
  CHECK_ERRNO(EIO);
}

TEST(what_a_filter_refuses_of_a_file_without_a_page_cache_stays) {
  int64 f = direct();
  CHECK_INT(iob_addfile(&b, f, 777, 100000), 1);
  ANSWER(-1, 100, -1);
  CHECK_INT(iob_write(target, &b, filter), -1);
  CHECK_INT(iob_write(target, &b, filter), 100);
  CHECK_INT(iob_write(target, &b, filter), -1);
  CHECK(offers[0].at == offers[1].at && offers[0].n == offers[1].n);
  CHECK((const char *)offers[2].at == (const char *)offers[0].at + 100);
  CHECK_INT(iob_write(target, &b, filter), 99900);
  b_check_file(taken, 777, 100000);
}
