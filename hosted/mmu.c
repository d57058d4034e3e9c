/*
 * mmu.c - the memory management unit of the fake CPUs.
 *
 * Central rule: it does all that mm/machine.h allows hardware to do. It keeps translations and
 * pointers to tables, with the permissions above them, until a shootdown takes them away (and takes
 * away no more than it must); it fills both caches with what nobody asked for; it sets accessed
 * bits early. And it looks where real hardware cannot: every table that it reads must be a live
 * table, every page that it reaches a live page.
 */
#include <string.h>

#include "hosted_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "mm/huge.h"

#define RECENT 64u
/* addresses that somebody used: what speculation tries */
static HOSTED_PER_CPU u64 recent[RECENT];
static HOSTED_PER_CPU u32 recent_next;

#define TRIES_MAX 10000u /* faults that lead to nothing, one after the other */

/* --- the caches --- */

static struct tlb_leaf *leaf_slot(struct fake_cpu *c, u64 va)
{
	u64 page = va >> PAGE_SHIFT;

	return &c->leaves[(page ^ (page >> 9)) % TLB_LEAVES];
}

static struct tlb_leaf *huge_slot(struct fake_cpu *c, u64 va)
{
	return &c->huge[(va >> LEVEL_SHIFT(2)) % TLB_HUGE];
}

static u64 table_tag(u64 va, u32 level)
{
	return va >> LEVEL_SHIFT(level + 1);
}

static struct tlb_table *table_slot(struct fake_cpu *c, u64 va, u32 level)
{
	return &c->tables[level][table_tag(va, level) % TLB_TABLES];
}

static void leaf_drop(struct fake_cpu *c, u64 va)
{
	struct tlb_leaf *l = leaf_slot(c, va);

	if (l->page == va >> PAGE_SHIFT)
		l->valid = false;
	/* Of a huge leaf that va lies in, whole or in fragments, nothing is left. */
	l = huge_slot(c, va);
	if (l->page == va >> LEVEL_SHIFT(2))
		l->valid = false;
	for (u32 i = 0; i < TLB_LEAVES; i++) {
		l = &c->leaves[i];
		if (l->fragment && l->page / HUGE_PAGES == va >> LEVEL_SHIFT(2))
			l->valid = false;
	}
}

static void flush_page(struct fake_cpu *c, u64 va)
{
	leaf_drop(c, va);
	for (u32 level = 1; level < LEVELS; level++) {
		struct tlb_table *t = table_slot(c, va, level);

		if (t->tag == table_tag(va, level))
			t->valid = false;
	}
}

static void flush_all(struct fake_cpu *c)
{
	memset(c->leaves, 0, sizeof(c->leaves));
	memset(c->huge, 0, sizeof(c->huge));
	memset(c->tables, 0, sizeof(c->tables));
}

void mmu_reset(void)
{
	for (u32 i = 0; i < HOSTED_CPUS; i++) {
		struct fake_cpu *c = &hosted_cpus[i];

		if (c->space)
			atomic_and(&c->space->machine.cpus[0], ~BIT(i));
		c->space = NULL;
		flush_all(c);
	}
}

/* --- the walk --- */

struct translation {
	u64 frame; /* of the page; huge: of the first page */
	bool writable, executable;
	bool huge;
	struct pte *slot, entry; /* of the leaf, as it was read */
};

static void table_check(const struct fake_cpu *c, u64 frame, u32 level, u64 va)
{
	struct page *p = page_at(frame);

	if (frame >= frame_total || p->kind != PAGE_TABLE || p->level != level ||
	    page_count(p) == 0)
		panic("MMU of CPU %u at %llx reads frame %llu as a table of level %u: kind %u, "
		      "level %u, count %u",
		      c->number, (unsigned long long)va, (unsigned long long)frame, level, p->kind,
		      p->level, page_count(p));
}

static void page_check(const struct fake_cpu *c, u64 frame, u64 va)
{
	struct page *p = page_at(frame);

	if (frame >= frame_total ||
	    (p->kind != PAGE_ANON && p->kind != PAGE_CACHE && p->kind != PAGE_IMMORTAL) ||
	    (p->kind != PAGE_IMMORTAL && page_count(p) == 0))
		panic("MMU of CPU %u at %llx reaches frame %llu: kind %u, count %u", c->number,
		      (unsigned long long)va, (unsigned long long)frame, p->kind, page_count(p));
}

/*
 * The size by which va is mapped may change only after what was kept of the other size is gone
 * everywhere: a processor that finds both may do anything (SDM vol. 3, 4.10.2.3).
 */
static void size_check(struct fake_cpu *c, u64 va, bool huge)
{
	const struct tlb_leaf *h = huge_slot(c, va);

	for (u32 i = 0; huge && i < TLB_LEAVES; i++) {
		const struct tlb_leaf *l = &c->leaves[i];

		if (l->valid && !l->fragment && l->page / HUGE_PAGES == va >> LEVEL_SHIFT(2))
			panic("MMU of CPU %u at %llx: a huge leaf, but small ones are kept",
			      c->number, (unsigned long long)va);
	}
	if (!huge && h->valid && h->page == va >> LEVEL_SHIFT(2))
		panic("MMU of CPU %u at %llx: a small leaf, but a huge one is kept", c->number,
		      (unsigned long long)va);
}

/* Start at a table that is cached, or at the root. */
static u32 walk_start(struct fake_cpu *c, u64 va, struct translation *t)
{
	for (u32 level = 1; level < LEVELS; level++) {
		struct tlb_table *cached = table_slot(c, va, level);

		if (cached->valid && cached->tag == table_tag(va, level) && hosted_random() % 4) {
			t->frame = cached->frame;
			t->writable = cached->writable;
			t->executable = cached->executable;
			return level;
		}
	}
	t->frame = c->root;
	t->writable = t->executable = true;
	return LEVELS;
}

/*
 * Translate va, setting accessed bits, and perhaps remembering what was read. False: some entry is
 * not present.
 */
static bool walk(struct fake_cpu *c, u64 va, struct translation *t)
{
	for (u32 level = walk_start(c, va, t);; level--) {
		table_check(c, t->frame, level, va);
		struct pte *slot = slot_of(page_at(t->frame), va);
		struct pte e = pte_load_raw(slot);

		/* A is set only in an entry that is still as it was read. */
		do {
			if (!pte_is_present(e))
				return false;
		} while (!(e.v & PTE_A) && !atomic_cas(&slot->v, &e.v, e.v | PTE_A));
		e.v |= PTE_A;
		t->writable &= pte_is_writable(e);
		t->executable &= pte_is_executable(e);
		t->frame = pte_frame_number(e);
		t->slot = slot;
		t->entry = e;
		t->huge = level == 2 && pte_is_huge(e);
		if (level == 1 || t->huge)
			break;
		if (hosted_random() % 4)
			*table_slot(c, va, level - 1) =
				(struct tlb_table){ .valid = true,
						    .writable = t->writable,
						    .executable = t->executable,
						    .tag = table_tag(va, level - 1),
						    .frame = t->frame };
	}
	size_check(c, va, t->huge);
	if (t->huge && t->frame % HUGE_PAGES)
		panic("MMU of CPU %u at %llx: huge leaf of frame %llu", c->number,
		      (unsigned long long)va, (unsigned long long)t->frame);
	page_check(c, t->frame + (t->huge ? (va >> PAGE_SHIFT) % HUGE_PAGES : 0), va);
	return true;
}

/* A huge leaf is kept whole, or only the part that was asked for. */
static struct tlb_leaf *leaf_fill(struct fake_cpu *c, u64 va, const struct translation *t)
{
	bool whole = t->huge && hosted_random() % 4;
	struct tlb_leaf *l = whole ? huge_slot(c, va) : leaf_slot(c, va);

	*l = (struct tlb_leaf){ .valid = true,
				.writable = t->writable,
				.executable = t->executable,
				.fragment = t->huge && !whole,
				.page = va >> (whole ? LEVEL_SHIFT(2) : PAGE_SHIFT),
				.frame = t->frame };
	if (l->fragment)
		l->frame += (va >> PAGE_SHIFT) % HUGE_PAGES;
	return l;
}

/* What is kept for va: where both are, either may be used. NULL: nothing. */
static struct tlb_leaf *leaf_find(struct fake_cpu *c, u64 va, bool *whole)
{
	struct tlb_leaf *l = leaf_slot(c, va), *h = huge_slot(c, va);
	bool small = l->valid && l->page == va >> PAGE_SHIFT;

	*whole = h->valid && h->page == va >> LEVEL_SHIFT(2) && (!small || hosted_random() % 2);
	return *whole ? h : small ? l : NULL;
}

static bool leaf_permits(const struct tlb_leaf *l, u32 access)
{
	return (!(access & ACCESS_WRITE) || l->writable) &&
	       (!(access & ACCESS_EXEC) || l->executable);
}

/* The frame through which the access goes. False: a fault. */
static bool translate(struct fake_cpu *c, u64 va, u32 access, u64 *frame)
{
	bool whole;
	struct tlb_leaf *l = leaf_find(c, va, &whole);
	struct translation t;
	u64 old;

	if (l) {
		if (leaf_permits(l, access)) {
			if (!(access & ACCESS_WRITE) || l->dirty)
				goto hit;
		} else if (hosted_random() %
			   2) { /* it may fault without looking again, and may keep what it has */
			if (hosted_random() % 2)
				l->valid = false;
			return false;
		}
		l->valid = false;
	}
walk:
	if (!walk(c, va, &t))
		return false;
	l = leaf_fill(c, va, &t);
	whole = t.huge && !l->fragment;
	if (!leaf_permits(l, access))
		return false;
	if (access & ACCESS_WRITE) { /* D, too, only in the entry that was read */
		old = t.entry.v;
		if (!atomic_cas(&t.slot->v, &old, old | PTE_D)) {
			l->valid = false;
			goto walk;
		}
		l->dirty = true;
	}
hit:
	*frame = l->frame + (whole ? (va >> PAGE_SHIFT) % HUGE_PAGES : 0);
	page_check(c, *frame, va);
	return true;
}

/* --- speculation --- */

/* A CPU with a root loaded. Where CPUs are threads each looks after itself, also while it idles. */
static struct fake_cpu *speculator(void)
{
#ifdef HOSTED_THREADS
	return hosted_cpu;
#else
	u32 first = (u32)(hosted_random() % HOSTED_CPUS), i = 0;

	while (i < HOSTED_CPUS && !hosted_cpus[(first + i) % HOSTED_CPUS].space)
		i++;
	return &hosted_cpus[(first + i) % HOSTED_CPUS];
#endif
}

/*
 * Some CPU, also one that idles with a root still loaded, translates something that may be used
 * soon.
 */
void mmu_speculate(void)
{
	struct fake_cpu *c = speculator();
	struct translation t;

	if (!c->space)
		return;
	u64 va = recent[hosted_random() % RECENT];
	if (hosted_random() % 4 == 0)
		va += (hosted_random() % 5 - 2) * PAGE_SIZE;
	if (va >= USER_END || !walk(c, va, &t))
		return;
	bool whole;
	if (hosted_random() % 2 && !leaf_find(c, va, &whole))
		leaf_fill(c, va, &t);
}

/* --- spaces and shootdowns --- */

void machine_space_init(struct mm *mm, struct page *root)
{
	mm->machine = (struct machine_space){ 0 };
	machine_root_init(root);
}

void hosted_load_space(struct mm *mm)
{
	struct fake_cpu *c = hosted_cpu;
	struct mm *old = c->space;

	if (old == mm)
		return;
	atomic_or(&mm->machine.cpus[0], BIT(c->number));
	c->space = mm;
	c->root = page_number(mm->root);
	flush_all(c);
	if (old)
		atomic_and(&old->machine.cpus[0], ~BIT(c->number));
}

void mmu_apply(struct fake_cpu *c, struct shoot_request *r)
{
	if (r->kind != SHOOT_MACHINE && c->space != r->mm)
		return;
	switch (r->kind) {
	case SHOOT_PAGE:
		flush_page(c, r->va);
		break;
	case SHOOT_ALL:
	case SHOOT_MACHINE:
		flush_all(c);
		break;
	case SHOOT_LEAVE:
		flush_all(c);
		c->space = NULL;
		atomic_and(&r->mm->machine.cpus[0], ~BIT(c->number));
		break;
	}
}

void mmu_serve_mailbox(struct fake_cpu *c)
{
	for (u32 i = 0; load_acquire(&c->mail) && i < HOSTED_CPUS; i++) {
		struct shoot_request *r = load_acquire(&c->mailbox[i]);

		if (!r)
			continue;
		mmu_apply(c, r);
		store_relaxed(&c->mailbox[i], NULL);
		atomic_sub(&c->mail, 1);
		atomic_sub_return(&r->waiting, 1); /* from here on it is the sender's again */
	}
}

static void request_send(struct shoot_request *r, struct fake_cpu *to)
{
	struct shoot_request **letter = &to->mailbox[hosted_cpu->number];

	assert(!load_relaxed(letter));
	atomic_add(&r->waiting, 1);
	store_release(letter, r);
	atomic_add_return(&to->mail, 1);
}

/*
 * The others are told, and this CPU waits until each has served the request where it can take an
 * interrupt. One that has no program and no root keeps nothing.
 */
static void shoot(struct mm *mm, enum shoot_kind kind, u64 va)
{
	struct shoot_request r = { .mm = mm, .kind = kind, .va = va };
	struct fake_cpu *self = hosted_cpu;

	hosted_step();
	if (mm)
		atomic_add_return(&mm->machine.generation, 1);
	u64 mask = mm ? load_acquire(&mm->machine.cpus[0]) : UINT64_MAX;
	for (u32 i = 0; i < HOSTED_CPUS; i++) {
		struct fake_cpu *c = &hosted_cpus[i];

		if (!(mask & BIT(i)))
			continue;
		if (c != self && c->running)
			request_send(&r, c);
		else if (c == self || c->space)
			mmu_apply(c, &r);
	}
	while (load_acquire(&r.waiting))
		cpu_relax();
}

void tlb_shoot_page(struct mm *mm, u64 va)
{
	shoot(mm, SHOOT_PAGE, va);
}

void tlb_shoot_all(struct mm *mm)
{
	shoot(mm, SHOOT_ALL, 0);
}

void tlb_shoot_machine(void)
{
	shoot(NULL, SHOOT_MACHINE, 0);
}

void tlb_local_page(struct mm *mm, u64 va)
{
	if (hosted_cpu->space == mm)
		flush_page(hosted_cpu, va);
}

void machine_space_retire(struct mm *mm)
{
	shoot(mm, SHOOT_LEAVE, 0);
	assert(!load_relaxed(&mm->machine.cpus[0]));
}

void machine_frame_zero(struct page *p)
{
	hosted_step();
	memset(frame_data(p), 0, PAGE_SIZE);
}

/* In parts, so that a write that should not come can fall in between. */
void machine_frame_copy(struct page *dst, struct page *src)
{
	for (u64 at = 0; at < PAGE_SIZE; at += PAGE_SIZE / 4) {
		hosted_step();
		memcpy((char *)frame_data(dst) + at, (char *)frame_data(src) + at, PAGE_SIZE / 4);
	}
}

/* --- what a user program does --- */

/*
 * In user mode interrupts are on, but the one of a shootdown arrives some instructions late. The
 * instruction itself, its translation and its access, is one step. Retried after each fault that
 * was resolved.
 */
static int user_access(u64 va, u32 access, u64 **word, struct fault_result *r)
{
	u64 frame;

	assert(va % PAGE_SIZE <= PAGE_SIZE - 8);
	recent[recent_next++ % RECENT] = va;
	for (u32 tries = 0; tries < TRIES_MAX; tries++) {
		hosted_step();
		if (hosted_random() % 4 == 0)
			mmu_serve_mailbox(hosted_cpu);
		if (!hosted_cpu->space)
			panic("CPU %u runs a program without a space", hosted_cpu->number);
		if (translate(hosted_cpu, va, access, &frame)) {
			*word = (u64 *)((char *)frame_data(page_at(frame)) + va % PAGE_SIZE);
			return 0;
		}
		int err = space_fault(hosted_cpu->space, va, access | ACCESS_USER, r);
		if (err)
			return err;
	}
	panic("an access at %llx faults for ever", (unsigned long long)va);
}

int user_load(u64 va, u64 *value, struct fault_result *r)
{
	u64 *word;
	int err = user_access(va, ACCESS_READ, &word, r);

	if (!err)
		*value = load_relaxed(word);
	return err;
}

int user_store(u64 va, u64 value, struct fault_result *r)
{
	u64 *word;
	int err = user_access(va, ACCESS_WRITE, &word, r);

	if (!err)
		store_relaxed(word, value);
	return err;
}

int user_add(u64 va, u64 n, u64 *after, struct fault_result *r)
{
	u64 *word;
	int err = user_access(va, ACCESS_WRITE, &word, r);

	if (!err)
		*after = __atomic_add_fetch(word, n, __ATOMIC_RELAXED);
	return err;
}

int user_exec(u64 va, struct fault_result *r)
{
	u64 *word;

	return user_access(va, ACCESS_EXEC, &word, r);
}
