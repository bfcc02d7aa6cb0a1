/* System calls that are refused from here on. */
#ifndef SANDBOX_H
#define SANDBOX_H
#include "t.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

/* Each of the n system calls ends as action says: SECCOMP_RET_ERRNO | error, or SECCOMP_RET_KILL_PROCESS. */
T_HELPER void s_deny(const int *calls, unsigned n, uint32_t action) {
  struct sock_filter code[64];
  struct sock_fprog program = {0, code};
  unsigned i, at = 0;
  CHECK(n < 30);
  code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (i = 0; i < n; i++) {
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
  }
  code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  program.len = (unsigned short)at;
  CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) SKIP("this kernel has no seccomp filters");
}
#endif
