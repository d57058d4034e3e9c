/*
 * memory.c - mmap and its family: decoding and the checks that do not need the space's lock.
 * mm/map.c does the work.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "fs/eventfiles.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/calls.h"
#include "proc/oom.h"
#include "sys/syscall.h"

#ifndef MAP_DROPPABLE /* Linux 6.11 */
#define MAP_DROPPABLE 0x08
#endif

/* Flags that MAP_SHARED_VALIDATE knows: also sizes of huge pages (the bits of these two). */
#define MAP_KNOWN                                                                                \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |  \
	 MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED | MAP_HUGE_2MB |      \
	 MAP_HUGE_1GB)

static struct mm *current_mm(void)
{
	return thread_current()->mm;
}

/* --- mmap --- */

static u32 area_flags(u32 prot, u32 flags)
{
	u32 a = (prot & AREA_PROT) | AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC;

	if (flags & MAP_GROWSDOWN)
		a |= AREA_GROWSDOWN;
	if (flags & MAP_NORESERVE)
		a |= AREA_NORESERVE;
	if (flags & MAP_STACK) /* stacks are large and little used */
		a |= AREA_NOHUGEPAGE;
	return a;
}

/* What the way the file was opened permits (mmap(2), EACCES). */
static int map_file_check(struct file *f, u32 flags, struct map_request *r)
{
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && flags & ~(u32)MAP_KNOWN)
		return -EOPNOTSUPP;
	if ((flags & MAP_TYPE) == MAP_DROPPABLE)
		return -EINVAL;
	if (!f->can_read)
		return -EACCES;
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return 0;
	r->flags |= AREA_SHARED;
	if (f->can_write)
		return f->ops->map_check ? f->ops->map_check(f, &r->flags) : 0;
	if (r->flags & AREA_WRITE)
		return -EACCES;
	r->flags &= ~(u32)AREA_MAYWRITE;
	r->flags |= AREA_READ_FILE;
	return 0;
}

/* The object that a map of the file shows: counted, or ERR_PTR. */
static struct object *map_file_object(struct file *f, struct map_request *r)
{
	if (f->ops->mmap)
		return f->ops->mmap(f, &r->offset, r->flags);
	if (!f->inode->object)
		return ERR_PTR(-ENODEV);
	object_get(f->inode->object);
	return f->inode->object;
}

/* r gets what is to be mapped of the file: 0, or an errno. r->object is counted then. */
static int map_file_prepare(struct file *f, u32 flags, struct map_request *r)
{
	int err = map_file_check(f, flags, r);
	struct object *o;

	if (err || flags & MAP_GROWSDOWN)
		return err ? err : -EINVAL;
	o = map_file_object(f, r);
	if (IS_ERR(o))
		return (int)PTR_ERR(o);
	/* No object: a private map of /dev/zero is anonymous memory. */
	r->object = o;
	if (o) {
		r->file = f;
		r->file_ops = &file_area_ops;
	}
	return 0;
}

static s64 map_opened(struct file *f, u32 flags, struct map_request *r)
{
	s64 at, err;

	memfd_map_begin(f);
	err = map_file_prepare(f, flags, r);
	/* That there is no place for it is found out first. */
	at = err ? space_place(current_mm(), r) : space_map(current_mm(), r);
	if (err && at >= 0)
		at = err;
	memfd_map_end(f);
	if (r->object)
		object_put(r->object);
	return at;
}

/*
 * Of huge pages, which are not to be had: without MAP_NORESERVE that is found out at once, but as on
 * Linux only after what was there has made room. A map that may be written to makes the file longer.
 */
static s64 map_huge(struct file *f, u32 flags, struct map_request *r)
{
	u64 huge = memfd_huge_size(f);
	s64 at;

	r->length = ROUND_UP(r->length, huge);
	r->flags |= AREA_HUGETLB | (huge > 2ull << 20 ? AREA_HUGETLB_GIB : 0);
	at = space_place(current_mm(), r);
	if (at < 0 || (flags & MAP_NORESERVE && r->offset % huge))
		return at < 0 ? at : -EINVAL;
	if (flags & MAP_NORESERVE) {
		at = map_opened(f, flags, r);
		if (at > 0 && r->flags & AREA_WRITE)
			object_grow(f->inode->object, r->offset + r->length);
		return at;
	}
	at = r->fixed ? space_unmap(current_mm(), r->addr, r->length) : 0;
	return at ? at : r->offset % huge ? -EINVAL : -ENOMEM;
}

static s64 map_file(int fd, u32 flags, struct map_request *r)
{
	struct file *f = fd_file(fd);
	s64 at;

	if (!f)
		return -EBADF;
	if (memfd_huge_size(f))
		at = map_huge(f, flags, r);
	else
		at = flags & MAP_HUGETLB ? -EINVAL : map_opened(f, flags, r);
	file_put(f);
	return at;
}

/* MAP_ANONYMOUS and MAP_HUGETLB: a file of its own, of one of the processor's two sizes. */
static s64 map_anonymous_huge(u32 flags, struct map_request *r)
{
	u32 size = flags & (MAP_HUGE_MASK << MAP_HUGE_SHIFT);
	struct file *f;
	s64 at;

	if ((flags & MAP_TYPE) == MAP_DROPPABLE ||
	    (size && size != MAP_HUGE_2MB && size != MAP_HUGE_1GB))
		return -EINVAL;
	f = memfd_create_huge("/anon_hugepage", 0777, O_RDWR, F_SEAL_SEAL,
			      size == MAP_HUGE_1GB ? 1ull << 30 : 2ull << 20);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r->offset = 0;
	at = map_huge(f, flags, r);
	file_put(f);
	return at;
}

static s64 map_anonymous(u32 flags, struct map_request *r)
{
	if ((flags & MAP_TYPE) == MAP_SHARED) {
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		r->flags |= AREA_SHARED;
	} else if ((flags & MAP_TYPE) == MAP_DROPPABLE) {
		if (flags & (MAP_GROWSDOWN | MAP_LOCKED))
			return -EINVAL;
		/* What may be gone at any time is not promised, inherited or dumped. */
		r->flags |= AREA_DROPPABLE | AREA_NORESERVE | AREA_WIPEONFORK | AREA_DONTDUMP;
	} else if ((flags & MAP_TYPE) != MAP_PRIVATE) {
		return -EINVAL;
	}
	r->offset = 0;
	return space_map(current_mm(), r);
}

SYSCALL6(mmap, u64, addr, u64, length, u32, prot, u32, flags, int, fd, u64, offset)
{
	u32 type = flags & MAP_TYPE;
	struct map_request r = {
		.addr = addr,
		.length = length,
		.flags = area_flags(prot, flags),
		.fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE),
		.noreplace = flags & MAP_FIXED_NOREPLACE,
		.below_2g = flags & MAP_32BIT,
		.populate = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE,
		.lock = flags & MAP_LOCKED,
		.offset = offset,
	};

	if (offset % PAGE_SIZE || !length)
		return -EINVAL;
	if (length > USER_END)
		return -ENOMEM;
	if (offset + ROUND_UP(length, PAGE_SIZE) < offset)
		return -EOVERFLOW;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE &&
	    type != MAP_DROPPABLE)
		return -EINVAL;
	if (r.fixed ? addr % PAGE_SIZE : false)
		return -EINVAL;
	if (!r.fixed)
		r.addr = ROUND_DOWN(addr, PAGE_SIZE);
	if (flags & MAP_ANONYMOUS)
		return flags & MAP_HUGETLB ? map_anonymous_huge(flags, &r)
					   : map_anonymous(flags, &r);
	return map_file(fd, flags, &r);
}

SYSCALL2(munmap, u64, addr, u64, length)
{
	if (addr % PAGE_SIZE || !length || addr > USER_END || length > USER_END - addr)
		return -EINVAL;
	return space_unmap(current_mm(), addr, length);
}

SYSCALL3(mprotect, u64, addr, u64, length, u32, prot)
{
	const u32 grows = PROT_GROWSDOWN | PROT_GROWSUP;

	if ((prot & grows) == grows || addr % PAGE_SIZE)
		return -EINVAL;
	if (!length)
		return 0;
	if (addr + ROUND_UP(length, PAGE_SIZE) <= addr)
		return -ENOMEM;
	if (prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | grows))
		return -EINVAL;
	return space_protect(current_mm(), addr, length, prot & AREA_PROT, prot & grows);
}

/* --- protection keys: the processor's are not in use, so there are none to be had --- */

SYSCALL4(pkey_mprotect, u64, addr, u64, length, u32, prot, int, key)
{
	return key == -1 ? sys_mprotect(addr, length, prot) : -EINVAL;
}

SYSCALL2(pkey_alloc, u64, flags, u64, rights)
{
	return -EINVAL;
}

SYSCALL1(pkey_free, int, key)
{
	return -EINVAL;
}

SYSCALL5(mremap, u64, addr, u64, old_length, u64, new_length, u64, flags, u64, new_addr)
{
	if (flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	return space_remap(current_mm(), addr, old_length, new_length, (u32)flags, new_addr);
}

SYSCALL5(remap_file_pages, u64, addr, u64, length, u64, prot, u64, page, u64, flags)
{
	if (prot)
		return -EINVAL;
	return space_remap_file(current_mm(), addr, length, page, !(flags & MAP_NONBLOCK));
}

SYSCALL3(mseal, u64, addr, u64, length, u64, flags)
{
	return flags ? -EINVAL : space_seal(current_mm(), addr, length);
}

SYSCALL1(brk, u64, brk)
{
	u64 shortages, now;

	/* A failure is no errno here, so the table of calls does not see it. */
	do {
		shortages = shortage_current()->count;
		now = space_brk(current_mm(), brk);
	} while (unlikely(brk && now != brk) && oom_retry(shortages));
	return (long)now;
}

SYSCALL3(madvise, u64, addr, u64, length, int, advice)
{
	if (addr % PAGE_SIZE || addr + ROUND_UP(length, PAGE_SIZE) < addr)
		return -EINVAL;
	return space_advise(current_mm(), addr, length, advice);
}

SYSCALL3(msync, u64, addr, u64, length, int, flags)
{
	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr % PAGE_SIZE ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (addr + ROUND_UP(length, PAGE_SIZE) < addr)
		return -ENOMEM;
	return length ? space_sync(current_mm(), addr, length, flags) : 0;
}

#define MINCORE_PART 512u

SYSCALL3(mincore, u64, addr, u64, length, u8 __user *, out)
{
	u64 pages = DIV_ROUND_UP(length, PAGE_SIZE);
	u8 part[MINCORE_PART];

	if (addr % PAGE_SIZE)
		return -EINVAL;
	if (addr > USER_END || length > USER_END - addr)
		return -ENOMEM;
	for (u64 done = 0; done < pages;) {
		u64 n = min(pages - done, (u64)MINCORE_PART);
		int err = space_residency(current_mm(), addr + done * PAGE_SIZE, n, part);

		if (err)
			return err;
		if (copy_to_user(out + done, part, n))
			return -EFAULT;
		done += n;
	}
	return 0;
}

/* --- locking --- */

static u32 lock_flags(bool on_fault)
{
	return AREA_LOCKED | (on_fault ? AREA_LOCKONFAULT : 0);
}

SYSCALL2(mlock, u64, addr, u64, length)
{
	return space_lock(current_mm(), addr, length, lock_flags(false));
}

SYSCALL3(mlock2, u64, addr, u64, length, u32, flags)
{
	if (flags & ~(u32)MLOCK_ONFAULT)
		return -EINVAL;
	return space_lock(current_mm(), addr, length, lock_flags(flags & MLOCK_ONFAULT));
}

SYSCALL2(munlock, u64, addr, u64, length)
{
	return space_lock(current_mm(), addr, length, 0);
}

SYSCALL1(mlockall, u32, flags)
{
	u32 set = lock_flags(flags & MCL_ONFAULT);

	if (!flags || flags & ~(u32)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	return space_lock_all(current_mm(), flags & MCL_CURRENT, flags & MCL_CURRENT ? set : 0,
			      flags & MCL_FUTURE ? set : 0);
}

SYSCALL0(munlockall)
{
	return space_lock_all(current_mm(), true, 0, 0);
}
