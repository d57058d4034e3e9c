/*
 * procfs_mm.c - a process's memory: its size, the strings and the vector that exec left in it, and
 * its bytes and pages themselves.
 *
 * The rule: memory is read through space_read and space_write, by the same path as faults, so that
 * a write into another space breaks copy-on-write as its own would. mem and pagemap belong to the
 * space that the process had when they were opened, but do not hold it: after exec or exit they are
 * empty.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/proc.h"

/* --- sizes --- */

static int add_area(struct mm *mm, struct area *a, void *arg)
{
	struct proc_sizes *s = arg;
	u64 bytes = a->end - a->start;
	bool stack = a->flags & (AREA_STACK | AREA_GROWSDOWN);

	if (stack)
		s->stack += bytes;
	else if ((a->flags & (AREA_WRITE | AREA_SHARED)) == AREA_WRITE)
		s->data += bytes;
	else if ((a->flags & (AREA_EXEC | AREA_WRITE)) == AREA_EXEC)
		s->libraries += bytes;
	return 0;
}

void proc_sizes(struct mm *mm, struct proc_sizes *out)
{
	*out = (struct proc_sizes){ .code = ROUND_UP(mm->end_code, PAGE_SIZE) -
					    ROUND_DOWN(mm->start_code, PAGE_SIZE) };
	space_areas(mm, 0, add_area, out);
	out->code = min(out->code, out->libraries);
	out->libraries -= out->code;
}

static u64 pages(u64 bytes)
{
	return bytes >> PAGE_SHIFT;
}

int proc_statm_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm = process_mm_get(n->process);
	struct proc_sizes sizes;
	struct space_rss rss;

	if (!mm) {
		text_string(t, "0 0 0 0 0 0 0\n");
		return 0;
	}
	proc_sizes(mm, &sizes);
	rss = space_rss(mm);
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", pages(space_vm_bytes(mm)),
		    rss.anon + rss.file + rss.shmem, rss.file + rss.shmem, pages(sizes.code),
		    pages(sizes.data + sizes.stack));
	space_put(mm);
	return 0;
}

/* --- strings --- */

/* The bytes of [start, end), as far as they can be read. */
static int add_memory(struct text *t, struct mm *mm, u64 start, u64 end)
{
	char *page = kmalloc(PAGE_SIZE);
	int err = 0;

	if (!page)
		return -ENOMEM;
	while (start < end) {
		ssize got = space_read(mm, start, page, min(end - start, PAGE_SIZE), SPACE_FORCE);

		if (got <= 0) {
			err = got == -ENOMEM ? -ENOMEM : 0;
			break;
		}
		text_add(t, page, (size_t)got);
		start += (u64)got;
	}
	kfree(page);
	return err;
}

/*
 * A program that wrote a title over its arguments, beyond their end: the title ends at the first
 * NUL.
 */
static int add_title(struct text *t, struct mm *mm)
{
	char *page = kmalloc(PAGE_SIZE);
	ssize got;

	if (!page)
		return -ENOMEM;
	got = space_read(mm, mm->arg_start, page, min(mm->env_end - mm->arg_start, PAGE_SIZE),
			 SPACE_FORCE);
	if (got > 0)
		text_add(t, page, min(strnlen(page, (size_t)got) + 1, (size_t)got));
	kfree(page);
	return 0;
}

int proc_cmdline_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm = process_mm_get(n->process);
	char last = '\0';
	int err = 0;

	if (!mm)
		return 0;
	if (mm->arg_start < mm->arg_end) {
		space_read(mm, mm->arg_end - 1, &last, 1, SPACE_FORCE);
		if (last && mm->env_start == mm->arg_end && mm->env_end > mm->env_start)
			err = add_title(t, mm);
		else
			err = add_memory(t, mm, mm->arg_start, mm->arg_end);
	}
	space_put(mm);
	return err;
}

int proc_environ_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm = process_mm_get(n->process);
	int err;

	if (!mm)
		return -ESRCH;
	err = add_memory(t, mm, mm->env_start, mm->env_end);
	space_put(mm);
	return err;
}

int proc_auxv_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm = process_mm_get(n->process);
	u32 words = 0;

	if (!mm)
		return 0;
	do
		words += 2;
	while (words < ARRAY_SIZE(mm->auxv) && mm->auxv[words - 2]);
	text_add(t, mm->auxv, words * sizeof(mm->auxv[0]));
	space_put(mm);
	return 0;
}

/* --- files that belong to one space --- */

/*
 * file->data is twice the number of the space (0: the process had none), and 1 if who opened it may
 * see the numbers of frames.
 */
static int memory_open(struct file *f)
{
	struct process *p = proc_node(f->inode)->process;
	struct mm *mm;

	if (!process_may_inspect(p))
		return -EACCES;
	mm = process_mm_get(p);
	f->data = (void *)((mm ? mm->id << 1 : 0) | cred_capable(cred_current(), CAP_SYS_ADMIN));
	if (mm)
		space_put(mm);
	return 0;
}

/* That space, counted, or NULL. */
static struct mm *memory_get(struct file *f)
{
	struct mm *mm = process_mm_get(proc_node(f->inode)->process);

	if (mm && mm->id != (u64)f->data >> 1) {
		space_put(mm);
		return NULL;
	}
	return mm;
}

/* As a debugger, for whom also stacks grow. */
#define MEM_ACCESS (SPACE_FORCE | SPACE_GROW)

static ssize mem_transfer(struct file *f, struct iter *it, u64 *pos, bool write)
{
	struct mm *mm = memory_get(f);
	char *page = mm ? kmalloc(PAGE_SIZE) : NULL;
	ssize done = 0;

	if (!mm)
		return 0;
	while (page && it->left) {
		size_t n = min(it->left, PAGE_SIZE - *pos % PAGE_SIZE);
		ssize got;

		if (write && iter_copy_from(it, page, n) != n) {
			done = done ? done : -EFAULT;
			break;
		}
		got = write ? space_write(mm, *pos, page, n, MEM_ACCESS)
			    : space_read(mm, *pos, page, n, MEM_ACCESS);
		if (got <= 0) {
			done = done ? done : got == -ENOMEM ? -ENOMEM : -EIO;
			break;
		}
		if (!write && iter_copy_to(it, page, (size_t)got) != (size_t)got) {
			done = done ? done : -EFAULT;
			break;
		}
		done += got;
		*pos += (u64)got;
		if ((size_t)got < n)
			break;
	}
	if (!page)
		done = -ENOMEM;
	kfree(page);
	space_put(mm);
	return done;
}

static ssize mem_read(struct file *f, struct iter *it, u64 *pos)
{
	return mem_transfer(f, it, pos, false);
}

static ssize mem_write(struct file *f, struct iter *it, u64 *pos)
{
	return mem_transfer(f, it, pos, true);
}

/* Positions are addresses: all 64 bits of them, and there is no end to count from. */
static s64 mem_seek(struct file *f, s64 offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	f->pos = (u64)offset + (whence == SEEK_CUR ? f->pos : 0);
	return (s64)f->pos;
}

static int mem_open(struct file *f)
{
	f->addresses = true;
	return memory_open(f);
}

const struct file_ops proc_mem_file_ops = {
	.open = mem_open, .read = mem_read, .write = mem_write, .seek = mem_seek
};

/* --- clear_refs --- */

#define CLEAR_SOFT_DIRTY 4 /* of no effect: no bit says that a page was written since */
#define CLEAR_PEAK 5

int proc_clear_refs_store(const char *text, const struct proc_node *n)
{
	s64 what;
	int err = proc_parse_number(text, &what);
	struct mm *mm;

	if (err)
		return err;
	if (what < FORGET_ALL || what > CLEAR_PEAK)
		return -EINVAL;
	if (proc_node_is_gone(n))
		return -ESRCH;
	mm = process_mm_get(n->process);
	if (!mm)
		return 0;
	if (what == CLEAR_PEAK)
		space_reset_peak(mm);
	else if (what != CLEAR_SOFT_DIRTY)
		space_forget_accesses(mm, (enum usage_forget)what);
	space_put(mm);
	return 0;
}

/* --- pagemap: 8 bytes for each page --- */

#define PAGEMAP_ENTRIES 64u

static ssize pagemap_read(struct file *f, struct iter *it, u64 *pos)
{
	struct mm *mm;
	u64 entries[PAGEMAP_ENTRIES];
	ssize done = 0;

	if (*pos % sizeof(u64) || it->left % sizeof(u64))
		return -EINVAL;
	mm = memory_get(f);
	if (!mm)
		return 0;
	while (it->left && *pos / sizeof(u64) < USER_END / PAGE_SIZE) {
		u64 first = *pos / sizeof(u64);
		u32 n = (u32)min(min(it->left / sizeof(u64), (u64)PAGEMAP_ENTRIES),
				 USER_END / PAGE_SIZE - first);

		space_page_info(mm, first * PAGE_SIZE, (u64)f->data & 1, entries, n);
		if (iter_copy_to(it, entries, n * sizeof(u64)) != n * sizeof(u64)) {
			done = done ? done : -EFAULT;
			break;
		}
		*pos += n * sizeof(u64);
		done += (ssize)(n * sizeof(u64));
		cpu_preempt_point();
	}
	space_put(mm);
	return done;
}

const struct file_ops proc_pagemap_file_ops = { .open = memory_open,
						.read = pagemap_read,
						.seek = file_seek_plain };
