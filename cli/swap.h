/*
 * swap.h - the file of the host that is the guest's disk to swap to (--swap).
 */
#ifndef CLI_SWAP_H
#define CLI_SWAP_H

#include <stdint.h>

/* By this serial number the kernel finds the disk. */
#define SWAP_SERIAL "coppice-swap"

#define SWAP_SIZE_MIN (UINT64_C(1) << 20)
#define SWAP_SIZE_MAX (UINT64_C(1) << 44) /* pages are counted in 32 bits */

/*
 * A file of `size` bytes (rounded down to pages) with the header of an empty swap area, in $TMPDIR
 * or else /var/tmp. It has no name, so it is gone when the last descriptor is closed, and no blocks
 * but for what the guest writes. A failure is said and ends the command. uuid: 16 random bytes.
 */
int swap_file_make(uint64_t size, const uint8_t uuid[16]);

#endif
