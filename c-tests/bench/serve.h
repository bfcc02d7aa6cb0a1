/* What the server programs share: the client process and its pace.
 *
 * `PROGRAM CONNECTIONS ROUNDS` serves ROUNDS rounds in step: the client sends one message on every connection,
 * lets the server go, and takes the answers. Each wait then finds all of them, and the counts repeat.
 * `PROGRAM CONNECTIONS 0 MILLISECONDS` lets the client send as fast as it can, and prints
 *
 *     messages_per_second N     (the client)
 *     cpu_ns N                  (the server's processor time a message)
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/uio.h>

static int serve_connections, serve_rounds, serve_left, serve_gate = -1;
/* Set by a server of several threads, which the scheduler shall deal out. */
static int serve_spread;
static int64_t serve_served;

/* The client opens the gate when everything is sent. No other readv is made, so strace can leave these out. */
static void serve_pass_gate(void) {
  char b;
  struct iovec v = {&b, 1};
  if (serve_gate != -1 && readv(serve_gate, &v, 1) != 1) exit(0);
}

/* The client ends the run with a signal; nothing else here prints, so this may. */
static void serve_finish(int signal_number) {
  struct rusage u;
  int64_t us;
  (void)signal_number;
  getrusage(RUSAGE_SELF, &u);
  us = (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
  dprintf(1, "cpu_ns %.1f\n", (double)us * 1000 / (double)serve_served);
  _exit(0);
}

__attribute__((noinline)) static void serve_next_round(void) {
  serve_served += serve_connections;
  serve_left = serve_connections;
  if (serve_gate == -1) return;
  if (--serve_rounds == 0) exit(0);
  serve_pass_gate();
}

static inline void serve_answered(void) {
  if (--serve_left == 0) serve_next_round();
}

/* Two processes that fight for a processor measure the scheduler. */
static void serve_on_processor(int n) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(n, &set);
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1 && !serve_spread) sched_setaffinity(0, sizeof set, &set);
}

/* `how`: what the client is to do, "keep" for instance. */
static void serve_start_client(char** argv, const char* how, int port, const char* milliseconds) {
  int gate[2] = {-1, -1};
  char path[PATH_MAX], number[16], write_end[16];
  if (serve_rounds && pipe2(gate, O_CLOEXEC) == -1) die("pipe2");
  if (!serve_rounds) signal(SIGTERM, serve_finish);
  snprintf(path, sizeof path, "%s/client", dirname(argv[0]));
  snprintf(number, sizeof number, "%d", port);
  snprintf(write_end, sizeof write_end, "%d", gate[1]);
  switch (fork()) {
    case -1: die("fork");
    case 0:
      if (gate[1] != -1) fcntl(gate[1], F_SETFD, 0);
      if (!serve_rounds) serve_on_processor(1);
      execl(path, path, how, number, argv[1], write_end, milliseconds, (char*)NULL);
      die(path);
  }
  if (gate[1] != -1) close(gate[1]);
  serve_gate = gate[0];
  if (!serve_rounds) serve_on_processor(0);
}

/* Starts the client and returns the socket that it connects to. */
static int serve_start(int argc, char** argv, const char* how) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (argc < 3 || (serve_connections = atoi(argv[1])) < 1) {
    fprintf(stderr, "usage: %s CONNECTIONS ROUNDS [MILLISECONDS]\n", argv[0]);
    exit(2);
  }
  serve_rounds = atoi(argv[2]);
  serve_left = serve_connections;
  if (s == -1 || bind(s, (struct sockaddr*)&a, n) == -1 || listen(s, 4096) == -1 ||
      getsockname(s, (struct sockaddr*)&a, &n) == -1)
    die("listen");
  serve_start_client(argv, how, ntohs(a.sin_port), argc > 3 ? argv[3] : "0");
  return s;
}

/* Accepts all connections at once and passes each one to the loop; then waits for the client. */
static inline void serve_accept_all(int listener) {
  for (int i = 0; i < serve_connections; ++i) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd == -1) die("accept4");
    loop_add(fd);
    loop_want_read(fd);
  }
  close(listener);
  serve_pass_gate();
}
#endif
