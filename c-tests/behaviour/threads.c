/* Any thread may call anything at any time, also while another one waits. */
#include "thread.h"

#include <sys/time.h>

#define WORKERS 4
#define EACH 5000

static int64 shared[2];
static int go_on = 1;

/* One byte after the other into a blocking pipe; a full pipe is waited for. */
static void *write_bytes(void *arg) {
  int i;
  (void)arg;
  for (i = 0; i < EACH; i++) {
    int64 n;
    while ((n = io_trywrite(shared[1], "k", 1)) == -1) {
      CHECK_ERRNO(EAGAIN);
      l_until(shared[1], POLLOUT);
    }
    CHECK_INT(n, 1);
  }
  return NULL;
}

/* promise: Any thread may call any function */
TEST(other_threads_may_write_to_a_registered_pipe_while_the_loop_waits) {
  static char buf[65536];
  pthread_t worker[WORKERS];
  int64 got = 0, n;
  int i;
  t_pipe(shared);
  io_nonblock(shared[0]);
  l_read_event(shared[0]);
  CHECK_INT(io_fd(shared[1]), 1); /* stays blocking */
  for (i = 0; i < WORKERS; i++) worker[i] = th_start(write_bytes, NULL);
  while (got < WORKERS * EACH) {
    CHECK_INT(l_next_read(L_PATIENCE), shared[0]);
    while ((n = io_tryread(shared[0], buf, sizeof buf)) > 0) got += n;
    CHECK_INT(n, -1);
  }
  for (i = 0; i < WORKERS; i++) th_join(worker[i]);
  CHECK_INT(got, WORKERS * EACH);
  CHECK_INT(fcntl((int)shared[1], F_GETFL) & O_NONBLOCK, 0);
}

static void *want_late(void *arg) {
  int64 *d = arg;
  poll(NULL, 0, 100);
  l_read_event(d[0]);
  return NULL;
}

TEST(io_wantread_by_another_thread_wakes_the_loop) {
  int64 d[2], begun = t_now_ms();
  pthread_t thread;
  l_idle();
  t_pipe(d);
  io_nonblock(d[0]);
  l_put(d[1], "x");
  thread = th_start(want_late, d);
  CHECK_INT(l_next_read(10000), d[0]);
  CHECK(t_now_ms() - begun < 5000);
  th_join(thread);
}

static void *close_late(void *arg) {
  int64 *d = arg;
  poll(NULL, 0, 60);
  io_close(d[0]);
  l_put(d[2], "x");
  return NULL;
}

TEST(another_thread_may_close_while_the_loop_waits) {
  int64 d[4];
  pthread_t thread;
  l_pipe(d, 1);
  t_pipe(d + 2);
  { /* d[2] is to be the end that is written to */
    int64 swap = d[2];
    d[2] = d[3];
    d[3] = swap;
  }
  io_nonblock(d[3]);
  l_read_event(d[3]);
  thread = th_start(close_late, d);
  CHECK_INT(l_next_read(L_PATIENCE), d[3]);
  CHECK_INT(io_canread(), -1);
  th_join(thread);
}

static void *churn(void *arg) {
  unsigned seed = (unsigned)(uintptr_t)arg;
  while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
    int64 d[2];
    char c;
    t_unix_pair(d);
    CHECK_INT(io_fd(d[0]), 1);
    io_setcookie(d[0], arg);
    io_timeout(d[0], l_in_ms(rand_r(&seed) % 3 - 1));
    io_wantread(d[0]);
    io_wantwrite(d[0]);
    CHECK(io_getcookie(d[0]) == arg);
    CHECK_INT(io_trywrite(d[0], "x", 1), 1);
    CHECK_INT(io_tryread(d[0], &c, 1), -1);
    io_eagain(d[0]);
    if (rand_r(&seed) & 1) io_dontwantwrite(d[0]);
    io_close(d[0]);
    io_close(d[1]);
  }
  return NULL;
}

/* promise: Any thread may call any function */
TEST(other_threads_may_register_and_close_beside_the_loop) {
  pthread_t worker[WORKERS];
  int64 end = t_now_ms() + 500;
  uintptr_t i;
  int64 d[2];
  l_pipe(d, 1);
  for (i = 0; i < WORKERS; i++) worker[i] = th_start(churn, (void *)(i + 1));
  while (t_now_ms() < end) {
    io_waituntil2(5);
    while (io_canread() != -1) {
    }
    while (io_canwrite() != -1) {
    }
    io_timeouted();
  }
  __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
  for (i = 0; i < WORKERS; i++) th_join(worker[i]);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

static void *wait_a_moment(void *arg) {
  (void)arg;
  CHECK_INT(io_waituntil2(1), 0);
  return NULL;
}

/* promise: Any thread may call any function */
TEST(the_loop_may_move_to_another_thread) {
  int64 d[2];
  char c;
  int i;
  l_pipe(d, 1);
  for (i = 0; i < 3; i++) {
    th_join(th_start(wait_a_moment, NULL));
    l_put(d[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
  }
}

static void *wait_in_read(void *arg) {
  char c;
  CHECK_INT(io_waitread(*(int64 *)arg, &c, 1), 1);
  return NULL;
}

/* promise: Any thread may call any function */
TEST(no_lock_is_held_while_a_thread_blocks_in_io_waitread) {
  int64 blocked[2], d[2];
  pthread_t thread;
  t_pipe(blocked);
  CHECK_INT(io_fd(blocked[0]), 1);
  thread = th_start(wait_in_read, &blocked[0]);
  poll(NULL, 0, 30);
  l_pipe(d, 1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_setcookie(blocked[0], d);
  l_put(blocked[1], "x");
  th_join(thread);
}

static void *ping(void *arg) {
  int64 d[2];
  int i;
  char c;
  (void)arg;
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  for (i = 0; i < 20000; i++) {
    CHECK_INT(io_trywrite(d[1], "x", 1), 1);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
  }
  return NULL;
}

static void on_alarm(int number) { (void)number; }

TEST(two_threads_that_write_to_blocking_pipes_leave_no_timer_behind) {
  struct itimerval timer;
  pthread_t a, b;
  CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
  a = th_start(ping, NULL);
  b = th_start(ping, NULL);
  th_join(a);
  th_join(b);
  CHECK_INT(getitimer(ITIMER_REAL, &timer), 0);
  CHECK_INT(timer.it_value.tv_sec, 0);
  CHECK_INT(timer.it_value.tv_usec, 0);
  CHECK_INT(timer.it_interval.tv_usec, 0);
}

/* Two threads wait at once; each event goes to one of them, and none is lost. */
static void *serve(void *arg) {
  int64 d;
  int n = 0;
  while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
    io_waituntil2(20);
    while ((d = io_canread()) != -1) {
      char c;
      int64 r = io_tryread(d, &c, 1);
      CHECK(r == 1 || r == -1);
      n += r == 1;
    }
  }
  *(int *)arg = n;
  return NULL;
}

TEST(two_threads_may_wait_at_once) {
  int64 d[2], end = t_now_ms() + L_PATIENCE;
  int i, n[2];
  pthread_t thread[2];
  l_pipe(d, 1);
  for (i = 0; i < 2; i++) thread[i] = th_start(serve, &n[i]);
  for (i = 0; i < 300; i++) l_put(d[1], "x");
  for (;;) {
    struct pollfd p = {(int)d[0], POLLIN, 0};
    if (poll(&p, 1, 0) == 0) break; /* everything was read */
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 5);
  }
  __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
  for (i = 0; i < 2; i++) th_join(thread[i]);
  CHECK_INT(n[0] + n[1], 300);
}

/* What a cancelled thread sleeps in. sendfile(2) is no cancellation point, and so io_sendfile is none. */
static int64 full, empty, some_file;
static int64 pass(int64 s, const void *buf, uint64 n) { return write((int)s, buf, n); }

static void sleep_in_io_wait(void) { io_wait(); }
static void sleep_in_io_waituntil2(void) { io_waituntil2(60000); }

static void sleep_in_io_waitread(void) {
  char byte;
  io_waitread(empty, &byte, 1);
}

static void sleep_in_io_waitwrite(void) { io_waitwrite(full, "x", 1); }

static void sleep_in_iob_send(void) {
  static io_batch b;
  memset(&b, 0, sizeof b);
  iob_addbuf(&b, "x", 1);
  iob_send(full, &b);
}

static void sleep_in_a_filter(void) {
  static io_batch b;
  memset(&b, 0, sizeof b);
  iob_addbuf(&b, "x", 1);
  iob_write(full, &b, pass);
}

static void sleep_in_a_filter_of_a_file(void) { io_mmapwritefile(full, some_file, 0, 100, pass); }

static void *body(void *sleep) {
  ((void (*)(void))sleep)();
  return "did not sleep";
}

/* What everybody may expect of a loop. */
static void loop_is_usable(void) {
  int64 d[2];
  char byte;
  l_pipe(d, 1);
  io_wantread(d[0]);
  l_put(d[1], "x");
  io_waituntil2(2000);
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_tryread(d[0], &byte, 1), 1);
  io_close(d[0]);
  io_close(d[1]);
}

/* The unwinding of a cancelled thread passes through the library's frames. */
/* promise: Cancelling a thread */
TEST(a_thread_that_is_cancelled_asleep_ends_at_once_and_the_library_goes_on) {
  void (*const sleeps[])(void) = {sleep_in_io_wait,
                                  sleep_in_io_waituntil2,
                                  sleep_in_io_waitread,
                                  sleep_in_io_waitwrite,
                                  sleep_in_iob_send,
                                  sleep_in_a_filter,
                                  sleep_in_a_filter_of_a_file};
  char page[4096] = {0};
  int64 in[2], out[2];
  size_t i;
  t_need_cancellation();
  l_pipe(in, 1);
  t_pipe(out);
  CHECK_INT(io_fd(out[1]), 1);
  empty = in[0];
  full = out[1];
  io_nonblock(full);
  while (write((int)full, page, sizeof page) > 0) {
  }
  io_block(full);
  io_block(empty);
  io_wantread(empty);
  some_file = t_tmpfile(4096);
  for (i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
    void *status;
    pthread_t thread = th_start(body, (void *)sleeps[i]);
    poll(NULL, 0, 30);
    CHECK_INT(pthread_cancel(thread), 0);
    CHECK_INT(pthread_join(thread, &status), 0);
    if (status != PTHREAD_CANCELED) CHECK_INT(i, -1); /* that one did not sleep */
    loop_is_usable();
  }
}
