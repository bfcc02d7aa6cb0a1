/* A session of a server in which each system call and each allocation fails or falls short, one after the other:
 * no crash, no hang, no code or errno that is not documented, nothing lost or sent twice, nothing left open or
 * allocated. Each point has a process to itself. `faults injected: N` is what a walk has done. */
#include "faults/names.h"

#include "session/local.h"
#include "session/clients.h"

/* What the walking process and the one that runs a session share. */
static struct {
  struct step step;
  long kept; /* blocks that the library has at the end, without a fault */
} *shared;

typedef void scene(void);
static scene *const clients[] = {tcp, local, tcp_that_can_write, loop_that_ends, NULL};
static scene *const no_clients[] = {pipes, passes_descriptors, files, mux, NULL};
static scene *const thread[] = {loop_with_a_thread, NULL};

/* The numbers of open descriptors; the pipe that iom keeps for good (close-on-exec, and always the same) is none. */
static uint64 open_descriptors(void) {
  uint64 open = 0;
  int d;
  for (d = 0; d < 64; d++) {
    struct stat st;
    int flags = fcntl(d, F_GETFD);
    if (flags != -1 && !(flags == FD_CLOEXEC && fstat(d, &st) == 0 && S_ISFIFO(st.st_mode))) open |= 1ULL << d;
  }
  return open;
}

/* A library that cannot confirm that a descriptor is its own must not close what has the number. */
static int may_be_left_open(void) {
  uint64 confirms = 1ULL << FAULT_EPOLL_CTL | 1ULL << FAULT_FSTAT;
  return rule_has(confirms, fault.what) || rule_has(confirms, fault.second.what);
}

/* A fault after which there is another way, or another time: no client loses its connection by it. */
static int is_got_over(void) {
  if (fault.for_ever || fault.second.kind || kernel_lies()) return 0;
  switch (fault.kind) {
  case FAULT_ACCEPT:
  case FAULT_CLOSE:
  case FAULT_FADVISE:
  case FAULT_IOCTL:
  case FAULT_MUNMAP:
  case FAULT_EPOLL_WAIT:
  case FAULT_POLL: return 1;
  case FAULT_EPOLL_CTL: return fault.what != ENOENT && fault.what != ENOMEM; /* the loop cannot begin */
  case FAULT_SENDFILE:
    if (fault.what == EINVAL) return 1;
  /* fall through */
  case FAULT_RECV:
  case FAULT_SEND:
  case FAULT_SENDMSG: return fault.what == EAGAIN || fault.what == EINTR || (fault.what < 0 && fault.what != FAULT_END);
  default: return 0;
  }
}

static void session(scene *const *scenes) {
  uint64 open = open_descriptors();
  long live = fault.live, mappings = fault.mappings;
  step->number = step->hit_at = 0;
  for (; *scenes; scenes++) (*scenes)();
  JUST(io_finishandshutdown, ());
  if (is_got_over()) CHECK_INT(server.given_up, 0);
  if (!may_be_left_open()) CHECK_INT(open_descriptors(), open);
  live = fault.live - live;
  /* What has been made once is kept for the next time; a fault may have kept it from being made. */
  if (!fault.kind) shared->kept = live;
  CHECK(live <= 8); /* a page of the table for each 64 numbers is kept for good */
  if (live > shared->kept) CHECK_INT(live, shared->kept);
  mappings = fault.mappings - mappings;
  if (!rule_has(1ULL << FAULT_MUNMAP, ENOMEM)) CHECK_INT(mappings, 0);
}

/* One session under the rule. Returns whether the rule hit. */
static int point(scene *const *scenes) {
  int status;
  pid_t child;
  fflush(NULL);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    alarm(t_under_valgrind() ? 120 : 10);
    session(scenes);
    t_leave(FAULT_APART + !!fault.hit);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) >= FAULT_APART) return WEXITSTATUS(status) - FAULT_APART;
  if (WIFSIGNALED(status)) {
    fprintf(stderr, "%s\n", WTERMSIG(status) == SIGALRM ? "the session hangs" : strsignal(WTERMSIG(status)));
    step_tell();
  }
  _exit(1); /* what the other process has told is enough */
}

/* To be made to fail, and how. */
struct faults {
  enum fault_kind kind;
  int whats[12];
};
#define OF(kind, ...) {FAULT_##kind, {__VA_ARGS__}}

static const struct faults of_sends[] = {
    OF(SEND, EAGAIN, EINTR, EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EBADF, FAULT_HALF, FAULT_ONE),
    {0}};

static const struct faults of_batches[] = {
    OF(SENDMSG, EAGAIN, EINTR, EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EBADF, FAULT_HALF, FAULT_ONE),
    OF(SENDFILE, EAGAIN, EINTR, EPIPE, ENOMEM, EINVAL, EIO, ENOSPC, FAULT_HALF, FAULT_ONE, FAULT_END),
    {0}};

static const struct faults of_reads_and_writes[] = {
    OF(RECV, EAGAIN, EINTR, ECONNRESET, ENOMEM, EBADF, FAULT_HALF, FAULT_ONE, FAULT_END),
    OF(RECVMSG, EAGAIN, EINTR, ECONNRESET, ENOMEM, EBADF),
    OF(PREAD, EINTR, EIO, ENOMEM, EOPNOTSUPP, FAULT_HALF, FAULT_ONE, FAULT_END),
    OF(READ, EINTR, EIO, EBADF, ENOMEM, FAULT_HALF, FAULT_ONE, FAULT_END),
    OF(WRITE, EAGAIN, EINTR, EPIPE, ENOSPC, EDQUOT, EFBIG, EIO, EBADF, FAULT_HALF, FAULT_ONE),
    OF(WRITEV, EAGAIN, EINTR, EPIPE, ENOSPC, EIO, EOPNOTSUPP, FAULT_HALF, FAULT_ONE),
    {0}};

static const struct faults of_descriptors[] = {
    OF(OPEN, ENOENT, EACCES, EINTR, EMFILE, ENFILE, ENOSPC, ENOMEM),
    OF(PIPE, EMFILE, ENFILE),
    OF(SOCKETPAIR, EMFILE, ENFILE, ENOMEM),
    OF(ACCEPT, EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM),
    OF(CLOSE, EINTR, EIO, ENOSPC, EDQUOT),
    OF(FSTAT, ENOMEM, EIO, EBADF),
#if !T_ASAN /* that library has debug assertions, with which Rust asks fcntl(2) before it closes, and ends the process */
    OF(FCNTL, EBADF),
#endif
    OF(IOCTL, EPERM, ENOTTY),
    OF(FADVISE, EINVAL, ESPIPE),
    {0}};

static const struct faults of_the_loop[] = {
    OF(POLL, EINTR, ENOMEM),
    OF(EPOLL_CREATE, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM),
    OF(EPOLL_CTL, ENOENT, EEXIST, ENOMEM, ENOSPC, EPERM, EBADF),
    OF(EPOLL_WAIT, EINTR, ENOMEM),
    OF(EVENTFD, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM),
    OF(THREAD, EAGAIN),
    {0}};

static const struct faults of_memory[] = {OF(ALLOC, ENOMEM), OF(MUNMAP, ENOMEM), {0}};

static const struct faults *const all_faults[] = {of_sends,       of_batches,  of_reads_and_writes,
                                                  of_descriptors, of_the_loop, of_memory};

static long injected, reached[FAULT_KINDS];

/* What may come from a certain call on for ever: no kernel says "again", or of what is open that it is not, without
 * end, and a call that waits would go round with it. */
static int lasts(enum fault_kind kind, int what) {
  return what > 0 && what != EAGAIN && what != EINTR && what != EBUSY && what != ECONNABORTED &&
         !(what == EBADF && (kind == FAULT_EPOLL_CTL || kind == FAULT_FSTAT));
}

static void walk_one(scene *const *scenes, enum fault_kind kind, int what) {
  long n;
  for (n = 1;; n += t_under_valgrind() ? 29 : 1) {
    CHECK(n < 2000);
    fault_rule(kind, n, what, 0, 0);
    if (!point(scenes)) break;
    injected++;
    reached[kind]++;
    /* Sparsely. */
    if (lasts(kind, what) && (n & (n - 1)) == 0) {
      fault_rule(kind, n, what, what, 1);
      CHECK(point(scenes));
      injected++;
    }
  }
}

static void begin(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  step = &shared->step;
  t_story = step_tell;
  server.file = t_tmpfile(FILE_BYTES);
  snprintf(path, sizeof path, "/tmp/owfat-io-session.%d", (int)getpid());
}

static void run_without_faults(scene *const *scenes) {
  fault_rule(FAULT_NO_KIND, 0, 0, 0, 0);
  CHECK(!point(scenes));
}

static void walk(scene *const *scenes, const struct faults *faults) {
  int k;
  run_without_faults(scenes);
  for (; faults->kind; faults++) {
    for (k = 0; k < 12 && faults->whats[k]; k++) walk_one(scenes, faults->kind, faults->whats[k]);
  }
}

/* Whether the backend in use makes such calls in what was walked. */
static int is_made(enum fault_kind kind) {
  switch (kind) {
  case FAULT_EPOLL_CREATE:
  case FAULT_EPOLL_CTL:
  case FAULT_EPOLL_WAIT:
  case FAULT_EVENTFD: return strcmp(t_backend(), "epoll") == 0;
  case FAULT_FADVISE:
  case FAULT_SENDFILE:
  case FAULT_WRITEV: return !t_portable();
  default: return 1;
  }
}

static void end(const struct faults *faults) {
  for (; faults->kind; faults++) {
    int missing = is_made(faults->kind) && !reached[faults->kind];
    if (missing) fprintf(stderr, "%s was never reached\n", fault_name(faults->kind));
    CHECK(!missing);
  }
  printf("faults injected: %ld\n", injected);
}

/* promise: A failed system call or allocation */
TEST(a_server_outlives_each_fault_of_a_send) {
  begin();
  walk(clients, of_sends);
  walk(no_clients, of_sends);
  end(of_sends);
}

TEST(a_server_outlives_each_fault_of_a_batch) {
  begin();
  walk(clients, of_batches);
  walk(no_clients, of_batches);
  end(of_batches);
}

TEST(a_server_outlives_each_fault_of_a_read_or_write) {
  begin();
  walk(clients, of_reads_and_writes);
  walk(no_clients, of_reads_and_writes);
  end(of_reads_and_writes);
}

TEST(a_server_outlives_each_fault_of_opening_and_passing_descriptors) {
  begin();
  walk(clients, of_descriptors);
  walk(no_clients, of_descriptors);
  end(of_descriptors);
}

/* promise: A failed system call or allocation */
TEST(a_server_outlives_each_fault_of_the_loop) {
  begin();
  walk(clients, of_the_loop);
  walk(no_clients, of_the_loop);
  walk(thread, of_the_loop);
  end(of_the_loop);
}

/* promise: A failed system call or allocation */
TEST(a_server_outlives_each_failed_allocation) {
  if (!fault_sees_memory()) SKIP(NO_MEMORY_FAULTS);
  begin();
  walk(clients, of_memory);
  walk(no_clients, of_memory);
  walk(thread, of_memory);
  end(of_memory);
}

/* Of the generator: splitmix64, so that the pairs are the same everywhere. */
static uint64 random_state = 20240229;

static int below(int n) {
  uint64 z = random_state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return (int)((z ^ z >> 31) % (uint64)n);
}

static void pick(enum fault_kind *kind, long *nth, int *what) {
  const struct faults *f = all_faults[below(sizeof all_faults / sizeof *all_faults)];
  int n = 0;
  while (f[n].kind) n++;
  f += below(n);
  for (n = 0; n < 12 && f->whats[n];) n++;
  *kind = f->kind;
  *what = f->whats[below(n)];
  *nth = 1 + below(1 + below(40));
}

#define PAIRS 300

TEST(a_server_outlives_faults_in_pairs) {
  int i;
  if (!fault_sees_memory()) SKIP(NO_MEMORY_FAULTS);
  begin();
  for (i = 0; i < PAIRS; i++) {
    scene *const *scenes = i % 2 ? clients : no_clients;
    enum fault_kind kind;
    long nth;
    int what;
    if (i < 2) run_without_faults(scenes);
    pick(&kind, &nth, &what);
    fault_rule(kind, nth, what, 0, 0);
    pick(&fault.second.kind, &fault.second.nth, &fault.second.what);
    injected += point(scenes);
  }
  CHECK(injected > PAIRS / 4);
  printf("pairs of faults that hit: %ld\n", injected);
}
