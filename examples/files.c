/* A web server for the files below one directory: HTTP/1.1 with keep-alive, pipelining and ranges.
 *
 *     cc files.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o files
 *     ./files DIRECTORY [PORT [SECONDS]]
 *
 * It shows answers that are batches of memory and files, deadlines, and what a server does when descriptors run out.
 * What HTTP asks for is in http.h; sockets and numbers are libowfat's; the loop and the sending are libowfat_io's. A
 * client that does nothing for SECONDS (30) is let go. SIGTERM ends the server and makes it say what it has done.
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

/* Seconds for a client that still sends when we have said our last word; seconds without accepting, when no descriptor
 * is left; steps that one client gets before it is the others' turn. */
enum { LINGER = 5, PAUSE = 1, STEPS = 16 };

/* What the server knows about one client. The loop keeps a pointer to it as the descriptor's cookie. */
struct client {
  int leaving;                 /* nothing more will be said; what the client sends is thrown away */
  struct http http;
};

static int64 listener, terminated;
static unsigned long idle_seconds = 30, connections, requests;

static void die(const char* what) {
  perror(what);
  exit(1);
}

/* A deadline belongs to a descriptor, whatever is wanted of it; io_timeouted() names those that passed. */
static void set_deadline(int64 s, unsigned long seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, (int)seconds);
  io_timeout(s, deadline);
}

/* After io_close nothing more is heard of `s`: not even an event that the last io_wait had found already. */
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
    io_eagain_read(listener);  /* the library did not see that accept found nobody: so it is told */
  } else if (errno == EMFILE || errno == ENFILE) {
    /* The client who waits would be reported again and again. Let it wait until there may be a descriptor. */
    io_dontwantread(listener);
    set_deadline(listener, PAUSE);
  }
}

/* Sends what the socket takes now. The header leaves together with the beginning of the file, and the file does not
 * pass through this process. A reader who is slow costs a descriptor and no memory. */
static int64 send_some(int64 s, struct client* c) {
  int64 r = iob_send(s, &c->http.answer);
  if (r > 0) set_deadline(s, idle_seconds);
  if (r == -1) {
    io_dontwantread(s);        /* no further request until this one is answered */
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

/* Closing a socket with unread bytes in it resets the connection, and the client may lose the answer. So we say that
 * we have no more to say, and go when the client has gone. */
static void begin_to_leave(int64 s, struct client* c) {
  c->leaving = 1;
  shutdown((int)s, SHUT_WR);
  set_deadline(s, LINGER);
}

/* One step of the conversation. >0: go on; -1: the socket has to be waited for, as has been arranged; 0 or -3: it is
 * over, for the client has gone or something failed. A client that has closed its side only still gets its answers:
 * the end of its requests is read after them. */
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

/* An event, in whichever direction. Most answers fit into the socket, so it is tried before it is waited for. */
static void go_on(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = 1;
  for (int i = 0; i < STEPS && r > 0; ++i) r = step(s, c);
  if (r > 0)
    io_wantwrite(s);           /* it can be written to, so the next io_wait comes back to it */
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

/* A signal that comes as a readable descriptor is an event like any other. */
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
    io_wait();                 /* sleeps until something can be done or a deadline passes */
    while ((s = io_timeouted()) != -1)
      if (s == listener) io_wantread(listener); /* it is named in each sweep from now on, which does no harm */
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
