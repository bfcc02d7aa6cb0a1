/* After fork the child's loop is its own, and exec takes nothing of the library along. */
#include "fork.h"

static int64 d[2], e[2];

static void close_inherited(void) {
  io_dontwantread(e[0]);
  io_waituntil2(1);
  io_close(d[0]);
  io_close(e[0]);
}

/* promise: A child has its own loop */
TEST(a_child_that_closes_does_not_disturb_the_parent) {
  l_pipe(d, 1);
  l_pipe(e, 1);
  io_waituntil2(1);
  f_run(close_inherited);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_dontwantread(d[0]);
  l_put(e[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
}

static void register_ready(void) {
  int64 own[2];
  l_pipe(own, 1);
  l_put(own[1], "x");
  l_read_event(d[0]); /* inherited, registered by the child only */
  io_waituntil2(1);
  CHECK_INT(write((int)e[1], "k", 1), 1); /* the parent may look */
  poll(NULL, 0, 600);
}

/* promise: A child has its own loop */
TEST(a_child_that_registers_does_not_wake_the_parent) {
  int status;
  char c;
  pid_t child;
  l_idle();
  io_waituntil2(1);
  t_pipe(d);
  t_pipe(e);
  l_put(d[1], "x");
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    register_ready();
    _exit(0);
  }
  CHECK_INT(read((int)e[0], &c, 1), 1);
  l_check_asleep();
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

static void use_what_was_inherited(void) {
  CHECK(io_getcookie(d[0]) == d);
  CHECK_INT(io_timedout(d[0]), 1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_canread(), -1);
  l_pipe(e, 1);
  l_put(e[1], "x");
  io_dontwantread(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
}

/* promise: A child has its own loop */
TEST(a_child_inherits_interest_cookies_and_deadlines) {
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  io_waituntil2(1);
  f_run(use_what_was_inherited);
}

static void answer(void) {
  char c;
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
  CHECK_INT(io_tryread(e[0], &c, 1), 1);
  CHECK_INT(io_trywrite(e[1], &c, 1), 1);
}

TEST(parent_and_child_may_wait_at_once) {
  int64 up[2], down[2];
  int status;
  pid_t child;
  char c;
  l_pipe(up, 1);
  l_pipe(down, 1);
  CHECK_INT(io_fd(up[1]), 1);
  CHECK_INT(io_fd(down[1]), 1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    e[0] = down[0];
    e[1] = up[1];
    io_dontwantread(up[0]);
    answer();
    _exit(0);
  }
  io_dontwantread(down[0]);
  CHECK_INT(io_trywrite(down[1], "x", 1), 1);
  CHECK_INT(l_next_read(L_PATIENCE), up[0]);
  CHECK_INT(io_tryread(up[0], &c, 1), 1);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

static void grandchild(void) { f_run(use_what_was_inherited); }

TEST(a_child_of_a_child_has_a_loop_of_its_own) {
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  io_waituntil2(1);
  f_run(grandchild);
}

static void shut_down(void) { io_finishandshutdown(); }

/* promise: A child has its own loop */
TEST(a_child_that_shuts_its_loop_down_does_not_disturb_the_parent) {
  l_pipe(d, 1);
  io_waituntil2(1);
  f_run(shut_down);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

/* promise: Exec */
TEST(nothing_of_the_library_survives_exec) {
  char before[4096] = {0};
  struct dirent *entry;
  int i;
  DIR *dir;
  for (i = 0; i < 4096; i++) before[i] = fcntl(i, F_GETFD) != -1;
  l_pipe(d, 1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  before[d[0]] = before[d[1]] = 1;
  dir = opendir("/proc/self/fd");
  CHECK(dir != NULL);
  while ((entry = readdir(dir))) {
    int n = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || n == dirfd(dir) || n >= 4096 || before[n]) continue;
    if (fcntl(n, F_GETFD) == -1) continue; /* valgrind shows its own, but lends them to nobody */
    CHECK_INT(fcntl(n, F_GETFD), FD_CLOEXEC);
  }
  closedir(dir);
  CHECK_INT(fcntl((int)d[0], F_GETFD), 0); /* the program's own stay as they are */
}
