/* Descriptor 2 is the program's: a line of the library goes there only if it was open when the library was loaded, is
 * the same file still, and is no socket. An unknown backend is what the library has to complain about here. */
#include "watched.h"

/* In the session: the library says its line, or would. */
static void give_cause(void) {
  l_idle();
  io_check();
}

static void check_silence(void) {
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}

/* 1 in a session whose library was loaded after `prepare`, 0 in the parent when it has ended. */
static int session_after(void (*prepare)(void), const char *test) {
  if (!getenv("OWFAT_IO_SESSION")) CHECK_INT(setenv("UNPREPARED", "1", 1), 0);
  if (!w_session("OWFAT_IO_BACKEND", "nonsense", test, NULL)) return 0;
  if (getenv("UNPREPARED")) {
    prepare();
    CHECK_INT(unsetenv("UNPREPARED"), 0);
    t_start_anew(test);
  }
  return 1;
}

/* In the session: descriptor 2 is the end of a new pipe for writing, and d the other end. */
static void become_a_pipe(int64 *d) {
  int64 pair[2];
  t_pipe(pair);
  CHECK_INT(dup2((int)pair[1], 2), 2);
  close((int)pair[1]);
  *d = pair[0];
}

static void lose_the_reader(void) {
  int64 d;
  become_a_pipe(&d);
  close((int)d);
}

static void fill_up(void) {
  int64 d;
  become_a_pipe(&d);
  CHECK_INT(fcntl(2, F_SETFL, O_NONBLOCK), 0);
  while (write(2, "x", 1) == 1) {
  }
  CHECK_INT(fcntl(2, F_SETFL, 0), 0);
}

static void close_it(void) { close(2); }

/* In the session: what comes under the number is a file of the program, which stays as it is. */
static void put_a_file_there(void) {
  struct stat file;
  CHECK_INT(t_tmpfile(0), 2);
  give_cause();
  CHECK_INT(fstat(2, &file), 0);
  CHECK_INT(file.st_size, 0);
  exit(0);
}

/* promise: Standard error */
TEST(standard_error_that_stays_gets_the_line) {
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    give_cause();
    exit(0);
  }
  w_ended_well();
  CHECK(strstr(w_said, "OWFAT_IO_BACKEND names no backend") != NULL);
}

/* A daemon has closed its own, and serves a client under the number. */
/* promise: Standard error */
TEST(standard_error_replaced_by_a_client_gets_nothing) {
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    int64 d[2];
    char c;
    t_tcp_pair(d);
    CHECK_INT(dup2((int)d[0], 2), 2);
    give_cause();
    CHECK_INT(recv((int)d[1], &c, 1, MSG_DONTWAIT), -1);
    CHECK_ERRNO(EAGAIN);
    exit(0);
  }
  check_silence();
}

TEST(standard_error_replaced_by_a_file_of_the_program_leaves_that_as_it_is) {
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    close(2);
    put_a_file_there();
  }
  check_silence();
}

/* Nobody reads it: to write would kill the program, and the default of SIGPIPE is not touched before. */
TEST(standard_error_without_a_reader_kills_nobody) {
  if (session_after(lose_the_reader, __func__)) {
    signal(SIGPIPE, SIG_DFL);
    give_cause();
    exit(0);
  }
  check_silence();
}

/* A write to a full pipe without a reader would block for ever. */
/* promise: Standard error */
TEST(standard_error_that_is_full_holds_nobody_up) {
  if (session_after(fill_up, __func__)) {
    give_cause();
    exit(0);
  }
  check_silence();
}

/* What comes under the number later is the program's, whatever it is. */
TEST(standard_error_that_was_closed_at_the_start_gets_nothing_later) {
  if (session_after(close_it, __func__)) put_a_file_there();
  check_silence();
}
