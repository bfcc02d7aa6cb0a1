/* Forks in a row, children that end in every way, and deadlines that both sides have. */
#include "fork.h"

static int64 d[2], e[2];

static void hear_both(void) {
  char c;
  l_put(e[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
  CHECK_INT(io_tryread(e[0], &c, 1), 1);
}

/* Opens descriptors, lets the kernel watch them, and has a deadline and an event pending. */
static void get_busy(void) {
  int64 own[2];
  int i;
  for (i = 0; i < 10; i++) {
    l_pipe(own, 1);
    io_timeout(own[0], l_in_ms(i * 10 - 50));
    l_put(own[1], "x");
  }
  io_check();
  CHECK(io_canread() != -1);
}

TEST(a_hundred_forks_cost_the_parent_nothing) {
  int i, before;
  l_pipe(d, 1);
  l_pipe(e, 1);
  hear_both();
  f_run(hear_both);
  before = f_open_descriptors();
  for (i = 0; i < 100; i++) {
    f_run(hear_both);
    hear_both();
  }
  CHECK_INT(f_open_descriptors(), before);
  l_check_asleep();
}

static void leave_at_once(void) { _exit(0); }

static void leave_in_the_middle(void) {
  get_busy();
  _exit(0);
}

static void leave_through_exit(void) {
  get_busy();
  exit(0);
}

static void sleep_for_ever(void) {
  io_dontwantread(d[0]);
  io_dontwantread(e[0]);
  l_idle();
  l_put(e[1], "x");
  for (;;) io_wait();
}

TEST(children_that_leave_without_cleaning_up_cost_the_parent_nothing) {
  int status;
  pid_t child;
  char c;
  l_pipe(d, 1);
  l_pipe(e, 1);
  CHECK_INT(io_waituntil2(1), 0);
  f_run(leave_at_once);
  f_run(leave_in_the_middle);
  f_run(leave_through_exit);
  child = f_start(sleep_for_ever);
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
  CHECK_INT(io_tryread(e[0], &c, 1), 1);
  f_until_asleep(child, child);
  CHECK_INT(kill(child, SIGKILL), 0);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  l_check_asleep();
  hear_both();
}

static int64 set_at;

static void meet_the_deadline(void) {
  int64 took;
  while (io_timedout(d[0]) == 0) {
    CHECK(t_now_ms() - set_at < L_PATIENCE);
    CHECK(io_waituntil2(L_PATIENCE) != -1);
    took = t_now_ms() - set_at;
    CHECK(took >= 149);
  }
  CHECK_INT(io_timeouted(), d[0]);
  CHECK_INT(io_timeouted(), -1);
}

TEST(a_deadline_set_before_a_fork_ends_the_waits_of_parent_and_child) {
  pid_t child;
  l_pipe(d, 1);
  set_at = t_now_ms();
  io_timeout(d[0], l_in_ms(150));
  child = f_start(meet_the_deadline);
  meet_the_deadline();
  f_finish(child);
}

static void change_deadlines(void) {
  io_timeout(d[0], l_in_ms(100000));
  io_timeout(e[0], l_in_ms(-1000));
  CHECK_INT(io_timeouted(), e[0]);
  CHECK_INT(io_timeouted(), -1);
  io_close(d[0]);
}

TEST(parent_and_child_have_deadlines_of_their_own) {
  l_pipe(d, 1);
  l_pipe(e, 1);
  set_at = t_now_ms();
  io_timeout(d[0], l_in_ms(150));
  io_timeout(e[0], l_in_ms(100000));
  f_run(change_deadlines);
  CHECK_INT(io_timedout(e[0]), 0);
  meet_the_deadline();
}

static void hear_the_pending_one(void) { CHECK_INT(io_canread(), d[0]); }

/* promise: A child has its own loop */
TEST(an_event_pending_at_a_fork_is_pending_in_parent_and_child) {
  l_pipe(d, 1);
  l_put(d[1], "x");
  io_check();
  f_run(hear_the_pending_one);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

static void want_something_else(void) {
  io_dontwantread(d[0]);
  io_wantread(e[0]);
  hear_both();
}

/* Nothing but the table knows what was wanted since the last wait. */
TEST(interest_not_yet_told_to_the_kernel_belongs_to_each_process) {
  l_idle();
  io_waituntil2(1);
  l_pipe(d, 1);
  l_pipe(e, 0);
  f_run(want_something_else);
  l_put(e[1], "x");
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
}
