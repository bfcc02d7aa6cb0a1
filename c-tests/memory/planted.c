/* Misuse of memory that a checker has to report: as proof that it looks into the library, not only at the test.
 *
 *   planted leak | overflow | unset | freed | shift */
#include "t.h"

/* A batch that is never freed. */
TEST(leak) {
  io_batch *b = iob_new(4);
  CHECK(b != NULL);
  CHECK_INT(iob_adds(b, "text"), 1);
  memset(&b, 0, sizeof b);
}

/* The program states a buffer larger than it is, and the library writes a byte past its end. */
TEST(overflow) {
  int64 d[2];
  char text[200], *room;
  unsigned length;
  t_pipe(d);
  CHECK_INT(io_fd(d[0]), 1);
  length = io_debugstring(d[0], text, sizeof text);
  room = malloc(length);
  CHECK(room != NULL);
  io_debugstring(d[0], room, length + 1);
  free(room);
}

/* It makes decisions by memory that has never been written. */
TEST(unset) {
  char *text = malloc(8);
  io_batch b = {0};
  CHECK(text != NULL);
  iob_adds(&b, text);
  iob_reset(&b);
  free(text);
}

/* It is given memory that has been freed. */
TEST(freed) {
  io_batch *volatile b = calloc(1, sizeof *b); /* volatile, or the compiler complains */
  CHECK(b != NULL);
  free(b);
  iob_adds(b, "text");
}

/* Undefined behaviour of the test itself. */
TEST(shift) {
  int volatile by = 32;
  CHECK_INT(1 << by, 1);
}
