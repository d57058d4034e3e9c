/*
 * group.c - process groups and sessions: job control's two levels above the process.
 *
 * A group lives while it has members (zombies included), a session while it has groups; the tree
 * lock guards both. A group is orphaned when no member has a parent in another group of the same
 * session: then nobody could continue it, so it must not be left stopped.
 */
#include <asm/signal.h>

#include "lib/print.h"
#include "mm/slab.h"
#include "proc/process_priv.h"

void group_join(struct process *p, struct pgroup *g)
{
	p->group = g;
	list_push_back(&g->members, &p->group_link);
}

void group_leave(struct process *p)
{
	struct pgroup *g = p->group;

	list_remove(&p->group_link);
	p->group = NULL;
	if (!list_empty(&g->members))
		return;
	pid_set_group(g->id, NULL);
	if (--g->session->ngroups == 0) {
		pid_set_session(g->session->id, NULL);
		kfree(g->session);
	}
	kfree(g);
}

/* A group of that number in session s, with no member yet. NULL without memory. T held. */
static struct pgroup *group_new(struct session *s, u32 id)
{
	struct pgroup *g = kmalloc(sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct pgroup){ .id = id, .session = s };
	list_init(&g->members);
	s->ngroups++;
	pid_set_group(id, g);
	return g;
}

struct pgroup *group_create_first(struct process *p)
{
	struct session *s = kmalloc(sizeof(*s));
	struct pgroup *g;

	if (!s)
		return NULL;
	*s = (struct session){ .id = p->pid, .leader_alive = true };
	g = group_new(s, p->pid);
	if (!g) {
		kfree(s);
		return NULL;
	}
	pid_set_session(p->pid, s);
	return g;
}

bool group_will_be_orphaned(struct pgroup *g, const struct process *ignored)
{
	struct process *p;

	list_for_each (p, &g->members, group_link) {
		struct process *parent = p->parent;

		if (p == ignored || p->state != PROCESS_LIVE || !parent || parent == init_process)
			continue;
		if (parent->group != g && parent->group->session == g->session)
			return false;
	}
	return true;
}

bool group_has_stopped(struct pgroup *g)
{
	struct process *p;

	list_for_each (p, &g->members, group_link) {
		if (load_relaxed(&p->stop_signal) && p->nthreads && p->nstopped == p->nthreads)
			return true;
	}
	return false;
}

bool process_group_is_orphaned(u32 pgid)
{
	struct pgroup *g;
	bool orphaned;

	spin_lock(&tree_lock);
	g = pid_group(pgid);
	orphaned = !g || group_will_be_orphaned(g, NULL);
	spin_unlock(&tree_lock);
	return orphaned;
}

bool session_has_group(u32 sid, u32 pgid)
{
	struct pgroup *g;
	bool has;

	spin_lock(&tree_lock);
	g = pid_group(pgid);
	has = g && g->session->id == sid;
	spin_unlock(&tree_lock);
	return has;
}

u32 process_parent_pid(struct process *p)
{
	u32 pid;

	spin_lock(&tree_lock);
	pid = p->parent ? p->parent->pid : 0;
	spin_unlock(&tree_lock);
	return pid;
}

u32 process_group_id(struct process *p)
{
	u32 id;

	spin_lock(&tree_lock);
	id = p->group ? p->group->id : 0;
	spin_unlock(&tree_lock);
	return id;
}

u32 process_session_id(struct process *p)
{
	u32 id;

	spin_lock(&tree_lock);
	id = p->group ? p->group->session->id : 0;
	spin_unlock(&tree_lock);
	return id;
}

/* Rules of setpgid(2) about whom the caller may move. T held. */
static int setpgid_check(struct process *self, struct process *p)
{
	if (p->parent == self) {
		if (p->group->session != self->group->session)
			return -EPERM;
		if (p->execed)
			return -EACCES;
	} else if (p != self) {
		return -ESRCH;
	}
	return p->group->session->id == p->pid ? -EPERM : 0;
}

static int setpgid_locked(struct process *self, struct process *p, u32 pgid)
{
	struct pgroup *g = pid_group(pgid);
	int err = setpgid_check(self, p);

	if (err)
		return err;
	if (pgid != p->pid && (!g || g->session != self->group->session))
		return -EPERM;
	if (g == p->group)
		return 0;
	if (!g)
		g = group_new(p->group->session, pgid);
	if (!g)
		return -ENOMEM;
	group_leave(p);
	group_join(p, g);
	return 0;
}

int process_setpgid(u32 pid, u32 pgid)
{
	struct process *self = process_current(), *p;
	int err = -ESRCH;

	if (!pid)
		pid = self->pid;
	if (!pgid)
		pgid = pid;
	if ((s32)pgid < 0)
		return -EINVAL;
	p = process_find(pid);
	if (!p)
		return -ESRCH;
	spin_lock(&tree_lock);
	if (p->state != PROCESS_REAPED && p != init_process)
		err = setpgid_locked(self, p, pgid);
	spin_unlock(&tree_lock);
	process_put(p);
	return err;
}

/* A number that fn computes from the process pid (0: the current one). */
static int ask(u32 pid, u32 (*fn)(struct process *p))
{
	struct process *p;
	u32 id;

	if (!pid)
		return (int)fn(process_current());
	p = process_find(pid);
	if (!p)
		return -ESRCH;
	id = fn(p);
	process_put(p);
	return id ? (int)id : -ESRCH;
}

int process_getpgid(u32 pid)
{
	return ask(pid, process_group_id);
}

int process_getsid(u32 pid)
{
	return ask(pid, process_session_id);
}

int process_setsid(void)
{
	struct process *p = process_current();
	struct pgroup *g;
	int r = -EPERM;

	spin_lock(&tree_lock);
	if (!pid_group(p->pid)) {
		g = group_create_first(p);
		r = g ? (int)p->pid : -ENOMEM;
		if (g) {
			group_leave(p);
			group_join(p, g);
		}
	}
	spin_unlock(&tree_lock);
	return r;
}

struct tty *process_tty(struct process *p)
{
	struct tty *tty;

	spin_lock(&tree_lock);
	tty = p->group ? p->group->session->tty : NULL;
	spin_unlock(&tree_lock);
	return tty;
}

int session_set_tty(struct tty *tty)
{
	struct process *p = process_current();
	struct session *s;
	int err = -EPERM;

	spin_lock(&tree_lock);
	s = p->group->session;
	if (s->id == p->pid && !s->tty) {
		s->tty = tty;
		err = 0;
	}
	spin_unlock(&tree_lock);
	return err;
}

void session_clear_tty(u32 sid)
{
	struct session *s;

	spin_lock(&tree_lock);
	s = pid_session(sid);
	if (s)
		s->tty = NULL;
	spin_unlock(&tree_lock);
}
