/*
 * cve.c - four holes that copy-on-write has had in Linux, each as a test of our own writing.
 *
 * Central rule: whether copy-on-write was broken is decided in the critical section of the write, from who owns the page then. A write that the
 * kernel makes for a program into memory that is read-only (/proc/self/mem) races here with what takes the copy away again and maps the original
 * anew; the original must never change. Where a Linux forbids such writes, they fail, and the original does not change either. docs/testing.md
 * says with which change of our kernel each of these tests fails.
 */
#include "check.h"

#include <sched.h>
#include <sys/uio.h>

#define ROUNDS 8000
#define HUGE (2ul << 20)
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* --- a race between a writer through /proc/self/mem and a thread that disturbs it --- */

struct race {
	volatile uint8_t *at;           /* what is written to: a page */
	void (*disturb)(struct race *); /* takes the copy away and brings the original back */
	bool (*unharmed)(struct race *);
	int fd; /* of the file */
	volatile int stop, tid;
};

static long race_stack[4096];

static int disturber(void *arg)
{
	struct race *r = arg;

	while (!r->stop)
		r->disturb(r);
	return 0;
}

static void race_run(struct race *r)
{
	static const char poison[] = "poison";
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	int memory = open("/proc/self/mem", O_RDWR);

	CHECK(memory >= 0);
	CHECK(clone(disturber, race_stack + COUNT_OF(race_stack), flags, r, &r->tid, NULL,
		    &r->tid) > 0);
	for (int i = 0; i < ROUNDS; i++) {
		pwrite(memory, poison, sizeof(poison), (off_t)(uintptr_t)r->at);
		if (i % 16 == 0 && !r->unharmed(r))
			FAIL("the original has changed (round %d)", i);
	}
	r->stop = 1;
	while (r->tid)
		raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	CHECK(r->unharmed(r));
	close(memory);
}

static bool file_unharmed(struct race *r)
{
	uint8_t bytes[16];

	return pread(r->fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
	       all_bytes(bytes, sizeof(bytes), 1);
}

static void drop_and_read(struct race *r)
{
	madvise((void *)r->at, PAGE, MADV_DONTNEED);
	(void)*r->at;
}

static void drop_and_populate(struct race *r)
{
	madvise((void *)r->at, PAGE, MADV_DONTNEED);
	madvise((void *)r->at, PAGE, MADV_POPULATE_READ);
}

static void race_for_file(int fd, void (*disturb)(struct race *))
{
	struct race r = { .disturb = disturb, .unharmed = file_unharmed, .fd = fd };

	r.at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(r.at != MAP_FAILED);
	race_run(&r);
}

/* CVE-2016-5195, Dirty COW: the copy is dropped between the fault that made it and the write. */
TEST(cve, dirty_cow)
{
	close(file_make("file", PAGE));
	race_for_file(open("file", O_RDONLY), drop_and_read);
}

/* CVE-2022-2590: the same for shared memory, whose page comes back by itself, populated. */
TEST(cve, dirty_cow_of_shared_memory)
{
	uint8_t bytes[PAGE];
	int fd = memfd_create("cve", 0), again;
	char path[64];

	memset(bytes, 1, sizeof(bytes));
	CHECK(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	CHECK(again >= 0);
	race_for_file(again, drop_and_populate);
}

/* --- 2 MiB pages --- */

static uint8_t *map_huge(int prot)
{
	uint8_t *p = mmap(NULL, 2 * HUGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (uint8_t *)(((uintptr_t)p + HUGE - 1) & -HUGE);
	madvise(p, HUGE, MADV_HUGEPAGE);
	return p;
}

static void drop_and_read_huge(struct race *r)
{
	madvise((void *)r->at, HUGE, MADV_DONTNEED);
	(void)*r->at;
}

/* Whoever reads fresh memory finds zeros. */
static bool zeros_unharmed(struct race *r)
{
	uint8_t *p = map_huge(PROT_READ);
	bool same = all_bytes(p, 64, 0) && all_bytes(p + HUGE - PAGE, 64, 0);

	(void)r;
	munmap(p, HUGE);
	return same;
}

/* CVE-2017-1000405: the page of zeros that reads of fresh memory get, as a 2 MiB page. */
TEST(cve, dirty_cow_of_zeros_in_huge_pages)
{
	struct race r = { .disturb = drop_and_read_huge, .unharmed = zeros_unharmed };

	r.at = map_huge(PROT_READ);
	race_run(&r);
}

static uint8_t *parents;

/* What a thread can do to bring the parent's huge page back is to drop its own copy of a part. */
static void drop_one_page(struct race *r)
{
	madvise((void *)(r->at + 4 * PAGE), PAGE, MADV_DONTNEED);
	(void)*r->at;
}

static bool own_bytes(struct race *r)
{
	return r->at[PAGE] == 7;
}

/*
 * And a 2 MiB page that a parent and its child still share: read-only in the child, which writes;
 * first with the tables around it its own already.
 */
TEST(cve, dirty_cow_of_a_parents_huge_page)
{
	parents = map_huge(PROT_READ | PROT_WRITE);
	memset(parents, 7, HUGE);
	CHILD (0) {
		struct race r = { .at = parents, .disturb = drop_one_page, .unharmed = own_bytes };

		int memory = open("/proc/self/mem", O_RDWR);

		parents[HUGE] = 1;
		CHECK(mprotect(parents, HUGE, PROT_READ) == 0);
		pwrite(memory, "poison", 6, (off_t)(uintptr_t)(parents + 9 * PAGE));
		close(memory);
		race_run(&r);
	}
	CHECK(all_bytes(parents, HUGE, 7));
}

/* --- who reads what was written after a fork --- */

/*
 * CVE-2020-29374: a child keeps its parent's page in a pipe, gives up its own mapping, and so makes the parent believe that the page is its own:
 * what the parent writes next must not come out of the pipe. Nor may a mapping that the child keeps show it.
 */
TEST(cve, a_child_that_reads_what_its_parent_writes_later)
{
	static const char before[] = "before", after[] = "after!";
	struct gate taken = gate_make(), written = gate_make();
	char *page = (char *)map_anon(1), *kept = (char *)map_anon(1);
	pid_t pid;

	memcpy(page, before, sizeof(before));
	memcpy(kept, before, sizeof(before));
	pid = child_fork();
	if (pid == 0) {
		struct iovec part = { page, PAGE };
		static char got[PAGE];
		int fd[2];

		CHECK(pipe(fd) == 0);
		CHECK_EQ(vmsplice(fd[1], &part, 1, 0), PAGE);
		CHECK(munmap(page, PAGE) == 0);
		gate_open(&taken);
		gate_wait(&written);
		CHECK_EQ(read(fd[0], got, sizeof(got)), PAGE);
		CHECK_STR(got, before);
		CHECK_STR(kept, before);
		_exit(0);
	}
	gate_wait(&taken);
	memcpy(page, after, sizeof(after));
	memcpy(kept, after, sizeof(after));
	gate_open(&written);
	child_expect(pid, 0);
	CHECK_STR(page, after);
}
