/* Who closes, how, and what is wanted: each row on every kind of descriptor that can end that way. After the scenarios
 * of other event loops, see docs/peers.md. */
#include "peers.h"

enum how { BY_CLOSE, BY_SHUTDOWN, BY_HALF_SHUTDOWN, BY_RESET, BY_DEATH };
enum { NOTHING = 0, READ = 1, WRITE = 2 };

static int can(enum kind kind, enum how how) {
  if (!p_has(kind)) return 0;
  switch (how) {
  case BY_RESET: return kind == TCP || kind == TCP6;
  case BY_SHUTDOWN:
  case BY_HALF_SHUTDOWN: return kind <= PACKETS;
  default: return 1;
  }
}

static void go(int64 peer, enum how how) {
  pid_t child;
  switch (how) {
  case BY_CLOSE: CHECK_INT(close((int)peer), 0); break;
  case BY_SHUTDOWN: CHECK_INT(shutdown((int)peer, SHUT_RDWR), 0); break;
  case BY_HALF_SHUTDOWN: CHECK_INT(shutdown((int)peer, SHUT_WR), 0); break;
  case BY_RESET: l_reset(peer); break;
  case BY_DEATH:
    /* The child has the last copy of the peer when it is killed. */
    CHECK((child = fork()) != -1);
    if (child == 0) {
      pause();
      _exit(1);
    }
    CHECK_INT(close((int)peer), 0);
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitpid(child, NULL, 0), child);
    break;
  }
}

static void want(int64 d, int wanted) {
  if (wanted & READ) io_wantread(d);
  if (wanted & WRITE) io_wantwrite(d);
}

static void reported(int64 d, int wanted) {
  int round;
  l_until(d, POLLRDHUP | POLLIN | POLLERR | POLLHUP);
  for (round = 0; round < 3; round++) {
    if (wanted == READ) l_expect_read_only(d);
    if (wanted == WRITE) l_expect_write_only(d);
    if (wanted == (READ | WRITE)) {
      io_check();
      CHECK_INT(io_canread(), d);
      CHECK_INT(io_canwrite(), d);
      CHECK_INT(io_canread(), -1);
      CHECK_INT(io_canwrite(), -1);
    }
  }
}

static void reads_end(int64 d, enum how how) {
  char c;
  if (how == BY_RESET) {
    CHECK_INT(io_tryread(d, &c, 1), -3);
    CHECK_ERRNO(ECONNRESET);
  }
  CHECK_INT(io_tryread(d, &c, 1), 0);
}

/* `late`: what is wanted is said when the peer has gone already. */
static void ends(enum how how, int wanted, int late) {
  int kind;
  l_idle();
  for (kind = 0; kind < ((wanted & WRITE) ? ONE_WAY : KINDS); kind++) {
    int64 d[2];
    if (!can(kind, how)) continue;
    p_say(kind, late ? "wanted afterwards" : "wanted before");
    p_pair(kind, d);
    if (!late) want(d[0], wanted);
    if (!late) io_check(), io_canread(), io_canwrite();
    go(d[1], how);
    if (late) want(d[0], wanted);
    if (wanted == NOTHING) {
      l_check_asleep();
      io_wantread(d[0]);
      l_expect_read_only(d[0]);
    } else {
      reported(d[0], wanted);
    }
    reads_end(d[0], how);
    io_close(d[0]);
  }
}

TEST(a_reader_hears_that_its_peer_closed) { ends(BY_CLOSE, READ, 0); }
TEST(a_reader_hears_that_its_peer_shut_down) { ends(BY_SHUTDOWN, READ, 0); }
TEST(a_reader_hears_that_its_peer_shut_one_direction) { ends(BY_HALF_SHUTDOWN, READ, 0); }
TEST(a_reader_hears_that_its_peer_reset) { ends(BY_RESET, READ, 0); }
TEST(a_reader_hears_that_its_peer_was_killed) { ends(BY_DEATH, READ, 0); }
TEST(a_writer_hears_that_its_peer_closed) { ends(BY_CLOSE, WRITE, 0); }
TEST(a_writer_hears_that_its_peer_shut_down) { ends(BY_SHUTDOWN, WRITE, 0); }
TEST(a_writer_hears_that_its_peer_shut_one_direction) { ends(BY_HALF_SHUTDOWN, WRITE, 0); }
TEST(a_writer_hears_that_its_peer_reset) { ends(BY_RESET, WRITE, 0); }
TEST(a_writer_hears_that_its_peer_was_killed) { ends(BY_DEATH, WRITE, 0); }
/* promise: Hang-ups and errors */
TEST(both_directions_hear_that_the_peer_closed) { ends(BY_CLOSE, READ | WRITE, 0); }
TEST(both_directions_hear_that_the_peer_shut_down) { ends(BY_SHUTDOWN, READ | WRITE, 0); }
TEST(both_directions_hear_that_the_peer_shut_one_direction) { ends(BY_HALF_SHUTDOWN, READ | WRITE, 0); }
TEST(both_directions_hear_that_the_peer_reset) { ends(BY_RESET, READ | WRITE, 0); }
TEST(both_directions_hear_that_the_peer_was_killed) { ends(BY_DEATH, READ | WRITE, 0); }
TEST(who_wants_nothing_sleeps_when_its_peer_closes) { ends(BY_CLOSE, NOTHING, 0); }
TEST(who_wants_nothing_sleeps_when_its_peer_shuts_down) { ends(BY_SHUTDOWN, NOTHING, 0); }
TEST(who_wants_nothing_sleeps_when_its_peer_shuts_one_direction) { ends(BY_HALF_SHUTDOWN, NOTHING, 0); }
/* promise: Hang-ups and errors */
TEST(who_wants_nothing_sleeps_when_its_peer_resets) { ends(BY_RESET, NOTHING, 0); }
TEST(who_wants_nothing_sleeps_when_its_peer_is_killed) { ends(BY_DEATH, NOTHING, 0); }
TEST(a_close_before_the_interest_is_heard_for_reading) { ends(BY_CLOSE, READ, 1); }
TEST(a_shut_down_before_the_interest_is_heard_for_reading) { ends(BY_SHUTDOWN, READ, 1); }
TEST(a_reset_before_the_interest_is_heard_for_reading) { ends(BY_RESET, READ, 1); }
TEST(a_death_before_the_interest_is_heard_for_reading) { ends(BY_DEATH, READ, 1); }
TEST(a_close_before_the_interest_is_heard_for_writing) { ends(BY_CLOSE, WRITE, 1); }
TEST(a_reset_before_the_interest_is_heard_for_writing) { ends(BY_RESET, WRITE, 1); }
TEST(a_close_before_the_interest_is_heard_in_both_directions) { ends(BY_CLOSE, READ | WRITE, 1); }
TEST(a_reset_before_the_interest_is_heard_in_both_directions) { ends(BY_RESET, READ | WRITE, 1); }

/* What was written before the end is read before the end, whatever the size of the pieces. */
static void last_bytes(enum how how, int64 piece) {
  int kind;
  char buf[300];
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    if (!can(kind, how) || (kind == TERMINAL && how != BY_HALF_SHUTDOWN)) continue; /* a terminal forgets with its end */
    if (kind == PACKETS && piece < (int64)sizeof buf) continue; /* the rest of a packet is lost */
    p_say(kind, "bytes before the end");
    p_pair(kind, d);
    io_wantread(d[0]);
    p_make(buf, 0, sizeof buf);
    CHECK_INT(write((int)d[1], buf, sizeof buf), sizeof buf);
    go(d[1], how);
    p_take(d[0], sizeof buf, piece);
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], buf, 1), 0);
    l_expect_read_only(d[0]);
    io_close(d[0]);
  }
}

/* promise: Hang-ups and errors */
TEST(the_last_bytes_before_a_close_come_first) { last_bytes(BY_CLOSE, 300); }
TEST(the_last_bytes_before_a_close_come_one_a_report) { last_bytes(BY_CLOSE, 1); }
TEST(the_last_bytes_before_a_shut_down_come_first) { last_bytes(BY_SHUTDOWN, 300); }
TEST(the_last_bytes_before_half_a_shut_down_come_first) { last_bytes(BY_HALF_SHUTDOWN, 300); }
TEST(the_last_bytes_before_half_a_shut_down_come_in_pieces) { last_bytes(BY_HALF_SHUTDOWN, 7); }
TEST(the_last_bytes_before_a_death_come_first) { last_bytes(BY_DEATH, 300); }

/* Our own end: what the library was given before goes out, and the peer sees the end. */
static void our_end(enum how how) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    char buf[16];
    if (!can(kind, how) || kind == TERMINAL) continue;
    p_say(kind, "our own end");
    p_writer(kind, d);
    CHECK_INT(io_trywrite(d[0], "goodbye", 7), 7);
    if (how == BY_CLOSE) io_close(d[0]);
    else go(d[0], how);
    l_until(d[1], POLLIN);
    CHECK_INT(read((int)d[1], buf, sizeof buf), 7);
    CHECK(memcmp(buf, "goodbye", 7) == 0);
    l_until(d[1], POLLIN | POLLHUP);
    CHECK_INT(read((int)d[1], buf, sizeof buf), 0);
    if (how != BY_CLOSE) io_close(d[0]);
    CHECK_INT(close((int)d[1]), 0);
  }
}

TEST(what_was_written_before_our_close_arrives) { our_end(BY_CLOSE); }
TEST(what_was_written_before_our_shut_down_arrives) { our_end(BY_SHUTDOWN); }
TEST(what_was_written_before_half_a_shut_down_of_ours_arrives) { our_end(BY_HALF_SHUTDOWN); }

/* A reader closes. This is reported if there is interest in writing, with room or without. */
static void reader_leaves(int full) {
  int kind;
  for (kind = ONE_WAY; kind < KINDS; kind++) {
    int64 d[2];
    int round;
    p_say(kind, full ? "full" : "empty");
    p_writer(kind, d);
    if (full) t_fill(d[0]);
    io_wantwrite(d[0]);
    if (full) l_check_asleep();
    CHECK_INT(close((int)d[1]), 0);
    for (round = 0; round < 3; round++) l_expect_write_only(d[0]);
    CHECK_INT(io_trywrite(d[0], "x", 1), -3);
    CHECK_ERRNO(EPIPE);
    io_close(d[0]);
  }
}

TEST(a_writer_hears_that_the_reader_of_a_pipe_left) { reader_leaves(0); }
TEST(a_writer_hears_that_the_reader_of_a_full_pipe_left) { reader_leaves(1); }

/* Writing after the peer has closed fails with an errno, and does not kill the process. */
static void writing_fails(enum how how) {
  int kind, tries;
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2], r;
    if (!can(kind, how) || kind == TERMINAL) continue;
    p_say(kind, "writing on");
    p_pair(kind, d);
    go(d[1], how);
    l_until(d[0], POLLIN | POLLHUP);
    for (tries = 0; (r = io_trywrite(d[0], "x", 1)) == 1; tries++) {
      CHECK(tries < L_PATIENCE);
      poll(NULL, 0, 1);
    }
    CHECK_INT(r, -3);
    CHECK(errno == EPIPE || errno == ECONNRESET);
    CHECK_INT(io_trywrite(d[0], "x", 1), -3);
    CHECK_ERRNO(EPIPE);
    io_close(d[0]);
  }
}

TEST(writing_to_a_peer_that_closed_fails_with_a_reason) { writing_fails(BY_CLOSE); }
TEST(writing_to_a_peer_that_reset_fails_with_a_reason) { writing_fails(BY_RESET); }
TEST(writing_to_a_peer_that_was_killed_fails_with_a_reason) { writing_fails(BY_DEATH); }

TEST(after_our_own_shut_down_writing_fails_and_reading_goes_on) {
  int kind;
  for (kind = 0; kind <= PACKETS; kind++) {
    int64 d[2];
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, "our half");
    p_pair(kind, d);
    CHECK_INT(shutdown((int)d[0], SHUT_WR), 0);
    CHECK_INT(io_trywrite(d[0], "x", 1), -3);
    CHECK_ERRNO(EPIPE);
    io_wantread(d[0]);
    l_put(d[1], "y");
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    l_check_asleep();
    io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(both_sides_shut_down_at_once_and_twice) {
  int kind;
  for (kind = 0; kind <= PACKETS; kind++) {
    int64 d[2];
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, "both sides");
    p_pair(kind, d);
    CHECK_INT(io_fd(d[1]), 1);
    io_nonblock(d[1]);
    CHECK_INT(shutdown((int)d[0], SHUT_WR), 0);
    CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
    shutdown((int)d[0], SHUT_WR); /* what the second one answers is the kernel's affair */
    io_wantread(d[0]);
    io_wantread(d[1]);
    l_until(d[0], POLLIN);
    l_until(d[1], POLLIN);
    io_check();
    CHECK_INT(io_canread() + io_canread(), d[0] + d[1]);
    CHECK_INT(io_tryread(d[0], &c, 1), 0);
    CHECK_INT(io_tryread(d[1], &c, 1), 0);
    io_close(d[0]);
    io_close(d[1]);
  }
}

TEST(the_peer_of_a_half_closed_connection_can_still_be_answered) {
  int kind;
  for (kind = 0; kind <= PACKETS; kind++) {
    int64 d[2];
    char c, answer[3];
    if (!p_has(kind)) continue;
    p_say(kind, "half closed");
    p_pair(kind, d);
    io_wantread(d[0]);
    l_put(d[1], "?");
    CHECK_INT(shutdown((int)d[1], SHUT_WR), 0);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 0);
    io_dontwantread(d[0]);
    io_wantwrite(d[0]);
    CHECK_INT(l_next_write(L_PATIENCE), d[0]);
    CHECK_INT(io_trywrite(d[0], "yes", 3), 3);
    io_close(d[0]);
    CHECK_INT(recv((int)d[1], answer, 3, MSG_WAITALL), 3);
    CHECK(memcmp(answer, "yes", 3) == 0);
    close((int)d[1]);
  }
}

/* The last copy counts, not the first that is closed. */
TEST(a_peer_with_a_copy_has_not_ended_until_the_copy_is_closed) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    int copy;
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, "copy of the peer");
    p_pair(kind, d);
    io_wantread(d[0]);
    CHECK((copy = dup((int)d[1])) >= 0);
    CHECK_INT(close((int)d[1]), 0);
    io_check();
    CHECK_INT(io_canread(), -1);
    l_put(copy, "x");
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    CHECK_INT(close(copy), 0);
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 0);
    io_close(d[0]);
  }
}
