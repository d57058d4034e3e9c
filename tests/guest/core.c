/*
 * core.c - core dumps: when there is one, what wait says, and what is in it.
 *
 * They do nothing where /proc/sys/kernel/core_pattern leads elsewhere. Nothing is printed, as what is left out differs then. Next: rseq.c.
 */
#include "threads.h"

#include <elf.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

static bool pattern_is_plain(void)
{
	char text[128];

	file_read_text("/proc/sys/kernel/core_pattern", text, sizeof(text));
	return strcmp(text, "core\n") == 0;
}

static void limit_core(rlim_t soft)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
}

static bool may_dump(void)
{
	struct rlimit limit;

	return pattern_is_plain() && getrlimit(RLIMIT_CORE, &limit) == 0 &&
	       limit.rlim_max == RLIM_INFINITY;
}

/* How a child dies that sends itself the signal: the status. */
static int die(int signal, rlim_t soft, bool dumpable)
{
	pid_t pid = child_fork();
	siginfo_t info;
	int status;

	if (pid == 0) {
		limit_core(soft);
		prctl(PR_SET_DUMPABLE, dumpable);
		raise(signal);
		_exit(0);
	}
	CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	CHECK_EQ(info.si_code, WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED);
	CHECK_EQ(info.si_status, signal);
	return status;
}

static bool dumped(int signal, rlim_t soft, bool dumpable)
{
	bool told = WCOREDUMP(die(signal, soft, dumpable)), there = access("core", F_OK) == 0;

	CHECK_EQ(told, there);
	unlink("core");
	return told;
}

TEST(core, which_signals_and_limits_leave_one)
{
	if (!may_dump())
		return;
	for (int signal = 1; signal < 32; signal++) {
		bool wants = signal == SIGQUIT || signal == SIGILL || signal == SIGTRAP ||
			     signal == SIGABRT || signal == SIGFPE || signal == SIGSEGV ||
			     signal == SIGBUS || signal == SIGSYS || signal == SIGXCPU ||
			     signal == SIGXFSZ;

		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
		    signal == SIGTTOU || signal == SIGCONT || signal == SIGCHLD ||
		    signal == SIGURG || signal == SIGWINCH)
			continue;
		CHECK_EQ(dumped(signal, RLIM_INFINITY, true), wants);
	}
	CHECK(!dumped(SIGABRT, 0, true));
	CHECK(!dumped(SIGABRT, 4095, true));
	CHECK(dumped(SIGABRT, 65536, true));
	CHECK(!dumped(SIGABRT, RLIM_INFINITY, false));
}

TEST(core, a_limit_cuts_it)
{
	struct stat st;

	if (!may_dump())
		return;
	CHECK(WCOREDUMP(die(SIGQUIT, 16384, true)));
	CHECK(stat("core", &st) == 0 && st.st_size <= 16384 && st.st_size > 0);
	CHECK((st.st_mode & 07777) == 0600);
}

TEST(core, files_that_are_not_its_own_stay)
{
	char text[16];

	if (!may_dump())
		return;
	file_write_text("elsewhere", "keep", 0600);
	CHECK(symlink("elsewhere", "core") == 0);
	CHECK(!WCOREDUMP(die(SIGQUIT, RLIM_INFINITY, true)));
	unlink("core");
	CHECK(link("elsewhere", "core") == 0);
	CHECK(!WCOREDUMP(die(SIGQUIT, RLIM_INFINITY, true)));
	unlink("core");
	file_write_text("core", "keep", 0644);
	CHECK(!WCOREDUMP(die(SIGQUIT, RLIM_INFINITY, true)));
	file_read_text("elsewhere", text, sizeof(text));
	CHECK_STR(text, "keep");
	file_read_text("core", text, sizeof(text));
	CHECK_STR(text, "keep");
	unlink("core");
	file_write_text("core", "old", 0600);
	CHECK(WCOREDUMP(die(SIGQUIT, RLIM_INFINITY, true)));
	CHECK_EQ(file_read_text("core", text, 5), 4);
	CHECK(memcmp(text, ELFMAG, SELFMAG) == 0);
}

/* --- its contents --- */

static struct {
	uint8_t *bytes;
	size_t size;
} file;

static void core_map(void)
{
	struct stat st;
	int fd = open("core", O_RDONLY);

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	file.size = (size_t)st.st_size;
	file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(file.bytes != MAP_FAILED);
	close(fd);
}

static const Elf64_Phdr *segment(int i)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)file.bytes;

	return i < e->e_phnum ? (const Elf64_Phdr *)(file.bytes + e->e_phoff) + i : NULL;
}

/* The bytes of an address, or NULL: not dumped. */
static const void *core_at(const volatile void *address)
{
	uint64_t va = (uint64_t)address;

	for (int i = 0; segment(i); i++) {
		const Elf64_Phdr *p = segment(i);

		if (p->p_type == PT_LOAD && va >= p->p_vaddr && va < p->p_vaddr + p->p_filesz) {
			CHECK(p->p_offset + p->p_filesz <= file.size);
			return file.bytes + p->p_offset + (va - p->p_vaddr);
		}
	}
	return NULL;
}

/* The nth note of a type; how many there are in *count. */
static const void *core_note(uint32_t type, int nth, int *count)
{
	const Elf64_Phdr *p = segment(0);
	const uint8_t *at = file.bytes + p->p_offset, *end = at + p->p_filesz, *found = NULL;

	CHECK(p->p_type == PT_NOTE);
	*count = 0;
	while (at < end) {
		const Elf64_Nhdr *n = (const Elf64_Nhdr *)at;

		at += sizeof(*n) + ((n->n_namesz + 3) & ~3U);
		if (n->n_type == type && (*count)++ == nth)
			found = at;
		at += (n->n_descsz + 3) & ~3U;
	}
	return found;
}

static volatile uint64_t secret;
static uint8_t *touched, *hole, *left_out, *shared;
static struct worker sleepers[2];

static long sleep_in_core(struct worker *w)
{
	(void)w;
	for (;;)
		pause();
	return 0;
}

static void crash(void)
{
	limit_core(RLIM_INFINITY);
	secret = 0x5ec7e75ec7e7;
	for (int i = 0; i < 2; i++) {
		worker_start(&sleepers[i], sleep_in_core, NULL);
		worker_asleep(&sleepers[i]);
	}
	touched[3 * PAGE + 5] = 99;
	left_out[0] = 1;
	shared[0] = 44;
	__asm__ volatile("mov $0x1234567, %%r15\n"
			 "movl $1, 24\n" ::
				 : "r15", "memory");
}

TEST(core, a_debugger_finds_all_it_needs)
{
	int count;
	pid_t pid;

	if (!may_dump())
		return;
	touched = map_anon(64);
	hole = map_anon(300);
	left_out = map_anon(1);
	CHECK(madvise(left_out, PAGE, MADV_DONTDUMP) == 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(mprotect(hole, PAGE, PROT_NONE) == 0); /* apart from the others */
	pid = child_fork();
	if (pid == 0) {
		crash();
		_exit(1);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	core_map();

	const Elf64_Ehdr *e = (const Elf64_Ehdr *)file.bytes;
	CHECK(memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_type == ET_CORE &&
	      e->e_machine == EM_X86_64);
	CHECK_EQ(*(const uint64_t *)core_at(&secret), 0x5ec7e75ec7e7);
	CHECK_EQ(((const uint8_t *)core_at(touched))[3 * PAGE + 5], 99);
	CHECK_EQ(*(const uint8_t *)core_at(touched), 0);
	CHECK(core_at(hole + 299 * PAGE) && all_bytes(core_at(hole + 299 * PAGE), PAGE, 0));
	CHECK(core_at(left_out) == NULL);
	CHECK_EQ(*(const uint8_t *)core_at(shared), 44);

	const struct elf_prstatus *s = core_note(NT_PRSTATUS, 0, &count);
	CHECK_EQ(count, 3); /* threads */
	CHECK(s->pr_cursig == SIGSEGV && s->pr_pid == pid && s->pr_pgrp == getpgrp() &&
	      s->pr_sid == getsid(0));
	CHECK_EQ(s->pr_reg[0], 0x1234567);
	CHECK(core_at((void *)s->pr_reg[19]) != NULL); /* its stack */
	CHECK(core_note(NT_PRSTATUS, 1, &count) != NULL);
	const struct elf_prpsinfo *ps = core_note(NT_PRPSINFO, 0, &count);
	CHECK(count == 1 && ps->pr_pid == pid && ps->pr_ppid == getpid() && ps->pr_uid == getuid());
	CHECK(strncmp(ps->pr_fname, "guest-tests", 11) == 0);
	const siginfo_t *info = core_note(NT_SIGINFO, 0, &count);
	CHECK(count == 1 && info->si_signo == SIGSEGV && info->si_addr == (void *)24);
	CHECK(core_note(NT_AUXV, 0, &count) && count == 1);
	CHECK(core_note(NT_FPREGSET, 2, &count) && count == 3);
	const uint64_t *files = core_note(NT_FILE, 0, &count);
	CHECK(count == 1 && files[0] > 0 && files[1] == PAGE);
	CHECK(strstr((const char *)(files + 2 + 3 * files[0]), "guest-tests") != NULL);
}

TEST(core, a_kill_during_other_deaths)
{
	if (!may_dump())
		return;
	for (int i = 0; i < 5; i++) {
		pid_t pid = child_fork();

		if (pid == 0) {
			touched = map_anon(64);
			left_out = map_anon(1);
			shared = map_anon(1);
			memset(map_anon(2000), 1, 2000 * PAGE);
			crash();
		}
		usleep(40000 + i * 10000);
		kill(pid, SIGKILL);
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		unlink("core");
	}
}
