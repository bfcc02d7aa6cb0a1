/* Scenes with clients: what the server does for them, from the listening socket on. Each leaves nothing open. */
#ifndef SESSION_CLIENTS_H
#define SESSION_CLIENTS_H
#include "server.h"

#include "iob_internal.h"

#include <netinet/tcp.h>

static int64 try_write(struct connection *c, void *unused) {
  (void)unused;
  return SENDS(c->s, io_trywrite, (c->s, c->image + c->sent, (int64)(c->total - c->sent)));
}

static int64 send_batch(struct connection *c, void *b) {
  int64 r = SENDS(c->s, iob_send, (c->s, b));
  CHECK_INT(iob_bytesleft(b), c->total - c->sent - (uint64)(r > 0 ? r : 0));
  return r;
}

static int64 through(int64 s, const void *bytes, uint64 n) { return io_trywrite(s, bytes, (int64)n); }

static int64 filter_batch(struct connection *c, void *b) {
  int64 r = SENDS(c->s, iob_write, (c->s, b, through));
  CHECK_INT(iob_bytesleft(b), c->total - c->sent - (uint64)(r > 0 ? r : 0));
  return r;
}

/* The rest of the image is of the file, and ends at this position. */
static int64 send_file(struct connection *c, void *end) {
  uint64 left = c->total - c->sent;
  return SENDS(c->s, io_sendfile, (c->s, server.file, *(uint64 *)end - left, left));
}

static int64 filter_file(struct connection *c, void *end) {
  uint64 left = c->total - c->sent;
  return SENDS(c->s, io_mmapwritefile, (c->s, server.file, *(uint64 *)end - left, left, through));
}

enum { NONBLOCK_AND_FD, FLAGS, CANWRITE };

static int register_as(struct connection *c, int how) {
  int64 r = 0;
  switch (how) {
  case NONBLOCK_AND_FD:
    JUST(io_nonblock, (c->s));
    r = DO(io_fd, (c->s));
    break;
  case FLAGS:
    JUST(io_nonblock, (c->s));
    r = DO(io_fd_flags, (c->s, IO_FD_NONBLOCK | IO_FD_CANWRITE));
    break;
  case CANWRITE: r = DO(io_fd_canwrite, (c->s)); break;
  }
  if (r == 0) {
    give_up(c);
    return 0;
  }
  c->registered = 1;
  CHECK(DO_POINTER(io_getcookie, (c->s)) == 0);
  JUST(io_setcookie, (c->s, c));
  want(c, 1);
  return 1;
}

static struct connection *listens(int64 s) {
  struct connection *l = connection(s, -1);
  return register_as(l, NONBLOCK_AND_FD) ? l : NULL;
}

/* A client connects; NULL if the server could not take it in. What accept(2) says once, the next report mends. */
static struct connection *comes(struct connection *l, struct sockaddr *to, socklen_t n, int how) {
  struct connection *c = NULL;
  int tries = 1, peer = socket(to->sa_family, SOCK_STREAM, 0);
  CHECK(peer != -1);
  CHECK_INT(connect(peer, to, n), 0);
  for (; tries < 4 && !c && await(l, 1); tries++) {
    int64 s = DO(accept, ((int)l->s, NULL, NULL));
    if (s >= 0) {
      c = connection(s, peer);
      c->tcp = to->sa_family == AF_INET;
      /* Or the last piece of an answer would wait for the client's delayed acknowledgement. */
      if (c->tcp) CHECK_INT(setsockopt((int)s, IPPROTO_TCP, TCP_NODELAY, &tries, sizeof tries), 0);
    }
    if (s == -1 && errno == EAGAIN) JUST(io_eagain_read, (l->s));
  }
  if (!c) {
    CHECK(kernel_lies() || fault.for_ever);
    CHECK_INT(close(peer), 0);
    return NULL;
  }
  return register_as(c, how) ? c : NULL;
}

/* Requests and answers; from the third on a TCP connection is known to take turns. */
static int turns(struct connection *c, int count) {
  while (count-- > 0) {
    if (!hear(c, "GET / HTTP/1.1\r\n\r\n")) return 0;
    dont_want(c, 1);
    next_bytes(c, 300);
    want(c, 2);
    if (!await(c, 2) || !send_all(c, try_write, NULL)) return 0;
    dont_want(c, 2);
    want(c, 1);
    JUST(io_timeout, (c->s, l_in_ms(60000)));
  }
  return 1;
}

/* Registered once more, it is still the same connection, unless the kernel says that it is not. */
static int registers_again(struct connection *c) {
  int64 cookie;
  if (DO(io_fd, (c->s)) == 0) return 0;
  cookie = DO_POINTER(io_getcookie, (c->s));
  if (kernel_lies() || rule_has(KIND(EPOLL_CTL), ENOENT)) return cookie != 0;
  CHECK(cookie == (intptr_t)c);
  return 1;
}

/* What could be queued is in the image. */
static void fill(struct connection *c, io_batch *b, int64 *owned) {
  static const char header[] = "HTTP/1.1 200 OK\r\n\r\n";
  char *text = malloc(sizeof header), *bytes, *page;
  CHECK(text);
  memcpy(text, header, sizeof header);
  if (DO(iob_adds_free, (b, text))) {
    memcpy(c->image + c->total, header, sizeof header - 1);
    c->total += sizeof header - 1;
  }
  bytes = next_bytes(c, 700);
  if (!DO(iob_addbuf, (b, bytes, 700))) c->total -= 700;
  if (DO(iob_addfile, (b, server.file, 7, 3000))) next_file_bytes(c, 7, 3000);
  *owned = dup((int)server.file);
  if (DO(iob_addfile_close, (b, *owned, 100, 5000))) next_file_bytes(c, 100, 5000);
  page = mmap(NULL, OWNED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  memcpy(page, next_bytes(c, OWNED), OWNED);
  if (!DO(iob_addbuf_munmap, (b, page, OWNED))) c->total -= OWNED;
  text = malloc(OWNED);
  CHECK(text);
  memcpy(text, next_bytes(c, OWNED), OWNED);
  if (!DO(iob_addbuf_free, (b, text, OWNED))) c->total -= OWNED;
  CHECK_INT(DO(iob_bytesleft, (b)), c->total - c->sent);
  JUST(iob_prefetch, (b, 4000));
}

/* An answer by one of the functions that send batches. */
static int answers(struct connection *c, int64 (*call)(struct connection *, void *), int autofree) {
  io_batch embedded, *b = &embedded;
  int64 owned;
  int done;
  if (autofree) {
    b = (io_batch *)(intptr_t)DO_POINTER(iob_new_autofree, (3));
    if (!b) return 1;
  } else {
    memset(b, 0, sizeof *b);
    DO(iob_init, (b, 3));
  }
  fill(c, b, &owned);
  done = send_all(c, call, b);
  if (autofree) {
    JUST(iob_free, (b));
  } else {
    JUST(iob_reset, (b));
  }
  CHECK_INT(fcntl((int)owned, F_GETFD), -1);
  return done;
}

static int sends_files(struct connection *c) {
  uint64 end = 9000;
  next_file_bytes(c, 1000, 8000);
  if (!send_all(c, send_file, &end)) return 0;
  next_file_bytes(c, 1000, 8000);
  return send_all(c, filter_file, &end);
}

/* A deadline that has passed ends the wait, and a sweep names the connection. */
static void expires(struct connection *c) {
  int64 s;
  JUST(io_timeout, (c->s, l_in_ms(-1000)));
  if (errno == ENOMEM) {
    give_up(c);
    return;
  }
  CHECK_INT(DO(io_timedout, (c->s)), 1);
  JUST(io_wait, ());
  take_reports();
  while ((s = DO(io_timeouted, ())) != -1) {
    CHECK_INT(s, c->s);
    hang_up(c);
  }
  CHECK(!c->used);
}

static void hears_the_end(struct connection *c) {
  char byte;
  int64 r = -1;
  CHECK_INT(close(c->peer), 0);
  c->peer = -1;
  while (r == -1 && await(c, 1)) r = DO(io_tryread, (c->s, &byte, 1));
  if (r != 0) {
    give_up(c);
  } else {
    hang_up(c);
  }
}

static void sockets(struct sockaddr *to, socklen_t n, int64 listener, int how) {
  struct connection *l = listens(listener), *c;
  if (!l) return;
  c = comes(l, to, n, how);
  if (c) {
    if (turns(c, 4) && registers_again(c) && answers(c, send_batch, how == FLAGS) &&
        answers(c, filter_batch, how != FLAGS) && sends_files(c) && turns(c, 1)) {
      expires(c);
    } else {
      give_up(c);
    }
  }
  c = comes(l, to, n, how);
  if (c) hears_the_end(c);
  hang_up(l);
}

static void tcp(void) {
  struct sockaddr_in to;
  int64 l = t_listen(&to);
  sockets((struct sockaddr *)&to, sizeof to, l, NONBLOCK_AND_FD);
}

static void tcp_that_can_write(void) {
  struct sockaddr_in to;
  int64 l = t_listen(&to);
  sockets((struct sockaddr *)&to, sizeof to, l, FLAGS);
}

/* In blocking mode. The name is no file's. */
static void local(void) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  socklen_t n = sizeof(sa_family_t);
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(l != -1);
  CHECK_INT(bind(l, (struct sockaddr *)&to, n), 0);
  n = sizeof to;
  CHECK_INT(getsockname(l, (struct sockaddr *)&to, &n), 0);
  CHECK_INT(listen(l, 4), 0);
  sockets((struct sockaddr *)&to, n, l, CANWRITE);
}

#endif
