/*
 * virtio_net.c - the network device: whole Ethernet frames, no offloads (QEMU's user network has
 * none). Facts: the Virtual I/O Device specification 1.1, section 5.1.
 *
 * Central rule: a frame is not copied here. A received one goes up in the memory that the device
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
#define HEADER_SIZE ((u32)sizeof(struct virtio_net_hdr_v1))
#define BUFFER_SIZE 2048u

static struct {
	struct virtio_device *device; /* C */
	struct virtqueue *receive, *transmit;
	void (*event)(void);
	void (*sent)(void *token);
	u8 mac[6];
	struct virtio_net_hdr_v1 *header; /* of all frames that are sent: nothing to say */
	u32 sending;                      /* frames that the device has, or is to have */
	bool unseen;                      /* some of them it has not been told of */
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

bool network_start(void (*event)(void), void (*sent)(void *token))
{
	struct virtio_device *d = virtio_take(VIRTIO_ID_NET);

	if (!d)
		return false;
	net.device = d;
	net.event = event;
	net.sent = sent;
	net.header = kzalloc(sizeof(*net.header));
	if (!net.header || !virtio_begin(d, BIT(VIRTIO_NET_F_MAC)))
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

u32 network_reap(void)
{
	void *token;
	u32 length;

	while ((token = virtqueue_take(net.transmit, &length))) {
		net.sending--;
		net.sent(token);
	}
	return net.sending;
}

bool network_send(const struct network_part *parts, u32 nparts, void *token)
{
	struct virtio_buffer buffers[NETWORK_PARTS_MAX + 1];
	u32 bytes = 0;

	buffers[0] = (struct virtio_buffer){ net.header, HEADER_SIZE, false };
	for (u32 i = 0; i < nparts; i++) {
		buffers[i + 1] =
			(struct virtio_buffer){ (void *)parts[i].data, parts[i].length, false };
		bytes += parts[i].length;
	}
	if (net.transmit->free_count <= nparts)
		network_reap();
	if (!virtqueue_add(net.transmit, buffers, nparts + 1, token)) {
		net.counters.sent_dropped++;
		return false;
	}
	net.sending++;
	net.counters.sent++;
	net.counters.sent_bytes += bytes;
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

void network_want_sent(bool want)
{
	virtqueue_want_interrupts(net.transmit, want);
}

/* --- receiving --- */

const void *network_receive(u32 *length, void **block)
{
	u8 *next, *full;
	u32 n;

	while ((full = virtqueue_take(net.receive, &n))) {
		next = kmalloc(BUFFER_SIZE);
		if (!next || n <= HEADER_SIZE || n > BUFFER_SIZE) {
			net.counters.received_dropped++;
			kfree(next);
			receive_post(full);
			virtqueue_push(net.receive);
			continue;
		}
		receive_post(next);
		virtqueue_push(net.receive);
		net.counters.received++;
		net.counters.received_bytes += n - HEADER_SIZE;
		*length = n - HEADER_SIZE;
		*block = full;
		return full + HEADER_SIZE;
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
