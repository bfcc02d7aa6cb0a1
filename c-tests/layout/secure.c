/* Says what the environment has done to the library: run by secure.sh with and without the set-user-ID bit. */
#define T_OWN_MAIN
#include "t.h"

#include <sys/auxv.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

/* "backend NAME" as io_debugstring says it. */
static void say_backend(int64 d) {
  char text[256], *name;
  CHECK(io_debugstring(d, text, sizeof text) > 0);
  name = strstr(text, "backend ");
  CHECK(name != NULL);
  name[strcspn(name, ",;)\n")] = 0;
  printf("%s\n", name);
}

/* A batch that owns much memory asks for zero-copy sends, if at all. */
static void say_zero_copy(int64 s) {
  enum { SIZE = 1 << 20 };
  char *memory = malloc(SIZE);
  int on = -1;
  socklen_t length = sizeof on;
  io_batch b;
  CHECK(memory != NULL);
  memset(memory, 'x', SIZE);
  memset(&b, 0, sizeof b);
  io_nonblock(s);
  CHECK_INT(io_fd(s), 1);
  CHECK_INT(iob_addbuf_free(&b, memory, SIZE), 1);
  CHECK(iob_send(s, &b) > 0);
  CHECK_INT(getsockopt((int)s, SOL_SOCKET, SO_ZEROCOPY, &on, &length), 0);
  printf("zero-copy %d\n", on);
}

int main(void) {
  int64 d[2];
  t_tcp_pair(d);
  printf("secure %lu\n", getauxval(AT_SECURE));
  say_zero_copy(d[0]);
  say_backend(d[0]);
  return 0;
}
