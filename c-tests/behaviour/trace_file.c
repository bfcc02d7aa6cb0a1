/* The file of OWFAT_IO_TRACE: how long it may become, what it may be, and no harm whatever becomes of it. */
#include "watched.h"

enum { LIMIT = 64 << 20 };

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
    w_be_busy(20000);
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
    w_be_busy(10000);
    exit(0);
  }
  w_ended_well(); /* SIGXFSZ would have killed it */
  CHECK_INT(stat(w_path, &file), 0);
  CHECK(file.st_size <= 20000);
  CHECK_INT(unlink(w_path), 0);
}

/* As daemons do, before they open files of their own. */
TEST(trace_never_gets_into_a_file_of_the_program) {
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    struct stat file;
    int64 d;
    int i;
    w_be_busy(1);
    for (i = 3; i < 20; i++) close(i);
    for (i = 3; i < 20; i++) CHECK(t_tmpfile(0) >= 0);
    d = l_idle();
    w_be_busy(10000);
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
  int64 d;
  W_KEEPS(io_wantread(100));
  d = l_idle();
  W_KEEPS(io_wantread(d));
  W_KEEPS(CHECK_INT(io_waituntil2(10), 0));
  W_KEEPS(io_close(d));
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
    w_be_busy(1);
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
