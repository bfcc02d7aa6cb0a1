/* Sends its files to everybody who connects, each under a line with its name, as one gzip stream.
 *
 *     cc gzip.c $(pkg-config --cflags --libs libowfat_io) -lz -o gzip
 *     ./gzip FILE...
 *
 * It shows a filter that puts out something other than what it takes in: bytes that are taken may
 * still be in the compressor, and what comes out of it may not fit into the socket.
 */
#define _GNU_SOURCE
#include "io.h"
#include "iob.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct client {
  z_stream z;
  int ended;                   /* the last bytes of the stream are in `out` */
  size_t sent, have;           /* of `out` */
  io_batch batch;
  char out[16384];
};

static int64 listener;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void hang_up(int64 s) {
  struct client* c = io_getcookie(s);
  iob_reset(&c->batch);
  deflateEnd(&c->z);
  free(c);
  io_close(s);
  io_wantread(listener);
}

/* Sends what came out of the compressor. 1 = all sent; -1 and -3 as io_trywrite. */
static int64 empty(int64 s, struct client* c) {
  while (c->sent < c->have) {
    int64 r = io_trywrite(s, c->out + c->sent, (int64)(c->have - c->sent));
    if (r < 0) return r;
    c->sent += (size_t)r;
  }
  c->sent = c->have = 0;
  return 1;
}

/* Runs the compressor until `out` is full or it has nothing to do. */
static int compress_some(struct client* c, int how) {
  int r;
  c->z.next_out = (Bytef*)c->out;
  c->z.avail_out = sizeof c->out;
  r = deflate(&c->z, how);
  c->have = sizeof c->out - c->z.avail_out;
  return r;
}

/* The filter. It takes nothing while older output is waiting, so that no byte is fed twice; what the
 * compressor has swallowed is taken, wherever it is now. */
static int64 squeeze(int64 s, const void* bytes, uint64 n) {
  struct client* c = io_getcookie(s);
  uInt offered = n < UINT_MAX ? (uInt)n : UINT_MAX;
  int64 r = empty(s, c);
  if (r < 0) return r;
  c->z.next_in = (Bytef*)bytes;
  c->z.avail_in = offered;
  do {
    compress_some(c, Z_NO_FLUSH);
    r = empty(s, c);
  } while (r > 0 && c->z.avail_in);
  if (c->z.avail_in == offered) return r;
  return offered - c->z.avail_in; /* if empty() failed, the next call meets that again */
}

/* The end of the stream. >0: all is sent; -1 and -3 as io_trywrite. */
static int64 finish(int64 s, struct client* c) {
  int64 r;
  while ((r = empty(s, c)) > 0 && !c->ended) c->ended = compress_some(c, Z_FINISH) == Z_STREAM_END;
  return r;
}

static void on_writable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = 1;
  while (iob_bytesleft(&c->batch) && r > 0) r = iob_write(s, &c->batch, squeeze);
  if (r > 0) r = finish(s, c);
  if (r == -1)
    io_wantwrite(s);
  else
    hang_up(s);
}

/* A batch of memory and files by turns. */
static int queue(struct client* c, char** paths) {
  for (; *paths; ++paths) {
    struct stat st;
    char* name;
    int file = open(*paths, O_RDONLY | O_CLOEXEC);
    if (file == -1 || fstat(file, &st) == -1) return 0;
    if (asprintf(&name, "%s\n", *paths) == -1) return 0;
    if (!iob_adds_free(&c->batch, name)) return 0;
    if (!iob_addfile_close(&c->batch, file, 0, (uint64)st.st_size)) return 0;
  }
  return 1;
}

static void welcome(char** paths) {
  enum { GZIP_HEADER = 16, BEST_MEMORY = 8 };
  int s;
  while ((s = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    if (!c || !io_fd_flags(s, IO_FD_NONBLOCK)) {
      free(c);
      io_close(s);
      continue;
    }
    io_setcookie(s, c);
    if (deflateInit2(&c->z, 1, Z_DEFLATED, MAX_WBITS + GZIP_HEADER, BEST_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK ||
        !queue(c, paths))
      hang_up(s);
    else
      on_writable(s);
  }
  if (errno == EAGAIN)
    io_eagain_read(listener);
  else if (errno == EMFILE || errno == ENFILE)
    io_dontwantread(listener); /* no descriptor left: ask again when a client has gone */
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int64 s;

  if (argc < 2) {
    fputs("usage: gzip FILE...\n", stderr);
    return 2;
  }
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener == -1 || bind((int)listener, (struct sockaddr*)&a, n) == -1 || listen((int)listener, 128) == -1 ||
      getsockname((int)listener, (struct sockaddr*)&a, &n) == -1 || !io_fd_flags(listener, IO_FD_NONBLOCK))
    die("gzip");
  io_wantread(listener);
  printf("listening on %d\n", ntohs(a.sin_port));
  fflush(stdout);

  for (;;) {
    io_wait();
    while ((s = io_canread()) != -1) welcome(argv + 1);
    while ((s = io_canwrite()) != -1) on_writable(s);
  }
}
