/*
 * virtio_mmio.c - finds the virtio devices of the machine, and starts them.
 *
 * Central rule: only what the command line names ("virtio_mmio.device=SIZE@BASE:IRQ", added by the
 * machine) is touched, and only version 2 (non-legacy) devices are used. They are mapped early, so
 * that a panic can be heard; drivers take them later, when there are threads. Next: virtqueue.c.
 */
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "dev/dev_priv.h"
#include "dev/virtio_priv.h"
#include "lib/print.h"
#include "lib/string.h"

#define DEVICES_MAX 32
#define MAGIC 0x74726976u /* "virt" */
#define VERSION_MODERN 2
#define PARAMETER "virtio_mmio.device="

static struct virtio_device devices[DEVICES_MAX];
static u32 ndevices;

u32 virtio_read32(const struct virtio_device *d, u32 offset)
{
	return *(volatile u32 *)(d->registers + offset);
}

void virtio_write32(struct virtio_device *d, u32 offset, u32 value)
{
	*(volatile u32 *)(d->registers + offset) = value;
}

void virtio_config_read(const struct virtio_device *d, u32 offset, void *out, u32 size)
{
	for (u32 i = 0; i < size; i++)
		((u8 *)out)[i] = d->registers[VIRTIO_MMIO_CONFIG + offset + i];
}

/* --- finding --- */

static void device_add(u64 base, u64 size, u64 gsi)
{
	struct virtio_device *d = &devices[ndevices];

	if (ndevices == DEVICES_MAX || size < VIRTIO_MMIO_CONFIG)
		return;
	d->registers = vmap_device(base, size);
	if (!d->registers)
		panic("no memory to map a virtio device");
	if (virtio_read32(d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC ||
	    virtio_read32(d, VIRTIO_MMIO_VERSION) != VERSION_MODERN)
		return;
	d->id = virtio_read32(d, VIRTIO_MMIO_DEVICE_ID);
	d->gsi = (u32)gsi;
	if (d->id)
		ndevices++;
}

/* SIZE@BASE:IRQ; the size may have a K or M. False: it is something else. */
static bool parse_device(const char *s, u64 *size, u64 *base, u64 *gsi)
{
	const char *end;

	*size = string_to_u64(s, &end);
	if (*end == 'K' || *end == 'M')
		*size <<= *end++ == 'K' ? 10 : 20;
	if (*end != '@')
		return false;
	s = end + 1;
	*base = string_to_u64(s, &end);
	if (end == s || *end != ':')
		return false;
	s = end + 1;
	*gsi = string_to_u64(s, &end);
	return end != s;
}

void virtio_find(const char *command_line)
{
	const char *p = command_line;
	u64 size, base, gsi;

	while ((p = strstr(p, PARAMETER))) {
		p += strlen(PARAMETER);
		if (parse_device(p, &size, &base, &gsi))
			device_add(base, size, gsi);
	}
	console_device_find();
}

struct virtio_device *virtio_take(u32 id)
{
	for (u32 i = 0; i < ndevices; i++) {
		if (devices[i].id != id || devices[i].taken)
			continue;
		devices[i].taken = true;
		return &devices[i];
	}
	return NULL;
}

void virtio_init(void)
{
	log_info("virtio: %u devices", ndevices);
	virtio_rng_init();
	virtio_9p_init();
	virtio_blk_init();
}

/* --- starting --- */

static void status_add(struct virtio_device *d, u32 bit)
{
	virtio_write32(d, VIRTIO_MMIO_STATUS, virtio_read32(d, VIRTIO_MMIO_STATUS) | bit);
}

static u64 features_offered(struct virtio_device *d)
{
	u64 low, high;

	virtio_write32(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = virtio_read32(d, VIRTIO_MMIO_DEVICE_FEATURES);
	virtio_write32(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	high = virtio_read32(d, VIRTIO_MMIO_DEVICE_FEATURES);
	return high << 32 | low;
}

static void features_accept(struct virtio_device *d, u64 features)
{
	virtio_write32(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	virtio_write32(d, VIRTIO_MMIO_DRIVER_FEATURES, (u32)features);
	virtio_write32(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	virtio_write32(d, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(features >> 32));
}

static bool device_fail(struct virtio_device *d, const char *why)
{
	log_info("virtio: device %u at line %u: %s", d->id, d->gsi, why);
	status_add(d, VIRTIO_CONFIG_S_FAILED);
	return false;
}

bool virtio_begin(struct virtio_device *d, u64 wanted)
{
	virtio_write32(d, VIRTIO_MMIO_STATUS, 0); /* reset */
	status_add(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	status_add(d, VIRTIO_CONFIG_S_DRIVER);
	d->features = features_offered(d) & (wanted | BIT(VIRTIO_F_VERSION_1));
	features_accept(d, d->features);
	status_add(d, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(d->features & BIT(VIRTIO_F_VERSION_1)) ||
	    !(virtio_read32(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK))
		return device_fail(d, "no agreement on features");
	return true;
}

bool virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg)
{
	if (handler && irq_register(d->gsi, handler, arg))
		return device_fail(d, "its interrupt line cannot be used");
	status_add(d, VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

u32 virtio_interrupt_ack(struct virtio_device *d)
{
	u32 status = virtio_read32(d, VIRTIO_MMIO_INTERRUPT_STATUS);

	random_event();
	virtio_write32(d, VIRTIO_MMIO_INTERRUPT_ACK, status);
	return status;
}
