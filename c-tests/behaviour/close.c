/* io_close, cookies, reuse of numbers, io_finishandshutdown. */
#include "fork.h"

static const int64 strange[] = {-1, INT64_MIN, 1LL << 31, 1LL << 32, INT64_MAX, 900};

static int is_open(int64 d) { return fcntl((int)d, F_GETFD) != -1; }

/* A pipe whose read end gets the number that was just freed. */
static void reuse(int64 number, int64 d[2]) {
  t_pipe(d);
  CHECK_INT(d[0], number);
  CHECK_INT(fcntl((int)d[0], F_SETFL, O_NONBLOCK), 0);
}

/* promise: Cookies */
TEST(a_cookie_belongs_to_the_registration) {
  int64 d[2];
  t_pipe(d);
  io_setcookie(d[0], d);
  CHECK(io_getcookie(d[0]) == NULL);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK(io_getcookie(d[0]) == NULL);
  io_setcookie(d[0], d);
  CHECK(io_getcookie(d[0]) == d);
  io_setcookie(d[0], (void *)1); /* any bit pattern */
  CHECK(io_getcookie(d[0]) == (void *)1);
  io_setcookie(d[0], NULL);
  CHECK(io_getcookie(d[0]) == NULL);
}

/* promise: Impossible numbers */
TEST(io_close_refuses_impossible_numbers) {
  unsigned i;
  l_idle();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) {
    io_setcookie(strange[i], &i);
    CHECK(io_getcookie(strange[i]) == NULL);
    errno = 0;
    io_close(strange[i]);
    CHECK_ERRNO(EBADF);
  }
  CHECK(is_open(0)); /* 2^32 did not reach descriptor 0 */
}

/* promise: Closing a descriptor */
TEST(io_close_closes_a_number_that_was_never_registered) {
  int64 d[2], dir;
  t_pipe(d);
  io_close(d[0]);
  CHECK(!is_open(d[0]));
  errno = 0;
  io_close(d[0]); /* twice */
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_readfile(&dir, "."), 1);
  CHECK_INT(fchdir((int)dir), 0);
  io_close(dir);
  CHECK(!is_open(dir));
}

/* promise: Closing a descriptor */
TEST(after_io_close_nothing_is_left_of_a_number) {
  int64 d[2], other = l_idle();
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  l_put(d[1], "x");
  io_check();
  io_close(d[0]);
  CHECK(!is_open(d[0]));
  CHECK(io_getcookie(d[0]) == NULL);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_timedout(d[0]), 0);
  CHECK_INT(io_timeouted(), -1);
  l_check_asleep();
  CHECK(is_open(other));
}

/* promise: A reused number is a new descriptor */
TEST(a_reused_number_hears_nothing_of_the_old_descriptor) {
  int64 d[2], fresh[2], other[2];
  int wanted;
  l_idle();
  io_check();
  for (wanted = 0; wanted < 2; wanted++) {
    l_pipe(d, 1);
    l_pipe(other, 1);
    io_setcookie(d[0], d);
    l_put(d[1], "x");
    l_put(other[1], "x");
    io_check();
    io_close(d[0]); /* as a buddy does, while its event is pending */
    CHECK(!is_open(d[0]));
    reuse(d[0], fresh);
    CHECK_INT(io_fd(fresh[0]), 1);
    CHECK(io_getcookie(fresh[0]) == NULL);
    if (wanted) io_wantread(fresh[0]);
    CHECK_INT(io_canread(), other[0]);
    CHECK_INT(io_canread(), -1);
    io_close(other[0]);
    l_check_asleep();
    io_wantread(fresh[0]);
    l_put(fresh[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), fresh[0]);
    io_close(fresh[0]);
  }
}

/* Three pending events; the descriptor at one position of the queue is closed and its number reused. */
static void close_one_of_three(int which) {
  int64 d[3][2], fresh[2], next;
  int i, events = 0;
  for (i = 0; i < 3; i++) {
    l_pipe(d[i], 1);
    l_put(d[i][1], "x");
  }
  io_check();
  io_close(d[which][0]);
  CHECK(!is_open(d[which][0]));
  reuse(d[which][0], fresh);
  CHECK_INT(io_fd(fresh[0]), 1);
  io_wantread(fresh[0]);
  while ((next = io_canread()) != -1) {
    CHECK(next != fresh[0]);
    events++;
  }
  CHECK_INT(events, 2);
  for (i = 0; i < 3; i++) {
    io_close(d[i][0]);
    io_close(d[i][1]);
  }
}

/* promise: Closing a descriptor */
TEST(a_descriptor_with_a_pending_event_is_closed_wherever_it_is_queued) {
  int which;
  for (which = 0; which < 3; which++) close_one_of_three(which);
}

/* promise: Closing a descriptor */
TEST(io_close_while_an_event_is_handled_frees_the_descriptor) {
  int64 d[2];
  char buf[4];
  int i, before;
  l_idle();
  io_check();
  before = f_open_descriptors();
  for (i = 0; i < 20; i++) {
    l_pipe(d, 1);
    l_put(d[1], "four");
    CHECK_INT(l_next_read(L_PATIENCE), d[0]);
    CHECK_INT(io_tryread(d[0], buf, 4), 4);
    io_close(d[0]);
    CHECK(!is_open(d[0]));
    io_close(d[1]);
  }
  CHECK_INT(f_open_descriptors(), before);
}

/* promise: Closing a descriptor */
TEST(io_close_while_the_hint_is_pending_frees_the_descriptor) {
  int64 d[2];
  int i, before;
  l_idle();
  io_check();
  before = f_open_descriptors();
  for (i = 0; i < 20; i++) {
    t_unix_pair(d);
    CHECK_INT(io_fd_canwrite(d[0]), 1);
    io_wantwrite(d[0]);
    io_close(d[0]);
    CHECK(!is_open(d[0]));
    CHECK_INT(io_canwrite(), -1);
    close((int)d[1]);
  }
  CHECK_INT(f_open_descriptors(), before);
}

/* promise: Registering again */
TEST(a_number_closed_by_plain_close_and_reused_starts_clean) {
  int64 d[2], fresh[2];
  l_idle();
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  io_waituntil2(1); /* the kernel knows the old one */
  close((int)d[0]);
  reuse(d[0], fresh);
  CHECK_INT(io_fd(fresh[0]), 1);
  CHECK(io_getcookie(fresh[0]) == NULL);
  CHECK_INT(io_timedout(fresh[0]), 0);
  l_put(fresh[1], "x");
  io_check();
  CHECK_INT(io_canread(), -1); /* nothing is wanted yet */
  io_wantread(fresh[0]);
  CHECK_INT(l_next_read(L_PATIENCE), fresh[0]);
}

/* promise: Registering again */
TEST(the_mode_of_a_reused_number_is_read_again) {
  int64 d[2], fresh[2];
  char c;
  l_pipe(d, 1); /* non-blocking */
  io_waituntil2(1);
  close((int)d[0]);
  t_pipe(fresh); /* blocking */
  CHECK_INT(fresh[0], d[0]);
  CHECK_INT(io_fd(fresh[0]), 1);
  alarm(2); /* kills a library that blocks */
  CHECK_INT(io_tryread(fresh[0], &c, 1), -1);
}

TEST(a_duplicate_keeps_no_events_of_a_closed_descriptor_alive) {
  int64 d[2], fresh[2];
  int copy;
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(1);
  copy = dup((int)d[0]);
  CHECK(copy != -1);
  close((int)d[0]);
  reuse(d[0], fresh);
  CHECK_INT(io_fd(fresh[0]), 1);
  io_wantread(fresh[0]);
  l_put(d[1], "x"); /* readable through the copy, which nobody registered */
  l_check_asleep();
  l_put(fresh[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), fresh[0]);
}

/* promise: Closing a descriptor */
TEST(events_end_with_io_close_although_a_duplicate_lives) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(1);
  CHECK(dup((int)d[0]) != -1);
  io_close(d[0]);
  l_put(d[1], "x");
  l_check_asleep();
}

/* promise: No spinning */
TEST(a_wanted_number_closed_by_plain_close_does_not_spin) {
  int64 d[2];
  l_idle();
  l_pipe(d, 1);
  io_waituntil2(1);
  close((int)d[0]);
  l_check_asleep();
}

/* promise: Closing behind the library */
TEST(plain_close_of_a_registered_number_does_no_harm) {
  int64 d[2], other[2];
  l_pipe(d, 1);
  l_pipe(other, 1);
  io_waituntil2(1);
  close((int)d[0]);
  io_wantread(d[0]);
  io_dontwantread(d[0]);
  l_put(other[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), other[0]);
  io_close(d[0]);
  CHECK_INT(l_next_read(L_PATIENCE), other[0]);
}

/* promise: Shutting the loop down */
TEST(after_io_finishandshutdown_the_loop_starts_anew) {
  int64 d[2], e[2];
  l_pipe(d, 1);
  io_setcookie(d[0], d);
  io_timeout(d[0], l_in_ms(-1000));
  l_put(d[1], "x");
  io_check();
  io_finishandshutdown();
  CHECK(is_open(d[0]));
  CHECK(io_getcookie(d[0]) == NULL);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_timeouted(), -1);
  CHECK_INT(io_waituntil2(1000), 0);
  l_pipe(e, 1); /* a full restart */
  l_put(e[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), e[0]);
  CHECK_INT(io_canread(), -1);
  l_read_event(d[0]);
  io_close(e[0]);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
}

static int at_end(int64 peer) {
  char c;
  return recv((int)peer, &c, 1, MSG_DONTWAIT) == 0;
}

/* A backend that has the kernel hold on to the open file must let go of it first. */
/* promise: Closing a descriptor */
TEST(the_peer_sees_the_end_when_io_close_returns) {
  int64 d[2], next;
  char c;
  int wanted, had_event;
  for (wanted = 0; wanted < 4; wanted++)
    for (had_event = 0; had_event < 2; had_event++) {
      t_unix_pair(d);
      io_nonblock(d[0]);
      CHECK_INT(io_fd(d[0]), 1);
      if (wanted & 1) io_wantread(d[0]);
      if (wanted & 2) io_wantwrite(d[0]);
      io_waituntil2(1);
      if (had_event) l_put(d[1], "x");
      io_waituntil2(1);
      while ((next = io_canread()) != -1 || (next = io_canwrite()) != -1) CHECK_INT(next, d[0]);
      if (wanted & 2) io_dontwantwrite(d[0]);
      io_waituntil2(1);
      if (had_event) CHECK_INT(io_tryread(d[0], &c, 1), 1);
      io_close(d[0]);
      CHECK(at_end(d[1]));
      close((int)d[1]);
    }
}

/* Until then, a backend whose requests follow the open file cannot know. */
TEST(io_fd_lets_go_of_a_file_that_was_closed_by_plain_close) {
  int64 d[2], fresh[2];
  t_unix_pair(d);
  l_read_event(d[0]);
  io_waituntil2(1);
  close((int)d[0]);
  reuse(d[0], fresh);
  CHECK_INT(io_fd(fresh[0]), 1);
  CHECK(at_end(d[1]));
}

/* A child that never waits keeps what it inherited of the parent's backend. */
TEST(io_finishandshutdown_lets_go_of_files_while_a_child_lives) {
  int64 d[2], e[2];
  int status;
  char c;
  pid_t child;
  t_unix_pair(d);
  t_pipe(e);
  l_read_event(d[0]);
  io_waituntil2(1);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    close((int)d[0]);
    close((int)e[1]);
    _exit(read((int)e[0], &c, 1) != 0);
  }
  close((int)e[0]);
  io_finishandshutdown();
  close((int)d[0]);
  l_until(d[1], POLLIN); /* the child has closed its copy */
  CHECK(at_end(d[1]));
  close((int)e[1]);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

/* promise: Shutting the loop down */
TEST(io_finishandshutdown_closes_what_the_library_opened) {
  int64 d[2];
  int i, before;
  t_pipe(d);
  before = f_open_descriptors();
  for (i = 0; i < 3; i++) {
    l_read_event(d[0]);
    io_waituntil2(1);
    io_finishandshutdown();
    CHECK_INT(f_open_descriptors(), before);
  }
}

/* promise: Shutting the loop down */
TEST(io_finishandshutdown_may_come_first_twice_and_before_io_close) {
  int64 d[2];
  io_finishandshutdown();
  io_finishandshutdown();
  l_pipe(d, 1);
  io_finishandshutdown();
  CHECK(io_getcookie(d[0]) == NULL);
  io_close(d[0]);
  CHECK(!is_open(d[0]));
  io_finishandshutdown();
}
