/*
 * iter.c - copies between kernel memory and the buffers that a read or write was given.
 *
 * The rule: what an iter says was consumed was really copied, to the byte, so that a bad address
 * in the middle gives the short count that Linux gives. User parts may fault and sleep. Next:
 * file.c, which makes reads and writes of these copies.
 */
#include "fs/iter.h"

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"

static void iter_init_single(struct iter *it, u64 base, u64 n, bool user)
{
	it->single = (struct iter_part){ base, n };
	it->parts = &it->single;
	it->nparts = 1;
	it->user = user;
	it->skip = 0;
	it->left = n;
}

void iter_init_user(struct iter *it, void __user *base, size_t n)
{
	iter_init_single(it, (u64)base, n, true);
}

void iter_init_kernel(struct iter *it, void *base, size_t n)
{
	iter_init_single(it, (u64)base, n, false);
}

void iter_init_parts(struct iter *it, const struct iter_part *parts, u32 nparts)
{
	it->parts = parts;
	it->nparts = nparts;
	it->user = true;
	it->skip = 0;
	it->left = 0;
	for (u32 i = 0; i < nparts; i++)
		it->left += parts[i].length;
}

/* Which way bytes go, and from where. */
enum direction { TO_BUFFER, FROM_BUFFER, ZERO_BUFFER };

/* Bytes copied, of n, at one address. */
static size_t copy_at(const struct iter *it, u64 address, void *kernel, size_t n,
		      enum direction way)
{
	if (it->user) {
		void __user *p = (void __user *)address;

		switch (way) {
		case TO_BUFFER:
			return n - copy_to_user(p, kernel, n);
		case FROM_BUFFER:
			return n - copy_from_user(kernel, p, n);
		case ZERO_BUFFER:
			return n - clear_user(p, n);
		}
	}
	switch (way) {
	case TO_BUFFER:
		memcpy((void *)address, kernel, n);
		break;
	case FROM_BUFFER:
		memcpy(kernel, (void *)address, n);
		break;
	case ZERO_BUFFER:
		memset((void *)address, 0, n);
		break;
	}
	return n;
}

static size_t iter_copy(struct iter *it, u8 *kernel, size_t n, enum direction way)
{
	size_t done = 0;

	n = min(n, it->left);
	while (done < n) {
		u64 room = it->parts->length - it->skip;
		size_t chunk, copied;

		if (room == 0) {
			it->parts++;
			it->nparts--;
			it->skip = 0;
			continue;
		}
		chunk = min(n - done, room);
		copied = copy_at(it, it->parts->base + it->skip, kernel + done, chunk, way);
		it->skip += copied;
		it->left -= copied;
		done += copied;
		if (copied < chunk)
			break;
	}
	return done;
}

size_t iter_copy_to(struct iter *it, const void *src, size_t n)
{
	return iter_copy(it, (u8 *)src, n, TO_BUFFER);
}

size_t iter_copy_from(struct iter *it, void *dst, size_t n)
{
	return iter_copy(it, dst, n, FROM_BUFFER);
}

size_t iter_zero(struct iter *it, size_t n)
{
	return iter_copy(it, NULL, n, ZERO_BUFFER);
}

void iter_revert(struct iter *it, size_t n)
{
	it->left += n;
	while (n > it->skip) {
		n -= it->skip;
		it->parts--;
		it->nparts++;
		it->skip = it->parts->length;
	}
	it->skip -= n;
}
