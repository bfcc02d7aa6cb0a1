/* Request and answer, taking turns: what was read is answered when the socket reports that it takes the answer. */
#define _GNU_SOURCE
#define WRITES
#include "loop.h"

#include "serve.h"

#include <errno.h>

static const char answer[1024];
static unsigned short lengths[LOOP_MAX];

static int readable(int fd) {
  char b[1024];
  ssize_t n = loop_read(fd, b, sizeof b);
  if (n <= 0) {
    if (n == -1 && errno == EAGAIN) return 1;
    die("the client has gone");
  }
  lengths[fd] = (unsigned short)n;
  loop_dont_want_read(fd);
  loop_want_write(fd);
  return 1;
}

static void writable(int fd) {
  ssize_t n = loop_write(fd, answer, lengths[fd]);
  if (n == -1 && errno == EAGAIN) return;
  if (n != lengths[fd]) die("a small answer did not fit");
  loop_dont_want_write(fd);
  loop_want_read(fd);
  serve_answered();
}

int main(int argc, char** argv) {
  int listener = serve_start(argc, argv, "keep");
  loop_start();
  serve_accept_all(listener);
  loop_run();
}
