/* Many descriptors with something to say in the same turn: more than one system call brings. */
#include "many.h"

enum { MANY = 700, MOST = 4096 };

static int64 d[MANY];
static int reported[MOST];

static void watch_many(int fire) {
  int i;
  for (i = 0; i < MANY; i++) {
    d[i] = m_event();
    CHECK(d[i] < MOST);
    l_read_event(d[i]);
    if (fire) m_fire(d[i]);
  }
}

/* Takes what is pending. Returns how many. */
static int take_all(void) {
  int64 next;
  int n = 0;
  while ((next = io_canread()) != -1) {
    reported[next]++;
    m_take(next);
    n++;
  }
  return n;
}

/* promise: One report a direction and wait */
TEST(of_700_ready_at_once_each_is_reported_once_a_wait) {
  int i, round, found, waits;
  m_descriptors();
  watch_many(0);
  for (round = 1; round <= 3; round++) {
    for (i = 0; i < MANY; i++) m_fire(d[i]);
    for (found = waits = 0; found < MANY; waits++) {
      CHECK(waits < 10);
      io_waituntil2(L_PATIENCE);
      found += take_all();
    }
    for (i = 0; i < MANY; i++) CHECK_INT(reported[d[i]], round);
  }
  l_check_asleep();
}

/* promise: Everyone gets a turn */
TEST(a_new_descriptor_is_reported_among_700_that_are_always_ready) {
  int64 next, p[2];
  int waits, heard = 0, i;
  m_descriptors();
  watch_many(1);
  for (waits = 0; waits < 20; waits++) { /* as a server that is behind with its work */
    io_check();
    while ((next = io_canread()) != -1) reported[next]++;
  }
  for (i = 0; i < MANY; i++) CHECK(reported[d[i]] >= 3);
  l_pipe(p, 1);
  l_put(p[1], "x");
  for (waits = 0; !heard; waits++) {
    CHECK(waits < 10);
    io_check();
    while ((next = io_canread()) != -1) heard |= next == p[0];
  }
}

/* Each event closes somebody who has one too, and opens another in its place who has none. */
/* promise: A reused number is a new descriptor */
TEST(a_descriptor_closed_by_the_handler_of_another_is_not_reported) {
  static char renewed[MOST];
  int64 next;
  int i, events = 0;
  unsigned seed = 3;
  m_descriptors();
  watch_many(1);
  for (;;) {
    if ((next = io_canread()) == -1) {
      io_check();
      if ((next = io_canread()) == -1) break;
    }
    events++;
    CHECK(!renewed[next]);
    m_take(next);
    i = rand_r(&seed) % MANY;
    io_close(d[i]);
    CHECK_INT(m_event(), d[i]);
    l_read_event(d[i]);
    renewed[d[i]] = 1;
  }
  CHECK(events > MANY / 3);
  for (i = 0; i < MANY; i++)
    if (renewed[d[i]]) m_fire(d[i]);
  while ((next = l_next_read(20)) != -1) {
    CHECK_INT(renewed[next]--, 1);
    m_take(next);
  }
  for (i = 0; i < MANY; i++) CHECK(!renewed[d[i]]);
}

/* More are always ready than a wait takes at first, and one event is taken a turn. */
/* promise: Everyone gets a turn */
TEST(one_event_taken_a_turn_reaches_everyone) {
  int i;
  m_descriptors();
  watch_many(1);
  for (i = 0; i < MANY * 3; i++) {
    int64 next;
    io_check();
    next = io_canread();
    CHECK(next != -1);
    reported[next]++;
  }
  for (i = 0; i < MANY; i++) CHECK(reported[d[i]] >= 1);
}

/* Files that live on, ready, under numbers that nobody registered, while theirs belong to others by now. */
/* promise: Closing behind the library */
TEST(events_of_700_closed_files_that_live_on_hide_nobody_and_do_not_spin) {
  int i, copy;
  m_descriptors();
  l_idle();
  watch_many(0);
  io_waituntil2(1);
  for (i = 0; i < MANY; i++) {
    CHECK((copy = fcntl((int)d[i], F_DUPFD, 2000)) != -1);
    CHECK_INT(close((int)d[i]), 0);
    CHECK_INT(m_event(), d[i]);
    l_read_event(d[i]);
    m_fire(copy);
  }
  io_check();
  io_check();
  CHECK_INT(io_canread(), -1);
  m_fire(d[MANY / 2]);
  l_expect_read_only(d[MANY / 2]);
  m_take(d[MANY / 2]);
  l_check_asleep();
}

TEST(hang_ups_of_300_unwanted_peers_do_not_spin_and_are_reported_when_wanted) {
  enum { PEERS = 300 };
  int64 pair[PEERS][2], next;
  int i, found, waits = 0;
  char c;
  m_descriptors();
  l_idle();
  for (i = 0; i < PEERS; i++) {
    if (i % 3 == 0) t_pipe(pair[i]);
    if (i % 3 == 1) t_unix_pair(pair[i]);
    if (i % 3 == 2) t_tcp_pair(pair[i]);
    io_nonblock(pair[i][0]);
    l_read_event(pair[i][0]);
  }
  io_waituntil2(1);
  for (i = 0; i < PEERS; i++) io_dontwantread(pair[i][0]);
  for (i = 0; i < PEERS; i++) CHECK_INT(close((int)pair[i][1]), 0);
  l_until(pair[PEERS - 1][0], POLLRDHUP);
  while (io_waituntil2(20) != 0) {
    CHECK_INT(io_canread(), -1);
    CHECK(waits++ < 2 * PEERS); /* two empty wake-ups a peer are allowed */
  }
  l_check_asleep();
  for (i = 0; i < PEERS; i++) io_wantread(pair[i][0]);
  for (found = 0; found < PEERS; found++) {
    next = l_next_read(L_PATIENCE);
    CHECK(next != -1);
    CHECK_INT(io_tryread(next, &c, 1), 0);
    io_close(next);
  }
  l_check_asleep();
}

/* `n` descriptors that are always ready, of which the program takes `taken` after each wait: all are heard, and none is
 * heard much more often than another. */
static void nobody_starves(int n, int taken) {
  static int64 always[10000];
  static int heard[20000];
  int64 next = -1;
  int i, took, waits = 0, missing = n, room;
  if (m_descriptors() < n + 100) SKIP("this process may not have that many descriptors");
  for (i = 0; i < n; i++) {
    always[i] = m_event();
    CHECK(always[i] < 20000);
    l_read_event(always[i]);
    m_fire(always[i]);
  }
  room = 4 * (n / taken) + 100;
  while (missing > 0) {
    if (waits++ >= room) CHECK_INT(missing, 0);
    io_waituntil2(L_PATIENCE);
    for (took = 0; took < taken && (next = io_canread()) != -1; took++)
      if (heard[next]++ == 0) missing--;
    CHECK(took > 0);
  }
  for (i = 0; i < n; i++) CHECK(heard[always[i]] <= 10);
}

TEST(of_300_always_ready_nobody_starves_if_1_is_taken_a_turn) { nobody_starves(300, 1); }
TEST(of_300_always_ready_nobody_starves_if_7_are_taken_a_turn) { nobody_starves(300, 7); }
TEST(of_300_always_ready_nobody_starves_if_100_are_taken_a_turn) { nobody_starves(300, 100); }
TEST(of_3000_always_ready_nobody_starves_if_1_is_taken_a_turn) { nobody_starves(3000, 1); }
/* promise: Everyone gets a turn */
TEST(of_3000_always_ready_nobody_starves_if_7_are_taken_a_turn) { nobody_starves(3000, 7); }
TEST(of_3000_always_ready_nobody_starves_if_100_are_taken_a_turn) { nobody_starves(3000, 100); }
TEST(of_9000_always_ready_nobody_starves_if_7_are_taken_a_turn) { nobody_starves(9000, 7); }
TEST(of_9000_always_ready_nobody_starves_if_100_are_taken_a_turn) { nobody_starves(9000, 100); }
TEST(of_9000_always_ready_nobody_starves_if_1_is_taken_a_turn) {
  if (strcmp(t_backend(), "epoll") != 0) SKIP("poll(2) asks about all 9,000 in each of 9,000 turns");
  nobody_starves(9000, 1);
}
