/*
 * proc_smaps.c - smaps, smaps_rollup, pagemap and clear_refs of small programs whose every page is known.
 *
 * Central rule: what is printed of an area is all lines of it but the first, which holds addresses. Next: mm_account.c.
 */
#include "check.h"

#include <ctype.h>
#include <dirent.h>

static char text[1 << 18];

/* The lines of smaps about the area that holds p, from its sizes on; terminated in place. */
static char *smaps_of(const void *p)
{
	file_read_text("/proc/self/smaps", text, sizeof(text));
	for (char *line = text; *line;) {
		unsigned long start, end;
		char *next = strchr(line, '\n') + 1;

		if (isxdigit(*line) && !isupper(*line) &&
		    sscanf(line, "%lx-%lx ", &start, &end) == 2 && start <= (uintptr_t)p &&
		    (uintptr_t)p < end) {
			char *stop = strstr(next, "VmFlags:");

			CHECK(stop != NULL);
			*strchr(stop, '\n') = 0;
			return next;
		}
		line = next;
	}
	FAIL("no area");
}

/* A figure of an area in KiB. */
static long field(char *lines, const char *name)
{
	char *at = strstr(lines, name);

	CHECK(at != NULL);
	return atol(at + strlen(name));
}

/*
 * All figures, without the flags, some of which depend on how a kernel was built, and without what was accessed: Linux forgets that for a
 * child, Coppice's child shares it.
 */
static void say_figures(const char *what, const void *p)
{
	char *lines = smaps_of(p), *accessed = strstr(lines, "Referenced:");

	*strstr(lines, "THPeligible:") = 0;
	*accessed = 0;
	say("%s\n%s%s", what, lines, strchr(accessed + 1, '\n') + 1);
}

/* An area of its own: between two that have no access. */
static uint8_t *lone_area(size_t pages, int prot, int flags)
{
	uint8_t *p = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mmap(p + PAGE, pages * PAGE, prot, flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0) ==
	      p + PAGE);
	return p + PAGE;
}

TEST(mm, smaps_has_the_fields_in_order)
{
	uint8_t *p = lone_area(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (char *line = smaps_of(p), *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (strncmp(line, "VmFlags:", 8) != 0)
			say("%s\n", line);
	}
}

TEST(mm, smaps_of_private_memory)
{
	uint8_t *p = lone_area(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	volatile uint8_t *read_only = p;

	say_figures("untouched", p);
	fill(p, 5, 1);
	say_figures("5 pages written", p);
	(void)read_only[9 * PAGE];
	say_figures("one page read", p);
	CHILD (0) {
		say_figures("in a child", p);
		fill(p, 1, 2);
		say_figures("which wrote one page", p);
	}
	say_figures("and left", p);
	CHECK(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0);
	say_figures("two pages given back", p);
	CHECK(mprotect(p, 16 * PAGE, PROT_READ) == 0);
	say_figures("read-only", p);
}

/* When Linux gets to counting them as such depends on its lists. */
TEST(mm, smaps_of_memory_that_was_given_up)
{
	uint8_t *p = lone_area(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	fill(p, 8, 1);
	CHECK(madvise(p, 5 * PAGE, MADV_FREE) == 0);
	CHECK_EQ(field(smaps_of(p), "Private_Clean:"), 20);
	CHECK_EQ(field(smaps_of(p), "Private_Dirty:"), 12);
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 12);
	CHECK(!on_coppice() || field(smaps_of(p), "LazyFree:") == 20);
	fill(p, 2, 2);
	CHECK_EQ(field(smaps_of(p), "Private_Clean:"), 12);
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 20);
	CHECK(!on_coppice() || field(smaps_of(p), "LazyFree:") == 12);
}

TEST(mm, smaps_of_populated_memory)
{
	say_figures("for writing",
		    lone_area(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE));
	say_figures("for reading", lone_area(8, PROT_READ, MAP_PRIVATE | MAP_POPULATE));
	say_figures("locked", lone_area(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_LOCKED));
}

TEST(mm, smaps_of_shared_memory)
{
	uint8_t *p = lone_area(16, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint8_t *read_only = p;

	fill(p, 4, 1);
	say_figures("4 pages written", p);
	CHILD (0) {
		CHECK_EQ(read_only[0], *p);
		fill(p, 4, 2);
		say_figures("in a child that wrote them", p);
	}
	say_figures("after it", p);
	(void)read_only[9 * PAGE];
	say_figures("one page read", p);
}

/*
 * Where tables are shared, what shares them divides its part of a page again: another division than Linux's, of the same sum. Here every
 * child has written into the one table of the area, so that all have tables of their own.
 */
TEST(mm, smaps_shares_of_many_children)
{
	enum { CHILDREN = 7 };
	struct gate ready = gate_make(), done = gate_make();
	uint8_t *p = mmap((void *)0x600000000000, 64 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	pid_t pids[CHILDREN];

	fill(p, 64, 1);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			fill(p + 8 * i * PAGE, 8, 2);
			gate_open(&ready);
			gate_wait(&done);
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		gate_wait(&ready);
	say_figures("with 7 children, of which each wrote 8 other pages", p);
	for (int i = 0; i < CHILDREN; i++)
		gate_open(&done);
	for (int i = 0; i < CHILDREN; i++)
		child_expect(pids[i], 0);
}

TEST(mm, smaps_of_whole_tables)
{
	uint8_t *p = mmap((void *)0x600000000000, 4 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p != MAP_FAILED && madvise(p, 4 << 20, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < 1024; i += 2)
		p[i * PAGE] = 1;
	say_figures("every second page of 4 MiB", p);
	CHILD (0) {
		say_figures("in a child", p);
		p[0] = 2;
		say_figures("that wrote one", p);
	}
	p[PAGE] = 2;
	say_figures("another one", p);
	uint8_t *to = lone_area(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	say_figures("one moved", p + PAGE);
	say_figures("here", to);
}

static void say_flags(const char *what, const void *p)
{
	say("%s: %s\n", what, strstr(smaps_of(p), "VmFlags:"));
}

TEST(mm, smaps_flags)
{
	static const struct {
		const char *name;
		int advice;
	} advices[] = {
		{ "random", MADV_RANDOM },         { "sequential", MADV_SEQUENTIAL },
		{ "dontfork", MADV_DONTFORK },     { "wipeonfork", MADV_WIPEONFORK },
		{ "dontdump", MADV_DONTDUMP },     { "hugepage", MADV_HUGEPAGE },
		{ "nohugepage", MADV_NOHUGEPAGE }, { "mergeable", MADV_MERGEABLE },
	};
	static const struct {
		const char *name;
		int prot, flags;
	} kinds[] = {
		{ "none", PROT_NONE, MAP_PRIVATE },
		{ "read", PROT_READ, MAP_PRIVATE },
		{ "write", PROT_WRITE, MAP_PRIVATE },
		{ "read, write", PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ "all", PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE },
		{ "noreserve", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE },
		{ "locked", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_LOCKED },
		{ "growsdown", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN },
		{ "shared", PROT_READ | PROT_WRITE, MAP_SHARED },
		{ "shared, read", PROT_READ, MAP_SHARED },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		say_flags(kinds[i].name, lone_area(4, kinds[i].prot, kinds[i].flags));
	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		uint8_t *p = lone_area(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

		if (madvise(p, 4 * PAGE, advices[i].advice) == 0)
			say_flags(advices[i].name, p);
		else
			say("%s: %s\n", advices[i].name, errno_name(errno));
	}
	uint8_t *p = lone_area(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(mlock2(p, 4 * PAGE, MLOCK_ONFAULT) == 0);
	say_flags("locked on fault", p);
	int fd = file_make("file", 4 * PAGE), read_only = open("file", O_RDONLY);
	say_flags("file, shared", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	say_flags("file opened for reading, shared",
		  mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0));
	say_flags("file opened for reading, private",
		  mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, read_only, PAGE));
}

static void clear_refs(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, what, strlen(what)), strlen(what));
	close(fd);
}

TEST(mm, clear_refs_forgets_accesses)
{
	uint8_t *p = lone_area(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	volatile uint8_t *read_only = p;

	fill(p, 8, 1);
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 32);
	clear_refs("3\n"); /* of mapped files */
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 32);
	clear_refs("2");
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 0);
	CHECK_EQ(field(smaps_of(p), "Private_Dirty:"), 32);
	/* Linux does not flush for it: that is the test's. */
	CHECK(mprotect(p, 16 * PAGE, PROT_READ) == 0 &&
	      mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE) == 0);
	(void)read_only[PAGE];
	(void)read_only[2 * PAGE];
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 8);
	clear_refs("1");
	CHECK(mprotect(p, 16 * PAGE, PROT_READ) == 0 &&
	      mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE) == 0);
	fill(p, 9, 1);
	CHECK_EQ(field(smaps_of(p), "Referenced:"), 36);
	CHECK(filled(p, 9, 1));
}

TEST(mm, clear_refs_takes_1_to_5)
{
	static const char *const tries[] = { "0", "1", "2", "3",  "4",  "5",
					     "6", "x", "",  "-1", "1x", "1\n" };
	struct stat st;
	char byte;

	CHECK(stat("/proc/self/clear_refs", &st) == 0);
	say("mode %o\n", st.st_mode);
	for (size_t i = 0; i < COUNT_OF(tries); i++) {
		int fd = open("/proc/self/clear_refs", O_WRONLY);

		if (!tries[i][0])
			continue;
		CHECK(fd >= 0);
		ssize_t n = write(fd, tries[i], strlen(tries[i]));
		say("%s: %s\n", tries[i], n < 0 ? errno_name(errno) : "ok");
		close(fd);
	}
	if (is_root()) {
		int fd = open("/proc/self/clear_refs", O_RDONLY);

		TRY(read(fd, &byte, 1));
		close(fd);
		become_user();
		TRY_FD(open("/proc/self/clear_refs", O_WRONLY));
	}
}

static long status_field(const char *name)
{
	file_read_text("/proc/self/status", text, sizeof(text));
	return field(text, name);
}

TEST(mm, clear_refs_5_resets_the_peak)
{
	uint8_t *p = map_anon(4096);

	fill(p, 4096, 1);
	CHECK(munmap(p, 4096 * PAGE) == 0);
	CHECK(status_field("VmHWM:") > 16384);
	clear_refs("5");
	CHECK(status_field("VmHWM:") < 16384);
	CHECK(status_field("VmHWM:") >= status_field("VmRSS:"));
}

/* Bits 63 present, 62 swapped, 61 file or shared, 56 exclusive, and whether there is a frame number. */
static void say_pagemap(const char *what, const void *p, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e[16];

	CHECK(fd >= 0 && pages <= COUNT_OF(e));
	CHECK_EQ(pread(fd, e, pages * 8, (off_t)((uintptr_t)p / PAGE * 8)), pages * 8);
	say("%s:", what);
	for (size_t i = 0; i < pages; i++)
		say(" %s%s%s%s%s", e[i] >> 63 & 1 ? "p" : "-", e[i] >> 62 & 1 ? "s" : "-",
		    e[i] >> 61 & 1 ? "f" : "-", e[i] >> 56 & 1 ? "x" : "-", e[i] << 9 ? "n" : "-");
	say("\n");
	close(fd);
}

TEST(mm, pagemap_tells_what_is_there)
{
	uint8_t *p = lone_area(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint8_t *s = lone_area(8, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint8_t *read_only = p;

	if (!is_root())
		return;
	fill(p, 4, 1);
	(void)read_only[5 * PAGE];
	say_pagemap("private", p, 8);
	fill(s, 4, 1);
	say_pagemap("shared", s, 8);
	CHILD (0) {
		say_pagemap("private, in a child", p, 8);
		fill(p, 1, 2);
		CHECK(s[0] != 77);
		say_pagemap("private, written", p, 8);
		say_pagemap("shared, read", s, 8);
	}
	say_pagemap("private, child gone", p, 8);
	CHECK(mprotect(p, 2 * PAGE, PROT_NONE) == 0);
	say_pagemap("without access", p, 8);
	become_user();
	CHECK_ERRNO(open("/proc/self/pagemap", O_RDONLY), EACCES);
}

TEST(mm, pagemap_hides_frames_from_users)
{
	uint8_t *p = lone_area(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	fill(p, 4, 1);
	if (is_root()) {
		helper_link("pagemap_of_oneself");
		CHECK(chmod(".", 0755) == 0 && setresuid(1000, 1000, 1000) == 0);
		say("%s\n",
		    exec_result("./helper-pagemap_of_oneself",
				(char *[]){ "pagemap_of_oneself", NULL }, (char *[]){ NULL }));
	} else {
		say_pagemap("a user", p, 4);
	}
}

HELPER(pagemap_of_oneself)
{
	uint8_t *p = lone_area(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	fill(p, 4, 1);
	say_pagemap("a user", p, 4);
	return 0;
}

TEST(mm, pagemap_is_read_in_words)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t words[4];

	CHECK(fd >= 0);
	TRY(pread(fd, words, 4, 0));
	TRY(pread(fd, words, 8, 4));
	TRY(pread(fd, words, 12, 8));
	TRY(pread(fd, words, 0, 8));
	TRY(pread(fd, words, 16, 0x7fffffffe000 / PAGE * 8)); /* the last page a program may have */
	TRY(pread(fd, words, 8, 0x7ffffffff000 / PAGE * 8));
	TRY(pread(fd, words, 8, 1L << 55));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(lseek(fd, 16, SEEK_SET));
	TRY(read(fd, words, 32));
	TRY(lseek(fd, 0, SEEK_CUR));
	close(fd);
}

TEST(mm, mem_positions_are_addresses)
{
	int fd = open("/proc/self/mem", O_RDWR);
	static char here[8] = "abcdefg";
	char got[8];

	CHECK(fd >= 0);
	TRY(lseek(fd, 0, SEEK_END));
	TRY(lseek(fd, 0, SEEK_DATA));
	CHECK_EQ(lseek(fd, (off_t)(uintptr_t)here, SEEK_SET), (off_t)(uintptr_t)here);
	CHECK_EQ(read(fd, got, 8), 8);
	CHECK_STR(got, here);
	CHECK_EQ(lseek(fd, -4, SEEK_CUR), (off_t)(uintptr_t)here + 4);
	CHECK_EQ(write(fd, "XYZ", 3), 3);
	CHECK_STR(here, "abcdXYZ");
	CHECK(lseek(fd, -8192, SEEK_SET) == -8192); /* an address of the kernel */
	TRY(read(fd, got, 8));
	TRY(write(fd, got, 8));
	TRY(lseek(fd, -8, SEEK_SET) == -8);
	TRY(read(fd, got, 8));
	TRY(pread(fd, got, 8, 0));
	TRY(pread(fd, got, 8, 0x7ffffffff000));
	TRY(pwrite(fd, got, 8, 8));
	TRY(pread(fd, NULL, 8, (off_t)(uintptr_t)here));
	close(fd);
}

TEST(mm, smaps_rollup_sums_up)
{
	uint8_t *p = map_anon(64);
	static const char *const names[] = { "Private_Dirty:", "Anonymous:", "Locked:" };
	long sums[COUNT_OF(names)] = { 0 };

	fill(p, 64, 1);
	memset(text, 1, sizeof(text)); /* so that reading into it changes little */
	file_read_text("/proc/self/smaps", text, sizeof(text));
	for (char *line = text; *line; line = strchr(line, '\n') + 1)
		for (size_t i = 0; i < COUNT_OF(names); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				sums[i] += atol(line + strlen(names[i]));
	file_read_text("/proc/self/smaps_rollup", text, sizeof(text));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		CHECK(labs(field(text, names[i]) - sums[i]) <=
		      1024); /* reading maps more of the libraries */
	for (char *line = strchr(text, '\n') + 1, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		say("%.*s\n", (int)strcspn(line, " "), line);
		CHECK(memcmp(end - 3, " kB", 3) == 0);
	}
	CHECK(strstr(text, "---p 00000000 00:00 0 ") && strstr(text, "  [rollup]\n"));
}

/* Whether the machine gives 2 MiB pages to areas that ask for them only. */
static bool huge_on_request(void)
{
	file_read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));
	return strcmp(text, "always [madvise] never\n") == 0;
}

TEST(mm, smaps_of_2_mib_pages)
{
	uint8_t *p = mmap((void *)0x600000000000, 8 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (!huge_on_request())
		return;
	CHECK(p != MAP_FAILED);
	CHECK_EQ(field(smaps_of(p), "THPeligible:"), 0);
	CHECK(madvise(p, 8 << 20, MADV_HUGEPAGE) == 0);
	CHECK_EQ(field(smaps_of(p), "THPeligible:"), 1);
	p[0] = p[5 << 20] = 1;
	CHECK_EQ(field(smaps_of(p), "Rss:"), 4096);
	CHECK_EQ(field(smaps_of(p), "Pss:"), 4096);
	CHECK_EQ(field(smaps_of(p), "AnonHugePages:"), 4096);
	CHECK_EQ(field(smaps_of(p), "Private_Dirty:"), 4096);
	CHILD (0) {
		CHECK_EQ(field(smaps_of(p), "AnonHugePages:"), 4096);
		CHECK_EQ(field(smaps_of(p), "Pss:"), 2048);
		CHECK_EQ(field(smaps_of(p), "Shared_Dirty:"), 4096);
	}
	CHECK(munmap(p + (4 << 20), 1 << 20) == 0); /* around it: the pages stay, but not as one */
	CHECK_EQ(field(smaps_of(p + (5 << 20)), "AnonHugePages:"), 0);
	CHECK_EQ(field(smaps_of(p + (5 << 20)), "Rss:"), 1024);
	CHECK_EQ(field(smaps_of(p), "AnonHugePages:"), 2048);
}

TEST(mm, the_switch_of_2_mib_pages)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	static const char *const tries[] = { "x", "alwaysx", "ALWAYS", " never", "madvise never" };
	char before[100];
	struct stat st;

	CHECK(stat(path, &st) == 0);
	say("mode %o\n", st.st_mode);
	file_read_text(path, before, sizeof(before));
	for (size_t i = 0; is_root() && i < COUNT_OF(tries); i++) {
		int fd = open(path, O_WRONLY);

		CHECK(fd >= 0);
		ssize_t n = write(fd, tries[i], strlen(tries[i]));
		say("%s: %s\n", tries[i], n < 0 ? errno_name(errno) : "ok");
		close(fd);
	}
	file_read_text(path, text, sizeof(text));
	CHECK_STR(text, before);
	if (is_root()) {
		become_user();
		TRY_FD(open(path, O_WRONLY));
	}
}

/* The line of numa_maps about the area at p, without its address. */
static void say_numa(const char *what, const void *p)
{
	char start[32];

	file_read_text("/proc/self/numa_maps", text, sizeof(text));
	snprintf(start, sizeof(start), "%08lx ", (unsigned long)(uintptr_t)p);
	char *at = strstr(text, start);
	CHECK(at != NULL);
	at += strlen(start);
	*strchr(at, '\n') = 0;
	char *active = strstr(at, " active="); /* Linux's lists */
	if (active)
		memmove(active, strchr(active + 1, ' '), strlen(strchr(active + 1, ' ')) + 1);
	say("%s: %s\n", what, at);
}

TEST(mm, numa_maps_of_small_areas)
{
	uint8_t *p = lone_area(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint8_t *s = lone_area(16, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint8_t *read_only = s;

	say_numa("untouched", p);
	fill(p, 3, 1);
	say_numa("3 pages", p);
	fill(s, 2, 1);
	say_numa("shared", s);
	(void)read_only[12 * PAGE];
	say_numa("shared, one read", s);
	CHILD (0)
		say_numa("in a child", p);
}

TEST(mm, map_files_are_links_to_what_is_mapped)
{
	static const char *const bad[] = { "0-1", "x", "1000", "1000-", "-1000", "" };
	char path[100], target[4096];
	struct stat st, of_file;
	size_t listed = 0;
	bool seen = false;

	if (!is_root())
		return;
	int fd = file_make("mapped", 4 * PAGE);
	CHECK(fstat(fd, &of_file) == 0);
	uint8_t *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	CHECK(p != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 3 * PAGE);
	CHECK(stat("/proc/self/map_files", &st) == 0);
	say("directory: mode %o\n", st.st_mode);
	CHECK(lstat(path, &st) == 0);
	say("link: mode %o\n", st.st_mode);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n] = 0;
	say("leads to %s\n", strrchr(target, '/'));
	if (stat(path, &st) == 0) /* a container's root may not follow */
		CHECK_EQ(st.st_ino, of_file.st_ino);
	DIR *dir = opendir("/proc/self/map_files");
	CHECK(dir != NULL);
	for (struct dirent *e; (e = readdir(dir));) {
		listed++;
		seen |= strcmp(e->d_name, strrchr(path, '/') + 1) == 0;
	}
	closedir(dir);
	CHECK(seen && listed >= 4);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char wrong[100];

		snprintf(wrong, sizeof(wrong), "/proc/self/map_files/%s", bad[i]);
		if (bad[i][0])
			TRY(readlink(wrong, target, sizeof(target)));
	}
	CHECK(munmap(p + PAGE, PAGE) == 0);
	TRY(readlink(path, target, sizeof(target)));
	become_user();
	TRY_FD(open("/proc/self/map_files", O_RDONLY | O_DIRECTORY));
}
