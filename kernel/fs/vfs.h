/*
 * vfs.h - inodes, names, mounts, open files: what every file system provides and what the rest of
 * the kernel may ask.
 *
 * An inode is a file; a dentry is a name in the cache of names, and also the place in the tree
 * that a path means (with its mount); a file is an open file description. Regular files keep their
 * bytes in an object (mm/object.h): read, write and mmap all go through it.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include "lib/atomic.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/waitq.h"
#include "mm/object.h"

struct dentry;
struct file;
struct inode;
struct mount;
struct path;
struct process;
struct cred;

struct timespec_ns { /* seconds since the epoch and nanoseconds */
	s64 sec;
	u32 nsec;
};

/* What stat reports. Kernel type: sys/ translates it to struct stat and struct statx. */
struct attributes {
	u64 dev, ino;
	u32 mode; /* S_IFMT | permissions */
	u32 nlink, uid, gid;
	u64 rdev, size, blocks; /* blocks of 512 bytes */
	u32 block_size;
	struct timespec_ns atime, mtime, ctime, btime;
};

/* What setattr changes: fields named in `valid`. */
#define SET_MODE 0x1
#define SET_UID 0x2
#define SET_GID 0x4
#define SET_SIZE 0x8
#define SET_ATIME 0x10
#define SET_MTIME 0x20
#define SET_ATIME_NOW 0x40
#define SET_MTIME_NOW 0x80
struct attribute_change {
	u32 valid, mode, uid, gid;
	u64 size;
	struct timespec_ns atime, mtime;
};

struct super {
	const struct super_ops *ops;
	u64 dev;               /* st_dev */
	u32 magic;             /* statfs f_type */
	u32 flags;             /* SUPER_* */
	const char *type_name; /* for /proc/mounts */
	struct dentry *root;   /* counted */
	void *data;
	u32 mounts; /* atomic: of this super */
};
#define SUPER_READONLY 0x1
#define SUPER_NO_DENTRY_CACHE 0x2 /* negative and stale names must be asked again (/proc) */

struct statfs_info {
	u64 block_size, blocks, blocks_free, blocks_available, files, files_free;
	u32 name_max;
};
struct super_ops {
	int (*statfs)(struct super *s, struct statfs_info *out);
	/* all that was written goes to where it belongs. NULL: it is there */
	int (*sync)(struct super *s);
	/* the last mount is gone, nobody uses a file of it. NULL: the super stays */
	void (*release)(struct super *s);
};

struct inode {
	struct refcount refs;
	const struct inode_ops *ops;
	const struct file_ops *file_ops; /* for open */
	struct super *super;
	u64 ino;
	struct mutex lock;         /* RANK_INODE or, for directories, RANK_INODE_DIR: guards L */
	u32 mode, uid, gid, nlink; /* L (single fields are read without) */
	u64 rdev;                  /* C */
	struct timespec_ns atime, mtime, ctime, btime; /* L */
	struct object *object;                         /* regular files: contents; else NULL. C */
	/*
	 * A: > 0: open for writing so many times; < 0: programs run from it, writers get -ETXTBSY
	 */
	s32 write_count;
	bool linkable;            /* L: made by O_TMPFILE: may get a name though nlink is 0 */
	struct file_locks *locks; /* fs/locks.c: flock and fcntl locks; NULL: none */
	/*
	 * L: FIFO: its pipe while somebody has it open (fs/pipe.c); socket: what is bound to it;
	 * else NULL
	 */
	void *special;
	struct inotify_watch *inotify; /* fs/inotify.c: who watches it */
	void *data;                    /* of the file system */
};

/*
 * Called by vfs with the locks named; permissions have been checked by vfs. NULL entries mean what
 * the comment says.
 */
struct inode_ops {
	/* Directory locked. Find name: a counted inode, or ERR_PTR(-ENOENT...). */
	struct inode *(*lookup)(struct inode *dir, const char *name, size_t len);
	/*
	 * Directory locked, name does not exist. Make a file of type mode & S_IFMT (regular, FIFO,
	 * socket, device: rdev; directory; symlink: target). NULL: -EPERM, or -EACCES for open
	 */
	struct inode *(*create)(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
				const char *target, const struct cred *cred);
	/* Both locked. NULL: -EPERM */
	int (*link)(struct inode *dir, const char *name, size_t len, struct inode *target);
	/*
	 * Directory and victim locked. The victim is not a directory / is an empty directory (the
	 * fs checks: -ENOTEMPTY). NULL: -EPERM
	 */
	int (*unlink)(struct inode *dir, const char *name, size_t len, struct inode *victim);
	int (*rmdir)(struct inode *dir, const char *name, size_t len, struct inode *victim);
	/*
	 * All involved locked; target is what newname means now, or NULL; exchange swaps. NULL:
	 * -EPERM
	 */
	int (*rename)(struct inode *olddir, const char *oldname, size_t oldlen,
		      struct inode *source, struct inode *newdir, const char *newname,
		      size_t newlen, struct inode *target, bool exchange);
	/* Symlink text into buf (size bytes, not terminated): its length. NULL: -EINVAL */
	ssize (*readlink)(struct inode *inode, char *buf, size_t size);
	/*
	 * Directory locked. A regular file without a name (O_TMPFILE): nlink 0. NULL: -EOPNOTSUPP
	 */
	struct inode *(*tmpfile)(struct inode *dir, u32 mode, const struct cred *cred);
	/*
	 * A link that leads to an object rather than to a path (/proc/PID/exe, fd/N, cwd): the
	 * counted place. NULL: by readlink.
	 */
	int (*follow)(struct inode *inode, struct path *out);
	/* NULL: from the inode's fields */
	int (*getattr)(struct inode *inode, struct attributes *out);
	/* locked. NULL: inode_change */
	int (*setattr)(struct inode *inode, const struct attribute_change *change);
	/* Extended attributes: NULL: -EOPNOTSUPP. size 0 asks for the length */
	ssize (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
	int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size,
			int flags);
	ssize (*listxattr)(struct inode *inode, char *list, size_t size);
	int (*removexattr)(struct inode *inode, const char *name);
	/* Is this cached name still right? NULL: always */
	bool (*revalidate)(struct inode *dir, const char *name, size_t len, struct inode *cached);
	/* The last reference is gone: free what the file system keeps (and its object). */
	void (*evict)(struct inode *inode);
};

struct path { /* counted when it is somebody's own */
	struct mount *mount;
	struct dentry *dentry;
};

struct poll_table; /* fs/poll.h */

/* A buffer of user or kernel memory, consumed as it is used (fs/iter.h has the functions). */
struct iter;

/* Kinds of directory entries: S_IFMT of the mode, shifted (as DT_* of getdents64). */
#define DT_OF_MODE(mode) ((mode) >> 12 & 15)
#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_BLK 6
#define DT_REG 8
#define DT_LNK 10
#define DT_SOCK 12

struct file_ops {
	int (*open)(struct file *f);     /* NULL: nothing to do */
	void (*release)(struct file *f); /* the last reference is gone */
	/*
	 * At *pos (which they advance), through an iter; for regular files vfs provides
	 * file_read_object, file_write_object. Short counts as read(2).
	 */
	ssize (*read)(struct file *f, struct iter *it, u64 *pos);
	ssize (*write)(struct file *f, struct iter *it, u64 *pos);
	/* read, without waiting whatever the file's flags: for splice. NULL: read */
	ssize (*read_nonblock)(struct file *f, struct iter *it, u64 *pos);
	s64 (*seek)(struct file *f, s64 offset, int whence); /* NULL: -ESPIPE */
	/*
	 * Emit entries from f->pos on, by emit (non-zero: buffer full, stop); f->pos is a cookie.
	 */
	int (*readdir)(struct file *f,
		       int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
				   u64 next_pos),
		       void *arg);
	/* arg: user pointer or number. NULL: -ENOTTY */
	long (*ioctl)(struct file *f, u32 request, u64 arg);
	/* EPOLL* bits that hold; registers with poll_wait. NULL: always readable and writable */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	/*
	 * The object to map (counted), or ERR_PTR. NULL: the inode's object, or -ENODEV. *offset
	 * may be changed
	 */
	struct object *(*mmap)(struct file *f, u64 *offset, u32 area_flags);
	/*
	 * May the file be mapped shared with these AREA_* flags? It may take MAY flags away. 0 or an
	 * errno. NULL: yes
	 */
	int (*map_check)(struct file *f, u32 *area_flags);
	/* Bytes [start, end), and what else belongs to the file's data. NULL: 0 */
	int (*fsync)(struct file *f, u64 start, u64 end, bool data_only);
	int (*fallocate)(struct file *f, int mode, u64 offset, u64 length); /* NULL: -EOPNOTSUPP */
	/* Text for /proc/PID/fdinfo. NULL: none */
	void (*fdinfo)(struct file *f, char *buf, size_t size);
};

/* What is known of how a file is read (fs/read_ahead.c). A: hints, not exact. */
struct read_ahead {
	u64 next;   /* the page after the last one read */
	u32 window; /* pages that were read ahead the last time; 0: none */
	u32 mode;   /* POSIX_FADV_NORMAL, RANDOM, SEQUENTIAL */
};

/* Whom F_SETOWN names, and who did; numbers as in struct f_owner_ex. */
#define FILE_OWNER_THREAD 0
#define FILE_OWNER_PROCESS 1
#define FILE_OWNER_GROUP 2
struct file_owner {
	struct spinlock lock; /* RANK_FS: guards the rest */
	u32 type, id;         /* id 0: nobody */
	u32 uid, euid;
};

struct file {
	struct refcount refs;
	const struct file_ops *ops;
	u32 flags; /* O_* without creation flags; O_APPEND, O_NONBLOCK may change (A) */
	bool can_read, can_write;
	bool stream;           /* no position: pipes, sockets, ttys */
	struct path path;      /* counted; dentry is never NULL (pipes have one of pipefs) */
	struct inode *inode;   /* of path.dentry, or opened alias; counted by the dentry */
	struct mutex pos_lock; /* RANK_FILE_POSITION */
	bool addresses;        /* C: positions are addresses, of all 64 bits */
	u64 pos;               /* pos_lock */
	struct cred *cred;     /* who opened it; counted */
	struct file_owner owner;
	struct read_ahead ahead;
	u32 errors_seen;             /* of writing the object out (object_error_check). A */
	struct epoll_item *watchers; /* fs/epoll.c: epoll sets that it is in */
	void *data;                  /* of the file_ops */
};

/* --- inodes, for file systems --- */
/* one reference; NULL without memory */
struct inode *inode_alloc(struct super *s, u64 ino, u32 mode);
static inline void inode_get(struct inode *i)
{
	ref_get(&i->refs);
}
void inode_put(struct inode *i);
void inode_attributes(struct inode *i, struct attributes *out); /* from its fields and object */
/*
 * The change in the inode's fields (ctime too) and, for the size, its object. Inode locked. For
 * file systems that keep nothing else.
 */
int inode_change(struct inode *i, const struct attribute_change *change);
/* Owner, group and mode of a new file in dir: set-group-ID directories give their group. */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode, const struct cred *cred);
/*
 * Against writing to running programs: -ETXTBSY if it is open for writing; undone by
 * file_allow_write. For exec.
 */
int file_deny_write(struct file *f);
void file_allow_write(struct file *f);
u64 super_new_dev(void);
struct timespec_ns time_now(void);

/*
 * What open of these does, for every file system: FIFOs (fs/pipe.c), character devices by rdev
 * (fs/chardev.c), block devices (fs/blockdev.c). Set by inode_set_special_ops.
 */
extern const struct file_ops fifo_file_ops;
extern const struct file_ops char_device_file_ops;
extern const struct file_ops block_device_file_ops;
/* file_ops for FIFO and devices by i->mode; sockets have none: -ENXIO */
void inode_set_special_ops(struct inode *i);

/* --- names --- */
#define LOOKUP_FOLLOW 0x1       /* follow a symlink at the end */
#define LOOKUP_DIRECTORY 0x2    /* -ENOTDIR unless a directory */
#define LOOKUP_PARENT 0x4       /* stop before the last component */
#define LOOKUP_EMPTY 0x8        /* "" means the start (AT_EMPTY_PATH) */
#define LOOKUP_NO_SYMLINKS 0x10 /* openat2 RESOLVE_NO_SYMLINKS */
#define LOOKUP_NO_XDEV 0x20
#define LOOKUP_BENEATH 0x40
#define LOOKUP_IN_ROOT 0x80   /* start is the root of this lookup */
#define LOOKUP_NO_MAGIC 0x100 /* not through links of inode_ops.follow */
#define LOOKUP_CACHED 0x200   /* -EAGAIN instead of asking the file system */
/*
 * The current process's root, cwd and credentials are used. start: where a relative path begins;
 * NULL: the cwd. out is counted.
 */
int path_lookup(const struct path *start, const char *name, u32 flags, struct path *out);
void path_get(const struct path *p);
void path_put(struct path *p);
/*
 * Absolute path text as the current process sees it (" (deleted)" appended for unlinked names): a
 * pointer into buf, or ERR_PTR(-ENAMETOOLONG, or -ENOENT if unreachable).
 */
char *path_text(const struct path *p, char *buf, size_t size);
bool path_unlinked(const struct path *p); /* its name was removed */
u32 path_mount_id(const struct path *p);
bool path_is_mount_root(const struct path *p);
struct inode *dentry_inode(const struct dentry *d); /* borrowed, NULL: negative */
/*
 * Free up to n unused cached names and with them inodes nobody uses: how many. For memory
 * pressure. May sleep.
 */
u64 dentry_shrink(u64 n);

/* --- operations by path, all with permission checks and Linux's errnos; kernel strings --- */
struct file *file_open(const struct path *start, const char *name, u32 flags, u32 mode); /* O_* */
/* an existing place; the kernel's own threads may open all */
struct file *file_open_path(const struct path *p, u32 flags);
/* openat2: LOOKUP_* of RESOLVE_* */
struct file *file_open_lookup(const struct path *start, const char *name, u32 flags, u32 mode,
			      u32 lookup_flags);
int vfs_mknod(const struct path *start, const char *name, u32 mode, u64 rdev);
/* A socket's name, at once with the place it has (counted); mode: without the umask's bits. */
int vfs_create_socket(const char *name, u32 mode, struct path *out);
int vfs_mkdir(const struct path *start, const char *name, u32 mode);
int vfs_unlink(const struct path *start, const char *name);
int vfs_rmdir(const struct path *start, const char *name);
int vfs_symlink(const char *target, const struct path *start, const char *name);
int vfs_link(const struct path *oldstart, const char *oldname, const struct path *newstart,
	     const char *newname, u32 lookup_flags);
int vfs_rename(const struct path *oldstart, const char *oldname, const struct path *newstart,
	       const char *newname, u32 rename_flags);
int vfs_getattr(const struct path *p, struct attributes *out);
/* checks ownership; truncation needs write permission */
int vfs_setattr(const struct path *p, const struct attribute_change *change);
/* MAY_* with the current fsuid; 0 or -EACCES, -EROFS */
int vfs_permission(struct inode *i, u32 may);
#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
/* access(2): with the real ids unless `effective`. */
int vfs_access(const struct path *start, const char *name, u32 may, u32 lookup_flags,
	       bool effective);
bool inode_owned(const struct inode *i); /* by the current fsuid, or CAP_FOWNER */
/* f: open for writing (ftruncate), or NULL: checks write permission */
int vfs_truncate(struct file *f, const struct path *p, u64 size);
int vfs_statfs(const struct path *p, struct statfs_info *out);

/* --- open files --- */
static inline void file_get(struct file *f)
{
	ref_get(&f->refs);
}
void file_put(struct file *f); /* may sleep */
/*
 * A file that no path names (pipe, eventfd, socket), on an inode of its own with the given mode
 * (S_IFMT too). For /proc/PID/fd its text is "class_name:[ino]", or class_name as it is if that
 * has a '/' or ':' ("anon_inode:[eventfd]"). stream is set; the caller may clear it. ops->open is
 * not called.
 */
struct file *file_new_anonymous(const char *class_name, const struct file_ops *ops, void *data,
				u32 flags, u32 mode);
/* Another open file of the same inode and name (the second end of a pipe). */
struct file *file_new_alias(struct file *like, const struct file_ops *ops, void *data, u32 flags);
/* pos NULL: the file's own, under pos_lock */
ssize file_read(struct file *f, struct iter *it, u64 *pos);
ssize file_read_nonblock(struct file *f, struct iter *it, u64 *pos);
/* honours O_APPEND and RLIMIT_FSIZE (-EFBIG; the caller raises SIGXFSZ) */
ssize file_write(struct file *f, struct iter *it, u64 *pos);
/* whole n unless end of file */
ssize file_read_kernel(struct file *f, void *buf, size_t n, u64 offset);
/* for file_ops of regular files */
ssize file_read_object(struct file *f, struct iter *it, u64 *pos);
ssize file_write_object(struct file *f, struct iter *it, u64 *pos);
/*
 * The page at index of the file's object, for reading `wanted` pages from there on: as
 * object_page, read ahead as the reader seems to go.
 */
struct page *file_page(struct file *f, u64 index, u64 wanted);
/* Bring [offset, offset + length) in, some of it at least. */
void file_read_ahead(struct file *f, u64 offset, u64 length);
/* posix_fadvise(2): POSIX_FADV_*; length 0: to the end. 0 or -EINVAL */
int file_advise(struct file *f, u64 offset, u64 length, int advice);
s64 file_seek_object(struct file *f, s64 offset, int whence); /* all of lseek(2); position locked */
/* SEEK_SET and SEEK_CUR only: directories, generated texts */
s64 file_seek_plain(struct file *f, s64 offset, int whence);
/* Always at 0: where a position means nothing, but asking for one is no error. */
s64 file_seek_nowhere(struct file *f, s64 offset, int whence);
/*
 * For file_ops.readdir: emits "." and ".." at positions 0 and 1; non-zero: stop. Entries proper
 * begin at position 2.
 */
int file_emit_dots(struct file *f,
		   int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			       u64 next_pos),
		   void *arg);
s64 file_seek(struct file *f, s64 offset, int whence); /* lseek(2) */
/* Entries from f->pos on, through ops->readdir, position and directory locked: 0 or errno. */
int file_readdir(struct file *f,
		 int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			     u64 next_pos),
		 void *arg);
int file_sync(struct file *f, bool data_only);
int file_sync_range(struct file *f, u64 start, u64 end, bool data_only); /* bytes */
/* for areas that map files (mm/area.h): file is a struct file */
extern const struct area_file_ops file_area_ops;

/* --- who is told that a file is ready (fs/async.c) --- */
int file_set_owner(struct file *f, u32 type, s32 id); /* 0, -EINVAL, -ESRCH */
void file_get_owner(struct file *f, struct file_owner *out);
void file_owner_signal(const struct file_owner *o, int sig); /* no lock held */

/* --- file tables (fs/files.c) --- */
struct files *files_new(void);
struct files *files_copy(struct files *old); /* fork. NULL without memory */
void files_get(struct files *t);
void files_put(struct files *t);                  /* the last closes all; may sleep */
struct file *files_file(struct files *t, u32 fd); /* counted, or NULL */
/* slots: 64, or the next power of two above the highest that was ever used */
u32 files_capacity(struct files *t);
/* of the current process: counted, or NULL (-EBADF); not those opened with O_PATH */
struct file *fd_file(int fd);
struct file *fd_file_any(int fd); /* also those opened with O_PATH: where only the place counts */
/* takes over the reference on success; lowest free descriptor, or -EMFILE */
int fd_install(struct file *f, u32 lowest, bool cloexec);
/* dup2: takes over the reference on success */
int fd_replace(int fd, struct file *f, bool cloexec);
int fd_check_free(void); /* 0, or -EMFILE if fd_install(f, 0, ..) would fail now */
int fd_close(int fd);
int fd_close_range(u32 first, u32 last);
int fd_set_cloexec_range(u32 first, u32 last);
int fd_get_cloexec(int fd);
int fd_set_cloexec(int fd, bool on);
void files_close_on_exec(struct files *t);
int files_for_each(struct files *t, int (*fn)(u32 fd, struct file *f, bool cloexec, void *arg),
		   void *arg);
int files_unshare(struct process *p); /* before exec: a table of its own */

/* --- per-process names: root, cwd, umask --- */
struct fs_context {
	struct refcount refs;
	struct spinlock lock; /* RANK_FS */
	struct path root, cwd;
	u32 umask;
};
struct fs_context *fs_context_new(void); /* at the root of the tree */
struct fs_context *fs_context_copy(struct fs_context *old);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
void fs_context_cwd(struct fs_context *c, struct path *out); /* counted */
int fs_context_set_cwd(struct fs_context *c, const struct path *p);
int fs_context_set_root(struct fs_context *c, const struct path *p);

/* --- mounts --- */
/*
 * With full rights, whoever calls. path is made (in memory) if it lacks; "/" is the first mount.
 * The super is the mount's then.
 */
int mount_add(const char *path, struct super *s, const char *source, const char *options);
/* s at a place: 0, -ENOTDIR, -ENOMEM */
int mount_new(const struct path *at, struct super *s, const char *source, const char *options);
/* show the tree at `from` also there */
int mount_bind(const struct path *from, const struct path *at, const char *source, bool readonly);
/* the mount whose root p is: -EINVAL if it is none, -EBUSY if in use */
int mount_remove(const struct path *p, bool lazy);
int mount_set_readonly(const struct path *p, bool on); /* likewise */
int super_sync(struct super *s);
void vfs_sync(void); /* all mounts */
/* for /proc/mounts: mount_describe */
int mount_for_each(int (*fn)(struct mount *m, void *arg), void *arg);
void mount_describe(struct mount *m, char *buf, size_t size, bool mountinfo); /* one line */

/* Release hooks of fs/locks.c; called only where inode->locks is not NULL. */
/* the open file is gone: its flock locks */
void locks_file_released(struct file *f);
/* a descriptor of this table was closed: POSIX locks of owner on the inode go */
void locks_descriptor_closed(struct file *f, struct files *owner);
/* the inode goes: free inode->locks */
void locks_inode_free(struct inode *i);

/*
 * Build the tree: root (host over 9p under memory), /proc, /sys, /dev, /dev/pts, /dev/shm, the
 * --rw directories. Runs in a thread that may sleep.
 */
void fs_init(void);
void fs_write_resolver(void); /* once process 1 has a root */

/* --- pipes, ttys (as proc and dev need them) --- */
int pipe_create(struct file **read_end, struct file **write_end, u32 flags);

#endif
