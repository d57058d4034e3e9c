/*
 * rseq.c - restartable sequences and membarrier. Next: core.c.
 */
#include "threads.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

#define RSEQ_SIGNATURE 0x53053053u /* glibc's */
#define UNREGISTER 1

struct area { /* struct rseq */
	_Atomic uint32_t cpu_start, cpu;
	_Atomic uint64_t section;
	uint32_t flags, node, concurrency, end;
} __attribute__((aligned(32)));

struct section { /* struct rseq_cs */
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

static struct area mine;

static long rseq_call(void *area, uint32_t size, int flags, uint32_t signature)
{
	return raw_syscall(SYS_rseq, (long)area, size, flags, signature, 0, 0);
}

/* The C library has registered one already. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static void take_over(void)
{
	if (&__rseq_offset && __rseq_size) {
		char *self = __builtin_thread_pointer();

		CHECK_EQ(rseq_call(self + __rseq_offset, 32, UNREGISTER, RSEQ_SIGNATURE), 0);
	}
	memset(&mine, 0, sizeof(mine));
	mine.cpu = 1000;
	CHECK_EQ(rseq_call(&mine, 32, 0, RSEQ_SIGNATURE), 0);
}

TEST(rseq, registration)
{
	static struct area other;

	take_over();
	CHECK(mine.cpu == mine.cpu_start && mine.cpu < 1000);
	SAY(rseq_call(&mine, 32, 0, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 32, 0, 1));
	SAY(rseq_call(&other, 32, 0, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 64, 0, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 32, 2, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 32, 3, RSEQ_SIGNATURE));
	SAY(rseq_call(&other, 32, UNREGISTER, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 64, UNREGISTER, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 32, UNREGISTER, 1));
	SAY(rseq_call(&mine, 32, UNREGISTER, RSEQ_SIGNATURE));
	say("%u %d\n", mine.cpu_start, (int)mine.cpu);
	SAY(rseq_call(&mine, 32, UNREGISTER, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 31, 0, RSEQ_SIGNATURE));
	SAY(rseq_call(&mine, 0, 0, RSEQ_SIGNATURE));
	SAY(rseq_call((char *)&mine + 16, 32, 0, RSEQ_SIGNATURE));
	SAY(rseq_call((void *)(1UL << 63), 32, 0, RSEQ_SIGNATURE));
	SAY(rseq_call((void *)(64), 32, 0, RSEQ_SIGNATURE));
	SAY(rseq_call(&other, 32, 0, 7));
	SAY(rseq_call(&other, 32, UNREGISTER, 7));
	CHECK(getauxval(27) >= 28 && getauxval(28) >= 32);
}

TEST(rseq, tells_the_cpu)
{
	cpu_set_t all, one;

	take_over();
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK_EQ(mine.cpu, cpu);
		CHECK_EQ(mine.cpu_start, cpu);
	}
	CHILD (0) {
		CHECK_EQ(mine.cpu, mine.cpu_start);
		CHECK_EQ(rseq_call(&mine, 32, 0, RSEQ_SIGNATURE), -EBUSY); /* a fork keeps it */
	}
}

/* --- sections --- */

extern char section_start[], section_end[], section_abort[];
static struct section endless;

/* A section that only its abort handler ends. */
static void run_endless(void)
{
	endless = (struct section){ .start = (uint64_t)section_start,
				    .length = (uint64_t)(section_end - section_start),
				    .abort = (uint64_t)section_abort };
	mine.section = (uint64_t)&endless;
	__asm__ volatile(
		"section_start:\n"
		"1: pause\n"
		"jmp 1b\n"
		"section_end:\n"
		"ud2\n"
		".byte 0x0f, 0xb9, 0x3d\n" /* as an instruction: ud1 with the signature as its operand */
		".long 0x53053053\n"
		"section_abort:\n" ::
			: "memory");
}

static _Atomic int signals;
static _Atomic bool inside;

static void look_at_frame(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *c = context;

	(void)signal, (void)info;
	inside = c->uc_mcontext.gregs[REG_RIP] >= (long)section_start &&
		 c->uc_mcontext.gregs[REG_RIP] < (long)section_end;
	signals++;
}

static long section_until_signal(struct worker *w)
{
	take_over();
	w->ended = true;
	run_endless();
	return mine.section == 0 ? 0 : 1;
}

TEST(rseq, a_signal_aborts_a_section)
{
	struct sigaction sa = { .sa_sigaction = look_at_frame, .sa_flags = SA_SIGINFO };
	struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

	sigaction(SIGALRM, &sa, NULL);
	take_over();
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!signals)
		run_endless();
	CHECK(!inside); /* the handler finds it at the abort handler already */
	CHECK_EQ(mine.section, 0);
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

TEST(rseq, being_preempted_aborts_a_section)
{
	pin(0);
	pid_t pid = child_fork();

	while (pid == 0)
		;
	take_over();
	for (int i = 0; i < 5; i++) {
		run_endless();
		CHECK_EQ(mine.section, 0);
	}
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
}

TEST(rseq, a_section_that_is_left_is_forgotten)
{
	take_over();
	endless = (struct section){ .start = (uint64_t)section_start,
				    .length = (uint64_t)(section_end - section_start),
				    .abort = (uint64_t)section_abort };
	mine.section = (uint64_t)&endless;
	usleep(10000);
	CHECK_EQ(mine.section, 0);
}

static void nothing(int signal)
{
	(void)signal;
}

static void bad_section(const char *what, struct section *s, uint64_t address)
{
	pid_t pid = child_fork();
	int status;

	if (pid == 0) {
		signal(SIGUSR1, nothing);
		take_over();
		if (s)
			endless = *s;
		mine.section = address;
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	say("%s: %s\n", what, WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : "goes on");
}

TEST(rseq, bad_sections_are_answered_by_a_signal)
{
	struct section good = { .start = (uint64_t)section_start,
				.length = (uint64_t)(section_end - section_start),
				.abort = (uint64_t)section_abort },
		       s = good;

	bad_section("good", &s, (uint64_t)&endless);
	s.version = 1;
	bad_section("version", &s, (uint64_t)&endless);
	s = good;
	s.abort++;
	bad_section("signature", &s, (uint64_t)&endless);
	s = good;
	s.abort = s.start;
	bad_section("abort inside", &s, (uint64_t)&endless);
	s = good;
	s.abort = 1ULL << 63;
	bad_section("abort in the kernel", &s, (uint64_t)&endless);
	s = good;
	s.length = ~0ULL;
	bad_section("length", &s, (uint64_t)&endless);
	s = good;
	s.start = 1ULL << 63;
	bad_section("start", &s, (uint64_t)&endless);
	bad_section("address", NULL, 8);
	bad_section("address in the kernel", NULL, 1ULL << 63);
	s = good;
	s.flags = 1;
	bad_section("flags elsewhere", &s, (uint64_t)&endless);
}

/* --- membarrier --- */

static long barrier(int command, unsigned int flags, int cpu)
{
	return raw_syscall(SYS_membarrier, command, flags, cpu, 0, 0, 0);
}

static void say_barriers(void)
{
	for (int command = 0; command <= 2048; command = command ? command * 2 : 1) {
		for (unsigned int flags = 0; flags < 3; flags++)
			say("command %d flags %u: %s\n", command, flags,
			    result_name(barrier(command, flags, 0)));
	}
}

HELPER(barriers)
{
	say("after exec: %s %s\n", result_name(barrier(512, 0, 0)),
	    result_name(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)));
	return 0;
}

TEST(rseq, membarrier_commands_and_registration)
{
	SAY(barrier(-1, 0, 0));
	SAY(barrier(3, 0, 0));
	say_barriers();
	say_barriers(); /* it has registered for all of them now */
	SAY(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, -1));
	SAY(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 1000000));
	CHILD (0) {
		say("after fork: %s\n", result_name(barrier(512, 0, 0)));
	}
	helper_link("barriers");
	CHECK_STR(exec_result("./helper-barriers", (char *[]){ "helper-barriers", NULL }, NULL),
		  "exit 0");
}

TEST(rseq, membarrier_ends_sections)
{
	struct worker w;

	CHECK_EQ(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
	worker_start(&w, section_until_signal, NULL);
	while (!w.ended)
		usleep(1000);
	CHECK_EQ(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
	CHECK_EQ(worker_join(&w), 0);
}

/* Dekker's way: each says that it wants before it looks; at most one may not see the other. */
#define ROUNDS 300
static _Atomic int x, y, seen_by_slow;
static _Atomic uint32_t round_number, done;

static long slow_side(struct worker *w)
{
	(void)w;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		while (round_number < round)
			sched_yield();
		atomic_store_explicit(&y, 1, memory_order_relaxed);
		CHECK_EQ(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
		seen_by_slow = atomic_load_explicit(&x, memory_order_relaxed);
		done = round;
	}
	return 0;
}

TEST(rseq, membarrier_orders_the_other_side)
{
	struct worker w;

	CHECK_EQ(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0);
	worker_start(&w, slow_side, NULL);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		int seen_y;

		x = y = 0;
		round_number = round;
		atomic_store_explicit(&x, 1, memory_order_relaxed);
		__asm__ volatile(
			"" ::
				: "memory"); /* the compiler's order is all that the fast side has */
		seen_y = atomic_load_explicit(&y, memory_order_relaxed);
		while (done < round)
			sched_yield();
		CHECK(seen_y || seen_by_slow);
	}
	worker_join(&w);
}
