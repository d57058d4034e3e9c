/*
 * swap_header.h - what the first page of a swap area says (dev/swap_header.h), checked.
 */
#ifndef FS_SWAP_HEADER_H
#define FS_SWAP_HEADER_H

#include "dev/swap_header.h"
#include "lib/err.h"
#include "lib/types.h"

/*
 * Check the header of a device that has `device_pages`: the number of pages of the area, header
 * included, in *pages; its bad pages are in the header. A header in the other byte order is put
 * into ours. 0 or -EINVAL.
 */
int swap_header_check(struct swap_header *h, u64 device_pages, u64 *pages);

#endif
