/*
 * proc_vm.c - /proc/sys/vm and the other files that tell of the machine's memory.
 *
 * Central rule: the machine's values are not the test's: what is written is what was there, or refused. What really changes something runs on
 * Coppice alone. Next: proc_smaps.c.
 */
#include "check.h"

#define VM "/proc/sys/vm/"

static const char *const tunables[] = {
	"admin_reserve_kbytes",
	"dirty_background_bytes",
	"dirty_background_ratio",
	"dirty_bytes",
	"dirty_expire_centisecs",
	"dirty_ratio",
	"dirty_writeback_centisecs",
	"max_map_count",
	"min_free_kbytes",
	"oom_dump_tasks",
	"oom_kill_allocating_task",
	"overcommit_kbytes",
	"overcommit_memory",
	"overcommit_ratio",
	"page-cluster",
	"panic_on_oom",
	"swappiness",
	"user_reserve_kbytes",
	"vfs_cache_pressure",
};

/* The result of writing text to a file: "ok" or an errno's name. */
static const char *write_result(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	const char *result = n == (ssize_t)strlen(text) ? "ok"
			     : n < 0                    ? errno_name(errno)
							: "short";

	if (fd >= 0)
		close(fd);
	return result;
}

static void path_of(char path[100], const char *name)
{
	snprintf(path, 100, VM "%s", name);
}

TEST(mm, vm_tunables_are_a_line_with_a_number)
{
	for (size_t i = 0; i < COUNT_OF(tunables); i++) {
		char path[100], text[100], *end;
		struct stat st;

		path_of(path, tunables[i]);
		size_t n = file_read_text(path, text, sizeof(text));
		CHECK(n >= 2 && text[n - 1] == '\n');
		strtoul(text, &end, 10);
		CHECK(end == text + n - 1);
		CHECK(stat(path, &st) == 0);
		say("%s: mode %o size %d\n", tunables[i], st.st_mode, (int)st.st_size);
	}
}

TEST(mm, vm_tunables_refuse_what_is_no_number)
{
	static const char *const bad[] = { "", "\n", "x", "1x", "0x", "99999999999999999999", " " };

	if (!is_root())
		return;
	for (size_t i = 0; i < COUNT_OF(tunables); i++) {
		char path[100], before[100], after[100];

		path_of(path, tunables[i]);
		file_read_text(path, before, sizeof(before));
		if (strstr(tunables[i], "kbytes") || strstr(tunables[i], "bytes") ||
		    strstr(tunables[i], "dirty"))
			continue; /* of other types, which Linux reads with other care */
		say("%s:", tunables[i]);
		for (size_t j = 0; j < COUNT_OF(bad); j++)
			if (bad[j][0]) /* of nothing to write Linux says nothing */
				say(" %s", write_result(path, bad[j]));
		say(", again %s\n", write_result(path, before));
		file_read_text(path, after, sizeof(after));
		CHECK_STR(after, before);
	}
}

TEST(mm, vm_tunables_have_limits)
{
	static const struct {
		const char *name, *value;
	} tries[] = {
		{ "overcommit_memory", "3" },
		{ "swappiness", "201" },
		{ "dirty_ratio", "101" },
		{ "dirty_background_ratio", "101" },
		{ "panic_on_oom", "3" },
		{ "dirty_bytes", "8191" },
		{ "max_map_count", "2147483648" },
		{ "drop_caches", "0" },
		{ "drop_caches", "x" },
		{ "overcommit_memory", "0x3" },
		{ "nothing", "1" },
	};
	char path[100];

	if (!is_root())
		return;
	for (size_t i = 0; i < COUNT_OF(tries); i++) {
		path_of(path, tries[i].name);
		say("%s = %s: %s\n", tries[i].name, tries[i].value,
		    write_result(path, tries[i].value));
	}
}

TEST(mm, vm_tunables_are_for_root)
{
	if (!is_root())
		return;
	become_user();
	TRY_FD(open(VM "swappiness", O_RDONLY));
	TRY_FD(open(VM "swappiness", O_WRONLY));
	TRY_FD(open(VM "drop_caches", O_WRONLY));
	TRY_FD(open(VM "drop_caches", O_RDONLY));
}

TEST(mm, drop_caches_is_only_for_writing)
{
	struct stat st;

	CHECK(stat(VM "drop_caches", &st) == 0);
	say("mode %o\n", st.st_mode);
	if (!is_root())
		return;
	TRY_FD(open(VM "drop_caches", O_RDONLY));
	TRY_FD(open(VM "drop_caches", O_RDWR));
	TRY_FD(open(VM "drop_caches", O_WRONLY));
}

static const char *value_of(const char *name)
{
	static char value[100];
	char path[100];

	path_of(path, name);
	file_read_text(path, value, sizeof(value));
	value[strcspn(value, "\n")] = 0;
	return value;
}

static void set_value(const char *name, const char *value)
{
	char path[100];

	path_of(path, name);
	CHECK_STR(write_result(path, value), "ok");
}

/* On Linux they are the machine's, and others depend on them. */
TEST(mm, of_two_vm_tunables_one_is_in_force)
{
	if (!on_coppice() || !is_root())
		return;
	set_value("dirty_bytes", "1048576\n");
	CHECK_STR(value_of("dirty_bytes"), "1048576");
	CHECK_STR(value_of("dirty_ratio"), "0");
	set_value("dirty_ratio", " 20 ");
	CHECK_STR(value_of("dirty_bytes"), "0");
	CHECK_STR(value_of("dirty_ratio"), "20");
	set_value("overcommit_kbytes", "0x1000");
	CHECK_STR(value_of("overcommit_kbytes"), "4096");
	CHECK_STR(value_of("overcommit_ratio"), "0");
	set_value("overcommit_ratio", "50");
	CHECK_STR(value_of("overcommit_kbytes"), "0");
}

static long counter(const char *name)
{
	static char text[16384];
	size_t length = strlen(name);

	file_read_text("/proc/coppice/counters", text, sizeof(text));
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return atol(line + length);
	}
	return -1;
}

/* On Linux it would cost all others on the machine their caches. */
TEST(mm, dropped_caches_are_read_again)
{
	struct stat st;
	char byte;

	if (!on_coppice() || !is_root())
		return;
	int fd = open(self_path, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)PAGE)
		CHECK_EQ(pread(fd, &byte, 1, at), 1);
	long full = counter("frames_cache");
	CHECK_STR(write_result(VM "drop_caches", "3\n"), "ok");
	long dropped = counter("frames_cache");
	CHECK(dropped < full);
	for (off_t at = 0; at < st.st_size; at += (off_t)PAGE)
		CHECK_EQ(pread(fd, &byte, 1, at), 1);
	CHECK(counter("frames_cache") > dropped);
	close(fd);
}

TEST(mm, max_map_count_is_kept_to)
{
	enum { LIMIT = 200 };
	char before[100];
	size_t made = 0;

	if (!on_coppice() || !is_root())
		return;
	file_read_text(VM "max_map_count", before, sizeof(before));
	CHECK_STR(write_result(VM "max_map_count", "200\n"), "ok");
	uint8_t *p = map_anon(2 * LIMIT);
	while (made < LIMIT && mprotect(p + 2 * made * PAGE, PAGE, PROT_READ) == 0)
		made++;
	int error = errno;
	CHECK_STR(write_result(VM "max_map_count", before), "ok");
	CHECK(made > 50 && made < LIMIT / 2);
	CHECK_EQ(error, ENOMEM);
	CHECK_EQ(mprotect(p + 2 * made * PAGE, PAGE, PROT_READ), 0);
}

/* --- meminfo, vmstat --- */

static char text[1 << 16];

/* The figure of a line "NAME: figure" or "NAME figure"; -1: there is no such line. */
static long text_figure(const char *name)
{
	size_t length = strlen(name);

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 &&
		    (line[length] == ':' || line[length] == ' '))
			return atol(line + length + 1);
	}
	return -1;
}

static void expect_in_order(const char *const *names, size_t count, const char *end)
{
	const char *at = text;

	for (size_t i = 0; i < count; i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s%s", names[i], end);
		at = strstr(at, line);
		if (!at)
			FAIL("no %s, or not after %s", names[i], i ? names[i - 1] : "the start");
	}
}

TEST(mm, meminfo_has_linux_lines_in_order)
{
	static const char *const names[] = {
		"MemTotal",       "MemFree",        "MemAvailable",
		"Buffers",        "Cached",         "SwapCached",
		"Active",         "Inactive",       "Active(anon)",
		"Inactive(anon)", "Active(file)",   "Inactive(file)",
		"Unevictable",    "Mlocked",        "SwapTotal",
		"SwapFree",       "Zswap",          "Zswapped",
		"Dirty",          "Writeback",      "AnonPages",
		"Mapped",         "Shmem",          "KReclaimable",
		"Slab",           "SReclaimable",   "SUnreclaim",
		"KernelStack",    "PageTables",     "SecPageTables",
		"NFS_Unstable",   "Bounce",         "WritebackTmp",
		"CommitLimit",    "Committed_AS",   "VmallocTotal",
		"VmallocUsed",    "VmallocChunk",   "Percpu",
		"AnonHugePages",  "ShmemHugePages", "ShmemPmdMapped",
		"FileHugePages",  "FilePmdMapped",  "HugePages_Total",
		"HugePages_Free", "HugePages_Rsvd", "HugePages_Surp",
		"Hugepagesize",   "Hugetlb",        "DirectMap4k",
		"DirectMap2M",
	};

	file_read_text("/proc/meminfo", text, sizeof(text));
	expect_in_order(names, COUNT_OF(names), ":");
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		/* "name:" padded to 16, then a figure of at least 8, and a unit but for counts */
		size_t number = strcspn(line, ":") + 1;
		number += strspn(line + number, " ");
		size_t digits = strspn(line + number, "0123456789");
		CHECK(digits > 0);
		CHECK(strncmp(line, "HugePages_", 10) == 0 || memcmp(end - 3, " kB", 3) == 0);
		CHECK(number + digits >= 24 || strncmp(line, "Huge", 4) == 0);
	}
	CHECK(text_figure("MemFree") <= text_figure("MemTotal"));
	CHECK(text_figure("MemAvailable") <= text_figure("MemTotal"));
	CHECK_EQ(text_figure("Slab"), text_figure("SReclaimable") + text_figure("SUnreclaim"));
	CHECK_EQ(text_figure("VmallocTotal"), 34359738367);
	CHECK_EQ(text_figure("Hugepagesize"), 2048);
}

TEST(mm, meminfo_follows_what_a_process_does)
{
	enum { PAGES = 4096 };
	long anon, shmem;

	file_read_text("/proc/meminfo", text, sizeof(text));
	anon = text_figure("AnonPages");
	uint8_t *p = map_anon(PAGES);
	fill(p, PAGES, 1);
	file_read_text("/proc/meminfo", text, sizeof(text));
	long more = text_figure("AnonPages") - anon;
	CHECK(!on_coppice() || (more >= PAGES * 4 && more < PAGES * 4 + 400));
	shmem = text_figure("Shmem");
	uint8_t *s =
		mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(s, PAGES, 1);
	file_read_text("/proc/meminfo", text, sizeof(text));
	more = text_figure("Shmem") - shmem;
	CHECK(!on_coppice() || (more >= PAGES * 4 && more < PAGES * 4 + 400));
	CHECK(mlock(p, 16 * PAGE) == 0);
	file_read_text("/proc/meminfo", text, sizeof(text));
	CHECK(text_figure("Mlocked") >= 64);
}

TEST(mm, vmstat_has_linux_lines_in_order)
{
	static const char *const names[] = {
		"nr_free_pages",
		"nr_mlock",
		"nr_inactive_anon",
		"nr_active_anon",
		"nr_inactive_file",
		"nr_active_file",
		"nr_slab_reclaimable",
		"nr_anon_pages",
		"nr_mapped",
		"nr_file_pages",
		"nr_dirty",
		"nr_writeback",
		"nr_shmem",
		"nr_dirtied",
		"nr_written",
		"nr_kernel_stack",
		"nr_page_table_pages",
		"nr_dirty_threshold",
		"nr_dirty_background_threshold",
		"pgpgin",
		"pgpgout",
		"pswpin",
		"pswpout",
		"pgalloc_normal",
		"pgfree",
		"pgactivate",
		"pgfault",
		"pgmajfault",
		"pgrefill",
		"pgreuse",
		"pgsteal_kswapd",
		"pgsteal_direct",
		"pgscan_kswapd",
		"pgscan_direct",
		"drop_pagecache",
		"drop_slab",
		"oom_kill",
		"thp_fault_alloc",
		"swap_ra",
	};
	long faults;

	file_read_text("/proc/vmstat", text, sizeof(text));
	expect_in_order(names, COUNT_OF(names), " ");
	faults = text_figure("pgfault");
	fill(map_anon(200), 200, 1);
	file_read_text("/proc/vmstat", text, sizeof(text));
	CHECK(text_figure("pgfault") >= faults + 200);
}

/* --- each frame --- */

#define FLAG_UPTODATE (1ul << 3)
#define FLAG_SLAB (1ul << 7)
#define FLAG_BUDDY (1ul << 10)
#define FLAG_MMAP (1ul << 11)
#define FLAG_ANON (1ul << 12)
#define FLAG_SWAPCACHE (1ul << 13)
#define FLAG_SWAPBACKED (1ul << 14)
#define FLAG_PGTABLE (1ul << 26)
#define FLAG_LRU (1ul << 5)

static uint64_t word_at(const char *path, uint64_t index)
{
	uint64_t word;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &word, 8, (off_t)index * 8), 8);
	close(fd);
	return word;
}

static void say_frame(const char *what, const void *p)
{
	uint64_t frame = word_at("/proc/self/pagemap", (uintptr_t)p / PAGE) & ((1ul << 55) - 1);
	uint64_t flags = word_at("/proc/kpageflags", frame);

	say("%s: uptodate %d mmap %d anon %d swapbacked %d buddy %d, mapped %d times\n", what,
	    !!(flags & FLAG_UPTODATE), !!(flags & FLAG_MMAP), !!(flags & FLAG_ANON),
	    !!(flags & FLAG_SWAPBACKED), !!(flags & FLAG_BUDDY),
	    (int)word_at("/proc/kpagecount", frame));
}

TEST(mm, frames_tell_what_they_are_used_for)
{
	if (!is_root())
		return;
	uint8_t *p = map_anon(2);
	fill(p, 2, 1);
	say_frame("private", p);
	uint8_t *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(s, 1, 1);
	say_frame("shared", s);
	int fd = file_make("file", 2 * PAGE);
	volatile uint8_t *f = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(f[0], 1);
	uint64_t frame = word_at("/proc/self/pagemap", (uintptr_t)f / PAGE) & ((1ul << 55) - 1);
	uint64_t flags = word_at("/proc/kpageflags", frame);
	CHECK((flags & FLAG_MMAP) && (flags & FLAG_UPTODATE) && !(flags & FLAG_ANON));
	CHILD (0) {
		p[0] = 2;
		say_frame("its copy", p);
	}
}

TEST(mm, frame_files_are_read_in_words)
{
	uint64_t words[4];

	if (!is_root())
		return;
	int fd = open("/proc/kpageflags", O_RDONLY);
	CHECK(fd >= 0);
	TRY(pread(fd, words, 4, 0));
	TRY(pread(fd, words, 8, 4));
	TRY(pread(fd, words, 32, 0));
	TRY(pread(fd, words, 8, 1L << 50));
	close(fd);
	fd = open("/proc/kpagecount", O_RDONLY);
	CHECK(fd >= 0);
	TRY(pread(fd, words, 12, 0));
	TRY(pread(fd, words, 16, 8));
	TRY(pread(fd, words, 8, 1L << 50));
	close(fd);
}

/* --- accounts that add up --- */

struct accounts {          /* KiB */
	long anon, mapped; /* the sum of all processes' shares */
	long frames_anon, frames_unmapped, frames_tables, frames_slab; /* by frames */
	long processes;
};

static void add_processes(struct accounts *a)
{
	char path[64];

	for (int pid = 1; pid < 4096; pid++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		text[n] = 0;
		a->processes++;
		a->anon += text_figure("Pss_Anon");
		a->mapped += text_figure("Pss_File") + text_figure("Pss_Shmem");
	}
}

static void add_frames(struct accounts *a)
{
	static uint64_t words[512];
	int fd = open("/proc/kpageflags", O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, words, sizeof(words))) > 0)
		for (ssize_t i = 0; i < n / 8; i++) {
			uint64_t f = words[i];
			bool cache = (f & FLAG_LRU) && !(f & FLAG_ANON);

			a->frames_anon += (f & FLAG_ANON) && (f & FLAG_MMAP) ? 4 : 0;
			a->frames_unmapped += cache && !(f & FLAG_MMAP) ? 4 : 0;
			a->frames_tables += f & FLAG_PGTABLE ? 4 : 0;
			a->frames_slab += f & FLAG_SLAB ? 4 : 0;
		}
	close(fd);
}

#define CLOSE_TO(a, b, within)                                            \
	do {                                                              \
		long a_ = (a), b_ = (b);                                  \
		if (labs(a_ - b_) > (within))                             \
			FAIL("%s is %ld, %s is %ld KiB", #a, a_, #b, b_); \
	} while (0)

/*
 * What processes have, each page divided among all who map it, plus what only the cache has, plus what is the kernel's, plus what is free, is
 * all there is. Linux's accounts are not exact enough for this. The tolerance: a share is told in whole KiB; reading takes some frames.
 */
static void expect_accounts_to_add_up(void)
{
	enum { READING = 128 };
	struct accounts a = { 0 }, warm = { 0 };

	add_processes(&warm); /* so that the second time finds all code and data in place */
	add_frames(&warm);
	file_read_text("/proc/meminfo", text, sizeof(text));
	add_processes(&a);
	add_frames(&a);
	file_read_text("/proc/meminfo", text, sizeof(text));
	long anon = text_figure("AnonPages"), cached = text_figure("Cached");
	CLOSE_TO(a.anon, anon, a.processes);
	CLOSE_TO(a.frames_anon, anon, 0);
	CLOSE_TO(a.mapped, text_figure("Mapped"), 2 * a.processes);
	CLOSE_TO(a.frames_unmapped, cached - text_figure("Mapped"), 0);
	CLOSE_TO(a.frames_tables, text_figure("PageTables"), 0);
	CHECK(a.frames_slab <= text_figure("Slab"));
	long kernel = text_figure("Slab") + text_figure("KernelStack") + text_figure("PageTables");
	CLOSE_TO(a.anon + a.mapped + a.frames_unmapped + kernel + text_figure("MemFree"),
		 text_figure("MemTotal"), 3 * a.processes + READING);
}

TEST(mm, accounts_add_up)
{
	enum { CHILDREN = 6, PAGES = 3000 };
	struct gate ready = gate_make(), done = gate_make();
	pid_t pids[CHILDREN];

	if (!on_coppice() || !is_root())
		return;
	expect_accounts_to_add_up();
	uint8_t *p = map_anon(PAGES);
	fill(p, PAGES, 1);
	uint8_t *s =
		mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(s, 64, 1);
	expect_accounts_to_add_up();
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) { /* a chain: each has another share in what the others have */
			fill(p + 400 * i * PAGE, 300, 2 + (uint64_t)i);
			fill(s + 8 * i * PAGE, 4, 2);
			pid_t grandchild = i % 2 ? child_fork() : 0;
			if (grandchild || i % 2 == 0)
				gate_open(&ready);
			gate_wait(&done);
			_exit(grandchild && waitpid(grandchild, NULL, 0) != grandchild);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		gate_wait(&ready);
	expect_accounts_to_add_up();
	CHECK(munmap(p + 100 * PAGE, 1000 * PAGE) == 0);
	expect_accounts_to_add_up();
	for (int i = 0; i < CHILDREN + CHILDREN / 2; i++)
		gate_open(&done);
	for (int i = 0; i < CHILDREN; i++)
		child_expect(pids[i], 0);
	expect_accounts_to_add_up();
}
