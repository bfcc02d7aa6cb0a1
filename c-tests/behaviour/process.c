/* The process is not the library's: a daemon closes every descriptor and opens its own, fork handlers and signal handlers
 * of the program call the library, and there may be no descriptor left. */
#include "fork.h"
#include "thread.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { FIRST = 3, LAST = 64, OWN = 8 };

/* What the program opens in place of what it has closed. */
static int own[OWN];
static struct stat opened[OWN];
static int (*open_one)(void);

static int a_file(void) { return (int)t_tmpfile(10); }
static int an_eventfd(void) {
  int fd = eventfd(0, 0);
  return fd == -1 && errno == ENOSYS ? a_file() : fd;
}

static int an_epoll_set(void) {
  int fd = epoll_create1(0);
  if (fd == -1 && errno == ENOSYS) fd = epoll_create(1);
  return fd == -1 && errno == ENOSYS ? a_file() : fd;
}

static void close_all(void) {
  int i;
  for (i = FIRST; i < LAST; i++) close(i);
}

static void open_own(void) {
  int i;
  for (i = 0; i < OWN; i++) {
    CHECK((own[i] = open_one()) != -1);
    CHECK_INT(fstat(own[i], &opened[i]), 0);
  }
}

static void own_are_untouched(void) {
  int i;
  for (i = 0; i < OWN; i++) {
    struct stat now;
    CHECK_INT(fstat(own[i], &now), 0);
    CHECK(now.st_ino == opened[i].st_ino && now.st_dev == opened[i].st_dev);
  }
}

static void begin(void) {
  int64 d[2];
  l_pipe(d, 1);
  io_waituntil2(1);
}

/* The loop serves a new connection. A number that was wanted when close(2) took it may be reported besides. */
static void loop_serves(void) {
  int64 d[2], next;
  char byte;
  int i, others;
  t_unix_pair(d);
  l_read_event(d[0]);
  for (i = 0; i < 3; i++) {
    l_put(d[1], "x");
    for (others = 0; (next = l_next_read(L_PATIENCE)) != d[0]; others++) CHECK(next != -1 && others < 100);
    CHECK_INT(io_tryread(d[0], &byte, 1), 1);
  }
  io_close(d[0]);
  io_close(d[1]);
}

static void close_all_and_serve(void) {
  close_all();
  open_own();
  loop_serves();
  own_are_untouched();
}

static void close_all_and_shut_down(void) {
  close_all();
  open_own();
  io_finishandshutdown();
  own_are_untouched();
}

static void with_each_kind(void (*body)(void)) {
  int (*const kinds[])(void) = {a_file, an_eventfd, an_epoll_set};
  size_t i;
  for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    open_one = kinds[i];
    f_run(body);
  }
}

static void daemon_serves(void) {
  begin();
  close_all_and_serve();
}

static void daemon_shuts_down(void) {
  begin();
  close_all_and_shut_down();
}

/* promise: Descriptors of the library */
TEST(what_a_daemon_opens_after_it_closed_everything_is_left_alone_and_its_loop_goes_on) { with_each_kind(daemon_serves); }
TEST(what_a_daemon_opens_after_it_closed_everything_is_left_alone_at_shut_down) { with_each_kind(daemon_shuts_down); }

/* promise: Descriptors of the library */
TEST(what_a_child_opens_after_it_closed_everything_is_left_alone_and_its_loop_goes_on) {
  begin();
  with_each_kind(close_all_and_serve);
  loop_serves();
}

TEST(what_a_child_opens_after_it_closed_everything_is_left_alone_at_shut_down) {
  begin();
  with_each_kind(close_all_and_shut_down);
  loop_serves();
}

/* The program's sets have the library's numbers, and something ready. */
static void own_sets_are_untouched(void) {
  struct epoll_event ready = {.events = EPOLLIN, .data.u64 = 0x7fff00001000}, got[4];
  int64 d[2], pair[2], next;
  int i;
  begin();
  close_all();
  t_pipe(d);
  l_put(d[1], "x");
  open_own();
  for (i = 0; i < OWN; i++) CHECK_INT(epoll_ctl(own[i], EPOLL_CTL_ADD, (int)d[0], &ready), 0);
  t_unix_pair(pair);
  l_read_event(pair[0]);
  l_put(pair[1], "x");
  for (i = 0; i < 5; i++) {
    while ((next = l_next_read(L_PATIENCE)) != pair[0]) CHECK(next != -1);
  }
  for (i = 0; i < OWN; i++) {
    CHECK_INT(epoll_wait(own[i], got, 4, 0), 1);
    CHECK(got[0].data.u64 == ready.data.u64);
  }
}

/* promise: Descriptors of the library */
TEST(an_epoll_set_of_the_program_under_a_number_of_the_librarys_has_nothing_but_what_the_program_put_in) {
  open_one = an_epoll_set;
  if (strcmp(t_backend(), "poll") == 0) SKIP("the library has no set");
  own_sets_are_untouched();
}

/* The program's sets are empty and have the library's numbers; what is registered stays. */
static void own_empty_sets_are_noticed(void) {
  int64 d[2][2];
  int i, fd;
  for (i = 0; i < 2; i++) {
    t_unix_pair(d[i]);
    l_read_event(d[i][0]);
  }
  io_nonblock(d[1][0]);
  t_fill(d[1][0]);
  CHECK_INT(io_waituntil2(1), 0);
  for (fd = FIRST; fd < LAST; fd++) {
    if (fd != d[0][0] && fd != d[0][1] && fd != d[1][0] && fd != d[1][1]) close(fd);
  }
  open_one = an_epoll_set;
  open_own();
  /* A new registration, which the kernel refuses. */
  io_wantwrite(d[1][0]);
  l_put(d[0][1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0][0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0][0]);
  for (i = 0; i < OWN; i++) {
    struct epoll_event got;
    CHECK(epoll_wait(own[i], &got, 1, 0) == 0 || errno == EINVAL || errno == ENOSYS);
  }
  own_are_untouched();
}

TEST(an_empty_epoll_set_of_the_program_under_a_number_of_the_librarys_is_not_taken_for_it) {
  f_run(own_empty_sets_are_noticed);
}

/* Every number that the library may have had is a connection. */
/* Every number that the library may have had is a connection. */
/* promise: Descriptors of the library */
TEST(events_come_although_connections_have_the_numbers_of_the_librarys_own_descriptors) {
  int64 in[6][2];
  char byte;
  int i, round;
  begin();
  close_all();
  for (i = 0; i < 6; i++) t_unix_pair(in[i]);
  for (i = 0; i < 6; i++) {
    io_nonblock(in[i][0]);
    l_read_event(in[i][0]);
  }
  for (round = 0; round < 3; round++) {
    for (i = 0; i < 6; i++) {
      l_put(in[i][1], "x");
      CHECK_INT(l_next_read(L_PATIENCE), in[i][0]);
      CHECK_INT(io_tryread(in[i][0], &byte, 1), 1); /* nobody else has taken it */
      CHECK_INT(recv((int)in[i][1], &byte, 1, MSG_DONTWAIT), -1); /* nor written to the peer */
    }
  }
}

/* No number is left for a descriptor of the library's. */
static void use_up_descriptors(void) {
  struct rlimit limit = {LAST, LAST};
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  while (open("/dev/null", O_RDONLY) != -1) {
  }
  CHECK_ERRNO(EMFILE);
}

static int64 d[2];

static void queue_it(void) { CHECK_INT(io_queueforread(d[0]), 1); }
static void shut_down(void) { io_finishandshutdown(); }
static void want_nothing(void) { io_dontwantread(d[0]); }

static void set_a_passed_deadline(void) {
  tai6464 t;
  taia_now(&t);
  t.sec.x--;
  io_timeout(d[0], t);
}

static void a_sleeper_hears_of(void (*change)(void)) {
  struct th_sleeper s;
  l_pipe(d, 1);
  th_put_to_sleep(&s, TH_LIMIT);
  use_up_descriptors();
  change();
  th_check_returns_at_once(&s);
}

/* promise: No descriptor left */
TEST(with_no_descriptor_left_a_sleeper_hears_of_a_queued_event) { a_sleeper_hears_of(queue_it); }
TEST(with_no_descriptor_left_a_sleeper_hears_of_a_deadline) { a_sleeper_hears_of(set_a_passed_deadline); }
TEST(with_no_descriptor_left_a_sleeper_hears_of_the_shut_down) { a_sleeper_hears_of(shut_down); }
TEST(with_no_descriptor_left_a_sleeper_hears_that_nothing_is_wanted) { a_sleeper_hears_of(want_nothing); }

TEST(a_copy_of_a_closed_descriptor_hides_nobody_when_no_descriptor_is_left) {
  int64 copied[2], client[2];
  char byte;
  int i;
  t_unix_pair(client);
  io_nonblock(client[0]);
  l_read_event(client[0]);
  t_unix_pair(copied);
  io_nonblock(copied[0]);
  l_read_event(copied[0]);
  io_check();
  CHECK(dup((int)copied[0]) != -1);
  io_close(copied[0]);
  use_up_descriptors();
  l_put(copied[1], "x");
  io_waituntil2(20);
  for (i = 0; i < 5; i++) {
    l_put(client[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), client[0]);
    CHECK_INT(io_tryread(client[0], &byte, 1), 1);
  }
  l_check_asleep();
}

/* A lock of the program that its own fork handlers hold, registered before the library was first called. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_over;

static void hold(void) { pthread_mutex_lock(&lock); }
static void release(void) { pthread_mutex_unlock(&lock); }

static void *use_the_library_under_the_lock(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
    pthread_mutex_lock(&lock);
    io_setcookie(d[0], &lock);
    io_dontwantwrite(d[1]);
    io_wantwrite(d[1]);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static void nothing(void) {}

/* promise: Forking at any time */
TEST(a_fork_handler_may_hold_a_lock_under_which_other_threads_call_the_library) {
  pthread_t thread[2];
  int i;
  CHECK_INT(pthread_atfork(hold, release, release), 0);
  CHECK_INT(io_pipe(d), 1);
  for (i = 0; i < 2; i++) thread[i] = th_start(use_the_library_under_the_lock, NULL);
  for (i = 0; i < 200; i++) f_run(nothing);
  __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
  for (i = 0; i < 2; i++) th_join(thread[i]);
}

static void call_the_library(void) {
  io_setcookie(d[0], &lock);
  CHECK(io_getcookie(d[0]) == &lock);
  io_wantread(d[0]);
}

static void close_in_the_child(void) {
  io_close(d[0]);
  io_close(d[1]);
}

static void fork_beside(void *(*thread)(void *)) {
  pthread_t beside;
  CHECK_INT(pthread_atfork(call_the_library, call_the_library, close_in_the_child), 0);
  CHECK_INT(io_pipe(d), 1);
  if (thread) beside = th_start(thread, NULL);
  f_run(nothing);
  f_run(loop_serves);
  __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
  if (thread) th_join(beside);
  loop_serves();
}

static void *use_the_library(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
    io_dontwantwrite(d[1]);
    io_wantwrite(d[1]);
  }
  io_dontwantwrite(d[1]);
  return NULL;
}

/* promise: Forking at any time */
TEST(fork_handlers_may_call_the_library) { fork_beside(NULL); }
TEST(fork_handlers_may_call_the_library_beside_a_thread_that_does) { fork_beside(use_the_library); }

/* fork is one of the functions that a signal handler may call. */
static volatile sig_atomic_t forks;

static void fork_in_handler(int signal) {
  int was = errno;
  pid_t child = fork();
  (void)signal;
  if (child == 0) _exit(0);
  if (child > 0) waitpid(child, NULL, 0);
  forks++;
  errno = was;
}

/* promise: Forking at any time */
TEST(a_signal_handler_that_interrupts_the_library_may_fork) {
  struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
  struct itimerval soon = {{0, 0}, {0, 300}}, never = {{0, 0}, {0, 0}};
  int64 end = t_now_ms() + 1000;
  int handled = -1;
  char byte;
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_INT(io_pipe(d), 1);
  io_nonblock(d[0]);
  while (t_now_ms() < end || forks <= 10) {
    /* One signal after the other: where a fork takes longer than the timer, nothing else would be done. */
    if (forks != handled) {
      handled = forks;
      CHECK_INT(setitimer(ITIMER_REAL, &soon, NULL), 0);
    }
    CHECK_INT(io_fd(d[0]), 1);
    io_wantread(d[0]);
    CHECK_INT(io_tryread(d[0], &byte, 1), -1);
    io_dontwantread(d[0]);
    io_eagain(d[0]);
  }
  CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
  loop_serves();
}

static int generations = 4, of_the_first;

static void next_generation(void) {
  struct th_sleeper s;
  loop_serves();
  CHECK_INT(f_of_the_loop(), of_the_first);
  if (--generations == 0) return;
  l_idle();
  th_put_to_sleep(&s, TH_LIMIT);
  f_run(next_generation);
  io_queueforread(l_idle());
}

TEST(children_of_children_whose_threads_wait_have_one_loop_each) {
  loop_serves();
  of_the_first = f_of_the_loop();
  f_run(next_generation);
}

TEST(a_received_descriptor_that_its_sender_keeps_is_not_heard_of_after_its_close) {
  int64 way[2], kept[2], got;
  int i;
  t_unix_pair(way);
  io_block(way[1]);
  l_idle();
  for (i = 0; i < 20; i++) {
    t_unix_pair(kept);
    CHECK_INT(io_passfd(way[0], kept[0]), 0);
    CHECK((got = io_receivefd(way[1])) != -1);
    CHECK_INT(io_fd(got), 1);
    io_wantread(got);
    io_check();
    io_close(got);
    l_put(kept[1], "x"); /* its open file is readable from now on */
    CHECK_INT(io_waituntil2(2), 0);
  }
  l_check_asleep();
}
