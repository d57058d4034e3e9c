/*
 * init.c - the tree of files that a program finds: what is mounted where, at start.
 *
 * The rule: the host's tree is the root, read only, with everything that is written kept in memory
 * over it; only the directories that the user passed with --rw lead to the host for writing. Start
 * reading at vfs.h.
 */
#include <asm-generic/fcntl.h>

#include "dev/device.h"
#include "fs/filesystems.h"
#include "fs/memfs.h"
#include "fs/uts.h"
#include "fs/vfs_priv.h"
#include "fs/iter.h"
#include "lib/print.h"
#include "lib/string.h"

#define ROOT_TAG "root"

/* There is no machine without these. */
static void mount_or_panic(const char *path, struct super *s, const char *source,
			   const char *options)
{
	int err = s ? mount_add(path, s, source, options) : -ENOMEM;

	if (err)
		panic("cannot mount %s: error %d", path, -err);
}

static void mount_root(void)
{
	const struct lower_ops *ops;
	struct attributes attr;
	struct lower *root;
	int err = p9_lower_attach(ROOT_TAG, &ops, &root, &attr);

	if (err)
		panic("cannot read the host's file tree: error %d", -err);
	mount_or_panic("/", memfs_new_over(ops, root, &attr, 0), "host", "");
}

/*
 * A program that believes that it writes to the host must not write to memory: without the
 * directory there is no machine.
 */
static void mount_writable_directories(void)
{
	for (u32 i = 0; i < launch.nrw; i++) {
		const struct launch_rw *rw = &launch.rw[i];
		struct super *s = p9fs_mount(rw->tag);
		int err = s ? mount_add(rw->path, s, rw->path, "") : -ENODEV;

		if (err)
			panic("cannot mount %s for writing: error %d", rw->path, -err);
	}
}

/*
 * The name servers of the host may be out of the guest's reach; then the command says what the file
 * says instead. It is written to memory, as all is that programs write.
 */
void fs_write_resolver(void)
{
	struct iter it;
	struct file *f;
	ssize n;

	if (!launch.resolver)
		return;
	f = file_open(NULL, "/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (IS_ERR(f)) {
		log_info("no /etc/resolv.conf: error %ld", -PTR_ERR(f));
		return;
	}
	iter_init_kernel(&it, (void *)launch.resolver, strlen(launch.resolver));
	n = file_write(f, &it, NULL);
	if (n < 0)
		log_info("cannot write /etc/resolv.conf: error %ld", -n);
	file_put(f);
}

void fs_init(void)
{
	inode_system_init();
	dentry_init();
	file_system_init();
	name_init();
	memfs_init();
	uts_init();
	mount_root();
	mount_or_panic("/proc", procfs_new(), "proc", "");
	mount_or_panic("/sys", sysfs_new(), "sysfs", "");
	mount_or_panic("/dev", devfs_new(), "devfs", "");
	mount_or_panic("/dev/pts", devpts_new(), "devpts", "");
	mount_or_panic("/dev/shm", memfs_new(01777, 0), "tmpfs", "");
	mount_writable_directories();
	flusher_start();
}
