/*
 * ioapic.c - device interrupts: I/O APIC lines routed to CPU 0, each to one handler.
 *
 * Line n is input n % 24 of I/O APIC n / 24 (microvm has one, or two with ioapic2). Lines are
 * level-triggered: virtio-mmio holds its line until the driver acknowledges, so an interrupt cannot
 * be lost. Vector and line correspond one to one.
 */
#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/err.h"
#include "lib/print.h"

#define IOAPICS 2
#define IOAPIC_LINES 24u
#define LINES (IOAPICS * IOAPIC_LINES)
#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_STRIDE 0x10000ull

/* An index register, and a window onto the register that it names. */
#define WINDOW 0x10
#define REG_VERSION 1
#define REG_ENTRY 0x10 /* two registers for each line */

#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)

_Static_assert(VECTOR_IRQ_FIRST + LINES <= VECTOR_IRQ_LAST, "a vector for each line");

static struct irq {
	irq_handler handler;
	void *arg;
} irqs[LINES]; /* written once, at start-up, before the line is unmasked */

static volatile u8 *ioapics[IOAPICS];

static u32 ioapic_read(u32 n, u32 reg)
{
	*(volatile u32 *)ioapics[n] = reg;
	return *(volatile u32 *)(ioapics[n] + WINDOW);
}

static void ioapic_write(u32 n, u32 reg, u32 v)
{
	*(volatile u32 *)ioapics[n] = reg;
	*(volatile u32 *)(ioapics[n] + WINDOW) = v;
}

static void line_set(u32 gsi, u64 entry)
{
	u32 reg = REG_ENTRY + 2 * (gsi % IOAPIC_LINES);

	ioapic_write(gsi / IOAPIC_LINES, reg + 1, (u32)(entry >> 32));
	ioapic_write(gsi / IOAPIC_LINES, reg, (u32)entry);
}

/* The second is there or not: an absent one reads as all ones or all zeros. */
void ioapic_init(void)
{
	for (u32 n = 0; n < IOAPICS; n++) {
		u32 version;

		ioapics[n] = vmap_device(IOAPIC_BASE + n * IOAPIC_STRIDE, PAGE_SIZE);
		if (!ioapics[n])
			panic("no memory to map an I/O APIC");
		version = ioapic_read(n, REG_VERSION);
		if (version == 0 || version == UINT32_MAX) {
			ioapics[n] = NULL;
			continue;
		}
		for (u32 line = 0; line < IOAPIC_LINES; line++)
			line_set(n * IOAPIC_LINES + line, ENTRY_MASKED);
	}
}

int irq_register(u32 gsi, irq_handler handler, void *arg)
{
	u64 destination = (u64)cpu_table[0]->apic_id << 56;

	if (gsi >= LINES || !ioapics[gsi / IOAPIC_LINES])
		return -EINVAL;
	if (irqs[gsi].handler)
		return -EBUSY;
	irqs[gsi] = (struct irq){ handler, arg };
	line_set(gsi, destination | ENTRY_LEVEL | (VECTOR_IRQ_FIRST + gsi));
	return 0;
}

void irq_dispatch(u32 vector)
{
	const struct irq *irq = vector - VECTOR_IRQ_FIRST < LINES ? &irqs[vector - VECTOR_IRQ_FIRST]
								  : NULL;

	if (irq && irq->handler)
		irq->handler(irq->arg);
	else
		log_info("interrupt: unexpected vector %u", vector);
}
