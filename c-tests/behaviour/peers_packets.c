/* Datagrams: sizes, bursts, peers that are not there, more than one peer. After the scenarios of other event loops, see
 * docs/peers.md. */
#include "batch.h"
#include "peers.h"

B_BATCH(batch)

enum { UDP4, UDP6, UNIX_DATAGRAMS, FAMILIES };

static struct sockaddr_storage address;
static socklen_t length;

static int has(int which) {
  static const char *const names[FAMILIES] = {"udp", "udp over ipv6", "unix datagrams"};
  snprintf(p_row, sizeof p_row, "%s", names[which]);
  return which != UDP6 || p_has(TCP6);
}

static int family(int which) { return which == UDP4 ? AF_INET : which == UDP6 ? AF_INET6 : AF_UNIX; }

/* A bound socket, whose address is then in `address`. */
static int64 receiver(int which) {
  int64 d = p_listen(family(which), SOCK_DGRAM, &address, &length);
  io_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  return d;
}

/* A socket that sends to `address`. */
static int64 sender(int which) {
  int64 d = socket(family(which), SOCK_DGRAM, 0);
  CHECK(d >= 0);
  CHECK_INT(connect((int)d, (struct sockaddr *)&address, length), 0);
  io_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  return d;
}

/* Each row: a datagram of that many bytes is one report and comes whole. */
static void of_size(int64 n) {
  static char out[60000], in[60001];
  int which;
  p_make(out, 0, n);
  for (which = 0; which < FAMILIES; which++) {
    int64 r, s;
    if (!has(which)) continue;
    r = receiver(which);
    s = sender(which);
    io_wantread(r);
    io_wantwrite(s);
    CHECK_INT(l_next_write(L_PATIENCE), s);
    io_dontwantwrite(s);
    CHECK_INT(n ? io_trywrite(s, out, n) : send((int)s, out, 0, 0), n);
    l_expect_read_only(r);
    CHECK_INT(io_tryread(r, in, sizeof in), n);
    p_check_bytes(in, 0, n);
    io_check();
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_tryread(r, in, sizeof in), -1);
    CHECK_ERRNO(EAGAIN);
    io_close(r), io_close(s);
  }
}

TEST(an_empty_datagram_is_a_report_and_0_bytes) { of_size(0); }
TEST(a_datagram_of_one_byte) { of_size(1); }
TEST(a_datagram_of_1400_bytes) { of_size(1400); }
TEST(a_datagram_of_60000_bytes) { of_size(60000); }

TEST(a_datagram_beyond_all_sizes_is_refused_and_the_socket_goes_on) {
  int64 r, s;
  char *large = calloc(1, 100000), c;
  CHECK(large);
  CHECK(has(UDP4));
  r = receiver(UDP4), s = sender(UDP4);
  CHECK_INT(io_trywrite(s, large, 100000), -3);
  CHECK_ERRNO(EMSGSIZE);
  CHECK_INT(io_trywrite(s, "x", 1), 1);
  io_wantread(r);
  l_expect_read_only(r);
  CHECK_INT(io_tryread(r, &c, 1), 1);
  free(large);
}

TEST(a_batch_beyond_all_sizes_is_refused_and_the_next_one_sent) {
  int64 r, s;
  char *large = calloc(1, 100000), c[8];
  CHECK(large);
  CHECK(has(UDP4));
  r = receiver(UDP4), s = sender(UDP4);
  CHECK_INT(iob_addbuf(&batch, large, 100000), 1);
  CHECK_INT(iob_send(s, &batch), -3);
  CHECK_ERRNO(EMSGSIZE);
  iob_reset(&batch);
  CHECK_INT(iob_adds(&batch, "hello"), 1);
  CHECK_INT(iob_send(s, &batch), 5);
  io_wantread(r);
  l_expect_read_only(r);
  CHECK_INT(io_tryread(r, c, sizeof c), 5);
  free(large);
}

TEST(of_a_datagram_that_is_read_in_part_the_rest_is_gone) {
  int which;
  for (which = 0; which < FAMILIES; which++) {
    int64 r, s;
    char c[4];
    if (!has(which)) continue;
    r = receiver(which), s = sender(which);
    io_wantread(r);
    l_put(s, "one and two");
    l_put(s, "2");
    l_expect_read_only(r);
    CHECK_INT(io_tryread(r, c, 3), 3);
    l_expect_read_only(r);
    CHECK_INT(io_tryread(r, c, 3), 1);
    CHECK_INT(c[0], '2');
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(r), io_close(s);
  }
}

/* A burst: one datagram a report, or as many as there are. */
static void burst(int one_a_report) {
  int which, i;
  for (which = 0; which < FAMILIES; which++) {
    int64 r, s, n;
    int got = 0;
    char c[2];
    if (!has(which)) continue;
    r = receiver(which), s = sender(which);
    io_wantread(r);
    for (i = 0; i < 10; i++) CHECK_INT(io_trywrite(s, (char[]){(char)('0' + i), 0}, 2), 2);
    while (got < 10) {
      CHECK_INT(l_next_read(L_PATIENCE), r);
      do {
        if ((n = io_tryread(r, c, 2)) == -1) break;
        CHECK_INT(n, 2);
        CHECK_INT(c[0], '0' + got);
        got++;
      } while (!one_a_report);
    }
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(r), io_close(s);
  }
}

TEST(datagrams_that_came_in_a_row_have_a_report_each) { burst(1); }
TEST(datagrams_that_came_in_a_row_are_read_after_one_report) { burst(0); }

TEST(many_senders_reach_one_receiver) {
  int which, i;
  for (which = 0; which < FAMILIES; which++) {
    int64 r, s[8];
    char c;
    if (!has(which)) continue;
    r = receiver(which);
    io_wantread(r);
    for (i = 0; i < 8; i++) s[i] = sender(which), l_put(s[i], "x");
    for (i = 0; i < 8; i++) {
      CHECK_INT(l_next_read(L_PATIENCE), r);
      CHECK_INT(io_tryread(r, &c, 1), 1);
      io_close(s[i]);
    }
    io_check();
    CHECK_INT(io_canread(), -1);
    io_close(r);
  }
}

/* There is no peer. That is reported in the wanted direction, once, and the socket goes on. */
static void unreachable(int by_reading) {
  int which;
  for (which = 0; which <= UDP6; which++) {
    int64 r, s;
    char c;
    if (!has(which)) continue;
    r = receiver(which);
    s = sender(which);
    io_close(r);
    l_idle();
    CHECK_INT(io_trywrite(s, "x", 1), 1);
    if (by_reading) {
      io_wantread(s);
      l_expect_read_only(s);
      CHECK_INT(io_tryread(s, &c, 1), -3);
      CHECK_ERRNO(ECONNREFUSED);
      l_check_asleep();
      CHECK_INT(io_tryread(s, &c, 1), -1);
    } else {
      l_until(s, POLLERR);
      CHECK_INT(io_trywrite(s, "x", 1), -3);
      CHECK_ERRNO(ECONNREFUSED);
      io_wantwrite(s);
      l_expect_write_only(s);
    }
    io_close(s);
  }
}

TEST(a_reader_hears_that_nobody_took_its_datagram) { unreachable(1); }
TEST(a_writer_hears_that_nobody_took_its_datagram) { unreachable(0); }

TEST(nobody_who_wants_nothing_is_woken_by_an_unreachable_peer) {
  int64 r, s;
  CHECK(has(UDP4));
  r = receiver(UDP4), s = sender(UDP4);
  io_close(r);
  l_idle();
  io_wantread(s);
  io_check();
  io_dontwantread(s);
  CHECK_INT(io_trywrite(s, "x", 1), 1);
  l_until(s, POLLERR);
  l_check_asleep();
}

TEST(a_full_datagram_socket_says_again_and_hears_of_room) {
  int64 r, s, n, sent = 0;
  char c;
  CHECK(has(UNIX_DATAGRAMS));
  r = receiver(UNIX_DATAGRAMS), s = sender(UNIX_DATAGRAMS);
  while ((n = io_trywrite(s, "x", 1)) == 1) sent++;
  CHECK_INT(n, -1);
  CHECK_ERRNO(EAGAIN);
  l_idle();
  io_wantwrite(s);
  l_check_asleep();
  while (sent-- > 0) CHECK_INT(io_tryread(r, &c, 1), 1);
  l_expect_write_only(s);
  CHECK_INT(io_trywrite(s, "x", 1), 1);
}

TEST(the_peer_of_a_datagram_socket_leaves_and_the_socket_serves_another) {
  int64 r, s, again;
  char c;
  CHECK(has(UNIX_DATAGRAMS));
  r = receiver(UNIX_DATAGRAMS), s = sender(UNIX_DATAGRAMS);
  io_close(r);
  CHECK_INT(io_trywrite(s, "x", 1), -3);
  CHECK_ERRNO(ECONNREFUSED);
  again = receiver(UNIX_DATAGRAMS);
  CHECK_INT(connect((int)s, (struct sockaddr *)&address, length), 0);
  io_wantwrite(s);
  CHECK_INT(l_next_write(L_PATIENCE), s);
  io_dontwantwrite(s);
  CHECK_INT(io_trywrite(s, "x", 1), 1);
  io_wantread(again);
  l_expect_read_only(again);
  CHECK_INT(io_tryread(again, &c, 1), 1);
}

TEST(a_datagram_socket_without_a_peer_needs_one_to_write) {
  int which;
  for (which = 0; which < FAMILIES; which++) {
    int64 d;
    if (!has(which)) continue;
    CHECK((d = socket(family(which), SOCK_DGRAM, 0)) >= 0);
    io_nonblock(d);
    CHECK_INT(io_fd(d), 1);
    CHECK_INT(io_trywrite(d, "x", 1), -3);
    CHECK(errno == EDESTADDRREQ || errno == ENOTCONN);
    CHECK_INT(iob_adds(&batch, "x"), 1);
    CHECK_INT(iob_send(d, &batch), -3);
    CHECK(errno == EDESTADDRREQ || errno == ENOTCONN);
    iob_reset(&batch);
    io_close(d);
  }
}

TEST(two_sockets_of_one_port_hear_each_their_own) {
  int64 a, b, s;
  int on = 1, i, got[2] = {0, 0};
  char c;
  CHECK(has(UDP4));
  CHECK((a = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) >= 0);
  CHECK((b = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) >= 0);
  if (setsockopt((int)a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) SKIP("this system does not share ports");
  CHECK_INT(setsockopt((int)b, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
  memset(&address, 0, sizeof address);
  ((struct sockaddr_in *)&address)->sin_family = AF_INET;
  ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  length = sizeof(struct sockaddr_in);
  CHECK_INT(bind((int)a, (struct sockaddr *)&address, length), 0);
  CHECK_INT(getsockname((int)a, (struct sockaddr *)&address, &length), 0);
  CHECK_INT(bind((int)b, (struct sockaddr *)&address, length), 0);
  l_read_event(a);
  l_read_event(b);
  for (i = 0; i < 20; i++) {
    int64 next;
    s = sender(UDP4);
    l_put(s, "x");
    CHECK((next = l_next_read(L_PATIENCE)) == a || next == b);
    CHECK_INT(io_tryread(next, &c, 1), 1);
    got[next == b]++;
    io_close(s);
  }
  CHECK_INT(got[0] + got[1], 20);
}

TEST(packets_keep_their_borders) {
  int64 d[2];
  char c[16];
  p_pair(PACKETS, d);
  io_wantread(d[0]);
  l_put(d[1], "one");
  l_put(d[1], "three");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], c, sizeof c), 3);
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], c, sizeof c), 5);
  CHECK_INT(iob_adds(&batch, "a batch "), 1);
  CHECK_INT(iob_adds(&batch, "is one"), 1);
  CHECK_INT(iob_send(d[0], &batch), 14);
  CHECK_INT(read((int)d[1], c, sizeof c), 14);
}
