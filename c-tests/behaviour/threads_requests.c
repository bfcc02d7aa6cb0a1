/* Connections that have answered requests while the program had one thread; then it starts more. */
#include "thread.h"

TEST(reports_of_two_waits_at_once_are_repeated_until_they_are_read) {
  struct th_sleeper s[2];
  int64 d[2][2], first, second;
  int i;
  l_idle();
  for (i = 0; i < 2; i++) l_connection(d[i]);
  for (i = 0; i < 2; i++) th_put_to_sleep(&s[i], TH_LIMIT);
  for (i = 0; i < 2; i++) {
    /* With the first event one of them returns, with the second the other one. */
    int64 end = t_now_ms() + L_PATIENCE;
    l_put(d[i][1], "request");
    while (th_is_done(&s[0]) + th_is_done(&s[1]) < i + 1) {
      CHECK(t_now_ms() < end);
      poll(NULL, 0, 1);
    }
    if (i == 0) CHECK_INT(io_canread(), d[0][0]); /* and is not read from */
  }
  for (i = 0; i < 2; i++) th_join(s[i].thread);
  while (io_canread() != -1) {
  }
  first = l_next_read(L_PATIENCE);
  while ((second = l_next_read(L_PATIENCE)) == first) {
  }
  CHECK_INT(first + second, d[0][0] + d[1][0]);
}

/* It can always be written to. Another thread wants that now and then, and never for long. */
enum { TOGGLES = 200 };
static int64 toggled;
static int toggles;

static void *toggle_write_interest(void *unused) {
  int i;
  (void)unused;
  for (i = 1; i <= TOGGLES; i++) {
    io_wantwrite(toggled);
    io_dontwantwrite(toggled);
    poll(NULL, 0, 1);
    __atomic_store_n(&toggles, i, __ATOMIC_RELEASE);
  }
  return NULL;
}

/* Where the other thread is interrupted in between, the loop has something to report all the time. That is seldom. */
TEST(write_interest_that_another_thread_states_and_withdraws_does_not_spin) {
  static int turns[TOGGLES];
  int64 d[2];
  int i, spun = 0;
  pthread_t thread;
  t_unix_pair(d);
  toggled = d[0];
  CHECK(io_fd(toggled));
  io_wantread(toggled);
  io_waituntil2(5);
  thread = th_start(toggle_write_interest, NULL);
  while ((i = __atomic_load_n(&toggles, __ATOMIC_ACQUIRE)) < TOGGLES) {
    turns[i]++;
    io_waituntil2(50);
    while (io_canread() != -1) {
    }
    while (io_canwrite() != -1) {
    }
  }
  th_join(thread);
  for (i = 0; i < TOGGLES; i++) spun += turns[i] > 20;
  CHECK(spun < TOGGLES / 4);
}
