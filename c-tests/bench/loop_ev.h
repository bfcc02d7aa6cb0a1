/* libev: a watcher for each direction, started and stopped as it is wanted. */
#include <ev.h>
#include <fcntl.h>

static struct ev_loop* loop_ev;
static ev_io loop_readers[LOOP_MAX];

static inline void loop_start(void) { loop_ev = ev_default_loop(0); }

static inline ssize_t loop_read(int fd, void* b, size_t n) { return read(fd, b, n); }
static inline ssize_t loop_write(int fd, const void* b, size_t n) { return write(fd, b, n); }

static void loop_on_readable(struct ev_loop* l, ev_io* w, int events) {
  (void)l, (void)events;
  readable(w->fd);
}

static inline void loop_want_read(int fd) { ev_io_start(loop_ev, &loop_readers[fd]); }

#ifdef WRITES
static ev_io loop_writers[LOOP_MAX];

static void loop_on_writable(struct ev_loop* l, ev_io* w, int events) {
  (void)l, (void)events;
  writable(w->fd);
}

static inline void loop_want_write(int fd) { ev_io_start(loop_ev, &loop_writers[fd]); }
static inline void loop_dont_want_read(int fd) { ev_io_stop(loop_ev, &loop_readers[fd]); }
static inline void loop_dont_want_write(int fd) { ev_io_stop(loop_ev, &loop_writers[fd]); }
#endif

#ifdef DEADLINES
static ev_timer loop_timers[LOOP_MAX];

static void loop_on_expired(struct ev_loop* l, ev_timer* w, int events) {
  (void)l, (void)events;
  expired((int)(w - loop_timers));
}

static inline void loop_push(int fd) { ev_timer_again(loop_ev, &loop_timers[fd]); }

/* It reads the clock itself, once a turn. */
static inline void loop_clock(void) {}

/* libev offers no look at its timers without one at the kernel. */
static inline void loop_look(void) { ev_run(loop_ev, EVRUN_NOWAIT); }
#endif

static inline void loop_add(int fd) {
  ev_io_init(&loop_readers[fd], loop_on_readable, fd, EV_READ);
#ifdef WRITES
  ev_io_init(&loop_writers[fd], loop_on_writable, fd, EV_WRITE);
#endif
#ifdef DEADLINES
  ev_init(&loop_timers[fd], loop_on_expired);
  loop_timers[fd].repeat = LOOP_TIMEOUT;
#endif
}

static inline int loop_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd != -1) loop_add(fd);
  return fd;
}

static inline void loop_close(int fd) {
  ev_io_stop(loop_ev, &loop_readers[fd]);
#ifdef WRITES
  ev_io_stop(loop_ev, &loop_writers[fd]);
#endif
#ifdef DEADLINES
  ev_timer_stop(loop_ev, &loop_timers[fd]);
#endif
  close(fd);
}

static inline void loop_flush(void) { ev_run(loop_ev, EVRUN_NOWAIT); }

__attribute__((noreturn)) static inline void loop_run(void) {
  ev_run(loop_ev, 0);
  die("ev_run returned");
}
