/* io_debugstring: for people's eyes, but it must not write past its room. */
#include "loop.h"

TEST(S3_5_debugstring_describes_a_registered_descriptor) {
  char buf[1000];
  int64 d[2];
  unsigned n;
  l_pipe(d, 1);
  io_timeout(d[0], l_in_ms(1000));
  n = io_debugstring(d[0], buf, sizeof buf);
  CHECK(n > 0 && n < sizeof buf);
  CHECK_INT(strlen(buf), n);
}

TEST(S3_1_S3_5_debugstring_of_an_unknown_descriptor_is_nothing) {
  static const int64 strange[] = {-1, INT64_MIN, 1LL << 32, INT64_MAX, 900};
  char buf[1000];
  unsigned i;
  l_idle();
  for (i = 0; i < sizeof strange / sizeof *strange; i++) CHECK_INT(io_debugstring(strange[i], buf, sizeof buf), 0);
}

TEST(S3_5_debugstring_keeps_within_its_room) {
  char buf[400];
  int64 d[2];
  unsigned size, i;
  l_pipe(d, 1);
  CHECK_INT(io_debugstring(d[0], NULL, 0), 0);
  for (size = 0; size <= 300; size++) {
    unsigned n;
    memset(buf, '#', sizeof buf);
    n = io_debugstring(d[0], buf, size);
    CHECK(n == 0 || (n < size && strlen(buf) == n));
    for (i = size; i < sizeof buf; i++) CHECK_INT(buf[i], '#');
  }
}
