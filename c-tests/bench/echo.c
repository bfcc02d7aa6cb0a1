/* Sends back what comes. */
#define _GNU_SOURCE
#include "loop.h"

#include "serve.h"

#include <errno.h>

static int readable(int fd) {
  char b[1024];
  ssize_t n;
  do {
    n = loop_read(fd, b, sizeof b);
    if (n <= 0) {
      if (n == -1 && errno == EAGAIN) return 1;
      die("the client has gone");
    }
    if (loop_write(fd, b, (size_t)n) != n) die("a small answer did not fit");
    serve_answered();
  } while (n == sizeof b);
  return 1;
}

int main(int argc, char** argv) {
  int listener = serve_start(argc, argv, "keep");
  loop_start();
  serve_accept_all(listener);
  loop_run();
}
