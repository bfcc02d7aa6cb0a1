/* iom_*. 0.32 compiles this, too, but hangs: of several events that it finds it reports one. */
#include <io.h>

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
