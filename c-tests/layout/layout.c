/* Sizes, offsets and constants of the binary interface, as assertions: compiling is the test. Compiled by
   headers.sh against our headers and against libowfat's, with -DHAS_AUTOFREE=1 or 0, and by targets/check.sh for i386. */
#ifndef HAS_AUTOFREE
#error "HAS_AUTOFREE: 0 as in libowfat 0.32, 1 as in 0.34"
#endif
#include "io.h"
#include "iob.h"
#include <stddef.h>

/* A number for machines of 64 bits, and for i386, which aligns numbers of 64 bits to 4 bytes. */
#ifdef __i386__
#define W(on64, on386) (on386)
#else
#define W(on64, on386) (on64)
#endif
#define EQUAL(what, value) _Static_assert((what) == (value), #what)
#define SIZE(type, size, alignment)                                                                              \
    EQUAL(sizeof(type), size);                                                                                   \
    EQUAL(_Alignof(type), alignment)
#define FIELD(type, field, offset, size)                                                                         \
    EQUAL(offsetof(type, field), offset);                                                                        \
    EQUAL(sizeof(((type *)0)->field), size)
#define SAME(a, b) _Static_assert(_Generic((a) + 0, __typeof__((b) + 0): 1, default: 0), #a " has the type of " #b)

SIZE(int64, 8, W(8, 4));
SIZE(uint64, 8, W(8, 4));
SIZE(int32, 4, 4);
SIZE(uint32, 4, 4);
_Static_assert((int64)-1 < 0 && (uint64)-1 > 0 && (int32)-1 < 0 && (uint32)-1 > 0, "signs");
SAME((int64)0, (int64_t)0);
SAME((uint64)0, (uint64_t)0);

SIZE(array, W(32, 24), W(8, 4));
FIELD(array, p, 0, W(8, 4));
FIELD(array, allocated, W(8, 4), 8);
FIELD(array, initialized, W(16, 12), 8);
FIELD(array, headroom, W(24, 20), W(8, 4));
_Static_assert(_Generic(((array *)0)->allocated, int64: 1, default: 0), "allocated is signed");
_Static_assert(_Generic(((array *)0)->initialized, uint64: 1, default: 0), "initialized is unsigned");

SIZE(io_batch, W(64 + 8 * HAS_AUTOFREE, 44 + 4 * HAS_AUTOFREE), W(8, 4));
FIELD(io_batch, b, 0, W(32, 24));
FIELD(io_batch, bytesleft, W(32, 24), 8);
FIELD(io_batch, next, W(40, 32), W(8, 4));
FIELD(io_batch, bufs, W(48, 36), W(8, 4));
FIELD(io_batch, files, W(56, 40), W(8, 4));
#if HAS_AUTOFREE
FIELD(io_batch, autofree, W(64, 44), 4);
#endif

SIZE(struct tai, 8, W(8, 4));
SIZE(tai64, 8, W(8, 4));
FIELD(tai64, x, 0, 8);
SIZE(struct taia, 16, W(8, 4));
SIZE(tai6464, 16, W(8, 4));
FIELD(tai6464, sec, 0, 8);
FIELD(tai6464, nano, 8, 4);
FIELD(tai6464, atto, 12, 4);

SIZE(iomux_t, W(1072, 1056), _Alignof(sem_t));
SIZE(struct iomux, W(1072, 1056), _Alignof(sem_t));
FIELD(iomux_t, ctx, 0, 4);
FIELD(iomux_t, working, 4, 4);
FIELD(iomux_t, h, 8, 4);
FIELD(iomux_t, l, 12, 4);
FIELD(iomux_t, q, 16, 1024);
FIELD(iomux_t, q[1].fd, 24, 4);
FIELD(iomux_t, q[0].events, 20, 4);
FIELD(iomux_t, sem, 1040, W(32, 16));
_Static_assert(_Generic(((iomux_t *)0)->sem, sem_t: 1, default: 0), "sem is a semaphore");

SIZE(enum io_fd_flags, 4, 4);
EQUAL(IO_FD_CANWRITE, 1);
EQUAL(IO_FD_BLOCK, 2);
EQUAL(IO_FD_NONBLOCK, 4);
EQUAL(HAVE_IO_FD_FLAGS, 1);
EQUAL(SLOTS, 128);
EQUAL(IOM_READ, 1);
EQUAL(IOM_WRITE, 2);
EQUAL(IOM_ERROR, 4);
EQUAL(TAI_PACK, 8);
EQUAL(TAIA_PACK, 16);
EQUAL(TAIA_FMTFRAC, 19);

#define TEXT(x) #x
#define EMPTY(macro) EQUAL(sizeof(TEXT(macro)), 1)
#define EXPANDED(macro) EMPTY(macro)
EXPANDED(HAVE_EAGAIN_READWRITE);
EXPANDED(HAVE_IO_QUEUEFORREAD);
#if !defined(tai_unix) || !defined(tai_approx) || !defined(tai_less)
#error "tai_unix, tai_approx and tai_less are macros"
#endif
#if !defined(array_failed) || !defined(array_unallocated)
#error "array_failed and array_unallocated are macros"
#endif
#if !defined(IO_H) || !defined(IOB_H) || !defined(ARRAY_H) || !defined(TAIA_H) || !defined(TAI_H)
#error "guard missing"
#endif
#if !defined(UINT64_H) || !defined(UINT32_H)
#error "guard missing"
#endif

/* The function-pointer types, and functions that a program stores in variables. */
static int64 (*const write_callback)(int64, const void *, uint64) = (io_write_callback)0;
static int64 (*const mmapwritefile)(int64, int64, uint64, uint64, io_write_callback) = io_mmapwritefile;
static int64 (*const tryread)(int64, char *, int64) = io_tryread;
static int64 (*const write_batch)(int64, io_batch *, io_write_callback) = iob_write;
static int (*const wait_one)(iomux_t *, int64 *, unsigned int *, unsigned long) = iom_wait;
static void (*const timeout)(int64, tai6464) = io_timeout;

int main(void) {
    tai64 t;
    tai_unix(&t, -1);
    return !(t.x == 4611686018427387913ULL && !write_callback && mmapwritefile && tryread && write_batch && wait_one &&
             timeout);
}
