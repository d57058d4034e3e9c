/*
 * procfs_inet.c - /proc/PID/net and /proc/sys/net of AF_INET and AF_INET6: the lines that netstat,
 * ss and ifconfig read. Empty in a kernel that is built without networking.
 */
#ifdef COPPICE_INET

#include <linux/rtnetlink.h>
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "net/inet/inet.h"
#include "net/socket.h"

#define TICKS_PER_SEC 100 /* of USER_HZ */
#define TCP_WIDTH 149     /* of a line of /proc/net/tcp; the others' are not filled up */
#define UDP_WIDTH 127
#define TIMER_KEPT 3 /* the timer that runs, as these files say it */
#define ADDRESS_PERMANENT 0x80
#define ROUTE_UP 0x1 /* RTF_* of route(8) */
#define ROUTE_GATEWAY 0x2

/* --- sockets --- */

struct table {
	struct text *t;
	u32 family, count;
	bool udp;
};

static void address_add(struct text *t, u32 family, const u32 address[4], u16 port)
{
	if (family == AF_INET)
		text_printf(t, "%08X:%04X", address[3], port);
	else
		text_printf(t, "%08X%08X%08X%08X:%04X", address[0], address[1], address[2],
			    address[3], port);
}

static void line_add(const struct inet_socket_info *i, void *arg)
{
	struct table *table = arg;
	struct text *t = table->t;
	u64 start = t->length, width;

	if (i->family != table->family)
		return;
	text_printf(t, table->udp ? "%5u: " : "%4u: ", table->count++);
	address_add(t, i->family, i->local, i->local_port);
	text_string(t, " ");
	address_add(t, i->family, i->remote, i->remote_port);
	text_printf(t, " %02X %08lX:%08lX %02X:%08lX %08X %5u %8d %lu %u %016lx", i->state,
		    i->sending, i->receiving, i->kept ? TIMER_KEPT : 0,
		    (u64)(i->time_left_ns / (NS_PER_SEC / TICKS_PER_SEC)), 0u, i->kept ? 0 : i->uid,
		    0, i->ino, i->kept ? 3 : i->references, 0ul);
	if (table->udp)
		text_printf(t, " %u", i->dropped);
	else if (!i->kept)
		text_string(t, " 100 0 0 10 0");
	width = t->length - start;
	if (i->family == AF_INET && width < (table->udp ? UDP_WIDTH : TCP_WIDTH))
		text_fill(t, ' ', (table->udp ? UDP_WIDTH : TCP_WIDTH) - width);
	text_string(t, "\n");
}

static int sockets_show(struct text *t, u32 family, bool udp)
{
	struct table table = { .t = t, .family = family, .udp = udp };

	text_printf(t, "%s  sl  local_address                         %s\n", udp ? " " : "",
		    udp ? "remote_address                        st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout inode ref pointer drops"
			: "remote_address                        st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout inode");
	inet_for_each(udp, line_add, &table);
	return 0;
}

static int sockets4_show(struct text *t, bool udp)
{
	struct table table = { .t = t, .family = AF_INET, .udp = udp };
	u64 start = t->length, width = udp ? UDP_WIDTH : TCP_WIDTH;

	text_string(t, udp ? "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			     "retrnsmt   uid  timeout inode ref pointer drops"
			   : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			     "retrnsmt   uid  timeout inode");
	text_fill(t, ' ', width - (t->length - start));
	text_string(t, "\n");
	inet_for_each(udp, line_add, &table);
	return 0;
}

int proc_net_tcp_show(struct text *t, const struct proc_node *n)
{
	return sockets4_show(t, false);
}

int proc_net_udp_show(struct text *t, const struct proc_node *n)
{
	return sockets4_show(t, true);
}

int proc_net_tcp6_show(struct text *t, const struct proc_node *n)
{
	return sockets_show(t, AF_INET6, false);
}

int proc_net_udp6_show(struct text *t, const struct proc_node *n)
{
	return sockets_show(t, AF_INET6, true);
}

struct counts {
	u32 four, six;
};

static void count(const struct inet_socket_info *i, void *arg)
{
	struct counts *c = arg;

	if (i->kept)
		return;
	if (i->family == AF_INET)
		c->four++;
	else
		c->six++;
}

int proc_net_sockstat_show(struct text *t, const struct proc_node *n)
{
	struct counts tcp = { 0 }, udp = { 0 };

	inet_for_each(false, count, &tcp);
	inet_for_each(true, count, &udp);
	text_printf(t, "sockets: used %u\n", tcp.four + tcp.six + udp.four + udp.six);
	text_printf(t, "TCP: inuse %u orphan 0 tw %u alloc %u mem 0\n", tcp.four, inet_kept_ports(),
		    tcp.four + tcp.six);
	text_printf(t, "UDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\n", udp.four);
	text_string(t, "FRAG: inuse 0 memory 0\n");
	return 0;
}

int proc_net_sockstat6_show(struct text *t, const struct proc_node *n)
{
	struct counts tcp = { 0 }, udp = { 0 };

	inet_for_each(false, count, &tcp);
	inet_for_each(true, count, &udp);
	text_printf(t, "TCP6: inuse %u\nUDP6: inuse %u\n", tcp.six, udp.six);
	text_string(t, "UDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n");
	return 0;
}

/* --- interfaces and routes --- */

int proc_net_dev_show(struct text *t, const struct proc_node *n)
{
	struct inet_interface_info i;

	text_string(t,
		    "Inter-|   Receive                                                |  Transmit\n"
		    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		    "packets errs drop fifo colls carrier compressed\n");
	for (u32 index = 1; inet_interface(index, &i); index++)
		text_printf(t,
			    "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu %8lu %7lu %4lu %4lu "
			    "%4lu %5lu %7lu %10lu\n",
			    i.name, i.received_bytes, i.received, 0ul, i.received_dropped, 0ul, 0ul,
			    0ul, 0ul, i.sent_bytes, i.sent, 0ul, i.sent_dropped, 0ul, 0ul, 0ul,
			    0ul);
	return 0;
}

static void route_add(struct text *t, const char *name, u32 to, u32 gateway, u32 flags, u32 mask)
{
	u64 start = t->length;

	text_printf(t, "%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0", name, __builtin_bswap32(to),
		    __builtin_bswap32(gateway), flags, __builtin_bswap32(mask));
	if (t->length - start < 127)
		text_fill(t, ' ', 127 - (t->length - start));
	text_string(t, "\n");
}

int proc_net_route_show(struct text *t, const struct proc_node *n)
{
	static const char head[] =
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t"
		"\tMTU\tWindow\tIRTT";
	struct inet_interface_info i;

	text_string(t, head);
	text_fill(t, ' ', 127 - (sizeof(head) - 1));
	text_string(t, "\n");
	for (u32 index = 1; inet_interface(index, &i); index++) {
		if (!i.gateway)
			continue;
		route_add(t, i.name, 0, i.gateway4, ROUTE_UP | ROUTE_GATEWAY, 0);
		route_add(t, i.name, i.address4 & i.mask4, 0, ROUTE_UP, i.mask4);
	}
	return 0;
}

/* What this file calls a scope: IPV6_ADDR_* of Linux. */
static u32 address_kind(u32 scope)
{
	switch (scope) {
	case RT_SCOPE_HOST:
		return 0x10;
	case RT_SCOPE_LINK:
		return 0x20;
	case RT_SCOPE_SITE:
		return 0x40;
	default:
		return 0;
	}
}

int proc_net_if_inet6_show(struct text *t, const struct proc_node *n)
{
	struct inet_interface_info i;

	for (u32 index = 1; inet_interface(index, &i); index++) {
		for (u32 a = 0; a < i.naddress6; a++) {
			for (u32 b = 0; b < 16; b++)
				text_printf(t, "%02x", i.address6[a].bytes[b]);
			text_printf(t, " %02x %02x %02x %02x %8s\n", index, i.address6[a].prefix,
				    address_kind(i.address6[a].scope), ADDRESS_PERMANENT, i.name);
		}
	}
	return 0;
}

/* --- parameters --- */

static int port_range_show(struct text *t, const struct proc_node *n)
{
	u32 first, last;

	inet_port_range(&first, &last);
	text_printf(t, "%u\t%u\n", first, last);
	return 0;
}

static int port_range_store(const char *s, const struct proc_node *n)
{
	const char *end;
	u64 first = string_to_u64(s, &end), last;

	if (end == s)
		return -EINVAL;
	while (*end == ' ' || *end == '\t')
		end++;
	s = end;
	last = string_to_u64(s, &end);
	if (end == s || first > UINT16_MAX || last > UINT16_MAX)
		return -EINVAL;
	return inet_set_port_range((u32)first, (u32)last) ? 0 : -EINVAL;
}

static int unprivileged_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", inet_unprivileged_port());
	return 0;
}

static int unprivileged_store(const char *s, const struct proc_node *n)
{
	const char *end;
	u64 port = string_to_u64(s, &end);

	if (end == s || port > UINT16_MAX)
		return -EINVAL;
	return inet_set_unprivileged_port((u32)port) ? 0 : -EINVAL;
}

/* What net/inet and net/lwip do. */
const struct proc_entry proc_ipv4_children[PROC_IPV4_CHILDREN] = {
	PROC_PARAMETER("igmp_max_memberships", "20\n"),
	PROC_PARAMETER("ip_default_ttl", "64\n"),
	PROC_PARAMETER("ip_forward", "0\n"),
	PROC_WRITABLE("ip_local_port_range", 0644, port_range_show, port_range_store),
	PROC_PARAMETER("ip_nonlocal_bind", "0\n"),
	PROC_WRITABLE("ip_unprivileged_port_start", 0644, unprivileged_show, unprivileged_store),
	PROC_PARAMETER("ping_group_range", "1\t0\n"),
	PROC_PARAMETER("tcp_available_congestion_control", "reno cubic\n"),
	PROC_PARAMETER("tcp_congestion_control", "cubic\n"),
	PROC_PARAMETER("tcp_fin_timeout", "60\n"),
	PROC_PARAMETER("tcp_keepalive_intvl", "75\n"),
	PROC_PARAMETER("tcp_keepalive_probes", "9\n"),
	PROC_PARAMETER("tcp_keepalive_time", "7200\n"),
	PROC_PARAMETER("tcp_max_syn_backlog", "255\n"),
	PROC_PARAMETER("tcp_max_tw_buckets", "16384\n"),
	PROC_PARAMETER("tcp_rmem", "4096\t131072\t4194304\n"),
	PROC_PARAMETER("tcp_syn_retries", "6\n"),
	PROC_PARAMETER("tcp_syncookies", "0\n"),
	PROC_PARAMETER("tcp_tw_reuse", "2\n"),
	PROC_PARAMETER("tcp_wmem", "4096\t16384\t4194304\n"),
};

#endif
