/* The calls of iob.h, on four batches. What a batch holds is also kept as plain bytes, of which each transfer must
 * have moved the first ones. */
#ifndef RANDOM_BATCHES_H
#define RANDOM_BATCHES_H
#include "calls.h"

#include <setjmp.h>

#define BATCHES 4
#define OWNED 64

struct batch {
  io_batch embedded, *b;
  char *bytes;     /* what is in it, unsent bytes from `done` on */
  int64 count, done;
  int vague;       /* how much of it was sent is the kernel's affair, and so is how much another end gets of it */
  int64 queued;    /* what it was told to hold, which of a file may be more than there is */
  int owned[OWNED], n_owned; /* numbers of files that it is to close */
};

R_HELPER struct batch batches[BATCHES];

R_HELPER struct batch *batch_of(int b) {
  struct batch *batch = &batches[b & (BATCHES - 1)];
  if (!batch->b) batch->b = &batch->embedded;
  return batch;
}

R_HELPER void batch_grew(struct batch *b, const char *bytes, int64 n) {
  b->bytes = realloc(b->bytes, (size_t)(b->count + n + 1));
  if (!b->bytes) _exit(3);
  if (n > 0) memcpy(b->bytes + b->count, bytes, (size_t)n);
  b->count += n;
}

R_HELPER void batch_emptied(struct batch *b) {
  int i, left = 0;
  for (i = 0; i < b->n_owned; i++) left += is_open(b->owned[i]);
  if (left) add(" FILES-OPEN");
  b->n_owned = 0;
  b->count = b->done = b->queued = b->vague = 0;
}

R_HELPER void say_batch(struct batch *b) {
  if (b->vague) {
    add(" left vague");
  } else {
    add(" left %lld", (long long)iob_bytesleft(b->b));
  }
  if (b->b->bytesleft != iob_bytesleft(b->b)) add(" FIELD");
  if ((int64)iob_bytesleft(b->b) != b->queued - b->done) add(" MISCOUNTED");
  say_line();
}

R_HELPER void new_batch(int b, int hint) {
  struct batch *batch = batch_of(b);
  call("new_batch", -1, -1);
  add_aside("batch", b);
  if (batch->b == &batch->embedded && iob_bytesleft(batch->b) == 0 && batch->n_owned == 0) {
    batch->b = iob_new(hint);
    if (!batch->b) {
      add(" none");
      batch->b = &batch->embedded;
    }
  }
  say_batch(batch);
}

enum owner { BORROWED, FREED, UNMAPPED, STRING, FREED_STRING };

R_HELPER void add_memory(const char *name, int b, int n, enum owner owner) {
  struct batch *batch = batch_of(b);
  size_t size = (size_t)n + 1;
  char *memory;
  int i, r;
  call(name, -1, -1);
  add_aside("batch", b);
  add_aside("size", n);
  memory = owner == UNMAPPED ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                             : malloc(size); /* borrowed ones are left to the end of the process */
  if (!memory || memory == MAP_FAILED) _exit(3);
  fresh_bytes(memory, n);
  memory[n] = 0;
  for (i = 0; owner >= STRING && i < n; i++) memory[i] |= 1;
  batch_grew(batch, memory, n);
  switch (owner) {
    case BORROWED: r = iob_addbuf(batch->b, memory, (uint64)n); break;
    case FREED: r = iob_addbuf_free(batch->b, memory, (uint64)n); break;
    case UNMAPPED: r = iob_addbuf_munmap(batch->b, memory, (uint64)n); break;
    case STRING: r = iob_adds(batch->b, memory); break;
    default: r = iob_adds_free(batch->b, memory);
  }
  if (r == 1) batch->queued += n;
  add_result(r);
  say_batch(batch);
}

R_HELPER void addbuf(int b, int n) { add_memory("addbuf", b, n, BORROWED); }
R_HELPER void addbuf_free(int b, int n) { add_memory("addbuf_free", b, n, FREED); }
R_HELPER void addbuf_munmap(int b, int n) { add_memory("addbuf_munmap", b, n, UNMAPPED); }
R_HELPER void adds(int b, int n) { add_memory("adds", b, n, STRING); }
R_HELPER void adds_free(int b, int n) { add_memory("adds_free", b, n, FREED_STRING); }

R_HELPER void add_file(const char *name, int b, int f, int offset, int n, int owning) {
  struct batch *batch = batch_of(b);
  int number = fd_of(f), there = 0, r;
  call(name, f, -1);
  add_aside("batch", b);
  if (owning && crowded) {
    add(" crowded");
    say_line();
    return;
  }
  if (owning && batch->n_owned < OWNED && number >= 0) {
    number = dup(number);
    batch->owned[batch->n_owned++] = number;
    add_aside("copy", number);
  }
  if (n > 0) {
    there = from_file(f, offset, n, scratch);
    batch_grew(batch, scratch, there);
    add_aside("short", n - there);
  }
  r = owning ? iob_addfile_close(batch->b, number, (uint64)offset, (uint64)n)
             : iob_addfile(batch->b, number, (uint64)offset, (uint64)n);
  if (r == 1 && n > 0) batch->queued += n;
  if (n > 0 && known(f) && !owning) ends[f].registered = ends[f].queued = 1;
  add_result(r);
  if (owning && n == 0 && number >= 0 && is_open(number)) add(" FILE-OPEN");
  if (owning && n == 0 && number >= 0) batch->n_owned--;
  say_batch(batch);
}

R_HELPER void addfile(int b, int f, int offset, int n) { add_file("addfile", b, f, offset, n, 0); }
R_HELPER void addfile_close(int b, int f, int offset, int n) { add_file("addfile_close", b, f, offset, n, 1); }

R_HELPER void prefetch(int b, int n) {
  call("prefetch", -1, -1);
  add_aside("batch", b);
  iob_prefetch(batch_of(b)->b, (uint64)n);
  say_batch(batch_of(b));
}

R_HELPER void moved(struct batch *batch, int a, int64 r) {
  if (r <= 0) return;
  if (batch->done + r > batch->count) {
    add(" TOO-MUCH");
  } else {
    took(a, batch->bytes + batch->done, r);
  }
  batch->done += r;
  if (iob_bytesleft(batch->b) == 0) batch_emptied(batch);
}

R_HELPER void after_send(struct batch *batch, int a, int64 r, int64 n) {
  moved(batch, a, r);
  if (known(a) && n > 0 && r < n) {
    withdraw(a, 1);
    ends[a].hint = 0;
  }
  settle(a);
  if (r > 0) settle_reset(a);
}

R_HELPER void send_batch(int b, int a) {
  struct batch *batch = batch_of(b);
  int64 r, n = (int64)iob_bytesleft(batch->b);
  call("send_batch", a, -1);
  add_aside("batch", b);
  if (is_source(a) || (known(a) && !is_stream(a))) {
    add(" passed over");
  } else if (too_much(a, n) || (known(a) && !ends[a].nonblocking && vague_to_write(a))) {
    add(" would sleep");
  } else {
    plan_write(a, n);
    if (batch->vague && mate_of(a) >= 0) ends[mate_of(a)].vague = 1;
    r = iob_send(fd_of(a), batch->b);
    add_written(a, r);
    after_send(batch, a, r, n);
    if (vague_to_write(a)) {
      if (n > 0) batch->vague = 1;
      say_line();
      return;
    }
  }
  say_batch(batch);
}

/* Sends to the end, with a mate that takes all. */
R_HELPER void pump(int b, int a) {
  struct batch *batch = batch_of(b);
  int64 n, r = 0;
  int i, mate = mate_of(a);
  ssize_t here;
  call("pump", a, -1);
  add_aside("batch", b);
  if (known(a) && ends[a].nonblocking && mate >= 0 && is_stream(a) && ends[a].kind != TERMINAL) {
    for (i = 0; i < 500; i++) {
      n = (int64)iob_bytesleft(batch->b);
      r = iob_send(ends[a].fd, batch->b);
      moved(batch, a, r);
      if (r < n) {
        withdraw(a, 1);
        ends[a].hint = 0;
      }
      if (r < 0 && r != -1) break;
      if (r == 0) break;
      if (ends[mate].kind == TCP) {
        struct pollfd p = {ends[mate].fd, POLLIN, 0};
        poll(&p, 1, 300);
      }
      while (has_bytes(mate) && (here = read(ends[mate].fd, scratch, sizeof scratch)) > 0) got(mate, scratch, here);
    }
    add_result(r);
    if (unread(mate) > 0) settle(a);
    for (i = 0; i < 200 && unread(mate) > 0; i++) {
      while (has_bytes(mate) && (here = read(ends[mate].fd, scratch, sizeof scratch)) > 0) got(mate, scratch, here);
      if (unread(mate) > 0 && ends[mate].kind != TCP) break;
      if (unread(mate) > 0) usleep(2000); /* what found no room comes when TCP has heard that there is some */
    }
    if (unread(mate) > 0 && !ends[mate].untracked) add(" MISSING-%lld", (long long)unread(mate));
  }
  say_batch(batch);
}

/* What the callbacks do: take all, at most so many bytes a call, so many altogether and then not ready, so many and
 * then an error, end of file; so many and then leave by longjmp. */
R_HELPER int filter_kind, filter_left, filter_to, filter_taken;
R_HELPER jmp_buf filter_back;

R_HELPER int64 filter(int64 s, const void *buf, uint64 n) {
  int64 r = (int64)n;
  (void)s;
  if (filter_kind == 1 && r > 1000) r = 1000;
  if (filter_kind >= 2) {
    if (filter_left == 0) {
      if (filter_kind == 6) longjmp(filter_back, 1);
      errno = filter_kind == 2 ? EAGAIN : EIO;
      return filter_kind == 4 ? 0 : filter_kind == 5 ? -3 : -1;
    }
    if (r > filter_left) r = filter_left;
    filter_left -= (int)r;
  }
  if (filter_to >= 0) {
    r = send(ends[filter_to].fd, buf, (size_t)r, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (r > 0) filter_taken += (int)r;
  return r;
}

R_HELPER void write_batch(int b, int a, int kind, int n) {
  struct batch *batch = batch_of(b);
  volatile int64 left = (int64)iob_bytesleft(batch->b);
  int64 r;
  call("write_batch", a, -1);
  add_aside("batch", b);
  add_aside("kind", kind);
  if (batch->vague) {
    add(" passed over");
    say_batch(batch);
    return;
  }
  filter_kind = kind;
  filter_left = n;
  filter_taken = 0;
  filter_to = known(a) && (ends[a].kind == UNIX || ends[a].kind == TCP) && under_way(a) + left <= PLAIN && !vague_to_write(a) && left > 0 ? a : -1;
  if (kind != 6) {
    r = iob_write(fd_of(a), batch->b, filter);
    add_result(r);
  } else if (setjmp(filter_back) == 0) {
    r = iob_write(fd_of(a), batch->b, filter);
    add_result(r);
  } else {
    /* What the calls before have taken is taken; the one that left has not been made. */
    r = filter_taken;
    add(" left-by-longjmp");
  }
  if (filter_to >= 0) {
    moved(batch, a, r);
    settle(a);
  } else {
    moved(batch, -1, r);
  }
  say_batch(batch);
}

R_HELPER void mmapwrite(int a, int f, int offset, int n) {
  int64 r;
  call("mmapwrite", a, f);
  add_aside("there", from_file(f, offset, n, scratch));
  filter_kind = 0;
  filter_to = known(a) && ends[a].kind == UNIX && ends[a].mate >= 0 && under_way(a) + n <= PLAIN && !vague_to_write(a) ? a : -1;
  r = io_mmapwritefile(fd_of(a), fd_of(f), (uint64)offset, (uint64)n, filter);
  add_result(r);
  if (filter_to >= 0 && r > 0) {
    from_file(f, offset, r, scratch);
    took(a, scratch, r);
  }
  say_line();
}

R_HELPER void reset_batch(int b) {
  struct batch *batch = batch_of(b);
  call("reset_batch", -1, -1);
  add_aside("batch", b);
  iob_reset(batch->b);
  batch_emptied(batch);
  say_batch(batch);
}

R_HELPER void free_batch(int b) {
  struct batch *batch = batch_of(b);
  call("free_batch", -1, -1);
  add_aside("batch", b);
  if (batch->b != &batch->embedded) {
    iob_free(batch->b);
    batch_emptied(batch);
    memset(&batch->embedded, 0, sizeof batch->embedded);
    batch->b = &batch->embedded;
  }
  say_batch(batch);
}
#endif
