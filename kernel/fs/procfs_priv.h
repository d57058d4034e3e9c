/*
 * procfs_priv.h - files whose text is made when they are read: what /proc and /sys are built of.
 *
 * A tree is a table of entries: name, mode, and the function that writes the text, or takes what is
 * written, or says where a link leads. A directory is a table of further entries, or has operations
 * of its own where its names come and go (processes, threads, descriptors). An inode is an entry
 * seen for a subject: a process, one of its threads, one of its descriptors, or the system as a
 * whole.
 *
 * procfs.c is the mechanism, procfs_text.c the text. The entries: procfs_root.c /proc itself,
 * procfs_pid.c a process's directory, procfs_status.c, procfs_mm.c, procfs_maps.c and
 * procfs_map_files.c its files, procfs_fd.c its descriptors, procfs_system.c, procfs_memory.c,
 * procfs_vmstat.c, procfs_frames.c, procfs_cpu.c, procfs_block.c and procfs_swaps.c the machine,
 * procfs_net.c the sockets, procfs_sys.c and procfs_vm.c /proc/sys, procfs_coppice.c our own counters, sysfs.c and
 * sysfs_block.c /sys.
 */
#ifndef FS_PROCFS_PRIV_H
#define FS_PROCFS_PRIV_H

#include "fs/filesystems.h"
#include "lib/print.h"

/* --- text that grows --- */

struct text_chunk;
/*
 * Bytes in a chain of chunks. Without memory `failed` is set and what follows is dropped; the
 * reader gets -ENOMEM.
 */
struct text {
	struct text_chunk *first, *last;
	u64 length;
	bool failed;
};

void text_free(struct text *t);
void text_add(struct text *t, const void *bytes, size_t n);
void text_string(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) __printf(2, 3);
void text_fill(struct text *t, char c, size_t n);
/* s with each of the characters in `special` as a backslash and three octal digits. */
void text_escaped(struct text *t, const char *s, const char *special);
/* The numbers of the bits that are set, as ranges: "0-3,8". */
void text_bit_list(struct text *t, u64 bits);
/* Copy from offset `from` into it: bytes. */
size_t text_copy(const struct text *t, u64 from, struct iter *it);

static inline u64 kib(u64 bytes)
{
	return bytes >> 10;
}

/* --- entries --- */

struct proc_node;
struct proc_entry {
	const char *name;
	u32 mode;     /* with S_IFMT */
	bool inspect; /* only for those whom process_may_inspect permits */
	bool sealed;  /* not to be opened for writing, by nobody */
	bool (*exists)(const struct proc_node *n); /* NULL: always */
	/* A regular file: its text, or -errno. */
	int (*show)(struct text *t, const struct proc_node *n);
	/* A regular file: the text that was written, terminated; 0 or -errno. */
	int (*store)(const char *text, const struct proc_node *n);
	/* A link: where it leads (counted); readlink gives the text of that place. */
	int (*follow)(const struct proc_node *n, struct path *out);
	/* A link that is only text: its length. */
	ssize (*readlink)(const struct proc_node *n, char *buf, size_t size);
	/* A directory of fixed entries. */
	const struct proc_entry *children;
	u32 nchildren;
	/* What differs from all that. */
	const struct inode_ops *inode_ops;
	const struct file_ops *file_ops;
	const void *arg; /* for show and store */
};

/* What an inode stands for: entry seen for a subject. */
struct proc_node {
	const struct proc_entry *entry;
	struct process *process; /* counted; NULL: the system */
	u32 tid;                 /* one thread of it; 0: the process as a whole */
	s32 number;              /* one descriptor of it, or a CPU; -1: none */
	u64 start, end;          /* one area of it; 0: none */
};

#define PROC_FILE(name_, mode_, show_)                                  \
	{                                                               \
		.name = name_, .mode = S_IFREG | (mode_), .show = show_ \
	}
#define PROC_WRITABLE(name_, mode_, show_, store_)                                       \
	{                                                                                \
		.name = name_, .mode = S_IFREG | (mode_), .show = show_, .store = store_ \
	}
#define PROC_INSPECT(name_, mode_, show_)                                                \
	{                                                                                \
		.name = name_, .mode = S_IFREG | (mode_), .inspect = true, .show = show_ \
	}
#define PROC_DIRECTORY(name_, children_)                                      \
	{                                                                     \
		.name = name_, .mode = S_IFDIR | 0555, .children = children_, \
		.nchildren = ARRAY_SIZE(children_)                            \
	}

static inline const struct proc_node *proc_node(const struct inode *i)
{
	return i->data;
}

/* A super whose root is `root`, a directory; flags: SUPER_*. NULL without memory. */
struct super *proc_super_new(const char *type_name, u32 magic, const struct proc_entry *root,
			     u32 flags);
/* An inode for entry and subject, whose process it counts itself. ERR_PTR */
struct inode *proc_inode(struct super *s, const struct proc_node *n);
u64 proc_ino(const struct proc_node *n);
/* Has the process that an inode is about been reaped? */
bool proc_is_gone(const struct inode *i);
bool proc_node_is_gone(const struct proc_node *n);
/* Is an inode still what its name means: its process there, and of the same owner? */
bool proc_is_current(const struct inode *i);
/* The owner of a process's files. */
void proc_owner(const struct proc_node *n, u32 *uid, u32 *gid);

/*
 * For inode_ops of directories whose entries come and go: what they have in common, and the fixed
 * entries beside the others.
 */
void proc_evict(struct inode *i);
int proc_setattr(struct inode *i, const struct attribute_change *change);
bool proc_revalidate(struct inode *dir, const char *name, size_t len, struct inode *cached);
struct inode *proc_lookup_fixed(struct inode *dir, const char *name, size_t len);
typedef int (*proc_emit)(void *arg, const char *name, size_t len, u64 ino, u32 type, u64 next_pos);
/*
 * "." and "..", then the fixed entries, at positions up to PROC_FIXED_END; 1: the buffer is full.
 */
int proc_emit_fixed(struct file *f, proc_emit emit, void *arg);
#define PROC_FIXED_END 256
/* A name that is a number without leading zeros: true. */
bool proc_number(const char *name, size_t len, u32 *out);

extern const struct file_ops proc_text_file_ops;

/* --- the parts: entries, or what they are made of --- */
extern const struct proc_entry proc_root_entry;    /* procfs_root.c */
extern const struct proc_entry proc_process_entry; /* procfs_pid.c: /proc/PID */

/* procfs_task.c: /proc/PID/task */
extern const struct inode_ops proc_task_ops;
extern const struct file_ops proc_task_file_ops;
extern const struct proc_entry proc_thread_entry; /* procfs_pid.c: /proc/PID/task/TID */

/* procfs_fd.c: descriptors, and where links of a process lead */
extern const struct inode_ops proc_fd_ops, proc_fdinfo_ops;
extern const struct file_ops proc_fd_file_ops, proc_fdinfo_file_ops;
int proc_exe_follow(const struct proc_node *n, struct path *out);
int proc_cwd_follow(const struct proc_node *n, struct path *out);
int proc_root_follow(const struct proc_node *n, struct path *out);

/*
 * procfs_pid.c: text is a decimal number with an optional sign and nothing else but blanks around
 * it: 0, or -EINVAL.
 */
int proc_parse_number(const char *text, s64 *out);

/* procfs_map_files.c: its areas that map files */
extern const struct inode_ops proc_map_files_ops;
extern const struct file_ops proc_map_files_file_ops;

/* procfs_status.c: who a process is and what it has used */
int proc_stat_show(struct text *t, const struct proc_node *n);
int proc_status_show(struct text *t, const struct proc_node *n);
int proc_comm_show(struct text *t, const struct proc_node *n);
int proc_comm_store(const char *text, const struct proc_node *n);

/* procfs_mm.c: its memory */
struct proc_sizes { /* bytes */
	u64 data, stack, code, libraries;
};
void proc_sizes(struct mm *mm, struct proc_sizes *out);
int proc_statm_show(struct text *t, const struct proc_node *n);
int proc_cmdline_show(struct text *t, const struct proc_node *n);
int proc_environ_show(struct text *t, const struct proc_node *n);
int proc_auxv_show(struct text *t, const struct proc_node *n);
int proc_clear_refs_store(const char *text, const struct proc_node *n);
extern const struct file_ops proc_mem_file_ops, proc_pagemap_file_ops;

/* procfs_maps.c: its areas */
int proc_maps_show(struct text *t, const struct proc_node *n);
int proc_numa_maps_show(struct text *t, const struct proc_node *n);
int proc_smaps_show(struct text *t, const struct proc_node *n);
int proc_smaps_rollup_show(struct text *t, const struct proc_node *n);

/* procfs_system.c: the machine and the kernel */
int proc_cmdline_of_kernel_show(struct text *t, const struct proc_node *n);
int proc_loadavg_show(struct text *t, const struct proc_node *n);
int proc_locks_show(struct text *t, const struct proc_node *n);
int proc_mountinfo_show(struct text *t, const struct proc_node *n);
int proc_mounts_show(struct text *t, const struct proc_node *n);
int proc_system_stat_show(struct text *t, const struct proc_node *n);
int proc_uptime_show(struct text *t, const struct proc_node *n);
int proc_version_show(struct text *t, const struct proc_node *n);

/* procfs_block.c, procfs_swaps.c: disks and swap areas */
int proc_diskstats_show(struct text *t, const struct proc_node *n);
int proc_partitions_show(struct text *t, const struct proc_node *n);
int proc_swaps_show(struct text *t, const struct proc_node *n);
struct block_device;
/* " reads 0 sectors ms ..." up to the end of the line, as /proc/diskstats has it after the name. */
void text_block_statistics(struct text *t, struct block_device *d);

/* procfs_memory.c, procfs_vmstat.c, procfs_frames.c: the machine's memory */
int proc_buddyinfo_show(struct text *t, const struct proc_node *n);
int proc_meminfo_show(struct text *t, const struct proc_node *n);
int proc_slabinfo_show(struct text *t, const struct proc_node *n);
int proc_vmstat_show(struct text *t, const struct proc_node *n);
int proc_zoneinfo_show(struct text *t, const struct proc_node *n);
extern const struct file_ops proc_kpageflags_ops, proc_kpagecount_ops;

/* procfs_cpu.c */
int proc_cpuinfo_show(struct text *t, const struct proc_node *n);
/*
 * A set of CPUs as Linux prints it: hexadecimal words of 32 bits, as many digits as there are CPUs.
 */
void text_cpu_mask(struct text *t, u64 mask);

/* procfs_sys.c: /proc/sys; procfs_vm.c: /proc/sys/vm; procfs_coppice.c: our own counters */
/* How often caches of pages and of names were dropped through drop_caches. */
void proc_drop_counts(u64 *pages, u64 *names);
#define PROC_SYS_VM_CHILDREN 27
extern const struct proc_entry proc_sys_vm_children[PROC_SYS_VM_CHILDREN];
#define PROC_SYS_CHILDREN 4
extern const struct proc_entry proc_sys_children[PROC_SYS_CHILDREN];
#ifdef COPPICE_DEBUG
#define PROC_COPPICE_CHILDREN 4
#else
#define PROC_COPPICE_CHILDREN 3
#endif
extern const struct proc_entry proc_coppice_children[PROC_COPPICE_CHILDREN];

/* procfs_net.c: /proc/PID/net */
#ifdef COPPICE_INET
#define PROC_NET_CHILDREN 10
/* procfs_inet.c */
int proc_net_tcp_show(struct text *t, const struct proc_node *n);
int proc_net_tcp6_show(struct text *t, const struct proc_node *n);
int proc_net_udp_show(struct text *t, const struct proc_node *n);
int proc_net_udp6_show(struct text *t, const struct proc_node *n);
int proc_net_sockstat_show(struct text *t, const struct proc_node *n);
int proc_net_sockstat6_show(struct text *t, const struct proc_node *n);
int proc_net_dev_show(struct text *t, const struct proc_node *n);
int proc_net_route_show(struct text *t, const struct proc_node *n);
int proc_net_if_inet6_show(struct text *t, const struct proc_node *n);
#define PROC_IPV4_CHILDREN 20
extern const struct proc_entry proc_ipv4_children[PROC_IPV4_CHILDREN];
#else
#define PROC_NET_CHILDREN 1
#endif
extern const struct proc_entry proc_net_children[PROC_NET_CHILDREN];

/* procfs_ipc.c: /proc/sysvipc, and parameters in /proc/sys/kernel */
#define PROC_SYSVIPC_CHILDREN 3
extern const struct proc_entry proc_sysvipc_children[PROC_SYSVIPC_CHILDREN];
int proc_shmall_show(struct text *t, const struct proc_node *n);
int proc_shmall_store(const char *text, const struct proc_node *n);
int proc_shmmax_show(struct text *t, const struct proc_node *n);
int proc_shmmax_store(const char *text, const struct proc_node *n);
int proc_shmmni_show(struct text *t, const struct proc_node *n);
int proc_shmmni_store(const char *text, const struct proc_node *n);
int proc_shm_rmid_forced_show(struct text *t, const struct proc_node *n);
int proc_shm_rmid_forced_store(const char *text, const struct proc_node *n);

/* sysfs_block.c: directories "block" of /sys; .arg says which of them */
enum sys_block_kind {
	SYS_BLOCK_DEVICES, /* the devices themselves */
	SYS_BLOCK_ALL,     /* /sys/block: links */
	SYS_BLOCK_CLASS,   /* /sys/class/block */
	SYS_BLOCK_NUMBERS, /* /sys/dev/block: links by number */
};
extern const struct inode_ops sys_block_ops;
extern const struct file_ops sys_block_file_ops;
#define SYS_BLOCK_DIRECTORY(kind_)                                                           \
	{                                                                                    \
		.name = "block", .mode = S_IFDIR | 0555, .inode_ops = &sys_block_ops,        \
		.file_ops = &sys_block_file_ops, .arg = (const void *)(unsigned long)(kind_) \
	}

/* A file whose text never changes: .arg */
int proc_constant_show(struct text *t, const struct proc_node *n);
#define PROC_CONSTANT(name_, text_)                                                             \
	{                                                                                       \
		.name = name_, .mode = S_IFREG | 0444, .show = proc_constant_show, .arg = text_ \
	}
/* A parameter of the kernel that nobody can change. */
#define PROC_PARAMETER(name_, text_)                                                               \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | 0444, .sealed = true, .show = proc_constant_show, \
		.arg = text_                                                                       \
	}

#endif
