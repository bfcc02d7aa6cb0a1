/* Numbers that only name a file (O_PATH) can be neither read, written nor watched: they are refused, and nothing leaks. */
#include "fork.h"
#include "thread.h"

static int64 named(const char *path) {
  int d = open(path, O_PATH | O_CLOEXEC);
  CHECK(d != -1);
  return d;
}

/* A socket and a pipe in a folder. */
static char folder[64], sock[128], fifo[128];

static void make_names(void) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  strcpy(folder, "/tmp/owfat-io-odd.XXXXXX");
  CHECK(s != -1 && mkdtemp(folder));
  snprintf(sock, sizeof sock, "%s/sock", folder);
  snprintf(fifo, sizeof fifo, "%s/fifo", folder);
  strcpy(at.sun_path, sock);
  CHECK_INT(bind(s, (struct sockaddr *)&at, sizeof at), 0);
  CHECK_INT(mkfifo(fifo, 0600), 0);
  CHECK_INT(close(s), 0);
}

static void remove_names(void) { CHECK(unlink(sock) == 0 && unlink(fifo) == 0 && rmdir(folder) == 0); }

static void is_refused(const char *path) {
  int64 d = named(path);
  char c;
  CHECK_INT(io_fd(d), 0);
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_fd_canwrite(d), 0);
  CHECK_ERRNO(EBADF);
  io_wantread(d);
  io_wantwrite(d);
  CHECK_INT(io_tryread(d, &c, 1), -3);
  CHECK_ERRNO(EBADF);
  CHECK_INT(io_trywrite(d, "x", 1), -3);
  CHECK_ERRNO(EBADF);
  io_check();
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  io_close(d);
  CHECK_INT(fcntl((int)d, F_GETFD), -1);
}

static void all_are_refused(void) {
  const char *const paths[] = {sock, fifo, folder, "/dev/null", "/proc/self/maps"};
  size_t i;
  for (i = 0; i < sizeof paths / sizeof *paths; i++) is_refused(paths[i]);
}

TEST(a_number_that_only_names_a_file_is_refused) {
  make_names();
  l_idle();
  all_are_refused();
  l_check_asleep();
  remove_names();
}

TEST(a_hundred_numbers_that_only_name_files_leave_no_descriptor_behind) {
  int before, i;
  make_names();
  l_idle();
  io_check();
  all_are_refused();
  before = f_open_descriptors();
  for (i = 0; i < 100; i++) all_are_refused();
  CHECK_INT(f_open_descriptors(), before);
  remove_names();
}

/* The kernel watches the number when it becomes one that only names a file. */
static void replaced_by_a_name(void) {
  int64 d[2], other[2], name;
  int i, before;
  char c;
  l_pipe(other, 1);
  t_unix_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  CHECK_INT(io_waituntil2(1), 0);
  name = named(sock);
  before = f_open_descriptors();
  for (i = 0; i < 20; i++) {
    CHECK_INT(dup2((int)name, (int)d[0]), d[0]);
    io_wantwrite(d[0]);
    io_dontwantread(d[0]);
    io_wantread(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), -3);
    CHECK_ERRNO(EBADF);
    l_put(other[1], "x");
    CHECK_INT(l_next_read(L_PATIENCE), other[0]);
    CHECK_INT(io_tryread(other[0], &c, 1), 1);
    CHECK_INT(io_canwrite(), -1);
  }
  CHECK_INT(f_open_descriptors(), before);
  io_close(d[0]);
  CHECK_INT(io_waituntil2(5), 0);
}

TEST(a_registered_number_that_only_names_a_file_now_hides_nobody) {
  make_names();
  replaced_by_a_name();
  l_check_asleep();
  remove_names();
}

TEST(in_a_child_a_registered_number_that_only_names_a_file_hides_nobody) {
  make_names();
  l_idle();
  io_check();
  f_run(replaced_by_a_name);
  remove_names();
}

TEST(a_sleeper_sleeps_on_when_a_number_that_only_names_a_file_is_wanted) {
  struct th_sleeper s;
  int64 idle = l_idle();
  make_names();
  th_put_to_sleep(&s, TH_LIMIT);
  all_are_refused();
  th_check_sleeps_on(&s, 50);
  CHECK_INT(io_queueforread(idle), 1);
  th_check_returns_at_once(&s);
  remove_names();
}
