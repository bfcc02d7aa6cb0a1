/* What the library does behind the program's back, and what it never does: its own descriptors, the standard ones,
 * files, programs, connections, and the one function for signal handlers. See SECURITY.md. */
#include "sandbox.h"
#include "thread.h"

#include <sys/time.h>

enum { NUMBERS = 1024, COPIES = 512, STATE = COPIES + 3 };

static int64 d[2], e[2];
static iomux_t multiplexer;

/* Has STATE tell how this thread is, also where nothing can be opened any more. */
static void show_state(void) {
  int opened = open("/proc/thread-self/stat", O_RDONLY);
  CHECK(opened != -1);
  CHECK_INT(dup2(opened, STATE), STATE);
  close(opened);
}

static int shown_asleep(void) {
  char text[512], *state;
  ssize_t n = pread(STATE, text, sizeof text - 1, 0);
  CHECK(n > 0);
  text[n] = 0;
  state = strrchr(text, ')');
  return state && state[2] == 'S';
}

/* Of a nearer deadline the sleeping thread has to be told; epoll tells it of the event itself. */
static void *want_late(void *unused) {
  while (!shown_asleep()) poll(NULL, 0, 1);
  io_timeout(d[0], l_in_ms(L_PATIENCE / 2));
  io_wantread(e[0]);
  return unused;
}

/* Gets the library to open all it ever opens for itself: what it waits with, what one thread wakes another with, and
 * a multiplexer with what ends its waits. */
static void open_everything(void) {
  pthread_t thread;
  char c;
  l_read_event(d[0]);
  CHECK_INT(io_fd(e[0]), 1);
  l_put(e[1], "x");
  thread = th_start(want_late, NULL);
  l_expect_read_only(e[0]);
  th_join(thread);
  CHECK_INT(io_tryread(e[0], &c, 1), 1);
  io_dontwantread(e[0]);
  io_timeout(d[0], l_never());
  if (t_no_epoll()) return;
  CHECK_INT(iom_init(&multiplexer), 1);
  CHECK_INT(iom_abort(&multiplexer), 0);
}

static void *use_memory(void *unused) {
  free(malloc(1));
  return unused;
}

/* All that the program, and the C library for its threads, has to open. */
static void prepare(void) {
  show_state();
  th_join(th_start(use_memory, NULL));
  t_pipe(d);
  t_pipe(e);
  io_nonblock(d[0]);
  io_nonblock(e[0]);
}

/* The numbers below NUMBERS that are open. */
static void look(char open[NUMBERS]) {
  int i;
  for (i = 0; i < NUMBERS; i++) open[i] = fcntl(i, F_GETFD) != -1;
}

/* What is open beyond `before` is the library's. First puts back what close_standard has taken away, so that a failing
 * check can say so. */
static void check_own_descriptors(const char before[NUMBERS]) {
  int i, flags[NUMBERS], own = 0;
  for (i = 0; i < NUMBERS; i++) flags[i] = before[i] ? -1 : fcntl(i, F_GETFD);
  for (i = 0; i < 3; i++) dup2(COPIES + i, i);
  for (i = 0; i < 3; i++) CHECK_INT(flags[i], -1);
  for (i = 3; i < NUMBERS; i++) {
    if (flags[i] == -1) continue;
    own++;
    CHECK_INT(flags[i], FD_CLOEXEC);
  }
  CHECK(own >= (t_no_epoll() ? 1 : 3));
}

static void close_standard(void) {
  int i;
  for (i = 0; i < 3; i++) {
    CHECK_INT(fcntl(i, F_DUPFD, COPIES + i), COPIES + i);
    close(i);
  }
}

TEST(own_descriptors_are_close_on_exec) {
  char before[NUMBERS];
  prepare();
  look(before);
  open_everything();
  check_own_descriptors(before);
}

/* A program without standard input, output and error would print into what lies under their numbers. */
/* promise: Descriptors of the library */
TEST(own_descriptors_are_close_on_exec_and_above_2) {
  char before[NUMBERS];
  prepare();
  close_standard();
  look(before);
  open_everything();
  check_own_descriptors(before);
}

/* A child opens its own. */
TEST(own_descriptors_of_a_child_are_close_on_exec_and_above_2) {
  char before[NUMBERS];
  int status;
  pid_t child;
  prepare();
  close_standard();
  look(before);
  open_everything();
  child = fork();
  if (child == 0) {
    show_state();
    open_everything();
    check_own_descriptors(before);
    t_leave(0);
  }
  check_own_descriptors(before);
  CHECK(child != -1);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

/* Where there is no eventfd. */
TEST(own_descriptors_in_a_sandbox_are_close_on_exec_and_above_2) {
  static const int eventfd_only[] = {SYS_eventfd2};
  char before[NUMBERS];
  prepare();
  s_deny(eventfd_only, 1, SECCOMP_RET_ERRNO | ENOSYS);
  close_standard();
  look(before);
  open_everything();
  check_own_descriptors(before);
}

/* What a server does all day. The program has opened all there is to open before. */
static void work(int64 file) {
  static char buf[100000];
  io_batch b;
  char text[200];
  int i;
  memset(&b, 0, sizeof b);
  open_everything();
  for (i = 0; i < 100; i++) {
    l_put(e[1], "x");
    io_wantread(e[0]);
    l_expect_read_only(e[0]);
    CHECK_INT(io_tryread(e[0], buf, 10), 1);
    io_dontwantread(e[0]);
  }
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, file, 0, 100), 1);
  CHECK_INT(io_fd(e[1]), 1);
  CHECK_INT(iob_send(e[1], &b), 104);
  CHECK_INT(io_tryread(e[0], buf, sizeof buf), 104);
  io_timeout(d[0], l_in_ms(10));
  io_waituntil2(L_PATIENCE);
  CHECK(io_debugstring(d[0], text, sizeof text) > 0);
  CHECK_INT(io_tryread(-1, buf, 1), -3);
  CHECK_INT(iom_add(&multiplexer, -1, IOM_READ), -1);
  CHECK_INT(iom_requeue(&multiplexer, -1, IOM_READ), -1);
  io_finishandshutdown();
}

/* promise: Standard error */
TEST(nothing_is_read_from_or_written_to_the_standard_descriptors) {
  int64 in[2], out[2], file = t_tmpfile(100);
  int i;
  char c = 'x';
  prepare();
  t_pipe(in);
  t_pipe(out);
  l_put(in[1], "in");
  for (i = 0; i < 3; i++) CHECK_INT(fcntl(i, F_DUPFD, COPIES + i), COPIES + i);
  CHECK_INT(dup2((int)in[0], 0), 0);
  CHECK_INT(dup2((int)out[1], 1), 1);
  CHECK_INT(dup2((int)out[1], 2), 2);
  work(file);
  for (i = 0; i < 3; i++) dup2(COPIES + i, i);
  CHECK_INT(fcntl((int)out[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_INT(read((int)out[0], &c, 1), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(read((int)in[0], &c, 1), 1);
  CHECK_INT(c, 'i');
}

/* The process is killed if it tries. */
TEST(no_file_is_opened_no_program_started_and_no_socket_made_unasked) {
  static const int never[] = {
#ifdef SYS_open
      SYS_open,     SYS_creat,  SYS_unlink, SYS_fork,     SYS_vfork,
#endif
      SYS_openat,   SYS_openat2, SYS_unlinkat, SYS_renameat2, SYS_execve, SYS_execveat, SYS_socket,
      SYS_socketpair, SYS_bind, SYS_listen, SYS_connect, SYS_kill,   SYS_tkill,   SYS_ptrace,
      SYS_setuid,   SYS_setgid, SYS_prlimit64, SYS_personality};
  int64 file = t_tmpfile(100);
  if (t_memory_is_checked()) SKIP("a memory checker opens files itself");
  prepare();
  s_deny(never, sizeof never / sizeof *never, SECCOMP_RET_KILL_PROCESS);
  work(file);
}

static volatile sig_atomic_t aborts, failures;

static void abort_it(int number) {
  int before = errno;
  (void)number;
  if (iom_abort(&multiplexer) != 0) failures++;
  aborts++;
  errno = before;
}

/* Wherever in the library the signal finds the thread, and with a second one that holds locks meanwhile. */
static void *use_the_library(void *unused) {
  int64 end = t_now_ms() + 500;
  while (t_now_ms() < end) {
    static const char text[3000];
    io_batch b;
    int64 p[2];
    int i;
    memset(&b, 0, sizeof b);
    CHECK_INT(io_pipe(p), 1);
    io_nonblock(p[0]);
    io_wantread(p[0]);
    io_wantwrite(p[1]);
    for (i = 0; i < 20; i++) CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
    CHECK_INT(iob_send(p[1], &b), 20 * sizeof text);
    io_timeout(p[0], l_in_ms(1000));
    io_check();
    while (io_canread() != -1) {
    }
    io_close(p[0]);
    io_close(p[1]);
  }
  return unused;
}

/* promise: Aborting */
TEST(iom_abort_works_in_a_signal_handler_wherever_it_finds_the_thread) {
  struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  struct sigaction action;
  pthread_t thread;
  int64 s;
  unsigned revents;
  memset(&action, 0, sizeof action);
  action.sa_handler = abort_it;
  action.sa_flags = SA_RESTART;
  CHECK_INT(iom_init(&multiplexer), 1);
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
  thread = th_start(use_the_library, NULL);
  use_the_library(NULL);
  th_join(thread);
  CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
  CHECK(aborts > 100 || (t_under_valgrind() && aborts > 0));
  CHECK_INT(failures, 0);
  CHECK_INT(iom_wait(&multiplexer, &s, &revents, 0), -2);
}
