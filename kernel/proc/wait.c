/*
 * wait.c - waiting for children: wait4, waitid, and reaping.
 *
 * Zombies stand at the front of their parent's list of children, so a wait that asks only for exits
 * looks at no living child but one. The tree lock decides between several threads that wait for the
 * same child.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/wait.h>

#include "lib/print.h"
#include "proc/ptrace_priv.h"

static bool is_eligible(const struct process *child, const struct wait_request *r)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if (r->kind == WAIT_PID && child->pid != r->id)
		return false;
	if (r->kind == WAIT_GROUP && child->group->id != r->id)
		return false;
	return r->options & __WALL || is_clone == !!(r->options & __WCLONE);
}

/*
 * The child's usage, for the parent's account and for the caller: its own and that of the children
 * it waited for.
 */
static void usage_of_zombie(const struct process *p, struct wait_usage *u)
{
	*u = (struct wait_usage){
		.user_ns = p->dead_user_ns + p->child_user_ns,
		.system_ns = p->dead_system_ns + p->child_system_ns,
		.min_flt = p->min_flt + p->child_min_flt,
		.maj_flt = p->maj_flt + p->child_maj_flt,
		.max_rss_kib = max(p->max_rss, p->child_max_rss),
		.voluntary = p->voluntary_switches + p->child_voluntary,
		.involuntary = p->involuntary_switches + p->child_involuntary,
	};
}

static void usage_add_to_parent(struct process *parent, const struct wait_usage *u)
{
	parent->child_user_ns += u->user_ns;
	parent->child_system_ns += u->system_ns;
	parent->child_min_flt += u->min_flt;
	parent->child_maj_flt += u->maj_flt;
	parent->child_max_rss = max(parent->child_max_rss, u->max_rss_kib);
	parent->child_voluntary += u->voluntary;
	parent->child_involuntary += u->involuntary;
}

void wait_exit_result(u32 status, struct wait_result *result)
{
	u32 killed = status & 0x7f;

	result->status = status;
	result->code = status & 0x80 ? CLD_DUMPED : killed ? CLD_KILLED : CLD_EXITED;
	result->value = (int)(killed ? killed : status >> 8);
}

void wait_zombie_result(const struct process *p, struct wait_result *r)
{
	wait_exit_result(p->exit_status, r);
	usage_of_zombie(p, &r->usage);
}

void wait_reap(struct process *p, struct wait_result *r)
{
	wait_zombie_result(p, r);
	usage_add_to_parent(p->parent, &r->usage);
	process_release(p);
}

/* T held for the three below; true: *result is filled. */
static bool take_exit(struct process *child, const struct wait_request *r,
		      struct wait_result *result)
{
	/* Who is traced is its tracer's first. */
	if (child->state != PROCESS_ZOMBIE || child->trace || !(r->options & WEXITED))
		return false;
	if (r->options & WNOWAIT)
		wait_zombie_result(child, result);
	else
		wait_reap(child, result);
	return true;
}

static bool take_stop(struct process *child, const struct wait_request *r,
		      struct wait_result *result)
{
	bool taken = false;

	if (!(r->options & WSTOPPED) || child->state != PROCESS_LIVE)
		return false;
	/* A parent that traces hears of stops as a tracer. */
	if (child->trace && child->trace->tracer == child->parent)
		return false;
	spin_lock(&child->signal_lock);
	if (child->stop_event && child->stop_signal) {
		taken = true;
		result->code = CLD_STOPPED;
		result->value = (int)child->stop_signal;
		result->status = child->stop_signal << 8 | 0x7f;
		if (!(r->options & WNOWAIT))
			child->stop_event = false;
	}
	spin_unlock(&child->signal_lock);
	return taken;
}

static bool take_continue(struct process *child, const struct wait_request *r,
			  struct wait_result *result)
{
	bool taken = false;

	if (!(r->options & WCONTINUED) || child->state != PROCESS_LIVE)
		return false;
	spin_lock(&child->signal_lock);
	if (child->continue_event) {
		taken = true;
		result->code = CLD_CONTINUED;
		result->value = SIGCONT;
		result->status = 0xffff;
		if (!(r->options & WNOWAIT))
			child->continue_event = false;
	}
	spin_unlock(&child->signal_lock);
	return taken;
}

/* 1: *result is filled; 0: wait; or -ECHILD. */
static int wait_scan(struct process *self, const struct wait_request *r, struct wait_result *result)
{
	bool only_exits = !(r->options & (WSTOPPED | WCONTINUED));
	struct process *child, *next;
	int found;

	spin_lock(&tree_lock);
	found = trace_wait_scan(self, r, result);
	if (found == 1) {
		spin_unlock(&tree_lock);
		return 1;
	}
	list_for_each_safe (child, next, &self->children, sibling) {
		u32 pid = child->pid, uid = process_uid(child);

		if (!is_eligible(child, r))
			continue;
		found = 0;
		if (take_exit(child, r, result) || take_stop(child, r, result) ||
		    take_continue(child, r, result)) {
			result->pid = pid;
			result->uid = uid;
			found = 1;
			break;
		}
		if (only_exits && child->state != PROCESS_ZOMBIE)
			break;
	}
	spin_unlock(&tree_lock);
	return found;
}

int process_wait(const struct wait_request *r, struct wait_result *result)
{
	struct process *self = process_current();
	int found = 0, err;

	*result = (struct wait_result){ 0 };
	if (r->options & WNOHANG) {
		found = wait_scan(self, r, result);
		return min(found, 0);
	}
	err = wait_event_interruptible(&self->child_wait,
				       (found = wait_scan(self, r, result)) != 0);
	return found ? min(found, 0) : err;
}
