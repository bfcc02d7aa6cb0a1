/* OWFAT_IO_TRACE: a line for each event, and no harm whatever becomes of the file. See libowfat_io(3). */
#include "batch.h"
#include "thread.h"
#include "watched.h"

#include <sys/syscall.h>
#include <sys/time.h>

enum { LIMIT = 64 << 20 };

/* Takes the time and the process off each line, and checks them. Lines of other processes than `process` are left out. */
static void strip(char *text, pid_t process) {
  char *from = text, *to = text, *end;
  double before = 0;
  for (; *from; from = end + 1) {
    double time;
    int pid, tid, used = 0, fraction;
    end = strchr(from, '\n');
    CHECK(end != NULL);
    CHECK(sscanf(from, "%lf %d/%d %n", &time, &pid, &tid, &used) == 3 && used > 0);
    CHECK(sscanf(from, "%*d.%*6d%n", &fraction) == 0 && from[fraction] == ' ');
    if (pid != process) continue;
    CHECK(time >= before && time > 1.5e9);
    before = time;
    memmove(to, from + used, (size_t)(end + 1 - from - used));
    to += end + 1 - from - used;
  }
  *to = 0;
}

static void check_lines(const char *text, const char *const *expected, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    size_t len = strlen(expected[i]);
    if (strncmp(text, expected[i], len) != 0 || text[len] != '\n') {
      fprintf(stderr, "line %zu should be '%s', then comes:\n%s", i + 1, expected[i], text);
      t_leave(1);
    }
    text += len + 1;
  }
  CHECK_INT(strlen(text), 0);
}

static int count(const char *text, const char *what) {
  int n = 0;
  while ((text = strstr(text, what))) n++, text++;
  return n;
}

/* The numbers of the program's descriptors, so that the expected lines can have them. */
static void put_at(int64 d, int number) {
  CHECK_INT(dup2((int)d, number), number);
  close((int)d);
}

/* errno of a call that succeeds is what it was. */
#define KEEPS(call)       \
  do {                    \
    errno = 4711;         \
    call;                 \
    CHECK_ERRNO(4711);    \
  } while (0)

static void converse(void) {
  static char buf[100];
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  put_at(d[0], 100);
  put_at(d[1], 101);
  KEEPS(CHECK_INT(io_fd(100), 1));
  KEEPS(CHECK_INT(io_fd_flags(101, IO_FD_CANWRITE | IO_FD_NONBLOCK), 1));
  errno = 0;
  CHECK_INT(io_fd(102), 0);
  CHECK_ERRNO(EBADF);
  KEEPS(io_nonblock(100));
  KEEPS(io_wantread(100));
  KEEPS(io_wantwrite(101));
  KEEPS(CHECK_INT(io_canwrite(), 101));
  KEEPS(CHECK_INT(io_trywrite(101, "hello", 5), 5));
  KEEPS(io_dontwantwrite(101));
  KEEPS(io_wait());
  KEEPS(CHECK_INT(io_canread(), 100));
  KEEPS(CHECK_INT(io_canread(), -1));
  KEEPS(CHECK_INT(io_tryread(100, buf, 100), 5));
  errno = 0;
  CHECK_INT(io_tryread(100, buf, 100), -1);
  CHECK_ERRNO(EAGAIN);
  KEEPS(io_eagain_read(100));
  CHECK_INT(iob_adds(&b, "one"), 1);
  CHECK_INT(iob_adds(&b, "two"), 1);
  KEEPS(CHECK_INT(iob_send(100, &b), 6));
  KEEPS(io_timeout(100, l_never()));
  KEEPS(CHECK_INT(io_queueforread(100), 1));
  KEEPS(CHECK_INT(io_canread(), 100));
  KEEPS(io_close(100));
  errno = 0;
  io_close(100);
  CHECK_ERRNO(EBADF);
}

TEST(trace_has_a_line_for_each_event) {
  static const char *const lines[] = {
      "- begin -",
      "100 io_fd 1",
      "101 io_fd_flags 1 flags=5",
      "102 io_fd 0 EBADF",
      "100 io_nonblock 0",
      "100 io_wantread -",
      "101 io_wantwrite -",
      "101 io_canwrite 101",
      "101 io_trywrite 5 len=5",
      "101 io_dontwantwrite -",
      "- sleep - ms=-1",
      "- woke 1",
      "100 ready r",
      "- io_wait 1",
      "100 io_canread 100",
      "100 io_tryread 5 len=100",
      "100 io_tryread -1 EAGAIN len=100",
      "100 io_eagain_read -",
      "100 iob_send 6 left=0",
      "100 io_timeout -",
      "100 io_queueforread 1",
      "100 io_canread 100",
      "100 io_close -",
      "100 io_close -",
      "100 io_close -1 EBADF",
      "- end -",
  };
  char *text;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    converse();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  text = w_take(w_path);
  strip(text, w_child);
  check_lines(text, lines, sizeof lines / sizeof *lines);
  free(text);
}

/* The rest of the functions. */
static void use_what_is_rare(void) {
  char c;
  int64 d[2], file;
  iomux_t m;
  int64 s;
  unsigned events;
  CHECK_INT(io_pipe(d), 1);
  CHECK_INT(io_waitwrite(d[1], "x", 1), 1);
  CHECK_INT(io_waitread(d[0], &c, 1), 1);
  CHECK_INT(io_tryreadtimeout(d[0], &c, 1), -1);
  CHECK_INT(io_trywritetimeout(d[1], "x", 1), 1);
  io_closeonexec(d[0]);
  io_block(d[0]);
  io_eagain(d[0]);
  io_eagain_write(d[1]);
  io_dontwantread(d[0]);
  CHECK_INT(io_queueforwrite(d[1]), 1);
  io_timeout(d[0], l_in_ms(-1000));
  CHECK_INT(io_timeouted(), d[0]);
  CHECK_INT(io_timeouted(), -1);
  io_check();
  io_waituntil(l_in_ms(-1000));
  io_waituntil2(0);
  CHECK_INT(iom_init(&m), 1);
  CHECK_INT(iom_add(&m, d[0], IOM_READ), 0);
  CHECK_INT(iom_wait(&m, &s, &events, 0), 1);
  CHECK_INT(iom_wait(&m, &s, &events, 0), 0);
  CHECK_INT(io_readfile(&file, "/dev/null"), 1);
  CHECK_INT(io_readfile(&s, "/nonexistent"), 0);
  CHECK_INT(io_sendfile(d[1], file, 0, 10), 0);
  CHECK_INT(io_socketpair(d), 1);
  CHECK_INT(io_passfd(d[0], file), 0);
  CHECK(io_receivefd(d[1]) >= 0);
  io_finishandshutdown();
}

TEST(trace_has_a_line_for_the_rarer_functions) {
  static const char *const whats[] = {
      " io_pipe 1 other=",      " io_waitwrite 1 len=1",  " io_waitread 1 len=1",       " io_tryreadtimeout -1 EAGAIN len=1",
      " io_trywritetimeout 1",  " io_closeonexec 0",      " io_block 0",                " io_eagain -",
      " io_eagain_write -",     " io_dontwantread -",     " io_queueforwrite 1",        " io_timeout - ms=-1",
      " io_timeouted ",         " - io_check ",           " - io_waituntil ",           " - io_waituntil2 ",
      " - iom_init 1",          " iom_add 0 events=1",    " iom_wait 1 events=1",       " - iom_wait 0",
      " io_readfile 1",         " - io_readfile 0 ENOENT", " io_sendfile 0 file=",      " io_socketpair 1 other=",
      " io_passfd 0 passed=",   " io_receivefd ",         " - io_finishandshutdown 0",
  };
  char *text;
  size_t i;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    use_what_is_rare();
    exit(0);
  }
  w_ended_well();
  text = w_take(w_path);
  for (i = 0; i < sizeof whats / sizeof *whats; i++) {
    if (!strstr(text, whats[i])) {
      fprintf(stderr, "no '%s' in:\n%s", whats[i], text);
      t_leave(1);
    }
  }
  CHECK_INT(count(text, " io_pipe "), 2);
  CHECK_INT(count(text, " io_timeouted "), 1);
  free(text);
}

/* So often that what is gathered fills its room some times. */
static void be_busy(int n) {
  while (n-- > 0) io_wantread(1000);
}

TEST(trace_is_whole_when_there_is_much_of_it) {
  char *text;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    be_busy(10000);
    exit(0);
  }
  w_ended_well();
  text = w_take(w_path);
  strip(text, w_child);
  CHECK_INT(count(text, "1000 io_wantread -\n"), 10000);
  CHECK_INT(strlen(text), 10000 * strlen("1000 io_wantread -\n") + strlen("- begin -\n- end -\n"));
  free(text);
}

TEST(trace_of_a_process_that_sleeps_is_all_there) {
  char *text;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    int64 d = l_idle();
    io_waituntil2(50);
    io_wantread(d);
    io_timeout(d, l_in_ms(300));
    io_wait();
    raise(SIGKILL);
  }
  CHECK_INT(waitpid(w_child, NULL, 0), w_child);
  text = w_take(w_path);
  CHECK(strstr(text, " io_waituntil2 0\n") != NULL);
  CHECK(strstr(text, " io_timeout - ms=") != NULL);
  CHECK_INT(count(text, " sleep - ms="), 2);
  free(text);
}

static void check_full(void) {
  struct stat file;
  char last[200] = "", *line;
  int fd = open(w_path, O_RDONLY);
  CHECK(fd != -1);
  CHECK_INT(fstat(fd, &file), 0);
  CHECK(file.st_size <= LIMIT && file.st_size > LIMIT - (128 << 10));
  CHECK(pread(fd, last, sizeof last - 1, file.st_size - (off_t)sizeof last + 1) > 0);
  CHECK(last[sizeof last - 2] == '\n');
  last[sizeof last - 2] = 0;
  line = strrchr(last, '\n');
  CHECK(line && strstr(line, " - full -") != NULL);
  close(fd);
  CHECK_INT(unlink(w_path), 0);
}

/* A file that is there already counts, and is added to. */
TEST(trace_ends_when_its_file_is_full) {
  if (!getenv("OWFAT_IO_SESSION")) {
    int fd;
    w_name(w_path);
    fd = open(w_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd != -1);
    CHECK_INT(ftruncate(fd, LIMIT - (200 << 10)), 0);
    close(fd);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) {
    be_busy(20000);
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  check_full();
}

TEST(trace_keeps_to_the_limit_of_the_process) {
  struct rlimit limit = {20000, 20000};
  struct stat file;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    be_busy(10000);
    exit(0);
  }
  w_ended_well(); /* SIGXFSZ would have killed it */
  CHECK_INT(stat(w_path, &file), 0);
  CHECK(file.st_size <= 20000);
  CHECK_INT(unlink(w_path), 0);
}

TEST(trace_tells_a_forked_child_from_its_parent) {
  static const char *const of_child[] = {"100 io_wantread -", "- end -"};
  char begin[64], line[64], *text, *again;
  int child;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    int status;
    io_wantread(99);
    child = fork();
    if (child == 0) {
      io_wantread(100);
      exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    io_wantread(101);
    exit(0);
  }
  w_ended_well();
  text = w_take(w_path);
  CHECK_INT(count(text, "99 io_wantread -\n"), 1);
  again = strdup(text);
  CHECK(again != NULL);
  snprintf(begin, sizeof begin, " - begin - parent=%d\n", (int)w_child);
  CHECK(strstr(text, begin) != NULL);
  CHECK_INT(sscanf(strchr(text, ' '), " %d/", &child), 1); /* it has ended first */
  CHECK(child != w_child);
  snprintf(line, sizeof line, " %d/%d 100 io_wantread -\n", child, child);
  CHECK(strstr(text, line + 1) != NULL);
  strip(again, child);
  CHECK(strncmp(again, begin + 1, strlen(begin + 1)) == 0);
  check_lines(again + strlen(begin + 1), of_child, 2);
  strip(text, w_child);
  CHECK_INT(count(text, "\n"), 4);
  free(text);
  free(again);
}

/* As daemons do, before they open files of their own. */
TEST(trace_never_gets_into_a_file_of_the_program) {
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    struct stat file;
    int64 d;
    int i;
    be_busy(1);
    for (i = 3; i < 20; i++) close(i);
    for (i = 3; i < 20; i++) CHECK(t_tmpfile(0) >= 0);
    d = l_idle();
    be_busy(10000);
    io_waituntil2(1);
    for (i = 3; i < 20; i++) CHECK(i == d || (fstat(i, &file) == 0 && file.st_size == 0));
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  free(w_take(w_path));
}

static const char *expected_line(char line[200], const char *variable, const char *why) {
  snprintf(line, 200, "libowfat_io: %s: the file cannot be written (%s); going on without\n", variable, why);
  return line;
}

static void check_refused(const char *why) {
  char line[200];
  w_ended_well();
  if (strcmp(w_said, expected_line(line, "OWFAT_IO_TRACE", why)) != 0) {
    fprintf(stderr, "said '%s', not '%s'", w_said, line);
    t_leave(1);
  }
}

static void work_untraced(void) {
  KEEPS(io_wantread(100));
  converse();
}

TEST(trace_that_cannot_be_written_is_one_line_and_no_harm) {
  if (W_SESSION("OWFAT_IO_TRACE", "/nonexistent/trace")) {
    work_untraced();
    exit(0);
  }
  check_refused("ENOENT");
}

TEST(trace_follows_no_link) {
  char target[64];
  if (!getenv("OWFAT_IO_SESSION")) {
    w_name(target);
    w_name(w_path);
    CHECK_INT(symlink(target, w_path), 0);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) {
    work_untraced();
    exit(0);
  }
  check_refused("ELOOP");
  CHECK_INT(access(target, F_OK), -1);
  CHECK_INT(unlink(w_path), 0);
}

/* Nobody reads, so that a plain open would wait for ever. */
TEST(trace_goes_to_a_file_and_to_nothing_else) {
  if (!getenv("OWFAT_IO_SESSION")) {
    w_name(w_path);
    CHECK_INT(mkfifo(w_path, 0600), 0);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) {
    work_untraced();
    exit(0);
  }
  check_refused("ENXIO");
  CHECK_INT(unlink(w_path), 0);
}

TEST(S3_13_trace_has_a_descriptor_that_is_close_on_exec_and_above_2) {
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    int i, own = 0;
    for (i = 0; i < 100; i++) close(i);
    be_busy(1);
    for (i = 0; i < 3; i++) {
      if (fcntl(i, F_GETFD) != -1) _exit(1);
    }
    for (i = 3; i < 100; i++) {
      if (fcntl(i, F_GETFD) == -1) continue;
      if (fcntl(i, F_GETFD) != FD_CLOEXEC) _exit(2);
      own++;
    }
    _exit(own == 1 ? 0 : 3);
  }
  w_ended_well();
  CHECK_INT(unlink(w_path), 0);
}

static void *be_busy_too(void *tid) {
  *(int *)tid = (int)syscall(SYS_gettid);
  be_busy(3000);
  return NULL;
}

/* Each says its number on the way. */
TEST(trace_of_several_threads_has_whole_lines) {
  char *text, *line;
  int tids[3], i;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    pthread_t threads[3];
    for (i = 0; i < 3; i++) threads[i] = th_start(be_busy_too, &tids[i]);
    for (i = 0; i < 3; i++) th_join(threads[i]);
    for (i = 0; i < 3; i++) io_wantwrite(tids[i]);
    exit(0);
  }
  w_ended_well();
  text = w_take(w_path);
  for (i = 0, line = text; (line = strstr(line, " io_wantwrite ")); line++) {
    char *number = line;
    while (number[-1] != ' ') number--;
    CHECK(i < 3);
    tids[i++] = atoi(number);
  }
  CHECK_INT(i, 3);
  for (i = 0; i < 3; i++) {
    char whole[100];
    snprintf(whole, sizeof whole, " %d/%d 1000 io_wantread -\n", (int)w_child, tids[i]);
    CHECK_INT(count(text, whole), 3000);
  }
  strip(text, w_child);
  free(text);
}

static void leave(int number) {
  (void)number;
  exit(0); /* servers do it */
}

/* Wherever the signal finds it, also with the lock of the trace in hand. */
TEST(trace_does_not_hold_up_an_exit_in_a_signal_handler) {
  int i;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    for (i = 0; i < 30; i++) {
      struct itimerval once = {{0, 0}, {0, 1000 + 37 * i}};
      int status;
      pid_t child = fork();
      if (child == 0) {
        signal(SIGALRM, leave);
        setitimer(ITIMER_REAL, &once, NULL);
        for (;;) be_busy(1);
      }
      CHECK_INT(waitpid(child, &status, 0), child);
      CHECK_INT(status, 0);
    }
    exit(0);
  }
  w_ended_well();
  free(w_take(w_path));
}
