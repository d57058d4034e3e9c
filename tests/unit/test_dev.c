/*
 * test_dev.c - the parts of kernel/dev that need no device: the channel's frames, the launch record, the random generator's cipher.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A bad record is a panic: here it comes back to the test. Memory is the C library's. */
#define panic test_panic
#define kzalloc test_kzalloc

#include "dev/chacha20.c"
#include "dev/frame_parser.c"
#include "dev/launch.c"

static jmp_buf panicked;

void test_panic(const char *fmt, ...)
{
	longjmp(panicked, 1);
}

static void *blocks[4096];
static u32 nblocks;

void *test_kzalloc(size_t size)
{
	void *p = calloc(1, size);

	assert_true(nblocks < ARRAY_SIZE(blocks));
	blocks[nblocks++] = p;
	return p;
}

static void blocks_free(void)
{
	while (nblocks)
		free(blocks[--nblocks]);
}

/* --- frames --- */

static u8 text[256];
static size_t ntext;
static struct host_frame last;
static u8 payload[FRAME_SMALL_MAX];
static u32 nframes, npayload;

static void take_bytes(u8 fd, const u8 *data, size_t n)
{
	assert_int_equal(fd, HOST_FD_TTY);
	assert_true(n > 0 && ntext + n <= sizeof(text));
	memcpy(text + ntext, data, n);
	ntext += n;
}

static void take_frame(const struct host_frame *f, const void *data, u32 length)
{
	last = *f;
	npayload = length;
	memcpy(payload, data, length);
	nframes++;
}

static const struct frame_handler handler = { take_bytes, take_frame };

static size_t put_frame(u8 *out, u8 type, u8 fd, const void *data, u32 n)
{
	struct host_frame f = { .type = type, .fd = fd, .length = n };

	memcpy(out, &f, sizeof(f));
	if (n)
		memcpy(out + sizeof(f), data, n);
	return sizeof(f) + n;
}

static void frames_are_found_however_the_stream_is_cut(void **state)
{
	u8 stream[256];
	u32 acknowledged = 1234;
	size_t n = 0;

	n += put_frame(stream + n, HOST_STDIN, HOST_FD_TTY, "hello ", 6);
	n += put_frame(stream + n, HOST_OUTPUT_ACK, 2, &acknowledged, 4);
	n += put_frame(stream + n, HOST_STDIN, HOST_FD_TTY, NULL, 0);
	n += put_frame(stream + n, HOST_STDIN, HOST_FD_TTY, "world", 5);
	n += put_frame(stream + n, HOST_STDIN_EOF, 0, NULL, 0);
	for (size_t piece = 1; piece <= n; piece++) {
		struct frame_parser p = { 0 };

		ntext = 0;
		nframes = 0;
		for (size_t at = 0; at < n; at += piece)
			frame_parser_feed(&p, &handler, stream + at, min(piece, n - at));
		assert_int_equal(ntext, 11);
		assert_memory_equal(text, "hello world", 11);
		assert_int_equal(nframes, 2);
		assert_int_equal(last.type, HOST_STDIN_EOF);
		assert_int_equal(npayload, 0);
	}
}

static void of_a_long_frame_the_first_bytes_are_kept(void **state)
{
	u8 stream[128], long_payload[64];
	struct frame_parser p = { 0 };
	size_t n;

	for (u32 i = 0; i < sizeof(long_payload); i++)
		long_payload[i] = (u8)i;
	n = put_frame(stream, 200, 0, long_payload, sizeof(long_payload));
	n += put_frame(stream + n, HOST_SIGNAL, 0, "\2\0\0\0", 4);
	nframes = 0;
	frame_parser_feed(&p, &handler, stream, n - 12);
	assert_int_equal(nframes, 1);
	assert_int_equal(npayload, FRAME_SMALL_MAX);
	assert_memory_equal(payload, long_payload, FRAME_SMALL_MAX);
	frame_parser_feed(&p, &handler, stream + n - 12, 12);
	assert_int_equal(nframes, 2);
	assert_int_equal(last.type, HOST_SIGNAL);
	assert_int_equal(payload[0], 2);
}

/* --- the launch record --- */

static u8 record[4096];
static u32 record_size;

static void record_begin(void)
{
	memset(record, 0, sizeof(record));
	record_size = sizeof(struct host_launch_header);
}

static void record_put(u32 kind, const void *data, u32 length)
{
	struct host_launch_item item = { kind, length };

	memcpy(record + record_size, &item, sizeof(item));
	memcpy(record + record_size + sizeof(item), data, length);
	record_size += (u32)sizeof(item) + ROUND_UP(length, 8);
}

static void record_put_string(u32 kind, const char *s)
{
	record_put(kind, s, (u32)strlen(s));
}

/* Whether the record, with this header, is taken. What it made is there until blocks_free. */
static bool record_taken(const struct host_launch_header *header, u64 came)
{
	volatile bool taken = false;
	u8 *exact = malloc(came + !came); /* its end is guarded by the sanitizer */

	memcpy(record, header, sizeof(*header));
	memcpy(exact, record, came);
	if (setjmp(panicked) == 0) {
		launch_init(exact, came);
		taken = true;
	}
	free(exact);
	return taken;
}

static struct host_launch_header right_header(void)
{
	return (struct host_launch_header){ HOST_LAUNCH_MAGIC, HOST_PROTOCOL_VERSION, record_size };
}

static bool record_is_taken(void)
{
	struct host_launch_header header = right_header();

	return record_taken(&header, record_size);
}

static void a_record_is_taken_apart(void **state)
{
	struct host_launch_ids ids = { 1000, 100 };
	struct host_launch_stdio out = { 1, HOST_STDIO_TTY, 020620, 0 };
	struct host_launch_rlimit limit = { 7, 0, 1024, 4096 };
	u32 group = 27, umask = 077;
	u64 time = 1234567890123;

	record_begin();
	record_put_string(HOST_LAUNCH_ARG, "printf");
	record_put_string(HOST_LAUNCH_ARG,
			  "8 bytes!"); /* no padding follows that could pass for a NUL */
	record_put_string(HOST_LAUNCH_ENV, "HOME=/root");
	record_put_string(HOST_LAUNCH_ARG, "");
	record_put_string(HOST_LAUNCH_CWD, "/work");
	record_put(HOST_LAUNCH_IDS, &ids, sizeof(ids));
	record_put(HOST_LAUNCH_GROUP, &group, sizeof(group));
	record_put(HOST_LAUNCH_STDIO, &out, sizeof(out));
	record_put(HOST_LAUNCH_RLIMIT, &limit, sizeof(limit));
	record_put(HOST_LAUNCH_UMASK, &umask, sizeof(umask));
	record_put(HOST_LAUNCH_TIME, &time, sizeof(time));
	record_put(HOST_LAUNCH_RW, "rw0\0/srv/x", 10);
	record_put(HOST_LAUNCH_SEED, "0123456789abcdef0123456789abcdef", 32);
	record_put_string(HOST_LAUNCH_SWAP, "a-disk");
	record_put(999, "whatever this is", 16);
	assert_true(record_is_taken());
	assert_int_equal(launch.argc, 3);
	assert_string_equal(launch.swap, "a-disk");
	assert_string_equal(launch.argv[0], "printf");
	assert_string_equal(launch.argv[1], "8 bytes!");
	assert_string_equal(launch.argv[2], "");
	assert_null(launch.argv[3]);
	assert_int_equal(launch.envc, 1);
	assert_string_equal(launch.envp[0], "HOME=/root");
	assert_null(launch.envp[1]);
	assert_string_equal(launch.cwd, "/work");
	assert_int_equal(launch.uid, 1000);
	assert_int_equal(launch.gid, 100);
	assert_int_equal(launch.groups[0], 27);
	assert_int_equal(launch.stdio[0].kind, HOST_STDIO_NULL);
	assert_int_equal(launch.stdio[1].kind, HOST_STDIO_TTY);
	assert_int_equal(launch.rlimits[0].hard, 4096);
	assert_int_equal(launch.umask, 077);
	assert_int_equal(launch.realtime_ns, time);
	assert_int_equal(launch.nrw, 1);
	assert_string_equal(launch.rw[0].tag, "rw0");
	assert_string_equal(launch.rw[0].path, "/srv/x");
	assert_int_equal(launch.seed_length, 32);
	blocks_free();
}

static void a_record_cut_off_anywhere_is_refused(void **state)
{
	struct host_launch_header header;

	record_begin();
	record_put_string(HOST_LAUNCH_ARG, "true");
	record_put_string(HOST_LAUNCH_CWD, "/");
	assert_true(record_is_taken());
	for (u32 size = 0; size < record_size - 7; size++) { /* up to the last item's padding */
		if (size >= 16 + 8 + 4 && size <= 16 + 8 + 8)
			continue; /* behind the first item: whole, the directory is the default */
		header = (struct host_launch_header){ HOST_LAUNCH_MAGIC, HOST_PROTOCOL_VERSION,
						      size };
		assert_false(record_taken(&header, size));
	}
	header = right_header();
	assert_false(record_taken(&header, record_size - 1));
	header.magic++;
	assert_false(record_taken(&header, record_size));
	header = right_header();
	header.version++;
	assert_false(record_taken(&header, record_size));
	blocks_free();
}

static void items_that_are_not_what_they_say_are_refused(void **state)
{
	static const struct {
		u32 kind, length;
		const char *data;
	} bad[] = {
		{ HOST_LAUNCH_ARG, 3, "a\0b" },
		{ HOST_LAUNCH_CWD, 3, "tmp" },
		{ HOST_LAUNCH_IDS, 4, "\0\0\0\0" },
		{ HOST_LAUNCH_UMASK, 8, "\0\0\0\0\0\0\0\0" },
		{ HOST_LAUNCH_RW, 6, "rw0/xx" },
		{ HOST_LAUNCH_RW, 4, "rw0\0" },
		{ HOST_LAUNCH_RW, 7, "rw0\0abc" },
		{ HOST_LAUNCH_STDIO, 16, "\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0" },  /* descriptor 3 */
		{ HOST_LAUNCH_STDIO, 16, "\1\0\0\0\11\0\0\0\0\0\0\0\0\0\0\0" }, /* no such kind */
		{ HOST_LAUNCH_STDIO, 16,
		  "\1\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0" }, /* same as a later one */
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		record_begin();
		record_put_string(HOST_LAUNCH_ARG, "true");
		record_put(bad[i].kind, bad[i].data, bad[i].length);
		assert_false(record_is_taken());
		blocks_free();
	}
	record_begin(); /* no program */
	record_put_string(HOST_LAUNCH_CWD, "/");
	assert_false(record_is_taken());
	blocks_free();
}

/* --- the cipher: RFC 8439, section 2.3.2 --- */

static void the_cipher_makes_the_block_of_the_standard(void **state)
{
	static const u8 expected[CHACHA20_BLOCK] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
		0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
		0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
		0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	static const u32 nonce[3] = { 0x09000000, 0x4a000000, 0 };
	u32 key[CHACHA20_KEY_WORDS];
	u8 key_bytes[sizeof(key)], block[CHACHA20_BLOCK];

	for (u32 i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (u8)i;
	memcpy(key, key_bytes, sizeof(key));
	chacha20_block(key, 1, nonce, block);
	assert_memory_equal(block, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_found_however_the_stream_is_cut),
		cmocka_unit_test(of_a_long_frame_the_first_bytes_are_kept),
		cmocka_unit_test(a_record_is_taken_apart),
		cmocka_unit_test(a_record_cut_off_anywhere_is_refused),
		cmocka_unit_test(items_that_are_not_what_they_say_are_refused),
		cmocka_unit_test(the_cipher_makes_the_block_of_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
