/* An echo server that needs no library but libowfat_io. It takes turns with its client: after
 * reading it wants to write, after writing it wants to read.
 *
 *     cc echo.c $(pkg-config --cflags --libs libowfat_io) -o echo
 *     ./echo
 */
#include <io.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct client {
  int64 have, sent;
  char bytes[4096];
};

static void hang_up(int64 s) {
  free(io_getcookie(s));
  io_close(s);
}

static void welcome(int64 listener) {
  int s = accept((int)listener, NULL, NULL);
  struct client* c;
  if (s == -1) return;
  c = calloc(1, sizeof *c);
  io_nonblock(s);
  if (!c || !io_fd(s)) {
    free(c);
    io_close(s);
    return;
  }
  io_setcookie(s, c);
  io_wantread(s);
}

static void on_readable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->bytes, sizeof c->bytes);
  if (r == -1) return;
  if (r <= 0) {
    hang_up(s);
    return;
  }
  c->have = r;
  c->sent = 0;
  io_dontwantread(s);
  io_wantwrite(s);
}

static void on_writable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_trywrite(s, c->bytes + c->sent, c->have - c->sent);
  if (r == -1) return;
  if (r < 0) {
    hang_up(s);
    return;
  }
  c->sent += r;
  if (c->sent < c->have) return;
  io_dontwantwrite(s);
  io_wantread(s);
}

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int64 listener = socket(AF_INET, SOCK_STREAM, 0), s;

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
      if (s == listener) welcome(s);
      else on_readable(s);
    while ((s = io_canwrite()) != -1) on_writable(s);
  }
}
