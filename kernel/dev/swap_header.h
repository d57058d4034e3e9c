/*
 * swap_header.h - the first page of a swap area, as mkswap(8) writes it and Linux reads it.
 *
 * Shared by the kernel and the command (cli/), so it uses only <stdint.h> types.
 */
#ifndef DEV_SWAP_HEADER_H
#define DEV_SWAP_HEADER_H

#include <stdint.h>

#define SWAP_HEADER_SIZE 4096u /* a page; all pages of the area are of this size */
#define SWAP_SIGNATURE "SWAPSPACE2"
#define SWAP_SIGNATURE_LENGTH 10
#define SWAP_VERSION 1u
/* As many as there is room for. */
#define SWAP_BADPAGES_MAX ((SWAP_HEADER_SIZE - SWAP_SIGNATURE_LENGTH - 1536) / sizeof(uint32_t))

struct swap_header {
	uint8_t boot[1024]; /* for a boot loader or a disk label */
	uint32_t version;
	uint32_t last_page; /* number of the last page: one less than there are */
	uint32_t nr_badpages;
	uint8_t uuid[16];
	char label[16];
	uint32_t unused[117];
	uint32_t badpages[SWAP_BADPAGES_MAX];
	uint8_t unused2[2];
	char signature[SWAP_SIGNATURE_LENGTH]; /* no NUL */
};

_Static_assert(sizeof(struct swap_header) == SWAP_HEADER_SIZE, "swap header");
_Static_assert(__builtin_offsetof(struct swap_header, badpages) == 1536, "swap header");

#endif
