/*
 * model.h - a naive model of spaces, and what it is compared with.
 *
 * view.c is the model: an array of pages for each space, copied whole by fork. stream.c makes
 * operations up, applies each to mm and to the model, and compares. main.c reads the command line.
 */
#ifndef MODEL_H
#define MODEL_H

#include "hosted.h"
#include "object_mem.h"

#define SPACES 16
#define CLUSTERS 8
#define CLUSTER_SLOTS 24
#define SLOTS (CLUSTERS * CLUSTER_SLOTS) /* what a space may map */
/* In clusters 3 and 4 a slot is a run of pages, so that 2 MiB pages fit: its first page is used. */
#define WIDE_FIRST 3
#define WIDE_CLUSTERS 2
#define WIDE_PAGES 64
#define WORDS 4 /* of a page that are looked at */
#define OBJECTS 40
#define NAMED_OBJECTS \
	4 /* two files, two memory objects; the rest come with MAP_SHARED|MAP_ANONYMOUS */
#define OBJECT_PAGES 64

struct view_object {
	bool used;
	struct mem_object *named; /* NULL: made by mm */
	u64 size;
	u32 refs; /* pages of spaces that map it */
	u64 words[OBJECT_PAGES][WORDS];
};

struct view_page {
	bool mapped, shared;
	bool own;      /* private, written to: the content is in words */
	u32 own_pages; /* of a wide slot: how many are there; the others hold zeros */
	u32 flags;     /* AREA_* */
	s32 object;    /* -1: none */
	u32 object_page;
	u64 words[WORDS];
};

struct view_space {
	struct mm *mm; /* NULL: no such space */
	struct view_page pages[SLOTS];
};

extern struct view_space spaces[SPACES];
extern struct view_object objects[OBJECTS];
extern const u32 word_offset[WORDS];

u64 slot_va(u32 slot);
bool slot_is_wide(u32 slot);
u32 slot_pages(u32 slot);
/* Of `count` slots of one cluster. */
static inline u64 slots_bytes(u32 slot, u32 count)
{
	return (u64)count * slot_pages(slot) * PAGE_SIZE;
}
/* Slots whose address lies in [start, end): *first and how many. */
u32 slots_in(u64 start, u64 end, u32 *first);

/* The content of a page as a program sees it; NULL beyond the object's size. */
const u64 *view_words(const struct view_page *p);
/* Make the page's content its own. */
void view_own(struct view_page *p);
/* What was just written to turned out to be a huge page: all of it is the space's own. */
void view_own_huge(struct view_space *s, u32 slot);
/* How many pages of the slot mm counts as the space's private ones. */
extern struct swap_mem *swap_device; /* of the stream that runs */
u32 anon_pages_in(const struct view_space *s, u32 slot);
/* It is mapped, but as if never touched. */
void view_empty(struct view_page *p);
void view_unmap(struct view_page *p);
void view_map(struct view_page *p, const struct view_page *as);
/* What fork gives the child. */
void view_fork(struct view_space *child, const struct view_space *parent);
void view_truncate(u32 object, u64 size);
void view_punch(u32 object, u32 first, u32 end);
void view_write(u32 object, u32 page, u32 word, u64 value);
/* Do two neighbouring slots belong to one area? */
bool view_same_area(const struct view_space *s, u32 slot);

/* Compare a space's tree and areas with the model, without a fault. NULL, or what differs. */
const char *view_difference(const struct view_space *s);
const char *view_difference_all(void);

struct stream_options {
	u64 seed, ops;
	u32 cpus;
	bool fail;    /* every operation again and again, with each allocation failing */
	bool verbose; /* print each operation */
};

/*
 * Run one stream from an empty machine to an empty machine. Panics at the first difference. Returns
 * how many operations (with retries) were made.
 */
u64 stream_run(const struct stream_options *o);

#endif
