/* libevent: an evbuffer for the life of the connection. As it only ever drains to a descriptor it may use
 * sendfile. The segment of a file that is kept open is kept, too. */
#include <event2/buffer.h>

/* A piece as small as this costs less to copy than to refer to. */
#define BATCH_COPIED 128

typedef struct evbuffer_file_segment* batch_source;
struct batch {
  struct evbuffer* pieces;
};

static inline void batch_start(struct batch* b, int fd) {
  (void)fd;
  if (!(b->pieces = evbuffer_new()) || evbuffer_set_flags(b->pieces, EVBUFFER_FLAG_DRAINS_TO_FD))
    die("evbuffer_new");
}

static inline batch_source batch_known(int fd, size_t n) {
  batch_source source = evbuffer_file_segment_new(fd, 0, (ev_off_t)n, 0);
  if (!source) die("evbuffer_file_segment_new");
  return source;
}

static inline void batch_buffer(struct batch* b, const void* p, size_t n) {
  int failed = n <= BATCH_COPIED ? evbuffer_add(b->pieces, p, n)
                                 : evbuffer_add_reference(b->pieces, p, n, NULL, NULL);
  if (failed) die("evbuffer_add");
}

static inline void batch_file(struct batch* b, batch_source source, off_t offset, size_t n) {
  if (evbuffer_add_file_segment(b->pieces, source, offset, (ev_off_t)n)) die("evbuffer_add_file_segment");
}

/* One call writes 128 pieces at most, or one file, and does not say whether the socket took all. */
static inline int batch_send(int fd, struct batch* b) {
  while (evbuffer_get_length(b->pieces)) {
    if (evbuffer_write(b->pieces, fd) > 0) continue;
    if (errno == EAGAIN) return 0;
    die("evbuffer_write");
  }
  return 1;
}
