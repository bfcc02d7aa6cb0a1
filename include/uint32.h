/* 32-bit integers and their bytes, after libowfat. Part of libowfat_io. */
#ifndef UINT32_H
#define UINT32_H

#include <inttypes.h>
#include <stddef.h>

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

/* fmt: pack, unless out is NULL; how many bytes that takes. scan: read, if there are so many bytes; how many
   were used, 4 or 0. (libowfat 0.34) */
static inline size_t fmt_uint32(char *out, uint32 in) {
  if (out) uint32_pack(out, in);
  return sizeof in;
}

static inline size_t fmt_uint32_big(char *out, uint32 in) {
  if (out) uint32_pack_big(out, in);
  return sizeof in;
}

static inline size_t scan_uint32(const char *in, size_t len, uint32 *out) {
  if (len < sizeof *out) return 0;
  *out = uint32_read(in);
  return sizeof *out;
}

static inline size_t scan_uint32_big(const char *in, size_t len, uint32 *out) {
  if (len < sizeof *out) return 0;
  *out = uint32_read_big(in);
  return sizeof *out;
}

#ifdef __cplusplus
}

/* In C++ the bytes may be of any kind, unsigned char for instance. (libowfat 0.34, for some kinds) The linkage is
   for programs that include C headers within extern "C". */
extern "C++" {
template <typename T> inline void uint32_pack(T *out, uint32 in) { uint32_pack(reinterpret_cast<char *>(out), in); }
template <typename T> inline void uint32_pack_big(T *out, uint32 in) { uint32_pack_big(reinterpret_cast<char *>(out), in); }
template <typename T> inline uint32 uint32_read(const T *in) { return uint32_read(reinterpret_cast<const char *>(in)); }
template <typename T> inline uint32 uint32_read_big(const T *in) { return uint32_read_big(reinterpret_cast<const char *>(in)); }
template <typename T> inline void uint32_unpack(const T *in, uint32 *out) { *out = uint32_read(in); }
template <typename T> inline void uint32_unpack_big(const T *in, uint32 *out) { *out = uint32_read_big(in); }

/* The number that is meant shows in the pointer. */
inline uint32 uint_read(const uint32 *in) { return uint32_read(in); }
inline uint32 uint_read_big(const uint32 *in) { return uint32_read_big(in); }
}
#endif

#endif
