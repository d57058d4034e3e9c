/*
 * chacha20.c - the ChaCha20 block function. Facts: RFC 8439, sections 2.1 to 2.3. Next: random.c.
 */
#include "dev/chacha20.h"

#include "lib/string.h"

#define ROUNDS 20

static u32 rotate(u32 v, u32 n)
{
	return v << n | v >> (32 - n);
}

/* Inline: where a to d are known, the state is kept in registers as far as they go. */
static inline __attribute__((always_inline)) void quarter_round(u32 *s, u32 a, u32 b, u32 c, u32 d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

static void double_round(u32 *s)
{
	quarter_round(s, 0, 4, 8, 12);
	quarter_round(s, 1, 5, 9, 13);
	quarter_round(s, 2, 6, 10, 14);
	quarter_round(s, 3, 7, 11, 15);
	quarter_round(s, 0, 5, 10, 15);
	quarter_round(s, 1, 6, 11, 12);
	quarter_round(s, 2, 7, 8, 13);
	quarter_round(s, 3, 4, 9, 14);
}

void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter, const u32 nonce[3],
		    u8 out[CHACHA20_BLOCK])
{
	/* "expand 32-byte k" */
	u32 start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, s[16];

	memcpy(start + 4, key, CHACHA20_KEY_WORDS * sizeof(u32));
	start[12] = counter;
	memcpy(start + 13, nonce, 3 * sizeof(u32));
	memcpy(s, start, sizeof(s));
	for (u32 i = 0; i < ROUNDS; i += 2)
		double_round(s);
	for (u32 i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(out, s, CHACHA20_BLOCK);
}
