/* An echo server that needs no library but libowfat_io: the place to begin.
 *
 *     cc echo.c $(pkg-config --cflags --libs libowfat_io) -o echo
 *     ./echo [turns]
 *
 * A program says once of each descriptor what it wants to do with it. io_wait() sleeps until some of that can be done,
 * and io_canread() and io_canwrite() name the descriptors, one by one. Then the program does what it can without
 * waiting, and comes back to io_wait(), the only place where it ever sleeps.
 *
 * This one answers at once and waits only when the socket is full. With an argument it takes turns, as
 * many servers do: after reading it wants to write, after writing it wants to read.
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

/* What came from a client and has not all gone back. The loop keeps a pointer to it for us: the descriptor's cookie. */
struct client {
  int64 have, sent;
  char bytes[4096];
};

/* io_close, and not close: so the number, which the next client may get, brings nothing of this one along. */
static void hang_up(int64 s) {
  free(io_getcookie(s));
  io_close(s);
  io_wantread(listener);       /* a descriptor is free again: see welcome() */
}

static void welcome(void) {
  int s = accept((int)listener, NULL, NULL);
  struct client* c;
  if (s == -1) {
    /* No descriptor left: the client who waits stays ready, so ask again when another one has gone. */
    if (errno == EMFILE || errno == ENFILE) io_dontwantread(listener);
    return;
  }
  c = calloc(1, sizeof *c);
  io_nonblock(s);              /* the mode is ours to choose: the library never changes it by itself */
  if (!c || !io_fd(s)) {       /* from now on the loop knows the descriptor, but nothing is wanted of it yet */
    free(c);
    io_close(s);
    return;
  }
  io_setcookie(s, c);
  io_wantread(s);
}

/* Sends what the socket takes. io_trywrite may take a part; -1 means that there is no room now, -3 an error: a client
 * who has gone, for instance, who is no SIGPIPE here. 1 = all sent, 0 = the rest must wait, -1 = the client is lost. */
static int send_back(int64 s, struct client* c) {
  int64 r = io_trywrite(s, c->bytes + c->sent, c->have - c->sent);
  if (r < -1) return -1;
  if (r > 0) c->sent += r;
  return c->sent == c->have;
}

/* io_tryread: 0 is the end of what the client sends, -3 an error, which errno tells; -1 means that nothing is there
 * now, and that the loop will say when. One read is enough: if something is left, the next io_wait finds it. */
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
  io_dontwantread(s);          /* the client's next message waits until this one has gone back */
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
