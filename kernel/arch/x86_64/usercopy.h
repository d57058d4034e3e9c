/*
 * usercopy.h - the only code that follows pointers into user memory.
 *
 * Each call checks that the whole range lies below USER_END, opens SMAP's window, and survives a
 * fault that mm cannot resolve. They may fault, sleep and do I/O: no spinlock and no mm lock may be
 * held.
 */
#ifndef ARCH_USERCOPY_H
#define ARCH_USERCOPY_H

#include "lib/err.h"
#include "lib/types.h"

/* Bytes NOT copied; 0 is success. */
__must_check size_t copy_from_user(void *dst, const void __user *src, size_t n);
__must_check size_t copy_to_user(void __user *dst, const void *src, size_t n);
__must_check size_t clear_user(void __user *dst, size_t n);
/*
 * Length without the NUL (< size), -EFAULT, or -ENAMETOOLONG when size bytes held no NUL. dst is
 * terminated on success.
 */
__must_check ssize string_from_user(char *dst, const char __user *src, size_t size);
/* Length without the NUL, at most max (then there was no NUL in max bytes), or -EFAULT. */
__must_check ssize string_length_user(const char __user *src, size_t max);
/* 32-bit compare-and-exchange on user memory (futex). *old gets what was there. 0 or -EFAULT. */
__must_check int cas_user_u32(u32 __user *p, u32 expected, u32 desired, u32 *old);

/* Single values of 1, 2, 4 or 8 bytes: 0 or -EFAULT. */
#define get_user(dst, src) (copy_from_user(&(dst), src, sizeof(dst)) ? -EFAULT : 0)
#define put_user(value, dst)                                          \
	({                                                            \
		__typeof__(*(dst)) pu_v = (value);                    \
		copy_to_user(dst, &pu_v, sizeof(pu_v)) ? -EFAULT : 0; \
	})

/* True if [p, p + n) lies in the user half. */
bool user_range_ok(const void __user *p, size_t n);

#endif
