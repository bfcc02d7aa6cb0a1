/* How a program begins and ends. */
#ifndef RANDOM_PROGRAM_H
#define RANDOM_PROGRAM_H
#include "batches.h"
#include "events.h"
#include "process.h"

/* With 1, no wait comes before the registrations; with 2, SIGPIPE has its default disposition. */
R_HELPER void begin(int flags) {
  call("begin", -1, -1);
  if (!(flags & 2)) signal(SIGPIPE, SIG_IGN);
  if (!(flags & 1)) have_a_loop();
  add(" %d", flags);
  say_line();
}

/* All that is still to come must come. */
R_HELPER void finish(void) {
  int i, k;
  ssize_t n;
  int64 left;
  call("finish", -1, -1);
  uncrowd();
  check_mine();
  for (i = 0; i < ENDS; i++) {
    if (!known(i) || ends[i].kind == LISTENER || ends[i].kind == REGULAR || ends[i].kind == PIPE_OUT) continue;
    fcntl(ends[i].fd, F_SETFL, O_NONBLOCK);
    do {
      (*step)++; /* it may wait for a while for what 0.32 holds back */
      arrives_late(ends[i].mate);
      left = unread(i);
      if (takes_time(i) && left > 0) {
        struct pollfd p = {ends[i].fd, POLLIN, 0};
        poll(&p, 1, 500);
      }
      n = read(ends[i].fd, scratch, sizeof scratch);
      /* A notice in the error queue ends every poll at once. */
      for (k = 0; k < 300 && n < 0 && errno == EAGAIN && takes_time(i) && ends[i].mate >= 0 && unread(i) > 0; k++) {
        usleep(1000);
        n = read(ends[i].fd, scratch, sizeof scratch);
      }
      got(i, scratch, n);
    } while (n > 0 || (n == 0 && !is_stream(i) && left > 0));
    add(" %d:%s", i, n == 0 ? "end" : strerrorname_np(errno));
    if (ends[i].mate >= 0 && unread(i) > 0 && !ends[i].untracked && !(ends[i].vague && ends[i].kind == UDP)) add("-MISSING");
  }
  say_line();
}
#endif
