/* A pre-fork server: processes that share one listening socket, each with its own loop.
 *
 *     cc prefork.c $(pkg-config --cflags --libs libowfat_io) -o prefork
 *     ./prefork WORKERS [early]
 *
 * Whoever comes first accepts; the kernel takes care that no client is served twice. The workers
 * register the socket themselves, after the fork, or with `early` the parent does it before: both
 * are fine. A connection is one line, which comes back behind the worker's process number. The line
 * `count` is answered by what all workers have done, a line each; `hold` occupies the worker that
 * answers it until `release` comes to another.
 */
#include <io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_WORKERS = 64, LINE = 256 };

/* What a worker has done. */
struct worker {
  atomic_long pid;
  atomic_long waits;           /* times that io_wait returned */
  atomic_long empty;           /* of these, with no event */
  atomic_long missed;          /* times that another worker had accepted first */
  atomic_long answered;
};

struct client {
  size_t have;
  char line[LINE];
};

static struct {
  atomic_long releases;        /* workers that `hold` occupies go on when this changes */
  struct worker worker[MOST_WORKERS];
} *shared;

static struct worker* self;
static int64 listener;
static int workers;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void hang_up(int64 s) {
  free(io_getcookie(s));
  io_close(s);
}

/* One client per event: whoever else is idle takes the next. */
static void welcome(void) {
  struct client* c;
  int s = accept((int)listener, NULL, NULL);
  if (s == -1) {
    if (errno == EAGAIN) {
      io_eagain_read(listener);
      ++self->missed;
    }
    return;
  }
  c = calloc(1, sizeof *c);
  io_nonblock(s);
  if (!c || !io_fd(s)) {
    free(c);
    io_close(s);
    return;
  }
  io_setcookie(s, c);
  io_wantread(s);
}

/* An answer always fits into the buffer of a new socket, so nobody has to wait for room. */
static void say(int64 s, const char* text) {
  int64 n = (int64)strlen(text);
  if (io_trywrite(s, text, n) == n) ++self->answered;
}

static void say_counts(int64 s) {
  char text[MOST_WORKERS * 128];
  size_t n = 0;
  for (int i = 0; i < workers; ++i) {
    struct worker* w = &shared->worker[i];
    n += (size_t)sprintf(text + n, "%ld %ld %ld %ld %ld\n", w->pid, w->waits, w->empty, w->missed, w->answered);
  }
  say(s, text);
}

static void answer(int64 s, const char* line) {
  char text[LINE + 32];
  if (!strcmp(line, "count")) {
    say_counts(s);
    return;
  }
  if (!strcmp(line, "release")) ++shared->releases;
  snprintf(text, sizeof text, "%ld %s\n", self->pid, line);
  say(s, text);
}

static void on_readable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->line + c->have, (int64)(LINE - c->have));
  long releases = shared->releases;
  char* end;
  int hold = 0;
  if (r == -1) return;
  if (r > 0) {
    c->have += (size_t)r;
    end = memchr(c->line, '\n', c->have);
    if (!end && c->have < LINE) return;
    if (end) {
      *end = 0;
      answer(s, c->line);
      hold = !strcmp(c->line, "hold");
    }
  }
  hang_up(s);
  while (hold && shared->releases == releases) usleep(1000); /* stands for work that takes its time */
}

static void register_listener(void) {
  if (!io_fd(listener)) die("prefork: io_fd");
  io_wantread(listener);
}

static void work(void) {
  for (;;) {
    int64 s;
    int events = 0;
    io_wait();
    for (; (s = io_canread()) != -1; ++events)
      if (s == listener) welcome();
      else on_readable(s);
    ++self->waits;
    self->empty += !events;
  }
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int early = argc == 3 && !strcmp(argv[2], "early");

  workers = argc > 1 ? atoi(argv[1]) : 0;
  if (workers < 1 || workers > MOST_WORKERS || argc > 3 || (argc == 3 && !early)) {
    fputs("usage: prefork WORKERS [early]\n", stderr);
    return 2;
  }
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (shared == MAP_FAILED || listener == -1 || bind((int)listener, (struct sockaddr*)&a, n) == -1 ||
      listen((int)listener, 128) == -1 || getsockname((int)listener, (struct sockaddr*)&a, &n) == -1)
    die("prefork");
  io_nonblock(listener);
  if (early) {
    register_listener();
    io_check();                /* so that the parent's kernel side is set up, too */
  }
  for (int i = 0; i < workers; ++i) {
    pid_t pid = fork();
    if (pid == -1) die("prefork: fork");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM); /* no worker outlives the parent */
      self = &shared->worker[i];
      self->pid = getpid();
      if (!early) register_listener();
      work();
    }
  }
  printf("listening on %d\n", ntohs(a.sin_port));
  fflush(stdout);
  for (;;) pause();
}
