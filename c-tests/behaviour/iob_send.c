/* iob_send: every byte once, in order and at once. */
#include "batch.h"

#include <linux/tcp.h>
#include <sys/resource.h>

B_BATCH(b)

/* promise: Sending a batch */
TEST(iob_send_sends_everything_in_one_call) {
  int64 d[2], f = t_tmpfile(50000);
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "1234"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 50000), 1);
  CHECK_INT(iob_adds(&b, "5678"), 1);
  CHECK_INT(iob_addfile_close(&b, f, 100, 1000), 1);
  CHECK_INT(iob_adds(&b, "90ab"), 1);
  B_CHECK(&b, 51012, 0, 3, 2);
  CHECK_INT(iob_send(d[0], &b), 51012);
  B_CHECK(&b, 0, 0, 0, 0);
  CHECK(b.b.p == NULL);
  CHECK_INT(iob_send(d[0], &b), 0);
  CHECK(!b_open(f));
  b_expect(d[1], "1234");
  b_expect_file(d[1], 0, 50000);
  b_expect(d[1], "5678");
  b_expect_file(d[1], 100, 1000);
  b_expect(d[1], "90ab");
}

/* As far as that does not depend on the size of the socket's buffer. */
/* promise: Every byte once */
TEST(bytesleft_and_next_are_right_after_each_partial_iob_send) {
  int64 d[2], sent = 0, r;
  char *big = malloc(9437184), small[5000];
  int i, size = 4096;
  CHECK(big);
  memset(small, 's', sizeof small);
  memset(big, 'b', 9437184);
  b_tcp(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  CHECK_INT(iob_addbuf(&b, small, 5000), 1);
  CHECK_INT(iob_addbuf_free(&b, big, 9437184), 1);
  r = iob_send(d[0], &b);
  CHECK(r > 5000 && r < 9442184);
  B_CHECK(&b, 9442184 - r, 1, 2, 0);
  B_CHECK_ENTRY(&b, 0, 0, 5000);
  B_CHECK_ENTRY(&b, 1, r - 5000, 9442184 - r);
  sent = r;
  for (i = 0; (r = iob_send(d[0], &b)) > 0; i++) {
    CHECK(i < 1000);
    sent += r;
  }
  CHECK_INT(r, -1);
  CHECK_ERRNO(EAGAIN);
  B_CHECK(&b, 9442184 - sent, 1, 2, 0);
  B_CHECK_ENTRY(&b, 1, sent - 5000, 9442184 - sent);
  iob_reset(&b);
}

/* Reads what is there, up to size. Waits for either side: what the peer has read is acknowledged late, so
 * there may be nothing to read until more is sent. */
static ssize_t some(int64 d[2], char *bytes, size_t size) {
  struct pollfd p[2] = {{.fd = (int)d[0], .events = POLLOUT}, {.fd = (int)d[1], .events = POLLIN}};
  ssize_t n;
  CHECK(poll(p, 2, 3000) >= 1);
  n = recv((int)d[1], bytes, size, MSG_DONTWAIT);
  CHECK(n > 0 || (n == -1 && errno == EAGAIN));
  return n < 0 ? 0 : n;
}

/* 20 MiB of buffers and files to a peer that reads a little at a time. */
/* promise: Every byte once */
TEST(a_slow_peer_gets_every_byte) {
  static char text[1 << 20], got[30011];
  const uint64 all = 20 << 20, file = 1 << 20;
  int64 d[2], f = t_tmpfile((int64)file);
  uint64 i, received = 0, left = all;
  int size = 8192;
  for (i = 0; i < sizeof text; i++) text[i] = t_byte(i);
  b_tcp(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  /* Pieces of growing size, so that their borders meet the kernel's everywhere. */
  for (i = 0; left > 0; i++) {
    uint64 pos = (all - left) % file, n = 1 + i * i * 31 % 70000;
    if (n > left) n = left;
    if (n > file - pos) n = file - pos;
    CHECK_INT(i % 3 ? iob_addbuf(&b, text + pos, n) : iob_addfile(&b, f, pos, n), 1);
    left -= n;
  }
  CHECK_INT(iob_bytesleft(&b), all);
  while (received < all) {
    int64 r = iob_send(d[0], &b);
    ssize_t n, k;
    CHECK(r >= 0 || (r == -1 && errno == EAGAIN));
    n = some(d, got, sizeof got);
    for (k = 0; k < n; k++, received++) {
      if (got[k] != t_byte(received % file)) CHECK_INT(received, -1);
    }
  }
  CHECK_INT(received, all);
  B_CHECK(&b, 0, 0, 0, 0);
}

/* Sends what is queued; the peer must have all n bytes long before a timer could fire. */
static void prompt(int64 d[2], int64 returned, size_t n) {
  int64 start = t_now_ms();
  CHECK_INT(iob_send(d[0], &b), returned);
  free(b_read(d[1], n));
  CHECK(t_now_ms() - start < 100 || t_under_valgrind()); /* which is slow where code runs for the first time */
}

/* promise: Answers leave at once */
TEST(a_lone_buffer_leaves_at_once) {
  int64 d[2];
  int i;
  b_tcp(d);
  for (i = 0; i < 3; i++) {
    CHECK_INT(iob_adds(&b, "hello"), 1);
    prompt(d, 5, 5);
  }
}

/* promise: Answers leave at once */
TEST(the_last_buffer_leaves_at_once) {
  int64 d[2], f = t_tmpfile(1000);
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 1000), 1);
  CHECK_INT(iob_adds(&b, "tail"), 1);
  prompt(d, 1008, 1008);
}

TEST(a_header_before_a_bad_file_leaves_at_once) {
  int64 d[2], p[2], gone = t_tmpfile(10), empty = t_tmpfile(0);
  b_tcp(d);
  t_pipe(p);
  CHECK_INT(close((int)gone), 0);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, gone, 0, 10), 1);
  prompt(d, 4, 4);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EBADF);
  B_CHECK(&b, 10, 1, 1, 1);
  iob_reset(&b);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, p[0], 0, 10), 1);
  prompt(d, 4, 4);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(ESPIPE);
  iob_reset(&b);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, empty, 0, 10), 1);
  prompt(d, 4, 4);
  CHECK_INT(iob_send(d[0], &b), -3);
  CHECK_ERRNO(EIO);
}

TEST(the_part_of_a_file_that_exists_leaves_at_once) {
  int64 d[2], f = t_tmpfile(1000);
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 5000), 1);
  prompt(d, 1004, 1004);
}

static int cork(int64 d) {
  int on = -1;
  socklen_t size = sizeof on;
  CHECK_INT(getsockopt((int)d, IPPROTO_TCP, TCP_CORK, &on, &size), 0);
  return on;
}

/* promise: Answers leave at once */
TEST(a_cork_of_the_program_stays_as_it_is) {
  int64 d[2];
  int on = 1;
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_send(d[0], &b), 4);
  CHECK_INT(cork(d[0]), 0);
  iob_reset(&b);
  b_expect(d[1], "head");
  CHECK_INT(setsockopt((int)d[0], IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addfile(&b, -1, 0, 10), 1);
  CHECK_INT(iob_send(d[0], &b), 4);
  CHECK_INT(cork(d[0]), 1);
  CHECK_INT(b_readable(d[1], 20), 0);
}

static unsigned segments(int64 d) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  CHECK_INT(getsockopt((int)d, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_data_segs_out;
}

/* promise: Answers leave at once */
TEST(header_and_body_share_a_segment) {
  int64 d[2], f = t_tmpfile(1000);
  b_tcp(d);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_adds(&b, "er"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 1000), 1);
  CHECK_INT(iob_send(d[0], &b), 1006);
  free(b_read(d[1], 1006));
  CHECK_INT(segments(d[0]), 1);
}

/* promise: Sent memory belongs to the caller again */
TEST(what_was_sent_belongs_to_the_caller_again) {
  static char text[200000];
  int64 d[2], r, sent = 0;
  int size = 1 << 20;
  uint64 i;
  for (i = 0; i < sizeof text; i++) text[i] = t_byte(i);
  b_tcp(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
  while ((r = iob_send(d[0], &b)) > 0) sent += r;
  CHECK(sent > 0);
  memset(text, 0, (size_t)sent);
  b_expect_file(d[1], 0, (uint64)sent);
  iob_reset(&b);
}

/* promise: Sent memory belongs to the caller again */
TEST(completed_sends_cause_no_events) {
  static char text[20000];
  int64 d[2];
  int i;
  b_tcp(d);
  io_wantread(d[0]);
  CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
  CHECK_INT(iob_send(d[0], &b), 20000);
  free(b_read(d[1], 20000));
  for (i = 0; i < 5; i++) {
    CHECK_INT(io_waituntil2(20), 0);
    CHECK_INT(io_canread(), -1);
  }
}

/* Returns what arrives after queueing `many` one-byte buffers. */
static void many_buffers(int64 many) {
  static char text[4096];
  int64 d[2], received = 0, i;
  memset(text, 'x', sizeof text);
  b_tcp(d);
  for (i = 0; i < many; i++) CHECK_INT(iob_addbuf(&b, text + i % 4096, 1), 1);
  while (received < many) {
    int64 r = iob_send(d[0], &b);
    CHECK(r >= 0 || (r == -1 && errno == EAGAIN));
    received += some(d, text, sizeof text);
  }
  CHECK_INT(received, many);
  CHECK_INT(iob_bytesleft(&b), 0);
}

/* promise: Sending a batch */
TEST(a_batch_of_1025_buffers_is_sent) { many_buffers(1025); }

/* promise: Small stacks */
TEST(sending_100000_buffers_does_not_overflow_the_stack) {
  struct rlimit stack = {256 << 10, 256 << 10};
  CHECK_INT(setrlimit(RLIMIT_STACK, &stack), 0);
  many_buffers(100000);
}

TEST(write_events_go_on_after_a_send_that_found_no_room) {
  static char text[8 << 20];
  int64 d[2], received = 0, end = t_now_ms() + 5000;
  b_tcp(d);
  io_wantwrite(d[0]);
  CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
  while (iob_bytesleft(&b) > 0) {
    char *sink = malloc(1 << 20);
    ssize_t n;
    int64 r;
    CHECK(t_now_ms() < end);
    io_waituntil2(100);
    if (io_canwrite() == d[0]) {
      r = iob_send(d[0], &b);
      CHECK(r > 0);
      CHECK_INT(io_canwrite(), -1);
    }
    n = recv((int)d[1], sink, 1 << 20, MSG_DONTWAIT);
    if (n > 0) received += n;
    free(sink);
  }
  free(b_read(d[1], (size_t)((int64)sizeof text - received)));
  CHECK_INT(io_waituntil2(1000) >= 0, 1);
  CHECK_INT(io_canwrite(), d[0]);
  CHECK_INT(iob_send(d[0], &b), 0);
}

/* Programs call iob_send in a loop until it is not positive. */
/* promise: Sending a batch */
TEST(a_loop_over_iob_send_ends) {
  static char text[8 << 20];
  int64 d[2], r;
  int i = 0;
  b_tcp(d);
  CHECK_INT(iob_addbuf(&b, text, sizeof text), 1);
  while ((r = iob_send(d[0], &b)) > 0) CHECK(++i < 10000);
  CHECK_INT(r, -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(close((int)d[1]), 0);
  signal(SIGPIPE, SIG_IGN);
  while ((r = iob_send(d[0], &b)) == -1) usleep(1000);
  CHECK_INT(r, -3);
  CHECK(errno == ECONNRESET || errno == EPIPE);
}

/* A buffer that no single system call can move. */
TEST(pieces_beyond_2_gib_are_sent) {
  int64 out = open("/dev/null", O_WRONLY);
  const int64 size = (int64)5 << 30;
  void *m = (uint64)size > SIZE_MAX ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (m == MAP_FAILED) SKIP("no address space for 5 GiB");
  CHECK_INT(io_fd(out), 1);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addbuf(&b, m, (uint64)size), 1);
  CHECK_INT(iob_adds(&b, "tail"), 1);
  CHECK_INT(iob_send(out, &b), size + 8);
}
