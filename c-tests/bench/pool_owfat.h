/* iom_*, or with LOOPS io_starteventloopthread, where one thread of the library waits for all. 0.32 compiles the first,
 * too, but hangs: of several events that it finds it reports one. */
#include <io.h>

#ifdef LOOPS
static void pool_start(int threads) {
  (void)threads;
  if (io_starteventloopthread(1) == -1) die("io_starteventloopthread");
}

static void loop_want_read(int fd) {
  if (!io_fd_flags(fd, IO_FD_NONBLOCK)) die("io_fd_flags");
  io_wantread(fd);
}

static void pool_run(int thread) {
  int64 fd;
  while ((fd = io_canread()) != -1) answer(thread, (int)fd);
  die("io_canread");
}
#else
static iomux_t pool;

static void pool_start(int threads) {
  (void)threads;
  if (iom_init(&pool) != 1) die("iom_init");
}

static void loop_want_read(int fd) {
  if (iom_add(&pool, fd, IOM_READ) == -1) die("iom_add");
}

static void pool_run(int thread) {
  int64 fd;
  unsigned events;
  while (iom_wait(&pool, &fd, &events, (unsigned long)-1) == 1) {
    answer(thread, (int)fd);
    loop_want_read((int)fd);
  }
  die("iom_wait");
}
#endif
