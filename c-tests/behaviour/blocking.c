/* io_tryread and io_trywrite never block, whatever mode the descriptor is in, and leave the mode, the
 * program's interval timer and its SIGALRM alone. */
#include "loop.h"

#include <sys/eventfd.h>
#include <sys/time.h>
#include <termios.h>

static char buf[1 << 20];
static volatile sig_atomic_t alarms;

static void on_alarm(int number) {
  (void)number;
  alarms++;
}

/* A handler and a timer of the program's own, far in the future. */
static void set_up_timer(void) {
  struct itimerval timer = {{7, 0}, {15, 0}};
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  CHECK_INT(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void check_timer_untouched(void) {
  struct itimerval timer;
  struct sigaction action;
  CHECK_INT(getitimer(ITIMER_REAL, &timer), 0);
  CHECK_INT(timer.it_interval.tv_sec, 7);
  CHECK(timer.it_value.tv_sec >= 5 && timer.it_value.tv_sec <= 15);
  CHECK_INT(sigaction(SIGALRM, NULL, &action), 0);
  CHECK(action.sa_handler == on_alarm);
  CHECK_INT(alarms, 0);
}

/* Writes pieces until the library says "not ready". */
static int64 fill(int64 d, int64 piece) {
  int64 n, sum = 0;
  while ((n = io_trywrite(d, buf, piece)) > 0) sum += n;
  CHECK_INT(n, -1);
  CHECK_ERRNO(EAGAIN);
  return sum;
}

static int64 drain(int64 d, int64 piece) {
  int64 n, sum = 0;
  while ((n = io_tryread(d, buf, piece)) > 0) sum += n;
  CHECK_INT(n, -1);
  CHECK_ERRNO(EAGAIN);
  return sum;
}

/* promise: Transfers never wait */
TEST(a_blocking_pipe_takes_what_fits) {
  int64 d[2], n;
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK(io_trywrite(d[1], buf, sizeof buf) > 0);
  CHECK(fill(d[1], sizeof buf) >= 0);
  CHECK_INT(drain(d[0], sizeof buf), 65536);
  n = fill(d[1], 1); /* one byte after the other, as opentracker does */
  if (t_portable() || t_refused(SYS_pwritev2)) {
    CHECK(n >= 65536 - 4096); /* no more can be known to fit than PIPE_BUF at a time */
  } else {
    CHECK_INT(n, 65536);
  }
  CHECK_INT(drain(d[0], 1000), n);
  CHECK_INT(fcntl((int)d[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST(a_blocking_pipe_with_a_little_room_takes_what_fits) {
  int64 d[2];
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  fill(d[1], 4096);
  CHECK_INT(io_tryread(d[0], buf, 4096), 4096);
  alarm(5); /* kills a library that blocks */
  CHECK_INT(io_trywrite(d[1], buf, 3 * 4096), 4096);
  CHECK_INT(io_trywrite(d[1], buf, 1), -1);
}

/* promise: Transfers never wait */
TEST(blocking_sockets_take_what_fits) {
  int64 d[2];
  int tcp;
  for (tcp = 0; tcp < 2; tcp++) {
    (tcp ? t_tcp_pair : t_unix_pair)(d);
    CHECK_INT(io_fd(d[0]), 1);
    CHECK_INT(io_fd(d[1]), 1);
    CHECK_INT(io_tryread(d[1], buf, 1), -1);
    CHECK_ERRNO(EAGAIN);
    CHECK(fill(d[0], sizeof buf) > 0);
    CHECK(drain(d[1], sizeof buf) > 0);
    CHECK_INT(fcntl((int)d[0], F_GETFL) & O_NONBLOCK, 0);
  }
}

/* promise: Transfers never wait */
/* promise: Signals and timers of the program */
TEST(timers_and_sigalrm_of_the_program_are_left_alone) {
  int64 d[2];
  int kind;
  set_up_timer();
  for (kind = 0; kind < 3; kind++) {
    (kind == 0 ? t_pipe : kind == 1 ? t_unix_pair : t_tcp_pair)(d);
    CHECK_INT(io_fd(d[0]), 1);
    CHECK_INT(io_fd(d[1]), 1);
    fill(d[1], 10000);
    l_until(d[0], POLLIN);
    drain(d[0], 10000);
    check_timer_untouched();
  }
}

TEST(a_blocking_pipe_tells_its_end_and_a_closed_reader) {
  int64 d[2];
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  l_put(d[1], "x");
  close((int)d[1]);
  CHECK_INT(io_tryread(d[0], buf, 10), 1);
  CHECK_INT(io_tryread(d[0], buf, 10), 0);
  t_pipe(d);
  CHECK_INT(io_fd(d[1]), 1);
  close((int)d[0]);
  CHECK_INT(io_trywrite(d[1], buf, 10), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_trywrite(d[1], buf, sizeof buf), -3);
  CHECK_ERRNO(EPIPE);
}

/* promise: Terminals and other devices */
TEST(a_blocking_terminal_is_served_without_blocking) {
  struct termios raw;
  int64 n, got, terminal, master = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(master >= 0);
  CHECK_INT(grantpt((int)master), 0);
  CHECK_INT(unlockpt((int)master), 0);
  terminal = open(ptsname((int)master), O_RDWR | O_NOCTTY);
  CHECK(terminal >= 0);
  CHECK_INT(tcgetattr((int)terminal, &raw), 0);
  cfmakeraw(&raw);
  CHECK_INT(tcsetattr((int)terminal, TCSANOW, &raw), 0);
  CHECK_INT(io_fd(terminal), 1);
  CHECK_INT(io_tryread(terminal, buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  l_put(master, "hello");
  for (got = 0; got < 5; got += n) { /* may come in pieces, here and there */
    l_until(terminal, POLLIN);
    CHECK((n = io_tryread(terminal, buf, 10)) > 0);
  }
  CHECK_INT(io_trywrite(terminal, "hello", 5), 5);
  for (got = 0; got < 5; got += n) CHECK((n = read((int)master, buf, 10)) > 0);
  alarm(10); /* kills a library that blocks on a terminal that nobody reads */
  CHECK(fill(terminal, 100) > 0);
}

/* promise: Terminals and other devices */
TEST(a_blocking_eventfd_is_served_without_blocking) {
  uint64 most = 0xfffffffffffffffeULL, one = 1;
  int64 d = eventfd(0, 0);
  if (d == -1 && t_refused(SYS_eventfd2)) SKIP("this system refuses eventfds");
  CHECK(d >= 0);
  CHECK_INT(io_fd(d), 1);
  alarm(5); /* kills a library that blocks */
  CHECK_INT(io_tryread(d, buf, 8), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(io_trywrite(d, (char *)&most, 8), 8);
  CHECK_INT(io_trywrite(d, (char *)&one, 8), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(io_tryread(d, buf, 8), 8);
}

/* Files never wait, but what is queued as one need not be one. */
TEST(a_blocking_pipe_queued_as_a_file_does_not_block) {
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_pipe(d);
  CHECK_INT(iob_addfile(&b, d[0], 0, 10), 1);
  alarm(5);
  CHECK_INT(io_tryread(d[0], buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(io_tryread(d[0], buf, 10), -1);
  CHECK_ERRNO(EAGAIN);
  alarm(0);
  iob_reset(&b);
}

TEST(a_blocking_descriptor_takes_part_in_the_loop) {
  int64 d[2];
  t_unix_pair(d);
  l_read_event(d[0]);
  l_put(d[1], "hello");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, 100), 5);
  CHECK_INT(io_tryread(d[0], buf, 100), -1);
  l_check_asleep();
}
