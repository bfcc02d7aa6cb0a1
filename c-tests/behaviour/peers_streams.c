/* Streams under load: order, pieces, slow peers and hostile ones, on every kind that carries bytes. After the scenarios
 * of other event loops, see docs/peers.md. */
#include "batch.h"
#include "peers.h"

#include <pthread.h>

enum { MUCH = 3 << 20, SOME = 200000 };

static char bytes[MUCH];

B_BATCH(batch)

/* A peer that reads everything as slowly as it is told, and checks it. */
struct reader {
  int64 d, n;
  int piece, pause_us;
};

static void *reads(void *arg) {
  struct reader *r = arg;
  int64 got = 0;
  char *buf = malloc((size_t)r->piece);
  CHECK(buf);
  while (got < r->n) {
    ssize_t n = read((int)r->d, buf, (size_t)r->piece);
    CHECK(n > 0);
    p_check_bytes(buf, got, n);
    got += n;
    if (r->pause_us) usleep((useconds_t)r->pause_us);
  }
  free(buf);
  return NULL;
}

static pthread_t begin_reading(struct reader *r) {
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, reads, r), 0);
  return thread;
}

/* The ways to send. */
enum way { WRITES, BATCH, COPIES, SENDFILE, FILE_BATCH, MIXED_BATCH };

static int64 send_some(enum way way, int64 d, int64 file, int64 done, int64 n, int64 piece) {
  int64 next = n - done < piece ? n - done : piece;
  switch (way) {
  case WRITES: return io_trywrite(d, bytes + done, next);
  case SENDFILE: return io_sendfile(d, file, (uint64)done, (uint64)next);
  default: return iob_send(d, &batch);
  }
}

static void fill_batch(enum way way, int64 file, int64 n, int64 piece) {
  int64 at, step;
  int turn = 0;
  memset(&batch, 0, sizeof batch);
  for (at = 0; at < n; at += step) {
    step = n - at < piece ? n - at : piece;
    if (way == FILE_BATCH || (way == MIXED_BATCH && turn++ % 2)) {
      CHECK_INT(iob_addfile(&batch, file, (uint64)at, (uint64)step), 1);
    } else if (way == COPIES) {
      char *copy = malloc((size_t)step);
      CHECK(copy);
      memcpy(copy, bytes + at, (size_t)step);
      CHECK_INT(iob_addbuf_free(&batch, copy, (uint64)step), 1);
    } else {
      CHECK_INT(iob_addbuf(&batch, bytes + at, (uint64)step), 1);
    }
  }
}

static int64 whole_file(int64 n) {
  int64 file = t_tmpfile(0);
  CHECK_INT(write((int)file, bytes, (size_t)n), n);
  return file;
}

/* Each row: n bytes in pieces, by one way, to a reader of another pace, on every kind. */
static void flows(enum way way, int64 n, int64 piece, int read_piece, int pause_us) {
  int kind;
  int64 file;
  p_make(bytes, 0, n);
  file = whole_file(n);
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2], done = 0, left;
    struct reader r;
    pthread_t thread;
    if (!p_has(kind) || kind == PACKETS || kind == TERMINAL) continue;
    p_say(kind, "a flow");
    p_writer(kind, d);
    if (kind == FIFO) CHECK_INT(fcntl((int)d[1], F_SETFL, 0), 0);
    r.d = d[1], r.n = n, r.piece = read_piece, r.pause_us = pause_us;
    thread = begin_reading(&r);
    if (way != WRITES && way != SENDFILE) fill_batch(way, file, n, piece);
    io_wantwrite(d[0]);
    while (done < n) {
      int64 sent;
      CHECK_INT(l_next_write(L_PATIENCE), d[0]);
      left = iob_bytesleft(&batch);
      sent = send_some(way, d[0], file, done, n, piece);
      if (sent == -1) CHECK_ERRNO(EAGAIN);
      else CHECK(sent > 0);
      if (sent > 0) done += sent;
      if (sent > 0 && way != WRITES && way != SENDFILE) CHECK_INT(iob_bytesleft(&batch), left - sent);
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
    iob_reset(&batch);
    io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(a_lot_is_written_in_large_pieces) { flows(WRITES, MUCH, 1 << 20, 65536, 0); }
TEST(a_lot_is_written_in_small_pieces) { flows(WRITES, SOME, 100, 65536, 0); }
TEST(single_bytes_are_written) { flows(WRITES, 3000, 1, 4096, 0); }
TEST(a_slow_reader_gets_what_is_written_in_order) { flows(WRITES, SOME, SOME, 9000, 1000); }
TEST(a_lot_is_queued_in_one_buffer) { flows(BATCH, MUCH, MUCH, 65536, 0); }
TEST(a_lot_is_queued_in_many_buffers) { flows(BATCH, SOME, 111, 65536, 0); }
TEST(a_slow_reader_gets_many_buffers_in_order) { flows(BATCH, SOME, 777, 9000, 1000); }
TEST(a_lot_is_queued_in_buffers_that_are_freed) { flows(COPIES, SOME, 1000, 65536, 0); }
TEST(a_slow_reader_gets_buffers_that_are_freed) { flows(COPIES, SOME, 1000, 9000, 1000); }
TEST(a_file_is_sent_in_one_piece) { flows(SENDFILE, MUCH, MUCH, 65536, 0); }
TEST(a_file_is_sent_in_odd_pieces) { flows(SENDFILE, SOME, 4097, 65536, 0); }
TEST(a_slow_reader_gets_a_file) { flows(SENDFILE, SOME, SOME, 9000, 1000); }
TEST(a_file_is_queued_whole) { flows(FILE_BATCH, MUCH, MUCH, 65536, 0); }
TEST(a_file_is_queued_in_ranges) { flows(FILE_BATCH, SOME, 4095, 65536, 0); }
TEST(a_slow_reader_gets_the_ranges_of_a_file) { flows(FILE_BATCH, SOME, 4095, 9000, 1000); }
TEST(buffers_and_ranges_of_a_file_alternate) { flows(MIXED_BATCH, SOME, 5000, 65536, 0); }
TEST(a_slow_reader_gets_buffers_and_ranges_in_order) { flows(MIXED_BATCH, SOME, 5000, 9000, 1000); }

/* There and back again, on one loop that serves both sides. */
static void ping_pong(int64 size, int rounds) {
  static char buf[65536];
  int kind;
  p_make(bytes, 0, size);
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2];
    int round;
    if (!p_has(kind) || (kind == TERMINAL && size > 1000)) continue;
    p_say(kind, "there and back");
    p_pair(kind, d);
    io_nonblock(d[1]);
    CHECK_INT(io_fd(d[1]), 1);
    io_wantread(d[0]);
    io_wantread(d[1]);
    for (round = 0; round < rounds; round++) {
      int64 to = d[round % 2], got = 0;
      CHECK_INT(io_trywrite(d[1 - round % 2], bytes, size), size);
      while (got < size) {
        int64 n;
        CHECK_INT(l_next_read(L_PATIENCE), to);
        n = io_tryread(to, buf + got, size - got);
        CHECK(n > 0);
        got += n;
      }
      p_check_bytes(buf, 0, size);
    }
    io_close(d[0]);
    io_close(d[1]);
  }
}

TEST(one_byte_goes_there_and_back) { ping_pong(1, 500); }
TEST(a_line_goes_there_and_back) { ping_pong(80, 200); }
TEST(a_page_goes_there_and_back) { ping_pong(4096, 100); }

/* What comes is read in pieces of every size. */
static void read_in_pieces(int64 n, int64 piece) {
  int kind;
  p_make(bytes, 0, n);
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    if (!p_has(kind) || kind == PACKETS || (kind == TERMINAL && n > 1000)) continue;
    p_say(kind, "reading in pieces");
    p_pair(kind, d);
    io_wantread(d[0]);
    CHECK_INT(write((int)d[1], bytes, (size_t)n), n);
    p_take(d[0], n, piece);
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(one_byte_is_read_a_report) { read_in_pieces(500, 1); }
TEST(odd_pieces_are_read) { read_in_pieces(10000, 77); }
TEST(exactly_what_came_is_read) { read_in_pieces(4096, 4096); }
TEST(less_than_was_asked_for_is_read) { read_in_pieces(900, 60000); }

/* Reading that pauses and goes on. */
TEST(reading_that_pauses_and_goes_on_loses_nothing) {
  int kind, round;
  p_make(bytes, 0, 900);
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    char buf[90];
    if (!p_has(kind) || kind == PACKETS) continue;
    p_say(kind, "pausing");
    p_pair(kind, d);
    CHECK_INT(write((int)d[1], bytes, 900), 900);
    for (round = 0; round < 10; round++) {
      io_wantread(d[0]);
      CHECK_INT(l_next_read(L_PATIENCE), d[0]);
      io_dontwantread(d[0]);
      io_check();
      CHECK_INT(io_canread(), -1);
      CHECK_INT(io_tryread(d[0], buf, 90), 90);
      p_check_bytes(buf, 90 * round, 90);
    }
    io_close(d[0]);
    close((int)d[1]);
  }
}

/* Writers hear of room when there is room, and not before. */
TEST(a_full_writer_sleeps_until_its_reader_reads) {
  int kind;
  l_idle();
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2], sum;
    if (!p_has(kind) || kind == TERMINAL) continue;
    p_say(kind, "full");
    p_writer(kind, d);
    sum = t_fill(d[0]);
    io_wantwrite(d[0]);
    l_check_asleep();
    CHECK_INT(fcntl((int)d[1], F_SETFL, O_NONBLOCK), 0);
    while (sum > 0) {
      ssize_t n = read((int)d[1], bytes, sizeof bytes);
      if (n == -1) { /* still under way */
        l_until(d[1], POLLIN);
        continue;
      }
      CHECK(n > 0);
      sum -= n;
    }
    l_expect_write_only(d[0]);
    CHECK_INT(io_trywrite(d[0], "x", 1), 1);
    io_close(d[0]);
    close((int)d[1]);
  }
}

/* Hostile peers. */
TEST(a_peer_that_never_reads_holds_up_nobody_else) {
  int kind;
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2], other[2];
    int round;
    char c;
    if (!p_has(kind) || kind == TERMINAL) continue;
    p_say(kind, "a peer that never reads");
    p_writer(kind, d);
    t_fill(d[0]);
    io_wantwrite(d[0]);
    p_pair(UNIX, other);
    io_wantread(other[0]);
    for (round = 0; round < 50; round++) {
      l_put(other[1], "x");
      l_expect_read_only(other[0]);
      CHECK_INT(io_tryread(other[0], &c, 1), 1);
    }
    io_close(d[0]), io_close(other[0]);
    close((int)d[1]), close((int)other[1]);
  }
}

/* Each row: the peer goes in the middle of an answer. What is left of it is released, and the reason is told. */
static void dies_in_the_middle(enum way way, int reset) {
  int kind;
  int64 file;
  p_make(bytes, 0, MUCH);
  file = whole_file(MUCH);
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2], sent;
    int tries, little = 20000;
    if (!p_has(kind) || kind == PACKETS || kind == TERMINAL || (reset && kind == UNIX)) continue;
    p_say(kind, "the peer dies in the middle");
    p_writer(kind, d);
    CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    fill_batch(way, file, MUCH, 50000);
    CHECK((sent = iob_send(d[0], &batch)) > 0);
    CHECK(sent < MUCH);
    if (reset) l_reset(d[1]);
    else CHECK_INT(close((int)d[1]), 0);
    io_wantwrite(d[0]);
    for (tries = 0;; tries++) {
      CHECK(tries < 1000);
      CHECK_INT(l_next_write(L_PATIENCE), d[0]);
      if ((sent = iob_send(d[0], &batch)) == -3) break;
      CHECK(sent > 0 || (sent == -1 && errno == EAGAIN));
    }
    CHECK(errno == EPIPE || errno == ECONNRESET);
    CHECK(iob_bytesleft(&batch) > 0);
    iob_reset(&batch);
    io_close(d[0]);
  }
}

TEST(a_peer_that_closes_in_the_middle_of_buffers) { dies_in_the_middle(BATCH, 0); }
TEST(a_peer_that_resets_in_the_middle_of_buffers) { dies_in_the_middle(BATCH, 1); }
TEST(a_peer_that_closes_in_the_middle_of_owned_buffers) { dies_in_the_middle(COPIES, 0); }
TEST(a_peer_that_resets_in_the_middle_of_owned_buffers) { dies_in_the_middle(COPIES, 1); }
TEST(a_peer_that_closes_in_the_middle_of_a_file) { dies_in_the_middle(FILE_BATCH, 0); }
TEST(a_peer_that_resets_in_the_middle_of_a_file) { dies_in_the_middle(FILE_BATCH, 1); }

TEST(a_peer_that_sends_on_while_it_is_answered_and_closed_gets_the_answer) {
  int64 d[2];
  char answer[6];
  p_pair(TCP, d);
  l_put(d[1], "a request");
  io_wantread(d[0]);
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], bytes, 100), 9);
  CHECK_INT(io_trywrite(d[0], "answer", 6), 6);
  CHECK_INT(shutdown((int)d[0], SHUT_WR), 0);
  l_put(d[1], "and more, and more");
  CHECK_INT(recv((int)d[1], answer, 6, MSG_WAITALL), 6);
  CHECK_INT(read((int)d[1], answer, 1), 0);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], bytes, 100), 18);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], bytes, 100), 0);
  io_close(d[0]);
}

/* Urgent bytes: out of line they are no readable data, in line they are, and neither makes the loop spin. */
static void urgent(int in_line) {
  int64 d[2];
  int on = in_line;
  char c;
  p_pair(TCP, d);
  l_idle();
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
  io_wantread(d[0]);
  CHECK_INT(send((int)d[1], "!", 1, MSG_OOB), 1);
  l_until(d[0], POLLPRI);
  if (in_line) {
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
    CHECK_INT(c, '!');
  } else {
    l_check_asleep();
    CHECK_INT(recv((int)d[0], &c, 1, MSG_OOB), 1);
  }
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  CHECK_INT(c, 'x');
  l_check_asleep();
}

TEST(an_urgent_byte_out_of_line_is_no_readable_data) { urgent(0); }
TEST(an_urgent_byte_in_line_is_read_in_its_turn) { urgent(1); }

TEST(peeking_takes_nothing_and_is_reported_again) {
  int kind;
  for (kind = 0; kind <= PACKETS; kind++) {
    int64 d[2];
    int i;
    char buf[8];
    if (!p_has(kind)) continue;
    p_say(kind, "peeking");
    p_pair(kind, d);
    io_wantread(d[0]);
    l_put(d[1], "hello");
    for (i = 0; i < 3; i++) {
      l_expect_read_only(d[0]);
      CHECK_INT(recv((int)d[0], buf, sizeof buf, MSG_PEEK), 5);
    }
    CHECK_INT(io_tryread(d[0], buf, sizeof buf), 5);
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(both_directions_flow_at_once) {
  int kind;
  p_make(bytes, 0, SOME);
  for (kind = 0; kind <= UNIX; kind++) {
    int64 d[2], sent[2] = {0, 0}, got[2] = {0, 0}, next;
    static char buf[10000];
    int i;
    if (!p_has(kind)) continue;
    p_say(kind, "both directions");
    p_pair(kind, d);
    io_nonblock(d[1]);
    CHECK_INT(io_fd(d[1]), 1);
    for (i = 0; i < 2; i++) io_wantread(d[i]), io_wantwrite(d[i]);
    while (got[0] < SOME || got[1] < SOME) {
      CHECK(io_waituntil2(L_PATIENCE) > 0);
      while ((next = io_canread()) != -1) {
        int64 n = io_tryread(next, buf, sizeof buf);
        i = next == d[1];
        CHECK(n > 0);
        p_check_bytes(buf, got[i], n);
        got[i] += n;
      }
      while ((next = io_canwrite()) != -1) {
        int64 n;
        i = next == d[1];
        n = io_trywrite(next, bytes + sent[i], SOME - sent[i]);
        CHECK(n > 0 || (n == -1 && errno == EAGAIN));
        if (n > 0) sent[i] += n;
        if (sent[i] == SOME) io_dontwantwrite(next);
      }
    }
    io_close(d[0]), io_close(d[1]);
  }
}
