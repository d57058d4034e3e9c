/*
 * reopen.c - a new connection may take the place of one that is in TIME-WAIT.
 *
 * lwIP keeps the end of a connection that this machine closed first for a minute, and answers a SYN
 * from the same address and port with the acknowledgement of the old connection. The other side may
 * have forgotten that at once, and use the port again: a client of QEMU's user network has the ports of
 * the host's clients, which come round within a minute. RFC 9293, 3.6.1: such a SYN may open a new
 * connection if its sequence number is beyond all that the old one used, and Linux does so. Here: the
 * old end is dropped before lwIP looks for whom the segment is, and the listener gets it.
 *
 * Called with the lock of stack.h held. The segment's checksum has not been verified yet: what a broken
 * one costs is the end of a connection that is over.
 */
#include <lwip/ip4.h>
#include <lwip/ip6.h>
#include <lwip/priv/tcp_priv.h>

#include "lib/types.h"

static void reopen(const ip_addr_t *from, const ip_addr_t *to, const struct tcp_hdr *h)
{
	u16 remote_port = lwip_ntohs(h->src), local_port = lwip_ntohs(h->dest);
	u32 seq = lwip_ntohl(h->seqno);

	if ((TCPH_FLAGS(h) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return;
	for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
		if (pcb->remote_port != remote_port || pcb->local_port != local_port ||
		    !ip_addr_cmp(&pcb->remote_ip, from) || !ip_addr_cmp(&pcb->local_ip, to))
			continue;
		if (TCP_SEQ_GT(seq, pcb->rcv_nxt))
			tcp_abort(pcb); /* in this state it sends nothing */
		return;
	}
}

int lwip_ip4_arrives(struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;
	ip_addr_t from, to;

	if (p->len < IP_HLEN || IPH_PROTO(ip) != IP_PROTO_TCP ||
	    p->len < IPH_HL_BYTES(ip) + sizeof(struct tcp_hdr) ||
	    IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK))
		return 0;
	ip_addr_copy_from_ip4(from, ip->src);
	ip_addr_copy_from_ip4(to, ip->dest);
	reopen(&from, &to, (const struct tcp_hdr *)((const char *)ip + IPH_HL_BYTES(ip)));
	return 0;
}

int lwip_ip6_arrives(struct pbuf *p, struct netif *in)
{
	const struct ip6_hdr *ip = p->payload;
	ip_addr_t from, to;

	if (p->len < IP6_HLEN + sizeof(struct tcp_hdr) || IP6H_NEXTH(ip) != IP6_NEXTH_TCP)
		return 0;
	ip_addr_copy_from_ip6_packed(from, ip->src);
	ip_addr_copy_from_ip6_packed(to, ip->dest);
	/* A link-local address means something on its link only; lwIP's ends of connections know theirs. */
	ip6_addr_assign_zone(ip_2_ip6(&from), IP6_UNICAST, in);
	ip6_addr_assign_zone(ip_2_ip6(&to), IP6_UNICAST, in);
	reopen(&from, &to, (const struct tcp_hdr *)((const char *)ip + IP6_HLEN));
	return 0;
}
