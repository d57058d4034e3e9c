/*
 * memory_remote.c - system calls about another process's memory: process_vm_readv(2),
 * process_vm_writev(2), process_madvise(2).
 *
 * Bytes go through a kernel buffer, one space at a time (PROTOCOL rule 10).
 */
#include <asm/mman.h>
#include <linux/capability.h>
#include <linux/uio.h>

#include "mm/slab.h"
#include "mm/space.h"
#include "proc/calls.h"
#include "sys/syscall.h"

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

/* --- advice for another process --- */

/* What may be said of another's memory: nothing that changes what it reads (process_madvise(2)). */
static bool advice_is_harmless(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED ||
	       advice == MADV_COLLAPSE;
}

/* The space that a pidfd's process has, if the caller may advise on it: counted, or ERR_PTR. */
static struct mm *advised_space(int pidfd, int advice)
{
	struct process *p = pidfd_process(pidfd);
	struct mm *mm;

	if (IS_ERR(p))
		return ERR_PTR(PTR_ERR(p));
	mm = process_may_inspect(p) ? process_mm_get(p) : ERR_PTR(-EACCES);
	process_put(p);
	if (!mm)
		return ERR_PTR(-ESRCH);
	if (IS_ERR(mm) || mm == thread_current()->mm)
		return mm;
	int err = !advice_is_harmless(advice)                   ? -EINVAL
		  : !cred_capable(cred_current(), CAP_SYS_NICE) ? -EPERM
								: 0;
	if (!err)
		return mm;
	space_put(mm);
	return ERR_PTR(err);
}

/* Range after range, up to the first that fails: bytes advised on, or its error if it is the first. */
static s64 advise_parts(struct mm *mm, const struct vm_cursor *c, int advice)
{
	s64 total = 0;

	for (u64 i = 0; i < c->count; i++) {
		int err = space_advise(mm, (u64)c->parts[i].iov_base, c->parts[i].iov_len, advice);

		if (err)
			return total ? total : err;
		total += (s64)c->parts[i].iov_len;
	}
	return total;
}

SYSCALL5(process_madvise, int, pidfd, u64, ranges, u64, count, int, advice, u32, flags)
{
	struct vm_cursor c = { 0 };
	s64 r = flags ? -EINVAL : cursor_get(&c, ranges, count);

	if (!r) {
		struct mm *mm = advised_space(pidfd, advice);

		r = IS_ERR(mm) ? PTR_ERR(mm) : advise_parts(mm, &c, advice);
		if (!IS_ERR(mm))
			space_put(mm);
	}
	kfree(c.parts);
	return r;
}
