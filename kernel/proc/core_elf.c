/*
 * core_elf.c - the file of a core dump: an ELF image of the process (core(5), elf(5)).
 *
 * Header, program headers, notes (each thread's registers; what the process was; the signal; the
 * auxiliary vector; which files were mapped), then the bytes of the areas, from a page boundary on.
 * What a debugger finds in the mapped files is left out, as with Linux's usual coredump_filter; pages
 * that were never there stay holes in the file.
 */
#include <elf.h>
#include <linux/limits.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/percpu.h"
#include "fs/iter.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/core_priv.h"
#include "proc/ptrace.h"

#define AREAS_FIRST 64u
#define NOTES_FIRST 8192u
#define NOTE_ALIGN 4u
#define PAGES_ASKED 64u /* whose presence is asked for at once */
#define INFO_PRESENT BIT(63)
#define INFO_SWAPPED BIT(62)
#define FPU_LEGACY 512u
#define PSARGS_SIZE 80

struct core_area {
	u64 start, end;
	u64 dumped; /* bytes of it that are written */
	u32 flags;
	bool has_object;
};

struct buffer {
	char *bytes;
	u64 used, room;
};

struct core {
	struct process *p;
	struct mm *mm;
	struct file *f;
	u64 pos, limit;
	const struct signal_info *info;
	struct core_area *areas;
	u64 narea, room;
	struct buffer notes, files, names; /* of NT_FILE: the numbers, and the paths */
	u64 nfiles;
	char *path;  /* PATH_MAX */
	char page[]; /* PAGE_SIZE */
};

/* The layouts of Linux's struct elf_prstatus and elf_prpsinfo on x86-64. */
struct prstatus {
	s32 signal, code, error;
	s16 cursig, pad;
	u64 pending, held;
	s32 pid, ppid, pgrp, sid;
	u64 times[8]; /* user, system, children's user and system: seconds, microseconds */
	u64 regs[TRACE_REGS];
	s32 fpvalid, pad2;
};
_Static_assert(sizeof(struct prstatus) == 336, "elf_prstatus");

struct prpsinfo {
	char state, sname, zombie, nice;
	u32 pad;
	u64 flags;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char name[16];
	char args[PSARGS_SIZE];
};
_Static_assert(sizeof(struct prpsinfo) == 136, "elf_prpsinfo");

/* --- buffers --- */

static bool buffer_add(struct buffer *b, const void *bytes, u64 n)
{
	if (b->used + n > b->room) {
		u64 room = max(b->room * 2, b->used + n + NOTES_FIRST);
		char *grown = krealloc(b->bytes, room);

		if (!grown)
			return false;
		b->bytes = grown;
		b->room = room;
	}
	memcpy(b->bytes + b->used, bytes, n);
	b->used += n;
	return true;
}

static bool buffer_pad(struct buffer *b)
{
	static const char zeros[NOTE_ALIGN];

	return buffer_add(b, zeros, ROUND_UP(b->used, NOTE_ALIGN) - b->used);
}

static bool note_begin(struct core *c, const char *name, u32 type, u64 size)
{
	Elf64_Nhdr h = { (u32)strlen(name) + 1, (u32)size, type };

	return buffer_add(&c->notes, &h, sizeof(h)) && buffer_add(&c->notes, name, h.n_namesz) &&
	       buffer_pad(&c->notes);
}

static bool note_add(struct core *c, const char *name, u32 type, const void *bytes, u64 size)
{
	return note_begin(c, name, type, size) && buffer_add(&c->notes, bytes, size) &&
	       buffer_pad(&c->notes);
}

/* --- areas --- */

static int copy_area(struct mm *mm, struct area *a, void *arg)
{
	struct core *c = arg;
	struct core_area *to = &c->areas[c->narea];
	u64 dev, ino;

	*to = (struct core_area){ a->start, a->end, a->end - a->start, a->flags, a->object };
	c->path[0] = '\0';
	if (a->file)
		a->file_ops->describe(a->file, c->path, PATH_MAX, &dev, &ino);
	if (a->flags & AREA_SPECIAL ? !(a->flags & AREA_EXEC) : a->flags & AREA_DONTDUMP)
		to->dumped = 0;
	else if (a->file && a->flags & AREA_SHARED)
		to->dumped = 0;
	else if (a->object && !(a->flags & (AREA_WRITE | AREA_SHARED)) && !load_relaxed(&a->anon))
		to->dumped = a->offset ? 0 : PAGE_SIZE; /* the header of a library: its identity */
	c->narea++;
	if (c->path[0]) {
		u64 numbers[3] = { a->start, a->end, a->offset / PAGE_SIZE };

		c->nfiles++;
		memcpy(c->page, numbers, sizeof(numbers));
	}
	return 1;
}

static bool gather_area(struct core *c, u64 *from)
{
	u64 before = c->narea;

	if (c->narea == c->room) {
		struct core_area *grown =
			krealloc(c->areas, (c->room + AREAS_FIRST) * 2 * sizeof(*grown));

		if (!grown)
			return false;
		c->areas = grown;
		c->room = (c->room + AREAS_FIRST) * 2;
	}
	space_areas(c->mm, *from, copy_area, c);
	if (c->narea == before) {
		*from = 0;
		return true;
	}
	*from = c->areas[before].end;
	return !c->path[0] || (buffer_add(&c->files, c->page, 3 * sizeof(u64)) &&
			       buffer_add(&c->names, c->path, strlen(c->path) + 1));
}

static bool gather_areas(struct core *c)
{
	u64 from = MAP_ADDRESS_MIN;

	do {
		if (!gather_area(c, &from))
			return false;
	} while (from);
	return c->narea + 1 < PN_XNUM;
}

/* --- notes --- */

static void put_time(u64 to[2], u64 ns)
{
	to[0] = ns / NS_PER_SEC;
	to[1] = ns % NS_PER_SEC / 1000;
}

static bool note_status(struct core *c, struct thread *t)
{
	struct process_times times;
	struct prstatus s = { .signal = c->info->signal,
			      .code = c->info->code,
			      .cursig = (s16)c->info->signal,
			      .pending = t->pending.set,
			      .held = t->sigmask,
			      .pid = (s32)t->tid,
			      .ppid = (s32)process_parent_pid(c->p),
			      .pgrp = (s32)process_group_id(c->p),
			      .sid = (s32)process_session_id(c->p),
			      .fpvalid = 1 };

	process_times(c->p, &times);
	put_time(&s.times[0], t->user_ns);
	put_time(&s.times[2], t->system_ns);
	put_time(&s.times[4], times.child_user_ns);
	put_time(&s.times[6], times.child_system_ns);
	trace_get_regs(t, s.regs);
	return note_add(c, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static bool note_vector_state(struct core *c, struct thread *t)
{
	char *area = kmalloc(fpu_state_size());
	bool ok = area && trace_get_fpu(t, true, area) == 0;

	if (ok)
		ok = note_add(c, "CORE", NT_FPREGSET, area, FPU_LEGACY) &&
		     note_add(c, "LINUX", NT_X86_XSTATE, area, fpu_state_size());
	kfree(area);
	return ok;
}

static bool note_process(struct core *c)
{
	u64 n = min(c->mm->arg_end - c->mm->arg_start, (u64)PSARGS_SIZE - 1);
	struct prpsinfo s = { .sname = 'R',
			      .uid = cred_current()->uid,
			      .gid = cred_current()->gid,
			      .nice = (char)thread_current()->nice,
			      .pid = (s32)c->p->pid,
			      .ppid = (s32)process_parent_pid(c->p),
			      .pgrp = (s32)process_group_id(c->p),
			      .sid = (s32)process_session_id(c->p) };

	process_name(c->p, s.name);
	(void)space_read(c->mm, c->mm->arg_start, s.args, n, SPACE_FORCE);
	for (u64 i = 0; i + 1 < n; i++)
		s.args[i] = s.args[i] ? s.args[i] : ' ';
	return note_add(c, "CORE", NT_PRPSINFO, &s, sizeof(s));
}

static bool note_files(struct core *c)
{
	u64 head[2] = { c->nfiles, PAGE_SIZE };

	return note_begin(c, "CORE", NT_FILE, sizeof(head) + c->files.used + c->names.used) &&
	       buffer_add(&c->notes, head, sizeof(head)) &&
	       buffer_add(&c->notes, c->files.bytes, c->files.used) &&
	       buffer_add(&c->notes, c->names.bytes, c->names.used) && buffer_pad(&c->notes);
}

/* The thread that got the signal comes first. */
static bool make_notes(struct core *c)
{
	struct thread *self = thread_current(), *t;

	self->fs_base = cpu_fs_base();
	self->gs_base = cpu_user_gs_base();
	fpu_save(self->fpu);
	if (!note_status(c, self) || !note_process(c) ||
	    !note_add(c, "CORE", NT_SIGINFO, c->info, sizeof(*c->info)) ||
	    !note_add(c, "CORE", NT_AUXV, c->mm->auxv, sizeof(c->mm->auxv)) || !note_files(c) ||
	    !note_vector_state(c, self))
		return false;
	/* None comes or goes: they all stand still. */
	list_for_each (t, &c->p->threads, thread_link) {
		if (t != self && (!note_status(c, t) || !note_vector_state(c, t)))
			return false;
	}
	return true;
}

/* --- writing --- */

static bool emit(struct core *c, const void *bytes, u64 n)
{
	struct iter it;
	ssize done;

	if (c->pos + n > c->limit || thread_killed())
		return false;
	iter_init_kernel(&it, (void *)bytes, n);
	done = file_write(c->f, &it, &c->pos);
	return done == (ssize)n;
}

static bool emit_headers(struct core *c, u64 data)
{
	Elf64_Ehdr e = { .e_type = ET_CORE,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(e),
			 .e_ehsize = sizeof(e),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = (u16)(c->narea + 1) };
	Elf64_Phdr notes = { .p_type = PT_NOTE,
			     .p_offset = sizeof(e) + (c->narea + 1) * sizeof(notes),
			     .p_filesz = c->notes.used };

	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	e.e_ident[EI_VERSION] = EV_CURRENT;
	if (!emit(c, &e, sizeof(e)) || !emit(c, &notes, sizeof(notes)))
		return false;
	for (u64 i = 0; i < c->narea; i++) {
		const struct core_area *a = &c->areas[i];
		Elf64_Phdr h = { .p_type = PT_LOAD,
				 .p_flags = (a->flags & AREA_READ ? PF_R : 0) |
					    (a->flags & AREA_WRITE ? PF_W : 0) |
					    (a->flags & AREA_EXEC ? PF_X : 0),
				 .p_offset = data,
				 .p_vaddr = a->start,
				 .p_filesz = a->dumped,
				 .p_memsz = a->end - a->start,
				 .p_align = PAGE_SIZE };

		data += a->dumped;
		if (!emit(c, &h, sizeof(h)))
			return false;
	}
	return emit(c, c->notes.bytes, c->notes.used);
}

/* Private memory that is not there is zeros: a hole. */
static bool emit_page(struct core *c, const struct core_area *a, u64 va, u64 info)
{
	if (!a->has_object && !(info & (INFO_PRESENT | INFO_SWAPPED))) {
		c->pos += PAGE_SIZE;
		return c->pos <= c->limit;
	}
	if (space_read(c->mm, va, c->page, PAGE_SIZE, SPACE_FORCE) != (ssize)PAGE_SIZE)
		memset(c->page, 0, PAGE_SIZE); /* beyond the end of its file */
	return emit(c, c->page, PAGE_SIZE);
}

static bool emit_area(struct core *c, const struct core_area *a)
{
	u64 info[PAGES_ASKED];

	for (u64 va = a->start; va < a->start + a->dumped;) {
		u64 n = min((a->start + a->dumped - va) / PAGE_SIZE, (u64)PAGES_ASKED);

		space_page_info(c->mm, va, false, info, (u32)n);
		for (u64 i = 0; i < n; i++, va += PAGE_SIZE) {
			if (!emit_page(c, a, va, info[i]))
				return false;
		}
		cpu_preempt_point();
	}
	return true;
}

static void emit_all(struct core *c)
{
	u64 data =
		ROUND_UP(sizeof(Elf64_Ehdr) + (c->narea + 1) * sizeof(Elf64_Phdr) + c->notes.used,
			 PAGE_SIZE);

	if (!emit_headers(c, data))
		return;
	c->pos = data;
	for (u64 i = 0; i < c->narea; i++) {
		if (!emit_area(c, &c->areas[i]))
			return;
	}
	(void)vfs_truncate(c->f, &c->f->path, c->pos); /* it may end in a hole */
}

bool core_write(struct file *f, u64 limit, const struct signal_info *info)
{
	struct core *c = kzalloc(sizeof(*c) + PAGE_SIZE);
	bool ok = false;

	if (!c)
		return false;
	c->p = process_current();
	c->mm = thread_current()->mm;
	c->f = f;
	c->limit = limit;
	c->info = info;
	c->path = kmalloc(PATH_MAX);
	if (c->path && gather_areas(c) && make_notes(c)) {
		emit_all(c);
		ok = true;
	}
	kfree(c->path);
	kfree(c->areas);
	kfree(c->notes.bytes);
	kfree(c->files.bytes);
	kfree(c->names.bytes);
	kfree(c);
	return ok;
}
