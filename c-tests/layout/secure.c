/* Says what the environment has done to the library: run by secure.sh with and without the set-user-ID bit. */
#define T_OWN_MAIN
#include "t.h"

#include <sys/auxv.h>

/* "backend NAME" as io_debugstring says it. */
static void say_backend(int64 d) {
  char text[256], *name;
  CHECK(io_debugstring(d, text, sizeof text) > 0);
  name = strstr(text, "backend ");
  CHECK(name != NULL);
  name[strcspn(name, ",;)\n")] = 0;
  printf("%s\n", name);
}

int main(void) {
  int64 d[2];
  t_pipe(d);
  printf("secure %lu\n", getauxval(AT_SECURE));
  CHECK_INT(io_fd(d[0]), 1);
  say_backend(d[0]);
  return 0;
}
