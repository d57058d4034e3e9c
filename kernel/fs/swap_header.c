/*
 * swap_header.c - is this page the header of a swap area that can be used? The rules are those of
 * Linux's swapon(2): version 1, an area no longer than its device, and bad pages inside of it.
 */
#include "fs/swap_header.h"

#include "lib/string.h"

static void swap_bytes(struct swap_header *h)
{
	h->version = __builtin_bswap32(h->version);
	h->last_page = __builtin_bswap32(h->last_page);
	h->nr_badpages = __builtin_bswap32(h->nr_badpages);
	for (u32 i = 0; i < min(h->nr_badpages, (u32)SWAP_BADPAGES_MAX); i++)
		h->badpages[i] = __builtin_bswap32(h->badpages[i]);
}

int swap_header_check(struct swap_header *h, u64 device_pages, u64 *pages)
{
	if (memcmp(h->signature, SWAP_SIGNATURE, SWAP_SIGNATURE_LENGTH) != 0)
		return -EINVAL;
	if (h->version == __builtin_bswap32(SWAP_VERSION))
		swap_bytes(h);
	if (h->version != SWAP_VERSION || h->last_page == 0 || h->last_page >= device_pages ||
	    h->nr_badpages > SWAP_BADPAGES_MAX)
		return -EINVAL;
	for (u32 i = 0; i < h->nr_badpages; i++)
		if (h->badpages[i] == 0 || h->badpages[i] > h->last_page)
			return -EINVAL;
	if (h->nr_badpages >= h->last_page) /* none are left */
		return -EINVAL;
	*pages = (u64)h->last_page + 1;
	return 0;
}
