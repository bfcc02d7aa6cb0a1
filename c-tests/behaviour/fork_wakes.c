/* What wakes the threads of a process is its own: neither side of a fork wakes the other, or takes what is to wake it. */
#include "fork.h"
#include "thread.h"

enum { ROUNDS = 30, NUMBERS = 256 };

static int64 idle;

/* A thread sleeps and is woken, over and over. */
static void wake_a_thread(void) {
  struct th_sleeper s;
  int i;
  for (i = 0; i < ROUNDS; i++) {
    th_put_to_sleep(&s, TH_LIMIT);
    CHECK_INT(io_queueforread(idle), 1);
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), idle);
  }
}

/* How often a thread of this process has gone to sleep. */
static long sleeps_of(int id) {
  char path[64], line[256];
  long n = -1;
  FILE *f;
  snprintf(path, sizeof path, "/proc/self/task/%d/status", id);
  CHECK(f = fopen(path, "r"));
  while (fgets(line, sizeof line, f)) sscanf(line, "voluntary_ctxt_switches: %ld", &n);
  fclose(f);
  CHECK(n >= 0);
  return n;
}

TEST(threads_of_a_child_that_wake_each_other_do_not_wake_the_parent) {
  struct th_sleeper s;
  long before;
  idle = l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  before = sleeps_of(s.id);
  f_run(wake_a_thread);
  CHECK(sleeps_of(s.id) - before <= 2);
  CHECK_INT(io_queueforread(idle), 1);
  th_check_returns_at_once(&s);
}

static int64 told[2];

static void sleep_while_the_parent_wakes(void) {
  struct th_sleeper s;
  long before;
  char c;
  th_put_to_sleep(&s, TH_LIMIT);
  before = sleeps_of(s.id);
  l_put(told[1], "r");
  l_until(told[0], POLLIN);
  CHECK_INT(read((int)told[0], &c, 1), 1);
  CHECK(sleeps_of(s.id) - before <= 2);
  CHECK_INT(io_queueforread(idle), 1);
  th_check_returns_at_once(&s);
}

TEST(threads_of_the_parent_that_wake_each_other_do_not_wake_a_child) {
  int64 back[2];
  pid_t child;
  char c;
  idle = l_idle();
  io_check();
  t_unix_pair(back);
  told[0] = told[1] = back[1];
  child = f_start(sleep_while_the_parent_wakes);
  CHECK_INT(read((int)back[0], &c, 1), 1);
  wake_a_thread();
  l_put(back[0], "x");
  f_finish(child);
}

TEST(both_sides_wake_their_threads_at_once) {
  pid_t child;
  int i;
  idle = l_idle();
  io_check();
  for (i = 0; i < 3; i++) {
    child = f_start(wake_a_thread);
    wake_a_thread();
    f_finish(child);
  }
}

/* What is open under each number, by name. */
static char names[2][NUMBERS][64];

static void look_at_numbers(int at) {
  int i;
  for (i = 0; i < NUMBERS; i++) {
    char path[64];
    ssize_t n;
    snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    n = readlink(path, names[at][i], sizeof names[at][i] - 1);
    names[at][i][n > 0 ? n : 0] = 0;
  }
}

/* Descriptors that are of the library's kind have the same name in each process; their count tells. */
static int of_the_kind(int at, const char *name) {
  int i, n = 0;
  for (i = 0; i < NUMBERS; i++) n += strcmp(names[at][i], name) == 0;
  return n;
}

static void wait_and_compare(void) {
  int i;
  io_waituntil2(1);
  look_at_numbers(1);
  for (i = 0; i < NUMBERS; i++) {
    if (*names[0][i]) CHECK(of_the_kind(1, names[0][i]) <= (strncmp(names[0][i], "anon", 4) == 0));
  }
}

static void wait_beside_a_thread_and_compare(void) {
  wake_a_thread();
  wait_and_compare();
}

/* Keeps the names of the library's own descriptors only. */
static void name_own_descriptors(void) {
  int i, own = 0;
  look_at_numbers(1);
  t_pipe(told); /* the program's */
  idle = l_idle();
  io_check();
  look_at_numbers(0);
  for (i = 0; i < NUMBERS; i++) {
    struct stat now;
    int is_new = strcmp(names[0][i], names[1][i]) != 0;
    if (is_new && i != told[0] && i != told[1] && fstat(i, &now) == 0 && (fcntl(i, F_GETFD) & FD_CLOEXEC)) {
      own++;
    } else {
      *names[0][i] = 0;
    }
  }
  CHECK(own >= 2);
}

TEST(a_child_that_waits_has_none_of_its_parents_own_descriptors) {
  name_own_descriptors();
  f_run(wait_and_compare);
}

TEST(a_child_that_waits_with_threads_has_none_of_its_parents_own_descriptors) {
  name_own_descriptors();
  f_run(wait_beside_a_thread_and_compare);
}

TEST(a_child_of_a_process_whose_threads_sleep_has_none_of_its_own_descriptors) {
  static struct th_sleeper s[2]; /* shutting down wakes the threads after the case */
  int i;
  name_own_descriptors();
  for (i = 0; i < 2; i++) th_put_to_sleep(&s[i], TH_LIMIT);
  f_run(wait_and_compare);
  f_run(wait_beside_a_thread_and_compare);
}
