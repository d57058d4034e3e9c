/*
 * test_9p.c - 9p messages as bytes: what is written is what the protocol's documents say, and nothing that a server sends makes a read leave the message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/9p_message.c"

static void a_message_is_written_as_documented(void **state)
{
	/* size[4] Twalk tag[2] fid[4] newfid[4] nwname[2] nwname*(wname[s]) */
	static const u8 expected[] = { 22, 0, 0, 0, 110, 7, 0, 1, 0,   0,   0,
				       2,  0, 0, 0, 1,   0, 3, 0, 'e', 't', 'c' };
	u8 data[64];
	struct p9_message m;

	p9_begin(&m, data, sizeof(data));
	p9_put_u32(&m, 1);
	p9_put_u32(&m, 2);
	p9_put_u16(&m, 1);
	p9_put_string(&m, "etc", 3);
	p9_end(&m, P9_WALK, 7, 0);
	assert_false(m.bad);
	assert_int_equal(m.at, sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
}

static void bytes_that_follow_count_in_the_size(void **state)
{
	u8 data[P9_WRITE_HEADER];
	struct p9_message m;

	p9_begin(&m, data, sizeof(data));
	p9_put_u32(&m, 1);
	p9_put_u64(&m, 4096);
	p9_put_u32(&m, 8192);
	p9_end(&m, P9_WRITE, 0, 8192);
	assert_false(m.bad);
	assert_int_equal(data[0] | data[1] << 8 | data[2] << 16, P9_WRITE_HEADER + 8192);
}

static void too_long_a_message_is_bad_and_nothing_is_written_past_its_end(void **state)
{
	u8 data[16];
	struct p9_message m;

	memset(data, 0x55, sizeof(data));
	p9_begin(&m, data, 12);
	p9_put_u32(&m, 1);
	p9_put_string(&m, "name", 4);
	assert_true(m.bad);
	for (u32 i = 12; i < sizeof(data); i++)
		assert_int_equal(data[i], 0x55);
}

static void an_answer_is_read_back(void **state)
{
	u8 data[] = { 20, 0, 0, 0, 125, 3, 0, 0x80, 1, 2, 3, 4, 8, 7, 6, 5, 4, 3, 2, 1 };
	struct p9_message m;
	struct p9_qid qid;

	p9_read_begin(&m, data, sizeof(data));
	assert_int_equal(p9_get_answer(&m, 124, 3, 0), 0);
	p9_get_qid(&m, &qid);
	assert_false(m.bad);
	assert_int_equal(qid.type, 0x80);
	assert_int_equal(qid.version, 0x04030201);
	assert_int_equal(qid.path, 0x0102030405060708);
	assert_int_equal(p9_get_u8(&m), 0);
	assert_true(m.bad);
}

static void an_error_becomes_its_errno(void **state)
{
	u8 data[] = { 11, 0, 0, 0, P9_ERROR + 1, 3, 0, 2, 0, 0, 0 };
	struct p9_message m;

	p9_read_begin(&m, data, sizeof(data));
	assert_int_equal(p9_get_answer(&m, P9_WALK, 3, 0), -ENOENT);
}

static void answers_that_are_none_are_io_errors(void **state)
{
	static const u8 bad[][11] = {
		{ 11, 0, 0, 0, P9_WALK + 1, 4, 0 },              /* another tag */
		{ 11, 0, 0, 0, P9_READ + 1, 3, 0 },              /* another type */
		{ 6, 0, 0, 0, P9_WALK + 1, 3, 0 },               /* shorter than a header */
		{ 12, 0, 0, 0, P9_WALK + 1, 3, 0 },              /* longer than what came */
		{ 11, 0, 0, 0, P9_ERROR + 1, 3, 0, 0, 0, 0, 0 }, /* an error that is none */
		{ 11, 0, 0, 0, P9_ERROR + 1, 3, 0, 0, 0, 0,
		  0x80 },                              /* an error that no program knows */
		{ 7, 0, 0, 0, P9_ERROR + 1, 3, 0, 2 }, /* an error without number */
	};
	u8 data[11];
	struct p9_message m;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(data, bad[i], sizeof(data));
		p9_read_begin(&m, data, sizeof(data));
		assert_int_equal(p9_get_answer(&m, P9_WALK, 3, 0), -EIO);
	}
	p9_read_begin(&m, data, 3); /* the device wrote nearly nothing */
	assert_int_equal(p9_get_answer(&m, P9_WALK, 3, 0), -EIO);
}

static void a_string_that_is_cut_off_is_bad(void **state)
{
	u8 data[] = { 5, 0, 'a', 'b' };
	struct p9_message m;
	u16 len;

	p9_read_begin(&m, data, sizeof(data));
	p9_get_string(&m, &len);
	assert_true(m.bad);
	assert_int_equal(len, 0);
}

static void random_bytes_never_lead_past_the_end(void **state)
{
	srand(1);
	for (u32 round = 0; round < 20000; round++) {
		u32 size = (u32)rand() % 64;
		u8 *data = malloc(size + !size); /* its ends are guarded by the sanitizer */
		struct p9_message m;
		struct p9_qid qid;
		u16 len;

		for (u32 i = 0; i < size; i++)
			data[i] = (u8)(rand() % 4 ? rand() % 20 : rand());
		p9_read_begin(&m, data, size);
		(void)p9_get_answer(&m, P9_READDIR, 0, 0);
		while (!m.bad) {
			const char *s;

			p9_get_qid(&m, &qid);
			s = p9_get_string(&m, &len);
			for (u32 i = 0; i < len; i++)
				qid.path += (u8)s[i];
		}
		assert_true(m.at <= m.size);
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_written_as_documented),
		cmocka_unit_test(bytes_that_follow_count_in_the_size),
		cmocka_unit_test(too_long_a_message_is_bad_and_nothing_is_written_past_its_end),
		cmocka_unit_test(an_answer_is_read_back),
		cmocka_unit_test(an_error_becomes_its_errno),
		cmocka_unit_test(answers_that_are_none_are_io_errors),
		cmocka_unit_test(a_string_that_is_cut_off_is_bad),
		cmocka_unit_test(random_bytes_never_lead_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
