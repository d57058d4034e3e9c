/*
 * init.c - process 1, the first program, and the end of the machine.
 *
 * Process 1 is the kernel's own: it runs no program. It starts the program of the launch record as
 * its child, reaps orphans, and when the program has ended it kills what is left, sends what the
 * command asked for, and powers off. The program is an ordinary process, not process 1, so that
 * default actions of signals work for it.
 */
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/wait.h>

#include "arch/x86_64/trap.h"
#include "dev/device.h"
#include "fs/stdio.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "net/unix.h"
#include "proc/ipc.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_LENGTH_MAX 4096u
#define STATUS_NOT_FOUND 127u
#define STATUS_NOT_EXECUTABLE 126u
#define STATUS_TIMEOUT 124u
#define END_PATIENCE_NS (5 * NS_PER_SEC) /* for processes that were killed to go away */
#define TEXT_SIZE 8192u

static struct process *program; /* counted */
static u32 program_status;
static bool program_ended;
static bool power_off; /* A */

/* --- process 1 --- */

static void rlimits_set_all(struct process *p, u64 value)
{
	for (u32 i = 0; i < RLIMIT_COUNT; i++)
		p->rlimit_soft[i] = p->rlimit_hard[i] = value;
}

void proc_init(void)
{
	struct process *p = process_alloc();
	struct pgroup *g = NULL;

	futex_init();
	ipc_init();
	oom_init();
	limits_init();
	if (p) {
		p->cred = cred_new_root();
		p->uid_count = uid_count_get(0);
		pid_alloc(p, NULL, &p->pid);
		spin_lock(&tree_lock);
		g = p->pid ? group_create_first(p) : NULL;
		if (g)
			group_join(p, g);
		spin_unlock(&tree_lock);
	}
	if (!g || !p->cred || !p->uid_count)
		panic("no memory for process 1");
	rlimits_set_all(p, UINT64_MAX);
	string_copy(p->last_name, "init", sizeof(p->last_name));
	init_process = p;
	scheduler_init();
}

/* The calling kernel thread becomes its only thread. */
static void become_init(void)
{
	struct thread *t = thread_current();
	struct process *p = init_process;

	t->tid = p->pid;
	spin_lock(&p->signal_lock);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = 1;
	p->leader = t;
	spin_unlock(&p->signal_lock);
	pid_set_thread(p->pid, t);
	process_set_name("init");
	p->fs = fs_context_new();
	p->files = files_new();
	if (!p->fs || !p->files)
		panic("no memory for process 1");
}

/* --- the first program: in its own process from here --- */

static const char *environment(const char *name)
{
	size_t n = strlen(name);

	for (u32 i = 0; i < launch.envc; i++) {
		if (strncmp(launch.envp[i], name, n) == 0 && launch.envp[i][n] == '=')
			return launch.envp[i] + n + 1;
	}
	return NULL;
}

/*
 * As execvp(3): the first file of that name in PATH that can be run; -EACCES if one was found that
 * may not be.
 */
static int program_exec_path(char *buf)
{
	const char *name = launch.argv[0], *dir = environment("PATH");
	int result = -ENOENT;

	if (*name == '\0')
		return -ENOENT;
	if (strchr(name, '/'))
		return process_exec_kernel(name, launch.argv, launch.envp);
	if (!dir)
		dir = DEFAULT_PATH;
	for (;;) {
		const char *end = strchr(dir, ':');
		int n = end ? (int)(end - dir) : (int)strlen(dir), err;

		if (format(buf, PATH_LENGTH_MAX, "%.*s%s%s", n, dir, n ? "/" : "", name) <
		    (int)PATH_LENGTH_MAX) {
			err = process_exec_kernel(buf, launch.argv, launch.envp);
			if (err != -ENOENT && err != -ENOTDIR && err != -EACCES)
				return err;
			if (err == -EACCES)
				result = err;
		}
		if (!end)
			return result;
		dir = end + 1;
	}
}

/* The working directory of the command; the root where the tree does not have it. */
static void program_set_cwd(struct process *p)
{
	struct path path;
	int err = path_lookup(NULL, launch.cwd && *launch.cwd ? launch.cwd : "/",
			      LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (!err) {
		err = fs_context_set_cwd(p->fs, &path);
		path_put(&path);
	}
	if (err)
		log_info("no working directory %s: error %d", launch.cwd, -err);
}

static void program_start(void *arg)
{
	struct process *p = process_current();
	char *buf;
	int err;

	thread_entered();
	buf = kmalloc(PATH_LENGTH_MAX);
	program_set_cwd(p);
	err = buf ? stdio_open(p->files) : -ENOMEM;
	if (!err)
		err = launch.argc ? program_exec_path(buf) : -ENOENT;
	kfree(buf);
	if (!err)
		process_enter_user();
	host_exec_failed(-err);
	process_exit_group(
		(err == -ENOENT || err == -ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE)
		<< 8);
}

static struct cred *program_cred(void)
{
	struct cred *c = cred_new_root();

	if (!c)
		return NULL;
	c->uid = c->euid = c->suid = c->fsuid = launch.uid;
	c->gid = c->egid = c->sgid = c->fsgid = launch.gid;
	if (launch.uid)
		c->cap_permitted = c->cap_effective = 0;
	c->ngroups = min(launch.ngroups, (u32)NGROUPS_KEPT);
	for (u32 i = 0; i < c->ngroups; i++)
		c->groups[i] = launch.groups[i];
	return c;
}

/* What Linux gives process 1, then what the command's own limits are. */
static void program_rlimits(struct process *p)
{
	rlimits_set_all(p, UINT64_MAX);
	p->rlimit_soft[RLIMIT_STACK] = 8ull << 20;
	p->rlimit_soft[RLIMIT_CORE] = 0;
	p->rlimit_soft[RLIMIT_NOFILE] = 1024;
	p->rlimit_hard[RLIMIT_NOFILE] = 4096;
	p->rlimit_soft[RLIMIT_MEMLOCK] = p->rlimit_hard[RLIMIT_MEMLOCK] = 8ull << 20;
	p->rlimit_soft[RLIMIT_SIGPENDING] = p->rlimit_hard[RLIMIT_SIGPENDING] = frame_managed / 32;
	p->rlimit_soft[RLIMIT_NPROC] = p->rlimit_hard[RLIMIT_NPROC] = frame_managed / 32;
	p->rlimit_soft[RLIMIT_MSGQUEUE] = p->rlimit_hard[RLIMIT_MSGQUEUE] = 819200;
	p->rlimit_soft[RLIMIT_NICE] = p->rlimit_hard[RLIMIT_NICE] = 0;
	p->rlimit_soft[RLIMIT_RTPRIO] = p->rlimit_hard[RLIMIT_RTPRIO] = 0;
	for (u32 i = 0; i < launch.nrlimits; i++) {
		const struct host_launch_rlimit *l = &launch.rlimits[i];

		if (l->resource < RLIMIT_COUNT) {
			p->rlimit_soft[l->resource] = l->soft;
			p->rlimit_hard[l->resource] = l->hard;
		}
	}
	p->cpu_limited = p->rlimit_soft[RLIMIT_CPU] != UINT64_MAX;
}

static void program_create(void)
{
	struct process *p = process_alloc();
	struct thread *t = thread_alloc(true);
	struct pgroup *g = NULL;

	if (!p || !t)
		panic("no memory for the first process");
	p->cred = program_cred();
	p->uid_count = uid_count_get(launch.uid);
	p->fs = fs_context_new();
	p->files = files_new();
	pid_alloc(p, t, &p->pid);
	t->tid = p->pid;
	if (!p->cred || !p->uid_count || !p->fs || !p->files || !p->pid)
		panic("no memory for the first process");
	p->fs->umask = launch.umask;
	for (u32 i = 0; i < SIGNAL_COUNT; i++) {
		if (launch.signals.ignored & BIT(i))
			p->actions[i].handler = (u64)SIG_IGN;
	}
	t->sigmask = launch.signals.blocked;
	p->exit_signal = SIGCHLD;
	p->dumpable = true;
	program_rlimits(p);
	process_get(p);
	t->process = p;
	context_init(&t->context, (void *)ROUND_DOWN((u64)thread_regs(t), 16ull), program_start, t);
	spin_lock(&tree_lock);
	g = group_create_first(p);
	if (!g)
		panic("no memory for the first process");
	p->parent = init_process;
	list_push_back(&init_process->children, &p->sibling);
	group_join(p, g);
	list_push_back(&p->threads, &t->thread_link);
	p->nthreads = 1;
	p->leader = t;
	spin_unlock(&tree_lock);
	process_get(p);
	program = p;
	thread_make_runnable(t, false);
}

/* --- the end --- */

struct text {
	char *data;
	size_t n;
};

static void text_line(struct text *t, const char *name, u64 value)
{
	int n = format(t->data + t->n, TEXT_SIZE - t->n, "%s %lu\n", name, value);

	t->n = min(t->n + (size_t)n, (size_t)TEXT_SIZE - 1);
}

static void send_stats(void)
{
	const struct mm_counters c = mm_counters_sum();
	struct text t = { .data = kmalloc(TEXT_SIZE) };

	if (!t.data)
		return;
	text_line(&t, "uptime_us", clock_monotonic() / 1000);
	text_line(&t, "idle_us", scheduler_idle_ns() / 1000);
	text_line(&t, "context_switches", scheduler_switch_count());
	text_line(&t, "processes_created", process_fork_count() + 1);
	text_line(&t, "forks", c.forks);
	text_line(&t, "fork_ns_last", load_relaxed(&space_fork_ns_last));
	text_line(&t, "faults_minor", c.faults_minor);
	text_line(&t, "faults_major", c.faults_major);
	text_line(&t, "faults_spurious", c.faults_spurious);
	text_line(&t, "tables_copied", c.tables_copied);
	text_line(&t, "tables_adopted", c.tables_adopted);
	text_line(&t, "pages_copied", c.pages_copied);
	text_line(&t, "pages_reused", c.pages_reused);
	text_line(&t, "pages_zeroed", c.pages_zeroed);
	text_line(&t, "huge_faults", c.huge_faults);
	text_line(&t, "huge_splits", c.huge_splits);
	text_line(&t, "shootdowns", c.shootdowns);
	text_line(&t, "frames_total", frame_managed);
	text_line(&t, "frames_free", frame_free_count());
	text_line(&t, "frames_cache", object_cache_frames());
	host_text(HOST_STATS, t.data, t.n);
	kfree(t.data);
}

static void send_missing(void)
{
	char *text = kmalloc(TEXT_SIZE);

	if (text)
		host_text(HOST_MISSING, text, syscall_missing_text(text, TEXT_SIZE));
	kfree(text);
}

#define LAST_STEPS_NS NS_PER_SEC

/* Everything has exited: nothing may be left, and what mm says of itself must be true. */
static void check_leaks(void)
{
	static char text[512];
	u64 end = clock_monotonic() + LAST_STEPS_NS;
	u32 violations;

	/* Who has been waited for may still be on its last steps, on another CPU. */
	while (process_live_count() != 1 && clock_monotonic() < end)
		thread_yield();
	cpus_pause();
	violations = mm_check(text, sizeof(text));
	cpus_resume();
	if (violations)
		panic("mm check: %u violations: %s", violations, text);
	const struct mm_counters c = mm_counters_sum();
	if (c.spaces || c.tables || c.anon_pages)
		panic("leak: %lu spaces, %lu tables, %lu anonymous pages", c.spaces, c.tables,
		      c.anon_pages);
	if (process_live_count() != 1)
		panic("leak: %lu processes", process_live_count() - 1);
	if (unix_live_count())
		panic("leak: %u sockets", unix_live_count());
}

static bool have_children(void)
{
	bool have;

	spin_lock(&tree_lock);
	have = !list_empty(&init_process->children);
	spin_unlock(&tree_lock);
	return have;
}

/* Take all zombies there are. */
static void reap(void)
{
	struct wait_request r = { .kind = WAIT_ANY, .options = WEXITED | WNOHANG | __WALL };
	struct wait_result result;

	while (process_wait(&r, &result) == 0 && result.pid) {
		if (result.pid == program->pid) {
			program_ended = true;
			program_status = result.status;
		}
	}
}

static bool reap_until_end(void)
{
	reap();
	return program_ended || load_acquire(&power_off);
}

static bool reap_until_alone(void)
{
	reap();
	return !have_children();
}

static int kill_unless_init(struct process *p, void *arg)
{
	if (p != init_process)
		signal_process(p, SIGKILL, NULL);
	return 0;
}

static void __noreturn machine_end(void)
{
	u32 status = program_ended ? program_status : STATUS_TIMEOUT << 8;
	bool alone;

	process_for_each(kill_unless_init, NULL);
	alone = wait_event_deadline(&init_process->child_wait, reap_until_alone(),
				    clock_monotonic() + END_PATIENCE_NS) == 0;
	if (!alone)
		log_info("processes that were killed do not end");
	vfs_sync();
	if (launch.flags & HOST_FLAG_STATS)
		send_stats();
	if (launch.flags & HOST_FLAG_MISSING)
		send_missing();
	if (load_relaxed(&program->oom_victim))
		host_out_of_memory();
	process_put(program);
	if (alone && launch.flags & HOST_FLAG_CHECK)
		check_leaks();
	host_exit(status);
}

void proc_power_off(void)
{
	store_release(&power_off, true);
	waitq_wake_all(&init_process->child_wait);
}

void proc_start(void)
{
	become_init();
	fs_write_resolver();
	program_create();
	wait_event(&init_process->child_wait, reap_until_end());
	machine_end();
}
