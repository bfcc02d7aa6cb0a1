/* While one thread sleeps in a wait call, another changes what it waits for: it takes that into account at once.
 * Each wait has a limit that a test which passes never reaches. */
#include "thread.h"

/* d[1] has a byte for d[0], which is registered. */
static void ready_pipe(int64 d[2]) {
  l_pipe(d, 0);
  l_put(d[1], "x");
}

/* promise: A sleeper takes changes into account */
TEST(a_registration_and_interest_of_another_thread_reach_a_sleeper) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  t_pipe(d);
  io_nonblock(d[0]);
  l_put(d[1], "x");
  CHECK_INT(io_fd(d[0]), 1);
  th_check_sleeps_on(&s, 50);
  io_wantread(d[0]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

TEST(io_wantread_by_another_thread_reaches_a_sleeper_before_there_is_data) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  l_pipe(d, 0);
  th_put_to_sleep(&s, TH_LIMIT);
  io_wantread(d[0]);
  th_check_sleeps_on(&s, 50);
  l_put(d[1], "x");
  th_check_returns_at_once(&s);
  CHECK_INT(io_canread(), d[0]);
}

/* promise: A sleeper takes changes into account */
TEST(io_wantwrite_by_another_thread_reaches_a_sleeper) {
  struct th_sleeper s;
  int64 d[2], full[2];
  char c[65536];
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  l_pipe(full, 0);
  t_fill(full[1]);
  CHECK_INT(io_fd(full[1]), 1);
  th_put_to_sleep(&s, TH_LIMIT);
  io_wantwrite(full[1]);
  th_check_sleeps_on(&s, 50);
  io_wantwrite(d[0]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(io_canwrite(), -1);
  io_dontwantwrite(d[0]);
  th_put_to_sleep(&s, TH_LIMIT);
  CHECK_INT(read((int)full[0], c, sizeof c), sizeof c);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canwrite(), full[1]);
}

TEST(io_wantwrite_after_the_hint_ends_a_sleep) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  l_pipe(d, 0);
  th_put_to_sleep(&s, TH_LIMIT);
  CHECK_INT(io_fd_canwrite(d[1]), 1);
  th_check_sleeps_on(&s, 50);
  io_wantwrite(d[1]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canwrite(), d[1]);
}

/* promise: What ends a wait */
TEST(queueing_an_event_ends_a_sleep) {
  int i;
  for (i = 0; i < 4; i++) {
    struct th_sleeper s;
    int64 d[2], idle = l_idle(), queued;
    l_pipe(d, 0);
    /* The very descriptor that is waited for, or one of which nothing is wanted. */
    queued = i & 1 ? idle : d[0];
    th_put_to_sleep(&s, TH_LIMIT);
    CHECK_INT(i & 2 ? io_queueforwrite(queued) : io_queueforread(queued), 1);
    th_check_returns_at_once(&s);
    CHECK_INT(i & 2 ? io_canwrite() : io_canread(), queued);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), -1);
    io_close(idle);
  }
}

TEST(the_first_deadline_set_by_another_thread_reaches_a_sleeper) {
  struct th_sleeper s;
  int64 idle = l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  io_timeout(idle, l_in_ms(100));
  th_check_returns_at_once(&s);
  CHECK_INT(io_timedout(idle), 1);
  CHECK_INT(io_timeouted(), idle);
  CHECK_INT(io_timeouted(), -1);
}

/* The deadline that was taken away lay nearer than the one that is set then. */
TEST(a_deadline_set_in_place_of_one_that_was_taken_away_reaches_a_sleeper) {
  struct th_sleeper s;
  int64 idle = l_idle();
  io_timeout(idle, l_in_ms(5));
  io_timeout(idle, l_never());
  th_put_to_sleep(&s, TH_LIMIT);
  io_timeout(idle, l_in_ms(100));
  th_check_returns_at_once(&s);
  CHECK_INT(io_timeouted(), idle);
  CHECK_INT(io_timeouted(), -1);
}

/* promise: A sleeper takes changes into account */
TEST(an_earlier_deadline_set_by_another_thread_reaches_a_sleeper) {
  struct th_sleeper s;
  int64 idle = l_idle(), other = l_idle();
  io_timeout(idle, l_in_ms(5000));
  io_timeout(other, l_in_ms(6000));
  th_put_to_sleep(&s, TH_LIMIT);
  io_timeout(other, l_in_ms(100));
  th_check_returns_at_once(&s);
  CHECK_INT(io_timeouted(), other);
  CHECK_INT(io_timeouted(), -1);
}

TEST(the_deadline_of_a_descriptor_that_another_thread_registers_reaches_a_sleeper) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  l_pipe(d, 0); /* nothing is wanted of it: a tarpit */
  io_timeout(d[0], l_in_ms(100));
  th_check_returns_at_once(&s);
  CHECK_INT(io_timeouted(), d[0]);
}

TEST(a_deadline_moved_back_or_removed_lets_a_sleeper_sleep_on) {
  int clear;
  for (clear = 0; clear < 2; clear++) {
    struct th_sleeper s;
    int64 d[2];
    l_pipe(d, 1);
    io_timeout(d[0], l_in_ms(200));
    th_put_to_sleep(&s, TH_LIMIT);
    if (th_is_done(&s)) SKIP("this machine is too slow to change a deadline in 200 ms");
    io_timeout(d[0], clear ? l_never() : l_in_ms(60000));
    th_check_sleeps_on(&s, 400);
    CHECK_INT(io_timeouted(), -1);
    l_put(d[1], "x");
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), d[0]);
    io_close(d[0]);
  }
}

/* promise: A sleeper takes changes into account */
TEST(io_dontwantread_by_another_thread_lets_a_sleeper_sleep_on) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  th_put_to_sleep(&s, TH_LIMIT);
  io_dontwantread(d[0]);
  l_put(d[1], "x");
  th_check_sleeps_on(&s, 100);
  io_wantread(d[0]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canread(), d[0]);
}

TEST(io_dontwantwrite_by_another_thread_lets_a_sleeper_sleep_on) {
  struct th_sleeper s;
  char c[65536];
  int64 d[2];
  l_idle();
  l_pipe(d, 0);
  t_fill(d[1]);
  l_write_event(d[1]);
  th_put_to_sleep(&s, TH_LIMIT);
  io_dontwantwrite(d[1]);
  CHECK_INT(read((int)d[0], c, sizeof c), sizeof c);
  th_check_sleeps_on(&s, 100);
  io_wantwrite(d[1]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canwrite(), d[1]);
}

/* A wait that has nothing to wait for any more returns, as one that begins so does. */
/* promise: A wait without anything to wait for */
TEST(a_sleeper_returns_when_nothing_is_wanted_any_more) {
  int close;
  for (close = 0; close < 2; close++) {
    struct th_sleeper s;
    int64 d[2];
    l_pipe(d, 1);
    th_put_to_sleep(&s, TH_LIMIT);
    if (close) {
      io_close(d[0]);
    } else {
      io_dontwantread(d[0]);
    }
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), -1);
    if (!close) io_close(d[0]);
    io_close(d[1]);
  }
}

/* promise: A sleeper takes changes into account */
TEST(a_sleeper_hears_of_the_new_owner_of_a_number_that_was_closed_meanwhile) {
  struct th_sleeper s;
  int64 old[2], d[2];
  l_idle();
  l_pipe(old, 1);
  io_setcookie(old[0], old);
  th_put_to_sleep(&s, TH_LIMIT);
  io_close(old[0]);
  l_pipe(d, 0);
  CHECK_INT(d[0], old[0]); /* the lowest free number */
  CHECK(io_getcookie(d[0]) == NULL);
  l_put(d[1], "x");
  th_check_sleeps_on(&s, 100);
  io_wantread(d[0]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

TEST(io_close_is_final_although_an_event_is_on_its_way_to_another_thread) {
  int64 d[2];
  int i;
  l_idle();
  for (i = 0; i < 300; i++) {
    struct th_sleeper s;
    l_pipe(d, 1);
    th_put_to_sleep(&s, TH_LIMIT);
    l_put(d[1], "x"); /* the sleeper is on its way out */
    io_close(d[0]);
    io_close(d[1]);
    ready_pipe(d); /* most often under the same numbers */
    CHECK_INT(io_queueforwrite(d[1]), 0);
    CHECK_INT(io_queueforwrite(d[0]), 1); /* or it would sleep on */
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), d[0]);
    io_close(d[0]);
    io_close(d[1]);
  }
}
