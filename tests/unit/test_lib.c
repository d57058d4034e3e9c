/*
 * test_lib.c - kernel/lib: formatted text against snprintf, the kernel's own memory and string functions against the C library's, lists.
 */
#include "mm_test.h"

#include <stdlib.h>

#include "lib/list.h"
#include "lib/string.h"

/* --- format --- */

#define same_text(...)                                                              \
	do {                                                                        \
		char ours[128], theirs[128];                                        \
		int n = format(ours, sizeof(ours), __VA_ARGS__);                    \
		assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
		assert_string_equal(ours, theirs);                                  \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static void test_format_agrees_with_printf(void **state)
{
	(void)state;
	same_text("plain");
	same_text("%d %i %u", -5, 7, 4000000000u);
	same_text("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, -42, 42, 42);
	same_text("%x %X %#x %#X %o %#o", 0xbeef, 0xbeef, 0xbeef, 0xbeef, 0755, 0755);
	same_text("%lx %llu %zu %ld", ~0ul, ~0ull, (size_t)1, (long)INT64_MIN);
	same_text("%hd %hhd %hu %hhu", 70000, 300, 70000, 300);
	same_text("[%8.3d] [%-8.3d] [%.0d] [%08.3d]", 7, 7, 0, 7);
	same_text("[%s] [%10s] [%-10s] [%.2s] [%10.2s]", "text", "text", "text", "text", "text");
	same_text("[%*d] [%-*d] [%.*s] [%*d]", 6, 1, 6, 2, 3, "abcdef", -6, 3);
	same_text("%c%c [%3c] [%-3c]", 'a', 'b', 'c', 'd');
	same_text("%p", (void *)0x1234);
	same_text("100%%");
	same_text("[%#x] [%#o] [%+d] [%x]", 0, 0, 0, 0);
	same_text("[%016lx] [%-16lx]", 0x1234ul, 0x1234ul);
}

static void test_format_agrees_with_printf_on_random_conversions(void **state)
{
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z" };
	static const char letters[] = "diuxXo";

	(void)state;
	srandom(1);
	for (u32 i = 0; i < 200000; i++) {
		char fmt[32], ours[200], theirs[200];
		char flags[6] = "", precision[8] = "", width[8] = "";
		u32 n = 0, length = (u32)random() % 6;
		long value = random() % 4 ? random() % 2000 - 1000
					  : (long)((u64)random() << 40 ^ (u64)random() << 20 ^
						   (u64)random());

		for (u32 f = 0; f < 5; f++)
			if (random() % 4 == 0)
				flags[n++] = "-0+ #"[f];
		flags[n] = 0;
		if (random() % 2)
			sprintf(width, "%ld", 1 + random() % 30);
		if (random() % 2)
			sprintf(precision, ".%ld", random() % 30);
		sprintf(fmt, "<%%%s%s%s%s%c>", flags, width, precision, lengths[length],
			letters[random() % 6]);
		int a, b;
		if (length < 3) {
			a = format(ours, sizeof(ours), fmt, (int)value);
			b = snprintf(theirs, sizeof(theirs), fmt, (int)value);
		} else {
			a = format(ours, sizeof(ours), fmt, value);
			b = snprintf(theirs, sizeof(theirs), fmt, value);
		}
		if (a != b || strcmp(ours, theirs))
			fail_msg("%s of %ld: %s, printf gives %s", fmt, value, ours, theirs);
	}
}

static void test_format_cuts_and_terminates(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(format(buf, 4, "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], 'x');
	assert_int_equal(format(buf, 1, "%d", 12), 2);
	assert_string_equal(buf, "");
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(format(buf, 0, "%d", 12), 2);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(format(buf, sizeof(buf), "%s", (char *)NULL), 6);
	assert_string_equal(buf, "(null)");
}

/* --- the kernel's string.c, under other names --- */

#undef COPPICE_HOSTED
#undef LIB_STRING_H
#define LIB_STRING_NO_BUILTINS
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define memchr kernel_memchr
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define strrchr kernel_strrchr
#define strstr kernel_strstr
#define string_copy kernel_string_copy
#define string_to_u64 kernel_string_to_u64
#include "../../kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef string_copy
#undef string_to_u64

#define BUFFER 700

static void fill(char *a, char *b)
{
	for (u32 i = 0; i < BUFFER; i++)
		a[i] = b[i] = (char)random();
}

static void test_memory_functions_agree_with_the_c_library(void **state)
{
	static char a[BUFFER], b[BUFFER];

	(void)state;
	srandom(2);
	for (u32 i = 0; i < 40000; i++) {
		size_t n = (size_t)random() % (i % 2 ? 40 : 300), to = (size_t)random() % 300,
		       from = (size_t)random() % 300;
		int c = (int)random();

		if (i % 64 == 0)
			fill(a, b);
		assert_ptr_equal(kernel_memmove(a + to, a + from, n), a + to);
		memmove(b + to, b + from, n);
		assert_memory_equal(a, b, BUFFER);
		if (i % 3 == 0) {
			assert_ptr_equal(kernel_memset(a + to, c, n), a + to);
			memset(b + to, c, n);
			assert_memory_equal(a, b, BUFFER);
		}
		if (from + n <= to || to + n <= from) {
			kernel_memcpy(a + to, a + from, n);
			memcpy(b + to, b + from, n);
			assert_memory_equal(a, b, BUFFER);
			assert_int_equal(kernel_memcmp(a + to, a + from, n), 0);
		}
		int ours = kernel_memcmp(a + to, a + from, n), theirs = memcmp(b + to, b + from, n);
		assert_int_equal((ours > 0) - (ours < 0), (theirs > 0) - (theirs < 0));
		char *found = memchr(b + from, (char)c, n);
		assert_ptr_equal(kernel_memchr(a + from, (char)c, n),
				 found ? a + (found - b) : NULL);
	}
}

static void test_string_functions_agree_with_the_c_library(void **state)
{
	(void)state;
	srandom(3);
	for (u32 i = 0; i < 40000; i++) {
		char a[24], b[24];
		u32 na = (u32)random() % 12, nb = (u32)random() % 4, n = (u32)random() % 14;

		for (u32 k = 0; k < na; k++)
			a[k] = "ab\xc3"[random() % 3];
		for (u32 k = 0; k < nb; k++)
			b[k] = "ab\xc3"[random() % 3];
		a[na] = b[nb] = 0;
		assert_int_equal(kernel_strlen(a), strlen(a));
		assert_int_equal(kernel_strnlen(a, n), strnlen(a, n));
		int ours = kernel_strcmp(a, b), theirs = strcmp(a, b);
		assert_int_equal((ours > 0) - (ours < 0), (theirs > 0) - (theirs < 0));
		ours = kernel_strncmp(a, b, n);
		theirs = strncmp(a, b, n);
		assert_int_equal((ours > 0) - (ours < 0), (theirs > 0) - (theirs < 0));
		assert_ptr_equal(kernel_strchr(a, "ab\xc3"[i % 4]), strchr(a, "ab\xc3"[i % 4]));
		assert_ptr_equal(kernel_strrchr(a, "ab\xc3"[i % 4]), strrchr(a, "ab\xc3"[i % 4]));
		assert_ptr_equal(kernel_strstr(a, b), strstr(a, b));
	}
}

static void test_string_copy_cuts_and_terminates(void **state)
{
	char buf[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(string_copy(buf, "abcdef", 4), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(string_copy(buf, "ab", sizeof(buf)), 2);
	assert_string_equal(buf, "ab");
	assert_int_equal(string_copy(buf, "zz", 0), 2);
	assert_string_equal(buf, "ab");
}

static void test_numbers_are_parsed(void **state)
{
	const char *end, *none = "x12", *bare = "0x";

	(void)state;
	assert_int_equal(string_to_u64("123rest", &end), 123);
	assert_string_equal(end, "rest");
	assert_int_equal(string_to_u64("0x1fG", &end), 0x1f);
	assert_string_equal(end, "G");
	assert_int_equal(string_to_u64(none, &end), 0);
	assert_ptr_equal(end, none);
	assert_int_equal(string_to_u64(bare, &end), 0);
	assert_ptr_equal(end, bare + 1);
	assert_true(string_to_u64("18446744073709551615", NULL) == UINT64_MAX);
}

/* --- lists --- */

struct item {
	u32 number;
	struct list link;
};

static void test_lists_keep_order_and_survive_removal_while_walked(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[6], *i, *next;
	u32 expected = 0;

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first(&head, struct item, link));
	for (u32 n = 0; n < 6; n++)
		items[n].number = n;
	for (u32 n = 3; n < 6; n++)
		list_push_back(&head, &items[n].link);
	for (u32 n = 3; n-- > 0;)
		list_push_front(&head, &items[n].link);
	list_for_each (i, &head, link)
		assert_int_equal(i->number, expected++);
	assert_int_equal(expected, 6);
	list_for_each_safe (i, next, &head, link)
		if (i->number % 2)
			list_remove(&i->link);
	list_remove(&items[1].link); /* again: harmless */
	expected = 0;
	list_for_each (i, &head, link) {
		assert_int_equal(i->number, expected);
		expected += 2;
	}
	assert_int_equal(expected, 6);
	assert_ptr_equal(list_first(&head, struct item, link), &items[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_agrees_with_printf),
		cmocka_unit_test(test_format_agrees_with_printf_on_random_conversions),
		cmocka_unit_test(test_format_cuts_and_terminates),
		cmocka_unit_test(test_memory_functions_agree_with_the_c_library),
		cmocka_unit_test(test_string_functions_agree_with_the_c_library),
		cmocka_unit_test(test_string_copy_cuts_and_terminates),
		cmocka_unit_test(test_numbers_are_parsed),
		cmocka_unit_test(test_lists_keep_order_and_survive_removal_while_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
