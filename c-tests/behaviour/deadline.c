/* io_timeout, io_timedout, io_timeouted, the ...timeout variants, and deadlines that end a wait. */
#include "loop.h"

static const int64 strange[] = {-1, INT64_MIN, 1LL << 31, 1LL << 32, INT64_MAX, 900};

/* A registered descriptor that expired long ago, if ms is negative. */
static int64 with_deadline(int want, int64 ms) {
  int64 d[2];
  l_pipe(d, want);
  io_timeout(d[0], l_in_ms(ms));
  return d[0];
}

/* Counts what one sweep of io_timeouted names; the sweep has to end. */
static int sweep(int64 expected[], int n) {
  int64 d;
  int found = 0, i;
  while ((d = io_timeouted()) != -1) {
    for (i = 0; i < n && expected[i] != d; i++) {
    }
    CHECK(i < n);
    CHECK(found < n);
    found++;
  }
  return found;
}

/* promise: Asking for expired descriptors */
TEST(io_timedout_says_whether_the_deadline_has_passed) {
  CHECK_INT(io_timedout(with_deadline(0, -100)), 1);
  CHECK_INT(io_timedout(with_deadline(0, 100000)), 0);
  CHECK_INT(io_timedout(l_idle()), 0);
}

/* promise: Impossible numbers */
TEST(deadlines_of_impossible_numbers_are_ignored) {
  unsigned i;
  l_idle();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    io_timeout(strange[i], l_in_ms(-1000));
    CHECK_INT(io_timedout(strange[i]), 0);
  }
  CHECK_INT(io_timeouted(), -1);
}

/* promise: Setting a deadline */
TEST(a_closed_descriptor_has_no_deadline) {
  int64 d = with_deadline(1, -1000);
  io_close(d);
  CHECK_INT(io_timedout(d), 0);
  CHECK_INT(io_timeouted(), -1);
}

/* promise: Setting a deadline */
TEST(a_deadline_of_zero_seconds_is_none) {
  int64 d = with_deadline(1, -1000), start;
  tai6464 odd = {{0}, 5, 5};
  io_timeout(d, l_never());
  CHECK_INT(io_timedout(d), 0);
  CHECK_INT(io_timeouted(), -1);
  io_timeout(d, odd);
  CHECK_INT(io_timedout(d), 0);
  CHECK_INT(io_timeouted(), -1);
  start = t_now_ms();
  io_waituntil2(100);
  CHECK(t_now_ms() - start >= 99);
}

/* promise: Setting a deadline */
TEST(the_last_deadline_counts) {
  int64 d = with_deadline(1, -1000);
  io_timeout(d, l_in_ms(100000));
  CHECK_INT(io_timedout(d), 0);
  CHECK_INT(io_timeouted(), -1);
  io_timeout(d, l_in_ms(-1));
  CHECK_INT(io_timeouted(), d);
}

/* promise: Asking for expired descriptors */
TEST(a_sweep_names_each_expired_descriptor_once_and_ends) {
  int64 expired[4], i;
  for (i = 0; i < 4; i++) expired[i] = with_deadline(1, -1000 + i * 10);
  with_deadline(1, 100000);
  CHECK_INT(sweep(expired, 4), 4);
  CHECK_INT(sweep(expired, 4), 4); /* unhandled ones come again in the next sweep */
  io_timeout(expired[1], l_never());
  CHECK_INT(sweep(expired, 4), 3);
}

/* promise: Asking for expired descriptors */
TEST(a_sweep_ends_when_the_highest_number_has_expired) {
  int64 d;
  l_idle();
  d = with_deadline(1, -1000);
  CHECK_INT(sweep(&d, 1), 1);
  CHECK_INT(sweep(&d, 1), 1);
}

/* promise: Asking for expired descriptors */
TEST(a_sweep_may_close_what_it_finds) {
  int64 d, i;
  int n = 0;
  for (i = 0; i < 20; i++) with_deadline(i & 1, -1000);
  while ((d = io_timeouted()) != -1) {
    CHECK(n++ < 20);
    io_close(d);
  }
  CHECK_INT(n, 20);
  CHECK_INT(io_timeouted(), -1);
}

/* promise: Asking for expired descriptors */
TEST(what_gets_a_new_deadline_or_is_closed_during_a_sweep_is_not_named) {
  int64 a = with_deadline(1, -1000), b = with_deadline(1, -900), c = with_deadline(1, -800);
  int64 first = io_timeouted();
  CHECK(first == a || first == b || first == c);
  if (first != a) io_close(a);
  if (first != b) io_timeout(b, l_in_ms(100000));
  if (first != c) io_timeout(c, l_never());
  CHECK_INT(io_timeouted(), -1);
}

/* promise: Asking for expired descriptors */
TEST(io_timeouted_names_a_descriptor_of_which_nothing_is_wanted) {
  int64 d = with_deadline(0, -1000);
  CHECK_INT(io_timeouted(), d);
  CHECK_INT(io_timeouted(), -1); /* ends the sweep */
  io_close(d);
  d = with_deadline(1, -1000);
  io_dontwantread(d);
  io_dontwantwrite(d);
  CHECK_INT(io_timeouted(), d);
}

/* promise: Asking for expired descriptors */
TEST(an_event_that_is_not_yet_taken_comes_before_its_deadline) {
  int64 d[2];
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(-1000));
  l_put(d[1], "x");
  io_check();
  CHECK_INT(io_timeouted(), -1);
  CHECK_INT(io_canread(), d[0]);
}

/* promise: What ends a wait */
TEST(a_deadline_ends_a_wait) {
  int64 start = t_now_ms(), took, d = with_deadline(1, 150);
  io_waituntil2(L_PATIENCE);
  took = t_now_ms() - start;
  CHECK(took >= 149 && took < 1000);
  CHECK_INT(io_timedout(d), 1);
  CHECK_INT(io_timeouted(), d);
}

/* promise: Deadlines end waits */
TEST(a_deadline_ends_waits_of_every_kind) {
  int64 start = t_now_ms(), took, d = with_deadline(1, 80);
  io_wait();
  io_timeout(d, l_in_ms(80));
  io_waituntil(l_in_ms(L_PATIENCE));
  took = t_now_ms() - start;
  CHECK(took >= 158 && took < 1500);
}

/* promise: Deadlines end waits */
TEST(the_nearest_of_several_deadlines_ends_the_wait) {
  int64 start, took, far = with_deadline(1, 100000), d;
  with_deadline(1, 50000);
  d = with_deadline(1, 100);
  start = t_now_ms();
  io_waituntil2(L_PATIENCE);
  took = t_now_ms() - start;
  CHECK(took >= 98 && took < 1000);
  io_close(d);
  io_timeout(far, l_in_ms(100)); /* and a far one brought near */
  start = t_now_ms();
  io_waituntil2(L_PATIENCE);
  took = t_now_ms() - start;
  CHECK(took >= 98 && took < 1000);
}

/* promise: Deadlines end waits */
TEST(a_deadline_that_was_moved_or_removed_does_not_end_a_wait) {
  int64 d = with_deadline(1, 100), e = with_deadline(1, 100), f = with_deadline(1, 100);
  io_timeout(d, l_in_ms(100000));
  io_timeout(e, l_never());
  io_close(f);
  l_check_asleep();
}

/* promise: No spinning */
TEST(a_passed_deadline_that_nobody_asks_for_does_not_spin) {
  with_deadline(1, -1000);
  l_check_asleep();
}

/* promise: Deadlines end waits */
TEST(a_deadline_with_nothing_wanted_does_not_spin) {
  with_deadline(0, -1000);
  with_deadline(0, 20);
  l_check_asleep();
}

/* promise: Transfers with a deadline */
TEST(without_a_deadline_no_call_says_timed_out) {
  int64 d[2];
  char buf[8] = {0};
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_tryreadtimeout(d[0], buf, 8), -1);
  CHECK_ERRNO(EAGAIN);
  t_fill(d[0]);
  CHECK_INT(io_trywritetimeout(d[0], buf, 8), -1);
  CHECK_ERRNO(EAGAIN);
}

/* promise: Transfers with a deadline */
TEST(a_passed_deadline_is_minus_two_unless_something_was_transferred) {
  int64 d[2];
  char buf[8] = {0};
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  io_timeout(d[0], l_in_ms(100000));
  CHECK_INT(io_tryreadtimeout(d[0], buf, 8), -1);
  CHECK_ERRNO(EAGAIN);
  io_timeout(d[0], l_in_ms(-10));
  CHECK_INT(io_tryreadtimeout(d[0], buf, 8), -2);
  CHECK_ERRNO(ETIMEDOUT);
  CHECK_INT(io_trywritetimeout(d[0], buf, 8), 8); /* progress wins */
  l_put(d[1], "hello");
  CHECK_INT(io_tryreadtimeout(d[0], buf, 8), 5);
  t_fill(d[0]);
  CHECK_INT(io_trywritetimeout(d[0], buf, 8), -2);
  CHECK_ERRNO(ETIMEDOUT);
  close((int)d[1]);
  CHECK_INT(io_trywritetimeout(d[0], buf, 8), -3);
  CHECK_ERRNO(EPIPE);
}

/* promise: Deadlines are cheap */
TEST(a_sweep_costs_by_the_expired_deadlines) {
  int64 d, start;
  int i;
  for (d = 1000; d < 100000; d++) {
    CHECK_INT(io_fd_flags(d, IO_FD_NONBLOCK), 1);
    io_timeout(d, l_in_ms(1000000));
  }
  start = t_now_ms();
  for (i = 0; i < 20; i++) CHECK_INT(io_timeouted(), -1);
  CHECK(t_now_ms() - start < 40); /* 800 ms if each sweep looks at all of them */
}

/* promise: Setting a deadline */
TEST(deadlines_follow_the_wall_clock) {
  tai6464 t = l_in_ms(60);
  struct timespec now;
  int64 d = l_idle();
  io_timeout(d, t);
  io_waituntil2(L_PATIENCE);
  CHECK_INT(clock_gettime(CLOCK_REALTIME, &now), 0);
  CHECK(L_EPOCH + (uint64)now.tv_sec > t.sec.x ||
        (L_EPOCH + (uint64)now.tv_sec == t.sec.x && (uint32_t)now.tv_nsec >= t.nano));
  CHECK_INT(io_timedout(d), 1);
}
