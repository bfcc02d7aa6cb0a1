/* iob_send to sockets that send packets: nothing of a batch is left behind for the program's next packet. */
#include "batch.h"

#include <netinet/udp.h>

B_BATCH(b)

/* A raw socket hears what others send to the same address. */
static in_addr_t own_loopback_address(void) { return htonl(INADDR_LOOPBACK + ((in_addr_t)getpid() << 2 & 0xfffffc)); }

/* d[0] sends to d[1]; both are registered or not, as the case says. */
static void udp_pair(int family, int type, int protocol, int64 d[2]) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  address.ss_family = (sa_family_t)family;
  if (family == AF_INET) ((struct sockaddr_in *)&address)->sin_addr.s_addr = own_loopback_address();
  if (family == AF_INET6) ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
  d[0] = socket(family, type, protocol);
  d[1] = socket(family, type, protocol);
  if (d[0] < 0 || d[1] < 0) SKIP("this system has no such sockets for us");
  if (bind((int)d[1], (struct sockaddr *)&address, sizeof address) != 0) SKIP("no such loopback address here");
  CHECK_INT(getsockname((int)d[1], (struct sockaddr *)&address, &length), 0);
  CHECK_INT(connect((int)d[0], (struct sockaddr *)&address, length), 0);
}

/* Takes the next packet, which must come, and says how long it is. */
static ssize_t packet(int64 d, char *bytes, size_t size) {
  CHECK_INT(b_readable(d, 3000), 1);
  return recv((int)d, bytes, size, MSG_DONTWAIT);
}

static void check_packet(int64 d, int skipped, const char *text) {
  char bytes[65536];
  size_t n = strlen(text);
  CHECK_INT(packet(d, bytes, sizeof bytes), n + (size_t)skipped);
  CHECK(memcmp(bytes + skipped, text, n) == 0);
}

static void check_no_packet(int64 d) { CHECK_INT(b_readable(d, 0), 0); }

/* A header, and a file that cannot be sent: there is too little of it, or it is none at all. */
static void header_and_bad_file(int64 d[2], int64 bad, int skipped) {
  CHECK_INT(iob_adds(&b, "header"), 1);
  CHECK_INT(iob_addfile(&b, bad, 0, 40000), 1);
  CHECK_INT(iob_send(d[0], &b), 6);
  CHECK_INT(iob_send(d[0], &b), -3);
  iob_reset(&b);
  check_packet(d[1], skipped, "header");
  CHECK_INT(send((int)d[0], "next", 4, 0), 4);
  check_packet(d[1], skipped, "next");
  check_no_packet(d[1]);
}

static void header_and_bad_files(int family, int type, int protocol, int skipped) {
  int64 d[2], pipe_end[2];
  t_pipe(pipe_end);
  udp_pair(family, type, protocol, d);
  header_and_bad_file(d, t_tmpfile(0), skipped);
  header_and_bad_file(d, -1, skipped);
  header_and_bad_file(d, pipe_end[0], skipped);
  CHECK_INT(io_fd(d[0]), 1);
  header_and_bad_file(d, t_tmpfile(0), skipped);
}

TEST(a_header_before_a_bad_file_is_a_packet_of_its_own_over_udp) {
  header_and_bad_files(AF_INET, SOCK_DGRAM, 0, 0);
}

TEST(a_header_before_a_bad_file_is_a_packet_of_its_own_over_udp_of_ipv6) {
  header_and_bad_files(AF_INET6, SOCK_DGRAM, 0, 0);
}

TEST(a_header_before_a_bad_file_is_a_packet_of_its_own_over_a_raw_socket) {
  header_and_bad_files(AF_INET, SOCK_RAW, 253, 20);
}

TEST(a_header_before_a_bad_file_is_a_packet_of_its_own_over_a_unix_socket) {
  int64 d[2];
  int p[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
  d[0] = p[0], d[1] = p[1];
  header_and_bad_file(d, t_tmpfile(0), 0);
  header_and_bad_file(d, -1, 0);
}

/* promise: Targets of a batch */
TEST(a_header_and_a_file_are_one_packet) {
  static const int64 sizes[] = {100, 16384, 16385, 40000};
  int64 d[2];
  int i;
  for (i = 0; i < 4; i++) {
    char bytes[65536];
    int64 f = t_tmpfile(sizes[i]);
    if (t_portable() && sizes[i] > 16384) break; /* no send can say that more follows */
    udp_pair(AF_INET, SOCK_DGRAM, 0, d);
    CHECK_INT(iob_adds(&b, "header"), 1);
    CHECK_INT(iob_addfile_close(&b, f, 0, (uint64)sizes[i]), 1);
    CHECK_INT(iob_send(d[0], &b), 6 + sizes[i]);
    CHECK_INT(packet(d[1], bytes, sizeof bytes), 6 + sizes[i]);
    b_check_file(bytes + 6, 0, (uint64)sizes[i]);
    check_no_packet(d[1]);
  }
}

/* Of a datagram that cannot be sent nothing is counted as sent, and the next one is as it should be. */
static void check_refused(int64 d[2], int error, uint64 n) {
  CHECK_INT(iob_bytesleft(&b), n);
  CHECK_INT(iob_send(d[0], &b), error == EAGAIN ? -1 : -3);
  CHECK_ERRNO(error);
  CHECK_INT(iob_bytesleft(&b), n);
  CHECK_INT(send((int)d[0], "next", 4, 0), 4);
  check_packet(d[1], 0, "next");
  check_no_packet(d[1]);
}

/* A large file is another datagram than what stands before it where no send can say that more follows. */
static void need_more(void) {
  if (t_portable()) SKIP("the portable build cannot say that more follows");
}

static void too_long(int family) {
  /* Together; alone; so that the kernel does not even look at what it holds; in two parts. */
  static const int64 sizes[] = {65505, 65520, 65536, 100000};
  static char bytes[70000];
  int64 d[2];
  int i;
  need_more();
  udp_pair(family, SOCK_DGRAM, 0, d);
  for (i = 0; i < 4; i++) {
    CHECK_INT(iob_adds(&b, "a header of forty bytes, in case of IPv6"), 1);
    CHECK_INT(iob_addfile_close(&b, t_tmpfile(sizes[i]), 0, (uint64)sizes[i]), 1);
    check_refused(d, EMSGSIZE, 40 + (uint64)sizes[i]);
    iob_reset(&b);
  }
  for (i = 0; i < 1500; i++) CHECK_INT(iob_addbuf(&b, bytes + i, 60), 1);
  check_refused(d, EMSGSIZE, 90000);
  iob_reset(&b);
}

/* promise: Targets of a batch */
TEST(of_a_datagram_that_is_too_long_no_part_counts_as_sent) { too_long(AF_INET); }

TEST(of_a_datagram_of_ipv6_that_is_too_long_no_part_counts_as_sent) { too_long(AF_INET6); }

TEST(a_datagram_that_is_too_long_does_not_take_the_one_before_with_it) {
  char bytes[1000];
  int64 d[2], f = t_tmpfile(100);
  need_more();
  udp_pair(AF_INET, SOCK_DGRAM, 0, d);
  CHECK_INT(iob_addfile(&b, f, 0, 100), 1);
  CHECK_INT(iob_adds(&b, "header"), 1);
  CHECK_INT(iob_addfile_close(&b, t_tmpfile(65505), 0, 65505), 1);
  CHECK_INT(iob_send(d[0], &b), 100);
  CHECK_INT(packet(d[1], bytes, sizeof bytes), 100);
  check_refused(d, EMSGSIZE, 65511);
  iob_reset(&b);
}

static int let_go;

static void count_let_go(iob_entry *e) {
  (void)e;
  let_go++;
}

TEST(autofree_keeps_what_was_not_sent_after_all) {
  int64 d[2];
  need_more();
  udp_pair(AF_INET, SOCK_DGRAM, 0, d);
  iob_init_autofree(&b, 0);
  CHECK_INT(iob_addbuf_internal(&b, "header", 6, count_let_go), 1);
  CHECK_INT(iob_addfile_close(&b, t_tmpfile(65505), 0, 65505), 1);
  check_refused(d, EMSGSIZE, 65511);
  CHECK_INT(let_go, 0);
  iob_reset(&b);
  CHECK_INT(let_go, 1);
}

TEST(a_socket_that_the_program_corks_stays_corked) {
  int64 d[2];
  int on = 1, off = 0;
  udp_pair(AF_INET, SOCK_DGRAM, 0, d);
  CHECK_INT(setsockopt((int)d[0], IPPROTO_UDP, UDP_CORK, &on, sizeof on), 0);
  CHECK_INT(iob_adds(&b, "one "), 1);
  CHECK_INT(iob_addfile(&b, -1, 0, 40000), 1);
  CHECK_INT(iob_send(d[0], &b), 4);
  iob_reset(&b);
  CHECK_INT(iob_adds(&b, "two"), 1);
  CHECK_INT(iob_send(d[0], &b), 3);
  check_no_packet(d[1]);
  CHECK_INT(setsockopt((int)d[0], IPPROTO_UDP, UDP_CORK, &off, sizeof off), 0);
  check_packet(d[1], 0, "one two");
}
