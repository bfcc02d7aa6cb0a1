/* Helpers for tests with several threads: threads that sleep in a wait call, and a check that they do. */
#ifndef THREAD_H
#define THREAD_H
#include "loop.h"

#include <pthread.h>
#include <sys/syscall.h>

T_HELPER pthread_t th_start(void *(*body)(void *), void *arg) {
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, body, arg), 0);
  return thread;
}

T_HELPER void th_join(pthread_t thread) { CHECK_INT(pthread_join(thread, NULL), 0); }

/* A wait call in a thread of its own. Its event comes at once or not before its limit. TH_AT_ONCE is between the two,
 * far from both. */
#define TH_LIMIT 10000
#define TH_AT_ONCE 3000

struct th_sleeper {
  pthread_t thread;
  int64 limit, took;
  int id, done;
};

T_HELPER void *th_sleep(void *arg) {
  struct th_sleeper *s = arg;
  int64 begun = t_now_ms();
  __atomic_store_n(&s->id, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
  CHECK(io_waituntil2(s->limit) >= 0);
  s->took = t_now_ms() - begun;
  __atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
  return NULL;
}

T_HELPER int th_is_done(struct th_sleeper *s) { return __atomic_load_n(&s->done, __ATOMIC_ACQUIRE); }

/* Whether thread `id` of this process sleeps in the kernel. */
T_HELPER int th_sleeps(int id) {
  char path[64], text[512], *state;
  FILE *stat;
  size_t n;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
  if (!(stat = fopen(path, "r"))) return 0; /* it has ended */
  n = fread(text, 1, sizeof text - 1, stat);
  CHECK_INT(fclose(stat), 0);
  text[n] = 0;
  state = strrchr(text, ')');
  return state && state[2] == 'S';
}

/* Returns when `s` sleeps, or has returned. */
T_HELPER void th_await_sleep(struct th_sleeper *s) {
  int64 end = t_now_ms() + L_PATIENCE;
  int id;
  while (!th_is_done(s)) {
    id = __atomic_load_n(&s->id, __ATOMIC_ACQUIRE);
    if (id != 0 && th_sleeps(id)) return;
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 1);
  }
}

T_HELPER void th_put_to_sleep(struct th_sleeper *s, int64 limit) {
  memset(s, 0, sizeof *s);
  s->limit = limit;
  s->thread = th_start(th_sleep, s);
  th_await_sleep(s);
}

T_HELPER void th_check_returns_at_once(struct th_sleeper *s) {
  th_join(s->thread);
  CHECK(s->took < TH_AT_ONCE);
}

/* A wait that returns by mistake does so soon. */
T_HELPER void th_check_sleeps_on(struct th_sleeper *s, int ms) {
  poll(NULL, 0, ms);
  CHECK(!th_is_done(s));
  th_await_sleep(s);
  CHECK(!th_is_done(s));
}
#endif
