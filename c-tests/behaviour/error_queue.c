/* The error queue of a socket is the program's. The library reports that something is there, and reads nothing of it. */
#include "loop.h"

#include <linux/errqueue.h>

/* A connected UDP socket that nobody answers, which has been told so: its error queue holds one report. */
static int64 refused_datagram(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof a;
  int on = 1, s = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(s != -1 && other != -1);
  CHECK_INT(bind(other, (struct sockaddr *)&a, sizeof a), 0);
  CHECK_INT(getsockname(other, (struct sockaddr *)&a, &length), 0);
  CHECK_INT(connect(s, (struct sockaddr *)&a, sizeof a), 0);
  CHECK_INT(close(other), 0);
  CHECK_INT(setsockopt(s, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  CHECK_INT(send(s, "x", 1, 0), 1);
  l_until(s, POLLERR);
  return s;
}

/* How many reports the queue has, each of which is taken off it. */
static int take_reports(int64 s) {
  char control[512], data[16];
  struct iovec v = {data, sizeof data};
  int n = 0;
  for (;; n++) {
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg((int)s, &m, MSG_ERRQUEUE | MSG_DONTWAIT) == -1) return n;
  }
}

/* promise: The error queue belongs to the program */
TEST(an_error_condition_is_readiness_in_each_wanted_direction) {
  int64 s = refused_datagram();
  io_wantread(s);
  CHECK_INT(l_next_read(L_PATIENCE), s);
  CHECK_INT(io_canwrite(), -1);
  io_wantwrite(s);
  CHECK_INT(l_next_write(L_PATIENCE), s);
  CHECK_INT(l_next_read(L_PATIENCE), s);
}

/* promise: The error queue belongs to the program */
TEST(an_error_condition_is_reported_as_long_as_it_is_there) {
  int64 s = refused_datagram();
  int i, error;
  socklen_t length = sizeof error;
  io_wantread(s);
  for (i = 0; i < 5; i++) CHECK_INT(l_next_read(L_PATIENCE), s);
  CHECK_INT(take_reports(s), 1);
  CHECK_INT(getsockopt((int)s, SOL_SOCKET, SO_ERROR, &error, &length), 0);
  l_check_asleep();
}

/* promise: The error queue belongs to the program */
TEST(the_error_queue_is_left_to_the_program) {
  int64 s = refused_datagram();
  int i;
  io_wantread(s);
  io_wantwrite(s);
  for (i = 0; i < 5; i++) {
    io_waituntil2(10);
    while (io_canread() != -1 || io_canwrite() != -1) {
    }
  }
  CHECK_INT(take_reports(s), 1);
}

/* promise: The error queue belongs to the program */
TEST(the_pending_error_is_left_to_the_program) {
  int64 s = refused_datagram();
  char c;
  io_wantread(s);
  CHECK_INT(l_next_read(L_PATIENCE), s);
  CHECK_INT(io_tryread(s, &c, 1), -3);
  CHECK_ERRNO(ECONNREFUSED);
}

/* promise: The error queue belongs to the program */
TEST(an_error_condition_wakes_nobody_if_nothing_is_wanted) {
  int64 s = refused_datagram();
  io_wantread(s);
  io_wantread(l_idle());
  CHECK_INT(l_next_read(L_PATIENCE), s);
  io_dontwantread(s);
  l_check_asleep();
  CHECK_INT(take_reports(s), 1);
}

/* A program that makes zero-copy sends of its own gets their completions. */
TEST(the_end_of_a_send_without_a_copy_is_left_to_the_program) {
  static char block[20000];
  int64 d[2], got = 0, n;
  int on = 1;
  t_tcp_pair(d);
  io_nonblock(d[0]);
  if (setsockopt((int)d[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0) SKIP("this kernel has no MSG_ZEROCOPY");
  l_read_event(d[0]);
  n = send((int)d[0], block, sizeof block, MSG_ZEROCOPY);
  CHECK(n > 0);
  while (got < n) {
    int64 r = read((int)d[1], block, sizeof block);
    CHECK(r > 0);
    got += r;
  }
  l_until(d[0], POLLERR);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(take_reports(d[0]), 1);
  l_check_asleep();
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}
