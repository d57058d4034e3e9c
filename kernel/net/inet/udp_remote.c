/*
 * udp_remote.c - UDP from and to other machines, through lwIP.
 *
 * Whose a port is, is known here and not to lwIP: it hands over every UDP packet (a raw pcb), and
 * answers itself, with an ICMP error, those that nobody here wants.
 */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/prot/udp.h>
#include <lwip/raw.h>
#include <lwip/udp.h>

#include "lib/print.h"
#include "net/inet/convert.h"
#include "net/inet/udp_priv.h"
#include "net/lwip/stack.h"

static bool hearing; /* M, read without */

/* The n bytes of p from `offset` on as buffers. */
static bool buffers_from(struct pbuf *p, u16 offset, u32 n, struct list *out, u64 *charge)
{
	for (u32 at = 0; at < n;) {
		struct net_buffer *b = net_buffer_new(n - at);

		if (!b) {
			net_buffers_free(out);
			return false;
		}
		b->length = pbuf_copy_partial(p, b->data, (u16)min(b->capacity, n - at),
					      (u16)(offset + at));
		at += b->length;
		*charge += b->charge;
		list_push_back(out, &b->link);
	}
	return true;
}

static bool checksum_right(struct pbuf *p, u16 header, const struct udp_hdr *h)
{
	bool right;

	if (!h->chksum && !ip_current_is_v6())
		return true;
	pbuf_remove_header(p, header);
	right = ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, ip_current_src_addr(),
				 ip_current_dest_addr()) == 0;
	pbuf_add_header_force(p, header);
	return right;
}

static void way_fill(struct datagram_way *w, const struct udp_hdr *h)
{
	*w = (struct datagram_way){ .interface = ip_current_input_netif() == stack_loopback()
							 ? INTERFACE_LOOPBACK
							 : INTERFACE_NETWORK };
	inet_from_lwip(ip_current_src_addr(), &w->from.address);
	inet_from_lwip(ip_current_dest_addr(), &w->to.address);
	w->from.port = lwip_ntohs(h->src);
	w->to.port = lwip_ntohs(h->dest);
	w->from.scope = w->interface;
	if (ip_current_is_v6()) {
		w->ttl = IP6H_HOPLIM(ip6_current_header());
		w->tos = IP6H_TC(ip6_current_header());
	} else {
		w->ttl = IPH_TTL(ip4_current_header());
		w->tos = IPH_TOS(ip4_current_header());
	}
}

/* Called by lwIP, its lock held. 1: the packet was taken. */
static u8_t on_packet(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	u16 header = ip_current_header_tot_len();
	struct list buffers = LIST_INIT(buffers);
	struct datagram_way w;
	struct udp_hdr h;
	u64 charge = 0;
	bool taken = true;
	u32 n;

	if (pbuf_copy_partial(p, &h, sizeof(h), header) < sizeof(h))
		return 0;
	n = lwip_ntohs(h.len);
	if (n < sizeof(h) || header + n > p->tot_len)
		return 0;
	n -= (u32)sizeof(h);
	way_fill(&w, &h);
	if (checksum_right(p, header, &h) &&
	    buffers_from(p, (u16)(header + sizeof(h)), n, &buffers, &charge)) {
		if (inet_is_multicast(&w.to.address) || inet_is_broadcast(&w.to.address))
			udp_deliver_group(&buffers, n, &w);
		else
			taken = udp_deliver(&buffers, n, charge, &w);
		net_buffers_free(&buffers);
	}
	if (taken)
		pbuf_free(p);
	return taken;
}

void udp_hear_remote(void)
{
	struct raw_pcb *pcb;

	if (load_acquire(&hearing) || !stack_start())
		return;
	stack_lock();
	if (!hearing) {
		pcb = raw_new_ip_type(IPADDR_TYPE_ANY, IP_PROTO_UDP);
		if (pcb) {
			raw_recv(pcb, on_packet, NULL);
			store_release(&hearing, true);
		}
	}
	stack_unlock();
}

int udp_send_remote(const struct datagram_way *w, const struct list *buffers, u32 n)
{
	struct udp_pcb pcb = { .local_port = w->from.port, .ttl = w->ttl, .tos = w->tos };
	const struct net_buffer *b;
	struct pbuf *p;
	ip_addr_t from, to;
	u16 at = 0;
	err_t err;

	pcb.mcast_ttl = w->ttl;
	inet_to_lwip(&w->from.address, &from);
	inet_to_lwip(&w->to.address, &to);
	ip_addr_copy(pcb.local_ip, from);
	ip_set_option(&pcb, SOF_BROADCAST);
	stack_lock();
	inet_set_zone(&to, stack_network());
	p = pbuf_alloc(PBUF_TRANSPORT, (u16)n, PBUF_RAM);
	err = p ? ERR_OK : ERR_MEM;
	if (p) {
		list_for_each (b, buffers, link) {
			pbuf_take_at(p, b->data + b->offset, (u16)b->length, at);
			at += (u16)b->length;
		}
		err = udp_sendto_if_src(&pcb, p, &to, w->to.port, stack_network(), &from);
		pbuf_free(p);
	}
	stack_unlock();
	if (err == ERR_OK)
		return 0;
	return err == ERR_RTE ? -ENETUNREACH : -ENOBUFS;
}
