/*
 * virtio_console.c - the console device that carries the channel to the command: a byte stream in
 * each direction, on port 1. (Port 0 is a console, and QEMU drops what a console says while its
 * reader is slow; for other ports it leaves the bytes in the queue.)
 *
 * Central rule: a message is one buffer and is made and pushed under one lock, so messages never
 * mix, and a panic always finds the stream between two of them. The device interrupts for received
 * bytes, and for sent ones only while somebody waits for a buffer. The device is set up before
 * there are threads and interrupts, so that a panic is heard. Next: host.c.
 */
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "dev/dev_priv.h"
#include "dev/virtio_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define CHANNEL_PORT 1u
#define CONTROL_QUEUE 3 /* to the device; what it says on queue 2 is not listened to */
#define RECEIVE_QUEUE 4
#define TRANSMIT_QUEUE 5
#define CONTROL_MESSAGES 3
#define RECEIVE_BUFFERS 16
#define RECEIVE_SIZE 4096u
#define TRANSMIT_BUFFERS 8
#define EMERGENCY_SIZE 4096u
#define EMERGENCY_WAIT_CYCLES \
	1000000000ull /* some tenths of a second; the clock may not be there yet */

static struct console_device {
	struct virtio_device *device;
	struct virtqueue *receive, *transmit;
	void (*received)(const u8 *data, size_t n);
	struct spinlock receive_lock; /* RANK_DEV_RING: the receive queue */
	struct waitq receive_wait;    /* the receiving thread */
	struct spinlock lock;         /* RANK_DEV_RING: the transmit queue and what follows */
	struct waitq transmit_wait;   /* for a free buffer */
	u8 *free[TRANSMIT_BUFFERS];
	u32 nfree;
	u8 *current;   /* the message being made */
	u8 *emergency; /* a panic's */
	u16 emergency_desc;
	bool running; /* C: the port is open */
} console;

/* --- sending --- */

/* Take back what the device is done with. console.lock held. */
static void transmit_reap(void)
{
	u32 length;
	u8 *buffer;

	while ((buffer = virtqueue_take(console.transmit, &length)))
		console.free[console.nfree++] = buffer;
}

/* With the lock held afterwards, if there is a buffer. */
static u8 *transmit_begin_locked(void)
{
	if (console.nfree == 0)
		transmit_reap();
	if (console.nfree == 0) {
		spin_unlock(&console.lock);
		return NULL;
	}
	console.current = console.free[--console.nfree];
	return console.current;
}

u8 *console_try(void)
{
	if (!console.running || !spin_trylock(&console.lock))
		return NULL;
	return transmit_begin_locked();
}

/* Whether a buffer is free; if not, the device will say when. */
static bool transmit_room(void)
{
	bool room;

	spin_lock(&console.lock);
	virtqueue_want_interrupts(console.transmit, true);
	transmit_reap();
	room = console.nfree > 0;
	if (room)
		virtqueue_want_interrupts(console.transmit, false);
	spin_unlock(&console.lock);
	return room;
}

u8 *console_begin(void)
{
	u8 *buffer;

	for (;;) {
		spin_lock(&console.lock);
		buffer = transmit_begin_locked();
		if (buffer)
			return buffer;
		wait_event(&console.transmit_wait, transmit_room());
	}
}

void console_push(size_t n)
{
	struct virtio_buffer b = { console.current, (u32)n, false };

	if (n && virtqueue_add(console.transmit, &b, 1, console.current))
		virtqueue_push(console.transmit);
	else
		console.free[console.nfree++] = console.current;
	spin_unlock(&console.lock);
}

void console_drain(u64 cycles)
{
	u64 start = cpu_cycles();

	while (console.running && !virtqueue_idle(console.transmit) &&
	       cpu_cycles() - start < cycles)
		cpu_relax();
}

/* A descriptor and a buffer are kept for it, so it needs nothing that others may hold. */
void console_emergency(const void *data, size_t n)
{
	const u8 *bytes = data;

	while (console.running && n) {
		u32 part = (u32)min(n, (size_t)EMERGENCY_SIZE);
		struct virtio_buffer b = { console.emergency, part, false };

		console_drain(EMERGENCY_WAIT_CYCLES);
		memcpy(console.emergency, bytes, part);
		virtqueue_push_reserved(console.transmit, console.emergency_desc, &b);
		console_drain(EMERGENCY_WAIT_CYCLES);
		bytes += part;
		n -= part;
	}
}

/* --- receiving --- */

static void receive_post(u8 *buffer)
{
	struct virtio_buffer b = { buffer, RECEIVE_SIZE, true };

	spin_lock(&console.receive_lock);
	if (!virtqueue_add(console.receive, &b, 1, buffer))
		panic("console: a receive buffer does not fit into its queue");
	virtqueue_push(console.receive);
	spin_unlock(&console.receive_lock);
}

static u8 *receive_take(u32 *length)
{
	u8 *buffer;

	spin_lock(&console.receive_lock);
	buffer = virtqueue_take(console.receive, length);
	spin_unlock(&console.receive_lock);
	return buffer;
}

static void receive_thread(void *unused)
{
	for (;;) {
		u8 *buffer;
		u32 length;

		wait_event(&console.receive_wait, (buffer = receive_take(&length)));
		console.received(buffer, min(length, RECEIVE_SIZE));
		receive_post(buffer);
	}
}

static void interrupt(void *unused)
{
	virtio_interrupt_ack(console.device);
	waitq_wake_all(&console.receive_wait);
	waitq_wake_all(&console.transmit_wait);
}

/* --- start --- */

/* Say that the driver is there, that it knows the port, and that it has opened it. */
static const struct virtio_console_control control_messages[CONTROL_MESSAGES] = {
	{ .id = VIRTIO_CONSOLE_BAD_ID, .event = VIRTIO_CONSOLE_DEVICE_READY, .value = 1 },
	{ .id = CHANNEL_PORT, .event = VIRTIO_CONSOLE_PORT_READY, .value = 1 },
	{ .id = CHANNEL_PORT, .event = VIRTIO_CONSOLE_PORT_OPEN, .value = 1 },
};

/* The queue and the messages stay: the device may look at them later. */
static bool port_open(struct virtqueue *control)
{
	struct virtio_console_control *m = kmalloc(sizeof(control_messages));

	if (!m)
		return false;
	memcpy(m, control_messages, sizeof(control_messages));
	for (u32 i = 0; i < CONTROL_MESSAGES; i++) {
		struct virtio_buffer b = { &m[i], sizeof(m[i]), false };

		if (!virtqueue_add(control, &b, 1, &m[i]))
			return false;
	}
	virtqueue_push(control);
	return true;
}

static bool buffers_make(void)
{
	console.emergency = kmalloc(EMERGENCY_SIZE);
	if (!console.emergency)
		return false;
	for (u32 i = 0; i < TRANSMIT_BUFFERS; i++) {
		console.free[i] = kmalloc(CONSOLE_MESSAGE_MAX);
		if (!console.free[i])
			return false;
		console.nfree++;
	}
	for (u32 i = 0; i < RECEIVE_BUFFERS; i++) {
		u8 *buffer = kmalloc(RECEIVE_SIZE);

		if (!buffer)
			return false;
		receive_post(buffer);
	}
	return true;
}

static bool queues_make(struct virtio_device *d)
{
	struct virtqueue *control;

	if (!virtio_begin(d, BIT(VIRTIO_CONSOLE_F_MULTIPORT)) ||
	    !(d->features & BIT(VIRTIO_CONSOLE_F_MULTIPORT)))
		return false;
	control = virtqueue_new(d, CONTROL_QUEUE, BIT(CONTROL_MESSAGES - 1));
	console.receive = virtqueue_new(d, RECEIVE_QUEUE, RECEIVE_BUFFERS);
	console.transmit = virtqueue_new(d, TRANSMIT_QUEUE, 2 * TRANSMIT_BUFFERS);
	if (!control || !console.receive || !console.transmit ||
	    console.receive->size < RECEIVE_BUFFERS || console.transmit->size <= TRANSMIT_BUFFERS)
		return false;
	console.emergency_desc = virtqueue_reserve(console.transmit);
	virtqueue_want_interrupts(console.transmit, false);
	virtqueue_want_interrupts(control, false);
	return virtio_start(d, NULL, NULL) && buffers_make() && port_open(control);
}

void console_device_find(void)
{
	struct virtio_device *d = virtio_take(VIRTIO_ID_CONSOLE);

	if (!d)
		return;
	console.device = d;
	spin_init(&console.receive_lock, RANK_DEV_RING);
	spin_init(&console.lock, RANK_DEV_RING);
	waitq_init(&console.receive_wait);
	waitq_init(&console.transmit_wait);
	console.running = queues_make(d);
}

bool console_device_start(void (*receive)(const u8 *data, size_t n))
{
	console.received = receive;
	return console.running && irq_register(console.device->gsi, interrupt, NULL) == 0 &&
	       kthread_create(receive_thread, NULL, "channel");
}
