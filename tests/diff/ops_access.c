/*
 * ops_access.c - operations that touch memory: the program's own loads and stores, and the kernel's
 * in its name (process_vm_readv and its like, /proc/self/mem).
 */
#include "diff.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define RETURN_INSTRUCTION 0xc3

static u8 buffer[6 * PAGE];

static u64 size_pick(struct rng *r)
{
	return 1ul << rng_below(r, 4);
}

/* The huge arena is looked at only in places: whole words there. */
static u64 size_for(struct rng *r, u64 addr)
{
	u64 size = size_pick(r);

	return addr >= arenas[ARENA_HUGE].start && addr < arenas[ARENA_HUGE].end ? 8 : size;
}

static void run_load(struct rng *r)
{
	u64 addr = address_pick(r), size = size_for(r, addr);

	say(" %s %lu", place(addr), size);
	if (access_run(access_load, addr, size, 0)) {
		fold(access_loaded());
		say(" = %lx", access_loaded());
	}
}

static void run_store(struct rng *r)
{
	u64 addr = address_pick(r), size = size_for(r, addr), value = rng_next(r);

	say(" %s %lu %lx", place(addr), size, value);
	access_run(access_store, addr, size, value);
}

/*
 * An instruction that reads and writes at once; only where a store went through before. An emulator
 * may split it: elsewhere it would fault as a load, and bring a page in.
 */
static void run_add(struct rng *r)
{
	u64 addr = address_pick(r), size = size_for(r, addr), value = rng_next(r);

	addr &= -8ul;
	say(" %s %lu %lx", place(addr), size, value);
	if (!access_run(access_store, addr, 8, value >> 3) ||
	    !access_run(access_add, addr, size, value))
		return;
	fold(access_loaded());
	say(" = %lx", access_loaded());
}

static void run_fill(struct rng *r)
{
	u64 addr = address_pick(r), n = rng_below(r, 5 * PAGE), value = rng_below(r, 256);

	say(" %s %lu %lx", place(addr), n, value);
	access_run(access_fill, addr, n, value);
}

static void run_copy(struct rng *r)
{
	u64 to = address_pick(r), from = address_pick(r), n = rng_below(r, 3 * PAGE);

	say(" %s %s %lu", place(to), place(from), n);
	access_run(access_copy, to, n, from);
}

static void run_call(struct rng *r)
{
	u64 addr = address_pick(r);

	say(" %s", place(addr));
	access_run(access_store, addr, 1, RETURN_INSTRUCTION);
	if (!access_run(access_load, addr, 1, 0) || access_loaded() != RETURN_INSTRUCTION)
		return;
	access_run(access_call, addr, 0, 0);
}

/* Where no area can be. */
static void run_wild(struct rng *r)
{
	static const u64 wild[] = { 0,
				    8,
				    0x7ffffffffff0,
				    0x800000000000,
				    0xffff7fffffffffff,
				    0xffff800000000000,
				    0xffffffffffffff00 };
	u64 addr = wild[rng_below(r, ARRAY_SIZE(wild))];

	say(" %lx", addr);
	if (rng_chance(r, 2))
		access_run(access_load, addr, 8, 0);
	else
		access_run(access_store, addr, 8, 1);
}

/* --- by the kernel --- */

#define PARTS 3 /* of at most two pages: all fit into the buffer */

static void parts_pick(struct rng *r, struct iovec *parts)
{
	for (int i = 0; i < PARTS; i++) {
		u64 addr = address_pick(r);
		parts[i] = (struct iovec){ (void *)addr, rng_below(r, 2 * PAGE) };
		say(" %s:%lu", place(addr), parts[i].iov_len);
	}
}

static void run_vm_read(struct rng *r)
{
	struct iovec here = { buffer, sizeof(buffer) }, there[PARTS];

	parts_pick(r, there);
	s64 n = result(process_vm_readv(getpid(), &here, 1, there, PARTS, 0));
	if (n > 0)
		fold(hash_bytes(0, buffer, (size_t)n));
}

static void run_vm_write(struct rng *r)
{
	/* As long as all parts: Linux also makes pages present that no byte is left for. */
	struct iovec here = { buffer, sizeof(buffer) }, there[PARTS];
	u8 value = (u8)rng_next(r);

	for (u64 i = 0; i < here.iov_len; i++)
		buffer[i] = (u8)(value + i);
	parts_pick(r, there);
	result(process_vm_writev(getpid(), &here, 1, there, PARTS, 0));
}

/* Also where the areas forbid it (FOLL_FORCE). */
static void run_mem_file(struct rng *r)
{
	u64 addr = address_pick(r), n = 1 + rng_below(r, 2 * PAGE);
	int fd = open("/proc/self/mem", O_RDWR);

	if (fd < 0)
		fail("/proc/self/mem");
	if (rng_chance(r, 2)) {
		say("-read %s %lu", place(addr), n);
		s64 got = result(pread(fd, buffer, n, (off_t)addr));
		if (got > 0)
			fold(hash_bytes(0, buffer, (size_t)got));
	} else {
		u8 value = (u8)rng_next(r);
		for (u64 i = 0; i < n; i++)
			buffer[i] = (u8)(value ^ i);
		say("-write %s %lu", place(addr), n);
		result(pwrite(fd, buffer, n, (off_t)addr));
	}
	close(fd);
}

/* Between arena and pipe: the kernel's copies on both sides. */
static void run_pipe(struct rng *r)
{
	u64 from = address_pick(r), to = address_pick(r), n = 1 + rng_below(r, 2 * PAGE);
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		fail("pipe");
	say(" %s %s %lu", place(from), place(to), n);
	if (result(write(ends[1], (void *)from, n)) > 0)
		result(read(ends[0], (void *)to, n));
	close(ends[0]);
	close(ends[1]);
}

static void run_digest(struct rng *r)
{
	bool directly = rng_chance(r, 2), huge = rng_chance(r, 6);

	say(directly ? " by loads" : " by process_vm_readv");
	memory_fold(directly, huge);
	if (rng_chance(r, 4))
		files_fold();
}

const struct operation access_operations[] = {
	{ "load", 90, run_load },
	{ "store", 110, run_store },
	{ "add", 10, run_add },
	{ "fill", 30, run_fill },
	{ "copy", 15, run_copy },
	{ "call", 6, run_call },
	{ "wild", 3, run_wild },
	{ "vm-read", 10, run_vm_read },
	{ "vm-write", 12, run_vm_write },
	{ "mem", 14, run_mem_file },
	{ "pipe", 8, run_pipe },
	{ "digest", 4, run_digest },
	{ NULL, 0, NULL },
};
