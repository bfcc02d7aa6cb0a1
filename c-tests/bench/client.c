/* The client of the server programs, started by serve.h: client HOW PORT CONNECTIONS GATE MILLISECONDS
 *
 * With a gate it works in step: it sends everything, opens the gate, takes the answers. Without one it keeps
 * every connection busy, and blocks on the oldest: two calls a message, fewer than any server can do with.
 *
 * HOW is "keep" for connections that stay; "churn" for one a message; "watch" for connections that stay, each sending
 * again as soon as it has its answer, whichever comes first, so that the time that an answer takes can be told; and
 * "seldom" for one message at a time, with the time in it, after everybody else had time to fall asleep. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64

static char message[SIZE];
static int connections, gate, churn, *sockets;
static struct sockaddr_in address = {.sin_family = AF_INET};

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int connected(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (s != -1 && connect(s, (struct sockaddr*)&address, sizeof address) == 0) return s;
  /* A server that has served its last round is gone. */
  if (errno == ECONNREFUSED && gate != -1) exit(0);
  die("connect");
}

static void send_one(int i) {
  if (churn) sockets[i] = connected();
  if (write(sockets[i], message, SIZE) != SIZE) die("client: write");
}

/* 0 if the server has gone. */
static int take_one(int i) {
  struct linger reset = {1, 0};
  char b[SIZE];
  ssize_t n = recv(sockets[i], b, SIZE, MSG_WAITALL);
  if (n != SIZE) return 0;
  if (!churn) return 1;
  /* Neither side shall be left with a socket in TIME_WAIT: ports run out. */
  if (read(sockets[i], b, 1) != 0) die("client: more than an answer");
  setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(sockets[i]);
  return 1;
}

static void keep_in_step(void) {
  for (;;) {
    for (int i = 0; i < connections; ++i) send_one(i);
    if (write(gate, "", 1) != 1) return;
    for (int i = 0; i < connections; ++i)
      if (!take_one(i)) return;
  }
}

static void flood(int64_t milliseconds) {
  int64_t begin, end, messages = 0, warm = milliseconds * 100000;
  for (int i = 0; i < connections; ++i) send_one(i);
  begin = end = now_ns();
  for (int counting = 0; end - begin < milliseconds * 1000000 || !counting; end = now_ns()) {
    if (!counting && end - begin > warm) {
      counting = 1;
      begin = end;
      messages = 0;
    }
    /* One look at the clock for many messages, also with one connection. */
    for (int i = 0; i < 1024; ++i) {
      if (!take_one(i % connections)) die("client: the server has gone");
      send_one(i % connections);
    }
    messages += 1024;
  }
  printf("messages_per_second %.0f\n", (double)messages * 1e9 / (double)(end - begin));
  fflush(stdout);
  kill(getppid(), SIGTERM);
}

/* How many answers took so many microseconds. */
static int64_t took[1000000];

static void note(int64_t ns) {
  int64_t us = ns / 1000, most = sizeof took / sizeof *took - 1;
  ++took[us < most ? us : most];
}

/* The time that `part` of all answers took at most. */
static int64_t quantile(double part, int64_t all) {
  int64_t us = 0, sum = took[0];
  while ((double)sum < part * (double)all) sum += took[++us];
  return us;
}

/* A server that found its connections ended before it found the signal would take that for a failure. */
static void end_server(void) {
  fflush(stdout);
  kill(getppid(), SIGTERM);
  while (take_one(0)) send_one(0);
}

static void watch(int64_t milliseconds) {
  int64_t begin, end, messages = 0, warm = milliseconds * 100000, *sent = calloc((size_t)connections, sizeof *sent);
  int set = epoll_create1(0), counting = 0;
  struct epoll_event events[128];
  if (!sent || set == -1) die("watch");
  for (int i = 0; i < connections; ++i) {
    struct epoll_event e = {.events = EPOLLIN, .data = {.u32 = (uint32_t)i}};
    if (epoll_ctl(set, EPOLL_CTL_ADD, sockets[i], &e) == -1) die("epoll_ctl");
    sent[i] = now_ns();
    send_one(i);
  }
  begin = end = now_ns();
  while (end - begin < milliseconds * 1000000 || !counting) {
    int n = epoll_wait(set, events, 128, -1);
    for (int k = 0; k < n; ++k) {
      int i = (int)events[k].data.u32;
      if (!take_one(i)) die("client: the server has gone");
      end = now_ns();
      if (counting) note(end - sent[i]);
      sent[i] = end;
      send_one(i);
    }
    messages += n;
    if (!counting && end - begin > warm) {
      counting = 1;
      begin = end;
      messages = 0;
    }
  }
  printf("messages_per_second %.0f\n", (double)messages * 1e9 / (double)(end - begin));
  printf("median_us %ld\nlate_us %ld\n", (long)quantile(0.5, messages), (long)quantile(0.99, messages));
  end_server();
}

static void seldom(int64_t milliseconds) {
  const struct timespec pause = {0, 300000};
  int64_t end = now_ns() + milliseconds * 1000000;
  for (int i = 0; now_ns() < end; i = (i + 1) % connections) {
    int64_t now;
    nanosleep(&pause, NULL);
    now = now_ns();
    memcpy(message, &now, sizeof now);
    send_one(i);
    if (!take_one(i)) die("client: the server has gone");
  }
  end_server();
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  churn = !strcmp(argv[1], "churn");
  address.sin_port = htons((uint16_t)atoi(argv[2]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connections = atoi(argv[3]);
  gate = atoi(argv[4]);
  if (!(sockets = calloc((size_t)connections, sizeof *sockets))) die("calloc");
  if (!churn)
    for (int i = 0; i < connections; ++i) sockets[i] = connected();
  if (gate != -1) keep_in_step();
  else if (!strcmp(argv[1], "watch")) watch(atoi(argv[5]));
  else if (!strcmp(argv[1], "seldom")) seldom(atoi(argv[5]));
  else flood(atoi(argv[5]));
  return 0;
}
