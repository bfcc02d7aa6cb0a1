/* iom_*: which threads an event wakes, and how long a wait lasts. */
#include "mux.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { THREADS = 4 };

static pthread_t threads[THREADS];
static atomic_int tids[THREADS];

static void begin(void *(*run)(void *), void *p) {
  int i;
  for (i = 0; i < THREADS; i++) CHECK_INT(pthread_create(&threads[i], NULL, run, p), 0);
}

static void end(iomux_t *c) {
  int i;
  CHECK_INT(iom_abort(c), 0);
  for (i = 0; i < THREADS; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
}

/* The next thread that enters itself. */
static void enter(void) {
  static atomic_int next;
  atomic_store(&tids[atomic_fetch_add(&next, 1)], (int)syscall(SYS_gettid));
}

static void until_all_sleep(void) {
  int i;
  for (i = 0; i < THREADS; i++) {
    while (atomic_load(&tids[i]) == 0 || !asleep(atomic_load(&tids[i]))) sched_yield();
  }
}

/* How often the threads have gone to sleep. */
static long sleeps(void) {
  long sum = 0;
  int i;
  for (i = 0; i < THREADS; i++) {
    char path[64], line[128];
    long n = -1;
    FILE *f;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", atomic_load(&tids[i]));
    f = fopen(path, "r");
    CHECK(f != NULL);
    while (n == -1 && fgets(line, sizeof line, f)) sscanf(line, "voluntary_ctxt_switches: %ld", &n);
    fclose(f);
    CHECK(n != -1);
    sum += n;
  }
  return sum;
}

struct work {
  iomux_t c;
  atomic_int done;
};

static void *take_bytes(void *p) {
  struct work *w = p;
  int64 s;
  unsigned revents;
  char byte;
  int r;
  enter();
  while ((r = iom_wait(&w->c, &s, &revents, (unsigned long)-1)) == 1) {
    CHECK_INT(read((int)s, &byte, 1), 1);
    CHECK_INT(iom_add(&w->c, s, IOM_READ), 0);
    atomic_fetch_add(&w->done, 1);
  }
  CHECK_INT(r, -2);
  return NULL;
}

/* With all threads asleep, an event costs one of them one sleep. A herd would be four of them. Some are allowed
 * for what happens beside. */
/* promise: Each event goes to one thread */
TEST(one_multiplexer_event_wakes_one_thread) {
  enum { EVENTS = 200 };
  static struct work w;
  int64 d[2];
  long before;
  int i;
  if (strcmp(t_backend(), "epoll") != 0) SKIP("poll(2) wakes all who wait for a descriptor");
  t_pipe(d);
  CHECK_INT(iom_init(&w.c), 1);
  CHECK_INT(iom_add(&w.c, d[0], IOM_READ), 0);
  begin(take_bytes, &w);
  until_all_sleep();
  before = sleeps();
  for (i = 0; i < EVENTS; i++) {
    CHECK_INT(write((int)d[1], "x", 1), 1);
    while (atomic_load(&w.done) == i) sched_yield();
    until_all_sleep();
  }
  CHECK(sleeps() - before >= EVENTS / 2);
  CHECK(sleeps() - before <= EVENTS + EVENTS / 4);
  end(&w.c);
}

/* While there is no event, no thread looks. */
TEST(idle_multiplexer_threads_sleep) {
  static struct work w;
  long before;
  CHECK_INT(iom_init(&w.c), 1);
  begin(take_bytes, &w);
  until_all_sleep();
  before = sleeps();
  usleep(200000);
  CHECK(sleeps() - before <= 2);
  end(&w.c);
}

static atomic_int finished;

static void *last_their_limit(void *p) {
  iomux_t *c = p;
  int64 s, began;
  unsigned revents;
  int r;
  enter();
  do {
    began = t_now_ms();
    r = iom_wait(c, &s, &revents, 150);
    if (r == 1) CHECK_INT(iom_add(c, s, IOM_READ), 0);
  } while (r == 1);
  CHECK_INT(r, 0);
  CHECK(t_now_ms() - began >= 150);
  CHECK(t_now_ms() - began < 5000);
  atomic_fetch_add(&finished, 1);
  return NULL;
}

/* Every byte wakes a thread, and another one, that only looks, often has taken the event by then. What is left of
 * the limit is still waited for. */
TEST(a_wake_up_for_nothing_does_not_change_the_limit_of_iom_wait) {
  iomux_t c;
  int64 d[2], s, stop;
  unsigned revents;
  char byte;
  int i, mine = 0;
  if (t_under_valgrind()) SKIP("the threads' limit is short, and valgrind runs one thread at a time");
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  begin(last_their_limit, &c);
  until_all_sleep();
  stop = t_now_ms() + 300;
  while (t_now_ms() < stop) {
    CHECK_INT(write((int)d[1], "x", 1), 1);
    for (i = 0; i < 1000 && iom_wait(&c, &s, &revents, 0) != 1; i++) sched_yield();
    mine += i < 1000;
    CHECK_INT(read((int)d[0], &byte, 1), 1);
    CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  }
  CHECK(mine > 0);
  for (i = 0; i < THREADS; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  CHECK_INT(atomic_load(&finished), THREADS);
}

static atomic_int aborted;

static void *take_and_arm(void *p) {
  struct work *w = p;
  int64 s;
  unsigned revents;
  int r, late;
  do {
    late = atomic_load(&aborted);
    r = iom_wait(&w->c, &s, &revents, (unsigned long)-1);
    CHECK_INT(r, late || r != 1 ? -2 : 1);
    if (r == 1) CHECK_INT(iom_add(&w->c, s, IOM_WRITE), 0);
    atomic_fetch_add(&w->done, 1);
  } while (r == 1);
  return NULL;
}

/* Events never run out, and no wait that begins after iom_abort returned takes one. */
TEST(iom_abort_ends_threads_that_always_have_events) {
  static struct work w;
  int64 d[64][2];
  int i;
  CHECK_INT(iom_init(&w.c), 1);
  for (i = 0; i < 64; i++) {
    t_pipe(d[i]);
    CHECK_INT(iom_add(&w.c, d[i][1], IOM_WRITE), 0);
  }
  begin(take_and_arm, &w);
  while (atomic_load(&w.done) < 10000) sched_yield();
  CHECK_INT(iom_abort(&w.c), 0);
  atomic_store(&aborted, 1);
  for (i = 0; i < THREADS; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
}
