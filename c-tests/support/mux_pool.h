/* Threads that take the events of a multiplexer, for tests of iom_*. */
#ifndef MUX_POOL_H
#define MUX_POOL_H
#include "mux.h"

#include <pthread.h>
#include <stdatomic.h>

enum { POOL_THREADS = 4, POOL_NUMBERS = 2048 };

struct pool {
  iomux_t c;
  arming *rearm; /* reads a byte of each descriptor and arms it again, if it is not NULL */
  atomic_int all, of[POOL_NUMBERS], at_work[POOL_NUMBERS];
  pthread_t thread[POOL_THREADS];
};

/* Takes events until the multiplexer is aborted, and counts them by descriptor. */
T_HELPER void *take_all(void *p) {
  struct pool *pool = p;
  int64 s;
  unsigned revents;
  int r;
  while ((r = iom_wait(&pool->c, &s, &revents, (unsigned long)-1)) == 1) {
    char byte;
    CHECK_INT(revents, IOM_READ);
    CHECK(s >= 0 && s < POOL_NUMBERS);
    CHECK_INT(atomic_fetch_add(&pool->at_work[s], 1), 0); /* no other thread has it */
    if (pool->rearm) CHECK_INT(read((int)s, &byte, 1), 1);
    atomic_fetch_sub(&pool->at_work[s], 1);
    if (pool->rearm) CHECK_INT(pool->rearm(&pool->c, s, IOM_READ), 0);
    atomic_fetch_add(&pool->of[s], 1);
    atomic_fetch_add(&pool->all, 1);
  }
  CHECK_INT(r, -2);
  return NULL;
}

T_HELPER void start_pool(struct pool *pool) {
  int i;
  for (i = 0; i < POOL_THREADS; i++) CHECK_INT(pthread_create(&pool->thread[i], NULL, take_all, pool), 0);
}

/* Returns when so many events were taken and the threads have ended. */
T_HELPER void finish_pool(struct pool *pool, int events) {
  int i;
  while (atomic_load(&pool->all) < events) sched_yield();
  CHECK_INT(iom_abort(&pool->c), 0);
  for (i = 0; i < POOL_THREADS; i++) CHECK_INT(pthread_join(pool->thread[i], NULL), 0);
  CHECK_INT(atomic_load(&pool->all), events);
}

/* Works like a server: the thread that gets an event reads and arms the descriptor again. */
T_HELPER void check_rearming(arming *rearm) {
  enum { PIPES = 16, BYTES = 50 };
  static struct pool pool;
  static const char bytes[BYTES];
  int64 d[PIPES][2];
  int i;
  pool.rearm = rearm;
  CHECK_INT(iom_init(&pool.c), 1);
  start_pool(&pool);
  for (i = 0; i < PIPES; i++) {
    t_pipe(d[i]);
    CHECK_INT(iom_add(&pool.c, d[i][0], IOM_READ), 0);
    CHECK_INT(write((int)d[i][1], bytes, BYTES), BYTES);
  }
  finish_pool(&pool, PIPES * BYTES);
  for (i = 0; i < PIPES; i++) CHECK_INT(atomic_load(&pool.of[d[i][0]]), BYTES);
}
#endif
