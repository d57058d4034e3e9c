/*
 * procfs_cpu.c - /proc/cpuinfo: what CPUID says of the processor, in the words that Linux has for
 * it.
 *
 * All CPUs of the machine are alike, so those of the CPU that runs the reader are shown for each.
 * Facts: Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E.
 */
#include <linux/stat.h>

#include "arch/x86_64/instr.h"
#include "arch/x86_64/percpu.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "proc/proc.h"

#define ADDRESS_BITS 48u /* virtual, with four levels of tables */

enum cpuid_register { EAX, EBX, ECX, EDX };

/*
 * The names of the bits of one register, from bit 0 on, separated by blanks; "-": none, or the
 * kernel does not let programs have it.
 */
static const struct flag_word {
	u32 leaf, subleaf;
	enum cpuid_register reg;
	const char *names;
} flag_words[] = {
	{ 1, 0, EDX,
	  "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - "
	  "dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ 0x80000001, 0, EDX,
	  "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp "
	  "- lm 3dnowext 3dnow" },
	{ 1, 0, ECX,
	  "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - "
	  "pcid dca sse4_1 sse4_2 x2apic movbe popcnt "
	  "tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor" },
	{ 0x80000001, 0, ECX,
	  "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs "
	  "xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm "
	  "topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx" },
	{ 7, 0, EBX,
	  "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - - rdt_a "
	  "avx512f avx512dq rdseed adx smap avx512ifma - clflushopt "
	  "clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl" },
	{ 0xd, 1, EAX, "xsaveopt xsavec xgetbv1 xsaves" },
	{ 7, 0, ECX,
	  "- avx512vbmi umip - - waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
	  "avx512_bitalg tme avx512_vpopcntdq - - - - - - - "
	  "rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd" },
	{ 7, 0, EDX,
	  "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - "
	  "serialize - tsxldtrk" },
};

void text_cpu_mask(struct text *t, u64 mask)
{
	u32 cpus = scheduler_cpu_count();

	if (cpus > 32)
		text_printf(t, "%0*lx,%08lx", (int)(cpus - 32 + 3) / 4, mask >> 32,
			    mask & UINT32_MAX);
	else
		text_printf(t, "%0*lx", (int)(cpus + 3) / 4, mask);
}

static bool leaf_exists(u32 leaf)
{
	return leaf <= cpuid(leaf & 0x80000000, 0).a;
}

static u32 cpuid_word(u32 leaf, u32 subleaf, enum cpuid_register reg)
{
	struct cpuid r = { 0 };

	if (leaf_exists(leaf))
		r = cpuid(leaf, subleaf);
	return reg == EAX ? r.a : reg == EBX ? r.b : reg == ECX ? r.c : r.d;
}

static void add_flags(struct text *t)
{
	for (u32 i = 0; i < ARRAY_SIZE(flag_words); i++) {
		const struct flag_word *w = &flag_words[i];
		u32 bits = cpuid_word(w->leaf, w->subleaf, w->reg);
		const char *name = w->names;

		for (u32 bit = 0; *name; bit++) {
			size_t length = 0;

			while (name[length] && name[length] != ' ')
				length++;
			if (bits & 1u << bit && name[0] != '-') {
				text_string(t, " ");
				text_add(t, name, length);
			}
			name += length + (name[length] == ' ');
		}
	}
}

struct cpu_model {
	char vendor[13], name[49];
	u32 family, model, stepping, levels;
};

static void model_get(struct cpu_model *m)
{
	struct cpuid r = cpuid(0, 0);
	u32 signature = cpuid_word(1, 0, EAX);

	*m = (struct cpu_model){ .levels = r.a };
	memcpy(m->vendor, &r.b, 4);
	memcpy(m->vendor + 4, &r.d, 4);
	memcpy(m->vendor + 8, &r.c, 4);
	m->stepping = signature & 15;
	m->family = signature >> 8 & 15;
	m->model = signature >> 4 & 15;
	if (m->family >= 6)
		m->model |= (signature >> 16 & 15) << 4;
	if (m->family == 15)
		m->family += signature >> 20 & 255;
	if (leaf_exists(0x80000004)) {
		for (u32 i = 0; i < 3; i++) {
			r = cpuid(0x80000002 + i, 0);
			memcpy(m->name + i * sizeof(r), &r, sizeof(r));
		}
	}
}

/* kHz of the TSC, from how far both clocks have come since this file was first asked for. */
static u64 cycles_khz(void)
{
	static u64 cycles, ns;
	u64 ns_now, cycles_now;

	if (!load_relaxed(&ns)) {
		store_relaxed(&cycles, cpu_cycles());
		store_relaxed(&ns, clock_monotonic());
		while (clock_monotonic() - ns < NS_PER_SEC / 1000)
			cpu_preempt_point();
	}
	cycles_now = cpu_cycles();
	ns_now = clock_monotonic();
	return (u64)((unsigned __int128)(cycles_now - cycles) * 1000000 / max(ns_now - ns, (u64)1));
}

static void add_cpu(struct text *t, u32 cpu, const struct cpu_model *m, u64 khz)
{
	u32 cpus = scheduler_cpu_count(), apic_id = cpu_table[cpu]->apic_id;
	u32 address = cpuid_word(0x80000008, 0, EAX), line = (cpuid_word(1, 0, EBX) >> 8 & 255) * 8;
	u32 cache = cpuid_word(0x80000006, 0, ECX) >> 16;
	const char *name = m->name;

	while (*name == ' ')
		name++;
	text_printf(t,
		    "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel "
		    "name\t: %s\nstepping\t: %u\n",
		    cpu, m->vendor, m->family, m->model, *name ? name : "unknown", m->stepping);
	text_printf(t, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	if (cache)
		text_printf(t, "cache size\t: %u KB\n", cache);
	text_printf(t,
		    "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: "
		    "%u\napicid\t\t: %u\ninitial apicid\t: %u\n",
		    cpus, cpu, cpus, apic_id, apic_id);
	text_printf(
		t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
		m->levels);
	add_flags(t);
	text_printf(
		t,
		"\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: %u\n",
		khz * 2 / 1000, khz * 2 % 1000 / 10, line, line);
	text_printf(t, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		    address & 255, min(address >> 8 & 255, ADDRESS_BITS));
}

int proc_cpuinfo_show(struct text *t, const struct proc_node *n)
{
	struct cpu_model m;
	u64 khz = cycles_khz();

	model_get(&m);
	for (u32 cpu = 0; cpu < scheduler_cpu_count(); cpu++)
		add_cpu(t, cpu, &m, khz);
	return 0;
}
