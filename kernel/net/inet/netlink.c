/*
 * netlink.c - AF_NETLINK, netlink(7), as far as programs ask of interfaces, addresses and routes
 * (rtnetlink(7)): getifaddrs, ip. Nothing can be changed by it, and other protocols than
 * NETLINK_ROUTE are not there; programs that look for them use /proc instead.
 */
#include "net/inet/interface.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/inet/datagram.h"
#include "net/inet/netlink.h"
#include "net/lwip/stack.h"
#include "proc/proc.h"

#define REQUEST_MAX 8192u
#define REPLY_MAX 4096u
#define OPER_UNKNOWN 0
#define OPER_UP 6

struct netlink_socket {
	struct inet_socket inet; /* for its queue's sake; it has no port */
	struct datagram_queue queue;
	u32 id, groups; /* A: its own address */
};

/* The reply that is being made. */
struct reply {
	struct netlink_socket *s;
	const struct nlmsghdr *request;
	u8 *bytes; /* REPLY_MAX */
	u32 length;
	struct nlmsghdr *message; /* the last one in it */
};

static const struct socket_ops netlink_ops;

static struct netlink_socket *netlink_of(struct socket *s)
{
	return container_of(s, struct netlink_socket, inet.s);
}

/* --- making replies --- */

/* What there is so far goes to the socket as one datagram. */
static void reply_send(struct reply *r)
{
	struct list buffers = LIST_INIT(buffers);
	struct datagram_way way = { 0 };
	struct iter it;
	u64 charge = 0;

	if (!r->length)
		return;
	iter_init_kernel(&it, r->bytes, r->length);
	if (!net_buffers_fill(&buffers, &it, r->length, &charge))
		datagram_put(&r->s->inet, &r->s->queue, &buffers, r->length, charge, &way);
	r->length = 0;
}

static void *reply_room(struct reply *r, u32 n)
{
	void *at = r->bytes + r->length;

	memset(at, 0, NLMSG_ALIGN(n));
	r->length += NLMSG_ALIGN(n);
	return at;
}

/* A message with a body of n bytes, which is returned. */
static void *message_begin(struct reply *r, u16 type, u16 flags, u32 n)
{
	if (r->length > REPLY_MAX / 2)
		reply_send(r);
	r->message = reply_room(r, NLMSG_HDRLEN);
	*r->message = (struct nlmsghdr){ .nlmsg_type = type,
					 .nlmsg_flags = flags,
					 .nlmsg_seq = r->request->nlmsg_seq,
					 .nlmsg_pid = load_relaxed(&r->s->id) };
	return reply_room(r, n);
}

static void message_end(struct reply *r)
{
	r->message->nlmsg_len = (u32)(r->bytes + r->length - (u8 *)r->message);
}

static void attribute(struct reply *r, u16 type, const void *value, u32 n)
{
	struct rtattr *a = reply_room(r, RTA_LENGTH(n));

	a->rta_type = type;
	a->rta_len = (u16)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), value, n);
}

static void attribute_u32(struct reply *r, u16 type, u32 v)
{
	attribute(r, type, &v, sizeof(v));
}

static void attribute_text(struct reply *r, u16 type, const char *text)
{
	attribute(r, type, text, (u32)strlen(text) + 1);
}

/* An error, or (0) that all is well. */
static void put_error(struct reply *r, int err)
{
	struct nlmsgerr *e = message_begin(r, NLMSG_ERROR, err ? 0 : NLM_F_CAPPED, sizeof(*e));

	e->error = err;
	e->msg = *r->request;
	message_end(r);
}

static void put_done(struct reply *r)
{
	reply_send(r);
	memset(message_begin(r, NLMSG_DONE, NLM_F_MULTI, sizeof(s32)), 0, sizeof(s32));
	message_end(r);
}

/* --- interfaces --- */

static void put_link(struct reply *r, const struct interface *n, u16 flags)
{
	struct ifinfomsg *m = message_begin(r, RTM_NEWLINK, flags, sizeof(*m));
	bool lo = n->index == INTERFACE_LOOPBACK;
	static const u8 all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u8 state = lo ? OPER_UNKNOWN : OPER_UP, zero = 0;

	m->ifi_family = AF_UNSPEC;
	m->ifi_type = lo ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	m->ifi_index = (int)n->index;
	m->ifi_flags = n->flags;
	attribute_text(r, IFLA_IFNAME, n->name);
	attribute_u32(r, IFLA_TXQLEN, 1000);
	attribute(r, IFLA_OPERSTATE, &state, sizeof(state));
	attribute(r, IFLA_LINKMODE, &zero, sizeof(zero));
	attribute_u32(r, IFLA_MTU, n->mtu);
	attribute_u32(r, IFLA_GROUP, 0);
	attribute_text(r, IFLA_QDISC, lo ? "noqueue" : "pfifo_fast");
	attribute(r, IFLA_ADDRESS, n->mac, sizeof(n->mac));
	attribute(r, IFLA_BROADCAST, lo ? n->mac : all, sizeof(n->mac));
	message_end(r);
}

static void dump_links(struct reply *r, u32 family)
{
	struct interface n;

	for (u32 i = 1; interface_by_index(i, &n); i++)
		put_link(r, &n, NLM_F_MULTI);
}

/* The one whose index or name is asked for: 0 or errno. */
static int get_link(struct reply *r)
{
	const struct ifinfomsg *m = NLMSG_DATA(r->request);
	u32 left = r->request->nlmsg_len;
	struct interface n;
	bool found = false;

	if (left < NLMSG_LENGTH(sizeof(*m)))
		return -EINVAL;
	if (m->ifi_index > 0) {
		found = interface_by_index((u32)m->ifi_index, &n);
	} else {
		const struct rtattr *a = IFLA_RTA(m);

		left -= NLMSG_LENGTH(sizeof(*m));
		for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
			char name[16];

			if (a->rta_type != IFLA_IFNAME && a->rta_type != IFLA_ALT_IFNAME)
				continue;
			string_copy(name, RTA_DATA(a), min(sizeof(name), RTA_PAYLOAD(a) + 1));
			found = interface_by_name(name, &n);
		}
	}
	if (!found)
		return -ENODEV;
	put_link(r, &n, 0);
	return 0;
}

/* --- addresses --- */

static void put_address(struct reply *r, const struct interface *n, u32 family, u32 prefix,
			u32 scope, const void *address, u32 size)
{
	struct ifaddrmsg *m = message_begin(r, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));
	struct ifa_cacheinfo forever = { .ifa_prefered = ~0u, .ifa_valid = ~0u };

	m->ifa_family = (u8)family;
	m->ifa_prefixlen = (u8)prefix;
	m->ifa_flags = IFA_F_PERMANENT;
	m->ifa_scope = (u8)scope;
	m->ifa_index = n->index;
	attribute(r, IFA_ADDRESS, address, size);
	if (family == AF_INET) {
		attribute(r, IFA_LOCAL, address, size);
		if (n->flags & IFF_BROADCAST)
			attribute_u32(r, IFA_BROADCAST,
				      __builtin_bswap32(n->address4 | ~(~0u << (32 - prefix))));
		attribute_text(r, IFA_LABEL, n->name);
	}
	attribute_u32(r, IFA_FLAGS, IFA_F_PERMANENT);
	attribute(r, IFA_CACHEINFO, &forever, sizeof(forever));
	message_end(r);
}

static void dump_addresses(struct reply *r, u32 family)
{
	struct interface n;

	for (u32 i = 1; family != AF_INET6 && interface_by_index(i, &n); i++) {
		u32 address = __builtin_bswap32(n.address4);

		put_address(r, &n, AF_INET, n.prefix4,
			    i == INTERFACE_LOOPBACK ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE, &address,
			    sizeof(address));
	}
	for (u32 i = 1; family != AF_INET && interface_by_index(i, &n); i++)
		for (u32 a = 0; a < n.naddress6; a++)
			put_address(r, &n, AF_INET6, n.address6[a].prefix, n.address6[a].scope,
				    &n.address6[a].address, sizeof(n.address6[a].address));
}

/* --- routes --- */

static void put_route(struct reply *r, u16 flags, u32 to, u32 prefix, u32 gateway, u32 from,
		      u32 interface)
{
	struct rtmsg *m = message_begin(r, RTM_NEWROUTE, flags, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = (u8)prefix;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = prefix ? RTPROT_KERNEL : RTPROT_BOOT;
	m->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	attribute_u32(r, RTA_TABLE, RT_TABLE_MAIN);
	if (prefix)
		attribute_u32(r, RTA_DST, __builtin_bswap32(to));
	if (gateway)
		attribute_u32(r, RTA_GATEWAY, __builtin_bswap32(gateway));
	if (from)
		attribute_u32(r, RTA_PREFSRC, __builtin_bswap32(from));
	attribute_u32(r, RTA_OIF, interface);
	message_end(r);
}

static void dump_routes(struct reply *r, u32 family)
{
	struct interface n;

	if (family == AF_INET6 || !interface_by_index(INTERFACE_NETWORK, &n))
		return;
	put_route(r, NLM_F_MULTI, 0, 0, NETWORK_GATEWAY4, 0, n.index);
	put_route(r, NLM_F_MULTI, n.address4 & ~0u << (32 - n.prefix4), n.prefix4, 0, n.address4,
		  n.index);
}

/* The way to one address: 0 or errno. */
static int get_route(struct reply *r)
{
	const struct rtmsg *m = NLMSG_DATA(r->request);
	const struct rtattr *a = RTM_RTA(m);
	u32 left = r->request->nlmsg_len, to = 0;
	struct inet_address address;

	if (left < NLMSG_LENGTH(sizeof(*m)))
		return -EINVAL;
	if (m->rtm_family != AF_INET)
		return -ENETUNREACH;
	left -= NLMSG_LENGTH(sizeof(*m));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_DST && RTA_PAYLOAD(a) >= sizeof(to))
			memcpy(&to, RTA_DATA(a), sizeof(to));
	to = __builtin_bswap32(to);
	address = inet_address4(to);
	if (inet_is_local(&address))
		put_route(r, 0, to, 32, 0, inet_get4(&address), INTERFACE_LOOPBACK);
	else if (!stack_start())
		return -ENETUNREACH;
	else
		put_route(r, 0, to, 32,
			  (to ^ NETWORK_ADDRESS4) >> (32 - NETWORK_PREFIX4) ? NETWORK_GATEWAY4 : 0,
			  NETWORK_ADDRESS4, INTERFACE_NETWORK);
	return 0;
}

/* --- requests --- */

static void answer(struct reply *r)
{
	const struct nlmsghdr *q = r->request;
	u32 family = q->nlmsg_len > NLMSG_HDRLEN ? *(const u8 *)NLMSG_DATA(q) : AF_UNSPEC;
	bool dump = (q->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int err = -EOPNOTSUPP;

	if (!(q->nlmsg_flags & NLM_F_REQUEST) || q->nlmsg_type < NLMSG_MIN_TYPE)
		return;
	switch (q->nlmsg_type) {
	case RTM_GETLINK:
		if (dump)
			dump_links(r, family);
		else
			err = get_link(r);
		break;
	case RTM_GETADDR:
		if (dump)
			dump_addresses(r, family);
		break;
	case RTM_GETROUTE:
		if (dump)
			dump_routes(r, family);
		else
			err = get_route(r);
		break;
	case RTM_GETNEIGH:
	case RTM_GETRULE:
	case RTM_GETQDISC:
		break; /* there are none to tell of */
	default:
		dump = false;
		/* Each kind of thing has four calls: new, del, get, set. */
		err = q->nlmsg_type <= RTM_MAX && (q->nlmsg_type & 3) != 2 ? -EPERM : -EOPNOTSUPP;
	}
	if (dump)
		put_done(r);
	else if (err || q->nlmsg_flags & NLM_F_ACK)
		put_error(r, err);
}

static void answer_all(struct netlink_socket *s, const u8 *request, u32 n, u8 *bytes)
{
	const struct nlmsghdr *q = (const struct nlmsghdr *)request;
	struct reply r = { .s = s, .bytes = bytes };

	for (; NLMSG_OK(q, n); q = NLMSG_NEXT(q, n)) {
		r.request = q;
		answer(&r);
		reply_send(&r);
	}
}

static void choose_id(struct netlink_socket *s)
{
	static u32 next = ~0u / 2;
	u32 none = 0;

	if (!load_relaxed(&s->id))
		atomic_cas(&s->id, &none, atomic_add_return(&next, 1));
}

static ssize netlink_sendmsg(struct socket *sock, struct message *m, u32 flags)
{
	struct netlink_socket *s = netlink_of(sock);
	size_t n = m->data->left;
	u8 *request, *reply;
	ssize r = (ssize)n;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (n > REQUEST_MAX)
		return -EMSGSIZE;
	choose_id(s);
	request = kmalloc(n + 1);
	reply = kmalloc(REPLY_MAX);
	if (!request || !reply)
		r = -ENOBUFS;
	else if (iter_copy_from(m->data, request, n) < n)
		r = -EFAULT;
	else
		answer_all(s, request, (u32)n, reply);
	kfree(request);
	kfree(reply);
	return r;
}

/* --- the rest --- */

static void address_fill(struct socket_address *a, u32 id, u32 groups)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = id, .nl_groups = groups };

	memset(a, 0, sizeof(*a));
	memcpy(a->bytes, &nl, sizeof(nl));
	a->length = sizeof(nl);
}

static ssize netlink_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	struct netlink_socket *n = netlink_of(s);
	ssize r = datagram_receive(&n->inet, &n->queue, m, flags);

	if (r >= 0 && m->address)
		address_fill(m->address, 0, 0); /* the kernel */
	return r;
}

static int netlink_bind(struct socket *s, const struct socket_address *a)
{
	struct netlink_socket *n = netlink_of(s);
	struct sockaddr_nl nl;

	if (a->length < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, a->bytes, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	if (load_relaxed(&n->id) && nl.nl_pid != load_relaxed(&n->id))
		return -EINVAL;
	if (nl.nl_pid)
		store_relaxed(&n->id, nl.nl_pid);
	choose_id(n);
	store_relaxed(&n->groups, nl.nl_groups); /* nothing ever happens to tell of */
	return 0;
}

static int netlink_connect(struct socket *s, const struct socket_address *a, u64 deadline)
{
	if (a->length < sizeof(struct sockaddr_nl))
		return -EINVAL;
	choose_id(netlink_of(s));
	return 0;
}

static int netlink_getname(struct socket *s, bool peer, struct socket_address *out)
{
	struct netlink_socket *n = netlink_of(s);

	if (peer)
		address_fill(out, 0, 0);
	else
		address_fill(out, load_relaxed(&n->id), load_relaxed(&n->groups));
	return 0;
}

/* They say how much is told of errors, of which little is. */
static int netlink_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	switch (name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
	case NETLINK_PKTINFO:
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_CAP_ACK:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
		return length < sizeof(s32) ? -EINVAL : 0;
	default:
		return -ENOPROTOOPT;
	}
}

static u32 netlink_poll(struct socket *s)
{
	return datagram_poll(&netlink_of(s)->inet, &netlink_of(s)->queue);
}

static void netlink_release(struct socket *s)
{
	datagram_queue_close(&netlink_of(s)->queue);
}

static void netlink_destroy(struct socket *s)
{
	inet_socket_finish(&netlink_of(s)->inet);
	kfree(netlink_of(s));
}

static struct socket *netlink_create(u32 type, u32 protocol)
{
	struct netlink_socket *s;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	if (protocol != NETLINK_ROUTE)
		return ERR_PTR(-EPROTONOSUPPORT);
	s = kzalloc(sizeof(*s));
	if (!s)
		return ERR_PTR(-ENOMEM);
	inet_socket_init(&s->inet, &netlink_ops, AF_NETLINK, type, protocol);
	datagram_queue_init(&s->queue);
	return &s->inet.s;
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.getname = netlink_getname,
	.sendmsg = netlink_sendmsg,
	.recvmsg = netlink_recvmsg,
	.setsockopt = netlink_setsockopt,
	.poll = netlink_poll,
	.release = netlink_release,
	.destroy = netlink_destroy,
};

const struct socket_family netlink_family = { .family = AF_NETLINK, .create = netlink_create };
