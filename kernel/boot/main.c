/*
 * main.c - from the first C instruction to the scheduler. The order of the calls is the order in
 * which the kernel is best read.
 *
 * Until the scheduler runs nothing may sleep; what may (devices, file systems, the first process)
 * starts in a thread of its own.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/vdso.h"
#include "boot/memory.h"
#include "boot/pvh.h"
#include "dev/device.h"
#include "fs/blockdev.h"
#include "fs/tty.h"
#include "fs/uts.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/space.h"
#include "net/socket.h"
#include "proc/proc.h"
#include "sys/syscall.h"

#define COMMAND_LINE_MAX 4096

void __noreturn kernel_main(u64 start_info_phys);

static char command_line[COMMAND_LINE_MAX];

extern char boot_pml4[]; /* entry.S */

/* Whether `word` is one of the space-separated words of the command line. */
static bool command_line_has(const char *word)
{
	size_t n = strlen(word);

	for (const char *p = command_line; *p;
	     p = strchr(p, ' ') ? strchr(p, ' ') + 1 : p + strlen(p))
		if (strncmp(p, word, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static void memory_init(const struct pvh_start_info *info)
{
	static struct boot_memory memory;
	u64 size, tables, end;

	boot_memory_find(&memory, info);
	size = direct_map_size(memory.usable, memory.nusable);
	tables = boot_memory_take(&memory, size);
	end = direct_map_init(memory.usable, memory.nusable, tables);
	frame_init(memory.usable, memory.nusable, memory.reserved, memory.nreserved);
	frame_release_range(end, tables + size);
	mm_init();
	cpu_init_memory();
	virtio_find(command_line);
	log_info("memory: %llu MiB in %u ranges, %lu frames free", frame_managed * PAGE_SIZE >> 20,
		 memory.nusable, frame_free_count());
}

/* launch_init copies what it needs; the whole pages of the record become free memory. */
static void launch_record_init(const struct pvh_start_info *info)
{
	const struct pvh_module *module = phys_to_virt(info->modules);

	if (info->module_count == 0)
		panic("no launch record: the loader gave no initrd");
	launch_init(phys_to_virt(module->start), module->size);
	frame_release_range(ROUND_UP(module->start, PAGE_SIZE),
			    ROUND_DOWN(module->start + module->size, PAGE_SIZE));
}

/* What needs to sleep while it starts. */
static void start(void *unused)
{
	virtio_init();
	host_init();
	console_init();
	fs_init();
	net_init();
	swapdev_start_launch();
	proc_start();
}

void kernel_main(u64 start_info_phys)
{
	const struct pvh_start_info *info = phys_to_virt(start_info_phys);

	if (info->command_line)
		string_copy(command_line, phys_to_virt(info->command_line), sizeof(command_line));
	uts_command_line = command_line;
	cpu_init_boot();
	log_init();
	cpus_find(info->rsdp);
	memory_init(info);
	cpu_init_interrupts();
	if (command_line_has("probe"))
		machine_off();
	launch_record_init(info);
	vdso_init();
	proc_init();
	syscall_init();
	random_init();
	reclaim_reserve();
	cpus_start(image_phys(boot_pml4), scheduler_start);
	if (!kthread_create(start, NULL, "start") ||
	    !kthread_create(reclaim_thread, NULL, "kswapd0"))
		panic("no memory for the first threads");
	scheduler_start();
}
