/* iom_*: threads that serve, send, open and close at random for a second, and account for every byte. */
#include "mux.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { WORKERS = 3, SENDERS = 2, LINES = 24, MOST_NUMBERS = 1024, MILLISECONDS = 1000 };

/* A connection after the other. The near end is served by whichever worker has its event; whoever sends or closes at
 * the far end holds the lock. */
struct line {
  pthread_mutex_t lock;
  int64 near, far;
  uint64 sent; /* of this connection */
  int ended;   /* the far end sends no more */
  uint64 received;
};

static struct line lines[LINES];
static iomux_t mux;
static atomic_int stopping, open_lines, ended_lines;
/* The owner of a number: 1 + a line; 0 for none, whose events must not be reported. */
static atomic_int owner[MOST_NUMBERS];
/* Whether a worker has the number's event: not two at a time. */
static atomic_int taken[MOST_NUMBERS];

static unsigned draw(unsigned *seed, unsigned below) {
  *seed = *seed * 1103515245 + 12345;
  return (*seed >> 8) % below;
}

/* Gives the others a chance wherever they might interfere. */
static void dawdle(unsigned *seed) {
  unsigned n = draw(seed, 64);
  if (n < 8) sched_yield();
  if (n == 63) usleep(50);
}

static char expected(const struct line *l, uint64 position) { return (char)(position * 31 + (uint64)(l - lines)); }

/* With the lock, or before the threads. */
static void connect_line(struct line *l, unsigned *seed) {
  int64 d[2];
  t_unix_pair(d);
  CHECK(d[0] < MOST_NUMBERS && d[1] < MOST_NUMBERS);
  CHECK_INT(fcntl((int)d[1], F_SETFL, O_NONBLOCK), 0);
  l->near = d[0];
  l->far = d[1];
  l->sent = l->received = 0;
  l->ended = 0;
  atomic_store(&owner[d[0]], 1 + (int)(l - lines));
  atomic_fetch_add(&open_lines, 1);
  dawdle(seed);
  CHECK_INT(iom_add(&mux, d[0], IOM_READ), 0);
}

/* The end has come: every byte was received, and the next connection may get the same numbers. */
static void end_line(struct line *l, unsigned *seed) {
  CHECK_INT(pthread_mutex_lock(&l->lock), 0);
  CHECK(l->ended);
  CHECK_INT(l->received, l->sent);
  atomic_store(&owner[l->near], 0);
  atomic_store(&taken[l->near], 0);
  CHECK_INT(close((int)l->near), 0);
  CHECK_INT(close((int)l->far), 0);
  atomic_fetch_sub(&open_lines, 1);
  atomic_fetch_add(&ended_lines, 1);
  dawdle(seed);
  if (!atomic_load(&stopping)) connect_line(l, seed);
  CHECK_INT(pthread_mutex_unlock(&l->lock), 0);
}

static void serve(int64 s, unsigned revents, unsigned *seed) {
  struct line *l;
  char bytes[64];
  ssize_t n, i;
  CHECK(revents & IOM_READ);
  CHECK(s >= 0 && s < MOST_NUMBERS);
  CHECK(atomic_load(&owner[s]) != 0);
  CHECK_INT(atomic_exchange(&taken[s], 1), 0);
  l = &lines[atomic_load(&owner[s]) - 1];
  dawdle(seed);
  n = recv((int)s, bytes, 1 + draw(seed, sizeof bytes), MSG_DONTWAIT);
  CHECK(n >= 0); /* never without a reason */
  for (i = 0; i < n; i++) CHECK(bytes[i] == expected(l, l->received + (uint64)i));
  l->received += (uint64)n;
  if (n == 0) {
    end_line(l, seed);
    return;
  }
  atomic_store(&taken[s], 0);
  dawdle(seed);
  CHECK_INT(iom_add(&mux, s, IOM_READ), 0);
}

static void *work(void *p) {
  unsigned seed = (unsigned)(intptr_t)p, revents;
  int64 s;
  int r;
  /* Some waits are cut short, and tried again. */
  while ((r = iom_wait(&mux, &s, &revents, draw(&seed, 4) ? (unsigned long)-1 : draw(&seed, 3))) >= 0) {
    if (r == 1) serve(s, revents, &seed);
    dawdle(&seed);
  }
  CHECK_INT(r, -2);
  return NULL;
}

static void send_some(struct line *l, unsigned *seed) {
  char bytes[100];
  ssize_t n, i;
  n = 1 + draw(seed, sizeof bytes);
  for (i = 0; i < n; i++) bytes[i] = expected(l, l->sent + (uint64)i);
  n = write((int)l->far, bytes, (size_t)n);
  CHECK(n > 0 || errno == EAGAIN);
  if (n > 0) l->sent += (uint64)n;
}

static void *send_and_end(void *p) {
  unsigned seed = (unsigned)(intptr_t)p;
  while (!atomic_load(&stopping)) {
    struct line *l = &lines[draw(&seed, LINES)];
    CHECK_INT(pthread_mutex_lock(&l->lock), 0);
    if (!l->ended) send_some(l, &seed);
    if (!l->ended && draw(&seed, 20) == 0) {
      l->ended = 1;
      CHECK_INT(shutdown((int)l->far, SHUT_WR), 0);
    }
    CHECK_INT(pthread_mutex_unlock(&l->lock), 0);
    dawdle(&seed);
  }
  return NULL;
}

/* Descriptors that wait for nothing and are closed: their numbers go to the lines, their registrations to nobody. */
static void *open_and_close(void *p) {
  unsigned seed = (unsigned)(intptr_t)p;
  while (!atomic_load(&stopping)) {
    int64 d[2];
    t_pipe(d);
    CHECK_INT(iom_add(&mux, d[0], IOM_READ), 0);
    dawdle(&seed);
    if (draw(&seed, 2)) CHECK_INT(iom_add(&mux, d[0], IOM_READ), 0);
    CHECK_INT(close((int)d[0]), 0);
    dawdle(&seed);
    CHECK_INT(close((int)d[1]), 0);
  }
  return NULL;
}

TEST(multiplexer_threads_account_for_every_byte) {
  pthread_t workers[WORKERS], others[SENDERS + 1];
  unsigned seed = 1;
  intptr_t i;
  CHECK_INT(iom_init(&mux), 1);
  for (i = 0; i < LINES; i++) {
    CHECK_INT(pthread_mutex_init(&lines[i].lock, NULL), 0);
    connect_line(&lines[i], &seed);
  }
  for (i = 0; i < WORKERS; i++) CHECK_INT(pthread_create(&workers[i], NULL, work, (void *)(i + 10)), 0);
  for (i = 0; i < SENDERS; i++) CHECK_INT(pthread_create(&others[i], NULL, send_and_end, (void *)(i + 20)), 0);
  CHECK_INT(pthread_create(&others[SENDERS], NULL, open_and_close, (void *)30), 0);
  usleep(MILLISECONDS * 1000);
  atomic_store(&stopping, 1);
  for (i = 0; i <= SENDERS; i++) CHECK_INT(pthread_join(others[i], NULL), 0);
  for (i = 0; i < LINES; i++) {
    CHECK_INT(pthread_mutex_lock(&lines[i].lock), 0);
    if (atomic_load(&owner[lines[i].near]) == 1 + (int)i && !lines[i].ended) {
      lines[i].ended = 1;
      CHECK_INT(shutdown((int)lines[i].far, SHUT_WR), 0);
    }
    CHECK_INT(pthread_mutex_unlock(&lines[i].lock), 0);
  }
  while (atomic_load(&open_lines) > 0) sched_yield();
  CHECK_INT(iom_abort(&mux), 0);
  for (i = 0; i < WORKERS; i++) CHECK_INT(pthread_join(workers[i], NULL), 0);
  CHECK(atomic_load(&ended_lines) > LINES);
}
