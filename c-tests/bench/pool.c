/* An echo server on a pool of threads: `pool CONNECTIONS ROUNDS MILLISECONDS THREADS [how]`, with `serve.h` for the
 * client and its pace. `how` is "watch" for a client that keeps every connection busy and says how long answers
 * take, and "seldom" for one that lets the server fall asleep before each message. When it ends it prints
 *
 *     cpu_ns N                  (processor time a message)
 *     switches N                (times that a thread went to sleep, a message)
 *     woken_us N                (median time from sending a message to the return of the wait for it)
 *     messages_per_second N, median_us N, late_us N   (the client; 99 of 100 answers take less than late_us)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What a pool has: `pool_start(threads)` and `loop_want_read(fd)` come first, from one thread. Then each thread calls
 * `pool_run(thread)`, which calls `answer(thread, fd)` and afterwards waits for the next message of that descriptor. */
static void answer(int thread, int fd);

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

#include POOL

static inline void loop_add(int fd) { (void)fd; }

#include "serve.h"

enum { MOST_THREADS = 16, MOST_SAMPLES = 1 << 20 };

/* A cache line each, so that threads share nothing that is not the pool's. */
static struct tally {
  _Alignas(128) int64_t answered;
  int64_t* waited;
  int samples;
} tallies[MOST_THREADS];

static int threads, in_step;
static atomic_int left;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whoever gives the last answer of a round lets the client go on, and everybody else sleeps meanwhile. */
static void count_in_step(void) {
  if (atomic_fetch_sub(&left, 1) != 1) return;
  atomic_store(&left, serve_connections);
  if (--serve_rounds == 0) exit(0);
  serve_pass_gate();
}

static void answer(int thread, int fd) {
  struct tally* t = &tallies[thread];
  char b[1024];
  int64_t sent;
  ssize_t n = read(fd, b, sizeof b);
  if (n < (ssize_t)sizeof sent) die("the client has gone");
  memcpy(&sent, b, sizeof sent);
  if (sent && t->samples < MOST_SAMPLES) t->waited[t->samples++] = now_ns() - sent;
  if (write(fd, b, (size_t)n) != n) die("a small answer did not fit");
  ++t->answered;
  if (in_step) count_in_step();
}

static int by_size(const void* a, const void* b) {
  int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

/* Nothing else prints or allocates any more: all threads wait, or are about to. */
static void finish(int signal_number) {
  static int64_t all[MOST_SAMPLES];
  struct rusage u;
  int64_t ns, answered = 0;
  int samples = 0;
  (void)signal_number;
  getrusage(RUSAGE_SELF, &u);
  ns = (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
       (int64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
  for (int i = 0; i < threads; ++i) {
    answered += tallies[i].answered;
    for (int k = 0; k < tallies[i].samples && samples < MOST_SAMPLES; ++k) all[samples++] = tallies[i].waited[k];
  }
  qsort(all, (size_t)samples, sizeof *all, by_size);
  dprintf(1, "cpu_ns %.1f\nswitches %.4f\n", (double)ns / (double)answered, (double)u.ru_nvcsw / (double)answered);
  if (samples) dprintf(1, "woken_us %.1f\n", (double)all[samples / 2] / 1000);
  _exit(0);
}

static void* work(void* number) {
  pool_run((int)(intptr_t)number);
  return NULL;
}

int main(int argc, char** argv) {
  int listener;
  threads = argc > 4 ? atoi(argv[4]) : 0;
  if (threads < 1 || threads > MOST_THREADS) {
    fprintf(stderr, "usage: %s CONNECTIONS ROUNDS MILLISECONDS THREADS [watch|seldom]\n", argv[0]);
    return 2;
  }
  serve_spread = threads > 1;
  listener = serve_start(argc, argv, argc > 5 ? argv[5] : "keep");
  in_step = serve_gate != -1;
  if (!in_step) signal(SIGTERM, finish);
  for (int i = 0; i < threads; ++i)
    if (!(tallies[i].waited = malloc(sizeof(int64_t) * MOST_SAMPLES))) die("malloc");
  atomic_store(&left, serve_connections);
  pool_start(threads);
  serve_accept_all(listener);
  for (int i = 1; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void*)(intptr_t)i)) die("pthread_create");
  }
  work((void*)0);
}
