/* What is left when the kernel refuses: sandboxes that allow few system calls, and no free descriptor. */
#include "loop.h"
#include "sandbox.h"

#include <sys/resource.h>

/* From here on, each of the n system calls fails with error. */
static void deny(const int *calls, unsigned n, int error) { s_deny(calls, n, SECCOMP_RET_ERRNO | (unsigned)error); }

static const int exotic[] = {
    SYS_eventfd2,    SYS_timerfd_create,  SYS_timerfd_settime, SYS_signalfd4,      SYS_preadv2,
    SYS_pwritev2,    SYS_splice,          SYS_tee,             SYS_epoll_pwait2,   SYS_close_range,
    SYS_pidfd_open,  SYS_copy_file_range, SYS_io_uring_setup,  SYS_io_uring_enter, SYS_io_uring_register,
    /* Common, but not on every list of a sandboxed libowfat program. */
    SYS_ioctl,       SYS_recvfrom,        SYS_sendto,
};

/* The everyday business of a server. */
static void work(void) {
  static char buf[1 << 20];
  int64 d[2], p[2], n, begun;
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  l_put(d[1], "hello");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, 100), 5);
  CHECK_INT(io_tryread(d[0], buf, 100), -1);
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(io_trywrite(d[0], "answer", 6), 6);
  io_dontwantwrite(d[0]);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile_close(&b, t_tmpfile(1000), 0, 1000), 1);
  CHECK_INT(iob_send(d[0], &b), 1004);
  t_pipe(p); /* blocking, and must not block */
  CHECK_INT(io_fd(p[0]), 1);
  CHECK_INT(io_fd(p[1]), 1);
  alarm(5);
  CHECK_INT(io_tryread(p[0], buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  while ((n = io_trywrite(p[1], buf, sizeof buf)) > 0) {
  }
  CHECK_INT(n, -1);
  CHECK_ERRNO(EAGAIN);
  alarm(0);
  io_timeout(d[0], l_in_ms(50));
  begun = t_now_ms();
  io_waituntil2(L_PATIENCE);
  CHECK(t_now_ms() - begun < L_PATIENCE / 2);
  io_close(p[0]);
  io_close(p[1]);
  io_close(d[0]);
}

/* promise: Without epoll */
TEST(the_loop_works_where_exotic_system_calls_are_refused) {
  deny(exotic, sizeof exotic / sizeof *exotic, EPERM);
  work();
}

TEST(the_loop_works_where_exotic_system_calls_do_not_exist) {
  deny(exotic, sizeof exotic / sizeof *exotic, ENOSYS);
  work();
}

static void check_backend(const char *name) {
  char text[256];
  CHECK(io_debugstring(l_idle(), text, sizeof text) > 0);
  CHECK(strcmp(strstr(text, "backend ") + strlen("backend "), name) == 0);
}

static const int epoll[] = {
#ifdef SYS_epoll_create
    SYS_epoll_create,
#endif
    SYS_epoll_create1,
};

/* poll takes over from epoll, for multiplexers too. */
static void refuse_epoll(int error, const char *name) {
  iomux_t mux;
  int64 d[2], event;
  unsigned what;
  t_start_with("OWFAT_IO_BACKEND", NULL, name);
  deny(epoll, sizeof epoll / sizeof *epoll, error);
  check_backend("poll");
  work();
  t_pipe(d);
  CHECK_INT(iom_init(&mux), 1);
  CHECK_INT(iom_add(&mux, d[1], IOM_WRITE), 0);
  CHECK_INT(iom_wait(&mux, &event, &what, 1000), 1);
  CHECK_INT(event, d[1]);
  CHECK_INT(what, IOM_WRITE);
  CHECK_INT(iom_wait(&mux, &event, &what, 0), 0);
}

/* promise: Without epoll */
TEST(the_loop_works_where_epoll_is_refused) { refuse_epoll(EPERM, __func__); }

/* promise: Without epoll */
TEST(the_loop_works_where_epoll_does_not_exist) { refuse_epoll(ENOSYS, __func__); }

/* On the lists of sandboxes that were made for libowfat stands the older of the two, where there are two. */
static void refuse_epoll_create1(int error, const char *name) {
  static const int newer[] = {SYS_epoll_create1};
  iomux_t mux;
#ifndef __GLIBC__
  SKIP("the epoll_create of this C library is the same call");
#endif
  t_start_with("OWFAT_IO_BACKEND", NULL, name);
  deny(newer, 1, error);
  if (t_no_epoll()) SKIP("there is no epoll");
  check_backend("epoll");
  work();
  CHECK_INT(iom_init(&mux), 1);
  CHECK_INT(fcntl(mux.ctx, F_GETFD), FD_CLOEXEC);
}

TEST(a_multiplexer_works_where_epoll_create1_is_refused) { refuse_epoll_create1(EPERM, __func__); }

TEST(a_multiplexer_works_where_epoll_create1_does_not_exist) { refuse_epoll_create1(ENOSYS, __func__); }

/* A sandbox that is closed when the loop has begun, as careful programs do it. */
/* promise: Without epoll */
TEST(the_loop_goes_on_when_exotic_system_calls_are_refused_later) {
  int64 d[2];
  l_pipe(d, 1);
  io_waituntil2(1);
  deny(exotic, sizeof exotic / sizeof *exotic, EPERM);
  work();
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

TEST(io_close_closes_although_the_sandbox_refuses_exotic_system_calls) {
  int64 d[2];
  char end;
  t_tcp_pair(d);
  l_read_event(d[1]);
  io_waituntil2(10);
  deny(exotic, sizeof exotic / sizeof *exotic, EPERM);
  io_waituntil2(10);
  io_close(d[1]);
  io_waituntil2(10);
  l_until(d[0], POLLIN);
  CHECK_INT(read((int)d[0], &end, 1), 0);
}

/* promise: No descriptor left */
TEST(io_fd_without_a_free_descriptor_works_or_says_EMFILE) {
  int64 d[2];
  struct rlimit limit;
  t_pipe(d);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)d[1] + 1;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (io_fd(d[0]) == 0) {
    CHECK_ERRNO(EMFILE);
    return;
  }
  io_wantread(d[0]);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* poll(2) refuses to ask about more numbers than a process may have. Of a number that was closed select(2) says
 * nothing but that one was. */
/* promise: No descriptor left */
TEST(a_process_that_gives_up_the_right_to_open_descriptors_goes_on_hearing_of_those_it_has) {
  struct rlimit none = {0, 0};
  int64 d[2][2];
  char byte;
  int i, turn;
  t_ignore_leaks(); /* it would have to open /proc */
  for (i = 0; i < 2; i++) {
    t_unix_pair(d[i]);
    io_nonblock(d[i][0]);
    CHECK_INT(io_fd(d[i][0]), 1);
    io_wantread(d[i][0]);
  }
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (turn = 0; turn < 5; turn++) {
    for (i = 0; i < 2; i++) {
      l_put(d[i][1], "x");
      CHECK_INT(l_next_read(L_PATIENCE), d[i][0]);
      CHECK_INT(io_tryread(d[i][0], &byte, 1), 1);
      io_dontwantread(d[i][0]);
      io_wantwrite(d[i][0]);
      CHECK_INT(l_next_write(L_PATIENCE), d[i][0]);
      CHECK_INT(io_trywrite(d[i][0], "y", 1), 1);
      io_dontwantwrite(d[i][0]);
      io_wantread(d[i][0]);
    }
  }
  CHECK_INT(l_next_read(20), -1);
  CHECK_INT(close((int)d[1][0]), 0);
  for (turn = 0; turn < 3; turn++) {
    l_put(d[0][1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), d[0][0]);
    CHECK_INT(io_tryread(d[0][0], &byte, 1), 1);
  }
  CHECK_INT(io_waitwrite(d[0][0], "z", 1), 1);
}
