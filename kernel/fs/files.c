/*
 * files.c - tables of open files: what a descriptor number means in a process.
 *
 * A slot is one word: the address of the struct file, with bit 0 for close-on-exec. fork copies
 * the words and takes a reference on each; a lookup takes the table's lock for a load and an
 * increment. A table that outgrows its slots gets new ones and publishes them under the lock.
 */
#include <asm/fcntl.h>
#include <asm/resource.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/unix.h"
#include "proc/proc.h"

#define SLOT_CLOEXEC 1ull
#define FIRST_CAPACITY 64u          /* slots in the table itself */
#define LARGEST_CAPACITY (1u << 20) /* whatever RLIMIT_NOFILE says, as Linux's fs.nr_open */

struct files {
	struct refcount refs;
	struct spinlock lock; /* RANK_FILES: guards F */
	u32 capacity;         /* F */
	u32 lowest;           /* F: no slot below is free */
	u32 end;              /* F: no slot from here on is in use */
	u64 *slots;           /* F: file | SLOT_CLOEXEC; 0: free */
	u64 first[FIRST_CAPACITY];
};

static struct file *slot_file(u64 slot)
{
	return (struct file *)(slot & ~SLOT_CLOEXEC);
}

struct files *files_new(void)
{
	struct files *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->refs);
	spin_init(&t->lock, RANK_FILES);
	t->capacity = FIRST_CAPACITY;
	t->slots = t->first;
	return t;
}

void files_get(struct files *t)
{
	ref_get(&t->refs);
}

static void files_free(struct files *t)
{
	if (t->slots != t->first)
		kfree(t->slots);
	kfree(t);
}

/* A file left slot of t: what close(2) does beside giving up the reference. */
static void file_close(struct file *f, struct files *t)
{
	if (f->inode->locks)
		locks_descriptor_closed(f, t);
	file_put(f);
}

void files_put(struct files *t)
{
	if (!ref_put(&t->refs))
		return;
	for (u32 fd = 0; fd < t->end; fd++)
		if (t->slots[fd])
			file_close(slot_file(t->slots[fd]), t);
	files_free(t);
	unix_collect(); /* no socket was released if all of them are in messages */
}

/* Make room for descriptor fd. May drop and retake the lock. 0, -EMFILE or -ENOMEM. */
static int files_grow(struct files *t, u32 fd)
{
	while (fd >= t->capacity) {
		u32 capacity = t->capacity;
		u64 *slots;

		if (fd >= LARGEST_CAPACITY)
			return -EMFILE;
		while (capacity <= fd)
			capacity *= 2;
		spin_unlock(&t->lock);
		slots = kzalloc(capacity * sizeof(*slots));
		spin_lock(&t->lock);
		if (!slots)
			return -ENOMEM;
		if (capacity <= t->capacity) {
			kfree(slots);
			continue;
		}
		memcpy(slots, t->slots, t->capacity * sizeof(*slots));
		if (t->slots != t->first)
			kfree(t->slots);
		t->slots = slots;
		t->capacity = capacity;
	}
	return 0;
}

/* Slots of t up to the last in use. Locked. */
static u32 files_used(struct files *t)
{
	while (t->end > 0 && !t->slots[t->end - 1])
		t->end--;
	return t->end;
}

/* Slot fd, which there is, gets a file. Locked. */
static void slot_set(struct files *t, u32 fd, struct file *f, bool cloexec)
{
	t->slots[fd] = (u64)f | (cloexec ? SLOT_CLOEXEC : 0);
	t->end = max(t->end, fd + 1);
}

struct files *files_copy(struct files *old)
{
	struct files *t = files_new();
	u32 used;

	if (!t)
		return NULL;
	spin_lock(&old->lock);
	while ((used = files_used(old)) > t->capacity) {
		spin_unlock(&old->lock);
		spin_lock(&t->lock);
		if (files_grow(t, used - 1)) {
			spin_unlock(&t->lock);
			files_free(t);
			return NULL;
		}
		spin_unlock(&t->lock);
		spin_lock(&old->lock);
	}
	memcpy(t->slots, old->slots, used * sizeof(*t->slots));
	for (u32 fd = 0; fd < used; fd++)
		if (t->slots[fd])
			file_get(slot_file(t->slots[fd]));
	t->lowest = old->lowest;
	t->end = used;
	spin_unlock(&old->lock);
	return t;
}

u32 files_capacity(struct files *t)
{
	return load_relaxed(&t->capacity);
}

struct file *files_file(struct files *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->capacity) {
		f = slot_file(t->slots[fd]);
		if (f)
			file_get(f);
	}
	spin_unlock(&t->lock);
	return f;
}

struct file *fd_file_any(int fd)
{
	return files_file(process_current()->files, (u32)fd);
}

struct file *fd_file(int fd)
{
	struct file *f = fd_file_any(fd);

	if (f && unlikely(f->flags & O_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

/* First free descriptor from `from` on, maybe beyond the capacity. Locked. */
static u32 files_lowest_free(const struct files *t, u32 from)
{
	u32 fd = max(from, t->lowest);

	while (fd < t->capacity && t->slots[fd])
		fd++;
	return fd;
}

int fd_install(struct file *f, u32 lowest, bool cloexec)
{
	struct files *t = process_current()->files;
	u64 limit = rlimit_get(RLIMIT_NOFILE);
	int result;
	u32 fd;

	spin_lock(&t->lock);
	do {
		fd = files_lowest_free(t, lowest);
		result = fd >= limit ? -EMFILE : files_grow(t, fd);
	} while (!result && t->slots[fd]); /* the lock was dropped to grow */
	if (!result) {
		slot_set(t, fd, f, cloexec);
		if (lowest <= t->lowest)
			t->lowest = fd + 1;
		result = (int)fd;
	}
	spin_unlock(&t->lock);
	return result;
}

int fd_check_free(void)
{
	struct files *t = process_current()->files;
	u32 fd;

	spin_lock(&t->lock);
	fd = files_lowest_free(t, 0);
	spin_unlock(&t->lock);
	return fd >= min(rlimit_get(RLIMIT_NOFILE), (u64)LARGEST_CAPACITY) ? -EMFILE : 0;
}

int fd_replace(int fd, struct file *f, bool cloexec)
{
	struct files *t = process_current()->files;
	struct file *old = NULL;
	int result;

	if ((u32)fd >= rlimit_get(RLIMIT_NOFILE))
		return -EBADF;
	spin_lock(&t->lock);
	result = files_grow(t, (u32)fd);
	if (!result) {
		old = slot_file(t->slots[fd]);
		slot_set(t, fd, f, cloexec);
		result = fd;
	}
	spin_unlock(&t->lock);
	if (old)
		file_close(old, t);
	return result == -EMFILE ? -EBADF : result;
}

/* Take the file out of slot fd of t: the slot's reference, or NULL. */
static struct file *files_take(struct files *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->capacity) {
		f = slot_file(t->slots[fd]);
		t->slots[fd] = 0;
		t->lowest = min(t->lowest, fd);
	}
	spin_unlock(&t->lock);
	return f;
}

int fd_close(int fd)
{
	struct files *t = process_current()->files;
	struct file *f = files_take(t, (u32)fd);

	if (!f)
		return -EBADF;
	file_close(f, t);
	return 0;
}

int fd_close_range(u32 first, u32 last)
{
	struct files *t = process_current()->files;

	for (u32 fd = first; fd <= last && fd < load_relaxed(&t->capacity); fd++) {
		struct file *f = files_take(t, fd);

		if (f)
			file_close(f, t);
	}
	return 0;
}

int fd_set_cloexec_range(u32 first, u32 last)
{
	struct files *t = process_current()->files;

	spin_lock(&t->lock);
	for (u32 fd = first; fd <= last && fd < t->capacity; fd++)
		if (t->slots[fd])
			t->slots[fd] |= SLOT_CLOEXEC;
	spin_unlock(&t->lock);
	return 0;
}

int fd_get_cloexec(int fd)
{
	struct files *t = process_current()->files;
	int result = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->capacity && t->slots[fd])
		result = t->slots[fd] & SLOT_CLOEXEC ? 1 : 0;
	spin_unlock(&t->lock);
	return result;
}

int fd_set_cloexec(int fd, bool on)
{
	struct files *t = process_current()->files;
	int result = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->capacity && t->slots[fd]) {
		t->slots[fd] = (t->slots[fd] & ~SLOT_CLOEXEC) | (on ? SLOT_CLOEXEC : 0);
		result = 0;
	}
	spin_unlock(&t->lock);
	return result;
}

void files_close_on_exec(struct files *t)
{
	struct file *f;
	u32 fd = 0;

	do {
		f = NULL;
		spin_lock(&t->lock);
		while (fd < t->end && !(t->slots[fd] & SLOT_CLOEXEC))
			fd++;
		if (fd < t->end) {
			f = slot_file(t->slots[fd]);
			t->slots[fd] = 0;
			t->lowest = min(t->lowest, fd);
		}
		spin_unlock(&t->lock);
		if (f)
			file_close(f, t);
	} while (f);
}

int files_for_each(struct files *t, int (*fn)(u32 fd, struct file *f, bool cloexec, void *arg),
		   void *arg)
{
	int result = 0;

	for (u32 fd = 0; !result; fd++) {
		u64 slot = 0;

		spin_lock(&t->lock);
		while (fd < t->capacity && !slot) {
			slot = t->slots[fd];
			fd += !slot;
		}
		if (slot)
			file_get(slot_file(slot));
		spin_unlock(&t->lock);
		if (!slot)
			break;
		result = fn(fd, slot_file(slot), slot & SLOT_CLOEXEC, arg);
		file_put(slot_file(slot));
	}
	return result;
}

int files_unshare(struct process *p)
{
	struct files *old = p->files, *t;

	if (load_acquire(&old->refs.n) == 1)
		return 0;
	t = files_copy(old);
	if (!t)
		return -ENOMEM;
	spin_lock(&p->lock);
	p->files = t;
	spin_unlock(&p->lock);
	files_put(old);
	return 0;
}
