/*
 * access.c - the kernel's own reads and writes of any space: exec filling a new stack, ptrace,
 * /proc/PID/mem, process_vm_*, futex keys.
 *
 * A write takes the path of a fault (DESIGN: "Logical is not hardware read-only"): the path is
 * owned, the leaf table locked, and the page is judged ours there and then, in the critical section
 * that also copies the bytes (PROTOCOL rule 10). No page is pinned.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "mm/fault.h"
#include "mm/huge.h"

/* May the owner of the path to this table write to the leaf's page for va in place? */
static bool leaf_is_writable_now(const struct page *table, struct pte e, u64 va)
{
	if (!pte_is_resident(e))
		return false;
	if (pte_is_writable(e))
		return true;
	if (pte_is_lazy(e)) /* the fault says that it is wanted again */
		return false;
	if (table->level == 2)
		return huge_page_is_ours(pte_page(e), leaf_page(table, e, va));
	return pte_page(e)->kind == PAGE_ANON && page_count(pte_page(e)) == 1;
}

/*
 * Copy within one page if its entry allows it as it stands: true if done. space.rw held shared. The
 * area's permission was checked before.
 */
static bool page_copy_in(struct mm *mm, u64 va, const void *buf, size_t n)
{
	bool owned, done = false;
	struct page *table = node_leaf_lock(mm, va, &owned);

	if (table) {
		struct pte e = pte_load(slot_of(table, va));

		if (owned && leaf_is_writable_now(table, e, va)) {
			memcpy((char *)frame_data(leaf_page(table, e, va)) + va % PAGE_SIZE, buf,
			       n);
			done = true;
		}
		spin_unlock(&table->lock);
	}
	return done;
}

static bool page_copy_out(struct mm *mm, u64 va, void *buf, size_t n)
{
	bool owned, done = false;
	struct page *table = node_leaf_lock(mm, va, &owned);

	if (table) {
		struct pte e = pte_load(slot_of(table, va));

		if (pte_is_resident(e)) {
			memcpy(buf, (char *)frame_data(leaf_page(table, e, va)) + va % PAGE_SIZE,
			       n);
			done = true;
		}
		spin_unlock(&table->lock);
	}
	return done;
}

/*
 * Is the access allowed by the area at va, whatever the tables say? The area itself must say READ:
 * that a processor can read what it can write or execute does not count here. A stack grows by its
 * program's own faults, for exec and for debuggers, not for process_vm_writev.
 */
static bool area_allows(struct mm *mm, u64 va, u32 access, u32 flags)
{
	bool ok = false, force = flags & SPACE_FORCE;

	read_lock(&mm->rw);
	const struct area *a = areas_find(mm->areas, va);
	if (a && access == ACCESS_WRITE)
		ok = (a->flags & AREA_WRITE) ||
		     (force && (a->flags & AREA_MAYWRITE) && !(a->flags & AREA_SHARED));
	else if (a)
		ok = (a->flags & AREA_READ) || (force && (a->flags & AREA_MAYREAD));
	else
		ok = flags & SPACE_GROW;
	read_unlock(&mm->rw);
	return ok;
}

static ssize space_access(struct mm *mm, u64 va, char *buf, size_t n, u32 access, u32 flags)
{
	u32 fault_flags = FAULT_HOLD | (flags & SPACE_FORCE ? FAULT_FORCE : 0);
	struct fault_result result;
	size_t done = 0;

	while (done < n) {
		u64 at = va + done;
		size_t part = min(PAGE_SIZE - at % PAGE_SIZE, n - done);

		if (at >= USER_END || !area_allows(mm, at, access, flags))
			break;
		/*
		 * What a fault brought is used before the space is let go: threads that take it away
		 * again and again could keep this one from getting on for ever.
		 */
		read_lock(&mm->rw);
		for (;;) {
			bool ok = access == ACCESS_WRITE ? page_copy_in(mm, at, buf + done, part)
							 : page_copy_out(mm, at, buf + done, part);
			read_unlock(&mm->rw);
			if (ok)
				break;
			int err = fault_resolve(mm, at, access, fault_flags, &result);
			if (err)
				return done ? (ssize)done : err;
		}
		done += part;
	}
	return done || !n ? (ssize)done : -EFAULT;
}

ssize space_read(struct mm *mm, u64 va, void *buf, size_t n, u32 flags)
{
	return space_access(mm, va, buf, n, ACCESS_READ, flags);
}

ssize space_write(struct mm *mm, u64 va, const void *buf, size_t n, u32 flags)
{
	return space_access(mm, va, (char *)buf, n, ACCESS_WRITE, flags);
}

int space_key(struct mm *mm, u64 va, bool shared, u64 key[2])
{
	int err = 0;

	if (va >= USER_END)
		return -EFAULT;
	key[0] = mm->id;
	key[1] = va;
	if (!shared)
		return 0;
	read_lock(&mm->rw);
	const struct area *a = areas_find(mm->areas, va);
	if (!a) {
		err = -EFAULT;
	} else if (a->object && (a->flags & AREA_SHARED)) {
		key[0] = (u64)a->object;
		key[1] = a->offset + (va - a->start);
	}
	read_unlock(&mm->rw);
	return err;
}
