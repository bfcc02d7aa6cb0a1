/* Memory runs out, at every allocation in turn and for the whole process: that is an error code, and never the end of
 * the process. Nothing is lost or leaked by it, and with memory again everything goes on. */
#include "faults/names.h"

#include "memory.h"
#include "taia.h"

#include <sys/mman.h>

/* A program does the same things however often it runs, with memory or without; then it is over. */
struct program {
  void (*begin)(void);
  void (*run)(void);
  void (*end)(void);
  int descriptors; /* that the library keeps for good */
};

static int64 in[2], quiet[2], pair[2], far;

static void registration_begins(void) {
  t_pipe(in);
  t_pipe(quiet);
  t_unix_pair(pair);
  /* In another part of every table. */
  CHECK_INT(far = dup2((int)in[0], 900), 900);
  CHECK_INT(write((int)in[1], "x", 1), 1);
}

static void registration_runs(void) {
  static const tai6464 past = {.sec = {4611686018427387914ULL + 1}};
  int readable = 0, writable = 0, expired = 0;
  int64 d;
  int here = DONE(io_fd(in[0]), 0), there = DONE(io_fd_flags(far, IO_FD_NONBLOCK), 0);
  int out = DONE(io_fd_canwrite(pair[0]), 0), slow = DONE(io_fd(quiet[0]), 0);
  io_setcookie(far, &far);
  CHECK(io_getcookie(far) == (there ? &far : NULL));
  io_wantread(in[0]);
  io_wantread(far);
  io_wantwrite(pair[0]);
  io_wantread(pair[0]);
  errno = 0;
  io_timeout(quiet[0], past);
  if (errno) refused();
  if (here && !DONE(io_queueforread(in[0]), 0)) here = 0;
  if (!here || !there) CHECK(!enough);
  if (here && there && !DONE(io_waituntil2(0), -1)) here = 0;
  io_wait(); /* returns, because there is an event or no memory */
  while ((d = io_canread()) != -1) {
    CHECK(d == in[0] || d == far);
    readable++;
  }
  while ((d = io_canwrite()) != -1) {
    CHECK_INT(d, pair[0]);
    writable++;
  }
  while ((d = io_timeouted()) != -1) {
    CHECK_INT(d, quiet[0]);
    expired++;
  }
  if (!enough) return;
  CHECK_INT(out + slow, 2);
  CHECK_INT(readable, 2);
  CHECK_INT(writable, 1);
  CHECK_INT(expired, 1);
}

static void close_all(const int64 *d, int n) {
  while (n-- > 0) io_close(d[n]);
}

static void registration_ends(void) {
  close_all(in, 2);
  close_all(quiet, 2);
  close_all(pair, 2);
  io_close(far);
  io_finishandshutdown();
}

static const struct program registration = {registration_begins, registration_runs, registration_ends, 0};

static int64 file;

static void batches_begin(void) {
  t_unix_pair(pair);
  CHECK_INT(fcntl((int)pair[0], F_SETFL, O_NONBLOCK), 0);
  file = t_tmpfile(100000);
}

/* What the filter took. */
static int64 taken;

/* Half of what is long, so that the rest has to be kept. */
static int64 take(int64 s, const void *p, uint64 n) {
  int64 some = (int64)(n > 20000 ? n / 2 : n);
  (void)s, (void)p;
  taken += some;
  return some;
}

/* Sends all that is queued, by one way or the other; says how many bytes that were. */
static int64 drain(io_batch *b, int filtered) {
  static char sink[65536];
  int64 sum = 0, r;
  while (iob_bytesleft(b) > 0) {
    r = filtered ? iob_write(pair[0], b, take) : iob_send(pair[0], b);
    if (r < 0) {
      CHECK_INT(r, -3);
      refused();
      break;
    }
    sum += r;
    while (!filtered && r > 0) {
      ssize_t n = read((int)pair[1], sink, sizeof sink);
      CHECK(n > 0);
      r -= n;
    }
  }
  return sum;
}

static void batches_run(void) {
  io_batch embedded, *made, *b;
  int which, i;
  int out = DONE(io_fd(pair[0]), 0);
  DONE(iob_init(&embedded, 5), -1);
  made = iob_new_autofree(5);
  if (!made) refused();
  for (which = 0; which < 2; which++) {
    int64 queued = 0, mapped;
    void *map;
    b = which ? made : &embedded;
    if (!b) continue;
    for (i = 0; i < 3; i++) {
      char *text = sure(8);
      strcpy(text, "1234567");
      if (DONE(iob_addbuf(b, "12345", 5), 0)) queued += 5;
      if (DONE(iob_adds(b, "123"), 0)) queued += 3;
      if (DONE(iob_addbuf_free(b, text, 7), 0)) queued += 7;
      text = sure(8);
      strcpy(text, "1234567");
      if (DONE(iob_adds_free(b, text), 0)) queued += 7;
      mapped = 4096;
      map = mmap(NULL, (size_t)mapped, PROT_READ, MAP_PRIVATE, (int)file, 0);
      CHECK(map != MAP_FAILED || !enough);
      if (map != MAP_FAILED && DONE(iob_addbuf_munmap(b, map, (uint64)mapped), 0)) queued += mapped;
      if (DONE(iob_addfile(b, file, 10, 300), 0)) queued += 300;
      if (DONE(iob_addfile_close(b, dup((int)file), 0, 70000), 0)) queued += 70000;
    }
    CHECK_INT(iob_bytesleft(b), queued);
    if (out) {
      int64 sent = drain(b, which);
      CHECK_INT(sent + (int64)iob_bytesleft(b), queued);
      CHECK(sent == queued || !enough);
    }
    iob_reset(b);
  }
  if (made) free(made);
}

static void batches_end(void) {
  close_all(pair, 2);
  io_close(file);
  io_finishandshutdown();
}

static const struct program batches = {batches_begin, batches_run, batches_end, 0};

static iomux_t mux;

static void companions_begin(void) {
  t_unix_pair(pair);
  t_pipe(in);
  CHECK_INT(write((int)in[1], "x", 1), 1);
  file = t_tmpfile(200000);
}

static void companions_run(void) {
  static const char text[300] = {'x'};
  array x = {0};
  int64 d[2], s;
  unsigned int events;
  char *place;
  if (!t_no_epoll() && DONE(iom_init(&mux), 0)) {
    if (DONE(iom_add(&mux, in[0], IOM_READ), -1) && DONE(iom_wait(&mux, &s, &events, 1000), -1))
      CHECK_INT(s, in[0]);
    CHECK_INT(close(mux.ctx), 0);
  }
  if (DONE(io_pipe(d), 0)) close_all(d, 2);
  if (DONE(io_socketpair(d), 0)) close_all(d, 2);
  if (DONE(io_readfile(d, "/dev/null"), 0)) close_all(d, 1);
  if (DONE(io_createfile(d, "/dev/null"), 0)) close_all(d, 1);
  if (DONE(io_passfd(pair[0], in[0]), -1) && DONE(s = io_receivefd(pair[1]), -1)) io_close(s);
  taken = 0;
  if (DONE(s = io_mmapwritefile(pair[0], file, 5, 150000, take), -3)) {
    CHECK_INT(s, taken);
    /* What was kept for another try. */
    DONE(io_mmapwritefile(pair[0], file, 5 + (uint64)s, 150000 - (uint64)s, take), -3);
  }
  place = array_allocate(&x, 8, 10);
  if (!place) refused();
  array_catb(&x, text, sizeof text);
  array_cats(&x, "more");
  CHECK(!array_failed(&x) || !enough);
  CHECK_INT(array_bytes(&x), array_failed(&x) ? -1 : (place ? 88 : 0) + 304);
  array_reset(&x);
}

static void companions_end(void) {
  close_all(pair, 2);
  close_all(in, 2);
  io_close(file);
  io_finishandshutdown();
}

/* A pipe that wakes the threads of all multiplexers; the list of what filters have left. */
static const struct program companions = {companions_begin, companions_run, companions_end, 2};

static void loops_begin(void) {
  t_pipe(in);
  CHECK_INT(write((int)in[1], "x", 1), 1);
}

static void loops_run(void) {
  int registered = DONE(io_fd(in[0]), 0);
  int started = io_starteventloopthread(2) == 0;
  if (!started) {
    CHECK(errno == ENOMEM || errno == EAGAIN); /* EAGAIN is pthread_create's */
    CHECK(!enough);
    refusals++;
  }
  if (started && registered) {
    io_wantread(in[0]);
    /* Waits until there is one: the library's threads try again for memory, which comes back. */
    if (enough) CHECK_INT(io_canread(), in[0]);
  }
}

static void loops_end(void) {
  io_finishandshutdown();
  close_all(in, 2);
}

static const struct program loops = {loops_begin, loops_run, loops_end, 0};

static int open_descriptors(void) {
  int d, n = 0;
  for (d = 0; d < 1024; d++) n += fcntl(d, F_GETFD) != -1;
  return n;
}

/* In a process of its own: how it ends. */
static int ends(void (*f)(const void *), const void *argument) {
  int status;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    f(argument);
    _exit(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 42);
  return WEXITSTATUS(status);
}

static void with_one_gone(const void *argument) {
  const struct program *p = argument;
  int descriptors = open_descriptors();
  long live;
  p->begin();
  memory.armed = 1;
  p->run();
  memory.armed = 0;
  CHECK(memory.hit || refusals == 0);
  enough = 1;
  p->run();
  p->end();
  CHECK_INT(open_descriptors(), descriptors + (strcmp(t_backend(), "poll") == 0 ? 0 : p->descriptors));
  /* What is kept for numbers that were used once serves them again; everything else is given back. */
  live = memory.live;
  p->begin();
  p->run();
  p->end();
  /* For threads the C library keeps memory. */
  if (p != &loops) CHECK_INT(memory.live, live);
  if (!memory.hit) _exit(42);
}

/* Each allocation in turn fails; then each, and all that follow. */
static void walk(const struct program *p) {
  for (memory.for_ever = 0; memory.for_ever < 2; memory.for_ever++) {
    for (memory.nth = 1; ends(with_one_gone, p) == 0; memory.nth++) CHECK(memory.nth < 500);
    CHECK(memory.nth > 2);
  }
}

/* promise: A failed system call or allocation */
TEST(registering_and_waiting_survive_each_failed_allocation) {
  need_this_malloc();
  walk(&registration);
}

/* promise: A failed system call or allocation */
TEST(batches_survive_each_failed_allocation) {
  need_this_malloc();
  walk(&batches);
}

TEST(arrays_and_other_functions_survive_each_failed_allocation) {
  need_this_malloc();
  walk(&companions);
}

TEST(event_loop_threads_survive_each_failed_allocation) {
  need_this_malloc();
  walk(&loops);
}

static void without_address_space(const void *argument) {
  const struct program *p = argument;
  struct hoard *all;
  p->begin();
  all = take_all();
  p->run();
  CHECK(refusals > 0);
  give_back(all);
  enough = 1;
  p->run();
  p->end();
}

/* The blocks of a batch are the program's own. */
TEST(a_process_goes_on_without_address_space_left) {
  static const struct program *const all[] = {&registration, &companions, &loops};
  size_t i;
  need_this_malloc();
  if (t_under_valgrind()) SKIP("valgrind needs address space of its own");
  for (i = 0; i < sizeof all / sizeof *all; i++) CHECK_INT(ends(without_address_space, all[i]), 0);
}

static void batches_without_address_space(const void *argument) {
  io_batch b, *made;
  struct hoard *all;
  int i, r = 1;
  (void)argument;
  CHECK_INT(iob_init(&b, 0), 0);
  all = take_all();
  made = iob_new(100);
  CHECK(!made);
  CHECK_ERRNO(ENOMEM);
  CHECK_INT(iob_init(&b, 100), -1);
  CHECK_ERRNO(ENOMEM);
  for (i = 0; r; i++) r = iob_addbuf(&b, "x", 1);
  CHECK_ERRNO(ENOMEM);
  CHECK_INT(iob_bytesleft(&b), i - 1);
  give_back(all);
  CHECK_INT(iob_addbuf(&b, "x", 1), 1);
  CHECK_INT(iob_bytesleft(&b), i);
  iob_reset(&b);
}

TEST(batches_fail_and_lose_nothing_without_address_space_left) {
  need_this_malloc();
  if (t_under_valgrind()) SKIP("valgrind needs address space of its own");
  CHECK_INT(ends(batches_without_address_space, NULL), 0);
}
