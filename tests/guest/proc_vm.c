/*
 * proc_vm.c - /proc/sys/vm and the other files that tell of the machine's memory.
 *
 * Central rule: the machine's values are not the test's: what is written is what was there, or refused. What really changes something runs on
 * Coppice alone. Next: proc_smaps.c.
 */
#include "check.h"

#define VM "/proc/sys/vm/"

static const char *const tunables[] = {
	"admin_reserve_kbytes",
	"dirty_background_bytes",
	"dirty_background_ratio",
	"dirty_bytes",
	"dirty_expire_centisecs",
	"dirty_ratio",
	"dirty_writeback_centisecs",
	"max_map_count",
	"min_free_kbytes",
	"oom_dump_tasks",
	"oom_kill_allocating_task",
	"overcommit_kbytes",
	"overcommit_memory",
	"overcommit_ratio",
	"page-cluster",
	"panic_on_oom",
	"swappiness",
	"user_reserve_kbytes",
	"vfs_cache_pressure",
};

/* The result of writing text to a file: "ok" or an errno's name. */
static const char *write_result(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	const char *result = n == (ssize_t)strlen(text) ? "ok"
			     : n < 0                    ? errno_name(errno)
							: "short";

	if (fd >= 0)
		close(fd);
	return result;
}

static void path_of(char path[100], const char *name)
{
	snprintf(path, 100, VM "%s", name);
}

TEST(mm, vm_tunables_are_a_line_with_a_number)
{
	for (size_t i = 0; i < COUNT_OF(tunables); i++) {
		char path[100], text[100], *end;
		struct stat st;

		path_of(path, tunables[i]);
		size_t n = file_read_text(path, text, sizeof(text));
		CHECK(n >= 2 && text[n - 1] == '\n');
		strtoul(text, &end, 10);
		CHECK(end == text + n - 1);
		CHECK(stat(path, &st) == 0);
		say("%s: mode %o size %d\n", tunables[i], st.st_mode, (int)st.st_size);
	}
}

TEST(mm, vm_tunables_refuse_what_is_no_number)
{
	static const char *const bad[] = { "", "\n", "x", "1x", "0x", "99999999999999999999", " " };

	if (!is_root())
		return;
	for (size_t i = 0; i < COUNT_OF(tunables); i++) {
		char path[100], before[100], after[100];

		path_of(path, tunables[i]);
		file_read_text(path, before, sizeof(before));
		if (strstr(tunables[i], "kbytes") || strstr(tunables[i], "bytes") ||
		    strstr(tunables[i], "dirty"))
			continue; /* of other types, which Linux reads with other care */
		say("%s:", tunables[i]);
		for (size_t j = 0; j < COUNT_OF(bad); j++)
			if (bad[j][0]) /* of nothing to write Linux says nothing */
				say(" %s", write_result(path, bad[j]));
		say(", again %s\n", write_result(path, before));
		file_read_text(path, after, sizeof(after));
		CHECK_STR(after, before);
	}
}

TEST(mm, vm_tunables_have_limits)
{
	static const struct {
		const char *name, *value;
	} tries[] = {
		{ "overcommit_memory", "3" },
		{ "swappiness", "201" },
		{ "dirty_ratio", "101" },
		{ "dirty_background_ratio", "101" },
		{ "panic_on_oom", "3" },
		{ "dirty_bytes", "8191" },
		{ "max_map_count", "2147483648" },
		{ "drop_caches", "0" },
		{ "drop_caches", "x" },
		{ "overcommit_memory", "0x3" },
		{ "nothing", "1" },
	};
	char path[100];

	if (!is_root())
		return;
	for (size_t i = 0; i < COUNT_OF(tries); i++) {
		path_of(path, tries[i].name);
		say("%s = %s: %s\n", tries[i].name, tries[i].value,
		    write_result(path, tries[i].value));
	}
}

TEST(mm, vm_tunables_are_for_root)
{
	if (!is_root())
		return;
	become_user();
	TRY_FD(open(VM "swappiness", O_RDONLY));
	TRY_FD(open(VM "swappiness", O_WRONLY));
	TRY_FD(open(VM "drop_caches", O_WRONLY));
	TRY_FD(open(VM "drop_caches", O_RDONLY));
}

TEST(mm, drop_caches_is_only_for_writing)
{
	struct stat st;

	CHECK(stat(VM "drop_caches", &st) == 0);
	say("mode %o\n", st.st_mode);
	if (!is_root())
		return;
	TRY_FD(open(VM "drop_caches", O_RDONLY));
	TRY_FD(open(VM "drop_caches", O_RDWR));
	TRY_FD(open(VM "drop_caches", O_WRONLY));
}

static long counter(const char *name)
{
	static char text[16384];
	size_t length = strlen(name);

	file_read_text("/proc/coppice/counters", text, sizeof(text));
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return atol(line + length);
	}
	return -1;
}

/* On Linux it would cost all others on the machine their caches. */
TEST(mm, dropped_caches_are_read_again)
{
	struct stat st;
	char byte;

	if (!on_coppice() || !is_root())
		return;
	int fd = open(self_path, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)PAGE)
		CHECK_EQ(pread(fd, &byte, 1, at), 1);
	long full = counter("frames_cache");
	CHECK_STR(write_result(VM "drop_caches", "3\n"), "ok");
	long dropped = counter("frames_cache");
	CHECK(dropped < full);
	for (off_t at = 0; at < st.st_size; at += (off_t)PAGE)
		CHECK_EQ(pread(fd, &byte, 1, at), 1);
	CHECK(counter("frames_cache") > dropped);
	close(fd);
}

TEST(mm, max_map_count_is_kept_to)
{
	enum { LIMIT = 200 };
	char before[100];
	size_t made = 0;

	if (!on_coppice() || !is_root())
		return;
	file_read_text(VM "max_map_count", before, sizeof(before));
	CHECK_STR(write_result(VM "max_map_count", "200\n"), "ok");
	uint8_t *p = map_anon(2 * LIMIT);
	while (made < LIMIT && mprotect(p + 2 * made * PAGE, PAGE, PROT_READ) == 0)
		made++;
	int error = errno;
	CHECK_STR(write_result(VM "max_map_count", before), "ok");
	CHECK(made > 50 && made < LIMIT / 2);
	CHECK_EQ(error, ENOMEM);
	CHECK_EQ(mprotect(p + 2 * made * PAGE, PAGE, PROT_READ), 0);
}
