/* Registered numbers that the program closed with close(2) become those of the library's own descriptors. */
#include "fork.h"
#include "thread.h"

enum { PAIRS = 8 };

static int64 d[PAIRS][2];

/* The lowest numbers: those that come next are among them. */
static void register_pairs(void) {
  int i, j;
  for (i = 0; i < PAIRS; i++) t_unix_pair(d[i]);
  for (i = 0; i < PAIRS; i++) {
    for (j = 0; j < 2; j++) {
      io_nonblock(d[i][j]);
      l_read_event(d[i][j]);
      io_setcookie(d[i][j], d);
      io_timeout(d[i][j], l_in_ms(100000));
    }
  }
  CHECK_INT(io_waituntil2(1), 0);
}

/* Also the library's, which then opens others. */
static void close_all(void) {
  int i;
  for (i = 3; i < 200; i++) close(i);
}

static void loop_serves(void) {
  int64 pair[2];
  char byte;
  int i;
  t_unix_pair(pair);
  io_nonblock(pair[0]);
  l_read_event(pair[0]);
  for (i = 0; i < 3; i++) {
    l_put(pair[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), pair[0]);
    CHECK_INT(io_tryread(pair[0], &byte, 1), 1);
    CHECK_INT(io_canwrite(), -1);
  }
  io_close(pair[0]);
  io_close(pair[1]);
}

static void sleepers_hear(void) {
  int64 idle = l_idle();
  int i;
  for (i = 0; i < 3; i++) {
    struct th_sleeper s;
    th_put_to_sleep(&s, TH_LIMIT);
    CHECK_INT(io_queueforread(idle), 1);
    th_check_returns_at_once(&s);
    CHECK_INT(io_canread(), idle);
    CHECK_INT(io_canread(), -1);
  }
}

static void close_all_and(void (*go_on)(void)) {
  close_all();
  go_on();
  l_check_asleep();
  io_finishandshutdown();
  CHECK_INT(f_of_the_loop(), 0);
}

static void close_all_and_serve(void) { close_all_and(loop_serves); }
static void close_all_and_sleep(void) { close_all_and(sleepers_hear); }

TEST(a_program_that_closed_all_it_had_registered_hears_of_nothing_but_what_is_new) {
  register_pairs();
  close_all_and_serve();
}

TEST(threads_are_woken_after_the_program_closed_all_it_had_registered) {
  register_pairs();
  close_all_and_sleep();
}

TEST(a_child_that_closed_all_it_had_registered_hears_of_nothing_but_what_is_new) {
  register_pairs();
  f_run(close_all_and_serve);
}

TEST(threads_of_a_child_are_woken_after_it_closed_all_it_had_registered) {
  register_pairs();
  f_run(close_all_and_sleep);
}

/* The number is nobody's that the program has registered: it has no cookie and no deadline either. */
TEST(what_was_registered_under_a_number_of_the_librarys_own_is_registered_no_more) {
  int i, own = 0;
  register_pairs();
  close_all();
  loop_serves();
  for (i = 0; i < 2 * PAIRS; i++) {
    int64 number = d[i / 2][i % 2];
    char text[256];
    struct stat now;
    if (fstat((int)number, &now) != 0) continue;
    own++;
    CHECK_INT(io_debugstring(number, text, sizeof text), 0);
    CHECK(io_getcookie(number) == NULL);
  }
  CHECK(own > 0);
}

static void first_call_in_a_child(void (*call)(int64), int all) {
  if (all) close_all();
  errno = EXDEV;
  call(d[0][0]);
  CHECK_ERRNO(EXDEV);
}

static void want_after_closing(void) { first_call_in_a_child(io_wantread, 1); }
static void want_nothing_after_closing(void) { first_call_in_a_child(io_dontwantread, 1); }
static void want(void) { first_call_in_a_child(io_wantwrite, 0); }

/* What the library does in a child for the first time may fail, and is no matter of the program's. */
TEST(the_first_call_in_a_child_leaves_errno_alone) {
  register_pairs();
  f_run(want_after_closing);
  f_run(want_nothing_after_closing);
  f_run(want);
}
