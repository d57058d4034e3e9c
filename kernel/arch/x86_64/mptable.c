/*
 * mptable.c - the processors that MP tables list (Intel MultiProcessor Specification 1.4, chapter
 * 4): what firmware without ACPI leaves.
 *
 * A pointer lies in the last KiB of base memory or in the BIOS's read-only memory; it names the
 * configuration table, which begins with an entry for each processor. (Its length says how many
 * entries there are; firmware has been seen, qboot, that leaves their number 0.)
 */
#include "arch/x86_64/machine_impl.h"
#include "arch/x86_64/smp_priv.h"
#include "lib/string.h"

#define POINTER_ALIGN 16u

static const struct {
	u64 from, to;
} places[] = {
	{ 0x9fc00, 0xa0000 }, /* the extended BIOS data area and the end of base memory */
	{ 0xf0000, 0x100000 },
};

struct mp_pointer {
	char signature[4];
	u32 table;
	u8 length; /* in units of 16 bytes */
	u8 revision, checksum, features[5];
} __packed;

struct mp_table {
	char signature[4];
	u16 length;
	u8 revision, checksum;
	char oem[8], product[12];
	u32 oem_table;
	u16 oem_size, entries;
	u32 local_apic;
	u16 extended_length;
	u8 extended_checksum, reserved;
	u8 first[];
} __packed;

#define ENTRY_PROCESSOR 0 /* these come first; the other kinds are 8 bytes long */
#define PROCESSOR_USABLE BIT(0)

struct mp_processor {
	u8 type, apic_id, apic_version, flags;
	u32 signature, features, reserved[2];
} __packed;

static bool sums_to_zero(const void *p, u32 n)
{
	const u8 *bytes = p;
	u8 sum = 0;

	for (u32 i = 0; i < n; i++)
		sum += bytes[i];
	return sum == 0;
}

static const struct mp_table *table_of(const struct mp_pointer *p)
{
	const struct mp_table *t;

	if (memcmp(p->signature, "_MP_", 4) != 0 || p->length != 1 ||
	    !sums_to_zero(p, sizeof(*p)) || !p->table)
		return NULL;
	t = phys_to_virt(p->table);
	if (memcmp(t->signature, "PCMP", 4) != 0 || t->length < sizeof(*t) ||
	    !sums_to_zero(t, t->length))
		return NULL;
	return t;
}

static const struct mp_table *table_find(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		for (u64 at = places[i].from; at < places[i].to; at += POINTER_ALIGN) {
			const struct mp_table *t = table_of(phys_to_virt(at));

			if (t)
				return t;
		}
	}
	return NULL;
}

bool mptable_cpus_find(void)
{
	const struct mp_table *t = table_find();
	const struct mp_processor *p;

	if (!t)
		return false;
	p = (const struct mp_processor *)t->first;
	for (; (const u8 *)(p + 1) <= (const u8 *)t + t->length && p->type == ENTRY_PROCESSOR; p++)
		if (p->flags & PROCESSOR_USABLE)
			cpu_found(p->apic_id);
	return true;
}
