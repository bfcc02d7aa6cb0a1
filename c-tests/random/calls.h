/* The calls of io.h on one descriptor: registration, interest, cookies, deadlines, transfers, closing. */
#ifndef RANDOM_CALLS_H
#define RANDOM_CALLS_H
#include "others.h"

R_HELPER void registered(int a, int r, int hint) {
  add_result(r);
  if (known(a)) {
    if (r == 1) {
      ends[a].registered = 1;
      if (hint) {
        ends[a].hint = 1;
        ends[a].popped[1] = 0; /* the program's word: the event may come again */
      }
    }
  }
  say_line();
}

/* Whether an earlier hint outlives it is open: it may have been about what had the number before. */
R_HELPER int is_hinted(int a) {
  if (!known(a) || !ends[a].hint) return 0;
  add(" hinted");
  say_line();
  return 1;
}

R_HELPER void fd(int a) {
  call("fd", a, -1);
  if (!is_hinted(a)) registered(a, io_fd(fd_of(a)), 0);
}

R_HELPER void fd_canwrite(int a) {
  call("fd_canwrite", a, -1);
  registered(a, io_fd_canwrite(fd_of(a)), 1);
}

/* What the flags claim is made true at once, as programs do it. */
R_HELPER void fd_flags(int a, int flags) {
  int r;
  call("fd_flags", a, -1);
  if (!(flags & IO_FD_CANWRITE) && is_hinted(a)) return;
  if (!known(a)) flags &= ~(IO_FD_BLOCK | IO_FD_NONBLOCK); /* 0.32 takes all memory for number -1 */
  r = io_fd_flags(fd_of(a), flags);
  if (flags & IO_FD_NONBLOCK) io_nonblock(fd_of(a));
  if ((flags & (IO_FD_BLOCK | IO_FD_NONBLOCK)) == IO_FD_BLOCK) io_block(fd_of(a));
  if (known(a) && flags & (IO_FD_BLOCK | IO_FD_NONBLOCK)) ends[a].nonblocking = (flags & IO_FD_NONBLOCK) != 0;
  registered(a, r, flags & IO_FD_CANWRITE);
}

R_HELPER void nonblock(int a) {
  call("nonblock", a, -1);
  io_nonblock(fd_of(a));
  if (known(a)) ends[a].nonblocking = 1;
  add(" %o", (unsigned)fcntl(fd_of(a), F_GETFL) & O_NONBLOCK);
  say_line();
}

R_HELPER void block(int a) {
  call("block", a, -1);
  if (known(a) && (ends[a].mate < 0 || ends[ends[a].mate].shut || ends[a].kind == TERMINAL)) {
    add(" passed over");
    say_line();
    return;
  }
  io_block(fd_of(a));
  if (known(a)) ends[a].nonblocking = 0;
  add(" %o", (unsigned)fcntl(fd_of(a), F_GETFL) & O_NONBLOCK);
  say_line();
}

R_HELPER void closeonexec(int a) {
  call("closeonexec", a, -1);
  io_closeonexec(fd_of(a));
  add(" %d", fcntl(fd_of(a), F_GETFD));
  say_line();
}

R_HELPER void lib_pipe(int a, int b) {
  int64 d[2] = {-7, -7};
  int p[2], r;
  call("lib_pipe", a, b);
  if (crowded) {
    add_result(io_pipe(d));
    say_line();
    return;
  }
  if (!both_free(a, b)) return;
  r = io_pipe(d);
  p[0] = (int)d[0];
  p[1] = (int)d[1];
  made(a, PIPE_IN, b, PIPE_OUT, p, r == 1);
  ends[a].registered = ends[b].registered = 1;
  ends[b].hint = 1;
}

R_HELPER void lib_socketpair(int a, int b) {
  int64 d[2] = {-7, -7};
  int p[2], r;
  call("lib_socketpair", a, b);
  if (crowded) {
    add_result(io_socketpair(d));
    say_line();
    return;
  }
  if (!both_free(a, b)) return;
  r = io_socketpair(d);
  p[0] = (int)d[0];
  p[1] = (int)d[1];
  made(a, UNIX, b, UNIX, p, r == 1);
  ends[a].registered = ends[b].registered = 1;
  ends[a].hint = ends[b].hint = 1;
}

R_HELPER void setcookie(int a, int value) {
  call("setcookie", a, -1);
  io_setcookie(fd_of(a), (void *)(long)value);
  say_line();
}

R_HELPER void getcookie(int a) {
  call("getcookie", a, -1);
  add(" %ld", (long)io_getcookie(fd_of(a)));
  say_line();
}

/* errno must survive these: servers look at it only afterwards. */
R_HELPER void interest(const char *name, int a, void (*f)(int64), int direction, int wanted) {
  call(name, a, -1);
  errno = EXDEV;
  f(fd_of(a));
  if (errno != EXDEV) add(" errno");
  if (known(a) && ends[a].registered) {
    ends[a].want[direction] = wanted;
    if (!wanted) ends[a].withdrawn[direction] = 0;
  }
  say_line();
}

R_HELPER void wantread(int a) { interest("wantread", a, io_wantread, 0, 1); }
R_HELPER void wantwrite(int a) { interest("wantwrite", a, io_wantwrite, 1, 1); }
R_HELPER void dontwantread(int a) { interest("dontwantread", a, io_dontwantread, 0, 0); }
R_HELPER void dontwantwrite(int a) { interest("dontwantwrite", a, io_dontwantwrite, 1, 0); }

R_HELPER void withdraw(int a, int direction) {
  if (known(a) && ends[a].registered) ends[a].withdrawn[direction] = 1;
}

R_HELPER void eagain_read(int a) {
  call("eagain_read", a, -1);
  io_eagain_read(fd_of(a));
  withdraw(a, 0);
  say_line();
}

R_HELPER void eagain_write(int a) {
  call("eagain_write", a, -1);
  io_eagain_write(fd_of(a));
  withdraw(a, 1);
  if (known(a)) ends[a].hint = 0;
  say_line();
}

R_HELPER void eagain(int a) {
  call("eagain", a, -1);
  io_eagain(fd_of(a));
  if (known(a) && ends[a].want[0]) withdraw(a, 0);
  if (known(a) && ends[a].want[1]) withdraw(a, 1);
  say_line();
}

R_HELPER void ms_from_now(tai6464 *t, int ms) {
  tai6464 add_to_it;
  if (ms == 0) {
    taia_uint(t, 0);
    return;
  }
  taia_now(t);
  taia_uint(&add_to_it, 0);
  if (ms < 0) {
    taia_uint(&add_to_it, (unsigned)-ms);
    taia_sub(t, t, &add_to_it);
    return;
  }
  add_to_it.sec.x = (uint64)ms / 1000;
  add_to_it.nano = (uint32_t)(ms % 1000) * 1000000;
  taia_add(t, t, &add_to_it);
}

/* 0 for none; a negative number is so many seconds ago, a positive one so many ms ahead. */
R_HELPER void timeout(int a, int ms) {
  tai6464 t;
  call("timeout", a, -1);
  add_aside("ms", ms);
  ms_from_now(&t, ms);
  io_timeout(fd_of(a), t);
  say_line();
}

R_HELPER void timedout(int a) {
  call("timedout", a, -1);
  add(" %d", io_timedout(fd_of(a)));
  say_line();
}

/* Expired descriptors in one sweep, which must end. */
R_HELPER void sweep(void) {
  int times[ENDS] = {0}, others = 0, i, n;
  int64 next = 0;
  call("sweep", -1, -1);
  for (n = 0; n < 4 * ENDS && (next = io_timeouted()) != -1; n++) {
    i = find(next);
    if (i >= 0 && is_leftover(i)) continue;
    if (i >= 0) {
      times[i]++;
    } else {
      others++;
    }
  }
  for (i = 0; i < ENDS; i++) {
    if (times[i]) add(next == -1 && times[i] > 1 ? " %d twice" : " %d", i);
  }
  if (next != -1) add(" endless");
  if (others) add(" OTHERS");
  for (i = 0; i < ENDS; i++) {
    if (!known(i)) continue;
    if (ends[i].hint || truly_ready(i, 0) || truly_ready(i, 1)) add_aside("ready", i);
    if ((ends[i].want[0] && truly_ready(i, 0)) || (ends[i].want[1] && (ends[i].hint || truly_ready(i, 1)))) add_aside("due", i);
  }
  say_line();
}

/* Whether a call that sleeps would return: a notice in the error queue is no byte. */
R_HELPER int returns(int a, int writing) {
  if (ends[a].notices) return writing ? (poll_now(ends[a].fd, POLLOUT) & POLLOUT) != 0 : has_bytes(a);
  return truly_ready(a, writing);
}

R_HELPER int would_block(int a, int writing) {
  return known(a) && !ends[a].nonblocking && !returns(a, writing);
}

/* Where the amount is the kernel's affair, a read takes all. */
R_HELPER void read_the_rest(int i) {
  ssize_t r;
  while (comes(i) && (r = read(ends[i].fd, scratch, sizeof scratch)) > 0) got(i, scratch, r);
}

/* `f` is io_tryread or one of its like; a call that would sleep for ever is passed over. */
R_HELPER void reading(const char *name, int a, int n, int64 (*f)(int64, char *, int64), int sleeps) {
  int64 r;
  int vague = known(a) && ends[a].vague;
  call(name, a, -1);
  add_aside("size", n);
  if (known(a) && (sleeps || !ends[a].registered) && (sleeps ? !returns(a, 0) : would_block(a, 0))) {
    add(" would sleep");
  } else {
    if (vague) n = sizeof scratch;
    r = f(fd_of(a), scratch, n);
    if (vague && r > 0) {
      add(" some");
    } else {
      add_result(r);
    }
    if (n > 0) got(a, scratch, r);
    if (known(a) && r < n && n > 0 && !sleeps) withdraw(a, 0);
    if (vague && r > 0) read_the_rest(a);
  }
  say_line();
}

R_HELPER void tryread(int a, int n) { reading("tryread", a, n, io_tryread, 0); }
R_HELPER void tryreadtimeout(int a, int n) { reading("tryreadtimeout", a, n, io_tryreadtimeout, 0); }
R_HELPER void waitread(int a, int n) { reading("waitread", a, n, io_waitread, 1); }

R_HELPER void after_write(int a, const char *bytes, int64 r, int64 n) {
  took(a, bytes, r);
  if (known(a) && n > 0 && r < n) {
    withdraw(a, 1);
    ends[a].hint = 0;
  }
  settle(a);
  if (r > 0) settle_reset(a);
}

R_HELPER void writing(const char *name, int a, int n, int64 (*f)(int64, const char *, int64), int sleeps) {
  int64 r;
  call(name, a, -1);
  add_aside("size", n);
  if (is_source(a)) {
    add(" passed over");
  } else if (too_much(a, n) || (known(a) && under_way(a) + n > PLAIN && sleeps) ||
             (known(a) && (sleeps && (vague_to_write(a) || !returns(a, 1))))) {
    add(" would sleep");
  } else {
    bytes_for(a, scratch, n);
    plan_write(a, n);
    r = f(fd_of(a), scratch, n);
    add_written(a, r);
    after_write(a, scratch, r, sleeps ? 0 : n); /* what one that sleeps leaves of an event is open */
  }
  say_line();
}

R_HELPER void trywrite(int a, int n) { writing("trywrite", a, n, io_trywrite, 0); }
R_HELPER void trywritetimeout(int a, int n) { writing("trywritetimeout", a, n, io_trywritetimeout, 0); }
R_HELPER void waitwrite(int a, int n) { writing("waitwrite", a, n, io_waitwrite, 1); }

/* Writes until it takes no more, but for what is less than a page. */
R_HELPER void fill(int a) {
  int64 r;
  int n, tries = 0;
  call("fill", a, -1);
  if (known(a) && is_stream(a) && ends[a].kind != REGULAR && ends[a].kind != TERMINAL && ends[a].nonblocking &&
      mate_of(a) >= 0) {
    plan_write(a, PLAIN + 1);
    for (n = 65536; n >= 4096; n /= 2) {
      do {
        fresh_bytes(scratch, n);
        r = io_trywrite(ends[a].fd, scratch, n);
        took(a, scratch, r);
      } while (r > 0 && ++tries < 1000);
      if (r != -1) break;
    }
    add_result(r);
    withdraw(a, 1);
    ends[a].hint = 0;
  }
  say_line();
}

R_HELPER int from_file(int f, int64 offset, int64 n, char *to) {
  ssize_t r = pread(fd_of(f), to, (size_t)n, offset);
  return r < 0 ? 0 : (int)r;
}

/* Of two numbers that are both wrong, which one is told of is open; so is into how many datagrams much goes. */
R_HELPER void sendfile_to(int a, int f, int offset, int n) {
  int64 r;
  call("sendfile_to", a, f);
  add_aside("size", n);
  if (is_source(a) || too_much(a, n) ||
      (!known(a) && known(f) && ends[f].kind != REGULAR) || (known(a) && !is_stream(a) && n > PLAIN)) {
    add(" passed over");
  } else {
    plan_write(a, n);
    r = io_sendfile(fd_of(a), fd_of(f), (uint64)offset, (uint64)n);
    add_written(a, r);
    from_file(f, offset, r, scratch);
    after_write(a, scratch, r == 0 ? -1 : r, n);
  }
  say_line();
}

/* No socket that can hold itself: when the kernel finds that out is open. */
R_HELPER void passfd(int a, int b) {
  int r;
  call("passfd", a, b);
  if (known(a) && ends[a].kind == UNIX && under_way(a) < PLAIN && !(known(b) && ends[b].kind == UNIX)) {
    r = io_passfd(fd_of(a), fd_of(b));
    add_result(r);
    if (r == 0) took(a, "x", 1);
  }
  say_line();
}

/* What comes is closed again: that it is a descriptor is enough. */
R_HELPER void receivefd(int a) {
  int64 r;
  call("receivefd", a, -1);
  if (known(a) && ends[a].kind == UNIX && (truly_ready(a, 0) || ends[a].nonblocking) && !ends[a].vague && !crowded) {
    r = io_receivefd(fd_of(a));
    if (r >= 0) {
      add(" descriptor%s", is_open((int)r) ? "" : " NOT-OPEN");
      close((int)r);
    } else {
      add_result(r);
    }
    if (unread(a) > 0) ends[a].taken_count++;
  }
  say_line();
}

/* Closing is final: the number has nothing left, and the peer sees the end. */
R_HELPER void close_end(int a) {
  int number = fd_of(a), mate = known(a) && ends[a].copied ? -1 : mate_of(a);
  call("close_end", a, -1);
  if (stays(a)) return;
  io_close(number);
  if (number >= 0) {
    if (is_open(number)) {
      add(" STILL-OPEN");
    } else {
      if (number < NUMBERS) closed_behind[number] = 0;
      settle_end(mate, 300);
    }
    if (io_getcookie(number)) add(" cookie");
    if (io_timedout(number)) add(" timedout");
    leave(a);
  }
  say_line();
}

R_HELPER void finish_and_shutdown(void) {
  int i;
  call("finish_and_shutdown", -1, -1);
  if (crowded) {
    add(" crowded");
    say_line();
    return;
  }
  io_finishandshutdown();
  has_loop = 0;
  for (i = 0; i < ENDS; i++) {
    if (known(i)) forget_registration(i);
  }
  say_line();
}
#endif
