/* area_priv.h - the shape of a node of the area index, for area.c and the checker. */
#ifndef MM_AREA_PRIV_H
#define MM_AREA_PRIV_H

#include "mm/area.h"

struct area_node {
	struct refcount refs;           /* parents and roots that point here */
	u32 priority;                   /* heap order: no child has a greater one */
	struct area *area;              /* a reference */
	struct area_node *left, *right; /* references */
	struct area_summary sum;
};

/* What a node over these children must know. */
void area_summarize(struct area_summary *s, const struct area *a, const struct area_node *left,
		    const struct area_node *right);

#endif
