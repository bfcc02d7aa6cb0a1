/* Delivers one batch, from the first call to the last, under one fault, and checks everything that must hold. */
#ifndef DELIVERY_H
#define DELIVERY_H
#include "batch.h"
#include "faults.h"

/* LENT points into the memory of the FREED piece behind it, and FILE_LENT is of the file that the next FILE_CLOSED
 * owns: so do servers that answer a request for several ranges. */
enum piece_kind { LAST, BORROWED, LENT, FREED, MAPPED, FILE_LENT, FILE_CLOSED, PROC_CLOSED };

struct piece {
  enum piece_kind kind;
  size_t n;
  uint64 off; /* in the file */
  int times;  /* 0 is once */
};

#define MOST_BYTES (512 << 10)
#define MOST_ENTRIES 2000
#define FILE_SIZE (256 << 10)

static struct {
  io_batch *b, embedded;
  int autofree;
  char image[MOST_BYTES];  /* what must arrive */
  char memory[MOST_BYTES]; /* of the pieces that the batch does not own; each at its place in the image */
  uint64 total, ends[MOST_ENTRIES]; /* of each entry, the sum of offset and n */
  int entries;
  char *lender; /* the memory of the next FREED piece, and what is lent of it */
  size_t lent;
  int64 file, proc, open; /* the last: the number that the next FILE_CLOSED owns */
} d = {.file = -1, .proc = -1, .open = -1};

/* LENT bytes lie behind those of the FREED piece. */
#define LENDERS_OWN 131072

static void added(int ok, uint64 end) {
  CHECK_INT(ok, 1);
  CHECK(d.entries < MOST_ENTRIES);
  d.ends[d.entries++] = end;
}

static char *lender(void) {
  if (!d.lender) d.lender = malloc(2 * LENDERS_OWN);
  CHECK(d.lender);
  return d.lender;
}

static void add_buffer(const struct piece *p) {
  char *at = d.memory + d.total, *image = d.image + d.total;
  size_t i, n = p->n;
  CHECK(d.total + n <= MOST_BYTES && n <= LENDERS_OWN);
  for (i = 0; i < n; i++) image[i] = (char)(t_byte(d.total + i) ^ 0x5a);
  if (p->kind == LENT) {
    at = lender() + LENDERS_OWN + d.lent;
    d.lent += n;
    CHECK(d.lent <= LENDERS_OWN);
  }
  if (p->kind == FREED) at = lender();
  if (p->kind == MAPPED) {
    at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
  }
  memcpy(at, image, n);
  d.total += n;
  if (p->kind == MAPPED) {
    fault_own(FAULT_MUNMAP, (uintptr_t)at, n, d.total);
    added(iob_addbuf_munmap(d.b, at, n), n);
  } else if (p->kind == FREED) {
    if (fault_sees_memory()) fault_own(FAULT_FREE, (uintptr_t)at, 2 * LENDERS_OWN, d.total);
    d.lender = NULL;
    d.lent = 0;
    added(iob_addbuf_free(d.b, at, n), n);
  } else {
    added(iob_addbuf(d.b, at, n), n);
  }
}

static void add_file(const struct piece *p) {
  int64 source = p->kind == PROC_CLOSED ? d.proc : d.file, f;
  size_t n = p->n;
  ssize_t got = pread((int)source, d.image + d.total, n ? n : 4096, (off_t)p->off);
  CHECK(got > 0 && (n == 0 || (size_t)got == n));
  n = (size_t)got;
  if (d.open == -1) d.open = dup((int)source);
  CHECK(d.open != -1);
  f = d.open;
  d.total += n;
  if (p->kind == FILE_LENT) {
    added(iob_addfile(d.b, f, p->off, n), p->off + n);
  } else {
    fault_own(FAULT_CLOSE, (uintptr_t)f, 0, d.total);
    d.open = -1;
    added(iob_addfile_close(d.b, f, p->off, n), p->off + n);
  }
}

static void fill(const struct piece *p, int autofree) {
  if (d.file == -1) d.file = t_tmpfile(FILE_SIZE);
  if (d.proc == -1) d.proc = open("/proc/version", O_RDONLY);
  CHECK(d.proc != -1);
  d.autofree = autofree;
  d.b = autofree ? iob_new_autofree(0) : &d.embedded;
  d.total = 0;
  d.entries = 0;
  for (; p->kind != LAST; p++) {
    int i;
    for (i = 0; i < (p->times ? p->times : 1); i++) p->kind >= FILE_LENT ? add_file(p) : add_buffer(p);
  }
  CHECK_INT(iob_bytesleft(d.b), d.total);
}

/* Checks that everything owned is released in order, nothing early and nothing twice. */
static void check_owned(int all) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    struct fault_owned *o = fault.owned + i;
    if (all || o->times) CHECK_INT(o->times, 1);
    if (!o->times) continue;
    CHECK_INT(o->order, i);
    if (!all) CHECK(o->moved >= (d.autofree ? o->until : d.total));
  }
}

static void check_entries(void) {
  uint64 left = 0;
  int i;
  for (i = 0; i < d.entries; i++) {
    iob_entry *e = b_entry(d.b, i);
    if (i >= d.b->next) left += e->n;
    CHECK_INT(e->offset + e->n, d.ends[i]);
  }
  CHECK_INT(left, iob_bytesleft(d.b));
}

/* Whether the library has to report the last failure, if nothing moved in the same call. It may recover from others. */
static int must_be_told(void) {
  switch (fault.kind) {
  case FAULT_SENDMSG:
  case FAULT_SEND:
  case FAULT_WRITEV:
  case FAULT_WRITE: return fault.last > 0 && fault.last != EINTR;
  case FAULT_SENDFILE: return fault.last == EAGAIN || fault.last == EPIPE || fault.last == ECONNRESET;
  case FAULT_CALLBACK:
  case FAULT_FILE_CALLBACK: return fault.last > 0 || fault.last == FAULT_MINUS_3;
  default: return 0;
  }
}

/* What a transfer may answer (with errno e) after a call in which `moved` bytes moved and the rule hit or not.
 * An answer of 0 with bytes left is `at_end`. */
static void check_answer(int64 r, int e, uint64 moved, int hit, int at_end) {
  errno = e;
  if (moved > 0) {
    CHECK_INT(r, moved);
  } else if (r == -1) {
    CHECK_ERRNO(EAGAIN);
    CHECK(fault.ended_with[EAGAIN] || fault.ended_with[EINTR]);
  } else if (r == 0) {
    CHECK(at_end);
  } else {
    CHECK_INT(r, -3);
    CHECK(fault.ended_with[e & 255] && e != EINTR);
  }
  if (moved == 0 && hit && must_be_told()) CHECK_INT(r, fault.last == EAGAIN ? -1 : -3);
}

/* How a batch is delivered, and how what has arrived of it is checked, up to a number of bytes. */
struct way {
  void (*starts)(void); /* may be NULL */
  int64 (*deliver)(io_batch *);
  void (*arrived)(uint64);
  void (*ends)(void); /* afterwards everything is released */
};

/* One call of the library. Returns what it returned. */
static int64 turn(const struct way *way) {
  uint64 moved = fault.moved, left = iob_bytesleft(d.b);
  int hit = fault.hit, e, end;
  int64 r;
  memset(fault.ended_with, 0, sizeof fault.ended_with);
  fault.armed = 1;
  r = way->deliver(d.b);
  e = errno;
  fault.armed = 0;
  hit = fault.hit > hit;
  moved = fault.moved - moved;
  CHECK_INT(iob_bytesleft(d.b), left - moved);
  /* Only a filter may return 0 while bytes are left. */
  end = left == 0 || (hit && fault.last == FAULT_END && fault.kind >= FAULT_CALLBACK);
  check_answer(r, e, moved, hit, end);
  way->arrived(fault.moved);
  /* Memory that was sent may be changed. */
  memset(d.memory, 0xee, fault.moved);
  check_owned(0);
  if (iob_bytesleft(d.b) > 0) {
    check_entries();
  } else {
    B_CHECK(d.b, 0, 0, 0, 0);
    CHECK(d.b->b.p == NULL);
  }
  return r;
}

static void let_go(const struct way *way) {
  fault.armed = 1;
  if (d.autofree) {
    iob_free(d.b);
  } else {
    iob_reset(d.b);
    B_CHECK(d.b, 0, 0, 0, 0);
    iob_reset(d.b);
  }
  fault.armed = 0;
  way->arrived(fault.moved);
  way->ends();
  check_owned(1);
  fault_end_books();
  if (d.open != -1) CHECK_INT(close((int)d.open), 0);
  d.open = -1;
}

/* Each delivery runs in its own process, in which the library does everything for the first time. */
static int cold;

/* Has the library allocate what it allocates only once. */
T_HELPER void start_cold(void) {
  if (!fault_sees_memory()) SKIP(NO_MEMORY_FAULTS);
  cold = 1;
}

static int delivered(void) {
  if (cold) t_leave(FAULT_APART + !!fault.hit);
  return fault.hit;
}

/* Whether a delivery is to be made once more under the same rule, to see that no memory gets lost: what the library
 * keeps for its next call is there after the first time, what is lost is lost again. */
static int to_be_repeated(long *live) {
  if (cold || !fault_sees_memory()) return 0;
  *live = fault.live;
  fault_same_rule();
  return 1;
}

/* `give_up`: only until the first call that does not get on, or that fell short because of the rule. */
static int deliver_once(const struct piece *pieces, int autofree, const struct way *way, int give_up) {
  int calls = 0, hit;
  int64 r = 1;
  if (cold && fault_apart(&hit)) return hit;
  if (way->starts) way->starts();
  fill(pieces, autofree);
  while (iob_bytesleft(d.b) > 0 && !(give_up && fault.hit && (r <= 0 || !fault.for_ever))) {
    CHECK(++calls < 1000);
    r = turn(way);
  }
  if (iob_bytesleft(d.b) == 0) {
    CHECK_INT(fault.moved, d.total);
    CHECK_INT(turn(way), 0);
  }
  let_go(way);
  return delivered();
}

/* Delivers a batch under the rule. Returns whether the rule hit. */
static int delivery(const struct piece *pieces, int autofree, const struct way *way, int give_up) {
  int hit = deliver_once(pieces, autofree, way, give_up);
  long live;
  if (to_be_repeated(&live)) {
    deliver_once(pieces, autofree, way, give_up);
    CHECK_INT(fault.live, live);
  }
  return hit;
}

struct fault_case {
  enum fault_kind kind;
  int what, then;
};

#define SEND_FAULTS(kind)                                                                      \
  {kind, EAGAIN, 0}, {kind, EINTR, 0}, {kind, EPIPE, 0}, {kind, ECONNRESET, 0},                \
      {kind, ENOMEM, 0}, {kind, ENOBUFS, 0}, {kind, FAULT_HALF, 0}, {kind, FAULT_ONE, 0}
#define FILE_FAULTS(kind)                                                                      \
  {kind, EINTR, 0}, {kind, EIO, 0}, {kind, ENOMEM, 0}, {kind, FAULT_HALF, 0},                  \
      {kind, FAULT_ONE, 0}, {kind, FAULT_END, 0}
#define CALLBACK_FAULTS(kind)                                                                  \
  {kind, EAGAIN, 0}, {kind, EIO, 0}, {kind, FAULT_HALF, 0}, {kind, FAULT_ONE, 0},              \
      {kind, FAULT_END, 0}, {kind, FAULT_MINUS_3, 0}, {kind, FAULT_MORE, 0}

/* `then` is what becomes of the call after the one that fails. */
static const struct fault_case fault_cases[] = {
    SEND_FAULTS(FAULT_SENDMSG),
    SEND_FAULTS(FAULT_SEND),
    SEND_FAULTS(FAULT_WRITEV),
    SEND_FAULTS(FAULT_WRITE),
    SEND_FAULTS(FAULT_SENDFILE),
    {FAULT_SENDFILE, EINVAL, 0},
    {FAULT_SENDFILE, ENOSYS, 0},
    {FAULT_SENDFILE, EIO, 0},
    {FAULT_SENDFILE, FAULT_END, 0},
    FILE_FAULTS(FAULT_PREAD),
    {FAULT_PREAD, EAGAIN, 0},
    {FAULT_PREAD, EOPNOTSUPP, 0},
    FILE_FAULTS(FAULT_READ),
    CALLBACK_FAULTS(FAULT_CALLBACK),
    CALLBACK_FAULTS(FAULT_FILE_CALLBACK),
    {FAULT_ALLOC, ENOMEM, 0},
    {FAULT_MUNMAP, ENOMEM, 0},
    {FAULT_CLOSE, EINTR, 0},
    {FAULT_CLOSE, EIO, 0},
    {FAULT_FSTAT, ENOMEM, 0},
    {FAULT_FCNTL, EPERM, 0},
    {FAULT_GETSOCKOPT, ENOBUFS, 0},
    {FAULT_SETSOCKOPT, ENOBUFS, 0},
    {FAULT_SETSOCKOPT, EPERM, 0},
    {FAULT_RECVMSG, EAGAIN, 0},
    {FAULT_RECVMSG, EINTR, 0},
    {FAULT_RECVMSG, ENOMEM, 0},
    {FAULT_POLL, EINTR, 0},
    {FAULT_POLL, ENOMEM, 0},
    {FAULT_EPOLL_CTL, ENOENT, 0},
    {FAULT_EPOLL_CTL, ENOMEM, 0},
    {FAULT_EPOLL_CTL, EPERM, 0},
    {FAULT_SENDMSG, EAGAIN, EPIPE},
    {FAULT_SENDMSG, FAULT_HALF, EPIPE},
    {FAULT_SENDMSG, EINTR, EINTR},
    {FAULT_WRITEV, FAULT_HALF, EPIPE},
    {FAULT_SENDFILE, FAULT_HALF, ECONNRESET},
    {FAULT_SENDFILE, EINVAL, EPIPE},
    {FAULT_PREAD, FAULT_HALF, EIO},
    {FAULT_PREAD, FAULT_HALF, FAULT_END},
    {FAULT_PREAD, EINTR, FAULT_ONE},
    {FAULT_CALLBACK, EAGAIN, EAGAIN},
    {FAULT_CALLBACK, EAGAIN, EIO},
    {FAULT_CALLBACK, FAULT_HALF, FAULT_END},
    {FAULT_CALLBACK, FAULT_HALF, FAULT_HALF},
    {FAULT_FILE_CALLBACK, FAULT_HALF, EAGAIN},
};

/* How many calls were made to fail, by kind. */
static long reached[FAULT_KINDS];

/* Sets the rule for the nth call of the case's kind. Given up, a failure is for ever; but a signal that comes for ever
 * is none, and what falls short for ever gets there. */
static void set_rule(const struct fault_case *f, long n, int give_up) {
  int lasting = f->then ? f->then : f->what, for_ever = give_up && lasting > 0 && lasting != EINTR;
  fault_rule(f->kind, n, f->what, for_ever ? lasting : f->then, for_ever);
}

/* Each call of each kind fails in each way that it may, and the batch is delivered after it, or given up. */
static void walk(const struct piece *pieces, int autofree, const struct way *way) {
  size_t i;
  t_story = fault_tell;
  for (i = 0; i < sizeof fault_cases / sizeof *fault_cases; i++) {
    const struct fault_case *f = fault_cases + i;
    long n;
    for (n = 1;; n++) {
      CHECK(n < 1000);
      set_rule(f, n, 0);
      if (!delivery(pieces, autofree, way, 0)) break;
      set_rule(f, n, 1);
      CHECK(delivery(pieces, autofree, way, 1));
      reached[f->kind]++;
    }
  }
}

#endif
