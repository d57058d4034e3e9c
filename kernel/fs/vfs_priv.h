/*
 * vfs_priv.h - what the files of the vfs share: the name cache (dentry.c), mounts (mount.c), the
 * walk along a path (walk.c).
 *
 * One spinlock, dentry_lock (RANK_DENTRY), guards the name cache and the mounts: a walk along
 * cached names takes it once and no references on what it passes. Letter D: guarded by
 * dentry_lock.
 */
#ifndef FS_VFS_PRIV_H
#define FS_VFS_PRIV_H

#include "fs/vfs.h"

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 4096
#define LINKS_MAX 40 /* symlinks in one lookup */

#define DENTRY_INLINE_NAME 32

struct dentry {
	/* atomic; 0 <-> 1 only under D. Unused ones stay cached, in the LRU list */
	u32 refs;
	u32 hash;              /* D */
	u16 length;            /* D: of the name */
	bool hashed;           /* D: found by dentry_find */
	bool unlinked;         /* D: the name was removed, or never was in a directory */
	u32 mounts;            /* D: mounted on here */
	char *name;            /* D: inline_name, or a kernel object; terminated */
	struct dentry *parent; /* D: counted; itself for a root */
	struct inode *inode;   /* counted; NULL: the name does not exist. Set once */
	struct super *super;   /* C */
	struct dentry *hash_next, **hash_slot; /* D */
	struct list lru_link;                  /* D */
	struct list children, child_link;      /* D: hashed names in this directory */
	char inline_name[DENTRY_INLINE_NAME];
};

struct mount {
	u32 refs; /* atomic */
	u32 id;
	struct super *super;
	struct dentry *root; /* counted */
	/* D: counted; NULL: the root of all, pseudo file systems, or unmounted */
	struct mount *parent;
	struct dentry *at; /* D: counted: where in parent */
	struct list link;  /* D: in the list of all mounts, in order of mounting */
	bool readonly;
	char *source, *options; /* C */
};

extern struct spinlock dentry_lock;

/* --- dentry.c --- */
void dentry_init(void);
/*
 * A root (its own parent) for inode, whose reference it takes over on success. NULL without
 * memory.
 */
struct dentry *dentry_new_root(struct super *s, struct inode *inode, const char *name);
/*
 * A dentry in parent that no lookup finds (O_TMPFILE), for inode, whose reference it takes over on
 * success. NULL without memory.
 */
struct dentry *dentry_new_unlinked(struct dentry *parent, struct inode *inode);
static inline void dentry_get(struct dentry *d)
{
	atomic_add(&d->refs, 1);
}
void dentry_get_locked(struct dentry *d); /* D held: also for one that is unused */
void dentry_put(struct dentry *d);        /* may sleep */
u32 dentry_hash(const struct dentry *parent, const char *name, size_t len);
/* D held; borrowed */
struct dentry *dentry_find_locked(struct dentry *parent, const char *name, size_t len, u32 hash);
/* counted, or NULL */
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
/*
 * Directory locked: the name, from the cache or the file system; counted; maybe negative. ERR_PTR
 */
struct dentry *dentry_lookup(struct dentry *parent, const char *name, size_t len);
/* directory locked; takes over the reference */
void dentry_make_positive(struct dentry *d, struct inode *inode);
void dentry_forget(struct dentry *d); /* no longer found */
void dentry_unlink(struct dentry *d); /* the name was removed from its directory */
/*
 * The file system has renamed d to what target names. spare: for a name too long to be inline
 * (dentry_spare_name). Directories locked.
 */
void dentry_move(struct dentry *d, struct dentry *target, char *spare);
void dentry_exchange(struct dentry *a, struct dentry *b);
void dentry_shrink_super(struct super *s);      /* free all unused dentries of s */
bool dentry_spare_name(size_t len, char **out); /* false without memory */
/* or is it; D held or renames locked out */
bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor);

/* --- mount.c --- */
static inline void mount_get(struct mount *m)
{
	atomic_add(&m->refs, 1);
}
void mount_put(struct mount *m);
/* D held; borrowed, NULL: none */
struct mount *mount_on_locked(const struct mount *parent, const struct dentry *at);
extern struct mount *root_mount;
void mount_root_path(struct path *out); /* the root of the tree, counted */
struct mount *mount_anonymous(void);    /* of files that no path names; borrowed */

/* --- inode.c --- */
void inode_system_init(void);
/* without mounts; cred NULL: all is permitted */
int inode_permission(const struct inode *i, u32 may, const struct cred *cred);
bool inode_sticky_forbids(const struct inode *dir, const struct inode *victim,
			  const struct cred *cred);
/* locked: by the file system */
int inode_setattr(struct inode *i, const struct attribute_change *change);
void inode_drop_privileges(struct inode *i); /* locked; a write or truncation: set-ID bits go */
bool path_readonly(const struct path *p);
u32 current_umask(void);

/* --- flusher.c --- */
void flusher_start(void);

/* --- name.c --- */
void name_init(void);

/* --- walk.c --- */
enum last_kind { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
	struct path root;        /* counted */
	struct path at;          /* counted: where the walk is */
	const struct cred *cred; /* NULL: everything is permitted */
	u32 flags;               /* LOOKUP_* */
	u32 links;               /* symlinks followed */
	const char *rest;        /* to walk */
	char *buffer;            /* what rest points into after a symlink */
	/* Set by walk_parent: */
	enum last_kind last_kind;
	const char *last;
	size_t last_length;
	bool last_slash; /* slashes follow: it must be a directory */
};

/* Set up. On failure nothing is held. start NULL: the current directory. */
int walk_begin(struct walk *w, const struct path *start, const char *name, u32 flags);
void walk_end(struct walk *w);
/* up to the last component: `at` is a directory that may be searched (but for LAST_ROOT) */
int walk_parent(struct walk *w);
/*
 * The dentry of the last component (kind LAST_NAME) of `at`: counted, maybe negative, neither
 * mounts nor links followed. ERR_PTR
 */
struct dentry *walk_find_last(struct walk *w);
/* Move `at` to d (takes over its reference), through what is mounted there. */
int walk_enter(struct walk *w, struct dentry *d);
/*
 * Follow the symlink d (takes over its reference): afterwards `rest` has to be walked (by
 * walk_parent), or, *done, `at` is the result.
 */
int walk_follow(struct walk *w, struct dentry *d, bool slash, bool *done);
/* All of the rest; at is the result. */
int walk_whole(struct walk *w);
/* The last component, when it is not a name: `at` is the result. */
int walk_last_special(struct walk *w);

/* --- file.c --- */
void file_system_init(void);
/*
 * A file on i, the inode of p (or what opening it leads to), with references of its own; ops->open
 * is not called. ERR_PTR(-ENOMEM, -ETXTBSY)
 */
struct file *file_alloc(const struct path *p, struct inode *i, const struct file_ops *ops,
			u32 flags);
void file_free(struct file *f); /* that was never given to anybody: ops->release is not called */

#endif
