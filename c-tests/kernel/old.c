/* old CALL=ERROR,... -- PROGRAM ARGUMENT...: the program runs as on a kernel that has not these system calls (ENOSYS), or
 * in a sandbox that refuses them (EPERM). */
#define T_OWN_MAIN
#include "../support/sandbox.h"

enum { NONE = -1 }; /* this machine never had it */

#define CALL(name) {#name, SYS_##name}
static const struct {
  const char *name;
  int number;
} calls[] = {
    CALL(accept4),       CALL(close_range),    CALL(epoll_create1),      CALL(epoll_pwait2), CALL(eventfd2),
    CALL(preadv2),       CALL(pwritev2),
#ifdef SYS_epoll_create
    CALL(epoll_create),
#else
    {"epoll_create", NONE},
#endif
};

static int number_of(const char *name) {
  size_t i;
  for (i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (strcmp(calls[i].name, name) == 0) return calls[i].number;
  }
  fprintf(stderr, "old: %s is not on the list in %s\n", name, __FILE__);
  exit(2);
}

/* Refuses what `rule` says, and asks the kernel whether it does: with arguments that mean nothing to any of them. */
static void refuse(char *rule) {
  char *name = strsep(&rule, "=");
  int call = number_of(name), error = rule && strcmp(rule, "EPERM") == 0 ? EPERM : ENOSYS;
  if (!rule || (error == ENOSYS && strcmp(rule, "ENOSYS") != 0)) {
    fprintf(stderr, "old: %s must be =ENOSYS or =EPERM\n", name);
    exit(2);
  }
  if (call == NONE) return;
  s_deny(&call, 1, SECCOMP_RET_ERRNO | (unsigned)error);
  CHECK_INT(syscall(call, -1L, -1L, -1L, -1L, -1L, -1L), -1);
  CHECK_ERRNO(error);
}

int main(int argc, char **argv) {
  char *rule, *rest;
  if (argc < 4 || strcmp(argv[2], "--") != 0) {
    fprintf(stderr, "usage: %s CALL=ERROR,... -- PROGRAM ARGUMENT...\n", argv[0]);
    return 2;
  }
  for (rest = argv[1]; (rule = strsep(&rest, ",")) != NULL;) refuse(rule);
  execvp(argv[3], argv + 3);
  perror(argv[3]);
  return 127;
}
