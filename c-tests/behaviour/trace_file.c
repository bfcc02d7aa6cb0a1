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
/* promise: Traces */
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
/* promise: Traces */
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

/* One line, which names the variable, the file and the error. */
static void check_refused_file(const char *variable, const char *path, const char *why) {
  char line[200];
  w_ended_well();
  snprintf(line, sizeof line, "libowfat_io: %s: %s cannot be written (%s); going on without\n", variable, path, why);
  if (strcmp(w_said, line) != 0) {
    fprintf(stderr, "said '%s', not '%s'", w_said, line);
    t_leave(1);
  }
}

static void check_refused(const char *why) { check_refused_file("OWFAT_IO_TRACE", w_path, why); }

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

/* promise: Traces */
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

/* What somebody else has put where root's file is to be: nothing of it may change. */
enum { NOBODY = 65534 };

static const char secret[] = "of somebody else\n";

static void need_root(void) {
  if (geteuid() != 0) SKIP("only root has files that others could aim at");
}

static void make(const char *path, uid_t owner) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  CHECK(fd != -1);
  CHECK_INT(write(fd, secret, sizeof secret - 1), sizeof secret - 1);
  CHECK_INT(fchown(fd, owner, owner), 0);
  close(fd);
}

static void check_untouched(const char *path) {
  char text[100];
  int fd = open(path, O_RDONLY);
  CHECK(fd != -1);
  CHECK_INT(read(fd, text, sizeof text), sizeof secret - 1);
  CHECK(memcmp(text, secret, sizeof secret - 1) == 0);
  close(fd);
  CHECK_INT(unlink(path), 0);
}

/* Traces and counts, and ends. */
static void be_watched(void) {
  w_be_busy(1);
  io_waituntil2(1);
  exit(0);
}

TEST(trace_of_root_leaves_an_existing_file_of_another_user_alone) {
  if (!getenv("OWFAT_IO_SESSION")) {
    need_root();
    w_name(w_path);
    make(w_path, NOBODY);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) be_watched();
  check_refused("EPERM");
  check_untouched(w_path);
}

/* The link has the owner that its file has, which may be root. */
TEST(trace_follows_no_hard_link) {
  char target[64];
  if (!getenv("OWFAT_IO_SESSION")) {
    w_name(target);
    make(target, geteuid());
    w_name(w_path);
    CHECK_INT(link(target, w_path), 0);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) be_watched();
  check_refused("EMLINK");
  CHECK_INT(unlink(w_path), 0);
  check_untouched(target);
}

/* Its name ends in the number of the process, which is known when that has begun. */
TEST(counters_cut_nothing_off_a_file_of_another_user) {
  char path[100];
  if (W_SESSION("OWFAT_IO_STATS", NULL)) {
    need_root();
    snprintf(path, sizeof path, "%s.%d", w_path, (int)getpid());
    make(path, NOBODY);
    be_watched();
  }
  if (geteuid() != 0) SKIP("only root has files that others could aim at");
  snprintf(path, sizeof path, "%s.%d", w_path, (int)w_child);
  check_refused_file("OWFAT_IO_STATS", path, "EPERM");
  check_untouched(path);
}

/* A file that an administrator has made for a service is one that may be used. */
TEST(trace_of_a_user_goes_to_a_file_of_root_that_it_may_write) {
  struct stat file;
  if (!getenv("OWFAT_IO_SESSION")) {
    need_root();
    w_name(w_path);
    make(w_path, 0);
    CHECK_INT(chmod(w_path, 0666), 0);
  }
  if (W_SESSION("OWFAT_IO_TRACE", w_path)) {
    CHECK_INT(setregid(NOBODY, NOBODY), 0);
    CHECK_INT(setreuid(NOBODY, NOBODY), 0);
    be_watched();
  }
  w_ended_well();
  CHECK_INT(strlen(w_said), 0);
  CHECK_INT(stat(w_path, &file), 0);
  CHECK(file.st_size > (off_t)sizeof secret);
  CHECK_INT(unlink(w_path), 0);
}

/* To a folder of root's, for instance. One of the user's own is a link that was meant. */
static void go_through_a_link(uid_t owner, const char *why, const char *name) {
  static char folder[64], way[64];
  if (!getenv("OWFAT_IO_SESSION")) {
    need_root();
    w_name(folder);
    w_name(way);
    CHECK_INT(mkdir(folder, 0700), 0);
    CHECK_INT(symlink(folder, way), 0);
    CHECK_INT(lchown(way, owner, owner), 0);
    strcpy(w_path, way);
    strcat(w_path, "/trace");
  }
  if (w_session("OWFAT_IO_TRACE", w_path, name, NULL)) be_watched();
  if (why) check_refused(why);
  else w_ended_well();
  CHECK_INT(unlink(w_path), why ? -1 : 0);
  CHECK_INT(rmdir(folder), 0);
  CHECK_INT(unlink(way), 0);
}

TEST(trace_goes_through_no_link_to_a_folder_that_another_user_made) { go_through_a_link(NOBODY, "ELOOP", __func__); }

TEST(trace_goes_through_a_link_to_a_folder_that_its_user_made) { go_through_a_link(0, NULL, __func__); }

/* A client has the number of the trace: nothing is written to it, nothing of it read, and it is not closed. */
TEST(trace_never_touches_a_socket_that_has_its_number) {
  if (W_SESSION("OWFAT_IO_TRACE", NULL)) {
    int64 d[2];
    char text[100];
    int number = 3;
    t_unix_pair(d);
    w_be_busy(1);
    while (fcntl(number, F_GETFD) == -1 || number == d[0] || number == d[1] || !w_is_regular(number)) number++;
    CHECK_INT(dup2((int)d[0], number), number);
    CHECK_INT(write((int)d[1], "request", 7), 7);
    w_be_busy(10000);
    io_waituntil2(1);
    if (fork() == 0) {
      w_be_busy(10000);
      exit(0);
    }
    CHECK(wait(NULL) > 0);
    CHECK_INT(read(number, text, sizeof text), 7);
    CHECK_INT(send((int)d[1], "", 0, MSG_NOSIGNAL), 0);
    CHECK_INT(recv((int)d[1], text, sizeof text, MSG_DONTWAIT), -1);
    CHECK_ERRNO(EAGAIN);
    exit(0);
  }
  w_ended_well();
  free(w_take(w_path));
}

TEST(trace_has_a_descriptor_that_is_close_on_exec_and_above_2) {
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
