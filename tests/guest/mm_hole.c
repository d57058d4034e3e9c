/*
 * mm_hole.c - holes of files in memory: which pages are there, and which of them count as data, after fallocate(2), reads through a mapping and
 * MADV_PAGEOUT.
 *
 * The rules are those of Linux's tmpfs: a page that fallocate made is not up to date until somebody uses it, so mincore(2) and SEEK_DATA do not see
 * it; and a page that was only looked at is clean, so that reclaim may drop it without a swap area.
 */
#include "check.h"

#include <linux/falloc.h>
#include <sched.h>

#define PAGES 8

/* Linux hands pages on processor by processor; those that another one still has are not taken. */
static void one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static int new_file(void)
{
	int fd = memfd_create("holes", MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	return fd;
}

static char *map_file(int fd, int prot, int flags)
{
	char *p = mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Residency and blocks, in pages. */
static void show(const char *what, int fd, char *map)
{
	unsigned char v[PAGES];
	char text[PAGES + 1] = "";
	struct stat st;

	CHECK(mincore(map, PAGES * PAGE, v) == 0 && fstat(fd, &st) == 0);
	for (int i = 0; i < PAGES; i++)
		text[i] = v[i] & 1 ? '1' : '0';
	say("%s: %s, %ld pages, data", what, text, (long)st.st_blocks / 8);
	for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0;) {
		off_t end = lseek(fd, at, SEEK_HOLE);
		say(" %ld-%ld", (long)(at / (off_t)PAGE), (long)(end / (off_t)PAGE));
		at = end;
	}
	say("\n");
}

TEST(mm, what_fallocate_made_is_a_hole_until_it_is_used)
{
	int fd = new_file();
	char *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED), byte = 1;

	show("empty", fd, map);
	CHECK(fallocate(fd, 0, 0, 7 * PAGE) == 0);
	show("allocated", fd, map);
	CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 0);
	show("read", fd, map);
	CHECK(*(volatile char *)(map + PAGE) == 0);
	show("loaded", fd, map);
	map[2 * PAGE] = 1;
	show("stored to", fd, map);
	CHECK(pwrite(fd, "x", 1, 3 * PAGE + 7) == 1);
	show("written to", fd, map);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE + 10, 20) == 0);
	show("a part was punched out", fd, map);
	CHECK(fallocate(fd, 0, 4 * PAGE, 2 * PAGE) == 0);
	show("allocated again", fd, map);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 6 * PAGE) == 0);
	show("punched", fd, map);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 6 * PAGE, 4 * PAGE) == 0);
	show("beyond the end", fd, map);
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, PAGES * PAGE) == 0);
	show("cut off", fd, map);
	close(fd);
}

TEST(mm, a_seal_against_growth_forbids_memory_beyond_the_end)
{
	int fd = new_file();

	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (PAGES + 1) * PAGE));
	TRY(fallocate(fd, 0, PAGE, PAGES * PAGE));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (PAGES + 1) * PAGE));
	close(fd);
}

/* From a map of the file whose second page is there only once the first bytes are written. */
TEST(mm, a_write_makes_the_file_long_enough_for_its_own_source)
{
	int fd = new_file();
	char *map = map_file(fd, PROT_READ, MAP_SHARED), text[301] = "";

	CHECK(ftruncate(fd, PAGE) == 0 && pwrite(fd, "0123456789", 10, PAGE - 10) == 10);
	TRY(pwrite(fd, map + PAGE - 10, 300, PAGE + 500));
	TRY(pwrite(fd, map + 2 * PAGE, 10, PAGE));
	TRY(pread(fd, text, 300, PAGE + 500));
	say("%s\n", text);
	close(fd);
}

TEST(mm, pageout_drops_holes_that_were_only_looked_at)
{
	one_processor();
	int fd = new_file();
	char *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	/* Of one page each: a fault brings in those around it, as far as the map goes. */
	char *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);
	char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4 * PAGE);

	for (int i = 0; i < PAGES; i++)
		CHECK(*(volatile char *)(map + i * PAGE) == 0);
	map[PAGE] = 1;
	CHECK(pwrite(fd, "x", 1, 2 * PAGE) == 1);
	CHECK(other != MAP_FAILED && private != MAP_FAILED);
	CHECK(*(volatile char *)other == 0); /* two map it: it stays */
	private[0] = 1;                      /* maps a copy: the page goes */
	CHECK(fallocate(fd, 0, 5 * PAGE, PAGE) == 0);
	show("before", fd, map);
	CHECK(madvise(map, PAGES * PAGE, MADV_COLD) == 0);
	show("cold", fd, map);
	CHECK(madvise(map, 7 * PAGE, MADV_PAGEOUT) == 0);
	show("out", fd, map);
	CHECK(munmap(other, PAGE) == 0 && munmap(private, PAGE) == 0);
	CHECK(madvise(map, PAGES * PAGE, MADV_PAGEOUT) == 0);
	show("out, with one map", fd, map);
	CHECK(map[PAGE] == 1 && map[2 * PAGE] == 'x' && map[5 * PAGE] == 0 && map[3 * PAGE] == 0);
	show("loaded", fd, map);
	CHECK(munmap(map, PAGES * PAGE) == 0);
	close(fd);
}

TEST(mm, pageout_of_private_maps_drops_holes_too_but_no_copies)
{
	one_processor();
	int fd = new_file();
	char *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (int i = 0; i < PAGES; i += 2)
		CHECK(*(volatile char *)(map + i * PAGE) == 0);
	map[2 * PAGE] = 5;
	map[3 * PAGE] = 6;
	show("before", fd, map);
	CHECK(madvise(map, PAGES * PAGE, MADV_PAGEOUT) == 0);
	show("out", fd, map);
	CHECK(map[2 * PAGE] == 5 && map[3 * PAGE] == 6);
	close(fd);
	char *memory =
		mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		CHECK(memory[i * PAGE] == 0);
	memory[PAGE] = 1;
	CHECK(madvise(memory, PAGES * PAGE, MADV_PAGEOUT) == 0);
	unsigned char v[PAGES];
	CHECK(mincore(memory, PAGES * PAGE, v) == 0);
	for (int i = 0; i < PAGES; i++)
		say("%d", v[i] & 1);
	say("\n");
}
