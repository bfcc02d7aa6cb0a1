/* refuse PROGRAM ARGUMENT...: the program runs as on a kernel that has neither epoll_pwait2 nor io_uring. */
#define T_OWN_MAIN
#include "../sandbox.h"

int main(int argc, char **argv) {
  static const int newer[] = {SYS_epoll_pwait2, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
  if (argc < 2) return 2;
  s_deny(newer, sizeof newer / sizeof *newer, SECCOMP_RET_ERRNO | ENOSYS);
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 127;
}
