/*
 * signal_frame.c - what a signal must not change: registers, the red zone, floating point; and what a handler may change through its context.
 *
 * Central rule: but for what the handler does on purpose, the interrupted program cannot tell that it was interrupted, whenever that is. Next: file_io.c.
 */
#include "check.h"

#include <immintrin.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t caught;

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

static void timer_start(int microseconds)
{
	struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* A handler that changes every register it can. */
__attribute__((noinline)) static void registers_spoil(void)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2; pxor "
			 "%%xmm3, %%xmm3;"
			 "pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pxor "
			 "%%xmm7, %%xmm7;"
			 "pxor %%xmm8, %%xmm8; pxor %%xmm9, %%xmm9; pxor %%xmm10, %%xmm10; pxor "
			 "%%xmm11, %%xmm11;"
			 "pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13; pxor %%xmm14, %%xmm14; "
			 "pxor %%xmm15, %%xmm15;"
			 "fninit; fldpi; fldpi; std; cld; stc" ::
				 : "memory", "cc", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
				   "r10", "r11");
}

__attribute__((target("avx"))) static void registers_spoil_avx(void)
{
	_mm256_zeroall();
}

static void on_spoil(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	registers_spoil();
	if (__builtin_cpu_supports("avx"))
		registers_spoil_avx();
	caught++;
}

TEST(signal, general_registers_survive_timer_interrupts)
{
	handle_info(SIGALRM, on_spoil);
	timer_start(2000);
	for (uint64_t seed = 1; caught < 25; seed++) {
		uint64_t sum = 0;

		__asm__ volatile("mov %[s], %%rax; lea 1(%%rax), %%rbx; lea 2(%%rax), %%rcx; lea "
				 "3(%%rax), %%rdx;"
				 "lea 4(%%rax), %%rsi; lea 5(%%rax), %%rdi; lea 6(%%rax), %%r8; "
				 "lea 7(%%rax), %%r9;"
				 "lea 8(%%rax), %%r10; lea 9(%%rax), %%r11; lea 10(%%rax), %%r12; "
				 "lea 11(%%rax), %%r13;"
				 "mov $2000, %%r14d; 1: dec %%r14; jnz 1b;"
				 "add %%rbx, %%rax; add %%rcx, %%rax; add %%rdx, %%rax; add %%rsi, "
				 "%%rax; add %%rdi, %%rax;"
				 "add %%r8, %%rax; add %%r9, %%rax; add %%r10, %%rax; add %%r11, "
				 "%%rax; add %%r12, %%rax;"
				 "add %%r13, %%rax; mov %%rax, %[sum]"
				 : [sum] "=m"(sum)
				 : [s] "m"(seed)
				 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
				   "r11", "r12", "r13", "r14", "cc", "memory");
		CHECK_EQ(sum, 12 * seed + 66);
	}
}

/* 16 vector registers hold a pattern while signals come. */
static bool xmm_hold(uint32_t seed, int spin)
{
	uint32_t in[16][4], out[16][4];

	for (int i = 0; i < 64; i++)
		in[i / 4][i % 4] = seed + i;
	__asm__ volatile(
		"movups (%[in]), %%xmm0; movups 16(%[in]), %%xmm1; movups 32(%[in]), %%xmm2;"
		"movups 48(%[in]), %%xmm3; movups 64(%[in]), %%xmm4; movups 80(%[in]), %%xmm5;"
		"movups 96(%[in]), %%xmm6; movups 112(%[in]), %%xmm7; movups 128(%[in]), %%xmm8;"
		"movups 144(%[in]), %%xmm9; movups 160(%[in]), %%xmm10; movups 176(%[in]), %%xmm11;"
		"movups 192(%[in]), %%xmm12; movups 208(%[in]), %%xmm13; movups 224(%[in]), "
		"%%xmm14;"
		"movups 240(%[in]), %%xmm15; 1: dec %[spin]; jnz 1b;"
		"movups %%xmm0, (%[out]); movups %%xmm1, 16(%[out]); movups %%xmm2, 32(%[out]);"
		"movups %%xmm3, 48(%[out]); movups %%xmm4, 64(%[out]); movups %%xmm5, 80(%[out]);"
		"movups %%xmm6, 96(%[out]); movups %%xmm7, 112(%[out]); movups %%xmm8, 128(%[out]);"
		"movups %%xmm9, 144(%[out]); movups %%xmm10, 160(%[out]); movups %%xmm11, "
		"176(%[out]);"
		"movups %%xmm12, 192(%[out]); movups %%xmm13, 208(%[out]); movups %%xmm14, "
		"224(%[out]);"
		"movups %%xmm15, 240(%[out])"
		: [spin] "+r"(spin)
		: [in] "r"(in), [out] "r"(out)
		: "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return memcmp(in, out, sizeof(in)) == 0;
}

TEST(signal, vector_registers_survive_timer_interrupts)
{
	handle_info(SIGALRM, on_spoil);
	timer_start(2000);
	for (uint32_t seed = 1; caught < 25; seed++)
		CHECK(xmm_hold(seed * 77, 3000));
}

__attribute__((target("avx"))) static bool ymm_hold(uint32_t seed, int spin)
{
	uint32_t in[4][8], out[4][8];

	for (int i = 0; i < 32; i++)
		in[i / 8][i % 8] = seed + i;
	__asm__ volatile(
		"vmovups (%[in]), %%ymm0; vmovups 32(%[in]), %%ymm1; vmovups 64(%[in]), %%ymm14;"
		"vmovups 96(%[in]), %%ymm15; 1: dec %[spin]; jnz 1b;"
		"vmovups %%ymm0, (%[out]); vmovups %%ymm1, 32(%[out]); vmovups %%ymm14, 64(%[out]);"
		"vmovups %%ymm15, 96(%[out]); vzeroupper"
		: [spin] "+r"(spin)
		: [in] "r"(in), [out] "r"(out)
		: "memory", "cc", "xmm0", "xmm1", "xmm14", "xmm15");
	return memcmp(in, out, sizeof(in)) == 0;
}

TEST(signal, avx_registers_survive_timer_interrupts)
{
	if (!__builtin_cpu_supports("avx"))
		return;
	handle_info(SIGALRM, on_spoil);
	timer_start(2000);
	for (uint32_t seed = 1; caught < 25; seed++)
		CHECK(ymm_hold(seed * 77, 3000));
}

TEST(signal, registers_are_each_processs_own)
{
	enum { N = 4 };
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			for (int j = 0; j < 100; j++) {
				CHECK(xmm_hold(i * 1000 + j, 200000));
				if (__builtin_cpu_supports("avx"))
					CHECK(ymm_hold(i * 3000 + j, 100000));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		child_expect(pids[i], 0);
}

TEST(signal, fork_copies_the_floating_point_state)
{
	unsigned int control = 0x3f80, got; /* rounding towards -infinity */
	unsigned short x87 = 0x0c7f, x87_got;

	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(control), "m"(x87));
	CHILD (0) {
		__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(x87_got));
		CHECK_EQ(got & 0xffc0, control);
		CHECK_EQ(x87_got, x87);
	}
	handle_info(SIGUSR1, on_spoil);
	raise(SIGUSR1);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(x87_got));
	CHECK_EQ(got & 0xffc0, control);
	CHECK_EQ(x87_got, x87);
}

static unsigned int handler_mxcsr;
static unsigned short handler_x87;

static void on_read_control(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(handler_mxcsr), "=m"(handler_x87));
}

TEST(signal, exec_starts_with_fresh_floating_point_state)
{
	handle_info(SIGUSR1, on_read_control);
	raise(SIGUSR1);
	say("mxcsr %#x, x87 control %#x\n", handler_mxcsr & 0xffc0, handler_x87);
}

/* A leaf that keeps its data below the stack pointer, interrupted all the time. */
TEST(signal, the_red_zone_is_safe)
{
	handle_info(SIGALRM, on_spoil);
	timer_start(2000);
	for (uint64_t seed = 1; caught < 25; seed++) {
		uint64_t low, high;

		__asm__ volatile("mov %[s], -8(%%rsp); mov %[s], -128(%%rsp); mov $3000, %%ecx; 1: "
				 "dec %%ecx; jnz 1b;"
				 "mov -8(%%rsp), %[h]; mov -128(%%rsp), %[l]"
				 : [l] "=&r"(low), [h] "=&r"(high)
				 : [s] "r"(seed)
				 : "rcx", "cc", "memory");
		CHECK_EQ(low, seed);
		CHECK_EQ(high, seed);
	}
}

/* --- the context --- */

static volatile uint64_t context_rax;

static void on_skip(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over the ud2 */
	uc->uc_mcontext.gregs[REG_RAX] = 0x1122334455667788;
	context_rax = uc->uc_mcontext.gregs[REG_RBX];
}

TEST(signal, a_handler_changes_the_interrupted_registers)
{
	uint64_t rax, rbx = 0x99;

	handle_info(SIGILL, on_skip);
	__asm__ volatile("xor %%eax, %%eax; ud2" : "=a"(rax) : "b"(rbx) : "memory");
	CHECK_EQ(rax, 0x1122334455667788);
	CHECK_EQ(context_rax, 0x99);
}

static void on_mask(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

TEST(signal, a_handler_changes_the_interrupted_mask)
{
	sigset_t set;

	handle_info(SIGUSR1, on_mask);
	raise(SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	CHECK(sigismember(&set, SIGUSR2) && !sigismember(&set, SIGUSR1));
}

static uint8_t *volatile fault_page;
static volatile uint64_t fault_error, fault_trap, fault_cr2;

static void on_repair(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	fault_error = uc->uc_mcontext.gregs[REG_ERR];
	fault_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	fault_cr2 = uc->uc_mcontext.gregs[REG_CR2];
	CHECK(info->si_addr >= (void *)fault_page && info->si_addr < (void *)(fault_page + PAGE));
	CHECK(mprotect(fault_page, PAGE, PROT_READ | PROT_WRITE) == 0);
	caught++;
}

TEST(signal, a_handler_repairs_the_fault_and_the_instruction_runs_again)
{
	handle_info(SIGSEGV, on_repair);
	fault_page = map_anon(1);
	fault_page[5] = 7;
	CHECK(mprotect(fault_page, PAGE, PROT_READ) == 0);
	fault_page[5] += 1;
	CHECK_EQ(fault_page[5], 8);
	CHECK_EQ(caught, 1);
	CHECK_EQ(fault_error, 7); /* user, write, present */
	CHECK_EQ(fault_trap, 14);
	CHECK_EQ(fault_cr2, (uintptr_t)fault_page + 5);
	CHECK(mprotect(fault_page, PAGE, PROT_NONE) == 0);
	CHECK_EQ(fault_page[5], 8);
	CHECK_EQ(caught, 2);
}

static void on_bad_return(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_RIP] = 0x1234567890abcdef;
}

static void on_kernel_return(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_RIP] = 0xffffffff80000000;
}

static void on_bad_flags(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x4000 |
					  0x20000; /* IOPL, NT, VM: not for a program to set */
	uc->uc_mcontext.gregs[REG_EFL] &= ~0x200L;
}

static void on_bad_segment(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_CSGSFS] &= ~0xffffL; /* code segment 0 */
}

static void on_bad_fpstate(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.fpregs = (void *)0xffff800000000000;
}

static void on_bad_stack(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	uc->uc_mcontext.gregs[REG_RSP] = 0x8;
}

TEST(signal, a_spoilt_context_ends_the_process_alone)
{
	static void (*const handlers[])(int, siginfo_t *,
					void *) = { on_bad_return, on_kernel_return, on_bad_segment,
						    on_bad_fpstate, on_bad_stack };

	for (size_t i = 0; i < COUNT_OF(handlers); i++)
		CHILD (-SIGSEGV) {
			handle_info(SIGUSR1, handlers[i]);
			raise(SIGUSR1);
		}
	CHILD (0) {
		handle_info(SIGUSR1, on_bad_flags);
		raise(SIGUSR1);
		uint64_t flags;
		__asm__ volatile("pushfq; pop %0" : "=r"(flags));
		CHECK_EQ(flags & 0x3200, 0x200);
	}
	CHILD (-SIGSEGV) /* sigreturn without a frame, on a stack that is not there */
		__asm__ volatile("mov $8, %%rsp; mov $15, %%eax; syscall" ::: "memory");
	CHILD (-SIGSEGV) { /* and with garbage for a frame */
		uint8_t *garbage = map_anon(4);
		memset(garbage, 0xff, 4 * PAGE);
		__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall"
				 :
				 : "r"(garbage + PAGE)
				 : "memory");
	}
}

TEST(signal, a_handler_at_a_bad_address_is_sigsegv)
{
	static void (*const addresses[])(int) = { (void (*)(int))8,
						  (void (*)(int))0xffffffff80000000,
						  (void (*)(int))0x1234567890abcdef };

	for (size_t i = 0; i < COUNT_OF(addresses); i++)
		CHILD (-SIGSEGV) {
			signal(SIGUSR1, addresses[i]);
			raise(SIGUSR1);
		}
}

/* Every instruction of a loop is interrupted, one after the other, by the trap flag. */
static volatile int steps;

static void on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal, (void)info;
	if (++steps == 200)
		uc->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

TEST(signal, single_steps)
{
	uint64_t sum = 0;

	handle_info(SIGTRAP, on_step);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; mov $100, %%ecx; 1: add %%rcx, %0; "
			 "dec %%ecx; jnz 1b"
			 : "+r"(sum)
			 :
			 : "rcx", "cc", "memory");
	CHECK_EQ(sum, 5050);
	CHECK_EQ(steps, 200);
}
