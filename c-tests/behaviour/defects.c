/* Regressions in the event loop that libowfat 0.32 has; what concerns one function only has its test with
 * that function. */
#include "loop.h"

#include <sys/resource.h>

TEST(low_numbers_may_be_registered_before_the_first_wait) {
  int64 d[2];
  t_pipe(d);
  l_put(d[1], "x");
  CHECK_INT(dup2((int)d[0], 0), 0);
  CHECK_INT(dup2((int)d[0], 16), 16);
  CHECK_INT(dup2((int)d[0], 800), 800);
  l_read_event(0);
  CHECK_INT(io_fd(16), 1);
  CHECK_INT(io_fd(800), 1);
  CHECK_INT(l_next_read(L_PATIENCE), 0);
  CHECK_INT(io_canread(), -1);
}

/* promise: A wait does not sleep over a report */
TEST(a_wait_does_not_sleep_while_the_hint_is_pending) {
  int64 d[2], begun;
  l_idle();
  t_unix_pair(d);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  io_wantwrite(d[0]);
  begun = t_now_ms();
  io_waituntil2(1000);
  CHECK(t_now_ms() - begun < 500);
  CHECK_INT(io_canwrite(), d[0]);
}

/* promise: A wait does not sleep over a report */
TEST(an_echo_on_one_connection_never_sleeps_while_an_event_is_pending) {
  int64 d[2], begun;
  char c;
  int i;
  t_tcp_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  io_wantread(d[0]);
  for (i = 0; i < 10; i++) {
    l_put(d[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    io_dontwantread(d[0]);
    io_wantwrite(d[0]);
    begun = t_now_ms();
    io_waituntil2(200);
    CHECK(t_now_ms() - begun < 100);
    CHECK_INT(io_canwrite(), d[0]);
    CHECK_INT(io_trywrite(d[0], &c, 1), 1);
    CHECK_INT(read((int)d[1], &c, 1), 1);
    io_dontwantwrite(d[0]);
    io_wantread(d[0]);
  }
}

/* promise: Nothing is lost */
TEST(a_second_io_wantwrite_loses_no_event_of_others) {
  int64 a[2], b[2], first, second;
  l_idle();
  t_unix_pair(a);
  t_unix_pair(b);
  CHECK_INT(io_fd_canwrite(a[0]), 1);
  CHECK_INT(io_fd_canwrite(b[0]), 1);
  io_wantwrite(a[0]);
  io_wantwrite(b[0]);
  io_wantwrite(b[0]);
  first = io_canwrite();
  second = io_canwrite();
  CHECK((first == a[0] && second == b[0]) || (first == b[0] && second == a[0]));
  CHECK_INT(io_canwrite(), -1);
  io_dontwantwrite(a[0]);
  io_dontwantwrite(b[0]);
  l_check_asleep();
}

/* Two readable descriptors, one of them toggled while both events are pending. */
static void toggle_one_of_two(int which) {
  int64 d[2][2], next;
  int i, k, reported[2] = {0, 0};
  for (i = 0; i < 2; i++) {
    l_pipe(d[i], 1);
    l_put(d[i][1], "x");
  }
  io_check();
  io_dontwantread(d[which][0]);
  io_wantread(d[which][0]);
  for (k = 0; k < 3; k++) {
    while ((next = io_canread()) != -1) {
      for (i = 0; i < 2; i++) reported[i] += next == d[i][0];
    }
    io_check();
  }
  CHECK(reported[0] > 0 && reported[1] > 0);
  for (i = 0; i < 2; i++) io_close(d[i][0]);
}

/* promise: Nothing is lost */
TEST(withdrawing_and_stating_interest_of_one_loses_no_event_of_others) {
  toggle_one_of_two(1);
  toggle_one_of_two(0);
}

/* promise: Sent memory belongs to the caller again */
TEST(sending_much_causes_no_false_read_events) {
  static char block[20000];
  int64 d[2], got = 0, n;
  io_batch b;
  memset(&b, 0, sizeof b);
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  CHECK_INT(iob_addbuf(&b, block, sizeof block), 1);
  while ((n = iob_send(d[0], &b)) > 0) {
  }
  CHECK_INT(n, 0);
  while (got < (int64)sizeof block) {
    n = read((int)d[1], block, sizeof block);
    CHECK(n > 0);
    got += n;
  }
  l_check_asleep();
}

/* promise: No spinning */
TEST(unwanted_hangup_of_a_pipe_does_not_spin) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(1);
  io_dontwantread(d[0]);
  close((int)d[1]);
  l_check_asleep();
  io_wantread(d[0]); /* and is not forgotten */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

TEST(unwanted_error_of_a_pipe_does_not_spin) {
  int64 d[2];
  l_idle();
  t_pipe(d);
  l_write_event(d[1]);
  io_waituntil2(1);
  CHECK_INT(io_canwrite(), d[1]);
  io_dontwantwrite(d[1]);
  close((int)d[0]);
  l_check_asleep();
  io_wantwrite(d[1]);
  CHECK_INT(l_next_write(L_PATIENCE), d[1]);
}

/* promise: No spinning */
TEST(unwanted_reset_does_not_spin) {
  int64 d[2];
  l_idle();
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_dontwantread(d[0]);
  l_reset(d[1]);
  l_until(d[0], POLLHUP);
  l_check_asleep();
  io_wantread(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Nothing is lost */
TEST(reading_one_of_two_does_not_lose_the_other) {
  int64 d[2][2];
  char c;
  int i;
  for (i = 0; i < 2; i++) {
    t_pipe(d[i]); /* blocking */
    l_read_event(d[i][0]);
    l_put(d[i][1], "x");
  }
  io_check();
  for (i = 0; i < 2; i++) {
    /* whichever is queued first; the other one must stay */
    CHECK_INT(io_tryread(d[i][0], &c, 1), 1);
    CHECK_INT(io_tryread(d[i][0], &c, 1), -1);
    CHECK_INT(l_next_read(1000), d[!i][0]);
    l_put(d[i][1], "x");
    io_check();
  }
}

/* promise: Nothing is lost */
TEST(short_sendfile_on_one_of_two_does_not_lose_the_other) {
  int64 d[2][2], file = t_tmpfile(4 << 20), reported;
  int i;
  for (i = 0; i < 2; i++) {
    t_unix_pair(d[i]);
    io_nonblock(d[i][0]);
    l_write_event(d[i][0]);
  }
  io_check();
  while (io_sendfile(d[1][0], file, 0, 4 << 20) > 0) {
  }
  reported = l_next_write(1000);
  CHECK_INT(reported, d[0][0]);
}

TEST(a_write_that_finds_no_room_before_the_hint_is_taken_loses_no_event) {
  static char buf[65536];
  int64 d[2];
  t_unix_pair(d);
  t_fill(d[0]);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  io_wantwrite(d[0]);
  CHECK_INT(io_trywrite(d[0], "x", 1), -1);
  CHECK_INT(io_canwrite(), -1);
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  CHECK_INT(l_next_write(1000), d[0]);
  CHECK_INT(io_trywrite(d[0], "x", 1), 1);
}

/* promise: A report is true */
TEST(readiness_found_while_unwanted_is_checked_before_it_is_reported) {
  int64 d[2];
  char c;
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(1);
  io_dontwantread(d[0]);
  l_put(d[1], "x");
  io_waituntil2(20);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(read((int)d[0], &c, 1), 1);
  io_wantread(d[0]);
  CHECK_INT(io_canread(), -1);
  l_check_asleep();
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: No spinning */
TEST(new_connections_cause_no_empty_wakeups) {
  int i, empty = 0;
  l_idle();
  for (i = 0; i < 20; i++) {
    int64 d[2], end = t_now_ms() + L_PATIENCE;
    char c;
    t_tcp_pair(d);
    io_nonblock(d[0]);
    l_read_event(d[0]);
    l_put(d[1], "x");
    for (;;) {
      int64 next, n = io_waituntil2(30);
      CHECK(t_now_ms() < end);
      next = io_canread();
      CHECK(next == -1 || next == d[0]);
      empty += n > 0 && next == -1;
      if (next != -1) CHECK_INT(io_tryread(d[0], &c, 1), 1);
      if (n == 0) break;
    }
    io_close(d[0]);
    close((int)d[1]);
  }
  CHECK(empty <= 10);
}

/* Milliseconds for a number of look-ups. */
static int64 lookups(int64 d) {
  static int cookie;
  int64 begun;
  int i;
  CHECK_INT(io_fd_flags(d, IO_FD_NONBLOCK), 1);
  io_setcookie(d, &cookie);
  begun = t_now_ms();
  for (i = 0; i < 500000; i++) CHECK(io_getcookie(d) == &cookie);
  return t_now_ms() - begun;
}

/* promise: Memory and time do not depend on the number */
TEST(lookup_cost_does_not_grow_with_the_number) {
  int64 low = lookups(10), high = lookups(100000);
  CHECK(high <= 4 * low + 20); /* 223 ms against 2 in 0.32 */
}
