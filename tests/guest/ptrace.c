/*
 * ptrace.c - tracing: where a tracee stops, what its tracer sees and changes, and who hears of it.
 *
 * Central rule: each test prints the stops that the tracer's wait reports, so Linux tells what they ought to be. A tracee does nothing but raw
 * system calls between its stops, so that what is counted does not depend on the C library.
 */
#include "check.h"

#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

/* The request as the kernel sees it: PEEK stores through data. */
static long request(long what, pid_t pid, long addr, long data)
{
	return raw_syscall(SYS_ptrace, what, pid, addr, data, 0, 0);
}

static const char *result_name(long r)
{
	static char buffer[32];

	if (r < 0)
		return errno_name((int)-r);
	snprintf(buffer, sizeof(buffer), "%ld", r);
	return buffer;
}

#define TRY_REQUEST(what, pid, addr, data) \
	say("%s: %s\n", #what, result_name(request(what, pid, (long)(addr), (long)(data))))

static void say_status(const char *who, int status)
{
	if (WIFEXITED(status))
		say("%s: exit %d\n", who, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s: killed by %s\n", who, signal_name(WTERMSIG(status)));
	else if (WIFCONTINUED(status))
		say("%s: continued\n", who);
	else
		say("%s: stop %s%s, event %d\n", who, signal_name(WSTOPSIG(status) & 0x7f),
		    WSTOPSIG(status) & 0x80 ? " (call)" : "", status >> 16);
}

static int wait_for(pid_t pid, const char *who)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	say_status(who, status);
	return status;
}

/* Sends it on and waits for the next stop. */
static int step_on(long how, pid_t pid, int sig, const char *who)
{
	CHECK_EQ(request(how, pid, 0, sig), 0);
	return wait_for(pid, who);
}

/* A child that is traced and has stopped by SIGSTOP: returns in the child as fork does. */
static pid_t traced_child(void)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		CHECK_EQ(request(PTRACE_TRACEME, 0, 0, 0), 0);
		raw_syscall(SYS_tgkill, getpid(), gettid(), SIGSTOP, 0, 0, 0);
		return 0;
	}
	wait_for(pid, "child");
	return pid;
}

static void exit_raw(int code)
{
	raw_syscall(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

static void kill_self(int sig)
{
	raw_syscall(SYS_tgkill, getpid(), gettid(), sig, 0, 0, 0);
}

/* "State" or another line of /proc/PID/status, without its name. */
static const char *status_line(pid_t pid, const char *name)
{
	static char text[8192], line[128];
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file_read_text(path, text, sizeof(text));
	snprintf(line, sizeof(line), "\n%s:\t", name);
	at = strstr(text, line);
	CHECK(at);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + strlen(line), "\n"),
		 at + strlen(line));
	return line;
}

/* --- calls --- */

static void poke_reg(pid_t pid, size_t offset, long value)
{
	CHECK_EQ(request(PTRACE_POKEUSER, pid, (long)offset, value), 0);
}

#define REG(name) offsetof(struct user_regs_struct, name)

/* What the tracer of the next test does at the entry (op 1) or exit of its n-th call. */
static void meddle(pid_t pid, int n, int op)
{
	if (n == 3 && op == 2)
		poke_reg(pid, REG(rax), 77);
	if (n == 4 && op == 1)
		poke_reg(pid, REG(orig_rax), -1); /* it is not made */
	if (n == 4 && op == 2)
		poke_reg(pid, REG(rax), 88);
	if (n == 5 && op == 1) { /* another call */
		poke_reg(pid, REG(orig_rax), SYS_close);
		poke_reg(pid, REG(rdi), -1);
	}
}

TEST(ptrace, system_calls)
{
	struct __ptrace_syscall_info info;
	int status, calls = 0;
	pid_t pid = traced_child();

	if (pid == 0) {
		raw_syscall(SYS_getpgid, 0, 0, 0, 0, 0, 0);
		raw_syscall(SYS_close, -1, 2, 3, 4, 5, 6);
		if (raw_syscall(SYS_getuid, 0, 0, 0, 0, 0, 0) != 77)
			exit_raw(1);
		if (raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) != 88)
			exit_raw(2);
		if (raw_syscall(SYS_getuid, 0, 0, 0, 0, 0, 0) != -EBADF)
			exit_raw(3);
		exit_raw(9);
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (status = step_on(PTRACE_SYSCALL, pid, 0, "child"), WIFSTOPPED(status)) {
		long size = request(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (long)&info);
		struct user_regs_struct r;

		CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
		CHECK_EQ(info.instruction_pointer, r.rip);
		CHECK_EQ(info.stack_pointer, r.rsp);
		say("op %d size %ld arch %x ", info.op, size, info.arch);
		if (info.op == 1) {
			calls++;
			say("nr %lu rax %ld\n", (unsigned long)info.entry.nr, (long)r.rax);
			CHECK_EQ(r.orig_rax, info.entry.nr);
			if (calls == 2)
				say("%ld %ld %ld %ld %ld\n", (long)info.entry.args[1],
				    (long)info.entry.args[2], (long)info.entry.args[3],
				    (long)info.entry.args[4], (long)info.entry.args[5]);
		} else {
			say("error %d nr %ld\n", info.exit.is_error, (long)r.orig_rax);
			if (info.exit.is_error)
				say("rval %ld\n", (long)info.exit.rval);
		}
		meddle(pid, calls, info.op);
	}
}

TEST(ptrace, call_stops_without_sysgood_look_like_traps)
{
	pid_t pid = traced_child();
	struct __ptrace_syscall_info info;
	siginfo_t si;

	if (pid == 0) {
		raw_syscall(SYS_getpgid, 0, 0, 0, 0, 0, 0);
		exit_raw(0);
	}
	for (int i = 0; i < 2; i++) {
		unsigned long message = 99;

		step_on(PTRACE_SYSCALL, pid, 0, "child");
		TRY_REQUEST(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
		CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
		CHECK_EQ(si.si_pid, pid);
		say("op %d; signal %d code %d; message %lu\n", info.op, si.si_signo, si.si_code,
		    message);
	}
	/* A signal that is sent with it is delivered. */
	step_on(PTRACE_CONT, pid, SIGUSR1, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("code %d\n", si.si_code);
	step_on(PTRACE_CONT, pid, 0, "child");
}

TEST(ptrace, emulated_calls_are_not_made)
{
	pid_t pid = traced_child();

	if (pid == 0) {
		raw_syscall(SYS_close, -1, 0, 0, 0, 0, 0);
		exit_raw(1);
	}
	for (int i = 0; i < 2; i++) {
		struct user_regs_struct r;

		step_on(31 /* PTRACE_SYSEMU */, pid, 0, "child");
		CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
		say("%ld %ld\n", (long)r.orig_rax, (long)r.rax);
	}
	TRY_REQUEST(PTRACE_KILL, pid, 0, 0);
	wait_for(pid, "child");
}

/* --- signals --- */

static volatile int handled, handled_code, handled_value;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	handled = sig;
	handled_code = info->si_code;
	handled_value = info->si_value.sival_int;
}

static void catch_signal(int sig)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(sig, &a, NULL) == 0);
}

TEST(ptrace, signals_are_seen_suppressed_changed_and_rewritten)
{
	siginfo_t si;
	pid_t pid;

	catch_signal(SIGUSR1);
	catch_signal(SIGUSR2);
	signal(SIGHUP, SIG_IGN);
	pid = traced_child();
	if (pid == 0) {
		sigset_t set;

		kill_self(SIGUSR1); /* delivered */
		kill_self(SIGUSR1); /* not */
		kill_self(SIGUSR1); /* as SIGUSR2 */
		say("handled %s\n", signal_name(handled));
		kill_self(SIGUSR1); /* with another siginfo */
		say("code %d value %d\n", handled_code, handled_value);
		kill_self(SIGHUP); /* ignored, but seen */
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		handled = 0;
		kill_self(SIGUSR2); /* blocked: not seen */
		kill_self(SIGUSR1); /* as SIGUSR2, which is blocked: queued */
		say("handled %d\n", handled);
		sigprocmask(SIG_UNBLOCK, &set, NULL); /* seen now */
		say("handled %s\n", signal_name(handled));
		kill_self(SIGTERM);
		exit_raw(1);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("code %d\n", si.si_code);
	CHECK_EQ(si.si_pid, pid);
	step_on(PTRACE_CONT, pid, SIGUSR1, "child");
	step_on(PTRACE_CONT, pid, 0, "child");
	step_on(PTRACE_CONT, pid, SIGUSR2, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	si.si_code = SI_QUEUE;
	si.si_value.sival_int = 4711;
	CHECK_EQ(request(PTRACE_SETSIGINFO, pid, 0, (long)&si), 0);
	step_on(PTRACE_CONT, pid, SIGUSR1, "child");
	step_on(PTRACE_CONT, pid, SIGHUP, "child");
	step_on(PTRACE_CONT, pid, SIGUSR2, "child");
	step_on(PTRACE_CONT, pid, SIGUSR2, "child");
	TRY_REQUEST(PTRACE_CONT, pid, 0, 65);
	TRY_REQUEST(PTRACE_CONT, pid, 0, -1);
	step_on(PTRACE_CONT, pid, SIGTERM, "child");
}

TEST(ptrace, faults_are_seen)
{
	pid_t pid = traced_child();
	siginfo_t si;

	if (pid == 0) {
		__asm__ volatile("movl $1, 16");
		exit_raw(0);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("code %d address %p\n", si.si_code, si.si_addr);
	step_on(PTRACE_CONT, pid, SIGSEGV, "child");
}

TEST(ptrace, signal_masks)
{
	uint64_t mask = 0;
	pid_t pid = traced_child();

	if (pid == 0) {
		kill_self(SIGUSR1);
		kill_self(SIGTERM);
		exit_raw(5);
	}
	TRY_REQUEST(PTRACE_GETSIGMASK, pid, 4, &mask);
	TRY_REQUEST(PTRACE_GETSIGMASK, pid, 8, &mask);
	mask = UINT64_MAX;
	TRY_REQUEST(PTRACE_SETSIGMASK, pid, 8, &mask);
	TRY_REQUEST(PTRACE_GETSIGMASK, pid, 8, &mask);
	say("%lx\n", (unsigned long)mask);
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- memory --- */

static const long constant __attribute__((aligned(4096))) = 0x1122334455667788;
static long variable = 5;

TEST(ptrace, memory)
{
	int fd = file_make("f", PAGE);
	uint8_t *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	long *none = (long *)map_anon(2), word;
	int read_only = open("f", O_RDONLY);
	uint8_t *fixed = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
	uint8_t *copy = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, read_only, 0);
	pid_t pid;

	none[0] = 42;
	CHECK(mprotect(none, PAGE, PROT_NONE) == 0);
	CHECK(munmap((uint8_t *)none + PAGE, PAGE) == 0);
	pid = traced_child();
	if (pid == 0) {
		kill_self(SIGSTOP);
		say("%lx %lx %d %d %d\n", *(const volatile long *)&constant,
		    *(volatile long *)&variable, shared[0], copy[0], fixed[0]);
		exit_raw(0);
	}
	CHECK_EQ(request(PTRACE_PEEKDATA, pid, (long)&constant, (long)&word), 0);
	CHECK_EQ(word, constant);
	TRY_REQUEST(PTRACE_PEEKTEXT, pid, none, &word);
	say("%ld\n", word);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, (long)none + PAGE, &word);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, (long)none + PAGE - 4, &word);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, 0, &word);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, 0xffff800000000000, &word);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, &constant, 8);
	TRY_REQUEST(PTRACE_POKETEXT, pid, &constant, 0x99);
	TRY_REQUEST(PTRACE_POKEDATA, pid, &variable, 6);
	TRY_REQUEST(PTRACE_POKEDATA, pid, none, 43);
	TRY_REQUEST(PTRACE_POKEDATA, pid, copy, 44);
	TRY_REQUEST(PTRACE_POKEDATA, pid, fixed, 45);
	TRY_REQUEST(PTRACE_POKEDATA, pid, (long)none + PAGE, 46);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, &constant, &word);
	say("%lx\n", word);
	/* Ours is as it was, and so is the file. */
	say("%lx %lx %d %d %d\n", *(const volatile long *)&constant, *(volatile long *)&variable,
	    shared[0], copy[0], fixed[0]);
	step_on(PTRACE_CONT, pid, 0, "child");
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK(pread(fd, &word, 1, 0) == 1);
	say("%d\n", (int)(uint8_t)word);
}

/* A breakpoint as debuggers set it. */
static __attribute__((noinline)) void here(void)
{
	__asm__ volatile("nop; nop; nop");
}

TEST(ptrace, breakpoints)
{
	struct user_regs_struct r;
	long word;
	pid_t pid = traced_child();

	if (pid == 0) {
		here();
		here();
		exit_raw(0);
	}
	CHECK_EQ(request(PTRACE_PEEKTEXT, pid, (long)here, (long)&word), 0);
	CHECK_EQ(request(PTRACE_POKETEXT, pid, (long)here, (word & ~0xffL) | 0xcc), 0);
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
	CHECK_EQ(r.rip, (unsigned long)here + 1);
	siginfo_t si;
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("code %d address %p\n", si.si_code, si.si_addr);
	here(); /* ours has none */
	/* Over it, and again. */
	CHECK_EQ(request(PTRACE_POKETEXT, pid, (long)here, word), 0);
	r.rip = (unsigned long)here;
	CHECK_EQ(request(PTRACE_SETREGS, pid, 0, (long)&r), 0);
	step_on(PTRACE_SINGLESTEP, pid, 0, "child");
	CHECK_EQ(request(PTRACE_POKETEXT, pid, (long)here, (word & ~0xffL) | 0xcc), 0);
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_POKETEXT, pid, (long)here, word), 0);
	r.rip = (unsigned long)here;
	CHECK_EQ(request(PTRACE_SETREGS, pid, 0, (long)&r), 0);
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- steps --- */

static void nops_and_a_call(void)
{
	__asm__ volatile("int3\n nop\n nop\n nop\n movl $39, %%eax\n syscall\n nop\n pushfq\n popq "
			 "%%rbx\n int3" ::
				 : "rax", "rbx", "rcx", "r11", "memory");
}

TEST(ptrace, single_steps)
{
	pid_t pid = traced_child();

	if (pid == 0) {
		nops_and_a_call();
		exit_raw(0);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	for (int i = 0; i < 11; i++) {
		struct user_regs_struct before, after;
		siginfo_t si;

		CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&before), 0);
		step_on(PTRACE_SINGLESTEP, pid, 0, "step");
		CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&after), 0);
		CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
		say("%ld bytes, code %d, trap flag %d", (long)(after.rip - before.rip), si.si_code,
		    !!(after.eflags & 0x100));
		if (i == 7)
			say(", pushed %d", !!(after.rbx & 0x100));
		say("\n");
		if (si.si_code != SI_KERNEL)
			CHECK((unsigned long)si.si_addr == after.rip);
		else
			break;
	}
	step_on(PTRACE_CONT, pid, 0, "child");
}

static volatile long in_handler_rip;

TEST(ptrace, steps_into_and_out_of_a_handler)
{
	struct user_regs_struct r;
	pid_t pid;

	catch_signal(SIGUSR1);
	pid = traced_child();
	if (pid == 0) {
		kill_self(SIGUSR1);
		exit_raw(handled == SIGUSR1 ? 0 : 1);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	step_on(PTRACE_SINGLESTEP, pid, SIGUSR1, "child");
	CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
	say("at the handler: %d; arguments %lu; trap flag %d\n", r.rip == (unsigned long)on_signal,
	    (unsigned long)r.rdi, !!(r.eflags & 0x100));
	for (int i = 0; i < 1000 && r.rip - (unsigned long)on_signal < 200; i++) {
		CHECK_EQ(request(PTRACE_SINGLESTEP, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
		CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
	}
	/* In the restorer now: two steps make the call that returns. */
	step_on(PTRACE_SINGLESTEP, pid, 0, "child");
	step_on(PTRACE_SINGLESTEP, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
	say("rax %ld trap flag %d\n", (long)r.rax, !!(r.eflags & 0x100));
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- registers --- */

TEST(ptrace, registers)
{
	struct user_regs_struct r;
	struct user_fpregs_struct fp;
	long word;
	pid_t pid = traced_child();

	if (pid == 0) {
		unsigned long low = 0x1111, rbx;

		__asm__ volatile("movq %1, %%xmm7\n movq $0x2222, %%rbx\n int3\n movq %%xmm7, %1\n "
				 "movq %%rbx, %0"
				 : "=r"(rbx), "+r"(low)::"rbx", "xmm7");
		say("%lx %lx\n", rbx, low);
		exit_raw(0);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETREGS, pid, 0, (long)&r), 0);
	say("rbx %lx cs %lx ss %lx orig_rax %ld ds %lx gs_base %lx\n", (unsigned long)r.rbx,
	    (unsigned long)r.cs, (unsigned long)r.ss, (long)r.orig_rax, (unsigned long)r.ds,
	    (unsigned long)r.gs_base);
	CHECK_EQ(request(PTRACE_GETFPREGS, pid, 0, (long)&fp), 0);
	say("xmm7 %x %x\n", fp.xmm_space[28], fp.xmm_space[29]);
	say("cwd %x mxcsr %x\n", fp.cwd, fp.mxcsr);
	fp.xmm_space[28] = 0x3333;
	TRY_REQUEST(PTRACE_SETFPREGS, pid, 0, &fp);
	fp.mxcsr = 0xffff0000;
	TRY_REQUEST(PTRACE_SETFPREGS, pid, 0, &fp);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(rbx), 0x4444);
	TRY_REQUEST(PTRACE_PEEKUSER, pid, REG(rbx), &word);
	say("%lx\n", word);
	TRY_REQUEST(PTRACE_PEEKUSER, pid, REG(rbx) + 1, &word);
	TRY_REQUEST(PTRACE_PEEKUSER, pid, sizeof(struct user) + 16,
		    &word); /* as the kernel has it */
	TRY_REQUEST(PTRACE_PEEKUSER, pid, sizeof(struct user) - 8, &word);
	TRY_REQUEST(PTRACE_POKEUSER, pid, sizeof(struct user), 0);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(cs), 0);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(ss), 0x10);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(ds), 0x10);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(fs_base), 1L << 62);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(eflags), 0x7ed7);
	TRY_REQUEST(PTRACE_PEEKUSER, pid, REG(eflags), &word);
	say("%lx\n", word & ~0x100);
	TRY_REQUEST(PTRACE_POKEUSER, pid, REG(eflags), 0x202);
	struct iovec iov = { &r, sizeof(r) + 100 };
	TRY_REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	iov.iov_len = sizeof(r) + 80;
	TRY_REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
	say("%zu\n", iov.iov_len);
	iov.iov_len = 48;
	r.rbx = 0x5555;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
	TRY_REQUEST(PTRACE_GETREGSET, pid, 0x7777, &iov);
	TRY_REQUEST(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8);
	iov = (struct iovec){ &fp, sizeof(fp) };
	TRY_REQUEST(PTRACE_GETREGSET, pid, NT_FPREGSET, &iov);
	say("%zu %x\n", iov.iov_len, fp.xmm_space[28]);
	iov.iov_len = 256;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_FPREGSET, &iov);
	TRY_REQUEST(4711, pid, 0, 0);
	step_on(PTRACE_CONT, pid, 0, "child");
}

TEST(ptrace, extended_vector_state)
{
	static uint8_t area[16384] __attribute__((aligned(64))),
		again[16384] __attribute__((aligned(64)));
	pid_t pid = traced_child();

	if (pid == 0) {
		unsigned long low;

		__asm__ volatile("int3\n movq %%xmm3, %0" : "=r"(low)::"xmm3");
		say("%lx\n", low);
		exit_raw(0);
	}
	step_on(PTRACE_CONT, pid, 0, "child");
	struct iovec iov = { area, sizeof(area) };
	long r = request(PTRACE_GETREGSET, pid, NT_X86_XSTATE, (long)&iov);
	if (r) { /* a processor without */
		TRY_REQUEST(PTRACE_KILL, pid, 0, 0);
		wait_for(pid, "child");
		return;
	}
	CHECK(iov.iov_len >= 576 && iov.iov_len % 8 == 0);
	uint64_t features = *(uint64_t *)(area + 464);
	CHECK((features & 3) == 3);
	CHECK((*(uint64_t *)(area + 512) & ~features) == 0);
	*(uint64_t *)(area + 160 + 3 * 16) = 0x6666;
	*(uint64_t *)(area + 512) |= 2;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
	struct iovec iov2 = { again, sizeof(again) };
	TRY_REQUEST(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov2);
	CHECK_EQ(iov2.iov_len, iov.iov_len);
	CHECK(memcmp(again + 160, area + 160, 256) == 0);
	*(uint64_t *)(area + 512) |= 1ull << 62;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
	*(uint64_t *)(area + 512) &= ~(1ull << 62);
	*(uint32_t *)(area + 24) = 0xffff0000;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
	iov.iov_len = 512;
	TRY_REQUEST(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- attaching --- */

TEST(ptrace, attach_and_detach)
{
	struct gate ready = gate_make();
	pid_t pid = child_fork();

	if (pid == 0) {
		gate_open(&ready);
		for (;;)
			pause();
	}
	gate_wait(&ready);
	CHECK_STR(status_line(pid, "TracerPid"), "0");
	TRY_REQUEST(PTRACE_ATTACH, pid, 0, 0);
	wait_for(pid, "child");
	say("%s\n", status_line(pid, "State"));
	CHECK_EQ(atoi(status_line(pid, "TracerPid")), getpid());
	TRY_REQUEST(PTRACE_ATTACH, pid, 0, 0);
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, 0);
	TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
	TRY_REQUEST(PTRACE_LISTEN, pid, 0, 0);
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, 0x200);
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 65);
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 0);
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 0);
	CHECK_STR(status_line(pid, "TracerPid"), "0");
	/* With a signal. */
	TRY_REQUEST(PTRACE_ATTACH, pid, 0, 0);
	wait_for(pid, "child");
	TRY_REQUEST(PTRACE_DETACH, pid, 0, SIGTERM);
	wait_for(pid, "child");
	gate_close(&ready);
}

static void pause_for_ever(void)
{
	for (;;)
		raw_syscall(SYS_pause, 0, 0, 0, 0, 0, 0);
}

/* A child that sleeps; it has said so. */
static pid_t sleeping_child(void)
{
	struct gate ready = gate_make();
	pid_t pid = child_fork();

	if (pid == 0) {
		gate_open(&ready);
		pause_for_ever();
	}
	gate_wait(&ready);
	gate_close(&ready);
	return pid;
}

TEST(ptrace, attach_to_who_has_stopped)
{
	int status;
	pid_t pid = sleeping_child();

	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	say_status("child", status);
	TRY_REQUEST(PTRACE_ATTACH, pid, 0, 0);
	wait_for(pid, "child");
	siginfo_t si;
	TRY_REQUEST(PTRACE_GETSIGINFO, pid, 0, &si);
	/* The SIGSTOP of attach comes when it goes on. */
	step_on(PTRACE_CONT, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	step_on(PTRACE_CONT, pid, SIGSTOP, "child");
	TRY_REQUEST(PTRACE_GETSIGINFO, pid, 0, &si);
	/* Let go of in a group stop it stays in it. */
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 0);
	for (int i = 0; i < 1000 && status_line(pid, "State")[0] != 'T'; i++)
		usleep(1000);
	say("%s\n", status_line(pid, "State"));
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	say_status("child", status);
	CHECK(kill(pid, SIGKILL) == 0);
	wait_for(pid, "child");
}

TEST(ptrace, seize_interrupt_listen)
{
	siginfo_t si;
	pid_t pid = sleeping_child();

	TRY_REQUEST(PTRACE_SEIZE, pid, 1, 0);
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, 0x200);
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0); /* it runs on */
	TRY_REQUEST(PTRACE_PEEKUSER, pid, 0, &si);
	TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
	wait_for(pid, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("signal %d code %x\n", si.si_signo, si.si_code);
	/* A group stop of its own kind, and its end. */
	TRY_REQUEST(PTRACE_CONT, pid, 0, 0);
	CHECK(kill(pid, SIGSTOP) == 0);
	wait_for(pid, "child");
	step_on(PTRACE_CONT, pid, SIGSTOP, "child");
	TRY_REQUEST(PTRACE_LISTEN, pid, 0, 0);
	TRY_REQUEST(PTRACE_LISTEN, pid, 0, 0);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK(kill(pid, SIGCONT) == 0);
	wait_for(pid, "child");
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("signal %d code %x\n", si.si_signo, si.si_code);
	step_on(PTRACE_CONT, pid, 0, "child"); /* SIGCONT itself */
	/* Interrupted while it listens. */
	TRY_REQUEST(PTRACE_CONT, pid, 0, SIGSTOP);
	wait_for(pid, "child");
	TRY_REQUEST(PTRACE_LISTEN, pid, 0, 0);
	TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
	wait_for(pid, "child");
	CHECK(kill(pid, SIGKILL) == 0);
	wait_for(pid, "child");
}

TEST(ptrace, interrupted_calls_go_on)
{
	struct gate g = gate_make();
	pid_t pid = child_fork();

	if (pid == 0) {
		char c;

		/* Restarted without the program's seeing it. */
		exit_raw(read(g.fd[0], &c, 1) == 1 ? 7 : 8);
	}
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, 0);
	for (int i = 0; i < 3; i++) {
		while (status_line(pid, "State")[0] != 'S')
			usleep(1000);
		TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
		wait_for(pid, "child");
		TRY_REQUEST(PTRACE_CONT, pid, 0, 0);
	}
	gate_open(&g);
	wait_for(pid, "child");
}

TEST(ptrace, errors)
{
	pid_t pid = sleeping_child();
	long word;

	TRY_REQUEST(PTRACE_ATTACH, getpid(), 0, 0);
	TRY_REQUEST(PTRACE_ATTACH, 0, 0, 0);
	TRY_REQUEST(PTRACE_ATTACH, -1, 0, 0);
	TRY_REQUEST(PTRACE_ATTACH, 4194303, 0, 0);
	TRY_REQUEST(PTRACE_SEIZE, 4194303, 1, 0);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, 0, &word);
	TRY_REQUEST(PTRACE_CONT, pid, 0, 0);
	TRY_REQUEST(PTRACE_KILL, pid, 0, 0);
	TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
	TRY_REQUEST(4711, pid, 0, 0);
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, 0);
	TRY_REQUEST(PTRACE_PEEKDATA, pid, 0, &word); /* it runs */
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 0);
	CHILD (0) /* not its tracer */
		TRY_REQUEST(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK(kill(pid, SIGKILL) == 0);
	wait_for(pid, "child");
	CHILD (0) {
		TRY_REQUEST(PTRACE_TRACEME, 0, 0, 0);
		TRY_REQUEST(PTRACE_TRACEME, 0, 0, 0);
	}
	pid = child_fork();
	if (pid == 0)
		_exit(3);
	siginfo_t si;
	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
	TRY_REQUEST(PTRACE_ATTACH, pid, 0, 0);
	wait_for(pid, "child");
}

TEST(ptrace, permissions)
{
	if (!is_root())
		return;
	pid_t root = sleeping_child(), user = child_fork();
	if (user == 0) {
		become_user();
		prctl(PR_SET_DUMPABLE, 1);
		pause_for_ever();
	}
	while (status_line(user, "State")[0] != 'S' || atoi(status_line(user, "Uid")) != 1000)
		usleep(1000);
	CHILD (0) {
		become_user();
		TRY_REQUEST(PTRACE_ATTACH, root, 0, 0);
		TRY_REQUEST(PTRACE_SEIZE, user, 0, 0);
	}
	CHECK(kill(root, SIGKILL) == 0 && kill(user, SIGKILL) == 0);
	wait_for(root, "root");
	wait_for(user, "user");
}

/* --- events --- */

static int fork_function(void *arg)
{
	(void)arg;
	return 4;
}

TEST(ptrace, fork_events)
{
	static char stack[65536] __attribute__((aligned(16)));
	unsigned long message;
	int status;
	pid_t pid = traced_child(), child;

	if (pid == 0) {
		if ((child = raw_syscall(SYS_fork, 0, 0, 0, 0, 0, 0)) == 0)
			exit_raw(1);
		waitpid(child, NULL, 0);
		if ((child = vfork()) == 0)
			_exit(2);
		waitpid(child, NULL, 0);
		child = clone(fork_function, stack + sizeof(stack), 0, NULL);
		waitpid(child, NULL, __WALL);
		child = clone(fork_function, stack + sizeof(stack), CLONE_UNTRACED | SIGCHLD, NULL);
		waitpid(child, NULL, 0);
		exit_raw(9);
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0,
		    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			    PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT);
	CHECK_EQ(request(PTRACE_CONT, pid, 0, 0), 0);
	for (;;) {
		status = wait_for(pid, "parent");
		if (!WIFSTOPPED(status))
			break;
		int sig = status >> 16 ? 0 : WSTOPSIG(status);
		CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
		if (status >> 16 == PTRACE_EVENT_EXIT)
			say("status %lx\n", message);
		if (status >> 16 &&
		    status >> 16 < PTRACE_EVENT_EXEC) { /* the child first, to its end */
			child = (pid_t)message;
			wait_for(child, "child");
			while (WIFSTOPPED(step_on(PTRACE_CONT, child, 0, "child")))
				;
		}
		CHECK_EQ(request(PTRACE_CONT, pid, 0, sig), 0);
	}
}

TEST(ptrace, seized_children_are_seized)
{
	unsigned long message;
	pid_t pid = traced_child(), child;

	if (pid == 0) {
		kill_self(SIGSTOP);
		if ((child = raw_syscall(SYS_fork, 0, 0, 0, 0, 0, 0)) == 0)
			exit_raw(1);
		waitpid(child, NULL, 0);
		exit_raw(2);
	}
	TRY_REQUEST(PTRACE_DETACH, pid, 0, 0);
	int status;
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	say_status("child", status);
	TRY_REQUEST(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK);
	wait_for(pid, "parent");
	TRY_REQUEST(PTRACE_LISTEN, pid, 0, 0); /* it stands still until SIGCONT comes */
	CHECK(kill(pid, SIGCONT) == 0);
	wait_for(pid, "parent"); /* the group stop is over */
	step_on(PTRACE_CONT, pid, 0, "parent");
	step_on(PTRACE_CONT, pid, 0, "parent");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	child = (pid_t)message;
	wait_for(child, "child");
	TRY_REQUEST(PTRACE_INTERRUPT, child, 0, 0); /* seized as well */
	step_on(PTRACE_CONT, child, 0, "child");
	step_on(PTRACE_CONT, child, 0, "child");
	step_on(PTRACE_CONT, pid, 0, "parent");
	step_on(PTRACE_CONT, pid, 0, "parent");
}

HELPER(traced_exit)
{
	return 6;
}

TEST(ptrace, exec)
{
	unsigned long message;
	char *argv[] = { "helper-traced_exit", NULL };
	pid_t pid;

	helper_link("traced_exit");
	pid = traced_child();
	if (pid == 0) {
		execve("./helper-traced_exit", argv, NULL);
		exit_raw(1);
	}
	/* Without the option a SIGTRAP tells of it. */
	step_on(PTRACE_CONT, pid, 0, "child");
	siginfo_t si;
	CHECK_EQ(request(PTRACE_GETSIGINFO, pid, 0, (long)&si), 0);
	say("code %d\n", si.si_code);
	step_on(PTRACE_CONT, pid, 0, "child");
	pid = traced_child();
	if (pid == 0) {
		execve("./helper-traced_exit", argv, NULL);
		exit_raw(1);
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	step_on(PTRACE_SYSCALL, pid, 0, "child");
	step_on(PTRACE_SYSCALL, pid, 0, "child");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	CHECK_EQ(message, pid);
	step_on(PTRACE_SYSCALL, pid, 0, "child");
	struct __ptrace_syscall_info info;
	CHECK(request(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (long)&info) > 0);
	say("op %d result %ld\n", info.op, (long)info.exit.rval);
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- ends --- */

TEST(ptrace, killed_while_it_stands_still)
{
	pid_t pid = traced_child();
	long word;

	if (pid == 0)
		exit_raw(0);
	CHECK(kill(pid, SIGKILL) == 0);
	wait_for(pid, "child");
	TRY_REQUEST(PTRACE_PEEKUSER, pid, 0, &word);
	pid = traced_child();
	if (pid == 0)
		exit_raw(0);
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	step_on(PTRACE_CONT, pid, SIGTERM, "child");
	unsigned long message;
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	say("%lu\n", message);
	step_on(PTRACE_CONT, pid, 0, "child");
}

TEST(ptrace, the_tracer_hears_of_the_end_before_the_parent)
{
	struct gate attached = gate_make(), reaped = gate_make();
	siginfo_t si;
	pid_t pid = sleeping_child(), tracer = child_fork();

	if (tracer == 0) {
		int status;

		CHECK_EQ(request(PTRACE_SEIZE, pid, 0, 0), 0);
		gate_open(&attached);
		CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
		say("tracer: code %d status %d\n", si.si_code, si.si_status);
		gate_wait(&reaped);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		say_status("tracer", status);
		CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
		_exit(0);
	}
	gate_wait(&attached);
	CHECK(kill(pid, SIGKILL) == 0);
	while (status_line(pid, "State")[0] != 'Z')
		usleep(1000);
	/* There is a child, but it is not ours yet. */
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	gate_open(&reaped);
	child_expect(tracer, 0);
	wait_for(pid, "parent");
	gate_close(&attached);
	gate_close(&reaped);
}

TEST(ptrace, tracers_that_go_let_go)
{
	struct gate attached = gate_make(), end = gate_make();
	pid_t pid = sleeping_child(), with = sleeping_child(), zombie = sleeping_child(),
	      tracer = child_fork();

	if (tracer == 0) {
		CHECK_EQ(request(PTRACE_ATTACH, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
		CHECK_EQ(request(PTRACE_SEIZE, with, 0, PTRACE_O_EXITKILL), 0);
		CHECK_EQ(request(PTRACE_SEIZE, zombie, 0, 0), 0);
		gate_open(&attached);
		gate_wait(&end);
		_exit(0);
	}
	gate_wait(&attached);
	CHECK(kill(zombie, SIGKILL) == 0);
	while (status_line(zombie, "State")[0] != 'Z')
		usleep(1000);
	CHECK_EQ(waitpid(zombie, NULL, WNOHANG), 0);
	gate_open(&end);
	child_expect(tracer, 0);
	wait_for(with, "killed with it");
	wait_for(zombie, "zombie");
	CHECK_STR(status_line(pid, "TracerPid"), "0");
	while (status_line(pid, "State")[0] != 'S')
		usleep(1000);
	CHECK(kill(pid, SIGTERM) == 0);
	wait_for(pid, "let go");
	gate_close(&attached);
	gate_close(&end);
}

TEST(ptrace, sigchld_of_stops)
{
	sigset_t set;
	siginfo_t si;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	pid = child_fork();
	if (pid == 0) {
		CHECK_EQ(request(PTRACE_TRACEME, 0, 0, 0), 0);
		kill_self(SIGUSR1);
		exit_raw(5);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGCHLD);
	CHECK_EQ(si.si_pid, pid);
	say("code %d status %d\n", si.si_code, si.si_status);
	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
	say("code %d status %d\n", si.si_code, si.si_status);
	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG) == 0);
	CHECK_EQ(si.si_pid, 0);
	step_on(PTRACE_CONT, pid, 0, "child");
}

/* --- threads --- */

static void *thread_body(void *arg)
{
	raw_syscall(SYS_exit, 3, 0, 0, 0, 0, 0);
	return arg;
}

static void *exec_body(void *arg)
{
	char *argv[] = { "helper-traced_exit", NULL };

	execve("./helper-traced_exit", argv, NULL);
	return arg;
}

TEST(ptrace, threads)
{
	unsigned long message;
	pthread_t thread;
	pid_t pid = traced_child(), tid;

	if (pid == 0) {
		pthread_create(&thread, NULL, thread_body, NULL);
		kill_self(SIGUSR2);
		exit_raw(4);
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	step_on(PTRACE_CONT, pid, 0, "leader");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	tid = (pid_t)message;
	wait_for(tid, "thread");
	step_on(PTRACE_CONT, tid, 0, "thread");
	CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
	step_on(PTRACE_CONT, pid, 0, "leader");
	step_on(PTRACE_CONT, pid, 0, "leader");
}

TEST(ptrace, exec_by_a_thread)
{
	unsigned long message;
	pthread_t thread;
	pid_t pid, tid;

	helper_link("traced_exit");
	pid = traced_child();
	if (pid == 0) {
		pthread_create(&thread, NULL, exec_body, NULL);
		for (;;)
			pause();
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
	step_on(PTRACE_CONT, pid, 0, "leader");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	tid = (pid_t)message;
	wait_for(tid, "thread");
	TRY_REQUEST(PTRACE_CONT, pid, 0, 0);
	TRY_REQUEST(PTRACE_CONT, tid, 0, 0);
	/* It goes by the process's number now. */
	wait_for(pid, "exec");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	CHECK_EQ(message, tid);
	step_on(PTRACE_CONT, pid, 0, "exec");
	CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
}

TEST(ptrace, exec_by_a_thread_ends_who_stands_still)
{
	unsigned long message;
	pthread_t thread;
	pid_t pid, tid;

	helper_link("traced_exit");
	pid = traced_child();
	if (pid == 0) {
		pthread_create(&thread, NULL, exec_body, NULL);
		for (;;)
			pause();
	}
	TRY_REQUEST(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
	step_on(PTRACE_CONT, pid, 0, "leader");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	tid = (pid_t)message;
	wait_for(tid, "thread");
	/* The leader stays where it has stopped. */
	TRY_REQUEST(PTRACE_CONT, tid, 0, 0);
	/* It goes by the process's number now. */
	wait_for(pid, "exec");
	CHECK_EQ(request(PTRACE_GETEVENTMSG, pid, 0, (long)&message), 0);
	CHECK_EQ(message, tid);
	step_on(PTRACE_CONT, pid, 0, "exec");
	CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
}
