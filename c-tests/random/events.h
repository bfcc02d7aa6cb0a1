/* Waiting, and the events that are told: who is named for which direction, held against what the kernel says. */
#ifndef RANDOM_EVENTS_H
#define RANDOM_EVENTS_H
#include "calls.h"

/* What a report can be at fault with. */
struct told {
  int named[2][ENDS], untrue[2][ENDS], twice[2][ENDS], unwanted[2][ENDS], stale[2][ENDS], others, endless;
};

R_HELPER void say_set(const char *what, const int set[2][ENDS]) {
  int direction, i;
  for (direction = 0; direction < 2; direction++) {
    for (i = 0; i < ENDS; i++) {
      if (set[direction][i]) add(" %s%c%d", what, "rw"[direction], i);
    }
  }
}

R_HELPER int due[2][ENDS]; /* wanted and ready when the last wait ended */

R_HELPER int ready_for_somebody(void) {
  int i;
  for (i = 0; i < ENDS; i++) {
    if (known(i) && ((ends[i].want[0] && truly_ready(i, 0)) || (ends[i].want[1] && truly_ready(i, 1)))) return 1;
  }
  return 0;
}

R_HELPER void on_break(int number) { (void)number; }

/* The limit of a wait: none, by io_wait (0) or by io_waituntil2 (1), or one far away (2). So a signal ends it if nothing
 * else does. */
R_HELPER void wait_with_a_break(int limit) {
  struct sigaction action;
  struct sigevent event;
  struct itimerspec when = {{0, 50000000}, {0, 150000000}}, never = {{0, 0}, {0, 0}};
  timer_t timer;
  memset(&action, 0, sizeof action);
  memset(&event, 0, sizeof event);
  action.sa_handler = on_break;
  sigaction(SIGUSR1, &action, NULL);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) _exit(3);
  timer_settime(timer, 0, &when, NULL);
  switch (limit) {
    case 0: io_wait(); break;
    case 1: io_waituntil2(-1); break;
    default: io_waituntil2(INT64_MAX);
  }
  timer_settime(timer, 0, &never, NULL);
  timer_delete(timer);
}

/* A wait of a kind: io_check, io_waituntil2 of 0 and of 100 ms, io_waituntil, io_wait, io_waituntil of the past,
 * io_waituntil2 without limit and with one far away. The long ones only where something is ready, and then they must not
 * sleep. */
R_HELPER void wait_as(int kind) {
  int64 start = now_ms();
  int i, direction, ready = ready_for_somebody();
  tai6464 t;
  if (kind >= 2 && kind != 5 && !ready) kind = 0;
  switch (kind) {
    case 0: io_check(); break;
    case 1: io_waituntil2(0); break;
    case 2: io_waituntil2(100); break;
    case 3:
      ms_from_now(&t, 100);
      io_waituntil(t);
      break;
    case 5:
      ms_from_now(&t, -1);
      io_waituntil(t);
      break;
    default: wait_with_a_break(kind < 6 ? 0 : kind - 5);
  }
  if (now_ms() - start > 80) add(" SLEPT");
  for (i = 0; i < ENDS; i++) {
    for (direction = 0; direction < 2; direction++) {
      due[direction][i] = known(i) && ends[i].want[direction] && truly_ready(i, direction);
    }
    memset(ends[i].popped, 0, sizeof ends[i].popped);
    memset(ends[i].withdrawn, 0, sizeof ends[i].withdrawn);
  }
}

/* One event, noted; -1 if there is none. */
R_HELPER int pop(struct told *told, int direction) {
  int64 next = direction ? io_canwrite() : io_canread();
  int i;
  if (next == -1) return -1;
  i = find(next);
  if (i < 0) {
    told->others++;
    return ENDS;
  }
  if (is_leftover(i)) return ENDS;
  /* Whether more has come by TCP of much that is under way is a matter of time. */
  told->named[direction][i] = direction || ends[i].kind != TCP || !ends[i].vague;
  if (!truly_ready(i, direction) && !(direction && ends[i].hint)) told->untrue[direction][i] = 1;
  if (ends[i].popped[direction]) told->twice[direction][i] = 1;
  if (!ends[i].want[direction]) told->unwanted[direction][i] = 1;
  if (ends[i].withdrawn[direction]) told->stale[direction][i] = 1;
  ends[i].popped[direction] = 1;
  if (direction) ends[i].hint = 0;
  return i;
}

R_HELPER void add_faults(const struct told *told) {
  say_set("untrue-", told->untrue);
  say_set("twice-", told->twice);
  say_set("unwanted-", told->unwanted);
  say_set("stale-", told->stale);
  if (told->others) add(" OTHERS");
  if (told->endless) add(" ENDLESS");
}

/* Who should have been named since the wait and was not, and still should. */
R_HELPER void add_lost(void) {
  int lost[2][ENDS], i, direction;
  memset(lost, 0, sizeof lost);
  for (i = 0; i < ENDS; i++) {
    for (direction = 0; direction < 2; direction++) {
      lost[direction][i] = due[direction][i] && ends[i].want[direction] && !ends[i].popped[direction] &&
                           truly_ready(i, direction);
    }
  }
  say_set("lost-", lost);
}

/* With n, each one that is named is served with n bytes, or all that there is. What is written to an end that is shut
 * may reset it, and whether it is served before that or afterwards is open. */
R_HELPER void serve(int i, int direction, int n) {
  int64 r;
  int vague, e;
  if (i >= ENDS || n == 0 || ends[i].kind == LISTENER) return;
  if (direction == 0) {
    vague = ends[i].vague;
    r = io_tryread(ends[i].fd, scratch, vague ? (int64)sizeof scratch : n);
    e = errno;
    got(i, scratch, r);
    if (r < n) withdraw(i, 0);
    if (vague && r > 0) read_the_rest(i);
  } else if (under_way(i) + n > plain(i) || vague_to_write(i) || (ends[i].mate >= 0 && ends[ends[i].mate].shut)) {
    io_dontwantwrite(ends[i].fd);
    ends[i].want[1] = 0;
    return;
  } else {
    vague = 0;
    bytes_for(i, scratch, n);
    r = io_trywrite(ends[i].fd, scratch, n);
    e = errno;
    after_write(i, scratch, r, n);
  }
  add(" %c%d=", "rw"[direction], i);
  if (vague && r > 0) {
    add("some");
  } else {
    add("%lld%s%s", (long long)r, r < 0 ? "/" : "", r < 0 ? strerrorname_np(e) : "");
  }
}

R_HELPER void drain(struct told *told, int n) {
  int direction, i, count;
  for (direction = 0; direction < 2; direction++) {
    for (count = 0; (i = pop(told, direction)) != -1; count++) {
      if (count > 4 * ENDS) {
        told->endless = 1;
        break;
      }
      serve(i, direction, n);
    }
  }
}

R_HELPER void wait_only(int kind) {
  call("wait_only", -1, -1);
  wait_as(kind);
  say_line();
}

/* A whole turn of a loop that serves nobody. */
R_HELPER void events(int kind) {
  struct told told;
  memset(&told, 0, sizeof told);
  call("events", -1, -1);
  wait_as(kind);
  drain(&told, 0);
  say_set("", told.named);
  add_lost();
  add_faults(&told);
  say_line();
}

/* Without a wait before it, who is named is open; that nobody is who must not be is not. */
R_HELPER void leftovers(void) {
  struct told told;
  memset(&told, 0, sizeof told);
  call("leftovers", -1, -1);
  drain(&told, 0);
  memset(told.untrue, 0, sizeof told.untrue); /* it was true at the wait */
  add_faults(&told);
  say_line();
}

/* Which ones are taken is open; a hint would not come again. */
R_HELPER void pop_some(int direction, int n) {
  struct told told;
  int i;
  memset(&told, 0, sizeof told);
  call("pop_some", -1, -1);
  for (i = 0; i < ENDS; i++) {
    if (direction && known(i) && ends[i].hint && ends[i].want[1] && !truly_ready(i, 1)) n = 0;
  }
  while (n-- > 0 && pop(&told, direction) != -1) {
  }
  /* The rest is taken too: how many events a wait brings follows from how many were taken of the last one. */
  drain(&told, 0);
  memset(told.untrue, 0, sizeof told.untrue);
  add_faults(&told);
  say_line();
}

/* A whole turn of a loop that serves. The order in which ends are served is open, so the pieces are sorted. */
R_HELPER void turn(int kind, int n) {
  struct told told;
  static char pieces[2 * ENDS][64];
  int direction, i, j, start, count;
  memset(&told, 0, sizeof told);
  memset(pieces, 0, sizeof pieces);
  call("turn", -1, -1);
  wait_as(kind);
  for (direction = 0; direction < 2; direction++) {
    for (count = 0; (i = pop(&told, direction)) != -1 && count <= 4 * ENDS; count++) {
      start = line_length;
      serve(i, direction, n);
      j = i < ENDS ? direction * ENDS + i : 0;
      if (line_length > start) snprintf(pieces[j], sizeof pieces[j], "%.*s", line_length - start, line + start);
      line_length = start;
    }
    if (i != -1) told.endless = 1;
  }
  for (j = 0; j < 2 * ENDS; j++) add("%s", pieces[j]);
  say_set("", told.named);
  add_lost();
  add_faults(&told);
  say_line();
}

/* Nobody is ready: the process must sleep. */
R_HELPER void idle(void) {
  int64 start = now_ms();
  int i, wanted = 0, wakes = 0;
  struct told told;
  call("idle", -1, -1);
  memset(&told, 0, sizeof told);
  for (i = 0; i < ENDS; i++) wanted |= ends[i].want[0] | ends[i].want[1];
  for (i = 0; i < ENDS; i++) wanted &= !(known(i) && is_leftover(i));
  for (i = 0; i < ENDS; i++) wanted &= !(ends[i].hint && ends[i].want[1]); /* its event is there already */
  if (wanted && !has_stale && !ready_for_somebody()) {
    while (now_ms() - start < 15 && wakes < 2000) {
      io_waituntil2(15);
      drain(&told, 0);
      wakes++;
    }
    if (wakes > 200) add(" SPINS");
  }
  say_line();
}
#endif
