/*
 * exec_stack.c - the initial stack of a program: strings, pointers, auxiliary vector (System V ABI
 * for x86-64, 3.4.1).
 *
 * From the top down: eight zero bytes, the program's name, environment strings, argument strings;
 * then, aligned, the platform's name and 16 random bytes, the auxiliary vector, the pointers and
 * argc. Strings are copied from the old space (or the launch record) page by page through kernel
 * memory; their number and lengths were taken before, so all addresses are known in advance.
 */
#include <linux/auxvec.h>
#include <asm/auxvec.h>
#include <linux/resource.h>

#include "arch/x86_64/instr.h"
#include "arch/x86_64/usercopy.h"
#include "dev/device.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/exec_priv.h"
#include "proc/rseq.h"

#define STRINGS_MIN 131072ull    /* what a program may always pass (ARG_MAX) */
#define STRINGS_MAX (6ull << 20) /* and at most, however large its stack limit */
#define SIZES_FIRST 64u          /* strings; more get more room */
#define STACK_EXTRA 131072ull    /* mapped below what is used */
#define STACK_RANDOM_BITS 22     /* pages */
#define PLATFORM "x86_64"
#define CLOCK_TICKS 100

#define HWCAP2_FSGSBASE_BIT BIT(1)

#ifndef AT_RSEQ_FEATURE_SIZE /* linux-libc-dev has them since 6.3 */
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN 28
#endif

/* --- counting --- */

static const char *const *kernel_array(const struct exec_vector *v)
{
	return (const char *const *)v->array;
}

static int string_pointer(const struct exec_vector *v, u64 i, u64 *p)
{
	if (!v->array) {
		*p = 0;
		return 0;
	}
	if (!v->user) {
		*p = (u64)kernel_array(v)[i];
		return 0;
	}
	return get_user(*p, (u64 __user *)v->array + i);
}

/* Bytes of the string at p, NUL included, or -E2BIG, -EFAULT. */
static s64 string_size(const struct exec_vector *v, u64 p)
{
	ssize n;

	if (!v->user)
		return (s64)strlen((const char *)p) + 1;
	n = string_length_user((const char __user *)p, EXEC_STRING_MAX);
	if (n < 0)
		return n;
	return n == EXEC_STRING_MAX ? -E2BIG : n + 1;
}

/* Remember the size of one more string. */
static int sizes_add(struct exec_vector *v, u32 size)
{
	if (v->count == v->room) {
		u64 room = v->room ? 2 * v->room : SIZES_FIRST;
		u32 *grown = krealloc(v->sizes, room * sizeof(u32));

		if (!grown)
			return -ENOMEM;
		v->sizes = grown;
		v->room = room;
	}
	v->sizes[v->count] = size;
	return 0;
}

/* first: strings before it are replaced by others and not counted. */
static int vector_measure(struct exec_vector *v, u64 first, u64 budget)
{
	v->count = v->bytes = 0;
	for (;; v->count++) {
		s64 n = 0;
		int err;
		u64 p;

		if (string_pointer(v, v->count, &p))
			return -EFAULT;
		if (!p)
			return 0;
		if (v->count >= first)
			n = string_size(v, p);
		if (n < 0)
			return (int)n;
		err = sizes_add(v, (u32)n);
		if (err)
			return err;
		v->bytes += (u64)n;
		if (v->bytes + v->count * sizeof(u64) > budget)
			return -E2BIG;
	}
}

static u64 strings_budget(void)
{
	return max(min(rlimit_get(RLIMIT_STACK) / 4, STRINGS_MAX), STRINGS_MIN);
}

static u64 prefix_bytes(const struct exec *x)
{
	u64 n = 0;

	for (u32 i = 0; i < x->nprefix; i++)
		n += strlen(x->prefix[i]) + 1;
	return n;
}

/*
 * Arguments that the program gets. An empty list becomes one empty string, as on Linux since 5.18.
 */
static u64 argument_count(const struct exec *x)
{
	u64 own = x->argv.count;

	if (x->nprefix)
		return x->nprefix + (own ? own - 1 : 0);
	return max(own, 1ull);
}

int exec_count(struct exec *x)
{
	u64 budget = strings_budget(), pointers;
	int err = vector_measure(&x->argv, x->nprefix ? 1 : 0, budget);

	if (!err)
		err = vector_measure(&x->envp, 0, budget);
	if (err)
		return err;
	pointers = (argument_count(x) + x->envp.count) * sizeof(u64);
	if (pointers + x->argv.bytes + x->envp.bytes + prefix_bytes(x) + strlen(x->name) + 1 >
	    budget)
		return -E2BIG;
	return 0;
}

/* --- writing downwards --- */

static int writer_init(struct stack_writer *w, struct mm *mm, u64 at)
{
	*w = (struct stack_writer){ .mm = mm, .page = kmalloc(PAGE_SIZE), .low = at, .high = at };
	return w->page ? 0 : -ENOMEM;
}

static u8 *writer_bytes(struct stack_writer *w, u64 address)
{
	return w->page + (address & (PAGE_SIZE - 1));
}

static int writer_flush(struct stack_writer *w)
{
	u64 n = w->high - w->low;
	ssize done = n ? space_write(w->mm, w->low, writer_bytes(w, w->low), n, SPACE_GROW) : 0;

	w->high = w->low;
	return done == (ssize)n ? 0 : -ENOMEM;
}

/* n bytes from src (user or kernel memory) just below what was written before. */
static int writer_push(struct stack_writer *w, u64 src, u64 n, bool user)
{
	while (n) {
		u64 room = (w->low - 1) % PAGE_SIZE + 1, part = min(n, room);

		if (w->low % PAGE_SIZE == 0) {
			int err = writer_flush(w);

			if (err)
				return err;
		}
		n -= part;
		w->low -= part;
		if (!user)
			memcpy(writer_bytes(w, w->low), (void *)(src + n), part);
		else if (copy_from_user(writer_bytes(w, w->low), (void __user *)(src + n), part))
			return -EFAULT;
	}
	return 0;
}

static int push_word(struct stack_writer *w, u64 v)
{
	if (likely(w->low % PAGE_SIZE >= sizeof(v))) {
		w->low -= sizeof(v);
		memcpy(writer_bytes(w, w->low), &v, sizeof(v));
		return 0;
	}
	return writer_push(w, (u64)&v, sizeof(v), false);
}

/*
 * A string, and where it lies to the pointers. The NUL is ours: the program might change the string
 * meanwhile.
 */
static int push_string(struct stack_writer *strings, struct stack_writer *pointers, u64 src,
		       u64 size, bool user)
{
	static const char nul;
	int err = writer_push(strings, (u64)&nul, 1, false);

	if (!err)
		err = writer_push(strings, src, size - 1, user);
	return err ? err : push_word(pointers, strings->low);
}

/*
 * The strings [first, count) of v, last first. What the program changes in them meanwhile is copied
 * or not, but their sizes stay.
 */
static int push_vector(struct stack_writer *strings, struct stack_writer *pointers,
		       const struct exec_vector *v, u64 first)
{
	int err = 0;

	for (u64 i = v->count; i > first && !err; i--) {
		u64 p;

		if (string_pointer(v, i - 1, &p))
			return -EFAULT;
		err = push_string(strings, pointers, p, v->sizes[i - 1], v->user);
	}
	return err;
}

static int push_arguments(struct exec *x, struct stack_writer *strings,
			  struct stack_writer *pointers)
{
	int err = push_vector(strings, pointers, &x->argv, x->nprefix ? 1 : 0);

	for (u32 i = x->nprefix; i > 0 && !err; i--)
		err = push_string(strings, pointers, (u64)x->prefix[i - 1],
				  strlen(x->prefix[i - 1]) + 1, false);
	if (!err && !x->nprefix && !x->argv.count)
		err = push_string(strings, pointers, (u64) "", 1, false);
	return err;
}

static int push_all(struct exec *x, struct stack_writer *strings, struct stack_writer *pointers)
{
	struct mm *mm = x->mm;
	int err = push_word(strings, 0);

	if (!err)
		err = writer_push(strings, (u64)x->name, strlen(x->name) + 1, false);
	x->name_address = strings->low;
	mm->env_end = strings->low;
	if (!err)
		err = push_word(pointers, 0);
	if (!err)
		err = push_vector(strings, pointers, &x->envp, 0);
	mm->env_start = mm->arg_end = strings->low;
	if (!err)
		err = push_word(pointers, 0);
	if (!err)
		err = push_arguments(x, strings, pointers);
	mm->arg_start = strings->low;
	if (!err)
		err = push_word(pointers, argument_count(x));
	return err;
}

/* --- layout --- */

u32 exec_random(struct exec *x)
{
	if (x->entropy_used % ARRAY_SIZE(x->entropy) == 0)
		random_bytes(x->entropy, sizeof(x->entropy));
	return x->entropy[x->entropy_used++ % ARRAY_SIZE(x->entropy)];
}

u64 exec_random_pages(struct exec *x, u32 bits)
{
	return x->randomize ? ((u64)exec_random(x) & (BIT(bits) - 1)) << PAGE_SHIFT : 0;
}

/* Map the stack, and fix where everything goes. */
static int stack_place(struct exec *x)
{
	u64 empty = !x->nprefix && !x->argv.count ? 1 : 0;
	u64 strings = sizeof(u64) + strlen(x->name) + 1 + x->envp.bytes + x->argv.bytes +
		      prefix_bytes(x) + empty;
	u64 pointers = (1 + argument_count(x) + 1 + x->envp.count + 1) * sizeof(u64);
	u64 low, below;

	x->stack_top = USER_END - exec_random_pages(x, STACK_RANDOM_BITS);
	below = x->stack_top - strings;
	x->platform = ROUND_DOWN(below - (x->randomize ? exec_random(x) % 8192 : 0), 16ull) -
		      sizeof(PLATFORM);
	x->random = ROUND_DOWN(x->platform - 16, 16ull);
	/*
	 * The vector's size is even in words, so sp is aligned if the pointers are an even number
	 * too.
	 */
	x->sp = ROUND_DOWN(x->random - sizeof(x->mm->auxv) - pointers, 16ull);
	x->auxv = x->sp + pointers;
	low = ROUND_DOWN(x->sp, PAGE_SIZE);
	x->stack_low = min(low, ROUND_DOWN(below, PAGE_SIZE) - STACK_EXTRA);
	return space_map_stack(x->mm, x->stack_top, x->stack_top - x->stack_low,
			       AREA_READ | AREA_WRITE);
}

static int write_platform(struct exec *x)
{
	u32 bytes[4] = { exec_random(x), exec_random(x), exec_random(x), exec_random(x) };

	if (space_write(x->mm, x->platform, PLATFORM, sizeof(PLATFORM), 0) !=
		    (ssize)sizeof(PLATFORM) ||
	    space_write(x->mm, x->random, bytes, sizeof(bytes), 0) != (ssize)sizeof(bytes))
		return -ENOMEM;
	return 0;
}

int exec_build_stack(struct exec *x)
{
	struct stack_writer strings = { 0 }, pointers = { 0 };
	int err = stack_place(x);

	if (!err)
		err = writer_init(&strings, x->mm, x->stack_top);
	if (!err)
		err = writer_init(&pointers, x->mm, x->auxv);
	if (!err)
		err = push_all(x, &strings, &pointers);
	debug_assert(err || pointers.low == x->sp);
	if (!err)
		err = writer_flush(&strings);
	if (!err)
		err = writer_flush(&pointers);
	if (!err)
		err = write_platform(x);
	kfree(strings.page);
	kfree(pointers.page);
	return err;
}

/* --- the auxiliary vector --- */

struct auxv_builder {
	u64 *v;
	u32 n;
};

static void aux(struct auxv_builder *b, u64 type, u64 value)
{
	b->v[b->n++] = type;
	b->v[b->n++] = value;
}

/* What CPUID says of the processor to programs: asked once, for it is slow in a virtual machine. */
static void hardware_capabilities(u64 *hwcap, u64 *hwcap2)
{
	static u64 features, features2;

	if (!features) {
		features2 = cpuid(7, 0).b & 1 ? HWCAP2_FSGSBASE_BIT : 0;
		features = cpuid(1, 0).d;
	}
	*hwcap = features;
	*hwcap2 = features2;
}

int exec_write_auxv(struct exec *x, u64 phdr, u32 phnum, u64 base, u64 entry)
{
	const struct cred *c = cred_current();
	struct auxv_builder b = { .v = x->mm->auxv };
	u64 hwcap, hwcap2;

	hardware_capabilities(&hwcap, &hwcap2);
	aux(&b, AT_SYSINFO_EHDR, x->mm->vdso);
	aux(&b, AT_MINSIGSTKSZ, sigframe_max_size());
	aux(&b, AT_HWCAP, hwcap);
	aux(&b, AT_PAGESZ, PAGE_SIZE);
	aux(&b, AT_CLKTCK, CLOCK_TICKS);
	aux(&b, AT_PHDR, phdr);
	aux(&b, AT_PHENT, 56);
	aux(&b, AT_PHNUM, phnum);
	aux(&b, AT_BASE, base);
	aux(&b, AT_FLAGS, 0);
	aux(&b, AT_ENTRY, entry);
	aux(&b, AT_UID, c->uid);
	aux(&b, AT_EUID, c->euid);
	aux(&b, AT_GID, c->gid);
	aux(&b, AT_EGID, c->egid);
	aux(&b, AT_SECURE, c->uid != c->euid || c->gid != c->egid);
	aux(&b, AT_RANDOM, x->random);
	aux(&b, AT_HWCAP2, hwcap2);
	aux(&b, AT_EXECFN, x->name_address);
	aux(&b, AT_PLATFORM, x->platform);
	aux(&b, AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE);
	aux(&b, AT_RSEQ_ALIGN, RSEQ_FEATURE_ALIGN);
	aux(&b, AT_NULL, 0);
	assert(b.n <= ARRAY_SIZE(x->mm->auxv));
	memset(b.v + b.n, 0, sizeof(x->mm->auxv) - b.n * sizeof(u64));
	if (space_write(x->mm, x->auxv, x->mm->auxv, sizeof(x->mm->auxv), 0) !=
	    (ssize)sizeof(x->mm->auxv))
		return -ENOMEM;
	return 0;
}
