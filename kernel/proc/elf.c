/*
 * elf.c - mapping an ELF program and its interpreter into a new space.
 *
 * Text and data are private maps of the file, so their pages come from the page cache; what a
 * segment has in memory beyond the file is demand-zero. Programs at fixed addresses go where they
 * say; position-independent ones, and the interpreter, where there is room. What a broken file gets
 * is what Linux gives: an errno while the old image could still go on, death by SIGSEGV for what
 * Linux finds out later.
 */
#include <elf.h>
#include <linux/limits.h>

#include "arch/x86_64/vdso.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/exec_priv.h"

#define PIE_BASE 0x555555554000ull /* two thirds of the user half, as on Linux */
#define BRK_RANDOM_BITS 13         /* pages: 32 MiB */
#define PHDRS_BYTES_MAX 65536u
#define VDSO_WINDOW (2ull << 20)

struct elf {
	struct file *file;
	Elf64_Ehdr header;
	Elf64_Phdr *segments; /* kmalloc'd */
	u64 bias;             /* what is added to its addresses */
	u64 end;              /* of the highest segment in memory, before rounding; 0: none yet */
	/* the first segment may not replace what is there (as Linux: the others may) */
	bool first_must_fit;
};

static bool header_ok(const Elf64_Ehdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN) && h->e_machine == EM_X86_64;
}

/*
 * Check the header and read the program headers, for a file whose first bytes are at `start`.
 * -ENOEXEC if it is not for us.
 */
static int elf_open(struct elf *e, struct file *f, const void *start)
{
	u32 size;

	e->file = f;
	memcpy(&e->header, start, sizeof(e->header));
	if (!header_ok(&e->header) || e->header.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	size = e->header.e_phnum * (u32)sizeof(Elf64_Phdr);
	if (size == 0 || size > PHDRS_BYTES_MAX)
		return -ENOEXEC;
	e->segments = kmalloc(size);
	if (!e->segments)
		return -ENOMEM;
	if (file_read_kernel(f, e->segments, size, e->header.e_phoff) != (ssize)size) {
		kfree(e->segments);
		e->segments = NULL;
		return -ENOEXEC;
	}
	return 0;
}

static const Elf64_Phdr *segment_find(const struct elf *e, u32 type)
{
	for (u32 i = 0; i < e->header.e_phnum; i++) {
		if (e->segments[i].p_type == type)
			return &e->segments[i];
	}
	return NULL;
}

/* --- one segment --- */

static u32 segment_prot(const Elf64_Phdr *s)
{
	return (s->p_flags & PF_R ? AREA_READ : 0) | (s->p_flags & PF_W ? AREA_WRITE : 0) |
	       (s->p_flags & PF_X ? AREA_EXEC : 0);
}

static s64 map_file(struct mm *mm, const struct elf *e, u64 addr, u64 length, u32 prot, u64 offset)
{
	struct file *f = e->file;
	struct map_request r = {
		.addr = addr,
		.length = length,
		.flags = prot | AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC,
		.fixed = true,
		.noreplace = e->first_must_fit && !e->end,
		.object = f->inode->object,
		.offset = offset,
		.file = f,
		.file_ops = &file_area_ops,
	};

	return r.object ? space_map(mm, &r) : -ENODEV;
}

static s64 map_zero(struct mm *mm, u64 start, u64 end, u32 extra_prot)
{
	struct map_request r = {
		.addr = start,
		.length = end - start,
		.flags = AREA_READ | AREA_WRITE | extra_prot | AREA_MAYREAD | AREA_MAYWRITE |
			 AREA_MAYEXEC,
		.fixed = true,
	};

	return space_map(mm, &r);
}

/* Zeros from the end of the file's part to the end of its last page. */
static int clear_tail(struct mm *mm, u64 from)
{
	u64 n = ROUND_UP(from, PAGE_SIZE) - from;
	void *zeros;
	ssize done;

	if (!n)
		return 0;
	zeros = kzalloc(n);
	if (!zeros)
		return -ENOMEM;
	done = space_write(mm, from, zeros, n, 0);
	kfree(zeros);
	return done == (ssize)n ? 0 : done == -ENOMEM ? -ENOMEM : -EFAULT;
}

static int segment_check(const Elf64_Phdr *s, u64 start)
{
	if (s->p_filesz > s->p_memsz || s->p_memsz > USER_END || start >= USER_END ||
	    USER_END - s->p_memsz < start)
		return -EINVAL;
	return (s->p_offset ^ s->p_vaddr) % PAGE_SIZE && s->p_filesz ? -EINVAL : 0;
}

static int segment_map(struct mm *mm, struct elf *e, const Elf64_Phdr *s)
{
	u64 start = s->p_vaddr + e->bias, page = ROUND_DOWN(start, PAGE_SIZE), shift = start - page;
	u64 file_end = start + s->p_filesz, end = start + s->p_memsz, zero_from = page;
	u32 prot = segment_prot(s);
	int err = segment_check(s, start);
	s64 at;

	if (err)
		return err;
	if (s->p_filesz) {
		at = map_file(mm, e, page, ROUND_UP(shift + s->p_filesz, PAGE_SIZE), prot,
			      s->p_offset - shift);
		if (at < 0)
			return (int)at;
		zero_from = ROUND_UP(file_end, PAGE_SIZE);
		/*
		 * Only where the program may write: else what the file has there stays, as on
		 * Linux.
		 */
		if (end > file_end && prot & AREA_WRITE) {
			err = clear_tail(mm, file_end);
			if (err)
				return err;
		}
	}
	if (ROUND_UP(end, PAGE_SIZE) > zero_from) {
		at = map_zero(mm, zero_from, ROUND_UP(end, PAGE_SIZE), prot & AREA_EXEC);
		if (at < 0)
			return (int)at;
	}
	e->end = max(e->end, end);
	return 0;
}

/* --- placing --- */

/* The range of addresses from the first segment's page to the last one's end. */
static int total_range(const struct elf *e, u64 *first, u64 *size, u64 *align)
{
	u64 low = UINT64_MAX, high = 0;

	*align = PAGE_SIZE;
	for (u32 i = 0; i < e->header.e_phnum; i++) {
		const Elf64_Phdr *s = &e->segments[i];

		if (s->p_type != PT_LOAD)
			continue;
		low = min(low, ROUND_DOWN(s->p_vaddr, PAGE_SIZE));
		high = max(high, s->p_vaddr + s->p_memsz);
		if (s->p_align && (s->p_align & (s->p_align - 1)) == 0)
			*align = max(*align, s->p_align);
	}
	if (high <= low || high - low > USER_END)
		return -EINVAL;
	*first = low;
	*size = ROUND_UP(high - low, PAGE_SIZE);
	return 0;
}

/* A hole of that size in the region of mmap. */
static s64 find_room(struct mm *mm, u64 size, u64 align)
{
	struct map_request r = { .length = size + (align - PAGE_SIZE) };
	s64 at = space_map(mm, &r);

	if (at < 0)
		return at;
	space_unmap(mm, (u64)at, r.length);
	return (s64)ROUND_UP((u64)at, align);
}

/* Where a position-independent file goes. fixed_base: there; 0: in the region of mmap. */
static int elf_place(struct mm *mm, struct elf *e, u64 fixed_base)
{
	u64 first, size, align;
	int err = total_range(e, &first, &size, &align);
	s64 at = (s64)fixed_base;

	if (err)
		return err;
	if (!fixed_base)
		at = find_room(mm, size, align);
	if (at < 0)
		return (int)at;
	e->bias = ROUND_DOWN((u64)at, align) - first;
	return 0;
}

static int elf_map_segments(struct mm *mm, struct elf *e)
{
	bool any = false;

	for (u32 i = 0; i < e->header.e_phnum; i++) {
		int err;

		if (e->segments[i].p_type != PT_LOAD)
			continue;
		any = true;
		err = segment_map(mm, e, &e->segments[i]);
		if (err)
			return err;
	}
	return any ? 0 : -EINVAL;
}

/* --- the interpreter --- */

/* Its name from PT_INTERP, kmalloc'd; NULL: there is none. */
static int interpreter_name(const struct elf *e, char **name)
{
	const Elf64_Phdr *s = segment_find(e, PT_INTERP);
	int err = 0;
	ssize r;

	*name = NULL;
	if (!s)
		return 0;
	if (s->p_filesz > PATH_MAX || s->p_filesz < 2)
		return -ENOEXEC;
	if ((s64)s->p_offset < 0)
		return -EINVAL;
	*name = kmalloc(s->p_filesz);
	if (!*name)
		return -ENOMEM;
	r = file_read_kernel(e->file, *name, s->p_filesz, s->p_offset);
	if (r != (ssize)s->p_filesz)
		err = r < 0 ? (int)r : -EIO;
	else if ((*name)[s->p_filesz - 1] != '\0')
		err = -ENOEXEC;
	if (err) {
		kfree(*name);
		*name = NULL;
	}
	return err;
}

/*
 * Open the interpreter and check it, as long as that can still be answered by an errno. e->file
 * stays NULL if there is none.
 */
static int interpreter_open(const struct elf *program, struct elf *e)
{
	Elf64_Ehdr header;
	struct file *f;
	char *name;
	ssize r;
	int err = interpreter_name(program, &name);

	if (err || !name)
		return err;
	err = exec_open(NULL, name, LOOKUP_FOLLOW, &f);
	kfree(name);
	if (err)
		return err;
	r = file_read_kernel(f, &header, sizeof(header), 0);
	if (r != (ssize)sizeof(header))
		err = r < 0 ? (int)r : -EIO;
	else
		err = elf_open(e, f, &header);
	if (err) {
		exec_file_put(f);
		e->file = NULL;
		return err == -ENOEXEC ? -ELIBBAD : err;
	}
	return 0;
}

/* --- the program --- */

static void set_break(struct exec *x, const struct elf *e)
{
	struct mm *mm = x->mm;

	mm->brk_start = mm->brk =
		ROUND_UP(e->end, PAGE_SIZE) + exec_random_pages(x, BRK_RANDOM_BITS);
}

/* What /proc/PID/stat shows. */
static void set_code_and_data(struct mm *mm, const struct elf *e)
{
	u64 code = UINT64_MAX, code_end = 0, data = 0, data_end = 0;

	for (u32 i = 0; i < e->header.e_phnum; i++) {
		const Elf64_Phdr *s = &e->segments[i];

		if (s->p_type != PT_LOAD)
			continue;
		code = s->p_flags & PF_X ? min(code, s->p_vaddr) : code;
		data = max(data, s->p_vaddr);
		if (s->p_flags & PF_X)
			code_end = max(code_end, s->p_vaddr + s->p_filesz);
		data_end = max(data_end, s->p_vaddr + s->p_filesz);
	}
	mm->start_code = (code == UINT64_MAX ? 0 : code) + e->bias;
	mm->end_code = code_end + e->bias;
	mm->start_data = data + e->bias;
	mm->end_data = data_end + e->bias;
}

/* Address of the program headers in memory: in the segment that maps them. */
static u64 headers_address(const struct elf *e)
{
	u64 offset = e->header.e_phoff;

	for (u32 i = 0; i < e->header.e_phnum; i++) {
		const Elf64_Phdr *s = &e->segments[i];

		if (s->p_type == PT_LOAD && s->p_offset <= offset &&
		    offset < s->p_offset + s->p_filesz)
			return offset - s->p_offset + s->p_vaddr + e->bias;
	}
	return 0;
}

static int stack_permissions(struct exec *x, const struct elf *e)
{
	const Elf64_Phdr *s = segment_find(e, PT_GNU_STACK);

	if (!s || !(s->p_flags & PF_X))
		return 0;
	return space_protect(x->mm, x->stack_low, x->stack_top - x->stack_low,
			     AREA_READ | AREA_WRITE | AREA_EXEC, false);
}

/*
 * As on Linux, somewhere above the stack in the same 2 MiB, where it needs no page tables of its own; if
 * there is no room, where a mapping of the program's own would go.
 */
static int map_vdso(struct exec *x)
{
	struct map_request r = { .length = vdso_size(), .flags = AREA_READ };
	u64 low = x->stack_top, end = min(ROUND_UP(low, VDSO_WINDOW), USER_END);
	s64 at;

	if (low + r.length <= end) {
		u64 places = (end - low - r.length) / PAGE_SIZE + 1;

		r.addr = low + (x->randomize ? exec_random(x) % places : 0) * PAGE_SIZE;
	}
	at = space_place(x->mm, &r);
	return at < 0 ? (int)at : vdso_map(x->mm, (u64)at);
}

/* All that Linux does after the old image is gone. */
static int map_all(struct exec *x, struct elf *program, struct elf *interpreter)
{
	bool pie = program->header.e_type == ET_DYN;
	u64 entry;
	int err = stack_permissions(x, program);

	program->first_must_fit = !pie;
	/*
	 * A static PIE is its own dynamic linker, or is ld.so run as a program: it goes where
	 * libraries go.
	 */
	if (!err && pie)
		err = elf_place(
			x->mm, program,
			interpreter->file ? PIE_BASE + exec_random_pages(x, MMAP_RANDOM_BITS) : 0);
	if (!err)
		err = elf_map_segments(x->mm, program);
	if (err)
		return err;
	entry = program->header.e_entry + program->bias;
	set_code_and_data(x->mm, program);
	if (pie && !interpreter->file)
		program->end = PIE_BASE + exec_random_pages(x, MMAP_RANDOM_BITS);
	set_break(x, program);
	x->entry = entry;
	if (interpreter->file) {
		if (interpreter->header.e_type == ET_DYN)
			err = elf_place(x->mm, interpreter, 0);
		if (!err)
			err = elf_map_segments(x->mm, interpreter);
		if (err)
			return err;
		x->entry = interpreter->header.e_entry + interpreter->bias;
	}
	if (x->entry >= USER_END)
		return -EINVAL;
	err = map_vdso(x);
	if (err)
		return err;
	return exec_write_auxv(x, headers_address(program), program->header.e_phnum,
			       interpreter->bias, entry);
}

int elf_load(struct exec *x)
{
	struct elf program = { 0 }, interpreter = { 0 };
	int err = elf_open(&program, x->file, x->header);

	if (!err)
		err = interpreter_open(&program, &interpreter);
	if (!err) {
		x->committed = true;
		err = map_all(x, &program, &interpreter);
	}
	if (interpreter.file)
		exec_file_put(interpreter.file);
	kfree(interpreter.segments);
	kfree(program.segments);
	return err;
}
