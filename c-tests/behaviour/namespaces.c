/* A process and its child have the same number, each in a PID namespace of its own: each has its own loop nevertheless. */
#include "fork.h"
#include "thread.h"

#include <sched.h>

static int64 d[2], e[2];

static void need_a_namespace(void) {
  t_ignore_leaks(); /* its thread has no number that it knows here */
  if (unshare(CLONE_NEWPID) == 0) return;
  /* A user may have namespaces of its own. */
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) SKIP("no PID namespace can be made here");
}

static void serve(int64 pipe[2]) {
  char c;
  int i;
  for (i = 0; i < 3; i++) {
    l_put(pipe[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), pipe[0]);
    CHECK_INT(io_tryread(pipe[0], &c, 1), 1);
  }
}

static void begin(void) {
  CHECK_INT(getpid(), 1);
  l_pipe(d, 1);
  l_pipe(e, 1);
  CHECK_INT(io_waituntil2(1), 0);
}

/* As number 1 of another namespace. */
static void in_another(void (*child)(void)) {
  need_a_namespace();
  f_run(child);
}

static void close_inherited(void) {
  CHECK_INT(getpid(), 1);
  io_close(d[0]);
  io_dontwantread(e[0]);
  io_waituntil2(1);
}

static void wait_with_own(void) {
  int64 own[2];
  CHECK_INT(getpid(), 1);
  io_dontwantread(d[0]);
  io_dontwantread(e[0]);
  l_pipe(own, 1);
  serve(own);
  l_check_asleep();
}

static void shut_down(void) {
  CHECK_INT(getpid(), 1);
  io_finishandshutdown();
}

static void parent_of(void (*child)(void)) {
  begin();
  in_another(child);
  serve(d);
  serve(e);
  l_check_asleep();
}

static void parent_of_one_that_closes(void) { parent_of(close_inherited); }
static void parent_of_one_that_waits(void) { parent_of(wait_with_own); }
static void parent_of_one_that_shuts_down(void) { parent_of(shut_down); }

static void parent_with_a_sleeper(void) {
  struct th_sleeper s = {.limit = TH_LIMIT};
  begin();
  /* No thread can be started later, and /proc has others of these numbers: the child is what it sleeps through. */
  s.thread = th_start(th_sleep, &s);
  while (__atomic_load_n(&s.id, __ATOMIC_ACQUIRE) == 0) poll(NULL, 0, 1);
  need_a_namespace();
  f_run(wait_with_own);
  CHECK(!th_is_done(&s));
  l_put(d[1], "x");
  th_check_returns_at_once(&s);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* The parent is number 1 as well. A skip of it is one of the test. */
static void as_number_1(void (*parent)(void)) {
  int status;
  pid_t child;
  need_a_namespace();
  child = f_start(parent);
  CHECK_INT(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("no PID namespace can be made in another one here");
  CHECK_INT(status, 0);
}

TEST(a_child_of_the_same_number_that_closes_does_not_disturb_its_parent) { as_number_1(parent_of_one_that_closes); }
TEST(a_child_of_the_same_number_has_a_loop_of_its_own) { as_number_1(parent_of_one_that_waits); }
TEST(a_child_of_the_same_number_that_shuts_down_does_not_disturb_its_parent) {
  as_number_1(parent_of_one_that_shuts_down);
}
TEST(a_child_of_the_same_number_does_not_wake_its_parents_thread) { as_number_1(parent_with_a_sleeper); }
