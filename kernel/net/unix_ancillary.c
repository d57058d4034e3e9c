/*
 * unix_ancillary.c - what goes with the bytes of a message: credentials and open files, unix(7).
 *
 * The rule: a file in a queued message is counted for its socket, if it is one (unix_gc.c), from
 * the moment the message is queued until a receiver has taken the file out. Freeing a message
 * closes files, and closing a socket frees its messages; so that no chain of them is as deep as a
 * program likes to make it, who frees within a freeing hands over to the one further out.
 */
#include <asm-generic/fcntl.h>
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/time.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/unix_priv.h"
#include "proc/calls.h"

#define UID_OVERFLOW 65534u /* of somebody unknown */

static size_t ancillary_size(u32 nfiles)
{
	return offsetof(struct ancillary, files) + nfiles * sizeof(struct file *);
}

static struct ancillary *ancillary_new(u32 nfiles)
{
	struct ancillary *a = kmalloc(ancillary_size(nfiles));

	if (!a)
		return NULL;
	memset(a, 0, offsetof(struct ancillary, files));
	list_init(&a->link);
	a->uid = a->gid = UID_OVERFLOW;
	return a;
}

static void identify(struct ancillary *a, struct process *p, u32 uid, u32 gid)
{
	process_get(p);
	a->process = p;
	a->uid = uid;
	a->gid = gid;
}

struct ancillary *ancillary_of_sender(void)
{
	struct ancillary *a = ancillary_new(0);

	if (a)
		identify(a, process_current(), cred_current()->uid, cred_current()->gid);
	return a;
}

int ancillary_identify(struct ancillary **a)
{
	if (!*a) {
		*a = ancillary_of_sender();
		return *a ? 0 : -ENOMEM;
	}
	if (!(*a)->process)
		identify(*a, process_current(), cred_current()->uid, cred_current()->gid);
	return 0;
}

struct ancillary *ancillary_copy_identity(const struct ancillary *a)
{
	struct ancillary *copy = ancillary_new(0);

	if (copy && a->process)
		identify(copy, a->process, a->uid, a->gid);
	return copy;
}

/* --- what a sender says --- */

static int parse_rights(const struct control *c, struct ancillary **out)
{
	u32 n = (u32)(c->length / sizeof(s32)), had = *out ? (*out)->nfiles : 0;
	struct ancillary *a;

	if (c->length / sizeof(s32) > UNIX_FILES_MAX || had + n > UNIX_FILES_MAX)
		return -EINVAL;
	if (!n)
		return 0;
	a = krealloc(*out, ancillary_size(had + n));
	if (!a)
		return -ENOMEM;
	if (!*out) {
		memset(a, 0, offsetof(struct ancillary, files));
		a->uid = a->gid = UID_OVERFLOW;
	}
	list_init(&a->link);
	*out = a;
	for (u32 i = 0; i < n; i++) {
		s32 fd;

		memcpy(&fd, (const s32 *)c->data + i, sizeof(fd));
		a->files[a->nfiles] = fd_file_any(fd);
		if (!a->files[a->nfiles])
			return -EBADF;
		a->nfiles++;
	}
	return 0;
}

static bool may_claim(u32 id, u32 real, u32 effective, u32 saved, u32 capability)
{
	return id == real || id == effective || id == saved ||
	       cred_capable(cred_current(), capability);
}

static int parse_credentials(const struct control *c, struct ancillary **out)
{
	const struct cred *cred = cred_current();
	u32 ucred[3]; /* struct ucred: pid, uid, gid */
	struct process *p;

	if (c->length != sizeof(ucred))
		return -EINVAL;
	memcpy(ucred, c->data, sizeof(ucred));
	if ((ucred[0] != process_current()->pid && !cred_capable(cred, CAP_SYS_ADMIN)) ||
	    !may_claim(ucred[1], cred->uid, cred->euid, cred->suid, CAP_SETUID) ||
	    !may_claim(ucred[2], cred->gid, cred->egid, cred->sgid, CAP_SETGID))
		return -EPERM;
	p = process_find(ucred[0]);
	if (!p)
		return -ESRCH;
	if (!*out)
		*out = ancillary_new(0);
	if (*out) {
		if ((*out)->process)
			process_put((*out)->process);
		identify(*out, p, ucred[1], ucred[2]);
	}
	process_put(p);
	return *out ? 0 : -ENOMEM;
}

int ancillary_from_message(const struct message *m, struct ancillary **out)
{
	struct control c;
	size_t offset = 0;
	int r = 0;

	*out = NULL;
	while (!r && (r = message_next_control(m, &offset, &c)) > 0) {
		r = 0;
		if (c.level != SOL_SOCKET)
			continue;
		if (c.type == SCM_RIGHTS)
			r = parse_rights(&c, out);
		else if (c.type == SCM_CREDENTIALS)
			r = parse_credentials(&c, out);
		else
			r = -EINVAL;
	}
	if (r) {
		ancillary_free(*out);
		*out = NULL;
	}
	return r;
}

/* --- on the way --- */

/* How many files of each user are on their way. T */
struct flight_account {
	struct list link;
	u32 uid, count;
};
static struct list accounts = LIST_INIT(accounts);

static struct flight_account *account_find(u32 uid)
{
	struct flight_account *a;

	list_for_each (a, &accounts, link)
		if (a->uid == uid)
			return a;
	return NULL;
}

/* T held. The account of uid holds n more. NULL without memory. */
static struct flight_account *account_add(u32 uid, u32 n)
{
	struct flight_account *a = account_find(uid);

	if (!a) {
		a = kzalloc(sizeof(*a));
		if (!a)
			return NULL;
		a->uid = uid;
		list_push_back(&accounts, &a->link);
	}
	a->count += n;
	return a;
}

static void account_remove(u32 uid, u32 n)
{
	struct flight_account *a = account_find(uid);

	a->count -= n;
	if (a->count)
		return;
	list_remove(&a->link);
	kfree(a);
}

static bool too_many(u32 uid)
{
	const struct flight_account *a = account_find(uid);

	return a && a->count > rlimit_get(RLIMIT_NOFILE) &&
	       !cred_capable(cred_current(), CAP_SYS_RESOURCE) &&
	       !cred_capable(cred_current(), CAP_SYS_ADMIN);
}

int ancillary_depart(struct ancillary *a)
{
	u32 uid = cred_current()->uid;
	int err = 0;

	if (!a || !a->nfiles)
		return 0;
	spin_lock(&unix_table_lock);
	if (too_many(uid))
		err = -ETOOMANYREFS;
	else if (!account_add(uid, a->nfiles))
		err = -ENOMEM;
	if (!err) {
		a->uid_in_flight = uid;
		a->counted = true;
		for (u32 i = 0; i < a->nfiles; i++)
			unix_flight_add(a->files[i]);
	}
	spin_unlock(&unix_table_lock);
	return err;
}

void ancillary_arrive(struct ancillary *a)
{
	spin_lock(&unix_table_lock);
	if (a->counted) {
		for (u32 i = 0; i < a->nfiles; i++)
			unix_flight_remove(a->files[i]);
		account_remove(a->uid_in_flight, a->nfiles);
		a->counted = false;
	}
	spin_unlock(&unix_table_lock);
}

struct ancillary *ancillary_room(const struct ancillary *a)
{
	return ancillary_new(a->nfiles);
}

void ancillary_take_files(struct ancillary *a, struct ancillary *into, bool peek)
{
	into->nfiles = a->nfiles;
	memcpy(into->files, a->files, a->nfiles * sizeof(a->files[0]));
	if (peek) {
		for (u32 i = 0; i < a->nfiles; i++)
			file_get(a->files[i]);
	} else {
		ancillary_arrive(a);
		a->nfiles = 0;
	}
}

/* --- freeing --- */

/* Somebody who frees; within it, what is to be freed is left to him. */
struct freeing {
	struct list link;
	struct thread *thread;
	struct list todo; /* struct ancillary.link */
};
static struct list freeings = LIST_INIT(freeings); /* T */

/* T held. */
static struct freeing *freeing_of(const struct thread *t)
{
	struct freeing *f;

	list_for_each (f, &freeings, link)
		if (f->thread == t)
			return f;
	return NULL;
}

static void free_now(struct ancillary *a)
{
	if (a->counted)
		ancillary_arrive(a);
	for (u32 i = 0; i < a->nfiles; i++)
		file_put(a->files[i]);
	if (a->process)
		process_put(a->process);
	kfree(a);
}

bool ancillary_free_all(struct list *list)
{
	struct freeing mine = { .thread = thread_current(), .todo = LIST_INIT(mine.todo) }, *outer;
	struct ancillary *a;

	spin_lock(&unix_table_lock);
	outer = freeing_of(mine.thread);
	while ((a = list_first(list, struct ancillary, link))) {
		list_remove(&a->link);
		list_push_back(outer ? &outer->todo : &mine.todo, &a->link);
	}
	if (!outer)
		list_push_back(&freeings, &mine.link);
	spin_unlock(&unix_table_lock);
	if (outer)
		return false;
	while ((a = list_first(&mine.todo, struct ancillary, link))) {
		list_remove(&a->link);
		free_now(a);
	}
	spin_lock(&unix_table_lock);
	list_remove(&mine.link);
	spin_unlock(&unix_table_lock);
	return true;
}

void ancillary_free(struct ancillary *a)
{
	struct list list = LIST_INIT(list);

	if (!a)
		return;
	if (!a->nfiles) {
		free_now(a);
		return;
	}
	list_push_back(&list, &a->link);
	ancillary_free_all(&list);
}

/* --- what a receiver gets --- */

void received_identify(struct unix_received *r, const struct ancillary *a)
{
	r->identified = true;
	r->process = a ? a->process : NULL;
	r->uid = a ? a->uid : UID_OVERFLOW;
	r->gid = a ? a->gid : UID_OVERFLOW;
	if (r->process)
		process_get(r->process);
}

bool received_same_sender(const struct unix_received *r, const struct ancillary *a)
{
	const struct process *p = a ? a->process : NULL;

	return r->process == p && (!p || (r->uid == a->uid && r->gid == a->gid));
}

void received_free(struct unix_received *r)
{
	ancillary_free(r->files);
	if (r->process)
		process_put(r->process);
	*r = (struct unix_received){ 0 };
}

/* Install the files and tell their descriptors, as many as there is room for. 0 or -EFAULT */
static int tell_files(struct unix_received *r, struct message *m, u32 flags)
{
	struct control_header h = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	struct ancillary *a = r->files;
	u64 room = m->control_room > sizeof(h) ? (m->control_room - sizeof(h)) / sizeof(s32) : 0;
	s32 __user *at = (s32 __user *)(m->control_out + sizeof(h));
	u32 done = 0;
	size_t whole;

	while (done < a->nfiles && done < room) {
		int fd;

		file_get(a->files[done]);
		fd = fd_install(a->files[done], 0, flags & MSG_CMSG_CLOEXEC);
		if (fd < 0) {
			file_put(a->files[done]);
			break;
		}
		if (put_user(fd, at + done)) {
			fd_close(fd);
			break;
		}
		done++;
	}
	if (done < a->nfiles)
		m->flags |= MSG_CTRUNC;
	if (!done)
		return 0;
	h.length = sizeof(h) + done * sizeof(s32);
	if (copy_to_user(m->control_out, &h, sizeof(h)))
		return -EFAULT;
	whole = min((size_t)(h.length + 7) & ~7ull, m->control_room);
	m->control_out += whole;
	m->control_room -= whole;
	return 0;
}

static int tell_pidfd(struct unix_received *r, struct message *m)
{
	s32 fd = r->process ? pidfd_for(r->process) : -ESRCH;

	return message_put_control(m, SOL_SOCKET, SCM_PIDFD, &fd, sizeof(fd));
}

static int tell(struct unix_received *r, struct unix_socket *u, struct message *m, u32 flags)
{
	u32 ucred[3] = { r->process ? r->process->pid : 0, r->uid, r->gid };
	int err = 0;

	if (!m->control_out) {
		if (unix_wants_credentials(u) || (r->files && r->files->nfiles))
			m->flags |= MSG_CTRUNC;
		return 0;
	}
	if (socket_option(&u->s, OPTION_PASSCRED))
		err = message_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, ucred, sizeof(ucred));
	if (!err && r->files && r->files->nfiles)
		err = tell_files(r, m, flags);
	if (!err && socket_option(&u->s, OPTION_PASSPIDFD))
		err = tell_pidfd(r, m);
	return err;
}

int received_tell(struct unix_received *r, struct unix_socket *u, struct message *m, u32 flags)
{
	int err = tell(r, u, m, flags);

	received_free(r);
	return err;
}
