/* io_uring_enter fails now and then: EAGAIN and EBUSY are the kernel's to answer. No other backend calls it. */
#include "thread.h"

#include <stdarg.h>

static int refuse;

/* The library reaches it through the C library's syscall. */
long syscall(long number, ...) {
  long a[6], r;
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_io_uring_enter && __atomic_load_n(&refuse, __ATOMIC_SEQ_CST)) {
    errno = EAGAIN;
    return -1;
  }
#ifdef __x86_64__
  register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(r)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (r < 0 && r > -4096) {
    errno = (int)-r;
    return -1;
  }
  return r;
#else
  (void)a;
  (void)r;
  SKIP("system calls are written for x86-64");
#endif
}

TEST(Q16_RULE10_registering_again_while_the_kernel_refuses_keeps_the_cookie) {
  struct th_sleeper s;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(io_fd(d[0]), 1);
  io_setcookie(d[0], &s);
  io_wantread(d[0]);
  th_put_to_sleep(&s, TH_LIMIT);
  __atomic_store_n(&refuse, 1, __ATOMIC_SEQ_CST);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK(io_getcookie(d[0]) == &s);
  __atomic_store_n(&refuse, 0, __ATOMIC_SEQ_CST);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  /* Another change, so that the sleeper looks at everything. */
  io_wantwrite(d[0]);
  th_check_returns_at_once(&s);
  CHECK_INT(io_canread(), d[0]);
}
