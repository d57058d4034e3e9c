/*
 * devfs.c - /dev: a tmpfs with the usual nodes in it, and the memory devices (null, zero, full,
 * random, kmsg).
 */
#include <asm-generic/fcntl.h>
#include <linux/major.h>
#include <linux/stat.h>

#include "dev/device.h"
#include "fs/blockdev.h"
#include "fs/filesystems.h"
#include "fs/iter.h"
#include "fs/memfs.h"
#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/area.h"
#include "mm/shmem.h"
#include "mm/slab.h"
#include "proc/proc.h"

enum memory_minor {
	MINOR_MEM = 1,
	MINOR_NULL = 3,
	MINOR_ZERO = 5,
	MINOR_FULL = 7,
	MINOR_RANDOM = 8,
	MINOR_URANDOM = 9,
	MINOR_KMSG = 11,
};

/* --- null, zero, full --- */

static ssize read_nothing(struct file *f, struct iter *it, u64 *pos)
{
	return 0;
}

static ssize write_all(struct file *f, struct iter *it, u64 *pos)
{
	return (ssize)it->left;
}

static ssize write_full(struct file *f, struct iter *it, u64 *pos)
{
	return it->left ? -ENOSPC : 0;
}

static ssize read_zeros(struct file *f, struct iter *it, u64 *pos)
{
	u64 wanted = it->left;
	ssize done = 0;

	while (it->left) {
		size_t n = min(it->left, (u64)PAGE_SIZE * 16);
		size_t got = iter_zero(it, n);

		done += got;
		if (got < n)
			break;
		if (thread_interrupted())
			break;
		cpu_preempt_point();
	}
	return done || !wanted ? done : -EFAULT;
}

/* Memory of its own that begins as zeros: shared, or (no object) private. */
static struct object *map_zeros(struct file *f, u64 *offset, u32 area_flags)
{
	struct object *o;

	if (!(area_flags & AREA_SHARED))
		return NULL;
	o = shmem_create(BIT(62), false);
	return o ? o : ERR_PTR(-ENOMEM);
}

static const struct file_ops null_ops = { .read = read_nothing,
					  .write = write_all,
					  .seek = file_seek_nowhere };
static const struct file_ops zero_ops = {
	.read = read_zeros, .write = write_all, .seek = file_seek_nowhere, .mmap = map_zeros
};
static const struct file_ops full_ops = { .read = read_zeros,
					  .write = write_full,
					  .seek = file_seek_nowhere };

/* --- random --- */

static ssize read_random(struct file *f, struct iter *it, u64 *pos)
{
	u8 buf[256];
	ssize done = 0;

	while (it->left) {
		size_t n = min(it->left, sizeof(buf));

		random_bytes(buf, n);
		if (iter_copy_to(it, buf, n) != n)
			return done ? done : -EFAULT;
		done += n;
		if (thread_interrupted())
			break;
		cpu_preempt_point();
	}
	memset(buf, 0, sizeof(buf));
	return done;
}

static const struct file_ops random_ops = { .read = read_random,
					    .write = write_all,
					    .seek = file_seek_nowhere };

/* --- kmsg: a record for each line of the kernel log, from the beginning --- */

static ssize kmsg_read(struct file *f, struct iter *it, u64 *pos)
{
	size_t n = min(it->left, (u64)PAGE_SIZE);
	char *buf = kmalloc(n ? n : 1);
	u64 at;
	ssize got;

	if (!buf)
		return -ENOMEM;
	mutex_lock(&f->pos_lock);
	at = f->pos;
	got = (ssize)log_read(&at, buf, n);
	if (got && iter_copy_to(it, buf, got) != (size_t)got)
		got = -EFAULT;
	else
		f->pos = at;
	mutex_unlock(&f->pos_lock);
	kfree(buf);
	return got || !n ? got : -EAGAIN; /* nobody waits for the kernel to say more */
}

static ssize kmsg_write(struct file *f, struct iter *it, u64 *pos)
{
	char line[256];
	size_t n = iter_copy_from(it, line, min(it->left, sizeof(line) - 1));
	ssize all = (ssize)(n + it->left);

	if (!n)
		return all ? -EFAULT : 0;
	line[n] = 0;
	if (line[n - 1] == '\n')
		line[n - 1] = 0;
	log_info("%s[%u]: %s", thread_current()->name, process_current()->pid, line);
	return all;
}

static int kmsg_open(struct file *f)
{
	f->stream = true;
	return 0;
}

static const struct file_ops kmsg_ops = { .open = kmsg_open,
					  .read = kmsg_read,
					  .write = kmsg_write };

/* --- mem: physical memory is nobody's business --- */

static int mem_open(struct file *f)
{
	return -EPERM;
}

static const struct file_ops mem_ops = { .open = mem_open };

/* --- the tree --- */

static const struct devfs_node {
	const char *path;
	u32 mode;
	u32 major, minor;
	const char *target;
} nodes[] = {
	{ "null", S_IFCHR | 0666, MEM_MAJOR, MINOR_NULL },
	{ "zero", S_IFCHR | 0666, MEM_MAJOR, MINOR_ZERO },
	{ "full", S_IFCHR | 0666, MEM_MAJOR, MINOR_FULL },
	{ "random", S_IFCHR | 0666, MEM_MAJOR, MINOR_RANDOM },
	{ "urandom", S_IFCHR | 0666, MEM_MAJOR, MINOR_URANDOM },
	{ "kmsg", S_IFCHR | 0644, MEM_MAJOR, MINOR_KMSG },
	{ "mem", S_IFCHR | 0640, MEM_MAJOR, MINOR_MEM },
	{ "tty", S_IFCHR | 0666, TTYAUX_MAJOR, 0 },
	/* The console is the program's own terminal, whoever runs it. */
	{ "console", S_IFCHR | 0666, TTYAUX_MAJOR, 1 },
	{ "ptmx", S_IFCHR | 0666, TTYAUX_MAJOR, 2 },
	{ "fd", S_IFLNK | 0777, 0, 0, "/proc/self/fd" },
	{ "stdin", S_IFLNK | 0777, 0, 0, "/proc/self/fd/0" },
	{ "stdout", S_IFLNK | 0777, 0, 0, "/proc/self/fd/1" },
	{ "stderr", S_IFLNK | 0777, 0, 0, "/proc/self/fd/2" },
	{ "pts", S_IFDIR | 0755 },
	{ "shm", S_IFDIR | S_ISVTX | 0777 },
};

static const struct {
	u32 minor;
	const struct file_ops *ops;
} memory_devices[] = {
	{ MINOR_MEM, &mem_ops },   { MINOR_NULL, &null_ops },     { MINOR_ZERO, &zero_ops },
	{ MINOR_FULL, &full_ops }, { MINOR_RANDOM, &random_ops }, { MINOR_URANDOM, &random_ops },
	{ MINOR_KMSG, &kmsg_ops },
};

struct super *devfs_new(void)
{
	struct super *s = memfs_new(0755, 0);

	if (!s)
		return NULL;
	s->type_name = "devtmpfs";
	for (u32 i = 0; i < ARRAY_SIZE(memory_devices); i++)
		chardev_register(MEM_MAJOR, memory_devices[i].minor, 1, memory_devices[i].ops);
	chardev_register(TTYAUX_MAJOR, 0, 1, &current_tty_file_ops);
	for (u32 i = 0; i < ARRAY_SIZE(nodes); i++) {
		const struct devfs_node *n = &nodes[i];

		if (memfs_add(s, n->path, n->mode, DEVICE_NUMBER(n->major, n->minor), n->target))
			return NULL;
	}
	return blockdev_init(s) ? NULL : s;
}
