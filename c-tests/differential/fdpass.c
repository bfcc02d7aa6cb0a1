/* promise: The same answers as libowfat */
/* io_passfd and io_receivefd: results, errno, what the receiver gets, and the byte on the wire. */
#include "say.h"

static void received(int64 d) {
  char buf[8];
  if (d < 0) return;
  printf("  cloexec %d, nonblock %d, cookie %d, read %zd\n", fcntl((int)d, F_GETFD),
         (fcntl((int)d, F_GETFL) & O_NONBLOCK) != 0, io_getcookie(d) != NULL, read((int)d, buf, 4));
  close((int)d);
}

static void say_receive(int64 sock) {
  int64 d;
  errno = 0;
  d = io_receivefd(sock);
  say("receive", d < 0 ? d : 1);
  received(d);
}

static void pass(int kind) {
  int64 file = t_tmpfile(100), p[2];
  int d[2];
  char buf[8];
  CHECK_INT(socketpair(AF_UNIX, kind, 0, d), 0);
  t_pipe(p);
  SAY(io_passfd(d[0], file));
  say_receive(d[1]);
  printf("still open %d\n", fcntl((int)file, F_GETFD) != -1);
  SAY(io_passfd(d[0], -1));
  SAY(io_passfd(d[0], 900));
  SAY(io_passfd(-1, file));
  SAY(io_passfd(p[1], file));
  say_receive(-1);
  say_receive(p[0]);
  say_receive(file);
  io_nonblock(d[1]);
  say_receive(d[1]);
  CHECK_INT(send(d[0], "y", 1, 0), 1);
  say_receive(d[1]);
  SAY(io_passfd(d[0], file));
  CHECK_INT(recv(d[1], buf, 8, 0), 1);
  printf("byte %c\n", buf[0]);
  io_nonblock(file);
  CHECK_INT(lseek((int)file, 0, SEEK_SET), 0);
  SAY(io_passfd(d[0], file));
  SAY(io_passfd(d[0], file)); /* two messages */
  say_receive(d[1]);
  say_receive(d[1]);
  close(d[0]);
  if (kind == SOCK_STREAM) say_receive(d[1]);
}

int main(void) {
  say_start();
  puts("stream");
  pass(SOCK_STREAM);
  puts("datagram");
  pass(SOCK_DGRAM);
  return 0;
}
