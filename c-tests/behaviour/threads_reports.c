/* One thread waits and several take what it found: each report goes to exactly one of them. And a thread that is
 * inside a filter holds nobody up. */
#include "thread.h"

#include "iob_internal.h"

#define TAKERS 4

static pthread_barrier_t gate;
static int64 (*take)(void);
/* How many each taker takes in a round: all that there are, together. */
static int quota;
static int taken[1024];
static int go_on = 1;

/* A round begins and ends at the gate. */
static void *take_quota(void *unused) {
  (void)unused;
  for (;;) {
    int i;
    pthread_barrier_wait(&gate);
    if (!go_on) return NULL;
    for (i = 0; i < quota; i++) {
      int64 d = take();
      CHECK(d >= 0 && d < 1024);
      __atomic_fetch_add(&taken[d], 1, __ATOMIC_RELAXED);
    }
    pthread_barrier_wait(&gate);
  }
}

/* Has `prepare` make each of d[0..n-1] be reported once, and sees that it is, `rounds` times. */
static void check_exactly_once(int64 (*taker)(void), void (*prepare)(int64), const int64 *d, int n, int rounds) {
  pthread_t thread[TAKERS];
  int i, round;
  take = taker;
  quota = n / TAKERS;
  CHECK_INT(n % TAKERS, 0);
  CHECK_INT(pthread_barrier_init(&gate, NULL, TAKERS + 1), 0);
  for (i = 0; i < TAKERS; i++) thread[i] = th_start(take_quota, NULL);
  for (round = 0; round < rounds; round++) {
    memset(taken, 0, sizeof taken);
    for (i = 0; i < n; i++) prepare(d[i]);
    io_check();
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    for (i = 0; i < n; i++) CHECK_INT(taken[d[i]], 1);
    CHECK_INT(take(), -1);
  }
  go_on = 0;
  pthread_barrier_wait(&gate);
  for (i = 0; i < TAKERS; i++) th_join(thread[i]);
}

#define MANY 200

static void expire(int64 d) { io_timeout(d, l_in_ms(-1000)); }
static void queue_read(int64 d) { CHECK_INT(io_queueforread(d), 1); }
static void queue_write(int64 d) { CHECK_INT(io_queueforwrite(d), 1); }
static void nothing(int64 d) { (void)d; }

/* promise: Each report goes to one caller */
TEST(each_readable_descriptor_is_reported_to_one_thread) {
  int64 d[2], all[MANY];
  int i;
  for (i = 0; i < MANY; i++) {
    l_pipe(d, 1);
    all[i] = d[0];
    l_put(d[1], "x");
  }
  check_exactly_once(io_canread, nothing, all, MANY, 50);
}

/* promise: Each report goes to one caller */
TEST(each_writable_descriptor_is_reported_to_one_thread) {
  int64 d[2], all[MANY];
  int i;
  for (i = 0; i < MANY; i++) {
    l_pipe(d, 0);
    l_write_event(all[i] = d[1]);
  }
  check_exactly_once(io_canwrite, nothing, all, MANY, 50);
}

/* promise: Each report goes to one caller */
TEST(each_expired_descriptor_is_reported_to_one_thread) {
  int64 d[2], all[MANY];
  int i;
  for (i = 0; i < MANY; i++) {
    l_pipe(d, 1);
    all[i] = d[0];
  }
  check_exactly_once(io_timeouted, expire, all, MANY, 50);
}

/* promise: Each report goes to one caller */
TEST(each_queued_event_is_reported_to_one_thread) {
  int64 d[2], all[MANY];
  int i;
  for (i = 0; i < MANY; i++) {
    l_pipe(d, 0);
    CHECK_INT(io_fd(all[i] = d[1]), 1);
  }
  check_exactly_once(io_canread, queue_read, all, MANY, 25);
  go_on = 1;
  check_exactly_once(io_canwrite, queue_write, all, MANY, 25);
}

/* Takers that are at it all the time, beside the one that waits. Each byte is a report that somebody has to get. */
#define PIPES 16
#define BYTES 20000

static int64 pipes[PIPES][2], got[PIPES];
static int64 all_got;

static void *take_bytes(void *unused) {
  (void)unused;
  while (__atomic_load_n(&all_got, __ATOMIC_RELAXED) < BYTES) {
    int64 d = io_canread(), *mine;
    char c;
    if (d == -1) {
      sched_yield();
      continue;
    }
    mine = io_getcookie(d);
    CHECK(mine >= got && mine < got + PIPES);
    /* Another wait call may have found it again before its byte was read. */
    if (io_tryread(d, &c, 1) != 1) continue;
    __atomic_fetch_add(mine, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&all_got, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void *wait_in_a_loop(void *unused) {
  (void)unused;
  while (__atomic_load_n(&all_got, __ATOMIC_RELAXED) < BYTES) io_waituntil2(TH_LIMIT);
  return NULL;
}

/* promise: Each report goes to one caller */
TEST(threads_that_take_events_beside_a_waiting_one_miss_nothing) {
  pthread_t taker[TAKERS], waiter;
  int64 sent[PIPES] = {0}, d[2];
  int i;
  l_pipe(d, 1); /* something to end the last wait with */
  for (i = 0; i < PIPES; i++) {
    l_pipe(pipes[i], 0);
    io_setcookie(pipes[i][0], &got[i]);
    io_wantread(pipes[i][0]);
  }
  waiter = th_start(wait_in_a_loop, NULL);
  for (i = 0; i < TAKERS; i++) taker[i] = th_start(take_bytes, NULL);
  for (i = 0; i < BYTES; i++) {
    l_put(pipes[(i * 7 + i / 100) % PIPES][1], "x");
    sent[(i * 7 + i / 100) % PIPES]++;
  }
  for (i = 0; i < TAKERS; i++) th_join(taker[i]);
  l_put(d[1], "x");
  th_join(waiter);
  for (i = 0; i < PIPES; i++) CHECK_INT(got[i], sent[i]);
}

/* The filter of the batch that is in the way: it stays inside until it is let out. */
static int inside, let_out;

static int64 stay(int64 s, const void *bytes, uint64 n) {
  (void)s;
  (void)bytes;
  __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n(&let_out, __ATOMIC_ACQUIRE)) poll(NULL, 0, 1);
  return (int64)n;
}

static int64 pass(int64 s, const void *bytes, uint64 n) {
  (void)s;
  (void)bytes;
  return (int64)n;
}

static void *write_and_stay(void *arg) {
  io_batch b;
  memset(&b, 0, sizeof b);
  if (*(int64 *)arg == -1) {
    CHECK_INT(iob_adds(&b, "in the way"), 1);
  } else {
    CHECK_INT(iob_addfile(&b, *(int64 *)arg, 0, 10), 1);
  }
  CHECK_INT(iob_write(1, &b, stay), 10);
  CHECK_INT(let_out, 1);
  return NULL;
}

/* Nobody lets the filter out before all this is done, so that a test that fails hangs. */
/* promise: What a filter may do */
TEST(a_slow_filter_holds_no_other_thread_up) {
  int64 file = t_tmpfile(100000);
  int from_file;
  for (from_file = 0; from_file < 2; from_file++) {
    struct th_sleeper s;
    io_batch b;
    pthread_t thread;
    int64 d[2], none = -1;
    inside = let_out = 0;
    thread = th_start(write_and_stay, from_file ? &file : &none);
    while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE)) poll(NULL, 0, 1);
    l_pipe(d, 1);
    io_timeout(d[0], l_in_ms(60000));
    th_put_to_sleep(&s, TH_LIMIT);
    memset(&b, 0, sizeof b);
    CHECK_INT(iob_addfile(&b, file, 0, 100000), 1);
    CHECK_INT(iob_adds(&b, "and more"), 1);
    CHECK_INT(iob_write(1, &b, pass), 100008);
    CHECK_INT(io_mmapwritefile(1, file, 0, 100000, pass), 100000);
    CHECK_INT(iob_adds(&b, "x"), 1);
    CHECK_INT(io_fd(d[1]), 1);
    CHECK_INT(iob_send(d[1], &b), 1);
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), d[0]);
    io_close(d[0]);
    io_close(d[1]);
    __atomic_store_n(&let_out, 1, __ATOMIC_RELEASE);
    th_join(thread);
  }
}
