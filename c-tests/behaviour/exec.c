/* Programs that are executed: they get none of the library's descriptors, and whether they use the library
 * themselves or not, the loop of the program that started them goes on. */
#include "fork.h"

#include <pthread.h>
#include <spawn.h>

extern char **environ;

/* A case that runs its own program again tells the second life what it needs in this variable. */
#define SECOND_LIFE "OWFAT_IO_TEST_SECOND_LIFE"

static int64 d[2], e[2];

static void *want_late(void *unused) {
  f_until_asleep(getpid(), getpid());
  io_wantread(e[0]);
  return unused;
}

/* Gets the library to open all it ever opens: also what one thread wakes another with. */
static void open_everything(void) {
  pthread_t thread;
  char c;
  l_pipe(d, 1);
  l_pipe(e, 0);
  l_put(e[1], "x");
  CHECK_INT(pthread_create(&thread, NULL, want_late, NULL), 0);
  l_expect_read_only(e[0]);
  CHECK_INT(pthread_join(thread, NULL), 0);
  CHECK_INT(io_tryread(e[0], &c, 1), 1);
}

static const char *own_path(void) {
  static char path[4096];
  CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  return path;
}

/* Which of the numbers below 64 are open, as a mask. */
static uint64 open_numbers(void) {
  uint64 mask = 0;
  int i;
  for (i = 0; i < 64; i++) mask |= (uint64)(fcntl(i, F_GETFD) != -1) << i;
  return mask;
}

/* Says that what is executed next is the second life, and up to two things to it. */
static void announce(uint64 a, int64 b) {
  char words[64];
  snprintf(words, sizeof words, "%" PRIu64 " %" PRId64, a, b);
  CHECK_INT(setenv(SECOND_LIFE, words, 1), 0);
}

/* Whether this is the second life; takes what the first one said. */
static int announced(uint64 *a, int64 *b) {
  const char *words = getenv(SECOND_LIFE);
  return words && sscanf(words, "%" SCNu64 " %" SCNd64, a, b) == 2;
}

static pid_t by_posix_spawn(char *const arguments[]) {
  pid_t child;
  CHECK_INT(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ), 0);
  return child;
}

static pid_t by_vfork(char *const arguments[]) {
  pid_t child = vfork();
  if (child == 0) {
    execv(arguments[0], arguments);
    _exit(127);
  }
  CHECK(child != -1);
  return child;
}

static pid_t by_fork(char *const arguments[]) {
  pid_t child = fork();
  if (child == 0) {
    execv(arguments[0], arguments);
    _exit(127);
  }
  CHECK(child != -1);
  return child;
}

/* Starts the program again in every way there is; the loop of this one has to go on. */
static void start_again(const char *name) {
  pid_t (*const ways[])(char *const[]) = {by_posix_spawn, by_vfork, by_fork};
  char *arguments[] = {(char *)own_path(), (char *)name, NULL};
  unsigned i;
  for (i = 0; i < sizeof ways / sizeof *ways; i++) {
    char c;
    f_finish(ways[i](arguments));
    l_put(d[1], "x");
    l_expect_read_only(d[0]);
    CHECK_INT(io_tryread(d[0], &c, 1), 1);
  }
  l_check_asleep();
}

/* promise: Exec */
TEST(started_programs_get_only_what_the_program_opened) {
  uint64 before, allowed;
  int64 none;
  if (announced(&allowed, &none)) {
    CHECK_INT(open_numbers() & ~allowed, 0);
    return;
  }
  before = open_numbers();
  open_everything();
  before |= 1ULL << d[0] | 1ULL << d[1] | 1ULL << e[0] | 1ULL << e[1];
  CHECK(open_numbers() != before); /* what the library has opened is what must not be seen */
  announce(before, 0);
  start_again("started_programs_get_only_what_the_program_opened");
}

/* Knows nothing of the first life, listens to the same pipe, and closes it. */
static void use_inherited_pipe(void) {
  char c;
  CHECK_INT(io_waituntil2(1000), 0); /* nothing is wanted */
  io_wantread(d[0]);
  CHECK_INT(io_waituntil2(1000), 0); /* nothing is registered */
  l_read_event(d[0]);
  CHECK(io_getcookie(d[0]) == NULL);
  l_put(d[1], "x");
  l_expect_read_only(d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  io_close(d[0]);
  l_pipe(e, 1);
  l_put(e[1], "x");
  l_expect_read_only(e[0]);
}

TEST(started_programs_use_the_library_afresh_on_what_they_inherit) {
  uint64 first;
  if (announced(&first, &d[1])) {
    d[0] = (int64)first;
    use_inherited_pipe();
    return;
  }
  open_everything();
  io_setcookie(d[0], d);
  announce((uint64)d[0], d[1]);
  start_again("started_programs_use_the_library_afresh_on_what_they_inherit");
}

/* As a server does that replaces itself without losing a client. */
/* promise: Exec */
TEST(a_program_that_executes_itself_keeps_its_listener) {
  char *again[] = {(char *)own_path(), "a_program_that_executes_itself_keeps_its_listener", NULL};
  struct sockaddr_in address;
  uint64 allowed;
  int64 listener, client;
  if (announced(&allowed, &listener)) {
    CHECK_INT(open_numbers() & ~allowed, 0);
    l_read_event(listener);
    l_expect_read_only(listener);
    CHECK(accept((int)listener, NULL, NULL) != -1);
    l_check_asleep();
    return;
  }
  allowed = open_numbers();
  open_everything();
  listener = t_listen(&address);
  client = socket(AF_INET, SOCK_STREAM, 0);
  allowed |= 1ULL << d[0] | 1ULL << d[1] | 1ULL << e[0] | 1ULL << e[1] | 1ULL << listener | 1ULL << client;
  io_nonblock(listener);
  l_read_event(listener);
  CHECK_INT(io_waituntil2(1), 0);
  CHECK_INT(connect((int)client, (struct sockaddr *)&address, sizeof address), 0);
  announce(allowed, listener);
  execv(again[0], again);
  CHECK(!"executed");
}
