/* Deadlines as other event loops test their timers, see docs/peers.md. A deadline is a descriptor's; one that nobody
 * writes to stands for a timer. */
#include "peers.h"

enum { MANY = 50 };

static int64 timer(int64 ms) {
  int64 d[2];
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(ms));
  return d[0];
}

/* Waits until a deadline has passed, and names the one. */
static int64 next_timer(int64 limit) {
  int64 d, end = t_now_ms() + limit;
  while ((d = io_timeouted()) == -1 && t_now_ms() < end) io_waituntil2(end - t_now_ms());
  return d;
}

/* Each row: a deadline that is set as said ends a wait at its time, and is named once. */
static void fires(int64 in_ms, int64 not_before, int64 not_after) {
  int64 begun = t_now_ms(), d = timer(in_ms), took;
  CHECK_INT(next_timer(L_PATIENCE), d);
  took = t_now_ms() - begun;
  CHECK(took >= not_before);
  CHECK(took <= not_after);
  CHECK_INT(io_timedout(d), 1);
  CHECK_INT(io_timeouted(), -1);
}

TEST(a_timer_of_0_ms_passes_at_once) { fires(0, 0, 1000); }
TEST(a_timer_of_1_ms_passes) { fires(1, 0, 1000); }
TEST(a_timer_of_50_ms_passes_in_its_time) { fires(50, 49, 1500); }
TEST(a_timer_in_the_past_passes_at_once) { fires(-5000, 0, 1000); }
TEST(a_timer_of_long_ago_passes_at_once) { fires(-1000000000000LL, 0, 1000); }

/* Each row: a deadline that far ahead never ends a wait, nor wraps around. */
static void never_fires(uint64 seconds) {
  int64 d[2], begun;
  tai6464 far = {{seconds}, 999999999, 999999999};
  l_pipe(d, 1);
  io_timeout(d[0], far);
  CHECK_INT(io_timedout(d[0]), 0);
  begun = t_now_ms();
  io_waituntil2(50);
  CHECK(t_now_ms() - begun >= 49);
  CHECK_INT(io_timeouted(), -1);
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
}

TEST(a_timer_in_49_days_is_not_cut_to_32_bits_of_ms) { never_fires(l_in_ms((int64)0x100000000LL).sec.x); }
TEST(a_timer_in_25_days_is_not_cut_to_31_bits_of_ms) { never_fires(l_in_ms((int64)0x80000001LL).sec.x); }
TEST(a_timer_beyond_31_bits_of_seconds_does_not_pass) { never_fires(L_EPOCH + 0x80000000ULL + 1); }
TEST(a_timer_beyond_32_bits_of_seconds_does_not_pass) { never_fires(L_EPOCH + 0x100000001ULL); }
TEST(a_timer_beyond_all_labels_does_not_pass) { never_fires(~0ULL); }

/* Deadlines pass in the order of their times, in whatever order they were set. */
static void ordered(const int *ms, int n) {
  int64 d[8], last = -1;
  int i, found[8] = {0}, count;
  for (i = 0; i < n; i++) d[i] = timer(ms[i]);
  for (count = 0; count < n; count++) {
    int64 next = next_timer(L_PATIENCE);
    for (i = 0; i < n && d[i] != next; i++) {}
    CHECK(i < n && !found[i]);
    found[i] = 1;
    CHECK(ms[i] >= last);
    last = ms[i];
    io_close(next);
    CHECK_INT(io_timedout(d[i]), 0);
  }
  CHECK_INT(io_timeouted(), -1);
}

TEST(timers_set_in_order_pass_in_order) { ordered((const int[]){0, 60, 120, 180}, 4); }
TEST(timers_set_backwards_pass_in_order) { ordered((const int[]){180, 120, 60, 0}, 4); }
TEST(timers_set_crosswise_pass_in_order) { ordered((const int[]){120, 0, 180, 60}, 4); }

TEST(timers_of_one_time_all_pass_in_one_turn) {
  tai6464 when = l_in_ms(20);
  int64 d[MANY][2], next;
  int i, named = 0;
  for (i = 0; i < MANY; i++) {
    l_pipe(d[i], 1);
    io_timeout(d[i][0], when);
  }
  CHECK((next = next_timer(L_PATIENCE)) != -1);
  for (; next != -1; next = io_timeouted()) {
    named++;
    io_timeout(next, l_never());
  }
  CHECK_INT(named, MANY);
}

/* What its handler does with a deadline that has passed. */
TEST(a_timer_that_is_set_again_in_its_handler_passes_again) {
  int64 d = timer(10), begun = t_now_ms();
  int round;
  for (round = 1; round <= 5; round++) {
    CHECK_INT(next_timer(L_PATIENCE), d);
    io_timeout(d, l_in_ms(10));
    CHECK(t_now_ms() - begun >= 10 * round - 1);
    CHECK_INT(io_timeouted(), -1);
  }
}

TEST(a_timer_that_is_set_again_to_0_ms_lets_the_loop_go_on) {
  int64 d = timer(0), other[2];
  int round, heard = 0;
  char c;
  l_pipe(other, 1);
  l_put(other[1], "x");
  for (round = 0; round < 20 || !heard; round++) {
    CHECK(round < 1000);
    io_waituntil2(L_PATIENCE);
    if (io_canread() == other[0]) heard = io_tryread(other[0], &c, 1) == 1;
    if (io_timeouted() == d) io_timeout(d, l_in_ms(0));
  }
}

TEST(a_timer_that_is_taken_back_in_a_handler_does_not_pass) {
  int64 first = timer(10), second = timer(30);
  CHECK_INT(next_timer(L_PATIENCE), first);
  io_timeout(second, l_never());
  io_close(first);
  CHECK_INT(next_timer(60), -1);
}

TEST(a_timer_whose_descriptor_a_handler_closes_does_not_pass) {
  int64 first = timer(10), second = timer(30);
  CHECK_INT(next_timer(L_PATIENCE), first);
  io_close(second);
  io_close(first);
  CHECK_INT(next_timer(60), -1);
}

TEST(of_two_that_passed_the_handler_of_one_closes_the_other) {
  int64 a = timer(-10), b = timer(-10), next;
  io_check();
  next = io_timeouted();
  CHECK(next == a || next == b);
  io_close(a + b - next);
  io_timeout(next, l_never());
  CHECK_INT(io_timeouted(), -1);
}

TEST(a_timer_that_is_brought_forward_passes_earlier) {
  int64 d = timer(60000), begun = t_now_ms();
  io_check();
  io_timeout(d, l_in_ms(20));
  CHECK_INT(next_timer(L_PATIENCE), d);
  CHECK(t_now_ms() - begun < L_PATIENCE);
}

TEST(a_timer_that_is_put_back_passes_later) {
  int64 d = timer(10), begun = t_now_ms();
  io_timeout(d, l_in_ms(100));
  CHECK_INT(next_timer(L_PATIENCE), d);
  CHECK(t_now_ms() - begun >= 99);
}

TEST(a_timer_of_a_wait_that_was_short_remains) {
  int64 d = timer(80);
  io_waituntil2(5);
  CHECK_INT(io_timeouted(), -1);
  CHECK_INT(next_timer(L_PATIENCE), d);
}

TEST(a_timer_that_was_set_before_a_long_pause_has_passed) {
  int64 d = timer(10);
  poll(NULL, 0, 30);
  io_check();
  CHECK_INT(io_timeouted(), d);
}

TEST(a_timer_of_0_ms_is_no_wait_of_0_ms_for_others) {
  int64 d = timer(0);
  CHECK_INT(next_timer(L_PATIENCE), d);
  io_timeout(d, l_never());
  l_check_sleeps(100);
}

/* Deadlines and events. */
TEST(an_event_before_its_timer_comes_alone) {
  int64 d[2];
  char c;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(2000));
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  CHECK_INT(io_timeouted(), -1);
  CHECK_INT(io_tryreadtimeout(d[0], &c, 1), -1);
  CHECK_ERRNO(EAGAIN);
}

TEST(data_that_came_after_the_timer_is_still_read) {
  int64 d[2];
  char c;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(-10));
  CHECK_INT(next_timer(L_PATIENCE), d[0]);
  CHECK_INT(io_tryreadtimeout(d[0], &c, 1), -2);
  CHECK_ERRNO(ETIMEDOUT);
  l_put(d[1], "x");
  CHECK_INT(io_tryreadtimeout(d[0], &c, 1), 1);
  l_put(d[1], "y");
  l_expect_read_only(d[0]);
}

TEST(a_timer_that_each_event_puts_back_does_not_pass_while_events_come) {
  int64 d[2];
  int round;
  char c;
  l_pipe(d, 1);
  for (round = 0; round < 10; round++) {
    io_timeout(d[0], l_in_ms(500));
    poll(NULL, 0, 5);
    l_put(d[1], "x");
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    CHECK_INT(io_timeouted(), -1);
  }
  io_timeout(d[0], l_in_ms(10));
  CHECK_INT(next_timer(L_PATIENCE), d[0]);
}

TEST(a_peer_that_sends_a_byte_now_and_then_does_not_put_back_its_timer) {
  int64 d[2], begun = t_now_ms();
  char c;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(60));
  while (!io_timedout(d[0])) {
    CHECK(t_now_ms() - begun < L_PATIENCE);
    l_put(d[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
  }
  CHECK(t_now_ms() - begun >= 59);
  CHECK_INT(next_timer(L_PATIENCE), d[0]);
}

TEST(a_timer_for_writing_passes_while_there_is_no_room) {
  int64 d[2];
  p_writer(PIPE, d);
  t_fill(d[0]);
  io_wantwrite(d[0]);
  io_timeout(d[0], l_in_ms(30));
  CHECK_INT(next_timer(L_PATIENCE), d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_trywritetimeout(d[0], "x", 1), -2);
  CHECK_ERRNO(ETIMEDOUT);
}

/* promise: Deadlines end waits */
TEST(a_timer_ends_a_wait_beside_others_that_are_busy) {
  int64 d = timer(40), busy[2], begun = t_now_ms();
  l_pipe(busy, 1);
  l_put(busy[1], "x"); /* and is never read */
  while (io_timeouted() != d) {
    CHECK(t_now_ms() - begun < L_PATIENCE);
    io_waituntil2(L_PATIENCE);
    io_canread();
  }
  CHECK(t_now_ms() - begun >= 39);
}

/* How exact a wait is, on either side of a millisecond. */
static void exact(int64 us) {
  int round;
  l_idle();
  for (round = 0; round < 5; round++) {
    struct timespec now, after;
    tai6464 label = l_in_ms(0);
    int64 took;
    CHECK_INT(clock_gettime(CLOCK_REALTIME, &now), 0);
    label.sec.x = L_EPOCH + (uint64)now.tv_sec + (uint64)((now.tv_nsec / 1000 + us) / 1000000);
    label.nano = (uint32_t)((now.tv_nsec + us * 1000) % 1000000000);
    io_waituntil(label);
    CHECK_INT(clock_gettime(CLOCK_REALTIME, &after), 0);
    took = (after.tv_sec - now.tv_sec) * 1000000 + (after.tv_nsec - now.tv_nsec) / 1000;
    CHECK(took >= us - 1);
    CHECK(took < us + 1000000);
  }
}

/* promise: Limits */
TEST(a_wait_below_a_millisecond_is_not_cut_short) { exact(300); }
TEST(a_wait_above_a_millisecond_is_not_cut_short) { exact(2700); }

TEST(two_waits_with_a_limit_each_take_their_time) {
  int64 begun = t_now_ms();
  l_idle();
  CHECK_INT(io_waituntil2(40), 0);
  CHECK(t_now_ms() - begun >= 39);
  CHECK_INT(io_waituntil2(40), 0);
  CHECK(t_now_ms() - begun >= 79);
}

/* Timers at random against a list that is looked through whole. */
TEST(a_thousand_random_changes_of_timers_lose_none_and_invent_none) {
  int64 d[MANY], next, now;
  int64 due[MANY];
  unsigned seed = 20;
  int i, step;
  for (i = 0; i < MANY; i++) d[i] = timer(60000), due[i] = 0;
  for (step = 0; step < 1000; step++) {
    i = rand_r(&seed) % MANY;
    switch (rand_r(&seed) % 3) {
    case 0: io_timeout(d[i], l_never()), due[i] = 0; break;
    case 1: io_timeout(d[i], l_in_ms(3600000 + rand_r(&seed) % 1000)), due[i] = 0; break;
    default: io_timeout(d[i], l_in_ms(rand_r(&seed) % 3)), due[i] = 1;
    }
    if (step % 10) continue;
    now = t_now_ms();
    io_waituntil2(0);
    while ((next = io_timeouted()) != -1) {
      for (i = 0; d[i] != next; i++) CHECK(i < MANY - 1);
      CHECK_INT(due[i], 1);
      io_timeout(next, l_never()), due[i] = 0;
    }
    CHECK(t_now_ms() - now < L_PATIENCE);
  }
  poll(NULL, 0, 5);
  io_check();
  while ((next = io_timeouted()) != -1) {
    for (i = 0; d[i] != next; i++) CHECK(i < MANY - 1);
    CHECK_INT(due[i], 1);
    io_timeout(next, l_never()), due[i] = 0;
  }
  for (i = 0; i < MANY; i++) CHECK_INT(due[i], 0);
}
