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
 * - DEADLINES and `static void expired(int fd)`, if descriptors have deadlines, LOOP_TIMEOUT seconds ahead.
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

#include LOOP
#endif
