/*
 * features.c - reads CPUID once (Intel SDM vol. 2, CPUID). What every x86-64 processor has (NX on
 * all since 2005 included) is not asked.
 */
#include "arch/x86_64/features.h"

#include "arch/x86_64/instr.h"

struct cpu_features cpu_features;

void features_detect(void)
{
	struct cpu_features *f = &cpu_features;
	u32 last = cpuid(0, 0).a, last_extended = cpuid(0x80000000, 0).a;
	struct cpuid one = cpuid(1, 0);

	f->pge = one.d & BIT(13);
	f->x2apic = one.c & BIT(21);
	f->tsc_deadline = one.c & BIT(24);
	f->xsave = one.c & BIT(26);
	f->rdrand = one.c & BIT(30);
	if (last >= 7) {
		struct cpuid seven = cpuid(7, 0);

		f->fsgsbase = seven.b & BIT(0);
		f->tsc_adjust = seven.b & BIT(1);
		f->smep = seven.b & BIT(7);
		f->rdseed = seven.b & BIT(18);
		f->smap = seven.b & BIT(20);
		f->umip = seven.c & BIT(2);
	}
	if (f->xsave && last >= 0xd)
		f->xsaveopt = cpuid(0xd, 1).a & BIT(0);
	if (last_extended >= 0x80000001) {
		u32 extended = cpuid(0x80000001, 0).d;

		f->page_1g = extended & BIT(26);
		f->rdtscp = extended & BIT(27);
	}
}
