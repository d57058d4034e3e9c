/*
 * memory.c - reads the loader's memory map, and keeps what must survive until it has been read out
 * of the frame allocator's hands.
 */
#include "boot/memory.h"

#include "arch/x86_64/paging.h"
#include "lib/print.h"
#include "lib/string.h"

#define LOW_MEMORY 0x100000ull /* firmware's: never used */
#define BOOT_MAPPED BIT(32)    /* entry.S's tables reach up to here */

/* Insert in ascending order; joins nothing: the map's entries are disjoint. */
static void usable_add(struct boot_memory *m, u64 start, u64 end)
{
	u32 i = m->nusable;

	start = ROUND_UP(start, PAGE_SIZE);
	end = ROUND_DOWN(end, PAGE_SIZE);
	if (start >= end)
		return;
	if (m->nusable == BOOT_RANGES_MAX)
		panic("the memory map has more than %u entries", BOOT_RANGES_MAX);
	for (; i > 0 && m->usable[i - 1].start > start; i--)
		m->usable[i] = m->usable[i - 1];
	m->usable[i] = (struct memory_range){ start, end };
	m->nusable++;
}

void boot_memory_reserve(struct boot_memory *m, u64 start, u64 size)
{
	if (size == 0)
		return;
	if (m->nreserved == BOOT_RANGES_MAX)
		panic("more than %u reserved ranges", BOOT_RANGES_MAX);
	m->reserved[m->nreserved++] = (struct memory_range){ ROUND_DOWN(start, PAGE_SIZE),
							     ROUND_UP(start + size, PAGE_SIZE) };
}

static void reserve_loader(struct boot_memory *m, const struct pvh_start_info *info)
{
	const struct pvh_module *modules = phys_to_virt(info->modules);

	boot_memory_reserve(m, virt_to_phys(info), sizeof(*info));
	boot_memory_reserve(m, info->memory_map,
			    info->memory_map_entries * sizeof(struct pvh_memory));
	boot_memory_reserve(m, info->modules, info->module_count * sizeof(struct pvh_module));
	if (info->command_line)
		boot_memory_reserve(m, info->command_line,
				    strlen(phys_to_virt(info->command_line)) + 1);
	for (u32 i = 0; i < info->module_count; i++)
		boot_memory_reserve(m, modules[i].start, modules[i].size);
}

void boot_memory_find(struct boot_memory *m, const struct pvh_start_info *info)
{
	const struct pvh_memory *map = phys_to_virt(info->memory_map);

	if (info->magic != PVH_MAGIC)
		panic("not started by the PVH protocol: magic %#x", info->magic);
	if (info->version < 1 || info->memory_map_entries == 0)
		panic("the loader gave no memory map");
	for (u32 i = 0; i < info->memory_map_entries; i++)
		if (map[i].type == PVH_MEMORY_RAM)
			usable_add(m, map[i].start, map[i].start + map[i].size);
	boot_memory_reserve(m, 0, LOW_MEMORY);
	boot_memory_reserve(m, LOW_MEMORY, image_phys(image_end) - LOW_MEMORY);
	reserve_loader(m, info);
}

static const struct memory_range *overlap(const struct boot_memory *m, u64 start, u64 end)
{
	for (u32 i = 0; i < m->nreserved; i++)
		if (start < m->reserved[i].end && m->reserved[i].start < end)
			return &m->reserved[i];
	return NULL;
}

static bool is_usable(const struct boot_memory *m, u64 start, u64 end)
{
	for (u32 i = 0; i < m->nusable; i++)
		if (m->usable[i].start <= start && end <= m->usable[i].end)
			return true;
	return false;
}

u64 boot_memory_take(struct boot_memory *m, u64 size)
{
	u64 start = image_phys(image_end);
	const struct memory_range *taken;

	while ((taken = overlap(m, start, start + size)))
		start = taken->end;
	if (!is_usable(m, start, start + size) || start + size > BOOT_MAPPED)
		panic("no room for page tables behind the kernel image");
	boot_memory_reserve(m, start, size);
	return start;
}
