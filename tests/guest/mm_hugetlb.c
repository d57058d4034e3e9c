/*
 * mm_hugetlb.c - huge pages by name (MAP_HUGETLB, MFD_HUGETLB) where none are set aside: what can be made and mapped all the same, with
 * MAP_NORESERVE, and what happens there.
 */
#include "check.h"

#include <linux/memfd.h>

#define HUGE (2UL << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define TRY_MAP(...)                                                                            \
	do {                                                                                    \
		void *p_ = mmap(__VA_ARGS__);                                                   \
		say("%s: %s\n", #__VA_ARGS__, p_ == MAP_FAILED ? errno_name(errno) : "mapped"); \
	} while (0)

/* There may be some where the tests run: then they are of no use. */
static bool none_there(void)
{
	void *p = mmap(NULL, HUGE, RW, ANON | MAP_HUGETLB, -1, 0);

	return p == MAP_FAILED;
}

static char *map_huge(void)
{
	char *p = mmap(NULL, HUGE, RW, ANON | MAP_HUGETLB | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED && (uintptr_t)p % HUGE == 0);
	return p;
}

/* Flags and page size in smaps, and the name in maps. */
static void show(void *at)
{
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx", &start, &end) == 2) {
			here = start == (unsigned long)at;
			if (here)
				say("%lu KiB %s", (end - start) >> 10, strrchr(line, '/') ?: "\n");
		} else if (here &&
			   (!strncmp(line, "KernelPage", 10) || !strncmp(line, "VmFlags", 7))) {
			say("%s", line);
		}
	}
	fclose(f);
}

TEST(mm, hugetlb_without_a_reserve_maps_and_faults)
{
	if (!none_there())
		return;
	TRY_MAP(NULL, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	TRY_MAP(NULL, PAGE, RW, ANON | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	TRY_MAP(NULL, HUGE, RW, ANON | MAP_HUGETLB | MAP_NORESERVE | 30 << 26, -1, 0);
	TRY_MAP(NULL, HUGE, RW, ANON | MAP_HUGETLB | MAP_NORESERVE | 12 << 26, -1, 0);
	char *p = map_huge(), *q = map_huge();
	unsigned char v[HUGE / PAGE];
	show(p);
	CHECK(mincore(p, HUGE, v) == 0 && !v[0] && !v[HUGE / PAGE - 1]);
	CHECK_FAULT(probe_read(p + 17), SIGBUS, BUS_ADRERR, p + 17);
	CHECK_FAULT(probe_write(p + HUGE - 1, 1), SIGBUS, BUS_ADRERR, p + HUGE - 1);
	CHILD (0)
		CHECK_FAULT(probe_read(p), SIGBUS, BUS_ADRERR, p);
	TRY(munmap(p, PAGE));
	TRY(munmap(p + PAGE, HUGE - PAGE));
	TRY(mprotect(p, PAGE, PROT_READ));
	TRY(mprotect(p, HUGE, PROT_READ));
	TRY(mprotect(p, HUGE, RW));
	TRY(mlock(p, HUGE));
	TRY(madvise(p, PAGE, MADV_DONTNEED));
	TRY(madvise(p + PAGE, PAGE, MADV_DONTNEED));
	TRY(madvise(p + PAGE, PAGE, MADV_RANDOM));
	TRY(madvise(p, HUGE, MADV_FREE));
	TRY(madvise(p, HUGE, MADV_POPULATE_READ));
	TRY(madvise(p, HUGE, MADV_POPULATE_WRITE));
	TRY(madvise(p, HUGE, MADV_REMOVE));
	TRY(madvise(p, HUGE, MADV_COLD));
	TRY(madvise(p, HUGE, MADV_PAGEOUT));
	TRY(madvise(p, HUGE, 102)); /* MADV_GUARD_INSTALL */
	TRY(madvise(p, HUGE, 103));
	TRY(madvise(p, HUGE, MADV_WIPEONFORK));
	TRY(madvise(p, HUGE, MADV_WILLNEED));
	TRY(msync(p, HUGE, MS_SYNC));
	TRY(mremap(p, HUGE, 2 * HUGE, 0) == MAP_FAILED ? -1 : 0);
	TRY(mremap(p, HUGE, 2 * HUGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	TRY(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == MAP_FAILED ? -1 : 0);
	TRY(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, q) == MAP_FAILED
		    ? -1
		    : 0);
	TRY(mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q ? 0 : -1);
	TRY(mremap(q, PAGE, 2 * PAGE, 0) == q ? 0 : -1); /* both are one huge page */
	show(q);
	TRY_MAP(q + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	TRY_MAP(q, HUGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(probe_write(q, 1), 0);
	CHECK(mlockall(MCL_FUTURE) == 0);
	p = map_huge();
	show(p);
	TRY(munmap(p, HUGE));
}

TEST(mm, hugetlb_files)
{
	struct stat st;
	char byte, path[64], name[64] = "";
	int fd;

	if (!none_there())
		return;
	TRY_FD(memfd_create("h", MFD_HUGETLB | MFD_HUGE_2MB));
	TRY_FD(memfd_create("h", MFD_HUGETLB | MFD_HUGE_1GB));
	TRY_FD(memfd_create("h", MFD_HUGETLB | 12 << 26));
	TRY_FD(memfd_create("h", MFD_HUGE_2MB));
	fd = memfd_create("h", MFD_HUGETLB | MFD_ALLOW_SEALING);
	CHECK(fd >= 0);
	sprintf(path, "/proc/self/fd/%d", fd);
	CHECK(readlink(path, name, sizeof(name) - 1) > 0);
	say("%s\n", name);
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(ftruncate(fd, PAGE));
	TRY(ftruncate(fd, HUGE));
	TRY(fallocate(fd, 0, 0, HUGE));
	TRY(write(fd, "x", 1));
	TRY(pread(fd, &byte, 1, 0));
	TRY(pread(fd, &byte, 1, HUGE));
	TRY_MAP(NULL, HUGE, RW, MAP_SHARED, fd, 0);
	TRY_MAP(NULL, HUGE, RW, MAP_PRIVATE, fd, 0);
	TRY_MAP(NULL, HUGE, RW, MAP_SHARED | MAP_NORESERVE, fd, PAGE);
	TRY_MAP(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 4 * HUGE);
	TRY_MAP(NULL, PAGE, RW, MAP_SHARED | MAP_HUGETLB | MAP_NORESERVE, fd, 0);
	CHECK(fstat(fd, &st) == 0);
	say("%lld bytes\n", (long long)st.st_size);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_NORESERVE, fd, HUGE); /* makes it longer */
	CHECK(p != MAP_FAILED && fstat(fd, &st) == 0);
	say("%lld bytes\n", (long long)st.st_size);
	show(p);
	CHECK_FAULT(probe_read(p), SIGBUS, BUS_ADRERR, p);
	TRY(madvise(p, HUGE, MADV_REMOVE));
	TRY(munmap(p, HUGE));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	TRY(ftruncate(fd, 0));
	TRY(ftruncate(fd, 4 * HUGE));
	close(fd);
	fd = memfd_create("plain", 0);
	TRY_MAP(NULL, HUGE, RW, MAP_SHARED | MAP_HUGETLB, fd, 0);
	close(fd);
}
