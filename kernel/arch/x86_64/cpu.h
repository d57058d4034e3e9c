/*
 * cpu.h - the machine as the kernel proper sees it: start-up, contexts, floating point state, time
 * source, interrupts.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "arch/x86_64/regs.h"
#include "lib/types.h"

struct thread;
struct mm;

#define USER_END 0x00007ffffffff000ull
#define KERNEL_STACK_SIZE 16384ull

/* --- start-up, in the order in which kernel_main calls them --- */
void cpu_init_boot(
	/*
	 * GDT, TSS, IDT, control registers (NX WP SMEP SMAP FSGSBASE as CPUID has them), GS base of
	 * CPU 0
	 */
	void);
void cpu_init_memory(
	/*
	 * after the frame allocator: final kernel page tables (text r-x, rodata r--, data rw-),
	 * direct map, vmap region
	 */
	void);
void cpu_init_interrupts(void); /* local APIC, I/O APIC, timer calibration; interrupts stay off */

/* --- time --- */
u64 clock_monotonic(void);       /* ns since boot, from the TSC */
void timer_arm(u64 deadline_ns); /* one shot on this CPU; UINT64_MAX: none */
u64 cpu_cycles(void);            /* TSC */

/* --- contexts --- */
/* The callee-saved state of a thread that is not running: a stack pointer into its kernel stack. */
struct context {
	u64 rsp;
};
/* Save into prev, load next. Runs on next's stack afterwards. */
void context_switch(struct context *prev, struct context *next);
/*
 * Prepare a new thread's context so that the first switch to it calls entry(arg) on its stack;
 * entry must not return.
 */
void context_init(struct context *c, void *stack_top, void (*entry)(void *), void *arg);
/*
 * Leave the kernel with these registers (IRETQ); used after exec, fork and sigreturn when regs are
 * not those of a plain system call.
 */
void __noreturn enter_user(struct regs *regs);
/* Set this CPU's kernel stack for entries from user mode (TSS RSP0 and the SYSCALL stack). */
void cpu_set_kernel_stack(void *stack_top);

/* User FS and GS base of the running thread (kept in registers; save and load at a switch). */
u64 cpu_fs_base(void);
void cpu_set_fs_base(u64 base);
u64 cpu_user_gs_base(void);
void cpu_set_user_gs_base(u64 base);

/* --- floating point and vector state (XSAVE area, 64-byte aligned) --- */
u32 fpu_state_size(void); /* bytes of an XSAVE area with all enabled components, standard format */
u64 fpu_features(void);   /* XCR0 */
void fpu_save(void *area);
void fpu_load(const void *area);
void fpu_reset(void); /* load what a fresh program sees */
/*
 * Load an area that came from user memory: 0, or -EINVAL if the hardware would fault on it (then
 * nothing is loaded).
 */
int fpu_load_checked(void *area);
/*
 * The same from and into user memory itself, fpu_state_size() bytes, which may sleep: 0, -EFAULT or
 * (loading) -EINVAL. What is in its initial state is spelled out; the bytes that the processor leaves
 * to software stay as they are.
 */
__must_check int fpu_load_user(const void __user *area);
__must_check int fpu_save_user(void __user *area);
/*
 * For tracers, of a thread that does not run. fpu_export: fpu_state_size() bytes in which what is in
 * its initial state is spelled out. fpu_import: as many bytes or (legacy) the first
 * FPU_LEGACY_SIZE: 0, or -EINVAL if the hardware would not take them (then nothing changes).
 */
#define FPU_LEGACY_SIZE 512u
void fpu_export(const void *area, void *out);
int fpu_import(void *area, const void *in, bool legacy);

/* --- entropy --- */
bool cpu_random_u64(u64 *out); /* RDRAND/RDSEED where there is one */

/* --- idle, interrupts --- */
void cpu_idle(void);            /* enable interrupts, halt, disable on return */
void cpu_take_interrupts(void); /* those that are pending; for cpu_preempt_point */
/*
 * Interrupt another CPU, so that it leaves its idle loop, looks at its thread's work, and at when it
 * is to tick next.
 */
void cpu_kick(u32 cpu);

/*
 * Between the two only this CPU runs, for who has to see a whole that does not change. The caller may
 * sleep before, and must not in between.
 */
void cpus_pause(void);
void cpus_resume(void);

/* --- vmap region: pages of frames at kernel addresses --- */
/*
 * size bytes (pages, at most KERNEL_STACK_SIZE) of new frames, contents undefined, with a guard
 * below: the lowest address, or NULL.
 */
void *vmap_alloc_stack(size_t size);
void vmap_free_stack(void *stack, size_t size);
/* Map device registers, uncached. */
void *vmap_device(u64 phys, size_t size);

/* --- power --- */
void __noreturn machine_off(void); /* end the VM: QEMU exits */

/* --- symbols and backtraces --- */
const char *symbol_name(u64 address,
			u64 *offset); /* NULL if none; the table is built into the kernel */
void backtrace_print(u64 rbp);

#endif
