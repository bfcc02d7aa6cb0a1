/* The environment counts as it was when the library was loaded: programs overwrite it, clear it, or change it in one
 * thread while another one waits. */
#include "loop.h"
#include "thread.h"

#include <sys/wait.h>

extern char **environ;

static void check_backend(const char *wanted) {
  char text[256], *name;
  int64 d = l_idle();
  io_check();
  CHECK(io_debugstring(d, text, sizeof text) > 0);
  name = strstr(text, "backend ");
  CHECK(name != NULL);
  name += strlen("backend ");
  name[strcspn(name, ",;)\n")] = 0;
  if (strcmp(name, wanted) != 0) {
    fprintf(stderr, "waits with %s, not with %s\n", name, wanted);
    t_leave(1);
  }
}

static const char *other(const char *backend) { return strcmp(backend, "poll") == 0 ? "epoll" : "poll"; }

/* What the case began with. */
static const char *asked(void) {
  static char name[32];
  if (!*name) snprintf(name, sizeof name, "%s", t_backend());
  return name;
}

TEST(environment_that_is_cleared_before_a_fork_gives_a_child_its_parents_backend) {
  int status;
  pid_t child;
  check_backend(asked());
  CHECK_INT(clearenv(), 0);
  child = fork();
  if (child == 0) {
    check_backend(asked());
    exit(0);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

/* promise: The environment */
TEST(environment_that_main_changes_before_the_first_call_changes_nothing) {
  const char *began = asked();
  CHECK_INT(setenv("OWFAT_IO_BACKEND", other(began), 1), 0);
  check_backend(began);
  io_finishandshutdown();
  check_backend(began);
}

/* As a program does that shows its state in the list of processes. */
TEST(environment_that_is_written_over_in_place_is_not_looked_at) {
  const char *began = asked();
  char **entry;
  for (entry = environ; *entry; entry++) memset(*entry, 'x', strlen(*entry));
  check_backend(began);
}

static volatile int done;

static void *change_it(void *nothing) {
  char name[32];
  unsigned i;
  for (i = 0; !done; i++) {
    snprintf(name, sizeof name, "V%u", i % 500);
    setenv(name, "value", 1);
    if (i % 500 == 499) clearenv();
  }
  return nothing;
}

/* A new loop is what reads it, if anything does. */
TEST(environment_may_change_in_one_thread_while_another_begins_loops) {
  const char *began = asked();
  pthread_t thread = th_start(change_it, NULL);
  int i;
  for (i = 0; i < 500; i++) {
    int64 d = l_idle();
    io_check();
    io_close(d);
    io_finishandshutdown();
  }
  check_backend(began);
  done = 1;
  th_join(thread);
}
