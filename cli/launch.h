/*
 * launch.h - the launch record: what the kernel must know to start the program.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "bytes.h"
#include "descriptor.h"

/* Everything that goes into the record. Strings and arrays are borrowed. */
struct launch {
	char *const *arguments;   /* NULL-terminated */
	char *const *environment; /* NULL-terminated */
	const char *directory;    /* absolute */
	const char *host_name;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	unsigned int group_count;
	mode_t umask;
	struct host_launch_signals signals;
	const char *const *rw; /* absolute paths; number i has the 9p tag "rwI" */
	unsigned int rw_count;
	uint32_t flags; /* HOST_FLAG_* */
	struct descriptor descriptors[3];
	bool has_window_size;
	struct host_winsize window_size;
	struct rlimit limits[RLIM_NLIMITS];
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint8_t seed[64];
	const char *swap;     /* serial number of the disk to swap to, or NULL */
	const char *resolver; /* what /etc/resolv.conf is to say; NULL: what the root's does */
};

/* The name under which QEMU exports --rw directory number `index` over 9p. */
#define LAUNCH_TAG_SIZE 16
void launch_tag(char tag[LAUNCH_TAG_SIZE], unsigned int index);

/*
 * Append the record to `out`, which is empty. Returns false if it is larger than its 32-bit size
 * field can say.
 */
bool launch_encode(const struct launch *launch, struct bytes *out);

#endif
