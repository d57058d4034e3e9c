/*
 * string.c - memory and string functions.
 *
 * Central rule: bulk work goes eight bytes at a time (the string instructions for long runs, plain
 * loads for short ones), because an emulator executes `rep movsb` byte by byte. In a hosted build
 * the C library has all but the last two functions.
 */
#define LIB_STRING_NO_BUILTINS /* they are defined here */
#include "lib/string.h"

#ifndef COPPICE_HOSTED

typedef u64 __attribute__((may_alias, aligned(1))) word;
typedef u32 __attribute__((may_alias, aligned(1))) half;
typedef u16 __attribute__((may_alias, aligned(1))) quarter;

/* From here on the string instructions win over a loop. */
#define LONG_RUN 128

/*
 * At most 16 bytes, by two loads that may overlap; all loads come before the stores, so the ranges
 * may overlap too.
 */
static void copy_short(char *d, const char *s, size_t n)
{
	if (n >= 8) {
		u64 a = *(const word *)s, b = *(const word *)(s + n - 8);
		*(word *)d = a;
		*(word *)(d + n - 8) = b;
	} else if (n >= 4) {
		u32 a = *(const half *)s, b = *(const half *)(s + n - 4);
		*(half *)d = a;
		*(half *)(d + n - 4) = b;
	} else if (n >= 2) {
		u16 a = *(const quarter *)s, b = *(const quarter *)(s + n - 2);
		*(quarter *)d = a;
		*(quarter *)(d + n - 2) = b;
	} else if (n) {
		*d = *s;
	}
}

void *memcpy(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (n <= 16) {
		copy_short(d, s, n);
		return dst;
	}
	u64 last = *(const word *)(s + n - 8);
	char *tail = d + n - 8;
	size_t words = (n - 1) / 8;
	if (n >= LONG_RUN)
		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	for (; words; words--, d += 8, s += 8)
		*(word *)d = *(const word *)s;
	*(word *)tail = last;
	return dst;
}

/* Overlapping ranges: upwards when dst lies below src, else downwards. */
void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (n <= 16) {
		copy_short(d, s, n);
	} else if ((u64)d - (u64)s >= n && (u64)s - (u64)d >= n) {
		return memcpy(dst, src, n);
	} else if (d < s) {
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(word *)d = *(const word *)s;
		while (n--)
			*d++ = *s++;
	} else {
		for (; n >= 8; n -= 8)
			*(word *)(d + n - 8) = *(const word *)(s + n - 8);
		while (n--)
			d[n] = s[n];
	}
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	char *d = dst;
	u64 value = 0x0101010101010101ull * (u8)c;

	if (n < 8) {
		while (n--)
			*d++ = (char)c;
		return dst;
	}
	*(word *)(d + n - 8) = value;
	size_t words = (n - 1) / 8;
	if (n >= LONG_RUN)
		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(value) : "memory");
	for (; words; words--, d += 8)
		*(word *)d = value;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	while (n >= 8 && *(const word *)x == *(const word *)y) {
		x += 8;
		y += 8;
		n -= 8;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i])
		i++;
	return i;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)found;
	}
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (;; hay++) {
		if (!strncmp(hay, needle, n))
			return (char *)hay;
		if (!*hay)
			return NULL;
	}
}

#endif

size_t string_copy(char *dst, const char *src, size_t n)
{
	size_t length = strlen(src);

	if (n) {
		size_t part = min(length, n - 1);
		memcpy(dst, src, part);
		dst[part] = 0;
	}
	return length;
}

/* The value of a digit, or 16 and more for what is none. */
static u32 digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (u32)(c - 'a') + 10 : 16;
}

u64 string_to_u64(const char *s, const char **end)
{
	u32 base = 10;
	u64 value = 0;

	if (s[0] == '0' && (s[1] | 0x20) == 'x' && digit_value(s[2]) < 16) {
		base = 16;
		s += 2;
	}
	for (; digit_value(*s) < base; s++)
		value = value * base + digit_value(*s);
	if (end)
		*end = s;
	return value;
}
