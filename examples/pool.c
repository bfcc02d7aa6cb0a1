/* An echo server with a pool of threads. All of them wait on one multiplexer, and each event goes to one of them.
 *
 *     cc pool.c $(pkg-config --cflags --libs libowfat_io) -pthread -o pool
 *     ./pool THREADS
 *
 * A descriptor is armed for one event. The thread that gets the event has the connection to itself until it calls
 * iom_add again. So connections need no locks. SIGTERM ends the server: each thread finishes its work and prints how
 * much it did.
 *
 * A thread may work on an event for as long as it likes; that is what a pool is for. But while it waits for a slow
 * reader it serves nobody else, so it does not wait for long. For many slow clients, use io_wait.
 */
#define _GNU_SOURCE /* accept4 */
#include <io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_THREADS = 64, BUFFER = 4096, PATIENCE_MS = 5000 };

static iomux_t pool;
static int listener;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void hang_up(int s) {
  close(s);
  /* A descriptor is free again: see welcome(). If the listener is armed already, this changes nothing. */
  if (iom_add(&pool, listener, IOM_READ) == -1) die("iom_add");
}

/* The listener is armed for one event, too. If no descriptor is left, it stays disarmed until a client has gone.
 * Armed, it would report the client in its queue again and again. */
static void welcome(void) {
  int s = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (s == -1 && (errno == EMFILE || errno == ENFILE)) return;
  if (iom_add(&pool, listener, IOM_READ) == -1) die("iom_add");
  if (s != -1 && iom_add(&pool, s, IOM_READ) == -1) hang_up(s);
}

/* Returns 0 if the client is gone, or does not read. */
static int send_all(int s, const char* bytes, ssize_t n) {
  struct pollfd room = {.fd = s, .events = POLLOUT};
  while (n > 0) {
    ssize_t sent = send(s, bytes, (size_t)n, MSG_NOSIGNAL);
    if (sent == -1 && errno == EAGAIN) {
      if (poll(&room, 1, PATIENCE_MS) < 1) return 0;
      continue;
    }
    if (sent == -1) return 0;
    bytes += sent;
    n -= sent;
  }
  return 1;
}

/* Returns 1 if there was something to answer. What is left unread is the next event. */
static int answer(int s) {
  char bytes[BUFFER];
  ssize_t n = read(s, bytes, sizeof bytes);
  int answered = n > 0 && send_all(s, bytes, n);
  if (!answered || iom_add(&pool, s, IOM_READ) == -1) hang_up(s);
  return answered;
}

/* Each thread has its own counter, which main reads after the thread has ended. */
static void* work(void* counter) {
  unsigned long* answers = counter;
  int64 s;
  unsigned events;
  int r;
  while ((r = iom_wait(&pool, &s, &events, (unsigned long)-1)) != -2) {
    if (r == -1) die("iom_wait");
    if (s == listener) welcome();
    else *answers += (unsigned long)answer((int)s);
  }
  return NULL;
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  pthread_t thread[MOST_THREADS];
  unsigned long answers[MOST_THREADS] = {0};
  int threads = argc == 2 ? atoi(argv[1]) : 0, sig;
  sigset_t terminated;

  if (threads < 1 || threads > MOST_THREADS) {
    fputs("usage: pool THREADS\n", stderr);
    return 2;
  }
  /* Blocked in all threads, so that sigwait gets it. */
  sigemptyset(&terminated);
  sigaddset(&terminated, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminated, NULL);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener == -1 || bind(listener, (struct sockaddr*)&a, n) == -1 || listen(listener, 512) == -1 ||
      getsockname(listener, (struct sockaddr*)&a, &n) == -1)
    die("pool");
  if (iom_init(&pool) != 1 || iom_add(&pool, listener, IOM_READ) == -1) die("iom_init");
  for (int i = 0; i < threads; ++i)
    if ((errno = pthread_create(&thread[i], NULL, work, &answers[i]))) die("pthread_create");
  printf("listening on %d\n", ntohs(a.sin_port));
  fflush(stdout);

  sigwait(&terminated, &sig);
  iom_abort(&pool);
  for (int i = 0; i < threads; ++i) {
    pthread_join(thread[i], NULL);
    printf("answered %lu\n", answers[i]);
  }
  close(pool.ctx);
  return 0;
}
