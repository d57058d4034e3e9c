/*
 * random.c - the random number generator: ChaCha20 with fast key erasure.
 *
 * Central rule: a key makes one block: half of it replaces the key, half is the key of one request, or
 * what a short one gets.
 * So what was given out cannot be computed from what is kept later, and requests hold the lock for
 * one block only. The first key is made of the launch record's seed and the processor's own
 * generator; times of interrupts are mixed in as they come. Next: chacha20.c.
 */
#include "arch/x86_64/cpu.h"
#include "dev/chacha20.h"
#include "dev/dev_priv.h"
#include "lib/atomic.h"
#include "lib/lock.h"
#include "lib/string.h"

#define KEY_SIZE (CHACHA20_KEY_WORDS * sizeof(u32))

static struct spinlock key_lock = SPINLOCK_INIT(RANK_DEV_RING);
static u32 key[CHACHA20_KEY_WORDS]; /* key_lock */
static u64 events;                  /* A: times of interrupts, folded */

void random_event(void)
{
	u64 e = load_relaxed(&events);

	/* An event that is lost to another CPU's is no loss. */
	store_relaxed(&events, (e << 7 | e >> 57) ^ cpu_cycles());
}

/* Replace the key, and make one for a request. key_lock held. */
static void key_step(u32 request[CHACHA20_KEY_WORDS])
{
	u64 e = load_relaxed(&events);
	u32 nonce[3] = { (u32)e, (u32)(e >> 32), 0 };
	u8 block[CHACHA20_BLOCK];

	chacha20_block(key, 0, nonce, block);
	memcpy(key, block, KEY_SIZE);
	memcpy(request, block + KEY_SIZE, KEY_SIZE);
}

void random_add(const void *data, size_t n)
{
	const u8 *bytes = data;
	u32 unused[CHACHA20_KEY_WORDS];

	spin_lock(&key_lock);
	while (n) {
		size_t part = min(n, KEY_SIZE);

		for (size_t i = 0; i < part; i++)
			((u8 *)key)[i] ^= bytes[i];
		key_step(unused);
		bytes += part;
		n -= part;
	}
	spin_unlock(&key_lock);
}

void random_init(void)
{
	u64 start[KEY_SIZE / sizeof(u64)];

	for (u32 i = 0; i < ARRAY_SIZE(start); i++)
		if (!cpu_random_u64(&start[i]))
			start[i] = cpu_cycles();
	random_add(launch.seed, launch.seed_length);
	random_add(start, sizeof(start));
}

void random_bytes(void *out, size_t n)
{
	static const u32 nonce[3];
	u32 request[CHACHA20_KEY_WORDS], counter = 0;
	u8 block[CHACHA20_BLOCK];

	spin_lock(&key_lock);
	key_step(request);
	spin_unlock(&key_lock);
	if (n <= KEY_SIZE) { /* it is as random as what it would make */
		memcpy(out, request, n);
		n = 0;
	}
	while (n) {
		size_t part = min(n, sizeof(block));

		chacha20_block(request, counter++, nonce, block);
		memcpy(out, block, part);
		out = (u8 *)out + part;
		n -= part;
	}
	memset(request, 0, sizeof(request));
	memset(block, 0, sizeof(block));
	/* Keep the compiler from leaving those two out. */
	__asm__ volatile("" : : "r"(request), "r"(block) : "memory");
}
