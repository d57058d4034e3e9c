/*
 * mm_lock.c - mlock(2) and its family, RLIMIT_MEMLOCK, and mseal.
 *
 * Everything is printed, for Linux to be the judge. Next: mm_commit.c.
 */
#include "check.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef __NR_mseal
#define __NR_mseal 462
#endif

static long status_kib(const char *name)
{
	char line[200];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = atol(line + strlen(name) + 1);
	fclose(f);
	return kib;
}

/* Which of so many pages are resident: "1" and "0". */
static const char *resident(void *p, size_t pages)
{
	static char text[65];
	unsigned char here[64];

	CHECK(pages <= 64 && mincore(p, pages * PAGE, here) == 0);
	for (size_t i = 0; i < pages; i++)
		text[i] = here[i] & 1 ? '1' : '0';
	text[pages] = 0;
	return text;
}

static void user_with_limit(size_t pages)
{
	struct rlimit limit = { pages * PAGE, pages * PAGE };

	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	become_user();
}

TEST(mm, mlock_fetches_and_mlock_on_fault_does_not)
{
	uint8_t *p = map_anon(8), *none;

	TRY(mlock(p, 2 * PAGE));
	TRY(mlock2(p + 4 * PAGE, 2 * PAGE, MLOCK_ONFAULT));
	say("%s %ld\n", resident(p, 8), status_kib("VmLck:"));
	p[4 * PAGE] = 1;
	say("%s\n", resident(p, 8));
	TRY(mlock2(p + 4 * PAGE, 2 * PAGE, 0));
	say("%s\n", resident(p, 8));
	TRY(mlock2(p, PAGE, 2));
	TRY(madvise(p, PAGE, MADV_DONTNEED));
	TRY(madvise(p, PAGE, MADV_FREE));
	TRY(madvise(p, PAGE, MADV_COLD));
	TRY(madvise(p, PAGE, MADV_PAGEOUT));
	TRY(madvise(p, PAGE, MADV_DONTNEED_LOCKED));
	TRY(msync(p, PAGE, MS_INVALIDATE));
	TRY(msync(p + 2 * PAGE, PAGE, MS_INVALIDATE));
	TRY(munlock(p + 1, PAGE)); /* two pages */
	say("%s\n", maps_shape(p, 8));
	none = mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0);
	TRY(mlock(none, 2 * PAGE)); /* locked, though nothing can be fetched */
	say("%ld\n", status_kib("VmLck:"));
	TRY(mprotect(none, PAGE, PROT_READ));
	TRY(mprotect(none + PAGE, PAGE, RW));
	say("%s\n", resident(none, 2));
}

TEST(mm, mlock_refuses)
{
	uint8_t *p = map_anon(8);

	CHECK_EQ(munmap(p + 4 * PAGE, PAGE), 0);
	TRY(mlock(p, 8 * PAGE)); /* up to the hole it is done */
	say("%ld\n", status_kib("VmLck:"));
	TRY(munlock(p, 8 * PAGE));
	say("%ld\n", status_kib("VmLck:"));
	TRY(mlock(p + 4 * PAGE, PAGE));
	TRY(mlock(p, 0));
	TRY(mlock(p + 5, 0));
	TRY(mlock(p, -1L)); /* rounded up to nothing */
	TRY(mlock(p, -4096L));
	TRY(munlock(p, -5000L));
	TRY(mlockall(0));
	TRY(mlockall(MCL_ONFAULT));
	TRY(mlockall(8));
	TRY(mlockall(MCL_CURRENT | 16));
}

TEST(mm, mlock_of_a_user_is_limited)
{
	uint8_t *p;

	user_with_limit(8);
	p = map_anon(32);
	TRY(mlock(p, 8 * PAGE));
	TRY(mlock(p + 4 * PAGE, 4 * PAGE)); /* counted already */
	TRY(mlock(p + 4 * PAGE, 5 * PAGE));
	TRY(mlock2(p + 16 * PAGE, PAGE, MLOCK_ONFAULT));
	TRY(munlock(p + 2 * PAGE, 2 * PAGE));
	say("%ld\n", status_kib("VmLck:"));
	TRY(mlock(p + 16 * PAGE, 2 * PAGE));
	TRY(mlock(p + 20 * PAGE, PAGE));
	TRY(munmap(p + 16 * PAGE, 2 * PAGE)); /* gives back */
	TRY(mlock(p + 20 * PAGE, 2 * PAGE));
	say("MAP_LOCKED: %s\n", mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED
					? errno_name(errno)
					: "mapped");
	TRY(munlock(p, 32 * PAGE)); /* there is a hole */
	TRY(munlock(p + 18 * PAGE, 14 * PAGE));
	say("MAP_LOCKED: %s\n", mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED
					? errno_name(errno)
					: "mapped");
	TRY(mlockall(MCL_CURRENT)); /* more than the limit */
	TRY(mlockall(MCL_FUTURE));
	say("a mapping too large: %s\n",
	    mmap(NULL, 32 * PAGE, RW, ANON, -1, 0) == MAP_FAILED ? errno_name(errno) : "mapped");
	TRY(munlockall());
	say("%ld\n", status_kib("VmLck:"));
}

TEST(mm, a_user_who_may_lock_nothing)
{
	uint8_t *p;

	user_with_limit(0);
	p = map_anon(2);
	TRY(mlock(p, PAGE));
	TRY(mlock(p, 0));
	TRY(mlock2(p, PAGE, MLOCK_ONFAULT));
	TRY(mlockall(MCL_CURRENT));
	TRY(mlockall(MCL_FUTURE));
	TRY(munlock(p, PAGE));
	TRY(munlockall());
	say("MAP_LOCKED: %s\n", mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED
					? errno_name(errno)
					: "mapped");
}

TEST(mm, mlockall_locks_what_is_there_and_what_comes)
{
	uint8_t *p = map_anon(4), *q;

	TRY(mlockall(MCL_CURRENT));
	say("%s\n", resident(p, 4));
	q = map_anon(4);
	say("%s\n", resident(q, 4));
	CHECK(status_kib("VmLck:") > 0);
	TRY(mlockall(MCL_FUTURE)); /* what is there stays */
	q = map_anon(4);
	say("%s\n", resident(q, 4));
	CHECK(sbrk(4 * (long)PAGE) != (void *)-1);
	TRY(mlockall(MCL_FUTURE | MCL_ONFAULT));
	q = map_anon(4);
	say("%s\n", resident(q, 4));
	TRY(madvise(q, PAGE, MADV_DONTNEED));
	CHILD (0) { /* nothing is inherited */
		say("%ld\n", status_kib("VmLck:"));
		q = map_anon(4);
		say("%s %ld\n", resident(q, 4), status_kib("VmLck:"));
	}
	TRY(munlockall());
	say("%ld\n", status_kib("VmLck:"));
	q = map_anon(4);
	say("%s %ld\n", resident(q, 4), status_kib("VmLck:"));
	TRY(mlockall(MCL_CURRENT | MCL_ONFAULT));
	q = map_anon(4);
	TRY(madvise(p, PAGE, MADV_DONTNEED));
	TRY(munlockall());
	TRY(madvise(p, PAGE, MADV_DONTNEED));
	q = mmap(NULL, 4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
	say("MAP_LOCKED: %s %ld\n", resident(q, 4), status_kib("VmLck:"));
}

static int seal(void *p, size_t size, unsigned long flags)
{
	return (int)syscall(__NR_mseal, p, size, flags);
}

TEST(mm, what_is_sealed_stays)
{
	uint8_t *p = map_anon(8), *q;

	TRY(seal(p, PAGE, 1));
	TRY(seal(p + 1, PAGE, 0));
	TRY(seal(p, -1UL, 0));
	TRY(seal(p, 0, 0));
	TRY(seal(p + 2 * PAGE, 2 * PAGE, 0));
	TRY(seal(p + 2 * PAGE, PAGE, 0));
	say("%s\n", maps_shape(p, 8));
	TRY(munmap(p, 8 * PAGE));
	TRY(munmap(p + 3 * PAGE, PAGE));
	TRY(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
	TRY(mprotect(p, 8 * PAGE, PROT_READ)); /* as far as it comes */
	say("%s\n", maps_shape(p, 8));
	say("%s\n", mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED
			    ? errno_name(errno)
			    : "mapped");
	say("%s\n",
	    mremap(p + 2 * PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED ? errno_name(errno) : "done");
	say("%s\n", mremap(p + 2 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED
			    ? errno_name(errno)
			    : "done");
	say("%s\n", mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 3 * PAGE) == MAP_FAILED
			    ? errno_name(errno)
			    : "done");
	TRY(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED)); /* it could be written to as well */
	q = mmap(NULL, 2 * PAGE, PROT_READ, ANON, -1, 0);
	TRY(seal(q, 2 * PAGE, 0));
	TRY(madvise(q, PAGE, MADV_DONTNEED));
	TRY(madvise(q, PAGE, MADV_FREE));
	TRY(madvise(q, PAGE, MADV_DONTFORK));
	TRY(madvise(q, PAGE, MADV_WIPEONFORK));
	TRY(madvise(q, PAGE, MADV_RANDOM));
	TRY(mlock(q, PAGE));
	CHECK_EQ(munmap(p + 6 * PAGE, PAGE), 0);
	TRY(seal(p + 4 * PAGE, 4 * PAGE, 0)); /* a hole: nothing is sealed */
	TRY(munmap(p + 4 * PAGE, 4 * PAGE));
	CHILD (0)
		TRY(munmap(p + 2 * PAGE, PAGE)); /* inherited */
}

static const char *outcome(void *p)
{
	return p == MAP_FAILED ? errno_name(errno) : "done";
}

/* What is refused because of a sealed area further up has cut the first area of its range. */
TEST(mm, a_seal_further_up_leaves_the_first_area_cut)
{
	uint8_t *p = map_anon(12), *other = map_anon(4);

	CHECK_EQ(mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ), 0);
	CHECK_EQ(mprotect(p + 8 * PAGE, 2 * PAGE, PROT_READ), 0);
	TRY(seal(p + 4 * PAGE, 2 * PAGE, 0));
	say("%s\n", outcome(mmap(p + 2 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0)));
	say("%s\n", maps_shape(p, 12));
	TRY(munmap(p + 3 * PAGE, 3 * PAGE));
	say("%s\n", maps_shape(p, 12));
	say("%s\n",
	    outcome(mremap(other, PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE)));
	say("%s\n", maps_shape(p, 12));
	TRY(munmap(p + 5 * PAGE, 2 * PAGE)); /* in the sealed one itself */
	TRY(munmap(p, 12 * PAGE));           /* from an area's start */
	say("%s\n", maps_shape(p, 12));
	TRY(seal(p + 10 * PAGE, PAGE, 0));
	say("%s\n", outcome(mremap(p + 6 * PAGE, 6 * PAGE, PAGE, 0)));
	TRY(munmap(p + 7 * PAGE, 5 * PAGE));
	say("%s\n", maps_shape(p, 12));
}

/* How the areas of [p, p + 300 pages) lie, and which are locked. */
static void show_locked(const char *what, const char *p)
{
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false;

	CHECK(f);
	say("%s:", what);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			here = start >= (uintptr_t)p && start < (uintptr_t)p + 300 * PAGE;
			if (here)
				say(" %lu-%lu", (start - (uintptr_t)p) / PAGE,
				    (end - (uintptr_t)p) / PAGE);
		} else if (here && !strncmp(line, "VmFlags", 7) && strstr(line, " lo")) {
			say(" locked");
		}
	}
	fclose(f);
	say("\n");
}

/* MREMAP_DONTUNMAP unlocks the area that the pages left, with what moved if that has become a part of it. */
TEST(mm, what_stays_of_a_locked_area_that_moved)
{
	for (int written = 0; written < 2; written++) {
		char *p = mmap(NULL, 300 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED && munmap(p, 300 * PAGE) == 0);
		CHECK(mmap(p + 10 * PAGE, 20 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		if (written)
			p[15 * PAGE] = 1;
		CHECK(syscall(SYS_mlock2, p + 10 * PAGE, 20 * PAGE, 1) == 0); /* MLOCK_ONFAULT */
		CHECK(mremap(p + 14 * PAGE, 3 * PAGE, 3 * PAGE, 7, p + 7 * PAGE) == p + 7 * PAGE);
		show_locked(written ? "written to" : "not written to", p);
		CHECK(mremap(p + 10 * PAGE, 20 * PAGE, 20 * PAGE, 7, p + 60 * PAGE) ==
		      p + 60 * PAGE);
		show_locked("the rest has moved", p);
		CHECK(munmap(p, 300 * PAGE) == 0);
	}
}
