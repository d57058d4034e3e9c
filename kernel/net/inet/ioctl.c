/*
 * ioctl.c - what ioctl(2) tells of the interfaces, netdevice(7): there are two, lo and eth0, whose
 * addresses nobody may change.
 */
#include <linux/in.h>
#include <linux/sockios.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/inet/interface.h"
#include "proc/proc.h"

#include <linux/if_arp.h>

static void put_address(struct sockaddr *out, u32 host_order)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = __builtin_bswap32(host_order) };

	memcpy(out, &in, sizeof(in));
}

static int fill(u32 request, const struct interface *n, struct ifreq *r)
{
	switch (request) {
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)n->flags;
		return 0;
	case SIOCGIFADDR:
		put_address(&r->ifr_addr, n->address4);
		return 0;
	case SIOCGIFNETMASK:
		put_address(&r->ifr_netmask, ~0u << (32 - n->prefix4));
		return 0;
	case SIOCGIFBRDADDR:
		put_address(&r->ifr_broadaddr, n->flags & IFF_BROADCAST
						       ? n->address4 | ~(~0u << (32 - n->prefix4))
						       : 0);
		return 0;
	case SIOCGIFDSTADDR:
		put_address(&r->ifr_dstaddr, n->address4);
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = n->index == 1 ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->ifr_hwaddr.sa_data, n->mac, sizeof(n->mac));
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)n->index;
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)n->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = 1000;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* One interface, by its name, or (SIOCGIFNAME) by its index. */
static long ask_one(u32 request, struct ifreq __user *user)
{
	struct ifreq r;
	struct interface n;
	int err = 0;

	if (copy_from_user(&r, user, sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	if (request == SIOCGIFNAME) {
		if (!interface_by_index((u32)r.ifr_ifindex, &n))
			return -ENODEV;
		string_copy(r.ifr_name, n.name, IFNAMSIZ);
	} else {
		if (!interface_by_name(r.ifr_name, &n))
			return -ENODEV;
		err = fill(request, &n, &r);
	}
	if (!err && copy_to_user(user, &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

/* All that have an IPv4 address. */
static long ask_all(struct ifconf __user *user)
{
	struct ifconf c;
	struct interface n;
	int done = 0;

	if (copy_from_user(&c, user, sizeof(c)))
		return -EFAULT;
	for (u32 i = 1; interface_by_index(i, &n); i++) {
		struct ifreq r = { 0 };

		if (c.ifc_buf && c.ifc_len - done < (int)sizeof(r))
			break;
		string_copy(r.ifr_name, n.name, IFNAMSIZ);
		put_address(&r.ifr_addr, n.address4);
		if (c.ifc_buf && copy_to_user((u8 __user *)c.ifc_buf + done, &r, sizeof(r)))
			return -EFAULT;
		done += (int)sizeof(r);
	}
	c.ifc_len = done;
	return copy_to_user(user, &c, sizeof(c)) ? -EFAULT : 0;
}

long inet_ioctl(struct socket *s, u32 request, u64 arg)
{
	switch (request) {
	case SIOCGIFCONF:
		return ask_all((struct ifconf __user *)arg);
	case SIOCGIFNAME:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFMTU:
	case SIOCGIFMETRIC:
	case SIOCGIFTXQLEN:
		return ask_one(request, (struct ifreq __user *)arg);
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCADDRT:
	case SIOCDELRT:
		return -EPERM;
	default:
		return -ENOTTY;
	}
}
