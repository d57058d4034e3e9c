/*
 * virtio_net.c - the network device: whole Ethernet frames, no offloads (QEMU's user network has
 * none). Facts: the Virtual I/O Device specification 1.1, section 5.1.
 *
 * Central rule: a frame is not copied here, and takes one descriptor: what the device wants before it
 * lies in the same memory. A received one goes up in the memory that the device
 * wrote it to, and new memory takes its place first; where there is none the frame is dropped and
 * its memory used again, so that the device never runs dry. The device is left alone until
 * network_start: a machine whose program does not use the network does not pay for it.
 */
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>

#include "dev/network.h"
#include "dev/virtio_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

#define RECEIVE_QUEUE 0
#define TRANSMIT_QUEUE 1
#define RECEIVE_BUFFERS 128u
#define TRANSMIT_DESCRIPTORS 256u
_Static_assert(sizeof(struct virtio_net_hdr_v1) == NETWORK_HEADER, "virtio_net_hdr_v1");
#define BUFFER_SIZE 2048u

static struct {
	struct virtio_device *device; /* C */
	struct virtqueue *receive, *transmit;
	void (*event)(void);
	u8 mac[6];
	bool unseen; /* the device has not been told of all that was sent */
	struct network_counters counters;
} net;

static void interrupt(void *unused)
{
	virtio_interrupt_ack(net.device);
	net.event();
}

static bool receive_post(void *block)
{
	struct virtio_buffer b = { block, BUFFER_SIZE, true };

	return virtqueue_add(net.receive, &b, 1, block);
}

static bool receive_fill(void)
{
	u32 n = 0;
	void *block;

	for (; n < net.receive->size && (block = kmalloc(BUFFER_SIZE)); n++)
		receive_post(block);
	virtqueue_push(net.receive);
	return n > 0;
}

bool network_start(void (*event)(void))
{
	struct virtio_device *d = virtio_take(VIRTIO_ID_NET);

	if (!d)
		return false;
	net.device = d;
	net.event = event;
	if (!virtio_begin(d, BIT(VIRTIO_NET_F_MAC)))
		return false;
	virtio_config_read(d, 0, net.mac, sizeof(net.mac));
	net.receive = virtqueue_new(d, RECEIVE_QUEUE, RECEIVE_BUFFERS);
	net.transmit = virtqueue_new(d, TRANSMIT_QUEUE, TRANSMIT_DESCRIPTORS);
	if (!net.receive || !net.transmit)
		return false;
	virtqueue_want_interrupts(net.transmit, false);
	return virtio_start(d, interrupt, NULL) && receive_fill();
}

void network_address(u8 mac[6])
{
	memcpy(mac, net.mac, sizeof(net.mac));
}

/* --- sending --- */

void network_reap(void)
{
	void *block;
	u32 length;

	while ((block = virtqueue_take(net.transmit, &length)))
		kfree(block);
}

bool network_send(u8 *block, u32 length)
{
	struct virtio_buffer b = { block, NETWORK_HEADER + length, false };

	memset(block, 0, NETWORK_HEADER); /* nothing is left for the device to do */
	if (net.transmit->free_count == 0) {
		network_flush();
		network_reap();
	}
	if (!virtqueue_add(net.transmit, &b, 1, block)) {
		net.counters.sent_dropped++;
		kfree(block);
		return false;
	}
	net.counters.sent++;
	net.counters.sent_bytes += length;
	net.unseen = true;
	return true;
}

bool network_flush(void)
{
	if (!net.unseen)
		return false;
	net.unseen = false;
	virtqueue_push(net.transmit);
	return true;
}

/* --- receiving --- */

const void *network_receive(u32 *length, void **block)
{
	u8 *next, *full;
	u32 n;

	while ((full = virtqueue_take(net.receive, &n))) {
		next = kmalloc(BUFFER_SIZE);
		if (!next || n <= NETWORK_HEADER || n > BUFFER_SIZE) {
			net.counters.received_dropped++;
			kfree(next);
			receive_post(full);
			virtqueue_push(net.receive);
			continue;
		}
		receive_post(next);
		virtqueue_push(net.receive);
		net.counters.received++;
		net.counters.received_bytes += n - NETWORK_HEADER;
		*length = n - NETWORK_HEADER;
		*block = full;
		return full + NETWORK_HEADER;
	}
	return NULL;
}

bool network_want_received(bool want)
{
	virtqueue_want_interrupts(net.receive, want);
	return want && virtqueue_ready(net.receive);
}

void network_counters(struct network_counters *out)
{
	*out = net.counters;
}
