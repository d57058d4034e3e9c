/*
 * unix_name.c - names of AF_UNIX sockets: paths, abstract names, and those that the kernel finds.
 *
 * A path is a file of type socket; its inode says which socket is bound to it, as long as that
 * lives. Abstract names are bytes in a table of their own; the same bytes name another socket for
 * each type. unix(7) has the rules.
 */
#include <asm-generic/fcntl.h>
#include <linux/stat.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/unix_priv.h"

#define BUCKETS 64u /* power of 2 */
#define AUTOBIND_DIGITS 5u
#define AUTOBIND_NAMES (1u << (4 * AUTOBIND_DIGITS))

static struct list buckets[BUCKETS]; /* T: zeroed until first used */

static struct list *bucket_of(const u8 *bytes, u32 length, u32 type)
{
	u32 hash = type;
	struct list *b;

	for (u32 i = 0; i < length; i++)
		hash = hash * 31 + bytes[i];
	b = &buckets[(hash ^ hash >> 16) & (BUCKETS - 1)];
	if (!b->next)
		list_init(b);
	return b;
}

static struct unix_name *name_new(const u8 *bytes, u32 length)
{
	struct unix_name *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	ref_init(&n->refs);
	memcpy(n->bytes, bytes, length);
	n->length = length;
	return n;
}

static void name_put(struct unix_name *n)
{
	if (n && ref_put(&n->refs))
		kfree(n);
}

int unix_check_address(const struct socket_address *a)
{
	return a->length <= UNIX_PATH_OFFSET ||
			       a->length > UNIX_PATH_OFFSET + UNIX_PATH_MAX_BYTES ||
			       a->family != AF_UNIX
		       ? -EINVAL
		       : 0;
}

static bool is_path(const struct socket_address *a)
{
	return a->bytes[UNIX_PATH_OFFSET] != 0;
}

/* The path in the address, terminated. */
static void path_of(const struct socket_address *a, char path[UNIX_PATH_MAX_BYTES + 1])
{
	u32 n = a->length - UNIX_PATH_OFFSET;

	memcpy(path, a->bytes + UNIX_PATH_OFFSET, n);
	path[n] = 0;
}

/* --- finding --- */

/* T held. */
static struct unix_socket *abstract_find(const u8 *bytes, u32 length, u32 type)
{
	struct unix_socket *u;

	list_for_each (u, bucket_of(bytes, length, type), name_link)
		if (u->s.type == type && u->name->length == length &&
		    !memcmp(u->name->bytes, bytes, length))
			return u;
	return NULL;
}

static struct unix_socket *find_abstract(const struct socket_address *a, u32 type)
{
	struct unix_socket *u;

	spin_lock(&unix_table_lock);
	u = abstract_find(a->bytes, a->length, type);
	if (u)
		socket_get(&u->s);
	spin_unlock(&unix_table_lock);
	return u ? u : ERR_PTR(-ECONNREFUSED);
}

/* The socket that is bound to the inode, counted, or NULL. */
static struct unix_socket *inode_socket(const struct inode *i)
{
	struct unix_socket *u;

	spin_lock(&unix_table_lock);
	u = S_ISSOCK(i->mode) ? i->special : NULL;
	if (u)
		socket_get(&u->s);
	spin_unlock(&unix_table_lock);
	return u;
}

static struct unix_socket *find_path(const struct socket_address *a, u32 type)
{
	char name[UNIX_PATH_MAX_BYTES + 1];
	struct unix_socket *u = NULL;
	struct path p;
	int err;

	path_of(a, name);
	err = path_lookup(NULL, name, LOOKUP_FOLLOW, &p);
	if (err)
		return ERR_PTR(err);
	err = vfs_permission(dentry_inode(p.dentry), MAY_WRITE);
	if (!err) {
		u = inode_socket(dentry_inode(p.dentry));
		if (!u)
			err = -ECONNREFUSED;
	}
	if (u && u->s.type != type) {
		unix_put(u);
		err = -EPROTOTYPE;
	}
	path_put(&p);
	return err ? ERR_PTR(err) : u;
}

struct unix_socket *unix_find(const struct socket_address *a, u32 type)
{
	return is_path(a) ? find_path(a, type) : find_abstract(a, type);
}

/* --- binding --- */

/* u gets the name n and, for a path, the place p; both are u's then. */
static void name_set(struct unix_socket *u, struct unix_name *n, const struct path *p)
{
	spin_lock(&unix_table_lock);
	u->name = n;
	if (p) {
		u->path = *p;
		dentry_inode(p->dentry)->special = u;
	} else {
		list_push_back(bucket_of(n->bytes, n->length, u->s.type), &u->name_link);
	}
	spin_unlock(&unix_table_lock);
}

static int bind_path(struct unix_socket *u, const struct socket_address *a)
{
	char name[UNIX_PATH_MAX_BYTES + 1];
	struct unix_name *n;
	struct path p;
	int err;

	path_of(a, name);
	n = name_new(a->bytes, UNIX_PATH_OFFSET + (u32)strlen(name) + 1);
	if (!n)
		return -ENOMEM;
	err = vfs_create_socket(name, 0777, &p);
	if (!err && u->name) {
		err = -EINVAL; /* told after what is wrong with the path, as on Linux */
		vfs_unlink(NULL, name);
		path_put(&p);
	}
	if (err) {
		name_put(n);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	name_set(u, n, &p);
	return 0;
}

static int bind_abstract(struct unix_socket *u, const u8 *bytes, u32 length)
{
	struct unix_name *n;
	bool taken;

	if (u->name)
		return -EINVAL;
	n = name_new(bytes, length);
	if (!n)
		return -ENOMEM;
	spin_lock(&unix_table_lock);
	taken = abstract_find(bytes, length, u->s.type) != NULL;
	if (!taken) {
		u->name = n;
		list_push_back(bucket_of(bytes, length, u->s.type), &u->name_link);
	}
	spin_unlock(&unix_table_lock);
	if (taken)
		name_put(n);
	return taken ? -EADDRINUSE : 0;
}

/* The next name of five hexadecimal digits that is free: 0, -ENOSPC, -ENOMEM. */
static int bind_free_name(struct unix_socket *u)
{
	static u32 last; /* A: any beginning is good */
	u8 bytes[UNIX_PATH_OFFSET + 1 + AUTOBIND_DIGITS + 1] = { AF_UNIX };
	int err = -EADDRINUSE;

	for (u32 tries = 0; err == -EADDRINUSE && tries < AUTOBIND_NAMES; tries++) {
		format((char *)bytes + UNIX_PATH_OFFSET + 1, AUTOBIND_DIGITS + 1, "%05x",
		       atomic_add_return(&last, 1) % AUTOBIND_NAMES);
		err = bind_abstract(u, bytes, sizeof(bytes) - 1);
	}
	return err == -EADDRINUSE ? -ENOSPC : err;
}

int unix_autobind(struct unix_socket *u)
{
	int err = 0;

	mutex_lock(&u->bind);
	if (!u->name)
		err = bind_free_name(u);
	mutex_unlock(&u->bind);
	return err;
}

int unix_bind(struct socket *s, const struct socket_address *a)
{
	struct unix_socket *u = unix_of(s);
	int err;

	if (a->length == UNIX_PATH_OFFSET && a->family == AF_UNIX)
		return unix_autobind(u);
	err = unix_check_address(a);
	if (err)
		return err;
	mutex_lock(&u->bind);
	err = is_path(a) ? bind_path(u, a) : bind_abstract(u, a->bytes, a->length);
	mutex_unlock(&u->bind);
	return err;
}

/* --- the rest of a name's life --- */

void unix_name_get(const struct unix_socket *u, struct socket_address *out)
{
	*out = (struct socket_address){ .length = UNIX_PATH_OFFSET, .family = AF_UNIX };
	spin_lock(&unix_table_lock);
	if (u->name) {
		out->length = u->name->length;
		memcpy(out->bytes, u->name->bytes, out->length);
		out->family = AF_UNIX;
	}
	spin_unlock(&unix_table_lock);
}

void unix_name_share(struct unix_socket *u, struct unix_socket *to)
{
	spin_lock(&unix_table_lock);
	to->name = u->name;
	if (to->name)
		ref_get(&to->name->refs);
	spin_unlock(&unix_table_lock);
}

void unix_name_unshare(struct unix_socket *u)
{
	name_put(u->name);
	u->name = NULL;
}

void unix_name_forget(struct unix_socket *u)
{
	struct path p;

	spin_lock(&unix_table_lock);
	list_remove(&u->name_link);
	p = u->path;
	u->path.dentry = NULL;
	if (p.dentry)
		dentry_inode(p.dentry)->special = NULL;
	spin_unlock(&unix_table_lock);
	if (p.dentry)
		path_put(&p);
}

void unix_name_free(struct unix_socket *u)
{
	name_put(u->name);
}
