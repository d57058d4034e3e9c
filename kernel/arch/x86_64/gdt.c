/*
 * gdt.c - segments, the task-state segment, and cpu_init_boot, which brings a CPU into the state in
 * which all kernel code runs.
 *
 * Three exceptions may come at any instruction and cannot trust the stack or GS: double fault, NMI
 * and machine check. Each has a stack of its own (IST), at whose top entry.S finds this CPU's
 * struct cpu. All three end in a panic.
 */
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp_priv.h"
#include "arch/x86_64/traps_priv.h"
#include "mm/slab.h"

/* Intel SDM vol. 3, 8.7. */
struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* IST 1 is ist[0] */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
} __packed;

#define IST_STACK_SIZE 8192

struct ist_stack {
	u8 room[IST_STACK_SIZE - 16];
	struct cpu *cpu; /* read by entry.S, just above the first word that the CPU pushes */
	u64 unused;
} __aligned(16);

/* What the processor itself looks at. */
struct cpu_tables {
	u64 gdt[GDT_ENTRIES];
	struct tss tss;
	struct ist_stack ist[IST_COUNT];
};

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

/* What each CPU but the first is allocated as. */
struct cpu_block {
	struct cpu cpu;
	struct cpu_tables tables;
};

static struct cpu boot_cpu;
static struct cpu_tables boot_tables;

/* Flat 64-bit segments. */
#define SEGMENT_KERNEL_CODE 0x00209b0000000000ull
#define SEGMENT_KERNEL_DATA 0x0000930000000000ull
#define SEGMENT_USER_CODE 0x0020fb0000000000ull
#define SEGMENT_USER_DATA 0x0000f30000000000ull
#define SEGMENT_TSS 0x0000890000000000ull

static void tables_fill(struct cpu_tables *t, struct cpu *cpu)
{
	u64 base = (u64)&t->tss, limit = sizeof(t->tss) - 1;

	t->gdt[KERNEL_CS / 8] = SEGMENT_KERNEL_CODE;
	t->gdt[KERNEL_DS / 8] = SEGMENT_KERNEL_DATA;
	t->gdt[USER_DS / 8] = SEGMENT_USER_DATA;
	t->gdt[USER_CS / 8] = SEGMENT_USER_CODE;
	t->gdt[TSS_SELECTOR / 8] = SEGMENT_TSS | limit | (base & 0xffffff) << 16 |
				   (base >> 24 & 0xff) << 56;
	t->gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	t->tss.io_map_base = sizeof(t->tss);
	for (u32 i = 0; i < IST_COUNT; i++) {
		t->ist[i].cpu = cpu;
		t->tss.ist[i] = (u64)&t->ist[i].cpu;
	}
}

static void tables_load(struct cpu_tables *t)
{
	struct table_pointer pointer = { sizeof(t->gdt) - 1, (u64)t->gdt };

	__asm__ volatile("lgdt %0\n"
			 "pushq %1\n"
			 "leaq 1f(%%rip), %%rax\n"
			 "pushq %%rax\n"
			 "lretq\n"
			 "1: movl %2, %%eax\n"
			 "movl %%eax, %%ss\n"
			 "xorl %%eax, %%eax\n"
			 "movl %%eax, %%ds\n"
			 "movl %%eax, %%es\n"
			 "movl %%eax, %%fs\n"
			 "movl %%eax, %%gs\n"
			 "ltr %w3\n"
			 :
			 : "m"(pointer), "i"(KERNEL_CS), "i"(KERNEL_DS), "r"(TSS_SELECTOR)
			 : "rax", "memory");
}

static void control_registers_init(void)
{
	const struct cpu_features *f = &cpu_features;
	u64 cr4 = read_cr4() | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= f->pge ? CR4_PGE : 0;
	cr4 |= f->smep ? CR4_SMEP : 0;
	cr4 |= f->smap ? CR4_SMAP : 0;
	cr4 |= f->umip ? CR4_UMIP : 0;
	cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= f->xsave ? CR4_OSXSAVE : 0;
	write_cr4(cr4);
	/* INIT leaves the caches off; firmware turns those of the first CPU on. */
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD)) | CR0_MP | CR0_NE | CR0_WP |
		  CR0_AM);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
}

/*
 * SYSCALL clears RFLAGS bits of FMASK: interrupts off, and no flag of the user's that changes how
 * kernel code runs.
 */
static void syscall_init(void)
{
	wrmsr(MSR_STAR, (u64)USER_BASE << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC);
}

struct smap_site {
	u8 *code;
	u64 open;
};

extern const struct smap_site smap_sites_start[], smap_sites_end[];

/* Kernel text is still writable: paging.c's tables come later. */
static void smap_patch(void)
{
	for (const struct smap_site *s = smap_sites_start; s < smap_sites_end; s++) {
		s->code[0] = 0x0f;
		s->code[1] = 0x01;
		s->code[2] = s->open ? 0xcb : 0xca; /* STAC, CLAC */
	}
}

void cpu_init_boot(void)
{
	features_detect();
	tables_fill(&boot_tables, &boot_cpu);
	tables_load(&boot_tables);
	percpu_init(&boot_cpu, 0);
	boot_cpu.tss = &boot_tables.tss;
	idt_init();
	if (cpu_features.smap)
		smap_patch();
	control_registers_init();
	syscall_init();
	fpu_init();
	clock_init();
}

struct cpu *cpu_alloc(u32 number, u32 apic_id)
{
	struct cpu_block *b = kzalloc(sizeof(*b));

	if (!b)
		return NULL;
	tables_fill(&b->tables, &b->cpu);
	b->cpu.number = number;
	b->cpu.apic_id = apic_id;
	b->cpu.tss = &b->tables.tss;
	return &b->cpu;
}

void cpu_free(struct cpu *c)
{
	if (c)
		kfree(container_of(c, struct cpu_block, cpu));
}

void cpu_init_secondary(struct cpu *c)
{
	tables_load(&container_of(c, struct cpu_block, cpu)->tables);
	percpu_init(c, c->number);
	idt_load();
	control_registers_init();
	syscall_init();
	fpu_init_cpu();
}

void cpu_set_kernel_stack(void *stack_top)
{
	this_cpu()->stack_top = stack_top;
	this_cpu()->tss->rsp[0] = (u64)stack_top;
}

u64 cpu_fs_base(void)
{
	u64 base;

	if (!cpu_features.fsgsbase)
		return rdmsr(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void cpu_set_fs_base(u64 base)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
	else
		wrmsr(MSR_FS_BASE, base);
}

/*
 * In the kernel the user's GS base is in MSR_KERNEL_GS_BASE. Between the SWAPGS there is no use of
 * per-CPU data.
 */
u64 cpu_user_gs_base(void)
{
	u64 base;

	if (!cpu_features.fsgsbase)
		return rdmsr(MSR_KERNEL_GS_BASE);
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base) : : "memory");
	return base;
}

void cpu_set_user_gs_base(u64 base)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(base) : "memory");
	else
		wrmsr(MSR_KERNEL_GS_BASE, base);
}
