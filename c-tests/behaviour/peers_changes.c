/* What handlers do to registrations while reports are out: stop, close, copy and reuse numbers, start anew. After the
 * scenarios of other event loops, see docs/peers.md. */
#include "peers.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { CROWD = 10 };

/* CROWD readable pairs of a kind. */
static void crowd(enum kind kind, int64 d[CROWD][2]) {
  int i;
  for (i = 0; i < CROWD; i++) {
    p_pair(kind, d[i]);
    io_wantread(d[i][0]);
    l_put(d[i][1], "x");
    l_until(d[i][0], POLLIN);
  }
}

enum act { STOP, CLOSE, PLAIN_CLOSE, EAGAIN_READ, REPLACE, SHUT, DRAIN, ACTS };

static void act_on(enum act act, int64 d[2]) {
  int64 fresh[2];
  char c;
  switch (act) {
  case STOP: io_dontwantread(d[0]); break;
  case CLOSE: io_close(d[0]); break;
  case PLAIN_CLOSE: CHECK_INT(close((int)d[0]), 0); break;
  case EAGAIN_READ: io_eagain_read(d[0]); break;
  case SHUT: CHECK_INT(shutdown((int)d[0], SHUT_RDWR), 0); break;
  case DRAIN: CHECK_INT(io_tryread(d[0], &c, 1), 1); CHECK_INT(io_tryread(d[0], &c, 1), -1); break;
  case REPLACE:
    /* The number goes to another descriptor, which has nothing to say. */
    t_unix_pair(fresh);
    io_close(d[0]);
    CHECK_INT(dup2((int)fresh[0], (int)d[0]), d[0]);
    CHECK_INT(close((int)fresh[0]), 0);
    io_nonblock(d[0]);
    CHECK_INT(io_fd(d[0]), 1);
    io_wantread(d[0]);
    break;
  default: break;
  }
}

/* The first handler of a turn changes all others that have a report. None of those may be reported. */
static void first_handler(enum act act, int others_stay_silent) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[CROWD][2], first, next;
    int i, heard = 0;
    if (!p_has(kind) || (act == SHUT && kind > PACKETS)) continue;
    p_say(kind, "the first handler of a turn");
    crowd(kind, d);
    CHECK((first = l_next_read(L_PATIENCE)) != -1);
    for (i = 0; i < CROWD; i++) {
      if (d[i][0] != first) act_on(act, d[i]);
    }
    while ((next = io_canread()) != -1) {
      CHECK(next != first);
      heard++;
    }
    if (others_stay_silent) CHECK_INT(heard, 0);
    for (i = 0; i < CROWD; i++) {
      if (act != PLAIN_CLOSE || d[i][0] == first) io_close(d[i][0]);
      close((int)d[i][1]);
    }
    io_check();
    CHECK_INT(io_canread(), -1);
  }
}

TEST(the_first_handler_stops_all_others_of_its_turn) { first_handler(STOP, 1); }
TEST(the_first_handler_closes_all_others_of_its_turn) { first_handler(CLOSE, 1); }
TEST(the_first_handler_closes_all_others_behind_the_librarys_back) { first_handler(PLAIN_CLOSE, 0); }
TEST(the_first_handler_says_that_no_other_is_ready) { first_handler(EAGAIN_READ, 1); }
/* promise: A reused number is a new descriptor */
TEST(the_first_handler_gives_all_other_numbers_away) { first_handler(REPLACE, 1); }
TEST(the_first_handler_shuts_all_others_down) { first_handler(SHUT, 0); }
TEST(the_first_handler_reads_what_all_others_have) { first_handler(DRAIN, 1); }

/* A handler does something to its own descriptor, and the loop hears nothing false of it. */
static void own_handler(enum act act, int again) {
  int kind;
  l_idle();
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2];
    if (!p_has(kind) || (act == SHUT && kind > PACKETS)) continue;
    p_say(kind, "a handler and its own descriptor");
    p_pair(kind, d);
    io_wantread(d[0]);
    l_put(d[1], "x");
    l_expect_read_only(d[0]);
    act_on(act, d);
    CHECK_INT(io_canread(), -1);
    if (again) l_expect_read_only(d[0]);
    else l_check_asleep();
    if (act != PLAIN_CLOSE) io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(a_handler_stops_itself) { own_handler(STOP, 0); }
TEST(a_handler_closes_itself) { own_handler(CLOSE, 0); }
TEST(a_handler_closes_itself_behind_the_librarys_back) { own_handler(PLAIN_CLOSE, 0); }
TEST(a_handler_gives_its_number_away) { own_handler(REPLACE, 0); }
TEST(a_handler_that_says_it_is_not_ready_is_asked_again) { own_handler(EAGAIN_READ, 1); }
TEST(a_handler_that_shuts_itself_down_hears_the_end) { own_handler(SHUT, 1); }
TEST(a_handler_that_reads_everything_sleeps) { own_handler(DRAIN, 0); }

/* Interest changes its direction while both are ready. Only the direction wanted at the time is reported. */
TEST(interest_goes_round_through_every_combination) {
  int kind, step;
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2];
    unsigned seed = 7;
    int r = 0, w = 0;
    if (!p_has(kind)) continue;
    p_say(kind, "changing interest");
    p_pair(kind, d);
    l_put(d[1], "x");
    l_until(d[0], POLLIN);
    for (step = 0; step < 200; step++) {
      switch (rand_r(&seed) % 4) {
      case 0: io_wantread(d[0]), r = 1; break;
      case 1: io_dontwantread(d[0]), r = 0; break;
      case 2: io_wantwrite(d[0]), w = 1; break;
      default: io_dontwantwrite(d[0]), w = 0;
      }
      io_check();
      CHECK_INT(io_canread(), r ? d[0] : -1);
      CHECK_INT(io_canwrite(), w ? d[0] : -1);
      CHECK_INT(io_canread(), -1);
      CHECK_INT(io_canwrite(), -1);
    }
    io_close(d[0]);
    close((int)d[1]);
  }
}

TEST(interest_stated_many_times_is_reported_once) {
  int kind, i;
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2];
    if (!p_has(kind)) continue;
    p_say(kind, "stated many times");
    p_pair(kind, d);
    l_put(d[1], "x");
    l_until(d[0], POLLIN);
    for (i = 0; i < 5; i++) {
      CHECK_INT(io_fd(d[0]), 1);
      io_wantread(d[0]);
      io_wantwrite(d[0]);
    }
    io_check();
    CHECK_INT(io_canread(), d[0]);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), d[0]);
    CHECK_INT(io_canwrite(), -1);
    io_close(d[0]);
    close((int)d[1]);
  }
}

/* Copies of one file under several numbers, of which some leave. */
static void copies(int close_first) {
  int kind;
  l_idle();
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[2], copy;
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, close_first ? "the first number closed" : "the copy closed");
    p_pair(kind, d);
    io_wantread(d[0]);
    CHECK((copy = dup((int)d[0])) >= 0);
    CHECK_INT(io_fd(copy), 1);
    io_wantread(copy);
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(close_first ? d[0] : copy);
    l_put(d[1], "x");
    l_expect_read_only(close_first ? copy : d[0]);
    CHECK_INT(io_tryread(close_first ? copy : d[0], &c, 1), 1);
    l_check_asleep();
    io_close(close_first ? copy : d[0]);
    close((int)d[1]);
  }
}

TEST(a_copy_goes_on_when_the_first_number_is_closed) { copies(1); }
TEST(the_first_number_goes_on_when_a_copy_is_closed) { copies(0); }

TEST(one_number_reads_and_its_copy_writes) {
  int kind;
  for (kind = 0; kind < ONE_WAY; kind++) {
    int64 d[2], copy;
    if (!p_has(kind)) continue;
    p_say(kind, "a number a direction");
    p_pair(kind, d);
    CHECK((copy = dup((int)d[0])) >= 0);
    CHECK_INT(io_fd(copy), 1);
    io_wantread(d[0]);
    io_wantwrite(copy);
    l_put(d[1], "x");
    l_until(d[0], POLLIN);
    io_check();
    CHECK_INT(io_canread(), d[0]);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), copy);
    CHECK_INT(io_canwrite(), -1);
    io_close(copy);
    io_check();
    CHECK_INT(io_canread(), d[0]);
    CHECK_INT(io_canwrite(), -1);
    io_close(d[0]);
    close((int)d[1]);
  }
}

/* A number that is used again and again, by kind after kind. */
/* promise: Replacing a descriptor */
TEST(one_number_serves_every_kind_in_turn) {
  int round;
  int64 number = -1;
  for (round = 0; round < 3 * KINDS; round++) {
    enum kind kind = (enum kind)(round % KINDS);
    int64 d[2];
    char c;
    if (!p_has(kind)) continue;
    p_say(kind, "a number used again");
    p_pair(kind, d);
    if (number == -1) number = 100;
    CHECK_INT(dup2((int)d[0], (int)number), number);
    io_close(d[0]);
    CHECK_INT(io_fd(number), 1);
    CHECK(io_getcookie(number) == NULL);
    io_setcookie(number, &c);
    io_wantread(number);
    io_check();
    CHECK_INT(io_canread(), -1);
    l_put(d[1], "x");
    l_expect_read_only(number);
    CHECK_INT(io_tryread(number, &c, 1), 1);
    if (round % 2) l_put(d[1], "y"); /* and leaves with something unread */
    io_close(number);
    close((int)d[1]);
    io_check();
    CHECK_INT(io_canread(), -1);
  }
}

/* A descriptor is registered, has no interest and is closed. It is never reported, and nothing remains. */
TEST(ten_thousand_registrations_that_were_never_waited_for_leave_nothing) {
  int i, before = dup(0);
  close(before);
  for (i = 0; i < 10000; i++) {
    int64 d = eventfd(1, EFD_NONBLOCK);
    if (d == -1) SKIP("this system has no eventfd");
    l_read_event(d);
    io_wantwrite(d);
    io_close(d);
  }
  i = dup(0);
  CHECK_INT(i, before);
  io_check();
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
}

TEST(another_epoll_set_is_a_descriptor_like_others) {
  int64 d[2], set;
  struct epoll_event event = {.events = EPOLLIN};
  char c;
  if ((set = epoll_create1(0)) == -1) SKIP("this system has no epoll");
  t_pipe(d);
  CHECK_INT(epoll_ctl((int)set, EPOLL_CTL_ADD, (int)d[0], &event), 0);
  l_read_event(set);
  io_check();
  CHECK_INT(io_canread(), -1);
  l_put(d[1], "x");
  l_expect_read_only(set);
  CHECK_INT(read((int)d[0], &c, 1), 1);
  l_check_asleep();
  io_close(set);
}

/* The loop is shut down in a handler, with reports out, and starts anew. */
TEST(a_handler_shuts_the_loop_down_and_starts_it_anew) {
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    int64 d[CROWD][2];
    int i;
    if (!p_has(kind)) continue;
    p_say(kind, "shut down in a handler");
    crowd(kind, d);
    CHECK(l_next_read(L_PATIENCE) != -1);
    io_finishandshutdown();
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_waituntil2(0), 0);
    CHECK_INT(io_canread(), -1);
    l_read_event(d[3][0]);
    l_expect_read_only(d[3][0]);
    for (i = 0; i < CROWD; i++) {
      io_close(d[i][0]);
      close((int)d[i][1]);
    }
  }
}

TEST(loops_that_start_and_end_leave_no_descriptor) {
  int i, before = -1, now;
  for (i = 0; i < 200; i++) {
    int64 d[2];
    l_pipe(d, 1);
    l_put(d[1], "x");
    l_expect_read_only(d[0]);
    io_close(d[0]);
    close((int)d[1]);
    io_finishandshutdown();
    CHECK((now = dup(0)) >= 0);
    close(now);
    if (before == -1) before = now;
    CHECK_INT(now, before);
  }
}

/* The cookie follows the registration through a turn in which numbers change hands. */
TEST(cookies_follow_numbers_that_change_hands_within_a_turn) {
  int64 d[CROWD][2], next;
  static char owner[CROWD], heir;
  int i;
  crowd(UNIX, d);
  for (i = 0; i < CROWD; i++) io_setcookie(d[i][0], &owner[i]);
  CHECK((next = l_next_read(L_PATIENCE)) != -1);
  for (i = 0; i < CROWD; i++) {
    if (d[i][0] == next) continue;
    act_on(REPLACE, d[i]);
    CHECK(io_getcookie(d[i][0]) == NULL);
    io_setcookie(d[i][0], &heir);
  }
  CHECK_INT(io_canread(), -1);
  io_check();
  CHECK_INT(io_canread(), next);
  CHECK_INT(io_canread(), -1);
  for (i = 0; i < CROWD; i++) CHECK(io_getcookie(d[i][0]) == (d[i][0] == next ? &owner[i] : &heir));
}

/* An empty loop, and one that becomes empty in a handler. */
TEST(a_loop_whose_last_interest_a_handler_takes_back_returns_at_once) {
  int64 d[2], begun;
  l_pipe(d, 1);
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
  io_close(d[0]);
  begun = t_now_ms();
  io_wait();
  CHECK_INT(io_waituntil2(-1), 0);
  CHECK(t_now_ms() - begun < L_PATIENCE);
}

TEST(work_that_is_always_ready_starves_no_other) {
  int64 busy[2], idle[2], next;
  int turns, heard = 0;
  p_pair(UNIX, busy);
  io_wantwrite(busy[0]); /* always */
  l_pipe(idle, 1);
  for (turns = 0; !heard; turns++) {
    CHECK(turns < 100);
    if (turns == 5) l_put(idle[1], "x");
    io_waituntil2(L_PATIENCE);
    CHECK_INT(io_canwrite(), busy[0]);
    while ((next = io_canread()) != -1) heard |= next == idle[0];
  }
}
