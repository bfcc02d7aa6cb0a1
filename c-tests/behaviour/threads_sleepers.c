/* Several threads sleep in wait calls: what another one changes reaches all of them. One that returns for a reason
 * of its own right after the change must not have been the only one to hear of it. */
#include "thread.h"

#define STAYING 3

static struct th_sleeper leaving, staying[STAYING];

static void put_all_to_sleep(void) {
  int i;
  th_put_to_sleep(&leaving, 1); /* valgrind is slow where code runs for the first time */
  th_join(leaving.thread);
  th_put_to_sleep(&leaving, 300);
  for (i = 0; i < STAYING; i++) th_put_to_sleep(&staying[i], TH_LIMIT);
  CHECK(!th_is_done(&leaving));
}

static int returned(void) {
  int i, n = 0;
  for (i = 0; i < STAYING; i++) n += th_is_done(&staying[i]);
  return n;
}

static void await_returns(int n) {
  int64 end = t_now_ms() + TH_AT_ONCE;
  while (returned() < n) {
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 1);
  }
}

TEST(a_new_deadline_reaches_the_threads_that_still_wait) {
  int64 idle = l_idle();
  put_all_to_sleep();
  io_timeout(idle, l_in_ms(800));
  th_join(leaving.thread);
  await_returns(1);
  CHECK_INT(io_timeouted(), idle);
}

TEST(new_interest_reaches_the_threads_that_still_wait) {
  int64 d[2];
  l_idle();
  l_pipe(d, 0);
  put_all_to_sleep();
  io_wantread(d[0]);
  th_join(leaving.thread);
  l_put(d[1], "x");
  await_returns(1);
  CHECK_INT(io_canread(), d[0]);
}

/* Each queued event ends at least one wait, whichever thread got the one before. */
TEST(queued_events_end_the_waits_of_threads_one_by_one) {
  int64 idle = l_idle();
  int i;
  put_all_to_sleep();
  th_join(leaving.thread);
  for (i = 1; i <= STAYING; i++) {
    CHECK_INT(io_queueforread(idle), 1);
    await_returns(i);
    CHECK_INT(io_canread(), idle);
    CHECK_INT(io_canread(), -1);
  }
}

TEST(all_waiting_threads_return_when_nothing_is_wanted_any_more) {
  int64 idle = l_idle();
  put_all_to_sleep();
  io_close(idle);
  await_returns(STAYING);
  th_check_returns_at_once(&leaving);
}

/* promise: What ends a wait */
TEST(all_waiting_threads_return_when_the_loop_is_shut_down) {
  l_idle();
  put_all_to_sleep();
  io_finishandshutdown();
  await_returns(STAYING);
  th_check_returns_at_once(&leaving);
}
