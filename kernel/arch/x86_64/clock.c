/*
 * clock.c - time: the monotonic clock, read from the TSC, and the one-shot timer of each CPU.
 *
 * ns = (tsc - boot) * scale >> 32. The scale is measured once against the local APIC's timer. A
 * measurement reads the TSC before and after the APIC, several times, and keeps the narrowest pair:
 * when the host takes the processor away in between, the pair is wide.
 */
#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/smp_priv.h"
#include "arch/x86_64/traps_priv.h"
#include "arch/x86_64/vdso_data.h"
#include "lib/atomic.h"
#include "lib/print.h"

#define CALIBRATION_NS 2000000u
#define CALIBRATION_READS 8

static u64 boot_tsc;  /* C */
static u64 ns_scale;  /* C: nanoseconds a TSC tick, 32.32 */
static u64 tsc_scale; /* C: TSC ticks a nanosecond, 32.32 */

static u64 scale(u64 v, u64 by)
{
	return (u64)((unsigned __int128)v * by >> CLOCK_SCALE_SHIFT);
}

struct clock_pair {
	u64 tsc;
	u32 count; /* of the APIC timer, which counts down */
};

static struct clock_pair clock_pair_read(void)
{
	struct clock_pair best = { 0 };
	u64 width = UINT64_MAX;

	for (u32 i = 0; i < CALIBRATION_READS; i++) {
		u64 before = rdtsc();
		u32 count = apic_timer_count();
		u64 after = rdtsc();

		if (after - before < width) {
			width = after - before;
			best = (struct clock_pair){ before + width / 2, count };
		}
	}
	return best;
}

void clock_init(void)
{
	boot_tsc = rdtsc();
}

void clock_calibrate(void)
{
	struct clock_pair from, to;
	u64 ticks, ns;

	apic_timer_start(UINT32_MAX);
	from = clock_pair_read();
	while (from.count - apic_timer_count() < CALIBRATION_NS)
		cpu_pause();
	to = clock_pair_read();
	apic_timer_start(0);
	ticks = to.tsc - from.tsc;
	ns = from.count - to.count;
	if (ticks == 0)
		panic("the TSC stands still");
	ns_scale = (ns << CLOCK_SCALE_SHIFT) / ticks;
	tsc_scale = (ticks << CLOCK_SCALE_SHIFT) / ns;
	log_info("clock: TSC at %lu kHz", ticks * 1000000 / ns);
	clock_timer_init();
}

void clock_timer_init(void)
{
	apic_timer_mode(cpu_features.tsc_deadline, false);
}

/*
 * Time must not go back for who reads it on one CPU after another has. A processor that starts is
 * compared with CPU 0: in each round CPU 0 reads its TSC, then the other, then CPU 0 again; what the
 * other read must lie between. If it does not, its TSC is moved by the least that makes it so.
 */
#define COMPARE_ROUNDS 64u

static u64 compare_round; /* A: 2n + 1: round n begins; 2n + 2: the other CPU has read */
static u64 compare_read;  /* what it read */
static s64 compare_correction;

static void compare_wait(u64 round)
{
	while (load_acquire(&compare_round) != round)
		cpu_pause();
}

void clock_compare_boot(void)
{
	s64 least = INT64_MIN, most = INT64_MAX; /* by how much the other may be ahead */

	for (u64 n = 0; n < COMPARE_ROUNDS; n++) {
		u64 before = rdtsc();

		store_release(&compare_round, 2 * n + 1);
		compare_wait(2 * n + 2);
		least = max(least, (s64)(compare_read - rdtsc()));
		most = min(most, (s64)(compare_read - before));
	}
	compare_correction = most < 0 ? most : least > 0 ? least : 0;
	if (compare_correction)
		log_info("clock: a TSC is %ld ticks off", compare_correction);
	store_release(&compare_round, 2 * COMPARE_ROUNDS + 1);
	compare_wait(0);
}

void clock_compare_secondary(void)
{
	for (u64 n = 0; n < COMPARE_ROUNDS; n++) {
		compare_wait(2 * n + 1);
		compare_read = rdtsc();
		store_release(&compare_round, 2 * n + 2);
	}
	compare_wait(2 * COMPARE_ROUNDS + 1);
	if (compare_correction && cpu_features.tsc_adjust)
		wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) - (u64)compare_correction);
	else if (compare_correction)
		wrmsr(MSR_TSC, rdtsc() - (u64)compare_correction);
	store_release(&compare_round, 0);
}

void clock_tell(struct vdso_data *d)
{
	d->boot_tsc = boot_tsc;
	d->ns_scale = ns_scale;
}

u64 cpu_cycles(void)
{
	return rdtsc();
}

u64 clock_monotonic(void)
{
	return scale(rdtsc() - boot_tsc, ns_scale);
}

/*
 * Longer waits than the 32-bit count holds end early: the timer interrupt then finds nothing due
 * and arms again.
 */
void timer_arm(u64 deadline_ns)
{
	u64 now;

	if (cpu_features.tsc_deadline) {
		wrmsr(MSR_TSC_DEADLINE,
		      deadline_ns == UINT64_MAX ? 0 : boot_tsc + scale(deadline_ns, tsc_scale) + 1);
		return;
	}
	if (deadline_ns == UINT64_MAX) {
		apic_timer_start(0);
		return;
	}
	now = clock_monotonic();
	apic_timer_start(deadline_ns > now ? (u32)min(deadline_ns - now, (u64)UINT32_MAX) : 1);
}
