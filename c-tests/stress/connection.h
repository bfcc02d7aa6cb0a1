/* A connection of the torture test: two ends, each with at most one thread at it at a time.
 *
 * Both directions carry a stream in which each byte tells its position, so that a byte that is lost, repeated or
 * astray is noticed where it is read. A writer announces its end with shutdown, or by closing a pipe: at the end of
 * file the reader must have got what the writer has sent. */
#ifndef CONNECTION_H
#define CONNECTION_H
#define T_OWN_MAIN
#include "thread.h"

#include <sched.h>

#define CONNECTIONS 160
#define NUMBERS 4096
/* What a write is asked to take at most. */
#define PIECE 6000

struct end {
  int64 fd;
  int busy, open;
  int reads, writes;       /* what kind of end it is: a pipe has one of each */
  int nonblocking;
  int finished, at_end;    /* has announced its end; has met that of the other one */
  int paused;              /* wants nothing until its deadline passes */
  uint64 to_send, sent, received;
  uint64 announced;        /* what `sent` was when it finished; for the peer, which meets it later */
  uint64 seed;
  io_batch batch;
  struct end *peer;
  struct connection *of;
};

struct connection {
  struct end end[2];
  int left;                /* ends that are open */
  int64 opened;            /* when; 0: not in use, -1: being opened */
};

static struct connection connections[CONNECTIONS];

/* Totals, over all connections that are gone. */
static uint64 written, read_by_event, lay_inside, opened_in_all, finished_in_all, dropped_in_all;
static uint64 reports, stale_reports, timeouts, passed;

#define ADD(counter, n) __atomic_fetch_add(&(counter), (uint64)(n), __ATOMIC_RELAXED)
#define GET(counter) __atomic_load_n(&(counter), __ATOMIC_ACQUIRE)
#define SET(counter, n) __atomic_store_n(&(counter), (n), __ATOMIC_RELEASE)

/* The life of each number: twice the time of its last birth, or twice that of its last death plus 1. Time is a
 * counter. A report is false if its number was dead before the question was put. */
static uint64 life[NUMBERS], now_count = 1;

static uint64 moment(void) { return __atomic_add_fetch(&now_count, 1, __ATOMIC_SEQ_CST); }

static uint64 is_born(int64 d) {
  uint64 birth = 2 * moment();
  CHECK(d >= 0 && d < NUMBERS);
  __atomic_store_n(&life[d], birth, __ATOMIC_SEQ_CST);
  return birth;
}

/* Another thread may have got the number already. */
static void is_dead(int64 d, uint64 birth) {
  __atomic_compare_exchange_n(&life[d], &birth, 2 * moment() + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void check_alive(int64 d, uint64 asked, const char *by) {
  uint64 l = __atomic_load_n(&life[d], __ATOMIC_SEQ_CST);
  if (l % 2 == 1 && l / 2 <= asked) {
    fprintf(stderr, "%s returned %d, which was closed at %" PRIu64 ", before it was called at %" PRIu64 "\n", by, (int)d,
            l / 2, asked);
    t_leave(1);
  }
}

static int enter(struct end *e) { return !__atomic_exchange_n(&e->busy, 1, __ATOMIC_ACQUIRE); }
static void leave(struct end *e) { SET(e->busy, 0); }

static char byte_at(uint64 seed, uint64 i) { return (char)((i * 31 + i / 253 + seed) & 255); }

static void fill(const struct end *e, char *buf, uint64 from, int64 n) {
  int64 i;
  for (i = 0; i < n; i++) buf[i] = byte_at(e->seed, from + (uint64)i);
}

/* n bytes have come in at e. */
static void received(struct end *e, const char *buf, int64 n) {
  int64 i;
  for (i = 0; i < n; i++) {
    if (buf[i] != byte_at(e->peer->seed, e->received + (uint64)i)) {
      fprintf(stderr, "descriptor %d: byte %" PRIu64 " is not the one that was sent\n", (int)e->fd,
              e->received + (uint64)i);
      t_leave(1);
    }
  }
  e->received += (uint64)n;
}

static void close_end(struct end *e) {
  uint64 birth = __atomic_load_n(&life[e->fd], __ATOMIC_SEQ_CST);
  int64 d = e->fd;
  iob_reset(&e->batch);
  ADD(written, e->sent);
  e->open = 0;
  CHECK(io_getcookie(d) == e);
  io_close(d);
  is_dead(d, birth);
  if (__atomic_sub_fetch(&e->of->left, 1, __ATOMIC_ACQ_REL) == 0) {
    ADD(finished_in_all, 1);
    SET(e->of->opened, 0);
  }
}

/* No byte follows from e. */
static void finish(struct end *e) {
  e->finished = 1;
  SET(e->announced, e->sent);
  if (!e->reads) {
    close_end(e);
    return;
  }
  io_dontwantwrite(e->fd);
  CHECK_INT(shutdown((int)e->fd, SHUT_WR), 0);
  if (e->at_end) close_end(e);
}

static void met_the_end(struct end *e) {
  CHECK_INT(e->received, GET(e->peer->announced));
  e->at_end = 1;
  io_dontwantread(e->fd);
  if (e->finished || !e->writes) close_end(e);
}

/* What is still on its way to e, whose peer has finished. */
static void drain(struct end *e) {
  char buf[8192];
  ssize_t n;
  if (!e->reads || e->at_end) return;
  for (;;) {
    l_until(e->fd, POLLIN);
    if ((n = read((int)e->fd, buf, sizeof buf)) == 0) break;
    CHECK(n > 0);
    received(e, buf, n);
    ADD(lay_inside, n);
  }
  CHECK_INT(e->received, GET(e->peer->announced));
}

/* Closes both ends in the middle of everything. What lay in the connection is counted. */
static void drop(struct end *e) {
  struct end *other = e->peer;
  int i;
  if (!enter(other)) return;
  if (other->open) {
    for (i = 0; i < 2; i++) {
      struct end *x = i ? other : e;
      SET(x->announced, x->sent);
      if (x->writes && !x->finished && x->reads) CHECK_INT(shutdown((int)x->fd, SHUT_WR), 0);
    }
    /* The writing end of a pipe goes first: that is its announcement. */
    if (!other->reads) close_end(other);
    if (!e->reads) close_end(e);
    drain(e);
    drain(other);
    ADD(dropped_in_all, 1);
    if (e->open) close_end(e);
    if (other->open) close_end(other);
  }
  leave(other);
}

/* Brings one end to life, of which another thread may have an old report. */
static void begin(struct connection *c, int i, int64 d, int reads, int writes, unsigned *seed) {
  struct end *e = &c->end[i];
  while (!enter(e)) sched_yield();
  memset(&e->batch, 0, sizeof e->batch);
  e->fd = d;
  e->of = c;
  e->peer = &c->end[!i];
  e->reads = reads;
  e->writes = writes;
  e->finished = e->at_end = e->paused = 0;
  e->sent = e->received = 0;
  e->seed = (uint64)rand_r(seed);
  e->to_send = (uint64)rand_r(seed) % (rand_r(seed) % 4 ? 3000 : 120000);
  e->nonblocking = rand_r(seed) % 3 != 0;
}

static void want(struct end *e) {
  if (e->reads && !e->at_end) io_wantread(e->fd);
  if (e->writes && !e->finished) io_wantwrite(e->fd);
}
#endif
