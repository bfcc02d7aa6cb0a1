/* libuv: uv_poll_t, which watches a descriptor that the program reads and writes itself. Its streams cost more:
 * a call for memory before each read, and a queue behind each write. */
#include <uv.h>

/* The descriptor is closed before libuv gives the handle back, so a reused number needs another handle. */
struct loop_handle {
  uv_poll_t poll;
  int fd;
};
static uv_loop_t* loop_uv;
static struct loop_handle* loop_handles[LOOP_MAX];

static inline void loop_start(void) { loop_uv = uv_default_loop(); }

static inline ssize_t loop_read(int fd, void* b, size_t n) { return read(fd, b, n); }
static inline ssize_t loop_write(int fd, const void* b, size_t n) { return write(fd, b, n); }

static void loop_on_readable(uv_poll_t* poll, int status, int events) {
  (void)status, (void)events;
  readable(((struct loop_handle*)poll)->fd);
}

static inline void loop_want_read(int fd) { uv_poll_start(&loop_handles[fd]->poll, UV_READABLE, loop_on_readable); }

#ifdef WRITES
static void loop_on_writable(uv_poll_t* poll, int status, int events) {
  (void)status, (void)events;
  writable(((struct loop_handle*)poll)->fd);
}

/* The programs never want both directions at once; uv_poll_start replaces what was wanted before. */
static inline void loop_want_write(int fd) { uv_poll_start(&loop_handles[fd]->poll, UV_WRITABLE, loop_on_writable); }
static inline void loop_dont_want_read(int fd) { (void)fd; }
static inline void loop_dont_want_write(int fd) { (void)fd; }
#endif

#ifdef DEADLINES
static uv_timer_t loop_timers[LOOP_MAX];

static void loop_on_expired(uv_timer_t* timer) { expired((int)(timer - loop_timers)); }

static inline void loop_push(int fd) { uv_timer_start(&loop_timers[fd], loop_on_expired, LOOP_TIMEOUT * 1000, 0); }

/* It reads the clock itself, once a turn. */
static inline void loop_clock(void) {}

/* libuv offers no look at its timers without one at the kernel. */
static inline void loop_look(void) { uv_run(loop_uv, UV_RUN_NOWAIT); }
#endif

static void loop_on_closed(uv_handle_t* handle) { free(handle); }

static inline void loop_add(int fd) {
  struct loop_handle* h = malloc(sizeof *h);
  if (!h || uv_poll_init(loop_uv, &h->poll, fd)) die("uv_poll_init");
  h->fd = fd;
  loop_handles[fd] = h;
#ifdef DEADLINES
  uv_timer_init(loop_uv, &loop_timers[fd]);
#endif
}

static inline int loop_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd != -1) loop_add(fd);
  return fd;
}

static inline void loop_close(int fd) {
  uv_close((uv_handle_t*)&loop_handles[fd]->poll, loop_on_closed);
#ifdef DEADLINES
  uv_timer_stop(&loop_timers[fd]);
#endif
  close(fd);
}

static inline void loop_flush(void) { uv_run(loop_uv, UV_RUN_NOWAIT); }

__attribute__((noreturn)) static inline void loop_run(void) {
  uv_run(loop_uv, UV_RUN_DEFAULT);
  die("uv_run returned");
}
