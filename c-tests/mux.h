/* What tests of iom_* share. */
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

/* c must have no event now, and a wait without one must leave its results alone. */
T_HELPER void no_event(iomux_t *c) {
  int64 s = -7;
  unsigned revents = 99;
  CHECK_INT(iom_wait(c, &s, &revents, 0), 0);
  CHECK_INT(s, -7);
  CHECK_INT(revents, 99);
}
#endif
