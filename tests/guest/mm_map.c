/*
 * mm_map.c - mmap, munmap, mprotect, brk, mremap, madvise, mincore: shapes and errors.
 *
 * Central rule: /proc/self/maps tells what areas there are, in shape; each call's errors are tried on a range that must stay as it was. Next:
 * mm_big.c.
 */
#include "check.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static uint8_t *reserve(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_NONE, ANON, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

#define CHECK_MAP_ERRNO(addr, len, prot, flags, fd, off, want) \
	CHECK_EQ(raw_syscall(SYS_mmap, (long)(addr), len, prot, flags, fd, off), -(want))

TEST(mm, mmap_errors)
{
	int fd = file_make("f", 2 * PAGE), pipe_fd[2];
	int read_only = open("f", O_RDONLY), write_only = open("f", O_WRONLY),
	    path = open("f", O_PATH);
	int directory = open(".", O_RDONLY);
	uint8_t *p = map_anon(2);

	CHECK(pipe(pipe_fd) == 0);
	CHECK_MAP_ERRNO(NULL, 0, RW, ANON, -1, 0, EINVAL);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0, EINVAL);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_PRIVATE, -1, 0, EBADF);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_PRIVATE, 1000, 0, EBADF);
	CHECK_MAP_ERRNO(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0, EBADF);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_PRIVATE, fd, 1, EINVAL);
	CHECK_MAP_ERRNO(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0, EINVAL);
	CHECK_MAP_ERRNO(NULL, 1UL << 47, RW, ANON, -1, 0, ENOMEM);
	CHECK_MAP_ERRNO(NULL, -1L, RW, ANON, -1, 0, ENOMEM);
	CHECK_MAP_ERRNO(0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0, ENOMEM);
	CHECK_MAP_ERRNO(0x00007ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0, ENOMEM);
	CHECK_MAP_ERRNO(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0, EACCES);
	CHECK_MAP_ERRNO(NULL, PAGE, PROT_READ, MAP_SHARED, write_only, 0, EACCES);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_SHARED, read_only, 0, EACCES);
	CHECK_MAP_ERRNO(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0, ENODEV);
	CHECK_MAP_ERRNO(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipe_fd[0], 0, ENODEV);
	CHECK_MAP_ERRNO(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0xfffffffffffff000, EOVERFLOW);
	CHECK_MAP_ERRNO(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0, EEXIST);
	CHECK_MAP_ERRNO(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x200000, fd, 0, EOPNOTSUPP);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, read_only, 0) != MAP_FAILED);
	CHECK_STR(maps_shape(p, 2), "rw-p*2");
}

TEST(mm, mmap_takes_a_free_hint_and_avoids_a_taken_one)
{
	uint8_t *p = reserve(8);

	CHECK(munmap(p + 2 * PAGE, 4 * PAGE) == 0);
	CHECK(mmap(p + 3 * PAGE, PAGE, RW, ANON, -1, 0) == p + 3 * PAGE);
	CHECK(mmap(p + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 4 * PAGE);
	CHECK_STR(maps_shape(p + 2 * PAGE, 4), ".*1 rw-p*2 .*1");
	uint8_t *q = mmap(p + 3 * PAGE, PAGE, RW, ANON, -1, 0);
	CHECK(q != MAP_FAILED && q != p + 3 * PAGE);
}

TEST(mm, mmap_rounds_the_length_up)
{
	uint8_t *p = reserve(4);

	CHECK(munmap(p, 4 * PAGE) == 0);
	CHECK(mmap(p, PAGE + 1, RW, ANON | MAP_FIXED, -1, 0) == p);
	CHECK_STR(maps_shape(p, 4), "rw-p*2 .*2");
	CHECK(munmap(p, 1) == 0);
	CHECK_STR(maps_shape(p, 4), ".*1 rw-p*1 .*2");
}

TEST(mm, munmap_splits_areas)
{
	uint8_t *p = map_anon(10);

	fill(p, 10, 0x10);
	CHECK(munmap(p + 4 * PAGE, 2 * PAGE) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*4 .*2 rw-p*4");
	CHECK(munmap(p, PAGE) == 0);
	CHECK(munmap(p + 9 * PAGE, PAGE) == 0);
	CHECK_STR(maps_shape(p, 10), ".*1 rw-p*3 .*2 rw-p*3 .*1");
	CHECK(filled(p + PAGE, 3, 0x11));
	CHECK(filled(p + 6 * PAGE, 3, 0x16));
	CHECK(munmap(p, 10 * PAGE) == 0); /* holes do not matter */
	CHECK(munmap(p, 10 * PAGE) == 0);
	CHECK_STR(maps_shape(p, 10), ".*10");
}

TEST(mm, munmap_errors)
{
	uint8_t *p = map_anon(2);

	CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERRNO(munmap(p, 0), EINVAL);
	CHECK_ERRNO(munmap((void *)0xffff800000000000, PAGE), EINVAL);
	CHECK_ERRNO(munmap(p, -PAGE), EINVAL);
	CHECK_ERRNO(munmap((void *)0x7fffffffe000, 2 * PAGE), EINVAL);
	CHECK_STR(maps_shape(p, 2), "rw-p*2");
}

TEST(mm, unmapped_memory_comes_back_zeroed)
{
	uint8_t *p = map_anon(4);

	for (int i = 0; i < 8; i++) {
		fill(p, 4, 0x99);
		CHECK(munmap(p, 4 * PAGE) == 0);
		CHECK(mmap(p, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
		CHECK(all_bytes(p, 4 * PAGE, 0));
	}
}

TEST(mm, a_fixed_mapping_replaces_what_was_there)
{
	uint8_t *p = map_anon(8);
	int fd = file_make("f", 2 * PAGE);

	fill(p, 8, 0x10);
	CHECK(mmap(p + 3 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
	      p + 3 * PAGE);
	CHECK_STR(maps_shape(p, 8), "rw-p*3 r--s*2 rw-p*3");
	CHECK_EQ(p[3 * PAGE], 1);
	CHECK_EQ(p[4 * PAGE], 2);
	CHECK(filled(p, 3, 0x10));
	CHECK(filled(p + 5 * PAGE, 3, 0x15));
}

TEST(mm, mprotect_splits_and_merges_areas)
{
	uint8_t *p = map_anon(10);

	fill(p, 10, 0x10);
	CHECK(mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*4 r--p*2 rw-p*4");
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*2 r--p*4 rw-p*4");
	CHECK(mprotect(p + 3 * PAGE, PAGE, PROT_NONE) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*2 r--p*1 ---p*1 r--p*2 rw-p*4");
	CHECK(mprotect(p + PAGE, 8 * PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*1 r-xp*8 rw-p*1");
	CHECK(mprotect(p, 10 * PAGE, RW) == 0);
	CHECK_STR(maps_shape(p, 10), "rw-p*10");
	CHECK(filled(p, 10, 0x10));
	CHECK(mprotect(p, 0, PROT_NONE) == 0);
	CHECK(mprotect(p, 1, PROT_READ) == 0);
	CHECK_STR(maps_shape(p, 10), "r--p*1 rw-p*9");
}

TEST(mm, mprotect_errors)
{
	uint8_t *p = map_anon(4);
	int fd = file_make("f", PAGE), read_only = open("f", O_RDONLY);

	CHECK_ERRNO(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERRNO(mprotect(p, PAGE, 0x10), EINVAL);
	CHECK_ERRNO(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	CHECK_ERRNO(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK_ERRNO(mprotect(p, -PAGE, PROT_READ), ENOMEM);
	CHECK_STR(maps_shape(p, 4), "rw-p*4");
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
	CHECK_ERRNO(mprotect(p + 2 * PAGE, PAGE, PROT_READ), ENOMEM);
	CHECK_ERRNO(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM); /* as far as the hole it is done */
	CHECK_STR(maps_shape(p, 4), "r--p*2 .*1 rw-p*1");
	uint8_t *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
	CHECK_ERRNO(mprotect(file, PAGE, RW), EACCES);
	CHECK(mprotect(file, PAGE, PROT_NONE) == 0);
	CHECK(mprotect(file, PAGE, PROT_READ) == 0);
	uint8_t *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, read_only, 0);
	CHECK(mprotect(private, PAGE, RW) == 0);
	private[0] = 9;
	uint8_t byte;
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 1);
}

TEST(mm, adjacent_mappings_of_one_kind_merge)
{
	uint8_t *p = reserve(8);

	CHECK(munmap(p, 8 * PAGE) == 0);
	CHECK(mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 2 * PAGE);
	CHECK(mmap(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 4 * PAGE);
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK(mmap(p + 6 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 6 * PAGE);
	CHECK_STR(maps_shape(p, 8), ".*1 rw-p*5 r--p*1 .*1");
}

TEST(mm, adjacent_mappings_of_a_file_merge_where_the_offset_goes_on)
{
	int fd = file_make("f", 8 * PAGE);
	uint8_t *p = reserve(6);

	CHECK(munmap(p, 6 * PAGE) == 0);
	CHECK(mmap(p, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == p);
	CHECK(mmap(p + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 2 * PAGE) ==
	      p + 2 * PAGE);
	CHECK(mmap(p + 4 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 6 * PAGE) ==
	      p + 4 * PAGE);
	CHECK_STR(maps_shape(p, 6), "r--p*4 r--p*2");
	CHECK_EQ(p[3 * PAGE], 4);
	CHECK_EQ(p[4 * PAGE], 7);
}

/* --- brk --- */

static uint8_t *brk_to(void *to)
{
	return (uint8_t *)raw_syscall(SYS_brk, (long)to, 0, 0, 0, 0, 0);
}

TEST(mm, brk_grows_and_shrinks)
{
	uint8_t *start = (uint8_t *)(((uintptr_t)brk_to(NULL) + PAGE - 1) & ~(PAGE - 1));

	CHECK(brk_to(start) == start);
	CHECK(brk_to(start + 4 * PAGE) == start + 4 * PAGE);
	CHECK(all_bytes(start, 4 * PAGE, 0));
	fill(start, 4, 0x10);
	CHECK(brk_to(start + 2 * PAGE) == start + 2 * PAGE);
	CHECK_EQ(probe_read(start + 2 * PAGE), SIGSEGV);
	CHECK(brk_to(start + 4 * PAGE) == start + 4 * PAGE);
	CHECK(all_bytes(start + 2 * PAGE, 2 * PAGE, 0));
	CHECK(filled(start, 2, 0x10));
	CHECK(brk_to(start + 2 * PAGE + 1) ==
	      start + 2 * PAGE + 1); /* half a page keeps the page */
	CHECK_EQ(probe_read(start + 3 * PAGE - 1), 0);
	CHECK_EQ(probe_read(start + 3 * PAGE), SIGSEGV);
	CHECK(brk_to((void *)1) == start + 2 * PAGE + 1);
	CHECK(brk_to((void *)0xffff800000000000) == start + 2 * PAGE + 1);
}

TEST(mm, brk_stops_at_a_mapping)
{
	uint8_t *start = (uint8_t *)(((uintptr_t)brk_to(NULL) + PAGE - 1) & ~(PAGE - 1));

	CHECK(mmap(start + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) ==
	      start + 8 * PAGE);
	CHECK(brk_to(start + 4 * PAGE) == start + 4 * PAGE);
	CHECK(brk_to(start + 9 * PAGE) == start + 4 * PAGE);
	CHECK(brk_to(start + 12 * PAGE) == start + 4 * PAGE);
}

TEST(mm, brk_respects_rlimit_data)
{
	struct rlimit limit = { 32 << 20, RLIM_INFINITY };
	uint8_t *start = brk_to(NULL);

	CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
	CHECK(brk_to(start + (64 << 20)) == start);
	CHECK(sbrk(PAGE) == start);
}

/* --- mremap --- */

#define CHECK_MREMAP_ERRNO(want, ...) CHECK_ERRNO(mremap(__VA_ARGS__), want)

TEST(mm, mremap_shrinks_and_grows_in_place)
{
	uint8_t *p = reserve(16);

	CHECK(munmap(p, 16 * PAGE) == 0);
	CHECK(mmap(p, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
	fill(p, 4, 0x10);
	CHECK(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
	CHECK_STR(maps_shape(p, 16), "rw-p*2 .*14");
	CHECK(mremap(p, 2 * PAGE, 8 * PAGE, 0) == p);
	CHECK_STR(maps_shape(p, 16), "rw-p*8 .*8");
	CHECK(filled(p, 2, 0x10));
	CHECK(all_bytes(p + 2 * PAGE, 6 * PAGE, 0));
	CHECK(mremap(p, 8 * PAGE, 8 * PAGE, 0) == p);
	CHECK(mmap(p + 8 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 8 * PAGE);
	CHECK_MREMAP_ERRNO(ENOMEM, p, 8 * PAGE, 9 * PAGE, 0);
}

TEST(mm, mremap_moves)
{
	uint8_t *p = map_anon(5);

	CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_READ) == 0); /* in the way */
	fill(p, 4, 0x10);
	uint8_t *q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	CHECK(filled(q, 4, 0x10));
	CHECK(all_bytes(q + 4 * PAGE, 4 * PAGE, 0));
	CHECK_STR(maps_shape(p, 5), ".*4 r--p*1");
	uint8_t *r =
		mremap(q + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE); /* the middle of an area */
	CHECK(r != MAP_FAILED);
	CHECK(filled(r, 1, 0x12));
	CHECK_STR(maps_shape(q, 8), "rw-p*2 .*1 rw-p*5");
}

TEST(mm, mremap_to_a_fixed_place)
{
	uint8_t *p = map_anon(4), *target = reserve(8);

	fill(p, 4, 0x10);
	CHECK(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 2 * PAGE) ==
	      target + 2 * PAGE);
	CHECK_STR(maps_shape(target, 8), "---p*2 rw-p*4 ---p*2");
	CHECK(filled(target + 2 * PAGE, 4, 0x10));
	CHECK_STR(maps_shape(p, 4), ".*4");
}

TEST(mm, mremap_keeps_file_and_shared_mappings)
{
	int fd = file_make("f", 8 * PAGE);
	uint8_t *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 2 * PAGE);
	uint8_t *target = reserve(4);

	CHECK(mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK_EQ(target[0], 3);
	CHECK_EQ(target[3 * PAGE], 6);
	target[0] = 99;
	uint8_t byte;
	CHECK_EQ(pread(fd, &byte, 1, 2 * PAGE), 1);
	CHECK_EQ(byte, 99);
}

TEST(mm, mremap_after_fork_moves_shared_pages_apart)
{
	uint8_t *p = map_anon(4), *target = reserve(4);

	fill(p, 4, 0x10);
	CHILD (0) {
		CHECK(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) ==
		      target);
		fill(target, 2, 0x20);
		CHECK(filled(target + 2 * PAGE, 2, 0x12));
		CHECK_EQ(probe_read(p), SIGSEGV);
	}
	CHECK(filled(p, 4, 0x10));
	CHECK_EQ(probe_read(target), SIGSEGV);
}

TEST(mm, mremap_errors)
{
	uint8_t *p = map_anon(8);

	CHECK(mprotect(p + 4 * PAGE, 4 * PAGE, PROT_READ) == 0);
	CHECK_MREMAP_ERRNO(EINVAL, p + 1, PAGE, PAGE, 0);
	CHECK_MREMAP_ERRNO(EINVAL, p, PAGE, 0, 0);
	CHECK_MREMAP_ERRNO(EINVAL, p, PAGE, PAGE, 8);
	CHECK_MREMAP_ERRNO(EINVAL, p, PAGE, PAGE, MREMAP_FIXED, p + 2 * PAGE);
	CHECK_MREMAP_ERRNO(EINVAL, p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   p + 2 * PAGE);
	CHECK_MREMAP_ERRNO(EINVAL, p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * PAGE + 1);
	CHECK_MREMAP_ERRNO(EFAULT, p, 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
	CHECK_MREMAP_ERRNO(EFAULT, p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK_STR(maps_shape(p, 8), "rw-p*2 .*1 rw-p*1 r--p*4");
}

/* --- madvise, mincore --- */

TEST(mm, madvise_dontneed_zeroes_anonymous_memory)
{
	uint8_t *p = map_anon(8);

	fill(p, 8, 0x10);
	CHECK(madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED) == 0);
	CHECK(filled(p, 2, 0x10));
	CHECK(all_bytes(p + 2 * PAGE, 3 * PAGE, 0));
	CHECK(filled(p + 5 * PAGE, 3, 0x15));
	CHECK_STR(maps_shape(p, 8), "rw-p*8");
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0);
	CHECK(all_bytes(p, PAGE, 0));
}

TEST(mm, madvise_errors)
{
	uint8_t *p = map_anon(4);

	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(p, PAGE, 9999), EINVAL);
	CHECK_ERRNO(madvise(p, -PAGE, MADV_DONTNEED), EINVAL);
	CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
	fill(p, 4, 0x10);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK_ERRNO(madvise(p, 4 * PAGE, MADV_DONTNEED),
		    ENOMEM); /* what is mapped is done all the same */
	CHECK(all_bytes(p, PAGE, 0));
	CHECK(all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
	for (int advice = MADV_NORMAL; advice <= MADV_WILLNEED; advice++)
		CHECK(madvise(p, PAGE, advice) == 0);
}

TEST(mm, madv_free_keeps_what_is_written_afterwards)
{
	uint8_t *p = map_anon(4);

	fill(p, 4, 0x10);
	CHECK(madvise(p, 4 * PAGE, MADV_FREE) == 0);
	fill(p, 4, 0x20);
	CHECK(filled(p, 4, 0x20));
}

TEST(mm, mincore_tells_what_is_resident)
{
	uint8_t *p = map_anon(4), resident[4] = { 9, 9, 9, 9 };

	fill(p + PAGE, 2, 0x10);
	CHECK(mincore(p, 4 * PAGE, resident) == 0);
	CHECK_EQ(resident[0], 0);
	CHECK_EQ(resident[1], 1);
	CHECK_EQ(resident[2], 1);
	CHECK_EQ(resident[3], 0);
	CHECK_ERRNO(mincore(p + 1, PAGE, resident), EINVAL);
	CHECK_ERRNO(mincore(p, 4 * PAGE, (void *)1), EFAULT);
	CHECK(munmap(p + 3 * PAGE, PAGE) == 0);
	CHECK_ERRNO(mincore(p, 4 * PAGE, resident), ENOMEM);
}

TEST(mm, map_populate_makes_pages_resident)
{
	uint8_t resident[4];
	uint8_t *p = mmap(NULL, 4 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mincore(p, 4 * PAGE, resident) == 0);
	CHECK(all_bytes(resident, 4, 1));
}

TEST(mm, rlimit_as_limits_the_address_space)
{
	struct rlimit limit = { 256 << 20, RLIM_INFINITY };

	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK(mmap(NULL, 300UL << 20, RW, ANON, -1, 0) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
	uint8_t *p = mmap(NULL, 64UL << 20, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERRNO(mremap(p, 64UL << 20, 300UL << 20, MREMAP_MAYMOVE), ENOMEM);
	CHECK(munmap(p, 64UL << 20) == 0);
}

static size_t status_kib(const char *name)
{
	char text[4096], *at;

	file_read_text("/proc/self/status", text, sizeof(text));
	at = strstr(text, name);
	if (!at)
		FAIL("no %s in /proc/self/status", name);
	return strtoul(at + strlen(name), NULL, 10);
}

TEST(mm, rss_and_size_follow_what_is_touched)
{
	size_t size = status_kib("\nVmSize:"), anon = status_kib("\nRssAnon:");
	uint8_t *p = map_anon(4096);

	CHECK_EQ(status_kib("\nVmSize:") - size, 16384);
	CHECK(status_kib("\nRssAnon:") - anon < 1024);
	fill(p, 4096, 0x10);
	CHECK(status_kib("\nRssAnon:") - anon >= 16384 - 512);
	CHILD (0) {
		CHECK(status_kib("\nRssAnon:") - anon >= 16384 - 512);
		CHECK(munmap(p, 2048 * PAGE) == 0);
		CHECK(status_kib("\nRssAnon:") - anon < 8192 + 1024);
	}
	CHECK(status_kib("\nRssAnon:") - anon >= 16384 - 512);
	CHECK(munmap(p, 4096 * PAGE) == 0);
	CHECK(status_kib("\nRssAnon:") < anon + 1024);
	CHECK_EQ(status_kib("\nVmSize:"), size);
}

TEST(mm, maps_names_files_heap_and_stack)
{
	static char text[65536];
	int fd = file_make("named-file", PAGE);
	bool heap = false, stack = false, named = false, self = false;

	CHECK(sbrk(PAGE) != (void *)-1);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	file_read_text("/proc/self/maps", text, sizeof(text));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long from, to, offset, inode;
		unsigned int major, minor;
		char permissions[8], path[256] = "";

		int n = sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %255s", &from, &to, permissions,
			       &offset, &major, &minor, &inode, path);
		CHECK(n == 7 || n == 8);
		CHECK(from < to && from % PAGE == 0 && to % PAGE == 0);
		heap |= strcmp(path, "[heap]") == 0;
		if (strcmp(path, "[stack]") == 0) {
			stack = true;
			CHECK((unsigned long)&heap >= from && (unsigned long)&heap < to);
			CHECK_STR(permissions, "rw-p");
		}
		if (strlen(path) > 11 && strcmp(path + strlen(path) - 11, "/named-file") == 0) {
			struct stat st;

			CHECK(fstat(fd, &st) == 0);
			CHECK_EQ(st.st_ino, inode);
			named = true;
		}
		self |= strcmp(path, self_path) == 0;
	}
	CHECK(heap && stack && named && self);
}
