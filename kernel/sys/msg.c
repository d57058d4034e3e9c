/*
 * msg.c - System V message queues: decoding. proc/msg.c does the work.
 */
#include <asm/msgbuf.h>
#include <linux/ipc.h>

#include "lib/string.h"
#include "proc/ipc.h"
#include "sys/syscall.h"

/* msgctl(2). <linux/msg.h>, which has these, defines what proc/ipc.h does. */
#define MSG_STAT 11
#define MSG_INFO 12
#define MSG_STAT_ANY 13

struct msginfo {
	int msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	unsigned short msgseg;
};

SYSCALL2(msgget, s32, key, u32, flags)
{
	return msg_get(key, flags);
}

/* --- struct msgbuf: a type, and bytes --- */

SYSCALL4(msgsnd, s32, id, u64 __user *, user, u64, size, u32, flags)
{
	struct message *m;
	s64 type;
	int err;

	if (get_user(type, (s64 __user *)user))
		return -EFAULT;
	if (size > MSG_SIZE_MAX || id < 0 || type < 1)
		return -EINVAL;
	m = message_new(size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	err = copy_from_user(m->data, user + 1, size) ? -EFAULT
						      : msg_send(id, m, flags & IPC_NOWAIT);
	if (err)
		message_free(m);
	return err;
}

SYSCALL5(msgrcv, s32, id, u64 __user *, user, u64, room, s64, type, u32, flags)
{
	struct message *m;
	long r;

	if (id < 0 || (s64)room < 0)
		return -EINVAL;
	if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	if (flags & MSG_COPY)
		r = msg_copy(id, room, type, flags & MSG_NOERROR, &m);
	else
		r = msg_receive(id, room, type, flags, &m);
	if (r)
		return r;
	r = (long)min(room, m->size);
	/* What cannot be stored is lost, as on Linux. */
	if (put_user(m->type, (s64 __user *)user) || copy_to_user(user + 1, m->data, (size_t)r))
		r = -EFAULT;
	message_free(m);
	return r;
}

/* --- msgctl --- */

static long info(bool usage, void __user *out)
{
	u32 queues, highest;
	u64 messages, bytes;
	struct msginfo i;

	highest = msg_totals(&queues, &messages, &bytes);
	memset(&i, 0, sizeof(i));
	i.msgmax = MSG_SIZE_MAX;
	i.msgmnb = MSG_QUEUE_BYTES;
	i.msgmni = MSG_QUEUES_MAX;
	/* The rest are constants that Linux does not use, but for MSG_INFO. */
	i.msgssz = 16;
	i.msgseg = 0xffff;
	i.msgpool = usage ? (int)queues : MSG_QUEUES_MAX * (MSG_QUEUE_BYTES / 1024);
	i.msgmap = usage ? (int)messages : MSG_QUEUE_BYTES;
	i.msgtql = usage ? (int)bytes : MSG_QUEUE_BYTES;
	return copy_to_user(out, &i, sizeof(i)) ? -EFAULT : (long)highest;
}

static long status(s32 id, enum ipc_which which, void __user *out)
{
	struct msg_status s;
	struct msqid64_ds ds;
	int err = msg_stat(id, which, &s);

	if (err)
		return err;
	memset(&ds, 0, sizeof(ds));
	ds.msg_perm.key = s.ipc.key;
	ds.msg_perm.uid = s.ipc.uid;
	ds.msg_perm.gid = s.ipc.gid;
	ds.msg_perm.cuid = s.ipc.cuid;
	ds.msg_perm.cgid = s.ipc.cgid;
	ds.msg_perm.mode = s.ipc.mode;
	ds.msg_perm.seq = (unsigned short)s.ipc.sequence;
	ds.msg_stime = s.stime;
	ds.msg_rtime = s.rtime;
	ds.msg_ctime = s.ctime;
	ds.msg_cbytes = s.bytes;
	ds.msg_qnum = s.count;
	ds.msg_qbytes = s.limit;
	ds.msg_lspid = (s32)s.send_pid;
	ds.msg_lrpid = (s32)s.receive_pid;
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return which == IPC_BY_ID ? 0 : s.ipc.id;
}

static long change(s32 id, const void __user *in)
{
	struct msqid64_ds ds;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	return msg_set(id, ds.msg_perm.uid, ds.msg_perm.gid, ds.msg_perm.mode, ds.msg_qbytes);
}

SYSCALL3(msgctl, s32, id, int, command, void __user *, arg)
{
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case MSG_INFO:
		return info(command == MSG_INFO, arg);
	case IPC_STAT:
		return status(id, IPC_BY_ID, arg);
	case MSG_STAT:
		return status(id, IPC_BY_PLACE, arg);
	case MSG_STAT_ANY:
		return status(id, IPC_BY_PLACE_ANY, arg);
	case IPC_SET:
		return change(id, arg);
	case IPC_RMID:
		return msg_remove(id);
	}
	return -EINVAL;
}
