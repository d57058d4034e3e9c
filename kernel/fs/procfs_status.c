/*
 * procfs_status.c - who a process or thread is and what it has used: stat, status, comm. proc(5)
 * has the fields.
 *
 * The rule: what is shown is gathered first, in a struct proc_view, under the locks of proc; then
 * it is written. The memory of a process is in procfs_mm.c.
 */
#include <asm/resource.h>
#include <linux/stat.h>

#include "arch/x86_64/percpu.h"
#include "fs/procfs_priv.h"
#include "fs/tty.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/proc.h"

#define TICK_NS 10000000ull        /* sysconf(_SC_CLK_TCK) is 100 */
#define FLAG_FORKNOEXEC 0x40u      /* PF_* of stat's flags: has not called execve since fork */
#define FLAG_RANDOMIZE 0x00400000u /* random addresses */
#define FD_TABLE_MIN 64u

struct proc_view {
	u32 id; /* pid or tid */
	char name[16], state;
	struct process_times times; /* of the thread, or of all */
	struct process_signals signals;
	u64 start_ns, affinity;
	u32 cpu;
};

struct thread_search {
	u32 tid; /* 0: the first */
	bool found;
	struct proc_view *view;
};

static int view_thread(struct thread *t, void *arg)
{
	struct thread_search *s = arg;
	struct proc_view *v = s->view;

	if (s->tid && t->tid != s->tid)
		return 0;
	s->found = true;
	v->cpu = load_relaxed(&t->cpu);
	v->affinity = t->affinity;
	if (!s->tid)
		return 1;
	memcpy(v->name, t->name, sizeof(v->name));
	v->state = thread_state_letter(t);
	v->start_ns = t->start_ns;
	v->times.user_ns = t->user_ns;
	v->times.system_ns = t->system_ns;
	v->times.min_flt = t->min_flt;
	v->times.maj_flt = t->maj_flt;
	v->times.voluntary_switches = t->voluntary_switches;
	v->times.involuntary_switches = t->involuntary_switches;
	v->times.nice = t->nice;
	v->signals.blocked = t->sigmask;
	v->signals.pending = t->pending.set;
	return 1;
}

static int view_get(const struct proc_node *n, struct proc_view *v)
{
	struct process *p = n->process;
	struct thread_search s = { .tid = n->tid, .view = v };

	*v = (struct proc_view){ .id = n->tid ? n->tid : p->pid,
				 .start_ns = p->start_ns,
				 .affinity = UINT64_MAX };
	v->state = process_state_letter(p);
	if (load_relaxed(&p->state) == PROCESS_REAPED)
		return -ESRCH;
	process_name(p, v->name);
	process_times(p, &v->times);
	process_signals(p, &v->signals);
	process_for_each_thread(p, view_thread, &s);
	v->affinity &= load_relaxed(&cpus_online);
	return n->tid && !s.found ? -ESRCH : 0;
}

/* --- stat --- */

static u64 ticks(u64 ns)
{
	return ns / TICK_NS;
}

/* Addresses in a space are for those who may look into it. */
static void stat_memory(struct mm *mm, bool permitted, u64 out[5])
{
	out[0] = mm ? (permitted ? mm->start_code : 1) : 0;
	out[1] = mm ? (permitted ? mm->end_code : 1) : 0;
	out[2] = mm && permitted ? ROUND_DOWN(mm->arg_start, 16ull) : 0;
	out[3] = mm ? space_vm_bytes(mm) : 0;
	out[4] = 0;
	if (mm) {
		struct space_rss rss = space_rss(mm);

		out[4] = rss.anon + rss.file + rss.shmem;
	}
}

static void stat_ends(struct text *t, struct mm *mm, const struct process *p, bool permitted)
{
	if (mm && permitted)
		text_printf(t, " %lu %lu %lu %lu %lu %lu %lu", mm->start_data, mm->end_data,
			    mm->brk_start, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
	else
		text_string(t, " 0 0 0 0 0 0 0");
	text_printf(t, " %u\n", permitted ? load_relaxed(&p->exit_status) : 0);
}

int proc_stat_show(struct text *t, const struct proc_node *n)
{
	struct process *p = n->process;
	struct tty *tty = process_tty(p);
	bool permitted = process_may_inspect(p);
	struct mm *mm = process_mm_get(p);
	struct proc_view v;
	u64 m[5];
	int err = view_get(n, &v);

	if (err)
		goto out;
	stat_memory(mm, permitted, m);
	text_printf(t, "%u (%.16s) %c %u %u %u %d %d %u", v.id, v.name, v.state,
		    process_parent_pid(p), process_group_id(p), process_session_id(p),
		    tty ? (s32)tty_device(tty) : 0, tty ? (s32)tty_foreground(tty) : -1,
		    FLAG_RANDOMIZE | (p->execed ? 0 : FLAG_FORKNOEXEC));
	text_printf(t, " %lu %lu %lu %lu %lu %lu %ld %ld %d %d %u 0 %lu", v.times.min_flt,
		    v.times.child_min_flt, v.times.maj_flt, v.times.child_maj_flt,
		    ticks(v.times.user_ns), ticks(v.times.system_ns), ticks(v.times.child_user_ns),
		    ticks(v.times.child_system_ns), 20 + v.times.nice, v.times.nice,
		    v.times.nthreads, ticks(v.start_ns));
	text_printf(t, " %lu %lu %lu %lu %lu %lu 0 0", m[3], m[4],
		    load_relaxed(&p->rlimit_soft[RLIMIT_RSS]), m[0], m[1], m[2]);
	text_printf(t, " %lu %lu %lu %lu 0 0 0 %d %u 0 0 0 0 0", v.signals.pending & INT32_MAX,
		    v.signals.blocked & INT32_MAX, v.signals.ignored & INT32_MAX,
		    v.signals.caught & INT32_MAX,
		    n->tid && n->tid != p->pid ? -1 : (s32)p->exit_signal, v.cpu);
	stat_ends(t, mm, p, permitted);
out:
	if (mm)
		space_put(mm);
	return err;
}

/* --- status --- */

static const char *state_text(char state)
{
	static const char *const texts[] = { "R (running)", "S (sleeping)",     "D (disk sleep)",
					     "T (stopped)", "t (tracing stop)", "X (dead)",
					     "Z (zombie)" };

	for (u32 i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i][0] == state)
			return texts[i];
	}
	return texts[0];
}

static int highest_fd(u32 fd, struct file *f, bool cloexec, void *arg)
{
	*(u32 *)arg = fd;
	return 0;
}

static u32 table_size(struct process *p)
{
	struct files *files = process_files_get(p);
	u32 highest = 0, size = FD_TABLE_MIN;

	if (!files)
		return 0;
	files_for_each(files, highest_fd, &highest);
	files_put(files);
	while (size <= highest)
		size *= 2;
	return size;
}

static void status_identity(struct text *t, const struct proc_node *n, const struct proc_view *v)
{
	struct process *p = n->process;
	struct fs_context *fs = process_fs_get(p);
	struct cred *c = process_cred_get(p);
	u32 group = process_group_id(p), session = process_session_id(p);
	char name[17] = "";

	memcpy(name, v->name, 16);
	text_string(t, "Name:\t");
	text_escaped(t, name, "\n\\");
	if (fs) {
		text_printf(t, "\nUmask:\t0%03o", fs->umask);
		fs_context_put(fs);
	}
	text_printf(t, "\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n",
		    state_text(v->state), p->pid, v->id, process_parent_pid(p),
		    process_tracer_pid(p, v->id));
	text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c->uid,
		    c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid, table_size(p));
	for (u32 i = 0; i < c->ngroups; i++)
		text_printf(t, i ? " %u" : "%u", c->groups[i]);
	text_printf(t, " \nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\nKthread:\t0\n", p->pid,
		    v->id, group, session);
	cred_put(c);
}

static void status_memory(struct text *t, struct mm *mm)
{
	struct space_rss rss = space_rss(mm);
	u64 now = space_vm_bytes(mm), resident = rss.anon + rss.file + rss.shmem;
	struct proc_sizes sizes;

	proc_sizes(mm, &sizes);
	text_printf(t,
		    "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t       0 "
		    "kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
		    kib(max(now, load_relaxed(&mm->peak_vm_bytes))), kib(now),
		    kib(space_locked_bytes(mm)),
		    kib(max(resident, load_relaxed(&mm->peak_rss_pages)) * PAGE_SIZE),
		    kib(resident * PAGE_SIZE));
	text_printf(t, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		    kib(rss.anon * PAGE_SIZE), kib(rss.file * PAGE_SIZE),
		    kib(rss.shmem * PAGE_SIZE));
	text_printf(t,
		    "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu "
		    "kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
		    kib(sizes.data), kib(sizes.stack), kib(sizes.code), kib(sizes.libraries),
		    kib(space_table_bytes(mm)), kib(rss.swap * PAGE_SIZE));
	text_printf(t,
		    "HugetlbPages:\t       0 "
		    "kB\nCoreDumping:\t0\nTHP_enabled:\t%u\nuntag_mask:\t0xffffffffffffffff\n",
		    load_relaxed(&mm->huge_disabled) != HUGE_DISABLED);
}

static void status_signals(struct text *t, const struct process *p, const struct proc_view *v)
{
	const struct process_signals *s = &v->signals;

	text_printf(t,
		    "Threads:\t%u\nSigQ:\t%u/"
		    "%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%"
		    "016lx\nSigCgt:\t%016lx\n",
		    v->times.nthreads, s->queued, load_relaxed(&p->rlimit_soft[RLIMIT_SIGPENDING]),
		    s->pending, s->shared_pending, s->blocked, s->ignored, s->caught);
}

static void status_rights(struct text *t, struct process *p)
{
	struct cred *c = process_cred_get(p);

	text_printf(t,
		    "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%"
		    "016lx\n",
		    c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding,
		    c->cap_ambient);
	cred_put(c);
	text_printf(t,
		    "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:"
		    "\tvulnerable\n"
		    "SpeculationIndirectBranch:\talways enabled\n",
		    p->no_new_privs);
}

int proc_status_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm;
	struct proc_view v;
	int err = view_get(n, &v);

	if (err)
		return err;
	status_identity(t, n, &v);
	mm = process_mm_get(n->process);
	if (mm) {
		status_memory(t, mm);
		space_put(mm);
	}
	status_signals(t, n->process, &v);
	status_rights(t, n->process);
	text_string(t, "Cpus_allowed:\t");
	text_cpu_mask(t, v.affinity);
	text_string(t, "\nCpus_allowed_list:\t");
	text_bit_list(t, v.affinity);
	text_printf(t,
		    "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%"
		    "lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		    v.times.voluntary_switches, v.times.involuntary_switches);
	return 0;
}

/* --- comm --- */

int proc_comm_show(struct text *t, const struct proc_node *n)
{
	struct proc_view v;
	int err = view_get(n, &v);

	if (!err)
		text_printf(t, "%.16s\n", v.name);
	return err;
}

struct renaming {
	u32 tid; /* 0: the first */
	bool found;
	const char *name;
};

static int rename_thread(struct thread *t, void *arg)
{
	struct renaming *r = arg;

	if (r->tid && t->tid != r->tid)
		return 0;
	r->found = true;
	memset(t->name, 0, sizeof(t->name));
	string_copy(t->name, r->name, sizeof(t->name));
	return 1;
}

/* Threads name each other, but not those of another process. */
int proc_comm_store(const char *text, const struct proc_node *n)
{
	struct renaming r = { .tid = n->tid ? n->tid : n->process->pid, .name = text };

	if (n->process != process_current())
		return -EINVAL;
	process_for_each_thread(n->process, rename_thread, &r);
	return r.found ? 0 : -ESRCH;
}
