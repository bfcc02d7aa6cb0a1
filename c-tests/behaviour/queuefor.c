/* What io.h promises and libowfat never had: io_queueforread, io_queueforwrite.
 * In a file of its own, because it cannot be linked with libowfat. */
#include "loop.h"

/* promise: Events that the program queues */
TEST(a_queued_event_is_reported_once_although_nothing_is_wanted) {
  int64 d[2];
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_queueforread(d[0]), 1);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_queueforwrite(d[0]), 1);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_canread(), -1);
}

/* promise: Events that the program queues */
TEST(an_event_queued_twice_is_reported_once) {
  int64 d[2];
  l_pipe(d, 1);
  l_put(d[1], "x");
  io_check();
  CHECK_INT(io_queueforread(d[0]), 1);
  CHECK_INT(io_queueforread(d[0]), 1);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Events that the program queues */
TEST(a_wait_does_not_sleep_while_an_event_is_queued) {
  int64 d[2], start = t_now_ms();
  l_idle();
  l_pipe(d, 0);
  CHECK_INT(io_queueforread(d[0]), 1);
  io_waituntil2(L_PATIENCE);
  CHECK(t_now_ms() - start < L_PATIENCE / 2);
  CHECK_INT(io_canread(), d[0]);
}

/* promise: Events that the program queues */
TEST(a_queued_event_ends_with_io_close_and_io_eagain_but_not_with_io_dontwant) {
  int64 d[2];
  l_pipe(d, 0);
  CHECK_INT(io_queueforread(d[0]), 1);
  io_dontwantread(d[0]);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_queueforread(d[0]), 1);
  io_eagain_read(d[0]);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_queueforwrite(d[0]), 1);
  io_eagain_write(d[0]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_queueforread(d[0]), 1);
  io_close(d[0]);
  CHECK_INT(io_canread(), -1);
}

/* promise: Events that the program queues */
TEST(queueing_events_of_impossible_numbers_is_refused) {
  static const int64 strange[] = {-1, INT64_MIN, 1LL << 32, INT64_MAX, 900};
  int64 d[2];
  unsigned i;
  t_pipe(d);
  CHECK_INT(io_queueforread(d[0]), 0); /* open, but not registered */
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    CHECK_INT(io_queueforread(strange[i]), 0);
    CHECK_INT(io_queueforwrite(strange[i]), 0);
  }
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
}
