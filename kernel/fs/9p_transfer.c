/*
 * 9p_transfer.c - the bulk operations of the 9p client: pages in and out, and lists of directories.
 *
 * Central rule: pages go between the server and their frames without a copy; frames that lie side
 * by side in memory are one part of the request. Next: 9p_lower.c.
 */
#include <asm/fcntl.h>

#include "fs/9p_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

#define LIST_BYTES 32768u

/* The first `bytes` of the pages as parts; how many parts. */
static u32 pages_to_parts(struct page **pages, u32 bytes, struct virtio_part *parts)
{
	u32 n = 0;

	for (u32 i = 0; bytes; i++) {
		u32 length = min(bytes, (u32)PAGE_SIZE);
		u8 *data = frame_data(pages[i]);

		if (n && (u8 *)parts[n - 1].data + parts[n - 1].length == data)
			parts[n - 1].length += length;
		else
			parts[n++] = (struct virtio_part){ data, length };
		bytes -= length;
	}
	return n;
}

static void zero_from(struct page **pages, u32 count, u32 from)
{
	for (u32 i = from / PAGE_SIZE; i < count; i++) {
		u32 keep = from > i * PAGE_SIZE ? from % (u32)PAGE_SIZE : 0;

		memset((u8 *)frame_data(pages[i]) + keep, 0, PAGE_SIZE - keep);
	}
}

int p9_read_pages(struct p9_client *c, u32 fid, u64 offset, struct page **pages, u32 count,
		  u32 bytes)
{
	struct virtio_part parts[P9_PAGES_MAX];
	u32 got = 0, n;
	struct p9_call k;
	int err;

	assert(count <= P9_PAGES_MAX && bytes <= count * PAGE_SIZE);
	/* The answer's header is as long as an error, so that the bytes begin with the parts. */
	err = p9_call_begin(&k, c, P9_READ, P9_WRITE_HEADER, P9_READ_HEADER);
	if (err)
		return err;
	p9_put_u32(&k.out, fid);
	p9_put_u64(&k.out, offset);
	p9_put_u32(&k.out, bytes);
	n = pages_to_parts(pages, bytes, parts);
	err = p9_call_send(&k, NULL, 0, parts, n);
	if (!err) {
		got = p9_get_u32(&k.in);
		err = k.in.bad || got > bytes ? -EIO : 0;
	}
	p9_call_end(&k);
	if (!err)
		zero_from(pages, count, got);
	return err;
}

int p9_write_pages(struct p9_client *c, u32 fid, u64 offset, struct page **pages, u32 bytes)
{
	struct virtio_part parts[P9_PAGES_MAX];
	u32 n = pages_to_parts(pages, bytes, parts), done;
	struct p9_call k;
	int err;

	assert(bytes <= P9_PAGES_MAX * PAGE_SIZE);
	err = p9_call_begin(&k, c, P9_WRITE, P9_WRITE_HEADER, P9_READ_HEADER);
	if (err)
		return err;
	p9_put_u32(&k.out, fid);
	p9_put_u64(&k.out, offset);
	p9_put_u32(&k.out, bytes);
	err = p9_call_send(&k, parts, n, NULL, 0);
	if (!err) {
		done = p9_get_u32(&k.in);
		/* Fewer than asked for: there is no more room. */
		err = k.in.bad || done > bytes ? -EIO : done < bytes ? -ENOSPC : 0;
	}
	p9_call_end(&k);
	return err;
}

/* --- directories --- */

static bool is_dot(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/*
 * Emit the entries of one answer; *offset becomes where the next begins. How many, or emit's
 * result.
 */
static int emit_entries(struct p9_message *m, u64 *offset,
			int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type),
			void *arg)
{
	int n = 0;

	for (; m->at < m->size; n++) {
		struct p9_qid qid;
		const char *name;
		u32 type;
		u16 len;
		int err;

		p9_get_qid(m, &qid);
		*offset = p9_get_u64(m);
		type = p9_get_u8(m);
		name = p9_get_string(m, &len);
		if (m->bad || len == 0)
			return -EIO;
		if (is_dot(name, len))
			continue;
		err = emit(arg, name, len, qid.path, type);
		if (err)
			return err;
	}
	return n;
}

/* One round: how many entries came, 0 at the end. */
static int list_some(struct p9_client *c, u32 fid, u64 *offset, u8 *buffer,
		     int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type),
		     void *arg)
{
	struct virtio_part part = { buffer, LIST_BYTES };
	struct p9_message entries;
	struct p9_call k;
	u32 bytes = 0;
	int err = p9_call_begin(&k, c, P9_READDIR, P9_WRITE_HEADER, P9_READ_HEADER);

	if (err)
		return err;
	p9_put_u32(&k.out, fid);
	p9_put_u64(&k.out, *offset);
	p9_put_u32(&k.out, LIST_BYTES);
	err = p9_call_send(&k, NULL, 0, &part, 1);
	if (!err) {
		bytes = p9_get_u32(&k.in);
		err = k.in.bad || bytes > LIST_BYTES ? -EIO : 0;
	}
	p9_call_end(&k);
	if (err)
		return err;
	p9_read_begin(&entries, buffer, bytes);
	return emit_entries(&entries, offset, emit, arg);
}

int p9_list(struct p9_client *c, u32 fid,
	    int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type), void *arg)
{
	u8 *buffer = kmalloc(LIST_BYTES);
	u64 offset = 0;
	u32 open;
	int result;

	if (!buffer)
		return -ENOMEM;
	/* A fid that is open can no longer be walked from: another one is opened. */
	result = p9_walk(c, fid, NULL, 0, &open);
	if (result)
		goto out;
	result = p9_open(c, open, O_RDONLY | O_DIRECTORY);
	if (!result) {
		do
			result = list_some(c, open, &offset, buffer, emit, arg);
		while (result > 0);
	}
	p9_clunk(c, open);
out:
	kfree(buffer);
	return result;
}
