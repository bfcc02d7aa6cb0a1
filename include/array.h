/* Growing arrays, after libowfat. Part of libowfat_io. */
#ifndef ARRAY_H
#define ARRAY_H

#include <stddef.h>
#include "uint64.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In C++ the functions say that they throw nothing, as in libowfat 0.34. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define ARRAY_NOEXCEPT noexcept
#else
#define ARRAY_NOEXCEPT
#endif

/* Zeros are an empty array. p is NULL and allocated negative in an array that has failed: it stays so, and
   takes nothing, until array_reset. */
typedef struct {
  char *p;            /* malloc memory */
  int64 allocated;    /* its bytes */
  uint64 initialized; /* bytes of it in use */
  size_t headroom;    /* not used: 0 in a new array, and left alone */
} array;

/* Member pos, counted from 0, of membersize bytes. array_allocate makes it if need be, together with those
   before it; new bytes are 0. NULL, and an unchanged array, if it cannot. Addresses hold until the array is
   changed. */
void *array_allocate(array *x, uint64 membersize, int64 pos) ARRAY_NOEXCEPT;
void *array_get(const array *const x, uint64 membersize, int64 pos) ARRAY_NOEXCEPT;
void *array_start(const array *const x) ARRAY_NOEXCEPT;

/* Members or bytes in use; -1 in a failed array. */
int64 array_length(const array *const x, uint64 membersize) ARRAY_NOEXCEPT;
int64 array_bytes(const array *const x) ARRAY_NOEXCEPT;
#define array_failed(x) (array_bytes(x) == -1)
#define array_unallocated(x) (array_bytes(x) == 0)

/* 1 if both hold the same bytes, else 0. */
int array_equal(const array *const x, const array *const y) ARRAY_NOEXCEPT;

/* Cut to len members at most; empty; drop members from the front, from the end. The memory is kept. */
void array_truncate(array *x, uint64 membersize, int64 len) ARRAY_NOEXCEPT;
void array_trunc(array *x) ARRAY_NOEXCEPT;
void array_shift(array *x, uint64 membersize, uint64 members) ARRAY_NOEXCEPT;
void array_chop(array *x, uint64 membersize, uint64 members) ARRAY_NOEXCEPT;

/* Free the memory, and be empty; or be failed. */
void array_reset(array *x) ARRAY_NOEXCEPT;
void array_fail(array *x) ARRAY_NOEXCEPT;

/* Append the bytes of an array, bytes, a string without or with its zero byte, a zero byte, bytes pos to
   stop-1 of an array. Where memory is short, the source is not there or has no such range, the array fails. */
void array_cat(array *to, const array *const from) ARRAY_NOEXCEPT;
void array_catb(array *to, const char *from, uint64 len) ARRAY_NOEXCEPT;
void array_cats(array *to, const char *from) ARRAY_NOEXCEPT;
void array_cats0(array *to, const char *from) ARRAY_NOEXCEPT;
void array_cat0(array *to) ARRAY_NOEXCEPT;
void array_cate(array *to, const array *const from, int64 pos, int64 stop) ARRAY_NOEXCEPT;

#undef ARRAY_NOEXCEPT

#ifdef __cplusplus
}
#endif

#endif
