/*
 * string.h - memory and string functions. In a hosted build they are the C library's; in the kernel
 * lib/string.c has them.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

#ifdef COPPICE_HOSTED
#include <string.h>
#else
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
/* A freestanding compiler does not know these by name: with it, small constant sizes are inline. */
#ifndef LIB_STRING_NO_BUILTINS
#define memcpy(dst, src, n) __builtin_memcpy(dst, src, n)
#define memset(dst, c, n) __builtin_memset(dst, c, n)
#endif
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);
#endif

/* Copy at most n-1 bytes and terminate; returns strlen(src). */
size_t string_copy(char *dst, const char *src, size_t n);
/*
 * Parse an unsigned number in base 10, or 16 with 0x; sets *end past it; 0 with *end == s if there
 * is none.
 */
u64 string_to_u64(const char *s, const char **end);

#endif
