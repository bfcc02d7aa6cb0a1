/* io_want*, io_dontwant*, io_eagain*: the transition table, unknown descriptors, errno. */
#include "loop.h"

static const int64 strange[] = {-1, -2, INT64_MIN, 1LL << 31, 1LL << 32, INT64_MAX, 900};

/* promise: Impossible numbers */
TEST(calls_about_interest_ignore_impossible_numbers) {
  unsigned i;
  int64 d[2];
  l_pipe(d, 1);
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    io_wantread(strange[i]);
    io_wantwrite(strange[i]);
    io_dontwantread(strange[i]);
    io_dontwantwrite(strange[i]);
    io_eagain(strange[i]);
    io_eagain_read(strange[i]);
    io_eagain_write(strange[i]);
  }
  l_put(d[1], "x"); /* and the loop still works */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Stating and withdrawing interest */
TEST(a_descriptor_that_was_never_registered_is_not_reported) {
  int64 d[2];
  t_pipe(d);
  l_put(d[1], "x");
  io_wantread(d[0]);
  io_check();
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_fd(d[0]), 1);
  io_check(); /* the want before io_fd was lost */
  CHECK_INT(io_canread(), -1);
}

/* promise: Calls about interest keep errno */
TEST(successful_calls_leave_errno_as_it_was) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  errno = 12345;
  io_wantread(d[0]);
  io_wantwrite(d[0]);
  io_eagain(d[0]);
  io_eagain_read(d[0]);
  io_eagain_write(d[0]);
  io_dontwantread(d[0]);
  io_dontwantwrite(d[0]);
  io_setcookie(d[0], &d);
  CHECK(io_getcookie(d[0]) == &d);
  io_timeout(d[0], l_in_ms(1000));
  CHECK_ERRNO(12345);
}

/* What the last wait brought may be looked into only now: here a pipe whose reader is gone. */
/* promise: Calls about interest keep errno */
TEST(a_call_leaves_errno_as_it_was_whatever_the_last_wait_brought_for_others) {
  int64 d[2], broken[2];
  t_unix_pair(d);
  l_read_event(d[0]);
  CHECK_INT(io_fd(d[1]), 1);
  l_pipe(broken, 0);
  l_write_event(broken[1]);
  CHECK_INT(l_next_write(L_PATIENCE), broken[1]);
  io_dontwantwrite(broken[1]);
  l_put(d[1], "x");
  close((int)broken[0]);
  io_check();
  errno = 12345;
  io_dontwantread(d[1]);
  CHECK_ERRNO(12345);
}

/* promise: Stating and withdrawing interest */
TEST(interest_stated_or_withdrawn_twice_counts_once) {
  int64 d[2];
  t_unix_pair(d);
  l_put(d[1], "x");
  CHECK_INT(io_fd(d[0]), 1);
  io_dontwantread(d[0]);
  io_dontwantread(d[0]);
  io_wantread(d[0]);
  io_wantread(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_wantread(d[0]);
  io_wantread(d[0]);
  io_check();
  io_wantread(d[0]);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
  io_dontwantread(d[0]);
  io_dontwantread(d[0]);
  io_check();
  CHECK_INT(io_canread(), -1);
}

/* promise: Taking no report twice */
TEST(a_short_read_withdraws_the_pending_event) {
  int64 d[2];
  char buf[8];
  l_idle();
  l_pipe(d, 1);
  l_put(d[1], "xy");
  io_check();
  CHECK_INT(io_tryread(d[0], buf, 8), 2);
  CHECK_INT(io_canread(), -1);
  l_check_asleep();
  l_put(d[1], "z");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

TEST(a_short_read_before_any_event_is_taken_withdraws_the_event) {
  int64 d[2], other[2];
  char buf[8];
  int i;
  t_unix_pair(other);
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(other[0]);
  l_read_event(d[0]);
  CHECK_INT(io_tryread(d[0], buf, 8), -1); /* it is known for a socket now */
  for (i = 0; i < 2; i++) {
    l_put(d[1], "x");
    if (i) l_put(other[1], "y");
    io_check();
    CHECK_INT(io_tryread(d[0], buf, 8), 1);
    CHECK_INT(io_canread(), i ? other[0] : -1);
    CHECK_INT(io_canread(), -1);
  }
}

TEST(a_short_write_before_any_event_is_taken_withdraws_the_event) {
  static char buf[1 << 20];
  io_batch b;
  int64 d[2][2], other[2];
  int i;
  t_unix_pair(other);
  l_read_event(other[0]);
  for (i = 0; i < 2; i++) {
    t_unix_pair(d[i]);
    io_nonblock(d[i][0]);
    t_fill(d[i][0]);
    l_write_event(d[i][0]);
  }
  CHECK_INT(io_waituntil2(1), 0); /* long enough to have them watched */
  l_put(other[1], "x");           /* the first event: those behind it are not looked at yet */
  for (i = 0; i < 2; i++) {
    while (recv((int)d[i][1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
    }
  }
  io_check();
  while (io_trywrite(d[0][0], buf, sizeof buf) > 0) {
  }
  memset(&b, 0, sizeof b);
  CHECK_INT(iob_addbuf(&b, buf, sizeof buf), 1);
  while (iob_send(d[1][0], &b) > 0) {
  }
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_canread(), other[0]);
  iob_reset(&b);
}

/* promise: Taking no report twice */
TEST(a_write_that_finds_no_room_withdraws_the_pending_event) {
  int64 d[2];
  static char buf[65536];
  l_idle();
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  io_check();
  while (io_trywrite(d[0], buf, sizeof buf) > 0) {
  }
  CHECK_INT(io_canwrite(), -1);
  l_check_asleep();
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

/* promise: Taking no report twice */
TEST(transfers_that_fail_withdraw_the_pending_event) {
  int64 d[2];
  char buf[8] = "";
  int i;
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  l_read_event(d[0]);
  l_put(d[1], "x");
  for (i = 0; i < 4; i++) {
    io_check();
    switch (i) {
      case 0: CHECK_INT(io_tryread(d[0], buf, -1), -3); break;
      case 1: CHECK_INT(io_tryreadtimeout(d[0], buf, -1), -3); break;
      case 2: CHECK_INT(io_trywrite(d[0], buf, -1), -3); break;
      default: CHECK_INT(io_trywritetimeout(d[0], buf, -1), -3);
    }
    CHECK_INT(io_canread(), i < 2 ? -1 : d[0]);
    CHECK_INT(io_canwrite(), i < 2 ? d[0] : -1);
  }
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_canwrite(), d[0]);
}

TEST(io_sendfile_of_what_is_no_file_withdraws_the_pending_event) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  io_check();
  CHECK_INT(io_sendfile(d[0], -1, 0, 10), -3);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

/* promise: Withdrawing takes effect at once */
TEST(interest_stated_again_is_reported_by_the_next_wait) {
  int64 d[2];
  int i;
  t_unix_pair(d);
  l_put(d[1], "x");
  l_read_event(d[0]);
  for (i = 0; i < 5; i++) {
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    io_dontwantread(d[0]);
    io_check();
    CHECK_INT(io_canread(), -1);
    io_wantread(d[0]);
  }
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Stating and withdrawing interest */
TEST(interest_in_reading_and_writing_is_independent) {
  int64 d[2];
  int i;
  t_unix_pair(d);
  l_put(d[1], "x");
  CHECK_INT(io_fd(d[0]), 1);
  for (i = 0; i < 4; i++) {
    io_wantread(d[0]);
    l_expect_read_only(d[0]);
    io_dontwantread(d[0]);
    io_wantwrite(d[0]);
    l_expect_write_only(d[0]);
    io_dontwantwrite(d[0]);
  }
}

/* promise: Withdrawing takes effect at once */
TEST(data_that_came_while_unwanted_is_reported_when_wanted) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(20);
  io_dontwantread(d[0]);
  l_put(d[1], "x");
  io_waituntil2(20);
  CHECK_INT(io_canread(), -1);
  io_wantread(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}
