/* 64-bit integers and their bytes, after libowfat. Part of libowfat_io. */
#ifndef UINT64_H
#define UINT64_H

#include <inttypes.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t uint64;
typedef int64_t int64;

/* pack: number to 8 bytes of any alignment; unpack and read: back. Least significant byte first, most
   significant byte first in the _big functions. */
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__) && !defined(NO_UINT64_MACROS)

static inline void uint64_pack(char *out, uint64 in) {
  __builtin_memcpy(out, &in, sizeof in);
}

static inline uint64 uint64_read(const char *in) {
  uint64 n;
  __builtin_memcpy(&n, in, sizeof n);
  return n;
}

static inline void uint64_unpack(const char *in, uint64 *out) {
  *out = uint64_read(in);
}

static inline void uint64_pack_big(char *out, uint64 in) {
  uint64_pack(out, __builtin_bswap64(in));
}

static inline uint64 uint64_read_big(const char *in) {
  return __builtin_bswap64(uint64_read(in));
}

static inline void uint64_unpack_big(const char *in, uint64 *out) {
  *out = uint64_read_big(in);
}

#ifndef __cplusplus
/* As the macros of libowfat 0.32, which take pointers of any kind. */
#define uint64_pack(out, in) uint64_pack((char *)(out), (in))
#define uint64_unpack(in, out) ((void)(*(out) = (uint64_read)((const char *)(in))))
#define uint64_read(in) uint64_read((const char *)(in))
#endif

#else

void uint64_pack(char *out, uint64 in);
void uint64_pack_big(char *out, uint64 in);
void uint64_unpack(const char *in, uint64 *out);
void uint64_unpack_big(const char *in, uint64 *out);
uint64 uint64_read(const char *in);
uint64 uint64_read_big(const char *in);

#endif

/* fmt: pack, unless out is NULL; how many bytes that takes. scan: read, if there are so many bytes; how many
   were used, 8 or 0. (libowfat 0.34) */
static inline size_t fmt_uint64(char *out, uint64 in) {
  if (out) uint64_pack(out, in);
  return sizeof in;
}

static inline size_t fmt_uint64_big(char *out, uint64 in) {
  if (out) uint64_pack_big(out, in);
  return sizeof in;
}

static inline size_t scan_uint64(const char *in, size_t len, uint64 *out) {
  if (len < sizeof *out) return 0;
  *out = uint64_read(in);
  return sizeof *out;
}

static inline size_t scan_uint64_big(const char *in, size_t len, uint64 *out) {
  if (len < sizeof *out) return 0;
  *out = uint64_read_big(in);
  return sizeof *out;
}

#ifdef __cplusplus
}

/* In C++ the bytes may be of any kind, unsigned char for instance. (libowfat 0.34, for some kinds) The linkage is
   for programs that include C headers within extern "C". */
extern "C++" {
template <typename T> inline void uint64_pack(T *out, uint64 in) { uint64_pack(reinterpret_cast<char *>(out), in); }
template <typename T> inline void uint64_pack_big(T *out, uint64 in) { uint64_pack_big(reinterpret_cast<char *>(out), in); }
template <typename T> inline uint64 uint64_read(const T *in) { return uint64_read(reinterpret_cast<const char *>(in)); }
template <typename T> inline uint64 uint64_read_big(const T *in) { return uint64_read_big(reinterpret_cast<const char *>(in)); }
template <typename T> inline void uint64_unpack(const T *in, uint64 *out) { *out = uint64_read(in); }
template <typename T> inline void uint64_unpack_big(const T *in, uint64 *out) { *out = uint64_read_big(in); }

/* As the macros of libowfat 0.32, which take a place for any kind of number. */
template <typename T, typename N> inline void uint64_unpack(const T *in, N *out) { *out = uint64_read(in); }

/* The number that is meant shows in the pointer. */
inline uint64 uint_read(const uint64 *in) { return uint64_read(in); }
inline uint64 uint_read_big(const uint64 *in) { return uint64_read_big(in); }
}
#endif

#endif
