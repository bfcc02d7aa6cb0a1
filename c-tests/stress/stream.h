/* Streams of the fork stress: each carries bytes that tell their position from one descriptor of this process to
 * another, so that a byte that is lost, repeated or taken by another process is noticed where it is read. */
#ifndef STREAM_H
#define STREAM_H
#define T_OWN_MAIN
#include "fork.h"
#include "thread.h"

#define STREAMS 12
/* A stream that takes so long is lost, in milliseconds. */
#define LOST 20000

struct stream {
  int64 in, out;
  uint64 seed, total, sent, received;
  io_batch batch;
  int64 opened; /* when; 0: there is none */
};

static struct stream streams[STREAMS];
/* Guards the streams. The fork handlers of the program hold it, as programs do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64 bytes_moved, streams_ended;

#define ADD(counter, n) __atomic_fetch_add(&(counter), (uint64)(n), __ATOMIC_RELAXED)
#define GET(counter) __atomic_load_n(&(counter), __ATOMIC_ACQUIRE)
#define SET(counter, n) __atomic_store_n(&(counter), (n), __ATOMIC_RELEASE)

static int chance(unsigned *seed, int one_in) { return rand_r(seed) % one_in == 0; }

static char byte_at(const struct stream *s, uint64 i) { return (char)((i * 31 + i / 253 + s->seed) & 255); }

static void tcp_pair(int64 d[2]) { t_tcp_pair(d); }
static void lib_pipe(int64 d[2]) { CHECK_INT(io_pipe(d), 1); }
static void lib_pair(int64 d[2]) { CHECK_INT(io_socketpair(d), 1); }

/* d[0] reads, d[1] writes. Returns whether it is a pipe. */
static int open_pair(int64 d[2], unsigned *seed) {
  static void (*const ways[])(int64 *) = {t_pipe, lib_pipe, tcp_pair, lib_pair, t_unix_pair};
  int way = rand_r(seed) % 5;
  ways[way](d);
  return way < 2;
}

static void open_stream(struct stream *s, unsigned *seed) {
  int64 d[2];
  int i, is_pipe = open_pair(d, seed);
  memset(s, 0, sizeof *s);
  s->in = d[0];
  s->out = d[1];
  s->seed = (uint64)rand_r(seed);
  s->total = 1 + (uint64)rand_r(seed) % (is_pipe || chance(seed, 2) ? 2000 : 60000);
  s->opened = t_now_ms();
  for (i = 0; i < 2; i++) {
    if (chance(seed, 2)) io_nonblock(d[i]);
    CHECK_INT(chance(seed, 2) ? io_fd(d[i]) : io_fd_canwrite(d[i]), 1);
    io_setcookie(d[i], s);
    if (chance(seed, 4)) io_timeout(d[i], l_in_ms(rand_r(seed) % 20));
  }
  io_wantread(s->in);
  io_wantwrite(s->out);
}

/* Opens one where there is room, with the lock held. Returns whether there was. */
static int open_another(unsigned *seed) {
  struct stream *s;
  for (s = streams; s < streams + STREAMS; s++) {
    if (s->opened) continue;
    open_stream(s, seed);
    return 1;
  }
  return 0;
}

static void end_stream(struct stream *s) {
  CHECK_INT(s->sent, s->total);
  iob_reset(&s->batch);
  io_close(s->in);
  io_close(s->out);
  s->opened = 0;
  ADD(bytes_moved, s->total);
  ADD(streams_ended, 1);
}

static void read_some(struct stream *s, unsigned *seed) {
  char buf[8192];
  int64 i, n = io_tryread(s->in, buf, 1 + rand_r(seed) % (int)sizeof buf);
  if (n == -1) {
    CHECK_ERRNO(EAGAIN);
    return;
  }
  CHECK(n > 0);
  for (i = 0; i < n; i++) CHECK_INT(buf[i], byte_at(s, s->received + (uint64)i));
  s->received += (uint64)n;
  CHECK(s->received <= s->total);
  if (s->received == s->total) end_stream(s);
}

/* Up to three buffers of what comes next. */
static void fill_batch(struct stream *s, unsigned *seed) {
  uint64 at = s->sent, i;
  int k;
  for (k = 0; k < 3 && at < s->total; k++) {
    uint64 n = 1 + (uint64)rand_r(seed) % 4000;
    char *p;
    if (n > s->total - at) n = s->total - at;
    CHECK(p = malloc(n));
    for (i = 0; i < n; i++) p[i] = byte_at(s, at + i);
    CHECK_INT(iob_addbuf_free(&s->batch, p, n), 1);
    at += n;
  }
}

static void write_some(struct stream *s, unsigned *seed) {
  char buf[4000];
  int64 i, n = 1 + rand_r(seed) % (int)sizeof buf;
  if (s->sent == s->total) {
    io_dontwantwrite(s->out);
    return;
  }
  if (iob_bytesleft(&s->batch) > 0 || chance(seed, 2)) {
    if (iob_bytesleft(&s->batch) == 0) fill_batch(s, seed);
    n = iob_send(s->out, &s->batch);
  } else {
    if ((uint64)n > s->total - s->sent) n = (int64)(s->total - s->sent);
    for (i = 0; i < n; i++) buf[i] = byte_at(s, s->sent + (uint64)i);
    n = io_trywrite(s->out, buf, n);
  }
  if (n == -1) {
    CHECK_ERRNO(EAGAIN);
    return;
  }
  CHECK(n > 0);
  s->sent += (uint64)n;
}

/* A report is about a stream of this process, or about what it inherited and does not want. */
static void serve(int64 d, int writing, unsigned *seed) {
  struct stream *s;
  CHECK_INT(pthread_mutex_lock(&lock), 0);
  s = io_getcookie(d);
  if (!s || s < streams || s >= streams + STREAMS || !s->opened || d != (writing ? s->out : s->in)) {
    io_dontwantread(d);
    io_dontwantwrite(d);
    /* It may be that of a stream that begins. */
    if (s && s->opened && d == s->in) io_wantread(d);
    if (s && s->opened && d == s->out) io_wantwrite(d);
  } else if (writing) {
    write_some(s, seed);
  } else {
    read_some(s, seed);
  }
  CHECK_INT(pthread_mutex_unlock(&lock), 0);
}

/* How many streams are open. Ends the program if one of them is lost. */
static int open_streams(const char *where) {
  struct stream *s;
  int n = 0;
  CHECK_INT(pthread_mutex_lock(&lock), 0);
  for (s = streams; s < streams + STREAMS; s++) {
    char state[2][400] = {"not registered", "not registered"};
    if (!s->opened) continue;
    n++;
    if (t_now_ms() - s->opened < LOST) continue;
    io_debugstring(s->in, state[0], sizeof state[0]);
    io_debugstring(s->out, state[1], sizeof state[1]);
    fprintf(stderr, "%s: a stream is lost: %" PRIu64 " bytes, %" PRIu64 " sent, %" PRIu64 " received\n  in: %s\n  out: %s\n",
            where, s->total, s->sent, s->received, state[0], state[1]);
    t_leave(1);
  }
  CHECK_INT(pthread_mutex_unlock(&lock), 0);
  return n;
}
#endif
