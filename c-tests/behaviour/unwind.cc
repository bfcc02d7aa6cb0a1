// Functions of the program that the library calls may leave by a C++ exception, pthread_exit or longjmp. It passes through
// unchanged, the books are as if they had not been called, and the library works on.
#include "t.h"

#include <csetjmp>
#include <pthread.h>
#include <stdexcept>
#include <string>

extern "C" {
#include "iob_internal.h"
}

namespace {

enum way { EXCEPTION, PTHREAD_EXIT, LONGJMP };
const way WAYS[] = {EXCEPTION, PTHREAD_EXIT, LONGJMP};

struct mine {
  int number;
};

way how;
bool leaving;
jmp_buf back;
int drops;

// Its destructor has to run where the way that is taken runs destructors.
struct local {
  ~local() { drops++; }
};

void leave() {
  local here;
  (void)here;
  switch (how) {
  case EXCEPTION: throw mine{4711};
  case PTHREAD_EXIT: pthread_exit(&drops);
  case LONGJMP: longjmp(back, 1);
  }
}

int cancel_state() {
  int state, old;
  CHECK_INT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state), 0);
  CHECK_INT(pthread_setcancelstate(state, &old), 0);
  return state;
}

int state_at_exit;

struct at_exit {
  ~at_exit() { state_at_exit = cancel_state(); }
};

void *in_a_thread(void *work) {
  at_exit here;
  (void)here;
  (*static_cast<void (**)()>(work))();
  return nullptr;
}

// Runs work, which calls leave somewhere below the library, the way that is set. Another thread is there, so that the
// library has to think of cancellation.
void survive(void (*work)()) {
  static int64 d[2];
  pthread_t other;
  void *result = nullptr;
  t_pipe(d);
  auto sleeper = [](void *end) -> void * {
    char c;
    CHECK_INT(read(static_cast<int>(*static_cast<int64 *>(end)), &c, 1), 0);
    return nullptr;
  };
  CHECK_INT(pthread_create(&other, nullptr, sleeper, &d[0]), 0);
  drops = 0;
  leaving = true;
  bool left = false;
  switch (how) {
  case EXCEPTION:
    try {
      work();
    } catch (const mine &e) {
      CHECK_INT(e.number, 4711);
      left = true;
    }
    CHECK_INT(drops, 1);
    break;
  case PTHREAD_EXIT: {
    pthread_t thread;
    state_at_exit = -1;
    CHECK_INT(pthread_create(&thread, nullptr, in_a_thread, &work), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    left = result == &drops;
    CHECK_INT(drops, 1);
    CHECK_INT(state_at_exit, PTHREAD_CANCEL_ENABLE);
    break;
  }
  case LONGJMP:
    if (setjmp(back) == 0) {
      work();
    } else {
      left = true;
    }
    break;
  }
  CHECK(left);
  leaving = false;
  CHECK_INT(cancel_state(), PTHREAD_CANCEL_ENABLE);
  CHECK_INT(close(static_cast<int>(d[1])), 0);
  CHECK_INT(pthread_join(other, nullptr), 0);
}

io_batch b;
std::string taken;
int calls, leave_at;
const void *offered;

int64 take(int64, const void *bytes, uint64 n) {
  CHECK_INT(cancel_state(), PTHREAD_CANCEL_ENABLE);
  offered = bytes;
  if (leaving && calls++ == leave_at) leave();
  taken.append(static_cast<const char *>(bytes), n);
  return static_cast<int64>(n);
}

int64 take_file(int64, int64, uint64, uint64 n, io_write_callback) {
  if (leaving && calls++ == leave_at) leave();
  taken += "<file>";
  return static_cast<int64>(n);
}

std::string contents(int64 n) {
  std::string all;
  for (int64 i = 0; i < n; i++) all += t_byte(static_cast<uint64>(i));
  return all;
}

void check_books(uint64 left, long next, long bufs, long files) {
  CHECK_INT(b.bytesleft, left);
  CHECK_INT(b.next, next);
  CHECK_INT(b.bufs, bufs);
  CHECK_INT(b.files, files);
}

void start(int at) {
  iob_reset(&b);
  taken.clear();
  calls = 0;
  leave_at = at;
}

void write_batch() { iob_write(77, &b, take); }
void write_batch2() { iob_write2(77, &b, take, take_file); }

// The loop and the other functions work as ever.
void check_library_works() {
  int64 d[2];
  t_pipe(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
  io_wantread(d[0]);
  CHECK_INT(write(static_cast<int>(d[1]), "x", 1), 1);
  io_wait();
  CHECK_INT(io_canread(), d[0]);
  io_close(d[0]);
  CHECK_INT(close(static_cast<int>(d[1])), 0);
  CHECK_INT(fork() == 0 ? (_exit(0), 0) : 0, 0);
  CHECK(wait(nullptr) > 0);
}

}  // namespace

/* promise: Callbacks may leave */
TEST(a_filter_of_buffers_may_leave) {
  for (way w : WAYS) {
    for (int at = 0; at < 3; at++) {
      how = w;
      start(at);
      CHECK_INT(iob_adds(&b, "one"), 1);
      CHECK_INT(iob_adds(&b, "two"), 1);
      CHECK_INT(iob_adds(&b, "three"), 1);
      survive(write_batch);
      check_books(11 - 3 * static_cast<uint64>(at), at, 3, 0);
      CHECK_INT(iob_write(77, &b, take), 11 - 3 * at);
      CHECK(taken == "onetwothree");
      check_books(0, 0, 0, 0);
      check_library_works();
    }
  }
}

/* promise: Callbacks may leave */
TEST(a_filter_of_a_file_may_leave_and_is_offered_the_same_memory_again) {
  const std::string all = contents(100000);
  for (way w : WAYS) {
    for (int at = 0; at < 7; at++) {
      int64 f = t_tmpfile(100000);
      how = w;
      start(at);
      CHECK_INT(iob_addfile_close(&b, f, 0, 100000), 1);
      survive(write_batch);
      CHECK_INT(b.bytesleft + taken.size(), 100000);
      check_books(100000 - static_cast<uint64>(at) * 16384, 0, 0, 1);
      const void *before = offered;
      leaving = true;
      calls = 0;
      leave_at = 0;
      CHECK_INT(fcntl(static_cast<int>(f), F_GETFD) != -1, 1);
      survive(write_batch);
      CHECK(offered == before);
      CHECK(iob_write(77, &b, take) > 0);
      CHECK(taken == all);
      CHECK_INT(fcntl(static_cast<int>(f), F_GETFD), -1);
    }
  }
  check_library_works();
}

TEST(a_filter_that_takes_files_may_leave) {
  for (way w : WAYS) {
    for (int at = 0; at < 2; at++) {
      how = w;
      start(at);
      CHECK_INT(iob_adds(&b, "head"), 1);
      CHECK_INT(iob_addfile_close(&b, t_tmpfile(50), 0, 50), 1);
      survive(write_batch2);
      check_books(54 - 4 * static_cast<uint64>(at), at, 1, 1);
      CHECK_INT(iob_write2(77, &b, take, take_file), 54 - 4 * at);
      CHECK(taken == "head<file>");
    }
  }
}

TEST(a_batch_that_was_left_can_be_reset) {
  for (way w : WAYS) {
    how = w;
    for (int i = 0; i < 100; i++) {
      int64 f = t_tmpfile(40000);
      start(0);
      CHECK_INT(iob_addfile_close(&b, f, 0, 40000), 1);
      survive(write_batch);
      iob_reset(&b);
      check_books(0, 0, 0, 0);
      CHECK(b.b.p == nullptr);
      CHECK_INT(fcntl(static_cast<int>(f), F_GETFD), -1);
    }
  }
  check_library_works();
}

namespace {

int64 file;
int64 feed() { return io_mmapwritefile(77, file, 10, 60000, take); }
void feed_and_forget() { feed(); }

}  // namespace

TEST(a_filter_without_a_batch_may_leave_and_is_offered_the_same_memory_again) {
  const std::string all = contents(70000);
  for (way w : WAYS) {
    how = w;
    start(0);
    file = t_tmpfile(70000);
    survive(feed_and_forget);
    CHECK(taken.empty());
    const void *before = offered;
    calls = 0;
    survive(feed_and_forget);
    CHECK(offered == before);
    taken.clear();
    CHECK_INT(feed(), 60000);
    CHECK(taken == all.substr(10, 60000));
    calls = 0;
    leave_at = 2;
    survive(feed_and_forget);
    io_close(file);
    check_library_works();
  }
}

namespace {

int cleaned[8], cleanups, leaves_in;
io_batch *added_to;

void clean(iob_entry *e) {
  CHECK_INT(cancel_state(), PTHREAD_CANCEL_ENABLE);
  cleaned[cleanups++ % 8] = static_cast<int>(e->n + e->offset);
  if (leaving && cleanups - 1 == leaves_in) leave();
  if (added_to) {
    io_batch *to = added_to;
    added_to = nullptr;
    CHECK_INT(iob_addbuf_internal(to, "12345678", 8, clean), 1);
    CHECK_INT(iob_adds_free(to, strdup("leaks")), 1);
  }
}

void queue(io_batch *to) {
  cleanups = 0;
  CHECK_INT(iob_addbuf_internal(to, "1", 1, clean), 1);
  CHECK_INT(iob_addbuf_internal(to, "22", 2, clean), 1);
  CHECK_INT(iob_addbuf_internal(to, "333", 3, clean), 1);
}

int64 pair[2];
io_batch *made;
void reset_batch() { iob_reset(&b); }
void free_batch() { iob_free(made); }
void send_batch() { iob_send(pair[0], &b); }

void check_each_once() {
  CHECK_INT(cleanups, 3);
  for (int i = 0; i < 3; i++) CHECK_INT(cleaned[i], i + 1);
}

}  // namespace

/* promise: Callbacks may leave */
TEST(a_clean_up_function_may_leave_a_reset) {
  for (way w : WAYS) {
    for (leaves_in = 0; leaves_in < 3; leaves_in++) {
      how = w;
      queue(&b);
      survive(reset_batch);
      CHECK_INT(cleanups, leaves_in + 1);
      iob_reset(&b);
      check_each_once();
      CHECK(b.b.p == nullptr);
      check_books(0, 0, 0, 0);
    }
  }
}

TEST(a_clean_up_function_may_leave_a_send) {
  for (way w : WAYS) {
    for (leaves_in = 0; leaves_in < 3; leaves_in++) {
      char got[16];
      how = w;
      t_unix_pair(pair);
      CHECK_INT(io_fd(pair[0]), 1);
      queue(&b);
      survive(send_batch);
      CHECK_INT(read(static_cast<int>(pair[1]), got, sizeof got), 6);
      CHECK_INT(iob_bytesleft(&b), 0);
      CHECK_INT(iob_send(pair[0], &b), 0);
      /* The batch is used on. */
      CHECK_INT(iob_adds(&b, "next"), 1);
      CHECK_INT(iob_send(pair[0], &b), 4);
      CHECK_INT(read(static_cast<int>(pair[1]), got, sizeof got), 4);
      CHECK(memcmp(got, "next", 4) == 0);
      check_each_once();
      CHECK(b.b.p == nullptr);
      check_library_works();
    }
  }
}

TEST(a_clean_up_function_may_leave_a_write) {
  for (way w : WAYS) {
    for (leaves_in = 0; leaves_in < 3; leaves_in++) {
      how = w;
      taken.clear();
      leave_at = -1;
      queue(&b);
      survive(write_batch);
      CHECK(taken == "122333");
      CHECK_INT(iob_bytesleft(&b), 0);
      CHECK_INT(iob_write(77, &b, take), 0);
      CHECK_INT(iob_adds(&b, "next"), 1);
      CHECK_INT(iob_write(77, &b, take), 4);
      CHECK(taken == "122333next");
      check_each_once();
      check_books(0, 0, 0, 0);
      check_library_works();
    }
  }
}

TEST(a_clean_up_function_may_leave_a_free) {
  for (way w : WAYS) {
    for (leaves_in = 0; leaves_in < 3; leaves_in++) {
      how = w;
      made = iob_new(2);
      queue(made);
      survive(free_batch);
      iob_free(made);
      check_each_once();
    }
  }
}

/* promise: Emptying a batch */
TEST(what_a_clean_up_function_adds_while_the_batch_is_freed_is_freed_too) {
  for (int autofree = 0; autofree < 2; autofree++) {
    made = autofree ? iob_new_autofree(1) : iob_new(1);
    queue(made);
    added_to = made;
    iob_free(made);
    CHECK_INT(cleanups, 4);
    CHECK_INT(cleaned[3], 8);
  }
}

/* promise: Emptying a batch */
TEST(what_a_clean_up_function_adds_during_a_reset_is_queued) {
  queue(&b);
  added_to = &b;
  iob_reset(&b);
  CHECK_INT(cleanups, 3);
  check_books(13, 0, 2, 0);
  taken.clear();
  CHECK_INT(iob_write(77, &b, take), 13);
  CHECK(taken == "12345678leaks");
  CHECK_INT(cleanups, 4);
  CHECK(b.b.p == nullptr);
}

TEST(what_a_clean_up_function_adds_during_a_send_is_sent) {
  char got[32];
  t_unix_pair(pair);
  queue(&b);
  added_to = &b;
  CHECK_INT(iob_send(pair[0], &b), 19);
  CHECK_INT(read(static_cast<int>(pair[1]), got, sizeof got), 19);
  CHECK(memcmp(got, "12233312345678leaks", 19) == 0);
  CHECK_INT(cleanups, 4);
}

namespace {

int64 blocks(int64, const void *, uint64) {
  char c;
  CHECK_INT(cancel_state(), PTHREAD_CANCEL_ENABLE);
  CHECK_INT(write(static_cast<int>(pair[1]), "x", 1), 1);
  (void)!read(static_cast<int>(pair[1]), &c, 1);
  return -1;
}

void *write_blocked(void *) { return reinterpret_cast<void *>(iob_write(77, &b, blocks)); }

}  // namespace

/* promise: Callbacks may leave */
TEST(a_thread_can_be_cancelled_in_a_filter) {
  pthread_t thread;
  void *result;
  char c;
  t_unix_pair(pair);
  CHECK_INT(iob_adds(&b, "text"), 1);
  CHECK_INT(pthread_create(&thread, nullptr, write_blocked, nullptr), 0);
  CHECK_INT(read(static_cast<int>(pair[0]), &c, 1), 1);
  CHECK_INT(pthread_cancel(thread), 0);
  CHECK_INT(pthread_join(thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
  check_books(4, 0, 1, 0);
  taken.clear();
  CHECK_INT(iob_write(77, &b, take), 4);
  CHECK(taken == "text");
}
