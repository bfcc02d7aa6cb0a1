/* No function of the library lets the process die of SIGPIPE, and none takes the signal away from a program
 * that handles it. */
#include "loop.h"

static volatile sig_atomic_t pipes;

static void on_pipe(int number) {
  (void)number;
  pipes++;
}

static int64 pipe_without_reader(void) {
  int64 d[2];
  t_pipe(d);
  close((int)d[0]);
  CHECK_INT(io_fd(d[1]), 1);
  return d[1];
}

/* One end of a pair whose other end is gone. */
static int64 half(int tcp) {
  int64 d[2];
  (tcp ? t_tcp_pair : t_unix_pair)(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  if (tcp) {
    l_reset(d[1]);
    l_until(d[0], POLLHUP);
    CHECK_INT(io_tryread(d[0], (char[1]){0}, 1), -3); /* collects the reset; writing now gives EPIPE */
  } else {
    close((int)d[1]);
  }
  return d[0];
}

/* promise: SIGPIPE */
TEST(io_trywrite_to_a_closed_peer_does_not_kill_the_process) {
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_waitwrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_trywritetimeout(half(0), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_trywrite(half(1), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
}

/* promise: SIGPIPE */
TEST(iob_send_to_a_closed_peer_does_not_kill_the_process) {
  int tcp;
  for (tcp = 0; tcp < 2; tcp++) {
    io_batch b;
    memset(&b, 0, sizeof b);
    CHECK_INT(iob_adds(&b, "hello"), 1);
    CHECK_INT(iob_send(half(tcp), &b), -3);
    CHECK_ERRNO(EPIPE);
    iob_reset(&b);
    CHECK_INT(iob_addfile_close(&b, t_tmpfile(100), 0, 100), 1);
    CHECK_INT(iob_send(half(tcp), &b), -3);
    CHECK_ERRNO(EPIPE);
    iob_reset(&b);
  }
}

TEST(io_sendfile_to_a_closed_peer_does_not_kill_the_process) {
  CHECK_INT(io_sendfile(half(0), t_tmpfile(100), 0, 100), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_sendfile(half(1), t_tmpfile(100), 0, 100), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_sendfile(pipe_without_reader(), t_tmpfile(100), 0, 100), -3);
  CHECK_ERRNO(EPIPE);
}

TEST(io_passfd_to_a_closed_peer_does_not_kill_the_process) {
  CHECK_INT(io_passfd(half(0), 0), -1);
  CHECK_ERRNO(EPIPE);
}

/* promise: SIGPIPE */
TEST(the_default_of_sigpipe_becomes_a_handler_that_restarts_calls) {
  struct sigaction action;
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_INT(sigaction(SIGPIPE, NULL, &action), 0);
  CHECK(action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL);
  CHECK(action.sa_flags & SA_RESTART);
}

/* promise: SIGPIPE */
TEST(executed_programs_get_the_default_of_sigpipe) {
  int status;
  pid_t child;
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "kill -PIPE $$; exit 0", (char *)NULL);
    _exit(2);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
  CHECK_INT(WTERMSIG(status), SIGPIPE);
}

/* promise: SIGPIPE */
TEST(a_sigpipe_handler_of_the_program_stays) {
  struct sigaction action;
  CHECK(signal(SIGPIPE, on_pipe) != SIG_ERR);
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(sigaction(SIGPIPE, NULL, &action), 0);
  CHECK(action.sa_handler == on_pipe);
  CHECK_INT(pipes, 1);
}

/* promise: SIGPIPE */
TEST(an_ignored_sigpipe_stays_ignored) {
  struct sigaction action;
  CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(sigaction(SIGPIPE, NULL, &action), 0);
  CHECK(action.sa_handler == SIG_IGN);
}

static int is_pending(void) {
  sigset_t set;
  CHECK_INT(sigpending(&set), 0);
  return sigismember(&set, SIGPIPE);
}

/* Sends a byte in each way that the library has, and a file, to peers that are gone. */
static void write_to_the_dead(void) {
  int tcp;
  io_batch b;
  memset(&b, 0, sizeof b);
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(io_waitwrite(pipe_without_reader(), "x", 1), -3);
  CHECK_ERRNO(EPIPE);
  CHECK_INT(iob_adds(&b, "x"), 1);
  CHECK_INT(iob_send(pipe_without_reader(), &b), -3);
  CHECK_ERRNO(EPIPE);
  iob_reset(&b);
  for (tcp = 0; tcp < 2; tcp++) {
    CHECK_INT(io_waitwrite(half(tcp), "x", 1), -3);
    CHECK_ERRNO(EPIPE);
    CHECK_INT(io_sendfile(half(tcp), t_tmpfile(100), 0, 100), -3);
    CHECK_ERRNO(EPIPE);
    CHECK_INT(iob_addfile_close(&b, t_tmpfile(50000), 0, 50000), 1);
    CHECK_INT(iob_send(half(tcp), &b), -3);
    CHECK_ERRNO(EPIPE);
    iob_reset(&b);
  }
}

static void block_sigpipe(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  CHECK_INT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

/* promise: SIGPIPE */
TEST(a_blocked_signal_is_not_left_pending) {
  block_sigpipe();
  write_to_the_dead();
  CHECK_INT(is_pending(), 0);
}

TEST(a_signal_that_was_pending_before_stays_so) {
  int own;
  for (own = 0; own < 2; own++) {
    block_sigpipe();
    if (own) {
      CHECK_INT(write((int)pipe_without_reader(), "x", 1), -1); /* as the library's own would be */
    } else {
      CHECK_INT(kill(getpid(), SIGPIPE), 0);
    }
    CHECK_INT(is_pending(), 1);
    write_to_the_dead();
    CHECK_INT(is_pending(), 1);
  }
}

TEST(a_blocked_signal_that_the_program_handles_is_not_left_pending) {
  sigset_t set;
  CHECK(signal(SIGPIPE, on_pipe) != SIG_ERR);
  block_sigpipe();
  write_to_the_dead();
  CHECK_INT(is_pending(), 0);
  sigemptyset(&set);
  CHECK_INT(sigprocmask(SIG_SETMASK, &set, NULL), 0);
  CHECK_INT(pipes, 0);
  /* Where the program does not block it, its handler runs, as for every write to a pipe. */
  CHECK_INT(io_trywrite(pipe_without_reader(), "x", 1), -3);
  CHECK_INT(pipes, 1);
}
