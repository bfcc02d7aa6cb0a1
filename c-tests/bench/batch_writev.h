/* Written by hand: an array of what is left, gathered into one sendmsg up to the next file, which goes out with
 * sendfile. What waits for more in the same batch says so (MSG_MORE), and a short count is as good as EAGAIN. */
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH_ROOM 8
#define BATCH_WINDOW 65536

typedef int batch_source;
/* A buffer, or with base NULL a piece of a file. */
struct batch_piece {
  const char* base;
  off_t offset;
  size_t left;
  int file;
};
struct batch {
  struct batch_piece* pieces;
  size_t count, room, next;
};

static inline void batch_start(struct batch* b, int fd) {
  (void)fd;
  *b = (struct batch){0};
}

static inline batch_source batch_known(int fd, size_t n) {
  (void)n;
  return fd;
}

__attribute__((noinline)) static void batch_grow(struct batch* b) {
  b->room = b->room ? 2 * b->room : BATCH_ROOM;
  if (!(b->pieces = realloc(b->pieces, b->room * sizeof *b->pieces))) die("realloc");
}

static inline struct batch_piece* batch_add(struct batch* b) {
  if (b->count == b->room) batch_grow(b);
  return &b->pieces[b->count++];
}

static inline void batch_buffer(struct batch* b, const void* p, size_t n) {
  *batch_add(b) = (struct batch_piece){.base = p, .left = n};
}

static inline void batch_file(struct batch* b, batch_source source, off_t offset, size_t n) {
  *batch_add(b) = (struct batch_piece){.offset = offset, .left = n, .file = source};
}

static inline void batch_release(struct batch* b) {
  free(b->pieces);
  *b = (struct batch){0};
}

static inline ssize_t batch_send_buffers(int fd, const struct batch* b, size_t* asked) {
  struct iovec v[IOV_MAX];
  struct msghdr m = {.msg_iov = v};
  size_t n = 0, i = b->next, bytes = 0;
  for (; i < b->count && n < IOV_MAX && b->pieces[i].base; ++i, ++n) {
    v[n] = (struct iovec){(void*)b->pieces[i].base, b->pieces[i].left};
    bytes += b->pieces[i].left;
  }
  m.msg_iovlen = n;
  *asked = bytes;
  return sendmsg(fd, &m, MSG_NOSIGNAL | (i < b->count ? MSG_MORE : 0));
}

static inline void batch_sent_buffers(struct batch* b, size_t n) {
  while (n) {
    struct batch_piece* p = &b->pieces[b->next];
    if (n < p->left) {
      p->base += n;
      p->left -= n;
      return;
    }
    n -= p->left;
    ++b->next;
  }
}

static inline ssize_t batch_send_file(int fd, struct batch* b, size_t* asked) {
  struct batch_piece* p = &b->pieces[b->next];
  ssize_t r = sendfile(fd, p->file, &p->offset, *asked = p->left);
  if (r == 0) die("a file is shorter than it was");
  if (r > 0 && !(p->left -= (size_t)r)) ++b->next;
  return r;
}

static inline int batch_send(int fd, struct batch* b) {
  while (b->next < b->count) {
    size_t asked;
    ssize_t r;
    if (!b->pieces[b->next].base) {
      r = batch_send_file(fd, b, &asked);
    } else if ((r = batch_send_buffers(fd, b, &asked)) > 0) {
      batch_sent_buffers(b, (size_t)r);
    }
    if (r == -1 && errno == EINTR) continue;
    if (r == -1 && errno != EAGAIN) die("send");
    if (r < (ssize_t)asked) return 0;
  }
  batch_release(b);
  return 1;
}

static inline void batch_prefetch(const struct batch* b, size_t n) {
  const struct batch_piece* p = &b->pieces[b->next];
  posix_fadvise(p->file, p->offset, (off_t)(n < p->left ? n : p->left), POSIX_FADV_WILLNEED);
}

static inline void batch_filter_file(int fd, struct batch_piece* p, batch_filter_function filter) {
  static char window[BATCH_WINDOW];
  while (p->left) {
    ssize_t n = pread(p->file, window, p->left < sizeof window ? p->left : sizeof window, p->offset);
    if (n <= 0) die("pread");
    if (filter(fd, window, (uint64_t)n) != n) die("filter");
    p->offset += n;
    p->left -= (size_t)n;
  }
}

static inline void batch_filter(int fd, struct batch* b, batch_filter_function filter) {
  for (; b->next < b->count; ++b->next) {
    struct batch_piece* p = &b->pieces[b->next];
    if (!p->base) batch_filter_file(fd, p, filter);
    else if (filter(fd, p->base, p->left) != (int64_t)p->left) die("filter");
  }
  batch_release(b);
}
