/* Signals, children, programs on the other end of a pipe, terminals. After the scenarios of other event loops, see
 * docs/peers.md. */
#include "fork.h"
#include "peers.h"

#include <pthread.h>
#include <sys/signalfd.h>

static volatile sig_atomic_t caught;
static int64 signals[2];

static void counts(int sig) {
  (void)sig;
  caught++;
}

static void into_pipe(int sig) {
  caught = sig;
  (void)!write((int)signals[1], "!", 1);
}

static void handle(int sig, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  CHECK_INT(sigaction(sig, &action, NULL), 0);
}

/* Each row: a signal, and how its handler is installed. A wait ends, and only once. */
static void ends_a_wait(int sig, int flags) {
  pid_t child, parent = getpid();
  l_idle();
  handle(sig, counts, flags);
  CHECK((child = fork()) != -1);
  if (child == 0) {
    f_until_asleep(parent, parent);
    if (sig != SIGCHLD) CHECK_INT(kill(parent, sig), 0);
    _exit(0); /* which is a signal, too, but only SIGCHLD has a handler for it */
  }
  CHECK_INT(io_waituntil2(10000), -1);
  CHECK_ERRNO(EINTR);
  CHECK_INT(caught, 1);
  CHECK_INT(waitpid(child, NULL, 0), child);
  CHECK_INT(io_waituntil2(20), 0);
  CHECK_INT(io_canread(), -1);
}

TEST(an_alarm_ends_a_wait) { ends_a_wait(SIGALRM, 0); }
/* promise: A signal ends a wait */
TEST(an_alarm_whose_handler_restarts_calls_ends_a_wait) { ends_a_wait(SIGALRM, SA_RESTART); }
TEST(the_death_of_a_child_ends_a_wait) { ends_a_wait(SIGCHLD, SA_RESTART); }
TEST(a_signal_of_a_user_ends_a_wait) { ends_a_wait(SIGUSR1, SA_RESTART); }
TEST(a_real_time_signal_ends_a_wait) { ends_a_wait(SIGRTMIN + 1, SA_RESTART); }

/* A handler writes to a pipe that the loop reads, which is how programs turn signals into events. */
static void into_events(int sig, int times) {
  int i;
  char c[64];
  l_pipe(signals, 1);
  handle(sig, into_pipe, SA_RESTART);
  for (i = 0; i < times; i++) CHECK_INT(raise(sig), 0);
  l_expect_read_only(signals[0]);
  CHECK_INT(io_tryread(signals[0], c, sizeof c), times);
  io_check();
  CHECK_INT(io_canread(), -1);
}

TEST(a_signal_before_the_wait_is_an_event_through_a_pipe) { into_events(SIGUSR1, 1); }
TEST(several_signals_are_events_through_a_pipe) { into_events(SIGUSR2, 5); }

TEST(a_handler_that_is_taken_back_leaves_the_default) {
  struct sigaction now;
  handle(SIGUSR1, counts, 0);
  l_idle();
  io_waituntil2(1);
  signal(SIGUSR1, SIG_DFL);
  io_waituntil2(1);
  CHECK_INT(sigaction(SIGUSR1, NULL, &now), 0);
  CHECK(now.sa_handler == SIG_DFL);
}

TEST(a_blocked_signal_is_read_as_an_event_and_ends_no_wait) {
  sigset_t set;
  int64 d;
  struct signalfd_siginfo info;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK_INT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  d = signalfd(-1, &set, SFD_NONBLOCK);
  if (d == -1) SKIP("this system has no signalfd");
  l_read_event(d);
  CHECK_INT(kill(getpid(), SIGUSR1), 0);
  l_expect_read_only(d);
  CHECK_INT(io_tryread(d, (char *)&info, sizeof info), sizeof info);
  CHECK_INT(info.ssi_signo, SIGUSR1);
  io_check();
  CHECK_INT(io_canread(), -1);
}

static volatile sig_atomic_t storm_on = 1;

static void *storm(void *arg) {
  pthread_t victim = *(pthread_t *)arg;
  while (storm_on) {
    pthread_kill(victim, SIGUSR1);
    usleep(200);
  }
  return NULL;
}

/* Signals by the hundred while data flows: nothing is lost, doubled or made up. */
TEST(a_storm_of_signals_loses_no_byte_of_a_flow) {
  int64 d[2], sent = 0, got = 0, next;
  pthread_t self = pthread_self(), thread;
  static char out[50000], in[1000];
  p_make(out, 0, sizeof out);
  handle(SIGUSR1, counts, 0);
  p_pair(UNIX, d);
  io_nonblock(d[1]);
  CHECK_INT(io_fd(d[1]), 1);
  io_wantread(d[0]);
  io_wantwrite(d[1]);
  CHECK_INT(pthread_create(&thread, NULL, storm, &self), 0);
  while (got < (int64)sizeof out || caught < 100) {
    io_waituntil2(50);
    while ((next = io_canread()) != -1) {
      int64 n = io_tryread(next, in, sizeof in);
      CHECK(n > 0 || (n == -1 && errno == EAGAIN));
      if (n > 0) p_check_bytes(in, got, n), got += n;
    }
    while (sent < (int64)sizeof out && (next = io_canwrite()) != -1) {
      int64 piece = (int64)sizeof out - sent < 700 ? (int64)sizeof out - sent : 700;
      int64 n = io_trywrite(next, out + sent, piece);
      CHECK(n > 0 || (n == -1 && errno == EAGAIN));
      if (n > 0) sent += n;
    }
    if (sent == (int64)sizeof out) io_dontwantwrite(d[1]);
  }
  storm_on = 0;
  CHECK_INT(pthread_join(thread, NULL), 0);
}

/* Children that go on with the loop that they inherited. */
static int64 shared[KINDS][2];

static void child_reads(void) {
  int kind;
  char c;
  for (kind = 0; kind < KINDS; kind++) {
    if (!p_has(kind)) continue;
    p_say(kind, "in the child");
    l_put(shared[kind][1], "c");
    l_expect_read_only(shared[kind][0]);
    CHECK_INT(io_tryread(shared[kind][0], &c, 1), 1);
    CHECK_INT(c, 'c');
  }
}

TEST(a_child_hears_what_it_inherited_of_every_kind) {
  int kind;
  char c;
  for (kind = 0; kind < KINDS; kind++) {
    if (!p_has(kind)) continue;
    p_pair(kind, shared[kind]);
    io_wantread(shared[kind][0]);
  }
  io_check();
  f_run(child_reads);
  for (kind = 0; kind < KINDS; kind++) {
    if (!p_has(kind)) continue;
    p_say(kind, "in the parent, after the child");
    l_put(shared[kind][1], "p");
    l_expect_read_only(shared[kind][0]);
    CHECK_INT(io_tryread(shared[kind][0], &c, 1), 1);
    CHECK_INT(c, 'p');
  }
}

static void child_has_timer(void) {
  int64 d[2], next;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(10));
  while ((next = io_timeouted()) == -1) io_waituntil2(L_PATIENCE);
  CHECK_INT(next, d[0]);
}

TEST(a_child_has_timers_of_its_own) {
  int64 mine = l_idle(), begun = t_now_ms();
  io_timeout(mine, l_in_ms(3600000));
  io_check();
  f_run(child_has_timer);
  CHECK_INT(io_timeouted(), -1);
  CHECK(t_now_ms() - begun < 3600000);
}

static void child_is_signalled(void) {
  handle(SIGUSR1, counts, SA_RESTART);
  raise(SIGUSR1);
  CHECK_INT(caught, 1);
  CHECK_INT(io_waituntil2(1), 0);
}

TEST(a_signal_of_the_child_is_not_the_parents) {
  handle(SIGUSR1, counts, SA_RESTART);
  l_idle();
  io_check();
  f_run(child_is_signalled);
  CHECK_INT(caught, 0);
  CHECK_INT(io_waituntil2(10), 0);
}

static void child_closes_all(void) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    if (!p_has(kind)) continue;
    io_dontwantread(shared[kind][0]);
    io_close(shared[kind][0]);
  }
  io_finishandshutdown();
}

TEST(a_child_that_closes_everything_disturbs_no_kind) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    if (!p_has(kind)) continue;
    p_pair(kind, shared[kind]);
    io_wantread(shared[kind][0]);
  }
  io_check();
  f_run(child_closes_all);
  for (kind = 0; kind < KINDS; kind++) {
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, "after a child that closed everything");
    l_put(shared[kind][1], "p");
    l_expect_read_only(shared[kind][0]);
    CHECK_INT(io_tryread(shared[kind][0], &c, 1), 1);
  }
}

/* Programs on the other end. */
static pid_t start(const char *command, int64 in[2], int64 out[2]) {
  pid_t child;
  t_pipe(in);
  t_pipe(out);
  CHECK((child = fork()) != -1);
  if (child == 0) {
    dup2((int)in[0], 0);
    dup2((int)out[1], 1);
    close((int)in[0]), close((int)in[1]), close((int)out[0]), close((int)out[1]);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  close((int)in[0]);
  close((int)out[1]);
  io_nonblock(in[1]);
  io_nonblock(out[0]);
  CHECK_INT(io_fd(in[1]), 1);
  CHECK_INT(io_fd(out[0]), 1);
  return child;
}

static void end(pid_t child, int wanted) {
  int status;
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, wanted);
}

TEST(a_programs_output_is_read_to_its_end) {
  int64 in[2], out[2], n, sum = 0;
  char buf[4096];
  pid_t child = start("i=0; while [ $i -lt 2000 ]; do echo 123456789; i=$((i+1)); done; exit 3", in, out);
  io_close(in[1]);
  io_wantread(out[0]);
  for (;;) {
    CHECK_INT(l_next_read(10000), out[0]);
    if ((n = io_tryread(out[0], buf, sizeof buf)) == 0) break;
    CHECK(n > 0);
    sum += n;
  }
  CHECK_INT(sum, 20000);
  end(child, 3);
}

TEST(a_program_echoes_what_it_is_sent) {
  int64 in[2], out[2], sent = 0, got = 0, next;
  static char text[300000], buf[10000];
  pid_t child = start("exec cat", in, out);
  p_make(text, 0, sizeof text);
  io_wantread(out[0]);
  io_wantwrite(in[1]);
  while (got < (int64)sizeof text) {
    int64 n;
    CHECK(io_waituntil2(10000) >= 0);
    while ((next = io_canread()) != -1) {
      CHECK((n = io_tryread(next, buf, sizeof buf)) > 0);
      p_check_bytes(buf, got, n);
      got += n;
    }
    while ((next = io_canwrite()) != -1) {
      n = io_trywrite(next, text + sent, (int64)sizeof text - sent);
      CHECK(n > 0 || (n == -1 && errno == EAGAIN));
      if (n > 0) sent += n;
      if (sent == (int64)sizeof text) {
        io_close(next);
        break;
      }
    }
  }
  CHECK_INT(l_next_read(10000), out[0]);
  CHECK_INT(io_tryread(out[0], buf, 1), 0);
  end(child, 0);
}

TEST(a_program_that_does_not_read_its_input_is_written_to_in_vain) {
  int64 in[2], out[2];
  int tries;
  pid_t child = start("exec <&-; sleep 0; exit 0", in, out);
  end(child, 0);
  io_wantwrite(in[1]);
  l_expect_write_only(in[1]);
  for (tries = 0; tries < 3; tries++) {
    CHECK_INT(io_trywrite(in[1], "x", 1), -3);
    CHECK_ERRNO(EPIPE);
  }
}

TEST(a_program_that_is_killed_ends_its_output) {
  int64 in[2], out[2];
  char c;
  pid_t child = start("exec cat", in, out);
  io_wantread(out[0]);
  CHECK_INT(io_trywrite(in[1], "x", 1), 1);
  CHECK_INT(l_next_read(10000), out[0]);
  CHECK_INT(io_tryread(out[0], &c, 1), 1);
  CHECK_INT(kill(child, SIGKILL), 0);
  CHECK_INT(l_next_read(10000), out[0]);
  CHECK_INT(io_tryread(out[0], &c, 1), 0);
  CHECK_INT(waitpid(child, NULL, 0), child);
}

/* Terminals. */
TEST(a_terminal_hands_over_line_by_line) {
  int64 d[2];
  struct termios cooked;
  char buf[32];
  p_pair(TERMINAL, d);
  CHECK_INT(tcgetattr((int)d[0], &cooked), 0);
  cooked.c_lflag |= ICANON;
  CHECK_INT(tcsetattr((int)d[0], TCSANOW, &cooked), 0);
  io_wantread(d[0]);
  l_idle();
  l_put(d[1], "no line yet");
  l_check_asleep();
  l_put(d[1], "\nand more");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 12);
  l_check_asleep();
}

TEST(a_terminal_in_raw_mode_hands_over_each_key) {
  int64 d[2];
  char buf[4];
  p_pair(TERMINAL, d);
  io_wantread(d[0]);
  l_put(d[1], "a");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], buf, 4), 1);
  l_put(d[1], "\033[A");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], buf, 4), 3);
}

TEST(nothing_is_written_to_a_terminal_by_an_empty_write) {
  int64 d[2];
  char c;
  p_pair(TERMINAL, d);
  CHECK_INT(io_trywrite(d[0], "", 0), 0);
  CHECK_INT(io_trywrite(d[0], "x", 1), 1);
  l_until(d[1], POLLIN);
  CHECK_INT(read((int)d[1], &c, 1), 1);
}

TEST(a_lot_is_written_to_a_terminal_that_is_read_slowly) {
  int64 d[2], sent = 0, got = 0;
  static char out[30000], in[2000];
  p_make(out, 0, sizeof out);
  p_pair(TERMINAL, d);
  CHECK_INT(fcntl((int)d[1], F_SETFL, O_NONBLOCK), 0);
  io_wantwrite(d[0]);
  while (got < (int64)sizeof out) {
    ssize_t n;
    io_check();
    if (sent < (int64)sizeof out && io_canwrite() == d[0]) {
      n = io_trywrite(d[0], out + sent, (int64)sizeof out - sent);
      CHECK(n > 0 || (n == -1 && errno == EAGAIN));
      if (n > 0) sent += n;
    }
    n = read((int)d[1], in, sizeof in);
    CHECK(n > 0 || (n == -1 && errno == EAGAIN));
    if (n > 0) p_check_bytes(in, got, n), got += n;
  }
}

TEST(the_master_of_a_terminal_hears_that_nobody_has_it_open) {
  int64 d[2];
  char c;
  p_terminal(d);
  io_nonblock(d[1]);
  l_read_event(d[1]);
  CHECK_INT(close((int)d[0]), 0);
  l_expect_read_only(d[1]);
  CHECK_INT(io_tryread(d[1], &c, 1), -3);
  CHECK_ERRNO(EIO);
}
