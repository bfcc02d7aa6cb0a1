/* Making and filling batches when memory runs out: a failure is told and changes nothing, and what was handed over is
 * released once. */
#include "faults/names.h"

#include "batch.h"
#include "faults.h"

static int64 pair[2], file = -1;

static void prepare(void) {
  if (!fault_sees_memory()) SKIP(NO_MEMORY_FAULTS);
  t_story = fault_tell;
  t_unix_pair(pair);
  CHECK_INT(io_fd(pair[0]), 1);
  file = t_tmpfile(100);
}

#define TEXT "thing"

static int cleanups;
static void cleaned(iob_entry *e) {
  CHECK_INT(e->n, strlen(TEXT));
  cleanups++;
}

/* What is added. Made anew each time, before anything can fail. */
static char *block, *page;
static int64 number;

static void make(void) {
  block = malloc(sizeof TEXT);
  page = mmap(NULL, strlen(TEXT), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  number = dup((int)file);
  CHECK(block && page != MAP_FAILED && number != -1);
  memcpy(block, TEXT, sizeof TEXT);
  memcpy(page, TEXT, strlen(TEXT));
  fault_own(FAULT_FREE, (uintptr_t)block, sizeof TEXT, 0);
  fault_own(FAULT_MUNMAP, (uintptr_t)page, strlen(TEXT), 0);
  fault_own(FAULT_CLOSE, (uintptr_t)number, 0, 0);
  cleanups = 0;
}

static int buf(io_batch *b) { return iob_addbuf(b, block, strlen(TEXT)); }
static int buf_free(io_batch *b) { return iob_addbuf_free(b, block, strlen(TEXT)); }
static int string(io_batch *b) { return iob_adds(b, block); }
static int string_free(io_batch *b) { return iob_adds_free(b, block); }
static int buf_munmap(io_batch *b) { return iob_addbuf_munmap(b, page, strlen(TEXT)); }
static int with_cleanup(io_batch *b) { return iob_addbuf_internal(b, block, strlen(TEXT), cleaned); }
static int of_file(io_batch *b) { return iob_addfile(b, number, 3, strlen(TEXT)); }
static int of_file_close(io_batch *b) { return iob_addfile_close(b, number, 3, strlen(TEXT)); }

struct adder {
  int (*add)(io_batch *);
  enum fault_kind releases; /* what it takes over */
  int is_file;
};

static const struct adder adders[] = {
    {buf, FAULT_NO_KIND, 0},         {buf_free, FAULT_FREE, 0},          {string, FAULT_NO_KIND, 0},
    {string_free, FAULT_FREE, 0},    {buf_munmap, FAULT_MUNMAP, 0},      {with_cleanup, FAULT_NO_KIND, 0},
    {of_file, FAULT_NO_KIND, 1},     {of_file_close, FAULT_CLOSE, 1},
};

/* The library has released what it took over so often, and nothing that it did not. A clean-up function of the
 * program is not called for an entry that did not get into the batch. */
static void check_released(const struct adder *a, int added, int times) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    CHECK_INT(fault.owned[i].times, fault.owned[i].how == a->releases ? times : 0);
  }
  CHECK_INT(cleanups, a->add == with_cleanup && added ? times : 0);
}

/* Gives back what the library did not take over. */
static void unmake(void) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    struct fault_owned *o = fault.owned + i;
    if (o->times) continue;
    if (o->how == FAULT_FREE) free((void *)o->what);
    if (o->how == FAULT_CLOSE) CHECK_INT(close((int)o->what), 0);
  }
  fault_end_books();
}

/* How many entries can be added before the next one needs memory. */
static int fitting(void) {
  io_batch b = {0};
  int n;
  CHECK_INT(iob_addbuf(&b, "x", 1), 1);
  fault_rule(FAULT_NO_KIND, 0, 0, 0, 0);
  for (n = 1;; n++) {
    CHECK(n < 1000000);
    fault.armed = 1;
    CHECK_INT(iob_addbuf(&b, "x", 1), 1);
    fault.armed = 0;
    if (fault.calls[FAULT_ALLOC]) break;
  }
  iob_reset(&b);
  return n;
}

static void check_rest(const struct adder *a, io_batch *b, int filled) {
  char *got = b_read(pair[1], (size_t)filled + strlen(TEXT));
  int i;
  for (i = 0; i < filled; i++) CHECK(got[i] == 'x');
  if (a->is_file) {
    b_check_file(got + filled, 3, strlen(TEXT));
  } else {
    CHECK(memcmp(got + filled, TEXT, strlen(TEXT)) == 0);
  }
  free(got);
  CHECK_INT(b_readable(pair[1], 0), 0);
  B_CHECK(b, 0, 0, 0, 0);
}

/* What is done under a rule in a process to itself: what the library keeps from earlier calls would spare it the
 * memory that is to fail. */
enum { HIT = 1, FAILED = 2 };

/* Does it, and twice more, for memory that is lost is lost each time. Whether the rule hit and the function failed. */
static int apart(int (*once)(const void *), const void *what) {
  long live;
  int answer;
  if (fault_apart(&answer)) return answer;
  answer = once(what) ? FAILED : 0;
  if (fault.hit) answer |= HIT;
  fault_same_rule();
  once(what);
  live = fault.live;
  fault_same_rule();
  once(what);
  CHECK_INT(fault.live, live);
  t_leave(FAULT_APART + answer);
}

struct adding {
  const struct adder *a;
  int filled, reset;
};

/* Adds to a batch of `filled` entries under the rule; then the batch is sent, or reset. Whether the function failed. */
static int add_once(const void *what) {
  const struct adding *adding = what;
  const struct adder *a = adding->a;
  int filled = adding->filled, reset = adding->reset;
  io_batch b = {0}, before;
  int i, r, e;
  for (i = 0; i < filled; i++) CHECK_INT(iob_addbuf(&b, "x", 1), 1);
  make();
  before = b;
  fault.armed = 1;
  r = a->add(&b);
  e = errno;
  fault.armed = 0;
  if (r == 0) {
    errno = e;
    CHECK_ERRNO(ENOMEM);
    B_CHECK(&b, before.bytesleft, before.next, before.bufs, before.files);
    check_released(a, 0, 1);
    unmake();
    make();
    if (!reset) CHECK_INT(a->add(&b), 1);
  } else {
    CHECK_INT(r, 1);
  }
  if (reset) {
    iob_reset(&b);
    check_released(a, 1, r);
  } else {
    CHECK_INT(b.bytesleft, (uint64)filled + strlen(TEXT));
    check_released(a, 1, 0);
    CHECK_INT(iob_send(pair[0], &b), (int64)filled + (int64)strlen(TEXT));
    check_rest(a, &b, filled);
    check_released(a, 1, 1);
  }
  unmake();
  return r == 0;
}

static void add_always(int filled) {
  size_t i;
  for (i = 0; i < sizeof adders / sizeof *adders; i++) {
    const struct adder *a = adders + i;
    int variant, failed = 0;
    for (variant = 0; variant < 4; variant++) {
      int n, r;
      for (n = 1;; n++) {
        CHECK(n < 100);
        fault_rule(FAULT_ALLOC, n, ENOMEM, variant & 1 ? ENOMEM : 0, 1);
        r = apart(add_once, &(struct adding){a, filled, variant & 2});
        if (!(r & HIT)) break;
        failed += r & FAILED;
      }
    }
    CHECK(failed > 0);
  }
}

TEST(adding_to_an_empty_batch_that_fails_leaks_and_changes_nothing) {
  prepare();
  add_always(0);
}

TEST(adding_to_a_full_batch_that_fails_leaks_and_changes_nothing) {
  prepare();
  add_always(fitting());
}

/* A batch works whether there was room in advance or not. */
static void check_usable(io_batch *b) {
  B_CHECK(b, 0, 0, 0, 0);
  CHECK_INT(iob_adds(b, TEXT), 1);
  CHECK_INT(iob_send(pair[0], b), strlen(TEXT));
  b_expect(pair[1], TEXT);
}

struct making {
  io_batch *(*make)(size_t);
  int (*init)(io_batch *, size_t);
  size_t hint;
  int autofree;
};

static int make_once(const void *what) {
  const struct making *m = what;
  io_batch *b;
  fault.armed = 1;
  b = m->make(m->hint);
  fault.armed = 0;
  if (!b) {
    CHECK_ERRNO(ENOMEM);
    CHECK(fault.hit);
    return 1;
  }
  CHECK_INT(b->autofree, m->autofree);
  check_usable(b);
  iob_free(b);
  return 0;
}

static int init_once(const void *what) {
  const struct making *m = what;
  io_batch b;
  int r;
  memset(&b, 0xee, sizeof b);
  fault.armed = 1;
  r = m->init(&b, m->hint);
  fault.armed = 0;
  if (r != 0) {
    CHECK_INT(r, -1);
    CHECK_ERRNO(ENOMEM);
    CHECK(fault.hit);
  }
  CHECK_INT(b.autofree, m->autofree);
  check_usable(&b);
  iob_reset(&b);
  return r != 0;
}

static void make_always(int (*once)(const void *)) {
  static const size_t hints[] = {0, 1, 100, SIZE_MAX};
  int i, n, r, failed = 0;
  prepare();
  for (i = 0; i < 16; i++) {
    int autofree = i / 4 % 2;
    struct making m = {autofree ? iob_new_autofree : iob_new, autofree ? iob_init_autofree : iob_init, hints[i % 4],
                       autofree};
    for (n = 1;; n++) {
      CHECK(n < 100);
      fault_rule(FAULT_ALLOC, n, ENOMEM, i < 8 ? 0 : ENOMEM, 1);
      r = apart(once, &m);
      if (!(r & HIT)) break;
      failed += r & FAILED;
    }
  }
  CHECK(failed > 0);
}

TEST(making_a_batch_that_fails_leaks_nothing) { make_always(make_once); }

TEST(initialising_a_batch_that_fails_leaks_nothing) { make_always(init_once); }

/* What is known of a descriptor needs memory too; a file can be sent without. */
TEST(adding_a_file_for_the_first_time_that_fails_leaks_and_changes_nothing) {
  int i, hits = 0;
  prepare();
  for (i = 0; i < 20; i++) {
    io_batch b;
    int r;
    CHECK_INT(iob_init(&b, 8), 0);
    number = fcntl((int)file, F_DUPFD, 150 + 40 * i);
    CHECK(number != -1);
    fault_own(FAULT_CLOSE, (uintptr_t)number, 0, 0);
    fault_rule(FAULT_ALLOC, 1 + i % 3, ENOMEM, ENOMEM, 1);
    fault.armed = 1;
    r = iob_addfile_close(&b, number, 3, 5);
    fault.armed = 0;
    hits += fault.hit;
    if (r == 0) {
      CHECK_INT(b.bytesleft, 0);
    } else {
      CHECK_INT(r, 1);
      CHECK_INT(fault.owned[0].times, 0);
      CHECK_INT(iob_send(pair[0], &b), 5);
      b_expect_file(pair[1], 3, 5);
    }
    CHECK_INT(fault.owned[0].times, 1);
    iob_reset(&b);
    fault_end_books();
  }
  CHECK(hits > 0);
}
