/*
 * log.c - the kernel log: the last 64 KiB of what the kernel had to say.
 *
 * Central rule: logging works in any context from the first instruction on, so it needs nothing but
 * a lock that everybody may take last. Positions count all bytes ever logged; a reader who has
 * fallen behind goes on at the oldest line that is left. Next: host.c, which sends it out with -v.
 */
#include "dev/dev_priv.h"

#include "arch/x86_64/cpu.h"
#include "lib/lock.h"
#include "lib/print.h"
#include "lib/string.h"

#define LOG_SIZE 65536ull /* a power of two */
#define LINE_MAX 256

static struct spinlock log_lock;
static char ring[LOG_SIZE]; /* log_lock */
static u64 written;         /* log_lock: bytes ever logged */

void log_init(void)
{
	spin_init(&log_lock, RANK_LOG);
}

static void ring_put(const char *text, size_t n)
{
	u64 at = written % LOG_SIZE;
	size_t first = min(n, LOG_SIZE - at);

	memcpy(ring + at, text, first);
	memcpy(ring, text + first, n - first);
	written += n;
}

void log_info(const char *fmt, ...)
{
	char line[LINE_MAX];
	u64 us = clock_monotonic() / 1000;
	va_list args;
	size_t n;
	int more;

	n = (size_t)format(line, sizeof(line), "[%5lu.%06lu] ", us / 1000000, us % 1000000);
	va_start(args, fmt);
	more = format_va(line + n, sizeof(line) - n, fmt, args);
	va_end(args);
	n = min(n + (size_t)max(more, 0), sizeof(line) - 2);
	line[n++] = '\n';
	spin_lock(&log_lock);
	ring_put(line, n);
	spin_unlock(&log_lock);
	host_log_push();
}

/* The place after the first line end at or after position. log_lock held. */
static u64 next_line(u64 position)
{
	while (position < written && ring[position++ % LOG_SIZE] != '\n')
		;
	return position;
}

size_t log_read(u64 *position, char *buf, size_t size)
{
	size_t n, first;
	u64 at;

	spin_lock(&log_lock);
	if (written - *position > LOG_SIZE)
		*position = next_line(written - LOG_SIZE);
	n = min(size, written - *position);
	at = *position % LOG_SIZE;
	first = min(n, LOG_SIZE - at);
	memcpy(buf, ring + at, first);
	memcpy(buf + first, ring, n - first);
	*position += n;
	spin_unlock(&log_lock);
	return n;
}
