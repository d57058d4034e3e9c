/*
 * worker.c - one round: an unprivileged process whose threads, and their children, make random calls until all have made theirs.
 *
 * The first thread makes none: it interrupts those that sleep, sees whether they get on, and ends the process. Read values.c next.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CHILD_CALLS 24
#define CHILD_DEPTH 2
#define TICK_NS 4000000
#define TICKS_STUCK 12 /* ticks without a call: whatever it waits for does not come */
#define STACK_SIZE (16 * PAGE)

static struct tally *const tally = (struct tally *)TALLY;
static struct round round;
static long tids[THREADS];

/* --- children --- */

static void fuzz_calls(struct fuzzer *f, uint32_t calls);

/*
 * clone(2) whose child calls fn(arg) and ends. stack: 0, or where its stack begins.
 */
static long child_start(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
			uint64_t tls, void (*fn)(void *), void *arg)
{
	register uint64_t r10 __asm__("r10") = child_tid;
	register uint64_t r8 __asm__("r8") = tls;
	register void (*r12)(void *) __asm__("r12") = fn;
	register void *r13 __asm__("r13") = arg;
	long ret;

	__asm__ volatile("syscall\n"
			 "	test %%eax, %%eax\n"
			 "	jnz 1f\n"
			 "	xor %%ebp, %%ebp\n"
			 "	and $-16, %%rsp\n"
			 "	mov %%r13, %%rdi\n"
			 "	call *%%r12\n"
			 "	xor %%edi, %%edi\n"
			 "	mov %[exit], %%eax\n"
			 "	syscall\n"
			 "	ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(parent_tid), "r"(r10),
			   "r"(r8), "r"(r12), "r"(r13), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return ret;
}

static void child_exec(struct fuzzer *f)
{
	static const char *const programs[] = { "/bin/true", "/proc/self/exe", "a", "/etc/passwd",
						"d",         "/dev/null" };
	uint64_t name = draw(&f->random, 2) ? (uint64_t)programs[draw(&f->random, 6)]
					    : value_make(f, PATH);

	raw_syscall(SYS_execve, (long)name, (long)value_make(f, STRINGS),
		    (long)value_make(f, STRINGS), 0, 0, 0);
}

static void child_main(void *arg)
{
	struct fuzzer f = *(struct fuzzer *)arg;

	f.depth++;
	f.random.state ^= 0x5555;
	f.scratch += SCRATCH_SIZE / 4; /* it may share the memory */
	switch (draw(&f.random, 8)) {
	case 0:
		child_exec(&f);
		break;
	case 1: /* with the registers of whatever is on the stack */
		raw_syscall(SYS_rt_sigreturn, 0, 0, 0, 0, 0, 0);
		break;
	case 2:
		raw_syscall(SYS_kill, (long)value_make(&f, PID), (long)value_make(&f, SIG), 0, 0, 0,
			    0);
		break;
	case 3:
		raw_syscall(SYS_exit_group, 1, 0, 0, 0, 0, 0);
		break;
	default:
		break;
	}
	fuzz_calls(&f, draw(&f.random, CHILD_CALLS));
}

/* A fork, a thread, or something between; or a clone3 that is nothing at all. */
static void child_make(struct fuzzer *f)
{
	uint64_t flags = draw(&f->random, 2) ? SIGCHLD : value_make(f, FLAGS);
	uint64_t stack = SCRATCH + f->thread * SCRATCH_SIZE + SCRATCH_SIZE -
			 (f->depth ? 0 : STACK_SIZE) - 64;

	if (f->depth >= CHILD_DEPTH)
		return;
	if (draw(&f->random, 4) == 0) {
		if (raw_syscall(SYS_clone3, (long)value_make(f, IN), (long)value_make(f, LEN), 0, 0,
				0, 0) == 0)
			raw_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
		return;
	}
	if (draw(&f->random, 4) == 0)
		flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FILES | CLONE_FS |
			(draw(&f->random, 2) ? CLONE_CHILD_CLEARTID : 0);
	if (draw(&f->random, 8) == 0)
		flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
	if (!(flags & CLONE_VM))
		stack = 0;
	child_start(flags, stack, value_make(f, OUT), value_make(f, OUT), value_make(f, OUT),
		    child_main, f);
}

/* --- calls --- */

static void trace(const struct fuzzer *f, const char *name, const uint64_t a[6])
{
	char line[200];
	int n = snprintf(line, sizeof(line), "%u.%u.%u %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n",
			 f->round, f->thread, f->depth, name, a[0], a[1], a[2], a[3], a[4], a[5]);

	raw_syscall(SYS_write, TRACE_FD, (long)line, n, 0, 0, 0);
}

/* No call of this number may end the thread, or make another that nobody has prepared for. */
static bool number_is_ours(long n)
{
	return n == SYS_exit || n == SYS_exit_group || n == SYS_clone || n == SYS_clone3 ||
	       n == SYS_fork || n == SYS_vfork || n == SYS_rt_sigreturn || n == SYS_kill ||
	       n == SYS_tkill || n == SYS_tgkill || n == SYS_execve || n == SYS_execveat;
}

/* The n-th allocation from now fails. */
static void failure_arm(struct fuzzer *f)
{
	char text[4] = { (char)('1' + draw(&f->random, 9)), 0 };

	raw_syscall(SYS_pwrite64, FAIL_FD, (long)text, 1, 0, 0, 0);
}

static void fuzz_one(struct fuzzer *f)
{
	uint64_t a[6];
	const char *name = "?";
	long number;

	f->used = 0;
	if (draw(&f->random, 24) == 0) {
		number = (long)draw(&f->random, 480);
		if (number_is_ours(number))
			return;
		for (int i = 0; i < 6; i++)
			a[i] = value_make(f, (enum kind)(1 + draw(&f->random, ANY)));
	} else {
		const struct call *c = call_choose(f);

		number = c->number;
		name = c->name;
		for (int i = 0; i < 6; i++)
			a[i] = value_make(f, (enum kind)c->kinds[i]);
	}
	if (round.trace)
		trace(f, name, a);
	if (round.fail && draw(&f->random, 3) == 0)
		failure_arm(f);
	raw_syscall(number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
	__atomic_fetch_add(&tally->calls, 1, __ATOMIC_RELAXED);
}

static void fuzz_calls(struct fuzzer *f, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++) {
		if (!f->depth) {
			__atomic_store_n(&tally->progress[f->thread], i, __ATOMIC_RELAXED);
			if (i % 128 == 0) {
				arena_make(f);
				descriptors_make(f);
			}
		}
		if (draw(&f->random, 40) == 0)
			child_make(f);
		else
			fuzz_one(f);
	}
}

static void thread_main(void *arg)
{
	fuzz_calls(arg, round.calls);
	__atomic_fetch_add(&tally->finished, 1, __ATOMIC_RELAXED);
}

/* --- the process --- */

static void on_signal(int signal)
{
	(void)signal;
}

static void limit(int what, rlim_t to)
{
	struct rlimit r = { to, to };

	setrlimit(what, &r);
}

static void signals_catch(void)
{
	for (int s = 1; s < 65; s++)
		if (s != SIGSEGV && s != SIGBUS && s != SIGILL && s != SIGFPE && s != SIGTRAP)
			signal(s, on_signal);
}

static void thread_start(struct fuzzer *f)
{
	const uint64_t flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FILES | CLONE_FS |
			       CLONE_SYSVSEM;

	tids[f->thread] = child_start(flags, (uint64_t)f->scratch + SCRATCH_SIZE - 64, 0, 0, 0,
				      thread_main, f);
}

/* Until all threads have made their calls, or none makes any. */
static void threads_watch(long pid)
{
	uint64_t last = UINT64_MAX;
	uint32_t stuck = 0;

	while (__atomic_load_n(&tally->finished, __ATOMIC_RELAXED) < THREADS &&
	       stuck < TICKS_STUCK) {
		struct timespec tick = { 0, TICK_NS };
		uint64_t sum = 0;

		raw_syscall(SYS_nanosleep, (long)&tick, 0, 0, 0, 0, 0);
		for (int i = 0; i < THREADS; i++) {
			sum += __atomic_load_n(&tally->progress[i], __ATOMIC_RELAXED);
			raw_syscall(SYS_tgkill, pid, tids[i], SIGUSR1, 0, 0, 0);
		}
		stuck = sum == last ? stuck + 1 : 0;
		last = sum;
	}
}

void worker_run(const struct round *r)
{
	static struct fuzzer fuzzers[THREADS];

	round = *r;
	signals_catch();
	for (uint32_t i = 0; i < THREADS; i++) {
		fuzzers[i] = (struct fuzzer){ .thread = i,
					      .round = r->number,
					      .scratch = (char *)SCRATCH + i * SCRATCH_SIZE };
		random_seed(&fuzzers[i].random, r->seed * 1000003 + r->number * THREADS + i);
		mmap(fuzzers[i].scratch, SCRATCH_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	limit(RLIMIT_AS, 256 << 20);
	limit(RLIMIT_FSIZE, 4 << 20);
	limit(RLIMIT_NPROC, 24);
	limit(RLIMIT_NOFILE, 256);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, 1 << 20);
	limit(RLIMIT_MSGQUEUE, 1 << 16);
	__atomic_store_n(&tally->finished, 0, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < THREADS; i++)
		thread_start(&fuzzers[i]);
	threads_watch(getpid());
	raw_syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}
