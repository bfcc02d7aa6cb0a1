/* Accepts, reads one request, answers and closes. */
#define _GNU_SOURCE
#include "loop.h"

#include "serve.h"

#include <errno.h>

static int listener;

static void welcome(void) {
  int fd;
  while ((fd = loop_accept(listener)) != -1) loop_want_read(fd);
}

static int readable(int fd) {
  char b[1024];
  ssize_t n;
  if (fd == listener) {
    welcome();
    return 1;
  }
  n = loop_read(fd, b, sizeof b);
  if (n == -1 && errno == EAGAIN) return 1;
  if (n > 0 && loop_write(fd, b, (size_t)n) != n) die("a small answer did not fit");
  loop_close(fd);
  serve_answered();
  return 0;
}

int main(int argc, char** argv) {
  listener = serve_start(argc, argv, "churn");
  if (fcntl(listener, F_SETFL, O_NONBLOCK) == -1) die("fcntl");
  loop_start();
  loop_add(listener);
  loop_want_read(listener);
  serve_pass_gate();
  loop_run();
}
