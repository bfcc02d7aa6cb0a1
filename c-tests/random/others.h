/* Ends of rarer kinds, and what programs and peers do to ends beside reading and writing. */
#ifndef RANDOM_OTHERS_H
#define RANDOM_OTHERS_H
#include "make.h"

#include <netinet/tcp.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <termios.h>

R_HELPER void packet_pair(int a, int b) {
  int p[2];
  call("packet_pair", a, b);
  if (both_free(a, b)) made(a, PACKETS, b, PACKETS, p, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0);
}

/* `a` is the terminal, `b` what holds it. */
R_HELPER void terminal_pair(int a, int b) {
  struct termios raw;
  int p[2];
  call("terminal_pair", a, b);
  if (!both_free(a, b)) return;
  if (openpty(&p[1], &p[0], NULL, NULL, NULL) != 0 || tcgetattr(p[0], &raw) != 0) _exit(3);
  cfmakeraw(&raw);
  tcsetattr(p[0], TCSANOW, &raw);
  made(a, TERMINAL, b, TERMINAL, p, 1);
  be_alone(a);
  be_alone(b);
}

/* A descriptor with no other end. */
R_HELPER void odd(int a, int which) {
  struct itimerspec soon = {{0, 0}, {0, 1}};
  enum kind kind = ODD;
  sigset_t none;
  int s;
  call("odd", a, -1);
  if (!both_free(a, -1)) return;
  sigemptyset(&none);
  switch (which) {
    case 0: s = eventfd(0, EFD_NONBLOCK); break;
    case 1: s = eventfd(5, EFD_NONBLOCK); break;
    case 2: s = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK); break;
    case 3:
      s = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
      timerfd_settime(s, 0, &soon, NULL);
      poll_now(s, POLLIN);
      usleep(100);
      break;
    case 4: s = signalfd(-1, &none, SFD_NONBLOCK); break;
    case 5:
      s = epoll_create1(0);
      fcntl(s, F_SETFL, O_NONBLOCK);
      break;
    default:
      kind = REGULAR;
      s = open(which == 6 ? "/dev/null" : "/", O_RDONLY);
  }
  if (s < 0) _exit(3);
  enter(a, kind, s, -1);
  add_aside("n", s);
  say_line();
}

/* Another writer of a pipe that the last one has left. */
R_HELPER void rejoin(int b, int a) {
  char path[64];
  int s;
  call("rejoin", b, a);
  if (!both_free(b, -1)) return;
  if (!known(a) || ends[a].kind != PIPE_IN || ends[a].mate >= 0) {
    add(" passed over");
    say_line();
    return;
  }
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[a].fd);
  s = open(path, O_WRONLY);
  if (s < 0) _exit(3);
  enter(b, PIPE_OUT, s, a);
  ends[a].mate = b;
  add_aside("n", s);
  add_aside("mate", a);
  say_line();
}

/* A copy that nobody closes. */
R_HELPER void copy(int a) {
  call("copy", a, -1);
  if (!known(a) || crowded || ends[a].kind == LISTENER) {
    add(" passed over");
  } else {
    if (dup(ends[a].fd) < 0) _exit(3);
    ends[a].copied = 1;
  }
  say_line();
}

/* One urgent byte, which does not come among the others. */
R_HELPER void urgent(int a) {
  struct pollfd p;
  int on = 1;
  call("urgent", a, -1);
  if (known(a) && ends[a].kind == TCP && ends[a].mate >= 0 && !vague_to_write(a)) {
    setsockopt(ends[a].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    add_result(send(ends[a].fd, "!", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT));
    ends[ends[a].mate].urgent = 1;
    p.fd = ends[ends[a].mate].fd;
    p.events = POLLPRI;
    poll_one(&p, 300);
  }
  say_line();
}

/* Its close will reset the connection. */
R_HELPER void linger(int a) {
  struct linger linger = {1, 0};
  call("linger", a, -1);
  if (known(a) && ends[a].kind == TCP) setsockopt(ends[a].fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  say_line();
}

/* Takes the pending error of a socket, which then is no event any more. */
R_HELPER void clear_error(int a) {
  int e = 0;
  socklen_t length = sizeof e;
  call("clear_error", a, -1);
  if (known(a) && getsockopt(ends[a].fd, SOL_SOCKET, SO_ERROR, &e, &length) == 0) {
    add(" %s", e == 0 ? "none" : strerrorname_np(e));
  }
  say_line();
}
#endif
