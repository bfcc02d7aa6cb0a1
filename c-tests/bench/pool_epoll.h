/* Written by hand on epoll. Each thread has a set of its own, and connections are dealt out in turn; or, with SHARED
 * defined as the number of events that a call takes at most, all wait on one set, where a connection is armed for one
 * event at a time so that two threads never answer it at once. */
#include <sys/epoll.h>

enum { POOL_THREADS = 16 };

static int pool_set[POOL_THREADS], pool_sets;

#ifdef SHARED
enum { POOL_TAKES = SHARED, POOL_EVENTS = EPOLLIN | EPOLLONESHOT };
#define POOL_SET(thread) pool_set[0]
#else
enum { POOL_TAKES = 128, POOL_EVENTS = EPOLLIN };
#define POOL_SET(thread) pool_set[thread]
#endif

static void pool_start(int threads) {
#ifdef SHARED
  threads = 1;
#endif
  for (; pool_sets < threads; ++pool_sets)
    if ((pool_set[pool_sets] = epoll_create1(EPOLL_CLOEXEC)) == -1) die("epoll_create1");
}

static void loop_want_read(int fd) {
  static int next;
  struct epoll_event e = {.events = POOL_EVENTS, .data = {.fd = fd}};
  if (epoll_ctl(pool_set[next++ % pool_sets], EPOLL_CTL_ADD, fd, &e) == -1) die("epoll_ctl");
}

static void pool_run(int thread) {
  struct epoll_event events[POOL_TAKES];
  for (;;) {
    int n = epoll_wait(POOL_SET(thread), events, POOL_TAKES, -1);
    for (int i = 0; i < n; ++i) {
      answer(thread, events[i].data.fd);
#ifdef SHARED
      events[i].events = POOL_EVENTS;
      if (epoll_ctl(pool_set[0], EPOLL_CTL_MOD, events[i].data.fd, &events[i]) == -1) die("epoll_ctl");
#endif
    }
  }
}
