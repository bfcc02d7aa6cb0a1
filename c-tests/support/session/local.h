/* Scenes without clients: pipes, descriptors that are passed on, files, iom, a loop that begins anew. */
#ifndef SESSION_LOCAL_H
#define SESSION_LOCAL_H
#include "server.h"

#include <sys/ioctl.h>

/* What a pipe holds, for reads that wait. */
static int in_pipe(int64 d) {
  int n = 0;
  CHECK_INT(ioctl((int)d, FIONREAD, &n), 0);
  return n;
}

/* Reads what has been written, of `at`, and sees no more. */
static void read_pipe(int64 d, const char *at, int64 n, int waiting) {
  char buf[64];
  int tries;
  for (tries = 0; n > 0 && tries < 4; tries++) {
    int64 r = waiting ? DO(io_waitread, (d, buf, sizeof buf)) : DO(io_tryread, (d, buf, sizeof buf));
    if (r == 0 || r == -3) CHECK(fault.hit);
    if (r <= 0) continue;
    CHECK(r <= n && memcmp(buf, at, (size_t)r) == 0);
    n -= r;
    at += r;
  }
  CHECK(n == 0 || fault.hit);
  CHECK_INT(in_pipe(d), n);
}

static void pipes(void) {
  static char bytes[] = "through a pipe";
  int64 d[2] = {-7, -7}, r, n;
  struct connection *c;
  if (!DO(io_pipe, (d))) {
    CHECK(d[0] == -7 && d[1] == -7);
    return;
  }
  r = SENDS(d[1], io_trywrite, (d[1], bytes, 14));
  n = r > 0 ? r : 0;
  c = connection(d[0], -1);
  c->registered = 1;
  want(c, 1);
  if (n > 0 && await(c, 1)) read_pipe(d[0], bytes, n, 0);
  JUST(io_timeout, (d[0], l_in_ms(-1000)));
  if (errno != ENOMEM && in_pipe(d[0]) == 0) {
    r = DO(io_tryreadtimeout, (d[0], bytes, 1));
    CHECK(r == -2 || (fault.hit && (r == -3 || r == 0)));
  }
  JUST(io_timeout, (d[0], l_never()));
  if (in_pipe(d[0]) == 0) {
    r = SENDS(d[1], io_waitwrite, (d[1], bytes, 9));
    if (r > 0) read_pipe(d[0], bytes, r, 1);
  }
  JUST(io_nonblock, (d[0]));
  hang_up(c);
  JUST(io_close, (d[1]));
}

static void passes_descriptors(void) {
  int64 u[2] = {-7, -7}, r = -1, got = -1;
  char byte;
  int tries;
  if (!DO(io_socketpair, (u))) {
    CHECK(u[0] == -7 && u[1] == -7);
    return;
  }
  for (tries = 0; tries < 3 && r == -1; tries++) r = DO(io_passfd, (u[0], server.file));
  for (tries = 0; tries < 3 && r == 0 && got == -1; tries++) got = DO(io_receivefd, (u[1]));
  if (got != -1) {
    CHECK_INT(pread((int)got, &byte, 1, 77), 1);
    CHECK_INT(byte, t_byte(77));
    JUST(io_close, (got));
  } else {
    CHECK(fault.hit);
  }
  JUST(io_close, (u[0]));
  JUST(io_close, (u[1]));
}

static char path[64];

static void files(void) {
  char buf[64];
  int64 d = -7, r = -1;
  if (DO(io_createfile, (&d, path))) {
    r = SENDS(d, io_trywrite, (d, "of a file", 9));
    JUST(io_close, (d));
  } else {
    CHECK_INT(d, -7);
  }
  d = -7;
  if (DO(io_readfile, (&d, path))) {
    int64 n = DO(io_tryread, (d, buf, sizeof buf));
    CHECK(n <= 0 ? fault.hit : n <= r && memcmp(buf, "of a file", (size_t)n) == 0);
    JUST(io_close, (d));
  } else {
    CHECK_INT(d, -7);
  }
  d = -7;
  if (DO(io_appendfile, (&d, path))) {
    JUST(io_closeonexec, (d));
    if (!fault.hit) CHECK_INT(fcntl((int)d, F_GETFD), FD_CLOEXEC);
    SENDS(d, io_waitwrite, (d, "more", 4));
    JUST(io_close, (d));
  }
  if (DO(io_readwritefile, (&d, path))) JUST(io_close, (d));
  unlink(path);
}

/* Tries again what failed once. */
static int added(iomux_t *m, int64 s) {
  return DO(iom_add, (m, s, IOM_READ)) == 0 || DO(iom_add, (m, s, IOM_READ)) == 0;
}

static int requeued(iomux_t *m, int64 s) {
  return DO(iom_requeue, (m, s, IOM_READ)) == 0 || DO(iom_requeue, (m, s, IOM_READ)) == 0;
}

static void mux(void) {
  iomux_t m;
  int64 u[2], s = -7, r = -1;
  unsigned events = 99;
  int tries, turn;
  if (!DO(iom_init, (&m))) return;
  t_unix_pair(u);
  l_put(u[1], "x");
  for (turn = 0; turn < 2 && (turn ? requeued : added)(&m, u[0]); turn++) {
    for (tries = 0; tries < 3 && (r = DO(iom_wait, (&m, &s, &events, 2000))) == -1; tries++) CHECK_INT(s, -7);
    if (r == 1) CHECK(s == u[0] && events == IOM_READ);
    CHECK(r == 1 || fault.hit);
    s = -7;
  }
  CHECK(turn == 2 || fault.hit);
  if (DO(iom_abort, (&m)) == 0) {
    for (tries = 0; tries < 3 && (r = DO(iom_wait, (&m, &s, &events, 2000))) == -1; tries++) {
    }
    CHECK(r == -2 || fault.hit);
  }
  CHECK_INT(close(m.ctx), 0);
  CHECK_INT(close((int)u[0]) | close((int)u[1]), 0);
}

/* A descriptor that is queued by the program, on a loop that is then given up. */
static void loop_that_ends(void) {
  int64 u[2];
  struct connection *c;
  t_unix_pair(u);
  c = connection(u[0], (int)u[1]);
  if (DO(io_fd, (c->s))) {
    c->registered = 1;
    want(c, 1);
    if (DO(io_queueforread, (c->s))) {
      DO(io_waituntil2, (0));
      CHECK_INT(DO(io_canread, ()), c->s);
    }
    if (!hear(c, "once")) CHECK(fault.hit);
    JUST(io_finishandshutdown, ());
    CHECK_INT(DO(io_canread, ()), -1);
    CHECK(DO_POINTER(io_getcookie, (c->s)) == 0);
  }
  hang_up(c);
}

/* A thread of the library waits in place of the program. */
static void loop_with_a_thread(void) {
  int64 u[2];
  t_unix_pair(u);
  if (DO(io_fd, (u[0]))) {
    JUST(io_wantread, (u[0]));
    if (DO(io_starteventloopthread, (1)) == 0) {
      l_put(u[1], "x");
      CHECK_INT(DO(io_canread, ()), u[0]);
    }
    JUST(io_finishandshutdown, ());
  }
  CHECK_INT(close((int)u[0]) | close((int)u[1]), 0);
}

#endif
