/*
 * mm_commit.c - what is promised and limited: the commit charge and its modes, RLIMIT_DATA, RLIMIT_AS and RLIMIT_STACK on mappings, faults counted.
 *
 * The modes are set on Coppice alone: Linux's are of the whole machine that runs the tests. What they do there is asserted from proc_sys_vm(5) and kept out of
 * the output. Next: mm_account.c.
 */
#include "check.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB (1UL << 20)

static long meminfo_kib(const char *name)
{
	char line[200];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = atol(line + strlen(name));
	fclose(f);
	return kib;
}

static long committed(void)
{
	return meminfo_kib("Committed_AS:");
}

/* KiB of this process's areas that are charged for ("ac"). */
static long owed(void)
{
	static char text[1 << 18];
	long kib = 0, size = 0;
	char *line = text, *flags;

	file_read_text("/proc/self/smaps", text, sizeof(text));
	while (line && *line) {
		if (strncmp(line, "Size:", 5) == 0)
			size = atol(line + 5);
		flags = strncmp(line, "VmFlags:", 8) == 0 ? line : NULL;
		line = strchr(line, '\n');
		if (line)
			*line++ = 0;
		if (flags && strstr(flags, " ac"))
			kib += size;
	}
	return kib;
}

static long to_mib(long kib)
{
	return (kib + (kib < 0 ? -512 : 512)) / 1024;
}

static long owed_before, committed_before;

static void start(void)
{
	owed_before = owed();
	committed_before = committed();
}

/*
 * Prints how much more of its areas is charged for, in MiB; on Coppice, where nobody else promises anything meanwhile, all that is promised more must be `other`
 * MiB beyond that.
 */
static void promised(const char *what, long other)
{
	long mib = to_mib(owed() - owed_before);

	say("%s: %ld\n", what, mib);
	if (on_coppice())
		CHECK_EQ(to_mib(committed() - committed_before), mib + other);
}

static void set_parameter(const char *name, const char *value)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static void *map(size_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags, -1, 0);
}

TEST(mm, what_is_promised_and_what_is_not)
{
	enum { SIZE = 64 };
	uint8_t *p, *q;

	start();
	p = map(SIZE * MIB, RW, ANON);
	promised("private, writable", 0);
	CHECK_EQ(mprotect(p, SIZE / 2 * MIB, PROT_READ), 0); /* never written to */
	promised("half made read-only", 0);
	CHECK_EQ(mprotect(p, SIZE / 2 * MIB, RW), 0);
	promised("and writable", 0);
	p[0] = 1;
	CHECK_EQ(mprotect(p, SIZE * MIB, PROT_READ), 0); /* written to: it stays */
	promised("all read-only, after a store", 0);
	CHECK_EQ(munmap(p, SIZE * MIB), 0);
	promised("unmapped", 0);
	p = map(SIZE * MIB, PROT_READ, ANON);
	q = map(SIZE * MIB, PROT_NONE, ANON);
	promised("not writable", 0);
	CHECK_EQ(mprotect(q, SIZE / 2 * MIB, RW), 0);
	promised("half of one writable", 0);
	CHECK_EQ(munmap(p, SIZE * MIB), 0);
	CHECK_EQ(munmap(q, SIZE / 4 * MIB), 0);
	promised("a part of it unmapped", 0);
	CHECK_EQ(munmap(q + SIZE / 4 * MIB, SIZE * 3 / 4 * MIB), 0);
	p = map(SIZE * MIB, RW, ANON | MAP_NORESERVE);
	promised("MAP_NORESERVE", 0);
	CHECK_EQ(mprotect(p, SIZE * MIB, PROT_READ), 0);
	CHECK_EQ(mprotect(p, SIZE * MIB, RW), 0);
	promised("and back", 0);
	CHECK_EQ(munmap(p, SIZE * MIB), 0);
	p = map(SIZE * MIB, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
	promised("shared", SIZE);
	CHECK_EQ(munmap(p, SIZE / 2 * MIB), 0);
	promised("half of it unmapped", SIZE); /* it is one thing */
	CHECK_EQ(munmap(p + SIZE / 2 * MIB, SIZE / 2 * MIB), 0);
	promised("all of it", 0);
	p = map(SIZE * MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
	promised("shared, MAP_NORESERVE", 0);
	memset(p, 1, SIZE / 4 * MIB);
	promised("a quarter of it written to", SIZE / 4);
	CHECK_EQ(munmap(p, SIZE * MIB), 0);
	promised("in the end", 0);
}

TEST(mm, promises_move_grow_and_are_forked)
{
	enum { SIZE = 64 };
	struct gate gate = gate_make();
	uint8_t *p, *q;
	pid_t child;

	start();
	p = map(SIZE * MIB, RW, ANON);
	p = mremap(p, SIZE * MIB, SIZE / 2 * MIB, 0);
	promised("shrunk", 0);
	p = mremap(p, SIZE / 2 * MIB, SIZE * MIB, MREMAP_MAYMOVE);
	promised("grown", 0);
	q = mremap(p, SIZE * MIB, SIZE * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(q != MAP_FAILED);
	promised("two of them", 0);
	CHECK(mmap(q, SIZE * MIB, PROT_READ, ANON | MAP_FIXED, -1, 0) == q);
	promised("one mapped over", 0);
	CHECK_EQ(madvise(p, SIZE / 4 * MIB, MADV_DONTFORK), 0);
	child = child_fork(); /* the child's own: what the parent owes, all but a quarter */
	if (child == 0) {
		gate_wait(&gate);
		_exit(0);
	}
	promised("forked, but for a quarter", to_mib(owed()) - SIZE / 4);
	gate_open(&gate);
	child_expect(child, 0);
	promised("the child is gone", 0);
	CHECK(sbrk(16 * (long)MIB) != (void *)-1);
	promised("break", 0);
	CHECK(sbrk(-16 * (long)MIB) != (void *)-1);
	CHECK_EQ(munmap(p, SIZE * MIB), 0);
	promised("in the end", 0);
}

TEST(mm, an_obvious_overcommit_is_refused)
{
	size_t all = (size_t)(meminfo_kib("MemTotal:") + meminfo_kib("SwapTotal:")) * 1024;

	say("all of memory and more: %s\n",
	    map(all + 16 * MIB, RW, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("shared: %s\n", map(all + 16 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS) == MAP_FAILED
				    ? errno_name(errno)
				    : "mapped");
	say("not reserved: %s\n", map(all + 16 * MIB, RW, ANON | MAP_NORESERVE) == MAP_FAILED
					  ? errno_name(errno)
					  : "mapped");
	say("read-only: %s\n",
	    map(all + 16 * MIB, PROT_READ, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	uint8_t *p = map(all + 16 * MIB, PROT_READ, ANON);
	TRY(mprotect(p, all + 16 * MIB, RW));
	TRY(mprotect(p, 16 * MIB, RW));
	say("three quarters, twice: ");
	for (int i = 0; i < 2; i++)
		say("%s ", map(all / 4 * 3, RW, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("\n");
}

TEST(mm, overcommit_always)
{
	size_t all = (size_t)(meminfo_kib("MemTotal:") + meminfo_kib("SwapTotal:")) * 1024;

	if (!on_coppice())
		return;
	set_parameter("overcommit_memory", "1");
	CHECK(map(all + 16 * MIB, RW, ANON) != MAP_FAILED);
	CHECK(map(all + 16 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS) != MAP_FAILED);
	CHILD (0)
		CHECK(map(all + 16 * MIB, RW, ANON) != MAP_FAILED);
	set_parameter("overcommit_memory", "2");
	CHECK(map(PAGE, RW, ANON) == MAP_FAILED && errno == ENOMEM); /* far too much is promised */
	CHECK_EQ(fork(), -1);
	CHECK_EQ(errno, ENOMEM);
	set_parameter("overcommit_memory", "0");
	CHECK(map(PAGE, RW, ANON) != MAP_FAILED);
}

TEST(mm, overcommit_never_keeps_to_its_limit)
{
	uint8_t *p, *q;
	long limit, left;
	char kib[30];

	if (!on_coppice())
		return;
	set_parameter("overcommit_ratio", "80");
	limit = meminfo_kib("MemTotal:") / 100 * 80 + meminfo_kib("SwapTotal:");
	CHECK(labs(meminfo_kib("CommitLimit:") - limit) < 200);
	snprintf(kib, sizeof(kib), "%ld", committed() + 64 * 1024 - meminfo_kib("SwapTotal:"));
	set_parameter("overcommit_kbytes", kib);
	set_parameter("overcommit_memory", "2");
	left = (meminfo_kib("CommitLimit:") - committed()) / 1024;
	CHECK(left > 60 && left <= 64);
	p = map(32 * MIB, RW, ANON | MAP_NORESERVE); /* which is not heeded now */
	CHECK(p != MAP_FAILED);
	CHECK(map(40 * MIB, RW, ANON) == MAP_FAILED && errno == ENOMEM);
	CHECK(map(40 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS) == MAP_FAILED && errno == ENOMEM);
	q = map(40 * MIB, PROT_READ, ANON);
	CHECK(q != MAP_FAILED);
	CHECK_ERRNO(mprotect(q, 40 * MIB, RW), ENOMEM);
	CHECK_EQ(mprotect(q, 8 * MIB, RW), 0);
	CHECK(mremap(p, 32 * MIB, 64 * MIB, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	CHECK(sbrk(40 * (long)MIB) == (void *)-1 && errno == ENOMEM);
	CHECK_EQ(fork(), -1);
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(munmap(p, 32 * MIB), 0);
	p = map(40 * MIB, RW, ANON);
	CHECK(p != MAP_FAILED);
	set_parameter("overcommit_memory", "0");
	set_parameter("overcommit_ratio", "50");
	CHECK(labs(meminfo_kib("CommitLimit:") - meminfo_kib("MemTotal:") / 2 -
		   meminfo_kib("SwapTotal:")) < 200);
}

static long status_kib(const char *name)
{
	char line[200];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = atol(line + strlen(name));
	fclose(f);
	return kib;
}

/* It counts what is private and writable, and no stacks; the break, too. */
TEST(mm, rlimit_data_counts_private_writable_memory)
{
	uint8_t *readable = map(8 * PAGE, PROT_READ, ANON), *p = map(4 * PAGE, RW, ANON);
	struct rlimit limit = { (rlim_t)status_kib("VmData:") * 1024, RLIM_INFINITY };
	int fd = file_make("f", PAGE);

	CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
	say("writable: %s\n", map(PAGE, RW, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("to write alone: %s\n",
	    map(PAGE, PROT_WRITE, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("read-only: %s\n",
	    map(PAGE, PROT_READ, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("shared: %s\n",
	    map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("a stack: %s\n",
	    map(PAGE, RW, ANON | MAP_GROWSDOWN) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("of a file: %s\n",
	    mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno_name(errno) : "mapped");
	TRY(mprotect(readable, PAGE, RW));
	TRY(mprotect(p, PAGE, PROT_READ));
	TRY(mprotect(readable, PAGE, RW)); /* what the one lost */
	TRY(mprotect(p, PAGE, RW));
	say("grown: %s\n", mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED
				   ? errno_name(errno)
				   : "done");
	say("in place of another: %s\n",
	    mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? errno_name(errno)
									    : "mapped");
	say("break: %s\n", sbrk((long)PAGE) == (void *)-1 ? errno_name(errno) : "moved");
	limit.rlim_cur = 0; /* then the hard limit is meant */
	CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
	say("with a limit of 0: %s\n",
	    map(PAGE, RW, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
	say("break: %s\n", sbrk((long)PAGE) == (void *)-1 ? errno_name(errno) : "moved");
	limit.rlim_max = PAGE;
	CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
	say("and one that is too small: %s\n",
	    map(PAGE, RW, ANON) == MAP_FAILED ? errno_name(errno) : "mapped");
}

TEST(mm, rlimit_stack_ends_a_mapped_stack)
{
	struct rlimit limit;
	uint8_t *room = map(4000 * PAGE, PROT_NONE, ANON | MAP_NORESERVE),
		*stack = room + 3999 * PAGE;

	CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
	CHECK_EQ(munmap(room, 4000 * PAGE), 0);
	CHECK(mmap(stack, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == stack);
	limit.rlim_cur = 100 * PAGE;
	CHECK_EQ(setrlimit(RLIMIT_STACK, &limit), 0);
	CHECK_EQ(probe_write(stack - 99 * PAGE, 1), 0);
	CHECK_EQ(probe_write(stack - 100 * PAGE, 1), SIGSEGV);
	say("%s\n", maps_shape(stack - 110 * PAGE, 111));
}

/* The page faults of one loop over fresh pages, once for each page. */
TEST(mm, faults_are_counted)
{
	enum { PAGES = 64 };
	struct rusage before, after;
	uint8_t *p = map_anon(PAGES);

	CHECK_EQ(madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE), 0);
	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	for (size_t i = 0; i < PAGES; i++)
		((volatile uint8_t *)p)[i * PAGE] = 1;
	CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	say("stores: %ld %ld\n", after.ru_minflt - before.ru_minflt,
	    after.ru_majflt - before.ru_majflt);
	CHECK_EQ(madvise(p, PAGES * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	for (size_t i = 0; i < PAGES; i++)
		(void)((volatile uint8_t *)p)[i * PAGE];
	for (size_t i = 0; i < PAGES; i++)
		((volatile uint8_t *)p)[i * PAGE] = 1;
	CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	say("loads, then stores: %ld %ld\n", after.ru_minflt - before.ru_minflt,
	    after.ru_majflt - before.ru_majflt);
}
