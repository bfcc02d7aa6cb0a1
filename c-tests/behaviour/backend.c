/* Which backend the process uses, and that nothing of it shows. */
#include "loop.h"

#include <stdlib.h>
#include <sys/wait.h>

static int uses(int64 d, const char *backend) {
  char text[256], name[64];
  CHECK(io_debugstring(d, text, sizeof text) > 0);
  snprintf(name, sizeof name, "backend %s", backend);
  return strstr(text, name) != NULL;
}

TEST(backend_is_the_one_that_the_environment_names) {
  const char *asked = t_backend();
  CHECK(uses(l_idle(), asked));
}

/* Or poll, where there is no epoll. */
TEST(backend_is_epoll_if_nothing_is_said) {
  CHECK_INT(unsetenv("OWFAT_IO_BACKEND"), 0);
  CHECK(uses(l_idle(), t_backend()));
}

/* The second backend of the process, after io_finishandshutdown, complains no more. */
static void check_unknown(const char *name) {
  const char *fallback;
  char line[4096], wanted[128];
  int64 err[2], d;
  ssize_t n;
  int real = dup(2);
  t_pipe(err);
  CHECK_INT(unsetenv("OWFAT_IO_BACKEND"), 0);
  fallback = t_backend();
  CHECK_INT(setenv("OWFAT_IO_BACKEND", name, 1), 0);
  CHECK_INT(dup2((int)err[1], 2), 2);
  d = l_idle();
  io_finishandshutdown();
  d = l_idle();
  CHECK_INT(dup2(real, 2), 2);
  close((int)err[1]);
  n = read((int)err[0], line, sizeof line - 1);
  CHECK(n > 0 && line[n - 1] == '\n');
  CHECK(memchr(line, '\n', (size_t)n) == line + n - 1);
  line[n] = 0;
  snprintf(wanted, sizeof wanted, "OWFAT_IO_BACKEND names no backend (epoll, poll); using %s\n", fallback);
  CHECK(strstr(line, wanted) != NULL);
  CHECK(uses(d, fallback));
}

TEST(backend_of_unknown_name_gets_one_line_and_the_default) { check_unknown("nonsense"); }

/* An earlier edition had it. */
TEST(io_uring_is_a_backend_of_unknown_name) { check_unknown("io_uring"); }
