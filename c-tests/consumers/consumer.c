/* What a build system has found is the library: one event goes through it. */
#include <io.h>

#include <stdio.h>
#include <unistd.h>

int main(void) {
  int64 ends[2];
  if (!io_pipe(ends)) return 1;
  io_wantread(ends[0]);
  if (write((int)ends[1], "x", 1) != 1) return 2;
  io_wait();
  if (io_canread() != ends[0]) return 3;
  puts("the event came");
  return 0;
}
