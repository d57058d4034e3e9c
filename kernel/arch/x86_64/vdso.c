/*
 * vdso.c - the pages of the vDSO and of its data, and their mapping.
 *
 * They are made once and never freed, and all spaces map the same ones: immortal frames, uncounted
 * (PROTOCOL, invariant R). Read vdso/vdso.c for what programs run.
 */
#include "arch/x86_64/vdso.h"

#include "arch/x86_64/features.h"
#include "arch/x86_64/traps_priv.h"
#include "arch/x86_64/vdso_data.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/space.h"

#define IMAGE_PAGES_MAX 4

extern const char vdso_image_start[], vdso_image_end[]; /* vdso_image.S */

static struct page *data_page, *image_pages[IMAGE_PAGES_MAX]; /* C */
static u32 image_count;                                       /* C */

static struct vdso_data *data(void)
{
	return frame_data(data_page);
}

static struct page *immortal_page(const void *bytes, u64 size)
{
	struct page *p = frame_alloc(PAGE_KERNEL);

	if (!p)
		panic("no memory for the vDSO");
	memset(frame_data(p), 0, PAGE_SIZE);
	memcpy(frame_data(p), bytes, size);
	frame_make_immortal(p);
	return p;
}

void vdso_init(void)
{
	struct vdso_data d = { .has_rdtscp = cpu_features.rdtscp };
	u64 size = (u64)(vdso_image_end - vdso_image_start);

	assert(size <= IMAGE_PAGES_MAX * PAGE_SIZE);
	clock_tell(&d);
	data_page = immortal_page(&d, sizeof(d));
	for (u64 at = 0; at < size; at += PAGE_SIZE)
		image_pages[image_count++] =
			immortal_page(vdso_image_start + at, min(size - at, PAGE_SIZE));
}

void vdso_set_realtime_offset(u64 ns)
{
	if (data_page)
		store_relaxed(&data()->realtime_offset, ns);
}

u64 vdso_size(void)
{
	return (1 + image_count) * PAGE_SIZE;
}

int vdso_map(struct mm *mm, u64 address)
{
	int err = space_map_special(mm, address, &data_page, 1, AREA_READ | AREA_MAYREAD);

	if (!err)
		err = space_map_special(mm, address + PAGE_SIZE, image_pages, image_count,
					AREA_READ | AREA_EXEC | AREA_MAYREAD | AREA_MAYWRITE |
						AREA_MAYEXEC);
	mm->vdso = address + PAGE_SIZE;
	return err;
}
