/*
 * proc_elf.c - ELF files that are truncated, absurd or malicious.
 *
 * Central rule: each case starts from a small program that works (it exits with 42) and breaks one thing; what Linux says is the expected output: an errno while
 * the old program can still run on, a signal after that, or an exit status where the file does no harm. Next: proc_limit.c.
 */
#include "check.h"

#include <elf.h>

#define BASE 0x10000000UL
#define CODE_AT 0x800
#define HEADERS_MAX 8

/* The file: header, room for program headers, code at CODE_AT; mapped as one segment of one page. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr program[HEADERS_MAX];
	uint8_t rest[2 * PAGE - sizeof(Elf64_Ehdr) - HEADERS_MAX * sizeof(Elf64_Phdr)];
};

static struct image image;
static size_t image_size;

static void image_reset(void)
{
	static const uint8_t code[] = {
		0xb8, 60,   0, 0, 0, /* mov $60, %eax */
		0xbf, 42,   0, 0, 0, /* mov $42, %edi */
		0x0f, 0x05,          /* syscall */
	};

	memset(&image, 0, sizeof(image));
	image.header = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BASE + CODE_AT,
		.e_phoff = offsetof(struct image, program),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	image.program[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = BASE,
		.p_paddr = BASE,
		.p_filesz = PAGE,
		.p_memsz = PAGE,
		.p_align = PAGE,
	};
	memcpy((uint8_t *)&image + CODE_AT, code, sizeof(code));
	image_size = 2 * PAGE;
}

static Elf64_Phdr *program_add(uint32_t type)
{
	Elf64_Phdr *p = &image.program[image.header.e_phnum++];

	*p = (Elf64_Phdr){ .p_type = type, .p_flags = PF_R | PF_W, .p_align = PAGE };
	return p;
}

static void interpreter_add(const char *path)
{
	Elf64_Phdr *p = program_add(PT_INTERP);

	p->p_offset = 0xa00;
	p->p_filesz = p->p_memsz = strlen(path) + 1;
	memcpy((uint8_t *)&image + 0xa00, path, strlen(path) + 1);
}

static void image_write(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, &image, image_size), image_size);
	CHECK(fchmod(fd, mode) == 0);
	close(fd);
}

static const char *image_result(void)
{
	char *argv[] = { "image", NULL }, *envp[] = { NULL };

	image_write("image", 0755);
	const char *result = exec_result("./image", argv, envp);
	CHECK(unlink("image") == 0);
	return result;
}

#define CASE(text, ...)                                \
	do {                                           \
		image_reset();                         \
		__VA_ARGS__;                           \
		say("%s: %s\n", text, image_result()); \
	} while (0)

#define H image.header
#define P image.program[0]

TEST(proc, elf_headers_that_are_wrong)
{
	CASE("untouched", (void)0);
	CASE("no magic", H.e_ident[0] = 0x7e);
	CASE("magic only", image_size = 4);
	CASE("truncated header", image_size = sizeof(Elf64_Ehdr) - 1);
	CASE("header only", image_size = sizeof(Elf64_Ehdr));
	CASE("type none", H.e_type = ET_NONE);
	CASE("relocatable", H.e_type = ET_REL);
	CASE("core", H.e_type = ET_CORE);
	CASE("machine 386", H.e_machine = EM_386);
	CASE("machine ARM64", H.e_machine = EM_AARCH64);
	CASE("no program headers", H.e_phnum = 0);
	CASE("65535 program headers", H.e_phnum = 65535);
	CASE("1000 program headers", H.e_phnum = 1000);
	CASE("small program headers", H.e_phentsize = sizeof(Elf64_Phdr) - 1);
	CASE("large program headers", H.e_phentsize = sizeof(Elf64_Phdr) + 8);
	CASE("program headers past the end", H.e_phoff = 10 * PAGE);
	CASE("program headers cut by the end", H.e_phoff = 2 * PAGE - 8);
	CASE("program headers at a negative offset", H.e_phoff = -64L);
	CASE("program headers at the largest offset", H.e_phoff = INT64_MAX);
	CASE("program headers over the header", H.e_phoff = 0);
	CASE("no segment to load", P.p_type = PT_NOTE);
}

TEST(proc, elf_entries_that_are_wrong)
{
	CASE("entry 0", H.e_entry = 0);
	CASE("entry outside", H.e_entry = BASE + 16 * PAGE);
	CASE("entry in the kernel", H.e_entry = 0xffffffff80000000);
	CASE("entry not canonical", H.e_entry = 0x1234567890abcdef);
	CASE("entry not executable", P.p_flags = PF_R | PF_W);
	CASE("entry in zeroes", H.e_entry = BASE + 0x900);
}

TEST(proc, elf_segments_that_are_wrong)
{
	Elf64_Phdr *p;

	CASE("file size over memory size", P.p_filesz = PAGE; P.p_memsz = PAGE - 1);
	CASE("address and offset disagree", P.p_offset = 16);
	CASE("offset past the end", P.p_offset = 16 * PAGE; P.p_vaddr = BASE);
	CASE("file size past the end", P.p_filesz = P.p_memsz = 64 * PAGE);
	CASE("segment in the kernel", p = program_add(PT_LOAD); p->p_vaddr = 0xffffffff80000000;
	     p->p_filesz = p->p_memsz = PAGE);
	CASE("segment at the end of user space", p = program_add(PT_LOAD);
	     p->p_vaddr = 0x7fffffffe000; p->p_filesz = p->p_memsz = 2 * PAGE);
	CASE("segment beyond user space", p = program_add(PT_LOAD); p->p_vaddr = 0x00007ffffffff000;
	     p->p_filesz = p->p_memsz = PAGE);
	CASE("memory size huge", P.p_memsz = 1UL << 47);
	CASE("memory size wraps", P.p_memsz = -PAGE);
	CASE("second segment huge", p = program_add(PT_LOAD); p->p_vaddr = BASE + 4 * PAGE;
	     p->p_filesz = 0; p->p_memsz = 1UL << 47);
	CASE("segment twice", p = program_add(PT_LOAD); *p = P);
	CASE("segment of nothing", p = program_add(PT_LOAD); p->p_vaddr = BASE + 4 * PAGE);
	CASE("bss behind the file", P.p_flags = PF_R | PF_W | PF_X; P.p_memsz = 16 * PAGE);
	CASE("bss alone", p = program_add(PT_LOAD); p->p_vaddr = BASE + 4 * PAGE;
	     p->p_memsz = PAGE);
	CASE("a second data segment", p = program_add(PT_LOAD); p->p_vaddr = BASE + 8 * PAGE;
	     p->p_offset = PAGE; p->p_filesz = p->p_memsz = PAGE);
	CASE("segment without access", p = program_add(PT_LOAD); p->p_vaddr = BASE + 4 * PAGE;
	     p->p_filesz = p->p_memsz = PAGE; p->p_flags = 0);
	CASE("unknown segment type", p = program_add(0x12345678); p->p_vaddr = -1UL;
	     p->p_filesz = -1UL);
	CASE("position independent", H.e_type = ET_DYN; P.p_vaddr = 0; H.e_entry = CODE_AT);
	CASE("executable stack", p = program_add(PT_GNU_STACK); p->p_flags = PF_R | PF_W | PF_X);
	CASE("executable stack twice", program_add(PT_GNU_STACK)->p_flags = 7;
	     program_add(PT_GNU_STACK)->p_flags = 6);
}

TEST(proc, elf_interpreters_that_are_wrong)
{
	CASE("missing", interpreter_add("/nonexistent"));
	CASE("a directory", interpreter_add("/"));
	CASE("empty name", interpreter_add(""));
	CASE("no name", interpreter_add("x"); image.program[1].p_filesz = 0);
	CASE("one byte", interpreter_add("x"); image.program[1].p_filesz = 1);
	CASE("name not terminated", interpreter_add("/lib64/ld-linux-x86-64.so.2");
	     image.program[1].p_filesz--);
	CASE("name longer than PATH_MAX", interpreter_add("/x"); image.program[1].p_filesz = 4097);
	CASE("name past the end", interpreter_add("/x"); image.program[1].p_offset = 64 * PAGE);
	CASE("name cut by the end", interpreter_add("/x");
	     image.program[1].p_offset = 2 * PAGE - 1);
	CASE("name at a negative offset", interpreter_add("/x"); image.program[1].p_offset = -PAGE);
	file_write_text("text",
			"no ELF file at all, but long enough to hold a whole ELF header, which has "
			"64 bytes",
			0755);
	CASE("no ELF file", interpreter_add("./text"));
	file_write_text("short", "x", 0755);
	CASE("a short file", interpreter_add("./short"));
	file_write_text(
		"script",
		"#!/bin/true\n# and more, so that the file is long enough to hold an ELF header",
		0755);
	CASE("a script", interpreter_add("./script"));
	CASE("itself", interpreter_add("./image"));
	image_reset();
	image_write("not-executable", 0644);
	CASE("not executable", interpreter_add("./not-executable"));
	H.e_machine = EM_386;
	image_reset();
	H.e_machine = EM_386;
	image_write("386", 0755);
	CASE("for another machine", interpreter_add("./386"));
}

TEST(proc, elf_interpreter_runs)
{
	/* An interpreter is a program of its own; here one that exits with 42, under a program that would fault. */
	image_reset();
	H.e_type = ET_DYN;
	P.p_vaddr = 0;
	H.e_entry = CODE_AT;
	image_write("interpreter", 0755);
	CASE("position independent", interpreter_add("./interpreter"); H.e_entry = BASE + 0x900);
	CASE("two interpreters", interpreter_add("./interpreter");
	     image.program[1].p_type = PT_INTERP; program_add(PT_INTERP)->p_filesz = 1);
	image_reset();
	P.p_vaddr = 0x20000000;
	H.e_entry = 0x20000000 + CODE_AT;
	image_write("fixed", 0755);
	CASE("at a fixed address", interpreter_add("./fixed"); H.e_entry = BASE + 0x900);
	image_reset();
	H.e_type = ET_DYN;
	P.p_vaddr = 0;
	P.p_memsz = 1UL << 47;
	image_write("huge", 0755);
	CASE("huge", interpreter_add("./huge"));
	image_reset();
	H.e_type = ET_DYN;
	H.e_phnum = 0;
	image_write("nothing", 0755);
	CASE("without segments", interpreter_add("./nothing"));
}

/* A real program, cut off at many places: Linux loads what is there, and the program faults or not. */
TEST(proc, elf_files_cut_anywhere_do_no_harm)
{
	static const size_t cuts[] = { 1, 2, 3, 5, 16, 63, 64, 65, 100, 119, 120, 200, 1000, 2047 };

	for (size_t i = 0; i < COUNT_OF(cuts); i++) {
		image_reset();
		image_size = cuts[i];
		say("%zu bytes: %s\n", cuts[i], image_result());
	}
}

static uint32_t noise_state;

static uint32_t noise(void)
{
	noise_state = noise_state * 1664525 + 1013904223;
	return noise_state >> 8;
}

/* Whatever comes, the caller lives on and nothing hangs; results are not compared, since kernels differ in the order of their checks. */
TEST(proc, elf_headers_with_random_bytes_do_no_harm)
{
	for (int i = 0; i < 300; i++) {
		noise_state = i;
		image_reset();
		for (int j = 0; j < 1 + i % 4; j++)
			((uint8_t *)&image)[noise() % (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))] =
				noise();
		CHECK(image_result() != NULL);
	}
}
