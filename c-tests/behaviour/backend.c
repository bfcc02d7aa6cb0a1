/* Which backend the process uses, and that nothing of it shows. */
#include "watched.h"

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
  T_START_WITH("OWFAT_IO_BACKEND", NULL);
  CHECK(uses(l_idle(), t_backend()));
}

/* The second backend of the process, after io_finishandshutdown, complains no more. */
static void check_unknown(const char *unknown, const char *name) {
  const char *fallback = t_no_epoll() ? "poll" : "epoll";
  char end[64], *line;
  if (w_session("OWFAT_IO_BACKEND", unknown, name, NULL)) {
    l_idle();
    io_finishandshutdown();
    CHECK(uses(l_idle(), fallback));
    exit(0);
  }
  w_ended_well();
  snprintf(end, sizeof end, "; using %s\n", fallback);
  line = strstr(w_said, "libowfat_io: OWFAT_IO_BACKEND names no backend (");
  CHECK(line == w_said && strstr(line, end) != NULL);
  CHECK_INT(strchr(line, '\n') + 1 - line, strlen(line));
}

/* promise: The environment */
TEST(backend_of_unknown_name_gets_one_line_and_the_default) { check_unknown("nonsense", __func__); }

/* An earlier edition had it. */
TEST(io_uring_is_a_backend_of_unknown_name) { check_unknown("io_uring", __func__); }
