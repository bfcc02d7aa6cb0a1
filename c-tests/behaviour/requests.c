/* A program that answers requests on a TCP connection, and each time leaves something over in another way. */
#include "loop.h"
#include "iob.h"

#include <sys/ioctl.h>

static int64 d[2]; /* ours, and the peer's */
static char buf[65536];

static void answer_some(void) {
  l_idle();
  l_connection(d);
}

/* Waits until n bytes have come from the peer. */
static void arrived(int n) {
  int64 end = t_now_ms() + L_PATIENCE;
  int there = 0;
  while (there < n && t_now_ms() < end) {
    l_until(d[0], POLLIN);
    CHECK_INT(ioctl((int)d[0], FIONREAD, &there), 0);
  }
  CHECK_INT(there, n);
}

/* promise: Nothing is lost */
TEST(what_a_full_read_left_is_reported_again) {
  int i;
  answer_some();
  l_put(d[1], "0123456789");
  arrived(10);
  for (i = 0; i < 3; i++) {
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], buf, 3), 3);
  }
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 1);
  l_answer_request(d);
  l_check_asleep();
}

/* promise: Nothing is lost */
TEST(a_report_that_was_ignored_comes_again) {
  int i;
  answer_some();
  l_put(d[1], "x");
  for (i = 0; i < 3; i++) CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_waituntil2(L_PATIENCE); /* and is not taken */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Telling the loop of EAGAIN */
TEST(io_eagain_without_a_read_loses_nothing) {
  answer_some();
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_eagain_read(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

TEST(what_a_plain_read_left_is_reported_beside_others) {
  answer_some();
  l_put(d[1], "0123456789");
  arrived(10);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(read((int)d[0], buf, 4), 4);
  l_expect_read_only(d[0]);
  CHECK_INT(read((int)d[0], buf, sizeof buf), 6);
  l_check_asleep();
}

TEST(the_end_of_file_behind_data_is_reported) {
  answer_some();
  l_put(d[1], "last words");
  CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
  l_until(d[0], POLLRDHUP);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 10); /* short, and yet not all */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 0);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]); /* as long as it is wanted */
}

TEST(data_behind_an_urgent_byte_is_reported) {
  answer_some();
  CHECK_INT(send((int)d[1], "before!", 7, MSG_OOB), 7);
  l_put(d[1], "behind");
  l_until(d[0], POLLPRI);
  arrived(6); /* up to the mark */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 6); /* a read stops at the mark */
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 6);
}

TEST(a_request_that_comes_while_the_answer_is_written_is_reported) {
  answer_some();
  l_put(d[1], "first");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 5);
  io_dontwantread(d[0]);
  l_put(d[1], "second");
  arrived(6);
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(io_trywrite(d[0], "answer", 6), 6);
  io_dontwantwrite(d[0]);
  io_wantread(d[0]);
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 6);
  CHECK_INT(read((int)d[1], buf, sizeof buf), 6);
  l_answer_request(d);
}

TEST(a_peer_that_talks_while_nobody_listens_does_not_spin) {
  int i, woken = 0;
  answer_some();
  io_dontwantread(d[0]);
  for (i = 0; i < 50; i++) {
    l_put(d[1], "x");
    arrived(i + 1);
    woken += io_waituntil2(0) > 0;
  }
  CHECK(woken <= 3);
  l_check_asleep();
  io_wantread(d[0]);
  l_expect_read_only(d[0]);
}

/* promise: A report is true */
TEST(after_a_write_room_is_asked_for_again_before_it_is_reported) {
  int64 sent;
  answer_some();
  l_put(d[1], "request");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
  do sent = io_trywrite(d[0], buf, sizeof buf);
  while (sent > 0); /* full writes, a short one, then none */
  CHECK_INT(sent, -1);
  io_wantwrite(d[0]);
  io_check();
  CHECK_INT(io_canwrite(), -1);
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(io_trywrite(d[0], "x", 1), 1);
}

TEST(no_write_event_without_room_in_the_turn_of_the_read) {
  struct pollfd room;
  answer_some();
  room.fd = (int)d[0];
  room.events = POLLOUT;
  do t_fill(d[0]); /* behind the library's back, and before the request */
  while (poll(&room, 1, 100) == 1); /* the peer's buffer grows */
  l_put(d[1], "request");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
  io_dontwantread(d[0]);
  io_wantwrite(d[0]);
  CHECK_INT(io_canwrite(), -1);
  l_check_asleep();
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  l_expect_write_only(d[0]);
}

TEST(a_reset_is_reported_in_each_wanted_direction) {
  answer_some();
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  l_reset(d[1]);
  l_until(d[0], POLLHUP);
  io_check();
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), -3);
  CHECK_ERRNO(ECONNRESET);
}

TEST(a_child_hears_of_what_its_parent_left_unread) {
  int status;
  pid_t child;
  answer_some();
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    l_answer_request(d);
    l_answer_request(d);
    exit(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  l_answer_request(d);
}

/* promise: Impossible numbers */
TEST(an_impossible_number_never_stands_for_a_possible_one) {
  int64 other[2];
  int i;
  answer_some();
  t_unix_pair(other); /* behind whose event that of the other goes the shortest way */
  l_read_event(other[0]);
  l_put(other[1], "x");
  l_put(d[1], "request");
  arrived(7);
  if (l_next_read(L_PATIENCE) != d[0]) CHECK_INT(io_canread(), d[0]);
  for (i = 31; i < 64; i++) {
    int64 number = (int64)((uint64)d[0] | (uint64)1 << i);
    CHECK_INT(io_tryread(number, buf, 1), -3);
    CHECK_ERRNO(EBADF);
    CHECK_INT(io_trywrite(number, "x", 1), -3);
    CHECK_ERRNO(EBADF);
  }
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
}

static void write_is_reported(void) {
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(io_canwrite(), -1);
}

/* The answer may be written in the turn of the request. */
static void answer_is_wanted(void) {
  if (io_getcookie(d[0])) io_close(d[0]);
  answer_some();
  io_setcookie(d[0], d);
  l_put(d[1], "request");
  arrived(7);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
  io_dontwantread(d[0]);
  io_wantwrite(d[0]);
  write_is_reported();
}

TEST(a_file_that_ends_uses_up_no_write_event) {
  int64 file = t_tmpfile(5);
  io_batch *b = iob_new(0);
  answer_is_wanted();
  CHECK_INT(io_sendfile(d[0], file, 5, 100), 0);
  write_is_reported();
  answer_is_wanted();
  CHECK_INT(io_sendfile(d[0], file, 0, 100), 5);
  write_is_reported();
  answer_is_wanted();
  CHECK_INT(io_sendfile(d[0], -1, 0, 100), -3);
  write_is_reported();
  answer_is_wanted();
  CHECK(iob_addfile(b, file, 0, 100));
  CHECK_INT(iob_send(d[0], b), 5);
  write_is_reported();
  CHECK_INT(iob_send(d[0], b), -3);
  CHECK_ERRNO(EIO);
  write_is_reported();
  iob_free(b);
}

TEST(a_transfer_with_a_bad_address_uses_up_no_event) {
  t_skip_under_valgrind();
  answer_some();
  l_put(d[1], "request");
  arrived(7);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], (char *)1, 7), -3);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_wantwrite(d[0]);
  write_is_reported();
  CHECK_INT(io_trywrite(d[0], (char *)1, 7), -3);
  CHECK_ERRNO(EFAULT);
  write_is_reported();
  io_dontwantwrite(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
}
