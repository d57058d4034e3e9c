/*
 * procfs_block.c - block devices in /proc: partitions and diskstats. Formats: proc(5).
 */
#include <linux/stat.h>

#include "fs/blockdev.h"
#include "fs/procfs_priv.h"

#define NS_PER_MS 1000000ull

int proc_partitions_show(struct text *t, const struct proc_node *n)
{
	struct block_device *d;

	text_string(t, "major minor  #blocks  name\n\n");
	for (u32 i = 0; (d = block_device(i)); i++)
		text_printf(t, "%4u  %7u %10lu %s\n", BLOCK_MAJOR, i * BLOCK_MINORS,
			    kib(d->sectors * BLOCK_SECTOR), d->name);
	return 0;
}

static void text_operation(struct text *t, const struct block_statistics *s,
			   enum block_operation op)
{
	text_printf(t, " %lu 0 %lu %lu", s->requests[op], s->sectors[op],
		    (u64)(s->ns[op] / NS_PER_MS));
}

void text_block_statistics(struct text *t, struct block_device *d)
{
	struct block_statistics s;
	u64 all = 0;

	block_statistics(d, &s);
	for (u32 op = 0; op < BLOCK_OPERATIONS; op++)
		all += s.ns[op];
	text_operation(t, &s, BLOCK_READ);
	text_operation(t, &s, BLOCK_WRITE);
	text_printf(t, " %u %lu %lu", s.in_flight, (u64)(s.busy_ns / NS_PER_MS),
		    (u64)(all / NS_PER_MS));
	text_operation(t, &s, BLOCK_DISCARD);
	text_printf(t, " %lu %lu\n", s.requests[BLOCK_FLUSH], (u64)(s.ns[BLOCK_FLUSH] / NS_PER_MS));
}

int proc_diskstats_show(struct text *t, const struct proc_node *n)
{
	struct block_device *d;

	for (u32 i = 0; (d = block_device(i)); i++) {
		text_printf(t, "%4u %7u %s", BLOCK_MAJOR, i * BLOCK_MINORS, d->name);
		text_block_statistics(t, d);
	}
	return 0;
}
