/*
 * object_mem.c - objects for tests. A file's reads and writes take time: other CPUs run meanwhile.
 */
#include "object_mem.h"

#include <stdlib.h>
#include <string.h>

#include "hosted_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"

u64 mem_objects_alive;

static struct mem_object *mem_object(struct object *o)
{
	return container_of(o, struct mem_object, object);
}

static int file_read_pages(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct mem_object *m = mem_object(o);

	hosted_pause();
	if (m->read_failures) {
		m->read_failures--;
		return -EIO;
	}
	for (u32 i = 0; i < count; i++) {
		u64 at = (index + i) << PAGE_SHIFT, size = load_acquire(&o->size);
		u64 bytes = at >= size ? 0 : min(size - at, PAGE_SIZE);

		assert(at + bytes <= MEM_BYTES_MAX);
		memcpy(frame_data(pages[i]), m->disk + at, bytes);
		memset((char *)frame_data(pages[i]) + bytes, 0, PAGE_SIZE - bytes);
		atomic_add(&m->reads, 1);
	}
	hosted_pause();
	return 0;
}

static int file_write_pages(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct mem_object *m = mem_object(o);

	hosted_pause();
	if (m->write_failures) {
		m->write_failures--;
		return -EIO;
	}
	for (u32 i = 0; i < count; i++) {
		u64 at = (index + i) << PAGE_SHIFT, size = load_acquire(&o->size);

		memcpy(m->disk + at, frame_data(pages[i]),
		       at >= size ? 0 : min(size - at, PAGE_SIZE));
		atomic_add(&m->writes, 1);
	}
	return 0;
}

static int memory_charge(struct object *o)
{
	struct mem_object *m = mem_object(o);

	if (load_relaxed(&m->charged) >= m->charge_max)
		return -ENOSPC;
	atomic_add(&m->charged, 1);
	return 0;
}

static void memory_uncharge(struct object *o, u64 pages)
{
	assert(load_relaxed(&mem_object(o)->charged) >= pages);
	atomic_sub(&mem_object(o)->charged, pages);
}

static void mem_object_free(struct object *o)
{
	struct mem_object *m = mem_object(o);

	assert(m->charged == 0);
	atomic_sub(&mem_objects_alive, 1);
	free(m->disk);
	free(m);
}

static const struct object_ops file_ops = { .read_pages = file_read_pages,
					    .write_pages = file_write_pages,
					    .free = mem_object_free };
static const struct object_ops changed_ops = { .read_pages = file_read_pages,
					       .free = mem_object_free };
static const struct object_ops memory_ops = { .page_charge = memory_charge,
					      .page_uncharge = memory_uncharge,
					      .free = mem_object_free };

static struct mem_object *file_with(const struct object_ops *ops, u64 size, u64 (*fill)(u64 offset))
{
	struct mem_object *m = calloc(1, sizeof(*m));

	m->disk = calloc(1, MEM_BYTES_MAX);
	for (u64 at = 0; at < size; at += 8) {
		u64 word = fill(at);
		memcpy(m->disk + at, &word, 8);
	}
	object_init(&m->object, ops, 0, size);
	atomic_add(&mem_objects_alive, 1);
	return m;
}

struct mem_object *mem_object_file(u64 size, u64 (*fill)(u64 offset))
{
	return file_with(&file_ops, size, fill);
}

struct mem_object *mem_object_changed(u64 size, u64 (*fill)(u64 offset))
{
	return file_with(&changed_ops, size, fill);
}

struct mem_object *mem_object_memory(u64 size, u64 charge_max)
{
	struct mem_object *m = calloc(1, sizeof(*m));

	m->charge_max = charge_max;
	object_init(&m->object, &memory_ops, OBJECT_SHMEM, size);
	atomic_add(&mem_objects_alive, 1);
	return m;
}
