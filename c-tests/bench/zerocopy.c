/* What MSG_ZEROCOPY does for a sender, without any library: `zerocopy BYTES loopback|veth` sends so much memory at a
 * time, in turns with a copy and without, and prints
 *
 *     ratio N     (bytes a second without a copy, as part of those with one)
 *     copied N    (of the sends without one, the part for which the kernel says that it copied after all)
 *
 * veth: between two network namespaces of its own, which needs root and ip(8); they go with the processes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_MS 60
#define ROUNDS 5
/* For documentation (RFC 5737): nobody's. */
#define HERE "192.0.2.1"
#define THERE "192.0.2.2"

static uint64_t finished, copied;

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run(const char* command) {
  if (system(command) != 0) die(command);
}

static void on_processor(int n) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(n, &set);
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) sched_setaffinity(0, sizeof set, &set);
}

/* The receiver, in a namespace of its own if `veth`; writes its port to `told` when it can be connected to. */
static void receive(int veth, int told, int ready) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof a;
  int listener, s;
  char b;
  on_processor(1);
  if (veth) {
    if (unshare(CLONE_NEWNET) == -1) die("unshare");
    if (write(told, "", 1) != 1 || read(ready, &b, 1) != 1) die("the sender has gone");
    run("ip addr add " THERE "/24 dev there && ip link set there up");
  }
  inet_pton(AF_INET, veth ? THERE : "127.0.0.1", &a.sin_addr);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == -1 || bind(listener, (struct sockaddr*)&a, n) == -1 || listen(listener, 1) == -1 ||
      getsockname(listener, (struct sockaddr*)&a, &n) == -1)
    die("listen");
  if (write(told, &a.sin_port, sizeof a.sin_port) != sizeof a.sin_port) die("the sender has gone");
  if ((s = accept(listener, NULL, NULL)) == -1) die("accept");
  while (recv(s, NULL, 1 << 30, MSG_TRUNC) > 0) continue;
  exit(0);
}

static int connected(int veth) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  int told[2], ready[2], s;
  pid_t receiver;
  char b, command[128];
  if (pipe(told) == -1 || pipe(ready) == -1) die("pipe");
  if (veth && unshare(CLONE_NEWNET) == -1) die("unshare");
  if ((receiver = fork()) == -1) die("fork");
  if (receiver == 0) receive(veth, told[1], ready[0]);
  on_processor(0);
  if (veth) {
    if (read(told[0], &b, 1) != 1) die("the receiver has gone");
    snprintf(command, sizeof command, "ip link add here type veth peer name there netns %d", (int)receiver);
    run(command);
    run("ip addr add " HERE "/24 dev here && ip link set here up");
    if (write(ready[1], "", 1) != 1) die("the receiver has gone");
  }
  inet_pton(AF_INET, veth ? THERE : "127.0.0.1", &a.sin_addr);
  if (read(told[0], &a.sin_port, sizeof a.sin_port) != sizeof a.sin_port) die("the receiver has gone");
  s = socket(AF_INET, SOCK_STREAM, 0);
  if (s == -1 || connect(s, (struct sockaddr*)&a, sizeof a) == -1) die("connect");
  return s;
}

static int take_notices(int s) {
  union {
    char bytes[256];
    struct cmsghdr aligned;
  } control;
  int taken = 0;
  for (;;) {
    struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof control};
    struct sock_extended_err e;
    if (recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT) == -1) return taken;
    memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof e);
    finished += e.ee_data - e.ee_info + 1;
    if (e.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) copied += e.ee_data - e.ee_info + 1;
    ++taken;
  }
}

/* Bytes a millisecond. */
static double speed(int s, const char* memory, size_t n, int flags) {
  static uint64_t sends;
  double begin = now_ms(), end;
  uint64_t sent = 0;
  while ((end = now_ms()) - begin < RUN_MS) {
    ssize_t k = send(s, memory, n, MSG_NOSIGNAL | flags);
    if (k == -1 && errno != ENOBUFS) die("send");
    if (k > 0) sent += (uint64_t)k, sends += flags != 0;
    if (flags && (k == -1 || sends % 8 == 0)) take_notices(s);
  }
  while (flags && finished < sends) {
    struct pollfd p = {.fd = s};
    if (poll(&p, 1, 5000) != 1 || !take_notices(s)) die("no notice");
  }
  return (double)sent / (end - begin);
}

int main(int argc, char** argv) {
  size_t n = argc == 3 ? (size_t)atol(argv[1]) : 0;
  int on = 1, s;
  char* memory;
  double plain = 0, without = 0;
  if (n == 0) {
    fprintf(stderr, "usage: %s BYTES loopback|veth\n", argv[0]);
    return 2;
  }
  memory = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  s = connected(strcmp(argv[2], "veth") == 0);
  if (setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == -1) die("SO_ZEROCOPY");
  for (int round = 0; round < ROUNDS; ++round) {
    plain += speed(s, memory, n, 0);
    without += speed(s, memory, n, MSG_ZEROCOPY);
  }
  printf("ratio %.3f\n", without / plain);
  printf("copied %.3f\n", (double)copied / (double)finished);
  close(s);
  wait(NULL);
  return 0;
}
