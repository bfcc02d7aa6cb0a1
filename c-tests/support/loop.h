/* Helpers for tests of the event loop: registering, waiting with a limit, counting empty wake-ups. */
#ifndef LOOP_H
#define LOOP_H
#include "t.h"

/* TAI label of 1970-01-01 00:00:10 TAI, as libowfat counts. */
#define L_EPOCH 4611686018427387914ULL
/* Long enough for a loaded machine, short enough for a failing test. */
#define L_PATIENCE 3000

/* The wall clock plus ms. */
T_HELPER tai6464 l_in_ms(int64 ms) {
  struct timespec now;
  tai6464 t;
  int64 ns;
  CHECK_INT(clock_gettime(CLOCK_REALTIME, &now), 0);
  ns = now.tv_nsec + (ms % 1000) * 1000000;
  t.sec.x = L_EPOCH + (uint64)(now.tv_sec + ms / 1000);
  if (ns < 0) ns += 1000000000, t.sec.x--;
  if (ns >= 1000000000) ns -= 1000000000, t.sec.x++;
  t.nano = (uint32_t)ns;
  t.atto = 0;
  return t;
}

T_HELPER tai6464 l_never(void) {
  tai6464 none = {{0}, 0, 0};
  return none;
}

T_HELPER void l_read_event(int64 d) {
  CHECK_INT(io_fd(d), 1);
  io_wantread(d);
}

T_HELPER void l_write_event(int64 d) {
  CHECK_INT(io_fd(d), 1);
  io_wantwrite(d);
}

/* A registered pipe with d[0] non-blocking and, if asked, its read event wanted. */
T_HELPER void l_pipe(int64 d[2], int want) {
  t_pipe(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  if (want) io_wantread(d[0]);
}

/* Registers a pipe that never gets data, so that waits sleep. Returns its number. */
T_HELPER int64 l_idle(void) {
  int64 d[2];
  l_pipe(d, 1);
  return d[0];
}

T_HELPER void l_put(int64 d, const char *s) { CHECK_INT(write((int)d, s, strlen(s)), strlen(s)); }

/* Waits until poll(2) says so of d. What a peer sends over loopback arrives soon, but not at once. */
T_HELPER void l_until(int64 d, short events) {
  struct pollfd p;
  p.fd = (int)d;
  p.events = events;
  CHECK_INT(poll(&p, 1, L_PATIENCE), 1);
}

/* The next readable descriptor, waiting for up to ms; -1 if there is none. */
T_HELPER int64 l_next_read(int64 ms) {
  int64 d, end = t_now_ms() + ms;
  while ((d = io_canread()) == -1 && t_now_ms() < end) io_waituntil2(end - t_now_ms() > 0 ? end - t_now_ms() : 0);
  return d;
}

T_HELPER int64 l_next_write(int64 ms) {
  int64 d, end = t_now_ms() + ms;
  while ((d = io_canwrite()) == -1 && t_now_ms() < end) io_waituntil2(end - t_now_ms() > 0 ? end - t_now_ms() : 0);
  return d;
}

/* The processor time of this process. */
T_HELPER int64 l_cpu_ms(void) {
  struct timespec used;
  CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
  return (int64)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* A wait that spins inside the library returns no more often than one that sleeps, but uses processor time. */
T_HELPER void l_check_idle_since(int64 cpu_ms) { CHECK(l_cpu_ms() - cpu_ms <= (t_under_valgrind() ? 200 : 30)); }

/* How many waits of up to 50 ms fit into 300 ms. Nothing may be delivered meanwhile. */
T_HELPER int l_wakeups(void) {
  int n = 0;
  int64 end = t_now_ms() + 300;
  while (t_now_ms() < end) {
    io_waituntil2(50);
    n++;
    CHECK_INT(io_canread(), -1);
    CHECK_INT(io_canwrite(), -1);
  }
  return n;
}

/* 300 ms hold 6 sleeps of 50 ms; 2 empty wake-ups are allowed. */
T_HELPER void l_check_asleep(void) {
  int64 cpu = l_cpu_ms();
  CHECK(l_wakeups() <= 9);
  l_check_idle_since(cpu);
}

/* Waits for up to ms without events, and checks that the time has passed. */
T_HELPER void l_check_sleeps(int64 ms) {
  int64 end = t_now_ms() + ms, cpu = l_cpu_ms();
  int turns = 0;
  while (t_now_ms() < end) {
    io_waituntil2(end - t_now_ms());
    turns++;
  }
  CHECK(turns <= 4);
  l_check_idle_since(cpu);
}

/* Makes a TCP connection of which d[0] gets a reset. */
T_HELPER void l_reset(int64 peer) {
  struct linger hard = {1, 0};
  CHECK_INT(setsockopt((int)peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
  CHECK_INT(close((int)peer), 0);
}

T_HELPER void l_expect_read_only(int64 d) {
  CHECK_INT(l_next_read(L_PATIENCE), d);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
}

T_HELPER void l_expect_write_only(int64 d) {
  CHECK_INT(l_next_write(L_PATIENCE), d);
  CHECK_INT(io_canwrite(), -1);
  CHECK_INT(io_canread(), -1);
}

/* A request arrives at d[0] and is read completely; the answer is written after a report. */
T_HELPER void l_answer_request(const int64 d[2]) {
  char buf[512];
  l_put(d[1], "request");
  CHECK_INT(l_next_read(L_PATIENCE), d[0]);
  CHECK_INT(io_tryread(d[0], buf, sizeof buf), 7);
  io_dontwantread(d[0]);
  io_wantwrite(d[0]);
  CHECK_INT(l_next_write(L_PATIENCE), d[0]);
  CHECK_INT(io_trywrite(d[0], "answer", 6), 6);
  io_dontwantwrite(d[0]);
  io_wantread(d[0]);
  l_until(d[1], POLLIN);
  CHECK_INT(read((int)d[1], buf, sizeof buf), 6);
}

/* Makes a TCP connection that has answered some requests and waits for the next one. */
T_HELPER void l_connection(int64 d[2]) {
  int i;
  t_tcp_pair(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  for (i = 0; i < 5; i++) l_answer_request(d);
}
#endif
