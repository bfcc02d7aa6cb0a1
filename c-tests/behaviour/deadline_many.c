/* Deadlines in large numbers: of descriptors, and of changes. */
#include "many.h"

enum { MOST = 20000 };

static int64 d[MOST];

/* n registered descriptors of which no event is to be expected. */
static void registered(int64 n, int want) {
  int64 i, p[2];
  t_pipe(p);
  for (i = 0; i < n; i++) {
    d[i] = dup((int)p[0]);
    CHECK(d[i] > 0 && d[i] < MOST);
    CHECK_INT(io_fd_flags(d[i], IO_FD_NONBLOCK), 1);
    if (want) io_wantread(d[i]);
  }
}

/* One sweep: each of d[from] to d[to - 1] is named exactly once, and nothing else. */
static void sweep(int64 from, int64 to) {
  static char expected[MOST];
  int64 i, next, n = 0;
  memset(expected, 0, sizeof expected);
  for (i = from; i < to; i++) expected[d[i]] = 1;
  while ((next = io_timeouted()) != -1) {
    CHECK(expected[next]);
    expected[next] = 0;
    n++;
  }
  CHECK_INT(n, to - from);
}

/* Labels from different corners, in the order in which a data structure may like them least. */
static tai6464 back(tai6464 t, int64 i) {
  t.sec.x += (uint64)i;
  return t;
}

static tai6464 forward(tai6464 t, int64 i) {
  t.sec.x += (uint64)(2000000 - i);
  return t;
}

static tai6464 to_and_fro(tai6464 t, int64 i) {
  t.sec.x += (uint64)(i % 2 ? i : 2000000 - i);
  return t;
}

static tai6464 set_and_cleared(tai6464 t, int64 i) { return i % 2 ? l_never() : back(t, i); }

/* promise: Deadlines are cheap */
TEST(a_million_changes_of_one_deadline_take_no_memory) {
  tai6464 (*const patterns[])(tai6464, int64) = {back, forward, to_and_fro, set_and_cleared};
  tai6464 start = l_in_ms(1000000);
  int64 changes = t_under_valgrind() ? 20000 : 1000000, i, before;
  unsigned k;
  registered(2, 1);
  io_timeout(d[1], start);
  io_timeout(d[0], start);
  io_check();
  before = m_resident();
  for (k = 0; k < sizeof patterns / sizeof *patterns; k++) {
    for (i = 0; i < changes; i++) {
      io_timeout(d[0], patterns[k](start, i));
      if (i % 10000 == 0) io_check();
    }
  }
  m_check_grown(before, 64 << 10);
  CHECK_INT(io_timeouted(), -1);
  io_timeout(d[0], l_in_ms(60)); /* and after all these one that counts */
  while (io_timedout(d[0]) == 0) CHECK_INT(io_waituntil2(L_PATIENCE), 0);
  sweep(0, 1);
  l_check_asleep();
}

TEST(deadlines_that_pass_at_once_are_all_named_by_one_sweep) {
  int64 n = m_descriptors() - 100, i, first, waits = 0;
  tai6464 label;
  registered(n, 1);
  CHECK_INT(io_waituntil2(1), 0); /* what registering costs is not waited for below */
  first = t_now_ms();
  label = l_in_ms(250);
  for (i = 0; i < n; i++) io_timeout(d[i], label);
  while (io_timedout(d[0]) == 0) {
    CHECK_INT(io_waituntil2(L_PATIENCE), 0);
    CHECK(t_now_ms() - first >= 249);
    waits++;
  }
  CHECK(waits <= 1); /* none, on a machine that took 250 ms to set them */
  sweep(0, n);
  l_check_sleeps(200);
  sweep(0, n); /* unhandled ones come again */
  for (i = 0; i < n / 2; i++) io_timeout(d[i], l_in_ms(100000));
  for (; i < n * 3 / 4; i++) io_close(d[i]);
  sweep(n * 3 / 4, n);
  l_check_sleeps(200);
}

/* As a server does that gives every client another half minute with each message. */
/* promise: Deadlines are cheap */
TEST(pushing_thousands_of_deadlines_back_every_turn_wakes_nobody) {
  enum { COUNT = 9900, TURNS = 60 };
  int64 i, turn, idle, early = 0;
  m_descriptors();
  idle = l_idle();
  registered(COUNT, 0);
  for (turn = 0; turn < TURNS; turn++) {
    tai6464 label = l_in_ms(100);
    int64 end;
    for (i = 0; i < COUNT; i++) io_timeout(d[i], label);
    end = t_now_ms() + 10;
    CHECK_INT(io_waituntil2(10), 0);
    /* A deadline that has passed, on a slow machine, is a good reason to return. */
    early += t_now_ms() < end && io_timeouted() == -1;
  }
  CHECK(early <= 1);
  CHECK_INT(io_canread(), -1);
  io_close(idle);
}

/* A repeatable shuffle. */
static void shuffle(int64 *list, int64 n) {
  unsigned seed = 7;
  int64 i;
  for (i = n - 1; i > 0; i--) {
    int64 k = rand_r(&seed) % (i + 1), kept = list[i];
    list[i] = list[k];
    list[k] = kept;
  }
}

TEST(the_nearest_of_thousands_of_deadlines_ends_the_wait) {
  enum { COUNT = 5000, ROUNDS = 12 };
  int64 i, begun, took;
  m_descriptors();
  registered(COUNT, 1);
  CHECK_INT(io_waituntil2(1), 0);
  for (i = 0; i < COUNT; i++) io_timeout(d[i], l_in_ms(100000 + i * 100));
  shuffle(d, COUNT);
  for (i = 0; i < ROUNDS; i++) {
    int64 ms = i % 3 == 2 ? 130 : 40;
    begun = t_now_ms();
    io_timeout(d[i], l_in_ms(ms));
    if (i % 2) io_timeout(d[i + 1], l_in_ms(ms + 3000)); /* next in line, and soon to be brought forward */
    io_waituntil2(L_PATIENCE);
    took = t_now_ms() - begun;
    CHECK(took >= ms - 1 && took < 1000);
    sweep(i, i + 1);
    if (i % 4 == 0) io_close(d[i]);
    else io_timeout(d[i], l_in_ms(200000));
  }
}

TEST(thousands_of_deadlines_pass_in_order_and_none_early) {
  enum { COUNT = 3000, SPAN = 300 };
  static char passed[MOST];
  static int64 due[MOST];
  int64 i, next, found = 0, waits = 0, start, begun;
  m_descriptors();
  registered(COUNT, 1);
  CHECK_INT(io_waituntil2(1), 0);
  start = t_now_ms();
  for (i = 0; i < COUNT; i++) {
    int64 ms = 50 + i * 7919 % SPAN;
    due[d[i]] = t_now_ms() + ms;
    io_timeout(d[i], l_in_ms(ms));
  }
  begun = t_now_ms();
  while (found < COUNT) {
    CHECK_INT(io_waituntil2(L_PATIENCE), 0);
    waits++;
    while ((next = io_timeouted()) != -1) {
      CHECK(t_now_ms() >= due[next] - 1 && !passed[next]);
      passed[next] = 1;
      found++;
      io_timeout(next, l_never());
    }
    CHECK(t_now_ms() - start < 10000);
  }
  CHECK(t_now_ms() >= start + 50 + SPAN - 1);
  /* At most one wait a deadline would do; more would be waking for nothing. */
  CHECK(waits <= COUNT && waits <= 2 * (t_now_ms() - begun) + 10);
}
