/* libowfat's io layer: ours and 0.32 compile this same source. */
#include <fcntl.h>
#include <io.h>

/* 0.32 loses descriptors that were registered before its first look at the kernel. */
static inline void loop_start(void) { io_check(); }

static inline ssize_t loop_read(int fd, void* b, size_t n) { return io_tryread(fd, b, (int64)n); }
static inline ssize_t loop_write(int fd, const void* b, size_t n) { return io_trywrite(fd, b, (int64)n); }
static inline void loop_want_read(int fd) { io_wantread(fd); }
static inline void loop_close(int fd) { io_close(fd); }
static inline void loop_flush(void) { io_check(); }

#ifdef WRITES
static inline void loop_want_write(int fd) { io_wantwrite(fd); }
static inline void loop_dont_want_read(int fd) { io_dontwantread(fd); }
static inline void loop_dont_want_write(int fd) { io_dontwantwrite(fd); }
#endif

static inline void loop_add(int fd) {
  io_nonblock(fd);
  if (!io_fd(fd)) die("io_fd");
}

/* A program may also register first, or tell what it knows of the descriptor. */
static inline int loop_accept(int listener) {
#ifdef OWFAT_FLAGS
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd != -1 && !io_fd_flags(fd, IO_FD_CANWRITE | IO_FD_NONBLOCK)) die("io_fd_flags");
#else
  int fd = accept(listener, NULL, NULL);
  if (fd == -1) return -1;
#ifdef OWFAT_FD_FIRST
  if (!io_fd(fd)) die("io_fd");
  io_nonblock(fd);
#else
  loop_add(fd);
#endif
#endif
  return fd;
}

#ifdef DEADLINES
static tai6464 loop_deadline;

/* Once a turn is enough for programs, as gatling does it. */
static inline void loop_clock(void) {
  taia_now(&loop_deadline);
  loop_deadline.sec.x += LOOP_TIMEOUT;
}

static inline void loop_push(int fd) { io_timeout(fd, loop_deadline); }

static inline void loop_expire(void) {
  int64 fd;
  while ((fd = io_timeouted()) != -1) expired((int)fd);
}

static inline void loop_look(void) {
  loop_clock();
  loop_expire();
}
#endif

#ifdef TAKES
static inline void loop_take(int most) {
  int64 fd;
  io_wait();
  while (most-- && (fd = io_canread()) != -1) readable((int)fd);
}
#endif

__attribute__((noreturn)) static inline void loop_run(void) {
  int64 fd;
  for (;;) {
    io_wait();
#ifdef DEADLINES
    loop_clock();
#endif
    while ((fd = io_canread()) != -1) readable((int)fd);
#ifdef WRITES
    while ((fd = io_canwrite()) != -1) writable((int)fd);
#endif
#ifdef DEADLINES
    loop_expire();
#endif
  }
}
