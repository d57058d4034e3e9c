/* chacha20.h - the ChaCha20 block function (RFC 8439, section 2.3). Private to dev/. */
#ifndef DEV_CHACHA20_H
#define DEV_CHACHA20_H

#include "lib/types.h"

#define CHACHA20_KEY_WORDS 8
#define CHACHA20_BLOCK 64u

/* The block of key stream number `counter` for this key and nonce. */
void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter, const u32 nonce[3],
		    u8 out[CHACHA20_BLOCK]);

#endif
