/* tlb_priv.h - shootdowns inside of arch/x86_64. */
#ifndef ARCH_TLB_PRIV_H
#define ARCH_TLB_PRIV_H

#include "lib/types.h"

/* Serve this CPU's mailbox. */
void shootdown_serve(void);
/* Kernel pages that were unmapped: no CPU holds their translations on return. */
void tlb_shoot_kernel(u64 va, u64 pages);

#endif
