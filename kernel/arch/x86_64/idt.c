/*
 * idt.c - the interrupt descriptor table: 256 interrupt gates (they turn interrupts off) to the
 * stubs of entry.S.
 */
#include "arch/x86_64/segments.h"
#include "arch/x86_64/traps_priv.h"

/* Intel SDM vol. 3, 6.14.1. */
struct gate {
	u16 offset_0;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_16;
	u32 offset_32;
	u32 reserved;
};

#define GATE_INTERRUPT 0x8e
#define GATE_INTERRUPT_USER 0xee /* programs may INT to it: INT3 and INTO */

static struct gate idt[256];

void idt_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void idt_init(void)
{
	for (u32 vector = 0; vector < ARRAY_SIZE(idt); vector++) {
		u64 stub = (u64)trap_stubs + vector * TRAP_STUB_SIZE;
		bool user = vector == VECTOR_BREAKPOINT || vector == VECTOR_OVERFLOW;

		idt[vector] = (struct gate){
			.offset_0 = (u16)stub,
			.selector = KERNEL_CS,
			.type = user ? GATE_INTERRUPT_USER : GATE_INTERRUPT,
			.offset_16 = (u16)(stub >> 16),
			.offset_32 = (u32)(stub >> 32),
		};
	}
	idt[VECTOR_DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
	idt[VECTOR_NMI].ist = IST_NMI;
	idt[VECTOR_MACHINE_CHECK].ist = IST_MACHINE_CHECK;
	idt_load();
}
