/*
 * port.c - what lwIP asks of its host beside its headers: memory, time, random numbers, and what to
 * do where it finds itself wrong (arch/cc.h).
 */
#include <lwip/sys.h>

#include "arch/x86_64/cpu.h"
#include "dev/device.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/lwip/libc/stdlib.h"

u32_t sys_now(void)
{
	return (u32_t)(clock_monotonic() / 1000000);
}

void sys_init(void)
{
}

uint32_t lwip_random(void)
{
	uint32_t r;

	random_bytes(&r, sizeof(r));
	return r;
}

void *lwip_malloc(size_t size)
{
	return kmalloc(size);
}

/* lwIP multiplies sizes of its own only. */
void *lwip_calloc(size_t count, size_t size)
{
	return kzalloc(count * size);
}

void lwip_free(void *p)
{
	kfree(p);
}

void lwip_assert_failed(const char *what, const char *file, int line)
{
	panic("%s:%d: lwIP: %s", file, line, what);
}

/* For lwIP's parsing of texts, which nobody uses. */
int atoi(const char *s)
{
	const char *end;

	return (int)string_to_u64(s, &end);
}
