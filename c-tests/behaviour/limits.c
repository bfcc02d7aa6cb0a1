/* Servers at the limit of descriptors: with no, one and two numbers free, and with the limit lowered while they run. Each
 * pattern of a server is prepared, then the numbers are taken away, and it has to serve as before. */
#include "fork.h"
#include "thread.h"

enum { LIMIT = 128, CLIENTS = 3, ROUNDS = 4 };

static int64 server[CLIENTS], client[CLIENTS], listener, reserve, kept[2];
static struct sockaddr_in address;
static char text[70000];

static void connections(void) {
  int64 d[2];
  int i;
  for (i = 0; i < CLIENTS; i++) {
    t_unix_pair(d);
    server[i] = d[0];
    client[i] = d[1];
    io_nonblock(d[0]);
    l_read_event(d[0]);
  }
  CHECK_INT(io_waituntil2(1), 0);
}

static void expect(int64 d, const char *answer) {
  size_t n = 0, all = strlen(answer);
  while (n < all) {
    ssize_t r;
    l_until(d, POLLIN);
    CHECK((r = read((int)d, text + n, all - n)) > 0);
    n += (size_t)r;
  }
  CHECK(memcmp(text, answer, all) == 0);
}

/* A request and its answer, by events only. */
static void answer_by_events(int i) {
  char c;
  l_put(client[i], "?");
  CHECK_INT(l_next_read(L_PATIENCE), server[i]);
  CHECK_INT(io_tryread(server[i], &c, 1), 1);
  io_dontwantread(server[i]);
  io_wantwrite(server[i]);
  CHECK_INT(l_next_write(L_PATIENCE), server[i]);
  CHECK_INT(io_trywrite(server[i], "answer", 6), 6);
  io_dontwantwrite(server[i]);
  io_wantread(server[i]);
  expect(client[i], "answer");
}

static void echo(void) {
  int i, round;
  for (round = 0; round < ROUNDS; round++) {
    for (i = 0; i < CLIENTS; i++) answer_by_events(i);
  }
  CHECK_INT(l_next_read(5), -1);
}

/* Files and filters. */
static int64 file;

static void connections_and_a_file(void) {
  connections();
  file = t_tmpfile(60000);
}

static int64 swallow(int64 d, const void *bytes, uint64 n) {
  (void)d, (void)bytes;
  return (int64)n;
}

static void send_batches(void) {
  int i;
  for (i = 0; i < CLIENTS; i++) {
    io_batch b = {0};
    CHECK_INT(iob_adds(&b, "head"), 1);
    CHECK_INT(iob_addfile(&b, file, 0, 5000), 1);
    CHECK_INT(iob_adds_free(&b, strdup("tail")), 1);
    CHECK_INT(iob_send(server[i], &b), 5008);
    expect(client[i], "head");
    CHECK_INT(recv((int)client[i], text, 5004, MSG_WAITALL), 5004);
    CHECK(text[4999] == t_byte(4999) && memcmp(text + 5000, "tail", 4) == 0);
    CHECK_INT(iob_addfile(&b, file, 10, 50000), 1);
    CHECK_INT(iob_write(server[i], &b, swallow), 50000);
    CHECK_INT(io_sendfile(server[i], file, 0, 100), 100);
    CHECK_INT(recv((int)client[i], text, 100, MSG_WAITALL), 100);
  }
}

/* A listener; its clients have connected already. */
static void a_listener(void) {
  int i;
  listener = t_listen(&address);
  io_nonblock(listener);
  l_read_event(listener);
  CHECK_INT(io_waituntil2(1), 0);
  CHECK((reserve = open("/dev/null", O_RDONLY)) != -1);
  for (i = 0; i < CLIENTS; i++) {
    CHECK((client[i] = socket(AF_INET, SOCK_STREAM, 0)) != -1);
    CHECK_INT(connect((int)client[i], (struct sockaddr *)&address, sizeof address), 0);
    l_put(client[i], "?");
  }
}

/* One that finds no number for a connection gives up its reserve for it, and after that wants no more until it has closed
 * one, as servers do. */
static void accept_all(void) {
  int served = 0, i;
  char c;
  while (served < CLIENTS) {
    int64 d = l_next_read(L_PATIENCE);
    if (d == listener) {
      int fd = accept((int)listener, NULL, NULL);
      if (fd == -1) {
        CHECK_ERRNO(EMFILE);
        if (reserve == -1) {
          io_dontwantread(listener);
          continue;
        }
        CHECK_INT(close((int)reserve), 0);
        reserve = -1;
        CHECK((fd = accept((int)listener, NULL, NULL)) != -1);
      }
      io_nonblock(fd);
      l_read_event(fd);
      io_setcookie(fd, &served);
    } else {
      CHECK(d != -1 && io_getcookie(d) == &served);
      CHECK_INT(io_tryread(d, &c, 1), 1);
      CHECK_INT(io_trywrite(d, "answer", 6), 6);
      io_close(d);
      io_wantread(listener);
      served++;
    }
  }
  for (i = 0; i < CLIENTS; i++) expect(client[i], "answer");
}

/* The main thread sleeps in the loop, another tells it what to do as soon as it does. To see that takes a descriptor,
 * which is opened early. */
static int state, sleeps;
static void (*change)(void);

static void open_state(void) { CHECK((state = open("/proc/self/stat", O_RDONLY)) != -1); }

static void connections_and_the_state(void) {
  connections();
  open_state();
}

static int is_asleep(void) {
  char line[512], *at;
  ssize_t n = pread(state, line, sizeof line - 1, 0);
  CHECK(n > 0);
  line[n] = 0;
  CHECK(at = strrchr(line, ')'));
  return at[2] == 'S';
}

static void *change_when_asleep(void *unused) {
  int64 end = t_now_ms() + L_PATIENCE;
  while (!__atomic_load_n(&sleeps, __ATOMIC_ACQUIRE) || !is_asleep()) {
    CHECK(t_now_ms() < end);
    poll(NULL, 0, 1);
  }
  change();
  return unused;
}

static void sleep_until(void (*is_changed)(void)) {
  pthread_t thread;
  int64 begun = t_now_ms();
  change = is_changed;
  __atomic_store_n(&sleeps, 0, __ATOMIC_RELEASE);
  thread = th_start(change_when_asleep, NULL);
  __atomic_store_n(&sleeps, 1, __ATOMIC_RELEASE);
  io_waituntil2(TH_LIMIT);
  CHECK(t_now_ms() - begun < TH_AT_ONCE);
  th_join(thread);
}

static void queue_an_event(void) { CHECK_INT(io_queueforread(server[0]), 1); }
static void set_a_passed_deadline(void) { io_timeout(server[1], l_in_ms(-10)); }
static void want_to_write(void) { io_wantwrite(server[2]); }

static void wake_the_sleeper(void) {
  sleep_until(queue_an_event);
  CHECK_INT(io_canread(), server[0]);
  sleep_until(set_a_passed_deadline);
  CHECK_INT(io_timeouted(), server[1]);
  io_timeout(server[1], l_never());
  sleep_until(want_to_write);
  CHECK_INT(io_canwrite(), server[2]);
  io_dontwantwrite(server[2]);
  echo();
}

/* Another thread sleeps in the loop, and goes on doing so. */
static struct th_sleeper sleeper;

static void a_sleeping_thread(void) {
  connections();
  th_put_to_sleep(&sleeper, TH_LIMIT);
}

/* A child goes on with what it inherited, beside a sleeping thread of the parent. */
static void in_a_child(void) { f_run(echo); }

static void in_a_child_of_a_child(void) {
  f_run(in_a_child);
  echo();
}

/* Its state has the number that the parent's had. */
static void wake_a_sleeper_of_the_child(void) {
  CHECK_INT(close(state), 0);
  open_state();
  wake_the_sleeper();
}

static void threads_in_a_child(void) { f_run(wake_a_sleeper_of_the_child); }

/* A copy of a closed descriptor has the set of the kernel replaced. */
static void a_copy_to_be(void) {
  connections();
  t_unix_pair(kept);
  io_nonblock(kept[0]);
  l_read_event(kept[0]);
  io_check();
  CHECK(dup((int)kept[0]) != -1);
}

static void close_the_original(void) {
  if (kept[0] != -1) {
    io_close(kept[0]);
    kept[0] = -1;
    l_put(kept[1], "x");
  }
  io_waituntil2(5);
  echo();
  l_check_asleep();
}

/* The loop ends and begins anew with what was open. */
static void begin_anew(void) {
  int i;
  io_finishandshutdown();
  for (i = 0; i < CLIENTS; i++) l_read_event(server[i]);
  echo();
}

/* --- What is taken away --- */

static void (*prepare)(void), (*serve)(void);
static int spare;

static void use_up_all_but(int n) {
  struct rlimit limit = {LIMIT, LIMIT};
  int fd, last[3] = {-1, -1, -1};
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
  while ((fd = open("/dev/null", O_RDONLY)) != -1) {
    last[0] = last[1];
    last[1] = last[2];
    last[2] = fd;
  }
  CHECK_ERRNO(EMFILE);
  while (n > 0) CHECK_INT(close(last[3 - n--]), 0);
}

static void with_few_numbers(void) {
  prepare();
  use_up_all_but(spare);
  serve();
}

static void few_free(void (*p)(void), void (*s)(void)) {
  prepare = p;
  serve = s;
  for (spare = 0; spare <= 2; spare++) f_run(with_few_numbers);
}

static int highest(void) {
  int i, h = 2;
  for (i = 0; i < 1024; i++) {
    if (fcntl(i, F_GETFD) != -1) h = i;
  }
  return h;
}

/* poll(2), which the tests use too, refuses to be asked about more than one descriptor then. */
static void lower_to(rlim_t n) {
  struct rlimit limit = {n, n};
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void with_a_lowered_limit(void) {
  prepare();
  serve();
  lower_to(spare < 0 ? (rlim_t)highest() + 1 : (rlim_t)spare);
  serve();
  serve();
}

/* To what is open, to less than that, and to one. */
static void lowered(void (*p)(void), void (*s)(void)) {
  static const int to[] = {-1, 4, 1};
  size_t i;
  prepare = p;
  serve = s;
  for (i = 0; i < sizeof to / sizeof to[0]; i++) {
    spare = to[i];
    f_run(with_a_lowered_limit);
  }
}

static void lowered_to_what_is_open(void (*prepares)(void), void (*serves)(void)) {
  prepare = prepares;
  serve = serves;
  spare = -1;
  f_run(with_a_lowered_limit);
}

TEST(requests_are_answered_with_few_numbers_free) { few_free(connections, echo); }
TEST(requests_are_answered_after_the_limit_was_lowered) { lowered(connections, echo); }
TEST(files_and_filters_work_with_few_numbers_free) { few_free(connections_and_a_file, send_batches); }
TEST(files_and_filters_work_after_the_limit_was_lowered) { lowered(connections_and_a_file, send_batches); }
TEST(connections_are_accepted_one_by_one_with_few_numbers_free) { few_free(a_listener, accept_all); }
TEST(threads_are_woken_with_few_numbers_free) { few_free(connections_and_the_state, wake_the_sleeper); }
TEST(threads_are_woken_after_the_limit_was_lowered) { lowered(connections_and_the_state, wake_the_sleeper); }
TEST(a_child_serves_with_few_numbers_free) { few_free(connections, in_a_child); }
TEST(a_child_serves_after_the_limit_was_lowered_to_what_is_open) {
  lowered_to_what_is_open(connections, in_a_child);
}
TEST(a_child_of_a_child_serves_with_few_numbers_free) { few_free(connections, in_a_child_of_a_child); }
TEST(a_child_serves_beside_a_sleeping_thread_of_its_parent_with_few_numbers_free) {
  few_free(a_sleeping_thread, in_a_child);
}
TEST(threads_of_a_child_are_woken_with_few_numbers_free) { few_free(connections_and_the_state, threads_in_a_child); }
TEST(a_copy_of_a_closed_descriptor_hides_nobody_with_few_numbers_free) { few_free(a_copy_to_be, close_the_original); }
TEST(a_copy_of_a_closed_descriptor_hides_nobody_after_the_limit_was_lowered_to_what_is_open) {
  lowered_to_what_is_open(a_copy_to_be, close_the_original);
}
TEST(the_loop_ends_and_begins_anew_with_few_numbers_free) { few_free(connections, begin_anew); }

static void look_beside_a_closed_number(void) {
  connections();
  lower_to(1);
  CHECK_INT(close((int)server[0]), 0);
  l_put(client[1], "?");
  io_check();
  CHECK_INT(io_canread(), server[1]);
  CHECK_INT(io_canread(), -1);
}

TEST(a_number_that_was_closed_behind_the_library_hides_nobody_after_the_limit_was_lowered) {
  f_run(look_beside_a_closed_number);
}
