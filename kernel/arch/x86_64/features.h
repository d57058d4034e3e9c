/* features.h - what CPUID says this processor has, of what the kernel uses where it can. */
#ifndef ARCH_FEATURES_H
#define ARCH_FEATURES_H

#include "lib/types.h"

struct cpu_features {
	bool pge, smep, smap, umip, fsgsbase;
	bool xsave, xsaveopt;
	bool x2apic, tsc_deadline, tsc_adjust;
	bool rdrand, rdseed;
	bool page_1g, rdtscp;
};

/* C: set by features_detect on CPU 0 before anything asks. */
extern struct cpu_features cpu_features;

void features_detect(void);

#endif
