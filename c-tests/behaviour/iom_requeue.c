/* iom_requeue: the descriptor is armed again. What iom_add does is in iom.c. */
#include "mux_pool.h"

#include <sys/syscall.h>

/* promise: Arming and waiting */
TEST(requeue_arms_a_descriptor_whose_event_was_taken) {
  iomux_t c;
  int64 d[2];
  int i;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
  for (i = 0; i < 3; i++) {
    no_event(&c); /* one event each time, although the byte is still there */
    CHECK_INT(iom_requeue(&c, d[0], IOM_READ), 0);
    CHECK_INT(event_on(&c, d[0]), IOM_READ);
  }
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0); /* either way, in any order */
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
  CHECK_INT(iom_requeue(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
}

TEST(requeue_while_armed_replaces_the_events) { check_replacing(iom_requeue); }

TEST(requeue_ignores_unknown_event_bits) {
  iomux_t c;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(iom_requeue(&c, d[0], IOM_READ | IOM_WRITE | ~7u), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE);
}

TEST(requeue_without_events_tells_only_a_hang_up) {
  iomux_t c;
  int64 d[2];
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
  CHECK_INT(iom_requeue(&c, d[0], IOM_ERROR), 0);
  no_event(&c);
  CHECK_INT(iom_requeue(&c, d[0], 0), 0);
  no_event(&c);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE);
}

static void refused(iomux_t *c, int64 s, int error) {
  errno = 0;
  CHECK_INT(iom_requeue(c, s, IOM_READ), -1);
  CHECK_ERRNO(error);
}

TEST(requeue_of_a_descriptor_that_was_never_added_is_ENOENT_and_arms_nothing) {
  iomux_t c, other;
  int64 d[2];
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_init(&other), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&other, d[0], IOM_READ), 0); /* elsewhere */
  refused(&c, d[0], ENOENT);
  no_event(&c);
  CHECK_INT(event_on(&other, d[0]), IOM_READ);
}

TEST(requeue_of_a_number_that_is_another_file_now_is_ENOENT) {
  iomux_t c;
  int64 old[2], new[2];
  CHECK_INT(iom_init(&c), 1);
  t_pipe(old);
  CHECK_INT(iom_add(&c, old[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, old[1]), IOM_WRITE);
  CHECK_INT(close((int)old[0]), 0);
  CHECK_INT(close((int)old[1]), 0);
  refused(&c, old[1], EBADF);
  t_pipe(new);
  CHECK_INT(new[1], old[1]);
  refused(&c, new[1], ENOENT);
  no_event(&c);
  CHECK_INT(iom_add(&c, new[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, new[1]), IOM_WRITE);
}

TEST(requeue_refuses_what_cannot_be_waited_for) {
  static const int64 bad[] = {-1, 99999, 1LL << 32, INT64_MIN, INT64_MAX};
  iomux_t c, unused;
  int64 d[2];
  size_t i;
  memset(&unused, 0, sizeof unused);
  t_pipe(d);
  refused(NULL, d[0], EFAULT);
  refused(&unused, d[0], EINVAL);
  CHECK_INT(iom_init(&c), 1);
  for (i = 0; i < sizeof bad / sizeof *bad; i++) refused(&c, bad[i], EBADF);
  refused(&c, t_tmpfile(1), EPERM);
  refused(&c, c.ctx, EINVAL);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(close(c.ctx), 0);
  refused(&c, d[0], EBADF);
}

TEST(requeue_after_an_abort_changes_nothing) {
  iomux_t c;
  int64 d[2], s = -7;
  unsigned revents = 99;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[1]), IOM_WRITE);
  CHECK_INT(iom_abort(&c), 0);
  CHECK_INT(iom_requeue(&c, d[1], IOM_WRITE), 0);
  CHECK_INT(iom_wait(&c, &s, &revents, (unsigned long)-1), -2);
  CHECK_INT(s, -7);
}

TEST(any_thread_may_requeue_a_descriptor_and_has_it_alone) { check_rearming(iom_requeue); }

static iomux_t shared;
static atomic_int waiter; /* its number, from just before it waits */

static void *wait_for_event(void *s) {
  unsigned revents;
  atomic_store(&waiter, (int)syscall(SYS_gettid));
  CHECK_INT(iom_wait(&shared, s, &revents, (unsigned long)-1), 1);
  CHECK_INT(revents, IOM_READ);
  return NULL;
}

TEST(requeue_wakes_a_thread_that_waits_already) {
  pthread_t thread;
  int64 d[2], s = -7;
  t_pipe(d);
  CHECK_INT(iom_init(&shared), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&shared, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&shared, d[0]), IOM_READ);
  CHECK_INT(pthread_create(&thread, NULL, wait_for_event, &s), 0);
  while (atomic_load(&waiter) == 0 || !asleep(atomic_load(&waiter))) sched_yield();
  CHECK_INT(iom_requeue(&shared, d[0], IOM_READ), 0);
  CHECK_INT(pthread_join(thread, NULL), 0);
  CHECK_INT(s, d[0]);
}
