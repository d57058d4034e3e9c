/*
 * file_proc.c - /proc and /dev as programs use them.
 *
 * Central rule: what differs from machine to machine is checked for its form; what does not is printed. Next: efault.c.
 */
#include "check.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

TEST(file, dev_null_zero_full)
{
	char bytes[100];
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR),
	    full = open("/dev/full", O_RDWR);

	TRY(read(null, bytes, 100));
	TRY(write(null, bytes, 100));
	TRY(read(zero, bytes, 100));
	CHECK(all_bytes(bytes, 100, 0));
	TRY(write(zero, bytes, 100));
	TRY(read(full, bytes, 100));
	TRY(write(full, bytes, 100));
	TRY(lseek(zero, 1000, SEEK_SET));
	TRY_FD(open("/dev/missing", O_RDWR));
	TRY_FD(open("/dev/tty", O_RDWR)); /* there is none in this session */
	TRY(ftruncate(null, 0));
	TRY_FD(open("/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0644));
}

TEST(file, dev_random)
{
	static const char *const names[] = { "/dev/urandom", "/dev/random" };
	uint8_t a[64], b[64];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		int fd = open(names[i], O_RDONLY);

		CHECK_EQ(read(fd, a, 64), 64);
		CHECK_EQ(read(fd, b, 64), 64);
		CHECK(memcmp(a, b, 64) != 0);
	}
	CHECK_EQ(syscall(SYS_getrandom, a, 64, 0), 64);
	CHECK(memcmp(a, b, 64) != 0);
	TRY(syscall(SYS_getrandom, a, 64, 0x80));
}

TEST(file, dev_fd_and_stdin)
{
	char text[64] = "";
	struct gate g = gate_make();

	CHECK_EQ(write(g.fd[1], "through /dev/fd", 15), 15);
	close(g.fd[1]);
	dup2(g.fd[0], 0);
	int fd = open("/dev/stdin", O_RDONLY);
	CHECK_EQ(read(fd, text, sizeof(text)), 15);
	CHECK_STR(text, "through /dev/fd");
	int file = file_make("f", 100);
	snprintf(text, sizeof(text), "/dev/fd/%d", file);
	CHECK_EQ(lseek(file, 50, SEEK_SET), 50);
	fd = open(text, O_RDONLY);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0); /* opened anew */
}

TEST(file, proc_self_links)
{
	char path[4096], cwd[4096];
	ssize_t n = readlink("/proc/self", path, sizeof(path));

	path[n > 0 ? n : 0] = 0;
	CHECK_EQ(atoi(path), getpid());
	n = readlink("/proc/self/exe", path, sizeof(path));
	path[n > 0 ? n : 0] = 0;
	CHECK_STR(path, self_path);
	n = readlink("/proc/self/cwd", path, sizeof(path));
	path[n > 0 ? n : 0] = 0;
	CHECK_STR(path, getcwd(cwd, sizeof(cwd)));
	n = readlink("/proc/self/root", path, sizeof(path));
	path[n > 0 ? n : 0] = 0;
	CHECK_STR(path, "/");
	TRY_FD(open("/proc/self/exe", O_RDONLY));
	TRY_FD(open("/proc/self/missing", O_RDONLY));
	TRY_FD(open("/proc/99999999/stat", O_RDONLY));
	TRY_FD(open("/proc/self/stat", O_RDONLY | O_DIRECTORY));
}

TEST(file, proc_self_fd)
{
	char path[64], target[4096];
	int fd = file_make("named", 1), fds[2], count = 0;
	struct dirent *e;

	CHECK(pipe(fds) == 0);
	DIR *dir = opendir("/proc/self/fd");
	CHECK(dir != NULL);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			count++;
	say("%d descriptors\n", count); /* the directory's among them */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof(target));
	target[n > 0 ? n : 0] = 0;
	say("%s\n", strrchr(target, '/'));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	n = readlink(path, target, sizeof(target));
	target[n > 0 ? n : 0] = 0;
	say("%.6s\n", target);
	TRY(readlink("/proc/self/fd/99", target, sizeof(target)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	int again = open(path, O_WRONLY);
	CHECK(again >= 0);
	CHECK_EQ(write(again, "x", 1), 1);
	CHECK_EQ(read(fds[0], target, 1), 1);
}

static void status_field(const char *text, const char *name, char *value, size_t size)
{
	const char *at = strstr(text, name);

	if (!at || at == text || at[-1] != '\n')
		FAIL("no %s in /proc/self/status", name);
	at += strlen(name);
	at += strspn(at, " \t");
	snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
}

TEST(file, proc_self_status)
{
	static const char *const printed[] = { "Umask:",  "Threads:", "SigBlk:", "SigIgn:",
					       "SigCgt:", "SigPnd:",  "ShdPnd:" };
	static const char *const kib[] = { "VmPeak:",  "VmSize:",  "VmHWM:",    "VmRSS:",
					   "RssAnon:", "RssFile:", "RssShmem:", "VmData:",
					   "VmStk:",   "VmExe:",   "VmPTE:" };
	char text[8192], value[256];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	kill(getpid(), SIGHUP);
	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_NAME, "a name");
	file_read_text("/proc/self/status", text, sizeof(text));
	CHECK(strncmp(text, "Name:\ta name\n", 13) == 0);
	for (size_t i = 0; i < COUNT_OF(printed); i++) {
		status_field(text, printed[i], value, sizeof(value));
		say("%s %s\n", printed[i], value);
	}
	for (size_t i = 0; i < COUNT_OF(kib); i++) {
		unsigned long number;
		char unit[4];

		status_field(text, kib[i], value, sizeof(value));
		CHECK_EQ(sscanf(value, "%lu %3s", &number, unit), 2);
		CHECK_STR(unit, "kB");
	}
	status_field(text, "State:", value, sizeof(value));
	say("%s\n", value);
	status_field(text, "Pid:", value, sizeof(value));
	CHECK_EQ(atoi(value), getpid());
	status_field(text, "PPid:", value, sizeof(value));
	CHECK_EQ(atoi(value), getppid());
	status_field(text, "Uid:", value, sizeof(value));
	CHECK_EQ(atoi(value), getuid());
}

TEST(file, proc_self_stat)
{
	char text[4096], name[64], state;
	int pid, parent, group, session;

	prctl(PR_SET_NAME, "odd) name (");
	file_read_text("/proc/self/stat", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%d (%63[^\n]", &pid, name), 2);
	char *end = strrchr(text, ')');
	CHECK(strncmp(name, "odd) name (", 11) == 0);
	CHECK_EQ(sscanf(end + 2, "%c %d %d %d", &state, &parent, &group, &session), 4);
	CHECK(pid == getpid() && parent == getppid() && group == getpgrp() && session == getsid(0));
	CHECK_EQ(state, 'R');
	int fields = 2;
	for (char *at = strtok(end + 2, " \n"); at; at = strtok(NULL, " \n"))
		fields++;
	say("%d fields\n", fields);
	unsigned long sizes[7];
	file_read_text("/proc/self/statm", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &sizes[0], &sizes[1], &sizes[2],
			&sizes[3], &sizes[4], &sizes[5], &sizes[6]),
		 7);
	CHECK(sizes[0] > sizes[1] && sizes[1] > 0);
}

TEST(file, proc_smaps)
{
	static char text[262144];
	uint8_t *p = map_anon(16);

	CHECK(mprotect(p, PAGE, PROT_NONE) == 0 &&
	      mprotect(p + 15 * PAGE, PAGE, PROT_NONE) == 0); /* an area of its own */
	fill(p + PAGE, 4, 1);
	CHECK(file_read_text("/proc/self/smaps", text, sizeof(text)) > 1000);
	char start[32];
	snprintf(start, sizeof(start), "%lx-", (unsigned long)(p + PAGE));
	char *at = strstr(text, start);
	CHECK(at != NULL);
	static const char *const fields[] = {
		"Size:", "Rss:", "Pss:", "Shared_Clean:", "Private_Dirty:", "Anonymous:", "Swap:"
	};
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		char *field = strstr(at, fields[i]);

		CHECK(field != NULL);
		if (i == 1)
			CHECK_EQ(strtoul(field + strlen(fields[i]), NULL, 10), 16);
	}
}

TEST(file, proc_of_the_system)
{
	static const struct {
		const char *path, *contains;
	} files[] = {
		{ "/proc/meminfo", "MemTotal:" },
		{ "/proc/meminfo", "MemFree:" },
		{ "/proc/meminfo", "MemAvailable:" },
		{ "/proc/cpuinfo", "processor\t: 0" },
		{ "/proc/filesystems", "tmpfs" },
		{ "/proc/mounts", "/proc proc" },
		{ "/proc/self/mountinfo", " / " },
		{ "/proc/version", "Linux version" },
		{ "/proc/stat", "cpu " },
		{ "/proc/stat", "btime " },
		{ "/proc/self/limits", "Max open files" },
		{ "/proc/sys/kernel/ostype", "Linux" },
		{ "/proc/sys/kernel/random/uuid", "-" },
	};
	static char text[262144];
	double up, idle;

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		file_read_text(files[i].path, text, sizeof(text));
		say("%s: %s %s\n", files[i].path, files[i].contains,
		    strstr(text, files[i].contains) ? "found" : "missing");
	}
	file_read_text("/proc/uptime", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%lf %lf", &up, &idle), 2);
	CHECK(up > 0);
	file_read_text("/proc/loadavg", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%lf %lf", &up, &idle), 2);
	file_read_text("/proc/sys/kernel/pid_max", text, sizeof(text));
	CHECK(atoi(text) >= 4096);
	file_read_text("/sys/devices/system/cpu/online", text, sizeof(text));
	CHECK(text[0] == '0');
}

TEST(file, proc_lists_processes)
{
	pid_t pid = child_fork();
	bool found = false, self = false;
	struct dirent *e;

	while (pid == 0)
		pause();
	DIR *dir = opendir("/proc");
	CHECK(dir != NULL);
	while ((e = readdir(dir))) {
		found |= atoi(e->d_name) == pid;
		self |= strcmp(e->d_name, "self") == 0;
	}
	CHECK(found && self);
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	CHECK(file_read_text(path, text, sizeof(text)) > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
	CHECK_EQ(access(path, F_OK), -1);
	TRY(read(fd, text, sizeof(text))); /* opened before it went */
}

TEST(file, proc_files_are_read_in_pieces)
{
	static char whole[65536], pieces[65536];
	size_t n = file_read_text("/proc/self/maps", whole, sizeof(whole)), got = 0;
	int fd = open("/proc/self/maps", O_RDONLY);
	ssize_t r;

	while ((r = read(fd, pieces + got, 300)) > 0)
		got += r;
	CHECK_EQ(got, n);
	CHECK(memcmp(whole, pieces, n) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(read(fd, pieces, 10) == 10 && memcmp(whole, pieces, 10) == 0);
}
