/* promise: The same answers as libowfat */
/* Results and errno of registering, reading and writing, with good and bad arguments. */
#include "say.h"

static char buf[100000];

static void bad_descriptors(int64 d) {
  SAY_OK(io_fd(d));
  SAY_OK(io_fd_canwrite(d));
  SAY(io_tryread(d, buf, 1));
  SAY(io_trywrite(d, buf, 1));
  SAY(io_waitread(d, buf, 1));
  SAY(io_waitwrite(d, buf, 1));
  SAY(io_tryreadtimeout(d, buf, 1));
  SAY(io_trywritetimeout(d, buf, 1));
  printf("cookie %d\n", io_getcookie(d) != NULL);
  printf("timed out %d\n", io_timedout(d));
}

static void closed_while_registered(void) {
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  close((int)d[0]);
  SAY(io_tryread(d[0], buf, 1));
  SAY(io_trywrite(d[0], buf, 1));
  SAY(io_waitread(d[0], buf, 1));
  SAY(io_waitwrite(d[0], buf, 1));
}

static void sockets(void) {
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  SAY_OK(io_fd(d[0]));
  SAY_OK(io_fd(d[0]));
  SAY(io_tryread(d[0], buf, 1));
  l_put(d[1], "hello");
  SAY(io_tryread(d[0], buf, 0));
  SAY(io_tryread(d[0], NULL, 0));
  SAY(io_tryread(d[0], NULL, 1));
  SAY(io_tryread(d[0], buf, 2));
  SAY(io_tryread(d[0], buf, 100));
  SAY(io_tryread(d[0], buf, 100));
  l_put(d[1], "hello");
  SAY(io_waitread(d[0], buf, 2));
  SAY(io_waitread(d[0], buf, 100));
  SAY(io_trywrite(d[0], buf, 0));
  SAY(io_trywrite(d[0], NULL, 0));
  SAY(io_trywrite(d[0], NULL, 1));
  SAY(io_trywrite(d[0], "hello", 5));
  SAY(io_waitwrite(d[0], "hello", 5));
  while (io_trywrite(d[0], buf, sizeof buf) > 0) {
  }
  SAY(io_trywrite(d[0], buf, sizeof buf));
}

static void pipes(void) {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[0]);
  io_nonblock(d[1]);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  SAY(io_trywrite(d[1], buf, sizeof buf));
  SAY(io_trywrite(d[1], buf, sizeof buf));
  SAY(io_tryread(d[0], buf, 10000));
  SAY(io_waitread(d[0], buf, sizeof buf));
  SAY(io_tryread(d[0], buf, 1));
  SAY(io_waitwrite(d[1], buf, sizeof buf));
  SAY(io_tryread(d[1], buf, 1));
  SAY(io_trywrite(d[0], buf, 1));
}

static void files(void) {
  int64 d = t_tmpfile(10), dir = open("/", O_RDONLY), null = open("/dev/null", O_RDONLY);
  SAY_OK(io_fd(d));
  SAY_OK(io_fd(dir));
  SAY_OK(io_fd(null));
  SAY(io_tryread(d, buf, 4));
  SAY(io_waitread(d, buf, 100));
  SAY(io_tryread(d, buf, 100));
  SAY(io_trywrite(d, buf, 1000));
  SAY(io_tryread(dir, buf, 1));
  SAY(io_trywrite(null, buf, 1));
  SAY(io_tryread(null, buf, 1));
}

static void flags(void) {
  int64 d[2];
  int f;
  t_pipe(d);
  for (f = 0; f < 8; f++) {
    printf("flags %d: %d\n", f, io_fd_flags(d[0], f));
    printf("mode %d\n", (fcntl((int)d[0], F_GETFL) & O_NONBLOCK) != 0);
  }
  SAY_OK(io_fd_flags(900, 0));
  SAY_OK(io_fd_flags(900, IO_FD_NONBLOCK));
  SAY_OK(io_fd_flags(901, IO_FD_BLOCK));
  io_nonblock(d[1]);
  printf("mode %d\n", (fcntl((int)d[1], F_GETFL) & O_NONBLOCK) != 0);
  io_block(d[1]);
  printf("mode %d\n", (fcntl((int)d[1], F_GETFL) & O_NONBLOCK) != 0);
  io_closeonexec(d[1]);
  printf("close on exec %d\n", fcntl((int)d[1], F_GETFD));
}

int main(void) {
  say_start();
  bad_descriptors(-1);
  bad_descriptors(902);
  closed_while_registered();
  sockets();
  pipes();
  files();
  flags();
  return 0;
}
