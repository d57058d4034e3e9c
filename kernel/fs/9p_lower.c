/*
 * 9p_lower.c - the host's tree, read only, as what lies under memfs (lower.h).
 *
 * Central rule: ask once. The tree does not change while the machine runs, and memfs keeps every
 * answer; here is only what turns its questions into as few requests as 9p allows: a name costs
 * two, a link's text one, a file's first page two and then one for each run of pages. Next:
 * 9p_rw.c, the writable one.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/9p_client.h"
#include "fs/lower.h"
#include "mm/slab.h"

struct lower {
	struct p9_client *client; /* C */
	u32 fid;                  /* C */
	u64 size;                 /* C: of a regular file */
	bool open;                /* A: fid is open for reading; set under lock */
	struct mutex lock;        /* RANK_DEVICE: opening */
};

static struct slab_cache lower_cache;

static struct lower *lower_new(struct p9_client *c)
{
	struct lower *l = slab_zalloc(&lower_cache);

	if (l) {
		l->client = c;
		mutex_init(&l->lock, RANK_DEVICE);
	}
	return l;
}

static int lower_lookup(struct lower *dir, const char *name, size_t len, struct lower **out,
			struct attributes *attr)
{
	struct lower *l = lower_new(dir->client);
	int err;

	if (!l)
		return -ENOMEM;
	err = p9_walk(dir->client, dir->fid, name, len, &l->fid);
	if (err)
		goto fail;
	err = p9_getattr(dir->client, l->fid, attr);
	if (err) {
		p9_clunk(dir->client, l->fid);
		goto fail;
	}
	l->size = attr->size;
	*out = l;
	return 0;
fail:
	slab_free(&lower_cache, l);
	return err;
}

static int lower_readdir(struct lower *dir,
			 int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type),
			 void *arg)
{
	return p9_list(dir->client, dir->fid, emit, arg);
}

static ssize lower_readlink(struct lower *link, char *buf, size_t size)
{
	return p9_readlink(link->client, link->fid, buf, size);
}

/* Nobody walks from a regular file, so its only fid is opened itself. */
static int lower_open(struct lower *l)
{
	int err = 0;

	mutex_lock(&l->lock);
	if (!l->open) {
		err = p9_open(l->client, l->fid, O_RDONLY);
		if (!err)
			store_release(&l->open, true);
	}
	mutex_unlock(&l->lock);
	return err;
}

static int lower_read_pages(struct lower *file, u64 index, struct page **pages, u32 count)
{
	if (!load_acquire(&file->open)) {
		int err = lower_open(file);

		if (err)
			return err;
	}
	while (count) {
		u32 n = min(count, P9_PAGES_MAX);
		u64 at = index << PAGE_SHIFT, left = file->size > at ? file->size - at : 0;
		/* Not more than there is: the server looks once more for what did not come. */
		u32 bytes = (u32)min(left, n * PAGE_SIZE);
		int err = p9_read_pages(file->client, file->fid, at, pages, n, bytes);

		if (err)
			return err;
		index += n;
		pages += n;
		count -= n;
	}
	return 0;
}

static int lower_statfs(struct lower *root, struct statfs_info *out)
{
	return p9_statfs(root->client, root->fid, out);
}

static void lower_put(struct lower *l)
{
	p9_clunk(l->client, l->fid);
	slab_free(&lower_cache, l);
}

static const struct lower_ops p9_lower_ops = {
	.lookup = lower_lookup,
	.readdir = lower_readdir,
	.readlink = lower_readlink,
	.read_pages = lower_read_pages,
	.statfs = lower_statfs,
	.put = lower_put,
};

int p9_lower_attach(const char *tag, const struct lower_ops **ops, struct lower **root,
		    struct attributes *attr)
{
	struct p9_client *c;
	struct lower *l;
	u32 fid;
	int err;

	slab_cache_init(&lower_cache, "lower", sizeof(struct lower));
	c = p9_connect(tag, &fid);
	if (IS_ERR(c))
		return (int)PTR_ERR(c);
	err = p9_getattr(c, fid, attr);
	if (!err && !S_ISDIR(attr->mode))
		err = -ENOTDIR;
	l = err ? NULL : lower_new(c);
	if (!l) {
		p9_disconnect(c);
		return err ? err : -ENOMEM;
	}
	l->fid = fid;
	*root = l;
	*ops = &p9_lower_ops;
	return 0;
}
