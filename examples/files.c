/* A web server for the files below one directory: HTTP/1.1 with keep-alive, pipelining and ranges.
 *
 *     cc files.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o files
 *     ./files DIRECTORY [PORT [SECONDS]]
 *
 * A client that does nothing for SECONDS (30) is closed. SIGTERM ends the server, which then prints what it has done.
 *
 * It shows answers that are batches of memory and files, deadlines, signals as descriptors, and what to do if
 * descriptors run out. HTTP is in http.h. Sockets and number conversions are libowfat's.
 */
#define _GNU_SOURCE
#include <io.h>
#include <iob.h>

#include "http.h"

#include <ip4.h>
#include <socket.h>

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

/* LINGER: seconds for a client that still sends after our last answer. PAUSE: seconds without accepting if no
 * descriptor is left. STEPS: how many steps one client gets before the others have their turn. */
enum { LINGER = 5, PAUSE = 1, STEPS = 16 };

/* One client. The cookie of the descriptor points to this. */
struct client {
  int leaving;                 /* there will be no more answers; what the client sends is thrown away */
  struct http http;
};

static int64 listener, terminated;
static unsigned long idle_seconds = 30, connections, requests;

static void die(const char* what) {
  perror(what);
  exit(1);
}

/* A deadline belongs to a descriptor, with interest or without. io_timeouted() returns those that have passed. */
static void set_deadline(int64 s, unsigned long seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, (int)seconds);
  io_timeout(s, deadline);
}

/* After io_close `s` is not reported any more, even if the last io_wait had found it ready. */
static void hang_up(int64 s) {
  struct client* c = io_getcookie(s);
  iob_reset(&c->http.answer);  /* closes the file that was being sent, if any */
  free(c);
  io_close(s);
}

static void welcome(void) {
  char ip[4];
  uint16 port;
  int s;
  while ((s = socket_accept4((int)listener, ip, &port)) != -1) {
    /* An io_batch of zeros is an empty one. */
    struct client* c = calloc(1, sizeof *c);
    io_nonblock(s);            /* the library never changes the mode by itself */
    if (!c || !io_fd(s)) {
      free(c);
      io_close(s);
      continue;
    }
    io_setcookie(s, c);
    io_wantread(s);
    set_deadline(s, idle_seconds);
    ++connections;
  }
  if (errno == EAGAIN) {
    io_eagain_read(listener);  /* tells the library that accept said EAGAIN */
  } else if (errno == EMFILE || errno == ENFILE) {
    /* Or the client in its queue would be reported again and again. Try again when a descriptor may be free. */
    io_dontwantread(listener);
    set_deadline(listener, PAUSE);
  }
}

/* Sends what the socket takes now. The header leaves together with the beginning of the file, and the kernel sends the
 * file. A slow reader costs a descriptor and no memory. */
static int64 send_some(int64 s, struct client* c) {
  int64 r = iob_send(s, &c->http.answer);
  if (r > 0) set_deadline(s, idle_seconds);
  if (r == -1) {
    io_dontwantread(s);        /* no other request until this one is answered */
    io_wantwrite(s);
  }
  return r;
}

static int64 read_some(int64 s, struct client* c) {
  int64 r = io_tryread(s, c->http.request + c->http.have, (int64)(REQUEST_LIMIT - c->http.have));
  if (r > 0) c->http.have += (size_t)r;
  if (r == -1) {
    io_dontwantwrite(s);
    io_wantread(s);
  }
  return r;
}

/* Closing a socket with unread bytes resets the connection, and the client may lose the answer. So this ends our
 * direction of the stream, and the socket is closed when the client has closed its own. */
static void begin_to_leave(int64 s, struct client* c) {
  c->leaving = 1;
  shutdown((int)s, SHUT_WR);
  set_deadline(s, LINGER);
}

/* One step: sends what is queued, or answers a request, or reads. Returns >0 to go on, -1 if the socket has to be
 * waited for (interest is stated already), 0 or -3 if the client has gone or something failed. A client that has
 * closed only its side still gets its answers, because the end of its stream is read after them. */
static int64 step(int64 s, struct client* c) {
  int64 r;
  if (iob_bytesleft(&c->http.answer)) return send_some(s, c);
  if (c->http.close_after && !c->leaving) begin_to_leave(s, c);
  if (!c->leaving && (r = http_answer(&c->http)) != 0) {
    requests += r == 1;
    return r;
  }
  if (c->leaving) c->http.have = 0;
  return read_some(s, c);
}

/* Handles a report in either direction. Most answers fit into the socket, so try before waiting. */
static void go_on(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = 1;
  for (int i = 0; i < STEPS && r > 0; ++i) r = step(s, c);
  if (r > 0)
    io_wantwrite(s);           /* it is writable, so the next io_wait reports it */
  else if (r != -1)
    hang_up(s);
}

static void on_deadline(int64 s) {
  struct client* c = io_getcookie(s);
  int reading = c->http.have && !c->leaving && !iob_bytesleft(&c->http.answer);
  if (reading && queue_refusal(&c->http, "408 Request Timeout")) {
    set_deadline(s, LINGER);
    go_on(s);
  } else {
    hang_up(s);
  }
}

/* A signal as a readable descriptor is an event like any other. */
static void listen_on(uint16 port) {
  char ip[4];
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  terminated = signalfd(-1, &set, SFD_CLOEXEC);
  listener = socket_tcp4();    /* libowfat's sockets are non-blocking */
  if (listener == -1 || terminated == -1) die("files: socket");
  if (socket_bind4_reuse((int)listener, ip4loopback, port) == -1 || socket_listen((int)listener, 128) == -1 ||
      socket_local4((int)listener, ip, &port) == -1 || !io_fd(listener) || !io_fd(terminated))
    die("files: listen");
  io_wantread(listener);
  io_wantread(terminated);
  printf("listening on %u\n", port);
  fflush(stdout);
}

int main(int argc, char** argv) {
  unsigned long port = 0;
  int64 s;
  if (argc < 2 || argc > 4 || (argc > 2 && (!scan_ulong(argv[2], &port) || port > 65535)) ||
      (argc > 3 && !scan_ulong(argv[3], &idle_seconds))) {
    fputs("usage: files DIRECTORY [PORT [SECONDS]]\n", stderr);
    return 2;
  }
  if (chdir(argv[1]) == -1) die(argv[1]);
  listen_on((uint16)port);
  for (;;) {
    io_wait();                 /* sleeps until a descriptor is ready or a deadline passes */
    while ((s = io_timeouted()) != -1)
      if (s == listener) io_wantread(listener); /* each later sweep names it again, which does no harm */
      else on_deadline(s);
    while ((s = io_canread()) != -1) {
      if (s == terminated) {
        printf("answered %lu requests on %lu connections\n", requests, connections);
        return 0;
      }
      if (s == listener) welcome();
      else go_on(s);
    }
    while ((s = io_canwrite()) != -1) go_on(s);
  }
}
