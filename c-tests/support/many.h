/* Helpers for tests with many descriptors: limits, and the memory in use. */
#ifndef MANY_H
#define MANY_H
#include "loop.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

/* Allows as many descriptors as this process may have, and returns how many that is; no more than 20,000, so
 * that a machine with a generous limit does not take for ever. */
T_HELPER int64 m_descriptors(void) {
  struct rlimit limit;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max > 20000) limit.rlim_max = 20000;
  limit.rlim_cur = limit.rlim_max;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < 1000) SKIP("this process may not have 1,000 descriptors");
  return (int64)limit.rlim_cur;
}

/* Bytes of memory that is not mapped from a file. Code is not counted, because it is loaded when it first runs. */
T_HELPER int64 m_resident(void) {
  long total, resident, shared;
  FILE *f = fopen("/proc/self/statm", "r");
  CHECK(f != NULL);
  CHECK_INT(fscanf(f, "%ld %ld %ld", &total, &resident, &shared), 3);
  fclose(f);
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

/* Memory has not grown by more than that since m_resident. A memory checker's own memory counts with the process's. */
T_HELPER void m_check_grown(int64 since, int64 at_most) {
  int64 grown = m_resident() - since;
  if (!t_memory_is_checked() && grown > at_most) CHECK_INT(grown, at_most);
}

/* A datagram socket that is its own peer: it reads what it writes. -1 if the limit is reached. */
T_HELPER int64 m_own_peer(void) {
  struct sockaddr_un name;
  socklen_t n = sizeof name;
  int d = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (d == -1) return -1;
  memset(&name, 0, sizeof name);
  name.sun_family = AF_UNIX;
  CHECK_INT(bind(d, (struct sockaddr *)&name, sizeof name.sun_family), 0); /* the kernel makes up a name */
  CHECK_INT(getsockname(d, (struct sockaddr *)&name, &n), 0);
  CHECK_INT(connect(d, (struct sockaddr *)&name, n), 0);
  return d;
}

/* Opens what m_event names; -1 if the limit is reached. */
T_HELPER int64 m_another(void) {
  int64 d = eventfd(0, EFD_NONBLOCK);
  return d == -1 && (errno == ENOSYS || errno == EPERM) ? m_own_peer() : d;
}

/* A descriptor that becomes readable by m_fire and is not readable any more after m_take. */
T_HELPER int64 m_event(void) {
  int64 d = m_another();
  CHECK(d != -1);
  return d;
}

T_HELPER void m_fire(int64 d) { CHECK_INT(eventfd_write((int)d, 1), 0); }

T_HELPER void m_take(int64 d) {
  uint64 n;
  CHECK_INT(io_tryread(d, (char *)&n, sizeof n), sizeof n);
}
#endif
