/* OWFAT_IO_TRACE: a line for each event. See libowfat_io(3). */
#include "batch.h"
#include "thread.h"
#include "watched.h"

#include <sys/syscall.h>
#include <sys/time.h>

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

static void converse(void) {
  static char buf[100];
  int64 d[2];
  io_batch b;
  memset(&b, 0, sizeof b);
  t_unix_pair(d);
  put_at(d[0], 100);
  put_at(d[1], 101);
  CHECK_INT(io_fd(100), 1); /* what a sandbox refuses the loop at its beginning shows in errno */
  W_KEEPS(CHECK_INT(io_fd_flags(101, IO_FD_CANWRITE | IO_FD_NONBLOCK), 1));
  errno = 0;
  CHECK_INT(io_fd(102), 0);
  CHECK_ERRNO(EBADF);
  W_KEEPS(io_nonblock(100));
  W_KEEPS(io_wantread(100));
  W_KEEPS(io_wantwrite(101));
  W_KEEPS(CHECK_INT(io_canwrite(), 101));
  W_KEEPS(CHECK_INT(io_trywrite(101, "hello", 5), 5));
  W_KEEPS(io_dontwantwrite(101));
  W_KEEPS(io_wait());
  W_KEEPS(CHECK_INT(io_canread(), 100));
  W_KEEPS(CHECK_INT(io_canread(), -1));
  W_KEEPS(CHECK_INT(io_tryread(100, buf, 100), 5));
  errno = 0;
  CHECK_INT(io_tryread(100, buf, 100), -1);
  CHECK_ERRNO(EAGAIN);
  W_KEEPS(io_eagain_read(100));
  CHECK_INT(iob_adds(&b, "one"), 1);
  CHECK_INT(iob_adds(&b, "two"), 1);
  W_KEEPS(CHECK_INT(iob_send(100, &b), 6));
  W_KEEPS(io_timeout(100, l_never()));
  W_KEEPS(CHECK_INT(io_queueforread(100), 1));
  W_KEEPS(CHECK_INT(io_canread(), 100));
  W_KEEPS(io_close(100));
  errno = 0;
  io_close(100);
  CHECK_ERRNO(EBADF);
}

/* promise: Traces */
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
  CHECK_INT(iom_requeue(&m, d[0], IOM_WRITE), 0);
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
      " iom_requeue 0 events=2",
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

TEST(trace_begins_in_the_directory_of_the_start) {
  char path[64], *text;
  CHECK_INT(chdir("/tmp"), 0);
  w_name(path);
  if (W_SESSION("OWFAT_IO_TRACE", path + strlen("/tmp/"))) {
    CHECK_INT(chdir("/"), 0); /* as servers do */
    io_check();
    exit(0);
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  text = w_take(w_path);
  CHECK_INT(count(text, " - io_check "), 1);
  free(text);
}

TEST(trace_is_whole_when_there_is_much_of_it) {
  char *text;
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    w_be_busy(10000);
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

TEST(trace_tells_a_forked_child_from_its_parent) {
  static const char *const of_child[] = {"100 io_wantread -", "- end -"};
  char begin[64], line[64], *text, *again;
  int child;
  if (t_portable()) SKIP("POSIX gives threads no numbers");
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

static void *be_busy_too(void *tid) {
  *(int *)tid = (int)syscall(SYS_gettid);
  w_be_busy(3000);
  return NULL;
}

/* Each says its number on the way. */
/* promise: Traces */
TEST(trace_of_several_threads_has_whole_lines) {
  char *text, *line;
  int tids[3], i;
  if (t_portable()) SKIP("POSIX gives threads no numbers");
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

/* Wherever the signal finds the thread, also while it holds the lock of the trace. */
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
        for (;;) w_be_busy(1);
      }
      CHECK_INT(waitpid(child, &status, 0), child);
      CHECK_INT(status, 0);
    }
    exit(0);
  }
  w_ended_well();
  free(w_take(w_path));
}
