/* 32-bit integers and their bytes, after libowfat. Part of libowfat_io. */
#ifndef UINT32_H
#define UINT32_H

#include <inttypes.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t uint32;
typedef int32_t int32;

/* pack: number to 4 bytes of any alignment; unpack and read: back. Least significant byte first, most
   significant byte first in the _big functions. */
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__) && !defined(NO_UINT32_MACROS)

static inline void uint32_pack(char *out, uint32 in) {
  __builtin_memcpy(out, &in, sizeof in);
}

static inline uint32 uint32_read(const char *in) {
  uint32 n;
  __builtin_memcpy(&n, in, sizeof n);
  return n;
}

static inline void uint32_unpack(const char *in, uint32 *out) {
  *out = uint32_read(in);
}

static inline void uint32_pack_big(char *out, uint32 in) {
  uint32_pack(out, __builtin_bswap32(in));
}

static inline uint32 uint32_read_big(const char *in) {
  return __builtin_bswap32(uint32_read(in));
}

static inline void uint32_unpack_big(const char *in, uint32 *out) {
  *out = uint32_read_big(in);
}

#else

void uint32_pack(char *out, uint32 in);
void uint32_pack_big(char *out, uint32 in);
void uint32_unpack(const char *in, uint32 *out);
void uint32_unpack_big(const char *in, uint32 *out);
uint32 uint32_read(const char *in);
uint32 uint32_read_big(const char *in);

#endif

#ifdef __cplusplus
}
#endif

#endif
