/* name.c - making, removing and moving names; the current directory, the root, the umask. */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/syscall.h"

/* --- one name --- */

static long do_mkdir(int dirfd, const char __user *name, u32 mode)
{
	struct user_path p;
	int err = user_path_get(&p, dirfd, name, 0);

	if (err)
		return err;
	err = vfs_mkdir(p.start, p.name, mode);
	user_path_put(&p);
	return err;
}

SYSCALL2(mkdir, const char __user *, name, u32, mode)
{
	return do_mkdir(AT_FDCWD, name, mode);
}

SYSCALL3(mkdirat, int, dirfd, const char __user *, name, u32, mode)
{
	return do_mkdir(dirfd, name, mode);
}

static long do_mknod(int dirfd, const char __user *name, u32 mode, u32 dev)
{
	struct user_path p;
	int err = user_path_get(&p, dirfd, name, 0);

	if (err)
		return err;
	err = vfs_mknod(p.start, p.name, mode, S_ISCHR(mode) || S_ISBLK(mode) ? dev : 0);
	user_path_put(&p);
	return err;
}

SYSCALL3(mknod, const char __user *, name, u32, mode, u32, dev)
{
	return do_mknod(AT_FDCWD, name, mode, dev);
}

SYSCALL4(mknodat, int, dirfd, const char __user *, name, u32, mode, u32, dev)
{
	return do_mknod(dirfd, name, mode, dev);
}

static long do_unlink(int dirfd, const char __user *name, bool directory)
{
	struct user_path p;
	int err = user_path_get(&p, dirfd, name, 0);

	if (err)
		return err;
	err = directory ? vfs_rmdir(p.start, p.name) : vfs_unlink(p.start, p.name);
	user_path_put(&p);
	return err;
}

SYSCALL1(unlink, const char __user *, name)
{
	return do_unlink(AT_FDCWD, name, false);
}

SYSCALL1(rmdir, const char __user *, name)
{
	return do_unlink(AT_FDCWD, name, true);
}

SYSCALL3(unlinkat, int, dirfd, const char __user *, name, int, flags)
{
	return flags & ~AT_REMOVEDIR ? -EINVAL : do_unlink(dirfd, name, flags & AT_REMOVEDIR);
}

/* --- two names --- */

static long do_symlink(const char __user *target, int dirfd, const char __user *name)
{
	struct user_path *t = kmalloc(sizeof(*t)), p;
	int err = t ? user_path_get(t, AT_FDCWD, target, 0) : -ENOMEM;

	if (err)
		goto out;
	err = user_path_get(&p, dirfd, name, 0);
	if (!err) {
		err = vfs_symlink(t->name, p.start, p.name);
		user_path_put(&p);
	}
	user_path_put(t);
out:
	kfree(t);
	return err;
}

SYSCALL2(symlink, const char __user *, target, const char __user *, name)
{
	return do_symlink(target, AT_FDCWD, name);
}

SYSCALL3(symlinkat, const char __user *, target, int, dirfd, const char __user *, name)
{
	return do_symlink(target, dirfd, name);
}

static long do_link(int old_dirfd, const char __user *old_name, int new_dirfd,
		    const char __user *new_name, int flags)
{
	struct user_path old, new;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	/* Whoever has only the descriptor may not give the file a name. */
	if (flags & AT_EMPTY_PATH && !cred_capable(cred_current(), CAP_DAC_READ_SEARCH))
		return -ENOENT;
	err = user_path_get(&old, old_dirfd, old_name, flags);
	if (err)
		return err;
	err = user_path_get(&new, new_dirfd, new_name, 0);
	if (!err) {
		err = vfs_link(old.start, old.name, new.start, new.name,
			       (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
				       (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0));
		user_path_put(&new);
	}
	user_path_put(&old);
	return err;
}

SYSCALL2(link, const char __user *, old_name, const char __user *, new_name)
{
	return do_link(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

SYSCALL5(linkat, int, old_dirfd, const char __user *, old_name, int, new_dirfd, const char __user *,
	 new_name, int, flags)
{
	return do_link(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static long do_rename(int old_dirfd, const char __user *old_name, int new_dirfd,
		      const char __user *new_name, u32 flags)
{
	struct user_path old, new;
	int err = user_path_get(&old, old_dirfd, old_name, 0);

	if (err)
		return err;
	err = user_path_get(&new, new_dirfd, new_name, 0);
	if (!err) {
		err = vfs_rename(old.start, old.name, new.start, new.name, flags);
		user_path_put(&new);
	}
	user_path_put(&old);
	return err;
}

SYSCALL2(rename, const char __user *, old_name, const char __user *, new_name)
{
	return do_rename(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

SYSCALL4(renameat, int, old_dirfd, const char __user *, old_name, int, new_dirfd,
	 const char __user *, new_name)
{
	return do_rename(old_dirfd, old_name, new_dirfd, new_name, 0);
}

SYSCALL5(renameat2, int, old_dirfd, const char __user *, old_name, int, new_dirfd,
	 const char __user *, new_name, u32, flags)
{
	return do_rename(old_dirfd, old_name, new_dirfd, new_name, flags);
}

/* --- where the process is --- */

/* Make p (given up) the current directory or the root. */
static long enter(struct path *p, bool root)
{
	struct fs_context *fs = process_current()->fs;
	struct inode *i = dentry_inode(p->dentry);
	int err = S_ISDIR(i->mode) ? vfs_permission(i, MAY_EXEC) : -ENOTDIR;

	if (!err && root && !cred_capable(cred_current(), CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		err = root ? fs_context_set_root(fs, p) : fs_context_set_cwd(fs, p);
	path_put(p);
	return err;
}

SYSCALL1(chdir, const char __user *, name)
{
	struct path p;
	long err = user_path_lookup(AT_FDCWD, name, 0, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	return err ? err : enter(&p, false);
}

SYSCALL1(fchdir, int, fd)
{
	struct path p;
	long err = fd_path(fd, true, &p);

	return err ? err : enter(&p, false);
}

SYSCALL1(chroot, const char __user *, name)
{
	struct path p;
	long err = user_path_lookup(AT_FDCWD, name, 0, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	return err ? err : enter(&p, true);
}

#define UNREACHABLE "(unreachable)"

/* The text of the current directory into buf, PATH_MAX bytes: where it begins. */
static char *cwd_text(const struct path *cwd, char *buf)
{
	char *text;

	if (path_unlinked(cwd))
		return ERR_PTR(-ENOENT);
	text = path_text(cwd, buf, PATH_MAX);
	if (PTR_ERR(text) != -ENOENT)
		return text;
	string_copy(buf, UNREACHABLE "/", PATH_MAX);
	return buf;
}

SYSCALL2(getcwd, char __user *, user, size_t, size)
{
	char *buf = kmalloc(PATH_MAX), *text;
	struct path cwd;
	long result;

	if (!buf)
		return -ENOMEM;
	fs_context_cwd(process_current()->fs, &cwd);
	text = cwd_text(&cwd, buf);
	path_put(&cwd);
	if (IS_ERR(text)) {
		result = PTR_ERR(text);
	} else {
		result = (long)strlen(text) + 1;
		if ((size_t)result > size)
			result = -ERANGE;
		else if (copy_to_user(user, text, (size_t)result))
			result = -EFAULT;
	}
	kfree(buf);
	return result;
}

SYSCALL1(umask, u32, mask)
{
	return atomic_exchange(&process_current()->fs->umask, mask & 0777);
}
