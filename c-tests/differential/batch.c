/* promise: The same answers as libowfat */
/* iob_*: results, counters and entries after each step. */
#include "say.h"

#include "iob_internal.h"
#include <sys/mman.h>

static char data[200000];

static void state(const io_batch *b) {
  const iob_entry *e = (const iob_entry *)b->b.p;
  long i, n = (long)(b->b.initialized / sizeof *e);
  printf("  left %" PRIu64 " next %ld bufs %ld files %ld:", iob_bytesleft(b), b->next, b->bufs, b->files);
  for (i = 0; e && i < n; i++) printf(" [%" PRIu64 ",%" PRIu64 "]", e[i].offset, e[i].n);
  putchar('\n');
}

static void pair(int64 d[2]) {
  t_unix_pair(d);
  io_nonblock(d[0]);
  CHECK_INT(io_fd(d[0]), 1);
}

/* What arrived at the other end, as a length and a sum that sees order. */
static void arrived(int64 d) {
  unsigned sum = 0;
  int64 n, i, total = 0;
  while ((n = recv((int)d, data, sizeof data, MSG_DONTWAIT)) > 0) {
    for (i = 0; i < n; i++) sum = sum * 31 + (unsigned char)data[i];
    total += n;
  }
  printf("  arrived %" PRId64 " %u\n", total, sum);
}

static void three(io_batch *b) {
  SAY_OK(iob_addbuf(b, "0123456789", 10));
  SAY_OK(iob_adds(b, "abcdef"));
  SAY_OK(iob_addbuf_free(b, memcpy(malloc(3), "XYZ", 3), 3));
  state(b);
}

static void buffers(void) {
  io_batch b;
  int64 d[2];
  memset(&b, 0, sizeof b);
  pair(d);
  SAY(iob_send(-1, &b));
  three(&b);
  SAY(iob_send(d[0], &b));
  state(&b);
  SAY(iob_send(d[0], &b));
  arrived(d[1]);
  three(&b); /* reused at once */
  iob_reset(&b);
  state(&b);
  iob_reset(&b);
  SAY(iob_send(d[0], &b));
  three(&b);
  SAY(iob_send(-1, &b));
  SAY(iob_send(900, &b));
  state(&b);
  iob_reset(&b);
  io_close(d[0]);
}

static void nothing(void) {
  io_batch b;
  memset(&b, 0, sizeof b);
  SAY_OK(iob_addbuf(&b, NULL, 0));
  SAY_OK(iob_adds(&b, ""));
  SAY_OK(iob_addfile(&b, 0, 0, 0));
  SAY_OK(iob_addfile_close(&b, t_tmpfile(0), 0, 0));
  SAY_OK(iob_addbuf_munmap(&b, NULL, 0));
  state(&b);
  iob_prefetch(&b, 1000);
  iob_reset(&b);
}

static void files(void) {
  io_batch b;
  int64 d[2], file = t_tmpfile(50000), owned = t_tmpfile(1000);
  memset(&b, 0, sizeof b);
  pair(d);
  SAY_OK(iob_adds(&b, "head"));
  SAY_OK(iob_addfile(&b, file, 0, 50000));
  SAY_OK(iob_adds(&b, "mid!"));
  SAY_OK(iob_addfile_close(&b, owned, 100, 900));
  SAY_OK(iob_adds(&b, "tail"));
  state(&b);
  iob_prefetch(&b, 10000);
  SAY(iob_send(d[0], &b));
  state(&b);
  arrived(d[1]);
  printf("file open %d, owned open %d\n", fcntl((int)file, F_GETFD) != -1, fcntl((int)owned, F_GETFD) != -1);
  io_close(d[0]);
}

static void mapping(void) {
  io_batch b;
  int64 d[2], file = t_tmpfile(8192);
  char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, (int)file, 0);
  CHECK(map != MAP_FAILED);
  memset(&b, 0, sizeof b);
  pair(d);
  SAY_OK(iob_addbuf_munmap(&b, map, 5000));
  SAY(iob_send(d[0], &b));
  arrived(d[1]);
  errno = 0;
  printf("mapped %d\n", msync(map, 4096, MS_ASYNC) == 0);
  io_close(d[0]);
}

static int64 limit;

static int64 filter(int64 s, const void *buf, uint64 n) {
  int64 take = (int64)n < limit ? (int64)n : limit;
  if (take == 0) {
    errno = EAGAIN;
    return -1;
  }
  return send((int)s, buf, (size_t)take, 0);
}

static void filtered(void) {
  io_batch b;
  int64 d[2];
  memset(&b, 0, sizeof b);
  pair(d);
  SAY(iob_write(d[0], &b, filter));
  three(&b);
  limit = 0;
  SAY(iob_write(d[0], &b, filter));
  limit = 3;
  SAY(iob_write(d[0], &b, filter));
  SAY(iob_write(d[0], &b, filter));
  SAY(iob_write(d[0], &b, filter));
  printf("left %" PRIu64 "\n", iob_bytesleft(&b));
  SAY(iob_write(d[0], &b, filter));
  printf("left %" PRIu64 "\n", iob_bytesleft(&b));
  SAY(iob_write(d[0], &b, filter));
  printf("left %" PRIu64 "\n", iob_bytesleft(&b));
  SAY(iob_write(d[0], &b, filter));
  arrived(d[1]);
  iob_reset(&b);
  state(&b);
  io_close(d[0]);
}

static void full_socket(void) {
  io_batch b, *heap = iob_new(10);
  int64 d[2], n, sum = 0;
  int again = 0;
  memset(&b, 0, sizeof b);
  pair(d);
  state(heap);
  iob_free(heap);
  SAY_OK(iob_addbuf_free(&b, calloc(1, 3000000), 3000000));
  while (iob_bytesleft(&b) != 0) {
    n = iob_send(d[0], &b);
    if (n == -1) {
      CHECK_ERRNO(EAGAIN);
      again = 1;
      while (recv((int)d[1], data, sizeof data, MSG_DONTWAIT) > 0) {
      }
    } else {
      CHECK(n > 0);
      sum += n;
    }
  }
  printf("sent %" PRId64 ", had to wait %d\n", sum, again);
  SAY(iob_send(d[0], &b));
  state(&b);
}

int main(void) {
  say_start();
  buffers();
  nothing();
  files();
  mapping();
  filtered();
  full_socket();
  return 0;
}
