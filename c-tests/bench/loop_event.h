/* libevent: a persistent event for each direction, added and deleted as it is wanted. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>

static struct event_base* loop_base;
static struct event loop_readers[LOOP_MAX];

static inline void loop_start(void) {
  if (!(loop_base = event_base_new())) die("event_base_new");
}

static inline ssize_t loop_read(int fd, void* b, size_t n) { return read(fd, b, n); }
static inline ssize_t loop_write(int fd, const void* b, size_t n) { return write(fd, b, n); }

static void loop_on_readable(evutil_socket_t fd, short what, void* unused) {
  (void)unused;
#ifdef DEADLINES
  if (what & EV_TIMEOUT) {
    expired(fd);
    return;
  }
#endif
  (void)what;
  readable(fd);
}

#ifdef WRITES
static struct event loop_writers[LOOP_MAX];

static void loop_on_writable(evutil_socket_t fd, short what, void* unused) {
  (void)what, (void)unused;
  writable(fd);
}

static inline void loop_want_write(int fd) { event_add(&loop_writers[fd], NULL); }
static inline void loop_dont_want_read(int fd) { event_del(&loop_readers[fd]); }
static inline void loop_dont_want_write(int fd) { event_del(&loop_writers[fd]); }
#endif

static inline void loop_want_read(int fd) { event_add(&loop_readers[fd], NULL); }

#ifdef DEADLINES
static inline void loop_push(int fd) {
  static const struct timeval timeout = {LOOP_TIMEOUT, 0};
  event_add(&loop_readers[fd], &timeout);
}

/* It reads the clock itself, once a turn. */
static inline void loop_clock(void) {}

/* libevent offers no look at its timers without one at the kernel. */
static inline void loop_look(void) { event_base_loop(loop_base, EVLOOP_NONBLOCK); }
#endif

static inline void loop_add(int fd) {
  event_assign(&loop_readers[fd], loop_base, fd, EV_READ | EV_PERSIST, loop_on_readable, NULL);
#ifdef WRITES
  event_assign(&loop_writers[fd], loop_base, fd, EV_WRITE | EV_PERSIST, loop_on_writable, NULL);
#endif
}

static inline int loop_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd != -1) loop_add(fd);
  return fd;
}

static inline void loop_close(int fd) {
  event_del(&loop_readers[fd]);
#ifdef WRITES
  event_del(&loop_writers[fd]);
#endif
  close(fd);
}

static inline void loop_flush(void) { event_base_loop(loop_base, EVLOOP_NONBLOCK); }

__attribute__((noreturn)) static inline void loop_run(void) {
  event_base_dispatch(loop_base);
  die("event_base_dispatch returned");
}
