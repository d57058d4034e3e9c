/*
 * vdso.c - the shared library that the kernel maps into every program, and that its clocks are those of the calls. Next: clone.c.
 */
#include "threads.h"

#include <dlfcn.h>
#include <elf.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

/* --- finding a function as a C library does --- */

struct image {
	uintptr_t base;
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash;
	const uint16_t *versions;
};

static void image_open(struct image *v)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Phdr *p = (const Elf64_Phdr *)((uintptr_t)h + h->e_phoff);
	const Elf64_Dyn *dynamic = NULL;

	CHECK(memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_type == ET_DYN &&
	      h->e_machine == EM_X86_64);
	for (int i = 0; i < h->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD)
			v->base = (uintptr_t)h + p[i].p_offset - p[i].p_vaddr;
		if (p[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf64_Dyn *)((uintptr_t)h + p[i].p_offset);
	}
	CHECK(dynamic != NULL);
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = (const void *)(v->base + dynamic->d_un.d_ptr);

		if (dynamic->d_tag == DT_SYMTAB)
			v->symbols = at;
		if (dynamic->d_tag == DT_STRTAB)
			v->strings = at;
		if (dynamic->d_tag == DT_HASH)
			v->hash = at;
		if (dynamic->d_tag == DT_VERSYM)
			v->versions = at;
	}
}

static void *image_find(const struct image *v, const char *name)
{
	for (uint32_t i = 0; i < v->hash[1]; i++) {
		if (v->symbols[i].st_shndx && strcmp(v->strings + v->symbols[i].st_name, name) == 0)
			return (void *)(v->base + v->symbols[i].st_value);
	}
	return NULL;
}

static int (*vdso_gettime)(clockid_t clock, struct timespec *ts);
static int (*vdso_getres)(clockid_t clock, struct timespec *ts);
static int (*vdso_gettimeofday)(struct timeval *tv, struct timezone *tz);
static time_t (*vdso_time)(time_t *t);
static long (*vdso_getcpu)(unsigned int *cpu, unsigned int *node, void *unused);

static void find_all(void)
{
	struct image v = { 0 };

	image_open(&v);
	CHECK((vdso_gettime = image_find(&v, "__vdso_clock_gettime")));
	CHECK((vdso_getres = image_find(&v, "__vdso_clock_getres")));
	CHECK((vdso_gettimeofday = image_find(&v, "__vdso_gettimeofday")));
	CHECK((vdso_time = image_find(&v, "__vdso_time")));
	CHECK((vdso_getcpu = image_find(&v, "__vdso_getcpu")));
}

TEST(vdso, has_the_names_that_libraries_look_for)
{
	static const char *const names[] = { "clock_gettime", "gettimeofday", "time", "getcpu",
					     "clock_getres" };
	struct image v = { 0 };

	image_open(&v);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char full[64];

		snprintf(full, sizeof(full), "__vdso_%s", names[i]);
		say("%s: %s, the same as %s: %d\n", full,
		    image_find(&v, full) ? "there" : "missing", names[i],
		    image_find(&v, full) == image_find(&v, names[i]));
	}
	CHECK(v.versions != NULL);
}

/* --- its clocks --- */

static int64_t ns_of(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t by_call(clockid_t clock)
{
	struct timespec t;

	CHECK_EQ(raw_syscall(SYS_clock_gettime, clock, (long)&t, 0, 0, 0, 0), 0);
	return ns_of(t);
}

static int64_t by_vdso(clockid_t clock)
{
	struct timespec t;

	CHECK_EQ(vdso_gettime(clock, &t), 0);
	return ns_of(t);
}

TEST(vdso, its_clocks_are_those_of_the_calls)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
					    CLOCK_BOOTTIME, CLOCK_TAI };

	find_all();
	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		for (int round = 0; round < 5000; round++) {
			int64_t a = by_vdso(clocks[i]), b = by_call(clocks[i]),
				c = by_vdso(clocks[i]);

			CHECK(a <= b && b <= c);
		}
	}
}

TEST(vdso, other_clocks_are_asked_of_the_kernel)
{
	struct timespec t;

	find_all();
	CHECK_EQ(vdso_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	CHECK_EQ(vdso_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	CHECK_EQ(vdso_gettime(CLOCK_MONOTONIC_COARSE, &t), 0);
	CHECK_EQ(vdso_gettime(CLOCK_REALTIME_COARSE, &t), 0);
	SAY((long)vdso_gettime(10, &t));
	SAY((long)vdso_gettime(16, &t));
	SAY((long)vdso_gettime(-1, &t));
	SAY((long)vdso_gettime(1000, &t));
	for (clockid_t clock = 0; clock < 12; clock++) {
		struct timespec u = { 7, 7 };

		if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
			continue; /* not without a clock that wakes the machine */
		long r = vdso_getres(clock, &t);
		long s = raw_syscall(SYS_clock_getres, clock, (long)&u, 0, 0, 0, 0);

		say("resolution of %d: %s\n", clock, result_name(r));
		CHECK(r == s && (r || ns_of(t) == ns_of(u)));
		CHECK_EQ(vdso_getres(clock, NULL), r);
	}
}

TEST(vdso, seconds_and_microseconds)
{
	struct timeval tv, by;
	struct timezone tz = { 9, 9 };
	time_t t = 0;

	find_all();
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(vdso_gettimeofday(&tv, &tz), 0);
		CHECK_EQ(raw_syscall(SYS_gettimeofday, (long)&by, 0, 0, 0, 0, 0), 0);
		CHECK(timercmp(&tv, &by, <=));
	}
	CHECK(tz.tz_minuteswest == 0 && tz.tz_dsttime == 0);
	CHECK_EQ(vdso_gettimeofday(NULL, NULL), 0);
	time_t before = raw_syscall(SYS_time, 0, 0, 0, 0, 0, 0), now = vdso_time(&t);
	CHECK(t == now && now >= before && now <= before + 2);
	CHECK(vdso_time(NULL) >= now);
}

TEST(vdso, the_number_of_the_cpu)
{
	cpu_set_t all;

	find_all();
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned int now = 999, node = 999;
		cpu_set_t one;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK_EQ(vdso_getcpu(&now, &node, NULL), 0);
		CHECK(now == (unsigned int)cpu && node == 0);
		CHECK_EQ(sched_getcpu(), cpu);
		CHECK_EQ(raw_syscall(SYS_getcpu, (long)&now, 0, 0, 0, 0, 0), 0);
		CHECK_EQ(now, cpu);
	}
	CHECK_EQ(vdso_getcpu(NULL, NULL, NULL), 0);
}

static _Atomic int64_t latest;
static _Atomic bool stop;

static long read_clock(struct worker *w)
{
	(void)w;
	while (!stop) {
		int64_t seen = latest,
			now = w->number & 1 ? by_call(CLOCK_MONOTONIC) : by_vdso(CLOCK_MONOTONIC);

		if (now < seen)
			return seen - now;
		while (now > seen && !atomic_compare_exchange_weak(&latest, &seen, now))
			;
	}
	return 0;
}

TEST(vdso, time_never_goes_back_between_cpus)
{
	struct worker w[4];

	find_all();
	for (int i = 0; i < 4; i++) {
		w[i].number = i;
		worker_start(&w[i], read_clock, NULL);
	}
	usleep(300000);
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(worker_join(&w[i]), 0);
}

/* --- its areas --- */

/* The bytes that areas of this name take from *start on; *mode: of the first. */
static size_t area_find(const char *name, uintptr_t *start, char mode[5])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t size = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from, to;
		char m[5], *found = strstr(line, name);

		if (!found || sscanf(line, "%lx-%lx %4s", &from, &to, m) != 3)
			continue;
		if (!size) {
			*start = from;
			strcpy(mode, m);
		}
		size += to - from;
	}
	fclose(maps);
	return size;
}

TEST(vdso, its_areas)
{
	uintptr_t image = 0, data = 0;
	char mode[5], data_mode[5];
	size_t size = area_find("[vdso]", &image, mode),
	       data_size = area_find("[vvar]", &data, data_mode);

	CHECK(size && data_size);
	CHECK(image == getauxval(AT_SYSINFO_EHDR) && data < image);
	say("[vdso] %s, [vvar] %s\n", mode, data_mode);
	SAY(raw_syscall(SYS_mprotect, (long)data, (long)data_size, PROT_READ | PROT_WRITE, 0, 0,
			0));
	SAY(raw_syscall(SYS_mprotect, (long)data, (long)data_size, PROT_READ | PROT_EXEC, 0, 0, 0));
	SAY(raw_syscall(SYS_mremap, (long)image, (long)size, (long)size + 4096, 1, 0, 0));
	SAY(raw_syscall(SYS_madvise, (long)data, (long)data_size, MADV_DONTNEED, 0, 0, 0));
	SAY(raw_syscall(SYS_mlock, (long)image, (long)size, 0, 0, 0, 0));
	int zero = file_make("zero", PAGE);
	SAY(pwrite(zero, (void *)image, 64, 0));
	SAY(raw_syscall(SYS_pread64, zero, (long)image, 64, 0, 0, 0));
	CHECK_FAULT(probe_write((uint8_t *)image, 1), SIGSEGV, SEGV_ACCERR, image);
}

TEST(vdso, it_can_be_written_to_once_permitted)
{
	uintptr_t image = 0;
	char mode[5];
	size_t size = area_find("[vdso]", &image, mode);
	uint8_t *byte = (uint8_t *)image + 15;

	CHECK(mprotect((void *)image, size, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	*byte = 77;
	CHILD (0) {
		CHECK_EQ(*byte, 77);
		*byte = 78;
		find_all();
		CHECK(by_vdso(CLOCK_MONOTONIC) <= by_call(CLOCK_MONOTONIC));
	}
	CHECK_EQ(*byte, 77);
	helper_link("auxv");
	CHECK_STR(exec_result("./helper-auxv", (char *[]){ "helper-auxv", NULL }, NULL),
		  "exit 0"); /* has its own */
}

TEST(vdso, it_can_be_moved_and_unmapped)
{
	uintptr_t image = 0, data = 0, now = 0;
	char mode[5];
	size_t size = area_find("[vdso]", &image, mode),
	       data_size = area_find("[vvar]", &data, mode);
	uint8_t *to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mremap((void *)image, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK_EQ(area_find("[vdso]", &now, mode), size);
	CHECK(now == (uintptr_t)to);
	CHECK(memcmp(to, ELFMAG, SELFMAG) == 0);
	CHECK(munmap(to, size) == 0);
	CHECK_EQ(area_find("[vdso]", &now, mode), 0);
	CHECK(munmap((void *)data, data_size) == 0);
	struct timespec t; /* the call still works */
	CHECK_EQ(raw_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0, 0, 0), 0);
}
