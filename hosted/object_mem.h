/* object_mem.h - objects for tests: a file whose bytes are in host memory, and memory. */
#ifndef HOSTED_OBJECT_MEM_H
#define HOSTED_OBJECT_MEM_H

#include "mm/object.h"

#define MEM_BYTES_MAX (1u << 20)

/* A file: what is on its disk, and what happened to it. */
struct mem_object {
	struct object object;
	char *disk;              /* MEM_BYTES_MAX bytes; NULL: memory, not a file */
	u32 read_failures;       /* so many reads to come fail with -EIO */
	u32 write_failures;      /* and so many writes */
	u64 reads, writes;       /* pages */
	u64 charged, charge_max; /* pages of memory; more than charge_max: -ENOSPC */
};

/*
 * One reference for the caller; the structure goes with the last. The file's bytes come from
 * fill(offset) by 8-byte words.
 */
struct mem_object *mem_object_file(u64 size, u64 (*fill)(u64 offset));
/* The same, but what is changed stays in memory: as files of the root file system. */
struct mem_object *mem_object_changed(u64 size, u64 (*fill)(u64 offset));
struct mem_object *mem_object_memory(u64 size, u64 charge_max);

extern u64 mem_objects_alive;

#endif
