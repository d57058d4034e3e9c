/*
 * file_data.c - the bytes of regular files: read(2) and write(2) through the pages of the inode's
 * object.
 *
 * The rule: user memory is copied straight from or to cache pages, which are held but not locked,
 * so a fault in the middle of a copy may bring in any page. Readers take no lock; a writer holds
 * the inode's. A write makes the file longer only after its bytes are there, page by page. Next:
 * mm/object.h.
 */
#include <asm/fcntl.h>
#include <asm/resource.h>

#include "fs/iter.h"
#include "fs/vfs_priv.h"
#include "proc/proc.h"

#define PREEMPT_BYTES 0xffffull /* between preemption points, a mask */
#define ATIME_MAX_AGE 86400     /* seconds: as Linux's relatime */

static bool time_before(struct timespec_ns a, struct timespec_ns b)
{
	return a.sec != b.sec ? a.sec < b.sec : a.nsec < b.nsec;
}

/*
 * relatime: the time of access is kept when it would say that nobody read since the last change,
 * or is a day old.
 */
static void file_accessed(struct file *f)
{
	struct inode *i = f->inode;
	struct timespec_ns now;

	if (f->flags & O_NOATIME || path_readonly(&f->path))
		return;
	now = time_now();
	if (time_before(i->mtime, i->atime) && time_before(i->ctime, i->atime) &&
	    now.sec - i->atime.sec < ATIME_MAX_AGE)
		return;
	if (!mutex_trylock(&i->lock))
		return; /* somebody changes it just now */
	i->atime = now;
	mutex_unlock(&i->lock);
}

/*
 * n bytes of one page to the reader, who wants `more` bytes in all: bytes done, fewer at a bad
 * address, or negative errno.
 */
static ssize read_page(struct file *f, struct iter *it, u64 pos, u64 n, u64 more)
{
	struct object *o = f->inode->object;
	u64 index = pos >> PAGE_SHIFT;
	struct page *p;
	size_t copied;

	if (object_is_hole(o, index))
		return (ssize)iter_zero(it, n);
	p = file_page(f, index, DIV_ROUND_UP((pos & ~PAGE_MASK) + more, PAGE_SIZE));
	if (IS_ERR(p))
		return PTR_ERR(p);
	copied = iter_copy_to(it, (u8 *)frame_data(p) + (pos & ~PAGE_MASK), n);
	page_put(p);
	return (ssize)copied;
}

ssize file_read_object(struct file *f, struct iter *it, u64 *pos)
{
	struct object *o = f->inode->object;
	ssize done = 0;
	int err = 0;

	while (it->left) {
		u64 size = load_acquire(&o->size), n;
		ssize copied;

		if (*pos >= size)
			break;
		n = min(min(it->left, size - *pos), PAGE_SIZE - (*pos & ~PAGE_MASK));
		copied = read_page(f, it, *pos, n, min(it->left, size - *pos));
		if (copied < 0) {
			err = (int)copied;
			break;
		}
		*pos += (u64)copied;
		done += copied;
		if ((u64)copied < n) {
			err = -EFAULT;
			break;
		}
		if ((*pos & PREEMPT_BYTES) == 0)
			cpu_preempt_point();
	}
	/* The page was truncated away under us: the end of the file. */
	if (err == -EFAULT && *pos >= load_acquire(&o->size))
		err = 0;
	if (done || !err)
		file_accessed(f);
	return done ? done : err;
}

/* Cut the write off at RLIMIT_FSIZE and at the largest offset; -EFBIG if nothing is left. */
static int write_limit(struct iter *it, u64 pos)
{
	u64 limit = min(rlimit_get(RLIMIT_FSIZE), (u64)INT64_MAX);

	if (pos >= limit)
		return -EFBIG;
	it->left = min(it->left, limit - pos);
	return 0;
}

/*
 * Inode locked. Bytes written, or an errno if none. A copy that stops at a bad address is tried again from
 * there: by what was written the file may have come to reach as far as the page that was missing, as
 * on Linux.
 */
static ssize write_pages(struct object *o, struct iter *it, u64 *pos)
{
	ssize done = 0;

	while (it->left) {
		u64 offset = *pos & ~PAGE_MASK, n = min(it->left, PAGE_SIZE - offset);
		/* A copy from a user may stop in the middle: then the page's other bytes count. */
		struct page *p =
			object_page_write(o, *pos >> PAGE_SHIFT, n == PAGE_SIZE && !it->user);
		size_t copied;

		if (IS_ERR(p))
			return done ? done : PTR_ERR(p);
		copied = iter_copy_from(it, (u8 *)frame_data(p) + offset, n);
		if (copied)
			object_page_dirty(o, p);
		page_put(p);
		*pos += copied;
		done += (ssize)copied;
		object_grow(o, done ? *pos : 0);
		if (!copied)
			return done ? done : -EFAULT;
		if ((*pos & PREEMPT_BYTES) == 0)
			cpu_preempt_point();
	}
	return done;
}

ssize file_write_object(struct file *f, struct iter *it, u64 *pos)
{
	struct inode *i = f->inode;
	ssize done;

	if (it->left == 0)
		return 0;
	mutex_lock(&i->lock);
	if (f->flags & O_APPEND)
		*pos = i->object->size;
	done = write_limit(it, *pos);
	if (!done) {
		inode_drop_privileges(i);
		done = write_pages(i->object, it, pos);
		if (done > 0)
			i->mtime = i->ctime = time_now();
	}
	mutex_unlock(&i->lock);
	return done;
}
