/* A process forks at random while bytes flow through the library, and both sides go on using it.
 *
 *   forks SECONDS FORKS [SEED]
 *
 * It ends when the time is over or so many forks were made (0: only the time counts). Forks come from a thread, from
 * a signal handler that interrupts calls of the library, and from fork handlers. A child closes what it inherited in
 * one of several ways, has streams and perhaps threads and children of its own, and exits. Every byte has to arrive
 * on both sides, no process may hang, and no file of the program may be touched. */
#include "stream.h"

#include <sys/mman.h>

enum { WAITERS = 2, LIVE = 4, DEEPEST = 2, GUARDS = 6, NUMBERS = 256, WARM = 100 };

enum kind { BY_THREAD, BY_SIGNAL, IN_PARENT_HANDLER, IN_CHILD_HANDLER, KINDS };
static const char *const kinds[KINDS] = {"a thread", "a signal handler", "a parent's fork handler",
                                         "a child's fork handler"};

/* The ways in which a child closes what it inherited. */
enum way { KEEP, WANT_NOTHING, LIB_CLOSE, PLAIN_CLOSE, CLOSE_ALL, WAYS };
static const char *const ways[WAYS] = {"keeps everything", "wants nothing of it", "closes it by io_close",
                                       "closes it by close", "closes all numbers"};

/* Shared with all descendants. */
struct counts {
  uint64 forks[KINDS], lives[WAYS];
};
static struct counts *counts;

struct guard {
  int fd;
  struct stat opened;
};
static struct guard guards[GUARDS];

static int depth, over;
static int64 end_pipe[2], handled[2], churned[2];
static unsigned main_seed;
static uint64 live;
static char story[200] = "the first process";

static void live_as_child(unsigned seed, enum kind kind);

/* Files of the program, which nobody else may close or write. */
static void open_guards(void) {
  int i;
  for (i = 0; i < GUARDS; i++) {
    CHECK((guards[i].fd = (int)t_tmpfile(10)) != -1);
    CHECK_INT(fstat(guards[i].fd, &guards[i].opened), 0);
  }
}

static void check_guards(void) {
  int i;
  for (i = 0; i < GUARDS; i++) {
    struct stat now;
    CHECK_INT(fstat(guards[i].fd, &now), 0);
    CHECK(now.st_dev == guards[i].opened.st_dev && now.st_ino == guards[i].opened.st_ino);
    CHECK_INT(now.st_size, 10);
  }
}

static int sets(void) { return f_descriptors("[eventpoll]"); }

static void tell(void) { fprintf(stderr, "  in %s\n", story); }

static void on_alarm(int signal) {
  (void)signal;
  (void)!write(2, story, strlen(story));
  (void)!write(2, " hangs\n", 7);
  _exit(1);
}

/* The program's fork handlers take its lock, under which its threads call the library, and call the library
 * themselves; and they may fork. A signal handler must do neither, so they do nothing when one forks. */
static __thread int in_signal;
static __thread enum kind nested;

static void use_library(void) {
  if (handled[0] == -1) return;
  io_setcookie(handled[0], &lock);
  io_wantread(handled[0]);
  CHECK(io_getcookie(handled[0]) == &lock);
  io_dontwantread(handled[0]);
}

static void fork_inside(enum kind kind) {
  pid_t child;
  if (nested != kind) return;
  nested = BY_THREAD;
  child = fork();
  CHECK(child != -1);
  if (child == 0) live_as_child((unsigned)getpid(), kind);
  ADD(live, 1);
  ADD(counts->forks[kind], 1);
}

static void before_fork(void) {
  if (in_signal) return;
  CHECK_INT(pthread_mutex_lock(&lock), 0);
  use_library();
}

static void in_parent(void) {
  if (in_signal) return;
  use_library();
  CHECK_INT(pthread_mutex_unlock(&lock), 0);
  fork_inside(IN_PARENT_HANDLER);
}

static void in_child(void) {
  if (in_signal) {
    pthread_mutex_init(&lock, NULL); /* another thread may have held it */
    return;
  }
  CHECK_INT(pthread_mutex_unlock(&lock), 0);
  use_library();
  fork_inside(IN_CHILD_HANDLER);
}

static void fork_here(unsigned *seed, enum kind kind) {
  pid_t child;
  nested = kind;
  child = fork();
  CHECK(child != -1);
  nested = BY_THREAD;
  if (child == 0) live_as_child((unsigned)rand_r(seed) ^ (unsigned)getpid(), BY_THREAD);
  ADD(live, 1);
  ADD(counts->forks[BY_THREAD], 1);
}

/* Handles one round of events. Returns whether a byte has come through the pipe that ends the program. */
static int take_events(unsigned *seed) {
  int64 d;
  int rings = 0, n;
  while ((d = io_canread()) != -1) {
    if (d == end_pipe[0]) {
      rings = 1;
    } else {
      serve(d, 0, seed);
    }
  }
  while ((d = io_canwrite()) != -1) serve(d, 1, seed);
  for (n = 0; n < 2 * STREAMS && (d = io_timeouted()) != -1; n++) io_timeout(d, l_never());
  return rings;
}

static void wait_some(unsigned *seed) {
  if (chance(seed, 3)) {
    io_waituntil2(rand_r(seed) % 10);
  } else {
    io_wait();
  }
}

static void *work(void *arg) {
  unsigned seed = (unsigned)(size_t)arg;
  do {
    wait_some(&seed);
  } while (!take_events(&seed));
  return NULL;
}

static void start_workers(pthread_t thread[WAITERS], unsigned *seed) {
  int i;
  for (i = 0; i < WAITERS; i++) thread[i] = th_start(work, (void *)(size_t)rand_r(seed));
}

static void stop_workers(pthread_t thread[WAITERS]) {
  int i;
  l_put(end_pipe[1], "x"); /* nobody reads it, so all see it */
  for (i = 0; i < WAITERS; i++) th_join(thread[i]);
}

static void make_end_pipe(void) {
  l_pipe(end_pipe, 1);
  io_setcookie(end_pipe[0], NULL);
}

/* Calls that may be interrupted by a fork. None of them allocates memory, because fork must not interrupt malloc. */
static void churn(void) {
  char byte;
  CHECK_INT(io_fd(churned[0]), 1);
  io_wantread(churned[0]);
  CHECK_INT(io_tryread(churned[0], &byte, 1), -1);
  io_timeout(churned[0], l_never());
  io_dontwantread(churned[0]);
  io_eagain(churned[0]);
  io_setcookie(churned[0], &lock);
  io_wantwrite(churned[1]);
  io_dontwantwrite(churned[1]);
}

static volatile sig_atomic_t is_child;

static void on_fork_signal(int signal) {
  int was = errno;
  pid_t child;
  (void)signal;
  in_signal = 1;
  child = fork();
  in_signal = 0;
  if (child == 0) is_child = 1;
  if (child > 0) {
    ADD(live, 1);
    ADD(counts->forks[BY_SIGNAL], 1);
  }
  errno = was;
}

static void *churner(void *arg) {
  sigset_t set;
  (void)arg;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK_INT(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
  while (!GET(over)) {
    churn();
    if (is_child) live_as_child((unsigned)getpid(), BY_SIGNAL);
  }
  return NULL;
}

/* --- A child --- */

static void forget_inherited(enum way way) {
  struct stream *s;
  int i;
  for (s = streams; s < streams + STREAMS; s++) {
    for (i = 0; s->opened && i < 2; i++) {
      int64 d = i ? s->out : s->in;
      if (way == WANT_NOTHING) io_dontwantread(d), io_dontwantwrite(d);
      if (way == LIB_CLOSE) io_close(d);
      if (way == PLAIN_CLOSE) CHECK_INT(close((int)d), 0);
    }
  }
  memset(streams, 0, sizeof streams);
  if (way != CLOSE_ALL) return;
  for (i = 3; i < NUMBERS; i++) close(i);
  handled[0] = -1;
  open_guards();
}

static void reap_all(void) {
  int status;
  while (waitpid(-1, &status, 0) > 0) CHECK_INT(status, 0);
  CHECK_ERRNO(ECHILD);
}

static void move_bytes(unsigned *seed, int threads) {
  pthread_t thread[WAITERS];
  int to_open = 1 + rand_r(seed) % 4, to_fork = depth < DEEPEST && chance(seed, 3);
  if (threads) start_workers(thread, seed);
  while (to_open > 0 || open_streams(story) > 0) {
    if (to_open > 0) {
      CHECK_INT(pthread_mutex_lock(&lock), 0);
      to_open -= open_another(seed);
      CHECK_INT(pthread_mutex_unlock(&lock), 0);
    } else if (to_fork) {
      to_fork = 0;
      fork_here(seed, (enum kind)(rand_r(seed) % KINDS));
    }
    if (threads) {
      poll(NULL, 0, 1);
    } else {
      io_waituntil2(1000);
      take_events(seed);
    }
  }
  if (threads) stop_workers(thread);
}

/* Sets that the library cannot know of. */
static int strays;

static void live_as_child(unsigned seed, enum kind kind) {
  enum way way = (enum way)(rand_r(&seed) % WAYS);
  int threads = chance(&seed, 3);
  /* If a signal handler forked, a thread may have been opening or closing a stream, so its numbers are uncertain. */
  /* And a thread may have opened a set and not noted it: nobody in the child knows of that one. */
  strays += kind == BY_SIGNAL;
  if (kind == BY_SIGNAL && (way == LIB_CLOSE || way == PLAIN_CLOSE)) way = KEEP;
  depth++;
  is_child = 0;
  snprintf(story, sizeof story, "a child of %s, number %d, which %s and has %s threads", kinds[kind], depth, ways[way],
           threads ? "two" : "no");
  alarm(LOST / 1000 + 10);
  check_guards();
  forget_inherited(way);
  make_end_pipe();
  move_bytes(&seed, threads);
  CHECK(sets() <= 1 + strays);
  check_guards();
  if (chance(&seed, 3)) {
    io_finishandshutdown();
    CHECK(sets() <= strays);
    check_guards();
  }
  reap_all();
  ADD(counts->lives[way], 1);
  _exit(0);
}

/* --- The first process --- */

static void reap(void) {
  int status;
  pid_t child;
  while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
    if (status != 0) fprintf(stderr, "seed %u: child %d has ended with status %x\n", main_seed, (int)child, status);
    CHECK_INT(status, 0);
    __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
  }
}

static uint64 all_forks(void) {
  uint64 n = 0;
  int i;
  for (i = 0; i < KINDS; i++) n += GET(counts->forks[i]);
  return n;
}

/* Has the library allocate everything, so that no later call does. */
static void warm_up(void) {
  int64 d[WARM][2];
  int i;
  for (i = 0; i < WARM; i++) l_pipe(d[i], 1);
  io_check();
  while (io_canread() != -1) {
  }
  for (i = 0; i < WARM; i++) {
    io_close(d[i][0]);
    io_close(d[i][1]);
  }
}

static void begin(void) {
  struct sigaction fork_action = {.sa_handler = on_fork_signal, .sa_flags = SA_RESTART};
  struct sigaction alarm_action = {.sa_handler = on_alarm};
  sigset_t set;
  CHECK_INT(sigaction(SIGUSR1, &fork_action, NULL), 0);
  CHECK_INT(sigaction(SIGALRM, &alarm_action, NULL), 0);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK_INT(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  t_story = tell;
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(counts != MAP_FAILED);
  CHECK_INT(pthread_atfork(before_fork, in_parent, in_child), 0);
  open_guards();
  warm_up();
  l_pipe(handled, 0);
  l_pipe(churned, 0);
  CHECK_INT(io_fd(churned[1]), 1);
  make_end_pipe();
}

/* Forks and keeps streams open, until the time is over or there were enough forks. */
static void fork_at_random(int64 end, uint64 most, pthread_t churning) {
  unsigned n = 0;
  while (t_now_ms() < end && (most == 0 || all_forks() < most)) {
    CHECK_INT(pthread_mutex_lock(&lock), 0);
    open_another(&main_seed);
    CHECK_INT(pthread_mutex_unlock(&lock), 0);
    reap();
    open_streams(story);
    if (GET(live) < LIVE) {
      enum kind kind = (enum kind)(n++ % KINDS);
      if (kind == BY_SIGNAL) {
        CHECK_INT(pthread_kill(churning, SIGUSR1), 0);
      } else {
        fork_here(&main_seed, kind);
      }
    }
    poll(NULL, 0, rand_r(&main_seed) % 4);
  }
}

int main(int argc, char **argv) {
  int64 seconds = argc > 2 ? atoi(argv[1]) : 0;
  uint64 most = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  int before = f_open_descriptors(), i;
  pthread_t thread[WAITERS], churning;
  main_seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
  if (seconds <= 0 || seconds > 3600) {
    fprintf(stderr, "usage: %s SECONDS FORKS [SEED]\n", argv[0]);
    return 2;
  }
  printf("seed %u\n", main_seed);
  fflush(stdout);
  alarm((unsigned)seconds + 2 * LOST / 1000);
  begin();
  start_workers(thread, &main_seed);
  churning = th_start(churner, NULL);
  fork_at_random(t_now_ms() + seconds * 1000, most, churning);
  while (open_streams(story) > 0) poll(NULL, 0, 5);
  SET(over, 1);
  th_join(churning);
  stop_workers(thread);
  reap_all();
  check_guards();
  CHECK(sets() <= 1);
  io_finishandshutdown();
  check_guards();
  for (i = 0; i < GUARDS; i++) CHECK_INT(close(guards[i].fd), 0);
  for (i = 0; i < 2; i++) CHECK(close((int)end_pipe[i]) == 0 && close((int)handled[i]) == 0 && close((int)churned[i]) == 0);
  CHECK_INT(f_open_descriptors(), before);
  printf("%" PRIu64 " streams, %" PRIu64 " bytes in the first process; forks:", streams_ended, bytes_moved);
  for (i = 0; i < KINDS; i++) printf(" %" PRIu64 " by %s%s", counts->forks[i], kinds[i], i + 1 < KINDS ? "," : "; children:");
  for (i = 0; i < WAYS; i++) printf(" %" PRIu64 " that %s%s", counts->lives[i], ways[i], i + 1 < WAYS ? "," : "\n");
  for (i = 0; i < KINDS; i++) CHECK(counts->forks[i] > 0);
  CHECK(streams_ended > 0 && bytes_moved > 0);
  return 0;
}
