/* The event loop under a benchmark program, chosen when it is compiled: cc -DLOOP='"loop_epoll.h"' echo.c
 *
 * | file         | library               | a descriptor is                                   |
 * |--------------|-----------------------|---------------------------------------------------|
 * | loop_epoll.h | none: the fair floor  | registered once, edge-triggered                   |
 * | loop_owfat.h | ours, or libowfat 0.32| io_fd, io_wantread, io_wantwrite                  |
 * | loop_ev.h    | libev                 | an ev_io for reading and one for writing          |
 * | loop_event.h | libevent              | an EV_PERSIST event for each direction            |
 * | loop_uv.h    | libuv                 | a uv_poll_t                                       |
 *
 * Everything is static and inlined, so that a program comes out as a good user of the library would have
 * written it by hand. What the program defines before it includes this file:
 *
 * - `static int readable(int fd)`; it reads until a read comes up short, and returns 0 if it closed fd;
 * - WRITES and `static void writable(int fd)`, if it waits for that too;
 * - DEADLINES and `static void expired(int fd)`, if descriptors have deadlines, LOOP_TIMEOUT seconds ahead;
 * - TAKES, if it takes some of the events at a time (only epoll and owfat);
 * - IDLE_THREAD, for a second thread in the process, which sleeps: locks and libc's system calls then cost more.
 *
 * What it then has:
 *
 * - `loop_start()`; `loop_run()`, which never returns and looks for expired deadlines once a turn;
 * - `loop_add(fd)`, which registers a descriptor whose owner may have left it in blocking mode, and
 *   `loop_accept(listener)`, which accepts and registers one connection, or returns -1;
 * - `loop_want_read(fd)` and `loop_close(fd)`; with WRITES also `loop_want_write(fd)`, `loop_dont_want_read(fd)`
 *   and `loop_dont_want_write(fd)`;
 * - `loop_read` and `loop_write` as read(2) and write(2), but for the library's own functions where it has them;
 * - with DEADLINES `loop_push(fd)`, which sets the deadline anew, and `loop_look()`, which is the turn of a loop
 *   that need not wait: the time is read, and expired deadlines are found;
 * - with TAKES `loop_take(most)`, which waits once and takes at most so many events, all of reading;
 * - `loop_flush()`, which makes a loop that tells the kernel late do so now. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* Descriptor numbers stay below this. */
#define LOOP_MAX 20480
/* Nothing expires during a run. */
#define LOOP_TIMEOUT 600

static int readable(int fd);
#ifdef WRITES
static void writable(int fd);
#endif
#ifdef DEADLINES
static void expired(int fd);
#endif

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

#ifdef IDLE_THREAD
#include <pthread.h>

static void* loop_idle(void* unused) {
  for (;;) pause();
  return unused;
}

__attribute__((constructor)) static void loop_start_idle(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, loop_idle, NULL)) die("pthread_create");
}
#endif

#include LOOP
#endif
