/*
 * virtio_rng.c - entropy devices: each gives bytes once, at start, and is then let go. The launch
 * record's seed is enough without one.
 */
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "arch/x86_64/cpu.h"
#include "dev/dev_priv.h"
#include "dev/virtio_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/slab.h"

#define ENTROPY_BYTES 64u
#define WAIT_NS (100 * 1000000ull)

struct rng {
	struct virtio_device *device;
	struct virtqueue *queue;
	struct waitq wait;
};

static void interrupt(void *arg)
{
	struct rng *r = arg;

	virtio_interrupt_ack(r->device);
	waitq_wake_all(&r->wait);
}

static void rng_use(struct rng *r, u8 *buffer)
{
	struct virtio_buffer b = { buffer, ENTROPY_BYTES, true };
	u32 length = 0;

	if (!virtqueue_add(r->queue, &b, 1, buffer))
		return;
	virtqueue_push(r->queue);
	if (wait_event_deadline(&r->wait, virtqueue_take(r->queue, &length),
				clock_monotonic() + WAIT_NS)) {
		log_info("virtio-rng: no answer");
		return;
	}
	random_add(buffer, min(length, ENTROPY_BYTES));
	log_info("virtio-rng: %u bytes", length);
}

/*
 * The device, its queue and the record of it stay: there is at most a handful, and an interrupt may
 * yet come.
 */
void virtio_rng_init(void)
{
	struct virtio_device *d;

	while ((d = virtio_take(VIRTIO_ID_RNG))) {
		struct rng *r = kzalloc(sizeof(*r));
		u8 *buffer = kmalloc(ENTROPY_BYTES);

		if (!r || !buffer) {
			kfree(buffer);
			kfree(r);
			return;
		}
		r->device = d;
		waitq_init(&r->wait);
		if (virtio_begin(d, 0) && (r->queue = virtqueue_new(d, 0, 1)) &&
		    virtio_start(d, interrupt, r))
			rng_use(r, buffer);
	}
}
