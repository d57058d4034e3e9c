/*
 * memory.c - mmap and its family: decoding and the checks that do not need the space's lock.
 * mm/map.c does the work.
 */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/uio.h>

#include "fs/eventfiles.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/calls.h"
#include "sys/syscall.h"

/* Flags that MAP_SHARED_VALIDATE knows. */
#define MAP_KNOWN                                                                                \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |  \
	 MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED)

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
	if (flags & MAP_LOCKED)
		a |= AREA_LOCKED;
	if (flags & MAP_NORESERVE)
		a |= AREA_NORESERVE;
	if (flags & MAP_STACK) /* stacks are large and little used */
		a |= AREA_NOHUGEPAGE;
	return a;
}

/* What the way the file was opened permits (mmap(2), EACCES). */
static int map_file_check(struct file *f, u32 flags, struct map_request *r)
{
	long seals = memfd_get_seals(f);

	if (!f->can_read)
		return -EACCES;
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return 0;
	r->flags |= AREA_SHARED;
	if (seals > 0 && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
		r->flags &= ~(u32)AREA_MAYWRITE;
		return r->flags & AREA_WRITE ? -EPERM : 0;
	}
	if (f->can_write)
		return 0;
	if (r->flags & AREA_WRITE)
		return -EACCES;
	r->flags &= ~(u32)AREA_MAYWRITE;
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

static s64 map_file(int fd, u32 flags, struct map_request *r)
{
	struct file *f = fd_file(fd);
	struct object *o;
	s64 at;
	int err;

	if (!f)
		return -EBADF;
	err = map_file_check(f, flags, r);
	if (err || flags & MAP_GROWSDOWN) {
		file_put(f);
		return err ? err : -EINVAL;
	}
	o = map_file_object(f, r);
	if (IS_ERR(o)) {
		file_put(f);
		return PTR_ERR(o);
	}
	/* No object: a private map of /dev/zero is anonymous memory. */
	r->object = o;
	if (o) {
		r->file = f;
		r->file_ops = &file_area_ops;
	}
	at = space_map(current_mm(), r);
	if (o)
		object_put(o);
	file_put(f);
	return at;
}

static s64 map_anonymous(u32 flags, struct map_request *r)
{
	if ((flags & MAP_TYPE) == MAP_SHARED) {
		if (flags & MAP_GROWSDOWN)
			return -EINVAL;
		r->flags |= AREA_SHARED;
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
		.below_4g = flags & MAP_32BIT,
		.populate = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ||
			    flags & MAP_LOCKED,
		.offset = offset,
	};

	if (offset % PAGE_SIZE || !length)
		return -EINVAL;
	if (length > USER_END)
		return -ENOMEM;
	if (offset + ROUND_UP(length, PAGE_SIZE) < offset)
		return -EOVERFLOW;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (r.fixed ? addr % PAGE_SIZE : false)
		return -EINVAL;
	/* There are no huge pages to be had. */
	if (flags & MAP_HUGETLB)
		return flags & MAP_ANONYMOUS ? -ENOMEM : -EINVAL;
	if (!r.fixed)
		r.addr = ROUND_DOWN(addr, PAGE_SIZE);
	if (flags & MAP_ANONYMOUS)
		return map_anonymous(flags, &r);
	if (type == MAP_SHARED_VALIDATE && flags & ~(u32)MAP_KNOWN)
		return -EOPNOTSUPP;
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
	if (addr % PAGE_SIZE || prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM |
					      PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!length)
		return 0;
	if (addr > USER_END || length > USER_END - addr)
		return -ENOMEM;
	return space_protect(current_mm(), addr, length, prot & AREA_PROT, prot & PROT_GROWSDOWN);
}

SYSCALL4(pkey_mprotect, u64, addr, u64, length, u32, prot, int, key)
{
	return key == -1 ? sys_mprotect(addr, length, prot) : -EINVAL;
}

SYSCALL5(mremap, u64, addr, u64, old_length, u64, new_length, u64, flags, u64, new_addr)
{
	if (flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (addr % PAGE_SIZE || !new_length)
		return -EINVAL;
	return space_remap(current_mm(), addr, old_length, new_length, (u32)flags, new_addr);
}

SYSCALL1(brk, u64, brk)
{
	return (long)space_brk(current_mm(), brk);
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

/* --- locking: nothing is ever swapped out, so locking means to fault in and to count --- */

/* May the caller lock [start, end) as well? 0, -EPERM or -ENOMEM, as mlock(2) says. */
static int lock_limit_check(u64 start, u64 end)
{
	struct mm *mm = current_mm();
	u64 limit = rlimit_get(RLIMIT_MEMLOCK), more;

	if (cred_capable(cred_current(), CAP_IPC_LOCK))
		return 0;
	if (!limit)
		return -EPERM;
	more = end - start - space_locked_bytes(mm, start, end);
	return space_locked_bytes(mm, 0, USER_END) + more > limit ? -ENOMEM : 0;
}

static long lock_range(u64 addr, u64 length, bool on)
{
	u64 start = ROUND_DOWN(addr, PAGE_SIZE), end = ROUND_UP(addr + length, PAGE_SIZE);
	int err;

	if (addr + length < addr || end < start)
		return -EINVAL;
	err = on ? lock_limit_check(start, end) : 0;
	if (err || start == end)
		return err;
	return space_lock(current_mm(), start, end - start, on);
}

SYSCALL2(mlock, u64, addr, u64, length)
{
	return lock_range(addr, length, true);
}

SYSCALL3(mlock2, u64, addr, u64, length, u32, flags)
{
	return flags & ~(u32)MLOCK_ONFAULT ? -EINVAL : lock_range(addr, length, true);
}

SYSCALL2(munlock, u64, addr, u64, length)
{
	return lock_range(addr, length, false);
}

SYSCALL1(mlockall, u32, flags)
{
	u64 limit = rlimit_get(RLIMIT_MEMLOCK);
	bool free = cred_capable(cred_current(), CAP_IPC_LOCK);

	if (!flags || flags & ~(u32)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	if (!limit && !free)
		return -EPERM;
	return flags & MCL_CURRENT && !free && space_vm_bytes(current_mm()) > limit ? -ENOMEM : 0;
}

SYSCALL0(munlockall)
{
	return 0;
}

/* --- another process's memory --- */

#define VM_IOV_MAX 1024u
#define VM_CHUNK PAGE_SIZE

/* A place in an array of user iovecs. */
struct vm_cursor {
	struct iovec *parts;
	u64 count, index, skip;
};

/* Bytes at the cursor in one part, at most max; *at gets their address. 0: the end. */
static u64 cursor_part(struct vm_cursor *c, u64 max, u64 *at)
{
	while (c->index < c->count && c->skip == c->parts[c->index].iov_len) {
		c->index++;
		c->skip = 0;
	}
	if (c->index == c->count)
		return 0;
	*at = (u64)c->parts[c->index].iov_base + c->skip;
	return min(max, c->parts[c->index].iov_len - c->skip);
}

static int cursor_get(struct vm_cursor *c, u64 user, u64 count)
{
	*c = (struct vm_cursor){ .count = count };
	if (count > VM_IOV_MAX)
		return -EINVAL;
	c->parts = kmalloc(count * sizeof(struct iovec) + 1);
	if (!c->parts)
		return -ENOMEM;
	if (copy_from_user(c->parts, (void __user *)user, count * sizeof(struct iovec)))
		return -EFAULT;
	for (u64 i = 0; i < count; i++) {
		if ((s64)c->parts[i].iov_len < 0)
			return -EINVAL;
	}
	return 0;
}

/* One chunk between the spaces, through buf: bytes done (0: the end), or -EFAULT. */
static s64 vm_copy_chunk(struct mm *mm, struct vm_cursor *local, struct vm_cursor *remote,
			 void *buf, bool write)
{
	u64 here, there, n = cursor_part(local, VM_CHUNK, &here);
	ssize done;

	n = n ? cursor_part(remote, n, &there) : 0;
	if (!n)
		return 0;
	if (write) {
		if (copy_from_user(buf, (void __user *)here, n))
			return -EFAULT;
		done = space_write(mm, there, buf, n, 0);
	} else {
		done = space_read(mm, there, buf, n, 0);
		if (done > 0 && copy_to_user((void __user *)here, buf, (size_t)done))
			return -EFAULT;
	}
	if (done <= 0)
		return done == -ENOMEM ? -ENOMEM : -EFAULT;
	local->skip += (u64)done;
	remote->skip += (u64)done;
	return done;
}

static s64 vm_copy(struct mm *mm, struct vm_cursor *local, struct vm_cursor *remote, bool write)
{
	void *buf = kmalloc(VM_CHUNK);
	s64 total = 0, n;

	if (!buf)
		return -ENOMEM;
	while ((n = vm_copy_chunk(mm, local, remote, buf, write)) > 0)
		total += n;
	kfree(buf);
	return total ? total : n;
}

static s64 vm_transfer(u32 pid, struct vm_cursor *local, struct vm_cursor *remote, bool write)
{
	struct process *p = process_find(pid);
	struct mm *mm;
	s64 r;

	if (!p)
		return -ESRCH;
	mm = process_may_inspect(p) ? process_mm_get(p) : ERR_PTR(-EPERM);
	process_put(p);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (!mm)
		return -ESRCH;
	r = vm_copy(mm, local, remote, write);
	space_put(mm);
	return r;
}

static s64 vm_call(u32 pid, u64 local_user, u64 nlocal, u64 remote_user, u64 nremote, u64 flags,
		   bool write)
{
	struct vm_cursor local = { 0 }, remote = { 0 };
	s64 r = flags ? -EINVAL : cursor_get(&local, local_user, nlocal);

	if (!r)
		r = cursor_get(&remote, remote_user, nremote);
	if (!r)
		r = vm_transfer(pid, &local, &remote, write);
	kfree(local.parts);
	kfree(remote.parts);
	return r;
}

SYSCALL6(process_vm_readv, u32, pid, u64, local, u64, nlocal, u64, remote, u64, nremote, u64, flags)
{
	return vm_call(pid, local, nlocal, remote, nremote, flags, false);
}

SYSCALL6(process_vm_writev, u32, pid, u64, local, u64, nlocal, u64, remote, u64, nremote, u64,
	 flags)
{
	return vm_call(pid, local, nlocal, remote, nremote, flags, true);
}
