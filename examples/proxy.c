/* A TCP proxy between clients and one target.
 *
 *     cc proxy.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o proxy
 *     ./proxy TARGET-ADDRESS TARGET-PORT [PORT [SECONDS]]
 *
 * A connection is closed if nothing moves, or the target does not answer, for SECONDS (60).
 *
 * It shows back-pressure: while one end takes no bytes, none are read from the other end, so that its sender has to
 * wait. So the memory of a connection is bounded. It also shows a connect that does not block, and how to pass on the
 * end of one direction while the other one goes on. Sockets and number conversions are libowfat's.
 */
#include <io.h>

#include <ip4.h>
#include <scan.h>
#include <socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* PAUSE: seconds without accepting if no descriptor is left. BUFFER: bytes. ROUNDS: how often a buffer is filled
 * before the others have their turn. */
enum { PAUSE = 1, BUFFER = 16384, ROUNDS = 8 };

/* One end of a connection through the proxy. The cookie of the descriptor points to this. */
struct end {
  int64 s;
  struct end* pair;            /* both ends, in one block: the client's, then the target's */
  struct end* other;
  int connecting;              /* the target has not answered yet */
  int ended;                   /* no more bytes will come from here */
  int passed_on;               /* the other end was told so */
  int64 have, sent;            /* of `bytes`: read from here, and written to the other end */
  char bytes[BUFFER];
};

static int64 listener;
static char target_ip[4];
static unsigned long target_port, idle_seconds = 60;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void set_deadline(int64 s, unsigned long seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, (int)seconds);
  io_timeout(s, deadline);
}

/* The other end may have a report that was not taken yet. After io_close it is not reported any more, so the memory
 * can be freed. */
static void hang_up(struct end* e) {
  struct end* pair = e->pair;
  io_close(pair[0].s);
  io_close(pair[1].s);
  free(pair);
}

static void begin(int s) {
  struct end* pair = calloc(2, sizeof *pair);
  int target = socket_tcp4(), yes = 1; /* libowfat's sockets are non-blocking */
  io_nonblock(s);                      /* except those that it accepts */
  if (!pair || target == -1 || !io_fd(s) || !io_fd(target) ||
      (socket_connect4(target, target_ip, (uint16)target_port) == -1 && errno != EINPROGRESS)) {
    io_close(s);
    io_close(target);
    free(pair);
    return;
  }
  for (int i = 0; i < 2; ++i) {
    pair[i].s = i ? target : s;
    pair[i].pair = pair;
    pair[i].other = &pair[!i];
    io_setcookie(pair[i].s, &pair[i]);
    setsockopt((int)pair[i].s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* pass on small pieces at once */
  }
  /* When a connect is done, the descriptor is writable. Until then there is no interest in the client. */
  pair[1].connecting = 1;
  io_wantwrite(target);
  set_deadline(s, idle_seconds); /* one deadline for both ends */
}

static void welcome(void) {
  char ip[4];
  uint16 port;
  int s;
  while ((s = socket_accept4((int)listener, ip, &port)) != -1) begin(s);
  if (errno == EMFILE || errno == ENFILE) {
    io_dontwantread(listener); /* or the client in its queue would be reported again and again */
    set_deadline(listener, PAUSE);
  }
}

/* Writes what was read from this end to the other. Returns 1 if all is written, 0 if the other end has no room now,
 * -1 if it is lost. */
static int push(struct end* from) {
  struct end* to = from->other;
  while (from->sent < from->have) {
    int64 r = io_trywrite(to->s, from->bytes + from->sent, from->have - from->sent);
    if (r == -1) {
      io_dontwantread(from->s); /* back-pressure: bytes now stay in the kernel until its buffers are full */
      io_wantwrite(to->s);
      return 0;
    }
    if (r < 0) return -1;
    from->sent += r;
    set_deadline(from->pair->s, idle_seconds);
  }
  io_dontwantwrite(to->s);
  return 1;
}

/* Passes on the end of this direction. Returns 0 if both have ended. */
static int pass_end_on(struct end* from) {
  if (shutdown((int)from->other->s, SHUT_WR) == -1) return 0;
  from->passed_on = 1;
  return !from->other->passed_on;
}

/* Moves bytes from this end to the other until it has to wait for one of them. Returns 0 if the connection is over. */
static int pump(struct end* from) {
  int pushed = push(from);
  for (int i = 0; i < ROUNDS && pushed == 1 && !from->ended; ++i) {
    int64 r = io_tryread(from->s, from->bytes, BUFFER);
    if (r == -1) break;
    if (r < 0) return 0;
    from->ended = r == 0;
    from->have = r;
    from->sent = 0;
    pushed = push(from);
  }
  if (from->ended)
    io_dontwantread(from->s);  /* the end of a stream stays readable */
  else if (pushed == 1)
    io_wantread(from->s);      /* the next io_wait reports what is left */
  return pushed == 1 && from->ended ? pass_end_on(from) : pushed != -1;
}

static int on_writable(struct end* e) {
  if (!e->connecting) return pump(e->other);
  if (!socket_connected((int)e->s)) return 0;
  e->connecting = 0;
  return pump(e->other) && pump(e);
}

static void listen_on(uint16 port) {
  char ip[4];
  listener = socket_tcp4();
  if (listener == -1 || socket_bind4_reuse((int)listener, ip4loopback, port) == -1 ||
      socket_listen((int)listener, 128) == -1 || socket_local4((int)listener, ip, &port) == -1 || !io_fd(listener))
    die("proxy: listen");
  io_wantread(listener);
  printf("listening on %u\n", port);
  fflush(stdout);
}

int main(int argc, char** argv) {
  unsigned long port = 0;
  struct end* e;
  int64 s;
  if (argc < 3 || argc > 5 || !scan_ip4(argv[1], target_ip) || !scan_ulong(argv[2], &target_port) ||
      (argc > 3 && !scan_ulong(argv[3], &port)) || (argc > 4 && !scan_ulong(argv[4], &idle_seconds))) {
    fputs("usage: proxy TARGET-ADDRESS TARGET-PORT [PORT [SECONDS]]\n", stderr);
    return 2;
  }
  listen_on((uint16)port);
  for (;;) {
    io_wait();
    while ((s = io_timeouted()) != -1)
      if (s == listener) io_wantread(listener);
      else hang_up(io_getcookie(s));
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else if (!pump(e = io_getcookie(s))) hang_up(e);
    while ((s = io_canwrite()) != -1)
      if (!on_writable(e = io_getcookie(s))) hang_up(e);
  }
}
