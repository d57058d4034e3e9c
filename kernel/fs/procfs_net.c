/* procfs_net.c - /proc/PID/net: the sockets of the machine. Next: net/unix.c. */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "net/unix.h"

#define FLAG_LISTENING 0x10000u /* as Linux prints it */
/* enum socket_state of Linux's <linux/net.h>. */
#define STATE_UNCONNECTED 1u
#define STATE_CONNECTING 2u
#define STATE_CONNECTED 3u

static int show_unix_socket(const struct unix_socket_info *i, void *arg)
{
	struct text *t = arg;
	u32 state = STATE_UNCONNECTED;

	if (i->connected)
		state = i->ino ? STATE_CONNECTED : STATE_CONNECTING;
	text_printf(t, "%016lx: %08X %08X %08X %04X %02X %5lu", i->serial, i->references, 0u,
		    i->listening ? FLAG_LISTENING : 0, i->type, state, i->ino);
	if (i->name_length)
		text_string(t, " ");
	/* An abstract name is no text: its zeros are shown as '@'. */
	for (u32 n = 0; n < i->name_length; n++)
		text_fill(t, i->name[n] ? (char)i->name[n] : '@', 1);
	text_string(t, "\n");
	return 0;
}

static int unix_show(struct text *t, const struct proc_node *n)
{
	text_string(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	return unix_for_each(show_unix_socket, t);
}

const struct proc_entry proc_net_children[PROC_NET_CHILDREN] = {
#ifdef COPPICE_INET
	PROC_FILE("dev", 0444, proc_net_dev_show),
	PROC_FILE("if_inet6", 0444, proc_net_if_inet6_show),
	PROC_FILE("route", 0444, proc_net_route_show),
	PROC_FILE("sockstat", 0444, proc_net_sockstat_show),
	PROC_FILE("sockstat6", 0444, proc_net_sockstat6_show),
	PROC_FILE("tcp", 0444, proc_net_tcp_show),
	PROC_FILE("tcp6", 0444, proc_net_tcp6_show),
	PROC_FILE("udp", 0444, proc_net_udp_show),
	PROC_FILE("udp6", 0444, proc_net_udp6_show),
#endif
	PROC_FILE("unix", 0444, unix_show),
};
