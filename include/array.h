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

/* An array of zeros is empty. An array that has failed has p NULL and allocated negative; it takes nothing more until
   array_reset. */
typedef struct {
  char *p;            /* malloc memory */
  int64 allocated;    /* its bytes */
  uint64 initialized; /* bytes of it in use */
  size_t headroom;    /* not used: 0 in a new array, and left alone */
} array;

/* The address of member pos, counted from 0, of membersize bytes each. It is valid until the array is changed.
   array_allocate adds the member and all before it if they do not exist; new bytes are 0. If it cannot, it returns NULL
   and does not change the array. array_get returns NULL for a member that does not exist. array_start is the address of
   the first byte, or NULL. */
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

/* Cut to at most len members; empty; remove members from the front; from the end. They keep the memory. */
void array_truncate(array *x, uint64 membersize, int64 len) ARRAY_NOEXCEPT;
void array_trunc(array *x) ARRAY_NOEXCEPT;
void array_shift(array *x, uint64 membersize, uint64 members) ARRAY_NOEXCEPT;
void array_chop(array *x, uint64 membersize, uint64 members) ARRAY_NOEXCEPT;

/* Free the memory. The array is then empty; or failed. */
void array_reset(array *x) ARRAY_NOEXCEPT;
void array_fail(array *x) ARRAY_NOEXCEPT;

/* Append the bytes of an array; len bytes; a string without its zero byte; with it; a zero byte; bytes pos to stop-1 of
   an array. The array fails if there is no memory, or if the source is NULL, has failed or has no such bytes. */
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
