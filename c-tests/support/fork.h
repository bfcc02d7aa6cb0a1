/* Helpers for child processes, and for what /proc shows of them. */
#ifndef FORK_H
#define FORK_H
#include "loop.h"

#include <dirent.h>

/* Starts a child that runs body and exits with 0 unless a check fails. If it hangs, it is killed. */
T_HELPER pid_t f_start(void (*body)(void)) {
  pid_t child = fork();
  CHECK(child != -1);
  if (child == 0) {
    alarm(10);
    body();
    _exit(0);
  }
  return child;
}

T_HELPER void f_finish(pid_t child) {
  int status;
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

T_HELPER void f_run(void (*body)(void)) { f_finish(f_start(body)); }

/* Waits until a thread of a process sleeps in the kernel. */
T_HELPER void f_until_asleep(pid_t process, pid_t thread) {
  char path[64], state = '?';
  int64 end = t_now_ms() + L_PATIENCE;
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process, (int)thread);
  while (state != 'S') {
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    CHECK_INT(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
    fclose(f);
    CHECK(t_now_ms() < end);
    if (state != 'S') poll(NULL, 0, 1);
  }
}

/* Returns how many descriptors of this process are open. */
T_HELPER int f_open_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;
  CHECK(dir != NULL);
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

/* How many descriptors below 256 this process has open of which /proc says `kind`. */
T_HELPER int f_descriptors(const char *kind) {
  int i, n = 0;
  for (i = 0; i < 256; i++) {
    char path[64], name[64];
    ssize_t k;
    snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    if ((k = readlink(path, name, sizeof name - 1)) < 0) continue;
    name[k] = 0;
    n += strstr(name, kind) != NULL;
  }
  return n;
}

/* Those of the event loop's kind: its epoll set and its eventfd. */
T_HELPER int f_of_the_loop(void) { return f_descriptors("[event"); }

#endif
