/*
 * exec_priv.h - one execve under way: what exec.c, exec_stack.c, script.c and elf.c tell each
 * other.
 */
#ifndef PROC_EXEC_PRIV_H
#define PROC_EXEC_PRIV_H

#include "proc/process_priv.h"

#define EXEC_HEADER \
	256u /* bytes at a file's beginning that decide what it is (Linux: BINPRM_BUF_SIZE) */
#define EXEC_STRING_MAX 131072u /* one argument, its NUL included */
#define EXEC_PREFIX_MAX \
	16u /* strings that scripts put before the arguments: up to 3 for each of 5 levels */

/* Where the strings come from: a program's memory, or the launch record. */
struct exec_vector {
	bool user;
	u64 array; /* of pointers, NULL-terminated */
	u64 count;
	u64 bytes;  /* of all strings, NULs included */
	u32 *sizes; /* of each, NUL included: as they were when they were counted. kmalloc'd */
	u64 room;   /* of sizes */
};

/* Writes downwards into the new space, through one page of kernel memory. */
struct stack_writer {
	struct mm *mm;
	u8 *page;
	u64 low, high; /* what `page` holds: addresses [low, high) of one page, not written yet */
};

struct exec {
	struct file *
		/* counted, held against writing: the program (the last interpreter of scripts) */
		file;
	struct mm *mm;    /* being built: nobody else knows it */
	const char *name; /* what the caller named: AT_EXECFN and comm */
	u8 header[EXEC_HEADER];
	struct exec_vector argv, envp;
	char *prefix[EXEC_PREFIX_MAX]; /* script.c: in order; they replace argv[0]. kmalloc'd */
	u32 nprefix;
	bool randomize;
	u32 entropy[8]; /* random numbers for addresses and AT_RANDOM, fetched at once */
	u32 entropy_used;
	/* errors kill from now on, as on Linux, where the old image is gone by then */
	bool committed;

	/* exec_stack.c */
	u64 stack_top, stack_low;           /* the area */
	u64 sp;                             /* of the program: points to argc */
	u64 auxv;                           /* where the auxiliary vector goes */
	u64 name_address, platform, random; /* for it */

	/* elf.c */
	u64 entry; /* where to start: the interpreter's, or the program's */
};

int exec_open(const struct path *start, const char *name, u32 lookup_flags,
	      struct file **out); /* for execution, held against writing */
int exec_read_header(struct exec *x);

/* script.c: follow #! lines: x->file becomes the interpreter. 0, also if it is no script. */
int script_resolve(struct exec *x);

/* exec_stack.c */
int exec_count(struct exec *x); /* count and measure strings: -E2BIG, -EFAULT */
int exec_build_stack(struct exec *x);
int exec_write_auxv(struct exec *x, u64 phdr, u32 phnum, u64 base, u64 entry);

/* elf.c: map the program (and its interpreter) into x->mm. */
int elf_load(struct exec *x);

u32 exec_random(struct exec *x);
/* Random bytes of address, in pages: 0 where addresses are not random. */
u64 exec_random_pages(struct exec *x, u32 bits);

#define MMAP_RANDOM_BITS 28

#endif
