/* Helpers for tests of iom_*. */
#ifndef MUX_H
#define MUX_H
#include "t.h"

/* The next event of c must be on d; returns its bits. */
T_HELPER unsigned event_on(iomux_t *c, int64 d) {
  int64 s = -7;
  unsigned revents = 99;
  CHECK_INT(iom_wait(c, &s, &revents, 5000), 1);
  CHECK_INT(s, d);
  return revents;
}

/* Checks that c has no event now, and that a wait without an event leaves its results alone. */
T_HELPER void no_event(iomux_t *c) {
  int64 s = -7;
  unsigned revents = 99;
  CHECK_INT(iom_wait(c, &s, &revents, 0), 0);
  CHECK_INT(s, -7);
  CHECK_INT(revents, 99);
}

/* Whether a thread of this process is asleep, or has ended. */
T_HELPER int asleep(int tid) {
  char path[64], line[512], *state;
  FILE *f;
  size_t n;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  f = fopen(path, "r");
  if (!f) return 1;
  n = fread(line, 1, sizeof line - 1, f);
  fclose(f);
  line[n] = 0;
  state = strrchr(line, ')');
  return !state || state[2] == 'S';
}

/* iom_add or iom_requeue. */
typedef int arming(iomux_t *c, int64 s, unsigned events);

/* Checks that `arm` on an armed descriptor replaces what was asked for. */
T_HELPER void check_replacing(arming *arm) {
  iomux_t c;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_WRITE), 0);
  CHECK_INT(arm(&c, d[0], IOM_READ), 0);
  no_event(&c);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
}
#endif
