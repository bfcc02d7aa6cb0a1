/* iom_*: several multiplexers in memory of several kinds, and events of descriptors that are closed meanwhile. */
#include "mux.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static void write_byte(int64 d) { CHECK_INT(write((int)d, "x", 1), 1); }

static iomux_t in_static_memory;

/* One descriptor in all of them, and one in each; the end of one is not the end of the others. */
/* promise: Closing what is armed */
TEST(events_of_several_multiplexers_do_not_mix) {
  iomux_t in_stack, *c[3] = {&in_static_memory, &in_stack, malloc(sizeof in_stack)};
  int64 shared[2], own[3][2], s = -7;
  unsigned revents = 99;
  int i;
  CHECK(c[2] != NULL);
  t_pipe(shared);
  for (i = 0; i < 3; i++) {
    t_pipe(own[i]);
    CHECK_INT(iom_init(c[i]), 1);
    CHECK_INT(iom_add(c[i], shared[0], IOM_READ), 0);
    CHECK_INT(iom_add(c[i], own[i][0], IOM_READ), 0);
  }
  write_byte(shared[1]);
  for (i = 0; i < 3; i++) {
    CHECK_INT(event_on(c[i], shared[0]), IOM_READ);
    no_event(c[i]);
  }
  for (i = 2; i >= 0; i--) write_byte(own[i][1]);
  CHECK_INT(iom_abort(c[1]), 0);
  CHECK_INT(iom_wait(c[1], &s, &revents, 0), -2);
  CHECK_INT(event_on(c[0], own[0][0]), IOM_READ);
  CHECK_INT(event_on(c[2], own[2][0]), IOM_READ);
  no_event(c[0]);
  no_event(c[2]);
  free(c[2]);
}

/* A program that was built with 0.32's header has room for so much. */
/* promise: Closing what is armed */
TEST(a_multiplexer_writes_nothing_beside_its_structure) {
  struct {
    unsigned char before[64];
    iomux_t c;
    unsigned char after[64];
  } m;
  int64 d[200][2], s;
  unsigned revents;
  size_t i;
  CHECK_INT(sizeof m.c, 16 + 128 * 8 + sizeof(sem_t));
  memset(&m, 0x5a, sizeof m);
  CHECK_INT(iom_init(&m.c), 1);
  for (i = 0; i < 200; i++) {
    t_pipe(d[i]);
    CHECK_INT(iom_add(&m.c, d[i][1], IOM_WRITE), 0);
  }
  for (i = 0; i < 200; i++) CHECK_INT(iom_wait(&m.c, &s, &revents, 5000), 1);
  CHECK_INT(iom_wait(&m.c, &s, &revents, 1), 0);
  CHECK_INT(iom_abort(&m.c), 0);
  CHECK_INT(iom_wait(&m.c, &s, &revents, 0), -2);
  for (i = 0; i < sizeof m.before; i++) CHECK(m.before[i] == 0x5a && m.after[i] == 0x5a);
}

/* Two descriptors are ready, and one event was taken: afterwards nothing may be told of the other one's file, as it
 * is closed, whatever happens to its number. */
static void drop_the_other(int reopen, int add) {
  iomux_t c;
  int64 d[2][2], s, other, idle[2];
  unsigned revents;
  int i;
  CHECK_INT(iom_init(&c), 1);
  for (i = 0; i < 2; i++) {
    t_pipe(d[i]);
    write_byte(d[i][1]);
    CHECK_INT(iom_add(&c, d[i][0], IOM_READ), 0);
  }
  CHECK_INT(iom_wait(&c, &s, &revents, 5000), 1);
  other = s == d[0][0] ? d[1][0] : d[0][0];
  t_pipe(idle);
  CHECK_INT(close((int)other), 0);
  if (reopen) CHECK_INT(dup2((int)idle[0], (int)other), other);
  if (add) CHECK_INT(iom_add(&c, other, IOM_READ), 0);
  no_event(&c);
  if (!add) return;
  write_byte(idle[1]);
  CHECK_INT(event_on(&c, other), IOM_READ);
  no_event(&c);
}

/* promise: Closing what is armed */
TEST(closing_drops_an_event_that_was_not_taken) { drop_the_other(0, 0); }
/* promise: Closing what is armed */
TEST(an_event_that_was_not_taken_does_not_go_to_the_next_file) { drop_the_other(1, 0); }
TEST(an_event_that_was_not_taken_does_not_end_the_registration_of_the_next_file) { drop_the_other(1, 1); }

struct waiter {
  iomux_t *c;
  atomic_int tid; /* 0 until it is about to wait */
  int result;
  int64 s;
};

static void *wait_once(void *p) {
  struct waiter *w = p;
  unsigned revents;
  atomic_store(&w->tid, (int)syscall(SYS_gettid));
  w->result = iom_wait(w->c, &w->s, &revents, 300);
  return NULL;
}

TEST(closing_an_armed_descriptor_wakes_nobody) {
  iomux_t c;
  int64 d[2];
  struct waiter w = {&c, 0, -9, -7};
  pthread_t thread;
  t_unix_pair(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(pthread_create(&thread, NULL, wait_once, &w), 0);
  while (atomic_load(&w.tid) == 0 || !asleep(atomic_load(&w.tid))) sched_yield();
  CHECK_INT(close((int)d[0]), 0);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(pthread_join(thread, NULL), 0);
  CHECK_INT(w.result, 0);
  CHECK_INT(w.s, -7);
}
