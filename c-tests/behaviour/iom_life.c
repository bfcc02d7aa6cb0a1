/* iom_*: the descriptors a multiplexer takes, and whose they are. */
#include "mux.h"
#include <sys/resource.h>
#include <sys/stat.h>

static int lowest_free(void) {
  int d = dup(0);
  CHECK(d >= 0);
  CHECK_INT(close(d), 0);
  return d;
}

/* promise: Aborting */
TEST(with_no_descriptor_left_iom_init_fails_and_iom_abort_works) {
  struct rlimit limit;
  iomux_t first, second;
  int64 s = -7;
  unsigned revents = 99;
  CHECK_INT(iom_init(&first), 1);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)lowest_free();
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  errno = 0;
  CHECK_INT(iom_init(&second), 0);
  CHECK_ERRNO(EMFILE);
  CHECK_INT(iom_abort(&first), 0);
  CHECK_INT(iom_wait(&first, &s, &revents, 1000), -2);
}

/* Also when it fails half-way: room for one descriptor, none for what else it needs. */
TEST(iom_init_that_fails_leaks_nothing) {
  struct rlimit limit;
  iomux_t c;
  int before = lowest_free(), spare;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  for (spare = 0;; spare++) {
    limit.rlim_cur = (rlim_t)(before + spare);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    errno = 0;
    if (iom_init(&c) == 1) break;
    CHECK_ERRNO(EMFILE);
    limit.rlim_cur = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_INT(lowest_free(), before);
  }
  CHECK(spare == 2 || spare == 3); /* a pipe, and with epoll its descriptor */
}

/* promise: Closing what is armed */
TEST(closing_ctx_releases_all_of_a_multiplexer) {
  iomux_t c;
  int i, before;
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(close(c.ctx), 0);
  before = lowest_free();
  for (i = 0; i < 100; i++) {
    CHECK_INT(iom_init(&c), 1);
    CHECK_INT(iom_abort(&c), 0);
    CHECK_INT(close(c.ctx), 0);
  }
  CHECK_INT(lowest_free(), before);
}

/* As daemons do; every number then belongs to another file. */
TEST(iom_init_works_after_all_descriptors_were_closed) {
  iomux_t c;
  int64 s = -7, d[20][2];
  unsigned revents = 99;
  struct stat before[20], after;
  int i;
  CHECK_INT(iom_init(&c), 1);
  for (i = 3; i < 1000; i++) close(i);
  for (i = 0; i < 20; i++) {
    t_pipe(d[i]);
    CHECK_INT(fstat((int)d[i][0], &before[i]), 0);
  }
  CHECK_INT(iom_init(&c), 1);
  no_event(&c);
  for (i = 0; i < 20; i++) {
    CHECK_INT(iom_add(&c, d[i][1], IOM_WRITE), 0);
    CHECK_INT(event_on(&c, d[i][1]), IOM_WRITE);
    CHECK_INT(fstat((int)d[i][0], &after), 0);
    CHECK(before[i].st_ino == after.st_ino);
  }
  CHECK_INT(iom_abort(&c), 0);
  CHECK_INT(iom_wait(&c, &s, &revents, 1000), -2);
  for (i = 0; i < 20; i++) {
    CHECK_INT(fcntl((int)d[i][0], F_SETFL, O_NONBLOCK), 0);
    CHECK_INT(read((int)d[i][0], &s, 1), -1);
    CHECK_ERRNO(EAGAIN);
  }
}

TEST(a_child_has_multiplexers_of_its_own) {
  iomux_t parents;
  int64 d[2];
  int status;
  pid_t child;
  t_pipe(d);
  CHECK_INT(iom_init(&parents), 1);
  CHECK_INT(iom_add(&parents, d[1], IOM_WRITE), 0);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    iomux_t c;
    int64 s;
    unsigned revents;
    CHECK_INT(iom_init(&c), 1);
    no_event(&c);
    CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
    CHECK_INT(event_on(&c, d[1]), IOM_WRITE);
    CHECK_INT(iom_abort(&c), 0);
    CHECK_INT(iom_wait(&c, &s, &revents, 1000), -2);
    t_leave(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  CHECK_INT(event_on(&parents, d[1]), IOM_WRITE);
  no_event(&parents);
}
