/* Connecting and accepting: refused, pending, given up, too many at once. After the scenarios of other event loops, see
 * docs/peers.md. */
#include "peers.h"

static struct sockaddr_storage address;
static socklen_t length;

static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
enum { FAMILIES = 3, CLIENTS = 40 };

static int has(int family) {
  snprintf(p_row, sizeof p_row, "family %d", family);
  return family != AF_INET6 || p_has(TCP6);
}

static int64 client(int family) {
  int64 d = socket(family, SOCK_STREAM, 0);
  CHECK(d >= 0);
  io_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  return d;
}

static int begin(int64 d) { return connect((int)d, (struct sockaddr *)&address, length); }

static int pending_error(int64 d) {
  int error = -1;
  socklen_t n = sizeof error;
  CHECK_INT(getsockopt((int)d, SOL_SOCKET, SO_ERROR, &error, &n), 0);
  return error;
}

static int64 listener(int family) {
  int64 d = p_listen(family, SOCK_STREAM, &address, &length);
  io_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  return d;
}

static int64 accept_one(int64 l) {
  int64 d = accept((int)l, NULL, NULL);
  CHECK(d >= 0);
  io_nonblock(d);
  CHECK_INT(io_fd(d), 1);
  return d;
}

/* An address where nobody listens. */
static void nobody(int family) { CHECK_INT(close((int)p_listen(family, SOCK_STREAM, &address, &length)), 0); }

enum { READ = 1, WRITE = 2 };

static void want(int64 d, int wanted) {
  if (wanted & READ) io_wantread(d);
  if (wanted & WRITE) io_wantwrite(d);
}

/* Each row: a refused connection is reported in each wanted direction, and the kernel says why. */
static void refused(int wanted, int before) {
  int i;
  char c;
  for (i = 0; i < 2; i++) { /* a unix socket is refused in the call itself */
    int64 d;
    if (!has(families[i])) continue;
    nobody(families[i]);
    d = client(families[i]);
    if (before) want(d, wanted);
    if (begin(d) == 0 || errno != EINPROGRESS) SKIP("this system refuses at once");
    if (!before) want(d, wanted);
    if (wanted & WRITE) CHECK_INT(l_next_write(L_PATIENCE), d);
    else CHECK_INT(l_next_read(L_PATIENCE), d);
    CHECK_INT(pending_error(d), ECONNREFUSED);
    CHECK_INT(pending_error(d), 0);
    CHECK(io_tryread(d, &c, 1) <= 0);
    CHECK_INT(io_trywrite(d, "x", 1), -3);
    CHECK_ERRNO(EPIPE);
    io_close(d);
  }
}

TEST(a_refused_connection_is_heard_by_who_wants_to_write) { refused(WRITE, 0); }
TEST(a_refused_connection_is_heard_by_who_wants_to_read) { refused(READ, 0); }
TEST(a_refused_connection_is_heard_by_who_wants_both) { refused(READ | WRITE, 0); }

TEST(a_refused_connection_fails_the_first_write_with_its_reason) {
  int i;
  for (i = 0; i < 2; i++) {
    int64 d;
    if (!has(families[i])) continue;
    nobody(families[i]);
    d = client(families[i]);
    begin(d);
    io_wantwrite(d);
    CHECK_INT(l_next_write(L_PATIENCE), d);
    CHECK_INT(io_trywrite(d, "x", 1), -3);
    CHECK_ERRNO(ECONNREFUSED);
    io_close(d);
  }
}

TEST(a_refused_connection_fails_the_first_batch_with_its_reason) {
  int i;
  for (i = 0; i < 2; i++) {
    int64 d;
    static io_batch b;
    if (!has(families[i])) continue;
    nobody(families[i]);
    d = client(families[i]);
    CHECK_INT(iob_adds(&b, "hello"), 1);
    begin(d);
    io_wantwrite(d);
    CHECK_INT(l_next_write(L_PATIENCE), d);
    CHECK_INT(iob_send(d, &b), -3);
    CHECK_ERRNO(ECONNREFUSED);
    CHECK_INT(iob_bytesleft(&b), 5);
    iob_reset(&b);
    io_close(d);
  }
}

TEST(a_refused_connection_that_is_tried_again_succeeds) {
  int i;
  for (i = 0; i < 2; i++) {
    int64 d, l;
    int on = 1;
    if (!has(families[i])) continue;
    nobody(families[i]);
    d = client(families[i]);
    begin(d);
    io_wantwrite(d);
    CHECK_INT(l_next_write(L_PATIENCE), d);
    CHECK_INT(pending_error(d), ECONNREFUSED);
    io_close(d);
    CHECK((l = socket(families[i], SOCK_STREAM, 0)) >= 0);
    CHECK_INT(setsockopt((int)l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (bind((int)l, (struct sockaddr *)&address, length) != 0) SKIP("another program has the port now");
    CHECK_INT(listen((int)l, 1), 0);
    d = client(families[i]);
    begin(d);
    io_wantwrite(d);
    CHECK_INT(l_next_write(L_PATIENCE), d);
    CHECK_INT(pending_error(d), 0);
    CHECK_INT(io_trywrite(d, "x", 1), 1);
    io_close(d);
    CHECK_INT(close((int)l), 0);
  }
}

TEST(a_unix_path_without_a_listener_is_refused_in_the_call) {
  int64 d = client(AF_UNIX);
  nobody(AF_UNIX);
  CHECK_INT(begin(d), -1);
  CHECK_ERRNO(ECONNREFUSED);
  io_wantwrite(d);
  CHECK_INT(l_next_write(L_PATIENCE), d); /* a socket that is not connected has hung up */
  CHECK_INT(io_trywrite(d, "x", 1), -3);
  CHECK_ERRNO(ENOTCONN);
}

/* A connection that succeeds. */
static void connects(int wanted) {
  int i;
  for (i = 0; i < FAMILIES; i++) {
    int64 l, d, s;
    char c;
    if (!has(families[i])) continue;
    l = listener(families[i]);
    d = client(families[i]);
    if (begin(d) != 0) CHECK_ERRNO(EINPROGRESS);
    want(d, wanted);
    if (wanted & WRITE) {
      CHECK_INT(l_next_write(L_PATIENCE), d);
      CHECK_INT(pending_error(d), 0);
    }
    io_check();
    CHECK_INT(io_canread(), -1);
    io_dontwantwrite(d);
    io_wantread(l);
    l_expect_read_only(l);
    s = accept_one(l);
    l_put(s, "x");
    io_wantread(d);
    CHECK_INT(l_next_read(L_PATIENCE), d);
    CHECK_INT(io_tryread(d, &c, 1), 1);
    io_close(d), io_close(s), io_close(l);
  }
}

TEST(a_connection_is_heard_by_who_wants_to_write) { connects(WRITE); }
TEST(a_connection_is_not_readable_before_data_comes) { connects(READ); }
TEST(a_connection_is_writable_and_not_readable) { connects(READ | WRITE); }

TEST(what_is_written_while_connecting_says_again_and_goes_out_afterwards) {
  int i;
  for (i = 0; i < 2; i++) {
    int64 l, d, s, r;
    char c;
    if (!has(families[i])) continue;
    l = listener(families[i]);
    d = client(families[i]);
    begin(d);
    r = io_trywrite(d, "x", 1);
    CHECK(r == 1 || (r == -1 && errno == EAGAIN));
    io_wantwrite(d);
    CHECK_INT(l_next_write(L_PATIENCE), d);
    if (r != 1) CHECK_INT(io_trywrite(d, "x", 1), 1);
    l_until(l, POLLIN);
    s = accept_one(l);
    io_wantread(s);
    CHECK_INT(l_next_read(L_PATIENCE), s);
    CHECK_INT(io_tryread(s, &c, 1), 1);
    io_close(d), io_close(s), io_close(l);
  }
}

/* A connection that cannot be finished, because the queue of the listener is full: it may be given up. */
static void given_up(int by_timer) {
  int64 l = p_listen(AF_UNIX, SOCK_STREAM, &address, &length), d[CLIENTS];
  struct sockaddr_storage tcp;
  socklen_t n;
  int i, pending = -1;
  io_close(l);
  l = p_listen(AF_INET, SOCK_STREAM, &tcp, &n);
  CHECK_INT(listen((int)l, 0), 0);
  address = tcp, length = n;
  for (i = 0; i < 8; i++) {
    d[i] = client(AF_INET);
    begin(d[i]);
    io_wantwrite(d[i]);
  }
  for (i = 0; i < 20; i++) {
    int64 w;
    io_waituntil2(10);
    while ((w = io_canwrite()) != -1) io_dontwantwrite(w);
  }
  for (i = 0; i < 8; i++) {
    struct pollfd p = {.fd = (int)d[i], .events = POLLOUT};
    if (poll(&p, 1, 0) == 0) pending = i;
  }
  if (pending == -1) SKIP("this system has no limit for connections that wait");
  if (by_timer) {
    int64 expired;
    io_timeout(d[pending], l_in_ms(30));
    while ((expired = io_timeouted()) == -1) io_waituntil2(L_PATIENCE);
    CHECK_INT(expired, d[pending]);
    CHECK_INT(io_trywritetimeout(d[pending], "x", 1), -2);
    CHECK_ERRNO(ETIMEDOUT);
  }
  io_close(d[pending]);
  io_check();
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_timeouted(), -1);
}

TEST(a_connection_that_does_not_come_is_given_up_at_its_deadline) { given_up(1); }
TEST(a_connection_that_does_not_come_is_closed_and_never_heard_of) { given_up(0); }

TEST(a_connection_that_is_closed_at_once_is_never_heard_of) {
  int i, round;
  for (i = 0; i < FAMILIES; i++) {
    int64 l;
    if (!has(families[i])) continue;
    l = listener(families[i]);
    for (round = 0; round < 10; round++) {
      int64 d = client(families[i]);
      begin(d);
      io_wantread(d);
      io_wantwrite(d);
      io_close(d);
      io_check();
      CHECK_INT(io_canwrite(), -1);
      CHECK_INT(io_canread(), -1);
    }
    io_close(l);
  }
}

TEST(a_client_that_leaves_before_it_is_accepted_is_accepted_and_has_ended) {
  int i;
  for (i = 0; i < FAMILIES; i++) {
    int64 l, d, s;
    char buf[8];
    if (!has(families[i])) continue;
    l = listener(families[i]);
    CHECK((d = socket(families[i], SOCK_STREAM, 0)) >= 0);
    CHECK_INT(begin(d), 0);
    l_put(d, "bye");
    CHECK_INT(close((int)d), 0);
    io_wantread(l);
    l_expect_read_only(l);
    s = accept_one(l);
    io_wantread(s);
    CHECK_INT(l_next_read(L_PATIENCE), s);
    CHECK_INT(io_tryread(s, buf, sizeof buf), 3);
    CHECK_INT(l_next_read(L_PATIENCE), s);
    CHECK_INT(io_tryread(s, buf, sizeof buf), 0);
    io_close(s), io_close(l);
  }
}

/* One accept a report: the others are reported again. */
static void many_clients(int all_at_once) {
  int i, n;
  for (i = 0; i < FAMILIES; i++) {
    int64 l, d[16];
    if (!has(families[i])) continue;
    l = listener(families[i]);
    for (n = 0; n < 10; n++) {
      d[n] = client(families[i]);
      CHECK(begin(d[n]) == 0 || errno == EINPROGRESS);
    }
    io_wantread(l);
    for (n = 0; n < 10;) {
      CHECK_INT(l_next_read(L_PATIENCE), l);
      do {
        int64 s = accept((int)l, NULL, NULL);
        if (s == -1) {
          CHECK(errno == EAGAIN && all_at_once);
          io_eagain_read(l);
          break;
        }
        CHECK_INT(close((int)s), 0);
        n++;
      } while (all_at_once);
    }
    io_check();
    CHECK_INT(io_canread(), -1);
    for (n = 0; n < 10; n++) io_close(d[n]);
    io_close(l);
  }
}

TEST(each_accepted_connection_has_a_report) { many_clients(0); }
TEST(all_connections_are_accepted_after_one_report) { many_clients(1); }

TEST(a_listener_that_pauses_hears_of_who_came_meanwhile) {
  int i;
  for (i = 0; i < FAMILIES; i++) {
    int64 l, d;
    if (!has(families[i])) continue;
    l = listener(families[i]);
    l_idle();
    io_wantread(l);
    io_check();
    io_dontwantread(l);
    d = client(families[i]);
    begin(d);
    l_check_asleep();
    io_wantread(l);
    l_expect_read_only(l);
    l_expect_read_only(l);
    io_close(d), io_close(l);
  }
}

TEST(a_closed_listener_turns_away_who_was_not_accepted) {
  int64 l = listener(AF_INET), d = client(AF_INET);
  char c;
  begin(d);
  io_wantwrite(d);
  CHECK_INT(l_next_write(L_PATIENCE), d);
  io_dontwantwrite(d);
  io_wantread(l);
  io_wantread(d);
  l_until(l, POLLIN);
  io_close(l);
  l_expect_read_only(d);
  CHECK_INT(io_tryread(d, &c, 1), -3);
  CHECK_ERRNO(ECONNRESET);
}

TEST(a_listener_that_a_handler_closes_is_not_heard_of_again) {
  int64 l = listener(AF_INET), d[3];
  int i;
  io_wantread(l);
  for (i = 0; i < 3; i++) d[i] = client(AF_INET), begin(d[i]);
  l_expect_read_only(l);
  accept_one(l);
  io_close(l);
  io_check();
  CHECK_INT(io_canread(), -1);
}

/* No number is left for the next connection: the listener stays ready, and the rest of the loop goes on. */
TEST(without_a_number_left_the_rest_goes_on_and_the_connection_is_accepted_later) {
  int64 l = listener(AF_INET), d = client(AF_INET), other[2];
  struct rlimit limit, none;
  int top, heard = 0, waited, turns;
  char c;
  l_pipe(other, 1);
  io_wantread(l);
  begin(d);
  l_until(l, POLLIN);
  l_put(other[1], "x");
  io_check();
  while (io_canread() != -1) {}
  CHECK((top = dup(0)) >= 0);
  close(top);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = (rlim_t)top;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (turns = 0; turns < 10 || !heard; turns++) {
    int64 next;
    CHECK(turns < 100);
    io_waituntil2(L_PATIENCE);
    while ((next = io_canread()) != -1) {
      if (next == other[0]) heard += io_tryread(next, &c, 1) == 1;
      else CHECK_INT(accept((int)l, NULL, NULL), -1);
    }
  }
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (waited = 0; io_canread() != l; waited++) {
    CHECK(waited < 100);
    io_waituntil2(L_PATIENCE);
  }
  io_close(accept_one(l));
}

static void cannot_be_read_or_written(int64 (*made)(int family)) {
  int i;
  char c;
  for (i = 0; i < FAMILIES; i++) {
    int64 d;
    if (!has(families[i])) continue;
    d = made(families[i]);
    CHECK_INT(io_tryread(d, &c, 1), -3);
    CHECK_INT(io_trywrite(d, "x", 1), -3);
    CHECK(errno == EPIPE || errno == ENOTCONN);
    io_close(d);
  }
}

TEST(a_socket_that_was_not_connected_cannot_be_read_or_written) { cannot_be_read_or_written(client); }
TEST(a_listener_cannot_be_read_or_written) { cannot_be_read_or_written(listener); }

/* Two listeners on one address and one port: each connection goes to one of them, none is lost. */
TEST(listeners_that_share_a_port_accept_everybody_between_them) {
  int64 l[2], next;
  int i, on = 1, accepted = 0;
  for (i = 0; i < 2; i++) {
    CHECK((l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
    if (setsockopt((int)l[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) SKIP("this system does not share ports");
    if (i == 0) {
      struct sockaddr_in *in = (struct sockaddr_in *)&address;
      memset(&address, 0, sizeof address);
      in->sin_family = AF_INET;
      in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      length = sizeof *in;
    }
    CHECK_INT(bind((int)l[i], (struct sockaddr *)&address, length), 0);
    CHECK_INT(getsockname((int)l[i], (struct sockaddr *)&address, &length), 0);
    CHECK_INT(listen((int)l[i], CLIENTS), 0);
    l_read_event(l[i]);
  }
  for (i = 0; i < CLIENTS; i++) begin(client(AF_INET));
  while (accepted < CLIENTS) {
    CHECK((next = l_next_read(L_PATIENCE)) != -1);
    CHECK(next == l[0] || next == l[1]);
    CHECK_INT(close(accept((int)next, NULL, NULL)), 0);
    accepted++;
  }
  io_check();
  CHECK_INT(io_canread(), -1);
}
