/* Sends the same batch to a client that throws away what it gets, over and over: what a batch costs.
 *
 * `batch BATCHES 0 PIECE...` sends that many on a socket in blocking mode: each takes as many calls as the
 * writer makes of it, whatever the client does meanwhile, and the counts repeat.
 * `batch 0 MILLISECONDS PIECE...` sends for that long on a non-blocking one, some batches at a time, between
 * which the client, asleep until then, takes them. It waits with poll(2) if the socket takes no more, and prints
 *
 *     batches_per_second N      (of this process's processor time)
 *
 * The wall clock would add the client's pace and whoever shares the machine, which is more than the writers
 * differ by. A PIECE is SIZE or COUNTxSIZE, for buffers, or fSIZE, for a file. With -DFILTER nothing is sent: a
 * filter counts the bytes. */
#define _GNU_SOURCE
#include "batch.h"

#include "drain.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* Sent without a pause, if one batch is not more: it fits into the buffers of a socket on loopback. */
#define BURST_BYTES (256 << 10)
#define BURST_BATCHES 64

struct piece {
  const char* bytes;
  batch_source source;
  size_t n;
};

static struct piece* pieces;
static size_t piece_count;
static uint64_t batch_bytes;
static struct batch batch;

static struct piece* one_more(size_t n) {
  if (!(pieces = realloc(pieces, (piece_count + 1) * sizeof *pieces))) die("realloc");
  pieces[piece_count] = (struct piece){.n = n};
  batch_bytes += n;
  return &pieces[piece_count++];
}

static void add_buffers(size_t count, size_t n) {
  char* bytes = malloc(n);
  if (!bytes) die("malloc");
  memset(bytes, 'x', n);
  while (count--) one_more(n)->bytes = bytes;
}

/* Leaves the heap alone, where a gap would change what memory costs the batches. */
static void add_file(size_t n) {
  static char bytes[1 << 16];
  FILE* f = tmpfile();
  if (!f || setvbuf(f, NULL, _IONBF, 0)) die("tmpfile");
  memset(bytes, 'x', sizeof bytes);
  for (size_t at = 0; at < n; at += sizeof bytes) {
    size_t left = n - at;
    if (fwrite(bytes, left < sizeof bytes ? left : sizeof bytes, 1, f) != 1) die("fwrite");
  }
  one_more(n)->source = batch_known(fileno(f), n);
}

static void add(const char* text) {
  const char* times = strchr(text, 'x');
  if (*text == 'f') {
    add_file((size_t)atol(text + 1));
  } else {
    add_buffers(times ? (size_t)atol(text) : 1, (size_t)atol(times ? times + 1 : text));
  }
}

#ifdef FILTER
static uint64_t drained;

static int64_t filter(int64_t s, const void* bytes, uint64_t n) {
  (void)s, (void)bytes;
  drained += n;
  return (int64_t)n;
}
#endif

__attribute__((noinline)) static void one_batch(int fd) {
  for (size_t i = 0; i < piece_count; ++i) {
    struct piece* p = &pieces[i];
    if (p->bytes) batch_buffer(&batch, p->bytes, p->n);
    else batch_file(&batch, p->source, 0, p->n);
  }
#ifdef FILTER
  batch_filter(fd, &batch, filter);
#else
  while (!batch_send(fd, &batch)) {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    poll(&wait, 1, -1);
  }
#endif
}

static int64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t burst(void) {
  uint64_t n = BURST_BYTES / batch_bytes;
  return n < 1 ? 1 : n > BURST_BATCHES ? BURST_BATCHES : n;
}

/* Returns how many were sent. */
static uint64_t timed(int fd, int64_t milliseconds) {
  int64_t begin = now_ns(CLOCK_MONOTONIC), warm = begin + milliseconds * 100000, now = begin, used = 0;
  uint64_t sent = 0, counted = 0, n = burst();
  while (now < begin + milliseconds * 1000000 || !counted) {
    int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < n; ++i) one_batch(fd);
    if (now > warm) {
      used += now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
      counted += n;
    }
    sent += n;
#ifndef FILTER
    drain_wait(fd);
#endif
    now = now_ns(CLOCK_MONOTONIC);
  }
  printf("batches_per_second %.0f\n", (double)counted * 1e9 / (double)used);
  return sent;
}

int main(int argc, char** argv) {
  uint64_t batches;
  int milliseconds, fd;
  if (argc < 4) {
    fprintf(stderr, "usage: %s BATCHES MILLISECONDS PIECE...\n", argv[0]);
    return 2;
  }
  batches = (uint64_t)atol(argv[1]);
  milliseconds = atoi(argv[2]);
  for (int i = 3; i < argc; ++i) add(argv[i]);
  fd = drain_start(argv[0], milliseconds > 0, milliseconds ? burst() * batch_bytes : 0);
  batch_start(&batch, fd);
  if (milliseconds) batches = timed(fd, milliseconds);
  else
    for (uint64_t i = 0; i < batches; ++i) one_batch(fd);
#ifndef FILTER
  uint64_t drained = drain_end(fd);
#endif
  if (drained != batches * batch_bytes) die("not everything arrived");
  return 0;
}
