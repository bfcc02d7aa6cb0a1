/* An echo server. It needs only libowfat_io. Begin here.
 *
 *     cc echo.c $(pkg-config --cflags --libs libowfat_io) -o echo
 *     ./echo [turns]
 *
 * For each descriptor a program states its interest once: io_wantread(), io_wantwrite(). io_wait() sleeps until a
 * descriptor is ready. io_canread() and io_canwrite() return the ready descriptors, one by one. The program does what
 * it can without waiting, and calls io_wait() again. It sleeps nowhere else.
 *
 * This server answers at once, and waits only if the socket is full. With the argument "turns" it waits each time, as
 * many servers do: after a read for writing, after a write for reading.
 */
#include <io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int take_turns;
static int64 listener;

/* The bytes that came from a client and have not all been sent back. The cookie of the descriptor points to this. */
struct client {
  int64 have, sent;
  char bytes[4096];
};

/* io_close and not close: it also ends the registration, so that a new client with the same number starts clean. */
static void hang_up(int64 s) {
  free(io_getcookie(s));
  io_close(s);
  io_wantread(listener);       /* a descriptor is free again: see welcome() */
}

static void welcome(void) {
  int s = accept((int)listener, NULL, NULL);
  struct client* c;
  if (s == -1) {
    /* No descriptor left. The client stays in the queue, so the listener stays readable. Do not ask before one is
     * free. */
    if (errno == EMFILE || errno == ENFILE) io_dontwantread(listener);
    return;
  }
  c = calloc(1, sizeof *c);
  io_nonblock(s);              /* the library never changes the mode by itself */
  if (!c || !io_fd(s)) {       /* io_fd registers the descriptor, without interest */
    free(c);
    io_close(s);
    return;
  }
  io_setcookie(s, c);
  io_wantread(s);
}

/* Sends what the socket takes. io_trywrite returns how much that was, -1 if there is no room now, or -3 for an error. A
 * client that has gone is an error and no SIGPIPE. Returns 1 if all is sent, 0 if some is left, -1 for an error. */
static int send_back(int64 s, struct client* c) {
  int64 r = io_trywrite(s, c->bytes + c->sent, c->have - c->sent);
  if (r < -1) return -1;
  if (r > 0) c->sent += r;
  return c->sent == c->have;
}

/* io_tryread returns 0 at the end of the stream, -3 for an error, and -1 if there is nothing to read now. One read is
 * enough: if bytes are left, the next io_wait finds them. */
static void on_readable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->bytes, sizeof c->bytes);
  int done = 0;
  if (r == -1) return;
  c->have = r;
  c->sent = 0;
  if (r <= 0 || (!take_turns && (done = send_back(s, c)) == -1)) {
    hang_up(s);
    return;
  }
  if (done) return;
  io_dontwantread(s);          /* read no more until this is sent */
  io_wantwrite(s);
}

static void on_writable(int64 s) {
  int done = send_back(s, io_getcookie(s));
  if (done == -1) {
    hang_up(s);
    return;
  }
  if (!done) return;
  io_dontwantwrite(s);
  io_wantread(s);
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int64 s;

  take_turns = argc == 2 && !strcmp(argv[1], "turns");
  if (argc > 1 && !take_turns) {
    fputs("usage: echo [turns]\n", stderr);
    return 2;
  }
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == -1 || bind((int)listener, (struct sockaddr*)&a, n) == -1 || listen((int)listener, 128) == -1 ||
      getsockname((int)listener, (struct sockaddr*)&a, &n) == -1) {
    perror("echo");
    return 1;
  }
  io_nonblock(listener);
  if (!io_fd(listener)) {
    perror("echo: io_fd");
    return 1;
  }
  io_wantread(listener);
  printf("listening on %d\n", ntohs(a.sin_port));
  fflush(stdout);

  for (;;) {
    io_wait();
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else on_readable(s);
    while ((s = io_canwrite()) != -1) on_writable(s);
  }
}
