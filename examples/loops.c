/* An echo server with several threads. A thread of the library waits for events, and the server's threads take them.
 *
 *     cc loops.c $(pkg-config --cflags --libs libowfat_io) -pthread -o loops
 *     ./loops
 *
 * Three threads take readable clients and answer at once. A fourth takes writable ones, for answers that a socket did
 * not take whole. Each client is leased to one thread at a time, so its memory needs no lock.
 */
#include <io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READERS 3

static int64 listener;

struct client {
  int64 have, sent;
  char bytes[4096];
};

static void hang_up(int64 s) {
  free(io_getcookie(s));
  io_close(s);
  io_wantread(listener);       /* a descriptor is free again: see next_client() */
}

/* Accepts the next client, or returns -1. If no descriptor is left, the listener stays readable, so interest in it is
 * withdrawn until a client has gone. Another thread may have closed one just before that. So try once more. */
static int next_client(void) {
  int s = accept((int)listener, NULL, NULL);
  if (s == -1 && (errno == EMFILE || errno == ENFILE)) {
    io_dontwantread(listener);
    s = accept((int)listener, NULL, NULL);
    if (s != -1 || errno == EAGAIN) io_wantread(listener);
  }
  return s;
}

static void welcome(void) {
  int s = next_client();
  struct client* c;
  if (s == -1) return;
  c = calloc(1, sizeof *c);
  io_nonblock(s);
  if (!c || !io_fd(s)) {
    free(c);
    io_close(s);
    return;
  }
  io_setcookie(s, c);
  /* Last, because from now on another thread may get the descriptor. */
  io_wantread(s);
}

/* Sends what the socket takes, and states what to wait for then. */
static void send_back(int64 s, struct client* c) {
  int64 r = io_trywrite(s, c->bytes + c->sent, c->have - c->sent);
  if (r < -1) {
    hang_up(s);
    return;
  }
  if (r > 0) c->sent += r;
  if (c->sent == c->have) {
    io_dontwantwrite(s);
    io_wantread(s);
  } else {
    io_dontwantread(s);
    io_wantwrite(s);
  }
}

static void answer(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->bytes, sizeof c->bytes);
  if (r == -1) return;
  if (r <= 0) {
    hang_up(s);
    return;
  }
  c->have = r;
  c->sent = 0;
  send_back(s, c);
}

static void* read_them(void* unused) {
  int64 s;
  while ((s = io_canread()) != -1)
    if (s == listener) welcome();
    else answer(s);
  return unused;
}

static void* write_them(void* unused) {
  int64 s;
  while ((s = io_canwrite()) != -1) send_back(s, io_getcookie(s));
  return unused;
}

static int listen_somewhere(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == -1 || bind((int)listener, (struct sockaddr*)&a, n) == -1 || listen((int)listener, 256) == -1 ||
      getsockname((int)listener, (struct sockaddr*)&a, &n) == -1)
    return 0;
  io_nonblock(listener);
  if (!io_fd(listener)) return 0;
  io_wantread(listener);
  printf("listening on %d\n", ntohs(a.sin_port));
  return fflush(stdout) == 0;
}

int main(void) {
  pthread_t threads[READERS + 1];
  sigset_t end;
  int signal_number;

  /* Blocked in every thread. This one waits for them with sigwait. */
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigaddset(&end, SIGINT);
  pthread_sigmask(SIG_BLOCK, &end, NULL);

  if (io_starteventloopthread(1) == -1 || !listen_somewhere()) {
    perror("loops");
    return 1;
  }
  for (int i = 0; i <= READERS; ++i) {
    if (pthread_create(&threads[i], NULL, i < READERS ? read_them : write_them, NULL) != 0) {
      fputs("loops: no thread\n", stderr);
      return 1;
    }
  }
  sigwait(&end, &signal_number);
  io_finishandshutdown();
  for (int i = 0; i <= READERS; ++i) pthread_join(threads[i], NULL);
  return 0;
}
