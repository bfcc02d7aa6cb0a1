/* What real servers rely on although it looks accidental, as far as no other file has it. */
#include "loop.h"

/* promise: Answers leave at once */
TEST(write_events_keep_coming_after_iob_send) {
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_tcp_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(iob_adds(&b, "answer"), 1);
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(iob_send(d[0], &b), 6);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]); /* without another io_wantwrite */
  CHECK_INT(iob_send(d[0], &b), 0);
}

/* promise: What a batch is */
TEST(bytesleft_may_be_read_as_a_field) {
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(iob_adds(&b, "answer"), 1);
  CHECK_INT(b.bytesleft, 6);
  CHECK_INT(iob_bytesleft(&b), 6);
  CHECK_INT(iob_send(d[0], &b), 6);
  CHECK_INT(b.bytesleft, 0);
}

TEST(one_read_an_event_loses_no_datagram) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  char c;
  int i;
  int64 s = socket(AF_INET, SOCK_DGRAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_INT(bind((int)s, (struct sockaddr *)&address, length), 0);
  CHECK_INT(getsockname((int)s, (struct sockaddr *)&address, &length), 0);
  io_nonblock(s);
  l_read_event(s);
  for (i = 0; i < 5; i++) CHECK_INT(sendto((int)s, "x", 1, 0, (struct sockaddr *)&address, length), 1);
  for (i = 0; i < 5; i++) {
    CHECK_INT(l_next_read(L_PATIENCE), s);
    CHECK_INT(recv((int)s, &c, 1, 0), 1);
  }
  CHECK_INT(l_next_read(30), -1);
}

static int64 client(const struct sockaddr_in *address) {
  int64 s = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(s >= 0);
  CHECK_INT(connect((int)s, (const struct sockaddr *)address, sizeof *address), 0);
  return s;
}

TEST(one_accept_an_event_loses_no_connection) {
  struct sockaddr_in address;
  int64 listener = t_listen(&address);
  int i;
  io_nonblock(listener);
  l_read_event(listener);
  for (i = 0; i < 5; i++) client(&address);
  for (i = 0; i < 5; i++) {
    CHECK_INT(l_next_read(L_PATIENCE), listener);
    CHECK(accept((int)listener, NULL, NULL) != -1);
  }
  CHECK_INT(l_next_read(30), -1);
}

/* promise: Telling the loop of EAGAIN */
TEST(an_accept_loop_without_an_event_and_io_eagain_lose_no_connection) {
  struct sockaddr_in address;
  int64 listener = t_listen(&address);
  int round;
  io_nonblock(listener);
  l_read_event(listener);
  for (round = 0; round < 3; round++) {
    client(&address);
    if (round != 1) io_check(); /* the event may be pending or not */
    while (accept((int)listener, NULL, NULL) != -1) {
    }
    CHECK_ERRNO(EAGAIN);
    io_eagain_read(listener);
    CHECK_ERRNO(EAGAIN);
    CHECK_INT(io_canread(), -1);
    CHECK_INT(l_next_read(20), -1);
  }
  client(&address);
  CHECK_INT(l_next_read(L_PATIENCE), listener);
}

TEST(io_wantwrite_after_a_plain_write_reports_room_for_the_rest) {
  static char buf[65536];
  int64 d[2];
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  while (write((int)d[0], buf, sizeof buf) > 0) {
  }
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(30), -1);
  while (recv((int)d[1], buf, sizeof buf, MSG_DONTWAIT) > 0) {
  }
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
}

TEST(peeking_leaves_the_event) {
  int64 d[2];
  char c;
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(recv((int)d[0], &c, 1, MSG_PEEK), 1);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
}

TEST(iob_send_blocks_after_io_block_whatever_io_fd_flags_said) {
  enum { SIZE = 4 << 20 };
  static char data[SIZE];
  int64 d[2], got = 0, n;
  int status;
  pid_t child;
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  CHECK_INT(io_fd_flags(d[0], IO_FD_NONBLOCK), 1);
  io_block(d[0]);
  io_wantread(d[0]);
  child = fork();
  CHECK(child != -1);
  if (child == 0) { /* a slow reader */
    close((int)d[0]);
    poll(NULL, 0, 50);
    while ((n = read((int)d[1], data, sizeof data)) > 0) got += n;
    _exit(got != SIZE);
  }
  close((int)d[1]);
  CHECK_INT(iob_addbuf(&b, data, SIZE), 1);
  while ((n = iob_send(d[0], &b)) > 0) got += n;
  CHECK_INT(n, 0); /* never "again" */
  CHECK_INT(got, SIZE);
  io_close(d[0]);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

TEST(no_event_is_taken_between_io_wantread_and_io_setcookie) {
  int64 d[2];
  l_pipe(d, 0);
  l_put(d[1], "x");
  io_wantread(d[0]);
  CHECK_INT(io_canread(), -1); /* no wait call yet */
  io_setcookie(d[0], d);
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK(io_getcookie(d[0]) == d);
}

/* promise: A reused number is a new descriptor */
TEST(a_handler_may_close_another_descriptor_and_reuse_its_number) {
  struct sockaddr_in address;
  int64 listener = t_listen(&address), d[2], e[2], fresh;
  io_nonblock(listener);
  CHECK_INT(io_fd(listener), 1);
  t_unix_pair(d);
  t_unix_pair(e);
  l_read_event(d[0]);
  l_read_event(e[0]);
  io_wantwrite(e[0]);
  l_put(d[1], "x");
  l_put(e[1], "x");
  client(&address);
  io_check();
  CHECK(io_canread() != -1);
  io_close(e[0]);
  fresh = accept((int)listener, NULL, NULL); /* takes the number */
  CHECK_INT(fresh, e[0]);
  io_nonblock(fresh);
  CHECK_INT(io_fd_flags(fresh, IO_FD_NONBLOCK), 1);
  io_setcookie(fresh, &fresh);
  io_wantread(fresh);
  CHECK(io_canread() != fresh);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  io_dontwantread(d[0]);
  l_check_asleep();
}

static int calls;

/* As a TLS filter that wants to read while it writes. */
static int64 flipping(int64 s, const void *buf, uint64 n) {
  (void)buf;
  io_eagain_write(s);
  io_dontwantwrite(s);
  io_wantread(s);
  CHECK(io_getcookie(s) == &calls);
  if (calls++ == 0) {
    errno = EAGAIN;
    return -1;
  }
  return (int64)n;
}

/* promise: What a filter may do */
TEST(the_filter_may_change_interest_and_deadlines) {
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_write_event(d[0]);
  io_setcookie(d[0], &calls);
  CHECK_INT(iob_adds(&b, "secret"), 1);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(iob_write(d[0], &b, flipping), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(l_next_write(20), -1);
  l_put(d[1], "x");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(iob_write(d[0], &b, flipping), 6);
}
