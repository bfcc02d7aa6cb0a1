/* Sends a file that is not in the page cache, as a download: `prefetch MEGABYTES AHEAD` asks the kernel to read
 * AHEAD bytes ahead whenever the socket takes no more (0: never), and prints
 *
 *     milliseconds N
 *     sending_milliseconds N    (those in which the server could have served nobody else) */
#define _GNU_SOURCE
#include "batch.h"

#include "drain.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>

/* In the program's own directory: /tmp may have no disk behind it. */
static int file_of(const char* program, size_t n) {
  static char bytes[1 << 20], path[PATH_MAX];
  struct statfs of;
  int fd;
  snprintf(path, sizeof path, "%s-XXXXXX", program);
  if ((fd = mkstemp(path)) == -1 || unlink(path) == -1 || fstatfs(fd, &of) == -1) die(path);
  if (of.f_type == TMPFS_MAGIC) {
    fprintf(stderr, "%s is on tmpfs, where nothing is ever read from a disk\n", program);
    exit(2);
  }
  for (size_t i = 0; i < n; i += sizeof bytes) {
    memset(bytes, (int)(i >> 20), sizeof bytes);
    if (write(fd, bytes, sizeof bytes) != sizeof bytes) die("write");
  }
  if (fsync(fd) == -1) die("fsync");
  return fd;
}

static size_t resident(int fd, size_t n) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = n / page, in = 0;
  unsigned char* seen = malloc(pages);
  void* p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
  if (!seen || p == MAP_FAILED || mincore(p, n, seen) == -1) die("mincore");
  for (size_t i = 0; i < pages; ++i) in += seen[i] & 1;
  munmap(p, n);
  free(seen);
  return in * page;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char** argv) {
  struct batch b;
  size_t n, ahead;
  double begin, sending = 0, since;
  int gone;
  int fd, file;
  if (argc != 3) return 2;
  n = (size_t)atol(argv[1]) << 20;
  ahead = (size_t)atol(argv[2]);
  file = file_of(argv[0], n);
  fd = drain_start(argv[0], 1, 0);
  batch_start(&b, fd);
  if (posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) || resident(file, n) > n / 100) die("still in the cache");
  begin = now_ms();
  batch_file(&b, batch_known(file, n), 0, n);
  do {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (ahead) batch_prefetch(&b, ahead);
    poll(&wait, 1, -1);
    since = now_ms();
    gone = batch_send(fd, &b);
    sending += now_ms() - since;
  } while (!gone);
  if (drain_end(fd) != n) die("not everything arrived");
  printf("milliseconds %.1f\n", now_ms() - begin);
  printf("sending_milliseconds %.1f\n", sending);
  return 0;
}
