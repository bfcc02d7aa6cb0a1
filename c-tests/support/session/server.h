/* A small server and its clients in one process, for walks along faults. The clients use plain system calls, which
 * never fail; the server does what the manual tells a program to do: it goes on after "again", gives up a
 * connection after an error, and closes what it has opened. */
#ifndef SESSION_SERVER_H
#define SESSION_SERVER_H
#include "../loop.h"
#include "promises.h"

#define MOST_CONNECTIONS 16
#define MOST_BYTES (384 << 10)
/* Bytes of each piece of memory that an answer owns. */
#define OWNED 900

/* `image` is what the client must get; of that the library has said it has sent `sent`, and `got` has arrived. */
struct connection {
  int64 s;
  int peer, used, registered, tcp;
  int wants, ready; /* 1: to read, 2: to write */
  uint64 total, sent, got;
  char *image;
};

static struct {
  struct connection all[MOST_CONNECTIONS];
  int given_up; /* connections that ended early */
  int64 file;   /* a t_tmpfile */
} server = {.file = -1};

#define FILE_BYTES 20000

static int rule_has(uint64 kinds, int what) {
  return (fault.what == what && (kinds & 1ULL << fault.kind)) ||
         (fault.second.kind && fault.second.what == what && (kinds & 1ULL << fault.second.kind));
}

/* Whether the rule makes the kernel say of a descriptor that it is not open. The program hears nothing of it then, and
 * gives up. */
static int kernel_lies(void) { return rule_has(KIND(EPOLL_CTL) | KIND(FCNTL) | KIND(FSTAT), EBADF); }

static struct connection *connection_of(int64 s) {
  int i;
  for (i = 0; i < MOST_CONNECTIONS; i++) {
    if (server.all[i].used && server.all[i].s == s) return server.all + i;
  }
  return NULL;
}

static struct connection *connection(int64 s, int peer) {
  struct connection *c = server.all;
  while (c->used) CHECK(++c < server.all + MOST_CONNECTIONS);
  memset(c, 0, sizeof *c);
  *c = (struct connection){.s = s, .peer = peer, .used = 1};
  c->image = malloc(MOST_BYTES);
  CHECK(c->image);
  return c;
}

/* The client takes all that the library says it has sent, and finds no more than that. */
static void client_takes(struct connection *c) {
  char buf[4096], *want = c->image + c->got;
  struct pollfd p = {.fd = c->peer, .events = POLLIN};
  if (c->peer == -1) return;
  while (c->got < c->sent) {
    ssize_t n;
    uint64 left = c->sent - c->got;
    CHECK_INT(poll(&p, 1, L_PATIENCE), 1);
    n = recv(c->peer, buf, left < sizeof buf ? left : sizeof buf, 0);
    CHECK(n > 0);
    CHECK(memcmp(buf, want, (size_t)n) == 0);
    want += n;
    c->got += (uint64)n;
  }
  CHECK_INT(recv(c->peer, buf, sizeof buf, MSG_DONTWAIT), -1);
  CHECK_ERRNO(EAGAIN);
}

/* Ends a connection; the client gets what was sent, and then the end. */
static void hang_up(struct connection *c) {
  char end;
  if (!c || !c->used) return;
  client_takes(c);
  JUST(io_close, (c->s));
  CHECK_INT(fcntl((int)c->s, F_GETFD), -1);
  CHECK(DO_POINTER(io_getcookie, (c->s)) == 0);
  if (c->peer != -1) {
    struct pollfd p = {.fd = c->peer, .events = POLLIN};
    CHECK_INT(poll(&p, 1, L_PATIENCE), 1);
    CHECK(recv(c->peer, &end, 1, 0) <= 0);
    CHECK_INT(close(c->peer), 0);
  }
  free(c->image);
  c->used = 0;
}

/* After an error. */
static void give_up(struct connection *c) {
  CHECK(fault.hit);
  server.given_up++;
  c->total = c->sent;
  hang_up(c);
}

/* A report is a promise: it is of a connection that wants it, and the kernel agrees. */
static void reported(int64 s, int direction) {
  struct connection *c = connection_of(s);
  struct pollfd p = {.fd = (int)s, .events = direction == 1 ? POLLIN : POLLOUT};
  CHECK(c && c->registered && (c->wants & direction));
  CHECK_INT(poll(&p, 1, 0), 1);
  c->ready |= direction;
}

static void take_reports(void) {
  int64 s;
  while ((s = DO(io_canread, ())) != -1) reported(s, 1);
  while ((s = DO(io_canwrite, ())) != -1) reported(s, 2);
}

static void want(struct connection *c, int direction) {
  c->wants |= direction;
  if (direction == 1) JUST(io_wantread, (c->s));
  if (direction == 2) JUST(io_wantwrite, (c->s));
}

static void dont_want(struct connection *c, int direction) {
  c->wants &= ~direction;
  c->ready &= ~direction;
  if (direction == 1) JUST(io_dontwantread, (c->s));
  if (direction == 2) JUST(io_dontwantwrite, (c->s));
}

/* Turns of the loop until c is reported, which something has made ready. One fault must not keep that away. */
static int await(struct connection *c, int direction) {
  int turns, patience = kernel_lies() || fault.for_ever ? 3 : 100;
  take_reports();
  for (turns = 0; !(c->ready & direction); turns++) {
    if (turns == patience) {
      CHECK(patience < 100);
      return 0;
    }
    DO(io_waituntil2, (20));
    take_reports();
  }
  c->ready &= ~direction;
  return 1;
}

/* Says what has become of a sending call: whether to go on. */
static int sent(struct connection *c, int64 r) {
  if (r > 0) c->sent += (uint64)r;
  CHECK(c->sent <= c->total);
  client_takes(c);
  return r >= 0 || r == -1;
}

/* The next n bytes of what the client is to get. */
static char *next_bytes(struct connection *c, size_t n) {
  char *at = c->image + c->total;
  size_t i;
  CHECK(c->total + n <= MOST_BYTES);
  for (i = 0; i < n; i++) at[i] = (char)(t_byte(c->total + i) ^ 0x5a);
  c->total += n;
  return at;
}

static void next_file_bytes(struct connection *c, uint64 off, size_t n) {
  size_t i;
  CHECK(c->total + n <= MOST_BYTES);
  for (i = 0; i < n; i++) c->image[c->total++] = t_byte(off + i);
}

/* Sends until the client has all of `image`; returns 0 if the connection had to be given up. */
static int send_all(struct connection *c, int64 (*call)(struct connection *, void *), void *data) {
  int tries;
  for (tries = 0; c->sent < c->total; tries++) {
    int64 r = call(c, data);
    if (!sent(c, r) || (r == 0 && fault.hit) || tries > 1000) return 0;
    CHECK(r != 0);
    if (r == -1) {
      want(c, 2);
      if (!await(c, 2)) return 0;
      dont_want(c, 2);
    }
  }
  return 1;
}

/* The client says something, and the server hears all of it; returns 0 if the connection had to be given up. */
static int hear(struct connection *c, const char *text) {
  char buf[256];
  size_t n = 0, all = strlen(text);
  CHECK_INT(send(c->peer, text, all, 0), all);
  while (n < all) {
    int64 r;
    if (!await(c, 1)) return 0;
    r = DO(io_tryread, (c->s, buf + n, (int64)(sizeof buf - n)));
    if (r == -3 || r == 0) return 0;
    if (r > 0) {
      CHECK((size_t)r <= all - n && memcmp(buf + n, text + n, (size_t)r) == 0);
      n += (size_t)r;
    }
  }
  return 1;
}

#endif
