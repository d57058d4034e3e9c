/*
 * acpi.c - the processors that ACPI's tables list (ACPI specification 6.5, sections 5.2.5 to
 * 5.2.12): the root pointer names the root table, that names the MADT, and that has an entry for
 * each processor's local APIC.
 *
 * The tables lie wherever the firmware put them; each is looked at only after its checksum was
 * found right. They are read before the kernel's own page tables exist, so an address above 4 GiB
 * cannot be followed and passes for absent.
 */
#include "arch/x86_64/machine_impl.h"
#include "arch/x86_64/smp_priv.h"
#include "lib/string.h"

#define MAPPED BIT(32)
#define TABLE_SIZE_MAX BIT(20)

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	/* Revision 2 and later: */
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;

#define RSDP_SIZE_1 20u

struct acpi_header {
	char signature[4];
	u32 length; /* of the whole table */
	u8 revision;
	u8 checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __packed;

struct acpi_madt {
	struct acpi_header header;
	u32 local_apic;
	u32 flags;
	u8 entries[];
} __packed;

#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_X2APIC 9
#define MADT_ENABLED BIT(0)

struct madt_entry {
	u8 type, length;
	union {
		struct {
			u8 processor, apic_id;
			u32 flags;
		} __packed apic;
		struct {
			u16 reserved;
			u32 apic_id, flags, processor;
		} __packed x2apic;
	};
} __packed;

static bool sums_to_zero(const void *p, u32 n)
{
	const u8 *bytes = p;
	u8 sum = 0;

	for (u32 i = 0; i < n; i++)
		sum += bytes[i];
	return sum == 0;
}

/* The table at phys if there is a whole one, else NULL. */
static const struct acpi_header *table_at(u64 phys)
{
	const struct acpi_header *h;

	if (!phys || phys > MAPPED - TABLE_SIZE_MAX)
		return NULL;
	h = phys_to_virt(phys);
	if (h->length < sizeof(*h) || h->length > TABLE_SIZE_MAX || !sums_to_zero(h, h->length))
		return NULL;
	return h;
}

static void madt_read(const struct acpi_madt *m)
{
	const u8 *end = (const u8 *)m + m->header.length;
	const u8 *p = m->entries;

	while (end - p >= 2) {
		const struct madt_entry *e = (const struct madt_entry *)p;

		if (e->length < 2 || e->length > end - p)
			return;
		if (e->type == MADT_LOCAL_APIC && e->length >= 8 && e->apic.flags & MADT_ENABLED)
			cpu_found(e->apic.apic_id);
		if (e->type == MADT_LOCAL_X2APIC && e->length >= 16 &&
		    e->x2apic.flags & MADT_ENABLED)
			cpu_found(e->x2apic.apic_id);
		p += e->length;
	}
}

/* The root table's entries are 4 (RSDT) or 8 bytes (XSDT), not aligned. */
static const struct acpi_header *madt_find(const struct acpi_header *root, u32 entry_size)
{
	const u8 *p = (const u8 *)(root + 1), *end = (const u8 *)root + root->length;

	for (; end - p >= entry_size; p += entry_size) {
		const struct acpi_header *h;
		u64 phys = 0;

		memcpy(&phys, p, entry_size);
		h = table_at(phys);
		if (h && memcmp(h->signature, "APIC", 4) == 0 &&
		    h->length >= sizeof(struct acpi_madt))
			return h;
	}
	return NULL;
}

bool acpi_cpus_find(u64 phys)
{
	const struct acpi_header *root = NULL, *madt = NULL;
	const struct acpi_rsdp *rsdp;

	if (!phys || phys > MAPPED - sizeof(*rsdp))
		return false;
	rsdp = phys_to_virt(phys);
	if (memcmp(rsdp->signature, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, RSDP_SIZE_1))
		return false;
	if (rsdp->revision >= 2)
		root = table_at(rsdp->xsdt);
	if (root)
		madt = madt_find(root, sizeof(u64));
	if (!madt) {
		root = table_at(rsdp->rsdt);
		madt = root ? madt_find(root, sizeof(u32)) : NULL;
	}
	if (!madt)
		return false;
	madt_read((const struct acpi_madt *)madt);
	return true;
}
