/*
 * async.c - who is signalled when an open file becomes ready: F_SETOWN, and SIGIO where O_ASYNC is
 * on; fcntl(2).
 *
 * The rule: the owner is told with the rights of whoever named it. Next: file.c.
 */
#include <asm/signal.h>

#include "fs/vfs.h"
#include "proc/proc.h"

/* Is there something that the owner's id means? */
static bool owner_exists(u32 type, u32 id)
{
	struct process *p = process_find(id);

	if (p)
		process_put(p);
	return p || type != FILE_OWNER_PROCESS;
}

int file_set_owner(struct file *f, u32 type, s32 id)
{
	const struct cred *cred = cred_current();

	if (id < 0)
		return -EINVAL;
	if (id && !owner_exists(type, (u32)id))
		return -ESRCH;
	spin_lock(&f->owner.lock);
	f->owner.type = type;
	f->owner.id = (u32)id;
	f->owner.uid = cred->uid;
	f->owner.euid = cred->euid;
	spin_unlock(&f->owner.lock);
	return 0;
}

void file_get_owner(struct file *f, struct file_owner *out)
{
	spin_lock(&f->owner.lock);
	*out = f->owner;
	spin_unlock(&f->owner.lock);
}

/* May who named the owner signal p? */
static bool owner_may_signal(const struct file_owner *o, struct process *p)
{
	struct cred *cred = process_cred_get(p);
	bool may = o->euid == 0 || o->euid == cred->suid || o->euid == cred->uid ||
		   o->uid == cred->suid || o->uid == cred->uid;

	cred_put(cred);
	return may;
}

struct group_signal {
	const struct file_owner *o;
	int sig;
};

static int signal_member(struct process *p, void *arg)
{
	const struct group_signal *g = arg;

	if (process_group_id(p) == g->o->id && owner_may_signal(g->o, p))
		signal_process(p, g->sig, NULL);
	return 0;
}

void file_owner_signal(const struct file_owner *o, int sig)
{
	struct group_signal g = { o, sig };
	struct process *p;

	if (!o->id)
		return;
	if (o->type == FILE_OWNER_GROUP) {
		process_for_each(signal_member, &g);
		return;
	}
	p = process_find(o->id);
	if (!p)
		return;
	if (owner_may_signal(o, p))
		signal_process(p, sig, NULL);
	process_put(p);
}
