/*
 * test_block.c - disks: what the driver (dev/virtio_blk.c) asks of a device, with a device of this test's that does it at once, and the header of a
 * swap area (fs/swap_header.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "arch/x86_64/cpu.h"
#include "lib/waitq.h"
#include "mm/slab.h"

static u64 test_clock(void)
{
	static u64 now;

	return now += 1000;
}

/* One thread, and the device is done before the driver waits. Memory is the C library's. */
#define spin_lock(l) ((void)(l))
#define spin_unlock(l) ((void)(l))
#define kzalloc(size) calloc(1, size)
#define kfree free
#define waitq_wake_one(q) ((void)(q))
#define waitq_wake_all(q) ((void)(q))
#define waitq_init(q) ((void)(q))
#define clock_monotonic test_clock

#include "dev/virtio_blk.c"
#include "fs/swap_header.c"

/* --- the device --- */

#define SECTORS 4096u
#define REQUESTS_MAX 64u

static struct {
	struct virtio_blk_config config;
	u64 offered;
	bool present;
	u8 disk[SECTORS * BLOCK_SECTOR];
	u8 status; /* what it answers */
	void (*handler)(void *arg);
	void *handler_arg;
	struct virtio_buffer buffers[BUFFERS_MAX];
	u32 nbuffers;
	void *token;
	bool done;
	/* What it was asked for. */
	u32 nrequests, types[REQUESTS_MAX], lengths[REQUESTS_MAX];
	u64 sectors[REQUESTS_MAX];
} disk;

static struct virtio_device device = { .id = VIRTIO_ID_BLOCK };
static struct virtqueue queue = { .device = &device };

struct virtio_device *virtio_take(u32 id)
{
	bool present = disk.present && id == VIRTIO_ID_BLOCK;

	disk.present = false;
	return present ? &device : NULL;
}

bool virtio_begin(struct virtio_device *d, u64 wanted)
{
	d->features = disk.offered & wanted;
	return true;
}

bool virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg)
{
	disk.handler = handler;
	disk.handler_arg = arg;
	return true;
}

u32 virtio_interrupt_ack(struct virtio_device *d)
{
	return 1;
}

void virtio_config_read(const struct virtio_device *d, u32 offset, void *out, u32 size)
{
	memcpy(out, (u8 *)&disk.config + offset, size);
}

struct virtqueue *virtqueue_new(struct virtio_device *d, u32 index, u32 max_size)
{
	queue.size = (u16)min(max_size, 64u);
	return &queue;
}

bool virtqueue_add_indirect(struct virtqueue *q, struct vring_desc *table,
			    const struct virtio_buffer *buffers, u32 n, void *token)
{
	assert_true(n <= q->size);
	memcpy(disk.buffers, buffers, n * sizeof(*buffers));
	disk.nbuffers = n;
	disk.token = token;
	return true;
}

/* Header and status are where they belong, and data goes one way. */
static u32 carry_out(const struct virtio_blk_outhdr *header)
{
	u64 at = header->sector * BLOCK_SECTOR, bytes = 0;

	for (u32 i = 1; i + 1 < disk.nbuffers; i++) {
		const struct virtio_buffer *b = &disk.buffers[i];

		assert_int_equal(b->write, header->type == VIRTIO_BLK_T_IN ||
						   header->type == VIRTIO_BLK_T_GET_ID);
		if (header->type == VIRTIO_BLK_T_IN)
			memcpy(b->data, disk.disk + at + bytes, b->length);
		else if (header->type == VIRTIO_BLK_T_OUT)
			memcpy(disk.disk + at + bytes, b->data, b->length);
		else if (header->type == VIRTIO_BLK_T_GET_ID)
			memcpy(b->data, "twenty-bytes-of-text", b->length);
		bytes += b->length;
	}
	return (u32)bytes;
}

void virtqueue_push(struct virtqueue *q)
{
	const struct virtio_buffer *first = &disk.buffers[0],
				   *last = &disk.buffers[disk.nbuffers - 1];
	const struct virtio_blk_outhdr *header = first->data;
	u32 bytes;

	assert_int_equal(first->length, sizeof(*header));
	assert_false(first->write);
	assert_int_equal(last->length, 1);
	assert_true(last->write);
	bytes = carry_out(header);
	if (disk.nrequests < REQUESTS_MAX) {
		const struct virtio_blk_discard_write_zeroes *range = disk.buffers[1].data;
		bool ranged = header->type == VIRTIO_BLK_T_DISCARD ||
			      header->type == VIRTIO_BLK_T_WRITE_ZEROES;

		disk.types[disk.nrequests] = header->type;
		disk.sectors[disk.nrequests] = ranged ? range->sector : header->sector;
		disk.lengths[disk.nrequests++] = ranged ? range->num_sectors : bytes;
	}
	*(u8 *)last->data = disk.status;
	disk.done = true;
	disk.handler(disk.handler_arg);
}

void *virtqueue_take(struct virtqueue *q, u32 *length)
{
	void *token = disk.done ? disk.token : NULL;

	*length = 1;
	disk.done = false;
	return token;
}

/* --- starting it --- */

static void begin(u64 features)
{
	slots_free(devices[0] ? devices[0] : &(struct virtio_blk){ 0 });
	free(devices[0]);
	devices[0] = NULL;
	ndevices = 0;
	memset(&disk, 0, sizeof(disk));
	disk.present = true;
	disk.offered = features | BIT(VIRTIO_RING_F_INDIRECT_DESC);
	disk.config.capacity = SECTORS;
}

static struct block_device *start(void)
{
	virtio_blk_init();
	disk.nrequests = 0;
	return block_device(0);
}

static void a_device_says_what_it_is(void **state)
{
	struct block_device *d;

	begin(BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
	      BIT(VIRTIO_BLK_F_RO));
	disk.config.seg_max = 254;
	disk.config.blk_size = 1024;
	disk.config.physical_block_exp = 2;
	disk.config.opt_io_size = 8;
	d = start();
	assert_string_equal(d->name, "vda");
	assert_string_equal(d->serial, "twenty-bytes-of-text");
	assert_ptr_equal(block_find("twenty-bytes-of-text"), d);
	assert_null(block_find("another"));
	assert_null(block_device(1));
	assert_int_equal(d->sectors, SECTORS);
	assert_int_equal(d->logical, 1024);
	assert_int_equal(d->physical, 4096);
	assert_int_equal(d->io_opt, 8192);
	assert_int_equal(d->segments, BLOCK_PARTS_MAX);
	assert_true(d->readonly);
	assert_false(d->write_cache);
	assert_int_equal(d->discard_max, 0);
}

static void a_device_of_odd_blocks_is_not_used(void **state)
{
	static const u32 sizes[] = { 0, 256, 768, 8192 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin(BIT(VIRTIO_BLK_F_BLK_SIZE));
		disk.config.blk_size = sizes[i];
		assert_null(start());
	}
}

/* --- requests --- */

static void pages_go_out_and_come_back(void **state)
{
	struct virtio_part parts[BLOCK_PARTS_MAX];
	struct block_statistics s;
	struct block_device *d;
	u8 *pages = malloc(BLOCK_PARTS_MAX * PAGE_SIZE);

	begin(BIT(VIRTIO_BLK_F_SEG_MAX));
	disk.config.seg_max = 254;
	d = start();
	/* From the last piece of memory to the first: the order is the list's, not memory's. */
	for (u32 i = 0; i < BLOCK_PARTS_MAX; i++) {
		parts[i] = (struct virtio_part){ pages + (BLOCK_PARTS_MAX - 1 - i) * PAGE_SIZE,
						 PAGE_SIZE };
		memset(parts[i].data, (int)i + 1, PAGE_SIZE);
	}
	assert_int_equal(block_transfer(d, BLOCK_WRITE, 16, parts, BLOCK_PARTS_MAX), 0);
	for (u32 i = 0; i < BLOCK_PARTS_MAX; i++) {
		assert_int_equal(disk.disk[(16 + i * 8) * BLOCK_SECTOR], i + 1);
		assert_int_equal(disk.disk[(16 + i * 8) * BLOCK_SECTOR + PAGE_SIZE - 1], i + 1);
	}
	memset(pages, 0, BLOCK_PARTS_MAX * PAGE_SIZE);
	assert_int_equal(block_transfer(d, BLOCK_READ, 16, parts, BLOCK_PARTS_MAX), 0);
	for (u32 i = 0; i < BLOCK_PARTS_MAX; i++)
		assert_int_equal(*(u8 *)parts[i].data, i + 1);
	assert_int_equal(disk.nrequests, 2);
	block_statistics(d, &s);
	assert_int_equal(s.requests[BLOCK_WRITE], 1);
	assert_int_equal(s.sectors[BLOCK_READ], BLOCK_PARTS_MAX * 8);
	assert_int_equal(s.in_flight, 0);
	assert_true(s.busy_ns > 0 && s.ns[BLOCK_READ] > 0);
	free(pages);
}

static void a_transfer_is_cut_to_what_the_device_takes(void **state)
{
	static u8 data[5 * PAGE_SIZE];
	struct virtio_part parts[5];
	struct block_device *d;

	begin(BIT(VIRTIO_BLK_F_SEG_MAX));
	disk.config.seg_max = 2;
	d = start();
	for (u32 i = 0; i < 5; i++)
		parts[i] = (struct virtio_part){ data + i * PAGE_SIZE, PAGE_SIZE };
	assert_int_equal(block_transfer(d, BLOCK_READ, 0, parts, 5), 0);
	assert_int_equal(disk.nrequests, 3);
	assert_int_equal(disk.sectors[1], 16);
	assert_int_equal(disk.sectors[2], 32);
	assert_int_equal(disk.lengths[2], PAGE_SIZE);
}

static void a_device_that_fails_is_an_input_output_error(void **state)
{
	static u8 data[PAGE_SIZE];
	struct virtio_part part = { data, sizeof(data) };
	struct block_device *d;

	begin(BIT(VIRTIO_BLK_F_FLUSH));
	d = start();
	disk.status = VIRTIO_BLK_S_IOERR;
	/* As often as there are slots, and once more: they come back. */
	for (u32 i = 0; i <= SLOTS; i++)
		assert_int_equal(block_transfer(d, BLOCK_WRITE, 0, &part, 1), -EIO);
	disk.status = VIRTIO_BLK_S_UNSUPP;
	assert_int_equal(block_transfer(d, BLOCK_READ, 0, &part, 1), -EIO);
	assert_int_equal(block_flush(d), -EIO);
	disk.status = VIRTIO_BLK_S_OK;
	assert_int_equal(block_flush(d), 0);
}

static void what_needs_no_flush_gets_none(void **state)
{
	struct block_device *d;

	begin(0);
	d = start();
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(disk.nrequests, 0);
}

static void ranges_are_discarded_in_pieces(void **state)
{
	struct block_device *d;

	begin(BIT(VIRTIO_BLK_F_DISCARD));
	disk.config.max_discard_sectors = 100;
	disk.config.max_discard_seg = 1;
	disk.config.discard_sector_alignment = 8;
	d = start();
	assert_int_equal(d->discard_granularity, 4096);
	assert_int_equal(block_discard(d, 8, 250), 0);
	assert_int_equal(disk.nrequests, 3);
	assert_int_equal(disk.types[0], VIRTIO_BLK_T_DISCARD);
	assert_int_equal(disk.sectors[2], 208);
	assert_int_equal(disk.lengths[2], 50);
	assert_int_equal(block_zero(d, 8, 8, true), -EOPNOTSUPP);
	disk.status = VIRTIO_BLK_S_UNSUPP;
	assert_int_equal(block_discard(d, 8, 8), -EOPNOTSUPP);
	begin(BIT(VIRTIO_BLK_F_WRITE_ZEROES));
	disk.config.max_write_zeroes_sectors = 1000;
	disk.config.max_write_zeroes_seg = 1;
	d = start();
	assert_int_equal(block_discard(d, 8, 8), -EOPNOTSUPP);
	assert_int_equal(block_zero(d, 8, 8, true), 0);
	assert_int_equal(disk.types[0], VIRTIO_BLK_T_WRITE_ZEROES);
}

/* --- the header of a swap area --- */

static struct swap_header good_header(u32 last_page)
{
	struct swap_header h = { .version = SWAP_VERSION, .last_page = last_page };

	memcpy(h.signature, SWAP_SIGNATURE, SWAP_SIGNATURE_LENGTH);
	return h;
}

static void a_good_header_is_taken(void **state)
{
	struct swap_header h = good_header(99);
	u64 pages = 0;

	assert_int_equal(swap_header_check(&h, 100, &pages), 0);
	assert_int_equal(pages, 100);
	h.nr_badpages = 2;
	h.badpages[0] = 99;
	h.badpages[1] = 1;
	assert_int_equal(swap_header_check(&h, 5000, &pages), 0);
	assert_int_equal(pages, 100);
	h = good_header(UINT32_MAX);
	assert_int_equal(swap_header_check(&h, (u64)UINT32_MAX + 1, &pages), 0);
	assert_int_equal(pages, (u64)UINT32_MAX + 1);
}

static void a_header_in_the_other_byte_order_is_taken(void **state)
{
	struct swap_header h = good_header(__builtin_bswap32(99));
	u64 pages = 0;

	h.version = __builtin_bswap32(SWAP_VERSION);
	h.nr_badpages = __builtin_bswap32(1);
	h.badpages[0] = __builtin_bswap32(50);
	assert_int_equal(swap_header_check(&h, 100, &pages), 0);
	assert_int_equal(pages, 100);
	assert_int_equal(h.badpages[0], 50);
}

static void what_is_no_swap_area_is_refused(void **state)
{
	struct swap_header h;
	u64 pages;

#define REFUSED(change)                                                        \
	do {                                                                   \
		h = good_header(99);                                           \
		change;                                                        \
		assert_int_equal(swap_header_check(&h, 100, &pages), -EINVAL); \
	} while (0)
	REFUSED(h.signature[9] = '1');
	REFUSED(h.version = 0);
	REFUSED(h.version = 2);
	REFUSED(h.last_page = 0);
	REFUSED(h.last_page = 100); /* longer than the device */
	REFUSED(h.nr_badpages = SWAP_BADPAGES_MAX + 1);
	REFUSED((h.nr_badpages = 1, h.badpages[0] = 0));
	REFUSED((h.nr_badpages = 1, h.badpages[0] = 100));
	REFUSED((h.last_page = 1, h.nr_badpages = 1, h.badpages[0] = 1)); /* nothing is left */
#undef REFUSED
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_says_what_it_is),
		cmocka_unit_test(a_device_of_odd_blocks_is_not_used),
		cmocka_unit_test(pages_go_out_and_come_back),
		cmocka_unit_test(a_transfer_is_cut_to_what_the_device_takes),
		cmocka_unit_test(a_device_that_fails_is_an_input_output_error),
		cmocka_unit_test(what_needs_no_flush_gets_none),
		cmocka_unit_test(ranges_are_discarded_in_pieces),
		cmocka_unit_test(a_good_header_is_taken),
		cmocka_unit_test(a_header_in_the_other_byte_order_is_taken),
		cmocka_unit_test(what_is_no_swap_area_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
