/*
 * usercopy.c - range checks before, and results after, the loops of usercopy.S.
 */
#include "arch/x86_64/usercopy.h"

#include "arch/x86_64/cpu.h"

size_t user_copy(void *dst, const void *src, size_t n);
size_t user_clear(void *dst, size_t n);
ssize user_string(char *dst, const char *src, size_t n);
ssize user_string_length(const char *src, size_t n);
int user_cas_u32(u32 *p, u32 expected, u32 desired, u32 *old);

bool user_range_ok(const void __user *p, size_t n)
{
	return n <= USER_END && (u64)p <= USER_END - n;
}

size_t copy_from_user(void *dst, const void __user *src, size_t n)
{
	return user_range_ok(src, n) ? user_copy(dst, src, n) : n;
}

size_t copy_to_user(void __user *dst, const void *src, size_t n)
{
	return user_range_ok(dst, n) ? user_copy(dst, src, n) : n;
}

size_t clear_user(void __user *dst, size_t n)
{
	return user_range_ok(dst, n) ? user_clear(dst, n) : n;
}

/*
 * At most `limit` bytes, and none past USER_END: a string that runs into it has no NUL there, but a
 * fault.
 */
static ssize string_walk(char *dst, const char __user *src, size_t limit)
{
	size_t room = (u64)src < USER_END ? USER_END - (u64)src : 0;
	ssize length = dst ? user_string(dst, src, min(limit, room))
			   : user_string_length(src, min(limit, room));

	if (length < 0 || (room < limit && (size_t)length == room))
		return -EFAULT;
	return length;
}

ssize string_from_user(char *dst, const char __user *src, size_t size)
{
	ssize length = string_walk(dst, src, size);

	return length >= 0 && (size_t)length == size ? -ENAMETOOLONG : length;
}

ssize string_length_user(const char __user *src, size_t max)
{
	return string_walk(NULL, src, max);
}

int cas_user_u32(u32 __user *p, u32 expected, u32 desired, u32 *old)
{
	if (!user_range_ok(p, sizeof(*p)))
		return -EFAULT;
	return user_cas_u32(p, expected, desired, old) ? -EFAULT : 0;
}
