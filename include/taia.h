/* Times in attoseconds (TAI64NA), after libowfat. Part of libowfat_io. */
#ifndef TAIA_H
#define TAIA_H

#include "tai.h"
#include "uint32.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A label for a moment, or a length of time. Sums are modulo 2^64 seconds; results may be stored in an
   operand. */
typedef struct taia {
  struct tai sec;
  uint32 nano; /* 0 to 999999999 */
  uint32 atto; /* 0 to 999999999 */
} tai6464;

void taia_now(struct taia *t);
void taia_tai(const tai6464 *source, tai64 *dest);
void taia_uint(tai6464 *t, unsigned int secs);

/* Seconds, and the part after the point, about. */
double taia_approx(const tai6464 *t);
double taia_frac(const tai6464 *t);

/* dest = u + v, dest = source + secs, dest = u - v, dest = source / 2 */
void taia_add(tai6464 *dest, const tai6464 *u, const tai6464 *v);
void taia_addsec(tai6464 *dest, const tai6464 *source, long secs);
void taia_sub(tai6464 *dest, const tai6464 *u, const tai6464 *v);
void taia_half(tai6464 *dest, const tai6464 *source);
/* 1 if a is earlier than b, else 0 */
int taia_less(const tai6464 *a, const tai6464 *b);

/* Bytes of a packed label, which has its most significant byte first. */
#define TAIA_PACK 16
void taia_pack(char *buf, const tai6464 *t);
void taia_unpack(const char *buf, tai6464 *t);

/* Room for what taia_fmtfrac writes and a zero byte. */
#define TAIA_FMTFRAC 19
/* Writes the 18 digits after the point, without a zero byte. Returns 18; s may be NULL to ask for that. */
unsigned int taia_fmtfrac(char *s, const tai6464 *t);

#ifdef __cplusplus
}
#endif

#endif
