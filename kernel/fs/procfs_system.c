/*
 * procfs_system.c - the machine and the kernel as a whole: time, load, mounts.
 *
 * The rule: figures come from the counters of proc; nothing is counted here. Next:
 * procfs_memory.c.
 */
#include <linux/stat.h>

#include "fs/locks.h"
#include "fs/procfs_priv.h"
#include "fs/uts.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/proc.h"

#define TICK_NS 10000000ull /* sysconf(_SC_CLK_TCK) is 100 */
#define MOUNT_LINE 8192
#define LOAD_ONE 65536u

/* --- time and load --- */

static void add_time(struct text *t, u64 ns, const char *after)
{
	text_printf(t, "%lu.%02lu%s", (u64)(ns / NS_PER_SEC), (u64)(ns % NS_PER_SEC / TICK_NS),
		    after);
}

int proc_uptime_show(struct text *t, const struct proc_node *n)
{
	add_time(t, clock_monotonic(), " ");
	add_time(t, scheduler_idle_ns(), "\n");
	return 0;
}

int proc_loadavg_show(struct text *t, const struct proc_node *n)
{
	u32 load[3];

	scheduler_load_average(load);
	for (u32 i = 0; i < 3; i++) {
		u32 rounded = load[i] + LOAD_ONE / 200;

		text_printf(t, "%u.%02u ", rounded / LOAD_ONE, rounded % LOAD_ONE * 100 / LOAD_ONE);
	}
	text_printf(t, "%u/%lu %u\n", scheduler_runnable_count(), thread_live_count(),
		    process_last_pid());
	return 0;
}

struct cpu_time {
	u64 user, system; /* ns */
};

static int add_process_time(struct process *p, void *arg)
{
	struct cpu_time *sum = arg;
	struct process_times times;

	process_times(p, &times);
	sum->user += times.user_ns + times.child_user_ns;
	sum->system += times.system_ns + times.child_system_ns;
	return 0;
}

static void cpu_line(struct text *t, const char *name, u64 user, u64 system, u64 idle)
{
	text_printf(t, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, (u64)(user / TICK_NS),
		    (u64)(system / TICK_NS), (u64)(idle / TICK_NS));
}

/*
 * What processes and those they have waited for used is known, and how long each CPU was idle; the
 * rest of the time is the system's. A CPU's own time is divided as that of all.
 */
int proc_system_stat_show(struct text *t, const struct proc_node *n)
{
	u64 up = clock_monotonic(), idle = scheduler_idle_ns(), busy;
	u32 cpus = scheduler_cpu_count();
	struct cpu_time used = { 0 };

	process_for_each(add_process_time, &used);
	busy = up * cpus - min(idle, up * cpus);
	used.user = min(used.user, busy);
	cpu_line(t, "cpu ", used.user, busy - used.user, idle);
	for (u32 cpu = 0; cpu < cpus; cpu++) {
		u64 own_idle = min(scheduler_cpu_idle_ns(cpu), up), own_user = 0;
		char name[16];

		if (busy)
			own_user = (u64)((unsigned __int128)used.user * (up - own_idle) / busy);
		format(name, sizeof(name), "cpu%u", cpu);
		cpu_line(t, name, own_user, up - own_idle - min(own_user, up - own_idle), own_idle);
	}
	text_printf(
		t,
		"intr 0\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
		scheduler_switch_count(),
		(u64)((clock_realtime() - clock_monotonic()) / NS_PER_SEC), process_fork_count(),
		scheduler_runnable_count());
	return 0;
}

/* --- files --- */

struct mount_listing {
	struct text *text;
	char *line;
	bool mountinfo;
};

static int list_mount(struct mount *m, void *arg)
{
	struct mount_listing *l = arg;

	mount_describe(m, l->line, MOUNT_LINE, l->mountinfo);
	text_string(l->text, l->line);
	return 0;
}

static int mounts_show(struct text *t, bool mountinfo)
{
	struct mount_listing l = { t, kmalloc(MOUNT_LINE), mountinfo };

	if (!l.line)
		return -ENOMEM;
	mount_for_each(list_mount, &l);
	kfree(l.line);
	return 0;
}

int proc_mounts_show(struct text *t, const struct proc_node *n)
{
	return mounts_show(t, false);
}

int proc_mountinfo_show(struct text *t, const struct proc_node *n)
{
	return mounts_show(t, true);
}

static void lock_line(const char *line, void *arg)
{
	text_string(arg, line);
}

int proc_locks_show(struct text *t, const struct proc_node *n)
{
	locks_for_each(lock_line, t);
	return 0;
}

/* --- the kernel --- */

int proc_version_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s version %s (coppice@coppice) (gcc %s) %s\n", UTS_SYSNAME, UTS_RELEASE,
		    __VERSION__, UTS_VERSION);
	return 0;
}

int proc_cmdline_of_kernel_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s\n", uts_command_line);
	return 0;
}
