/*
 * vfs_side.c - the kernel's vfs and memfs in a Linux process: one process's credentials and
 * tables, and what the rest of the kernel supplies to fs/.
 *
 * Everything runs on the hosted machine's memory (hosted/), whose census tells at the end whether
 * something was lost.
 */
#include "side.h"

#include "fs/iter.h"
#include "fs/memfs.h"
#include "fs/vfs_priv.h"
#include "hosted.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/unix.h"
#include "proc/proc.h"

#define MOUNT_POINT "/m"
#define CLOCK_START 1000000000000ull

void *malloc(size_t n);
void free(void *p);

static struct thread the_thread;
static struct process the_process;
static struct cred the_cred;
static struct hosted_census before;
static bool over_lower;

/* --- what fs/ asks of the rest of the kernel --- */

struct thread *thread_current(void)
{
	return &the_thread;
}

u64 clock_realtime(void)
{
	static u64 now = CLOCK_START;

	return now += 1000;
}

u64 rlimit_get(u32 resource)
{
	return UINT64_MAX;
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	return c->fsgid == gid;
}

bool cred_capable(const struct cred *c, u32 cap)
{
	return c->cap_effective >> cap & 1;
}

void cred_get(struct cred *c)
{
}

void cred_put(struct cred *c)
{
}

size_t copy_to_user(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}

size_t copy_from_user(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}

size_t clear_user(void *dst, size_t n)
{
	memset(dst, 0, n);
	return 0;
}

void locks_file_released(struct file *f)
{
}

void locks_descriptor_closed(struct file *f, struct files *owner)
{
}

void unix_collect(void)
{
}

void locks_inode_free(struct inode *i)
{
}

void epoll_file_released(struct file *f)
{
}

static int no_device(struct file *f)
{
	return -ENXIO;
}

const struct file_ops fifo_file_ops, char_device_file_ops;
const struct file_ops block_device_file_ops = { .open = no_device };

/* --- the lower tree; its memory is not the kernel's, so failing allocations do not reach it --- */

struct lower {
	int fd;
};

static long lower_handles;

static struct lower *lower_new(int fd)
{
	struct lower *l = malloc(sizeof(*l));

	l->fd = fd;
	lower_handles++;
	return l;
}

static int lower_open(int directory, const char *name, struct lower **out, struct attributes *a)
{
	struct side_attributes s;
	int fd = host_lookup(directory, name, &s);

	if (fd < 0)
		return fd;
	*a = (struct attributes){
		.ino = s.ino,
		.mode = s.mode,
		.nlink = s.nlink,
		.uid = s.uid,
		.gid = s.gid,
		.size = s.size,
		.blocks = s.blocks,
	};
	*out = lower_new(fd);
	return 0;
}

static int lower_lookup(struct lower *dir, const char *name, size_t len, struct lower **out,
			struct attributes *a)
{
	char text[NAME_MAX_BYTES + 1];

	memcpy(text, name, len);
	text[len] = '\0';
	return lower_open(dir->fd, text, out, a);
}

static int lower_readdir(struct lower *dir,
			 int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type),
			 void *arg)
{
	return host_readdir(dir->fd, emit, arg);
}

static ssize lower_readlink(struct lower *link, char *buf, size_t size)
{
	return host_readlink(link->fd, buf, size);
}

static int lower_read_pages(struct lower *file, u64 index, struct page **pages, u32 count)
{
	for (u32 i = 0; i < count; i++)
		host_read_page(file->fd, frame_data(pages[i]), (index + i) * PAGE_SIZE);
	return 0;
}

static int lower_statfs(struct lower *root, struct statfs_info *out)
{
	return 0;
}

static void lower_put(struct lower *l)
{
	host_close(l->fd);
	free(l);
	lower_handles--;
}

static const struct lower_ops lower_ops = {
	.lookup = lower_lookup,
	.readdir = lower_readdir,
	.readlink = lower_readlink,
	.read_pages = lower_read_pages,
	.statfs = lower_statfs,
	.put = lower_put,
};

long vfs_lower_handles(void)
{
	return lower_handles;
}

/* --- start and end --- */

static struct super *super_over(const char *directory)
{
	struct attributes a;
	struct lower *l;

	assert(lower_open(-1, directory, &l, &a) == 0);
	return memfs_new_over(&lower_ops, l, &a, 0);
}

static void enter(const struct path *p)
{
	fs_context_set_root(the_process.fs, p);
	fs_context_set_cwd(the_process.fs, p);
}

static void mount_and_enter(void)
{
	struct path p;

	assert(vfs_mkdir(NULL, MOUNT_POINT, 0755) == 0);
	dentry_shrink(UINT64_MAX);
	before = hosted_census();
	assert(path_lookup(NULL, MOUNT_POINT, 0, &p) == 0);
	assert(mount_new(&p, memfs_new(0755, 0), "test", "") == 0);
	path_put(&p);
	assert(path_lookup(NULL, MOUNT_POINT, 0, &p) == 0);
	enter(&p);
	path_put(&p);
}

void vfs_start(const char *lower_directory)
{
	the_thread.process = &the_process;
	the_process.cred = &the_cred;
	vfs_set_ids(0, 0);
	inode_system_init();
	dentry_init();
	file_system_init();
	name_init();
	memfs_init();
	over_lower = lower_directory;
	assert(mount_add("/", over_lower ? super_over(lower_directory) : memfs_new(0755, 0), "test",
			 "") == 0);
	the_process.fs = fs_context_new();
	if (!over_lower)
		mount_and_enter();
}

const char *vfs_finish(void)
{
	struct hosted_census after;
	struct path p;

	dentry_shrink(UINT64_MAX);
	if (over_lower)
		return NULL;
	mount_root_path(&p);
	enter(&p);
	path_put(&p);
	assert(path_lookup(NULL, MOUNT_POINT, 0, &p) == 0);
	if (mount_remove(&p, false))
		return "the mount is still in use";
	path_put(&p);
	dentry_shrink(UINT64_MAX);
	after = hosted_census();
	return hosted_census_difference(&before, &after);
}

void vfs_set_ids(unsigned uid, unsigned gid)
{
	the_cred.uid = the_cred.euid = the_cred.fsuid = uid;
	the_cred.gid = the_cred.egid = the_cred.fsgid = gid;
	the_cred.cap_effective = the_cred.cap_permitted = uid ? 0 : UINT64_MAX;
}

/* --- calls --- */

long vfs_side_mkdir(const char *path, unsigned mode)
{
	return vfs_mkdir(NULL, path, mode);
}

long vfs_side_rmdir(const char *path)
{
	return vfs_rmdir(NULL, path);
}

long vfs_side_unlink(const char *path)
{
	return vfs_unlink(NULL, path);
}

long vfs_side_symlink(const char *target, const char *path)
{
	return vfs_symlink(target, NULL, path);
}

long vfs_side_link(const char *old, const char *new, int follow)
{
	return vfs_link(NULL, old, NULL, new, follow ? LOOKUP_FOLLOW : 0);
}

long vfs_side_rename(const char *old, const char *new, unsigned flags)
{
	return vfs_rename(NULL, old, NULL, new, flags);
}

long vfs_side_open(const char *path, unsigned flags, unsigned mode, void **file)
{
	struct file *f = file_open(NULL, path, flags, mode);

	*file = f;
	return IS_ERR(f) ? PTR_ERR(f) : 0;
}

void vfs_side_close(void *file)
{
	file_put(file);
}

static void attributes_out(const struct path *p, struct side_attributes *out)
{
	struct attributes a;

	vfs_getattr(p, &a);
	*out = (struct side_attributes){ a.ino, a.size, a.blocks, a.mode, a.nlink, a.uid, a.gid };
}

long vfs_side_stat(const char *path, int follow, struct side_attributes *out)
{
	struct path p;
	int err = path_lookup(NULL, path, follow ? LOOKUP_FOLLOW : 0, &p);

	if (err)
		return err;
	attributes_out(&p, out);
	path_put(&p);
	return 0;
}

void vfs_side_fstat(void *file, struct side_attributes *out)
{
	attributes_out(&((struct file *)file)->path, out);
}

static long change(const char *path, u32 flags, const struct attribute_change *c)
{
	struct path p;
	long result = path_lookup(NULL, path, flags, &p);

	if (result)
		return result;
	result = vfs_setattr(&p, c);
	path_put(&p);
	return result;
}

long vfs_side_chmod(const char *path, unsigned mode)
{
	return change(path, LOOKUP_FOLLOW,
		      &(struct attribute_change){ .valid = SET_MODE, .mode = mode });
}

long vfs_side_lchown(const char *path, unsigned uid, unsigned gid)
{
	return change(
		path, 0,
		&(struct attribute_change){ .valid = SET_UID | SET_GID, .uid = uid, .gid = gid });
}

long vfs_side_truncate(const char *path, unsigned long size)
{
	struct path p;
	long result = path_lookup(NULL, path, LOOKUP_FOLLOW, &p);

	if (result)
		return result;
	result = vfs_truncate(NULL, &p, size);
	path_put(&p);
	return result;
}

long vfs_side_access(const char *path, unsigned may)
{
	return vfs_access(NULL, path, may, LOOKUP_FOLLOW, false);
}

long vfs_side_pread(void *file, void *buf, unsigned long n, unsigned long offset)
{
	struct iter it;

	iter_init_user(&it, buf, n);
	return file_read(file, &it, &offset);
}

long vfs_side_pwrite(void *file, void *buf, unsigned long n, unsigned long offset)
{
	struct iter it;

	iter_init_user(&it, buf, n);
	return file_write(file, &it, &offset);
}

long vfs_side_fallocate(void *file, int mode, unsigned long offset, unsigned long length)
{
	struct file *f = file;

	return f->can_write ? f->ops->fallocate(f, mode, offset, length) : -EBADF;
}

long vfs_side_readlink(const char *path, char *buf, unsigned long size)
{
	struct inode *i;
	struct path p;
	long result = path_lookup(NULL, path, 0, &p);

	if (result)
		return result;
	i = dentry_inode(p.dentry);
	result = i->ops->readlink ? i->ops->readlink(i, buf, size) : -EINVAL;
	path_put(&p);
	return result;
}

long vfs_side_readdir(void *file, side_emit emit, void *arg)
{
	return file_readdir(file, emit, arg);
}

long vfs_side_chdir(const char *path)
{
	struct path p;
	long result = path_lookup(NULL, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (result)
		return result;
	result = vfs_permission(dentry_inode(p.dentry), MAY_EXEC);
	if (!result)
		result = fs_context_set_cwd(the_process.fs, &p);
	path_put(&p);
	return result;
}

long vfs_side_getcwd(char *buf, unsigned long size)
{
	struct path p;
	char *text;

	fs_context_cwd(the_process.fs, &p);
	text = path_unlinked(&p) ? ERR_PTR(-ENOENT) : path_text(&p, buf, size);
	path_put(&p);
	if (IS_ERR(text))
		return PTR_ERR(text);
	memmove(buf, text, strlen(text) + 1);
	return (long)strlen(buf) + 1;
}

void vfs_side_shrink(unsigned long names)
{
	dentry_shrink(names);
}
