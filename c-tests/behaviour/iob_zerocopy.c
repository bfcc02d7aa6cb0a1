/* OWFAT_IO_ZEROCOPY=1: large memory that a batch owns is sent without a copy and kept until the kernel is done.
 *
 * send, recvmsg and munmap are intercepted: loopback copies after all and says so, which would end every case with
 * its first notice. */
#include "faults/names.h"

#include "batch.h"

#include <linux/errqueue.h>
#include <malloc.h>
#include <sys/syscall.h>

#define SIZE (1 << 20)

static int sends, notices, looks, refuse_sends;
/* What becomes of a notice: it stays in the queue, its reader is told that nothing was copied, or the truth. */
static enum { WITHHELD, NOT_COPIED, TRUTH } notice = NOT_COPIED;
static void *watched;
static int unmapped;

ssize_t send(int s, const void *p, size_t n, int flags) {
  if (flags & MSG_ZEROCOPY) {
    if (refuse_sends) {
      errno = ENOBUFS;
      return -1;
    }
    CHECK_INT((uintptr_t)p % (uintptr_t)sysconf(_SC_PAGESIZE) && sends == 0, 0);
    ++sends;
  }
  return syscall(SYS_sendto, s, p, n, flags, NULL, 0);
}

ssize_t recvmsg(int s, struct msghdr *m, int flags) {
  ssize_t r;
  struct cmsghdr *c;
  if (flags & MSG_ERRQUEUE) {
    ++looks;
    if (notice == WITHHELD) {
      errno = EAGAIN;
      return -1;
    }
  }
  r = syscall(SYS_recvmsg, s, m, flags);
  if (r >= 0 && flags & MSG_ERRQUEUE && (c = CMSG_FIRSTHDR(m))) {
    ++notices;
    if (notice == NOT_COPIED) ((struct sock_extended_err *)CMSG_DATA(c))->ee_code &= (uint8_t)~SO_EE_CODE_ZEROCOPY_COPIED;
  }
  return r;
}

int munmap(void *p, size_t n) {
  if (p == watched) ++unmapped;
  return (int)syscall(SYS_munmap, p, n);
}

static void ask_for_it(void) { CHECK_INT(setenv("OWFAT_IO_ZEROCOPY", "1", 1), 0); }

/* A mapping that the batch is going to own, with the bytes of a t_tmpfile. */
static char *mapping(size_t n) {
  char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  for (size_t i = 0; i < n; i++) p[i] = t_byte(i);
  watched = p;
  unmapped = 0;
  return p;
}

/* A registered non-blocking socket with so much room for what is not read yet, and its peer. */
static void tcp(int64 d[2], int room) {
  b_tcp(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
}

/* Takes SIZE bytes at once. */
static void roomy(int64 d[2]) { tcp(d, 4 * SIZE); }

/* Takes some of SIZE bytes; the rest of what it takes lies in its buffer, as pages of ours. */
static void narrow(int64 d[2]) {
  int room = 65536;
  tcp(d, 2 * room);
  CHECK_INT(setsockopt((int)d[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
}

static void send_all(int64 d, io_batch *b) {
  while (iob_bytesleft(b)) {
    int64 r = iob_send(d, b);
    struct pollfd p = {.fd = (int)d, .events = POLLOUT};
    CHECK(r > 0 || (r == -1 && errno == EAGAIN));
    if (r == -1) CHECK(poll(&p, 1, 3000) == 1);
  }
}

static void send_mapping(int64 d) {
  static io_batch b;
  CHECK_INT(iob_addbuf_munmap(&b, mapping(SIZE), SIZE), 1);
  CHECK_INT(iob_send(d, &b), SIZE);
  B_CHECK(&b, 0, 0, 0, 0);
}

TEST(off_unless_asked_for) {
  int64 d[2];
  CHECK_INT(unsetenv("OWFAT_IO_ZEROCOPY"), 0);
  roomy(d);
  send_mapping(d[0]);
  CHECK_INT(sends, 0);
  CHECK_INT(unmapped, 1);
  CHECK_INT(looks, 0);
}

TEST(memory_is_kept_until_the_kernel_is_done) {
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  ask_for_it();
  roomy(d);
  notice = WITHHELD;
  send_mapping(d[0]);
  CHECK_INT(sends, 1);
  CHECK_INT(unmapped, 0);
  b_expect_file(d[1], 0, SIZE);
  /* The next send to the socket asks, in vain and then not. */
  CHECK_INT(iob_adds(&b, "more"), 1);
  CHECK_INT(iob_send(d[0], &b), 4);
  CHECK_INT(unmapped, 0);
  CHECK(b_mapped(watched));
  notice = NOT_COPIED;
  CHECK_INT(iob_adds(&b, "last"), 1);
  CHECK_INT(iob_send(d[0], &b), 4);
  CHECK_INT(unmapped, 1);
  CHECK_INT(notices, 1);
  b_expect(d[1], "morelast");
  looks = 0;
  CHECK_INT(iob_adds(&b, "!"), 1);
  CHECK_INT(iob_send(d[0], &b), 1);
  CHECK_INT(looks, 0); /* with nothing under way there is nothing to ask */
}

TEST(a_kernel_that_copies_is_believed) {
  int64 d[2];
  ask_for_it();
  notice = TRUTH;
  roomy(d);
  send_mapping(d[0]);
  CHECK_INT(sends, 1);
  b_expect_file(d[1], 0, SIZE);
  send_mapping(d[0]); /* meets the notice of the first */
  CHECK_INT(sends, 1);
  CHECK_INT(unmapped, 1);
  b_expect_file(d[1], 0, SIZE);
}

TEST(RULE3_D6_M4_io_wait_takes_notices_and_reports_none) {
  int64 d[2];
  ask_for_it();
  roomy(d);
  io_wantread(d[0]);
  io_check();
  send_mapping(d[0]);
  CHECK_INT(unmapped, 0);
  b_expect_file(d[1], 0, SIZE);
  looks = 0;
  CHECK_INT(io_waituntil2(100), 1); /* the notice is an event of the kernel's */
  CHECK_INT(unmapped, 1);
  CHECK_INT(io_canread(), -1);
  CHECK_INT(io_canwrite(), -1);
  CHECK(looks <= 2);
  CHECK_INT(write((int)d[1], "x", 1), 1);
  io_waituntil2(1000);
  CHECK_INT(io_canread(), d[0]);
}

TEST(what_is_under_way_at_the_close_is_not_overwritten) {
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  char *p, *q;
  int64 sent;
  if (t_memory_is_checked()) SKIP("a memory checker does not hand out at once what was freed");
  ask_for_it();
  /* A heap that uses memory again at once, where a mapping would go back to the kernel. */
#ifdef M_MMAP_THRESHOLD
  CHECK_INT(mallopt(M_MMAP_THRESHOLD, 16 * SIZE), 1);
  CHECK_INT(mallopt(M_TRIM_THRESHOLD, 64 * SIZE), 1);
#else
  SKIP("this C library's heap is not told what to do");
#endif
  p = malloc(SIZE + 100);
  narrow(d);
  notice = WITHHELD;
  CHECK(p);
  for (int i = 0; i < SIZE + 100; i++) p[i] = t_byte((uint64)i);
  CHECK_INT(iob_adds(&b, "head"), 1);
  CHECK_INT(iob_addbuf_free(&b, p, SIZE + 100), 1);
  sent = iob_send(d[0], &b);
  CHECK(sends > 0 && sent > 4 + 65536 && sent < SIZE);
  io_close(d[0]);
  iob_reset(&b);
  q = malloc(SIZE + 100);
  CHECK(q == p);
  memset(q, 'x', SIZE + 100);
  b_expect(d[1], "head");
  b_expect_file(d[1], 0, (uint64)sent - 4);
  free(q);
}

TEST(a_batch_that_is_reset_half_way_keeps_what_was_sent) {
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  int64 sent;
  ask_for_it();
  narrow(d);
  CHECK_INT(iob_addbuf_munmap(&b, mapping(SIZE), SIZE), 1);
  sent = iob_send(d[0], &b);
  CHECK(sends > 0 && sent > 0 && sent < SIZE);
  iob_reset(&b);
  CHECK_INT(unmapped, 0);
  b_expect_file(d[1], 0, (uint64)sent);
  while (!unmapped) {
    CHECK_INT(iob_adds(&b, "."), 1);
    CHECK_INT(iob_send(d[0], &b), 1);
    b_expect(d[1], ".");
  }
  CHECK_INT(unmapped, 1);
}

TEST(every_byte_of_a_long_send_arrives) {
  enum { N = 8, PIECE = 300001 };
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  pid_t reader;
  int status;
  ask_for_it();
  b_tcp(d);
  for (int i = 0; i < N; i++) {
    char *p = malloc(PIECE);
    CHECK(p);
    for (int j = 0; j < PIECE; j++) p[j] = t_byte((uint64)i * PIECE + (uint64)j);
    CHECK_INT(iob_addbuf_free(&b, p, PIECE), 1);
  }
  reader = fork();
  CHECK(reader != -1);
  if (reader == 0) {
    b_expect_file(d[1], 0, N * PIECE);
    t_leave(0);
  }
  send_all(d[0], &b);
  CHECK(sends >= N);
  CHECK_INT(waitpid(reader, &status, 0), reader);
  CHECK_INT(status, 0);
}

TEST(no_more_memory_may_be_locked) {
  int64 d[2];
  ask_for_it();
  refuse_sends = 1;
  roomy(d);
  send_mapping(d[0]);
  CHECK_INT(unmapped, 1);
  b_expect_file(d[1], 0, SIZE);
}

TEST(memory_that_is_not_the_batchs_is_copied) {
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  char *p;
  ask_for_it();
  roomy(d);
  p = mapping(SIZE);
  CHECK_INT(iob_addbuf(&b, p, SIZE), 1);
  CHECK_INT(iob_send(d[0], &b), SIZE);
  memset(p, 0, SIZE);
  CHECK_INT(sends, 0);
  b_expect_file(d[1], 0, SIZE);
}

TEST(a_program_that_counts_its_own_sends_is_left_alone) {
  int64 d[2];
  int on = 1;
  ask_for_it();
  roomy(d);
  CHECK_INT(setsockopt((int)d[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on), 0);
  send_mapping(d[0]);
  CHECK_INT(sends, 0);
  CHECK_INT(unmapped, 1);
}

TEST(RULE9_a_child_lets_go_of_its_own_copy) {
  int64 d[2];
  io_batch b = {.bytesleft = 0};
  int64 sent;
  int status;
  pid_t child;
  ask_for_it();
  narrow(d);
  notice = WITHHELD;
  CHECK_INT(iob_addbuf_munmap(&b, mapping(SIZE), SIZE), 1);
  sent = iob_send(d[0], &b);
  CHECK(sends > 0 && sent < SIZE);
  child = fork();
  CHECK(child != -1);
  if (child == 0) {
    memset(watched, 0, SIZE); /* this process' copy */
    iob_reset(&b);
    io_close(d[0]);
    t_account();
    t_leave(unmapped == 1 ? 0 : 1);
  }
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  b_expect_file(d[1], 0, (uint64)sent);
  notice = NOT_COPIED;
  CHECK(iob_send(d[0], &b) > 0);
  iob_reset(&b);
  CHECK_INT(unmapped, 0);
  io_finishandshutdown();
  CHECK_INT(unmapped, 1);
}

TEST(autofree_returns_memory_as_the_kernel_does) {
  enum { N = 64 };
  int64 d[2];
  io_batch b;
  int kept = 0;
  ask_for_it();
  roomy(d);
  CHECK_INT(iob_init_autofree(&b, 0), 0);
  for (int i = 0; i < N; i++) {
    CHECK_INT(iob_addbuf_munmap(&b, mapping(SIZE), SIZE), 1);
    while (iob_bytesleft(&b)) {
      int64 r = iob_send(d[0], &b);
      CHECK(r > 0 || (r == -1 && errno == EAGAIN));
      if (r > 0) free(b_read(d[1], (size_t)r));
    }
    kept += !unmapped;
  }
  CHECK(sends >= N);
  CHECK_INT(iob_adds(&b, "."), 1);
  CHECK_INT(iob_send(d[0], &b), 1);
  CHECK_INT(unmapped, 1);
  iob_reset(&b);
  CHECK(kept <= N);
}
