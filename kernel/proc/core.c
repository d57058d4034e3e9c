/*
 * core.c - core dumps (core(5)): whether a process that dies of a signal leaves one, where it goes, and
 * that its threads stand still meanwhile.
 *
 * The thread that takes the signal tells the others to die, but they wait at the beginning of their
 * exit until the dump is written; so their registers are on their stacks and nobody changes memory.
 * Then the process dies as it would have without. core_elf.c writes the file.
 */
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "fs/uts.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "proc/core.h"
#include "proc/core_priv.h"
#include "proc/sched_priv.h"

#define CORE_MODE 0600
#define CORE_FLAG 0x80u /* in the status that wait(2) reports */
#define NAME_SIZE 256

#define SIGNALS_CORE                                                                            \
	(SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | \
	 SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS) |   \
	 SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ))

/* --- where --- */

static struct spinlock pattern_lock = SPINLOCK_INIT(RANK_IPC);
static char pattern[CORE_PATTERN_SIZE] = "core"; /* pattern_lock */

void core_pattern_get(char out[CORE_PATTERN_SIZE])
{
	spin_lock(&pattern_lock);
	memcpy(out, pattern, sizeof(pattern));
	spin_unlock(&pattern_lock);
}

void core_pattern_set(const char *text)
{
	spin_lock(&pattern_lock);
	string_copy(pattern, text, sizeof(pattern));
	spin_unlock(&pattern_lock);
}

/* Slashes in what a program has chosen itself would lead elsewhere. */
static void put_name(char *out, size_t size, const char *name)
{
	string_copy(out, name, size);
	for (; *out; out++)
		*out = *out == '/' ? '!' : *out;
}

/* What %x stands for. */
static void put_specifier(char *out, size_t size, char x, int sig)
{
	struct process *p = process_current();
	char host[UTS_NAME_MAX + 1];

	out[0] = '\0';
	switch (x) {
	case '%':
		string_copy(out, "%", size);
		break;
	case 'p':
	case 'P':
		format(out, size, "%u", p->pid);
		break;
	case 'i':
	case 'I':
		format(out, size, "%u", thread_current()->tid);
		break;
	case 'u':
		format(out, size, "%u", cred_current()->uid);
		break;
	case 'g':
		format(out, size, "%u", cred_current()->gid);
		break;
	case 's':
		format(out, size, "%d", sig);
		break;
	case 't':
		format(out, size, "%lu", (unsigned long)(clock_realtime() / NS_PER_SEC));
		break;
	case 'c':
		format(out, size, "%lu", rlimit_get(RLIMIT_CORE));
		break;
	case 'h':
		uts_get(UTS_HOSTNAME, host);
		put_name(out, size, host);
		break;
	case 'e':
		put_name(out, size, thread_current()->name);
		break;
	}
}

/* False: there is no name, or it does not fit, or the pattern names a program. */
static bool make_name(char out[NAME_SIZE], int sig)
{
	char text[CORE_PATTERN_SIZE];
	size_t n = 0;

	core_pattern_get(text);
	for (const char *p = text; *p && n < NAME_SIZE - 1; p++) {
		if (*p != '%') {
			out[n++] = *p;
		} else if (p[1]) {
			put_specifier(out + n, NAME_SIZE - n, *++p, sig);
			n += strlen(out + n);
		}
	}
	out[n] = '\0';
	return n && n < NAME_SIZE - 1 && out[0] != '|';
}

/* As Linux: a file of the program's own that nobody else can read or has by another name. */
static struct file *open_file(int sig)
{
	char name[NAME_SIZE];
	struct file *f;
	struct inode *i;

	if (!make_name(name, sig))
		return NULL;
	f = file_open(NULL, name, O_CREAT | O_RDWR | O_NOFOLLOW, CORE_MODE);
	if (IS_ERR(f))
		return NULL;
	i = f->inode;
	if (S_ISREG(i->mode) && i->nlink == 1 && i->uid == cred_current()->fsuid &&
	    (i->mode & 0677) == CORE_MODE && !vfs_truncate(f, &f->path, 0))
		return f;
	file_put(f);
	return NULL;
}

/* --- whether --- */

bool core_is_wanted(const struct process *p, int sig)
{
	return SIGNALS_CORE & SIGNAL_BIT(sig) && load_relaxed(&p->dumpable) &&
	       load_relaxed(&p->rlimit_soft[RLIMIT_CORE]) >= PAGE_SIZE;
}

/* --- standing still --- */

void core_join(struct thread *t)
{
	struct process *p = t->process;

	spin_lock(&p->signal_lock);
	if (!p->core_thread || p->core_thread == t) {
		spin_unlock(&p->signal_lock);
		return;
	}
	t->core_joined = true;
	thread_unpark(p->core_thread);
	spin_unlock(&p->signal_lock);
	wait_event(&p->exit_wait, !load_acquire(&p->core_thread));
}

/* S held. */
static bool all_joined(struct process *p)
{
	struct thread *t;

	list_for_each (t, &p->threads, thread_link) {
		if (t != p->core_thread && !t->core_joined)
			return false;
	}
	return true;
}

/* False: the process dies already, or becomes another program. */
static bool stop_others(struct process *p)
{
	struct thread *self = thread_current(), *t;

	spin_lock(&p->signal_lock);
	if (p->exiting || p->exec_thread || p->core_thread) {
		spin_unlock(&p->signal_lock);
		return false;
	}
	p->core_thread = self;
	list_for_each (t, &p->threads, thread_link) {
		if (t != self) {
			atomic_or(&t->work, WORK_EXIT);
			thread_interrupt(t);
		}
	}
	while (!all_joined(p)) {
		thread_prepare_park();
		spin_unlock(&p->signal_lock);
		thread_park(false, DEADLINE_NONE);
		spin_lock(&p->signal_lock);
	}
	spin_unlock(&p->signal_lock);
	/* All that are left wait in core_join; when one is off its CPU, its registers are saved. */
	list_for_each (t, &p->threads, thread_link) {
		if (t != self)
			thread_wait_off_cpu(t);
	}
	return true;
}

void core_kill(const struct signal_info *info)
{
	struct process *p = process_current();
	u32 status = (u32)info->signal;
	struct file *f;

	if (!stop_others(p))
		return;
	f = open_file(info->signal);
	if (f) {
		if (core_write(f, rlimit_get(RLIMIT_CORE), info))
			status |= CORE_FLAG;
		file_put(f);
	}
	spin_lock(&p->signal_lock);
	process_kill_locked(p, status);
	store_release(&p->core_thread, NULL);
	spin_unlock(&p->signal_lock);
	waitq_wake_all(&p->exit_wait);
}
