/* io_readfile and its kin, io_pipe, io_socketpair, io_closeonexec. */
#include "t.h"
#include <sys/resource.h>
#include <sys/stat.h>

typedef int opener(int64 *d, const char *path);

static char dir[] = "/tmp/owfat-io-open.XXXXXX";

/* A path in a directory of this test's own. */
static const char *in_dir(const char *name) {
  static char path[64];
  if (strchr(dir, 'X')) CHECK(mkdtemp(dir) != NULL);
  CHECK(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path);
  return path;
}

static void remove_dir(const char *path) {
  CHECK_INT(unlink(path), 0);
  CHECK_INT(rmdir(dir), 0);
}

static void contains(int64 d, const char *text) {
  char got[64];
  ssize_t n = pread((int)d, got, sizeof got, 0);
  CHECK_INT(n, strlen(text));
  CHECK(memcmp(got, text, strlen(text)) == 0);
}

/* Blocking mode, inherited over exec, and that way of opening. */
static void is_plain(int64 d, int access) {
  int flags = fcntl((int)d, F_GETFL);
  CHECK(flags != -1);
  CHECK_INT(flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), access);
  CHECK_INT(fcntl((int)d, F_GETFD), 0);
}

static int lowest_free(void) {
  int d = dup(0);
  CHECK(d >= 0);
  CHECK_INT(close(d), 0);
  return d;
}

/* promise: Opening files */
TEST(io_readfile_opens_for_reading) {
  const char *path = in_dir("f");
  int64 d = -7, w;
  CHECK_INT(io_createfile(&w, path), 1);
  CHECK_INT(write((int)w, "text", 4), 4);
  CHECK_INT(io_readfile(&d, path), 1);
  is_plain(d, O_RDONLY);
  contains(d, "text");
  remove_dir(path);
}

TEST(io_readfile_opens_a_directory_for_fchdir) {
  int64 d = -7;
  CHECK_INT(io_readfile(&d, "."), 1);
  CHECK_INT(fchdir((int)d), 0);
  is_plain(d, O_RDONLY);
}

/* promise: Opening files */
TEST(io_createfile_makes_or_empties_a_file) {
  const char *path = in_dir("f");
  int64 d = -7, r;
  struct stat st;
  umask(0022);
  CHECK_INT(io_createfile(&d, path), 1);
  is_plain(d, O_WRONLY);
  CHECK_INT(fstat((int)d, &st), 0);
  CHECK_INT(st.st_mode & 07777, 0600);
  CHECK_INT(write((int)d, "long text", 9), 9);
  CHECK_INT(io_createfile(&d, path), 1);
  CHECK_INT(write((int)d, "new", 3), 3);
  CHECK_INT(io_readfile(&r, path), 1);
  contains(r, "new");
  remove_dir(path);
}

/* promise: Opening files */
TEST(new_files_obey_the_umask) {
  const char *path = in_dir("f");
  int64 d;
  struct stat st;
  umask(0277);
  CHECK_INT(io_createfile(&d, path), 1);
  CHECK_INT(fstat((int)d, &st), 0);
  CHECK_INT(st.st_mode & 07777, 0400);
  CHECK_INT(unlink(path), 0);
  CHECK_INT(io_appendfile(&d, path), 1);
  CHECK_INT(fstat((int)d, &st), 0);
  CHECK_INT(st.st_mode & 07777, 0400);
  remove_dir(path);
}

/* promise: Opening files */
TEST(io_appendfile_adds_at_the_end) {
  const char *path = in_dir("f");
  int64 a = -7, b = -7, r;
  struct stat st;
  umask(0);
  CHECK_INT(io_appendfile(&a, path), 1);
  is_plain(a, O_WRONLY | O_APPEND);
  CHECK_INT(fstat((int)a, &st), 0);
  CHECK_INT(st.st_mode & 07777, 0600);
  CHECK_INT(io_appendfile(&b, path), 1);
  CHECK_INT(write((int)a, "one", 3), 3);
  CHECK_INT(write((int)b, "two", 3), 3);
  CHECK_INT(write((int)a, "three", 5), 5);
  CHECK_INT(io_readfile(&r, path), 1);
  contains(r, "onetwothree");
  remove_dir(path);
}

/* promise: Opening files */
TEST(io_readwritefile_keeps_what_is_there) {
  const char *path = in_dir("f");
  int64 d = -7;
  CHECK_INT(io_createfile(&d, path), 1);
  CHECK_INT(write((int)d, "12345", 5), 5);
  CHECK_INT(io_readwritefile(&d, path), 1);
  is_plain(d, O_RDWR);
  CHECK_INT(write((int)d, "abc", 3), 3);
  contains(d, "abc45");
  remove_dir(path);
}

/* promise: Opening files */
TEST(a_failed_open_leaves_the_callers_variable_as_it_was) {
  static opener *const all[] = {io_readfile, io_readwritefile, io_createfile, io_appendfile};
  int64 d = -7;
  size_t i;
  int before = lowest_free();
  for (i = 0; i < sizeof all / sizeof *all; i++) {
    errno = 0;
    CHECK_INT(all[i](&d, NULL), 0);
    CHECK_ERRNO(EFAULT);
    errno = 0;
    CHECK_INT(all[i](&d, "/nonexistent/file"), 0);
    CHECK_ERRNO(ENOENT);
    errno = 0;
    CHECK_INT(all[i](&d, ""), 0);
    CHECK_ERRNO(ENOENT);
    if (i > 0) {
      errno = 0;
      CHECK_INT(all[i](&d, "/"), 0);
      CHECK_ERRNO(EISDIR);
    }
  }
  CHECK_INT(d, -7);
  CHECK_INT(lowest_free(), before);
}

TEST(an_open_into_NULL_is_EFAULT_and_makes_no_file) {
  static opener *const all[] = {io_readfile, io_readwritefile, io_createfile, io_appendfile};
  const char *path = in_dir("f");
  size_t i;
  int before = lowest_free();
  for (i = 0; i < sizeof all / sizeof *all; i++) {
    errno = 0;
    CHECK_INT(all[i](NULL, path), 0);
    CHECK_ERRNO(EFAULT);
  }
  CHECK_INT(lowest_free(), before);
  CHECK_INT(rmdir(dir), 0);
}

static void set_descriptor_limit(int n) {
  struct rlimit limit;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)n;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(io_readfile_without_a_free_descriptor_is_EMFILE) {
  int64 d = -7;
  set_descriptor_limit(lowest_free());
  errno = 0;
  CHECK_INT(io_readfile(&d, "/"), 0);
  CHECK_ERRNO(EMFILE);
  CHECK_INT(d, -7);
}

static void carries(int64 from, int64 to) {
  char byte = 0;
  CHECK_INT(write((int)from, "x", 1), 1);
  CHECK_INT(read((int)to, &byte, 1), 1);
  CHECK_INT(byte, 'x');
}

/* promise: Pipes and socket pairs */
TEST(io_pipe_connects_two_ends) {
  int64 d[2] = {-7, -7};
  CHECK_INT(io_pipe(d), 1);
  is_plain(d[0], O_RDONLY);
  is_plain(d[1], O_WRONLY);
  carries(d[1], d[0]);
}

/* promise: Pipes and socket pairs */
TEST(io_socketpair_connects_two_ends_both_ways) {
  int64 d[2] = {-7, -7};
  int type = 0, domain = 0;
  socklen_t n = sizeof type;
  CHECK_INT(io_socketpair(d), 1);
  is_plain(d[0], O_RDWR);
  is_plain(d[1], O_RDWR);
  CHECK_INT(getsockopt((int)d[0], SOL_SOCKET, SO_TYPE, &type, &n), 0);
  CHECK_INT(type, SOCK_STREAM);
  CHECK_INT(getsockopt((int)d[0], SOL_SOCKET, SO_DOMAIN, &domain, &n), 0);
  CHECK_INT(domain, AF_UNIX);
  carries(d[0], d[1]);
  carries(d[1], d[0]);
}

/* promise: Pipes and socket pairs */
TEST(io_pipe_and_io_socketpair_register_both_ends) {
  int64 p[2], s[2];
  int i, cookies[4];
  CHECK_INT(io_pipe(p), 1);
  CHECK_INT(io_socketpair(s), 1);
  for (i = 0; i < 2; i++) {
    io_setcookie(p[i], &cookies[i]);
    io_setcookie(s[i], &cookies[2 + i]);
  }
  for (i = 0; i < 2; i++) {
    CHECK(io_getcookie(p[i]) == &cookies[i]);
    CHECK(io_getcookie(s[i]) == &cookies[2 + i]);
  }
}

/* The ends that can be written to are told so without a wait call; the others are not. */
/* promise: Pipes and socket pairs */
TEST(the_writable_ends_of_io_pipe_and_io_socketpair_have_the_hint) {
  int64 p[2], s[2], first;
  CHECK_INT(io_pipe(p), 1);
  io_wantread(p[0]);
  io_wantwrite(p[1]);
  CHECK_INT(io_canwrite(), p[1]);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_socketpair(s), 1);
  io_wantwrite(s[0]);
  io_wantwrite(s[1]);
  first = io_canwrite();
  CHECK(first == s[0] || first == s[1]);
  CHECK_INT(io_canwrite(), s[0] + s[1] - first);
  CHECK_INT(io_canwrite(), -1);
}

TEST(the_ends_of_io_pipe_and_io_socketpair_are_known_to_be_blocking) {
  int64 d[2];
  char byte;
  CHECK_INT(io_pipe(d), 1);
  CHECK_INT(io_tryread(d[0], &byte, 1), -1); /* and does not wait */
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(fcntl((int)d[0], F_GETFL) & O_NONBLOCK, 0);
}

static void leaves_nothing_without_descriptors(int (*make)(int64 *)) {
  int64 warm[2], d[2] = {-7, -7};
  int before, spare;
  CHECK_INT(make(warm), 1); /* the library has what it needs for itself */
  before = lowest_free();
  for (spare = 0; spare < 2; spare++) {
    int p[2];
    set_descriptor_limit(before + spare);
    /* valgrind keeps the limit from the kernel. */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0) SKIP("the descriptor limit has no effect");
    errno = 0;
    CHECK_INT(make(d), 0);
    CHECK_ERRNO(EMFILE);
    CHECK_INT(d[0], -7);
    CHECK_INT(d[1], -7);
  }
  set_descriptor_limit(1024);
  CHECK_INT(lowest_free(), before);
  CHECK_INT(make(d), 1);
}

/* promise: Pipes and socket pairs */
TEST(io_pipe_without_free_descriptors_leaves_nothing) { leaves_nothing_without_descriptors(io_pipe); }
TEST(io_socketpair_without_free_descriptors_leaves_nothing) { leaves_nothing_without_descriptors(io_socketpair); }

TEST(io_pipe_and_io_socketpair_into_NULL_are_EFAULT) {
  int before = lowest_free();
  errno = 0;
  CHECK_INT(io_pipe(NULL), 0);
  CHECK_ERRNO(EFAULT);
  errno = 0;
  CHECK_INT(io_socketpair(NULL), 0);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(lowest_free(), before);
}

/* promise: Setting the mode */
TEST(io_closeonexec_sets_its_flag_and_no_other) {
  const char *path = in_dir("f");
  int64 d, p[2];
  int flags;
  CHECK_INT(io_appendfile(&d, path), 1);
  flags = fcntl((int)d, F_GETFL);
  io_closeonexec(d);
  CHECK_INT(fcntl((int)d, F_GETFD), FD_CLOEXEC);
  CHECK_INT(fcntl((int)d, F_GETFL), flags);
  io_closeonexec(d);
  CHECK_INT(fcntl((int)d, F_GETFD), FD_CLOEXEC);
  CHECK_INT(io_pipe(p), 1);
  CHECK_INT(fcntl((int)p[0], F_SETFL, O_NONBLOCK), 0);
  io_closeonexec(p[0]);
  CHECK_INT(fcntl((int)p[0], F_GETFD), FD_CLOEXEC);
  CHECK_INT(fcntl((int)p[0], F_GETFL), O_NONBLOCK);
  CHECK_INT(fcntl((int)p[1], F_GETFD), 0);
  remove_dir(path);
}

TEST(io_closeonexec_of_a_bad_descriptor_is_EBADF) {
  static const int64 bad[] = {-1, 99999, 1LL << 32, INT64_MIN};
  size_t i;
  for (i = 0; i < sizeof bad / sizeof *bad; i++) {
    errno = 0;
    io_closeonexec(bad[i]);
    CHECK_ERRNO(EBADF);
  }
  CHECK_INT(fcntl(0, F_GETFD), 0); /* the low half of 2^32 */
}

/* Closed with close(2) before any wait: only the number itself can tell that the registration is over. */
/* promise: A reused number is a new descriptor */
TEST(a_new_pipe_inherits_nothing_from_its_number) {
  int64 old[2], fresh[2];
  t_pipe(old);
  CHECK_INT(io_fd(old[0]), 1);
  io_setcookie(old[0], old);
  io_wantread(old[0]);
  CHECK_INT(close((int)old[0]), 0);
  CHECK_INT(io_pipe(fresh), 1);
  CHECK_INT(fresh[0], old[0]);
  CHECK(io_getcookie(fresh[0]) == NULL);
  CHECK_INT(write((int)fresh[1], "x", 1), 1);
  io_check();
  CHECK_INT(io_canread(), -1);
}

/* What kind of file it is decides how a blocking descriptor is kept from waiting. */
TEST(the_kind_of_file_under_a_reused_number_is_looked_at_again) {
  int64 socket[2], fresh[2];
  char byte;
  t_unix_pair(socket);
  CHECK_INT(io_fd(socket[0]), 1);
  CHECK_INT(io_tryread(socket[0], &byte, 1), -1);
  CHECK_INT(close((int)socket[0]), 0);
  CHECK_INT(io_tryread(socket[0], &byte, 1), -3);
  CHECK_ERRNO(EBADF);
  t_pipe(fresh);
  CHECK_INT(fresh[0], socket[0]);
  CHECK_INT(io_fd(fresh[0]), 1);
  CHECK_INT(io_tryread(fresh[0], &byte, 1), -1);
  CHECK_ERRNO(EAGAIN);
  CHECK_INT(write((int)fresh[1], "x", 1), 1);
  CHECK_INT(io_tryread(fresh[0], &byte, 1), 1);
}
