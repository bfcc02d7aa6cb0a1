/* OWFAT_IO_STATS: counters of what the library does, in a file of each process. See libowfat_io(3). */
#include "batch.h"
#include "watched.h"

/* The file of `process`. */
static char *path_of(pid_t process) {
  static char path[100];
  snprintf(path, sizeof path, "%s.%d", w_path, (int)process);
  return path;
}

/* The value of a counter, 0 if the text has none. */
static int64 value(const char *text, const char *name) {
  size_t len = strlen(name);
  const char *line;
  for (line = text; *line; line = strchr(line, '\n') + 1) {
    if (strncmp(line, name, len) == 0 && line[len] == ' ') return atoll(line + len + 1);
  }
  return 0;
}

static int64 looks(const char *text, const char *prefix) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", prefix, t_backend());
  return value(text, name);
}

static void be_told(int64 d, int64 peer, int times) {
  char c;
  while (times-- > 0) {
    CHECK_INT(io_trywrite(peer, "x", 1), 1);
    CHECK_INT(l_next_read(L_PATIENCE), d);
    CHECK_INT(io_tryread(d, &c, 1), 1);
  }
}

static void be_told_by_a_pair(int64 d[2]) {
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  io_wantread(d[0]);
  be_told(d[0], d[1], 3);
}

static void work(void) {
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  CHECK_INT(io_socketpair(d), 1);
  io_nonblock(d[0]);
  io_nonblock(d[1]);
  io_wantread(d[0]);
  be_told(d[0], d[1], 7);
  io_wantwrite(d[1]);
  CHECK_INT(io_canwrite(), d[1]);
  io_dontwantwrite(d[1]);
  CHECK_INT(iob_adds(&b, "three"), 1);
  CHECK_INT(iob_adds(&b, "little"), 1);
  CHECK_INT(iob_adds(&b, "pieces"), 1);
  CHECK_INT(iob_send(d[1], &b), 17);
  CHECK_INT(iob_adds(&b, "one"), 1);
  CHECK_INT(iob_send(d[1], &b), 3);
  io_timeout(d[0], l_in_ms(-1));
  io_timeout(d[1], l_in_ms(-1));
  CHECK(io_timeouted() >= 0);
  CHECK(io_timeouted() >= 0);
  CHECK_INT(io_timeouted(), -1);
  io_dontwantread(d[0]);
}

/* promise: Counters */
TEST(stats_count_what_there_was) {
  char *text;
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    work();
    io_timeout(l_idle(), l_in_ms(120));
    io_wait();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  text = w_take(path_of(w_child));
  CHECK_INT(value(text, "process"), w_child);
  CHECK_INT(value(text, "reports.read"), 7);
  CHECK_INT(value(text, "reports.write"), 1);
  CHECK_INT(value(text, "deadlines.expired"), 2);
  CHECK_INT(value(text, "batches.sent"), 2);
  CHECK_INT(value(text, "batches.largest_bytes"), 17);
  CHECK_INT(value(text, "batches.largest_entries"), 3);
  CHECK(value(text, "events") >= 7);
  CHECK(looks(text, "waits") >= 8);
  CHECK(looks(text, "wait_microseconds") >= 100000);
  CHECK(looks(text, "wait_microseconds") < 5000000);
  free(text);
}

/* What comes for a descriptor of which nothing is wanted any more. */
TEST(stats_count_wakeups_for_nothing) {
  char *text;
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    int64 d[2];
    l_pipe(d, 1);
    io_waituntil2(0);
    io_dontwantread(d[0]);
    l_put(d[1], "x");
    io_wantread(l_idle());
    io_waituntil2(1);
    exit(0);
  }
  w_ended_well();
  text = w_take(path_of(w_child));
  CHECK_INT(value(text, "wakeups.spurious"), 1);
  free(text);
}

/* Whether the kernel's `name` is `call`, or what i386 has in its place. */
static int is_call(const char *name, const char *call) {
  size_t n = strlen(call);
  if (strcmp(name, "recv") == 0) return strcmp(call, "recvfrom") == 0;
  if (strcmp(name, "send") == 0) return strcmp(call, "sendto") == 0;
  return strncmp(name, call, n) == 0 && (!name[n] || strcmp(name + n, "64") == 0 || strcmp(name + n, "2") == 0);
}

/* The number of calls in the summary that `strace -c` writes. */
static int64 traced(const char *summary, const char *call) {
  const char *line;
  for (line = summary; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    char rest[200], *name;
    long calls;
    if (sscanf(line, "%*f %*f %*d %ld %199[^\n]", &calls, rest) != 2) continue;
    name = strrchr(rest, ' ');
    if (is_call(name ? name + 1 : rest, call)) return calls;
  }
  return 0;
}

/* Of all that the program and the C library make no calls of. */
/* promise: Counters */
TEST(stats_count_system_calls_as_strace_does) {
  static const char *const calls[] = {"epoll_create1", "epoll_ctl",  "epoll_wait", "poll",       "recvfrom", "sendto",
                                      "sendmsg",       "socketpair", "ioctl",      "getsockopt", "fcntl",    "eventfd2",
                                      "rt_sigaction"};
  static char summary_path[64];
  static const char *const strace[] = {"strace", "-f", "-qq", "-c", "-o", summary_path, NULL};
  char *text, *summary;
  size_t i;
  int64 sum = 0;
  if (t_memory_is_checked()) SKIP("a memory checker makes calls of its own");
#ifndef __GLIBC__
  SKIP("this C library makes some of these calls by other names, or by itself");
#endif
  if (!getenv("OWFAT_IO_SESSION")) w_name(summary_path);
  if (w_session("OWFAT_IO_STATS", NULL, __func__, strace)) {
    FILE *number;
    work();
    CHECK_INT(io_fd(1000), 0);
    CHECK((number = fopen(w_path, "w")) != NULL);
    fprintf(number, "%d", (int)getpid());
    CHECK_INT(fclose(number), 0);
    chmod(w_path, 0600);
    io_finishandshutdown();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(chmod(summary_path, 0600), 0);
  summary = w_take(summary_path);
  text = w_take(w_path);
  i = (size_t)atoi(text);
  free(text);
  text = w_take(path_of((pid_t)i));
  for (i = 0; i < sizeof calls / sizeof *calls; i++) {
    char name[64];
    snprintf(name, sizeof name, "call.%s", calls[i]);
    if (value(text, name) != traced(summary, calls[i])) fprintf(stderr, "%s:\n%s%s", calls[i], text, summary);
    CHECK_INT(value(text, name), traced(summary, calls[i]));
    sum += value(text, name);
  }
  CHECK(sum > 25);
  free(text);
  free(summary);
}

/* Servers are killed rather than that they exit. The session kills itself when its file has everything. */
TEST(stats_survive_a_process_that_is_killed) {
  char *text;
  int status;
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    int64 d[2], end = t_now_ms() + L_PATIENCE;
    char *path = path_of(getpid());
    be_told_by_a_pair(d);
    while (t_now_ms() < end) {
      char so_far[4096] = "";
      int fd = open(path, O_RDONLY);
      io_waituntil2(1500);
      CHECK(fd == -1 || read(fd, so_far, sizeof so_far - 1) >= 0);
      if (fd != -1) close(fd);
      if (value(so_far, "reports.read") == 3) raise(SIGKILL);
    }
    exit(0);
  }
  CHECK_INT(waitpid(w_child, &status, 0), w_child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  text = w_take(path_of(w_child));
  CHECK_INT(value(text, "reports.read"), 3);
  free(text);
}

/* promise: Counters */
TEST(stats_of_a_forked_child_are_its_own) {
  char *text;
  int64 child;
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    int status;
    FILE *number;
    work();
    child = fork();
    if (child == 0) {
      int64 d[2];
      be_told_by_a_pair(d);
      exit(0);
    }
    CHECK_INT(waitpid((pid_t)child, &status, 0), child);
    CHECK_INT(status, 0);
    CHECK((number = fopen(w_path, "w")) != NULL);
    fprintf(number, "%d", (int)child);
    CHECK_INT(fclose(number), 0);
    chmod(w_path, 0600);
    exit(0);
  }
  w_ended_well();
  text = w_take(w_path);
  child = atoi(text);
  free(text);
  text = w_take(path_of((pid_t)child));
  CHECK_INT(value(text, "process"), child);
  CHECK_INT(value(text, "reports.read"), 3);
  CHECK_INT(value(text, "batches.sent"), 0);
  CHECK_INT(value(text, "call.socketpair"), 0);
  free(text);
  text = w_take(path_of(w_child));
  CHECK_INT(value(text, "reports.read"), 7);
  CHECK_INT(value(text, "batches.sent"), 2);
  free(text);
}

TEST(stats_that_cannot_be_written_are_one_line_and_no_harm) {
  char line[200];
  if (W_SESSION("OWFAT_IO_STATS", "/nonexistent/stats")) {
    errno = 4711;
    io_wantread(l_idle());
    work();
    exit(0);
  }
  w_ended_well();
  snprintf(line, sizeof line, "libowfat_io: OWFAT_IO_STATS: %s cannot be written (ENOENT); going on without\n", path_of(w_child));
  CHECK(strcmp(w_said, line) == 0);
}

/* As daemons do, before they open files of their own. */
TEST(stats_never_get_into_a_file_of_the_program) {
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    struct stat file;
    int64 d[2];
    int i;
    io_wantread(l_idle());
    be_told_by_a_pair(d);
    io_waituntil2(0); /* has the file written */
    io_close(d[0]);
    io_finishandshutdown();
    for (i = 3; i < 20; i++) close(i);
    for (i = 3; i < 20; i++) CHECK(t_tmpfile(0) >= 0);
    be_told_by_a_pair(d);
    poll(NULL, 0, 1100);
    be_told(d[0], d[1], 2);
    for (i = 3; i < 20; i++) CHECK(fstat(i, &file) == 0 && file.st_size == 0);
    exit(0);
  }
  w_ended_well();
  free(w_take(path_of(w_child)));
}
