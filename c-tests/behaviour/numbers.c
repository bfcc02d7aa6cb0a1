/* Descriptors in large numbers, and with large numbers. */
#include "many.h"

enum { MOST = 20000, STEP = 100 };

static int64 d[MOST];

/* Registers n new descriptors for reading. Their cookies say which round they are of. */
static void open_all(int64 n, void *round) {
  int64 i;
  for (i = 0; i < n; i++) {
    d[i] = m_event();
    CHECK(d[i] < MOST);
    CHECK_INT(io_fd_flags(d[i], IO_FD_NONBLOCK), 1);
    CHECK(io_getcookie(d[i]) == NULL);
    io_setcookie(d[i], round);
    io_wantread(d[i]);
  }
}

/* Makes every hundredth ready, beginning with one: these are named, once each, and no others. */
static void check_every_hundredth(int64 n, int64 begin, void *round) {
  static char expected[MOST];
  int64 i, next, left = 0;
  memset(expected, 0, sizeof expected);
  for (i = begin; i < n; i += STEP) {
    m_fire(d[i]);
    expected[d[i]] = 1;
    left++;
  }
  for (; left > 0; left--) {
    next = l_next_read(L_PATIENCE);
    CHECK(next != -1 && expected[next]);
    expected[next] = 0;
    CHECK(io_getcookie(next) == round);
    m_take(next);
  }
  CHECK_INT(l_next_read(20), -1);
}

/* Closes all but every hundredth, which have events pending in this turn, and then these. */
static void close_all(int64 n) {
  int64 i;
  for (i = 0; i < n; i += STEP) m_fire(d[i]);
  io_check();
  for (i = 0; i < n; i++)
    if (i % STEP != 0) io_close(d[i]);
  for (i = 0; i < n; i += STEP) io_close(d[i]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Many descriptors */
TEST(as_many_descriptors_as_the_machine_allows_are_served) {
  static int first, second;
  int64 n = m_descriptors() - 50;
  l_idle();
  open_all(n, &first);
  check_every_hundredth(n, 0, &first);
  check_every_hundredth(n, STEP / 2, &first);
  close_all(n);
  open_all(n, &second);
  check_every_hundredth(n, STEP - 1, &second);
  close_all(n);
  l_check_asleep();
}

/* promise: No descriptor left */
TEST(the_loop_works_again_once_a_descriptor_is_free) {
  int64 n = m_descriptors(), fresh;
  static int round;
  l_idle();
  io_waituntil2(1);
  while ((fresh = m_another()) != -1) d[fresh] = fresh;
  CHECK_ERRNO(EMFILE);
  CHECK_INT(fcntl((int)n - 1, F_GETFD), 0); /* the highest number there can be */
  CHECK_INT(io_fd(n - 1), 1);
  io_setcookie(n - 1, &round);
  io_wantread(n - 1);
  m_fire(n - 1);
  CHECK_INT(l_next_read(L_PATIENCE), n - 1);
  io_close(n - 1);
  fresh = m_event();
  CHECK_INT(fresh, n - 1);
  l_read_event(fresh);
  CHECK(io_getcookie(fresh) == NULL);
  l_check_asleep();
  m_fire(fresh);
  CHECK_INT(l_next_read(L_PATIENCE), fresh);
}

/* promise: Many descriptors */
TEST(numbers_far_apart_are_served_alike) {
  int64 top = m_descriptors() - 1, i, n = 0, high;
  static int round;
  l_idle();
  for (high = top; high >= 500; high = high * 5 / 6) { /* from above, with gaps */
    int64 low = m_event();
    d[n] = fcntl((int)low, F_DUPFD, (int)high);
    CHECK_INT(d[n], high);
    close((int)low);
    l_read_event(d[n]);
    io_setcookie(d[n++], &round);
  }
  CHECK(n >= 5);
  for (i = 0; i < n; i++) m_fire(d[i]);
  for (i = 0; i < n; i++) {
    int64 next = l_next_read(L_PATIENCE);
    CHECK(next != -1 && io_getcookie(next) == &round);
    io_setcookie(next, NULL); /* each once */
    m_take(next);
  }
  l_check_asleep();
  for (i = 0; i < n; i++) {
    int64 low = m_event(); /* another file under the same number, without a close in between */
    CHECK_INT(dup2((int)low, (int)d[i]), d[i]);
    close((int)low);
    CHECK_INT(io_fd(d[i]), 1);
    m_fire(d[i]);
  }
  for (i = 0; i < n; i++) io_wantread(d[i]);
  for (i = 0; i < n; i++) {
    int64 next = l_next_read(L_PATIENCE);
    CHECK(next != -1);
    m_take(next);
    io_close(next);
  }
  l_check_asleep();
}

/* Numbers that are not open, as io_fd_flags takes without asking. */
/* promise: Memory and time do not depend on the number */
TEST(memory_grows_with_the_count_of_numbers_and_not_with_their_size) {
  enum { COUNT = 1000, EACH = 16 << 10 };
  static char cookie[COUNT];
  int64 stride = INT32_MAX / COUNT, i, round, before = m_resident(), full = 0;
  for (round = 0; round < 5; round++) {
    for (i = 0; i < COUNT; i++) {
      int64 number = INT32_MAX - i * stride;
      CHECK_INT(io_fd_flags(number, IO_FD_NONBLOCK), 1);
      CHECK(io_getcookie(number) == NULL);
      io_setcookie(number, &cookie[i]);
      io_timeout(number, l_in_ms(100000));
    }
    for (i = 0; i < COUNT; i++) CHECK(io_getcookie(INT32_MAX - i * stride) == &cookie[i]);
    CHECK(io_getcookie(INT32_MAX - 1) == NULL);
    if (round == 0) {
      m_check_grown(before, (2 << 20) + COUNT * EACH);
      full = m_resident();
    }
    for (i = 0; i < COUNT; i++) io_close(INT32_MAX - i * stride);
    CHECK(io_getcookie(INT32_MAX) == NULL);
  }
  m_check_grown(full, 256 << 10); /* the rounds after the first cost nothing */
  CHECK_INT(io_timeouted(), -1);
}

TEST(a_wanted_number_that_was_never_open_does_not_spin) {
  int64 number;
  l_idle();
  for (number = 100000; number < 2000000000; number *= 10) {
    CHECK_INT(io_fd_flags(number, IO_FD_NONBLOCK), 1);
    io_wantread(number);
    io_wantwrite(number);
  }
  l_check_asleep();
}
