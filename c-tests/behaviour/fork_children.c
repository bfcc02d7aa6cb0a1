/* What a child does does not reach the parent's loop, and what the parent does not the child's. */
#include "fork.h"

#include <pthread.h>

enum { PIPES = 20 };

static int64 d[PIPES][2];

/* Registered pipes with interest in reading, all of which the kernel watches. */
static void many_pipes(void) {
  int i;
  for (i = 0; i < PIPES; i++) l_pipe(d[i], 1);
  CHECK_INT(io_waituntil2(1), 0);
}

static void write_to_all(void) {
  int i;
  for (i = 0; i < PIPES; i++) l_put(d[i][1], "x");
}

/* Each of the pipes is named exactly once, and has its byte. */
static void hear_all(void) {
  char heard[PIPES] = {0}, c;
  int i, found;
  for (found = 0; found < PIPES; found++) {
    int64 next = l_next_read(L_PATIENCE);
    for (i = 0; i < PIPES && d[i][0] != next; i++) {
    }
    CHECK(i < PIPES && !heard[i]);
    heard[i] = 1;
    CHECK_INT(io_tryread(next, &c, 1), 1);
  }
  CHECK_INT(l_next_read(20), -1);
}

static void close_all_and_open_others(void) {
  char was_ours[4096] = {0};
  int i, reused = 0;
  for (i = 0; i < PIPES; i++) {
    was_ours[d[i][0]] = 1;
    io_close(d[i][0]);
    io_close(d[i][1]);
  }
  for (i = 0; i < PIPES; i++) {
    l_pipe(d[i], 1);
    reused += was_ours[d[i][0]];
  }
  CHECK(reused > PIPES / 2); /* numbers that the parent listens to */
  write_to_all();
  hear_all();
}

TEST(a_child_may_close_all_it_inherited_and_use_the_numbers_anew) {
  many_pipes();
  f_run(close_all_and_open_others);
  write_to_all();
  hear_all();
}

TEST(a_child_may_close_what_has_pending_events) {
  many_pipes();
  write_to_all();
  io_check();
  f_run(close_all_and_open_others);
  hear_all();
}

static int64 ready[2], release[2];

/* Lets the parent look, until it has. */
static void pause_here(void) {
  char c;
  l_put(ready[1], "r");
  CHECK_INT(read((int)release[0], &c, 1), 1);
}

static void until_paused(void) {
  char c;
  CHECK_INT(read((int)ready[0], &c, 1), 1);
}

static void hear_all_later(void) {
  pause_here();
  hear_all();
}

TEST(io_close_is_final_although_a_child_has_the_file_open) {
  int64 fresh[2];
  pid_t child;
  int i;
  t_pipe(ready);
  t_pipe(release);
  l_idle();
  many_pipes();
  child = f_start(hear_all_later);
  until_paused();
  for (i = 0; i < PIPES; i++) io_close(d[i][0]);
  l_pipe(fresh, 1);
  CHECK_INT(fresh[0], d[0][0]);
  write_to_all(); /* readable in the child only */
  l_check_asleep();
  l_put(fresh[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), fresh[0]);
  l_put(release[1], "r");
  f_finish(child);
}

static void take_one_byte(void) {
  char c;
  CHECK_INT(read((int)d[0][0], &c, 1), 1);
  pause_here();
  l_put(d[0][1], "y");
}

TEST(what_a_child_has_read_is_not_reported) {
  pid_t child;
  char c;
  int pending;
  t_pipe(ready);
  t_pipe(release);
  many_pipes();
  for (pending = 0; pending < 2; pending++) {
    l_put(d[0][1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), d[0][0]); /* and left there */
    if (pending) io_check();
    child = f_start(take_one_byte);
    until_paused();
    io_check();
    l_check_asleep();
    l_put(release[1], "r");
    CHECK_INT(l_next_read(L_PATIENCE), d[0][0]);
    CHECK_INT(io_tryread(d[0][0], &c, 1), 1);
    CHECK_INT(c, 'y');
    f_finish(child);
  }
}

/* Closes something inherited, opens something of its own, and sleeps in its loop until the next generation
 * wakes it; the last one does not sleep. Then wakes its parent. */
static void generation(int left, int64 wake_up) {
  int64 own[2];
  pid_t child;
  io_close(d[left][0]);
  l_pipe(own, 1);
  if (left > 0) {
    child = fork();
    CHECK(child != -1);
    if (child == 0) {
      alarm(10);
      generation(left - 1, own[1]);
      _exit(0);
    }
    CHECK_INT(l_next_read(L_PATIENCE), own[0]);
    f_finish(child);
  }
  l_put(wake_up, "x");
}

static int64 ended[2];

static void first_generation(void) { generation(4, ended[1]); }

/* promise: A child has its own loop */
TEST(five_generations_of_children_may_sleep_at_once) {
  pid_t child;
  many_pipes();
  l_pipe(ended, 1);
  child = f_start(first_generation);
  CHECK_INT(l_next_read(L_PATIENCE), ended[0]);
  f_finish(child);
  io_close(ended[0]);
  write_to_all();
  hear_all();
}

static void *fork_beside_the_sleeper(void *wake_up) {
  int i;
  for (i = 0; i < 10; i++) {
    f_until_asleep(getpid(), getpid());
    f_run(close_all_and_open_others);
  }
  l_put(*(int64 *)wake_up, "x");
  return NULL;
}

TEST(a_thread_may_fork_while_another_sleeps_in_io_wait) {
  pthread_t thread;
  int waits = 0;
  many_pipes();
  l_pipe(ended, 1);
  CHECK_INT(pthread_create(&thread, NULL, fork_beside_the_sleeper, &ended[1]), 0);
  do {
    io_wait();
    waits++;
  } while (io_canread() == -1);
  CHECK(waits <= 3); /* the sleeper hears nothing of ten children */
  CHECK_INT(pthread_join(thread, NULL), 0);
  io_close(ended[0]);
  write_to_all();
  hear_all();
}

static volatile int go_on = 1;

/* Spends most of its time inside the library, where a fork finds it. */
static void *register_change_and_close(void *unused) {
  tai6464 later = l_in_ms(100000);
  while (go_on) {
    int64 own[2];
    int i;
    l_pipe(own, 0);
    for (i = 0; i < 1000; i++) {
      io_timeout(own[0], i % 2 ? later : l_never());
      io_wantread(own[0]);
      io_dontwantread(own[0]);
    }
    io_close(own[0]);
    io_close(own[1]);
  }
  return unused;
}

/* promise: Forking at any time */
TEST(children_find_nothing_locked_by_threads_of_the_parent) {
  pthread_t thread[2];
  int i;
  many_pipes();
  for (i = 0; i < 2; i++) CHECK_INT(pthread_create(&thread[i], NULL, register_change_and_close, NULL), 0);
  for (i = 0; i < 20; i++) f_run(close_all_and_open_others);
  go_on = 0;
  for (i = 0; i < 2; i++) CHECK_INT(pthread_join(thread[i], NULL), 0);
  write_to_all();
  hear_all();
}

/* Spends most of its time in making the loop anew. */
static void *shut_down_and_begin_anew(void *unused) {
  int64 own[2];
  t_unix_pair(own);
  while (go_on) {
    l_read_event(own[0]);
    CHECK_INT(io_waituntil2(0), 0);
    io_finishandshutdown();
  }
  return unused;
}

static void serve_one(void) {
  int64 pair[2];
  char byte;
  int i;
  t_unix_pair(pair);
  l_read_event(pair[0]);
  for (i = 0; i < 3; i++) {
    l_put(pair[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), pair[0]);
    CHECK_INT(io_tryread(pair[0], &byte, 1), 1);
  }
  io_finishandshutdown();
}

/* promise: Forking at any time */
TEST(children_serve_although_a_thread_of_the_parent_was_replacing_the_loop) {
  pthread_t thread;
  int i;
  go_on = 1;
  CHECK_INT(pthread_create(&thread, NULL, shut_down_and_begin_anew, NULL), 0);
  for (i = 0; i < 100; i++) f_run(serve_one);
  go_on = 0;
  CHECK_INT(pthread_join(thread, NULL), 0);
  serve_one();
}
