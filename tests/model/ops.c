/*
 * ops.c - the operations of a stream.
 *
 * Each applies itself to mm, compares the result with what the model says must come, and only on
 * success changes the model. Where Linux lets a failure for want of memory leave something done
 * (mprotect over several areas, populating), the model takes over what was done.
 */
#include <asm-generic/mman-common.h>
#include <asm-generic/siginfo.h>
#include <asm/mman.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "mm/huge.h"
#include "stream_priv.h"

#define SIGBUS 7
#define SIGSEGV 11

#define MAY (AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC)

/* --- help --- */

/*
 * The result of a call against what the model expects. True: it succeeded as it should. False: it
 * failed, as it should or for want of memory.
 */
static bool agrees(s64 got, s64 expected)
{
	if (st.failing && (got == -ENOMEM || (got == -EAGAIN && !expected)))
		return false;
	if (got != expected)
		mismatch("returned %ld, expected %ld", got, expected);
	return got >= 0;
}

static u32 space_id(const struct view_space *s)
{
	return (u32)(s - spaces);
}

/* In every second stream most of what happens is where 2 MiB pages can be. */
static bool in_wide_clusters(void)
{
	return st.options->seed % 2 == 0 && draw(8);
}

/* Whole 2 MiB, or all of a wide cluster, or any run of its slots. */
static u32 any_wide_range(u32 *count)
{
	u32 first = (WIDE_FIRST + (u32)draw(WIDE_CLUSTERS)) * CLUSTER_SLOTS;
	u32 how = (u32)draw(6), slot = (u32)draw(CLUSTER_SLOTS);

	if (how == 0) {
		*count = CLUSTER_SLOTS;
		return first;
	}
	if (how < 4) {
		*count = HUGE_PAGES / WIDE_PAGES;
		return first + *count / 2 + (u32)draw(2) * *count;
	}
	*count = 1 + (u32)draw(min(CLUSTER_SLOTS - slot, 5u));
	return first + slot;
}

/* A range of slots inside one cluster. */
static u32 any_range(u32 *count)
{
	if (in_wide_clusters())
		return any_wide_range(count);
	u32 slot = (u32)draw(SLOTS), left = CLUSTER_SLOTS - slot % CLUSTER_SLOTS;

	*count = 1 + (u32)draw(draw(3) ? min(left, 6u) : left);
	return slot;
}

/*
 * A slot, preferably one that is mapped, and in half of the cases one that was used shortly before.
 */
static u32 any_slot(const struct view_space *s)
{
	u32 *recent = &st.recent[draw(ARRAY_SIZE(st.recent))];

	if (draw(2))
		return *recent;
	bool wide = in_wide_clusters();
	for (u32 i = 0; i < 12; i++) {
		*recent =
			wide ? WIDE_FIRST * CLUSTER_SLOTS + (u32)draw(WIDE_CLUSTERS * CLUSTER_SLOTS)
			     : (u32)draw(SLOTS);
		if (s->pages[*recent].mapped)
			break;
	}
	return *recent;
}

static u32 any_prot(void)
{
	static const u32 prots[] = { 0,
				     AREA_READ,
				     AREA_READ | AREA_WRITE,
				     AREA_READ | AREA_WRITE,
				     AREA_READ | AREA_WRITE,
				     AREA_READ | AREA_EXEC,
				     AREA_WRITE,
				     AREA_EXEC,
				     AREA_PROT };

	return prots[draw(ARRAY_SIZE(prots))];
}

/* --- operations: each returns false when memory failed --- */

static s32 free_object(void)
{
	for (s32 i = NAMED_OBJECTS; i < OBJECTS; i++)
		if (!objects[i].used)
			return i;
	return -1;
}

static bool op_map(struct view_space *s, u64 lot)
{
	u32 count, slot = any_range(&count), kind = slot_is_wide(slot) ? 0 : (u32)draw(4);
	struct view_page as = { .mapped = true, .flags = any_prot() | MAY, .object = -1 };
	struct map_request r = { .addr = slot_va(slot),
				 .length = slots_bytes(slot, count),
				 .fixed = true };
	bool busy = false;

	if (kind == 1 || kind == 3) {
		as.shared = true;
		as.flags |= AREA_SHARED;
	}
	if (kind >= 2) {
		as.object = (s32)draw(NAMED_OBJECTS);
		as.object_page = (u32)draw(OBJECT_PAGES - CLUSTER_SLOTS);
		r.object = &objects[as.object].named->object;
		r.offset = as.object_page * PAGE_SIZE;
	} else if (kind == 1) {
		as.object = free_object();
		if (as.object < 0)
			return true;
	}
	r.flags = as.flags;
	r.noreplace = lot % 8 == 0;
	if (slot_is_wide(slot) && lot % 2) { /* mostly what programs have */
		as.flags |= AREA_READ | AREA_WRITE;
		r.flags = as.flags;
	}
	op_name("space %u: map %#lx, %u slots, flags %#x, object %d page %u%s", space_id(s), r.addr,
		count, r.flags, as.object, as.object_page, r.noreplace ? ", noreplace" : "");
	for (u32 i = 0; i < count; i++)
		busy |= s->pages[slot + i].mapped;
	if (!agrees(space_map(s->mm, &r), r.noreplace && busy ? -EEXIST : (s64)r.addr))
		return !(st.failing && !(r.noreplace && busy));
	if (kind == 1)
		objects[as.object] =
			(struct view_object){ .used = true, .size = count * PAGE_SIZE };
	for (u32 i = 0; i < count; i++, as.object_page += as.object >= 0)
		view_map(&s->pages[slot + i], &as);
	return true;
}

static bool op_unmap(struct view_space *s, u64 lot)
{
	u32 count, slot = any_range(&count);
	u64 start = slot_va(slot), end = start + slots_bytes(slot, count);

	if (lot % 16 == 0) { /* whole subtrees */
		u32 last = (u32)draw(SLOTS);
		end = slot_va(last) + slots_bytes(last, 1);
		if (end <= start)
			return true;
		count = slots_in(start, end, &slot);
	}
	op_name("space %u: unmap %#lx-%#lx", space_id(s), start, end);
	if (!agrees(space_unmap(s->mm, start, end - start), 0))
		return false;
	for (u32 i = 0; i < count; i++)
		view_unmap(&s->pages[slot + i]);
	return true;
}

/* mprotect that ran out of memory has changed the areas that came first: take over which. */
static void protect_partly(struct view_space *s, u32 slot, u32 count, u32 prot)
{
	bool changed = true;

	for (u32 i = 0; i < count; i++) {
		struct view_page *p = &s->pages[slot + i];
		const struct area *a = areas_find(s->mm->areas, slot_va(slot + i));
		u32 flags = (p->flags & ~AREA_PROT) | prot;

		if (!a || p->flags == flags)
			continue;
		if (!((a->flags ^ p->flags) & ~(u32)AREA_ACCOUNT))
			changed = false;
		else if (!changed)
			mismatch("%#lx was changed though what comes before was not",
				 slot_va(slot + i));
		else
			p->flags = flags;
	}
}

static bool op_protect(struct view_space *s, u64 lot)
{
	u32 count, slot = any_range(&count), prot = any_prot(), good = 0;

	(void)lot;
	op_name("space %u: protect %#lx, %u pages, %u", space_id(s), slot_va(slot), count, prot);
	while (good < count && s->pages[slot + good].mapped)
		good++;
	int err = space_protect(s->mm, slot_va(slot), slots_bytes(slot, count), prot, false);
	if (err == -ENOMEM && st.failing) {
		protect_partly(s, slot, good, prot);
		bool all = good < count; /* then the hole may be what it complains of */
		for (u32 i = 0; i < good; i++)
			all &= (s->pages[slot + i].flags & AREA_PROT) == prot;
		return all;
	}
	agrees(err, good < count ? -ENOMEM : 0);
	for (u32 i = 0; i < good; i++)
		s->pages[slot + i].flags = (s->pages[slot + i].flags & ~AREA_PROT) | prot;
	return true;
}

/* What an access must give: 0 or the signal and code. */
static int expect_fault(const struct view_page *p, u32 access, int *code)
{
	*code = SEGV_MAPERR;
	if (!p->mapped)
		return SIGSEGV;
	*code = SEGV_ACCERR;
	if (!(p->flags & AREA_PROT) || (access & ACCESS_WRITE && !(p->flags & AREA_WRITE)) ||
	    (access & ACCESS_EXEC && !(p->flags & AREA_EXEC)))
		return SIGSEGV;
	*code = BUS_ADRERR;
	return view_words(p) ? 0 : SIGBUS;
}

/* Is the word in the last page of an object, behind its size? What is stored there is nobody's. */
static bool behind_size(const struct view_page *p, u32 word)
{
	return p->shared && p->object >= 0 &&
	       (u64)p->object_page * PAGE_SIZE + word_offset[word] >= objects[p->object].size;
}

/* A store of st.value to a private page has come through: it may have brought 2 MiB. */
static void private_store(struct view_space *s, u32 slot, u32 word)
{
	struct view_page *p = &s->pages[slot];

	if (slot_is_wide(slot) && !p->own && anon_pages_in(s, slot) == WIDE_PAGES &&
	    p->own_pages == 0)
		view_own_huge(s, slot);
	view_own(p);
	p->words[word] = st.value++;
}

static bool op_access(struct view_space *s, u64 lot)
{
	static const u32 accesses[] = { ACCESS_READ,  ACCESS_WRITE, ACCESS_READ,
					ACCESS_WRITE, ACCESS_WRITE, ACCESS_EXEC };
	u32 slot = any_slot(s), word = (u32)draw(WORDS),
	    access = accesses[lot % ARRAY_SIZE(accesses)];
	struct view_page *p = &s->pages[slot];
	u64 va = slot_va(slot) + word_offset[word], value = 0;
	struct fault_result r = { 0 };
	int code, signal = expect_fault(p, access, &code), err;

	if (access == ACCESS_WRITE && !signal && behind_size(p, word))
		return true;
	hosted_load_space(s->mm);
	st.on[cpu_number()] = space_id(s);
	op_name("space %u: %s %#lx", space_id(s),
		access == ACCESS_READ    ? "load"
		: access == ACCESS_WRITE ? "store"
					 : "exec",
		va);
	if (access == ACCESS_READ)
		err = user_load(va, &value, &r);
	else if (access == ACCESS_WRITE)
		err = user_store(va, st.value, &r);
	else
		err = user_exec(va, &r);
	if (err == -ENOMEM && st.failing)
		return false;
	if (err ? err != -EFAULT || r.signal != signal || r.code != code : signal != 0)
		mismatch("%d, signal %d code %d; expected signal %d code %d", err, r.signal, r.code,
			 signal, code);
	if (err)
		return true;
	if (access == ACCESS_READ && value != view_words(p)[word])
		mismatch("loaded %#lx, expected %#lx", value, view_words(p)[word]);
	if (access == ACCESS_WRITE) {
		if (p->shared) {
			objects[p->object].words[p->object_page][word] = st.value++;
		} else {
			private_store(s, slot, word);
		}
	}
	return true;
}

static bool op_fork(struct view_space *s, u64 lot)
{
	struct view_space *child = &spaces[lot % SPACES];

	if (child->mm)
		return true;
	op_name("space %u: fork into %u", space_id(s), space_id(child));
	struct mm *mm = space_fork(s->mm);
	if (!mm && st.failing)
		return false;
	if (!mm)
		mismatch("no memory");
	child->mm = mm;
	view_fork(child, s);
	return true;
}

static bool op_exit(struct view_space *s, u64 lot)
{
	u32 alive = 0;

	(void)lot;
	for (u32 i = 0; i < SPACES; i++)
		alive += spaces[i].mm != NULL;
	if (alive < 2)
		return true;
	op_name("space %u: exit", space_id(s));
	space_end(s);
	return true;
}

static bool op_exec(struct view_space *s, u64 lot)
{
	(void)lot;
	op_name("space %u: exec", space_id(s));
	struct mm *mm = space_create();
	if (!mm && st.failing)
		return false;
	if (!mm)
		mismatch("no memory");
	space_end(s);
	s->mm = mm;
	return true;
}

static bool op_truncate(struct view_space *s, u64 lot)
{
	u32 object = (u32)(lot % NAMED_OBJECTS);
	u64 size = draw(OBJECT_PAGES) * PAGE_SIZE + (draw(3) ? 0 : 2048),
	    old = objects[object].size;

	(void)s;
	op_name("object %u: truncate from %#lx to %#lx", object, old, size);
	if (!agrees(object_truncate(&objects[object].named->object, size), 0))
		return false;
	view_truncate(object, size);
	if (objects[object].named->disk && size < old)
		memset(objects[object].named->disk + size, 0, MEM_BYTES_MAX - size);
	return true;
}

static bool op_punch(struct view_space *s, u64 lot)
{
	u32 object = (u32)(lot % NAMED_OBJECTS), first = (u32)draw(OBJECT_PAGES),
	    end = first + 1 + (u32)draw(min(OBJECT_PAGES - first, 8u));
	u64 size = objects[object].size;

	(void)s;
	if (end * PAGE_SIZE > size)
		return true;
	op_name("object %u: punch pages %u-%u", object, first, end);
	if (!agrees(object_punch(&objects[object].named->object, first * PAGE_SIZE,
				 end * PAGE_SIZE),
		    0))
		return false;
	view_punch(object, first, end);
	if (objects[object].named->disk)
		memset(objects[object].named->disk + first * PAGE_SIZE, 0,
		       (end - first) * PAGE_SIZE);
	return true;
}

static bool op_write(struct view_space *s, u64 lot)
{
	u32 object = (u32)(lot % NAMED_OBJECTS), page = (u32)draw(OBJECT_PAGES),
	    word = (u32)draw(WORDS);

	(void)s;
	op_name("object %u: write page %u word %u", object, page, word);
	if (!agrees(object_write(&objects[object].named->object, &st.value, 8,
				 page * PAGE_SIZE + word_offset[word]),
		    8))
		return false;
	view_write(object, page, word, st.value++);
	return true;
}

static bool op_read(struct view_space *s, u64 lot)
{
	u32 object = (u32)(lot % NAMED_OBJECTS), page = (u32)draw(OBJECT_PAGES),
	    word = (u32)draw(WORDS);
	u64 at = page * PAGE_SIZE + word_offset[word], value = 0;

	(void)s;
	op_name("object %u: read page %u word %u", object, page, word);
	if (!agrees(object_read(&objects[object].named->object, &value, 8, at),
		    at < objects[object].size ? 8 : 0))
		return false;
	if (at < objects[object].size && value != objects[object].words[page][word])
		mismatch("read %#lx, expected %#lx", value, objects[object].words[page][word]);
	return true;
}

/* Write-out and eviction: nothing that a program can see. */
static bool op_clean(struct view_space *s, u64 lot)
{
	(void)s;
	op_name("sync and evict");
	if (lot % 2 &&
	    !agrees(object_sync(&objects[lot / 2 % NAMED_OBJECTS].named->object, 0, UINT64_MAX), 0))
		return false;
	object_evict(1 + draw(20));
	return true;
}

/* What is idle goes to swap; now and then all of it comes back. */
static bool op_reclaim(struct view_space *s, u64 lot)
{
	(void)s;
	op_name("reclaim, %lu slots are free", swap_free_slots());
	if (st.failing)
		return true;
	for (u64 i = lot % 4; i; i--)
		memory_reclaim();
	if (lot % 16 == 0) {
		op_name("swapoff");
		swap_mem_remove(swap_device);
		swap_device = swap_mem_add(SWAP_PAGES);
	}
	return true;
}

static bool op_dontneed(struct view_space *s, u64 lot)
{
	u32 count, slot = any_range(&count);
	bool hole = false;

	(void)lot;
	op_name("space %u: MADV_DONTNEED %#lx, %u pages", space_id(s), slot_va(slot), count);
	for (u32 i = 0; i < count; i++)
		hole |= !s->pages[slot + i].mapped;
	int err = space_advise(s->mm, slot_va(slot), slots_bytes(slot, count), MADV_DONTNEED);
	if (err == -ENOMEM && st.failing && !hole)
		return false;
	if (err == -ENOMEM && st.failing) { /* for either reason: look */
		for (u32 i = 0; i < count; i++) {
			struct pte e;
			(void)hosted_peek(s->mm, slot_va(slot + i), &e);
			if (!pte_is_empty(e) || anon_pages_in(s, slot + i))
				return false;
		}
	}
	agrees(err, hole ? -ENOMEM : 0);
	for (u32 i = 0; i < count; i++)
		if (s->pages[slot + i].mapped)
			view_empty(&s->pages[slot + i]);
	return true;
}

/* Advice that sets a flag; only ranges without holes, so that a failure has one meaning. */
static bool op_fork_flag(struct view_space *s, u64 lot)
{
	static const struct {
		int advice;
		u32 clear, set;
	} advice[] = { { MADV_DONTFORK, 0, AREA_DONTFORK },
		       { MADV_DOFORK, AREA_DONTFORK, 0 },
		       { MADV_WIPEONFORK, 0, AREA_WIPEONFORK },
		       { MADV_KEEPONFORK, AREA_WIPEONFORK, 0 },
		       { MADV_HUGEPAGE, AREA_NOHUGEPAGE, AREA_HUGEPAGE },
		       { MADV_NOHUGEPAGE, AREA_HUGEPAGE, AREA_NOHUGEPAGE } };
	u32 slot = any_slot(s), count = 1, which = (u32)(lot % ARRAY_SIZE(advice));

	if (!s->pages[slot].mapped ||
	    (advice[which].set & AREA_WIPEONFORK && s->pages[slot].object >= 0))
		return true;
	while (count < 5 && view_same_area(s, slot + count - 1))
		count++;
	op_name("space %u: advice %d, %#lx, %u pages", space_id(s), advice[which].advice,
		slot_va(slot), count);
	if (!agrees(space_advise(s->mm, slot_va(slot), slots_bytes(slot, count),
				 advice[which].advice),
		    0))
		return false;
	for (u32 i = 0; i < count; i++)
		s->pages[slot + i].flags = (s->pages[slot + i].flags & ~advice[which].clear) |
					   advice[which].set;
	return true;
}

static bool ranges_overlap(u32 a, u32 na, u32 b, u32 nb)
{
	return slot_va(a) < slot_va(b) + slots_bytes(b, nb) &&
	       slot_va(b) < slot_va(a) + slots_bytes(a, na);
}

/* Take over that nothing is mapped at [slot, slot + count) any more, if so. */
static void take_over_gone(struct view_space *s, u32 slot, u32 count)
{
	bool gone = true;

	for (u32 i = 0; i < count; i++)
		gone &= !areas_find(s->mm->areas, slot_va(slot + i));
	for (u32 i = 0; gone && i < count; i++)
		view_unmap(&s->pages[slot + i]);
}

static bool op_remap(struct view_space *s, u64 lot)
{
	u32 from = any_slot(s), count = 1, to_count, to = any_range(&to_count);
	u32 flags = REMAP_MAYMOVE | REMAP_FIXED;

	if (!s->pages[from].mapped)
		return true;
	while (count < 8 && view_same_area(s, from + count - 1))
		count++;
	if (lot % 2)
		to_count = min(to_count, count);
	if (slot_is_wide(from) != slot_is_wide(to) ||
	    to % CLUSTER_SLOTS + to_count > CLUSTER_SLOTS ||
	    ranges_overlap(from, count, to, to_count) ||
	    (s->pages[from].object >= 0 && s->pages[from].object_page + to_count > OBJECT_PAGES))
		return true;
	op_name("space %u: remap %#lx, %u pages, to %#lx, %u pages", space_id(s), slot_va(from),
		count, slot_va(to), to_count);
	s64 r = space_remap(s->mm, slot_va(from), slots_bytes(from, count),
			    slots_bytes(to, to_count), flags, slot_va(to));
	if (r == -ENOMEM && st.failing) {
		/* It may have emptied its target, and cut off what it loses, as on Linux. */
		take_over_gone(s, to, to_count);
		if (count > to_count)
			take_over_gone(s, from + to_count, count - to_count);
		return false;
	}
	agrees(r, (s64)slot_va(to));
	struct view_page grown = s->pages[from];
	view_empty(&grown);
	for (u32 i = 0; i < max(count, to_count); i++) {
		struct view_page moved = i < count ? s->pages[from + i] : grown;

		moved.object_page = grown.object_page;
		grown.object_page += grown.object >= 0;
		if (i < to_count)
			view_map(&s->pages[to + i], &moved);
		if (i < count)
			view_unmap(&s->pages[from + i]);
	}
	return true;
}

/* Populating that stopped half-way has filled what came first. */
static void populate_take_over(struct view_space *s, u32 slot, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		struct view_page *p = &s->pages[slot + i];
		struct pte e;
		struct page *page = hosted_peek(s->mm, slot_va(slot + i), &e);

		if (!p->mapped || !page)
			continue;
		if (page->kind == PAGE_ANON && !p->own && view_words(p))
			view_own(p);
		if (slot_is_wide(slot))
			p->own_pages = anon_pages_in(s, slot + i);
	}
}

/* What populating [slot, slot + count) gives: the error of the first page that cannot be had. */
static int expect_populate(const struct view_space *s, u32 slot, u32 count, u32 access)
{
	for (u32 i = 0; i < count; i++) {
		const struct view_page *p = &s->pages[slot + i];
		int code, signal = expect_fault(p, access, &code);

		if (p->mapped && access == ACCESS_READ && !(p->flags & AREA_READ))
			return -EINVAL; /* even if it is writable, and so readable */
		if (signal)
			return signal == SIGBUS ? -EFAULT : code == SEGV_MAPERR ? -ENOMEM : -EINVAL;
	}
	return 0;
}

static bool op_populate(struct view_space *s, u64 lot)
{
	u32 count, slot = any_range(&count);
	int expected = expect_populate(s, slot, count, lot % 2 ? ACCESS_WRITE : ACCESS_READ);

	op_name("space %u: populate %#lx, %u pages, %s", space_id(s), slot_va(slot), count,
		lot % 2 ? "write" : "read");
	int err = space_advise(s->mm, slot_va(slot), slots_bytes(slot, count),
			       lot % 2 ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	if (slot_is_wide(slot)) /* a huge page may reach beyond */
		populate_take_over(s, slot - slot % CLUSTER_SLOTS, CLUSTER_SLOTS);
	else
		populate_take_over(s, slot, count);
	if (err != expected && !(err == -ENOMEM && st.failing))
		mismatch("returned %d, expected %d", err, expected);
	return err == expected;
}

/* The kernel writes into a space, as ptrace does. */
static bool op_kernel_write(struct view_space *s, u64 lot)
{
	u32 slot = any_slot(s), word = (u32)draw(WORDS);
	struct view_page *p = &s->pages[slot];
	u64 va = slot_va(slot) + word_offset[word];
	bool force = lot % 2,
	     ok = p->mapped && (p->flags & AREA_WRITE || (force && !p->shared)) && view_words(p);

	if (ok && behind_size(p, word))
		return true;
	op_name("space %u: kernel write at %#lx%s", space_id(s), va, force ? ", forced" : "");
	if (!agrees(space_write(s->mm, va, &st.value, 8, force ? SPACE_FORCE : 0),
		    ok ? 8 : -EFAULT))
		return !(ok && st.failing);
	if (p->shared) {
		objects[p->object].words[p->object_page][word] = st.value++;
	} else {
		private_store(s, slot, word);
	}
	return true;
}

static bool op_kernel_read(struct view_space *s, u64 lot)
{
	u32 slot = any_slot(s), word = (u32)(lot % WORDS);
	struct view_page *p = &s->pages[slot];
	bool ok = p->mapped && view_words(p);
	u64 value = 0;

	op_name("space %u: kernel read at %#lx", space_id(s), slot_va(slot) + word_offset[word]);
	if (!agrees(space_read(s->mm, slot_va(slot) + word_offset[word], &value, 8, SPACE_FORCE),
		    ok ? 8 : -EFAULT))
		return !(ok && st.failing);
	if (value != view_words(p)[word])
		mismatch("read %#lx, expected %#lx", value, view_words(p)[word]);
	return true;
}

/* Which areas get 2 MiB pages from now on. */
static bool op_huge_policy(struct view_space *s, u64 lot)
{
	static const u32 policies[] = { HUGE_ALWAYS, HUGE_ALWAYS, HUGE_MADVISE, HUGE_NEVER };

	(void)s;
	huge_policy = policies[lot % ARRAY_SIZE(policies)];
	op_name("2 MiB pages: policy %u", huge_policy);
	return true;
}

const struct operation operations[] = {
	{ 500, op_access },      { 30, op_map },         { 20, op_unmap },      { 20, op_protect },
	{ 14, op_fork },         { 10, op_exit },        { 1, op_exec },        { 3, op_truncate },
	{ 3, op_punch },         { 10, op_write },       { 10, op_read },       { 4, op_clean },
	{ 8, op_dontneed },      { 6, op_fork_flag },    { 10, op_remap },      { 6, op_populate },
	{ 20, op_kernel_write }, { 20, op_kernel_read }, { 2, op_huge_policy }, { 12, op_reclaim },
};

const u32 operation_count = ARRAY_SIZE(operations);
