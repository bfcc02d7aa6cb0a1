/* What a random program works on: ends of connections and files by index, never by number, and what it says of each
 * call, one line a call. What stands behind a '#' is not compared: it tells which defect a difference comes from.
 *
 * Every byte that an end took is written down, so that the other end can check each byte that it gets, whatever the
 * calls were that moved it. Programs are made so that results follow from the calls: up to PLAIN bytes are under
 * way in a direction; with more than that, how much fits is the kernel's affair and only the kind of result is said. */
#ifndef RANDOM_FRAME_H
#define RANDOM_FRAME_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "iob.h"

#define R_HELPER __attribute__((unused)) static
#define ENDS 24
#define NUMBERS 1024
#define PLAIN 16000
#define FILE_SIZE 70000

#define TERMINAL_PLAIN 1000

/* ODD: an eventfd and the like, of whose bytes no account is kept. */
enum kind { NONE, PIPE_IN, PIPE_OUT, UNIX, TCP, UDP, DATAGRAM, REGULAR, LISTENER, PACKETS, TERMINAL, ODD };

struct end {
  enum kind kind;
  int fd;
  int mate;        /* index of the other end, -1 if it is gone */
  int registered;  /* as the calls should have left it, like all that follows */
  int nonblocking;
  int want[2];     /* 0 reading, 1 writing */
  int hint;
  int popped[2];    /* reported since the last wait */
  int withdrawn[2]; /* must not be reported before the next wait */
  int untracked;   /* bytes came before it was known from whom */
  int queued;      /* stands in a batch, or did */
  int vague;       /* how much of what was sent to it has come is the kernel's affair */
  int notices;     /* each of its sends leaves one in its error queue */
  int copied;      /* a copy keeps it open when it is closed */
  int shut;        /* for reading, so that what is sent to it is answered by a reset, or stays where it is */
  int urgent;      /* it gets urgent bytes, which FIONREAD does not see past */
  char *inbox;     /* what its mate took */
  int64 inbox_count, taken_count;
};

R_HELPER struct end ends[ENDS];
R_HELPER int closed_behind[NUMBERS]; /* closed behind the library, while registered */
R_HELPER char scratch[1 << 20];
R_HELPER char line[4096], aside[512];
R_HELPER int line_length, first_step, *step = &first_step;
R_HELPER unsigned long written_bytes;
R_HELPER int crowded;  /* no number is free */
R_HELPER int has_loop; /* the library has what it needs to wait */
R_HELPER int has_stale; /* a number that was wanted is another file, of which the library was not told */

__attribute__((format(printf, 1, 2))) R_HELPER void add(const char *format, ...) {
  va_list list;
  int n;
  va_start(list, format);
  n = vsnprintf(line + line_length, sizeof line - (size_t)line_length, format, list);
  va_end(list);
  line_length += n;
  if (line_length >= (int)sizeof line) line_length = sizeof line - 1;
}

/* The line leaves at once, so that it is there if the next call ends the process. */
R_HELPER void flush_line(void) {
  if (write(1, line, (size_t)line_length) != line_length) _exit(3);
  line_length = 0;
}

R_HELPER void say_line(void) {
  add(" #%s\n", aside);
  flush_line();
}

R_HELPER void add_aside(const char *what, int number) {
  size_t length = strlen(aside);
  snprintf(aside + length, sizeof aside - length, " %s%d", what, number);
}

R_HELPER int known(int i) { return i >= 0 && i < ENDS && ends[i].kind != NONE; }

/* What an end is before a call. */
R_HELPER void describe(const char *who, int i) {
  static const char *const kinds[] = {"none", "pipe-in", "pipe-out", "unix", "tcp", "udp", "datagram", "file", "listener",
                                      "packets", "terminal", "odd"};
  const struct end *e = &ends[i];
  size_t length = strlen(aside);
  if (!known(i)) return;
  snprintf(aside + length, sizeof aside - length, " %s:%s%s%s%s%s%s%s%s", who, kinds[e->kind],
           e->registered ? "" : ",unregistered", e->nonblocking ? "" : ",blocking", e->want[0] ? ",r" : "",
           e->want[1] ? ",w" : "", e->hint ? ",hint" : "",
           e->mate < 0 || ends[e->mate].shut ? ",unpaired" : "",
           closed_behind[e->fd & (NUMBERS - 1)] ? ",closed_behind" : "");
  add_aside("n", e->fd);
  if (e->mate >= 0) add_aside("mate", e->mate);
}

/* Printed before the call, so that a crash or hang is found at its call. */
R_HELPER void call(const char *name, int a, int b) {
  aside[0] = 0;
  describe("a", a);
  describe("b", b);
  add("%d %s %d %d:", (*step)++, name, a, b);
  flush_line();
  errno = 0;
}

R_HELPER void add_result(int64 r) {
  int e = errno;
  add(" %lld", (long long)r);
  if (r < 0) add(" %s", strerrorname_np(e) ? strerrorname_np(e) : "0");
  errno = e;
}

R_HELPER int64 now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Calls on an index that holds nothing are calls with a bad number. */
R_HELPER int fd_of(int i) { return known(i) ? ends[i].fd : -1; }
R_HELPER int mate_of(int i) { return known(i) ? ends[i].mate : -1; }
R_HELPER int is_stream(int i) { return ends[i].kind != DATAGRAM && ends[i].kind != UDP && ends[i].kind != PACKETS; }

R_HELPER int find(int64 fd) {
  int i;
  for (i = 0; i < ENDS; i++) {
    if (ends[i].kind != NONE && ends[i].fd == fd) return i;
  }
  return -1;
}

/* poll(2) of one descriptor, which a lowered limit must not refuse. */
R_HELPER int poll_one(struct pollfd *p, int ms) {
  struct rlimit now, more;
  int r, e;
  getrlimit(RLIMIT_NOFILE, &now);
  more = now;
  more.rlim_cur = more.rlim_max;
  setrlimit(RLIMIT_NOFILE, &more);
  r = poll(p, 1, ms);
  e = errno;
  setrlimit(RLIMIT_NOFILE, &now);
  errno = e;
  return r;
}

R_HELPER short poll_now(int fd, short events) {
  struct pollfd p;
  p.fd = fd;
  p.events = events;
  p.revents = 0;
  return poll_one(&p, 0) == 1 ? p.revents : 0;
}

/* Whether the kernel calls it ready in a direction. */
R_HELPER int truly_ready(int i, int writing) {
  return (poll_now(ends[i].fd, writing ? POLLOUT : POLLIN) & ~POLLNVAL) != 0;
}

/* A number that was closed behind the library and has another file, of which nobody has told it: what it makes of it
 * is open. */
R_HELPER int is_leftover(int i) { return !ends[i].registered && ends[i].fd < NUMBERS && closed_behind[ends[i].fd]; }

/* Whether a plain read does not sleep: it would for a mere notice in the error queue. */
R_HELPER int has_bytes(int i) { return (poll_now(ends[i].fd, POLLIN) & (POLLIN | POLLHUP)) != 0; }

R_HELPER int is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

R_HELPER void fresh_bytes(char *to, int64 n) {
  int64 i;
  for (i = 0; i < n; i++, written_bytes++) to[i] = (char)(written_bytes * 7 + written_bytes / 251);
}

/* What is written to an end: fresh bytes, or what an eventfd takes for 1. */
R_HELPER void bytes_for(int i, char *to, int64 n) {
  fresh_bytes(to, n);
  if (!known(i) || ends[i].kind != ODD || n == 0) return;
  memset(to, 0, (size_t)n);
  to[0] = 1;
}

R_HELPER char file_byte(int64 at) { return (char)(at * 11 + at / 253); }

R_HELPER int64 unread(int i) { return ends[i].inbox_count - ends[i].taken_count; }
R_HELPER int64 under_way(int i) { return mate_of(i) < 0 ? 0 : unread(ends[i].mate); }

/* Whether bytes for it are not there at once. */
R_HELPER int takes_time(int i) { return ends[i].kind == TCP || ends[i].kind == TERMINAL; }

/* How much may be under way to its mate for results to follow from the calls. */
R_HELPER int64 plain(int i) { return known(i) && ends[i].kind == TERMINAL ? TERMINAL_PLAIN : PLAIN; }

/* Whether a write of so much could sleep, or to a terminal come to anything. */
R_HELPER int too_much(int i, int64 n) {
  return known(i) && under_way(i) + n > plain(i) && (!ends[i].nonblocking || ends[i].kind == TERMINAL);
}

/* Whether there is something to read, when all that was sent by TCP has had time to come. */
R_HELPER int comes(int i) {
  struct pollfd p = {ends[i].fd, POLLIN, 0};
  if (takes_time(i) && unread(i) > 0) poll_one(&p, 300);
  return has_bytes(i);
}

R_HELPER int vague_to_write(int i) { return mate_of(i) >= 0 && ends[ends[i].mate].vague; }

/* An empty datagram counts. */
R_HELPER int head_least(int i) { return known(i) && !is_stream(i) ? 0 : 1; }

/* What `i` took goes into the inbox of its mate; a datagram with its length before it. */
R_HELPER void took(int i, const char *bytes, int64 n) {
  int64 head = known(i) && is_stream(i) ? 0 : (int64)sizeof n;
  struct end *to;
  if (n < head_least(i) || !known(i)) return;
  if (ends[i].mate < 0) {
    ends[i].untracked = 1;
    return;
  }
  to = &ends[ends[i].mate];
  if (to->shut) return;
  to->inbox = realloc(to->inbox, (size_t)(to->inbox_count + head + n));
  if (!to->inbox) _exit(3);
  memcpy(to->inbox + to->inbox_count, &n, (size_t)head);
  memcpy(to->inbox + to->inbox_count + head, bytes, (size_t)n);
  to->inbox_count += head + n;
}

/* Holds what `i` got against what its mate took. */
R_HELPER void got(int i, const char *bytes, int64 n) {
  struct end *e = &ends[i];
  int64 head = 0, whole = n;
  if (n < head_least(i) || !known(i) || e->untracked || e->kind == REGULAR) return;
  if (n == 0 && unread(i) <= 0) return;
  if (!is_stream(i) && unread(i) > 0) {
    memcpy(&whole, e->inbox + e->taken_count, sizeof whole);
    head = sizeof whole;
  }
  if (unread(i) < head + n) {
    add(" %d:TOO-MUCH", i);
  } else if (memcmp(e->inbox + e->taken_count + head, bytes, (size_t)n) != 0) {
    add(" %d:WRONG-BYTES", i);
  }
  e->taken_count += head + whole;
  if (unread(i) <= 0) e->vague = 0;
}

R_HELPER int was_vague;

/* To be said of a write of n bytes in advance: does its result follow from the calls? */
R_HELPER void plan_write(int i, int64 n) {
  was_vague = vague_to_write(i);
  if (mate_of(i) >= 0 && under_way(i) + n > plain(i)) ends[ends[i].mate].vague = 1;
}

R_HELPER void add_written(int i, int64 r) {
  if (r < -1 && mate_of(i) >= 0) ends[mate_of(i)].vague = was_vague; /* what failed moved nothing */
  if (vague_to_write(i) && (r > 0 || r == -1)) {
    add(" some");
  } else {
    add_result(r);
  }
}

/* Waits until what was sent or ended by TCP or UDP has arrived: only then is what follows the same in every run. */
R_HELPER int arrives_late(int i) {
  int64 start = now_ms();
  int mate, waiting, n, udp;
  if (!known(i) || (!takes_time(i) && ends[i].kind != UDP) || vague_to_write(i) || under_way(i) <= 0) return 0;
  mate = ends[i].mate;
  if (ends[mate].urgent) return 0;
  udp = ends[i].kind == UDP;
  do {
    n = 0;
    waiting = udp ? !truly_ready(mate, 0)
                  : ioctl(ends[mate].fd, FIONREAD, &n) == 0 && n < under_way(i) &&
                        !(poll_now(ends[mate].fd, 0) & POLLHUP); /* not for POLLERR: 0.32 has notices of its own */
    if (waiting) usleep(200);
  } while (waiting && now_ms() - start < (udp ? 150 : 1000));
  return now_ms() - start > 120;
}

R_HELPER void settle(int i) {
  if (arrives_late(i)) add(" late");
}

/* What a TCP end hears when the other one is gone. */
R_HELPER void settle_end(int mate, int ms) {
  struct pollfd p;
  if (mate < 0 || ends[mate].kind != TCP) return;
  p.fd = ends[mate].fd;
  p.events = POLLRDHUP;
  poll_one(&p, ms);
}

/* A write to a TCP peer that is gone, or has shut all, is answered by a reset. */
R_HELPER void settle_reset(int i) {
  struct pollfd p;
  if (!known(i) || ends[i].kind != TCP || (ends[i].mate >= 0 && !ends[ends[i].mate].shut)) return;
  p.fd = ends[i].fd;
  p.events = 0;
  poll_one(&p, 50);
}

/* A file that batches may be made of stays as it is. */
R_HELPER int is_source(int i) {
  return known(i) && ends[i].kind == REGULAR && (fcntl(ends[i].fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

R_HELPER void enter(int i, enum kind kind, int fd, int mate) {
  struct end *e = &ends[i];
  int flags = fcntl(fd, F_GETFL);
  free(e->inbox);
  memset(e, 0, sizeof *e);
  e->kind = kind;
  e->fd = fd;
  e->mate = mate;
  e->nonblocking = (flags & O_NONBLOCK) != 0;
  e->untracked = kind == ODD;
}

/* It must not sleep over what it writes: nobody reads that, and nobody will say so. */
R_HELPER void be_alone(int i) {
  fcntl(ends[i].fd, F_SETFL, fcntl(ends[i].fd, F_GETFL) | O_NONBLOCK);
  ends[i].nonblocking = 1;
}

R_HELPER void leave(int i) {
  struct end *e = &ends[i];
  if (e->mate >= 0) {
    ends[e->mate].mate = -1;
    if (e->copied) be_alone(e->mate);
  }
  free(e->inbox);
  memset(e, 0, sizeof *e);
}

R_HELPER void forget_registration(int i) {
  struct end *e = &ends[i];
  e->registered = e->hint = 0;
  memset(e->want, 0, sizeof e->want);
  memset(e->popped, 0, sizeof e->popped);
  memset(e->withdrawn, 0, sizeof e->withdrawn);
}
#endif
