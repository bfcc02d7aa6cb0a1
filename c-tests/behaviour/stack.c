/* Every function of the library in a thread with the smallest stack that there may be. */
#include "loop.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

#include "array.h"
#include "iob_internal.h"
#include "tai.h"
#include "taia.h"
#include "uint16.h"
#include "uint32.h"
#include "uint64.h"

/* The least that a system grants is 16 KiB, of which the C library keeps some for itself. A call may take half of it,
 * together with the C library's functions that it calls and those of this program. */
enum { SMALL = 16 << 10, MOST = SMALL / 2 };

static void *run(void *work) {
  (*(void (**)(void))work)();
  return NULL;
}

/* What a thread needs that does nothing. */
static void nothing(void) {}

/* Bytes of the stack that work has used. */
static size_t stack_used(void (*work)(void)) {
  pthread_attr_t attributes;
  pthread_t thread;
  long least = sysconf(_SC_THREAD_STACK_MIN), page = sysconf(_SC_PAGESIZE);
  size_t size = (size_t)(least > SMALL ? least : SMALL);
  char *memory;
  if (t_memory_is_checked()) SKIP("a memory checker needs more stack than this");
  if (page > 4096) SKIP("pages are too large for that");
  /* A guard below it, so that too deep a call is a fault and not somebody else's memory. */
  memory = mmap(NULL, size + (size_t)page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  CHECK_INT(mprotect(memory + page, size, PROT_READ | PROT_WRITE), 0);
  memset(memory + page, 0x5a, size);
  CHECK_INT(pthread_attr_init(&attributes), 0);
  CHECK_INT(pthread_attr_setstack(&attributes, memory + page, size), 0);
  CHECK_INT(pthread_create(&thread, &attributes, run, &work), 0);
  CHECK_INT(pthread_join(thread, NULL), 0);
  while (size > 0 && memory[page] == 0x5a) memory++, size--;
  return size;
}

static void with_little_stack(void (*work)(void)) {
  /* The first time the dynamic linker looks functions up, on this stack too. */
  size_t first = stack_used(work), least = stack_used(nothing), used = stack_used(work);
  CHECK(first > 0);
  printf("%zu bytes of stack\n", used - least);
  if (used - least > MOST) CHECK_INT(used - least, MOST);
}

/* Exported, and declared nowhere. */
void io_sigpipe(void);

static io_batch b;
static char bytes[100000];

static int64 takes(int64 s, const void *p, uint64 n) {
  (void)s, (void)p;
  return (int64)n;
}

static int64 refuses(int64 s, const void *p, uint64 n) {
  (void)s, (void)p, (void)n;
  errno = EAGAIN;
  return -1;
}

static int64 takes_file(int64 s, int64 f, uint64 off, uint64 n, io_write_callback cb) {
  (void)s, (void)f, (void)off, (void)cb;
  return (int64)n;
}

static void wide_pair(int64 d[2]) {
  int size = 1 << 20;
  t_unix_pair(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
}

/* Buffers and files in every order in which the library treats them differently. */
static void send_batches(void) {
  int64 d[2], f = t_tmpfile(100000), i;
  wide_pair(d);
  CHECK_INT(iob_adds(&b, "hello"), 1);
  CHECK_INT(iob_send(d[0], &b), 5);
  CHECK_INT(iob_adds(&b, "header"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 100), 1);
  CHECK_INT(iob_adds_free(&b, strdup("trailer")), 1);
  CHECK_INT(iob_send(d[0], &b), 113);
  CHECK_INT(iob_adds(&b, "header"), 1);
  CHECK_INT(iob_addfile(&b, f, 0, 50000), 1);
  iob_prefetch(&b, 50000);
  CHECK(iob_send(d[0], &b) > 0);
  iob_reset(&b);
  wide_pair(d);
  for (i = 0; i < 2000; i++) CHECK_INT(iob_addbuf(&b, "x", 1), 1);
  CHECK_INT(iob_addbuf_free(&b, malloc(10), 10), 1);
  CHECK(iob_send(d[0], &b) > 0);
  iob_reset(&b);
  CHECK_INT(iob_addfile_close(&b, f, 10, 60000), 1);
  t_pipe(d);
  io_nonblock(d[1]);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK(iob_send(d[1], &b) > 0);
  iob_reset(&b);
}

static void send_what_cannot_be_spliced(void) {
  int64 d[2], f = open("/proc/self/maps", O_RDONLY), target = t_tmpfile(0);
  wide_pair(d);
  CHECK_INT(fcntl((int)target, F_SETFL, O_APPEND), 0);
  CHECK(io_sendfile(d[0], f, 0, 100) > 0);
  CHECK(io_sendfile(target, t_tmpfile(90000), 0, 90000) > 0);
}

static void write_batches(void) {
  io_batch *made = iob_new(3), other[2];
  int64 f = t_tmpfile(100000);
  CHECK(made);
  iob_free(made);
  CHECK(made = iob_new_autofree(1));
  CHECK_INT(iob_init(other, 1), 0);
  CHECK_INT(iob_init_autofree(other, 2000), 0);
  iob_reset(other);
  CHECK_INT(iob_addfile(made, f, 5, 90000), 1);
  CHECK_INT(iob_write(77, made, refuses), -1);
  CHECK_INT(iob_addbuf_internal(made, "abc", 3, NULL), 1);
  CHECK_INT(iob_addbuf_munmap(made, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096), 1);
  CHECK_INT(iob_bytesleft(made), 94099);
  CHECK_INT(iob_write(77, made, takes), 94099);
  CHECK_INT(iob_addfile(made, f, 5, 90000), 1);
  CHECK_INT(iob_write2(77, made, takes, takes_file), 90000);
  iob_free(made);
  CHECK_INT(io_mmapwritefile(77, f, 0, 90000, refuses), -1);
  CHECK_INT(io_mmapwritefile(77, f, 0, 90000, takes), 90000);
  io_close(f);
}

static void move_bytes(void) {
  int64 d[2], p[2], taken;
  io_sigpipe();
  CHECK_INT(io_socketpair(d), 1);
  CHECK_INT(io_pipe(p), 1);
  CHECK_INT(io_fd(d[0]), 1);
  CHECK_INT(io_fd(d[1]), 1);
  CHECK_INT(io_trywrite(d[0], "abcd", 4), 4);
  CHECK_INT(io_tryread(d[1], bytes, 2), 2);
  CHECK_INT(io_tryreadtimeout(d[1], bytes, 1), 1);
  CHECK_INT(io_waitread(d[1], bytes, 1), 1);
  CHECK_INT(io_trywritetimeout(d[0], "a", 1), 1);
  CHECK_INT(io_waitwrite(d[0], "b", 1), 1);
  CHECK_INT(io_tryread(d[1], bytes, 2), 2);
  CHECK_INT(io_passfd(d[0], p[0]), 0);
  CHECK((taken = io_receivefd(d[1])) >= 0);
  io_close(taken);
  io_trywrite(p[1], bytes, 1000);
  io_close(d[0]);
  io_close(d[1]);
  io_close(p[0]);
  io_close(p[1]);
}

static void open_files(void) {
  static const char name[] = "/tmp/owfat-io-stack";
  char path[64];
  int64 d;
  snprintf(path, sizeof path, "%s.%d", name, (int)getpid());
  CHECK_INT(io_createfile(&d, path), 1);
  io_close(d);
  CHECK_INT(io_appendfile(&d, path), 1);
  io_close(d);
  CHECK_INT(io_readwritefile(&d, path), 1);
  io_close(d);
  CHECK_INT(io_readfile(&d, path), 1);
  io_close(d);
  CHECK_INT(unlink(path), 0);
}

/* The loop from its beginning to its end, with more descriptors than one look reports. */
static void wait_for_events(void) {
  int64 d[2], i, event;
  tai6464 soon;
  for (i = 0; i < 300; i++) {
    t_unix_pair(d);
    CHECK(io_fd_canwrite(d[0]) == 1 || io_fd_flags(d[0], 0) == 1);
    io_nonblock(d[0]);
    io_closeonexec(d[0]);
    io_setcookie(d[0], bytes);
    CHECK(io_getcookie(d[0]) == bytes);
    io_wantread(d[0]);
    io_wantwrite(d[0]);
    io_timeout(d[0], l_in_ms(i));
    CHECK_INT(write((int)d[1], "x", 1), 1);
  }
  io_wait();
  for (i = 0; (event = io_canread()) != -1; i++) io_dontwantread(event);
  while ((event = io_canwrite()) != -1) io_dontwantwrite(event);
  taia_now(&soon);
  io_waituntil(soon);
  io_waituntil2(1);
  io_check();
  CHECK_INT(io_fd_flags(d[0], 0), 1);
  io_eagain(d[0]);
  io_eagain_read(d[0]);
  io_eagain_write(d[0]);
  io_queueforread(d[0]);
  io_queueforwrite(d[0]);
  io_block(d[0]);
  while ((event = io_timeouted()) != -1) io_timeout(event, l_never());
  CHECK_INT(io_timedout(d[0]), 0);
  CHECK(io_debugstring(d[0], bytes, sizeof bytes) > 0);
  io_finishandshutdown();
}

static void use_a_multiplexer(void) {
  static iomux_t mux;
  int64 d[2], event;
  unsigned int what;
  t_pipe(d);
  CHECK_INT(iom_init(&mux), 1);
  CHECK_INT(iom_add(&mux, d[1], IOM_WRITE), 0);
  CHECK_INT(iom_wait(&mux, &event, &what, 1000), 1);
  CHECK_INT(event, d[1]);
  CHECK_INT(iom_requeue(&mux, d[1], IOM_WRITE), 0);
  CHECK_INT(iom_abort(&mux), 0);
  CHECK_INT(iom_wait(&mux, &event, &what, 1000), -2);
}

/* Threads of the library wait, on stacks of their own; this one takes. */
static void take_from_event_loop_threads(void) {
  int64 d[2];
  char c;
  t_pipe(d);
  io_nonblock(d[0]);
  l_read_event(d[0]);
  CHECK_INT(io_starteventloopthread(1), 0);
  l_put(d[1], "x");
  CHECK_INT(io_canread(), d[0]);
  CHECK_INT(io_tryread(d[0], &c, 1), 1);
  io_finishandshutdown();
  io_close(d[0]);
  io_close(d[1]);
}

/* The functions, where the headers have macros besides. */
static void pack_numbers(void) {
  char packed[8];
  uint16 a;
  uint32 b;
  uint64 c;
  (uint16_pack)(packed, 1);
  (uint16_unpack)(packed, &a);
  CHECK_INT((uint16_read)(packed), 1);
  (uint16_pack_big)(packed, 2);
  (uint16_unpack_big)(packed, &a);
  CHECK_INT((uint16_read_big)(packed), 2);
  (uint32_pack)(packed, 3);
  (uint32_unpack)(packed, &b);
  CHECK_INT((uint32_read)(packed), 3);
  (uint32_pack_big)(packed, 4);
  (uint32_unpack_big)(packed, &b);
  CHECK_INT((uint32_read_big)(packed), 4);
  (uint64_pack)(packed, 5);
  (uint64_unpack)(packed, &c);
  CHECK_INT((uint64_read)(packed), 5);
  (uint64_pack_big)(packed, 6);
  (uint64_unpack_big)(packed, &c);
  CHECK_INT((uint64_read_big)(packed), 6);
}

static void compute_times(void) {
  struct tai t, u;
  tai6464 x, y;
  char packed[TAIA_PACK], text[TAIA_FMTFRAC];
  tai_now(&t);
  tai_uint(&u, 5);
  tai_add(&t, &t, &u);
  tai_sub(&t, &t, &u);
  tai_pack(packed, &t);
  tai_unpack(packed, &u);
  CHECK(t.x == u.x);
  taia_now(&x);
  taia_uint(&y, 5);
  taia_add(&x, &x, &y);
  taia_addsec(&x, &x, -2);
  taia_sub(&x, &x, &y);
  taia_half(&y, &x);
  CHECK(taia_less(&y, &x) && taia_approx(&x) > taia_approx(&y) && taia_frac(&x) < 1);
  taia_tai(&x, &t);
  taia_fmtfrac(text, &x);
  taia_pack(packed, &x);
  taia_unpack(packed, &y);
}

static void use_arrays(void) {
  array x = {0}, y = {0};
  CHECK(array_allocate(&x, 8, 1000));
  CHECK(array_get(&x, 8, 10) == (char *)array_start(&x) + 80);
  CHECK_INT(array_length(&x, 8), 1001);
  array_truncate(&x, 8, 500);
  array_chop(&x, 8, 400);
  array_shift(&x, 8, 10);
  CHECK(array_bytes(&x) > 0);
  array_cats(&y, "abc");
  array_cats0(&y, "abc");
  CHECK(!array_equal(&x, &y));
  array_trunc(&y);
  array_catb(&y, "abc", 3);
  array_cat(&y, &x);
  array_cat0(&y);
  array_cate(&y, &x, 0, 10);
  array_reset(&x);
  array_fail(&y);
  array_reset(&y);
}

/* promise: Small stacks */
TEST(batches_are_sent_on_a_small_stack) { with_little_stack(send_batches); }
TEST(files_are_copied_on_a_small_stack) { with_little_stack(send_what_cannot_be_spliced); }
/* promise: Small stacks */
TEST(batches_are_filtered_on_a_small_stack) { with_little_stack(write_batches); }
TEST(bytes_and_descriptors_are_moved_on_a_small_stack) { with_little_stack(move_bytes); }
TEST(files_are_opened_on_a_small_stack) { with_little_stack(open_files); }
/* promise: Small stacks */
TEST(events_are_waited_for_on_a_small_stack) { with_little_stack(wait_for_events); }
TEST(a_multiplexer_works_on_a_small_stack) { with_little_stack(use_a_multiplexer); }
TEST(events_are_taken_from_event_loop_threads_on_a_small_stack) { with_little_stack(take_from_event_loop_threads); }
TEST(arrays_work_on_a_small_stack) { with_little_stack(use_arrays); }
TEST(times_are_computed_on_a_small_stack) { with_little_stack(compute_times); }
TEST(numbers_are_packed_on_a_small_stack) { with_little_stack(pack_numbers); }

static int is_part_of_a_name(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Whether this file calls a function. */
static int is_called(const char *text, const char *name) {
  size_t length = strlen(name);
  const char *at = text;
  while ((at = strstr(at, name))) {
    char before = at > text ? at[-1] : ' ', after = at[length];
    int declared = at - text >= 5 && strncmp(at - 5, "void ", 5) == 0;
    at += length;
    if (!is_part_of_a_name(before) && !declared && (after == '(' || (after == ')' && at[1] == '('))) return 1;
  }
  return 0;
}

/* What is exported stands in symbols.txt, which is held against the library. */
TEST(every_exported_function_is_called_on_a_small_stack) {
  static char text[1 << 16], path[4096], name[128];
  int n = 0, missing = 0;
  FILE *f = fopen(__FILE__, "r");
  CHECK(f && fread(text, 1, sizeof text - 1, f) > 0);
  fclose(f);
  CHECK(strrchr(__FILE__, '/') && strlen(__FILE__) < sizeof path - 32);
  snprintf(path, sizeof path, "%.*s/../symbols.txt", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
  CHECK(f = fopen(path, "r"));
  for (; fscanf(f, "%127s", name) == 1; n++) {
    if (is_called(text, name)) continue;
    fprintf(stderr, "%s is not called\n", name);
    missing++;
  }
  fclose(f);
  CHECK(n > 100);
  CHECK_INT(missing, 0);
}
