/*
 * paging.c - the kernel's own page tables: the direct map of all memory, and the kernel image, each
 * part with its rights.
 *
 * Central rule: no page is both writable and executable, through no alias: kernel text and rodata
 * are read-only in the direct map too. All top-level entries of the kernel half exist before the
 * first user root is made, and never change: a user root copies them once (machine_root_init).
 * Tables come from a bump region until the frame allocator runs. vmap.c has the rest of the kernel
 * half.
 */
#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/paging_priv.h"
#include "lib/print.h"
#include "lib/string.h"

#define SIZE_2M BIT(21)
#define SIZE_1G BIT(30)
#define SIZE_512G BIT(39)

#define ENTRY_TABLE (PTE_P | PTE_RW | PTE_A)
#define ENTRY_DATA (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define ENTRY_RODATA (PTE_P | PTE_A | PTE_G | PTE_NX)
#define ENTRY_TEXT (PTE_P | PTE_A | PTE_G)

u64 kernel_root;
struct kernel_top kernel_top[PTES_PER_TABLE / 2];
u32 kernel_top_count;

/* Next free byte of the bump region; 0 once the frame allocator has taken over. */
static u64 bump;

/* Physical address of a zeroed table, 0 without memory. */
static u64 table_alloc(void)
{
	u64 phys;

	if (bump) {
		phys = bump;
		bump += PAGE_SIZE;
	} else {
		struct page *p = frame_alloc(PAGE_KERNEL);

		if (!p)
			return 0;
		phys = page_phys(p);
	}
	memset(phys_to_virt(phys), 0, PAGE_SIZE);
	return phys;
}

static u32 table_index(u64 va, u32 level)
{
	return (u32)(va >> LEVEL_SHIFT(level)) & (PTES_PER_TABLE - 1);
}

u64 *kernel_entry(u64 va, u32 level, bool make)
{
	u64 *table = phys_to_virt(kernel_root);

	for (u32 l = LEVELS; l > level; l--) {
		u64 *e = &table[table_index(va, l)];

		if (!(*e & PTE_P)) {
			u64 phys = make ? table_alloc() : 0;

			if (!phys)
				return NULL;
			*e = phys | ENTRY_TABLE;
		} else if (*e & PTE_PS) {
			return NULL;
		}
		table = phys_to_virt(*e & PTE_FRAME_MASK);
	}
	return &table[table_index(va, level)];
}

bool kernel_mapped(u64 va)
{
	for (u32 level = LEVELS; level > 0; level--) {
		u64 *e = kernel_entry(va, level, false);

		if (!e || !(*e & PTE_P))
			return false;
		if (level == 1 || (*e & PTE_PS))
			return true;
	}
	return false;
}

/* While booting there is memory: a table that cannot be had is a bug. */
static void boot_map(u64 va, u32 level, u64 entry)
{
	u64 *e = kernel_entry(va, level, true);

	assert(e && !*e);
	*e = entry;
}

/* Whether [start, start + size) meets the part of the kernel image that nobody may write. */
static bool meets_read_only(u64 start, u64 size)
{
	return start < image_phys(rodata_end) && start + size > image_phys(image_start);
}

static bool inside_one(const struct memory_range *ram, u32 count, u64 start, u64 size)
{
	for (u32 i = 0; i < count; i++)
		if (start >= ram[i].start && start + size <= ram[i].end)
			return true;
	return false;
}

u64 direct_map_bytes[4];

static void direct_map_2m(u64 start)
{
	if (!meets_read_only(start, SIZE_2M)) {
		boot_map(DIRECT_MAP_BASE + start, 2, start | ENTRY_DATA | PTE_PS);
		direct_map_bytes[2] += SIZE_2M;
		return;
	}
	direct_map_bytes[1] += SIZE_2M;
	for (u64 p = start; p < start + SIZE_2M; p += PAGE_SIZE)
		boot_map(DIRECT_MAP_BASE + p, 1,
			 p | (meets_read_only(p, PAGE_SIZE) ? ENTRY_RODATA : ENTRY_DATA));
}

/* Ranges are rounded outwards to 2 MiB: what is no memory there is never used through this map. */
static void direct_map_range(const struct memory_range *ram, u32 count, u64 start, u64 end)
{
	while (start < end) {
		if (cpu_features.page_1g && IS_ALIGNED(start, SIZE_1G) &&
		    inside_one(ram, count, start, SIZE_1G) && !meets_read_only(start, SIZE_1G)) {
			boot_map(DIRECT_MAP_BASE + start, 3, start | ENTRY_DATA | PTE_PS);
			direct_map_bytes[3] += SIZE_1G;
			start += SIZE_1G;
		} else {
			direct_map_2m(start);
			start += SIZE_2M;
		}
	}
}

static void image_map(const char *from, const char *to, u64 rights)
{
	for (u64 va = (u64)from; va < (u64)to; va += PAGE_SIZE)
		boot_map(va, 1, image_phys((void *)va) | rights);
}

u64 direct_map_size(const struct memory_range *ram, u32 count)
{
	u64 image_tables = DIV_ROUND_UP((u64)(image_end - image_start), SIZE_2M) + 1;
	/* The root; two directories over the image; 4 KiB tables of the image and of its alias. */
	u64 tables = 1 + 2 + 2 * image_tables;

	for (u32 i = 0; i < count; i++) {
		u64 size = ram[i].end - ram[i].start;

		tables += DIV_ROUND_UP(size, SIZE_1G) + 1 + DIV_ROUND_UP(size, SIZE_512G) + 1;
	}
	return tables * PAGE_SIZE;
}

u64 direct_map_init(const struct memory_range *ram, u32 count, u64 tables)
{
	u64 done = 0, end;

	bump = tables;
	kernel_root = table_alloc();
	for (u32 i = 0; i < count; i++) {
		u64 start = max(ROUND_DOWN(ram[i].start, SIZE_2M), done);

		done = max(ROUND_UP(ram[i].end, SIZE_2M), start);
		direct_map_range(ram, count, start, done);
	}
	image_map(image_start, text_end, ENTRY_TEXT);
	image_map(text_end, rodata_end, ENTRY_RODATA);
	image_map(rodata_end, image_end, ENTRY_DATA);
	write_cr3(kernel_root);
	end = bump;
	bump = 0;
	return end;
}

void cpu_init_memory(void)
{
	const u64 *root = phys_to_virt(kernel_root);

	vmap_init();
	for (u32 i = PTES_PER_TABLE / 2; i < PTES_PER_TABLE; i++)
		if (root[i])
			kernel_top[kernel_top_count++] = (struct kernel_top){ i, root[i] };
}
