/*
 * limits.c - resource limits, priorities and CPU affinity: who may change whose.
 */
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "fs/vfs.h"
#include "mm/space.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/* --- resource limits --- */

u64 rlimit_get(u32 resource)
{
	struct process *p = process_current();

	/* Kernel threads and process 1 are bound by nothing. */
	return p == init_process ? UINT64_MAX : load_relaxed(&p->rlimit_soft[resource]);
}

int process_may_change(struct process *p)
{
	const struct cred *me = cred_current();
	struct cred *c;
	bool ok;

	if (p == process_current())
		return 0;
	c = process_cred_get(p);
	ok = (me->uid == c->euid && me->uid == c->suid && me->uid == c->uid && me->gid == c->egid &&
	      me->gid == c->sgid && me->gid == c->gid) ||
	     cred_capable(me, CAP_SYS_RESOURCE);
	cred_put(c);
	return ok ? 0 : -EPERM;
}

static void space_limit_changed(struct process *p, u32 resource, u64 soft, u64 hard)
{
	struct mm *mm = process_mm_get(p);

	if (!mm)
		return;
	if (resource == RLIMIT_AS)
		store_relaxed(&mm->limit_as, soft);
	else if (resource == RLIMIT_STACK)
		store_relaxed(&mm->limit_stack, soft);
	else if (resource == RLIMIT_MEMLOCK)
		store_relaxed(&mm->limit_memlock, soft);
	else if (resource == RLIMIT_DATA) {
		store_relaxed(&mm->limit_data, soft);
		store_relaxed(&mm->limit_data_hard, hard);
	}
	space_put(mm);
}

void space_limits_set(struct mm *mm, const struct process *p)
{
	mm->limit_as = p->rlimit_soft[RLIMIT_AS];
	mm->limit_data = p->rlimit_soft[RLIMIT_DATA];
	mm->limit_data_hard = p->rlimit_hard[RLIMIT_DATA];
	mm->limit_stack = p->rlimit_soft[RLIMIT_STACK];
	mm->limit_memlock = p->rlimit_soft[RLIMIT_MEMLOCK];
}

/* What mm asks of credentials. */
static bool mm_privilege(enum mm_privilege what)
{
	return cred_capable(cred_current(),
			    what == MM_PRIVILEGE_LOCK ? CAP_IPC_LOCK : CAP_SYS_ADMIN);
}

void limits_init(void)
{
	mm_privilege_hook = mm_privilege;
}

/* Threads may use an eighth of memory for their kernel stacks, as on Linux. */
u32 threads_max(void)
{
	return (u32)(frame_managed / (8 * KERNEL_STACK_SIZE / PAGE_SIZE));
}

#define NR_OPEN_MAX 1048576 /* as Linux's fs.nr_open */

int rlimit_set(struct process *p, u32 resource, u64 soft, u64 hard)
{
	int err = 0;

	if (soft > hard)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && hard > NR_OPEN_MAX)
		return -EPERM;
	spin_lock(&p->lock);
	if (hard > p->rlimit_hard[resource] && !cred_capable(cred_current(), CAP_SYS_RESOURCE)) {
		err = -EPERM;
	} else {
		p->rlimit_soft[resource] = soft;
		p->rlimit_hard[resource] = hard;
	}
	spin_unlock(&p->lock);
	if (err)
		return err;
	space_limit_changed(p, resource, soft, hard);
	if (resource == RLIMIT_CPU)
		cpu_limit_changed(p);
	return 0;
}

/* --- priorities --- */

/* Over the threads that (which, who) names. */
struct priority_search {
	int which;
	u32 who;
	bool set;
	s32 nice;
	int result; /* of get: the highest 20 - nice; of set: 0 or errno; -ESRCH while nobody was found */
};

static bool may_set_nice(struct process *p, struct thread *t, s32 nice, int *err)
{
	const struct cred *me = cred_current();
	struct cred *c = process_cred_get(p);
	bool same = me->euid == c->uid || me->euid == c->euid || cred_capable(me, CAP_SYS_NICE);
	u64 limit = p->rlimit_soft[RLIMIT_NICE];

	cred_put(c);
	if (!same)
		*err = -EPERM;
	else if (nice < t->nice && (s64)limit < 20 - nice && limit != UINT64_MAX &&
		 !cred_capable(me, CAP_SYS_NICE))
		*err = -EACCES;
	else
		return true;
	return false;
}

static void priority_thread(struct process *p, struct thread *t, struct priority_search *s)
{
	int err = 0;

	if (!s->set) {
		s->result = max(s->result, 20 - t->nice);
		return;
	}
	if (may_set_nice(p, t, s->nice, &err)) {
		t->nice = s->nice;
		scheduler_priority_changed(t);
		err = 0;
	}
	if (s->result == -ESRCH || err)
		s->result = err;
}

static int priority_process(struct process *p, void *arg)
{
	struct priority_search *s = arg;
	struct thread *t;

	if (p == init_process || load_relaxed(&p->state) != PROCESS_LIVE)
		return 0;
	if (s->which == PRIO_PGRP && process_group_id(p) != s->who)
		return 0;
	if (s->which == PRIO_USER) {
		struct cred *c = process_cred_get(p);
		bool other = c->uid != s->who;

		cred_put(c);
		if (other)
			return 0;
	}
	spin_lock(&p->signal_lock);
	list_for_each (t, &p->threads, thread_link)
		priority_thread(p, t, s);
	spin_unlock(&p->signal_lock);
	return 0;
}

static int priority_run(struct priority_search *s)
{
	struct process *p;
	struct thread *t;

	if (s->which < PRIO_PROCESS || s->which > PRIO_USER)
		return -EINVAL;
	if (s->which != PRIO_PROCESS) {
		if (!s->who)
			s->who = s->which == PRIO_PGRP ? process_group_id(process_current())
						       : cred_current()->uid;
		process_for_each(priority_process, s);
		return s->result;
	}
	/* As on Linux, PRIO_PROCESS names one thread. */
	p = pid_thread_process(s->who ? s->who : thread_current()->tid);
	if (!p)
		return -ESRCH;
	spin_lock(&p->signal_lock);
	t = process_thread(p, s->who ? s->who : thread_current()->tid);
	if (t)
		priority_thread(p, t, s);
	spin_unlock(&p->signal_lock);
	process_put(p);
	return s->result;
}

int priority_get(int which, u32 who)
{
	struct priority_search s = { .which = which, .who = who, .result = -ESRCH };

	return priority_run(&s);
}

int priority_set(int which, u32 who, s32 nice)
{
	struct priority_search s = { .which = which,
				     .who = who,
				     .set = true,
				     .nice = clamp(nice, -20, 19),
				     .result = -ESRCH };

	return priority_run(&s);
}

/* --- affinity --- */

int affinity_get(u32 tid, u64 *mask)
{
	struct process *p = pid_thread_process(tid ? tid : thread_current()->tid);
	struct thread *t;

	if (!p)
		return -ESRCH;
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid ? tid : thread_current()->tid);
	if (t)
		*mask = t->affinity & cpus_online_mask();
	spin_unlock(&p->signal_lock);
	process_put(p);
	return t ? 0 : -ESRCH;
}

int affinity_set(u32 tid, u64 mask)
{
	struct process *p = pid_thread_process(tid ? tid : thread_current()->tid);
	struct thread *t;
	int err = -ESRCH;

	if (!p)
		return -ESRCH;
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid ? tid : thread_current()->tid);
	if (t) {
		bool may = may_set_nice(p, t, t->nice, &err);

		if (may) {
			err = mask & cpus_online_mask() ? 0 : -EINVAL;
			if (!err) {
				store_relaxed(&t->affinity, mask);
				scheduler_affinity_changed(t);
			}
		}
	}
	spin_unlock(&p->signal_lock);
	process_put(p);
	return err;
}

/* --- policies --- */

#define REALTIME_PRIORITY_MIN 1
#define REALTIME_PRIORITY_MAX 99

static int policy_check(const struct sched_policy *s)
{
	switch (s->policy & ~(u32)SCHED_RESET_ON_FORK) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return s->priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		if (s->priority < REALTIME_PRIORITY_MIN || s->priority > REALTIME_PRIORITY_MAX)
			return -EINVAL;
		return cred_capable(cred_current(), CAP_SYS_NICE) ||
				       s->priority <= rlimit_get(RLIMIT_RTPRIO)
			       ? 0
			       : -EPERM;
	}
	return -EINVAL;
}

int policy_get(u32 tid, struct sched_policy *out)
{
	struct process *p = pid_thread_process(tid ? tid : thread_current()->tid);
	struct thread *t;

	if (!p)
		return -ESRCH;
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid ? tid : thread_current()->tid);
	if (t) {
		out->policy = (t->policy & ~POLICY_RESET_ON_FORK) |
			      (t->policy & POLICY_RESET_ON_FORK ? SCHED_RESET_ON_FORK : 0);
		out->priority = t->rt_priority;
		out->nice = t->nice;
	}
	spin_unlock(&p->signal_lock);
	process_put(p);
	return t ? 0 : -ESRCH;
}

int policy_set(u32 tid, const struct sched_policy *set, bool set_nice)
{
	struct process *p = pid_thread_process(tid ? tid : thread_current()->tid);
	struct thread *t;
	int err;

	if (!p)
		return -ESRCH;
	err = policy_check(set);
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid ? tid : thread_current()->tid);
	if (!t) {
		err = -ESRCH;
	} else if (!err && may_set_nice(p, t, set_nice ? set->nice : t->nice, &err)) {
		t->policy = (u8)((set->policy & 0x7f) |
				 (set->policy & SCHED_RESET_ON_FORK ? POLICY_RESET_ON_FORK : 0));
		t->rt_priority = (u8)set->priority;
		if (set_nice)
			t->nice = clamp(set->nice, -20, 19);
		scheduler_priority_changed(t);
	}
	spin_unlock(&p->signal_lock);
	process_put(p);
	return err;
}
