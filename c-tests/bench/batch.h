/* The batch writer under a benchmark program, chosen when it is compiled: cc -DBATCH='"batch_writev.h"' batch.c
 *
 * | file            | library                | a batch is                                      |
 * |-----------------|------------------------|-------------------------------------------------|
 * | batch_writev.h  | none: the fair floor   | an array of what is left; sendmsg and sendfile  |
 * | batch_owfat.h   | ours, or libowfat 0.32 | an io_batch of zeros                            |
 * | batch_evbuffer.h| libevent               | an evbuffer that drains to a descriptor         |
 *
 * Each begins where a server knows the pieces that it wants to send, however many these are, and ends when all
 * are gone and the memory that the batch took is released. What every one has:
 *
 * - `struct batch`, part of a connection, and `batch_start(b, fd)`, once in the connection's life;
 * - `batch_known(fd, n)`, which returns the `batch_source` of a file of n bytes that the server keeps open;
 * - `batch_buffer(b, p, n)` and `batch_file(b, source, offset, n)`, which add a piece; the server keeps both;
 * - `batch_send(fd, b)`, which sends until all is gone, and returns 1, or until fd takes no more, and returns 0.
 *
 * An evbuffer neither reads ahead nor has filters; those of a bufferevent copy between evbuffers and see no
 * files. The others have
 *
 * - `batch_filter(fd, b, filter)`, which passes everything through a filter that takes all that it is offered;
 * - `batch_prefetch(b, n)`, which has the kernel read n bytes ahead of a batch that has come to its file. */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

typedef int64_t (*batch_filter_function)(int64_t, const void*, uint64_t);

#include BATCH
#endif
