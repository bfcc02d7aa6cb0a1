/* Descriptor 2 is the program's: a line of the library goes there only if it was open when the library was loaded, is
 * the same file still, and is no socket. An unknown backend is what the library has to complain about here. */
#include "watched.h"

/* In the session: the library says its line, or would. */
static void give_cause(void) {
  l_idle();
  io_check();
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
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}

TEST(standard_error_replaced_by_a_file_of_the_program_leaves_that_as_it_is) {
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    struct stat file;
    close(2);
    CHECK_INT(t_tmpfile(0), 2);
    give_cause();
    CHECK_INT(fstat(2, &file), 0);
    CHECK_INT(file.st_size, 0);
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}

/* Nobody reads it: to write would kill the program, and the default of SIGPIPE is not touched before. */
TEST(standard_error_without_a_reader_kills_nobody) {
  if (!getenv("OWFAT_IO_SESSION")) CHECK_INT(setenv("LEAVES_STANDARD_ERROR", "1", 1), 0);
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    int64 d[2];
    if (getenv("LEAVES_STANDARD_ERROR")) {
      t_pipe(d);
      CHECK_INT(dup2((int)d[1], 2), 2);
      close((int)d[1]);
      close((int)d[0]);
      CHECK_INT(unsetenv("LEAVES_STANDARD_ERROR"), 0);
      t_start_anew(__func__);
    }
    signal(SIGPIPE, SIG_DFL);
    give_cause();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}

/* A pipe that nobody empties would hold the program up for ever. */
/* promise: Standard error */
TEST(standard_error_that_is_full_holds_nobody_up) {
  if (!getenv("OWFAT_IO_SESSION")) CHECK_INT(setenv("FILLS_STANDARD_ERROR", "1", 1), 0);
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    static int64 d[2];
    if (getenv("FILLS_STANDARD_ERROR")) {
      t_pipe(d);
      CHECK_INT(fcntl((int)d[1], F_SETFL, O_NONBLOCK), 0);
      while (write((int)d[1], "x", 1) == 1) {
      }
      CHECK_INT(fcntl((int)d[1], F_SETFL, 0), 0);
      CHECK_INT(dup2((int)d[1], 2), 2);
      CHECK_INT(unsetenv("FILLS_STANDARD_ERROR"), 0);
      t_start_anew(__func__);
    }
    give_cause();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}

/* What comes under the number later is the program's, whatever it is. */
TEST(standard_error_that_was_closed_at_the_start_gets_nothing_later) {
  if (!getenv("OWFAT_IO_SESSION")) CHECK_INT(setenv("CLOSES_STANDARD_ERROR", "1", 1), 0);
  if (W_SESSION("OWFAT_IO_BACKEND", "nonsense")) {
    struct stat file;
    if (getenv("CLOSES_STANDARD_ERROR")) {
      close(2);
      CHECK_INT(unsetenv("CLOSES_STANDARD_ERROR"), 0);
      t_start_anew(__func__);
    }
    CHECK_INT(t_tmpfile(0), 2);
    give_cause();
    CHECK_INT(fstat(2, &file), 0);
    CHECK_INT(file.st_size, 0);
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
}
