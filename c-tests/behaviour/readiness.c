/* The event model: when a descriptor is reported, and how often. */
#include "many.h"

/* promise: One report a direction and wait */
TEST(there_is_one_event_a_descriptor_and_direction_whatever_is_called) {
  int64 d[2];
  int i;
  l_pipe(d, 1);
  l_put(d[1], "x");
  for (i = 0; i < 3; i++) {
    io_check();
    io_wantread(d[0]);
    io_dontwantread(d[0]);
    io_wantread(d[0]);
    io_check();
  }
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Nothing is lost */
TEST(what_was_left_unread_is_reported_again) {
  int64 d[2];
  char buf[3];
  int i;
  l_pipe(d, 1);
  l_put(d[1], "0123456789");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  for (i = 0; i < 3; i++) {
    CHECK_INT(io_tryread(d[0], buf, 3), 3);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  }
  io_check(); /* the report was ignored */
  CHECK_INT(io_canread(), d[0]);
}

/* promise: Nothing is lost */
TEST(what_a_plain_read_left_is_reported_again) {
  int64 d[2];
  char c;
  l_pipe(d, 1);
  l_put(d[1], "012");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(read((int)d[0], &c, 1), 1);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Nothing is lost */
TEST(room_that_is_left_is_reported_again) {
  int64 d[2];
  t_unix_pair(d);
  l_write_event(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

/* promise: Taking no report twice */
TEST(a_taken_event_is_not_reported_again_before_the_next_wait) {
  int64 d[2];
  t_unix_pair(d);
  l_put(d[1], "x");
  l_read_event(d[0]);
  io_wantwrite(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_wantread(d[0]);
  CHECK_INT(io_canread(), -1);
  io_dontwantread(d[0]);
  io_wantread(d[0]);
  CHECK_INT(io_canread(), -1);
  io_check();
  CHECK_INT(io_canread(), d[0]);
}

/* promise: One report a direction and wait */
TEST(io_wantwrite_in_the_handler_does_not_repeat_the_event) {
  int64 d[2];
  t_unix_pair(d);
  l_write_event(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  io_dontwantwrite(d[0]);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  io_check();
  CHECK_INT(io_canwrite(), d[0]);
}

/* promise: A report is true */
TEST(a_read_that_took_everything_is_not_followed_by_an_event_unless_more_came) {
  int64 d[2];
  char buf[10];
  int tcp;
  for (tcp = 0; tcp < 2; tcp++) {
    (tcp ? t_tcp_pair : t_unix_pair)(d);
    io_nonblock(d[0]);
    l_read_event(d[0]);
    l_put(d[1], "0123456789");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], buf, 10), 10);
    CHECK_INT(l_next_read(50), -1);
    l_put(d[1], "0");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], buf, 10), 1);
    CHECK_INT(l_next_read(50), -1);
    io_close(d[0]);
  }
}

/* promise: A report is true */
TEST(every_report_is_followed_by_data) {
  int64 d[2];
  char buf[64] = {0};
  int i;
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  for (i = 0; i < 200; i++) {
    int64 n = i % 3 == 0 ? 64 : 5;
    CHECK_INT(write((int)d[1], buf, (size_t)n), n);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], buf, i % 3 == 1 ? 5 : 64), n);
    io_check();
    CHECK_INT(io_canread(), -1);
  }
}

/* promise: A report is true */
TEST(an_event_that_was_not_taken_is_checked_again_by_the_next_wait) {
  int64 a[2], b[2], first;
  char c;
  l_pipe(a, 1);
  l_pipe(b, 1);
  l_put(a[1], "x");
  l_put(b[1], "x");
  io_check();
  first = io_canread();
  CHECK(first == a[0] || first == b[0]);
  CHECK_INT(read((int)a[0], &c, 1), 1);
  CHECK_INT(read((int)b[0], &c, 1), 1);
  io_check();
  CHECK_INT(io_canread(), -1);
  l_check_asleep();
}

/* promise: A wait does not sleep over a report */
TEST(a_program_that_never_calls_io_canread_still_sleeps) {
  int64 d[2];
  char buf[16];
  int i;
  l_pipe(d, 1);
  for (i = 0; i < 3; i++) {
    l_put(d[1], "hi");
    io_waituntil2(L_PATIENCE);
    CHECK_INT(io_tryread(d[0], buf, sizeof buf), 2);
    CHECK_INT(io_tryread(d[0], buf, sizeof buf), -1);
    l_check_sleeps(100);
  }
}

/* promise: A wait does not sleep over a report */
TEST(a_wait_does_not_sleep_while_an_event_is_pending) {
  int64 a[2], b[2], start;
  l_pipe(a, 1);
  l_pipe(b, 1);
  l_put(a[1], "x");
  l_put(b[1], "x");
  io_check();
  CHECK(io_canread() != -1);
  start = t_now_ms();
  io_waituntil2(L_PATIENCE);
  CHECK(t_now_ms() - start < L_PATIENCE / 2);
  CHECK(io_canread() != -1);
}

/* promise: A wait does not sleep over a report */
TEST(a_pending_event_that_is_no_longer_wanted_lets_waits_sleep) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  l_put(d[1], "x");
  io_check();
  io_dontwantread(d[0]);
  l_check_asleep();
}

/* promise: Withdrawing takes effect at once */
TEST(io_dontwantread_and_io_dontwantwrite_withdraw_a_pending_event_at_once) {
  int64 a[2], b[2];
  l_pipe(a, 1);
  l_pipe(b, 1);
  l_put(a[1], "x");
  l_put(b[1], "x");
  io_check();
  io_dontwantread(a[0]);
  CHECK_INT(io_canread(), b[0]);
  CHECK_INT(io_canread(), -1);
  io_wantread(a[0]);
  io_dontwantread(b[0]);
  io_check();
  CHECK_INT(io_canread(), a[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Telling the loop of EAGAIN */
TEST(io_eagain_withdraws_the_event_and_the_next_wait_asks_the_kernel) {
  int64 d[2];
  t_unix_pair(d);
  l_put(d[1], "x");
  l_read_event(d[0]);
  io_wantwrite(d[0]);
  io_check();
  io_eagain_read(d[0]);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), d[0]);
  io_check();
  io_eagain_write(d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_canread(), d[0]);
  io_check();
  io_eagain(d[0]);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  io_check();
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canwrite(), d[0]);
}

/* promise: The hint that a descriptor is writable */
TEST(the_hint_makes_the_first_write_event_come_without_a_wait) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  CHECK_INT(io_canwrite(), -1);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(io_canwrite(), -1);
  io_dontwantwrite(d[0]); /* the hint is used up */
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

/* promise: The hint that a descriptor is writable */
TEST(the_hint_may_be_given_as_a_flag_and_on_a_registered_descriptor) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd_flags(d[0], IO_FD_CANWRITE), 1);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_fd_canwrite(d[1]), 1);
  io_wantwrite(d[1]);
  CHECK_INT(io_canwrite(), d[1]);
}

/* promise: The hint that a descriptor is writable */
TEST(a_write_that_finds_no_room_drops_the_hint) {
  int64 d[2];
  t_unix_pair(d);
  t_fill(d[0]);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  CHECK_INT(io_trywrite(d[0], "x", 1), -1);
  CHECK_ERRNO(EAGAIN);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(l_next_write(50), -1);
}

/* promise: The hint that a descriptor is writable */
TEST(a_short_write_drops_the_hint) {
  static char much[4 << 20];
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  CHECK(io_trywrite(d[0], much, sizeof much) < (int64)sizeof much);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(l_next_write(50), -1);
}

TEST(every_one_of_250_ready_descriptors_is_reported) {
  static int reported[4096];
  int64 d[2], next;
  int i, found = 0, rounds;
  for (i = 0; i < 250; i++) {
    l_pipe(d, 1);
    CHECK(d[1] < 4096);
    l_put(d[1], "x");
  }
  for (rounds = 0; rounds < 10 && found < 250; rounds++) {
    io_waituntil2(1000);
    while ((next = io_canread()) != -1) {
      found += !reported[next];
      reported[next] = 1;
    }
  }
  CHECK_INT(found, 250);
}

/* More than any queue between the kernel and a backend holds. */
/* promise: Nothing is lost */
TEST(every_one_of_3000_ready_descriptors_is_reported) {
  enum { N = 3000 };
  static int64 d[N];
  static char reported[N + 64];
  int i, left = N;
  int64 next;
  uint64_t one = 1;
  struct rlimit limit;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max < N + 64 ? limit.rlim_max : N + 64;
  if (limit.rlim_cur < N + 64) SKIP("too few descriptors are allowed");
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (i = 0; i < N; i++) {
    d[i] = m_event();
    l_read_event(d[i]);
  }
  io_waituntil2(1);
  for (i = 0; i < N; i++) CHECK_INT(write((int)d[i], &one, sizeof one), sizeof one);
  while (left > 0) {
    io_waituntil2(0);
    CHECK((next = io_canread()) != -1);
    do {
      CHECK(!reported[next]++);
      CHECK_INT(io_tryread(next, (char *)&one, sizeof one), sizeof one);
      left--;
    } while ((next = io_canread()) != -1);
  }
  CHECK_INT(io_waituntil2(0), 0);
}

/* promise: Everyone gets a turn */
TEST(a_descriptor_that_is_always_ready_starves_nobody) {
  int64 d[3][2], next;
  int i, reported[3] = {0, 0, 0};
  for (i = 0; i < 3; i++) {
    l_pipe(d[i], 1);
    l_put(d[i][1], "never read");
  }
  for (i = 0; i < 12; i++) { /* one event a turn */
    int k;
    io_check();
    next = io_canread();
    for (k = 0; k < 3; k++) reported[k] += next == d[k][0];
  }
  CHECK(reported[0] && reported[1] && reported[2]);
}

/* promise: One report a direction and wait */
TEST(reading_and_writing_are_reported_independently) {
  int64 a[2], b[2], first;
  t_unix_pair(a);
  t_unix_pair(b);
  l_put(a[1], "x");
  l_put(b[1], "x");
  l_read_event(a[0]);
  l_read_event(b[0]);
  io_wantwrite(a[0]);
  io_wantwrite(b[0]);
  io_check();
  first = io_canread(); /* in small portions, alternating */
  CHECK(first == a[0] || first == b[0]);
  CHECK(io_canwrite() != -1);
  CHECK_INT(io_canread(), first == a[0] ? b[0] : a[0]);
  CHECK(io_canwrite() != -1);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
}

TEST(plain_reads_that_the_library_is_not_told_of_do_not_spin) {
  int64 d[2];
  char buf[64];
  l_pipe(d, 1);
  l_put(d[1], "hello");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(read((int)d[0], buf, sizeof buf), 5);
  l_check_asleep();
}

/* promise: No spinning */
TEST(unwanted_data_does_not_spin) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_dontwantread(d[0]);
  l_check_asleep();
  io_wantread(d[0]); /* and is not forgotten */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}
