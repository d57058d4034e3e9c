/*
 * access.c - loads, stores and calls that may fault. A fault's signal, code, address and kind go
 * into the hash; then the access is given up.
 */
#include "diff.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ERROR_KIND 0x12 /* of x86's error code: write, instruction fetch */

static sigjmp_buf back;
static volatile struct {
	int signal, code;
	u64 addr, kind;
} fault;
static u64 loaded;
static u8 signal_stack[64 << 10];

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	fault.signal = signal;
	fault.code = info->si_code;
	fault.addr = (u64)info->si_addr;
	fault.kind = (u64)u->uc_mcontext.gregs[REG_ERR] & ERROR_KIND;
	siglongjmp(back, 1);
}

void access_init(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };

	if (sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL) ||
	    sigaction(SIGBUS, &action, NULL))
		fail("signals");
}

bool access_quiet(void (*fn)(u64 addr, u64 n, u64 value), u64 addr, u64 n, u64 value)
{
	if (sigsetjmp(back, 0))
		return false;
	fn(addr, n, value);
	return true;
}

bool access_run(void (*fn)(u64 addr, u64 n, u64 value), u64 addr, u64 n, u64 value)
{
	fault.signal = 0;
	if (access_quiet(fn, addr, n, value)) {
		fold(0);
		return true;
	}
	fold((u64)fault.signal);
	fold((u64)fault.code);
	fold(fault.addr);
	fold(fault.kind);
	say(" = %s code %d at %s kind %lx", fault.signal == SIGBUS ? "SIGBUS" : "SIGSEGV",
	    fault.code, place(fault.addr), fault.kind);
	return false;
}

u64 access_loaded(void)
{
	return loaded;
}

void access_load(u64 addr, u64 size, u64 unused)
{
	switch (size) {
	case 1:
		loaded = *(volatile u8 *)addr;
		break;
	case 2:
		loaded = *(volatile uint16_t *)addr;
		break;
	case 4:
		loaded = *(volatile u32 *)addr;
		break;
	default:
		loaded = *(volatile u64 *)addr;
		break;
	}
}

void access_store(u64 addr, u64 size, u64 value)
{
	switch (size) {
	case 1:
		*(volatile u8 *)addr = (u8)value;
		break;
	case 2:
		*(volatile uint16_t *)addr = (uint16_t)value;
		break;
	case 4:
		*(volatile u32 *)addr = (u32)value;
		break;
	default:
		*(volatile u64 *)addr = value;
		break;
	}
}

void access_add(u64 addr, u64 size, u64 value)
{
	if (size <= 4)
		loaded = __atomic_fetch_add((u32 *)(addr & ~3ul), (u32)value, __ATOMIC_SEQ_CST);
	else
		loaded = __atomic_fetch_add((u64 *)(addr & ~7ul), value, __ATOMIC_SEQ_CST);
}

void access_fill(u64 addr, u64 n, u64 value)
{
	__asm__ volatile("rep stosb" : "+D"(addr), "+c"(n) : "a"(value) : "memory");
}

void access_copy(u64 to, u64 n, u64 from)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

void access_call(u64 addr, u64 unused, u64 unused2)
{
	((void (*)(void))addr)();
}
