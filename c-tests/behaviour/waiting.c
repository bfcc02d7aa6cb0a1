/* io_wait, io_waituntil, io_waituntil2, io_check: results, limits, signals. */
#include "loop.h"

#include <setjmp.h>
#include <sys/time.h>

static volatile sig_atomic_t signals;

static void on_signal(int number) {
  (void)number;
  signals++;
}

/* SIGALRM after ms; flags as for sigaction. It is repeated, lest a slow machine gets it before it waits. */
static void alarm_in(int ms, int flags) {
  struct itimerval timer = {{2, 0}, {ms / 1000, ms % 1000 * 1000}};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_INT(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* promise: A wait without anything to wait for */
TEST(a_wait_with_nothing_wanted_returns_at_once) {
  int64 d[2], start = t_now_ms();
  CHECK_INT(io_waituntil2(1000), 0); /* before anything is registered */
  io_wait();
  io_check();
  io_waituntil(l_in_ms(1000));
  l_pipe(d, 0);
  CHECK_INT(io_waituntil2(1000), 0);
  CHECK_INT(io_waituntil2(-1), 0);
  io_wait();
  io_waituntil(l_in_ms(1000));
  CHECK(t_now_ms() - start < 500);
}

/* promise: What ends a wait */
TEST(a_wait_returns_the_number_of_events) {
  int64 a[2], b[2];
  int64 (*check)(void) = (int64 (*)(void))(uintptr_t)io_check;
  l_pipe(a, 1);
  l_pipe(b, 1);
  CHECK_INT(io_waituntil2(0), 0);
  l_put(a[1], "x");
  CHECK(io_waituntil2(1000) >= 1);
  l_put(b[1], "x");
  CHECK(check() >= 1);
}

/* promise: Limits */
TEST(a_wait_keeps_its_limit) {
  int64 start;
  l_idle();
  start = t_now_ms();
  CHECK_INT(io_waituntil2(120), 0);
  CHECK(t_now_ms() - start >= 119 && t_now_ms() - start < 1000);
  start = t_now_ms();
  io_waituntil(l_in_ms(120));
  CHECK(t_now_ms() - start >= 119 && t_now_ms() - start < 1000);
}

/* promise: Limits */
TEST(limits_of_zero_and_in_the_past_do_not_sleep) {
  int64 start, d[2];
  tai6464 zero = {{0}, 0, 0};
  l_pipe(d, 1);
  start = t_now_ms();
  CHECK_INT(io_waituntil2(0), 0);
  io_check();
  io_waituntil(l_in_ms(-1000));
  io_waituntil(zero);
  CHECK(t_now_ms() - start < 500);
  l_put(d[1], "x");
  io_waituntil(zero);
  CHECK_INT(io_canread(), d[0]);
}

/* Calls wait_for in the parent while a child writes after 100 ms: a wait without limit has to see it. */
static void check_unlimited(int64 ms) {
  int64 d[2];
  pid_t child;
  l_pipe(d, 1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    poll(NULL, 0, 100);
    _exit(write((int)d[1], "x", 1) != 1);
  }
  CHECK(io_waituntil2(ms) >= 1);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(waitpid(child, NULL, 0), child);
  io_close(d[0]);
}

/* promise: Limits */
TEST(a_negative_limit_is_no_limit) {
  check_unlimited(-1);
  check_unlimited(-2);
  check_unlimited(INT64_MIN);
}

/* promise: Limits */
TEST(a_limit_of_weeks_is_not_cut_to_32_bits) {
  int64 start;
  l_idle();
  start = t_now_ms();
  alarm_in(150, 0);
  CHECK_INT(io_waituntil2(1LL << 32), -1);
  CHECK_ERRNO(EINTR);
  CHECK(t_now_ms() - start >= 140);
  start = t_now_ms();
  alarm_in(150, 0);
  CHECK_INT(io_waituntil2(INT64_MAX), -1);
  CHECK(t_now_ms() - start >= 140);
}

/* promise: Limits */
TEST(a_label_weeks_ahead_is_not_cut_to_32_bits) {
  tai6464 end_of_time = {{UINT64_MAX}, 999999999, 999999999};
  int64 start;
  l_idle();
  start = t_now_ms();
  alarm_in(1000, 0);
  io_waituntil(l_in_ms(4294968 * 1000LL)); /* 0.704 s past 2^32 ms */
  CHECK(t_now_ms() - start >= 990);
  start = t_now_ms();
  alarm_in(150, 0);
  io_waituntil(end_of_time);
  CHECK(t_now_ms() - start >= 140);
}

/* promise: Limits */
TEST(io_waituntil_never_returns_before_its_label) {
  int i;
  l_idle();
  for (i = 0; i < 10; i++) {
    struct timespec now;
    tai6464 t = l_in_ms(20), back;
    t.nano = t.nano / 1000000 * 1000000 + 999999; /* the worst case for rounding down */
    io_waituntil(t);
    CHECK_INT(clock_gettime(CLOCK_REALTIME, &now), 0);
    back.sec.x = L_EPOCH + (uint64)now.tv_sec;
    CHECK(back.sec.x > t.sec.x || (back.sec.x == t.sec.x && (uint32_t)now.tv_nsec >= t.nano));
  }
}

/* promise: What ends a wait */
/* promise: A signal ends a wait */
TEST(a_signal_ends_a_wait) {
  int flags;
  l_idle();
  for (flags = 0; flags < 2; flags++) {
    alarm_in(50, flags ? SA_RESTART : 0);
    signals = 0;
    io_wait();
    CHECK_INT(signals, 1);
    alarm_in(50, flags ? SA_RESTART : 0);
    CHECK_INT(io_waituntil2(L_PATIENCE), -1);
    CHECK_ERRNO(EINTR);
    CHECK_INT(signals, 2);
    alarm_in(50, flags ? SA_RESTART : 0);
    io_waituntil(l_in_ms(L_PATIENCE));
    CHECK_INT(signals, 3);
  }
}

static sigjmp_buf back;

static void jump_back(int sig) {
  (void)sig;
  siglongjmp(back, 1);
}

/* POSIX leaves undefined what servers do: they leave the call from the handler of an alarm. */
static void leave_by_siglongjmp(void) {
  static const struct itimerval soon = {{0, 0}, {0, 50000}};
  CHECK(signal(SIGALRM, jump_back) != SIG_ERR);
  if (sigsetjmp(back, 1)) return;
  CHECK_INT(setitimer(ITIMER_REAL, &soon, NULL), 0);
  io_wait();
  CHECK(!"a wait without limit ended");
}

TEST(after_siglongjmp_out_of_a_wait_the_loop_sleeps_and_serves) {
  int64 d[3][2];
  int i, k;
  for (i = 0; i < 3; i++) {
    l_pipe(d[i], 1); /* there is something to tell the kernel in each turn */
    leave_by_siglongjmp();
    l_check_asleep();
    for (k = 0; k <= i; k++) {
      char byte;
      l_put(d[k][1], "x");
      CHECK_INT(l_next_read(L_PATIENCE), d[k][0]);
      CHECK_INT(io_tryread(d[k][0], &byte, 1), 1);
    }
  }
}

/* promise: A closed event loop is replaced */
TEST(an_epoll_descriptor_that_the_program_closed_is_replaced) {
  int64 d[2];
  int i;
  char c;
  l_pipe(d, 1);
  io_waituntil2(1);
  /* as a daemon does that closes everything, here all but what the test needs */
  for (i = (int)d[1] + 1; i < 100; i++) close(i);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  l_check_asleep();
}

/* promise: Signals and timers of the program */
TEST(the_signal_mask_is_left_alone) {
  sigset_t before, after;
  int i, d0;
  int64 d[2];
  CHECK_INT(sigprocmask(SIG_SETMASK, NULL, &before), 0);
  l_pipe(d, 1);
  l_put(d[1], "x");
  d0 = (int)l_next_read(L_PATIENCE);
  CHECK_INT(d0, d[0]);
  CHECK_INT(sigprocmask(SIG_SETMASK, NULL, &after), 0);
  for (i = 1; i < NSIG; i++) CHECK_INT(sigismember(&after, i), sigismember(&before, i));
}

/* promise: Regular files */
TEST(a_wanted_regular_file_is_always_ready) {
  int64 d = t_tmpfile(100);
  char buf[200];
  CHECK_INT(io_fd(d), 1);
  io_wantread(d);
  CHECK_INT(l_next_read(L_PATIENCE), d);
  CHECK_INT(io_tryread(d, buf, 200), 100);
  CHECK_INT(l_next_read(L_PATIENCE), d); /* as poll(2) says, also at the end */
  CHECK_INT(io_tryread(d, buf, 200), 0);
  io_dontwantread(d);
  io_wantwrite(d);
  CHECK_INT(l_next_write(L_PATIENCE), d);
}

/* promise: Regular files */
TEST(a_regular_file_that_nobody_wants_is_not_reported) {
  int64 d = t_tmpfile(100), directory = open("/", O_RDONLY);
  l_idle();
  CHECK_INT(io_fd(d), 1);
  CHECK_INT(io_fd(directory), 1);
  l_check_asleep();
}
