/*
 * exec.c - execve: a process becomes another program.
 *
 * The textbook's four steps (delete the old areas, map the private ones, map the shared libraries
 * through the interpreter, set the program counter) in an order that cannot fail half-way: the new
 * space is built completely beside the old one, out of reach; then the other threads die; then the
 * process changes over, which cannot fail. Files are treated as mounted nosuid: set-user-ID bits
 * have no effect. Read script.c, exec_stack.c and elf.c next.
 */
#include <linux/fcntl.h>
#include <linux/personality.h>
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/stat.h>

#include "arch/x86_64/segments.h"
#include "arch/x86_64/tlb.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/usercopy.h"
#include "dev/device.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/shortage.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/exec_priv.h"
#include "proc/ptrace.h"
#include "proc/ptrace_priv.h"
#include "proc/oom.h"
#include "proc/sched_priv.h"

#define RFLAGS_INITIAL 0x202ull /* interrupts on */
#define STACK_GAP_MIN (128ull << 20)
#define STACK_GUARD (1ull << 20)
#define STACK_RANDOM_MAX (16ull << 30)

/* --- the program's file --- */

struct file *exec_file_get(struct process *p)
{
	struct file *f = process_exe_get(p);

	/* It is held already, so this cannot find a writer. */
	if (f && file_deny_write(f)) {
		file_put(f);
		return NULL;
	}
	return f;
}

void exec_file_put(struct file *f)
{
	file_allow_write(f);
	file_put(f);
}

int exec_open(const struct path *start, const char *name, u32 lookup_flags, struct file **out)
{
	struct path path;
	struct inode *inode;
	struct file *f;
	int err = path_lookup(start, name, lookup_flags, &path);

	if (err)
		return err;
	inode = dentry_inode(path.dentry);
	err = S_ISREG(inode->mode) ? vfs_permission(inode, MAY_EXEC) : -EACCES;
	if (!err) {
		f = file_open_path(&path, O_RDONLY);
		err = IS_ERR(f) ? (int)PTR_ERR(f) : 0;
	}
	path_put(&path);
	if (err)
		return err;
	err = file_deny_write(f);
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

int exec_read_header(struct exec *x)
{
	ssize n;

	memset(x->header, 0, sizeof(x->header));
	n = file_read_kernel(x->file, x->header, sizeof(x->header), 0);
	return n < 0 ? (int)n : 0;
}

/* --- building --- */

/* mmap grows down from below the room that the stack may ever take. */
static void space_set_mmap_base(struct exec *x)
{
	u64 pad = STACK_GUARD + (x->randomize ? STACK_RANDOM_MAX : 0);
	u64 gap = rlimit_get(RLIMIT_STACK);

	if (gap < UINT64_MAX - pad)
		gap += pad;
	gap = clamp(gap, STACK_GAP_MIN, USER_END / 6 * 5);
	x->mm->mmap_base =
		ROUND_DOWN(USER_END - gap - exec_random_pages(x, MMAP_RANDOM_BITS), PAGE_SIZE);
}

/* Errors in the order in which Linux finds them: the file, the strings, the format. */
static int exec_build(struct exec *x, const struct path *start, const char *name, u32 lookup_flags)
{
	int script_err, err = exec_open(start, name, lookup_flags, &x->file);

	if (err)
		return err;
	err = exec_read_header(x);
	if (err)
		return err;
	script_err = script_resolve(x);
	x->mm = space_create();
	if (!x->mm)
		return -ENOMEM;
	space_limits_set(x->mm, process_current());
	if (thread_current()->mm)
		x->mm->huge_disabled = load_relaxed(&thread_current()->mm->huge_disabled);
	space_set_mmap_base(x);
	err = exec_count(x);
	if (!err)
		err = exec_build_stack(x);
	if (!err)
		err = script_err;
	return err ? err : elf_load(x);
}

static void exec_free(struct exec *x)
{
	if (x->mm)
		space_put(x->mm);
	if (x->file)
		exec_file_put(x->file);
	for (u32 i = 0; i < x->nprefix; i++)
		kfree(x->prefix[i]);
	kfree(x->argv.sizes);
	kfree(x->envp.sizes);
	kfree(x);
}

/* --- changing over --- */

/* All other threads die. -EAGAIN: the process is being killed, or another thread got here first. */
static int kill_other_threads(struct process *p, struct thread *self)
{
	struct thread *t;

	spin_lock(&p->signal_lock);
	if (p->exiting || p->exec_thread || p->core_thread) {
		spin_unlock(&p->signal_lock);
		return -EAGAIN;
	}
	p->exec_thread = self;
	list_for_each (t, &p->threads, thread_link) {
		if (t != self) {
			atomic_or(&t->work, WORK_EXIT);
			thread_interrupt(t);
		}
	}
	while (p->nthreads > 1) {
		thread_prepare_park();
		spin_unlock(&p->signal_lock);
		thread_park(false, DEADLINE_NONE);
		spin_lock(&p->signal_lock);
	}
	p->exec_thread = NULL;
	p->leader = self;
	spin_unlock(&p->signal_lock);
	return 0;
}

/* The thread that is left goes by the process's number. */
static void take_process_number(struct process *p, struct thread *t)
{
	u32 tid = t->tid;

	if (tid == p->pid)
		return;
	spin_lock(&tree_lock);
	trace_renumber(t, p->pid);
	t->tid = p->pid;
	spin_unlock(&tree_lock);
	pid_set_thread(p->pid, t);
	pid_set_thread(tid, NULL);
}

static void reset_signals(struct process *p, struct thread *t)
{
	spin_lock(&p->signal_lock);
	for (u32 i = 0; i < SIGNAL_COUNT; i++) {
		u64 handler = p->actions[i].handler == (u64)SIG_IGN ? (u64)SIG_IGN : (u64)SIG_DFL;

		p->actions[i] = (struct sigaction_kernel){ .handler = handler };
	}
	t->altstack_sp = t->altstack_size = 0;
	t->altstack_flags = SS_DISABLE;
	spin_unlock(&p->signal_lock);
}

static const char *base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/*
 * The old space is left as at exit: who waits for this thread's word is woken, a vfork parent goes
 * on.
 */
static void change_space(struct exec *x, struct process *p, struct thread *t)
{
	struct mm *old = t->mm;

	if (old)
		futex_exec(t);
	t->rseq = 0;
	spin_lock(&p->lock);
	p->mm = x->mm;
	spin_unlock(&p->lock);
	t->mm = x->mm;
	x->mm = NULL;
	space_activate(t->mm);
	cpu_set_kernel_stack((char *)t->stack + KERNEL_STACK_SIZE);
	if (old) {
		(void)space_rss(old); /* brings the peak up to date */
		p->max_rss =
			max(p->max_rss, load_relaxed(&old->peak_rss_pages) * (PAGE_SIZE / 1024));
		space_put(old);
	}
	vfork_complete(t);
}

static void change_file(struct exec *x, struct process *p)
{
	struct file *old;

	spin_lock(&p->lock);
	old = p->exe;
	p->exe = x->file;
	spin_unlock(&p->lock);
	x->file = NULL;
	if (old)
		exec_file_put(old);
}

static void set_start_registers(const struct exec *x, struct thread *t)
{
	struct regs *regs = thread_regs(t);

	/* The number of the call stays, for tracers. */
	*regs = (struct regs){ .orig_rax = regs->orig_rax,
			       .rip = x->entry,
			       .cs = USER_CS,
			       .rflags = RFLAGS_INITIAL,
			       .rsp = x->sp,
			       .ss = USER_DS };
	cpu_set_fs_base(0);
	cpu_set_user_gs_base(0);
	fpu_reset();
}

static int exec_change_over(struct exec *x)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	int err = files_unshare(p);

	if (!err)
		err = kill_other_threads(p, t);
	if (err)
		return err;
	take_process_number(p, t);
	posix_timers_exit(p);
	change_space(x, p, t);
	change_file(x, p);
	reset_signals(p, t);
	files_close_on_exec(p->files);
	cred_apply_exec(p);
	p->dumpable = true;
	p->personality &= ~(u32)READ_IMPLIES_EXEC;
	process_set_name(base_name(x->name));
	spin_lock(&tree_lock);
	p->execed = true;
	p->vfork_child = false;
	p->exit_signal = SIGCHLD;
	spin_unlock(&tree_lock);
	return 0;
}

/* --- entry points --- */

static bool wants_random_addresses(const struct process *p)
{
	return !(launch.flags & HOST_FLAG_NO_ASLR) && !(p->personality & ADDR_NO_RANDOMIZE);
}

/*
 * 0: the process is the new program; its first registers are set. Else nothing has changed;
 * *committed: the file was good enough for Linux to give up the old image.
 */
static int exec_try(const struct path *start, const char *name, u32 lookup_flags,
		    const char *shown_name, const struct exec_vector *argv,
		    const struct exec_vector *envp, bool *committed)
{
	struct exec *x = kzalloc(sizeof(*x));
	int err;

	*committed = false;
	if (!x)
		return -ENOMEM;
	x->name = shown_name;
	x->argv = *argv;
	x->envp = *envp;
	x->randomize = wants_random_addresses(process_current());
	err = exec_build(x, start, name, lookup_flags);
	if (err)
		*committed = x->committed;
	else
		err = exec_change_over(x);
	if (!err) {
		set_start_registers(x, thread_current());
		shortage_current()->fail_in = 0; /* a test's wish is not the new program's */
	}
	exec_free(x);
	return err;
}

static int exec_run(const struct path *start, const char *name, u32 lookup_flags,
		    const char *shown_name, const struct exec_vector *argv,
		    const struct exec_vector *envp)
{
	bool committed;
	u64 shortages;
	int err;

	do {
		shortages = shortage_current()->count;
		err = exec_try(start, name, lookup_flags, shown_name, argv, envp, &committed);
	} while (err == -ENOMEM && oom_retry(shortages));
	/* Linux would find this out with the old image gone. */
	if (err && committed)
		process_exit_group(SIGSEGV);
	return err;
}

int process_exec(const struct path *start, const char *name, u32 lookup_flags,
		 const char *shown_name, u64 argv, u64 envp)
{
	struct exec_vector args = { .user = true, .array = argv },
			   env = { .user = true, .array = envp };
	u64 t0 = clock_monotonic();
	u32 tid = thread_current()->tid;
	int err = exec_run(start, name, lookup_flags, shown_name, &args, &env);

	thread_charge_system(t0);
	if (!err)
		trace_exec(tid);
	return err;
}

void process_enter_user(void)
{
	struct thread *t = thread_current();

	trace_syscall_exit(thread_regs(t));
	if (load_acquire(&t->work))
		return_to_user_work(thread_regs(t));
	enter_user(thread_regs(t));
}

int process_exec_kernel(const char *name, char **argv, char **envp)
{
	struct exec_vector args = { .array = (u64)argv }, env = { .array = (u64)envp };

	return exec_run(NULL, name, LOOKUP_FOLLOW, name, &args, &env);
}
