/* iom_*: what one thread sees. Several threads: iom_threads.c; descriptors and fork: iom_life.c. */
#include "mux.h"
#include <limits.h>
#include <sys/time.h>

/* promise: Arming and waiting */
TEST(iom_init_returns_one_whatever_the_memory_holds) {
  static iomux_t zeroed;
  iomux_t dirty, *heap = malloc(sizeof *heap);
  CHECK(heap != NULL);
  memset(&dirty, 0xa5, sizeof dirty);
  CHECK_INT(iom_init(&zeroed), 1);
  CHECK_INT(iom_init(&dirty), 1);
  CHECK_INT(iom_init(heap), 1);
  CHECK(zeroed.ctx != dirty.ctx && dirty.ctx != heap->ctx && heap->ctx != zeroed.ctx);
  CHECK_INT(fcntl(dirty.ctx, F_GETFD), FD_CLOEXEC);
  no_event(&zeroed);
  no_event(&dirty);
  no_event(heap);
  free(heap);
}

/* promise: Errors of the multiplexer */
TEST(multiplexer_functions_say_EFAULT_of_NULL) {
  iomux_t c;
  int64 d[2], s = -7;
  unsigned revents = 99;
  errno = 0;
  CHECK_INT(iom_init(NULL), 0);
  CHECK_ERRNO(EFAULT);
  errno = 0;
  CHECK_INT(iom_add(NULL, 0, IOM_READ), -1);
  CHECK_ERRNO(EFAULT);
  errno = 0;
  CHECK_INT(iom_abort(NULL), -1);
  CHECK_ERRNO(EFAULT);
  errno = 0;
  CHECK_INT(iom_wait(NULL, &s, &revents, 0), -1);
  CHECK_ERRNO(EFAULT);

  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
  errno = 0;
  CHECK_INT(iom_wait(&c, NULL, &revents, 1000), -1);
  CHECK_ERRNO(EFAULT);
  errno = 0;
  CHECK_INT(iom_wait(&c, &s, NULL, 1000), -1);
  CHECK_ERRNO(EFAULT);
  CHECK_INT(event_on(&c, d[1]), IOM_WRITE); /* the bad calls took nothing */
}

/* promise: Errors of the multiplexer */
TEST(a_multiplexer_that_was_never_initialised_is_EINVAL) {
  int64 d[2], s = -7;
  unsigned revents = 99, i;
  t_pipe(d);
  CHECK_INT(dup2((int)d[1], 0), 0); /* what ctx 0 would be */
  for (i = 0; i < 2; i++) {
    iomux_t c;
    memset(&c, i ? 0xa5 : 0, sizeof c);
    errno = 0;
    CHECK_INT(iom_add(&c, d[0], IOM_READ), -1);
    CHECK_ERRNO(EINVAL);
    errno = 0;
    CHECK_INT(iom_wait(&c, &s, &revents, 0), -1);
    CHECK_ERRNO(EINVAL);
    errno = 0;
    CHECK_INT(iom_abort(&c), -1);
    CHECK_ERRNO(EINVAL);
  }
  CHECK_INT(fcntl((int)d[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_INT(read((int)d[0], &s, 1), -1);
  CHECK_ERRNO(EAGAIN);
}

/* promise: Errors of the multiplexer */
TEST(a_multiplexer_whose_ctx_was_closed_is_EBADF) {
  iomux_t c;
  int64 d[2], s = -7;
  unsigned revents = 99;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(close(c.ctx), 0);
  errno = 0;
  CHECK_INT(iom_add(&c, d[0], IOM_READ), -1);
  CHECK_ERRNO(EBADF);
  errno = 0;
  CHECK_INT(iom_wait(&c, &s, &revents, 1000), -1);
  CHECK_ERRNO(EBADF);
  errno = 0;
  CHECK_INT(iom_abort(&c), -1);
  CHECK_ERRNO(EBADF);
  CHECK_INT(iom_wait(&c, &s, &revents, 1000), -2);
}

/* promise: Errors of the multiplexer */
TEST(iom_add_refuses_what_cannot_be_waited_for) {
  static const int64 bad[] = {-1, 99999, 1LL << 32, INT64_MIN, INT64_MAX};
  iomux_t c;
  size_t i;
  CHECK_INT(iom_init(&c), 1);
  for (i = 0; i < sizeof bad / sizeof *bad; i++) {
    errno = 0;
    CHECK_INT(iom_add(&c, bad[i], IOM_READ), -1);
    CHECK_ERRNO(EBADF);
  }
  errno = 0;
  CHECK_INT(iom_add(&c, t_tmpfile(1), IOM_READ), -1);
  CHECK_ERRNO(EPERM);
  errno = 0;
  CHECK_INT(iom_add(&c, c.ctx, IOM_READ), -1);
  CHECK_ERRNO(EINVAL);
}

/* promise: Arming and waiting */
TEST(iom_add_after_the_event_arms_again) {
  iomux_t c;
  int64 d[2];
  int i;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  for (i = 0; i < 3; i++) {
    CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
    CHECK_INT(event_on(&c, d[0]), IOM_READ);
    no_event(&c); /* one add, one event, although the byte is still there */
  }
}

/* promise: Arming and waiting */
TEST(iom_add_while_armed_replaces_the_events) { check_replacing(iom_add); }

/* promise: Closing what is armed */
TEST(a_multiplexer_forgets_a_closed_descriptor) {
  iomux_t c;
  int64 old[2], new[2];
  CHECK_INT(iom_init(&c), 1);
  t_pipe(old);
  CHECK_INT(iom_add(&c, old[1], IOM_WRITE), 0);
  CHECK_INT(close((int)old[0]), 0);
  CHECK_INT(close((int)old[1]), 0);
  no_event(&c);
  t_pipe(new);
  CHECK_INT(new[1], old[1]);
  no_event(&c);
  CHECK_INT(iom_add(&c, new[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, new[1]), IOM_WRITE);
}

TEST(iom_add_without_events_reports_a_hang_up_only) {
  iomux_t c;
  int64 d[2];
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], 0), 0);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  no_event(&c);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE);
}

TEST(iom_add_ignores_unknown_event_bits) {
  iomux_t c;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&c, d[0], ~(unsigned)(IOM_READ | IOM_WRITE)), 0);
  no_event(&c);
  CHECK_INT(iom_add(&c, d[0], ~(unsigned)IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
}

/* promise: Arming and waiting */
TEST(iom_wait_reports_reading_and_writing) {
  iomux_t c;
  int64 d[2];
  t_unix_pair(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ | IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_WRITE);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ | IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
}

/* promise: Arming and waiting */
TEST(iom_wait_reports_hang_ups_and_errors_unasked) {
  iomux_t c;
  int64 d[2];
  CHECK_INT(iom_init(&c), 1);
  t_pipe(d);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE);
  t_pipe(d);
  CHECK_INT(close((int)d[0]), 0);
  CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[1]), IOM_READ | IOM_WRITE | IOM_ERROR);
}

TEST(iom_wait_reports_a_tcp_peer_that_leaves) {
  static const struct linger reset = {1, 0};
  iomux_t c;
  int64 d[2];
  CHECK_INT(iom_init(&c), 1);
  t_tcp_pair(d);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ);
  t_tcp_pair(d);
  CHECK_INT(setsockopt((int)d[1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  CHECK_INT(close((int)d[1]), 0);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  CHECK_INT(event_on(&c, d[0]), IOM_READ | IOM_WRITE | IOM_ERROR);
}

/* promise: Arming and waiting */
TEST(iom_wait_lasts_its_limit) {
  iomux_t c;
  int64 d[2], s = -7, begin, took;
  unsigned revents = 99;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[0], IOM_READ), 0);
  begin = t_now_ms();
  CHECK_INT(iom_wait(&c, &s, &revents, 150), 0);
  took = t_now_ms() - begin;
  CHECK(took >= 150);
  CHECK(took < 3000);
  CHECK_INT(s, -7);
  CHECK_INT(revents, 99);
}

static void nothing(int sig) { (void)sig; }

static void alarm_in_ms(int ms) {
  struct itimerval once = {{0, 0}, {0, ms * 1000}};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = nothing;
  action.sa_flags = SA_RESTART;
  CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
  CHECK_INT(setitimer(ITIMER_REAL, &once, NULL), 0);
}

/* The signal ends a wait that was not cut short; limits of 0 or 100 ms would have returned 0 before it. */
static void waits_until_the_signal(unsigned long limit) {
  iomux_t c;
  int64 s = -7;
  unsigned revents = 99;
  CHECK_INT(iom_init(&c), 1);
  alarm_in_ms(300);
  errno = 0;
  CHECK_INT(iom_wait(&c, &s, &revents, limit), -1);
  CHECK_ERRNO(EINTR);
  CHECK_INT(s, -7);
  CHECK_INT(revents, 99);
}

TEST(a_signal_ends_iom_wait_with_EINTR) { waits_until_the_signal(10000); }

TEST(iom_wait_of_minus_one_milliseconds_waits_until_a_signal) { waits_until_the_signal((unsigned long)-1); }

TEST(a_limit_of_iom_wait_is_not_cut_to_32_bits) {
#if ULONG_MAX > 0xffffffff
  waits_until_the_signal(1UL << 32);
  waits_until_the_signal((1UL << 32) + 100);
#else
  puts("limits have 32 bits here");
#endif
  waits_until_the_signal((1UL << 31) + 100);
  waits_until_the_signal((unsigned long)-2);
}

/* promise: Aborting */
TEST(iom_abort_is_final_until_the_next_iom_init) {
  iomux_t c;
  int64 d[2], s = -7;
  unsigned revents = 99;
  t_pipe(d);
  CHECK_INT(iom_init(&c), 1);
  CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
  CHECK_INT(iom_abort(&c), 0);
  CHECK_INT(iom_abort(&c), 0);
  CHECK_INT(iom_wait(&c, &s, &revents, (unsigned long)-1), -2);
  CHECK_INT(iom_wait(&c, &s, &revents, 0), -2);
  CHECK_INT(s, -7);
  CHECK_INT(revents, 99);
  CHECK_INT(iom_init(&c), 1);
  no_event(&c);
  CHECK_INT(iom_add(&c, d[1], IOM_WRITE), 0);
  CHECK_INT(event_on(&c, d[1]), IOM_WRITE);
}
