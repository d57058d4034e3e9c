/*
 * tlb.h - which space this CPU has loaded, and shootdowns between CPUs (mm/machine.h has the calls
 * that mm makes).
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

struct mm;

/*
 * Load mm's root on this CPU, by PROTOCOL's "switch in" and "switch out". NULL: a kernel thread
 * runs; the old root stays loaded (lazily) and the CPU stays in its mask. Called by the scheduler
 * with the run queue locked or by exec in its own thread.
 */
void space_activate(struct mm *mm);
/*
 * This CPU is about to halt: it takes the root off that it has loaded still, if there are others. To
 * wake it up for a shootdown would cost who shoots far more than loading a root once again does it.
 */
void space_idle(void);
/* The space whose root this CPU has loaded (lazily or not), or NULL. */
struct mm *space_loaded(void);

#endif
