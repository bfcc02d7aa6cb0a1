/* Prints how many bytes of resident memory a registered idle descriptor costs: `idle [COUNT]`
 * registers that many descriptors, wants to read them all, and compares before and after. */
#include <io.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static long resident_bytes(void) {
  long total = 0, resident = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &total, &resident) != 2) exit(2);
  fclose(f);
  return resident * sysconf(_SC_PAGESIZE);
}

int main(int argc, char** argv) {
  int count = argc > 1 ? atoi(argv[1]) : 10000, ends[2], *idle;
  struct rlimit limit;
  long before;

  if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return 2;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) == -1 || pipe(ends) == -1) return 2;
  /* The set-up of the loop itself is not what a descriptor costs. */
  if (!io_fd(ends[0])) return 2;
  io_wantread(ends[0]);
  io_check();
  idle = calloc((size_t)count, sizeof *idle);
  if (!idle) return 2;
  for (int i = 0; i < count; ++i)
    if ((idle[i] = dup(ends[0])) == -1) {
      perror("idle: dup");
      return 2;
    }

  before = resident_bytes();
  before = resident_bytes(); /* the first reading has paid for stdio */
  for (int i = 0; i < count; ++i) {
    if (!io_fd(idle[i])) {
      perror("idle: io_fd");
      return 2;
    }
    io_wantread(idle[i]);
  }
  io_check();
  if (io_canread() != -1) return 2;
  printf("%.1f\n", (double)(resident_bytes() - before) / count);
  return 0;
}
