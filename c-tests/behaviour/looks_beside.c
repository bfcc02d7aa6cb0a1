/* A thread that looks without waiting, beside one that sleeps, takes nothing away from it. */
#include "thread.h"

static int is_over;

static void *look_all_the_time(void *looks) {
  while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
    io_check();
    __atomic_fetch_add((int *)looks, 1, __ATOMIC_RELEASE);
  }
  return NULL;
}

static void a_look(void) { io_check(); }
static void a_look_with_a_limit(void) { io_waituntil2(0); }

static void sleeper_hears_after(void (*look)(void), int writing) {
  struct th_sleeper s;
  int64 d[2];
  l_idle();
  l_pipe(d, 0);
  CHECK_INT(io_fd(d[1]), 1);
  l_put(d[1], "x");
  th_put_to_sleep(&s, TH_LIMIT);
  look();
  if (writing) {
    io_wantwrite(d[1]);
  } else {
    io_wantread(d[0]);
  }
  th_check_returns_at_once(&s);
  if (writing) {
    l_expect_write_only(d[1]);
  } else {
    l_expect_read_only(d[0]);
  }
}

TEST(a_sleeper_hears_what_is_wanted_after_another_thread_has_looked) { sleeper_hears_after(a_look, 0); }
TEST(a_sleeper_hears_what_is_wanted_after_another_thread_has_looked_with_no_time) {
  sleeper_hears_after(a_look_with_a_limit, 1);
}

TEST(a_sleeper_hears_of_a_deadline_set_after_another_thread_has_looked) {
  struct th_sleeper s;
  int64 idle = l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  io_check();
  io_timeout(idle, l_in_ms(50));
  th_check_returns_at_once(&s);
  CHECK_INT(io_timeouted(), idle);
}

/* What is to wake the one that sleeps must not be taken by the one that looks. */
TEST(a_sleeper_is_woken_although_another_thread_looks_all_the_time) {
  struct th_sleeper s;
  int64 idle = l_idle();
  int round, looks = 0, before;
  pthread_t looker = th_start(look_all_the_time, &looks);
  for (round = 0; round < 50; round++) {
    th_put_to_sleep(&s, TH_LIMIT);
    before = __atomic_load_n(&looks, __ATOMIC_ACQUIRE);
    CHECK_INT(io_queueforread(idle), 1);
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), idle);
    while (__atomic_load_n(&looks, __ATOMIC_ACQUIRE) == before) poll(NULL, 0, 1);
  }
  __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
  th_join(looker);
}
