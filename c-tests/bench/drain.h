/* The client of the programs that send, drain.c, and the connection to it. */
#ifndef BENCH_DRAIN_H
#define BENCH_DRAIN_H
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two processes that fight for a processor measure the scheduler. */
static void drain_on_processor(int n) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(n, &set);
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) sched_setaffinity(0, sizeof set, &set);
}

static void drain_run(char* program, int port, int timed, uint64_t burst) {
  char path[PATH_MAX], number[16], bytes[24];
  snprintf(path, sizeof path, "%s/drain", dirname(program));
  snprintf(number, sizeof number, "%d", port);
  snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)burst);
  switch (fork()) {
    case -1: die("fork");
    case 0:
      if (timed) drain_on_processor(1);
      execl(path, path, number, bytes, (char*)NULL);
      die(path);
  }
  if (timed) drain_on_processor(0);
}

/* Starts the client and returns the socket to it, as a server sets one up: small answers do not wait for
 * acknowledgements. In blocking mode unless time is measured. After each `burst` bytes, unless 0, the sender
 * calls drain_wait. */
static int drain_start(char* program, int timed, uint64_t burst) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int on = 1, fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener == -1 || bind(listener, (struct sockaddr*)&a, n) == -1 || listen(listener, 1) == -1 ||
      getsockname(listener, (struct sockaddr*)&a, &n) == -1)
    die("listen");
  signal(SIGPIPE, SIG_IGN);
  drain_run(program, ntohs(a.sin_port), timed, burst);
  if ((fd = accept4(listener, NULL, NULL, timed ? SOCK_NONBLOCK : 0)) == -1) die("accept4");
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1) die("TCP_NODELAY");
  close(listener);
  return fd;
}

/* Until the client has taken the burst. */
static inline void drain_wait(int fd) {
  char b;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  while (recv(fd, &b, 1, 0) != 1) {
    if (errno != EAGAIN) die("the client has gone");
    poll(&wait, 1, -1);
  }
}

/* Returns how many bytes the client got. */
static inline uint64_t drain_end(int fd) {
  uint64_t got;
  int flags = fcntl(fd, F_GETFL);
  if (shutdown(fd, SHUT_WR) == -1 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1) die("shutdown");
  if (recv(fd, &got, sizeof got, MSG_WAITALL) != sizeof got) die("the client has gone");
  return got;
}
#endif
