/*
 * memfs_super.c - instances of memfs: making them, mount options, taking a whole tree down, files
 * without a name.
 *
 * The rule: an instance lives as long as its super, and as each object made in it (an area may map
 * an object when all else is gone).
 */
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/memfs.h"
#include "fs/memfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define FIRST_OWN_INO BIT(48) /* over a lower tree: above any number from there */

static struct memfs *unnamed_fs; /* of memfs_file_unnamed */

static int memfs_statfs(struct super *s, struct statfs_info *out)
{
	struct memfs *fs = container_of(s, struct memfs, super);
	u64 used = load_relaxed(&fs->pages);

	if (fs->lower) {
		int err = fs->lower->statfs(fs->lower_root, out);

		if (err)
			return err;
	}
	out->block_size = PAGE_SIZE;
	if (fs->page_limit != MEMFS_UNLIMITED) {
		out->blocks = fs->page_limit;
		out->blocks_free = out->blocks_available =
			fs->page_limit - min(used, fs->page_limit);
	}
	out->files = out->files ? out->files : frame_managed / 2;
	out->files_free = out->files_free ? out->files_free : out->files;
	out->name_max = NAME_MAX_BYTES;
	return 0;
}

/* The last mount is gone: take the tree down, without recursion however deep it is. */
static void memfs_release(struct super *s)
{
	struct memfs *fs = container_of(s, struct memfs, super);
	struct list directories = LIST_INIT(directories);
	struct inode *root = s->root->inode, *i;

	inode_get(root);
	dentry_put(s->root);
	dentry_shrink_super(s);
	list_push_back(&directories, &memfs_node_of(root)->table_link);
	while (!list_empty(&directories)) {
		struct memfs_node *n = list_first(&directories, struct memfs_node, table_link);

		i = memfs_dir_take(n->dir);
		if (i && S_ISDIR(i->mode)) {
			list_push_front(&directories, &memfs_node_of(i)->table_link);
		} else if (i) {
			inode_put(i);
		} else {
			list_remove(&n->table_link);
			inode_put(n->inode);
		}
	}
	memfs_put(fs);
}

static const struct super_ops memfs_super_ops = {
	.statfs = memfs_statfs,
};

static const struct super_ops memfs_release_ops = {
	.statfs = memfs_statfs,
	.release = memfs_release,
};

static struct memfs *memfs_alloc(u64 page_limit)
{
	struct memfs *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->refs);
	spin_init(&fs->lock, RANK_FS);
	for (u32 b = 0; b < MEMFS_BUCKETS; b++)
		list_init(&fs->table[b]);
	fs->page_limit = page_limit ? page_limit : frame_managed / 2;
	fs->super = (struct super){ .dev = super_new_dev() };
	return fs;
}

struct super *memfs_new(u32 root_mode, u64 page_limit)
{
	struct memfs *fs = memfs_alloc(page_limit);
	struct inode *root;

	if (!fs)
		return NULL;
	fs->super.ops = &memfs_release_ops;
	fs->super.magic = TMPFS_MAGIC;
	fs->super.type_name = "tmpfs";
	root = memfs_inode_new(fs, S_IFDIR | (root_mode & 07777), 0);
	if (!root) {
		kfree(fs);
		return NULL;
	}
	fs->super.root = dentry_new_root(&fs->super, root, "/");
	if (!fs->super.root) {
		inode_put(root);
		kfree(fs);
		return NULL;
	}
	return &fs->super;
}

struct super *memfs_new_over(const struct lower_ops *ops, struct lower *lower_root,
			     const struct attributes *attr, u64 page_limit)
{
	struct memfs *fs = memfs_alloc(page_limit);
	struct inode *root;

	if (!fs)
		return NULL;
	fs->super.ops = &memfs_super_ops;
	fs->super.magic = OVERLAYFS_SUPER_MAGIC;
	fs->super.type_name = "overlay";
	fs->lower = ops;
	fs->lower_root = lower_root;
	fs->last_ino = FIRST_OWN_INO;
	root = memfs_inode_build(fs, lower_root, attr);
	if (!root) {
		kfree(fs);
		return NULL;
	}
	fs->super.root = dentry_new_root(&fs->super, root, "/");
	if (!fs->super.root) {
		memfs_node_of(root)->lower = NULL; /* stays the caller's */
		inode_put(root);
		kfree(fs);
		return NULL;
	}
	return &fs->super;
}

/* "64m" in bytes; "50%" of memory; 0 if it is not a size. */
static u64 parse_size(const char *s)
{
	const char *end;
	u64 n = string_to_u64(s, &end);

	switch (*end) {
	case '%':
		return frame_managed * PAGE_SIZE / 100 * min(n, (u64)100);
	case 'g':
	case 'G':
		n <<= 10;
		/* fall through */
	case 'm':
	case 'M':
		n <<= 10;
		/* fall through */
	case 'k':
	case 'K':
		n <<= 10;
		break;
	default:
		break;
	}
	return n;
}

struct super *memfs_new_options(const char *options)
{
	u64 size = 0, uid = 0, gid = 0;
	u32 mode = 01777;
	struct super *s;

	for (const char *o = options; o && *o;) {
		const char *next = strchr(o, ',');

		if (strncmp(o, "size=", 5) == 0)
			size = parse_size(o + 5);
		else if (strncmp(o, "uid=", 4) == 0)
			uid = string_to_u64(o + 4, &next);
		else if (strncmp(o, "gid=", 4) == 0)
			gid = string_to_u64(o + 4, &next);
		else if (strncmp(o, "mode=", 5) == 0)
			for (mode = 0, o += 5; *o >= '0' && *o <= '7'; o++)
				mode = mode * 8 + (u32)(*o - '0');
		else if (strncmp(o, "nr_", 3) != 0 && strncmp(o, "huge=", 5) != 0)
			return ERR_PTR(-EINVAL);
		next = strchr(o, ',');
		o = next ? next + 1 : NULL;
	}
	s = memfs_new(mode, DIV_ROUND_UP(size, PAGE_SIZE));
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->root->inode->uid = (u32)uid;
	s->root->inode->gid = (u32)gid;
	return s;
}

int memfs_add(struct super *s, const char *path, u32 mode, u64 rdev, const char *target)
{
	struct inode *dir = s->root->inode, *i;

	inode_get(dir);
	for (;;) {
		const char *slash = strchr(path, '/');

		mutex_lock(&dir->lock);
		if (slash)
			i = memfs_lookup(dir, path, (size_t)(slash - path));
		else
			i = memfs_create(dir, path, strlen(path), mode, rdev, target, NULL);
		mutex_unlock(&dir->lock);
		inode_put(dir);
		if (IS_ERR(i))
			return (int)PTR_ERR(i);
		if (!slash)
			break;
		dir = i;
		path = slash + 1;
	}
	inode_put(i);
	return 0;
}

struct file *memfs_file_unnamed(const char *name, u32 mode, u32 flags)
{
	struct inode *i = memfs_inode_new(unnamed_fs, S_IFREG | (mode & 07777), 0);
	struct path p = { .mount = mount_anonymous() };
	struct file *f;

	if (!i)
		return NULL;
	inode_init_owner(i, NULL, i->mode, cred_current());
	i->nlink = 0;
	p.dentry = dentry_new_root(&unnamed_fs->super, i, name);
	if (!p.dentry) {
		inode_put(i);
		return NULL;
	}
	p.dentry->unlinked = true;
	f = file_alloc(&p, i, &memfs_file_ops, flags);
	dentry_put(p.dentry);
	return IS_ERR(f) ? NULL : f;
}

void memfs_init(void)
{
	struct super *s;

	memfs_inode_init();
	s = memfs_new(0755, MEMFS_UNLIMITED);
	if (!s)
		panic("no memory for the first file system");
	unnamed_fs = container_of(s, struct memfs, super);
}
