/* iob_write and iob_write2 when each answer of the filter, each system call and each allocation fails or falls short:
 * the filter sees every byte once, and again at the same address what it did not take. */
#include "faults/names.h"

#include "delivery.h"

/* Nothing is open under it. */
static const int64 target = 77;

/* What the filter left, if it has to be offered again at that address; `n` is 0 if the number of bytes may differ. */
static struct { const char *at; uint64 n; } again;

/* The filter takes nothing when it is first offered something, as TLS that has to read first. */
static int hesitates;

static int64 not_yet(void) {
  errno = EAGAIN;
  fault.ended_with[EAGAIN] = 1;
  return -1;
}

/* The filter has not taken all, so it must not be called again in the same call of the library. */
static int stopped;

/* How much of n bytes is taken, as the rule says; below 0 it is the answer. */
static int64 answer(enum fault_kind kind, uint64 n) {
  size_t taken = n;
  int hit = fault.hit, due = fault_due(kind, &taken);
  if (due < 0) return -1;
  if (due == 0) return 0;
  if (fault.hit > hit && fault.last == FAULT_MINUS_3) {
    errno = EIO;
    fault.ended_with[EIO] = 1;
    return -3;
  }
  if (fault.hit == hit && hesitates && !again.at) return not_yet();
  fault.moved += taken;
  return fault.hit > hit && fault.last == FAULT_MORE ? INT64_MAX : (int64)taken;
}

static int64 take(enum fault_kind kind, uint64 n) {
  int64 r = answer(kind, n);
  CHECK(!stopped);
  stopped = r < (int64)n;
  return r;
}

static void check_offer(int64 s, const char *bytes, uint64 n) {
  CHECK_INT(s, target);
  CHECK(n > 0 && n <= d.total - fault.moved);
  CHECK(memcmp(bytes, d.image + fault.moved, n) == 0);
}

static int64 filter(int64 s, const void *bytes, uint64 n) {
  int64 r;
  check_offer(s, bytes, n);
  /* Without memory to keep them, or knowledge of whose they are, the bytes are offered at another address. */
  if (again.at && !(fault.hit && (fault.kind == FAULT_ALLOC || fault.kind == FAULT_FSTAT))) {
    CHECK(again.at == bytes);
    if (again.n) CHECK_INT(n, again.n);
  }
  r = take(FAULT_CALLBACK, n);
  again.at = NULL;
  if (r == -1 && errno == EAGAIN) {
    again.at = bytes;
    again.n = n;
  } else if (r >= 0 && (uint64)r < n) {
    again.at = (const char *)bytes + r;
    again.n = 0;
  }
  return r;
}

static int64 sends_file(int64 s, int64 fd, uint64 off, uint64 n, io_write_callback cb) {
  static char bytes[FILE_SIZE];
  ssize_t got;
  CHECK(cb == filter);
  fault.armed = 0;
  got = pread((int)fd, bytes, sizeof bytes, (off_t)off);
  fault.armed = 1;
  CHECK(got >= 0 && n <= (uint64)got);
  check_offer(s, bytes, n);
  return take(FAULT_FILE_CALLBACK, n);
}

static int64 writes(io_batch *b) { return iob_write(target, b, filter); }
static int64 writes2(io_batch *b) { return iob_write2(target, b, filter, sends_file); }

/* Stands where memory of the library's was that it should have kept. */
static void *displacing;

static void displace(void) {
  stopped = 0;
  free(displacing);
  displacing = again.at && again.n ? malloc(again.n) : NULL;
}

static void ends(void) {
  again.at = NULL;
  displace();
}

/* The filter has looked at the bytes itself. */
static void arrives(uint64 sent) {
  CHECK_INT(sent, fault.moved);
  displace();
}

static const struct way filtered = {NULL, writes, arrives, ends}, with_files = {NULL, writes2, arrives, ends};

static void both(const struct piece *pieces, const struct way *way) {
  int autofree;
  for (autofree = 0; autofree < 2; autofree++) walk(pieces, autofree, way);
}

TEST(iob_write_of_buffers_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 10, 0, 0}, {FREED, 6000, 0, 0},  {MAPPED, 5000, 0, 0},
                                        {BORROWED, 3, 0, 20}, {FREED, 1, 0, 0}, {0}};
  both(pieces, &filtered);
  CHECK(reached[FAULT_CALLBACK] > 0 && reached[FAULT_MUNMAP] > 0);
}

TEST(iob_write_of_buffers_and_files_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{LENT, 40, 0, 0},           {FILE_LENT, 70000, 65000, 0}, {LENT, 40, 0, 0},
                                        {FILE_CLOSED, 700, 0, 0}, {FREED, 30, 0, 0},            {BORROWED, 2, 0, 0},
                                        {0}};
  both(pieces, &filtered);
  CHECK(reached[FAULT_CALLBACK] > 0 && reached[FAULT_CLOSE] > 0);
  CHECK(reached[FAULT_PREAD] + reached[FAULT_READ] > 0);
}

TEST(iob_write_with_a_filter_that_says_again_passes_on_each_fault) {
  static const struct piece pieces[] = {{BORROWED, 200, 0, 0}, {FILE_CLOSED, 150000, 5, 0}, {FREED, 10, 0, 0}, {0}};
  hesitates = 1;
  both(pieces, &filtered);
  CHECK(reached[FAULT_CALLBACK] > 0 && reached[FAULT_CLOSE] > 0);
  CHECK(reached[FAULT_PREAD] + reached[FAULT_READ] > 0);
}

TEST(the_first_iob_write_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{FREED, 200, 0, 0}, {FILE_CLOSED, 70000, 5, 0}, {0}};
  start_cold();
  hesitates = 1;
  both(pieces, &filtered);
  CHECK(reached[FAULT_CALLBACK] > 0 && reached[FAULT_ALLOC] > 0);
}

TEST(iob_write2_passes_on_each_fault_and_loses_nothing) {
  static const struct piece pieces[] = {{BORROWED, 200, 0, 0}, {FILE_CLOSED, 150000, 5, 0}, {FREED, 10, 0, 0},
                                        {FILE_CLOSED, 1, 9, 0}, {0}};
  both(pieces, &with_files);
  CHECK(reached[FAULT_CALLBACK] > 0 && reached[FAULT_FILE_CALLBACK] > 0 && reached[FAULT_CLOSE] > 0);
}

/* Of io_sendfile and io_mmapwritefile. */
static struct { int64 (*call)(uint64 done); int64 f; uint64 off; int end_is_an_error; } one;
static int64 out, peer;

static int64 sendfile_rest(uint64 done) { return io_sendfile(out, one.f, one.off + done, d.total - done); }
static int64 feed_rest(uint64 done) {
  return io_mmapwritefile(target, one.f, one.off + done, d.total - done, filter);
}

static int file_once(int give_up) {
  int calls = 0, was_hit;
  int64 r = 1;
  if (cold && fault_apart(&was_hit)) return was_hit;
  while (fault.moved < d.total && !(give_up && fault.hit && (r <= 0 || !fault.for_ever))) {
    uint64 moved = fault.moved;
    int hit = fault.hit, e, end;
    CHECK(++calls < 1000);
    memset(fault.ended_with, 0, sizeof fault.ended_with);
    fault.armed = 1;
    r = one.call(moved);
    e = errno;
    fault.armed = 0;
    hit = fault.hit > hit;
    displace();
    end = hit && fault.last == FAULT_END && (fault.kind >= FAULT_CALLBACK || !one.end_is_an_error);
    check_answer(r, e, fault.moved - moved, hit, end);
    if (one.call == sendfile_rest && fault.moved > moved) {
      char *got = b_read(peer, fault.moved - moved);
      CHECK(memcmp(got, d.image + moved, fault.moved - moved) == 0);
      free(got);
    }
  }
  if (fault.moved == d.total) CHECK_INT(one.call(d.total), 0);
  if (one.call == sendfile_rest) CHECK_INT(b_readable(peer, 0), 0);
  /* What is kept for a retry of io_mmapwritefile is dropped. */
  io_close(target);
  ends();
  return delivered();
}

static int one_file(int give_up) {
  int hit = file_once(give_up);
  long live;
  if (to_be_repeated(&live)) {
    file_once(give_up);
    CHECK_INT(fault.live, live);
  }
  return hit;
}

static void walk_file(int64 f, uint64 off, size_t n) {
  size_t i;
  ssize_t got = pread((int)f, d.image, n, (off_t)off);
  CHECK(got > 0);
  d.total = (uint64)got;
  one.f = f;
  one.off = off;
  t_story = fault_tell;
  for (i = 0; i < sizeof fault_cases / sizeof *fault_cases; i++) {
    const struct fault_case *c = fault_cases + i;
    long k;
    for (k = 1;; k++) {
      CHECK(k < 1000);
      set_rule(c, k, 0);
      if (!one_file(0)) break;
      set_rule(c, k, 1);
      CHECK(one_file(1));
      reached[c->kind]++;
    }
  }
}

static void walk_pairs(int64 f, uint64 off, size_t n) {
  int64 pair[2];
  int kind;
  one.call = sendfile_rest;
  for (kind = 0; kind < 3; kind++) {
    if (kind == 0) t_unix_pair(pair);
    if (kind == 1) t_tcp_pair(pair);
    if (kind == 2) t_pipe(pair);
    fault.out = out = pair[kind == 2];
    peer = pair[kind != 2];
    b_nonblock(out);
    walk_file(f, off, n);
  }
}

/* promise: io_sendfile */
TEST(io_sendfile_passes_on_each_fault_and_loses_nothing) {
  walk_pairs(t_tmpfile(FILE_SIZE), 7, 50000);
  CHECK(t_portable() || reached[FAULT_SENDFILE] > 0);
}

TEST(io_sendfile_that_copies_passes_on_each_fault_and_loses_nothing) {
  walk_pairs(open("/proc/version", O_RDONLY), 3, 4096);
  fault.refused[FAULT_SENDFILE] = EINVAL;
  walk_pairs(t_tmpfile(FILE_SIZE), 7, 50000);
  CHECK(reached[FAULT_PREAD] + reached[FAULT_READ] > 0 && reached[FAULT_SENDMSG] + reached[FAULT_SEND] > 0);
  CHECK(reached[FAULT_WRITEV] + reached[FAULT_WRITE] > 0);
}

TEST(the_first_io_sendfile_that_copies_passes_on_each_fault_and_loses_nothing) {
  int64 pair[2];
  start_cold();
  one.call = sendfile_rest;
  t_unix_pair(pair);
  fault.out = out = pair[0];
  peer = pair[1];
  b_nonblock(out);
  fault.refused[FAULT_SENDFILE] = EINVAL;
  walk_file(t_tmpfile(FILE_SIZE), 3, 4096);
  CHECK(reached[FAULT_ALLOC] > 0);
}

static void feed_file(void) {
  one.call = feed_rest;
  one.end_is_an_error = 1;
  walk_file(t_tmpfile(FILE_SIZE), 65000, 140000);
  CHECK(reached[FAULT_CALLBACK] > 0);
  CHECK(reached[FAULT_PREAD] + reached[FAULT_READ] > 0);
}

TEST(io_mmapwritefile_passes_on_each_fault_and_loses_nothing) { feed_file(); }

TEST(io_mmapwritefile_with_a_filter_that_says_again_passes_on_each_fault) {
  hesitates = 1;
  feed_file();
}

TEST(the_first_io_mmapwritefile_passes_on_each_fault_and_loses_nothing) {
  start_cold();
  hesitates = 1;
  feed_file();
  CHECK(reached[FAULT_ALLOC] > 0);
}

static int64 takes_nothing(int64 s, const void *bytes, uint64 n) {
  (void)s, (void)bytes, (void)n;
  errno = EAGAIN;
  return -1;
}

/* promise: A stalled filter holds little */
TEST(io_finishandshutdown_frees_what_io_mmapwritefile_kept) {
  int64 pair[2], f = t_tmpfile(1000);
  long before = 0;
  int round;
  if (!fault_sees_memory()) SKIP(NO_MEMORY_FAULTS);
  for (round = 0; round < 2; round++) { /* glibc's own memory comes with the first */
    t_unix_pair(pair);
    before = fault.live;
    CHECK_INT(io_fd(pair[0]), 1);
    CHECK_INT(io_mmapwritefile(pair[0], f, 0, 1000, takes_nothing), -1);
    CHECK(fault.live > before);
    io_finishandshutdown();
  }
  CHECK_INT(fault.live, before);
}
