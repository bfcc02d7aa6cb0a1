/* promise: The same answers as libowfat */
/* Opening, pipes, socket pairs, io_sendfile, io_mmapwritefile. */
#include "say.h"

#include <sys/stat.h>

static char path[] = "/tmp/owfat-io-test.XXXXXX";

static void opened(int64 d) {
  struct stat st;
  int flags = fcntl((int)d, F_GETFL);
  CHECK_INT(fstat((int)d, &st), 0);
  printf("  access %d, append %d, nonblock %d, cloexec %d, mode %o, size %ld, cookie %d\n", flags & O_ACCMODE,
         (flags & O_APPEND) != 0, (flags & O_NONBLOCK) != 0, fcntl((int)d, F_GETFD), st.st_mode & 07777,
         (long)st.st_size, io_getcookie(d) != NULL);
}

static void opening(void) {
  int64 d = 12345;
  char missing[64];
  snprintf(missing, sizeof missing, "%s/none", path);
  umask(027);
  SAY_OK(io_readfile(&d, missing));
  SAY_OK(io_createfile(&d, missing));
  SAY_OK(io_appendfile(&d, missing));
  SAY_OK(io_readwritefile(&d, missing));
  SAY_OK(io_readfile(&d, NULL));
  SAY_OK(io_createfile(&d, "/"));
  printf("untouched %d\n", d == 12345);
  CHECK_INT(unlink(path), 0);
  SAY_OK(io_readwritefile(&d, path));
  SAY_OK(io_appendfile(&d, path));
  opened(d);
  SAY(write((int)d, "hello", 5));
  SAY_OK(io_readfile(&d, path));
  opened(d);
  SAY_OK(io_readwritefile(&d, path));
  opened(d);
  SAY_OK(io_createfile(&d, path));
  opened(d);
  SAY_OK(io_readfile(&d, "."));
  SAY(fchdir((int)d));
  io_close(d);
  printf("open %d\n", fcntl((int)d, F_GETFD) != -1);
  CHECK_INT(unlink(path), 0);
}

static void pairs(void) {
  int64 d[2];
  char c;
  SAY_OK(io_pipe(d));
  opened(d[0]);
  opened(d[1]);
  SAY(io_trywrite(d[1], "x", 1));
  SAY(io_tryread(d[0], &c, 1));
  SAY(io_tryread(d[0], &c, 1));
  SAY_OK(io_socketpair(d));
  opened(d[0]);
  SAY(io_waitwrite(d[1], "x", 1));
  SAY(io_waitread(d[0], &c, 1));
  SAY(io_waitwrite(d[0], "x", 1));
  SAY(io_waitread(d[1], &c, 1));
}

static void sending(void) {
  int64 d[2], p[2], file = t_tmpfile(1000), dir = open("/", O_RDONLY), empty = t_tmpfile(0);
  t_unix_pair(d);
  t_pipe(p);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  SAY(io_sendfile(d[0], file, 0, 1000));
  SAY(io_sendfile(d[0], file, 990, 1000));
  SAY(io_sendfile(d[0], file, 1000, 1));
  SAY(io_sendfile(d[0], file, 5000, 1));
  SAY(io_sendfile(d[0], file, 0, 0));
  SAY(io_sendfile(d[0], empty, 0, 10));
  SAY(io_sendfile(d[0], dir, 0, 10));
  SAY(io_sendfile(d[0], -1, 0, 10));
  SAY(io_sendfile(-1, file, 0, 10));
  SAY(lseek((int)file, 0, SEEK_CUR));
  SAY(io_sendfile(p[1], file, 10, 100));
  t_fill(d[0]);
  SAY(io_sendfile(d[0], file, 0, 1000));
}

static int64 takes, took;
static unsigned long all;

static int64 taker(int64 out, const void *buf, uint64 n) {
  const unsigned char *bytes = buf;
  int64 k = (int64)n < takes ? (int64)n : takes;
  (void)out;
  if (takes < 0) {
    errno = takes == -1 ? EAGAIN : EIO;
    return -1;
  }
  took += k;
  for (; k > 0; k--) all = all * 31 + *bytes++;
  return (int64)n < takes ? (int64)n : takes;
}

/* How much is offered at a time is each library's own. */
#define FEED(off, n)                                                                                                     \
  do {                                                                                                                   \
    took = 0;                                                                                                            \
    all = 0;                                                                                                             \
    SAY(io_mmapwritefile(out, file, off, n, taker));                                                                     \
    printf("  took %" PRId64 ", all %lu\n", took, all);                                                                  \
  } while (0)

static void mapping(void) {
  int64 file = t_tmpfile(200000);
  int64 d[2], out;
  t_unix_pair(d);
  out = d[0];
  CHECK_INT(io_fd(out), 1); /* 0.32 maps only for what it knows */
  takes = 1 << 20;
  FEED(10, 199990);
  FEED(65536, 65536);
  FEED(65535, 2);
  FEED(0, 0);
  takes = 1000;
  FEED(70000, 100000);
  takes = 0;
  FEED(70000, 100000);
  takes = -1;
  FEED(70000, 100000);
  takes = -2;
  FEED(70000, 100000);
}

int main(void) {
  int d = mkstemp(path);
  CHECK(d != -1);
  say_start();
  opening();
  pairs();
  sending();
  mapping();
  return 0;
}
