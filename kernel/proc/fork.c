/*
 * fork.c - new threads and processes: fork, vfork, clone, clone3.
 *
 * The central rule: everything that can fail happens before the child can be seen. The child is put
 * together out of reach (thread, stack, files, space, number), then published under the tree lock
 * (a process) or its process's signal lock (a thread), then made runnable. exit.c undoes it.
 */
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "arch/x86_64/trap.h"
#include "arch/x86_64/usercopy.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/ipc.h"
#include "proc/ptrace_priv.h"
#include "proc/rseq.h"
#include "proc/sched_priv.h"

/*
 * A parent that waits until its child has left the space they share. Counted: the parent may be
 * killed meanwhile.
 */
struct vfork_done {
	struct refcount refs;
	struct waitq wait;
	bool done;
};

#define CLONE_NAMESPACES                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

static u64 fork_count; /* A */

u64 process_fork_count(void)
{
	return load_relaxed(&fork_count);
}

/* --- vfork --- */

static struct vfork_done *vfork_new(void)
{
	struct vfork_done *v = kzalloc(sizeof(*v));

	if (v) {
		v->refs.n = 2; /* parent and child */
		waitq_init(&v->wait);
	}
	return v;
}

static void vfork_put(struct vfork_done *v)
{
	if (ref_put(&v->refs))
		kfree(v);
}

void vfork_complete(struct thread *t)
{
	struct vfork_done *v = t->vfork;

	if (!v)
		return;
	t->vfork = NULL;
	store_release(&v->done, true);
	waitq_wake_all(&v->wait);
	vfork_put(v);
}

/* Until the child is done, or this process is killed. */
static void vfork_wait(struct vfork_done *v)
{
	struct waiter w;
	int killed = 0;

	waiter_init(&w);
	while (!killed) {
		waitq_prepare(&v->wait, &w);
		if (load_acquire(&v->done)) {
			thread_cancel_park();
			break;
		}
		killed = thread_park_killable(DEADLINE_NONE);
	}
	waitq_finish(&v->wait, &w);
	vfork_put(v);
}

/* --- the child's first steps --- */

static void child_start(void *arg)
{
	struct thread *t = arg;
	struct regs *regs = thread_regs(t);

	thread_entered();
	/* A bad address is the program's business: clone has succeeded, as on Linux. */
	if (t->set_child_tid && put_user(t->tid, (u32 __user *)t->set_child_tid))
		t->set_child_tid = 0;
	if (load_acquire(&t->work))
		return_to_user_work(regs);
	enter_user(regs);
}

/* Rules of clone and clone3, in Linux's order. */
static int clone_check(const struct clone_request *r)
{
	u64 f = r->flags;

	if (f & CLONE_PIDFD && f & CLONE_PARENT_SETTID && r->pidfd == r->parent_tid)
		return -EINVAL;
	if (f & CLONE_FS && f & (CLONE_NEWNS | CLONE_NEWUSER))
		return -EINVAL;
	if (f & CLONE_THREAD && (!(f & CLONE_SIGHAND) || f & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if (f & CLONE_SIGHAND && !(f & CLONE_VM))
		return -EINVAL;
	if (f & CLONE_PARENT && process_current()->parent == init_process &&
	    process_current()->pid == 1)
		return -EINVAL;
	if (f & CLONE_PIDFD && f & (CLONE_THREAD | CLONE_DETACHED))
		return -EINVAL;
	if (f & CLONE_NEWIPC && f & CLONE_SYSVSEM)
		return -EINVAL;
	if (f & CLONE_NAMESPACES)
		return -EPERM;
	if (f & CLONE_INTO_CGROUP) /* there are no control groups, so the descriptor names none */
		return -EBADF;
	return r->wanted_tid && !cred_capable(cred_current(), CAP_CHECKPOINT_RESTORE) &&
			       !cred_capable(cred_current(), CAP_SYS_ADMIN)
		       ? -EPERM
		       : 0;
}

/* As many threads as there may be: of all, or of this user. */
static bool limit_reached(struct process *self)
{
	const struct cred *c = self->cred;
	u32 threads;

	if (thread_live_count() >= threads_max())
		return true;
	spin_lock(&self->signal_lock);
	threads = uid_count_value(self->uid_count);
	spin_unlock(&self->signal_lock);
	return c->uid && threads >= self->rlimit_soft[RLIMIT_NPROC] &&
	       !cred_capable(c, CAP_SYS_RESOURCE) && !cred_capable(c, CAP_SYS_ADMIN);
}

static int number_alloc(const struct clone_request *r, struct process *p, struct thread *t,
			u32 *number)
{
	*number = (u32)r->wanted_tid;
	return r->wanted_tid ? pid_alloc_wanted(p, t, *number) : pid_alloc(p, t, number);
}

/* A thread like the current one, of no process yet. */
static struct thread *thread_copy(const struct clone_request *r)
{
	struct thread *self = thread_current(), *t = thread_alloc(true);
	struct regs *regs;

	if (!t)
		return NULL;
	regs = thread_regs(t);
	*regs = *thread_regs(self);
	regs->rax = 0;
	regs->orig_rax = UINT64_MAX;
	if (r->stack)
		regs->rsp = r->stack;
	context_init(&t->context, (void *)ROUND_DOWN((u64)regs, 16ull), child_start, t);
	fpu_save(t->fpu);
	t->fs_base = r->flags & CLONE_SETTLS ? r->tls : cpu_fs_base();
	t->gs_base = cpu_user_gs_base();
	t->sigmask = self->sigmask;
	if ((r->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		t->altstack_sp = self->altstack_sp;
		t->altstack_size = self->altstack_size;
		t->altstack_flags = self->altstack_flags;
	}
	if (!(r->flags & CLONE_VM))
		rseq_inherit(t, self);
	if (r->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = r->child_tid;
	t->nice = self->nice;
	t->affinity = self->affinity;
	if (!(self->policy & POLICY_RESET_ON_FORK)) {
		t->policy = self->policy;
		t->rt_priority = self->rt_priority;
	}
	t->timer_slack = self->timer_slack;
	t->cred = self->cred;
	cred_get(t->cred);
	t->memory_failure = self->memory_failure;
	memcpy(t->name, self->name, sizeof(t->name));
	return t;
}

/* As on Linux, a bad address is not worth an error. */
static void tell_parent(const struct clone_request *r, u32 tid)
{
	if (r->flags & CLONE_PARENT_SETTID && put_user(tid, (u32 __user *)r->parent_tid))
		return;
}

/* --- a thread of this process --- */

static long clone_thread(const struct clone_request *r)
{
	struct process *p = process_current();
	struct vfork_done *vfork = NULL;
	struct thread *t;
	struct trace *tr;
	u32 tid, event;
	long err;

	if (limit_reached(p))
		return -EAGAIN;
	t = thread_copy(r);
	if (!t)
		return -ENOMEM;
	process_get(p);
	t->process = p;
	t->mm = p->mm;
	err = -ENOMEM;
	if (r->flags & CLONE_VFORK) {
		vfork = vfork_new();
		if (!vfork)
			goto fail;
	}
	err = trace_for_child(thread_current(), r->flags, r->exit_signal, &tr, &event);
	if (err)
		goto fail_vfork;
	err = number_alloc(r, p, t, &tid);
	if (err)
		goto fail_trace;
	t->tid = tid;
	tell_parent(r, tid);
	spin_lock(&tree_lock);
	spin_lock(&p->signal_lock);
	if (thread_interrupted()) { /* stopped, killed or replaced by exec: nobody may join now */
		spin_unlock(&p->signal_lock);
		spin_unlock(&tree_lock);
		err = -ERESTARTNOINTR;
		goto fail_tid;
	}
	t->vfork = vfork;
	uid_count_ref(p->uid_count);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads++;
	if (tr)
		trace_link_child(tr, thread_current(), t);
	spin_unlock(&p->signal_lock);
	spin_unlock(&tree_lock);
	thread_make_runnable(t, false);
	if (event)
		trace_event(event, tid);
	if (vfork) {
		vfork_wait(vfork);
		trace_event(PTRACE_EVENT_VFORK_DONE, tid);
	}
	return tid;

fail_tid:
	pid_set_thread(tid, NULL);
fail_trace:
	trace_free(tr);
fail_vfork:
	kfree(vfork);
fail:
	thread_free(t);
	return err;
}

/* --- a process --- */

/* What a child has of its own but alike. */
static void process_inherit(struct process *p, struct process *from, const struct clone_request *r)
{
	p->exit_signal = r->exit_signal;
	p->dumpable = from->dumpable;
	p->no_new_privs = from->no_new_privs;
	p->personality = from->personality;
	p->oom_score_adj = from->oom_score_adj;
	p->oom_score_adj_min = from->oom_score_adj_min;
	spin_lock(&from->signal_lock);
	memcpy(p->actions, from->actions, sizeof(p->actions));
	spin_unlock(&from->signal_lock);
	if (r->flags & CLONE_CLEAR_SIGHAND) {
		for (u32 i = 0; i < SIGNAL_COUNT; i++) {
			if (p->actions[i].handler != (u64)SIG_IGN)
				p->actions[i] = (struct sigaction_kernel){ 0 };
		}
	}
	spin_lock(&from->lock);
	memcpy(p->rlimit_soft, from->rlimit_soft, sizeof(p->rlimit_soft));
	memcpy(p->rlimit_hard, from->rlimit_hard, sizeof(p->rlimit_hard));
	p->cred = from->cred;
	cred_get(p->cred);
	spin_unlock(&from->lock);
	p->exe = exec_file_get(from);
	p->cpu_limited = p->rlimit_soft[RLIMIT_CPU] != UINT64_MAX;
}

static int process_copy_files(struct process *p, struct process *from, u64 flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(from->fs);
		p->fs = from->fs;
	} else {
		p->fs = fs_context_copy(from->fs);
	}
	if (flags & CLONE_FILES) {
		files_get(from->files);
		p->files = from->files;
	} else {
		p->files = files_copy(from->files);
	}
	return p->fs && p->files ? 0 : -ENOMEM;
}

static int process_copy_space(struct process *p, struct process *from, u64 flags)
{
	if (flags & CLONE_VM) {
		space_get(from->mm);
		p->mm = from->mm;
	} else {
		u64 start = clock_monotonic();

		p->mm = space_fork(from->mm);
		store_relaxed(&space_fork_ns_last, clock_monotonic() - start);
	}
	return p->mm ? 0 : -ENOMEM;
}

/* Undo of the three above, for a process that nobody has seen. */
static void process_discard(struct process *p)
{
	if (p->mm)
		space_put(p->mm);
	if (p->files)
		files_put(p->files);
	if (p->fs)
		fs_context_put(p->fs);
	if (p->exe)
		exec_file_put(p->exe);
	process_put(p);
}

/* Into the tree: from here on the child can be seen, signalled and waited for. */
static int process_publish(struct process *p, struct thread *t, const struct clone_request *r,
			   struct trace *tr)
{
	struct process *self = process_current();

	spin_lock(&tree_lock);
	if (thread_interrupted()) {
		spin_unlock(&tree_lock);
		return -ERESTARTNOINTR;
	}
	p->uid_count = self->uid_count;
	uid_count_ref(p->uid_count);
	store_release(&p->pid, t->tid); /* whoever looks for the number finds it from now on */
	p->parent = r->flags & CLONE_PARENT ? self->parent : self;
	if (r->flags & CLONE_PARENT)
		p->exit_signal = self->exit_signal;
	p->vfork_child = r->flags & CLONE_VFORK;
	list_push_back(&p->parent->children, &p->sibling);
	group_join(p, self->group);
	spin_lock(&p->signal_lock);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = 1;
	p->leader = t;
	if (tr)
		trace_link_child(tr, thread_current(), t);
	spin_unlock(&p->signal_lock);
	spin_unlock(&tree_lock);
	atomic_add(&fork_count, 1);
	return 0;
}

static long clone_process(const struct clone_request *r)
{
	struct process *self = process_current(), *p;
	struct vfork_done *vfork = NULL;
	struct trace *tr = NULL;
	struct thread *t;
	long err = -ENOMEM;
	int pidfd = -1;
	u32 pid, event = 0;

	if (limit_reached(self))
		return -EAGAIN;
	p = process_alloc();
	if (!p)
		return -ENOMEM;
	process_inherit(p, self, r);
	t = thread_copy(r);
	if (!t)
		goto fail;
	if (process_copy_files(p, self, r->flags) || process_copy_space(p, self, r->flags))
		goto fail_thread;
	if (r->flags & CLONE_VFORK) {
		vfork = vfork_new();
		if (!vfork)
			goto fail_thread;
	}
	if (trace_for_child(thread_current(), r->flags, r->exit_signal, &tr, &event))
		goto fail_vfork;
	err = number_alloc(r, p, t, &pid);
	if (err)
		goto fail_vfork;
	t->tid = pid;
	tell_parent(r, pid);
	process_get(p);
	t->process = p;
	t->mm = p->mm;
	t->vfork = vfork;
	if (r->flags & CLONE_PIDFD) {
		pidfd = pidfd_give(p, r->pidfd);
		err = pidfd;
		if (err < 0)
			goto fail_pid;
	}
	err = process_publish(p, t, r, tr);
	if (err)
		goto fail_pidfd;
	thread_make_runnable(t, true);
	if (event)
		trace_event(event, pid);
	if (vfork) {
		vfork_wait(vfork);
		trace_event(PTRACE_EVENT_VFORK_DONE, pid);
	}
	return pid;

fail_pidfd:
	if (pidfd >= 0)
		fd_close(pidfd);
fail_pid:
	pid_clear_process(pid);
fail_vfork:
	trace_free(tr);
	kfree(vfork);
fail_thread:
	thread_free(t);
fail:
	process_discard(p);
	return err;
}

/* Kernel work of this thread since t0 that was not spent asleep counts as system time. */
void thread_charge_system(u64 t0)
{
	struct thread *t = thread_current();
	u64 ns = clock_monotonic() - max(t0, t->switch_stamp);

	t->system_ns += ns;
	t->user_ns -=
		/* may pass below zero until the next switch accounts the same time as user time */
		ns;
}

long process_clone(const struct clone_request *r)
{
	u64 t0 = clock_monotonic();
	long err = clone_check(r);

	if (!err)
		err = r->flags & CLONE_THREAD ? clone_thread(r) : clone_process(r);
	if (err > 0 && !(r->flags & CLONE_VM))
		store_relaxed(&space_fork_ns_last, clock_monotonic() - t0);
	thread_charge_system(t0);
	return err;
}

/* --- unshare --- */

static int unshare_fs(struct process *p)
{
	struct fs_context *old, *own = fs_context_copy(p->fs);

	if (!own)
		return -ENOMEM;
	spin_lock(&p->lock);
	old = p->fs;
	p->fs = own;
	spin_unlock(&p->lock);
	fs_context_put(old);
	return 0;
}

/* Threads share all but cannot be parted; what vfork and clone let processes share can. */
int process_unshare(u64 flags)
{
	struct process *p = process_current();
	int err = 0;

	if (flags & ~(u64)(CLONE_NAMESPACES | CLONE_FS | CLONE_FILES | CLONE_THREAD |
			   CLONE_SIGHAND | CLONE_VM | CLONE_SYSVSEM))
		return -EINVAL;
	if (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) &&
	    (p->nthreads > 1 || load_relaxed(&p->mm->users.n) > 1))
		return -EINVAL;
	if (flags & CLONE_NAMESPACES)
		return -EPERM;
	if (flags & CLONE_SYSVSEM)
		sem_process_exit(p);
	if (flags & CLONE_FS)
		err = unshare_fs(p);
	if (!err && flags & CLONE_FILES)
		err = files_unshare(p);
	return err;
}
