/* 16-bit integers and their bytes, after libowfat. Part of libowfat_io. */
#ifndef UINT16_H
#define UINT16_H

#include <inttypes.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint16_t uint16;
typedef int16_t int16;

/* pack: number to 2 bytes of any alignment; unpack and read: back. Least significant byte first, most
   significant byte first in the _big functions. */
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__) && !defined(NO_UINT16_MACROS)

static inline void uint16_pack(char *out, uint16 in) {
  __builtin_memcpy(out, &in, sizeof in);
}

static inline uint16 uint16_read(const char *in) {
  uint16 n;
  __builtin_memcpy(&n, in, sizeof n);
  return n;
}

static inline void uint16_unpack(const char *in, uint16 *out) {
  *out = uint16_read(in);
}

static inline void uint16_pack_big(char *out, uint16 in) {
  uint16_pack(out, __builtin_bswap16(in));
}

static inline uint16 uint16_read_big(const char *in) {
  return __builtin_bswap16(uint16_read(in));
}

static inline void uint16_unpack_big(const char *in, uint16 *out) {
  *out = uint16_read_big(in);
}

#else

void uint16_pack(char *out, uint16 in);
void uint16_pack_big(char *out, uint16 in);
void uint16_unpack(const char *in, uint16 *out);
void uint16_unpack_big(const char *in, uint16 *out);
uint16 uint16_read(const char *in);
uint16 uint16_read_big(const char *in);

#endif

/* fmt: pack, unless out is NULL; how many bytes that takes. scan: read, if there are so many bytes; how many
   were used, 2 or 0. (libowfat 0.34) */
static inline size_t fmt_uint16(char *out, uint16 in) {
  if (out) uint16_pack(out, in);
  return sizeof in;
}

static inline size_t fmt_uint16_big(char *out, uint16 in) {
  if (out) uint16_pack_big(out, in);
  return sizeof in;
}

static inline size_t scan_uint16(const char *in, size_t len, uint16 *out) {
  if (len < sizeof *out) return 0;
  *out = uint16_read(in);
  return sizeof *out;
}

static inline size_t scan_uint16_big(const char *in, size_t len, uint16 *out) {
  if (len < sizeof *out) return 0;
  *out = uint16_read_big(in);
  return sizeof *out;
}

#ifdef __cplusplus
}

/* In C++ the bytes may be of any kind, unsigned char for instance. (libowfat 0.34, for some kinds) The linkage is
   for programs that include C headers within extern "C". */
extern "C++" {
template <typename T> inline void uint16_pack(T *out, uint16 in) { uint16_pack(reinterpret_cast<char *>(out), in); }
template <typename T> inline void uint16_pack_big(T *out, uint16 in) { uint16_pack_big(reinterpret_cast<char *>(out), in); }
template <typename T> inline uint16 uint16_read(const T *in) { return uint16_read(reinterpret_cast<const char *>(in)); }
template <typename T> inline uint16 uint16_read_big(const T *in) { return uint16_read_big(reinterpret_cast<const char *>(in)); }
template <typename T> inline void uint16_unpack(const T *in, uint16 *out) { *out = uint16_read(in); }
template <typename T> inline void uint16_unpack_big(const T *in, uint16 *out) { *out = uint16_read_big(in); }

/* The number that is meant shows in the pointer. */
inline uint16 uint_read(const uint16 *in) { return uint16_read(in); }
inline uint16 uint_read_big(const uint16 *in) { return uint16_read_big(in); }
}
#endif

#endif
