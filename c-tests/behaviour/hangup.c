/* Hang-ups and errors: in which wanted direction they are reported, and what reading and writing then return.
 * Reports are level-triggered: each row asks for three in a row. */
#include "loop.h"

static int64 try_read(int64 d) {
  char c;
  return io_tryread(d, &c, 1);
}

static int64 try_write(int64 d) { return io_trywrite(d, "x", 1); }

/* A connection: d[0] does not block, and is wanted for reading. */
static void read_from_tcp(int64 d[2]) {
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
}

static void reported_for_reading(int64 d) {
  int i;
  for (i = 0; i < 3; i++) l_expect_read_only(d);
}

static void reported_for_writing(int64 d) {
  int i;
  for (i = 0; i < 3; i++) l_expect_write_only(d);
}

static void reported_for_both(int64 d) {
  int i;
  for (i = 0; i < 3; i++) {
    io_check();
    CHECK_INT(io_canread(), d);
    CHECK_INT(io_canwrite(), d);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), -1);
  }
}

/* promise: Hang-ups and errors */
TEST(a_pipe_without_a_writer_is_readable_and_at_its_end) {
  int64 d[2];
  l_pipe(d, 1);
  close((int)d[1]);
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), 0);
  CHECK_INT(try_write(d[0]), -3);
  CHECK_ERRNO(EBADF);
  reported_for_reading(d[0]);
}

/* promise: Hang-ups and errors */
TEST(a_pipe_without_a_reader_is_writable_and_says_EPIPE) {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[1]);
  l_write_event(d[1]);
  close((int)d[0]);
  reported_for_writing(d[1]);
  CHECK_INT(try_read(d[1]), -3);
  CHECK_ERRNO(EBADF);
  CHECK_INT(try_write(d[1]), -3);
  CHECK_ERRNO(EPIPE);
  reported_for_writing(d[1]);
}

TEST(a_full_pipe_without_a_reader_is_writable_and_says_EPIPE) {
  int64 d[2];
  t_pipe(d);
  t_fill(d[1]);
  l_write_event(d[1]);
  close((int)d[0]);
  reported_for_writing(d[1]);
}

/* promise: Hang-ups and errors */
TEST(the_end_of_a_tcp_stream_is_reported_to_a_reader) {
  int64 d[2];
  int i;
  read_from_tcp(d);
  close((int)d[1]);
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), 0);
  CHECK_INT(try_write(d[0]), 1); /* the peer answers with a reset */
  for (i = 0; i < 1000 && try_write(d[0]) != -3; i++) poll(NULL, 0, 1);
  CHECK_INT(try_write(d[0]), -3);
  CHECK_ERRNO(EPIPE);
}

/* promise: Hang-ups and errors */
TEST(the_end_of_a_tcp_stream_leaves_a_writer_as_it_is) {
  int64 d[2];
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  close((int)d[1]);
  l_until(d[0], POLLRDHUP);
  reported_for_writing(d[0]);
  CHECK_INT(try_read(d[0]), 0);
  CHECK_INT(try_write(d[0]), 1);
}

/* promise: Hang-ups and errors */
TEST(the_end_of_a_tcp_stream_is_reported_if_both_directions_are_wanted) {
  int64 d[2];
  read_from_tcp(d);
  io_wantwrite(d[0]);
  close((int)d[1]);
  l_until(d[0], POLLRDHUP);
  reported_for_both(d[0]);
  CHECK_INT(try_read(d[0]), 0);
  CHECK_INT(try_write(d[0]), 1);
}

TEST(a_tcp_peer_that_ended_its_sending_can_be_written_to) {
  int64 d[2];
  char buf[8];
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
  l_until(d[0], POLLRDHUP);
  reported_for_writing(d[0]);
  CHECK_INT(try_write(d[0]), 1);
  reported_for_writing(d[0]);
  CHECK_INT(try_write(d[0]), 1);
  CHECK_INT(recv((int)d[1], buf, 2, MSG_WAITALL), 2);
}

/* promise: Hang-ups and errors */
TEST(data_before_the_end_is_read_first) {
  int64 d[2];
  char buf[8];
  read_from_tcp(d);
  l_put(d[1], "last");
  close((int)d[1]);
  l_until(d[0], POLLRDHUP);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, 8), 4); /* short, yet the end is still to come */
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), 0);
}

/* promise: Hang-ups and errors */
TEST(a_tcp_reset_is_reported_to_a_reader) {
  int64 d[2];
  read_from_tcp(d);
  l_reset(d[1]);
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), -3);
  CHECK_ERRNO(ECONNRESET);
  CHECK_INT(try_write(d[0]), -3);
  CHECK_ERRNO(EPIPE);
  reported_for_reading(d[0]);
}

TEST(a_tcp_reset_is_reported_in_both_directions_if_both_are_wanted) {
  int64 d[2];
  read_from_tcp(d);
  io_wantwrite(d[0]);
  l_reset(d[1]);
  l_until(d[0], POLLHUP);
  reported_for_both(d[0]);
}

/* promise: Hang-ups and errors */
TEST(a_tcp_reset_wakes_nobody_if_nothing_is_wanted) {
  int64 d[2];
  l_idle();
  t_tcp_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  l_reset(d[1]);
  l_until(d[0], POLLHUP);
  l_check_asleep();
  CHECK_INT(try_read(d[0]), -3);
  CHECK_ERRNO(ECONNRESET);
  CHECK_INT(try_write(d[0]), -3);
  CHECK_ERRNO(EPIPE);
}

/* promise: Hang-ups and errors */
TEST(the_close_of_a_unix_peer_is_reported) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  close((int)d[1]);
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), 0);
  CHECK_INT(try_write(d[0]), -3);
  CHECK_ERRNO(EPIPE);
  io_wantwrite(d[0]);
  reported_for_both(d[0]);
}

/* The kernel tells a peer that closes without having read all by an error, and that is told on. */
TEST(the_close_of_a_unix_peer_with_unread_data_is_an_error_and_then_the_end) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_put(d[0], "unread");
  l_read_event(d[0]);
  close((int)d[1]);
  reported_for_reading(d[0]);
  CHECK_INT(try_read(d[0]), -3);
  CHECK_ERRNO(ECONNRESET);
  CHECK_INT(try_read(d[0]), 0);
}

TEST(a_descriptor_under_way_outlives_its_sender) {
  int64 d[2], p[2];
  t_pipe(p);
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_put(d[0], "unread");
  l_read_event(d[0]);
  CHECK_INT(io_passfd(d[1], p[0]), 0);
  close((int)d[1]);
  reported_for_reading(d[0]);
  CHECK(io_receivefd(d[0]) >= 0);
}

/* A non-blocking connect to a port that nobody listens on. */
static int64 refused(void) {
  struct sockaddr_in address;
  int64 s = socket(AF_INET, SOCK_STREAM, 0), listener = t_listen(&address);
  close((int)listener);
  CHECK(s >= 0);
  io_nonblock(s);
  CHECK_INT(connect((int)s, (struct sockaddr *)&address, sizeof address), -1);
  CHECK_ERRNO(EINPROGRESS);
  return s;
}

/* promise: Hang-ups and errors */
TEST(a_refused_connect_is_writable_and_says_ECONNREFUSED) {
  int64 s = refused();
  l_write_event(s);
  reported_for_writing(s);
  CHECK_INT(try_write(s), -3);
  CHECK_ERRNO(ECONNREFUSED);
}

TEST(a_connect_is_reported_when_it_is_done) {
  struct sockaddr_in address;
  int64 s = socket(AF_INET, SOCK_STREAM, 0), listener = t_listen(&address);
  CHECK(listener >= 0);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  connect((int)s, (struct sockaddr *)&address, sizeof address);
  io_wantwrite(s);
  CHECK_INT(l_next_write(L_PATIENCE), s);
  CHECK_INT(try_write(s), 1);
}

TEST(the_hint_on_a_pending_connect_is_reported_at_once) {
  int64 s = refused();
  CHECK_INT(io_fd_canwrite(s), 1);
  io_wantwrite(s);
  CHECK_INT(io_canwrite(), s);
}

/* promise: Hang-ups and errors */
TEST(a_socket_that_was_never_connected_is_writable_and_says_an_error) {
  int64 s = socket(AF_INET, SOCK_STREAM, 0);
  io_nonblock(s);
  l_write_event(s);
  reported_for_writing(s);
  CHECK_INT(try_write(s), -3);
}

TEST(io_dontwantread_silences_a_peer_that_is_gone) {
  int64 d[2];
  int how;
  l_idle();
  for (how = 0; how < 3; how++) {
    t_tcp_pair(d);
    io_nonblock(d[0]);
    l_read_event(d[0]);
    if (how == 0) CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
    if (how == 1) CHECK_INT(close((int)d[1]), 0);
    if (how == 2) l_reset(d[1]);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    io_dontwantread(d[0]);
    l_check_asleep();
    io_wantread(d[0]);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    io_close(d[0]);
  }
}

/* The peer has ended its sending and does not read either: nothing to report until it does. */
TEST(a_half_closed_peer_of_a_full_socket_does_not_spin) {
  struct timespec begin, end;
  int64 d[2], used_ms;
  t_tcp_pair(d);
  CHECK(io_fd(d[1]));
  io_nonblock(d[1]);
  t_fill(d[1]);
  CHECK_INT(shutdown((int)d[0], SHUT_WR), 0);
  io_wantwrite(d[1]);
  CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin), 0);
  CHECK_INT(io_waituntil2(500), 0);
  CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end), 0);
  used_ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
  CHECK_INT(io_canwrite(), -1);
  CHECK(used_ms < 50);
}

TEST(a_deadline_passes_on_time_beside_a_half_closed_peer_of_a_full_socket) {
  int64 d[2], begin = t_now_ms();
  t_tcp_pair(d);
  CHECK(io_fd(d[1]));
  io_nonblock(d[1]);
  t_fill(d[1]);
  CHECK_INT(shutdown((int)d[0], SHUT_WR), 0);
  io_wantwrite(d[1]);
  io_timeout(d[1], l_in_ms(100));
  CHECK_INT(io_waituntil2(10 * L_PATIENCE), 0);
  CHECK(t_now_ms() - begin < L_PATIENCE);
  CHECK_INT(io_timeouted(), d[1]);
}
