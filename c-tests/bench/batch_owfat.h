/* libowfat's batches: ours and 0.32 compile this same source. */
#include <io.h>
#include <iob.h>

typedef int batch_source;
struct batch {
  io_batch pieces;
};

static inline void batch_start(struct batch* b, int fd) {
  *b = (struct batch){0};
  if (!io_fd(fd)) die("io_fd");
}

static inline batch_source batch_known(int fd, size_t n) {
  (void)n;
  return fd;
}

static inline void batch_buffer(struct batch* b, const void* p, size_t n) {
  if (!iob_addbuf(&b->pieces, p, n)) die("iob_addbuf");
}

static inline void batch_file(struct batch* b, batch_source source, off_t offset, size_t n) {
  if (!iob_addfile(&b->pieces, source, (uint64)offset, n)) die("iob_addfile");
}

static inline int batch_send(int fd, struct batch* b) {
  if (iob_send(fd, &b->pieces) == -3) die("iob_send");
  return b->pieces.bytesleft == 0;
}

static inline void batch_prefetch(struct batch* b, size_t n) { iob_prefetch(&b->pieces, n); }

static inline void batch_filter(int fd, struct batch* b, batch_filter_function filter) {
  if (iob_write(fd, &b->pieces, (io_write_callback)filter) < 0) die("iob_write");
  if (b->pieces.bytesleft) die("a filter that does not take all");
  /* 0.32 keeps the entries that went through a filter. */
  iob_reset(&b->pieces);
}
