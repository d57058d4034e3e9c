/*
 * tlb.c - which space each CPU has loaded, and how translations that are no longer true leave all
 * CPUs: PROTOCOL's shootdown.
 *
 * Central rule: every shootdown of a space has a number (machine.generation). A CPU's TLB is good
 * up to space_generation; a request with the next number may be served by invalidating what it
 * names, one that skips a number only by flushing all. A CPU is in machine.cpus from before it
 * loads the root until after it has loaded another, so whoever bumps the generation and then reads
 * the mask misses nobody: a CPU not in it yet will read the new generation, or load the root (and
 * with it an empty TLB) after the entries were stored.
 *
 * A request travels as a letter in the receiver's mailbox (a stack that anyone pushes to and the
 * receiver takes whole), with an interrupt behind it for a CPU that is in user mode or idle. Who
 * waits serves its own mailbox, so two CPUs that shoot at each other both get done.
 */
#include "arch/x86_64/tlb.h"

#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/paging_priv.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tlb_priv.h"
#include "arch/x86_64/traps_priv.h"
#include "mm/space.h"

enum shootdown_kind { SHOOT_PAGE, SHOOT_ALL, SHOOT_MACHINE, SHOOT_RETIRE, SHOOT_KERNEL };

/* Lives on the sender's stack until `waiting` is 0. */
struct shootdown {
	enum shootdown_kind kind;
	struct mm *mm;  /* but for SHOOT_MACHINE and SHOOT_KERNEL */
	u64 generation; /* SHOOT_PAGE, SHOOT_ALL */
	u64 va, pages;  /* SHOOT_PAGE, SHOOT_KERNEL */
	u32 waiting;    /* A: receivers that have not acknowledged */
};

/*
 * Without PCIDs a load of CR3 empties the TLB and the paging-structure caches, but for global
 * (kernel) entries.
 */
static void flush_user(void)
{
	write_cr3(read_cr3());
}

/* Bring this CPU, which has r->mm loaded, up to r->generation. */
static void space_flush(struct cpu *c, const struct shootdown *r)
{
	if (c->space_generation >= r->generation)
		return;
	if (r->kind == SHOOT_PAGE && c->space_generation == r->generation - 1) {
		invlpg(r->va);
		c->space_generation = r->generation;
	} else {
		c->space_generation = load_acquire(&r->mm->machine.generation);
		flush_user();
	}
}

static void kernel_flush(u64 va, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		invlpg(va + i * PAGE_SIZE);
}

/* Take mm's root off this CPU. */
static void space_leave(struct cpu *c, struct mm *mm)
{
	if (c->space != mm)
		return;
	c->space = NULL;
	write_cr3(kernel_root);
	atomic_and(&mm->machine.cpus[0], ~BIT(c->number));
}

static void request_serve(struct cpu *c, const struct shootdown *r)
{
	switch (r->kind) {
	case SHOOT_PAGE:
	case SHOOT_ALL:
		/*
		 * A CPU that has left the space since has loaded another root, and keeps nothing of
		 * it.
		 */
		if (c->space == r->mm)
			space_flush(c, r);
		break;
	case SHOOT_MACHINE: /* more than any generation asked for: none is recorded */
		flush_user();
		break;
	case SHOOT_RETIRE:
		space_leave(c, r->mm);
		break;
	case SHOOT_KERNEL:
		kernel_flush(r->va, r->pages);
		break;
	}
}

void shootdown_serve(void)
{
	struct cpu *c = this_cpu();
	struct shootdown_letter *letter;

	if (!load_relaxed(&c->mailbox))
		return;
	letter = atomic_exchange(&c->mailbox, NULL);
	while (letter) {
		struct shootdown_letter *next = letter->next;
		struct shootdown *r = letter->request;

		request_serve(c, r);
		/* From here on the letter and the request are the sender's again. */
		atomic_sub_return(&r->waiting, 1);
		letter = next;
	}
}

static void letter_send(struct shootdown_letter *letter, struct cpu *to)
{
	struct shootdown_letter *first = load_relaxed(&to->mailbox);

	do {
		letter->next = first;
	} while (!atomic_cas(&to->mailbox, &first, letter));
	if (!first)
		apic_send(to->apic_id, VECTOR_SHOOTDOWN);
}

/* Have the CPUs of mask (not this one) serve r, and wait for them. */
static void request_send(struct shootdown *r, u64 mask)
{
	struct cpu *self = this_cpu();

	r->waiting = (u32)__builtin_popcountll(mask);
	for (; mask; mask &= mask - 1) {
		u32 n = (u32)__builtin_ctzll(mask);

		self->letters[n].request = r;
		letter_send(&self->letters[n], cpu_table[n]);
	}
	while (load_acquire(&r->waiting))
		cpu_relax();
}

static void space_shoot(enum shootdown_kind kind, struct mm *mm, u64 va)
{
	struct cpu *c = this_cpu();
	struct shootdown r = { .kind = kind, .mm = mm, .va = va };
	u64 others;

	/* A full barrier: entries stored before, the mask read after. */
	r.generation = atomic_add_return(&mm->machine.generation, 1);
	if (c->space == mm)
		space_flush(c, &r);
	others = load_relaxed(&mm->machine.cpus[0]) & ~BIT(c->number);
	if (unlikely(others))
		request_send(&r, others);
}

void tlb_shoot_page(struct mm *mm, u64 va)
{
	space_shoot(SHOOT_PAGE, mm, va);
}

void tlb_shoot_all(struct mm *mm)
{
	space_shoot(SHOOT_ALL, mm, 0);
}

/* No mask is asked: a CPU that loads a root after this read cpus_online does so with an empty TLB. */
void tlb_shoot_machine(void)
{
	struct shootdown r = { .kind = SHOOT_MACHINE };
	u64 others;

	full_barrier();
	flush_user();
	others = load_acquire(&cpus_online) & ~BIT(this_cpu()->number);
	if (unlikely(others))
		request_send(&r, others);
}

void tlb_local_page(struct mm *mm, u64 va)
{
	if (this_cpu()->space == mm)
		invlpg(va);
}

void tlb_shoot_kernel(u64 va, u64 pages)
{
	struct shootdown r = { .kind = SHOOT_KERNEL, .va = va, .pages = pages };
	u64 others = load_acquire(&cpus_online) & ~BIT(this_cpu()->number);

	kernel_flush(va, pages);
	if (unlikely(others))
		request_send(&r, others);
}

void space_activate(struct mm *mm)
{
	struct cpu *c = this_cpu();
	struct mm *old = c->space;

	if (!mm || mm == old)
		return;
	/*
	 * The locked instruction is the barrier between setting the bit and reading the generation.
	 */
	atomic_or(&mm->machine.cpus[0], BIT(c->number));
	c->space_generation = load_acquire(&mm->machine.generation);
	c->space = mm;
	write_cr3(page_phys(mm->root));
	if (old)
		atomic_and(&old->machine.cpus[0], ~BIT(c->number));
}

void space_idle(void)
{
	struct cpu *c = this_cpu();

	if (c->space && load_relaxed(&cpus_online) != BIT(c->number))
		space_leave(c, c->space);
}

struct mm *space_loaded(void)
{
	return this_cpu()->space;
}

void machine_root_init(struct page *root)
{
	u64 *to = frame_data(root);

	for (u32 i = 0; i < kernel_top_count; i++)
		to[kernel_top[i].slot] = kernel_top[i].entry;
}

void machine_root_clear(struct page *root)
{
	u64 *to = frame_data(root);

	for (u32 i = 0; i < kernel_top_count; i++)
		to[kernel_top[i].slot] = 0;
}

void machine_space_init(struct mm *mm, struct page *root)
{
	mm->machine = (struct machine_space){ 0 };
	machine_root_init(root);
}

void machine_space_retire(struct mm *mm)
{
	struct cpu *c = this_cpu();
	struct shootdown r = { .kind = SHOOT_RETIRE, .mm = mm };
	u64 others;

	space_leave(c, mm);
	others = load_acquire(&mm->machine.cpus[0]) & ~BIT(c->number);
	if (unlikely(others))
		request_send(&r, others);
}

void cpu_kick(u32 cpu)
{
	apic_send(cpu_table[cpu]->apic_id, VECTOR_RESCHEDULE);
}

void machine_frame_zero(struct page *p)
{
	void *to = frame_data(p);
	u64 words = PAGE_SIZE / sizeof(u64);

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0ull) : "memory");
}

void machine_frame_copy(struct page *dst, struct page *src)
{
	void *to = frame_data(dst), *from = frame_data(src);
	u64 words = PAGE_SIZE / sizeof(u64);

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
