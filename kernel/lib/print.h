/*
 * print.h - formatted output, the kernel log, assertions and panic.
 *
 * Formats: %d %i %u %x %X %o %c %s %p %% with l, ll, z, h, field width, '-', '0', '+', ' ', '#',
 * '*' and precision: a subset of printf(3), same meaning.
 */
#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include <stdarg.h>

#include "lib/types.h"

/* As snprintf(3): always terminates when size > 0, returns the length that the whole text has. */
int format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int format_va(char *buf, size_t size, const char *fmt, va_list args);

/*
 * A line of the kernel log: kept in memory, shown with -v. Any context. Implemented by dev/log.c
 * (kernel), hosted/.
 */
void log_info(const char *fmt, ...) __printf(1, 2);

/*
 * A broken invariant: say what is known and end the machine. Implemented by arch/x86_64/panic.c
 * (kernel), hosted/.
 */
void __noreturn panic(const char *fmt, ...) __printf(1, 2);

/* Checked in every build: the cost is small beside what a corrupted tree costs. */
#define assert(cond)                                                                           \
	do {                                                                                   \
		if (unlikely(!(cond)))                                                         \
			panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, \
			      #cond);                                                          \
	} while (0)

/* Checked in debug builds only (make DEBUG=1, and hosted/). */
#ifdef COPPICE_DEBUG
#define debug_assert(cond) assert(cond)
#else
#define debug_assert(cond) ((void)sizeof(cond))
#endif

#endif
