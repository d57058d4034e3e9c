/*
 * panic.c - the end after a broken invariant: say what is known, then power off.
 *
 * Central rule: say the most certain thing first, and let nothing that goes wrong on the way keep
 * the machine from ending. The report has parts: message, registers, backtrace, process, areas; each is
 * sent before the next is made. The other CPUs are stopped first, and where they were
 * is told last. A panic inside of the panic says only that, and a third one nothing.
 */
#include "arch/x86_64/panic.h"

#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/serial_priv.h"
#include "arch/x86_64/tlb.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/atomic.h"
#include "mm/space.h"

#define AREAS_MAX 64
#define SERIAL_PREFIX "kernel panic: " /* the command has its own */

static char report[2048]; /* the part that is being made */
static size_t report_length;
#define NO_CPU UINT32_MAX
#define STOP_NS 200000000ull

static u32 depth;                               /* panics begun on panic_cpu */
static u32 panic_cpu = NO_CPU;                  /* A: whose panic it is */
static const struct regs *stopped_at[CPUS_MAX]; /* A: by the CPU that panics */

static void report_send(void)
{
	size_t n = report_length;

	report_length = 0;
	serial_write(report, n);
	host_panic_text(report, n);
}

static void panic_print_va(const char *fmt, va_list args)
{
	size_t room = sizeof(report) - report_length;
	int n = format_va(report + report_length, room, fmt, args);

	report_length += n > 0 ? min((size_t)n, room - 1) : 0;
	if (sizeof(report) - report_length < 256)
		report_send();
}

void panic_print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_print_va(fmt, args);
	va_end(args);
}

static void registers_print(const struct regs *r)
{
	u64 offset;
	const char *name = symbol_name(r->rip, &offset);

	panic_print("rip %016lx", r->rip);
	if (name)
		panic_print(" %s+%#lx", name, offset);
	panic_print(" cs %lx rflags %lx\n", r->cs, r->rflags);
	panic_print("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx,
		    r->rdx);
	panic_print("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp,
		    r->rsp);
	panic_print("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	panic_print("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14,
		    r->r15);
	panic_print("cr2 %016lx cr3 %016lx\n", read_cr2(), read_cr3());
}

static int area_print(struct area *a, void *arg)
{
	u32 *left = arg;

	panic_print("  %012lx-%012lx %c%c%c%c %s\n", a->start, a->end,
		    a->flags & AREA_READ ? 'r' : '-', a->flags & AREA_WRITE ? 'w' : '-',
		    a->flags & AREA_EXEC ? 'x' : '-', a->flags & AREA_SHARED ? 's' : 'p',
		    a->file     ? "file"
		    : a->object ? "object"
				: "");
	return --*left == 0;
}

/* The areas of the space that is loaded. No lock is taken: if they are being changed, so be it. */
static void space_print(void)
{
	struct mm *mm = space_loaded();
	u32 left = AREAS_MAX;

	if (!mm)
		return;
	panic_print("space %lu, its areas:\n", mm->id);
	areas_for_each(mm->areas, 0, USER_END, area_print, &left);
	if (!left)
		panic_print("  ...\n");
}

static void __noreturn cpu_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/*
 * The CPU whose panic is the first goes on, and the others stop, those that panic too meanwhile
 * included. A panic on the way of the first ends here.
 */
static void panic_begin(void)
{
	u32 nobody = NO_CPU, self = cpu_number(), n;

	__asm__ volatile("cli");
	if (!atomic_cas(&panic_cpu, &nobody, self) && nobody != self)
		cpu_stop();
	n = ++depth;
	if (n == 1)
		return;
	if (n == 2) {
		report_length = 0;
		panic_print("panic inside of the panic\n");
		report_send();
	}
	machine_off();
}

void panic_answer(const struct regs *regs)
{
	if (load_acquire(&panic_cpu) == NO_CPU)
		return;
	store_release(&stopped_at[cpu_number()], regs);
	cpu_stop();
}

/* Stop the other CPUs, before one of them touches what the report goes through. */
static void others_stop(void)
{
	u64 others = load_relaxed(&cpus_online) & ~BIT(cpu_number());
	u64 end = clock_monotonic() + STOP_NS;

	for (u64 left = others; left; left &= left - 1)
		apic_send_nmi(cpu_table[__builtin_ctzll(left)]->apic_id);
	for (u64 left = others; left; left &= left - 1)
		while (!load_acquire(&stopped_at[__builtin_ctzll(left)]) && clock_monotonic() < end)
			cpu_pause();
}

static void others_print(void)
{
	u64 offset;

	for (u32 n = 0; n < CPUS_MAX; n++) {
		const struct regs *r = stopped_at[n];
		const char *name;

		if (!r)
			continue;
		name = symbol_name(r->rip, &offset);
		panic_print("CPU %u was at %016lx", n, r->rip);
		if (name)
			panic_print(" %s+%#lx", name, offset);
		panic_print("\n");
		if ((r->cs & 3) == 0)
			backtrace_print(r->rbp);
		report_send();
	}
}

static void __noreturn panic_finish(const struct regs *regs, u64 rbp, const char *fmt, va_list args)
{
	panic_begin();
	others_stop();
	serial_write(SERIAL_PREFIX, sizeof(SERIAL_PREFIX) - 1);
	panic_print("CPU %u: ", cpu_number());
	panic_print_va(fmt, args);
	panic_print("\n");
	report_send();
	if (regs)
		registers_print(regs);
	panic_print("backtrace:\n");
	backtrace_print(rbp);
	report_send();
	panic_dump_process();
	report_send();
	space_print();
	report_send();
	others_print();
	machine_off();
}

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_finish(NULL, (u64)__builtin_frame_address(0), fmt, args);
}

void panic_regs(const struct regs *regs, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	panic_finish(regs, regs->rbp, fmt, args);
}
