/* io_starteventloopthread: the library's threads wait, the program's take. */
#include "thread.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LONG_MS 300

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  CHECK_INT(nanosleep(&t, NULL), 0);
}

static int now(int *count) { return __atomic_load_n(count, __ATOMIC_SEQ_CST); }

/* Waits until *count is n; the limit is for a failing test. */
static void until(int *count, int n) {
  for (int i = 0; i < 5000 && now(count) < n; i++) sleep_ms(1);
  CHECK_INT(now(count), n);
}

static void add(int *count) { __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST); }

static int64 cpu_ms(void) {
  struct timespec t;
  CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
  return (int64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void check_asleep(void) {
  int64 before;
  sleep_ms(50); /* what was under way */
  before = cpu_ms();
  sleep_ms(LONG_MS);
  CHECK(cpu_ms() - before < LONG_MS / 3);
}

/* Library threads; those with one of them must have all signals blocked. */
static int library_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  struct dirent *task;
  int n = 0;
  CHECK(tasks);
  while ((task = readdir(tasks))) {
    char path[300], line[200];
    unsigned long long blocked = 0;
    FILE *f;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
    if (task->d_name[0] == '.' || !(f = fopen(path, "r"))) continue;
    if (fgets(line, sizeof line, f) && strcmp(line, "Name:\towfat-io\n") == 0) {
      ++n;
      while (fgets(line, sizeof line, f) && sscanf(line, "SigBlk: %llx", &blocked) != 1) continue;
      CHECK(blocked >> (SIGINT - 1) & 1 && blocked >> (SIGALRM - 1) & 1);
    }
    CHECK_INT(fclose(f), 0);
  }
  CHECK_INT(closedir(tasks), 0);
  return n;
}

/* The names are set by the threads themselves. */
static void until_library_threads(int n) {
  for (int i = 0; i < 2000 && library_threads() != n; i++) sleep_ms(1);
  CHECK_INT(library_threads(), n);
}

static void watched_pair(int64 d[2]) {
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  io_nonblock(d[0]);
  io_wantread(d[0]);
}

static int taken, ended;

/* Reads one byte for each report. */
static void *take_bytes(void *unused) {
  int64 s;
  char c;
  while ((s = io_canread()) != -1) {
    CHECK_INT(io_tryread(s, &c, 1), 1);
    add(&taken);
  }
  add(&ended);
  return unused;
}

/* promise: Threads that wait for the program */
TEST(event_loop_threads_report_each_event_to_one_thread) {
  enum { PAIRS = 40, BYTES = 4000, TAKERS = 3 };
  int64 d[PAIRS][2];
  pthread_t takers[TAKERS];
  CHECK_INT(io_starteventloopthread(2), 0);
  for (int i = 0; i < PAIRS; i++) watched_pair(d[i]);
  for (int i = 0; i < TAKERS; i++) takers[i] = th_start(take_bytes, NULL);
  for (int i = 0; i < BYTES; i++) CHECK_INT(write((int)d[i * 7 % PAIRS][1], "x", 1), 1);
  until(&taken, BYTES);
  check_asleep();
  CHECK_INT(now(&taken), BYTES);
  CHECK_INT(now(&ended), 0);
  io_finishandshutdown();
  for (int i = 0; i < TAKERS; i++) th_join(takers[i]);
  CHECK_INT(now(&ended), TAKERS);
  CHECK_INT(library_threads(), 0);
}

/* All are ready when the first look is made; every other one to write. */
/* promise: Everyone gets a turn */
TEST(event_loop_threads_report_in_the_order_in_which_descriptors_became_ready) {
  enum { PAIRS = 20 };
  int64 d[PAIRS][2];
  int i;
  for (i = 0; i < PAIRS; i++) {
    t_unix_pair(d[i]);
    CHECK_INT(io_fd(d[i][0]), 1);
    if (i % 2) {
      io_wantwrite(d[i][0]);
    } else {
      l_put(d[i][1], "x");
      io_wantread(d[i][0]);
    }
  }
  CHECK_INT(io_starteventloopthread(1), 0);
  for (i = 0; i < PAIRS; i++) {
    CHECK_INT(i % 2 ? io_canwrite() : io_canread(), d[i][0]);
    if (i % 2) {
      io_dontwantwrite(d[i][0]);
    } else {
      io_dontwantread(d[i][0]);
    }
  }
  io_finishandshutdown();
}

/* As take_bytes, but it can be cancelled while it waits, and only then: it reads by a call that is no cancellation point.
 * To disable cancellation is not enough, for glibc 2.36 acts on a signal that was under way in the next system call. */
static void *take_until_cancelled(void *unused) {
  int64 s;
  char c;
  while ((s = io_canread()) != -1) {
    CHECK_INT(syscall(SYS_read, (int)s, &c, 1), 1);
    add(&taken);
  }
  return unused;
}

/* promise: Cancelling a thread */
TEST(a_thread_that_is_cancelled_while_it_waits_takes_no_event_with_it) {
  enum { PAIRS = 8, VICTIMS = 60, BYTES = 10 };
  int64 d[PAIRS][2];
  pthread_t taker, victim;
  void *status;
  t_need_cancellation();
  CHECK_INT(io_starteventloopthread(1), 0);
  for (int i = 0; i < PAIRS; i++) watched_pair(d[i]);
  for (int i = 0; i < VICTIMS; i++) {
    victim = th_start(take_until_cancelled, NULL);
    if (i % 3 == 0) sleep_ms(2); /* it sleeps by now */
    for (int k = 0; k < BYTES; k++) {
      CHECK_INT(write((int)d[(i + k) % PAIRS][1], "x", 1), 1);
      if (k == i % BYTES) CHECK_INT(pthread_cancel(victim), 0);
    }
    CHECK_INT(pthread_join(victim, &status), 0);
    CHECK(status == PTHREAD_CANCELED);
  }
  taker = th_start(take_bytes, NULL);
  until(&taken, VICTIMS * BYTES);
  check_asleep();
  io_finishandshutdown();
  th_join(taker);
}

enum { CLIENTS = 2, CONNECTIONS = 16, ROUNDS = 1500 };
static int64 connections[CLIENTS][CONNECTIONS][2];

/* Sends something on every connection, and takes the answers. */
static void *ask(void *which) {
  int64(*d)[2] = connections[(intptr_t)which];
  char c;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < CONNECTIONS; i++) CHECK_INT(write((int)d[i][1], "?", 1), 1);
    for (int i = 0; i < CONNECTIONS; i++) CHECK_INT(read((int)d[i][1], &c, 1), 1);
  }
  return NULL;
}

/* As a program that reads by itself. */
static void *answer_all(void *unused) {
  char bytes[100];
  int64 s;
  while ((s = io_canread()) != -1) {
    CHECK_INT(read((int)s, bytes, sizeof bytes), 1);
    CHECK_INT(write((int)s, "!", 1), 1);
  }
  return unused;
}

TEST(no_thread_is_told_of_what_another_has_read) {
  pthread_t takers[3], clients[CLIENTS];
  CHECK_INT(io_starteventloopthread(1), 0);
  for (int i = 0; i < CLIENTS * CONNECTIONS; i++) watched_pair(connections[i % CLIENTS][i / CLIENTS]);
  for (int i = 0; i < 3; i++) takers[i] = th_start(answer_all, NULL);
  for (int i = 0; i < CLIENTS; i++) clients[i] = th_start(ask, (void *)(intptr_t)i);
  for (int i = 0; i < CLIENTS; i++) th_join(clients[i]);
  io_finishandshutdown();
  for (int i = 0; i < 3; i++) th_join(takers[i]);
}

static int64 first_taken = -1;
static int may_go_on, leaves_it;

static void *take_and_hold(void *unused) {
  char c;
  first_taken = io_canread();
  add(&taken);
  until(&may_go_on, 1);
  if (!leaves_it) CHECK_INT(io_tryread(first_taken, &c, 1), 1);
  return take_bytes(unused);
}

/* promise: Threads that wait for the program */
TEST(what_one_thread_handles_no_other_is_told_of) {
  int64 d[2][2];
  pthread_t holder, other;
  leaves_it = 1;
  watched_pair(d[0]);
  watched_pair(d[1]);
  CHECK_INT(io_starteventloopthread(1), 0);
  holder = th_start(take_and_hold, NULL);
  CHECK_INT(write((int)d[0][1], "ab", 2), 2);
  until(&taken, 1);
  CHECK_INT(first_taken, d[0][0]);
  other = th_start(take_bytes, NULL);
  io_wantread(d[0][0]);
  io_wantwrite(d[0][0]); /* neither is anybody told of this yet */
  check_asleep();
  CHECK_INT(now(&taken), 1);
  CHECK_INT(write((int)d[1][1], "c", 1), 1);
  until(&taken, 2);
  /* What was left unread is reported again, byte by byte. */
  io_dontwantwrite(d[0][0]);
  add(&may_go_on);
  until(&taken, 4);
  io_finishandshutdown();
  th_join(holder);
  th_join(other);
}

static void *take_one_and_hold(void *unused) {
  CHECK(io_canread() != -1);
  add(&taken);
  until(&may_go_on, 1);
  return unused;
}

/* While the first one is at work somebody has to look for the second. */
TEST(two_waiting_threads_get_two_events_that_come_one_by_one) {
  int64 d[2][2];
  pthread_t takers[2];
  watched_pair(d[0]);
  watched_pair(d[1]);
  CHECK_INT(io_starteventloopthread(1), 0);
  for (int i = 0; i < 2; i++) takers[i] = th_start(take_one_and_hold, NULL);
  sleep_ms(30);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(write((int)d[i][1], "x", 1), 1);
    until(&taken, i + 1);
  }
  add(&may_go_on);
  for (int i = 0; i < 2; i++) th_join(takers[i]);
  io_finishandshutdown();
}

TEST(a_descriptor_given_back_without_interest_is_not_reported) {
  int64 d[2];
  pthread_t holder;
  leaves_it = 1;
  watched_pair(d);
  CHECK_INT(io_starteventloopthread(1), 0);
  holder = th_start(take_and_hold, NULL);
  CHECK_INT(write((int)d[1], "a", 1), 1);
  until(&taken, 1);
  io_dontwantread(d[0]);
  add(&may_go_on);
  check_asleep();
  CHECK_INT(now(&taken), 1);
  io_wantread(d[0]);
  until(&taken, 2);
  io_finishandshutdown();
  th_join(holder);
}

TEST(a_number_closed_while_a_thread_handles_it_is_new) {
  int64 d[2], e[2];
  pthread_t holder;
  leaves_it = 1;
  watched_pair(d);
  io_setcookie(d[0], &taken);
  CHECK_INT(io_starteventloopthread(1), 0);
  holder = th_start(take_and_hold, NULL);
  CHECK_INT(write((int)d[1], "a", 1), 1);
  until(&taken, 1);
  io_close(d[0]);
  t_unix_pair(e);
  CHECK_INT(e[0], d[0]);
  CHECK_INT(io_fd(e[0]), 1);
  CHECK(io_getcookie(e[0]) == NULL);
  io_wantread(e[0]);
  CHECK_INT(write((int)e[1], "b", 1), 1);
  add(&may_go_on);
  until(&taken, 2);
  io_finishandshutdown();
  th_join(holder);
}

static void *take_writable(void *count) {
  int64 s;
  while ((s = io_canwrite()) != -1) {
    if (io_trywrite(s, "w", 1) == 1) add(count);
    io_dontwantwrite(s);
  }
  return NULL;
}

TEST(threads_that_wait_to_read_and_to_write_wait_apart) {
  int64 d[2];
  int written = 0;
  pthread_t writer, reader;
  char c;
  CHECK_INT(io_starteventloopthread(1), 0);
  watched_pair(d);
  writer = th_start(take_writable, &written);
  io_wantwrite(d[0]);
  until(&written, 1);
  CHECK_INT(read((int)d[1], &c, 1), 1);
  /* Readable, but the only thread waits for writing: nothing spins. */
  CHECK_INT(write((int)d[1], "r", 1), 1);
  check_asleep();
  io_wantwrite(d[0]);
  until(&written, 2);
  check_asleep();
  reader = th_start(take_bytes, NULL);
  until(&taken, 1);
  io_finishandshutdown();
  th_join(writer);
  th_join(reader);
}

TEST(the_hint_and_queued_events_reach_waiting_threads) {
  int64 d[2], e[2];
  int written = 0;
  pthread_t writer, reader;
  CHECK_INT(io_starteventloopthread(1), 0);
  writer = th_start(take_writable, &written);
  reader = th_start(take_bytes, NULL);
  sleep_ms(20);
  t_unix_pair(d);
  CHECK_INT(io_fd_canwrite(d[0]), 1);
  io_wantwrite(d[0]);
  until(&written, 1);
  t_unix_pair(e);
  CHECK_INT(io_fd(e[0]), 1);
  CHECK_INT(write((int)e[1], "q", 1), 1);
  check_asleep(); /* nothing is wanted */
  CHECK_INT(io_queueforread(e[0]), 1);
  until(&taken, 1);
  io_finishandshutdown();
  th_join(writer);
  th_join(reader);
}

/* promise: Threads that wait for the program */
TEST(wait_calls_return_at_once_beside_event_loop_threads) {
  int64 d[2];
  int64 begin = t_now_ms();
  watched_pair(d);
  CHECK_INT(io_starteventloopthread(1), 0);
  io_wait();
  CHECK_INT(io_waituntil2(10000), 0);
  io_check();
  CHECK(t_now_ms() - begin < 5000);
  io_finishandshutdown();
  CHECK_INT(io_canread(), -1);
  /* Afterwards the program waits again. */
  CHECK_INT(io_fd(d[0]), 1);
  io_wantread(d[0]);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  io_wait();
  CHECK_INT(io_canread(), d[0]);
}

static void *wait_long(void *unused) {
  CHECK(io_waituntil2(60000) >= 0);
  add(&ended);
  return unused;
}

TEST(a_wait_ends_when_event_loop_threads_are_started) {
  int64 d[2];
  pthread_t waiter, taker;
  watched_pair(d);
  waiter = th_start(wait_long, NULL);
  sleep_ms(30);
  CHECK_INT(io_starteventloopthread(1), 0);
  until(&ended, 1);
  th_join(waiter);
  taker = th_start(take_bytes, NULL);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  until(&taken, 1);
  io_finishandshutdown();
  th_join(taker);
}

TEST(event_loop_threads_have_a_name_and_block_signals) {
  if (t_portable()) SKIP("POSIX gives threads no names");
  CHECK_INT(library_threads(), 0);
  CHECK_INT(io_starteventloopthread(0), 0);
  CHECK_INT(library_threads(), 0);
  CHECK_INT(io_starteventloopthread(2), 0);
  until_library_threads(2);
  CHECK_INT(io_starteventloopthread(3), 0);
  until_library_threads(5);
  check_asleep();
  io_finishandshutdown();
  CHECK_INT(library_threads(), 0);
}

/* promise: Threads that wait for the program */
TEST(io_starteventloopthread_starts_all_threads_or_none) {
  struct rlimit limit;
  FILE *f = fopen("/proc/self/statm", "r");
  unsigned long pages;
  if (t_memory_is_checked()) SKIP("the memory checker's own memory counts");
  CHECK(f && fscanf(f, "%lu", &pages) == 1);
  CHECK_INT(fclose(f), 0);
  CHECK_INT(getrlimit(RLIMIT_AS, &limit), 0);
  /* Room for a few stacks of 8 MiB. */
  limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (64 << 20);
  CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
  CHECK_INT(io_starteventloopthread(1000), -1);
  CHECK(errno == EAGAIN || errno == ENOMEM);
  CHECK_INT(library_threads(), 0);
  CHECK_INT(io_canread(), -1);
}

TEST(a_child_of_a_process_with_event_loop_threads_waits_by_itself) {
  int64 d[2];
  pthread_t holder;
  int status;
  pid_t child;
  leaves_it = 1;
  watched_pair(d);
  CHECK_INT(io_starteventloopthread(1), 0);
  holder = th_start(take_and_hold, NULL);
  CHECK_INT(write((int)d[1], "a", 1), 1);
  until(&taken, 1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    CHECK_INT(io_waituntil2(5000), 1); /* what another thread had leased */
    CHECK_INT(io_canread(), d[0]);
    CHECK_INT(io_canread(), -1);
    t_leave(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  add(&may_go_on);
  until(&taken, 2);
  io_finishandshutdown();
  th_join(holder);
}

TEST(io_timeouted_works_beside_event_loop_threads) {
  int64 d[2], e[2];
  tai6464 past;
  pthread_t holder;
  leaves_it = 1;
  watched_pair(d);
  watched_pair(e);
  CHECK_INT(io_starteventloopthread(1), 0);
  holder = th_start(take_and_hold, NULL);
  CHECK_INT(write((int)d[1], "a", 1), 1);
  until(&taken, 1);
  taia_now(&past);
  past.sec.x -= 5;
  io_timeout(d[0], past);
  io_timeout(e[0], past);
  CHECK_INT(io_timeouted(), e[0]); /* d[0] is being worked on */
  CHECK_INT(io_timeouted(), -1);
  add(&may_go_on);
  until(&taken, 2);
  io_finishandshutdown();
  th_join(holder);
}
