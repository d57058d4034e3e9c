/*
 * symbols.c - from addresses to names of kernel functions, by the table that scripts/symbol-table
 * makes between the two links.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging_priv.h"
#include "arch/x86_64/panic.h"

struct symbol {
	u32 offset; /* from KERNEL_BASE */
	u32 name;   /* in symbol_names */
};

extern const u64 symbol_count;
extern const struct symbol symbol_entries[];
extern const char symbol_names[];

const char *symbol_name(u64 address, u64 *offset)
{
	u64 low = 0, high = symbol_count;

	if (address < (u64)image_start || address >= (u64)text_end || high == 0)
		return NULL;
	/* The last symbol that does not lie behind the address is in [low, high). */
	while (high - low > 1) {
		u64 middle = (low + high) / 2;

		if (KERNEL_BASE + symbol_entries[middle].offset <= address)
			low = middle;
		else
			high = middle;
	}
	if (KERNEL_BASE + symbol_entries[low].offset > address)
		return NULL;
	*offset = address - (KERNEL_BASE + symbol_entries[low].offset);
	return symbol_names + symbol_entries[low].name;
}

#define BACKTRACE_DEPTH 40

/*
 * Frame pointers: at rbp lies the caller's rbp, above it the return address. The chain may be
 * broken: each step is checked.
 */
void backtrace_print(u64 rbp)
{
	for (u32 i = 0; i < BACKTRACE_DEPTH; i++) {
		const u64 *frame = (const u64 *)rbp;
		u64 offset;
		const char *name;

		if (rbp % 8 || !kernel_mapped(rbp) || !kernel_mapped(rbp + 15))
			return;
		/*
		 * One byte back, into the call: a call that never returns may be its function's
		 * last instruction.
		 */
		name = symbol_name(frame[1] - 1, &offset);
		if (!name)
			return;
		panic_print("  %016lx %s+%#lx\n", frame[1], name, offset + 1);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}
