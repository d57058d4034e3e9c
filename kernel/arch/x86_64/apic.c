/*
 * apic.c - the local APIC (Intel SDM vol. 3, chapter 11), through x2APIC registers where the CPU
 * has them, else through memory.
 *
 * The timer of a virtual machine's APIC runs at 1 GHz undivided (QEMU's own and KVM's): one tick is
 * one nanosecond. The TSC is measured against it (clock.c); no other clock need exist.
 */
#include "arch/x86_64/apic_priv.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"

#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ADDRESS (~(PAGE_SIZE - 1))

/* Offsets in memory; in x2APIC mode register n is MSR 0x800 + offset / 16. */
#define REG_ID 0x20
#define REG_EOI 0xb0
#define REG_SPURIOUS 0xf0
#define REG_ICR_LOW 0x300
#define REG_ICR_HIGH 0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT1 0x360
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE 0x3e0

#define SPURIOUS_ENABLE BIT(8)
#define ICR_ASSERT BIT(14)
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8)
#define LVT_NMI BIT(10) /* delivery mode 4 */
#define LVT_MASKED BIT(16)
#define LVT_DEADLINE BIT(18)
#define DIVIDE_BY_1 0xb

static volatile u8 *registers; /* xAPIC mode */

static u32 apic_read(u32 offset)
{
	if (cpu_features.x2apic)
		return (u32)rdmsr(MSR_X2APIC + offset / 16);
	return *(volatile u32 *)(registers + offset);
}

static void apic_write(u32 offset, u32 v)
{
	if (cpu_features.x2apic)
		wrmsr(MSR_X2APIC + offset / 16, v);
	else
		*(volatile u32 *)(registers + offset) = v;
}

void apic_init(void)
{
	if (!cpu_features.x2apic) {
		registers = vmap_device(rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS, PAGE_SIZE);
		if (!registers)
			panic("no memory to map the local APIC");
	}
	apic_init_cpu();
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, cpu_features.x2apic ? base | APIC_BASE_X2APIC : base);
	this_cpu()->apic_id = cpu_features.x2apic ? apic_read(REG_ID) : apic_read(REG_ID) >> 24;
	apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(REG_LVT_LINT1,
		   LVT_NMI); /* QEMU's monitor command: a panic of a machine that hangs */
	apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_timer_mode(false, true);
}

void apic_end_of_interrupt(void)
{
	apic_write(REG_EOI, 0);
}

/*
 * Each access to the registers of an xAPIC is an exit to the machine monitor, so there is one for each
 * command: the receiver is written when it is another than before, and the pending bit (SDM vol. 3,
 * 11.6.1) is not read. Monitors deliver a command before the write that gives it returns; neither
 * QEMU's APIC nor KVM's ever shows the bit.
 */
static void command_send(u32 apic_id, u32 command)
{
	u32 high = apic_id << 24;

	if (cpu_features.x2apic) {
		full_barrier(); /* x2APIC writes do not order stores before them */
		wrmsr(MSR_X2APIC + REG_ICR_LOW / 16, (u64)apic_id << 32 | ICR_ASSERT | command);
		return;
	}
	if (this_cpu()->icr_high != high) {
		apic_write(REG_ICR_HIGH, high);
		this_cpu()->icr_high = high;
	}
	apic_write(REG_ICR_LOW, ICR_ASSERT | command);
}

void apic_send(u32 apic_id, u8 vector)
{
	command_send(apic_id, vector);
}

void apic_send_nmi(u32 apic_id)
{
	command_send(apic_id, ICR_NMI);
}

void apic_send_init(u32 apic_id)
{
	command_send(apic_id, ICR_INIT);
}

void apic_send_startup(u32 apic_id, u8 page)
{
	command_send(apic_id, ICR_STARTUP | page);
}

void apic_timer_mode(bool deadline, bool masked)
{
	apic_write(REG_LVT_TIMER,
		   VECTOR_TIMER | (deadline ? LVT_DEADLINE : 0) | (masked ? LVT_MASKED : 0));
	full_barrier(); /* before the deadline register is written (SDM 11.5.4.1) */
}

void apic_timer_start(u32 count)
{
	apic_write(REG_TIMER_INITIAL, count);
}

u32 apic_timer_count(void)
{
	return apic_read(REG_TIMER_CURRENT);
}
