/* cred.c - system calls about user and group ids and capabilities. */
#include <linux/capability.h>

#include "lib/string.h"
#include "proc/calls.h"
#include "sys/syscall.h"

SYSCALL0(getuid)
{
	return cred_current()->uid;
}

SYSCALL0(geteuid)
{
	return cred_current()->euid;
}

SYSCALL0(getgid)
{
	return cred_current()->gid;
}

SYSCALL0(getegid)
{
	return cred_current()->egid;
}

SYSCALL3(getresuid, u32 __user *, ruid, u32 __user *, euid, u32 __user *, suid)
{
	const struct cred *c = cred_current();

	return put_user(c->uid, ruid) || put_user(c->euid, euid) || put_user(c->suid, suid)
		       ? -EFAULT
		       : 0;
}

SYSCALL3(getresgid, u32 __user *, rgid, u32 __user *, egid, u32 __user *, sgid)
{
	const struct cred *c = cred_current();

	return put_user(c->gid, rgid) || put_user(c->egid, egid) || put_user(c->sgid, sgid)
		       ? -EFAULT
		       : 0;
}

SYSCALL1(setuid, u32, uid)
{
	return cred_setuid(uid);
}

SYSCALL1(setgid, u32, gid)
{
	return cred_setgid(gid);
}

SYSCALL2(setreuid, u32, ruid, u32, euid)
{
	return cred_setreuid(ruid, euid);
}

SYSCALL2(setregid, u32, rgid, u32, egid)
{
	return cred_setregid(rgid, egid);
}

SYSCALL3(setresuid, u32, ruid, u32, euid, u32, suid)
{
	return cred_set_uids(ruid, euid, suid);
}

SYSCALL3(setresgid, u32, rgid, u32, egid, u32, sgid)
{
	return cred_set_gids(rgid, egid, sgid);
}

SYSCALL1(setfsuid, u32, uid)
{
	return cred_setfsuid(uid);
}

SYSCALL1(setfsgid, u32, gid)
{
	return cred_setfsgid(gid);
}

SYSCALL2(getgroups, int, size, u32 __user *, list)
{
	const struct cred *c = cred_current();

	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	return copy_to_user(list, c->groups, c->ngroups * sizeof(u32)) ? -EFAULT : (long)c->ngroups;
}

SYSCALL2(setgroups, int, size, const u32 __user *, list)
{
	u32 groups[NGROUPS_KEPT];

	if (!cred_capable(cred_current(), CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_KEPT)
		return -EINVAL;
	if (copy_from_user(groups, list, (size_t)size * sizeof(u32)))
		return -EFAULT;
	return cred_setgroups(groups, (u32)size);
}

/* --- capabilities --- */

/*
 * How many 32-bit words of each set the caller's version has; an unknown one gets the preferred one
 * told (capget(2)).
 */
static int capability_words(struct __user_cap_header_struct __user *user,
			    struct __user_cap_header_struct *h, bool probing)
{
	if (copy_from_user(h, user, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return _LINUX_CAPABILITY_U32S_1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return _LINUX_CAPABILITY_U32S_3;
	}
	if (put_user((u32)_LINUX_CAPABILITY_VERSION_3, &user->version))
		return -EFAULT;
	return probing ? 0 : -EINVAL;
}

SYSCALL2(capget, struct __user_cap_header_struct __user *, header,
	 struct __user_cap_data_struct __user *, data)
{
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct h;
	int words = capability_words(header, &h, !data);
	struct process *p;
	struct cred *c;

	if (words < 0 || !data)
		return min(words, 0);
	if (h.pid < 0)
		return -EINVAL;
	p = process_find(h.pid ? (u32)h.pid : process_current()->pid);
	if (!p)
		return -ESRCH;
	c = process_cred_get(p);
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		d[i].effective = (u32)(c->cap_effective >> 32 * i);
		d[i].permitted = (u32)(c->cap_permitted >> 32 * i);
		d[i].inheritable = (u32)(c->cap_inheritable >> 32 * i);
	}
	cred_put(c);
	process_put(p);
	return copy_to_user(data, d, (size_t)words * sizeof(d[0])) ? -EFAULT : 0;
}

SYSCALL2(capset, struct __user_cap_header_struct __user *, header,
	 const struct __user_cap_data_struct __user *, data)
{
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct h;
	int words = capability_words(header, &h, false);
	u64 effective, permitted, inheritable;

	if (words < 0)
		return words;
	if (h.pid && (u32)h.pid != process_current()->pid && (u32)h.pid != thread_current()->tid)
		return -EPERM;
	memset(d, 0, sizeof(d));
	if (copy_from_user(d, data, (size_t)words * sizeof(d[0])))
		return -EFAULT;
	effective = d[0].effective | (u64)d[1].effective << 32;
	permitted = d[0].permitted | (u64)d[1].permitted << 32;
	inheritable = d[0].inheritable | (u64)d[1].inheritable << 32;
	return cred_capset(effective, permitted, inheritable);
}
