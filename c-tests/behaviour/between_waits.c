/* Changes between two waits that the library does not see: numbers are closed, replaced and duplicated, others take the
 * data or fill the room. And interest that is stated and withdrawn. */
#include "many.h"

/* promise: Closing behind the library */
TEST(plain_close_of_a_number_with_a_pending_event_is_noticed) {
  int64 d[2], fresh[2];
  int copy, kept;
  l_idle();
  for (kept = 0; kept < 2; kept++) {
    l_pipe(d, 1);
    l_put(d[1], "x");
    io_check();
    copy = kept ? dup((int)d[0]) : -1; /* still readable, but not registered */
    CHECK_INT(close((int)d[0]), 0);
    l_pipe(fresh, 1);
    CHECK_INT(fresh[0], d[0]);
    CHECK_INT(io_canread(), -1);
    l_check_asleep();
    l_put(fresh[1], "x");
    l_expect_read_only(fresh[0]);
    io_close(fresh[0]);
    if (kept) CHECK_INT(close(copy), 0);
  }
}

TEST(a_file_that_replaces_another_under_a_wanted_number_is_noticed) {
  int64 d[2], other[2];
  int event;
  l_idle();
  for (event = 0; event < 2; event++) {
    l_pipe(d, 1);
    io_setcookie(d[0], d);
    io_waituntil2(1);
    if (event) l_put(d[1], "x");
    if (event) io_check();
    t_pipe(other);
    CHECK_INT(fcntl((int)other[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_INT(dup2((int)other[0], (int)d[0]), d[0]);
    CHECK_INT(io_fd(d[0]), 1);
    CHECK(io_getcookie(d[0]) == NULL);
    io_wantread(d[0]);
    CHECK_INT(io_canread(), -1);
    l_check_asleep();
    l_put(other[1], "x");
    l_expect_read_only(d[0]);
    io_close(d[0]);
  }
}

/* It is always ready, so what the program wanted of the old one would be reported for ever. */
TEST(a_regular_file_that_replaces_a_wanted_descriptor_is_not_reported) {
  int64 d[2], file;
  io_batch b;
  int queued;
  memset(&b, 0, sizeof b);
  l_idle();
  for (queued = 0; queued < 2; queued++) {
    l_pipe(d, 1);
    io_setcookie(d[0], d);
    io_waituntil2(1);
    CHECK_INT(close((int)d[0]), 0);
    file = t_tmpfile(1000);
    CHECK_INT(file, d[0]);
    if (queued) {
      CHECK_INT(iob_addfile(&b, file, 0, 1000), 1);
    } else {
      CHECK_INT(io_fd(file), 1);
    }
    CHECK(io_getcookie(file) == NULL);
    l_check_asleep();
    io_close(file);
    CHECK_INT(close((int)d[1]), 0);
  }
  iob_reset(&b);
}

TEST(the_hint_of_a_closed_number_does_not_reach_its_next_owner) {
  int64 d[2], fresh[2];
  int wanted;
  l_idle();
  for (wanted = 0; wanted < 2; wanted++) {
    CHECK_INT(io_socketpair(d), 1); /* both can be written to */
    if (wanted) io_wantwrite(d[0]);
    CHECK_INT(close((int)d[0]), 0);
    t_pipe(fresh);
    CHECK_INT(fresh[0], d[0]); /* an end that is only read from */
    CHECK_INT(io_fd(fresh[0]), 1);
    io_wantwrite(fresh[0]);
    CHECK_INT(io_canwrite(), -1);
    CHECK_INT(l_next_write(50), -1);
    io_close(fresh[0]);
    io_close(d[1]);
    CHECK_INT(close((int)fresh[1]), 0);
  }
}

TEST(a_connection_registered_twice_in_its_first_turn_is_reported) {
  int64 d[2], idle[2];
  l_idle();
  t_tcp_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  io_wantwrite(d[0]);
  t_unix_pair(idle);
  io_nonblock(idle[0]);
  CHECK_INT(io_fd(idle[0]), 1);
  io_wantread(idle[0]);
  io_waituntil2(100);
  CHECK_INT(io_canwrite(), d[0]);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1); /* the same file: what is wanted stays */
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

TEST(a_file_under_two_numbers_is_reported_under_both) {
  int64 d[2], copy, first, second;
  char c;
  l_pipe(d, 1);
  copy = dup((int)d[0]);
  l_read_event(copy);
  l_put(d[1], "x");
  first = l_next_read(L_PATIENCE);
  second = l_next_read(L_PATIENCE);
  CHECK((first == d[0] && second == copy) || (first == copy && second == d[0]));
  CHECK_INT(io_tryread(first, &c, 1), 1);
  CHECK_INT(l_next_read(20), -1);
  l_put(d[1], "x");
  io_close(first);
  l_expect_read_only(second);
  io_dontwantread(second);
  l_idle();
  l_check_asleep();
}

/* promise: A report is true */
TEST(data_taken_between_two_waits_is_not_reported) {
  int64 d[3][2], i, round;
  char c;
  t_pipe(d[0]);
  t_unix_pair(d[1]);
  t_tcp_pair(d[2]);
  for (i = 0; i < 3; i++) {
    io_nonblock(d[i][0]);
    l_read_event(d[i][0]);
  }
  for (round = 0; round < 20; round++) {
    for (i = 0; i < 3; i++) {
      l_put(d[i][1], "x");
      l_until(d[i][0], POLLIN);
    }
    if (round % 2) io_check();
    if (round % 4 == 3) CHECK(io_canread() != -1);
    for (i = 0; i < 3; i++) CHECK_INT(read((int)d[i][0], &c, 1), 1);
    io_check();
    CHECK_INT(io_canread(), -1);
  }
  l_check_asleep();
  for (i = 0; i < 3; i++) {
    l_put(d[i][1], "x");
    l_expect_read_only(d[i][0]);
    CHECK_INT(io_tryread(d[i][0], &c, 1), 1);
  }
}

/* promise: A report is true */
TEST(room_used_up_between_two_waits_is_not_reported) {
  static char buf[65536];
  int64 d[2], round;
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  for (round = 0; round < 5; round++) {
    l_expect_write_only(d[0]);
    if (round % 2) io_check(); /* the event is pending, or not */
    t_fill(d[0]);
    io_check();
    CHECK_INT(io_canwrite(), -1);
    CHECK_INT(l_next_write(20), -1);
    while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
    }
  }
  l_expect_write_only(d[0]);
}

TEST(a_wait_of_no_time_finds_everything_that_is_ready) {
  int64 d[3][2], e, fresh[2], round;
  char c;
  t_pipe(d[0]);
  t_unix_pair(d[1]);
  t_tcp_pair(d[2]);
  for (round = 0; round < 3; round++) {
    io_nonblock(d[round][0]);
    l_read_event(d[round][0]);
  }
  e = m_event();
  l_read_event(e);
  for (round = 0; round < 100; round++) {
    int64 *way = d[round % 3];
    l_put(way[1], "x");
    l_until(way[0], POLLIN);
    CHECK(io_waituntil2(0) >= 1);
    CHECK_INT(io_canread(), way[0]);
    CHECK_INT(io_tryread(way[0], &c, 1), 1);
    m_fire(e); /* unwanted when it came, wanted since */
    io_dontwantread(e);
    if (round % 2) io_check();
    io_wantread(e);
    io_check();
    CHECK_INT(io_canread(), e);
    m_take(e);
    l_pipe(fresh, 1); /* registered since the last wait */
    l_put(fresh[1], "x");
    io_check();
    CHECK_INT(io_canread(), fresh[0]);
    CHECK_INT(read((int)fresh[0], &c, 1), 1);
    io_check();
    CHECK_INT(io_canread(), -1);
    CHECK_INT(close((int)fresh[1]), 0); /* and its end of file */
    io_check();
    CHECK_INT(io_canread(), fresh[0]);
    io_close(fresh[0]);
  }
}

static void toggle(int64 d, int64 times) {
  for (; times > 0; times--) {
    io_dontwantread(d);
    io_wantwrite(d);
    io_wantread(d);
    io_dontwantwrite(d);
  }
}

/* promise: Changes between two waits */
TEST(interest_stated_and_withdrawn_between_two_waits_counts_as_it_is_last) {
  int64 d[3][2], i, round, before, times = t_under_valgrind() ? 5000 : 200000;
  char c;
  for (i = 0; i < 3; i++) {
    t_unix_pair(d[i]);
    l_read_event(d[i][0]);
  }
  for (round = 0; round < 20; round++) {
    for (i = 0; i < 3; i++) toggle(d[i][0], 100 * (i + 1));
    l_put(d[round % 3][1], "x");
    if (round % 2) io_dontwantread(d[(round + 1) % 3][0]);
    io_check();
    toggle(d[round % 3][0], 300);
    io_check();
    CHECK_INT(io_canread(), d[round % 3][0]);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), -1);
    CHECK_INT(read((int)d[round % 3][0], &c, 1), 1);
    io_wantread(d[(round + 1) % 3][0]);
  }
  before = m_resident();
  toggle(d[0][0], times);
  io_check();
  m_check_grown(before, 64 << 10);
  l_check_asleep();
}

/* A number that lives and dies hundreds of times without a wait in between, as different kinds of file. */
/* promise: Changes between two waits */
TEST(a_number_used_by_hundreds_between_two_waits_is_reported_for_the_last) {
  int64 d[2], number = -1, i;
  l_idle();
  io_waituntil2(1);
  for (i = 0; i < 300; i++) {
    t_unix_pair(d);
    CHECK(number == -1 || d[0] == number);
    number = d[0];
    if (i % 3 != 0) io_nonblock(d[0]);
    CHECK_INT(io_fd(d[0]), 1);
    io_wantread(d[0]);
    if (i % 2) io_wantwrite(d[0]);
    if (i % 5 == 0) l_put(d[1], "x");
    if (i % 50 == 49) io_check();
    if (i % 7 == 0) close((int)d[0]);
    else io_close(d[0]);
    close((int)d[1]);
  }
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  t_unix_pair(d);
  CHECK_INT(d[0], number);
  l_read_event(d[0]);
  l_check_asleep();
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
}
