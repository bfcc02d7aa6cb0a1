/* Plays random programs that it reads, one call a line, as printed programs would do: the calls are the same. Each
 * program, from "begin" to "finish", has a process to itself, which is killed if for so many milliseconds no call
 * begins. After it comes a line with '=' and how it ended. Arguments: the file with the programs, milliseconds. */
#include "program.h"

#include <sys/wait.h>

struct entry {
  const char *name;
  int arguments;
  void (*run)(const int *);
};

#define CALL0(name) static void run_##name(const int *v) { (void)v; name(); }
#define CALL1(name) static void run_##name(const int *v) { name(v[0]); }
#define CALL2(name) static void run_##name(const int *v) { name(v[0], v[1]); }
#define CALL3(name) static void run_##name(const int *v) { name(v[0], v[1], v[2]); }
#define CALL4(name) static void run_##name(const int *v) { name(v[0], v[1], v[2], v[3]); }

#define CALLS(C0, C1, C2, C3, C4)                                                                        \
  C1(begin) C0(finish) C2(pipe_pair) C2(unix_pair) C2(datagram_pair) C2(udp_pair) C2(tcp_pair)           \
  C1(listener) C2(connect_to) C2(accept_one) C1(refused) C3(file) C1(no_file) C2(put) C2(take) C2(shut)  \
  C2(plain_close) C1(fd) C1(fd_canwrite) C2(fd_flags) C1(nonblock) C1(block) C1(closeonexec)             \
  C2(lib_pipe) C2(lib_socketpair) C2(setcookie) C1(getcookie) C1(wantread) C1(wantwrite)                 \
  C1(dontwantread) C1(dontwantwrite) C1(eagain) C1(eagain_read) C1(eagain_write) C2(timeout)             \
  C1(timedout) C0(sweep) C2(tryread) C2(tryreadtimeout) C2(waitread) C2(trywrite) C2(trywritetimeout)    \
  C2(waitwrite) C1(fill) C4(sendfile_to) C2(passfd) C1(receivefd) C1(close_end) C0(finish_and_shutdown)  \
  C1(wait_only) C1(events) C0(leftovers) C2(pop_some) C2(turn) C0(idle) C2(new_batch) C2(addbuf)         \
  C2(addbuf_free) C2(addbuf_munmap) C2(adds) C2(adds_free) C4(addfile) C4(addfile_close) C2(prefetch)    \
  C2(send_batch) C2(pump) C4(write_batch) C4(mmapwrite) C1(reset_batch) C1(free_batch)                   \
  C1(close_all) C3(dup2_over) C0(fork_on) C1(crowd) C2(starved) C1(notices) C1(read_notices)          \
  C2(packet_pair) C2(terminal_pair) C2(odd) C2(rejoin) C1(copy) C1(urgent) C1(linger) C1(clear_error)

CALLS(CALL0, CALL1, CALL2, CALL3, CALL4)

#define ENTRY0(name) {#name, 0, run_##name},
#define ENTRY1(name) {#name, 1, run_##name},
#define ENTRY2(name) {#name, 2, run_##name},
#define ENTRY3(name) {#name, 3, run_##name},
#define ENTRY4(name) {#name, 4, run_##name},
static const struct entry entries[] = {CALLS(ENTRY0, ENTRY1, ENTRY2, ENTRY3, ENTRY4)};

static void play_line(const char *text) {
  char name[32];
  int v[4] = {0, 0, 0, 0}, given;
  size_t i;
  given = sscanf(text, "%31s %d %d %d %d", name, &v[0], &v[1], &v[2], &v[3]) - 1;
  for (i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    if (strcmp(entries[i].name, name) == 0 && entries[i].arguments == given) {
      entries[i].run(v);
      return;
    }
  }
  fprintf(stderr, "no such call: %s", text);
  _exit(3);
}

static void play(char *text) {
  char *l, *rest = NULL;
  for (l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) play_line(l);
  _exit(0);
}

/* How the child ended. */
static void wait_for(pid_t child, int limit) {
  int64 end = now_ms() + limit;
  int status, late = 0, last = 0;
  siginfo_t info;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (;;) {
    struct timespec t = {0, 20000000};
    info.si_pid = 0;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid == child) break;
    if (*step != last) {
      last = *step;
      end = now_ms() + limit;
    } else if (now_ms() > end) {
      late = 1;
      kill(child, SIGKILL);
    }
    sigtimedwait(&set, NULL, &t);
  }
  if (waitpid(child, &status, 0) != child) _exit(3);
  if (late) {
    add("\n= hangs\n");
  } else if (WIFSIGNALED(status)) {
    add("\n= signal %d\n", WTERMSIG(status));
  } else {
    add("= exit %d\n", WEXITSTATUS(status));
  }
  flush_line();
}

int main(int argc, char **argv) {
  static char text[1 << 16], one[256];
  int limit;
  size_t length = 0;
  sigset_t set;
  FILE *programs;
  if (argc != 3 || !(programs = fopen(argv[1], "r"))) {
    fprintf(stderr, "usage: %s PROGRAMS MS\n", argv[0]);
    return 2;
  }
  limit = atoi(argv[2]);
  fcntl(fileno(programs), F_SETFD, FD_CLOEXEC);
  step = mmap(NULL, sizeof *step, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  while (fgets(one, sizeof one, programs)) {
    size_t n = strlen(one);
    if (length + n >= sizeof text) return 3;
    memcpy(text + length, one, n + 1);
    length += n;
    if (strcmp(one, "finish\n") == 0) {
      pid_t child = fork();
      if (child == 0) {
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        close(fileno(programs));
        play(text);
      }
      if (child < 0) return 3;
      wait_for(child, limit);
      *step = 0;
      length = 0;
    }
  }
  return 0;
}
