/*
 * mm_huge.c - 2 MiB pages that come by themselves: a program must not notice them but in /proc.
 *
 * Central rule: whether a mapping really gets them depends on the machine (the switch may say never, no block may be free), so nothing printed and no
 * content depends on it; where they must come, only Coppice is asked. Next: mm_kernel_write.c.
 */
#include "check.h"

#include <pthread.h>
#include <sys/prctl.h>

#define HUGE (2UL << 20)
#define HUGE_PAGES (HUGE / PAGE)
#define SWITCH "/sys/kernel/mm/transparent_hugepage/enabled"

/* The machine gives them to who asks with madvise. */
static bool machine_has_huge(void)
{
	char text[100] = "";

	return access(SWITCH, R_OK) == 0 && file_read_text(SWITCH, text, sizeof(text)) &&
	       !strstr(text, "[never]");
}

/* So much aligned memory, in the middle of an area that is two pages larger; advised if asked. */
static uint8_t *map_huge(size_t count, bool advise)
{
	size_t size = (count + 1) * HUGE;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (uint8_t *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	if (advise && machine_has_huge())
		CHECK(madvise(p, count * HUGE, MADV_HUGEPAGE) == 0);
	return p;
}

/* A line of smaps, in kB, summed over the areas that begin in the range. */
static long smaps_sum(const uint8_t *start, size_t size, const char *name)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;
	long sum = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long first, end;

		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			inside = end > (uintptr_t)start && first < (uintptr_t)start + size;
		else if (inside && strncmp(line, name, strlen(name)) == 0)
			sum += atol(line + strlen(name));
	}
	fclose(f);
	return sum;
}

static long counter(const char *file, const char *name)
{
	static char text[16384];
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	size_t length = strlen(name);

	CHECK(n > 0);
	close(fd);
	text[n] = 0;
	for (char *line = text; *line; line = strchrnul(line, '\n') + 1)
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return atol(line + length);
	FAIL("no %s in %s", name, file);
}

/* --- contents --- */

TEST(mm, huge_pages_are_copied_on_write_page_by_page)
{
	uint8_t *p = map_huge(4, true);
	size_t pages = 4 * HUGE_PAGES;

	fill(p, pages, 100);
	CHECK(filled(p, pages, 100));
	struct gate parent_wrote = gate_make(), child_wrote = gate_make();
	pid_t pid = child_fork();
	if (pid == 0) {
		gate_wait(&parent_wrote);
		CHECK(filled(p, pages, 100));
		for (size_t i = 0; i < pages; i += 37)
			p[i * PAGE + 100] = 7;
		fill(p + 2 * HUGE, HUGE_PAGES, 5000);
		CHECK(filled(p, 2 * HUGE_PAGES, 100) && filled(p + 2 * HUGE, HUGE_PAGES, 5000));
		gate_open(&child_wrote);
		_exit(0);
	}
	p[HUGE + 5 * PAGE + 8] = 9;
	fill(p + 3 * HUGE, HUGE_PAGES, 9000);
	gate_open(&parent_wrote);
	gate_wait(&child_wrote);
	CHECK(filled(p, 3 * HUGE_PAGES, 100) && filled(p + 3 * HUGE, HUGE_PAGES, 9000));
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(p[i * PAGE + 100], 0);
	child_expect(pid, 0);
	fill(p, pages, 300);
	CHECK(filled(p, pages, 300));
	gate_close(&parent_wrote);
	gate_close(&child_wrote);
}

TEST(mm, huge_pages_are_cut_by_munmap_mprotect_and_madvise)
{
	uint8_t *p = map_huge(3, true);

	fill(p, 3 * HUGE_PAGES, 100);
	CHECK(munmap(p + 10 * PAGE, 5 * PAGE) == 0);
	CHECK(filled(p, 10, 100));
	CHECK(filled(p + 15 * PAGE, HUGE_PAGES - 15, 115));
	CHECK_FAULT(probe_read(p + 12 * PAGE), SIGSEGV, SEGV_MAPERR, p + 12 * PAGE);
	CHECK(mprotect(p + HUGE + 100 * PAGE, 3 * PAGE, PROT_READ) == 0);
	CHECK_FAULT(probe_write(p + HUGE + 101 * PAGE, 1), SIGSEGV, SEGV_ACCERR,
		    p + HUGE + 101 * PAGE);
	CHECK_EQ(probe_write(p + HUGE + 99 * PAGE + 50, 1), 0);
	CHECK_EQ(probe_write(p + HUGE + 103 * PAGE + 50, 1), 0);
	CHECK(filled(p + HUGE, HUGE_PAGES, 100 + HUGE_PAGES));
	CHECK(madvise(p + 2 * HUGE + 200 * PAGE, PAGE, MADV_DONTNEED) == 0);
	CHECK(all_bytes(p + 2 * HUGE + 200 * PAGE, PAGE, 0));
	CHECK(filled(p + 2 * HUGE, 200, 100 + 2 * HUGE_PAGES));
	CHECK(filled(p + 2 * HUGE + 201 * PAGE, HUGE_PAGES - 201, 100 + 2 * HUGE_PAGES + 201));
	/* all of one: nothing, then back */
	CHECK(mprotect(p + 2 * HUGE, HUGE, PROT_NONE) == 0);
	CHECK_FAULT(probe_read(p + 2 * HUGE), SIGSEGV, SEGV_ACCERR, p + 2 * HUGE);
	CHECK(mprotect(p + 2 * HUGE, HUGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(filled(p + 2 * HUGE, 200, 100 + 2 * HUGE_PAGES));
	CHECK(madvise(p + 2 * HUGE, HUGE, MADV_DONTNEED) == 0);
	CHECK(all_bytes(p + 2 * HUGE, HUGE, 0));
}

TEST(mm, huge_pages_move_with_mremap)
{
	uint8_t *p = map_huge(2, true), *to = map_huge(3, false), *at;

	fill(p, 2 * HUGE_PAGES, 100);
	at = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	CHECK(at == to);
	CHECK(filled(at, HUGE_PAGES, 100));
	CHECK_FAULT(probe_read(p), SIGSEGV, SEGV_MAPERR, p);
	/* not to a place of their size, and not all of one */
	at = mremap(to, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE + 3 * PAGE);
	CHECK(at == to + HUGE + 3 * PAGE);
	CHECK(filled(at, HUGE_PAGES, 100));
	at = mremap(p + HUGE + 7 * PAGE, 9 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	CHECK(at == to);
	CHECK(filled(at, 9, 100 + HUGE_PAGES + 7) && all_bytes(at + 9 * PAGE, 11 * PAGE, 0));
	CHECK(filled(p + HUGE, 7, 100 + HUGE_PAGES));
	CHECK(filled(p + HUGE + 16 * PAGE, HUGE_PAGES - 16, 100 + HUGE_PAGES + 16));
	at = mremap(p + HUGE + 16 * PAGE, 4 * PAGE, PAGE, 0);
	CHECK(at == p + HUGE + 16 * PAGE && filled(at, 1, 100 + HUGE_PAGES + 16));
}

TEST(mm, huge_pages_and_areas_that_a_child_does_not_get)
{
	uint8_t *p = map_huge(1, true);

	fill(p, HUGE_PAGES, 100);
	CHECK(madvise(p + 50 * PAGE, 50 * PAGE, MADV_DONTFORK) == 0);
	CHECK(madvise(p + 200 * PAGE, 50 * PAGE, MADV_WIPEONFORK) == 0);
	CHILD (0) {
		CHECK(filled(p, 50, 100) && filled(p + 250 * PAGE, HUGE_PAGES - 250, 350));
		CHECK_FAULT(probe_read(p + 60 * PAGE), SIGSEGV, SEGV_MAPERR, p + 60 * PAGE);
		CHECK(all_bytes(p + 200 * PAGE, 50 * PAGE, 0));
	}
	CHECK(filled(p, HUGE_PAGES, 100));
}

#define WORKERS 4

/* Four children of four rounds rewrite a part of their own and verify the rest, their parent does so meanwhile. */
TEST(mm, huge_pages_under_children_that_rewrite_them)
{
	const size_t pages = 4 * HUGE_PAGES;
	uint8_t *p = map_huge(4, true);
	pid_t pid[WORKERS];

	fill(p, pages, 1000);
	for (int round = 0; round < 4; round++) {
		for (int w = 0; w < WORKERS; w++) {
			pid[w] = child_fork();
			if (pid[w])
				continue;
			size_t first = (size_t)w * HUGE_PAGES + 64 * (size_t)round;

			fill(p + first * PAGE, 64, 77000);
			CHECK(filled(p + first * PAGE, 64, 77000));
			CHECK(filled(p, first, 1000));
			CHECK(filled(p + (first + 64) * PAGE, pages - first - 64,
				     1000 + first + 64));
			_exit(0);
		}
		fill(p + (size_t)round * HUGE, HUGE_PAGES, 1000 + (uint64_t)round * HUGE_PAGES);
		for (int w = 0; w < WORKERS; w++)
			child_expect(pid[w], 0);
		CHECK(filled(p, pages, 1000));
	}
}

/* More than there is memory (the group has 64 MiB, and swap): they are split, and go page by page. */
TEST(pressure, huge_pages_that_were_swapped_are_as_they_were_left)
{
	const size_t pages = 48 * HUGE_PAGES;
	uint8_t *p = map_huge(48, true);
	pid_t pid[2];

	fill(p, pages, 1000);
	for (size_t w = 0; w < 2; w++) {
		pid[w] = child_fork();
		if (pid[w])
			continue;
		size_t first = w * pages / 2;

		fill(p + first * PAGE, pages / 2, 77000);
		CHECK(filled(p + first * PAGE, pages / 2, 77000));
		CHECK(filled(p + (pages / 2 - first) * PAGE, pages / 2, 1000 + pages / 2 - first));
		_exit(0);
	}
	for (size_t w = 0; w < 2; w++)
		child_expect(pid[w], 0);
	CHECK(filled(p, pages, 1000));
}

/* --- when they come --- */

TEST(mm, huge_pages_come_only_where_they_are_asked_for)
{
	char text[100] = "";
	bool asked = machine_has_huge() && file_read_text(SWITCH, text, sizeof(text)) &&
		     strstr(text, "[madvise]");
	uint8_t *plain = map_huge(1, false), *advised = map_huge(1, true);

	plain[HUGE / 2] = advised[HUGE / 2] = 1;
	if (asked) {
		CHECK_EQ(smaps_sum(plain, HUGE, "AnonHugePages:"), 0);
		CHECK_EQ(smaps_sum(plain, HUGE, "THPeligible:"), 0);
		CHECK_EQ(smaps_sum(advised, HUGE, "THPeligible:"), 1);
	}
	if (on_coppice() && asked) {
		CHECK_EQ(smaps_sum(advised, HUGE, "AnonHugePages:"), 2048);
		CHECK_EQ(smaps_sum(advised, HUGE, "Rss:"), 2048);
		CHECK_EQ(smaps_sum(plain, HUGE, "Rss:"), 4);
	}
	/* taken back */
	if (machine_has_huge())
		CHECK(madvise(advised, HUGE, MADV_NOHUGEPAGE) == 0);
	CHECK(madvise(advised, HUGE, MADV_DONTNEED) == 0);
	advised[5] = 1;
	CHECK_EQ(smaps_sum(advised, HUGE, "AnonHugePages:"), 0);
}

HELPER(thp_disabled)
{
	say("%d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	return 0;
}

TEST(mm, huge_pages_can_be_switched_off_for_a_process)
{
	char *argv[] = { "./helper-thp_disabled", NULL };

	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1));
	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	uint8_t *p = map_huge(1, true);
	p[0] = 1;
	CHECK_EQ(smaps_sum(p, HUGE, "AnonHugePages:"), 0);
	helper_link("thp_disabled");
	CHILD (0) {
		TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
		execv(argv[0], argv);
	}
	TRY(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

/* Only Coppice is the test's own machine, whose switch it may move. */
TEST(mm, huge_pages_have_a_switch)
{
	static const char *const words[] = { "always", "never", "madvise" };
	char text[100], want[20];

	if (!on_coppice() || !is_root())
		return;
	int fd = open(SWITCH, O_WRONLY);
	CHECK_ERRNO(write(fd, "sometimes", 9), EINVAL);
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		CHECK_EQ(pwrite(fd, words[i], strlen(words[i]), 0), strlen(words[i]));
		file_read_text(SWITCH, text, sizeof(text));
		snprintf(want, sizeof(want), "[%s]", words[i]);
		CHECK(strstr(text, want));
		uint8_t *plain = map_huge(1, false), *advised = map_huge(1, true);
		plain[0] = advised[0] = 1;
		CHECK_EQ(smaps_sum(plain, HUGE, "AnonHugePages:"), i == 0 ? 2048 : 0);
		CHECK_EQ(smaps_sum(advised, HUGE, "AnonHugePages:"), i == 1 ? 0 : 2048);
	}
	close(fd);
}

/* What a write after fork costs: one page is copied, for each 2 MiB that are split. */
TEST(mm, huge_pages_cost_one_page_to_write_to_after_fork)
{
	if (!on_coppice() || !machine_has_huge())
		return;
	uint8_t *p = map_huge(8, true);

	fill(p, 8 * HUGE_PAGES, 1);
	CHECK_EQ(smaps_sum(p, 8 * HUGE, "AnonHugePages:"), 8 * 2048);
	CHILD (0) {
		long copied = counter("/proc/coppice/self", "pages_copied");
		long again = counter("/proc/coppice/self", "pages_copied");
		long splits = counter("/proc/coppice/counters", "huge_splits");
		for (size_t i = 0; i < 8; i++)
			p[i * HUGE + 99 * PAGE] = 9;
		CHECK_EQ(counter("/proc/coppice/counters", "huge_splits") - splits, 8);
		long now = counter("/proc/coppice/self", "pages_copied");
		CHECK(again - copied <= 2);
		CHECK(now - again >= 8 && now - again <= 8 + 2);
	}
	/* The child is gone: they are taken back whole. */
	long splits = counter("/proc/coppice/counters", "huge_splits");
	for (size_t i = 0; i < 8; i++)
		p[i * HUGE + 99 * PAGE] = 9;
	CHECK_EQ(counter("/proc/coppice/counters", "huge_splits"), splits);
	CHECK_EQ(smaps_sum(p, 8 * HUGE, "AnonHugePages:"), 8 * 2048);
}

/* --- CVE-2017-1000405, of huge pages what CVE-2016-5195 is of small ones --- */

/*
 * The kernel writes for the program into memory that the program may only read (/proc/self/mem), so it has to make a copy; another thread throws that
 * copy away again and again. A kernel that remembers that the copy was made, instead of looking, then writes into what is shared: the pages of the
 * parent, and the page of zeros that all of a machine's programs read.
 */
struct cow_race {
	uint8_t *shared, *zeros;
	volatile bool stop;
};

static void *cow_discard(void *arg)
{
	struct cow_race *r = arg;

	while (!r->stop) {
		madvise(r->shared + HUGE, HUGE, MADV_DONTNEED);
		madvise(r->zeros, HUGE, MADV_DONTNEED);
		(void)*(volatile uint8_t *)r->zeros; /* the page of zeros is back */
	}
	return NULL;
}

static void *cow_write(void *arg)
{
	struct cow_race *r = arg;
	int fd = open("/proc/self/mem", O_RDWR);

	CHECK(fd >= 0);
	for (size_t i = 0; i < 3000; i++) {
		size_t at = i % HUGE_PAGES * PAGE + 64;

		pwrite(fd, "evil", 4, (off_t)(uintptr_t)(r->shared + at));
		pwrite(fd, "evil", 4, (off_t)(uintptr_t)(r->shared + HUGE + at));
		pwrite(fd, "evil", 4, (off_t)(uintptr_t)(r->zeros + 64));
	}
	close(fd);
	r->stop = true;
	return NULL;
}

TEST(mm, huge_pages_that_may_only_be_read_are_never_written_to)
{
	struct cow_race r = { .shared = map_huge(2, true), .zeros = map_huge(1, true) };
	uint8_t *others_zeros = map_huge(1, true);

	fill(r.shared, 2 * HUGE_PAGES, 100);
	CHECK(mprotect(r.shared, 2 * HUGE, PROT_READ) == 0);
	CHECK(mprotect(r.zeros, HUGE, PROT_READ) == 0);
	CHILD (0) {
		pthread_t discard, write;

		CHECK(pthread_create(&discard, NULL, cow_discard, &r) == 0);
		CHECK(pthread_create(&write, NULL, cow_write, &r) == 0);
		pthread_join(write, NULL);
		pthread_join(discard, NULL);
	}
	CHECK(filled(r.shared, 2 * HUGE_PAGES, 100));
	for (size_t i = 0; i < 2 * HUGE_PAGES; i++)
		CHECK(all_bytes(r.shared + i * PAGE + 8, PAGE - 16, 0));
	CHECK(all_bytes(r.zeros, HUGE, 0));
	CHECK(all_bytes(others_zeros, HUGE, 0));
}
