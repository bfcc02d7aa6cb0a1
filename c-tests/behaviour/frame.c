/* The descriptors that t.h hands to every test are what it says they are. */
#include "t.h"

TEST(frame_pairs_are_connected_and_blocking) {
  int64 d[2];
  int kind;
  char c;
  for (kind = 0; kind < 3; kind++) {
    (kind == 0 ? t_pipe : kind == 1 ? t_unix_pair : t_tcp_pair)(d);
    CHECK_INT(fcntl((int)d[0], F_GETFL) & O_NONBLOCK, 0);
    CHECK_INT(fcntl((int)d[1], F_GETFL) & O_NONBLOCK, 0);
    CHECK_INT(write((int)d[1], "x", 1), 1);
    CHECK_INT(read((int)d[0], &c, 1), 1);
    CHECK_INT(c, 'x');
  }
}

TEST(frame_fill_leaves_no_room) {
  int64 d[2];
  struct pollfd p;
  t_pipe(d);
  CHECK(t_fill(d[1]) >= 65536);
  p.fd = (int)d[1];
  p.events = POLLOUT;
  CHECK_INT(poll(&p, 1, 0), 0);
  t_tcp_pair(d);
  CHECK(t_fill(d[0]) > 0);
  CHECK_INT(write((int)d[0], "x", 1), -1);
  CHECK_ERRNO(EAGAIN);
}

TEST(frame_tmpfile_has_the_promised_bytes) {
  unsigned char bytes[600];
  int i;
  int64 d = t_tmpfile(600);
  CHECK_INT(read((int)d, bytes, sizeof bytes), 600);
  for (i = 0; i < 600; i++) CHECK_INT(bytes[i], (i * 7 + i / 251) & 255);
  CHECK_INT(read((int)d, bytes, 1), 0);
}
