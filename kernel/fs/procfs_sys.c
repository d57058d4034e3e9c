/*
 * procfs_sys.c - /proc/sys: the kernel's parameters. What the kernel lets nobody change is a
 * constant here, and says what the kernel really does.
 *
 * The rule: a file that can be written has its state where it is used (uts.c), not here. Next:
 * procfs_vm.c.
 */
#include <linux/capability.h>
#include <linux/stat.h>

#include "dev/device.h"
#include "fs/pipe.h"
#include "fs/procfs_priv.h"
#include "fs/uts.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "proc/core.h"
#include "proc/proc.h"

#define NUMBER_TEXT_(n) #n
#define NUMBER_TEXT(n) NUMBER_TEXT_(n)

#define UUID_BYTES 16

/* --- names --- */

static int name_show(struct text *t, enum uts_name which)
{
	char name[UTS_NAME_MAX + 1];

	uts_get(which, name);
	text_printf(t, "%s\n", name);
	return 0;
}

/* A line: what follows a newline is not looked at. */
static int name_store(const char *text, enum uts_name which)
{
	const char *end = strchr(text, '\n');

	return uts_set(which, text, end ? (size_t)(end - text) : strlen(text));
}

static int hostname_show(struct text *t, const struct proc_node *n)
{
	return name_show(t, UTS_HOSTNAME);
}

static int hostname_store(const char *text, const struct proc_node *n)
{
	return name_store(text, UTS_HOSTNAME);
}

static int core_pattern_show(struct text *t, const struct proc_node *n)
{
	char pattern[CORE_PATTERN_SIZE];

	core_pattern_get(pattern);
	text_printf(t, "%s\n", pattern);
	return 0;
}

static int core_pattern_store(const char *text, const struct proc_node *n)
{
	core_pattern_set(text);
	return 0;
}

static int domainname_show(struct text *t, const struct proc_node *n)
{
	return name_show(t, UTS_DOMAINNAME);
}

static int domainname_store(const char *text, const struct proc_node *n)
{
	return name_store(text, UTS_DOMAINNAME);
}

/* --- random numbers --- */

static void uuid_make(u8 id[UUID_BYTES])
{
	random_bytes(id, UUID_BYTES);
	id[6] = (u8)((id[6] & 0x0f) | 0x40); /* RFC 4122, 4.4: version 4 */
	id[8] = (u8)((id[8] & 0x3f) | 0x80);
}

static void uuid_add(struct text *t, const u8 id[UUID_BYTES])
{
	for (u32 i = 0; i < UUID_BYTES; i++)
		text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	text_string(t, "\n");
}

static int uuid_show(struct text *t, const struct proc_node *n)
{
	u8 id[UUID_BYTES];

	uuid_make(id);
	uuid_add(t, id);
	return 0;
}

static int boot_id_show(struct text *t, const struct proc_node *n)
{
	static struct spinlock lock = SPINLOCK_INIT(RANK_FS);
	static bool made; /* lock */
	static u8 boot_id[UUID_BYTES];
	u8 fresh[UUID_BYTES];

	uuid_make(fresh);
	spin_lock(&lock);
	if (!made)
		memcpy(boot_id, fresh, sizeof(fresh));
	made = true;
	spin_unlock(&lock);
	uuid_add(t, boot_id);
	return 0;
}

/* --- figures --- */

static void add_open_files(const struct slab_cache *c, void *arg)
{
	if (strcmp(c->name, "file") == 0)
		*(u64 *)arg += slab_objects(c);
}

static int file_nr_show(struct text *t, const struct proc_node *n)
{
	u64 files = 0;

	slab_for_each(add_open_files, &files);
	text_printf(t, "%lu\t0\t9223372036854775807\n", files);
	return 0;
}

static int threads_max_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\n", (u64)threads_max());
	return 0;
}

static const struct proc_entry random_children[] = {
	PROC_FILE("boot_id", 0444, boot_id_show),
	PROC_PARAMETER("entropy_avail", "256\n"),
	PROC_PARAMETER("poolsize", "256\n"),
	PROC_FILE("uuid", 0444, uuid_show),
};

static const struct proc_entry kernel_children[] = {
	PROC_PARAMETER("cap_last_cap", "40\n"),
	PROC_WRITABLE("core_pattern", 0644, core_pattern_show, core_pattern_store),
	PROC_PARAMETER("core_uses_pid", "0\n"),
	PROC_WRITABLE("domainname", 0644, domainname_show, domainname_store),
	PROC_WRITABLE("hostname", 0644, hostname_show, hostname_store),
	PROC_PARAMETER("msgmax", "8192\n"),
	PROC_PARAMETER("msgmnb", "16384\n"),
	PROC_PARAMETER("msgmni", "32000\n"),
	PROC_PARAMETER("ngroups_max", NUMBER_TEXT(NGROUPS_KEPT) "\n"),
	PROC_PARAMETER("osrelease", UTS_RELEASE "\n"),
	PROC_PARAMETER("ostype", UTS_SYSNAME "\n"),
	PROC_PARAMETER("overflowgid", "65534\n"),
	PROC_PARAMETER("overflowuid", "65534\n"),
	PROC_PARAMETER("pid_max", "4194304\n"),
	PROC_DIRECTORY("random", random_children),
	PROC_PARAMETER("randomize_va_space", "2\n"),
	PROC_PARAMETER("sem", "32000\t1024000000\t500\t32000\n"),
	PROC_WRITABLE("shm_rmid_forced", 0644, proc_shm_rmid_forced_show,
		      proc_shm_rmid_forced_store),
	PROC_WRITABLE("shmall", 0644, proc_shmall_show, proc_shmall_store),
	PROC_WRITABLE("shmmax", 0644, proc_shmmax_show, proc_shmmax_store),
	PROC_WRITABLE("shmmni", 0644, proc_shmmni_show, proc_shmmni_store),
	PROC_FILE("threads-max", 0444, threads_max_show),
	PROC_PARAMETER("version", UTS_VERSION "\n"),
};
_Static_assert(CAP_LAST_CAP == 40, "cap_last_cap");

/* What net/socket.h and net/unix_priv.h have as numbers. */
static const struct proc_entry core_children[] = {
	PROC_PARAMETER("optmem_max", "131072\n"),   PROC_PARAMETER("rmem_default", "212992\n"),
	PROC_PARAMETER("rmem_max", "4194304\n"),    PROC_PARAMETER("somaxconn", "4096\n"),
	PROC_PARAMETER("wmem_default", "212992\n"), PROC_PARAMETER("wmem_max", "4194304\n"),
};
static const struct proc_entry unix_children[] = { PROC_PARAMETER("max_dgram_qlen", "10\n") };
static const struct proc_entry net_children[] = {
	PROC_DIRECTORY("core", core_children),
#ifdef COPPICE_INET
	PROC_DIRECTORY("ipv4", proc_ipv4_children),
#endif
	PROC_DIRECTORY("unix", unix_children),
};

static const struct proc_entry inotify_children[] = {
	PROC_PARAMETER("max_queued_events", "16384\n"),
	PROC_PARAMETER("max_user_instances", "128\n"),
	PROC_PARAMETER("max_user_watches", "65536\n"),
};

static const struct proc_entry mqueue_children[] = {
	PROC_PARAMETER("msg_default", "10\n"),       PROC_PARAMETER("msg_max", "10\n"),
	PROC_PARAMETER("msgsize_default", "8192\n"), PROC_PARAMETER("msgsize_max", "8192\n"),
	PROC_PARAMETER("queues_max", "256\n"),
};

static const struct proc_entry fs_children[] = {
	PROC_PARAMETER("file-max", "9223372036854775807\n"),
	PROC_FILE("file-nr", 0444, file_nr_show),
	PROC_DIRECTORY("inotify", inotify_children),
	PROC_DIRECTORY("mqueue", mqueue_children),
	PROC_PARAMETER("nr_open", "1048576\n"),
	PROC_PARAMETER("pipe-max-size", NUMBER_TEXT(PIPE_MAX_SIZE) "\n"),
};

const struct proc_entry proc_sys_children[PROC_SYS_CHILDREN] = {
	PROC_DIRECTORY("fs", fs_children),
	PROC_DIRECTORY("kernel", kernel_children),
	PROC_DIRECTORY("net", net_children),
	PROC_DIRECTORY("vm", proc_sys_vm_children),
};
