/* iob_send when each system call and each allocation in it fails or falls short: nothing lost, nothing sent twice,
 * nothing released early or twice. */
#include "faults/names.h"

#include "delivery.h"

static int64 source, peer;
static uint64 received;

static int64 sends(io_batch *b) { return iob_send(source, b); }

/* Reads all that has been sent, and finds no more than that. */
static void arrives(uint64 sent) {
  char *got = b_read(peer, sent - received);
  CHECK(memcmp(got, d.image + received, sent - received) == 0);
  free(got);
  CHECK_INT(b_readable(peer, 0), 0);
  received = sent;
}

static void ends(void) { received = 0; }

static const struct way way = {NULL, sends, arrives, ends};

static void take(const int64 pair[2], int from) {
  int size = 1 << 20;
  source = pair[from];
  peer = pair[!from];
  b_nonblock(source);
  CHECK_INT(io_fd(source), 1);
  /* Fails for a pipe, which has no such number. */
  setsockopt((int)source, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  fault.out = source;
}

static void give(void) {
  io_close(source);
  CHECK_INT(close((int)peer), 0);
}

static void one_pair(const struct piece *pieces, const int64 pair[2], int from) {
  int autofree;
  take(pair, from);
  for (autofree = 0; autofree < 2; autofree++) walk(pieces, autofree, &way);
  give();
}

#define REACHED(...)                                                                           \
  do {                                                                                         \
    const enum fault_kind kinds[] = {__VA_ARGS__};                                             \
    CHECK(any_reached(kinds, sizeof kinds / sizeof *kinds));                                   \
  } while (0)

/* Whether a call of one of the kinds was made to fail. */
static int any_reached(const enum fault_kind *kinds, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    if (reached[kinds[i]]) return 1;
  }
  return 0;
}

static int has(const struct piece *p, enum piece_kind kind) {
  while (p->kind != LAST && p->kind != kind) p++;
  return p->kind == kind;
}

/* Through which functions the bytes go is the library's affair; but it may not be one that never failed. For valgrind,
 * which takes its time, one kind of socket is as good as two. */
static void everywhere(const struct piece *pieces) {
  int64 pair[2];
  int way;
  for (way = t_under_valgrind(); way < 3; way++) {
    memset(reached, 0, sizeof reached);
    if (way == 0) t_unix_pair(pair);
    if (way == 1) t_tcp_pair(pair);
    if (way == 2) t_pipe(pair);
    one_pair(pieces, pair, way == 2);
    if (pieces->kind < FILE_LENT && way < 2) REACHED(FAULT_SENDMSG, FAULT_SEND);
    if (pieces->kind < FILE_LENT && way == 2) REACHED(FAULT_WRITEV, FAULT_WRITE);
    if (has(pieces, FILE_CLOSED) || has(pieces, PROC_CLOSED)) {
      REACHED(FAULT_SENDFILE, FAULT_PREAD, FAULT_READ);
      REACHED(FAULT_CLOSE);
    }
    if (has(pieces, MAPPED)) REACHED(FAULT_MUNMAP);
  }
}

TEST(iob_send_of_borrowed_buffers_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 10, 0, 0}, {BORROWED, 6000, 0, 0}, {BORROWED, 3, 0, 0}, {0}};
  everywhere(pieces);
}

TEST(iob_send_of_owned_buffers_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {
      {FREED, 5, 0, 0}, {FREED, 9000, 0, 0}, {MAPPED, 5000, 0, 0}, {FREED, 700, 0, 0}, {MAPPED, 1, 0, 0}, {0}};
  everywhere(pieces);
}

TEST(iob_send_of_a_header_and_a_small_file_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{FREED, 200, 0, 0}, {FILE_CLOSED, 300, 77, 0}, {0}};
  everywhere(pieces);
}

/* promise: Every byte once */
TEST(iob_send_of_a_header_and_a_file_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 200, 0, 0}, {FILE_CLOSED, 30000, 5, 0}, {0}};
  everywhere(pieces);
}

TEST(iob_send_of_a_single_file_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{FILE_CLOSED, 5000, 0, 0}, {0}};
  everywhere(pieces);
}

/* A multi-range answer. */
TEST(iob_send_of_ranges_of_one_file_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{LENT, 40, 0, 0},   {FILE_LENT, 6000, 100, 0},     {LENT, 40, 0, 0},
                                        {BORROWED, 7, 0, 0}, {FILE_CLOSED, 7000, 20000, 0}, {FREED, 30, 0, 0},
                                        {MAPPED, 4096, 0, 0}, {BORROWED, 2, 0, 0},           {0}};
  everywhere(pieces);
}

TEST(iob_send_of_more_pieces_than_one_call_takes_passes_on_each_fault) {
  static const struct piece pieces[] = {
      {FREED, 100, 0, 0}, {BORROWED, 3, 0, 1500}, {FILE_CLOSED, 1000, 0, 0}, {MAPPED, 100, 0, 0}, {0}};
  everywhere(pieces);
}

TEST(iob_send_of_large_pieces_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 300, 0, 0},       {FREED, 65536, 0, 0},  {MAPPED, 65536, 0, 0},
                                        {FILE_CLOSED, 120000, 9, 0}, {FREED, 65000, 0, 0}, {0}};
  everywhere(pieces);
}

/* Older kernels refuse to send it. */
TEST(iob_send_of_a_file_without_a_page_cache_passes_on_each_fault) {
  static const struct piece pieces[] = {{BORROWED, 20, 0, 0}, {PROC_CLOSED, 0, 3, 0}, {BORROWED, 20, 0, 0}, {0}};
  everywhere(pieces);
}

TEST(iob_send_of_a_file_that_is_copied_in_pieces_passes_on_each_fault) {
  static const struct piece pieces[] = {
      {BORROWED, 200, 0, 0}, {FILE_CLOSED, 50000, 5, 0}, {FREED, 10, 0, 0}, {0}};
  fault.refused[FAULT_SENDFILE] = EINVAL;
  everywhere(pieces);
}

TEST(the_first_iob_send_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 20, 0, 0}, {FILE_CLOSED, 2000, 5, 0}, {0}};
  int64 pair[2];
  start_cold();
  t_tcp_pair(pair);
  one_pair(pieces, pair, 0);
  REACHED(FAULT_SENDMSG, FAULT_SEND);
}
