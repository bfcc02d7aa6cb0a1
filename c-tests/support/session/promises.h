/* What each function of the library may answer, and calls that are held to it while faults are armed. */
#ifndef SESSION_PROMISES_H
#define SESSION_PROMISES_H
#include "../faults.h"

/* An errno with which a system call ended inside the function: the real cause. Not EAGAIN nor EINTR, which are
 * listed where they may be told. */
#define CAUSE -1
/* errno at the begin of each call; nothing sets it. */
#define UNTOUCHED ENOANO

/* COUNT: 0 or more; what moved, if the call sends. EVENT: -1 is no failure. QUIET: nothing is returned, and errno is
 * kept. */
enum promise_kind { COUNT, ONE, ZERO, NUMBER, POINTER, EVENT, QUIET, NOTHING };

#define KIND(name) (1ULL << FAULT_##name)
#define READS (KIND(READ) | KIND(RECV) | KIND(PREAD))
#define WRITES (KIND(WRITE) | KIND(SEND) | KIND(SENDMSG) | KIND(WRITEV))

static const struct promise {
  const char *call;
  enum promise_kind kind;
  struct { int64 code; int errnos[5]; } failures[3];
  /* Kinds of system calls whose failure has to be told, if it is none that can be got round. */
  uint64 told;
  int sends;
} promises[] = {
    {"io_fd", ONE, {{0, {EBADF, ENOMEM, EMFILE, ENFILE}}}, KIND(EPOLL_CREATE), 0},
    {"io_fd_canwrite", ONE, {{0, {EBADF, ENOMEM, EMFILE, ENFILE}}}, KIND(EPOLL_CREATE), 0},
    {"io_fd_flags", ONE, {{0, {EBADF, ENOMEM, EMFILE, ENFILE}}}, KIND(EPOLL_CREATE), 0},
    {"io_nonblock", NOTHING, {{0}}, 0, 0},
    {"io_block", NOTHING, {{0}}, 0, 0},
    {"io_closeonexec", NOTHING, {{0}}, 0, 0},
    {"io_close", NOTHING, {{0}}, 0, 0},
    {"io_finishandshutdown", NOTHING, {{0}}, 0, 0},
    {"io_setcookie", QUIET, {{0}}, 0, 0},
    {"io_getcookie", QUIET, {{0}}, 0, 0},
    {"io_wantread", QUIET, {{0}}, 0, 0},
    {"io_wantwrite", QUIET, {{0}}, 0, 0},
    {"io_dontwantread", QUIET, {{0}}, 0, 0},
    {"io_dontwantwrite", QUIET, {{0}}, 0, 0},
    {"io_eagain", QUIET, {{0}}, 0, 0},
    {"io_eagain_read", QUIET, {{0}}, 0, 0},
    {"io_eagain_write", QUIET, {{0}}, 0, 0},
    {"io_timeout", NOTHING, {{0}}, 0, 0},
    {"io_queueforread", ONE, {{0, {ENOMEM}}}, 0, 0},
    {"io_timedout", COUNT, {{0}}, 0, 0},
    {"io_debugstring", COUNT, {{0}}, 0, 0},
    {"io_waituntil2", COUNT, {{-1, {EINTR, ENOMEM, EMFILE, ENFILE}}}, KIND(EPOLL_WAIT), 0},
    {"io_wait", NOTHING, {{0}}, 0, 0},
    {"io_check", NOTHING, {{0}}, 0, 0},
    {"io_canread", EVENT, {{0}}, 0, 0},
    {"io_canwrite", EVENT, {{0}}, 0, 0},
    {"io_timeouted", EVENT, {{0}}, 0, 0},
    {"io_starteventloopthread", ZERO, {{-1, {EAGAIN, ENOMEM, EMFILE, ENFILE}}}, KIND(THREAD), 0},
    {"io_tryread", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, READS, 0},
    {"io_tryreadtimeout", COUNT, {{-1, {EAGAIN}}, {-2, {ETIMEDOUT}}, {-3, {CAUSE}}}, READS, 0},
    {"io_waitread", COUNT, {{-3, {CAUSE, EINTR}}}, READS, 0},
    {"io_trywrite", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, WRITES, 1},
    {"io_trywritetimeout", COUNT, {{-1, {EAGAIN}}, {-2, {ETIMEDOUT}}, {-3, {CAUSE}}}, WRITES, 1},
    {"io_waitwrite", COUNT, {{-3, {CAUSE, EINTR}}}, WRITES, 1},
    {"io_sendfile", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, WRITES, 1},
    {"io_mmapwritefile", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, WRITES, 1},
    {"io_readfile", ONE, {{0, {CAUSE, EINTR}}}, KIND(OPEN), 0},
    {"io_createfile", ONE, {{0, {CAUSE, EINTR}}}, KIND(OPEN), 0},
    {"io_appendfile", ONE, {{0, {CAUSE, EINTR}}}, KIND(OPEN), 0},
    {"io_readwritefile", ONE, {{0, {CAUSE, EINTR}}}, KIND(OPEN), 0},
    {"io_pipe", ONE, {{0, {EMFILE, ENFILE, ENOMEM}}}, KIND(PIPE) | KIND(EPOLL_CREATE), 0},
    {"io_socketpair", ONE, {{0, {EMFILE, ENFILE, ENOMEM}}}, KIND(SOCKETPAIR) | KIND(EPOLL_CREATE), 0},
    {"io_passfd", ZERO, {{-1, {CAUSE, EAGAIN, EINTR}}}, KIND(SENDMSG), 0},
    {"io_receivefd", NUMBER, {{-1, {CAUSE, EAGAIN, EINTR, EPROTO}}}, KIND(RECVMSG), 0},
    {"iob_new", POINTER, {{0, {ENOMEM}}}, 0, 0},
    {"iob_new_autofree", POINTER, {{0, {ENOMEM}}}, 0, 0},
    {"iob_init", ZERO, {{-1, {ENOMEM}}}, KIND(ALLOC), 0},
    {"iob_addbuf", ONE, {{0, {ENOMEM}}}, KIND(ALLOC), 0},
    {"iob_adds_free", ONE, {{0, {ENOMEM}}}, KIND(ALLOC), 0},
    {"iob_addbuf_free", ONE, {{0, {ENOMEM}}}, KIND(ALLOC), 0},
    {"iob_addbuf_munmap", ONE, {{0, {ENOMEM}}}, KIND(ALLOC), 0},
    {"iob_addfile", ONE, {{0, {ENOMEM}}}, 0, 0},
    {"iob_addfile_close", ONE, {{0, {ENOMEM}}}, 0, 0},
    {"iob_prefetch", NOTHING, {{0}}, 0, 0},
    {"iob_reset", NOTHING, {{0}}, 0, 0},
    {"iob_free", NOTHING, {{0}}, 0, 0},
    {"iob_bytesleft", COUNT, {{0}}, 0, 0},
    {"iob_send", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, WRITES, 1},
    {"iob_write", COUNT, {{-1, {EAGAIN}}, {-3, {CAUSE}}}, WRITES, 1},
    {"iom_init", ONE, {{0, {CAUSE}}}, KIND(EPOLL_CREATE) | KIND(PIPE), 0},
    {"iom_add", ZERO, {{-1, {CAUSE}}}, 0, 0},
    {"iom_requeue", ZERO, {{-1, {CAUSE}}}, 0, 0},
    {"iom_wait", COUNT, {{-2, {UNTOUCHED}}, {-1, {CAUSE, EINTR}}}, KIND(EPOLL_WAIT), 0},
    {"iom_abort", ZERO, {{-1, {CAUSE}}}, KIND(EPOLL_CTL), 0},
    /* Not the library's, but the program's way to its clients. */
    {"accept", NUMBER, {{-1, {CAUSE, EAGAIN, EINTR}}}, KIND(ACCEPT), 0},
};

/* The call that is being made, for whoever has to tell of it: in memory that processes share. */
static struct step {
  const struct promise *promise;
  int number, hit, hit_at;
} *step;

T_HELPER void step_tell(void) {
  fault_tell();
  fprintf(stderr, "in call %d of the session, %s; the rule first hit in call %d\n", step->number,
          step->promise ? step->promise->call : "none", step->hit_at);
}

T_HELPER void step_begin(const char *call, int64 out) {
  size_t i = 0;
  while (strcmp(promises[i].call, call) != 0) CHECK(++i < sizeof promises / sizeof *promises);
  step->promise = promises + i;
  step->number++;
  step->hit = fault.hit;
  fault.out = out;
  fault.moved = 0;
  memset(fault.ended_with, 0, sizeof fault.ended_with);
  errno = UNTOUCHED;
  fault.armed = 1;
}

T_HELPER int step_fails_so(const struct promise *p, int64 r, int e) {
  size_t i, k;
  for (i = 0; i < 3; i++) {
    const int *errnos = p->failures[i].errnos;
    if (!errnos[0] || p->failures[i].code != r) continue;
    for (k = 0; k < 5 && errnos[k]; k++) {
      if (errnos[k] == e || (errnos[k] == CAUSE && e != EAGAIN && e != EINTR && fault.ended_with[e & 255])) return 1;
    }
  }
  return 0;
}

/* Whether the error of the last call that was made to fail may not be passed over, if nothing moved: it is not one
 * after which there is another way. */
T_HELPER int step_must_tell(const struct promise *p) {
  static const int hard[] = {EPIPE, ECONNRESET, EIO, ENOSPC, EDQUOT, EBADF, ENOMEM, EMFILE, ENFILE};
  size_t i;
  if (fault.hit == step->hit || !(p->told & 1ULL << fault.kind) || fault.second.kind) return 0;
  if (fault.last == EINTR) return fault.kind == FAULT_EPOLL_WAIT;
  for (i = 0; i < sizeof hard / sizeof *hard; i++) {
    if (hard[i] == fault.last) return 1;
  }
  return 0;
}

T_HELPER int64 step_end(int64 r) {
  const struct promise *p = step->promise;
  int e = errno, good = 0;
  fault.armed = 0;
  if (fault.hit > step->hit && !step->hit_at) step->hit_at = step->number;
  switch (p->kind) {
  case COUNT:
  case NUMBER: good = r >= 0; break;
  case EVENT: good = r >= -1; break;
  case ONE: good = r == 1; break;
  case ZERO: good = r == 0; break;
  case POINTER: good = r != 0; break;
  case QUIET:
    good = 1;
    errno = e;
    CHECK_ERRNO(UNTOUCHED);
    break;
  case NOTHING: good = 1; break;
  }
  if (p->sends) CHECK_INT(r > 0 ? r : 0, fault.moved);
  if (!good && !step_fails_so(p, r, e)) {
    fprintf(stderr, "%s may not answer %" PRId64 " with errno %d (%s)\n", p->call, (int64_t)r, e, strerror(e));
    t_leave(1);
  }
  if (step_must_tell(p) && fault.moved == 0 && p->kind != NOTHING) {
    if (good) fprintf(stderr, "%s answered %" PRId64 " and has not told the error\n", p->call, (int64_t)r);
    CHECK(!good);
    errno = e;
    CHECK_INT(e, fault.last);
  }
  errno = e;
  return r;
}

/* A call with faults: DO(io_tryread, (d, buf, n)). What SENDS sends to `to` is counted. JUST returns nothing. */
#define DO(call, arguments) (step_begin(#call, -1), step_end((int64)(call arguments)))
#define SENDS(to, call, arguments) (step_begin(#call, to), step_end((int64)(call arguments)))
#define DO_POINTER(call, arguments) (step_begin(#call, -1), step_end((int64)(intptr_t)(call arguments)))
#define JUST(call, arguments) (step_begin(#call, -1), call arguments, (void)step_end(0))

#endif
