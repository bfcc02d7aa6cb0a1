/* io_debugstring: for people's eyes, but it must not write past its room. */
#include "loop.h"

/* promise: The state of a descriptor */
TEST(io_debugstring_describes_a_registered_descriptor) {
  char buf[1000];
  int64 d[2];
  unsigned n;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(1000));
  n = io_debugstring(d[0], buf, sizeof buf);
  CHECK(n > 0 && n < sizeof buf);
  CHECK_INT(strlen(buf), n);
}

/* But for the number, and with the backend's name at the end. */
static void check_text(int64 d, const char *expected) {
  char got[200], want[300], end[40];
  const char *backend = t_backend();
  CHECK(io_debugstring(d, got, sizeof got) > 0);
  snprintf(end, sizeof end, ", backend %s", backend);
  snprintf(want, sizeof want, "fd %d: %s%s", (int)d, expected, strstr(expected, "backend") ? "" : end);
  if (strcmp(got, want) != 0) {
    fprintf(stderr, "'%s' should be\n'%s'\n", got, want);
    t_leave(1);
  }
}

TEST(io_debugstring_says_exactly_what_is_known) {
  int64 d[2], other[2];
  char text[200], *deadline;
  int ms;
  t_unix_pair(d);
  t_pipe(other);
  l_read_event(other[0]);
  CHECK_INT(io_fd(d[0]), 1);
  check_text(d[0], "blocking, want -, watched -, pending -, queued -, deadline none, cookie 0x0");
  io_nonblock(d[0]);
  io_setcookie(d[0], (void *)0xabcdef);
  io_wantread(d[0]);
  io_waituntil2(0);
  check_text(d[0], "non-blocking, want r, watched r, pending -, queued -, deadline none, cookie 0xabcdef");
  l_put(other[1], "x");
  l_put(d[1], "x");
  CHECK_INT(io_waituntil2(L_PATIENCE), 2);
  check_text(d[0], "non-blocking, want r, watched r, pending r, queued -, deadline none, cookie 0xabcdef");
  check_text(other[0], "blocking, want r, watched r, pending r, queued -, deadline none, cookie 0x0");
  io_dontwantread(d[0]);
  CHECK_INT(io_queueforwrite(d[0]), 1);
  check_text(d[0], "non-blocking, want -, watched r, pending w, queued w, deadline none, cookie 0xabcdef");
  CHECK_INT(io_fd_canwrite(d[1]), 1);
  CHECK(io_debugstring(d[1], text, sizeof text) > 0);
  CHECK(strstr(text, ", can-write hint, deadline none") != NULL);
  io_timeout(d[0], l_in_ms(5000));
  CHECK(io_debugstring(d[0], text, sizeof text) > 0);
  deadline = strstr(text, ", deadline in ");
  CHECK(deadline && sscanf(deadline, ", deadline in %d ms, cookie", &ms) == 1 && ms > 1000 && ms <= 5000);
  io_timeout(d[0], l_in_ms(-5000));
  CHECK(io_debugstring(d[0], text, sizeof text) > 0);
  deadline = strstr(text, ", deadline passed ");
  CHECK(deadline && sscanf(deadline, ", deadline passed %d ms ago", &ms) == 1 && ms >= 5000 && ms < 60000);
  close((int)d[0]);
  CHECK(io_debugstring(d[0], text, sizeof text) > 0);
  CHECK(strstr(text, ": not open, ") != NULL);
}

/* The child has no backend before it waits, and nothing is watched. */
TEST(io_debugstring_in_a_child_says_what_the_child_knows) {
  int64 d[2];
  int status;
  pid_t child;
  l_pipe(d, 1);
  io_waituntil2(0);
  child = fork();
  if (child == 0) {
    check_text(d[0], "non-blocking, want r, watched -, pending -, queued -, deadline none, cookie 0x0, backend none");
    t_leave(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

/* With all that there can be. */
TEST(io_debugstring_needs_no_more_than_200_bytes) {
  char text[200];
  int64 d[2];
  tai6464 long_ago = {{1}, 0, 0};
  t_unix_pair(d);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  CHECK_INT(dup2((int)d[0], 1000), 1000);
  CHECK_INT(io_fd_canwrite(1000), 1);
  io_setcookie(1000, (void *)~(uintptr_t)0);
  io_wantread(1000);
  io_wantwrite(1000);
  l_put(d[1], "x");
  io_waituntil2(0);
  CHECK_INT(io_queueforread(1000), 1);
  CHECK_INT(io_queueforwrite(1000), 1);
  io_timeout(1000, long_ago);
  CHECK(io_debugstring(1000, text, sizeof text) > 0);
}

TEST(io_debugstring_of_an_unknown_descriptor_is_empty) {
  static const int64 strange[] = {-1, INT64_MIN, 1LL << 32, INT64_MAX, 900};
  char buf[1000];
  unsigned i;
  l_idle();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) CHECK_INT(io_debugstring(strange[i], buf, sizeof buf), 0);
}

/* promise: The state of a descriptor */
TEST(io_debugstring_keeps_within_its_room) {
  char buf[400];
  int64 d[2];
  unsigned size, i;
  l_pipe(d, 1);
  CHECK_INT(io_debugstring(d[0], NULL, 0), 0);
  for (size = 0; size <= 300; size++) {
    unsigned n;
    memset(buf, '#', sizeof buf);
    n = io_debugstring(d[0], buf, size);
    CHECK(n == 0 || (n < size && strlen(buf) == n));
    for (i = size; i < sizeof buf; i++) CHECK_INT(buf[i], '#');
  }
}
