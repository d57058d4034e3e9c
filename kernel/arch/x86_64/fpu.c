/*
 * fpu.c - floating point and vector state: what a program has in x87, SSE, AVX and AVX-512
 * registers, kept in its thread's XSAVE area.
 *
 * The kernel itself uses none of it, so the registers hold the running program's state all the
 * time. Format and rules: Intel SDM vol. 1, chapter 13. Without XSAVE the area is FXSAVE's 512
 * bytes.
 */
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/traps_priv.h"
#include "arch/x86_64/usercopy.h"
#include "lib/err.h"
#include "lib/string.h"

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_AVX512 (7ull << 5)

#define LEGACY_SIZE FPU_LEGACY_SIZE
/* In the legacy area (SDM vol. 1, table 10-2): */
#define X87_CONTROL_END 24
#define X87_REGISTERS 32
#define X87_REGISTERS_END 160
#define XMM_REGISTERS 160
#define XMM_REGISTERS_END 416
#define SOFTWARE_BYTES 464 /* Linux tells tracers XCR0 here */
#define SOFTWARE_BYTES_END 512
#define CONTROL_WORD_DEFAULT 0x37f
#define MXCSR_DEFAULT 0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf /* when FXSAVE stores 0 as its mask */

struct fpu_header {
	u64 present; /* XSTATE_BV */
	u64 compact; /* XCOMP_BV */
	u64 reserved[6];
};

struct fpu_area {
	u16 control_word;
	u8 unused0[22];
	u32 mxcsr;
	u32 mxcsr_mask;
	u8 unused1[480];
	struct fpu_header header; /* only with XSAVE */
};

_Static_assert(offsetof(struct fpu_area, mxcsr) == 24, "FXSAVE area");
_Static_assert(offsetof(struct fpu_area, header) == LEGACY_SIZE, "XSAVE area");

/* C */
static u64 features;
static u32 state_size;
static u32 mxcsr_mask;

static void mxcsr_mask_find(void)
{
	static struct fpu_area probe __aligned(64);

	__asm__ volatile("fninit; fxsave64 %0" : "=m"(probe));
	mxcsr_mask = probe.mxcsr_mask ? probe.mxcsr_mask : MXCSR_MASK_DEFAULT;
}

void fpu_init(void)
{
	u64 supported;

	mxcsr_mask_find();
	features = XCR0_X87 | XCR0_SSE;
	state_size = LEGACY_SIZE;
	if (!cpu_features.xsave)
		return;
	supported = cpuid(0xd, 0).a;
	if (supported & XCR0_AVX) {
		features |= XCR0_AVX;
		if ((supported & XCR0_AVX512) == XCR0_AVX512)
			features |= XCR0_AVX512;
	}
	fpu_init_cpu();
	state_size = cpuid(0xd, 0).b;
}

void fpu_init_cpu(void)
{
	if (cpu_features.xsave)
		write_xcr0(features);
}

u32 fpu_state_size(void)
{
	return state_size;
}

u64 fpu_features(void)
{
	return features;
}

void fpu_save(void *area)
{
	u32 low = (u32)features, high = (u32)(features >> 32);

	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
	else if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

/* False if the processor refused. */
static bool restore(const void *area)
{
	u32 low = (u32)features, high = (u32)(features >> 32);
	u32 failed = 0;

	if (cpu_features.xsave)
		__asm__ volatile("1: xrstor64 (%1)\n"
				 "2:\n"
				 ".pushsection .text.fixup, \"ax\"\n"
				 "3: movl $1, %0\n"
				 "jmp 2b\n"
				 ".popsection\n" ON_FAULT("1b", "3b")
				 : "+r"(failed)
				 : "r"(area), "a"(low), "d"(high)
				 : "memory");
	else
		__asm__ volatile("1: fxrstor64 (%1)\n"
				 "2:\n"
				 ".pushsection .text.fixup, \"ax\"\n"
				 "3: movl $1, %0\n"
				 "jmp 2b\n"
				 ".popsection\n" ON_FAULT("1b", "3b")
				 : "+r"(failed)
				 : "r"(area)
				 : "memory");
	return !failed;
}

void fpu_load(const void *area)
{
	(void)restore(area);
}

void fpu_reset(void)
{
	/* No component is present: XRSTOR initializes all, and takes MXCSR (SDM vol. 1, 13.8.1). */
	static const struct fpu_area initial __aligned(64) = { .control_word = CONTROL_WORD_DEFAULT,
							       .mxcsr = MXCSR_DEFAULT };

	(void)restore(&initial);
}

/* Those checks whose failure makes XRSTOR fault (SDM vol. 1, 13.8.1). */
static bool is_loadable(u32 mxcsr, const struct fpu_header *h)
{
	if (mxcsr & ~mxcsr_mask)
		return false;
	if (!cpu_features.xsave)
		return true;
	if ((h->present & ~features) || h->compact)
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(h->reserved); i++)
		if (h->reserved[i])
			return false;
	return true;
}

/* The fixup stands behind the checks. */
int fpu_load_checked(void *area)
{
	const struct fpu_area *a = area;

	return is_loadable(a->mxcsr, &a->header) && restore(area) ? 0 : -EINVAL;
}

/* --- user memory --- */

/* instruction: with the area in RDI; where it faults for good, `failed` becomes 1. */
#define ON_USER_AREA(instruction, area, failed)                                           \
	__asm__ volatile(SMAP_OPEN "1: " instruction " (%1)\n"                            \
				   "2:\n" SMAP_CLOSE ".pushsection .text.fixup, \"ax\"\n" \
				   "3: movl $1, %0\n"                                     \
				   "jmp 2b\n"                                             \
				   ".popsection\n" ON_FAULT("1b", "3b")                   \
			 : "+r"(failed)                                                   \
			 : "r"(area), "a"((u32)features), "d"((u32)(features >> 32))      \
			 : "memory")

/* XSAVE, as XSAVEOPT leaves out what is in its initial state: memory must not keep old values. */
int fpu_save_user(void __user *area)
{
	struct fpu_area *a = (struct fpu_area *)area;
	u32 failed = 0;

	if (!user_range_ok(area, state_size))
		return -EFAULT;
	if (!cpu_features.xsave) {
		ON_USER_AREA("fxsave64", area, failed);
	} else {
		/* It writes XSTATE_BV alone of the header. */
		if (clear_user((void __user *)&a->header, sizeof(a->header)))
			return -EFAULT;
		ON_USER_AREA("xsave64", area, failed);
	}
	return failed ? -EFAULT : 0;
}

/* The program may change it after the checks; where it matters the processor faults then. */
int fpu_load_user(const void __user *area)
{
	const struct fpu_area *a = (const struct fpu_area *)area;
	struct fpu_header header = { 0 };
	u32 failed = 0, mxcsr;

	if (!user_range_ok(area, state_size) || get_user(mxcsr, (const u32 __user *)&a->mxcsr))
		return -EFAULT;
	if (cpu_features.xsave &&
	    copy_from_user(&header, (const void __user *)&a->header, sizeof(header)))
		return -EFAULT;
	if (!is_loadable(mxcsr, &header))
		return -EINVAL;
	if (cpu_features.xsave)
		ON_USER_AREA("xrstor64", area, failed);
	else
		ON_USER_AREA("fxrstor64", area, failed);
	return failed ? -EFAULT : 0;
}

/* --- for tracers --- */

static void zero(void *area, u32 from, u32 to)
{
	memset((char *)area + from, 0, to - from);
}

/* XSAVEOPT leaves the bytes of a component that is in its initial state as they were. */
static void spell_out(struct fpu_area *a)
{
	if (!(a->header.present & XCR0_X87)) {
		zero(a, 0, X87_CONTROL_END);
		zero(a, X87_REGISTERS, X87_REGISTERS_END);
		a->control_word = CONTROL_WORD_DEFAULT;
	}
	if (!(a->header.present & XCR0_SSE))
		zero(a, XMM_REGISTERS, XMM_REGISTERS_END);
	for (u32 i = 2; i < 64; i++) {
		if (features & BIT(i) && !(a->header.present & BIT(i))) {
			struct cpuid c = cpuid(0xd, i);

			zero(a, c.b, c.b + c.a);
		}
	}
}

void fpu_export(const void *area, void *out)
{
	memcpy(out, area, state_size);
	if (cpu_features.xsave)
		spell_out(out);
	zero(out, SOFTWARE_BYTES, SOFTWARE_BYTES_END);
	*(u64 *)((char *)out + SOFTWARE_BYTES) = features;
}

int fpu_import(void *area, const void *in, bool legacy)
{
	const struct fpu_area *from = in;
	struct fpu_area *a = area;

	if (legacy ? from->mxcsr & ~mxcsr_mask : !is_loadable(from->mxcsr, &from->header))
		return -EINVAL;
	memcpy(area, in, legacy ? LEGACY_SIZE : state_size);
	if (legacy && cpu_features.xsave)
		a->header.present |= XCR0_X87 | XCR0_SSE;
	return 0;
}
