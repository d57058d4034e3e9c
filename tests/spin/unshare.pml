/*
 * unshare.pml - owning a path, shooting translations down, and freeing what was replaced: two CPUs, three spaces, one
 * page each, checked by spin for every order of steps.
 *
 * It follows the code; a step here is a store, a load, or what a lock makes one there:
 *
 *	cpu, user mode         a program's loads and stores, and the moments at which it takes an interrupt
 *	fault                  kernel/mm/fault.c: fault_try, fault_install, install_hole, install_resident, install_copy
 *	own                    kernel/mm/node.c: node_own_level, own_step; the root's one entry stands for all levels above the leaf table
 *	copy_table             kernel/mm/node.c: table_copy_slots
 *	drop_table, drop_page  kernel/mm/node.c: node_drop, page_drop
 *	fork                   kernel/mm/space.c: space_fork
 *	unmap                  kernel/mm/map.c: space_unmap; node_unmap, slot_detach
 *	leave                  kernel/mm/space.c: space_free; kernel/arch/x86_64/tlb.c: machine_space_retire
 *	activate               kernel/arch/x86_64/tlb.c: space_activate
 *	shoot, serve           kernel/arch/x86_64/tlb.c: space_shoot, request_send, shootdown_serve
 *	read_lock, write_lock, lock   kernel/lib/lock.c; who waits serves its mailbox (cpu_relax)
 *	mmu                    what mm/machine.h lets translation hardware do: it fills its two caches whenever it likes, also while the
 *	                       CPU is in the kernel or idles with a root still loaded
 *
 * What must hold: W, and no cache of a CPU names a table or a page that is free, in every state (monitor); a store reaches the
 * page that the space's tree has, and none that another space's has; a load finds what was stored last; nobody waits for ever (no invalid end
 * state). In the end R: each count is what refers to it.
 *
 * Bounds: OPS calls, faults and stores in all, and a translation is forgotten without being told EVICTIONS times. -DMUT_... leaves one rule out: tests/spin/run.
 */
#ifndef OPS
#define OPS 4
#endif
#ifndef EVICTIONS
#define EVICTIONS 1
#endif
#define SPACES 3
#define TABLES 6 /* one each, one that each CPU replaces; [0] is none */
#define PAGES 6
#define NONE 255

#define FREE 0
#define LIVE 1
#define BUSY 2 /* being made or taken down */

#define ALL 1   /* requests: flush, */
#define LEAVE 2 /* and load the kernel's own root */

/* --- the tree --- */
byte state[SPACES];
byte root_table[SPACES]; /* the root's entry: the table, and R/W */
bit root_rw[SPACES];
byte table_count[TABLES];
byte leaf_page[TABLES]; /* the leaf */
bit leaf_rw[TABLES];
byte page_count[PAGES];
byte bytes[PAGES];

/* --- locks --- */
byte readers[SPACES];
bit writer[SPACES];
bit root_lock[SPACES];
bit table_lock[TABLES];

/* --- hardware --- */
byte loaded[2]; /* the space whose root CR3 has */
byte mask[SPACES];
byte pointer_table[2]; /* paging-structure cache: 0, or the table, and R/W above it */
bit pointer_rw[2];
byte tlb_page[2]; /* 0, or the page, and R/W */
bit tlb_rw[2];
#ifdef SPLIT_TLB
byte fetch_page[2]; /* the TLB of instruction fetches: 0, or the page. It may keep another than the one of data */
#endif
byte mail[2], mail_space[2];
byte evictions = EVICTIONS;
byte ops = OPS; /* left */

/* --- what is expected --- */
byte running[2];     /* the space whose program the CPU runs */
byte value[SPACES];  /* stored last */
bit vague[SPACES];   /* munmap is under way: who reads sees either */

inline flush(cpu)
{
	pointer_table[cpu] = 0;
	pointer_rw[cpu] = 0;
	tlb_page[cpu] = 0;
	tlb_rw[cpu] = 0;
#ifdef SPLIT_TLB
	fetch_page[cpu] = 0
#endif
}

inline serve()
{
	d_step {
		mail[c] != 0 ->
		if
		:: loaded[c] == mail_space[c] && mail[c] == ALL -> flush(c)
		:: loaded[c] == mail_space[c] && mail[c] == LEAVE ->
			flush(c);
			loaded[c] = NONE;
			mask[mail_space[c]] = mask[mail_space[c]] & ~(1 << c)
		:: else
		fi;
		mail[c] = 0;
		mail_space[c] = 0
	}
}

inline read_lock(s)
{
	do
	:: atomic { !writer[s] -> readers[s]++; break }
	:: serve()
	od
}

inline write_lock(s)
{
	do
	:: atomic { !writer[s] && readers[s] == 0 -> writer[s] = 1; break }
	:: serve()
	od
}

inline lock(l)
{
	do
	:: atomic { !l -> l = 1; break }
	:: serve()
	od
}

inline send(s, what)
{
	if
	:: atomic { (mask[s] >> (1 - c)) & 1 -> assert(mail[1 - c] == 0); mail[1 - c] = what; mail_space[1 - c] = s }
		do
		:: mail[1 - c] == 0 -> break
		:: serve()
		od
	:: else
	fi
}

inline shoot(s)
{
	atomic {
		if
		:: loaded[c] == s -> flush(c)
		:: else
		fi
	}
	send(s, ALL)
}

inline drop_page(p)
{
	atomic { assert(page_count[p] > 0); page_count[p]--; if :: page_count[p] == 0 -> bytes[p] = 0 :: else fi }
}

inline drop_table(t)
{
	atomic { assert(table_count[t] > 0); table_count[t]--; left = table_count[t] + (leaf_page[t] == 0) }; /* what is empty is free at once */
#ifdef MUT_COUNT_READ_AGAIN
	left = table_count[t];
#endif
	if
	:: left == 0 && leaf_page[t] != 0 -> /* it is this CPU's alone now */
		if
		:: leaf_page[t] != 0 -> drop_page(leaf_page[t])
		:: else
		fi;
		atomic { leaf_page[t] = 0; leaf_rw[t] = 0 }
	:: else
	fi;
	left = 0
}

inline alloc_page(p)
{
	atomic {
		p = 1;
		do
		:: page_count[p] != 0 -> p++
		:: else -> break
		od;
		page_count[p] = 1
	}
}

inline alloc_table(t)
{
	atomic {
		t = 1;
		do
		:: table_count[t] != 0 || leaf_page[t] != 0 -> t++
		:: else -> break
		od;
		table_count[t] = 1
	}
}

/* from's lock is held; to is not published. */
inline copy_table(from, to)
{
#ifndef MUT_SOURCE_KEEPS_RW
	leaf_rw[from] = 0;
#endif
	atomic { if :: leaf_page[from] != 0 -> page_count[leaf_page[from]]++ :: else fi; leaf_page[to] = leaf_page[from]; leaf_rw[to] = 0 }
}

/* Own the leaf table of space s: t. What was replaced: old_table. readers[s] held. */
inline own(s)
{
	do
	:: root_rw[s] -> break
	:: else ->
		lock(root_lock[s]);
		if
		:: root_rw[s]
		:: !root_rw[s] && root_table[s] == 0 ->
			alloc_table(t);
			atomic { root_table[s] = t; root_rw[s] = 1 }
		:: !root_rw[s] && root_table[s] != 0 && table_count[root_table[s]] == 1 ->
			root_rw[s] = 1 /* adopt: no flush */
		:: else ->
			t = root_table[s];
			alloc_table(new);
			lock(table_lock[t]);
			copy_table(t, new);
			table_lock[t] = 0;
			atomic { root_table[s] = new; root_rw[s] = 1; new = 0; old_table = t; due = 1; t = 0 }
		fi;
		root_lock[s] = 0
	od;
	t = root_table[s]
}

/* t is owned and locked. */
inline install(s)
{
	if
	:: leaf_page[t] == 0 ->
		alloc_page(p);
		bytes[p] = 0;
		atomic { leaf_page[t] = p; leaf_rw[t] = 1 }
	:: leaf_page[t] != 0 && leaf_rw[t]
#ifdef MUT_COUNT_UNLOCKED
	:: leaf_page[t] != 0 && !leaf_rw[t] && seen == 1 -> leaf_rw[t] = 1
#else
	:: leaf_page[t] != 0 && !leaf_rw[t] && page_count[leaf_page[t]] == 1 -> leaf_rw[t] = 1
#endif
	:: else ->
		alloc_page(p);
		data = bytes[leaf_page[t]];
		bytes[p] = data;
		data = 0;
#ifdef MUT_RW_BEFORE_FLUSH
		atomic { old_page = leaf_page[t]; leaf_page[t] = p; leaf_rw[t] = 1 };
#else
		atomic { old_page = leaf_page[t]; leaf_page[t] = p; leaf_rw[t] = 0 };
#endif
#ifdef MUT_DROP_BEFORE_FLUSH
		drop_page(old_page);
		old_page = 0;
#endif
#ifndef MUT_COPY_NO_FLUSH
		shoot(s);
		due = 0;
#endif
		leaf_rw[t] = 1
	fi;
	p = 0
}

/* A write that the translation does not permit; by it the processor has forgotten what it knew of the page (SDM vol. 3, 4.10.4.1). */
inline fault(s)
{
	read_lock(s);
#ifdef MUT_COUNT_UNLOCKED
	atomic { seen = 0; if :: root_table[s] != 0 -> seen = page_count[leaf_page[root_table[s]]] :: else fi };
#endif
	own(s);
#ifdef MUT_TABLE_DROP_BEFORE_FLUSH
	if
	:: old_table != 0 -> drop_table(old_table); old_table = 0
	:: else
	fi;
#endif
	lock(table_lock[t]);
	install(s);
	atomic { table_lock[t] = 0; t = 0 };
#ifndef MUT_TABLE_NO_FLUSH
	if
	:: due -> shoot(s)
	:: else
	fi;
#endif
	due = 0;
	readers[s]--;
	if
	:: old_table != 0 -> drop_table(old_table)
	:: else
	fi;
	old_table = 0;
	if
	:: old_page != 0 -> drop_page(old_page)
	:: else
	fi;
	old_page = 0
}

inline fork(s)
{
	if
	:: atomic { state[0] == FREE -> state[0] = BUSY; child = 0 }
	:: atomic { state[0] != FREE && state[1] == FREE -> state[1] = BUSY; child = 1 }
	:: atomic { state[0] != FREE && state[1] != FREE && state[2] == FREE -> state[2] = BUSY; child = 2 }
	:: else -> child = NONE
	fi;
	if
	:: child != NONE ->
		write_lock(s);
		lock(root_lock[s]);
		root_rw[s] = 0;
		atomic { root_table[child] = root_table[s]; if :: root_table[s] != 0 -> table_count[root_table[s]]++ :: else fi };
		root_lock[s] = 0;
#ifndef MUT_FORK_NO_FLUSH
		shoot(s);
#endif
		atomic { value[child] = value[s]; state[child] = LIVE };
		writer[s] = 0
	:: else
	fi;
	child = 0
}

inline unmap(s)
{
	write_lock(s);
	vague[s] = 1;
	lock(root_lock[s]);
	atomic { old_table = root_table[s]; root_table[s] = 0; root_rw[s] = 0 };
	root_lock[s] = 0;
#ifdef MUT_UNMAP_DROP_BEFORE_FLUSH
	if
	:: old_table != 0 -> drop_table(old_table); old_table = 0
	:: else
	fi;
#endif
#ifndef MUT_UNMAP_NO_FLUSH
	shoot(s);
#endif
	atomic { value[s] = 0; vague[s] = 0; writer[s] = 0 };
	if
	:: old_table != 0 -> drop_table(old_table)
	:: else
	fi;
	old_table = 0
}

/* The last program of s ends. */
inline leave(s)
{
	if
	:: atomic { running[1 - c] != s -> state[s] = BUSY; running[c] = NONE }
		atomic {
			if
			:: loaded[c] == s -> flush(c); loaded[c] = NONE; mask[s] = mask[s] & ~(1 << c)
			:: else
			fi
		}
#ifndef MUT_LAZY_STAYS
		send(s, LEAVE);
		assert(mask[s] == 0);
#endif
		atomic { old_table = root_table[s]; root_table[s] = 0; root_rw[s] = 0 };
		if
		:: old_table != 0 -> drop_table(old_table)
		:: else
		fi;
		atomic { old_table = 0; value[s] = 0; state[s] = FREE }
	:: else
	fi
}

/* running[c] is s already, which keeps it alive. */
inline activate(s)
{
	if
	:: loaded[c] != s ->
		old = loaded[c];
#ifdef MUT_MASK_AFTER_LOAD
		atomic { loaded[c] = s; flush(c) };
		mask[s] = mask[s] | (1 << c);
#else
		mask[s] = mask[s] | (1 << c);
#ifdef MUT_MASK_CLEARED_EARLY
		if
		:: old != NONE -> mask[old] = mask[old] & ~(1 << c)
		:: else
		fi;
#endif
		atomic { loaded[c] = s; flush(c) };
#endif
		if
		:: old != NONE -> mask[old] = mask[old] & ~(1 << c)
		:: else
		fi;
		old = 0
	:: else
	fi
}

#ifdef SPLIT_TLB
inline fetch()
{
	d_step {
		running[c] != NONE && fetch_page[c] != 0 ->
		assert(page_count[fetch_page[c]] > 0);
		assert(vague[running[c]] || bytes[fetch_page[c]] == value[running[c]])
	}
}
#endif

inline load()
{
	d_step {
		running[c] != NONE && tlb_page[c] != 0 ->
		assert(page_count[tlb_page[c]] > 0);
		assert(vague[running[c]] || bytes[tlb_page[c]] == value[running[c]])
	}
}

#define HAS(s, p) (root_table[s] != 0 && leaf_page[root_table[s]] == (p))
#define SEES(s, p) (s != running[c] && state[s] == LIVE && HAS(s, p))

inline store()
{
	d_step {
		running[c] != NONE && ops > 0 && tlb_page[c] != 0 && tlb_rw[c] ->
		ops--;
		assert(page_count[tlb_page[c]] > 0);
		assert(!SEES(0, tlb_page[c]) && !SEES(1, tlb_page[c]) && !SEES(2, tlb_page[c]));
		if
		:: vague[running[c]]
		:: else ->
			assert(HAS(running[c], tlb_page[c]));
			value[running[c]] = value[running[c]] ^ 1;
			bytes[tlb_page[c]] = value[running[c]]
		fi
	}
}

proctype cpu(bit c)
{
	byte t, p, new, old, old_table, old_page, data, child, seen, left, me;
	bit due;

	do
	:: mail[c] != 0 -> serve()
	:: load()
#ifdef SPLIT_TLB
	:: fetch()
#endif
	:: store()
	:: atomic { running[c] != NONE && ops > 0 && !(tlb_page[c] != 0 && tlb_rw[c]) -> ops--; me = running[c]; flush(c) }; fault(me); me = 0
	:: atomic { running[c] != NONE && ops > 0 -> ops--; me = running[c] }; fork(me); me = 0
	:: atomic { running[c] != NONE && ops > 0 -> ops--; me = running[c] }; unmap(me); me = 0
	:: atomic { running[c] != NONE && ops > 0 -> ops--; me = running[c] }; leave(me); me = 0
	:: atomic { running[c] != NONE && ops > 0 -> ops--; running[c] = NONE } /* idle, with the root still loaded */
	:: atomic { running[c] != 0 && state[0] == LIVE && ops > 0 -> ops--; running[c] = 0 }; activate(0)
	:: atomic { running[c] != 1 && state[1] == LIVE && ops > 0 -> ops--; running[c] = 1 }; activate(1)
	:: atomic { running[c] != 2 && state[2] == LIVE && ops > 0 -> ops--; running[c] = 2 }; activate(2)
	:: ops == 0 || running[c] == NONE -> break
	od;
end_idle:
	do
	:: serve()
	od
}

proctype mmu(bit c)
{
end_mmu:
	do
	:: d_step {
		loaded[c] != NONE && pointer_table[c] == 0 && root_table[loaded[c]] != 0 ->
		assert(table_count[root_table[loaded[c]]] > 0);
		pointer_table[c] = root_table[loaded[c]];
		pointer_rw[c] = root_rw[loaded[c]]
	}
	:: d_step {
		pointer_table[c] != 0 && tlb_page[c] == 0 && leaf_page[pointer_table[c]] != 0 ->
		assert(table_count[pointer_table[c]] > 0);
		tlb_page[c] = leaf_page[pointer_table[c]];
		tlb_rw[c] = leaf_rw[pointer_table[c]] & pointer_rw[c];
		assert(page_count[tlb_page[c]] > 0)
	}
#ifdef SPLIT_TLB
	:: d_step {
		pointer_table[c] != 0 && fetch_page[c] == 0 && leaf_page[pointer_table[c]] != 0 ->
		assert(table_count[pointer_table[c]] > 0);
		fetch_page[c] = leaf_page[pointer_table[c]]
	}
#endif
	:: d_step { tlb_page[c] != 0 && evictions > 0 -> evictions--; tlb_page[c] = 0; tlb_rw[c] = 0 }
	od
}

/* W. */
#define ROOT_WRONG(s) (root_rw[s] && table_count[root_table[s]] != 1)
#define LEAF_WRONG(t) (table_count[t] > 0 && leaf_rw[t] && page_count[leaf_page[t]] != 1)

/* What a CPU's caches name is not free. */
#define KEEPS_FREED(c) ((tlb_page[c] != 0 && page_count[tlb_page[c]] == 0) || (pointer_table[c] != 0 && table_count[pointer_table[c]] == 0))
#define REFERS(t, p) (table_count[t] > 0 && leaf_page[t] == p)

active proctype monitor()
{
	byte i;

end_monitor:
	if
	:: atomic {
		ROOT_WRONG(0) || ROOT_WRONG(1) || ROOT_WRONG(2) || LEAF_WRONG(1) || LEAF_WRONG(2) || LEAF_WRONG(3) || LEAF_WRONG(4) || LEAF_WRONG(5) || KEEPS_FREED(0) || KEEPS_FREED(1) -> assert(false)
	}
	:: timeout -> d_step { /* nobody does anything any more: R */
		i = 1;
		do
		:: i < TABLES ->
			assert(table_count[i] == (root_table[0] == i) + (root_table[1] == i) + (root_table[2] == i));
			assert(page_count[i] == REFERS(1, i) + REFERS(2, i) + REFERS(3, i) + REFERS(4, i) + REFERS(5, i));
			i++
		:: else -> break
		od
	}
	fi
}

/* Space s begins with table t. */
inline born(s, t)
{
	state[s] = LIVE;
	root_table[s] = t;
	table_count[t]++
}

/*
 * The beginning: a space alone; two or three that share a table with a page, or an empty one; two with a table each, that share a page. Both CPUs run in the
 * first space, or the second CPU in the second.
 */
init {
	atomic {
		born(0, 1);
		if
		:: root_rw[0] = 1; leaf_page[1] = 1; page_count[1] = 1; leaf_rw[1] = 1
		:: born(1, 1); leaf_page[1] = 1; page_count[1] = 1
		:: born(1, 1); born(2, 1); leaf_page[1] = 1; page_count[1] = 1
		:: born(1, 1)
		:: born(1, 2); root_rw[0] = 1; root_rw[1] = 1; leaf_page[1] = 1; leaf_page[2] = 1; page_count[1] = 2
		fi;
		if
		:: true
		:: state[1] == LIVE -> running[1] = 1
		fi;
		loaded[0] = running[0];
		loaded[1] = running[1];
		mask[running[0]] = 1;
		mask[running[1]] = mask[running[1]] | 2;
		run cpu(0);
		run cpu(1);
		run mmu(0);
		run mmu(1)
	}
}
