/* One thread fills in what belongs to a descriptor and hands it to the library, another is given it.
 *
 *   handed         as it should be: no report
 *   handed racy    writes to it once more afterwards: has to be reported */
#define T_OWN_MAIN
#include "thread.h"

struct client {
  int64 d, peer;
  int turns;
};

static int racy;

static void *hand_over(void *unused) {
  struct client *c = malloc(sizeof *c);
  int64 d[2];
  (void)unused;
  CHECK(c);
  l_pipe(d, 0);
  l_put(d[1], "x");
  c->d = d[0];
  c->peer = d[1];
  c->turns = 1;
  io_setcookie(d[0], c);
  io_wantread(d[0]);
  if (racy) c->turns = 2;
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  struct client *c;
  int64 d;
  racy = argc == 2 && strcmp(argv[1], "racy") == 0;
  l_idle();
  thread = th_start(hand_over, NULL);
  d = l_next_read(L_PATIENCE);
  c = io_getcookie(d);
  CHECK(c && c->d == d && c->turns > 0);
  th_join(thread);
  return 0;
}
