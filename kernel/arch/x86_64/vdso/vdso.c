/*
 * vdso.c - code that programs run: the clocks and the number of the CPU, without entering the kernel
 * (vdso(7)).
 *
 * It is a shared library of its own, built with the kernel and mapped into every program. It computes
 * what kernel/arch/x86_64/clock.c and kernel/proc/clock.c compute, from the same numbers, so that both
 * can be mixed: the TSC is read behind all loads before it, so the time never goes back for who has
 * seen a later one. What it does not know, it asks the kernel.
 */
#include <asm/unistd_64.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "arch/x86_64/vdso_data.h"

#define NS_IN_SECOND 1000000000ull
#define NS_IN_MICROSECOND 1000ull
#define COARSE_RESOLUTION_NS 4000000

/* Placed by the linker script right below the image. */
extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

static long ask_kernel(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static u64 monotonic(void)
{
	u32 low, high;
	u64 tsc;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	tsc = ((u64)high << 32 | low) - vdso_data.boot_tsc;
	return (u64)((unsigned __int128)tsc * vdso_data.ns_scale >> CLOCK_SCALE_SHIFT);
}

static u64 realtime(void)
{
	return monotonic() + __atomic_load_n(&vdso_data.realtime_offset, __ATOMIC_RELAXED);
}

int __vdso_clock_gettime(s32 clock, struct __kernel_timespec *ts)
{
	u64 ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		ns = realtime();
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = monotonic();
		break;
	default:
		return (int)ask_kernel(__NR_clock_gettime, clock, (long)ts, 0);
	}
	ts->tv_sec = (s64)(ns / NS_IN_SECOND);
	ts->tv_nsec = (s64)(ns % NS_IN_SECOND);
	return 0;
}

/* The kernel has no time zone. */
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	u64 ns = realtime();

	if (tv) {
		tv->tv_sec = (s64)(ns / NS_IN_SECOND);
		tv->tv_usec = (s64)(ns % NS_IN_SECOND / NS_IN_MICROSECOND);
	}
	if (tz) {
		tz->tz_minuteswest = 0;
		tz->tz_dsttime = 0;
	}
	return 0;
}

s64 __vdso_time(s64 *at)
{
	s64 now = (s64)(realtime() / NS_IN_SECOND);

	if (at)
		*at = now;
	return now;
}

long __vdso_getcpu(u32 *cpu, u32 *node, void *unused)
{
	u32 low, high, number;

	(void)unused;
	if (!vdso_data.has_rdtscp)
		return ask_kernel(__NR_getcpu, (long)cpu, (long)node, 0);
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(number));
	if (cpu)
		*cpu = number;
	if (node)
		*node = 0;
	return 0;
}

int __vdso_clock_getres(s32 clock, struct __kernel_timespec *resolution)
{
	s64 ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		ns = 1;
		break;
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		ns = COARSE_RESOLUTION_NS;
		break;
	default:
		return (int)ask_kernel(__NR_clock_getres, clock, (long)resolution, 0);
	}
	if (resolution) {
		resolution->tv_sec = 0;
		resolution->tv_nsec = ns;
	}
	return 0;
}

#define ALSO_KNOWN_AS(name, result, ...) \
	result name(__VA_ARGS__) __attribute__((weak, alias("__vdso_" #name)))

ALSO_KNOWN_AS(clock_gettime, int, s32 clock, struct __kernel_timespec *ts);
ALSO_KNOWN_AS(gettimeofday, int, struct __kernel_old_timeval *tv, struct timezone *tz);
ALSO_KNOWN_AS(time, s64, s64 *at);
ALSO_KNOWN_AS(getcpu, long, u32 *cpu, u32 *node, void *unused);
ALSO_KNOWN_AS(clock_getres, int, s32 clock, struct __kernel_timespec *resolution);
