/* Calls that make ends, and what is done to them behind the library's back. */
#ifndef RANDOM_MAKE_H
#define RANDOM_MAKE_H
#include "frame.h"

/* Two free indices, or the call is passed over; so it is where the program has no number for what it makes. */
R_HELPER int both_free(int a, int b) {
  if (crowded) {
    add(" crowded");
    say_line();
    return 0;
  }
  if (known(a) || known(b) || a == b) {
    add(" busy");
    say_line();
    return 0;
  }
  return 1;
}

R_HELPER void made(int a, enum kind ka, int b, enum kind kb, const int p[2], int ok) {
  add(ok ? " made" : " failed");
  if (ok) {
    enter(a, ka, p[0], b);
    enter(b, kb, p[1], a);
    add_aside("n", p[0]);
    add_aside("n", p[1]);
  }
  say_line();
}

R_HELPER void pipe_pair(int a, int b) {
  int p[2];
  call("pipe_pair", a, b);
  if (both_free(a, b)) made(a, PIPE_IN, b, PIPE_OUT, p, pipe(p) == 0);
}

R_HELPER void unix_pair(int a, int b) {
  int p[2];
  call("unix_pair", a, b);
  if (both_free(a, b)) made(a, UNIX, b, UNIX, p, socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
}

R_HELPER void datagram_pair(int a, int b) {
  int p[2];
  call("datagram_pair", a, b);
  if (both_free(a, b)) made(a, DATAGRAM, b, DATAGRAM, p, socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
}

/* A socket on a loopback port that the kernel chooses. */
R_HELPER int bound(int type, struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  int s = socket(AF_INET, type, 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (s < 0 || bind(s, (struct sockaddr *)address, sizeof *address) != 0 ||
      getsockname(s, (struct sockaddr *)address, &length) != 0) {
    _exit(3);
  }
  return s;
}

R_HELPER void udp_pair(int a, int b) {
  struct sockaddr_in at[2];
  int p[2], ok;
  call("udp_pair", a, b);
  if (!both_free(a, b)) return;
  p[0] = bound(SOCK_DGRAM, &at[0]);
  p[1] = bound(SOCK_DGRAM, &at[1]);
  ok = connect(p[0], (struct sockaddr *)&at[1], sizeof at[1]) == 0 &&
       connect(p[1], (struct sockaddr *)&at[0], sizeof at[0]) == 0;
  made(a, UDP, b, UDP, p, ok);
}

R_HELPER void tcp_pair(int a, int b) {
  struct sockaddr_in at;
  int p[2], listener, ok;
  call("tcp_pair", a, b);
  if (!both_free(a, b)) return;
  listener = bound(SOCK_STREAM, &at);
  p[0] = socket(AF_INET, SOCK_STREAM, 0);
  ok = listen(listener, 4) == 0 && connect(p[0], (struct sockaddr *)&at, sizeof at) == 0 &&
       (p[1] = accept(listener, NULL, NULL)) >= 0;
  close(listener);
  made(a, TCP, b, TCP, p, ok);
}

R_HELPER void listener(int a) {
  struct sockaddr_in at;
  int s;
  call("listener", a, -1);
  if (!both_free(a, -1)) return;
  s = bound(SOCK_STREAM, &at);
  enter(a, LISTENER, s, -1);
  add(" %d", listen(s, 8));
  say_line();
}

/* `b` connects to the listener `a`; its mate comes with accept_one. */
R_HELPER void connect_to(int b, int a) {
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  int s, r;
  call("connect_to", b, a);
  if (!both_free(b, -1)) return;
  if (!known(a) || ends[a].kind != LISTENER) {
    add(" no listener");
    say_line();
    return;
  }
  getsockname(ends[a].fd, (struct sockaddr *)&at, &length);
  s = socket(AF_INET, SOCK_STREAM, 0);
  r = connect(s, (struct sockaddr *)&at, length);
  enter(b, TCP, s, -1);
  add(" %d", r);
  say_line();
}

/* Accepts from the listener `a`, behind the library. */
R_HELPER void accept_one(int c, int a) {
  struct sockaddr_in from, at;
  socklen_t length = sizeof from;
  int s, i;
  call("accept_one", c, a);
  if (!both_free(c, -1)) return;
  if (!known(a) || ends[a].kind != LISTENER || !truly_ready(a, 0)) {
    add(" nobody");
    say_line();
    return;
  }
  s = accept(ends[a].fd, (struct sockaddr *)&from, &length);
  enter(c, TCP, s, -1);
  ends[c].untracked = 1; /* unless the one that connected is still there */
  for (i = 0; i < ENDS; i++) {
    length = sizeof at;
    if (i != c && ends[i].kind == TCP && getsockname(ends[i].fd, (struct sockaddr *)&at, &length) == 0 &&
        at.sin_port == from.sin_port) {
      ends[c].mate = i;
      ends[i].mate = c;
      ends[c].untracked = ends[i].untracked;
      ends[i].untracked = 0;
      add_aside("mate", i);
    }
  }
  add(" %d", s >= 0);
  say_line();
}

/* A connection that is refused. */
R_HELPER void refused(int a) {
  struct sockaddr_in at;
  int s, spoiled;
  call("refused", a, -1);
  if (!both_free(a, -1)) return;
  spoiled = bound(SOCK_STREAM, &at);
  s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(s, (struct sockaddr *)&at, sizeof at);
  close(spoiled);
  enter(a, TCP, s, -1);
  settle_end(a, 1000);
  say_line();
}

/* A file of `size` bytes of which file_byte tells each, opened by io_readfile (0), io_readwritefile (1),
 * io_appendfile (2) or, and then empty, io_createfile (3). */
R_HELPER void file(int a, int size, int how) {
  char path[] = "/tmp/owfat-io-random.XXXXXX";
  int64 d = -7;
  int s, i, r;
  call("file", a, -1);
  if (!both_free(a, -1)) return;
  s = mkstemp(path);
  for (i = 0; i < size; i++) scratch[i] = file_byte(i);
  if (s < 0 || write(s, scratch, (size_t)size) != size) _exit(3);
  close(s);
  r = how == 0 ? io_readfile(&d, path) : how == 1 ? io_readwritefile(&d, path)
    : how == 2 ? io_appendfile(&d, path) : io_createfile(&d, path);
  unlink(path);
  add_result(r);
  if (r == 1) {
    enter(a, REGULAR, (int)d, -1);
    add(" flags %o size %d", (unsigned)fcntl((int)d, F_GETFL) & (O_ACCMODE | O_APPEND),
        (int)lseek((int)d, 0, SEEK_END));
    lseek((int)d, 0, SEEK_SET);
  }
  say_line();
}

R_HELPER void no_file(int how) {
  int64 d = -7;
  const char *path = "/tmp/owfat-io-random.none/none";
  int64 r;
  call("no_file", -1, -1);
  r = how == 0 ? io_readfile(&d, path) : how == 1 ? io_readwritefile(&d, path)
    : how == 2 ? io_appendfile(&d, path) : io_createfile(&d, path);
  add(" %d %s %d", (int)r, strerrorname_np(errno), (int)d);
  say_line();
}

R_HELPER int is_socket(int i) {
  enum kind kind = ends[i].kind;
  return kind == UNIX || kind == TCP || kind == UDP || kind == DATAGRAM || kind == PACKETS;
}

/* A plain write, as by a peer that uses no library or a program that goes past it. */
R_HELPER void put(int a, int n) {
  ssize_t r = -1;
  call("put", a, -1);
  if (known(a) && (ends[a].kind != PIPE_OUT || ends[a].mate >= 0) && ends[a].kind != LISTENER && !is_source(a) &&
      under_way(a) + n <= plain(a) && !vague_to_write(a)) {
    bytes_for(a, scratch, n);
    r = is_socket(a) ? send(ends[a].fd, scratch, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT)
                     : write(ends[a].fd, scratch, (size_t)n);
    add_result(r);
    took(a, scratch, r);
    settle(a);
    settle_reset(a);
  }
  say_line();
}

/* A plain read of what is there, of up to n bytes; of everything where the amount is the kernel's affair. */
R_HELPER void take(int a, int n) {
  ssize_t r = -1, sum = 0;
  int vague = known(a) && ends[a].vague;
  call("take", a, -1);
  while (known(a) && ends[a].kind != LISTENER && (vague ? comes(a) : has_bytes(a))) {
    r = read(ends[a].fd, scratch, vague ? sizeof scratch : (size_t)n);
    if (r < 0 && errno == ECONNRESET && ends[a].kind == TCP) { /* the rest is lost */
      ends[a].taken_count = ends[a].inbox_count;
      ends[a].vague = 0;
    }
    if (r < 0 || !vague) add_result(r);
    got(a, scratch, r);
    if (r <= 0 || !vague) break;
    sum += r;
  }
  if (vague) add(" %s%s", sum > 0 ? "some" : "none", r == 0 ? " end" : "");
  say_line();
}

/* `how` as for shutdown(2). */
R_HELPER void shut(int a, int how) {
  call("shut", a, -1);
  if (known(a) && ends[a].kind != UDP) {
    add_result(shutdown(ends[a].fd, how));
    if (how != SHUT_WR && ends[a].kind == TCP) {
      ends[a].shut = ends[a].untracked = 1;
      if (ends[a].mate >= 0) be_alone(ends[a].mate);
    }
    if (mate_of(a) >= 0 && how != SHUT_RD) settle_end(ends[a].mate, 300);
  }
  say_line();
}

/* What a batch may hold is not closed: the batch would have the next file under its number. */
R_HELPER int stays(int a) {
  if (!known(a) || !ends[a].queued) return 0;
  add(" passed over");
  say_line();
  return 1;
}

/* A plain close; with `hard`, a TCP connection is reset by it. */
R_HELPER void plain_close(int a, int hard) {
  struct linger linger = {1, 0};
  int fd = fd_of(a), mate = known(a) && ends[a].copied ? -1 : mate_of(a);
  call("plain_close", a, -1);
  if (stays(a)) return;
  if (known(a)) {
    if (ends[a].registered && fd < NUMBERS) closed_behind[fd] = 1;
    if (hard && ends[a].kind == TCP) setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
    leave(a);
    settle_end(mate, 300);
  }
  say_line();
}
#endif
