/* Eight threads open, arm, hand over, time out and close connections at random, and every byte is accounted for.
 *
 *   torture SECONDS [SEED]
 *
 * When the time is over nothing new is opened. Then everything that is open has to end through the reports of the
 * library alone. */
#include "connection.h"

#include <dirent.h>

#define THREADS 8
/* So many of them wait; the others only take what was found. */
#define WAITERS 2
/* A connection that takes longer, in milliseconds, counts as lost. */
#define LOST 15000

struct worker {
  pthread_t thread;
  unsigned seed;
  int waits;
  int64 listener;
  struct sockaddr_in address;
  /* Connections that other threads have handed over. */
  pthread_mutex_t lock;
  struct end *inbox[CONNECTIONS];
  int in_inbox;
};

static struct worker workers[THREADS];
static int stop, over;

static int chance(struct worker *w, int one_in) { return rand_r(&w->seed) % one_in == 0; }

/* Returns whether it is a pipe. */
static int open_pair(struct worker *w, int64 d[2]) {
  switch (rand_r(&w->seed) % 5) {
    case 0:
      d[0] = socket(AF_INET, SOCK_STREAM, 0);
      CHECK(d[0] >= 0);
      CHECK_INT(connect((int)d[0], (struct sockaddr *)&w->address, sizeof w->address), 0);
      d[1] = accept((int)w->listener, NULL, NULL);
      CHECK(d[1] >= 0);
      return 0;
    case 1:
      t_pipe(d);
      return 1;
    case 2:
      CHECK_INT(io_pipe(d), 1);
      return 1;
    case 3:
      CHECK_INT(io_socketpair(d), 1);
      return 0;
    default:
      t_unix_pair(d);
      return 0;
  }
}

static void open_connection(struct worker *w) {
  struct connection *c;
  int64 d[2], none = 0;
  int i, pipe;
  for (c = connections; c < connections + CONNECTIONS; c++, none = 0) {
    if (__atomic_compare_exchange_n(&c->opened, &none, -1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) break;
  }
  if (c == connections + CONNECTIONS) return;
  pipe = open_pair(w, d);
  SET(c->left, 2);
  for (i = 0; i < 2; i++) begin(c, i, d[i], !pipe || i == 0, !pipe || i == 1, &w->seed);
  SET(c->opened, t_now_ms());
  ADD(opened_in_all, 1);
  for (i = 0; i < 2; i++) {
    struct end *e = &c->end[i];
    is_born(d[i]);
    if (e->nonblocking) io_nonblock(d[i]);
    CHECK_INT(chance(w, 2) ? io_fd(d[i]) : io_fd_canwrite(d[i]), 1);
    io_setcookie(d[i], e);
    CHECK(io_getcookie(d[i]) == e);
    e->open = 1;
    want(e);
  }
  for (i = 0; i < 2; i++) leave(&c->end[i]);
}

/* Opens and closes numbers that the library never sees, or only closes. */
static void open_and_close(struct worker *w) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(close((int)d[0]), 0);
  if (chance(w, 2)) {
    io_close(d[1]);
  } else {
    CHECK_INT(close((int)d[1]), 0);
  }
}

static void read_some(struct worker *w, struct end *e) {
  char buf[8192];
  int64 n, size = 1 + rand_r(&w->seed) % (int)sizeof buf;
  if (!e->reads || e->at_end) return;
  if (e->nonblocking && chance(w, 4)) {
    n = read((int)e->fd, buf, (size_t)size);
    if (n == -1 && errno == EAGAIN) io_eagain_read(e->fd);
  } else {
    n = io_tryread(e->fd, buf, size);
  }
  if (n > 0) {
    received(e, buf, n);
    ADD(read_by_event, n);
  } else if (n == 0) {
    met_the_end(e);
  } else {
    CHECK(n == -1);
    CHECK_ERRNO(EAGAIN);
  }
}

/* Up to three buffers of what comes next. */
static void fill_batch(struct worker *w, struct end *e) {
  uint64 from = e->sent;
  int i;
  for (i = 0; i < 3 && from < e->to_send; i++) {
    uint64 n = 1 + (uint64)rand_r(&w->seed) % PIECE;
    char *p;
    if (n > e->to_send - from) n = e->to_send - from;
    CHECK(p = malloc(n));
    fill(e, p, from, (int64)n);
    CHECK_INT(iob_addbuf_free(&e->batch, p, n), 1);
    from += n;
  }
}

static void write_some(struct worker *w, struct end *e) {
  char buf[PIECE];
  int64 n = 1 + rand_r(&w->seed) % PIECE;
  if (!e->writes || e->finished) return;
  if ((uint64)n > e->to_send - e->sent) n = (int64)(e->to_send - e->sent);
  if (n == 0) {
    /* nothing to say from the beginning */
  } else if (e->batch.bytesleft > 0 || (e->nonblocking && chance(w, 3))) {
    if (e->batch.bytesleft == 0) fill_batch(w, e);
    n = iob_send(e->fd, &e->batch);
  } else {
    fill(e, buf, e->sent, n);
    if (e->nonblocking && chance(w, 4)) {
      n = write((int)e->fd, buf, (size_t)n);
      if (n == -1 && errno == EAGAIN) io_eagain_write(e->fd);
    } else {
      n = io_trywrite(e->fd, buf, n);
    }
  }
  if (n < 0) {
    CHECK(n == -1);
    CHECK_ERRNO(EAGAIN);
    return;
  }
  e->sent += (uint64)n;
  if (e->sent == e->to_send) finish(e);
}

/* Hands it to a thread that does not sleep in the library. Meanwhile there is no interest in it, so it wakes no
 * waiter. */
static void hand_over(struct worker *w, struct end *e) {
  struct worker *to = &workers[WAITERS + rand_r(&w->seed) % (THREADS - WAITERS)];
  io_dontwantread(e->fd);
  io_dontwantwrite(e->fd);
  CHECK_INT(pthread_mutex_lock(&to->lock), 0);
  if (to->in_inbox < CONNECTIONS) {
    to->inbox[to->in_inbox++] = e;
    e = NULL;
  }
  CHECK_INT(pthread_mutex_unlock(&to->lock), 0);
  if (e) want(e);
  ADD(passed, 1);
}

/* A random operation on an open end. */
static void play(struct worker *w, struct end *e) {
  switch (rand_r(&w->seed) % 24) {
    case 0:
      io_dontwantread(e->fd);
      io_dontwantwrite(e->fd);
      e->paused = 1;
      io_timeout(e->fd, l_in_ms(rand_r(&w->seed) % 20));
      return;
    case 1:
      hand_over(w, e);
      return;
    case 2:
      io_timeout(e->fd, l_in_ms(rand_r(&w->seed) % 40 - 10));
      break;
    case 3:
      io_timeout(e->fd, l_never());
      break;
    case 4:
      CHECK_INT(io_fd(e->fd), 1);
      break;
    case 5:
      CHECK_INT(chance(w, 2) ? io_queueforread(e->fd) : io_queueforwrite(e->fd), 1);
      break;
    case 6:
      io_eagain(e->fd);
      break;
    case 7:
      io_dontwantread(e->fd);
      io_dontwantwrite(e->fd);
      break;
    case 8:
      if (chance(w, 4)) {
        drop(e);
        if (!e->open) return;
      }
      break;
    default:
      return;
  }
  want(e);
}

/* The end that a report is about; NULL if the report is out of date, or another thread works on it. */
static struct end *lookup(int64 d, uint64 asked, const char *by) {
  struct end *e;
  check_alive(d, asked, by);
  ADD(reports, 1);
  e = io_getcookie(d);
  if (!e || !enter(e)) return NULL;
  if (e->open && e->fd == d) return e;
  ADD(stale_reports, 1);
  leave(e);
  return NULL;
}

static void resume(struct end *e) {
  e->paused = 0;
  io_timeout(e->fd, l_never());
  want(e);
}

static int take_timeout(struct worker *w) {
  uint64 asked = moment();
  int64 d = io_timeouted();
  struct end *e;
  if (d == -1) return 0;
  ADD(timeouts, 1);
  if ((e = lookup(d, asked, "io_timeouted"))) {
    resume(e);
    if (chance(w, 10)) drop(e);
    leave(e);
  }
  return 1;
}

static int take_event(struct worker *w, int64 (*take)(void), const char *name) {
  uint64 asked = moment();
  int64 d = take();
  struct end *e;
  if (d == -1) return 0;
  if ((e = lookup(d, asked, name))) {
    if (take == io_canread) {
      read_some(w, e);
    } else {
      write_some(w, e);
    }
    if (e->open && !e->paused) play(w, e);
    leave(e);
  }
  return 1;
}

static int take_from_inbox(struct worker *w) {
  struct end *e = NULL;
  CHECK_INT(pthread_mutex_lock(&w->lock), 0);
  if (w->in_inbox > 0) e = w->inbox[--w->in_inbox];
  CHECK_INT(pthread_mutex_unlock(&w->lock), 0);
  if (!e) return 0;
  while (!enter(e)) sched_yield();
  /* The other end's thread may have closed it, and the number may be another connection's by now. */
  if (e->open) read_some(w, e);
  if (e->open) write_some(w, e);
  if (e->open && !e->paused) want(e);
  leave(e);
  return 1;
}

static void *work(void *arg) {
  struct worker *w = arg;
  while (!GET(over)) {
    int busy = 0, i;
    if (w->waits) {
      if (chance(w, 8)) {
        io_waituntil2(rand_r(&w->seed) % 5);
      } else {
        io_wait();
      }
    } else if (!GET(stop)) {
      if (chance(w, 2)) open_connection(w);
      if (chance(w, 20)) open_and_close(w);
    }
    for (i = 0; i < 20; i++) {
      busy |= take_event(w, io_canread, "io_canread") | take_event(w, io_canwrite, "io_canwrite");
    }
    busy |= take_timeout(w) | take_from_inbox(w);
    if (w->waits) {
      sched_yield();
    } else if (!busy) {
      poll(NULL, 0, 1);
    }
  }
  CHECK_INT(close((int)w->listener), 0);
  return NULL;
}

static int descriptors(void) {
  DIR *list = opendir("/proc/self/fd");
  int n = 0;
  CHECK(list);
  while (readdir(list)) n++;
  CHECK_INT(closedir(list), 0);
  return n;
}

/* How many connections are open; ends the program if one of them is lost. */
static int open_now(unsigned seed) {
  int i, n = 0, side;
  for (i = 0; i < CONNECTIONS; i++) {
    int64 opened = GET(connections[i].opened);
    n += opened != 0;
    if (opened <= 0 || t_now_ms() - opened < LOST) continue;
    fprintf(stderr, "seed %u: a connection is lost\n", seed);
    for (side = 0; side < 2; side++) {
      struct end *e = &connections[i].end[side];
      char state[400];
      while (!enter(e)) sched_yield();
      if (!io_debugstring(e->fd, state, sizeof state)) strcpy(state, "not registered");
      fprintf(stderr,
              "  %s %s%s %d: sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64 "%s%s%s%s; %s\n",
              e->open ? "open" : "closed", e->reads ? "r" : "", e->writes ? "w" : "", (int)e->fd, e->sent, e->to_send,
              e->received, e->finished ? ", has finished" : "", e->at_end ? ", has met the end" : "",
              e->paused ? ", paused" : "", e->nonblocking ? ", non-blocking" : "", state);
      leave(e);
    }
    t_leave(1);
  }
  return n;
}

int main(int argc, char **argv) {
  int64 seconds = argc > 1 ? atoi(argv[1]) : 0, end;
  unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
  int i, before = descriptors();
  if (seconds <= 0 || seconds > 3600) {
    fprintf(stderr, "usage: %s SECONDS [SEED]\n", argv[0]);
    return 2;
  }
  printf("seed %u\n", seed);
  fflush(stdout);
  alarm((unsigned)seconds + 2 * LOST / 1000); /* the end, if all threads hang */
  for (i = 0; i < THREADS; i++) {
    struct worker *w = &workers[i];
    w->seed = seed + (unsigned)i * 7919;
    w->waits = i < WAITERS;
    w->listener = t_listen(&w->address);
    CHECK_INT(pthread_mutex_init(&w->lock, NULL), 0);
  }
  for (i = 0; i < THREADS; i++) workers[i].thread = th_start(work, &workers[i]);
  for (end = t_now_ms() + seconds * 1000; t_now_ms() < end; poll(NULL, 0, 50)) open_now(seed);
  SET(stop, 1);
  while (open_now(seed) > 0) poll(NULL, 0, 5);
  SET(over, 1);
  for (i = 0; i < THREADS; i++) th_join(workers[i].thread);
  io_finishandshutdown();
  printf("%" PRIu64 " connections, %" PRIu64 " dropped; %" PRIu64 " bytes written, %" PRIu64 " read, %" PRIu64
         " lay inside; %" PRIu64 " reports, %" PRIu64 " old, %" PRIu64 " deadlines, %" PRIu64 " handed over\n",
         opened_in_all, dropped_in_all, written, read_by_event, lay_inside, reports, stale_reports, timeouts, passed);
  CHECK_INT(finished_in_all, opened_in_all);
  CHECK_INT(read_by_event + lay_inside, written);
  CHECK(dropped_in_all > 0 && lay_inside > 0 && timeouts > 0 && passed > 0);
  CHECK_INT(descriptors(), before);
  return 0;
}
