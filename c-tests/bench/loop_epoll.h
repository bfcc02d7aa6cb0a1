/* Written by hand on epoll, edge-triggered: one registration a descriptor for its life. A program that leaves events
 * where they are (TAKES) has them level-triggered. */
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#define LOOP_EVENTS 1024

#ifdef TAKES
#define LOOP_TRIGGER 0
#else
#define LOOP_TRIGGER EPOLLET
#endif

static int loop_epoll;

static inline void loop_start(void) {
  if ((loop_epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) die("epoll_create1");
}

static inline ssize_t loop_write(int fd, const void* b, size_t n) { return write(fd, b, n); }

static void loop_register(int fd, uint32_t events) {
  struct epoll_event e = {.events = events | LOOP_TRIGGER, .data = {.fd = fd}};
  if (epoll_ctl(loop_epoll, EPOLL_CTL_ADD, fd, &e) == -1) die("epoll_ctl");
}

#ifdef DEADLINES
/* All deadlines are equally far ahead when they are set, so a list in the order of setting is sorted. */
struct loop_deadline {
  struct loop_deadline *before, *after;
  int64_t at;
};
static struct loop_deadline loop_deadlines[LOOP_MAX], loop_order = {&loop_order, &loop_order, 0};
static int64_t loop_now;

static inline void loop_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  loop_now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void loop_unlink(struct loop_deadline* d) {
  d->before->after = d->after;
  d->after->before = d->before;
}

static inline void loop_push(int fd) {
  struct loop_deadline* d = &loop_deadlines[fd];
  if (d->at) loop_unlink(d);
  d->at = loop_now + (int64_t)LOOP_TIMEOUT * 1000000000;
  d->before = loop_order.before;
  d->after = &loop_order;
  loop_order.before = d->before->after = d;
}

static inline void loop_expire(void) {
  while (loop_order.after != &loop_order && loop_order.after->at <= loop_now) {
    struct loop_deadline* d = loop_order.after;
    loop_unlink(d);
    d->at = 0;
    expired((int)(d - loop_deadlines));
  }
}

static inline void loop_look(void) {
  loop_clock();
  loop_expire();
}
#endif

#ifndef WRITES
static inline ssize_t loop_read(int fd, void* b, size_t n) { return read(fd, b, n); }
static inline void loop_add(int fd) { (void)fd; }
static inline void loop_want_read(int fd) { loop_register(fd, EPOLLIN | EPOLLRDHUP); }

static inline void loop_event(const struct epoll_event* e) {
  /* An end that came with the data makes no edge of its own. */
  if (readable(e->data.fd) && (e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) readable(e->data.fd);
}

#else
/* What is wanted is only the program's business; the kernel is told once. */
struct loop_state {
  uint8_t wanted, ready, ended, queued;
};
static struct loop_state loop_states[LOOP_MAX];
/* Descriptors that turned out ready when they were wanted, each once. */
static int loop_queue[LOOP_MAX], loop_queued;

static inline void loop_add(int fd) {
  loop_states[fd] = (struct loop_state){.queued = loop_states[fd].queued};
  loop_register(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

static inline void loop_want(int fd, uint8_t direction) {
  struct loop_state* s = &loop_states[fd];
  s->wanted |= direction;
  if (!(s->ready & direction) || s->queued) return;
  s->queued = 1;
  loop_queue[loop_queued++] = fd;
}

static inline void loop_want_read(int fd) { loop_want(fd, EPOLLIN); }
static inline void loop_want_write(int fd) { loop_want(fd, EPOLLOUT); }
static inline void loop_dont_want_read(int fd) { loop_states[fd].wanted &= ~EPOLLIN; }
static inline void loop_dont_want_write(int fd) { loop_states[fd].wanted &= ~EPOLLOUT; }

static inline ssize_t loop_read(int fd, void* b, size_t n) {
  ssize_t r = read(fd, b, n);
  /* An end that came with the data makes no edge of its own. */
  if (r < (ssize_t)n && !loop_states[fd].ended) loop_states[fd].ready &= ~EPOLLIN;
  return r;
}

static inline void loop_event(const struct epoll_event* e) {
  struct loop_state* s = &loop_states[e->data.fd];
  s->ready |= e->events & (EPOLLIN | EPOLLOUT);
  if (e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    s->ready = EPOLLIN | EPOLLOUT;
    s->ended = 1;
  }
  if (s->ready & s->wanted & EPOLLIN) readable(e->data.fd);
  if (s->ready & s->wanted & EPOLLOUT) loop_want(e->data.fd, EPOLLOUT);
}

/* What is queued meanwhile waits for the next turn, so that the others are not starved. */
static inline void loop_serve_queue(void) {
  int n = loop_queued;
  for (int i = 0; i < n; ++i) {
    struct loop_state* s = &loop_states[loop_queue[i]];
    s->queued = 0;
    if (s->ready & s->wanted & EPOLLIN) readable(loop_queue[i]);
    if (s->ready & s->wanted & EPOLLOUT) writable(loop_queue[i]);
  }
  loop_queued -= n;
  for (int i = 0; i < loop_queued; ++i) loop_queue[i] = loop_queue[n + i];
}
#endif

static inline int loop_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd != -1) loop_add(fd);
  return fd;
}

static inline void loop_close(int fd) {
#ifdef WRITES
  loop_states[fd].wanted = 0;
#endif
#ifdef DEADLINES
  if (loop_deadlines[fd].at) loop_unlink(&loop_deadlines[fd]);
  loop_deadlines[fd].at = 0;
#endif
  close(fd);
}

static inline void loop_flush(void) {}

#ifdef TAKES
static inline void loop_take(int most) {
  static struct epoll_event events[LOOP_EVENTS];
  int n = epoll_wait(loop_epoll, events, most < LOOP_EVENTS ? most : LOOP_EVENTS, -1);
  for (int i = 0; i < n; ++i) readable(events[i].data.fd);
}
#endif

__attribute__((noreturn)) static inline void loop_run(void) {
  static struct epoll_event events[LOOP_EVENTS];
  for (;;) {
#ifdef WRITES
    int n = epoll_wait(loop_epoll, events, LOOP_EVENTS, loop_queued ? 0 : -1);
#else
    int n = epoll_wait(loop_epoll, events, LOOP_EVENTS, -1);
#endif
#ifdef DEADLINES
    loop_clock();
#endif
    for (int i = 0; i < n; ++i) loop_event(&events[i]);
#ifdef WRITES
    loop_serve_queue();
#endif
#ifdef DEADLINES
    loop_expire();
#endif
  }
}
