/*
 * sysfs.c - /sys: the few files that programs read there, made of entries as /proc is
 * (procfs_priv.h).
 *
 * A CPU's directory stands for its number (struct proc_node.number). Facts about caches: Intel SDM
 * vol. 2, CPUID leaf 4; AMD APM vol. 3, leaf 8000001Dh.
 */
#include <linux/magic.h>
#include <linux/stat.h>

#include "arch/x86_64/instr.h"
#include "arch/x86_64/percpu.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/space.h"
#include "proc/proc.h"

/* --- one CPU --- */

static u64 all_cpus(void)
{
	return load_relaxed(&cpus_online);
}

static int cpus_list_show(struct text *t, const struct proc_node *n)
{
	text_bit_list(t, all_cpus());
	text_string(t, "\n");
	return 0;
}

static int cpus_mask_show(struct text *t, const struct proc_node *n)
{
	text_cpu_mask(t, all_cpus());
	text_string(t, "\n");
	return 0;
}

static int own_list_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%d\n", n->number);
	return 0;
}

static int own_mask_show(struct text *t, const struct proc_node *n)
{
	text_cpu_mask(t, BIT(n->number));
	text_string(t, "\n");
	return 0;
}

/* One package, a core for each CPU. */
static const struct proc_entry topology_children[] = {
	PROC_FILE("core_cpus", 0444, own_mask_show),
	PROC_FILE("core_cpus_list", 0444, own_list_show),
	PROC_FILE("core_id", 0444, own_list_show),
	PROC_FILE("core_siblings", 0444, cpus_mask_show),
	PROC_FILE("core_siblings_list", 0444, cpus_list_show),
	PROC_CONSTANT("die_id", "0\n"),
	PROC_FILE("package_cpus", 0444, cpus_mask_show),
	PROC_FILE("package_cpus_list", 0444, cpus_list_show),
	PROC_CONSTANT("physical_package_id", "0\n"),
	PROC_FILE("thread_siblings", 0444, own_mask_show),
	PROC_FILE("thread_siblings_list", 0444, own_list_show),
};

/* --- its caches --- */

struct cache {
	u32 type; /* 0: there is no such cache; 1 data, 2 instruction, 3 unified */
	u32 level, line, ways, sets;
};

static struct cache cache_get(u32 index)
{
	u32 leaf = 4;
	struct cpuid r;

	if (!(cpuid(0, 0).a >= leaf && cpuid(leaf, 0).a & 31))
		leaf = 0x8000001d;
	if (leaf > cpuid(leaf & 0x80000000, 0).a)
		return (struct cache){ 0 };
	r = cpuid(leaf, index);
	return (struct cache){
		.type = r.a & 31,
		.level = r.a >> 5 & 7,
		.line = (r.b & 0xfff) + 1,
		.ways = (r.b >> 22) + 1,
		.sets = r.c + 1,
	};
}

/* Which cache it is about is an entry's argument. */
static struct cache cache_of(const struct proc_node *n)
{
	return cache_get((u32)(u64)n->entry->arg);
}

static bool cache_exists(const struct proc_node *n)
{
	return cache_of(n).type != 0;
}

static int cache_type_show(struct text *t, const struct proc_node *n)
{
	static const char *const names[] = { "Unknown", "Data", "Instruction", "Unified" };

	text_printf(t, "%s\n", names[cache_of(n).type & 3]);
	return 0;
}

static int cache_level_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", cache_of(n).level);
	return 0;
}

static int cache_line_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", cache_of(n).line);
	return 0;
}

static int cache_ways_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", cache_of(n).ways);
	return 0;
}

static int cache_sets_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", cache_of(n).sets);
	return 0;
}

static int cache_size_show(struct text *t, const struct proc_node *n)
{
	struct cache c = cache_of(n);

	text_printf(t, "%luK\n", kib((u64)c.line * c.ways * c.sets));
	return 0;
}

#define CACHE_FILE(name_, show_, index_)                              \
	{                                                             \
		.name = name_, .mode = S_IFREG | 0444, .show = show_, \
		.arg = (const void *)(index_)                         \
	}
#define CACHE_CHILDREN(index_)                                                        \
	{                                                                             \
		CACHE_FILE("coherency_line_size", cache_line_show, index_),           \
			CACHE_FILE("level", cache_level_show, index_),                \
			CACHE_FILE("number_of_sets", cache_sets_show, index_),        \
			CACHE_FILE("shared_cpu_list", own_list_show, index_),         \
			CACHE_FILE("shared_cpu_map", own_mask_show, index_),          \
			CACHE_FILE("size", cache_size_show, index_),                  \
			CACHE_FILE("type", cache_type_show, index_),                  \
			CACHE_FILE("ways_of_associativity", cache_ways_show, index_), \
	}
#define CACHE_FILES 8
#define CACHE_INDEXES 4u

static const struct proc_entry cache_files[CACHE_INDEXES][CACHE_FILES] = {
	CACHE_CHILDREN(0ull), CACHE_CHILDREN(1ull), CACHE_CHILDREN(2ull), CACHE_CHILDREN(3ull)
};

#define CACHE_DIRECTORY(name_, index_)                                          \
	{                                                                       \
		.name = name_, .mode = S_IFDIR | 0555, .exists = cache_exists,  \
		.arg = (const void *)(index_), .children = cache_files[index_], \
		.nchildren = CACHE_FILES                                        \
	}

static const struct proc_entry cache_children[] = {
	CACHE_DIRECTORY("index0", 0ull),
	CACHE_DIRECTORY("index1", 1ull),
	CACHE_DIRECTORY("index2", 2ull),
	CACHE_DIRECTORY("index3", 3ull),
};

static const struct proc_entry one_cpu_children[] = {
	PROC_DIRECTORY("cache", cache_children),
	PROC_DIRECTORY("topology", topology_children),
};
static const struct proc_entry one_cpu_entry = PROC_DIRECTORY("cpuN", one_cpu_children);

/* --- all CPUs: a directory for each beside the files --- */

static const struct proc_entry cpu_children[] = {
	PROC_CONSTANT("kernel_max", "63\n"),        PROC_CONSTANT("offline", "\n"),
	PROC_FILE("online", 0444, cpus_list_show),  PROC_FILE("possible", 0444, cpus_list_show),
	PROC_FILE("present", 0444, cpus_list_show),
};
_Static_assert(CPUS_MAX == 64, "kernel_max");

static struct inode *cpu_lookup(struct inode *dir, const char *name, size_t len)
{
	struct proc_node n = { .entry = &one_cpu_entry };
	u32 cpu;

	if (len < 4 || memcmp(name, "cpu", 3) != 0 || !proc_number(name + 3, len - 3, &cpu))
		return proc_lookup_fixed(dir, name, len);
	if (cpu >= CPUS_MAX || !(all_cpus() & BIT(cpu)))
		return ERR_PTR(-ENOENT);
	n.number = (s32)cpu;
	return proc_inode(dir->super, &n);
}

static int cpu_readdir(struct file *f, proc_emit emit, void *arg)
{
	struct proc_node n = { .entry = &one_cpu_entry };

	if (proc_emit_fixed(f, emit, arg))
		return 0;
	for (; f->pos < PROC_FIXED_END + CPUS_MAX; f->pos++) {
		char name[16];
		size_t length;

		n.number = (s32)(f->pos - PROC_FIXED_END);
		if (!(all_cpus() & BIT(n.number)))
			continue;
		length = (size_t)format(name, sizeof(name), "cpu%d", n.number);
		if (emit(arg, name, length, proc_ino(&n), DT_DIR, f->pos + 1))
			return 0;
	}
	return 0;
}

static const struct inode_ops cpu_ops = { .lookup = cpu_lookup,
					  .setattr = proc_setattr,
					  .evict = proc_evict };
static const struct file_ops cpu_file_ops = { .readdir = cpu_readdir, .seek = file_seek_plain };

/* --- the tree --- */

static const struct proc_entry clocksource0_children[] = {
	PROC_CONSTANT("available_clocksource", "tsc\n"),
	PROC_CONSTANT("current_clocksource", "tsc\n"),
};
static const struct proc_entry clocksource_children[] = { PROC_DIRECTORY("clocksource0",
									 clocksource0_children) };

static const struct proc_entry system_children[] = {
	PROC_DIRECTORY("clocksource", clocksource_children),
	{ .name = "cpu",
	  .mode = S_IFDIR | 0555,
	  .children = cpu_children,
	  .nchildren = ARRAY_SIZE(cpu_children),
	  .inode_ops = &cpu_ops,
	  .file_ops = &cpu_file_ops },
};
static const struct proc_entry virtual_children[] = { SYS_BLOCK_DIRECTORY(SYS_BLOCK_DEVICES) };
static const struct proc_entry devices_children[] = {
	PROC_DIRECTORY("system", system_children),
	PROC_DIRECTORY("virtual", virtual_children),
};
static const struct proc_entry class_children[] = { SYS_BLOCK_DIRECTORY(SYS_BLOCK_CLASS) };

/* --- what mm can be told --- */

static const struct {
	const char *name;
	enum huge_policy policy;
} huge_policies[] = {
	{ "always", HUGE_ALWAYS },
	{ "madvise", HUGE_MADVISE },
	{ "never", HUGE_NEVER },
};

static int huge_enabled_show(struct text *t, const struct proc_node *n)
{
	u32 now = load_relaxed(&huge_policy);

	for (u32 i = 0; i < ARRAY_SIZE(huge_policies); i++)
		text_printf(t, huge_policies[i].policy == now ? "%s[%s]" : "%s%s", i ? " " : "",
			    huge_policies[i].name);
	text_string(t, "\n");
	return 0;
}

/* A word, with a newline or without. */
static int huge_enabled_store(const char *text, const struct proc_node *n)
{
	for (u32 i = 0; i < ARRAY_SIZE(huge_policies); i++) {
		size_t length = strlen(huge_policies[i].name);

		if (strncmp(text, huge_policies[i].name, length) == 0 &&
		    (!text[length] || strcmp(text + length, "\n") == 0)) {
			store_relaxed(&huge_policy, (u32)huge_policies[i].policy);
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * A huge page is taken where there is a free block, and never waited for; shared memory has none; what
 * is only read is the small zero page; nobody merges equal pages, nobody sets huge pages aside.
 */
static const struct proc_entry transparent_hugepage_children[] = {
	PROC_CONSTANT("defrag", "always defer defer+madvise madvise [never]\n"),
	PROC_WRITABLE("enabled", 0644, huge_enabled_show, huge_enabled_store),
	PROC_CONSTANT("hpage_pmd_size", "2097152\n"),
	PROC_CONSTANT("shmem_enabled", "always within_size advise [never] deny force\n"),
	PROC_CONSTANT("use_zero_page", "0\n"),
};
static const struct proc_entry ksm_children[] = { PROC_CONSTANT("pages_shared", "0\n"),
						  PROC_CONSTANT("pages_sharing", "0\n"),
						  PROC_CONSTANT("run", "0\n") };
static const struct proc_entry hugepages_2m_children[] = {
	PROC_CONSTANT("free_hugepages", "0\n"), PROC_CONSTANT("nr_hugepages", "0\n"),
	PROC_CONSTANT("nr_overcommit_hugepages", "0\n"), PROC_CONSTANT("resv_hugepages", "0\n"),
	PROC_CONSTANT("surplus_hugepages", "0\n")
};
static const struct proc_entry hugepages_children[] = { PROC_DIRECTORY("hugepages-2048kB",
								       hugepages_2m_children) };
static const struct proc_entry mm_children[] = {
	PROC_DIRECTORY("hugepages", hugepages_children),
	PROC_DIRECTORY("ksm", ksm_children),
	PROC_DIRECTORY("transparent_hugepage", transparent_hugepage_children),
};
static const struct proc_entry kernel_children[] = { PROC_DIRECTORY("mm", mm_children) };

#define EMPTY_DIRECTORY(name_)                        \
	{                                             \
		.name = name_, .mode = S_IFDIR | 0555 \
	}
static const struct proc_entry fs_children[] = { EMPTY_DIRECTORY("cgroup") };

static const struct proc_entry dev_children[] = {
	SYS_BLOCK_DIRECTORY(SYS_BLOCK_NUMBERS),
	EMPTY_DIRECTORY("char"),
};

static const struct proc_entry root_children[] = {
	SYS_BLOCK_DIRECTORY(SYS_BLOCK_ALL),          EMPTY_DIRECTORY("bus"),
	PROC_DIRECTORY("class", class_children),     PROC_DIRECTORY("dev", dev_children),
	PROC_DIRECTORY("devices", devices_children), PROC_DIRECTORY("fs", fs_children),
	PROC_DIRECTORY("kernel", kernel_children),
};
static const struct proc_entry root_entry = PROC_DIRECTORY("/", root_children);

struct super *sysfs_new(void)
{
	return proc_super_new("sysfs", SYSFS_MAGIC, &root_entry, 0);
}
