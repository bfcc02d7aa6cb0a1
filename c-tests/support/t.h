/* The frame of the C tests: test cases, checks, and helpers that make descriptors.
 *
 *   TEST(reused_number_is_a_new_descriptor) { ... CHECK_INT(io_canread(), -1); ... }
 *
 * A comment `promise: HEADING` right above a TEST names the heading of docs/behaviour.md that it tests.
 *
 * The main function below lists the cases (--list) or runs the one that is named. Each case runs in its own process,
 * so it may leave descriptors, handlers and threads behind. Exit status 0 means success and 77 a skip; the runner
 * limits the time. A program that uses only the helpers defines T_OWN_MAIN first. */
#ifndef T_H
#define T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_CLO_CHANGE(option) (void)0
#endif

#include "io.h"
#include "iob.h"

#define T_HELPER __attribute__((unused)) static

struct t_case {
  const char *name;
  void (*run)(void);
  struct t_case *next;
};

T_HELPER struct t_case *t_first, **t_end = &t_first;

#define TEST(case_name)                                                                        \
  static void case_name(void);                                                                 \
  static struct t_case t_case_##case_name = {#case_name, case_name, NULL};                     \
  __attribute__((constructor)) static void t_enter_##case_name(void) {                         \
    *t_end = &t_case_##case_name;                                                              \
    t_end = &t_case_##case_name.next;                                                          \
  }                                                                                            \
  static void case_name(void)

/* Prints more about a failing check, if a program sets it. */
T_HELPER void (*t_story)(void);

/* _exit, because the failing check may be in a thread or a forked child. */
__attribute__((noreturn)) T_HELPER void t_leave(int status) {
  if (status == 1 && t_story) t_story();
  fflush(NULL);
  _exit(status);
}

#define CHECK(cond)                                                                            \
  do {                                                                                         \
    if (!(cond)) {                                                                             \
      fprintf(stderr, "%s:%d: not true: %s (errno %d: %s)\n", __FILE__, __LINE__, #cond,       \
              errno, strerror(errno));                                                         \
      t_leave(1);                                                                              \
    }                                                                                          \
  } while (0)

/* The tested expression comes first: CHECK_INT(io_canread(), -1). */
#define CHECK_INT(got, want)                                                                   \
  do {                                                                                         \
    long long t_got = (long long)(got);                                                        \
    int t_errno = errno;                                                                       \
    long long t_want = (long long)(want);                                                      \
    if (t_got != t_want) {                                                                     \
      fprintf(stderr, "%s:%d: %s is %lld, not %s = %lld (errno %d: %s)\n", __FILE__, __LINE__, \
              #got, t_got, #want, t_want, t_errno, strerror(t_errno));                         \
      t_leave(1);                                                                              \
    }                                                                                          \
    errno = t_errno;                                                                           \
  } while (0)

#define CHECK_ERRNO(want)                                                                      \
  do {                                                                                         \
    int t_errno = errno;                                                                       \
    if (t_errno != (want)) {                                                                   \
      fprintf(stderr, "%s:%d: errno is %d (%s), not %s\n", __FILE__, __LINE__, t_errno,        \
              strerror(t_errno), #want);                                                       \
      t_leave(1);                                                                              \
    }                                                                                          \
  } while (0)

#define SKIP(why)                                                                              \
  do {                                                                                         \
    printf("%s\n", why);                                                                       \
    t_leave(77);                                                                               \
  } while (0)

#ifdef __SANITIZE_ADDRESS__
#define T_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define T_ASAN 1
#endif
#endif
#ifndef T_ASAN
#define T_ASAN 0
#endif

static int t_leaks_are_ignored;

#if T_ASAN
/* LeakSanitizer asks when the program ends. */
#ifdef __cplusplus
extern "C"
#endif
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return t_leaks_are_ignored; }
#endif

/* For a case after which LeakSanitizer cannot look around, or which loses memory on purpose. */
T_HELPER void t_ignore_leaks(void) { t_leaks_are_ignored = 1; }

T_HELPER int t_under_valgrind(void) {
  const char *preload = getenv("LD_PRELOAD");
  return preload && strstr(preload, "vgpreload");
}

/* Whether the program runs under valgrind or AddressSanitizer. Their malloc uses more memory and keeps freed blocks. */
T_HELPER int t_memory_is_checked(void) { return T_ASAN || t_under_valgrind(); }

/* For cases that pass bad addresses to the kernel on purpose. */
T_HELPER void t_skip_under_valgrind(void) {
  if (t_under_valgrind()) SKIP("valgrind reports the bad address that is tested here");
}

/* Whether this kernel lacks the system call, or a sandbox refuses it. The arguments are invalid for each call that is
 * asked about. */
T_HELPER int t_refused(long call) {
  return syscall(call, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && (errno == ENOSYS || errno == EPERM);
}

/* Whether the library is the portable build, which uses no call that only Linux has. */
T_HELPER int t_portable(void) { return getenv("T_PORTABLE") != NULL; }

/* Whether the library cannot use epoll here. */
T_HELPER int t_no_epoll(void) {
  if (t_portable()) return 1;
#ifdef SYS_epoll_create
  if (!t_refused(SYS_epoll_create)) return 0;
#endif
  return t_refused(SYS_epoll_create1);
}

/* The backend that the library must use, unless this system refuses it. */
T_HELPER const char *t_backend(void) {
  const char *named = getenv("OWFAT_IO_BACKEND");
  return named ? named : t_no_epoll() ? "poll" : "epoll";
}

/* Executes the program again, for the case `name`. */
T_HELPER void t_start_anew(const char *name) {
  static char self[4096];
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  execl(self, self, name, (char *)NULL);
  CHECK_ERRNO(0);
}

/* Sets a variable (NULL: unsets it). The library reads the environment when it is loaded, so if the variable had
 * another value, the program executes itself again for the case `name`. */
#define T_START_WITH(variable, value) t_start_with(variable, value, __func__)

T_HELPER void t_start_with(const char *variable, const char *value, const char *name) {
  const char *now = getenv(variable);
  if (value ? now && strcmp(now, value) == 0 : !now) return;
  CHECK_INT(value ? setenv(variable, value, 1) : unsetenv(variable), 0);
  t_start_anew(name);
}

/* For cases that cancel a thread that sleeps in a system call. */
T_HELPER void t_need_cancellation(void) {
#ifdef __SANITIZE_THREAD__
  SKIP("a cancelled thread never leaves ThreadSanitizer's wrapper of the system call");
#endif
}

T_HELPER int64 t_now_ms(void) {
  struct timespec now;
  CHECK_INT(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  return (int64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* d[0] reads, d[1] writes. */
T_HELPER void t_pipe(int64 d[2]) {
  int p[2];
  CHECK_INT(pipe(p), 0);
  d[0] = p[0];
  d[1] = p[1];
}

T_HELPER void t_unix_pair(int64 d[2]) {
  int p[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
  d[0] = p[0];
  d[1] = p[1];
}

/* A listening TCP socket on a free loopback port. */
T_HELPER int64 t_listen(struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(listener >= 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_INT(bind(listener, (struct sockaddr *)address, sizeof *address), 0);
  CHECK_INT(listen(listener, 16), 0);
  CHECK_INT(getsockname(listener, (struct sockaddr *)address, &length), 0);
  return listener;
}

/* d[0] is the connecting side, d[1] the accepting one. */
T_HELPER void t_tcp_pair(int64 d[2]) {
  struct sockaddr_in address;
  int64 listener = t_listen(&address);
  d[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(d[0] >= 0);
  CHECK_INT(connect((int)d[0], (struct sockaddr *)&address, sizeof address), 0);
  d[1] = accept((int)listener, NULL, NULL);
  CHECK(d[1] >= 0);
  CHECK_INT(close((int)listener), 0);
}

/* Writes until the kernel takes no more, and leaves d in non-blocking mode. Returns the number of bytes. */
T_HELPER int64 t_fill(int64 d) {
  static const char zeroes[65536] = {0};
  int64 sum = 0;
  size_t piece = sizeof zeroes;
  int flags = fcntl((int)d, F_GETFL);
  CHECK(flags != -1 && fcntl((int)d, F_SETFL, flags | O_NONBLOCK) == 0);
  while (piece != 0) {
    ssize_t n = write((int)d, zeroes, piece);
    if (n > 0) {
      sum += n;
    } else {
      CHECK(n == -1 && errno == EAGAIN);
      piece /= 2; /* a pipe takes pieces of up to PIPE_BUF bytes only whole */
    }
  }
  return sum;
}

/* The byte at position i of every t_tmpfile. */
T_HELPER char t_byte(uint64 i) { return (char)((i * 7 + i / 251) & 255); }

/* An unlinked file, open for reading and writing, positioned at its start. */
T_HELPER int64 t_tmpfile(int64 size) {
  char path[] = "/tmp/owfat-io-test.XXXXXX", block[4096];
  int64 done = 0;
  int d = mkstemp(path);
  CHECK(d >= 0);
  CHECK_INT(unlink(path), 0);
  while (done < size) {
    int64 i, n = size - done < (int64)sizeof block ? size - done : (int64)sizeof block;
    for (i = 0; i < n; i++) block[i] = t_byte((uint64)(done + i));
    CHECK_INT(write(d, block, (size_t)n), n);
    done += n;
  }
  CHECK_INT(lseek(d, 0, SEEK_SET), 0);
  return d;
}

/* The batch of the program, if it has one. Its memory at the end is no leak of the library. */
T_HELPER io_batch *t_batch;

/* For a child that was forked while another thread was in the library: memory of that thread is lost in the child. */
T_HELPER void t_account_for_nothing(void) {
  if (t_under_valgrind()) VALGRIND_CLO_CHANGE("--leak-check=no");
}

/* Ends the case. If a leak checker runs, nothing that the library allocated may be left, not even reachable memory.
 * Otherwise the process just ends, because some cases also run on libowfat. Forked children leave by _exit and may keep
 * what they inherited, or call this. */
T_HELPER void t_account(void) {
  struct rlimit limit;
  struct stat tasks;
  int i;
  if (!t_memory_is_checked()) return;
  if (t_batch) iob_reset(t_batch);
  io_finishandshutdown();
  /* Threads that it has woken from a wait still have to free their memory. */
  for (i = 0; i < 100 && stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3; i++) poll(NULL, 0, 10);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max; /* AddressSanitizer opens files when it looks for leaks */
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (t_under_valgrind()) {
    VALGRIND_CLO_CHANGE("--show-leak-kinds=all");
    VALGRIND_CLO_CHANGE("--errors-for-leak-kinds=all");
  }
}

#ifndef T_OWN_MAIN
int main(int argc, char **argv) {
  struct t_case *c;
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (c = t_first; c; c = c->next) puts(c->name);
    return 0;
  }
  for (c = t_first; argc == 2 && c; c = c->next) {
    if (strcmp(argv[1], c->name) == 0) {
      c->run();
      t_account();
      return 0;
    }
  }
  fprintf(stderr, "usage: %s --list | CASE\n", argv[0]);
  return 2;
}
#endif
#endif
