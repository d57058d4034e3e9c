/*
 * stack.c - lwIP at work: its lock, its thread, its timers and its interface to the network device.
 *
 * Central rule: lwIP is entered with `core` held and leaves frames in the device's queue, which the
 * device is told of once, when the lock is given up. lwIP's timers run while there are connections
 * and for a while after each frame, so that an idle machine sleeps. The addresses are those that
 * QEMU's user network gives; so there is nothing to ask for and to wait for. Next: port.c.
 */
#include "net/lwip/stack.h"

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <netif/ethernet.h>

#include "arch/x86_64/cpu.h"
#include "dev/network.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define MS 1000000ull
#define QUIET_NS (15 * NS_PER_SEC) /* so long after the last frame all timers go on */
#define RECEIVE_BATCH 64           /* frames; then others get the lock */
#define BLOCK_SIZE 2048u           /* of a received frame (dev/virtio_net.c) */

static struct mutex core = { .rank = RANK_INET, .wait = WAITQ_INIT(core.wait) };
static struct mutex starting = { .rank = RANK_INET_START, .wait = WAITQ_INIT(starting.wait) };
static struct waitq wake = WAITQ_INIT(wake);
static bool started;   /* A */
static bool online;    /* C once started */
static bool signalled; /* A: the device has something, or the thread is to look at its timers */
static bool ticking;   /* A: the thread looks at the timers by itself */
static u64 quiet_at;   /* core: when the timers may rest */
static struct netif network;
static struct netif *loopback;   /* C once started */
static struct ip6_addr gateway6; /* C */

/* --- timers --- */

static struct {
	u32 interval_ms;
	void (*run)(void);
	u64 due;
} timers[] = {
	{ TCP_TMR_INTERVAL, tcp_tmr },
	{ IGMP_TMR_INTERVAL, igmp_tmr },
	{ MLD6_TMR_INTERVAL, mld6_tmr },
	{ ARP_TMR_INTERVAL, etharp_tmr },
	{ IP_TMR_INTERVAL, ip_reass_tmr },
	{ ND6_TMR_INTERVAL, nd6_tmr },
	{ IP6_REASS_TMR_INTERVAL, ip6_reass_tmr },
};

static void kick(void)
{
	store_release(&signalled, true);
	waitq_wake_all(&wake);
}

/* lwIP has a connection again: called by it. */
void tcp_timer_needed(void)
{
	if (!load_relaxed(&ticking))
		kick();
}

/* Run those that are due, if any is needed: when to come again. core held. */
static u64 timers_run(void)
{
	u64 now = clock_monotonic(), next = DEADLINE_NONE;

	if (now >= quiet_at && !tcp_active_pcbs && !tcp_tw_pcbs) {
		store_relaxed(&ticking, false);
		return DEADLINE_NONE;
	}
	for (u32 i = 0; i < ARRAY_SIZE(timers); i++) {
		u64 interval = timers[i].interval_ms * MS;

		if (!load_relaxed(&ticking))
			timers[i].due = now + interval; /* they have rested */
		if (now >= timers[i].due) {
			timers[i].run();
			timers[i].due = max(timers[i].due + interval, now + interval / 2);
		}
		next = min(next, timers[i].due);
	}
	store_relaxed(&ticking, true);
	return next;
}

/* --- the lock --- */

void stack_lock(void)
{
	mutex_lock(&core);
}

void stack_unlock(void)
{
	bool loop = loopback && loopback->loop_first;

	if (online && network_flush()) {
		quiet_at = clock_monotonic() + QUIET_NS;
		loop |= !load_relaxed(&ticking) || network.loop_first;
	}
	mutex_unlock(&core);
	if (loop)
		kick();
}

struct netif *stack_network(void)
{
	return online ? &network : NULL;
}

struct netif *stack_loopback(void)
{
	return loopback;
}

bool stack_online(void)
{
	return load_acquire(&started) && online;
}

const struct ip6_addr *lwip_gateway6(struct netif *netif)
{
	return netif == &network ? &gateway6 : NULL;
}

/* --- the interface --- */

/*
 * The frame is copied into one piece: lwIP sends nothing again of which a packet is still on its
 * way, and it would wait for the device to say so.
 */
static err_t interface_send(struct netif *n, struct pbuf *p)
{
	u8 *block = kmalloc(NETWORK_HEADER + p->tot_len);

	if (!block)
		return ERR_MEM;
	pbuf_copy_partial(p, block + NETWORK_HEADER, p->tot_len, 0);
	return network_send(block, p->tot_len) ? ERR_OK : ERR_MEM;
}

/* What lwIP knows of a received frame lies behind it in the same memory. */
struct received {
	struct pbuf_custom pbuf;
	void *block;
};

static void received_free(struct pbuf *p)
{
	struct received *r = container_of(p, struct received, pbuf.pbuf);

	kfree(r->block);
}

static void receive_one(const void *frame, u32 length, void *block)
{
	struct received *r = (struct received *)((u8 *)block + BLOCK_SIZE - sizeof(*r));
	struct pbuf *p;

	if (length > NETWORK_FRAME_MAX) {
		kfree(block);
		return;
	}
	r->pbuf.custom_free_function = received_free;
	r->block = block;
	p = pbuf_alloced_custom(PBUF_RAW, (u16)length, PBUF_REF, &r->pbuf, (void *)frame,
				(u16)length);
	if (network.input(p, &network) != ERR_OK)
		pbuf_free(p);
}

static err_t interface_init(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = 't';
	n->mtu = NETWORK_MTU;
	n->hwaddr_len = ETH_HWADDR_LEN;
	network_address(n->hwaddr);
	n->output = etharp_output;
	n->output_ip6 = ethip6_output;
	n->linkoutput = interface_send;
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	return ERR_OK;
}

/* Addresses and routes of QEMU's user network; the host part of the IPv6 address is the card's. */
static void interface_start(void)
{
	ip4_addr_t address, mask, gateway;
	ip6_addr_t *address6;

	ip4_addr_set_u32(&address, lwip_htonl(NETWORK_ADDRESS4));
	ip4_addr_set_u32(&mask, lwip_htonl(~0u << (32 - NETWORK_PREFIX4)));
	ip4_addr_set_u32(&gateway, lwip_htonl(NETWORK_GATEWAY4));
	netif_add(&network, &address, &mask, &gateway, NULL, interface_init, ethernet_input);
	netif_set_default(&network);
	netif_create_ip6_linklocal_address(&network, 1);
	netif_ip6_addr_set_state(&network, 0, IP6_ADDR_PREFERRED);
	address6 = ip_2_ip6(&network.ip6_addr[1]);
	IP6_ADDR(address6, PP_HTONL(0xfec00000), 0, netif_ip6_addr(&network, 0)->addr[2],
		 netif_ip6_addr(&network, 0)->addr[3]);
	netif_ip6_addr_set_state(&network, 1, IP6_ADDR_PREFERRED);
	IP6_ADDR(&gateway6, PP_HTONL(0xfec00000), 0, 0, PP_HTONL(2));
	netif_set_up(&network);
	netif_set_link_up(&network);
}

/* --- the thread --- */

/* Whether the device is worth another look at once. core held. */
static bool receive_batch(void)
{
	const void *frame;
	void *block;
	u32 length, n = 0;

	network_want_received(false);
	while (n < RECEIVE_BATCH && (frame = network_receive(&length, &block))) {
		receive_one(frame, length, block);
		n++;
	}
	network_reap();
	if (n)
		quiet_at = clock_monotonic() + QUIET_NS;
	return n == RECEIVE_BATCH || network_want_received(true);
}

static void stack_thread(void *unused)
{
	u64 deadline = DEADLINE_NONE;

	for (;;) {
		bool again;

		wait_event_deadline(&wake, load_acquire(&signalled), deadline);
		store_relaxed(&signalled, false);
		full_barrier();
		stack_lock();
		again = online && receive_batch();
		netif_poll_all();
		deadline = timers_run();
		if (again)
			store_relaxed(&signalled, true);
		stack_unlock();
	}
}

/* --- start --- */

static void stack_begin(void)
{
	stack_lock();
	lwip_init();
	loopback = netif_list; /* the only one yet */
	if (network_start(kick)) {
		interface_start();
		online = true;
	}
	stack_unlock();
	if (!kthread_create(stack_thread, NULL, "net"))
		log_info("net: no memory for its thread");
	log_info("net: %s", online ? "a device" : "loopback only");
	kick();
}

bool stack_start(void)
{
	if (!load_acquire(&started)) {
		mutex_lock(&starting);
		if (!started) {
			stack_begin();
			store_release(&started, true);
		}
		mutex_unlock(&starting);
	}
	return online;
}
