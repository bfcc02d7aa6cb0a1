/* dup2 over a registered number: reads and writes serve what is there now, as it wants to be served. */
#include "batch.h"
#include "loop.h"

#include <termios.h>

static char buf[100000];

enum { SOCKETS, PIPES, FILES, KINDS };

/* d[0] reads what was written to d[1]. */
static void make(int kind, int64 d[2]) {
  switch (kind) {
  case SOCKETS: t_unix_pair(d); break;
  case PIPES: t_pipe(d); break;
  case FILES:
    d[1] = t_tmpfile(0);
    snprintf(buf, sizeof buf, "/proc/self/fd/%d", (int)d[1]);
    CHECK((d[0] = open(buf, O_RDONLY)) >= 0);
    break;
  }
}

/* Uses each end once, so that the library has learnt what it is. */
static void get_known(int64 d[2]) {
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_trywrite(d[1], "ab", 2), 2);
  CHECK_INT(io_tryread(d[0], buf, 2), 2);
}

static void replace(int64 d[2], int64 by[2]) {
  int i;
  for (i = 0; i < 2; i++) {
    CHECK_INT(dup2((int)by[i], (int)d[i]), d[i]);
    CHECK_INT(close((int)by[i]), 0);
  }
}

static void check_works(int64 d[2], int kind) {
  int i;
  for (i = 0; i < 2; i++) {
    CHECK_INT(io_trywrite(d[1], "hello", 5), 5);
    CHECK_INT(io_tryread(d[0], buf, sizeof buf), 5);
    CHECK(memcmp(buf, "hello", 5) == 0);
    if (kind != FILES) {
      CHECK_INT(io_tryread(d[0], buf, sizeof buf), -1);
      CHECK_ERRNO(EAGAIN);
    } else {
      CHECK_INT(io_tryread(d[0], buf, sizeof buf), 0);
    }
  }
}

/* promise: Replacing a descriptor */
TEST(each_kind_replaces_each_other_kind) {
  int before, after;
  alarm(10); /* kills a library that blocks */
  for (before = 0; before < KINDS; before++) {
    for (after = 0; after < KINDS; after++) {
      int64 d[2], by[2];
      make(before, d);
      get_known(d);
      make(after, by);
      replace(d, by);
      check_works(d, after);
    }
  }
}

TEST(what_replaces_another_does_not_block_when_it_is_full) {
  int before, after;
  alarm(10);
  for (before = 0; before < KINDS; before++) {
    for (after = 0; after < FILES; after++) {
      int64 d[2], by[2], n, sum = 0;
      make(before, d);
      get_known(d);
      make(after, by);
      replace(d, by);
      while ((n = io_trywrite(d[1], buf, sizeof buf)) > 0) sum += n;
      CHECK_INT(n, -1);
      CHECK_ERRNO(EAGAIN);
      CHECK(sum > 0);
    }
  }
}

/* promise: Replacing a descriptor */
TEST(batches_go_to_what_is_there_now) {
  int before, after;
  for (before = 0; before < KINDS; before++) {
    for (after = 0; after < KINDS; after++) {
      int64 d[2], by[2];
      io_batch b;
      memset(&b, 0, sizeof b);
      make(before, d);
      get_known(d);
      make(after, by);
      replace(d, by);
      CHECK_INT(iob_adds(&b, "hello"), 1);
      CHECK_INT(iob_send(d[1], &b), 5);
      b_expect(d[0], "hello");
    }
  }
}

/* Write calls that this process has made. */
static int64 writes(void) {
  char line[64];
  long long n = -1;
  FILE *io = fopen("/proc/self/io", "r");
  if (!io) SKIP("this system does not count write calls");
  while (fgets(line, sizeof line, io)) sscanf(line, "syscw: %lld", &n);
  fclose(io);
  CHECK(n >= 0);
  return n;
}

static int64 terminal(void) {
  struct termios raw;
  int64 end, master = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(master >= 0);
  CHECK_INT(grantpt((int)master), 0);
  CHECK_INT(unlockpt((int)master), 0);
  end = open(ptsname((int)master), O_RDWR | O_NOCTTY);
  CHECK(end >= 0);
  CHECK_INT(tcgetattr((int)end, &raw), 0);
  cfmakeraw(&raw);
  CHECK_INT(tcsetattr((int)end, TCSANOW, &raw), 0);
  return end;
}

/* Writes 1,000 bytes in one write call, or a few. */
static void check_whole(int64 d) {
  int64 before = writes(), n = io_trywrite(d, buf, 1000);
  CHECK(n > 100);
  CHECK(writes() - before <= 3);
}

/* promise: Terminals and other devices */
TEST(a_terminal_whose_mode_the_library_set_is_written_whole) {
  int64 d = terminal();
  CHECK_INT(io_fd(d), 1);
  io_nonblock(d);
  check_whole(d);
}

/* promise: Terminals and other devices */
TEST(a_terminal_whose_mode_the_program_set_is_written_whole) {
  int64 d = terminal();
  CHECK_INT(io_fd(d), 1);
  b_nonblock(d);
  check_whole(d);
  d = terminal();
  b_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  check_whole(d);
}

TEST(a_terminal_that_was_never_registered_is_written_whole) {
  int64 d = terminal();
  b_nonblock(d);
  check_whole(d);
}
