/*
 * proc_exec.c - execve: what a new program gets, and which files are none.
 *
 * Central rule: a call that fails changes nothing; one that succeeds keeps what POSIX says and nothing else. Broken ELF files are in proc_elf.c; next: that.
 */
#include "check.h"

#include <elf.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

HELPER(args)
{
	extern char **environ;

	say("argc %d\n", argc);
	for (int i = 0; i < argc; i++)
		say("argv[%d] %zu \"%.100s\"\n", i, strlen(argv[i]), argv[i]);
	CHECK(argv[argc] == NULL);
	for (char **e = environ; *e; e++)
		say("env %zu \"%.100s\"\n", strlen(*e), *e);
	return 0;
}

static char *const no_env[] = { NULL };

static const char *result_of(const char *path)
{
	char *argv[] = { (char *)path, NULL };

	return exec_result(path, argv, no_env);
}

TEST(proc, exec_passes_arguments_and_environment)
{
	char *argv[] = { "helper-args", "one", "", "three words here", "\xff\x80", NULL };
	char *envp[] = { "A=1", "EMPTY=", "no equals sign", "A=again", NULL };

	helper_link("args");
	say("%s\n", exec_result("./helper-args", argv, envp));
	say("%s\n", exec_result("./helper-args", argv, no_env));
	say("%s\n", exec_result("./helper-args", argv, NULL));
}

HELPER(count)
{
	size_t bytes = 0;

	for (int i = 0; i < argc; i++)
		bytes += strlen(argv[i]) + 1;
	say("%d arguments, %zu bytes\n", argc, bytes);
	return 0;
}

static const char *exec_count(size_t strings, size_t length)
{
	char **argv = calloc(strings + 2, sizeof(*argv)), *string = malloc(length + 1);

	memset(string, 'x', length);
	string[length] = 0;
	argv[0] = "helper-count";
	for (size_t i = 1; i <= strings; i++)
		argv[i] = string;
	const char *result = exec_result("./helper-count", argv, no_env);
	free(argv);
	free(string);
	return result;
}

TEST(proc, exec_takes_long_arguments_up_to_the_limits)
{
	helper_link("count");
	say("%s\n", exec_count(1, 131071));
	say("%s\n", exec_count(1, 131072)); /* with its end one byte over MAX_ARG_STRLEN */
	say("%s\n", exec_count(10000, 10));
	say("%s\n", exec_count(15, 120000));
	say("%s\n", exec_count(18, 120000)); /* over a quarter of the stack's limit */
	say("%s\n", exec_count(300000, 1));
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
	say("%s\n", exec_count(2, 120000));
	say("%s\n", exec_count(3, 120000));
}

TEST(proc, exec_errors)
{
	char name[300];

	helper_link("args");
	memset(name, 'n', sizeof(name));
	name[299] = 0;
	file_write_text("plain", "not a program\n", 0755);
	file_write_text("empty", "", 0755);
	file_write_text("no-x", "#!./helper-args\n", 0644);
	CHECK(mkdir("dir", 0755) == 0);
	CHECK(mkfifo("fifo", 0755) == 0);
	CHECK(symlink("loop", "loop") == 0);
	CHECK(symlink("nowhere", "dangling") == 0);
	static const char *const paths[] = { "plain",   "empty",   "no-x",     "dir",
					     "dir/",    "fifo",    "loop",     "dangling",
					     "missing", "plain/x", "",         "./helper-args/",
					     ".",       "..",      "/dev/null" };
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		say("\"%s\": %s\n", paths[i], result_of(paths[i]));
	say("long name: %s\n", result_of(name));
	say("NULL: %s\n", exec_result(NULL, no_env, no_env));
	say("bad argv: %s\n", exec_result("./helper-args", (char *const *)8, no_env));
	char *bad[] = { "x", (char *)16, NULL };
	say("bad argument: %s\n", exec_result("./helper-args", bad, no_env));
	say("bad environment: %s\n", exec_result("./helper-args", no_env, bad));
	say("no argument: %s\n", exec_result("/bin/true", no_env, no_env));
}

TEST(proc, exec_checks_permissions_as_a_user)
{
	if (!is_root())
		return;
	file_write_text("mine", "#!/bin/true\n", 0700);
	file_write_text("all", "#!/bin/true\n", 0755);
	file_write_text("no-read", "#!/bin/true\n", 0711);
	CHECK(mkdir("closed", 0700) == 0);
	file_write_text("closed/all", "#!/bin/true\n", 0755);
	CHILD (0) {
		become_user();
		static const char *const paths[] = { "./mine", "./all", "closed/all" };
		for (size_t i = 0; i < COUNT_OF(paths); i++)
			say("%s: %s\n", paths[i], result_of(paths[i]));
	}
}

static void script(const char *name, const char *first_line)
{
	char text[600];

	snprintf(text, sizeof(text), "%s\nrest of the script\n", first_line);
	file_write_text(name, text, 0755);
}

TEST(proc, scripts_run_their_interpreter)
{
	char *argv[] = { "zero", "one", "two", NULL };

	helper_link("args");
	script("s1", "#!./helper-args");
	script("s2", "#!  ./helper-args \t with one argument  ");
	script("s3", "#!./helper-args\t-x");
	script("s4", "#!./s1 arg");
	for (int i = 1; i <= 4; i++) {
		char name[] = "./sN";

		name[3] = '0' + i;
		say("%s: %s\n", name, exec_result(name, argv, no_env));
	}
	file_write_text("s5", "#!./helper-args no-newline", 0755);
	say("s5: %s\n", exec_result("./s5", argv, no_env));
}

TEST(proc, scripts_without_a_usable_interpreter)
{
	helper_link("args");
	file_write_text("no-x", "", 0644);
	CHECK(mkdir("dir", 0755) == 0);
	static const char *const lines[] = { "#!",
					     "#!   ",
					     "#!/nonexistent",
					     "#!./no-x",
					     "#!./dir",
					     "#! \t ./helper-args",
					     "# !./helper-args",
					     "#!./helper-args/x" };
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		script("s", lines[i]);
		say("\"%s\": %s\n", lines[i], result_of("./s"));
	}
}

TEST(proc, a_long_script_line_is_cut)
{
	char line[500] = "#!./helper-args ";

	helper_link("args");
	memset(line + strlen(line), 'a', 400 - strlen(line));
	script("s", line);
	say("argument: %s\n", result_of("./s"));
	memcpy(line, "#!", 2);
	memset(line + 2, '/', 398); /* the interpreter's own name is cut: not run */
	script("s", line);
	say("interpreter: %s\n", result_of("./s"));
}

TEST(proc, scripts_nest_to_a_limit)
{
	helper_link("args");
	script("s1", "#!./helper-args");
	for (int i = 2; i <= 8; i++) {
		char name[8], line[16];

		sprintf(name, "s%d", i);
		sprintf(line, "#!./s%d", i - 1);
		script(name, line);
		say("depth %d: %s\n", i, result_of(name));
	}
	script("self", "#!./self");
	say("cycle of one: %s\n", result_of("./self"));
	script("a", "#!./b");
	script("b", "#!./a");
	say("cycle of two: %s\n", result_of("./a"));
}

static void handler_unused(int signal)
{
	(void)signal;
}

TEST(proc, a_failed_exec_leaves_everything_as_it_was)
{
	uint8_t *p = map_anon(4);
	struct sigaction sa = { .sa_handler = handler_unused }, old;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char name[17] = "", name_after[17] = "";
	char *argv[] = { "x", NULL };

	fill(p, 4, 0x10);
	sigaction(SIGUSR1, &sa, NULL);
	prctl(PR_GET_NAME, name);
	file_write_text("bad", "\177ELF but no more than that", 0755);
	file_write_text("script", "#!/nonexistent\n", 0755);
	static const char *const paths[] = { "./bad", "./script", "./missing" };
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		for (int j = 0; j < 20; j++)
			CHECK_EQ(execve(paths[i], argv, no_env), -1);
	CHECK(filled(p, 4, 0x10));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == sa.sa_handler);
	prctl(PR_GET_NAME, name_after);
	CHECK_STR(name_after, name);
}

HELPER(state)
{
	struct sigaction sa;
	sigset_t set;
	stack_t stack;
	struct itimerval timer;
	char name[17] = "", cwd[4096];

	sigaction(SIGUSR1, NULL, &sa);
	say("SIGUSR1 %s\n", sa.sa_handler == SIG_DFL ? "default" : "other");
	sigaction(SIGUSR2, NULL, &sa);
	say("SIGUSR2 %s\n", sa.sa_handler == SIG_IGN ? "ignored" : "other");
	sigaction(SIGCHLD, NULL, &sa);
	say("SIGCHLD %s\n", sa.sa_handler == SIG_DFL   ? "default"
			    : sa.sa_handler == SIG_IGN ? "ignored"
						       : "other");
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("SIGHUP %s, SIGTERM %s\n", sigismember(&set, SIGHUP) ? "blocked" : "open",
	    sigismember(&set, SIGTERM) ? "blocked" : "open");
	sigpending(&set);
	say("SIGHUP %s\n", sigismember(&set, SIGHUP) ? "pending" : "not pending");
	sigaltstack(NULL, &stack);
	say("alternate stack %s\n", stack.ss_flags & SS_DISABLE ? "off" : "on");
	getitimer(ITIMER_REAL, &timer);
	say("timer %s\n", timer.it_value.tv_sec > 50 ? "running" : "off");
	for (int fd = 3; fd < 12; fd++)
		say("%s%d", fd == 3 ? "open:" : " ", fcntl(fd, F_GETFD) < 0 ? -1 : fd);
	say("\n");
	mode_t mask = umask(0);
	say("umask %03o\n", (unsigned int)mask);
	say("cwd %s\n", strrchr(getcwd(cwd, sizeof(cwd)), '/') + 1);
	prctl(PR_GET_NAME, name);
	say("name %s\n", name);
	say("pid %s\n", getpid() == atoi(argv[1]) ? "kept" : "changed");
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	say("RLIMIT_NOFILE %lu\n", (unsigned long)limit.rlim_cur);
	return 0;
}

TEST(proc, exec_keeps_and_resets_what_it_should)
{
	helper_link("state");
	CHECK(mkdir("there", 0755) == 0);
	CHILD (0) {
		stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
		struct itimerval timer = { { 0, 0 }, { 100, 0 } };
		struct rlimit limit = { 64, 64 };
		sigset_t set;
		char pid[16];

		CHECK(chdir("there") == 0);
		signal(SIGUSR1, handler_unused);
		signal(SIGUSR2, SIG_IGN);
		signal(SIGCHLD, handler_unused);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGHUP);
		CHECK(sigaltstack(&stack, NULL) == 0);
		setitimer(ITIMER_REAL, &timer, NULL);
		CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		umask(035);
		for (int fd = 3; fd < 12; fd++)
			fd % 2 ? dup3(1, fd, O_CLOEXEC) : dup2(1, fd);
		sprintf(pid, "%d", getpid());
		execl("../helper-state", "helper-state", pid, NULL);
		_exit(1);
	}
}

/* --- the auxiliary vector --- */

HELPER(auxv)
{
	const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
	const Elf64_Ehdr *vdso = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	bool loads = false;

	say("AT_PAGESZ %lu\n", getauxval(AT_PAGESZ));
	say("AT_CLKTCK %lu\n", getauxval(AT_CLKTCK));
	say("AT_PHENT %lu\n", getauxval(AT_PHENT));
	say("AT_SECURE %lu\n", getauxval(AT_SECURE));
	say("AT_FLAGS %lu\n", getauxval(AT_FLAGS));
	say("AT_EXECFN %s\n", (const char *)getauxval(AT_EXECFN));
	say("AT_PLATFORM %s\n", (const char *)getauxval(AT_PLATFORM));
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads |= headers[i].p_type == PT_LOAD;
	say("AT_PHDR %s\n", loads ? "has PT_LOAD" : "is wrong");
	say("ids %s\n", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() &&
					getauxval(AT_GID) == getgid() &&
					getauxval(AT_EGID) == getegid()
				? "right"
				: "wrong");
	say("AT_RANDOM %s\n", random && !all_bytes(random, 16, 0) ? "is random" : "is zero");
	say("AT_HWCAP %s\n", getauxval(AT_HWCAP) ? "set" : "not set");
	say("AT_ENTRY %s\n", getauxval(AT_ENTRY) ? "set" : "not set");
	say("AT_MINSIGSTKSZ %s\n", getauxval(AT_MINSIGSTKSZ) >= 1000 ? "plausible" : "too small");
	say("AT_SYSINFO_EHDR %s\n",
	    !vdso || memcmp(vdso->e_ident, ELFMAG, 4) == 0 ? "ok" : "no ELF");
	say("argv[0] %s\n", argv[0]);
	return 0;
}

TEST(proc, the_auxiliary_vector)
{
	char *argv[] = { "helper-auxv", NULL };

	helper_link("auxv");
	CHECK(mkdir("dir", 0755) == 0);
	say("%s\n", exec_result("./dir/../helper-auxv", argv, no_env));
}

HELPER(random)
{
	CHECK_EQ(write(3, (const void *)getauxval(AT_RANDOM), 16), 16);
	return 0;
}

TEST(proc, at_random_differs_each_time)
{
	uint8_t bytes[2][16];
	int fd[2];

	helper_link("random");
	CHECK(pipe(fd) == 0);
	for (int i = 0; i < 2; i++) {
		CHILD (0) {
			dup2(fd[1], 3);
			execl("./helper-random", "helper-random", NULL);
		}
		CHECK_EQ(read(fd[0], bytes[i], 16), 16);
	}
	CHECK(memcmp(bytes[0], bytes[1], 16) != 0);
}

static void say_strings(const char *file)
{
	char text[4096];
	size_t n = file_read_text(file, text, sizeof(text));

	say("%s:", file);
	for (size_t i = 0; i < n; i += strlen(text + i) + 1)
		say(" [%s]", text + i);
	say("\n");
}

HELPER(stack)
{
	/* The strings follow each other, the environment's behind the arguments'. */
	for (int i = 1; i < argc; i++)
		CHECK(argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1);
	CHECK((uintptr_t)argv % 8 == 0);
	CHECK(argv[argc + 1] == argv[argc - 1] + strlen(argv[argc - 1]) + 1);
	say_strings("/proc/self/cmdline");
	say_strings("/proc/self/environ");
	say_strings("/proc/self/comm");
	return 0;
}

TEST(proc, the_new_stack_and_proc_self)
{
	char *argv[] = { "helper-stack", "a", "", "last", NULL }, *envp[] = { "X=1", "Y=2", NULL };
	char exe[4096] = "";

	helper_link("stack");
	say("%s\n", exec_result("./helper-stack", argv, envp));
	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	CHECK_STR(exe, self_path);
}

HELPER(exit)
{
	return argc > 1 ? atoi(argv[1]) : 0;
}

TEST(proc, a_hundred_execs)
{
	helper_link("exit");
	for (int i = 0; i < 100; i++)
		CHILD (i) {
			char number[8];

			sprintf(number, "%d", i);
			execl("./helper-exit", "helper-exit", number, NULL);
		}
}

TEST(proc, vfork_and_exec)
{
	helper_link("exit");
	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("./helper-exit", "helper-exit", "11", NULL);
			_exit(1);
		}
		child_expect(pid, 11);
	}
}

TEST(proc, posix_spawn_with_actions_and_attributes)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char *argv[] = { "helper-args", "spawned", NULL };
	pid_t pid;
	char text[256];

	helper_link("args");
	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0644);
	CHECK_EQ(posix_spawnattr_init(&attributes), 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 0);
	CHECK_EQ(posix_spawn(&pid, "./helper-args", &actions, &attributes, argv, no_env), 0);
	child_expect(pid, 0);
	file_read_text("out", text, sizeof(text));
	say("%s", text);
	CHECK_EQ(posix_spawn(&pid, "./missing", NULL, NULL, argv, no_env), ENOENT);
	CHECK_EQ(posix_spawn(&pid, ".", NULL, NULL, argv, no_env), EACCES);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(proc, system_and_popen)
{
	char line[100];

	CHECK_EQ(WEXITSTATUS(system("exit 3")), 3);
	CHECK_EQ(WTERMSIG(system("kill -TERM $$")), SIGTERM);
	CHECK_EQ(WEXITSTATUS(system("nonexistent-command 2>/dev/null")), 127);
	CHECK(system("echo from the shell") == 0);
	FILE *pipe = popen("echo a line; echo another", "r");
	CHECK(pipe && fgets(line, sizeof(line), pipe));
	CHECK_STR(line, "a line\n");
	CHECK(fgets(line, sizeof(line), pipe));
	CHECK_EQ(pclose(pipe), 0);
	pipe = popen("read x; test \"$x\" = yes", "w");
	fputs("yes\n", pipe);
	CHECK_EQ(pclose(pipe), 0);
}

TEST(proc, exec_of_a_dynamic_program)
{
	char *argv[] = { "true", NULL }, *argv_false[] = { "false", NULL };

	say("%s\n", exec_result("/bin/true", argv, no_env));
	say("%s\n", exec_result("/bin/false", argv_false, no_env));
}
