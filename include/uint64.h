/* 64-bit integers and their bytes, after libowfat. Part of libowfat_io. */
#ifndef UINT64_H
#define UINT64_H

#include <inttypes.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t uint64;
typedef int64_t int64;

/* pack: number to 8 bytes of any alignment; unpack and read: back. Least significant byte first, most
   significant byte first in the _big functions. */
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__) && !defined(NO_UINT64_MACROS)

static inline void uint64_pack_inline(void *out, uint64 n) {
  __builtin_memcpy(out, &n, sizeof n);
}

static inline uint64 uint64_read_inline(const void *in) {
  uint64 n;
  __builtin_memcpy(&n, in, sizeof n);
  return n;
}

/* Macros as in libowfat, where the pointers need not be to char. */
#define uint64_pack(out, in) uint64_pack_inline((out), (in))
#define uint64_unpack(in, out) ((void)(*(out) = uint64_read_inline(in)))
#define uint64_read(in) uint64_read_inline(in)

#else

void uint64_pack(char *out, uint64 in);
void uint64_unpack(const char *in, uint64 *out);
uint64 uint64_read(const char *in);

#endif

void uint64_pack_big(char *out, uint64 in);
void uint64_unpack_big(const char *in, uint64 *out);
uint64 uint64_read_big(const char *in);

#ifdef __cplusplus
}
#endif

#endif
