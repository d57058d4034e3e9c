/*
 * 9p_client.c - a client of 9p2000.L: each operation is one request and its answer.
 *
 * Central rule: nothing is kept here but numbers (tags of requests under way, fids in use); what
 * the server said is the business of the file systems above, 9p_lower.c and 9p_rw.c. Pages are read
 * and written in place: only the few bytes around them are a message. Next: 9p_transfer.c.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/9p_priv.h"
#include "fs/filesystems.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

#define VERSION "9P2000.L"
#define TAGS 64u
#define NAME_MESSAGE 640u /* room for any request with two names */
#define ANSWER 192u       /* and for any answer without a long string: P9_GETATTR has 160 bytes */
#define FREE_FIDS 1024u   /* numbers kept for another use */
#define PATH_SIZE 4096u

#define GETATTR_BASIC 0x7ffu

/* Bits of P9_SETATTR. */
#define SETATTR_MODE 0x1
#define SETATTR_UID 0x2
#define SETATTR_GID 0x4
#define SETATTR_SIZE 0x8
#define SETATTR_ATIME 0x10
#define SETATTR_MTIME 0x20
#define SETATTR_ATIME_SET 0x80
#define SETATTR_MTIME_SET 0x100

#define UNLINK_DIRECTORY 0x200 /* AT_REMOVEDIR */

/* --- tags and fids --- */

static bool tag_take(struct p9_client *c, u16 *tag)
{
	bool found;

	spin_lock(&c->lock);
	found = ~c->tags != 0;
	if (found) {
		*tag = (u16)__builtin_ctzll(~c->tags);
		c->tags |= BIT(*tag);
	}
	spin_unlock(&c->lock);
	return found;
}

static void tag_give(struct p9_client *c, u16 tag)
{
	spin_lock(&c->lock);
	c->tags &= ~BIT(tag);
	spin_unlock(&c->lock);
	waitq_wake_one(&c->tag_wait);
}

static u32 fid_take(struct p9_client *c)
{
	u32 fid;

	spin_lock(&c->lock);
	fid = c->nfree ? c->free_fids[--c->nfree] : c->next_fid++;
	spin_unlock(&c->lock);
	return fid;
}

static void fid_give(struct p9_client *c, u32 fid)
{
	spin_lock(&c->lock);
	if (c->nfree < FREE_FIDS)
		c->free_fids[c->nfree++] = fid;
	spin_unlock(&c->lock);
}

/* --- requests --- */

int p9_call_begin(struct p9_call *k, struct p9_client *c, u8 type, u32 out_size, u32 in_size)
{
	*k = (struct p9_call){ .client = c, .type = type, .in_size = in_size };
	k->memory = kmalloc(out_size + in_size);
	if (!k->memory)
		return -ENOMEM;
	p9_begin(&k->out, k->memory, out_size);
	p9_read_begin(&k->in, k->memory + out_size, in_size);
	return 0;
}

void p9_call_end(struct p9_call *k)
{
	kfree(k->memory);
}

static u32 parts_length(const struct virtio_part *parts, u32 n)
{
	u32 length = 0;

	for (u32 i = 0; i < n; i++)
		length += parts[i].length;
	return length;
}

int p9_call_send(struct p9_call *k, const struct virtio_part *out, u32 nout,
		 const struct virtio_part *in, u32 nin)
{
	struct p9_client *c = k->client;
	ssize got;
	u16 tag = P9_NO_TAG;

	if (k->out.bad)
		return -ENAMETOOLONG;
	if (k->type != P9_VERSION)
		wait_event(&c->tag_wait, tag_take(c, &tag));
	p9_end(&k->out, k->type, tag, parts_length(out, nout));
	got = virtio_9p_request(c->device, k->memory, k->out.at, k->in.data, k->in_size, out, nout,
				in, nin);
	if (k->type != P9_VERSION)
		tag_give(c, tag);
	if (got < 0)
		return (int)got;
	k->in.size = (u32)min((u64)got, (u64)k->in_size);
	return p9_get_answer(&k->in, k->type, tag, parts_length(in, nin));
}

/* Send what has no more to say than whether it worked. */
static int send_and_end(struct p9_call *k)
{
	int err = p9_call_send(k, NULL, 0, NULL, 0);

	p9_call_end(k);
	return err;
}

static int begin_fid(struct p9_call *k, struct p9_client *c, u8 type, u32 fid)
{
	int err = p9_call_begin(k, c, type, NAME_MESSAGE, ANSWER);

	if (!err)
		p9_put_u32(&k->out, fid);
	return err;
}

/* --- connecting --- */

static int version_agree(struct p9_client *c)
{
	struct p9_call k;
	const char *text;
	u16 len;
	int err = p9_call_begin(&k, c, P9_VERSION, NAME_MESSAGE, ANSWER);

	if (err)
		return err;
	p9_put_u32(&k.out, virtio_9p_max_message(c->device));
	p9_put_string(&k.out, VERSION, strlen(VERSION));
	err = p9_call_send(&k, NULL, 0, NULL, 0);
	if (!err) {
		c->message_max = p9_get_u32(&k.in);
		text = p9_get_string(&k.in, &len);
		if (k.in.bad || len != strlen(VERSION) || memcmp(text, VERSION, len) != 0 ||
		    c->message_max < P9_PAGES_MAX * PAGE_SIZE + P9_WRITE_HEADER)
			err = -EPROTO;
	}
	p9_call_end(&k);
	return err;
}

/* The server makes files for this user, as far as it may. */
static int attach(struct p9_client *c, u32 fid)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_ATTACH, fid);

	if (err)
		return err;
	p9_put_u32(&k.out, P9_NO_FID);
	p9_put_string(&k.out, "", 0);
	p9_put_string(&k.out, "", 0);
	p9_put_u32(&k.out, launch.uid);
	return send_and_end(&k);
}

struct p9_client *p9_connect(const char *tag, u32 *root)
{
	struct virtio_9p *device = virtio_9p_find(tag);
	struct p9_client *c;
	int err;

	if (!device)
		return ERR_PTR(-ENODEV);
	c = kzalloc(sizeof(*c));
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->free_fids = kmalloc(FREE_FIDS * sizeof(u32));
	if (!c->free_fids) {
		kfree(c);
		return ERR_PTR(-ENOMEM);
	}
	c->device = device;
	spin_init(&c->lock, RANK_FS);
	waitq_init(&c->tag_wait);
	*root = fid_take(c);
	err = version_agree(c);
	if (!err)
		err = attach(c, *root);
	if (err) {
		p9_disconnect(c);
		return ERR_PTR(err);
	}
	return c;
}

void p9_disconnect(struct p9_client *c)
{
	kfree(c->free_fids);
	kfree(c);
}

/* --- names --- */

int p9_walk(struct p9_client *c, u32 fid, const char *name, size_t len, u32 *out)
{
	struct p9_call k;
	u32 fresh;
	int err = begin_fid(&k, c, P9_WALK, fid);

	if (err)
		return err;
	fresh = fid_take(c);
	p9_put_u32(&k.out, fresh);
	p9_put_u16(&k.out, name ? 1 : 0);
	if (name)
		p9_put_string(&k.out, name, len);
	err = p9_call_send(&k, NULL, 0, NULL, 0);
	/* An answer with fewer names than were asked for makes no fid. */
	if (!err && p9_get_u16(&k.in) != (name ? 1 : 0))
		err = -ENOENT;
	p9_call_end(&k);
	if (err)
		fid_give(c, fresh);
	else
		*out = fresh;
	return err;
}

void p9_clunk(struct p9_client *c, u32 fid)
{
	struct p9_call k;

	/* Without memory the server keeps it. */
	if (begin_fid(&k, c, P9_CLUNK, fid) == 0 && send_and_end(&k) == 0)
		fid_give(c, fid);
}

int p9_link(struct p9_client *c, u32 dir, const char *name, size_t len, u32 fid)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_LINK, dir);

	if (err)
		return err;
	p9_put_u32(&k.out, fid);
	p9_put_string(&k.out, name, len);
	return send_and_end(&k);
}

int p9_unlink(struct p9_client *c, u32 dir, const char *name, size_t len, bool directory)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_UNLINKAT, dir);

	if (err)
		return err;
	p9_put_string(&k.out, name, len);
	p9_put_u32(&k.out, directory ? UNLINK_DIRECTORY : 0);
	return send_and_end(&k);
}

int p9_rename(struct p9_client *c, u32 old_dir, const char *old_name, size_t old_len, u32 new_dir,
	      const char *new_name, size_t new_len)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_RENAMEAT, old_dir);

	if (err)
		return err;
	p9_put_string(&k.out, old_name, old_len);
	p9_put_u32(&k.out, new_dir);
	p9_put_string(&k.out, new_name, new_len);
	return send_and_end(&k);
}

/* --- making files --- */

int p9_create(struct p9_client *c, u32 fid, const char *name, size_t len, u32 flags, u32 mode,
	      u32 gid)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_CREATE, fid);

	if (err)
		return err;
	p9_put_string(&k.out, name, len);
	p9_put_u32(&k.out, flags);
	p9_put_u32(&k.out, mode);
	p9_put_u32(&k.out, gid);
	return send_and_end(&k);
}

static int make_directory(struct p9_client *c, u32 dir, const char *name, size_t len, u32 mode,
			  u32 gid)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_MKDIR, dir);

	if (err)
		return err;
	p9_put_string(&k.out, name, len);
	p9_put_u32(&k.out, mode & ~(u32)S_IFMT);
	p9_put_u32(&k.out, gid);
	return send_and_end(&k);
}

static int make_symlink(struct p9_client *c, u32 dir, const char *name, size_t len,
			const char *target, u32 gid)
{
	struct p9_call k;
	int err = p9_call_begin(&k, c, P9_SYMLINK, NAME_MESSAGE + PATH_SIZE, ANSWER);

	if (err)
		return err;
	p9_put_u32(&k.out, dir);
	p9_put_string(&k.out, name, len);
	p9_put_string(&k.out, target, strlen(target));
	p9_put_u32(&k.out, gid);
	return send_and_end(&k);
}

int p9_make(struct p9_client *c, u32 dir, const char *name, size_t len, u32 mode, u64 rdev,
	    const char *target, u32 gid)
{
	struct p9_call k;
	int err;

	if (S_ISDIR(mode))
		return make_directory(c, dir, name, len, mode, gid);
	if (S_ISLNK(mode))
		return make_symlink(c, dir, name, len, target, gid);
	err = begin_fid(&k, c, P9_MKNOD, dir);
	if (err)
		return err;
	p9_put_string(&k.out, name, len);
	p9_put_u32(&k.out, mode);
	p9_put_u32(&k.out, DEVICE_MAJOR(rdev));
	p9_put_u32(&k.out, DEVICE_MINOR(rdev));
	p9_put_u32(&k.out, gid);
	return send_and_end(&k);
}

/* --- attributes --- */

static struct timespec_ns get_time(struct p9_message *m)
{
	struct timespec_ns t = { .sec = (s64)p9_get_u64(m) };

	t.nsec = (u32)p9_get_u64(m);
	return t;
}

static void put_time(struct p9_message *m, const struct timespec_ns *t)
{
	p9_put_u64(m, (u64)t->sec);
	p9_put_u64(m, t->nsec);
}

static void get_attributes(struct p9_message *m, struct attributes *a)
{
	struct p9_qid qid;

	*a = (struct attributes){ .block_size = PAGE_SIZE };
	p9_get_u64(m); /* what is valid: all that was asked for */
	p9_get_qid(m, &qid);
	a->ino = qid.path;
	a->mode = p9_get_u32(m);
	a->uid = p9_get_u32(m);
	a->gid = p9_get_u32(m);
	a->nlink = (u32)p9_get_u64(m);
	a->rdev = p9_get_u64(m);
	a->size = p9_get_u64(m);
	p9_get_u64(m); /* block size: what the server likes to send at once */
	a->blocks = p9_get_u64(m);
	a->atime = get_time(m);
	a->mtime = get_time(m);
	a->ctime = get_time(m);
}

int p9_getattr(struct p9_client *c, u32 fid, struct attributes *out)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_GETATTR, fid);

	if (err)
		return err;
	p9_put_u64(&k.out, GETATTR_BASIC);
	err = p9_call_send(&k, NULL, 0, NULL, 0);
	if (!err) {
		get_attributes(&k.in, out);
		if (k.in.bad || (s64)out->size < 0)
			err = -EIO;
	}
	p9_call_end(&k);
	return err;
}

static u32 setattr_bits(u32 valid)
{
	u32 bits = 0;

	bits |= valid & SET_MODE ? SETATTR_MODE : 0;
	bits |= valid & SET_UID ? SETATTR_UID : 0;
	bits |= valid & SET_GID ? SETATTR_GID : 0;
	bits |= valid & SET_SIZE ? SETATTR_SIZE : 0;
	bits |= valid & SET_ATIME ? SETATTR_ATIME | SETATTR_ATIME_SET : 0;
	bits |= valid & SET_ATIME_NOW ? SETATTR_ATIME : 0;
	bits |= valid & SET_MTIME ? SETATTR_MTIME | SETATTR_MTIME_SET : 0;
	bits |= valid & SET_MTIME_NOW ? SETATTR_MTIME : 0;
	return bits;
}

int p9_setattr(struct p9_client *c, u32 fid, const struct attribute_change *change)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_SETATTR, fid);

	if (err)
		return err;
	p9_put_u32(&k.out, setattr_bits(change->valid));
	p9_put_u32(&k.out, change->mode & 07777);
	p9_put_u32(&k.out, change->uid);
	p9_put_u32(&k.out, change->gid);
	p9_put_u64(&k.out, change->size);
	put_time(&k.out, &change->atime);
	put_time(&k.out, &change->mtime);
	return send_and_end(&k);
}

ssize p9_readlink(struct p9_client *c, u32 fid, char *buf, size_t size)
{
	struct p9_call k;
	const char *text;
	u16 len;
	ssize result = p9_call_begin(&k, c, P9_READLINK, P9_HEADER + 4, ANSWER + PATH_SIZE);

	if (result)
		return result;
	p9_put_u32(&k.out, fid);
	result = p9_call_send(&k, NULL, 0, NULL, 0);
	if (!result) {
		text = p9_get_string(&k.in, &len);
		result = k.in.bad ? -EIO : (ssize)min(size, (size_t)len);
		if (result > 0)
			memcpy(buf, text, (size_t)result);
	}
	p9_call_end(&k);
	return result;
}

int p9_statfs(struct p9_client *c, u32 fid, struct statfs_info *out)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_STATFS, fid);

	if (err)
		return err;
	err = p9_call_send(&k, NULL, 0, NULL, 0);
	if (!err) {
		p9_get_u32(&k.in); /* type */
		out->block_size = p9_get_u32(&k.in);
		out->blocks = p9_get_u64(&k.in);
		out->blocks_free = p9_get_u64(&k.in);
		out->blocks_available = p9_get_u64(&k.in);
		out->files = p9_get_u64(&k.in);
		out->files_free = p9_get_u64(&k.in);
		p9_get_u64(&k.in); /* id */
		out->name_max = p9_get_u32(&k.in);
		if (k.in.bad)
			err = -EIO;
	}
	p9_call_end(&k);
	return err;
}

/* --- open files --- */

int p9_open(struct p9_client *c, u32 fid, u32 flags)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_OPEN, fid);

	if (err)
		return err;
	p9_put_u32(&k.out, flags);
	return send_and_end(&k);
}

int p9_fsync(struct p9_client *c, u32 fid, bool data_only)
{
	struct p9_call k;
	int err = begin_fid(&k, c, P9_FSYNC, fid);

	if (err)
		return err;
	p9_put_u32(&k.out, data_only);
	return send_and_end(&k);
}
