/*
 * options.c - getsockopt and setsockopt at level SOL_SOCKET: what all families have in common,
 * socket(7).
 *
 * The rule: an option that is on or off is a bit (enum socket_option), found by name in a table;
 * the others have a case each. Other levels are the family's.
 */
#include <asm-generic/fcntl.h>
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "lib/string.h"
#include "net/socket.h"
#include "proc/calls.h"

#define SO_PASSPIDFD_NAME 76 /* younger than the headers of Debian 12 */
#define SO_PEERPIDFD_NAME 77
#define PRIORITY_UNPRIVILEGED_MAX 6

struct flag_option {
	u8 name;
	u8 option; /* enum socket_option */
};

static const struct flag_option flag_options[] = {
	{ SO_DEBUG, OPTION_DEBUG },         { SO_REUSEADDR, OPTION_REUSEADDR },
	{ SO_REUSEPORT, OPTION_REUSEPORT }, { SO_DONTROUTE, OPTION_DONTROUTE },
	{ SO_BROADCAST, OPTION_BROADCAST }, { SO_KEEPALIVE, OPTION_KEEPALIVE },
	{ SO_OOBINLINE, OPTION_OOBINLINE }, { SO_NO_CHECK, OPTION_NO_CHECK },
	{ SO_PASSCRED, OPTION_PASSCRED },   { SO_PASSPIDFD_NAME, OPTION_PASSPIDFD },
	{ SO_TIMESTAMP, OPTION_TIMESTAMP }, { SO_TIMESTAMPNS, OPTION_TIMESTAMPNS },
	{ SO_RXQ_OVFL, OPTION_RXQ_OVFL },
};

static const struct flag_option *flag_find(s32 name)
{
	for (u32 i = 0; i < ARRAY_SIZE(flag_options); i++)
		if (flag_options[i].name == name)
			return &flag_options[i];
	return NULL;
}

void socket_set_option(struct socket *s, enum socket_option o, bool on)
{
	if (on)
		atomic_or(&s->options, 1u << o);
	else
		atomic_and(&s->options, ~(1u << o));
}

static bool privileged(u32 capability)
{
	return cred_capable(cred_current(), capability);
}

/* --- set --- */

static int set_flag(struct socket *s, enum socket_option o, bool on)
{
	switch (o) {
	case OPTION_DEBUG:
		if (on && !privileged(CAP_NET_ADMIN))
			return -EACCES;
		break;
	case OPTION_REUSEPORT:
		if (on && s->family != AF_INET && s->family != AF_INET6)
			return -EOPNOTSUPP;
		break;
	case OPTION_PASSCRED:
	case OPTION_PASSPIDFD:
		if (!s->ops->credentials)
			return -EOPNOTSUPP;
		break;
	case OPTION_TIMESTAMP:
	case OPTION_TIMESTAMPNS: /* one or the other */
		socket_set_option(s, OPTION_TIMESTAMP, false);
		socket_set_option(s, OPTION_TIMESTAMPNS, false);
		break;
	default:
		break;
	}
	socket_set_option(s, o, on);
	return 0;
}

/* Twice what was asked for: half of it stands for what the kernel itself needs, socket(7). */
static s32 buffer_size(s32 asked, s32 smallest, bool force)
{
	u32 size = (u32)asked;

	if (force)
		size = asked < 0 ? 0 : size;
	else
		size = min(size, (u32)SOCKET_BUFFER_MAX);
	size = min(size, (u32)INT32_MAX / 2);
	return max((s32)(size * 2), smallest);
}

static int set_send_buffer(struct socket *s, s32 asked, bool force)
{
	if (force && !privileged(CAP_NET_ADMIN))
		return -EPERM;
	store_relaxed(&s->send_buffer, buffer_size(asked, SEND_BUFFER_MIN, force));
	socket_set_option(s, OPTION_SNDBUF_LOCKED, true);
	socket_wake_senders(s);
	return 0;
}

static int set_receive_buffer(struct socket *s, s32 asked, bool force)
{
	if (force && !privileged(CAP_NET_ADMIN))
		return -EPERM;
	store_relaxed(&s->receive_buffer, buffer_size(asked, RECEIVE_BUFFER_MIN, force));
	socket_set_option(s, OPTION_RCVBUF_LOCKED, true);
	return 0;
}

/* A negative time passes for one that is over at once, but waits for ever where it is zero. */
static int set_timeout(u64 *timeout, const void *value, u32 length)
{
	struct __kernel_sock_timeval tv;
	u64 ns;

	if (length < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		ns = 0;
	else if ((tv.tv_sec == 0 && tv.tv_usec == 0) || tv.tv_sec >= (s64)(INT64_MAX / NS_PER_SEC))
		ns = DEADLINE_NONE;
	else
		ns = (u64)tv.tv_sec * NS_PER_SEC + (u64)tv.tv_usec * 1000;
	store_relaxed(timeout, ns);
	return 0;
}

static int set_linger(struct socket *s, const void *value, u32 length)
{
	struct {
		s32 on, seconds;
	} l;

	if (length < sizeof(l))
		return -EINVAL;
	memcpy(&l, value, sizeof(l));
	store_relaxed(&s->linger, l.seconds);
	socket_set_option(s, OPTION_LINGER, l.on);
	return 0;
}

static int set_peek_offset(struct socket *s, s32 value)
{
	if (!s->ops->peek_offset)
		return -EOPNOTSUPP;
	store_relaxed(&s->peek_offset, value);
	return 0;
}

static int set_priority(struct socket *s, s32 value)
{
	if ((value < 0 || value > PRIORITY_UNPRIVILEGED_MAX) && !privileged(CAP_NET_ADMIN) &&
	    !privileged(CAP_NET_RAW))
		return -EPERM;
	store_relaxed(&s->priority, (u32)value);
	return 0;
}

static int set_mark(struct socket *s, s32 value)
{
	if (!privileged(CAP_NET_ADMIN) && !privileged(CAP_NET_RAW))
		return -EPERM;
	store_relaxed(&s->mark, (u32)value);
	return 0;
}

static int set_value(struct socket *s, s32 name, s32 value, const void *whole, u32 length)
{
	const struct flag_option *flag = flag_find(name);

	if (flag)
		return set_flag(s, flag->option, value != 0);
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_send_buffer(s, value, name == SO_SNDBUFFORCE);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_receive_buffer(s, value, name == SO_RCVBUFFORCE);
	case SO_RCVLOWAT:
		store_relaxed(&s->receive_low, value < 0 ? INT32_MAX : max(value, 1));
		return 0;
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&s->receive_timeout, whole, length);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&s->send_timeout, whole, length);
	case SO_LINGER:
		return set_linger(s, whole, length);
	case SO_PEEK_OFF:
		return set_peek_offset(s, value);
	case SO_PRIORITY:
		return set_priority(s, value);
	case SO_MARK:
		return set_mark(s, value);
	default:
		return -ENOPROTOOPT;
	}
}

int socket_set_option_value(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	s32 number;

	if (level != SOL_SOCKET)
		return s->ops->setsockopt(s, level, name, value, length);
	if (length < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	return set_value(s, name, number, value, length);
}

/* --- get --- */

static int give(void *value, u32 *length, const void *from, u32 n)
{
	*length = min(*length, n);
	memcpy(value, from, *length);
	return 0;
}

static int give_number(void *value, u32 *length, s32 number)
{
	return give(value, length, &number, sizeof(number));
}

static int give_timeout(void *value, u32 *length, u64 ns)
{
	struct __kernel_sock_timeval tv = { 0 };

	if (ns != DEADLINE_NONE) {
		tv.tv_sec = (s64)(ns / NS_PER_SEC);
		tv.tv_usec = (s64)(ns % NS_PER_SEC / 1000);
	}
	return give(value, length, &tv, sizeof(tv));
}

static int give_linger(struct socket *s, void *value, u32 *length)
{
	s32 l[2] = { socket_option(s, OPTION_LINGER), load_relaxed(&s->linger) };

	return give(value, length, l, sizeof(l));
}

static int give_credentials(struct socket *s, void *value, u32 *length)
{
	struct peer_identity p = socket_identity_get(s);
	u32 ucred[3] = { 0, UINT32_MAX, UINT32_MAX }; /* struct ucred: pid, uid, gid */

	if (p.process) {
		ucred[0] = p.process->pid;
		ucred[1] = p.cred->euid;
		ucred[2] = p.cred->egid;
	}
	peer_identity_put(&p);
	return give(value, length, ucred, sizeof(ucred));
}

static int give_groups(struct socket *s, void *value, u32 *length)
{
	struct peer_identity p = socket_identity_get(s);
	u32 room = *length;
	int err = -ENODATA;

	if (p.process) {
		*length = p.cred->ngroups * (u32)sizeof(u32);
		err = room < *length ? -ERANGE : 0;
		if (!err)
			memcpy(value, p.cred->groups, *length);
	}
	peer_identity_put(&p);
	return err;
}

static int give_peer_pidfd(struct socket *s, void *value, u32 *length)
{
	struct peer_identity p = socket_identity_get(s);
	int fd = p.process ? pidfd_for(p.process) : -ENODATA;

	peer_identity_put(&p);
	return fd < 0 ? fd : give_number(value, length, fd);
}

/* SO_PEERNAME: getpeername by another name, which wants room for all of it. */
static int give_peer_name(struct socket *s, void *value, u32 *length)
{
	struct socket_address a;
	int err = s->ops->getname(s, true, &a);

	if (err)
		return -ENOTCONN;
	if (a.length < *length)
		return -EINVAL;
	memcpy(value, a.bytes, *length);
	return 0;
}

int socket_get_option_value(struct socket *s, s32 level, s32 name, void *value, u32 *length)
{
	const struct flag_option *flag;

	if (level != SOL_SOCKET)
		return s->ops->getsockopt ? s->ops->getsockopt(s, level, name, value, length)
					  : -EOPNOTSUPP;
	flag = flag_find(name);
	if (flag && (flag->option == OPTION_PASSCRED || flag->option == OPTION_PASSPIDFD) &&
	    !s->ops->credentials)
		return -EOPNOTSUPP;
	if (flag)
		return give_number(value, length, socket_option(s, flag->option));
	switch (name) {
	case SO_TYPE:
		return give_number(value, length, (s32)s->type);
	case SO_PROTOCOL:
		return give_number(value, length, (s32)s->protocol);
	case SO_DOMAIN:
		return give_number(value, length, (s32)s->family);
	case SO_ERROR:
		return give_number(value, length, -socket_take_error(s));
	case SO_SNDBUF:
		return give_number(value, length, load_relaxed(&s->send_buffer));
	case SO_RCVBUF:
		return give_number(value, length, load_relaxed(&s->receive_buffer));
	case SO_RCVLOWAT:
		return give_number(value, length, load_relaxed(&s->receive_low));
	case SO_SNDLOWAT:
		return give_number(value, length, 1);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return give_timeout(value, length, load_relaxed(&s->receive_timeout));
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return give_timeout(value, length, load_relaxed(&s->send_timeout));
	case SO_LINGER:
		return give_linger(s, value, length);
	case SO_PRIORITY:
		return give_number(value, length, (s32)load_relaxed(&s->priority));
	case SO_MARK:
		return give_number(value, length, (s32)load_relaxed(&s->mark));
	case SO_PEEK_OFF:
		if (!s->ops->peek_offset)
			return -EOPNOTSUPP;
		return give_number(value, length, load_relaxed(&s->peek_offset));
	case SO_ACCEPTCONN:
		return give_number(value, length, socket_option(s, OPTION_LISTENING));
	case SO_PEERCRED:
		return give_credentials(s, value, length);
	case SO_PEERGROUPS:
		return give_groups(s, value, length);
	case SO_PEERPIDFD_NAME:
		return give_peer_pidfd(s, value, length);
	case SO_PEERNAME:
		return give_peer_name(s, value, length);
	default:
		return -ENOPROTOOPT;
	}
}
