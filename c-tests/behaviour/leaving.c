/* A thread leaves a call that sleeps: it is cancelled, or a signal handler jumps out of the call. Afterwards the library
 * goes on working: it serves, sleeps, and the next call of the same kind is woken; and the thread can be cancelled. */
#include "thread.h"

#include <setjmp.h>
#include <sys/stat.h>
#include <sys/time.h>

/* A call that sleeps until `end` is called. */
struct sleep {
  void (*prepare)(void);
  void (*call)(void);
  void (*end)(void);
};

static int64 d[2], idle, full[2], pair[2];
static char fifo[64];
static iomux_t mux;

static void nothing_to_hear(void) { idle = l_idle(); }
static void queue_one(void) { CHECK_INT(io_queueforread(idle), 1); }

static void wait_for_ever(void) {
  while (io_canread() == -1) io_wait();
}

static void wait_until_later(void) {
  while (io_canread() == -1) io_waituntil(l_in_ms(100000));
}

static void wait_with_a_limit(void) {
  while (io_canread() == -1) io_waituntil2(100000);
}

static void an_empty_pipe(void) {
  nothing_to_hear();
  l_pipe(d, 0);
}

static void wait_for_a_byte(void) {
  char c;
  CHECK_INT(io_waitread(d[0], &c, 1), 1);
}

static void put_a_byte(void) { l_put(d[1], "x"); }

static void a_full_pipe(void) {
  nothing_to_hear();
  t_pipe(full);
  CHECK_INT(io_fd(full[1]), 1);
}

static void wait_for_room(void) {
  t_fill(full[1]);
  CHECK(io_waitwrite(full[1], "x", 1) > 0);
}

static void make_room(void) {
  static char bytes[1 << 16];
  CHECK(read((int)full[0], bytes, sizeof bytes) > 0);
}

static void a_multiplexer(void) {
  nothing_to_hear();
  t_pipe(d);
  CHECK_INT(iom_init(&mux), 1);
  CHECK_INT(iom_add(&mux, d[0], IOM_READ), 0);
}

static void wait_for_its_event(void) {
  int64 who;
  unsigned int what;
  char c;
  CHECK_INT(iom_wait(&mux, &who, &what, 100000), 1);
  CHECK_INT(who, d[0]);
  CHECK_INT(read((int)d[0], &c, 1), 1);
  CHECK_INT(iom_requeue(&mux, d[0], IOM_READ), 0);
}

static void a_fifo(void) {
  nothing_to_hear();
  snprintf(fifo, sizeof fifo, "/tmp/owfat-io-fifo.%d", (int)getpid());
  CHECK_INT(mkfifo(fifo, 0600), 0);
}

static void open_it(void) {
  int64 f;
  CHECK_INT(io_readfile(&f, fifo), 1);
  io_close(f);
}

/* A thread that still waits for a writer may hold it open. */
static void open_its_other_end(void) {
  int f = open(fifo, O_WRONLY);
  CHECK(f != -1);
  CHECK_INT(close(f), 0);
}

static void no_descriptor_under_way(void) {
  nothing_to_hear();
  t_unix_pair(pair);
}

static void receive_one(void) {
  int64 got = io_receivefd(pair[0]);
  CHECK(got != -1);
  io_close(got);
}

static void pass_one(void) { CHECK_INT(io_passfd(pair[1], idle), 0); }

static const struct sleep sleeps[] = {
    {nothing_to_hear, wait_for_ever, queue_one},
    {nothing_to_hear, wait_until_later, queue_one},
    {nothing_to_hear, wait_with_a_limit, queue_one},
    {an_empty_pipe, wait_for_a_byte, put_a_byte},
    {a_full_pipe, wait_for_room, make_room},
    {a_multiplexer, wait_for_its_event, put_a_byte},
    {a_fifo, open_it, open_its_other_end},
    {no_descriptor_under_way, receive_one, pass_one},
};
enum { WAIT, WAIT_UNTIL, WAIT_WITH_LIMIT, READ, WRITE, MULTIPLEXER, OPEN, RECEIVE };

static const struct sleep *now;
static int id;

static void sleep_in_it(void) {
  __atomic_store_n(&id, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
  now->call();
}

static void await_sleep(void) {
  int64 end = t_now_ms() + L_PATIENCE;
  int thread;
  while ((thread = __atomic_load_n(&id, __ATOMIC_ACQUIRE)) == 0 || !th_sleeps(thread)) {
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 1);
  }
}

static void *sleep_and_return(void *unused) {
  sleep_in_it();
  return unused;
}

static int cancel_state(void) {
  int state, old;
  CHECK_INT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state), 0);
  CHECK_INT(pthread_setcancelstate(state, &old), 0);
  return state;
}

static void works(void) {
  struct th_sleeper s;
  pthread_t thread;
  int64 own[2];
  char c;
  int i;
  t_unix_pair(own);
  io_nonblock(own[0]);
  l_read_event(own[0]);
  for (i = 0; i < 3; i++) {
    l_put(own[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), own[0]);
    CHECK_INT(io_tryread(own[0], &c, 1), 1);
  }
  l_check_asleep();
  /* A thread sleeps in the loop and hears what is new. */
  th_put_to_sleep(&s, TH_LIMIT);
  l_put(own[1], "x");
  th_check_returns_at_once(&s);
  CHECK_INT(l_next_read(L_PATIENCE), own[0]);
  io_close(own[0]);
  io_close(own[1]);
  /* The same call again. */
  id = 0;
  thread = th_start(sleep_and_return, NULL);
  await_sleep();
  now->end();
  th_join(thread);
}

static void cancelled(const struct sleep *sleep) {
  pthread_t thread;
  void *result;
  int i;
  t_need_cancellation();
  now = sleep;
  now->prepare();
  for (i = 0; i < 3; i++) {
    id = 0;
    thread = th_start(sleep_and_return, NULL);
    await_sleep();
    CHECK_INT(pthread_cancel(thread), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
  }
  works();
  if (*fifo) unlink(fifo);
}

static sigjmp_buf back;

static void jump(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

static void jump_on(int signal) {
  struct sigaction action = {.sa_handler = jump};
  /* The list that poll(2) was asked about is lost. */
  if (now == &sleeps[MULTIPLEXER]) t_ignore_leaks();
  CHECK_INT(sigaction(signal, &action, NULL), 0);
}

static int stopped[2], has_jumped;

static void *jump_out_and_go_on(void *unused) {
  char c;
  if (sigsetjmp(back, 1) == 0) {
    sleep_in_it();
    CHECK_INT(0, 1); /* nobody ends it */
  }
  CHECK_INT(cancel_state(), PTHREAD_CANCEL_ENABLE);
  works();
  __atomic_store_n(&has_jumped, 1, __ATOMIC_RELEASE);
  CHECK_INT(read(stopped[0], &c, 1), 1); /* here it is cancelled */
  return unused;
}

static void jumped_out_of(const struct sleep *sleep) {
  pthread_t thread;
  void *result;
  t_need_cancellation();
  now = sleep;
  now->prepare();
  CHECK_INT(pipe(stopped), 0);
  jump_on(SIGUSR1);
  thread = th_start(jump_out_and_go_on, NULL);
  await_sleep();
  CHECK_INT(pthread_kill(thread, SIGUSR1), 0);
  while (!__atomic_load_n(&has_jumped, __ATOMIC_ACQUIRE)) poll(NULL, 0, 1);
  CHECK_INT(pthread_cancel(thread), 0);
  CHECK_INT(pthread_join(thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
  works();
  if (*fifo) unlink(fifo);
}

/* In a process of one thread, three times. */
static void jumped_out_of_alone(const struct sleep *sleep) {
  struct itimerval soon = {{0, 0}, {0, 50000}};
  static volatile int times;
  now = sleep;
  now->prepare();
  jump_on(SIGALRM);
  for (times = 0; times < 3; times++) {
    if (sigsetjmp(back, 1) == 0) {
      CHECK_INT(setitimer(ITIMER_REAL, &soon, NULL), 0);
      now->call();
      CHECK_INT(0, 1); /* nobody ends it */
    }
    if (now == &sleeps[WAIT]) l_check_asleep();
  }
  works();
  if (*fifo) unlink(fifo);
}

TEST(a_thread_that_waits_may_be_cancelled) { cancelled(&sleeps[WAIT]); }
TEST(a_thread_that_waits_until_a_moment_may_be_cancelled) { cancelled(&sleeps[WAIT_UNTIL]); }
TEST(a_thread_that_waits_with_a_limit_may_be_cancelled) { cancelled(&sleeps[WAIT_WITH_LIMIT]); }
TEST(a_thread_that_waits_for_bytes_may_be_cancelled) { cancelled(&sleeps[READ]); }
TEST(a_thread_that_waits_for_room_may_be_cancelled) { cancelled(&sleeps[WRITE]); }
TEST(a_thread_that_waits_in_a_multiplexer_may_be_cancelled) { cancelled(&sleeps[MULTIPLEXER]); }
TEST(a_thread_that_opens_a_fifo_may_be_cancelled) { cancelled(&sleeps[OPEN]); }
TEST(a_thread_that_waits_for_a_descriptor_may_be_cancelled) { cancelled(&sleeps[RECEIVE]); }

TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait) { jumped_out_of(&sleeps[WAIT]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait_until_a_moment) { jumped_out_of(&sleeps[WAIT_UNTIL]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait_with_a_limit) { jumped_out_of(&sleeps[WAIT_WITH_LIMIT]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait_for_bytes) { jumped_out_of(&sleeps[READ]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait_for_room) { jumped_out_of(&sleeps[WRITE]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_multiplexer) { jumped_out_of(&sleeps[MULTIPLEXER]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_an_open) { jumped_out_of(&sleeps[OPEN]); }
TEST(a_signal_handler_of_a_thread_may_jump_out_of_a_wait_for_a_descriptor) { jumped_out_of(&sleeps[RECEIVE]); }

TEST(a_signal_handler_may_jump_out_of_a_wait) { jumped_out_of_alone(&sleeps[WAIT]); }
TEST(a_signal_handler_may_jump_out_of_a_wait_until_a_moment) { jumped_out_of_alone(&sleeps[WAIT_UNTIL]); }
TEST(a_signal_handler_may_jump_out_of_a_wait_with_a_limit) { jumped_out_of_alone(&sleeps[WAIT_WITH_LIMIT]); }
TEST(a_signal_handler_may_jump_out_of_a_wait_for_bytes) { jumped_out_of_alone(&sleeps[READ]); }
TEST(a_signal_handler_may_jump_out_of_a_wait_for_room) { jumped_out_of_alone(&sleeps[WRITE]); }
TEST(a_signal_handler_may_jump_out_of_a_multiplexer) { jumped_out_of_alone(&sleeps[MULTIPLEXER]); }
TEST(a_signal_handler_may_jump_out_of_an_open) { jumped_out_of_alone(&sleeps[OPEN]); }
TEST(a_signal_handler_may_jump_out_of_a_wait_for_a_descriptor) { jumped_out_of_alone(&sleeps[RECEIVE]); }

/* One that waits beside another one that does. */
static struct th_sleeper first;

static void another_waits(void) {
  nothing_to_hear();
  th_put_to_sleep(&first, 100000);
}

static void end_both(void) {
  int64 end = t_now_ms() + L_PATIENCE;
  queue_one();
  while (!th_is_done(&first)) {
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 1);
  }
}

static void wait_beside(void) { io_waituntil2(100000); }

static const struct sleep beside = {another_waits, wait_beside, end_both};

static void go_on_beside(void *(*body)(void *), void (*leave)(pthread_t)) {
  pthread_t thread;
  now = &beside;
  now->prepare();
  jump_on(SIGUSR1);
  id = 0;
  thread = th_start(body, NULL);
  await_sleep();
  leave(thread);
  /* Who stays hears what is new. */
  l_pipe(d, 0);
  io_wantread(d[0]);
  l_put(d[1], "x");
  th_check_returns_at_once(&first);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  io_close(d[0]);
  l_check_asleep();
  io_finishandshutdown();
}

static void cancel(pthread_t thread) {
  void *result;
  t_need_cancellation();
  CHECK_INT(pthread_cancel(thread), 0);
  CHECK_INT(pthread_join(thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
}

TEST(a_thread_that_waits_beside_another_may_be_cancelled) { go_on_beside(sleep_and_return, cancel); }

static void cancel_the_first(pthread_t thread) {
  void *result;
  t_need_cancellation();
  CHECK_INT(pthread_cancel(first.thread), 0);
  CHECK_INT(pthread_join(first.thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
  first.thread = thread;
  first.took = 0;
}

TEST(a_thread_that_waits_takes_over_from_one_that_is_cancelled) { go_on_beside(sleep_and_return, cancel_the_first); }

static void *sleep_and_jump(void *unused) {
  if (sigsetjmp(back, 1) == 0) {
    sleep_in_it();
    CHECK_INT(0, 1); /* nobody ends it */
  }
  return unused;
}

static void have_it_jump(pthread_t thread) {
  CHECK_INT(pthread_kill(thread, SIGUSR1), 0);
  th_join(thread);
}

TEST(a_signal_handler_may_jump_out_of_a_wait_beside_another) { go_on_beside(sleep_and_jump, have_it_jump); }

/* The one that others wait beside jumps out of its wait, and waits again. */
static void *jump_and_wait_again(void *unused) {
  if (sigsetjmp(back, 1) == 0) {
    sleep_in_it();
    CHECK_INT(0, 1); /* nobody ends it */
  }
  __atomic_store_n(&has_jumped, 1, __ATOMIC_RELEASE);
  while (io_canread() != d[0]) io_waituntil2(100000);
  return unused;
}

static void have_jumped(pthread_t thread) {
  CHECK_INT(pthread_kill(thread, SIGUSR1), 0);
  while (!__atomic_load_n(&has_jumped, __ATOMIC_ACQUIRE)) poll(NULL, 0, 1);
}

TEST(a_thread_that_others_wait_beside_may_jump_out_of_its_wait_and_wait_again) {
  pthread_t thread;
  char c;
  now = &beside;
  nothing_to_hear();
  l_pipe(d, 1);
  jump_on(SIGUSR1);
  thread = th_start(jump_and_wait_again, NULL);
  await_sleep();
  th_put_to_sleep(&first, 100000);
  have_jumped(thread);
  l_put(d[1], "x");
  th_join(thread);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  if (!th_is_done(&first)) queue_one();
  th_check_returns_at_once(&first);
  io_canread();
  l_check_asleep();
  works();
  io_finishandshutdown();
}

/* Threads of the program that take what event-loop threads find. */
static int64 taken[2];

static void *jump_and_take(void *unused) {
  if (sigsetjmp(back, 1) == 0) {
    sleep_in_it();
    CHECK_INT(0, 1); /* nobody ends it */
  }
  __atomic_store_n(&has_jumped, 1, __ATOMIC_RELEASE);
  taken[0] = io_canread();
  return unused;
}

static void *take(void *unused) {
  sleep_in_it();
  return unused;
}

static void take_one(void) { taken[1] = io_canread(); }

static const struct sleep taking = {NULL, take_one, NULL};

TEST(a_signal_handler_may_jump_out_of_a_call_that_waits_for_event_loop_threads) {
  pthread_t thread, other;
  int64 more[2], cpu;
  l_pipe(d, 1);
  l_pipe(more, 1);
  now = &taking;
  jump_on(SIGUSR1);
  CHECK_INT(io_starteventloopthread(2), 0);
  thread = th_start(jump_and_take, NULL);
  await_sleep();
  id = 0;
  other = th_start(take, NULL);
  await_sleep();
  have_jumped(thread);
  l_put(d[1], "x");
  l_put(more[1], "x");
  th_join(thread);
  th_join(other);
  CHECK(taken[0] == d[0] || taken[0] == more[0]);
  CHECK_INT(taken[1], taken[0] == d[0] ? more[0] : d[0]);
  cpu = l_cpu_ms();
  poll(NULL, 0, 200);
  l_check_idle_since(cpu);
  io_finishandshutdown();
}
