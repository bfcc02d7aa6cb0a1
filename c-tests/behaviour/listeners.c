/* A listening socket that several processes or several numbers share: a connection is reported to all that wait. */
#include "fork.h"

#include <sys/wait.h>

#define WORKERS 3

static int64 listener(struct sockaddr_in *a) {
  socklen_t length = sizeof *a;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(s != -1);
  *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK_INT(bind(s, (struct sockaddr *)a, sizeof *a), 0);
  CHECK_INT(listen(s, 16), 0);
  CHECK_INT(getsockname(s, (struct sockaddr *)a, &length), 0);
  io_nonblock(s);
  return s;
}

static void call(const struct sockaddr_in *a) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(s != -1);
  CHECK_INT(connect(s, (const struct sockaddr *)a, sizeof *a), 0);
}

/* Announces that it waits, gets the report, does not accept, and announces that. */
static void work(int64 s, int64 say) {
  CHECK_INT(io_fd(s), 1);
  io_wantread(s);
  io_waituntil2(10);
  l_put(say, "w");
  CHECK_INT(l_next_read(L_PATIENCE), s);
  l_put(say, "h");
  t_leave(0);
}

static void expect(int64 d, char c, int times) {
  char got;
  while (times-- > 0) {
    l_until(d, POLLIN);
    CHECK_INT(read((int)d, &got, 1), 1);
    CHECK_INT(got, c);
  }
}

/* promise: Listeners that processes share */
TEST(every_waiting_process_hears_of_a_connection) {
  struct sockaddr_in a;
  int64 said[2], s = listener(&a);
  int i, status;
  t_pipe(said);
  for (i = 0; i < WORKERS; i++) {
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) work(s, said[1]);
  }
  expect(said[0], 'w', WORKERS);
  call(&a);
  expect(said[0], 'h', WORKERS);
  for (i = 0; i < WORKERS; i++) {
    CHECK(wait(&status) > 0);
    CHECK_INT(status, 0);
  }
}

/* promise: Listeners that processes share */
TEST(every_number_of_a_listener_hears_of_a_connection) {
  struct sockaddr_in a;
  int64 s = listener(&a), copy = dup((int)s), first, second;
  pid_t caller;
  CHECK(copy != -1);
  CHECK_INT(io_fd(s), 1);
  CHECK_INT(io_fd(copy), 1);
  io_wantread(s);
  io_wantread(copy);
  io_waituntil2(10);
  caller = fork();
  CHECK(caller != -1);
  if (caller == 0) {
    f_until_asleep(getppid(), getppid());
    call(&a);
    t_leave(0);
  }
  first = l_next_read(L_PATIENCE);
  second = l_next_read(L_PATIENCE);
  f_finish(caller);
  CHECK(first == s || first == copy);
  CHECK_INT(second, first == s ? copy : s);
}
