/*
 * space.h - a process's user address space: what the layers above ask of mm.
 *
 * Read node.h next for what a space is made of, fault.c for what happens on an access, map.c for
 * mmap and its family.
 */
#ifndef MM_SPACE_H
#define MM_SPACE_H

#include "mm/area.h"
#include "mm/counters.h"
#include "mm/machine.h"

/*
 * Key to the letters: R: space.rw exclusive to write, shared to read. A: atomic. C: constant after
 * creation or exec.
 */
struct mm {
	struct refcount users; /* threads and temporary holders (/proc, ptrace) */
	struct rwlock
		/*
		 * the space lock: shared for faults and kernel writes, exclusive for edits and fork
		 */
		rw;
	struct page *root; /* R: node of level 4; count 1 always (fork and snapshot copy it) */
	struct area_node *areas; /* R */
	struct machine_space machine;
	struct list link;   /* space list */
	u32 walkers;        /* space list: of space_for_each, in it */
	u64 id;             /* C: unique, never reused */
	bool doomed;        /* R: reaped: no fault brings a page any more (reap.c) */
	bool guarded;       /* R: guards were installed in it, or in a space it was forked from */
	u64 mmap_base;      /* C: mmap searches downwards from here */
	u64 brk_start, brk; /* R */
	u64 stack_top;      /* C: highest address of the main stack */
	u64 start_code, end_code, start_data, end_data; /* C: for /proc */
	u64 arg_start, arg_end, env_start, env_end;     /* C */
	u64 vdso;                                       /* R: base of the vDSO, 0 if none */
	u64 auxv[2 * 24];                               /* C: for /proc/PID/auxv */
	struct object
		*exe_object; /* C: the program's file, a reference; for /proc/PID/exe see proc */
	/* Limits, bytes (UINT64_MAX: none). Written by proc when rlimits change. A */
	u64 limit_as, limit_data, limit_data_hard, limit_stack, limit_memlock;
	u32 future_flags; /* R: of AREA_LOCK_FLAGS, for areas to come (mlockall's MCL_FUTURE) */
	u64 peak_rss_pages, peak_vm_bytes; /* A: VmHWM, VmPeak */
	u32 membarriers;  /* A: what the program has registered for (membarrier(2)) */
	u8 huge_disabled; /* A: enum huge_disabled (PR_SET_THP_DISABLE) */
	struct space_counters counters[SPACE_COUNTERS];
};

/*
 * What the current thread may do beyond the limits; supplied by proc (NULL: nothing).
 */
enum mm_privilege {
	MM_PRIVILEGE_LOCK,   /* lock memory without a limit (CAP_IPC_LOCK) */
	MM_PRIVILEGE_COMMIT, /* use the last of what may be promised (CAP_SYS_ADMIN) */
};
extern bool (*mm_privilege_hook)(enum mm_privilege p);
static inline bool mm_is_privileged(enum mm_privilege p)
{
	return mm_privilege_hook && mm_privilege_hook(p);
}

/* --- life --- */
struct mm *space_create(void); /* empty; NULL without memory */
/*
 * fork: a new space with the same contents, private copy-on-write in both. O(1) plus the areas with
 * fork flags. Takes parent->rw exclusively; no lock may be held. NULL without memory (the parent is
 * as it was).
 */
struct mm *space_fork(struct mm *parent);
static inline void space_get(struct mm *mm)
{
	ref_get(&mm->users);
}
/* Give up a use; the last tears the space down: no thread may run in it. May sleep; preemptible. */
void space_put(struct mm *mm);

/* --- faults --- */
#define ACCESS_READ 0x1
#define ACCESS_WRITE 0x2
#define ACCESS_EXEC 0x4
#define ACCESS_USER 0x8 /* from user mode (for statistics and stack growth) */

struct fault_result {
	int signal; /* 0, SIGSEGV, SIGBUS */
	int code;   /* SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR */
	bool major;
	bool guard; /* the signal is a guard page's (guard.h) */
	u64 next;   /* on success: the access is possible up to here (a whole huge page) */
};

/*
 * Make the access possible. 0: retry it. -EFAULT: *result says which signal. -ENOMEM: no memory for
 * it (the caller kills by OOM rules). -EIO, -EINTR...: the page could not be read: SIGBUS is in
 * *result. May sleep.
 */
int space_fault(struct mm *mm, u64 va, u32 access, struct fault_result *result);

/*
 * --- the kernel's own access to any space (ptrace, /proc/PID/mem, exec's stack): through the same
 * path as faults. Bytes done, or -EFAULT if none ---
 */
/* flags: as ptrace, also pages without permission, where MAYREAD or MAYWRITE allows. */
#define SPACE_FORCE 0x1
#define SPACE_GROW 0x2 /* a stack area right above grows, as for its program */
ssize space_read(struct mm *mm, u64 va, void *buf, size_t n, u32 flags);
ssize space_write(struct mm *mm, u64 va, const void *buf, size_t n, u32 flags);

/* --- mapping (map.c): Linux's semantics and errnos. Lengths are rounded up to pages here. --- */
struct map_request {
	u64 addr, length;
	u32 flags;             /* AREA_*: protection, SHARED, MAY*, GROWSDOWN, NORESERVE... */
	bool fixed, noreplace; /* MAP_FIXED, MAP_FIXED_NOREPLACE */
	bool below_2g;         /* MAP_32BIT */
	bool populate;         /* MAP_POPULATE */
	bool lock;             /* MAP_LOCKED */
	struct object *
		/* NULL: anonymous (with AREA_SHARED: a fresh shared-memory object is made) */
		object;
	u64 offset;
	void *file;
	const struct area_file_ops *file_ops;
};
/*
 * The address, or a negative errno: -EINVAL, -ENOMEM (also limits), -EEXIST, -EPERM (below min
 * address, over what is sealed, or no right to lock), -EAGAIN (locked memory), -EOVERFLOW.
 */
s64 space_map(struct mm *mm, const struct map_request *r);
/* Where it would be mapped now, or the error that space_map would give for that. */
s64 space_place(struct mm *mm, const struct map_request *r);
int space_unmap(struct mm *mm, u64 addr, u64 length);
/*
 * shmdt: unmap the areas with file_ops that one mapping made at addr, as far as they are left where
 * it put them. size(file): its length in bytes. -EINVAL: there is none. -ENOMEM
 */
int space_detach(struct mm *mm, u64 addr, const struct area_file_ops *file_ops,
		 u64 (*size)(const void *file));
/* grows: 0, PROT_GROWSDOWN or PROT_GROWSUP. */
int space_protect(struct mm *mm, u64 addr, u64 length, u32 prot, u32 grows);
#define REMAP_MAYMOVE 1
#define REMAP_FIXED 2
#define REMAP_DONTUNMAP 4
s64 space_remap(struct mm *mm, u64 addr, u64 old_length, u64 new_length, u32 flags, u64 new_addr);
/* remap_file_pages: page is where in the file it starts. 0, -EINVAL, or what space_map says. */
int space_remap_file(struct mm *mm, u64 addr, u64 length, u64 page, bool populate);
u64 space_brk(struct mm *mm,
	      u64 brk); /* the break afterwards: unchanged if it could not be moved */
int space_advise(struct mm *mm, u64 addr, u64 length, int advice); /* MADV_* */
int space_sync(struct mm *mm, u64 addr, u64 length, int flags);    /* msync: MS_* */
/* mlock, mlock2, munlock: flags of AREA_LOCK_FLAGS, none to unlock. */
int space_lock(struct mm *mm, u64 addr, u64 length, u32 flags);
/*
 * mlockall, munlockall: flags for all areas that there are (if `current`), and for those to come. 0,
 * -EPERM or -ENOMEM.
 */
int space_lock_all(struct mm *mm, bool current, u32 flags, u32 future_flags);
int space_seal(struct mm *mm, u64 addr, u64 length);              /* mseal */
int space_residency(struct mm *mm, u64 addr, u64 pages, u8 *vec); /* mincore: into kernel memory */
/*
 * What identifies the memory at va for a futex: the space and address, or for shared areas the
 * object and offset. 0 or -EFAULT. May fault the page in.
 */
int space_key(struct mm *mm, u64 va, bool shared, u64 key[2]);
/* Map whole immortal kernel pages (vDSO): flags as of areas, for reading at least. */
int space_map_special(struct mm *mm, u64 addr, struct page **pages, u32 count, u32 flags);
/* exec: the main stack, [top - size, top), growing down. */
int space_map_stack(struct mm *mm, u64 top, u64 size, u32 prot);

/* --- what /proc reports --- */
struct space_rss {
	u64 anon, file, shmem; /* pages */
	u64 swap;              /* private pages that are in swap */
};
/*
 * Read at the root; only where leaves were truncated or reclaimed somewhere, a walk of the leaf tables
 * (takes space.rw). Keeps peak_rss_pages.
 */
struct space_rss space_rss(struct mm *mm);
/*
 * Keep the peak, before the space shrinks. Not exact while leaves are absent somewhere: then the peak
 * is kept by space_rss alone. Any lock may be held.
 */
void space_rss_peak(struct mm *mm);
u64 space_table_bytes(struct mm *mm);  /* VmPTE: walks tables */
u64 space_vm_bytes(struct mm *mm);     /* VmSize; takes space.rw. Keeps peak_vm_bytes */
u64 space_locked_bytes(struct mm *mm); /* VmLck; takes space.rw */
/* After the index of areas changed, space.rw held exclusively: keep the peak. */
void space_vm_peak(struct mm *mm);

/* smaps. A share is a sum of parts of pages, in units of a page / USAGE_PAGE. */
#define USAGE_SHIFT 32
#define USAGE_PAGE (1ull << USAGE_SHIFT)
struct area_usage {
	/* bytes */
	u64 rss, shared_clean, shared_dirty, private_clean, private_dirty, referenced, anonymous;
	u64 anonymous_huge, lazyfree, swap;
	/* shares: what is left of each page when it is divided among all who map it */
	u64 pss, pss_anon, pss_file, pss_shmem, pss_dirty, pss_locked, swap_pss;
	u64 least_share; /* of the page that most map; 0: there is no page */
};
static inline u64 usage_share_bytes(u64 share)
{
	return share >> (USAGE_SHIFT - PAGE_SHIFT);
}
/*
 * Add what the area has. space.rw shared must be held (space_areas holds it while it calls).
 * Subtrees that are this space's alone or were never copied answer from their counts.
 */
void space_usage(struct mm *mm, const struct area *a, struct area_usage *sum);
/* Call fn for each area from address `from` on, with space.rw shared held; stops at non-zero. */
int space_areas(struct mm *mm, u64 from, int (*fn)(struct mm *mm, struct area *a, void *arg),
		void *arg);
/*
 * pagemap: what is at the pages from va on (page-aligned), in the format of proc(5): bit 63 present,
 * 62 swapped, 61 file or shared, 56 mapped by nobody else; bits 0-54 the frame's number, or type and
 * place in swap, if `frames`.
 */
void space_page_info(struct mm *mm, u64 va, bool frames, u64 *out, u32 count);
/*
 * Forget that pages in [start, end) were accessed: of all areas, or of those with (anonymous) or
 * without an object. Takes space.rw. May be slow: preemptible.
 */
enum usage_forget { FORGET_ALL = 1, FORGET_ANONYMOUS, FORGET_MAPPED };
void space_forget_accesses(struct mm *mm, enum usage_forget what);
/* VmHWM starts anew from what is resident now. */
void space_reset_peak(struct mm *mm);

/* What is shared with another space: walks both trees, skipping equal pointers. Pages. */
struct space_difference {
	u64 same, changed; /* leaves */
	u64 tables_same, tables_changed;
};
void space_compare(struct mm *a, struct mm *b, struct space_difference *out);

/* --- the whole --- */
/*
 * 2 MiB pages: which areas get them (A: /sys/kernel/mm/transparent_hugepage/enabled), and what a
 * process has said about its own, for itself and those it forks and executes.
 */
enum huge_policy { HUGE_NEVER, HUGE_MADVISE, HUGE_ALWAYS };
extern u32 huge_policy;
enum huge_disabled { HUGE_ENABLED, HUGE_DISABLED, HUGE_UNLESS_ADVISED };
/* May the area have some? space.rw held. */
bool space_huge_eligible(const struct mm *mm, const struct area *a);

extern u64 mm_nonresident;     /* A: markers in leaf tables now */
extern u64 space_fork_ns_last; /* A: how long the last fork took; written by proc */

/*
 * Calls fn for each space that has users; it stays while fn runs, which may sleep but must not give
 * up a use of it. Stops at non-zero. Locks below RANK_SPACE and page locks may be held.
 */
int space_for_each(int (*fn)(struct mm *mm, void *arg), void *arg);

/*
 * Keep a space alive, as a walker does, without a use of it. pin: the caller knows that it has users
 * (it holds the lock of a process that has it).
 */
void space_pin(struct mm *mm);
void space_unpin(struct mm *mm);

/* Shoot every space (after an edit in place of nodes that several may share). */
void space_shoot_everywhere(void);

/* Start mm: after frame_init. */
void mm_init(void);

/*
 * The checker (check.c): walks every space, object and frame and proves the invariants of PROTOCOL.
 * The machine must be quiet (no other thread in mm). Returns the number of violations, each of
 * which it reports by log_info; *text gets the first.
 */
u32 mm_check(char *text, size_t size);

#endif
