/*
 * cred.c - who a process is: user and group ids, capabilities, and Linux's rules for changing them
 * (credentials(7), capabilities(7)).
 *
 * struct cred is immutable: a change builds a new one and installs it whole. Processes and queued
 * signals are counted by real user, for RLIMIT_NPROC and RLIMIT_SIGPENDING.
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process_priv.h"

#define CAPABILITIES_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)
#define CAPABILITIES_FS                                                                       \
	(BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | \
	 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE))
#define KEEP UINT32_MAX

void cred_get(struct cred *c)
{
	ref_get(&c->refs);
}

void cred_put(struct cred *c)
{
	if (ref_put(&c->refs))
		kfree(c);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (c->fsgid == gid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++) {
		if (c->groups[i] == gid)
			return true;
	}
	return false;
}

bool cred_capable(const struct cred *c, u32 cap)
{
	return c->cap_effective & BIT(cap);
}

struct cred *cred_copy(const struct cred *c)
{
	struct cred *copy = kmalloc(sizeof(*copy));

	if (copy) {
		*copy = *c;
		ref_init(&copy->refs);
	}
	return copy;
}

struct cred *cred_new_root(void)
{
	struct cred *c = kzalloc(sizeof(*c));

	if (c) {
		ref_init(&c->refs);
		c->cap_permitted = c->cap_effective = c->cap_bounding = CAPABILITIES_ALL;
	}
	return c;
}

/* --- what is counted by real user: threads, of a zombie one; and signals --- */

struct uid_count {
	struct list link; /* uid_lock */
	u32 uid;          /* C */
	/* uid_lock: it lives while there is one of any */
	u32 threads, signals;
	u32 reaped;      /* processes that are threads no more, but refer to it still */
	u64 queue_bytes; /* uid_lock: of message queues */
};

static struct spinlock uid_lock = SPINLOCK_INIT(RANK_PID);
static struct list uid_counts = LIST_INIT(uid_counts);

struct uid_count *uid_count_get(u32 uid)
{
	struct uid_count *u, *fresh = kmalloc(sizeof(*fresh));

	spin_lock(&uid_lock);
	list_for_each (u, &uid_counts, link) {
		if (u->uid == uid) {
			u->threads++;
			spin_unlock(&uid_lock);
			kfree(fresh);
			return u;
		}
	}
	if (fresh) {
		*fresh = (struct uid_count){ .uid = uid, .threads = 1 };
		list_push_front(&uid_counts, &fresh->link);
	}
	spin_unlock(&uid_lock);
	return fresh;
}

void uid_count_ref(struct uid_count *u)
{
	spin_lock(&uid_lock);
	u->threads++;
	spin_unlock(&uid_lock);
}

/* Nothing is counted any more: off the list, to be freed. uid_lock held. */
static bool uid_count_is_unused(struct uid_count *u)
{
	if (u->threads || u->reaped || u->signals || u->queue_bytes)
		return false;
	list_remove(&u->link);
	return true;
}

void uid_count_put(struct uid_count *u)
{
	bool last;

	spin_lock(&uid_lock);
	u->threads--;
	last = uid_count_is_unused(u);
	spin_unlock(&uid_lock);
	if (last)
		kfree(u);
}

void uid_count_reap(struct uid_count *u)
{
	spin_lock(&uid_lock);
	u->threads--;
	u->reaped++;
	spin_unlock(&uid_lock);
}

void uid_count_put_reaped(struct uid_count *u)
{
	bool last;

	spin_lock(&uid_lock);
	u->reaped--;
	last = uid_count_is_unused(u);
	spin_unlock(&uid_lock);
	if (last)
		kfree(u);
}

bool uid_count_charge_signal(struct uid_count *u, u64 limit)
{
	bool fits;

	spin_lock(&uid_lock);
	fits = u->signals < limit;
	if (fits)
		u->signals++;
	spin_unlock(&uid_lock);
	return fits;
}

void uid_count_uncharge_signal(struct uid_count *u)
{
	bool last;

	spin_lock(&uid_lock);
	u->signals--;
	last = uid_count_is_unused(u);
	spin_unlock(&uid_lock);
	if (last)
		kfree(u);
}

bool uid_count_charge_queue(struct uid_count *u, u64 bytes, u64 limit)
{
	bool fits;

	spin_lock(&uid_lock);
	fits = bytes <= limit && u->queue_bytes <= limit - bytes;
	if (fits)
		u->queue_bytes += bytes;
	spin_unlock(&uid_lock);
	return fits;
}

void uid_count_uncharge_queue(struct uid_count *u, u64 bytes)
{
	bool last;

	spin_lock(&uid_lock);
	u->queue_bytes -= bytes;
	last = uid_count_is_unused(u);
	spin_unlock(&uid_lock);
	if (last)
		kfree(u);
}

u32 uid_count_signals(const struct uid_count *u)
{
	return load_relaxed(&u->signals);
}

u32 uid_count_value(const struct uid_count *u)
{
	return load_relaxed(&u->threads);
}

void cred_install(struct process *p, struct cred *c)
{
	struct cred *old;

	spin_lock(&p->lock);
	old = p->cred;
	store_relaxed(&p->cred, c);
	spin_unlock(&p->lock);
	if (old)
		cred_put(old);
	if (p == process_current())
		cred_refresh(thread_current());
}

void cred_refresh(struct thread *t)
{
	struct cred *old = t->cred;

	t->cred = process_cred_get(t->process);
	if (old)
		cred_put(old);
}

/*
 * Install a change of the current process's ids. The ids that files see changed: it is not dumpable
 * any more, as on Linux.
 */
static int cred_commit(struct cred *c)
{
	struct process *p = process_current();
	const struct cred *old = cred_current();

	if (c->uid != old->uid) {
		struct uid_count *now = uid_count_get(c->uid), *before;

		if (!now) {
			cred_put(c);
			return -EAGAIN;
		}
		spin_lock(&tree_lock);
		spin_lock(&p->signal_lock);
		before = p->uid_count;
		for (u32 i = 1; i < p->nthreads; i++) {
			uid_count_ref(now);
			uid_count_put(before);
		}
		p->uid_count = now;
		spin_unlock(&p->signal_lock);
		spin_unlock(&tree_lock);
		uid_count_put(before);
	}
	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
	    c->fsgid != old->fsgid) {
		p->dumpable = false;
		p->pdeath_signal = 0;
	}
	cred_install(p, c);
	return 0;
}

/* What a change of user ids does to capabilities (capabilities(7), "Effect of user ID changes"). */
static void fix_capabilities(const struct cred *old, struct cred *c)
{
	bool was_root = !old->uid || !old->euid || !old->suid;

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (was_root && c->uid && c->euid && c->suid) {
		if (!(c->securebits & (1u << SECURE_KEEP_CAPS)))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

static bool may_take_uid(const struct cred *old, u32 uid)
{
	return uid == KEEP || uid == old->uid || uid == old->euid || uid == old->suid ||
	       cred_capable(old, CAP_SETUID);
}

static bool may_take_gid(const struct cred *old, u32 gid)
{
	return gid == KEEP || gid == old->gid || gid == old->egid || gid == old->sgid ||
	       cred_capable(old, CAP_SETGID);
}

static int change_uids(u32 ruid, u32 euid, u32 suid)
{
	const struct cred *old = cred_current();
	struct cred *c = cred_copy(old);

	if (!c)
		return -ENOMEM;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (suid != KEEP)
		c->suid = suid;
	c->fsuid = c->euid;
	fix_capabilities(old, c);
	return cred_commit(c);
}

static int change_gids(u32 rgid, u32 egid, u32 sgid)
{
	struct cred *c = cred_copy(cred_current());

	if (!c)
		return -ENOMEM;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (sgid != KEEP)
		c->sgid = sgid;
	c->fsgid = c->egid;
	return cred_commit(c);
}

int cred_set_uids(u32 ruid, u32 euid, u32 suid)
{
	const struct cred *old = cred_current();

	if (!may_take_uid(old, ruid) || !may_take_uid(old, euid) || !may_take_uid(old, suid))
		return -EPERM;
	return change_uids(ruid, euid, suid);
}

int cred_set_gids(u32 rgid, u32 egid, u32 sgid)
{
	const struct cred *old = cred_current();

	if (!may_take_gid(old, rgid) || !may_take_gid(old, egid) || !may_take_gid(old, sgid))
		return -EPERM;
	return change_gids(rgid, egid, sgid);
}

int cred_setreuid(u32 ruid, u32 euid)
{
	const struct cred *old = cred_current();
	bool free = cred_capable(old, CAP_SETUID);
	u32 new_euid = euid == KEEP ? old->euid : euid;

	if (ruid != KEEP && ruid != old->uid && ruid != old->euid && !free)
		return -EPERM;
	if (!may_take_uid(old, euid))
		return -EPERM;
	return change_uids(ruid, euid,
			   ruid != KEEP || (euid != KEEP && euid != old->uid) ? new_euid : KEEP);
}

int cred_setregid(u32 rgid, u32 egid)
{
	const struct cred *old = cred_current();
	bool free = cred_capable(old, CAP_SETGID);
	u32 new_egid = egid == KEEP ? old->egid : egid;

	if (rgid != KEEP && rgid != old->gid && rgid != old->egid && !free)
		return -EPERM;
	if (!may_take_gid(old, egid))
		return -EPERM;
	return change_gids(rgid, egid,
			   rgid != KEEP || (egid != KEEP && egid != old->gid) ? new_egid : KEEP);
}

int cred_setuid(u32 uid)
{
	const struct cred *old = cred_current();

	if (uid == KEEP)
		return -EINVAL;
	if (cred_capable(old, CAP_SETUID))
		return change_uids(uid, uid, uid);
	if (uid != old->uid && uid != old->suid)
		return -EPERM;
	return change_uids(KEEP, uid, KEEP);
}

int cred_setgid(u32 gid)
{
	const struct cred *old = cred_current();

	if (gid == KEEP)
		return -EINVAL;
	if (cred_capable(old, CAP_SETGID))
		return change_gids(gid, gid, gid);
	if (gid != old->gid && gid != old->sgid)
		return -EPERM;
	return change_gids(KEEP, gid, KEEP);
}

/* setfsuid and setfsgid report the old value whether or not they changed it. */
u32 cred_setfsuid(u32 uid)
{
	const struct cred *old = cred_current();
	u32 before = old->fsuid;
	struct cred *c;

	if (uid == before || uid == KEEP || (uid != old->fsuid && !may_take_uid(old, uid)))
		return before;
	c = cred_copy(old);
	if (!c)
		return before;
	c->fsuid = uid;
	if (!before && uid)
		c->cap_effective &= ~CAPABILITIES_FS;
	if (before && !uid)
		c->cap_effective |= c->cap_permitted & CAPABILITIES_FS;
	cred_commit(c);
	return before;
}

u32 cred_setfsgid(u32 gid)
{
	const struct cred *old = cred_current();
	u32 before = old->fsgid;
	struct cred *c;

	if (gid == before || gid == KEEP || (gid != old->fsgid && !may_take_gid(old, gid)))
		return before;
	c = cred_copy(old);
	if (!c)
		return before;
	c->fsgid = gid;
	cred_commit(c);
	return before;
}

/* In order, as programs see them on Linux. */
static void groups_sort(u32 *groups, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 gid = groups[i], at = i;

		for (; at && groups[at - 1] > gid; at--)
			groups[at] = groups[at - 1];
		groups[at] = gid;
	}
}

int cred_setgroups(const u32 *groups, u32 n)
{
	const struct cred *old = cred_current();
	struct cred *c;

	if (!cred_capable(old, CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_KEPT)
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	memcpy(c->groups, groups, n * sizeof(*groups));
	groups_sort(c->groups, n);
	c->ngroups = n;
	return cred_commit(c);
}

int cred_capset(u64 effective, u64 permitted, u64 inheritable)
{
	const struct cred *old = cred_current();
	struct cred *c;

	if (!cred_capable(old, CAP_SETPCAP) &&
	    inheritable & ~(old->cap_inheritable | old->cap_permitted))
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	if (permitted & ~old->cap_permitted || effective & ~permitted)
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->cap_effective = effective;
	c->cap_permitted = permitted;
	c->cap_inheritable = inheritable;
	c->cap_ambient &= permitted & inheritable;
	return cred_commit(c);
}

int cred_drop_bounding(u32 cap)
{
	const struct cred *old = cred_current();
	struct cred *c;

	if (!cred_capable(old, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~BIT(cap);
	return cred_commit(c);
}

int cred_ambient(u32 operation, u32 cap)
{
	const struct cred *old = cred_current();
	struct cred *c;

	if (operation == PR_CAP_AMBIENT_CLEAR_ALL ? cap : cap > CAP_LAST_CAP)
		return -EINVAL;
	if (operation == PR_CAP_AMBIENT_IS_SET)
		return !!(old->cap_ambient & BIT(cap));
	if (operation == PR_CAP_AMBIENT_RAISE &&
	    (!(old->cap_permitted & old->cap_inheritable & BIT(cap)) ||
	     old->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE)))
		return -EPERM;
	if (operation < PR_CAP_AMBIENT_RAISE || operation > PR_CAP_AMBIENT_CLEAR_ALL)
		return -EINVAL;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	if (operation == PR_CAP_AMBIENT_RAISE)
		c->cap_ambient |= BIT(cap);
	else if (operation == PR_CAP_AMBIENT_LOWER)
		c->cap_ambient &= ~BIT(cap);
	else
		c->cap_ambient = 0;
	return cred_commit(c);
}

int cred_set_securebits(u32 bits)
{
	const struct cred *old = cred_current();
	u32 locked = old->securebits & SECURE_ALL_LOCKS;
	struct cred *c;

	/* A locked bit keeps its value, locks stay, and nothing unknown is set. */
	if (((locked >> 1) & (old->securebits ^ bits)) || locked & ~bits ||
	    bits & ~(SECURE_ALL_LOCKS | SECURE_ALL_BITS))
		return -EPERM;
	if (bits != old->securebits && !cred_capable(old, CAP_SETPCAP))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->securebits = bits;
	return cred_commit(c);
}

int cred_set_keep_capabilities(bool on)
{
	const struct cred *old = cred_current();
	struct cred *c;

	if (old->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	c = cred_copy(old);
	if (!c)
		return -ENOMEM;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	if (on)
		c->securebits |= 1u << SECURE_KEEP_CAPS;
	return cred_commit(c);
}

/*
 * execve of a file without capabilities and (on a tree that is mounted nosuid) without set-user-ID:
 * capabilities(7), "Transformation of capabilities during execve". Without memory the old, lesser
 * or equal, rights stay in force but for the saved ids.
 */
void cred_apply_exec(struct process *p)
{
	const struct cred *old = cred_current();
	struct cred *c = cred_copy(old);
	bool root = !(old->securebits & (1u << SECURE_NOROOT)) && (!old->uid || !old->euid);

	if (!c)
		return;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (root) {
		c->cap_permitted = old->cap_inheritable | old->cap_bounding;
		c->cap_effective = old->euid == 0 ? c->cap_permitted : 0;
	} else {
		c->cap_permitted = c->cap_effective = old->cap_ambient;
	}
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	cred_install(p, c);
}
