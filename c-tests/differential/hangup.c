/* promise: The same answers as libowfat */
/* The hang-up and error matrix: who is told, what reading and writing then give. */
#include "say.h"

enum peer { CLOSES, SHUTS, RESETS };

static const char *const peers[] = {"closes", "shuts down writing", "resets"};
static const char *const wants[] = {"nothing", "read", "write", "both"};

static int64 try_read(int64 d) {
  char c;
  return io_tryread(d, &c, 1);
}

static void report(int64 d, int want) {
  if (want & 1) io_wantread(d);
  if (want & 2) io_wantwrite(d);
  say_events("first", d);
  say_events("again", d);
  SAY(try_read(d));
  say_events("after reading", d);
  io_dontwantread(d);
  io_dontwantwrite(d);
  say_events("unwanted", d);
}

static void sockets(void (*pair)(int64 *), enum peer peer, int want) {
  int64 d[2];
  pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  if (peer == CLOSES) close((int)d[1]);
  if (peer == SHUTS) shutdown((int)d[1], SHUT_WR);
  if (peer == RESETS) l_reset(d[1]);
  l_until(d[0], peer == RESETS ? POLLHUP : POLLRDHUP);
  report(d[0], want);
  SAY(io_trywrite(d[0], "x", 1));
  io_close(d[0]);
}

static void pipes(int end, int want) {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[end]);
  CHECK_INT(io_fd(d[end]), 1);
  close((int)d[!end]);
  report(d[end], want);
  SAY(io_trywrite(d[end], "x", 1));
  io_close(d[end]);
}

static void connections(void) {
  struct sockaddr_in address;
  int64 s, listener = t_listen(&address);
  close((int)listener);
  s = socket(AF_INET, SOCK_STREAM, 0);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  connect((int)s, (struct sockaddr *)&address, sizeof address);
  io_wantwrite(s);
  say_events("refused", s);
  SAY(io_trywrite(s, "x", 1));
  io_close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  io_wantwrite(s);
  say_events("never connected", s);
  SAY(io_trywrite(s, "x", 1));
}

int main(void) {
  int peer, want;
  say_start();
  for (want = 0; want < 4; want++) {
    for (peer = CLOSES; peer <= RESETS; peer++) {
      printf("tcp, peer %s, wanted %s\n", peers[peer], wants[want]);
      sockets(t_tcp_pair, (enum peer)peer, want);
    }
    printf("unix, peer closes, wanted %s\n", wants[want]);
    sockets(t_unix_pair, CLOSES, want);
  }
  puts("pipe, writer closes, read wanted");
  pipes(0, 1);
  puts("pipe, reader closes, write wanted");
  pipes(1, 2);
  connections();
  return 0;
}
