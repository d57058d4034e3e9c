/*
 * side.h - the two sides of the file test: the kernel's vfs running in this process, and the Linux
 * that it runs on.
 *
 * The same calls are made on both, and must give the same results. Only plain C types cross, for
 * the kernel's headers and the C library's do not mix: vfs_side.c is compiled with the kernel's,
 * main.c and host_side.c with the library's.
 */
#ifndef TESTS_FILES_SIDE_H
#define TESTS_FILES_SIDE_H

struct side_attributes {
	unsigned long ino, size, blocks;
	unsigned mode, nlink, uid, gid;
};

/*
 * --- vfs_side.c: results are negative errno; the arguments are those of the system call of the
 * same name ---
 */
typedef int (*side_emit)(void *arg, const char *name, unsigned long len, unsigned long ino,
			 unsigned type, unsigned long next);

void vfs_start(const char *lower_directory); /* NULL: a tmpfs that is mounted on a tmpfs */
const char *vfs_finish(void);                /* unmount it: NULL, or what was lost */
void vfs_set_ids(unsigned uid, unsigned gid);
long vfs_side_mkdir(const char *path, unsigned mode);
long vfs_side_rmdir(const char *path);
long vfs_side_unlink(const char *path);
long vfs_side_symlink(const char *target, const char *path);
long vfs_side_link(const char *old, const char *new, int follow);
long vfs_side_rename(const char *old, const char *new, unsigned flags);
long vfs_side_open(const char *path, unsigned flags, unsigned mode, void **file);
void vfs_side_close(void *file);
long vfs_side_stat(const char *path, int follow, struct side_attributes *out);
void vfs_side_fstat(void *file, struct side_attributes *out);
long vfs_side_chmod(const char *path, unsigned mode);
long vfs_side_lchown(const char *path, unsigned uid, unsigned gid);
long vfs_side_truncate(const char *path, unsigned long size);
long vfs_side_access(const char *path, unsigned may);
long vfs_side_pread(void *file, void *buf, unsigned long n, unsigned long offset);
long vfs_side_pwrite(void *file, void *buf, unsigned long n, unsigned long offset);
long vfs_side_fallocate(void *file, int mode, unsigned long offset, unsigned long length);
long vfs_side_readlink(const char *path, char *buf, unsigned long size);
long vfs_side_readdir(void *file, side_emit emit, void *arg);
long vfs_side_chdir(const char *path);
long vfs_side_getcwd(char *buf, unsigned long size);
void vfs_side_shrink(unsigned long names); /* memory pressure: forget so many unused names */
long vfs_lower_handles(void);              /* files of the lower tree that are open now */

/* --- host_side.c: the lower tree, a directory of this machine --- */
typedef int (*lower_emit)(void *arg, const char *name, unsigned long len, unsigned long ino,
			  unsigned type);

int host_lookup(int directory, const char *name,
		struct side_attributes
			*out); /* a descriptor, or negative errno; directory -1: name is absolute */
int host_readdir(int directory, lower_emit emit, void *arg);
long host_readlink(int link, char *buf, unsigned long size);
void host_read_page(int file, void *page, unsigned long offset); /* zeros beyond the end */
void host_close(int descriptor);

/* --- hosted/ --- */
void hosted_start(unsigned memory_mib);
void alloc_fail_after(unsigned long n);

#endif
