/* Helpers for the tests of other event loops' scenarios (docs/peers.md): connected pairs of every kind, ways in which a
 * peer closes, and bytes that differ by position. */
#ifndef PEERS_H
#define PEERS_H
#include "loop.h"

#include <pty.h>
#include <termios.h>

enum kind { TCP, TCP6, UNIX, PACKETS, TERMINAL, PIPE, FIFO, KINDS };
/* The kinds before this one carry bytes in both directions. */
#define ONE_WAY PIPE

/* The row that a failing check was in. */
T_HELPER char p_row[128];
T_HELPER void p_tell(void) {
  if (*p_row) fprintf(stderr, "in the row: %s\n", p_row);
}
__attribute__((constructor)) static void p_begin(void) { t_story = p_tell; }

T_HELPER const char *p_name(enum kind kind) {
  static const char *const names[KINDS] = {"tcp", "tcp over ipv6", "unix", "unix packets", "terminal", "pipe", "fifo"};
  return names[kind];
}

T_HELPER void p_say(enum kind kind, const char *what) { snprintf(p_row, sizeof p_row, "%s, %s", p_name(kind), what); }

T_HELPER int64 p_listen(int family, int type, struct sockaddr_storage *address, socklen_t *length) {
  int listener = socket(family, type, 0);
  CHECK(listener >= 0);
  memset(address, 0, sizeof *address);
  address->ss_family = (sa_family_t)family;
  *length = family == AF_INET ? sizeof(struct sockaddr_in)
            : family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(sa_family_t); /* unix: the kernel makes one up */
  if (family == AF_INET) ((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6) ((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
  CHECK_INT(bind(listener, (struct sockaddr *)address, *length), 0);
  CHECK_INT(type == SOCK_DGRAM ? 0 : listen(listener, 16), 0);
  *length = sizeof *address;
  CHECK_INT(getsockname(listener, (struct sockaddr *)address, length), 0);
  return listener;
}

/* Whether this system supports the kind. */
T_HELPER int p_has(enum kind kind) {
  struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int d, has;
  if (kind != TCP6) return 1;
  if ((d = socket(AF_INET6, SOCK_STREAM, 0)) < 0) return 0;
  has = bind(d, (struct sockaddr *)&loopback, sizeof loopback) == 0;
  close(d);
  return has;
}

T_HELPER void p_sockets(int family, int64 d[2]) {
  struct sockaddr_storage address;
  socklen_t length;
  int64 listener = p_listen(family, SOCK_STREAM, &address, &length);
  CHECK((d[0] = socket(family, SOCK_STREAM, 0)) >= 0);
  CHECK_INT(connect((int)d[0], (struct sockaddr *)&address, length), 0);
  CHECK((d[1] = accept((int)listener, NULL, NULL)) >= 0);
  CHECK_INT(close((int)listener), 0);
}

T_HELPER void p_terminal(int64 d[2]) {
  int master, slave;
  struct termios raw;
  CHECK_INT(openpty(&master, &slave, NULL, NULL, NULL), 0);
  CHECK_INT(tcgetattr(slave, &raw), 0);
  cfmakeraw(&raw);
  CHECK_INT(tcsetattr(slave, TCSANOW, &raw), 0);
  d[0] = slave, d[1] = master;
}

T_HELPER void p_fifo(int64 d[2]) {
  char path[] = "/tmp/owfat-io-peers.XXXXXX";
  CHECK_INT(close(mkstemp(path)), 0);
  CHECK_INT(unlink(path), 0);
  CHECK_INT(mkfifo(path, 0600), 0);
  CHECK((d[0] = open(path, O_RDONLY | O_NONBLOCK)) >= 0);
  CHECK((d[1] = open(path, O_WRONLY)) >= 0);
  CHECK_INT(unlink(path), 0);
}

/* d[0] is registered and non-blocking, d[1] its peer; of one-way kinds d[0] reads. */
T_HELPER void p_pair(enum kind kind, int64 d[2]) {
  int p[2];
  switch (kind) {
  case TCP: p_sockets(AF_INET, d); break;
  case TCP6: p_sockets(AF_INET6, d); break;
  case UNIX: t_unix_pair(d); break;
  case PACKETS:
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
    d[0] = p[0], d[1] = p[1];
    break;
  case TERMINAL: p_terminal(d); break;
  case PIPE: t_pipe(d); break;
  default: p_fifo(d);
  }
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
}

/* The same, and of one-way kinds d[0] writes. */
T_HELPER void p_writer(enum kind kind, int64 d[2]) {
  int64 turned[2];
  if (kind < ONE_WAY) {
    p_pair(kind, d);
    return;
  }
  if (kind == PIPE) t_pipe(turned);
  else p_fifo(turned);
  d[0] = turned[1], d[1] = turned[0];
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
}

/* The byte at a position of everything that is sent here. */
T_HELPER char p_byte(int64 i) { return (char)((i * 31 + i / 4093) & 255); }

T_HELPER void p_make(char *buf, int64 from, int64 n) {
  int64 i;
  for (i = 0; i < n; i++) buf[i] = p_byte(from + i);
}

T_HELPER void p_check_bytes(const char *buf, int64 from, int64 n) {
  int64 i;
  for (i = 0; i < n; i++) {
    if (buf[i] != p_byte(from + i)) CHECK_INT(from + i, -1);
  }
}

/* Reads n bytes, at most `piece` for each report. */
T_HELPER void p_take(int64 d, int64 n, int64 piece) {
  static char buf[65536];
  int64 got = 0;
  while (got < n) {
    int64 r;
    CHECK_INT(l_next_read(L_PATIENCE), d);
    r = io_tryread(d, buf, piece < n - got ? piece : n - got);
    CHECK(r > 0);
    p_check_bytes(buf, got, r);
    got += r;
  }
}
#endif
