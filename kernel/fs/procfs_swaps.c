/*
 * procfs_swaps.c - /proc/swaps: the swap areas in use. Format: proc(5).
 */
#include "fs/blockdev.h"
#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "mm/slab.h"
#include "mm/swap.h"

#define NAME_COLUMNS 40u

static void swap_line(struct text *t, const struct swap_status *s, struct file *f, char *buf)
{
	char *name = path_text(&f->path, buf, PATH_MAX_BYTES);
	u64 before = t->length, size = kib(s->pages * PAGE_SIZE), used = kib(s->used * PAGE_SIZE);

	text_escaped(t, IS_ERR(name) ? "" : name, " \t\n\\");
	before = t->length - before;
	text_fill(t, ' ', before < NAME_COLUMNS ? NAME_COLUMNS - before : 1);
	text_printf(t, "partition\t%lu\t%s%lu\t%s%d\n", size, size < 10000000 ? "\t" : "", used,
		    used < 10000000 ? "\t" : "", s->priority);
}

int proc_swaps_show(struct text *t, const struct proc_node *n)
{
	char *buf = kmalloc(PATH_MAX_BYTES);
	struct swap_status s;

	if (!buf)
		return -ENOMEM;
	text_string(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (u32 i = 0; swap_status(i, &s); i++) {
		struct file *f = swapdev_file(s.device);

		if (!f)
			continue;
		swap_line(t, &s, f, buf);
		file_put(f);
	}
	kfree(buf);
	return 0;
}
