/*
 * file_proc_pid.c - /proc/PID of other processes and of threads: who may look, what may be written, and what is left of the dead.
 *
 * Central rule: as in file_proc.c. Next: efault.c.
 */
#include "check.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>

static const char *const files[] = {
	"environ", "auxv",  "maps",    "smaps",     "smaps_rollup", "pagemap", "status",
	"stat",    "statm", "cmdline", "limits",    "personality",  "comm",    "io",
	"cgroup",  "wchan", "mounts",  "mountinfo", "oom_score",    "oom_adj", "oom_score_adj",
	"uid_map", "mem",   "gid_map", "setgroups"
};
static const char *const links[] = { "exe", "cwd", "root", "fd/0" };
static const char *const directories[] = { "fd", "fdinfo", "task" };

static const char *file_result(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
	const char *result = n < 0 ? errno_name(errno) : n ? "read" : "empty";

	if (fd >= 0)
		close(fd);
	return result;
}

static const char *directory_result(const char *path)
{
	DIR *dir = opendir(path);
	const char *result = "empty";
	struct dirent *e;

	if (!dir)
		return errno_name(errno);
	errno = 0;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			result = "listed";
	if (errno)
		result = errno_name(errno);
	closedir(dir);
	return result;
}

/* What the caller can see of pid. */
static void look_at(pid_t pid)
{
	char path[64], target[4096];
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		if (strcmp(files[i], "mem") ==
		    0) /* address 0 is nobody's: only the opening tells */
			say("%s: %s\n", files[i], access(path, R_OK) ? errno_name(errno) : "ok");
		else
			say("%s: %s\n", files[i], file_result(path));
		CHECK(stat(path, &st) == 0);
		say("mode %o size %d\n", st.st_mode, (int)st.st_size);
	}
	for (size_t i = 0; i < COUNT_OF(links); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, links[i]);
		say("%s: %s\n", links[i],
		    readlink(path, target, sizeof(target)) < 0 ? errno_name(errno) : "ok");
	}
	for (size_t i = 0; i < COUNT_OF(directories); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, directories[i]);
		say("%s: %s\n", directories[i], directory_result(path));
	}
}

TEST(file, proc_of_a_child)
{
	pid_t pid = child_fork();

	while (pid == 0)
		pause();
	look_at(pid);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
}

TEST(file, proc_of_another_user)
{
	pid_t pid;

	if (!is_root())
		return;
	pid = child_fork();
	while (pid == 0)
		pause();
	CHILD (0) {
		become_user();
		look_at(pid);
	}
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
}

TEST(file, proc_of_oneself_after_a_change_of_user)
{
	struct stat st;

	if (!is_root())
		return;
	become_user();
	look_at(getpid());
	CHECK(stat("/proc/self", &st) == 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK(stat("/proc/self/stat", &st) == 0);
	CHECK_EQ(st.st_uid, 0); /* not dumpable any more */
}

TEST(file, proc_of_the_dead)
{
	struct gate g = gate_make();
	char path[64], text[4096], byte;
	pid_t pid = child_fork();

	if (pid == 0) {
		gate_wait(&g);
		_exit(7);
	}
	snprintf(path, sizeof(path), "/proc/%d", pid);
	int dir = open(path, O_RDONLY | O_DIRECTORY), mem;
	CHECK(dir >= 0);
	CHECK((mem = openat(dir, "mem", O_RDONLY)) >= 0);
	gate_open(&g);
	siginfo_t info;
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file_read_text(path, text, sizeof(text));
	say("a zombie: state %c, status %s", strrchr(text, ')')[2], strrchr(text, ' ') + 1);
	static const char *const empty[] = { "cmdline", "maps", "smaps", "environ" };
	for (size_t i = 0; i < COUNT_OF(empty); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, empty[i]);
		say("%s: %s\n", empty[i], file_result(path));
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	TRY(readlink(path, text, sizeof(text)));
	TRY(pread(mem, &byte, 1, (off_t)(uintptr_t)text));
	child_expect(pid, 7);
	TRY_FD(openat(dir, "stat", O_RDONLY));
	TRY(pread(mem, &byte, 1, (off_t)(uintptr_t)text));
}

TEST(file, proc_mem_reads_and_writes_as_the_process_would)
{
	uint8_t *p = map_anon(2), bytes[16] = "";
	struct gate g = gate_make();
	char path[64];
	pid_t pid;

	memcpy(p, "parent", 7);
	pid = child_fork();
	if (pid == 0) {
		gate_wait(&g);
		_exit(memcmp(p, "child!", 7) == 0 ? 0 : 1);
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	TRY(pread(fd, bytes, 7, (off_t)(uintptr_t)p));
	CHECK_STR((char *)bytes, "parent");
	TRY(pwrite(fd, "child!", 7, (off_t)(uintptr_t)p));
	CHECK_STR((char *)p, "parent"); /* the page was un-shared */
	CHECK(munmap(p + PAGE, PAGE) == 0);
	gate_open(&g);
	child_expect(pid, 0);
	fd = open("/proc/self/mem", O_RDWR);
	TRY(pread(fd, bytes, 1, 0));
	TRY(pread(fd, bytes, 16, (off_t)(uintptr_t)(p + PAGE - 4))); /* its end */
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	TRY(pwrite(fd, "forced", 7, (off_t)(uintptr_t)p));
	CHECK_STR((char *)p, "forced");
}

static void *named_thread(void *gates)
{
	struct gate *g = gates;
	int fd = open("/proc/thread-self/comm", O_WRONLY);

	CHECK_EQ(write(fd, "a thread with a long name", 25), 25);
	close(fd);
	gate_open(&g[0]);
	gate_wait(&g[1]);
	return NULL;
}

TEST(file, proc_threads_have_directories_and_names)
{
	struct gate g[2] = { gate_make(), gate_make() };
	char path[300], text[256], target[64];
	struct dirent *e;
	pthread_t t;
	int count = 0;

	CHECK(pthread_create(&t, NULL, named_thread, g) == 0);
	gate_wait(&g[0]);
	DIR *dir = opendir("/proc/self/task");
	CHECK(dir != NULL);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		count++;
		if (atoi(e->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		file_read_text(path, text, sizeof(text));
		say("%s", text);
	}
	closedir(dir);
	CHECK_EQ(count, 2);
	ssize_t n = readlink("/proc/thread-self", target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	snprintf(text, sizeof(text), "%d/task/%d", getpid(), getpid());
	CHECK_STR(target, text);
	TRY_FD(open("/proc/self/task/99999999/stat", O_RDONLY));
	gate_open(&g[1]);
	pthread_join(t, NULL);
}

static void try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	say("%s < %s: %s\n", path, text, n < 0 ? errno_name(errno) : "ok");
	if (fd >= 0)
		close(fd);
}

TEST(file, proc_oom_scores_are_set)
{
	static const char *const scores[] = { "500", "1000\n", "1001", "-1001", "x", "12x", "" };
	char text[64];

	for (size_t i = 0; i < COUNT_OF(scores); i++) {
		try_write("/proc/self/oom_score_adj", scores[i]);
		file_read_text("/proc/self/oom_score_adj", text, sizeof(text));
		say("%s", text);
	}
	file_read_text("/proc/self/oom_adj", text, sizeof(text));
	say("%s", text);
	try_write("/proc/self/oom_adj", "16");
	try_write("/proc/self/stat", "x");
	try_write("/proc/uptime", "x");
	try_write("/proc/sys/kernel/ostype", "x");
}

static void say_score(const char *file)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/self/%s", file);
	file_read_text(path, text, sizeof(text));
	say("%s: %s", file, text);
}

/* Root in a container may lack the privilege: Coppice alone is asked what root may do. */
TEST(file, proc_oom_scores_are_lowered_by_privilege_alone)
{
	static const char *const scores[] = { "300", "200", "0", "100", "-1", "-1000" };
	static const char *const old_scores[] = { "15", "10", "5", "-17", "12" };
	char text[64];

	if (!is_root())
		return;
	CHILD (0) {
		become_user();
		prctl(PR_SET_DUMPABLE, 1);
		for (size_t i = 0; i < COUNT_OF(scores); i++) {
			try_write("/proc/self/oom_score_adj", scores[i]);
			say_score("oom_score_adj");
		}
		CHILD (0) { /* inherits both the score and how low it may go */
			say_score("oom_score_adj");
			try_write("/proc/self/oom_score_adj", "0");
			try_write("/proc/self/oom_score_adj", "-1");
		}
		for (size_t i = 0; i < COUNT_OF(old_scores); i++) {
			try_write("/proc/self/oom_adj", old_scores[i]);
			say_score("oom_adj");
			say_score("oom_score_adj");
		}
	}
	if (!on_coppice())
		return;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "-1000", 5) == 5);
	file_read_text("/proc/self/oom_score", text, sizeof(text));
	CHECK_STR(text, "0\n");
	file_read_text("/proc/self/oom_adj", text, sizeof(text));
	CHECK_STR(text, "-17\n");
	CHECK(write(fd, "50", 2) == 2);
	become_user(); /* what was opened before stays open, but not the right to go lower */
	CHECK(write(fd, "60", 2) == 2 && write(fd, "50", 2) == 2);
	CHECK_ERRNO(write(fd, "49", 2), EACCES);
	close(fd);
}

TEST(file, proc_maps_name_files_and_what_became_of_them)
{
	char text[65536], wanted[64], *line;
	int fd = file_make("mapped", 3 * PAGE);
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	CHECK(p != MAP_FAILED);
	snprintf(wanted, sizeof(wanted), "%lx-%lx r--s 00001000 ", (unsigned long)p,
		 (unsigned long)p + PAGE);
	for (int gone = 0; gone < 2; gone++) {
		file_read_text("/proc/self/maps", text, sizeof(text));
		CHECK((line = strstr(text, wanted)) != NULL);
		*strchr(line, '\n') = 0;
		say("name at column %d: %s\n", (int)(strchr(line, '/') - line), strrchr(line, '/'));
		CHECK(unlink("mapped") == 0 || gone);
	}
	file_read_text("/proc/self/maps", text, sizeof(text));
	CHECK((line = strstr(text, "[stack]")) != NULL && line[7] == '\n');
	while (line > text && line[-1] != '\n')
		line--;
	say("%.56s\n", strchr(line, ' '));
}
