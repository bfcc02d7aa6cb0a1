/* Times in seconds (TAI64), after libowfat. Part of libowfat_io. */
#ifndef TAI_H
#define TAI_H

#include "uint64.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A label for a second, or a number of seconds. Sums are modulo 2^64; results may be stored in an operand. */
typedef struct tai {
  uint64 x;
} tai64;

/* t = the second that a time_t u names. */
#define tai_unix(t, u) ((void)((t)->x = 4611686018427387914ULL + (uint64)(u)))
#define tai_approx(t) ((double)((t)->x))
#define tai_less(t, u) ((t)->x < (u)->x)

void tai_now(struct tai *t);
/* t = u + v, t = u - v */
void tai_add(struct tai *t, const struct tai *u, const struct tai *v);
void tai_sub(struct tai *t, const struct tai *u, const struct tai *v);
void tai_uint(struct tai *t, unsigned int secs);

/* Bytes of a packed label, which has its most significant byte first. */
#define TAI_PACK 8
void tai_pack(char *buf, const struct tai *t);
void tai_unpack(const char *buf, struct tai *t);

#ifdef __cplusplus
}
#endif

#endif
