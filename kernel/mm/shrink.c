/*
 * shrink.c - see shrink.h. Read reclaim.c for who asks, and when.
 */
#include "mm/shrink.h"

/* Only start-up code adds, and nothing is ever taken out: it is read without a lock. */
static struct list shrinkers = LIST_INIT(shrinkers);

void shrinker_register(struct shrinker *s)
{
	list_push_back(&shrinkers, &s->link);
}

u64 shrink_caches(u64 n)
{
	struct shrinker *s;
	u64 done = 0;

	list_for_each (s, &shrinkers, link)
		done += s->shrink(n);
	return done;
}
