/* What a program does to its process: closes numbers that it did not open, forks, lowers its limit, reads error queues. */
#ifndef RANDOM_PROCESS_H
#define RANDOM_PROCESS_H
#include "batches.h"
#include "events.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MINE 12
#define FILLERS 200

/* Files that the program has opened under numbers that it closed. */
R_HELPER struct {
  int fd;
  struct stat opened;
} mine[MINE];
R_HELPER int n_mine, fillers[FILLERS], n_fillers;

R_HELPER void have_a_loop(void) {
  int64 d[2], next;
  int i, n;
  if (has_loop || io_pipe(d) != 1) return;
  io_wantread(d[0]);
  io_check();
  io_close(d[0]);
  io_close(d[1]);
  for (n = 0; n < 4 * ENDS && io_canread() != -1; n++) continue;
  for (n = 0; n < 4 * ENDS && (next = io_canwrite()) != -1; n++) {
    if ((i = find(next)) >= 0) ends[i].hint = 0;
  }
  has_loop = 1;
  for (i = 0; i < ENDS; i++) {
    memset(ends[i].popped, 0, sizeof ends[i].popped);
    memset(ends[i].withdrawn, 0, sizeof ends[i].withdrawn);
  }
}

/* Nobody else closes or writes them. */
R_HELPER void check_mine(void) {
  struct stat now;
  int i;
  for (i = 0; i < n_mine; i++) {
    if (fstat(mine[i].fd, &now) != 0 || now.st_ino != mine[i].opened.st_ino || now.st_dev != mine[i].opened.st_dev ||
        now.st_size != mine[i].opened.st_size) {
      add(" STOLEN");
    }
  }
}

R_HELPER int is_mine(int fd) {
  int i;
  for (i = 0; i < n_mine; i++) {
    if (mine[i].fd == fd) return 1;
  }
  return 0;
}

R_HELPER int is_in_a_batch(int fd) {
  int b, i;
  for (b = 0; b < BATCHES; b++) {
    for (i = 0; i < batches[b].n_owned; i++) {
      if (batches[b].owned[i] == fd) return 1;
    }
  }
  return 0;
}

/* Closes what it did not open and, with `all`, also what it did, as a daemon does; and opens files. */
R_HELPER void close_all(int all) {
  char path[] = "/tmp/owfat-io-random.XXXXXX";
  int fd, i;
  call("close_all", -1, -1);
  if (crowded) {
    add(" crowded");
    say_line();
    return;
  }
  for (fd = 3; fd < NUMBERS; fd++) {
    i = find(fd);
    if (is_mine(fd) || is_in_a_batch(fd)) continue;
    if (i >= 0) {
      if (!all || ends[i].queued) continue;
      if (ends[i].registered) {
        closed_behind[fd] = 1;
        add_aside("n", fd);
      }
    }
    close(fd);
    if (i >= 0) leave(i);
  }
  for (i = 0; i < 4 && n_mine < MINE; i++) {
    fd = mkstemp(strcpy(path, "/tmp/owfat-io-random.XXXXXX"));
    if (fd < 0) _exit(3);
    unlink(path);
    mine[n_mine].fd = fd;
    fstat(fd, &mine[n_mine++].opened);
    has_stale |= closed_behind[fd];
  }
  has_loop = 0;
  say_line();
}

/* The number of `a` becomes one end of another pair, of which `b` is the other end, behind the library. */
R_HELPER void dup2_over(int a, int b, int kind) {
  enum kind kinds[2] = {UNIX, UNIX};
  int p[2], fd = fd_of(a), nonblocking;
  call("dup2_over", a, b);
  if (stays(a)) return;
  if (!known(a) || known(b) || crowded || ends[a].kind == REGULAR) {
    add(" passed over");
    say_line();
    return;
  }
  nonblocking = ends[a].nonblocking;
  if (kind == 0) {
    if (pipe(p) != 0) _exit(3);
    kinds[0] = PIPE_IN;
    kinds[1] = PIPE_OUT;
  } else if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) != 0) {
    _exit(3);
  }
  if (nonblocking) fcntl(p[0], F_SETFL, O_RDWR | O_NONBLOCK);
  if (ends[a].registered) closed_behind[fd] = 1;
  {
    int mate = ends[a].copied ? -1 : mate_of(a);
    leave(a);
    if (dup2(p[0], fd) != fd) _exit(3);
    settle_end(mate, 300);
  }
  close(p[0]);
  enter(a, kinds[0], fd, b);
  enter(b, kinds[1], p[1], a);
  add_aside("n", p[1]);
  say_line();
}

/* Goes on in a child; the parent closes all that it has and waits for it. */
R_HELPER void fork_on(void) {
  static int *closed;
  int status, fd;
  pid_t child;
  call("fork_on", -1, -1);
  if (!closed) closed = mmap(NULL, sizeof *closed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (closed == MAP_FAILED) _exit(3);
  __atomic_store_n(closed, 0, __ATOMIC_SEQ_CST);
  child = fork();
  if (child < 0) _exit(3);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!__atomic_load_n(closed, __ATOMIC_SEQ_CST)) usleep(100);
    has_loop &= crowded; /* it makes one of its own, within the numbers that the parent's had */
    say_line();
    return;
  }
  for (fd = 3; fd < NUMBERS; fd++) close(fd);
  __atomic_store_n(closed, 1, __ATOMIC_SEQ_CST);
  while (waitpid(child, &status, 0) != child) {
  }
  if (WIFSIGNALED(status)) {
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
  }
  _exit(WIFSIGNALED(status) ? 3 : WEXITSTATUS(status));
}

R_HELPER int highest_number(void) {
  int fd, highest = 2;
  for (fd = 3; fd < NUMBERS; fd++) {
    if (is_open(fd)) highest = fd;
  }
  return highest;
}

R_HELPER void limit_numbers(int to) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = to < 0 ? limit.rlim_max : (rlim_t)to;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(3);
}

R_HELPER void uncrowd(void) {
  if (!crowded) return;
  limit_numbers(-1);
  while (n_fillers > 0) close(fillers[--n_fillers]);
  crowded = 0;
  has_loop = 0; /* a child that has not waited yet has closed its copies */
}

/* From here on no number is free, or as many as there were. */
R_HELPER void crowd(int on) {
  call("crowd", -1, -1);
  if (!on) {
    uncrowd();
  } else if (!crowded) {
    have_a_loop();
    limit_numbers(highest_number() + 1);
    while (n_fillers < FILLERS && (fillers[n_fillers] = open("/dev/null", O_RDONLY)) >= 0) n_fillers++;
    crowded = 1;
  }
  say_line();
}

/* A turn with a limit of no or one number. select(2), which is left then, tells of no mere hang-up to who wants to write,
 * as a program may want of an end that can only be read. */
R_HELPER void starved(int kind, int n) {
  int i;
  if (!crowded) {
    have_a_loop();
    for (i = 0; i < ENDS; i++) {
      if (ends[i].kind != PIPE_IN || !ends[i].want[1]) continue;
      io_dontwantwrite(ends[i].fd);
      ends[i].want[1] = 0;
    }
    limit_numbers(n % 2);
  }
  turn(kind, n);
  if (!crowded) limit_numbers(-1);
}

/* From here on each send of `a` leaves a notice in its error queue. */
R_HELPER void notices(int a) {
  int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
  call("notices", a, -1);
  if (known(a) && ends[a].kind == TCP && ends[a].nonblocking &&
      setsockopt(ends[a].fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps) == 0) {
    ends[a].notices = 1;
  }
  say_line();
}

/* Reads what is in the error queue, where the program has notices; 0.32 has some of its own. */
R_HELPER void read_notices(int a) {
  char control[512];
  int n = 0;
  call("read_notices", a, -1);
  while (known(a) && ends[a].notices) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(ends[a].fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    n++;
  }
  add(n > 0 ? " some" : " none");
  say_line();
}
#endif
