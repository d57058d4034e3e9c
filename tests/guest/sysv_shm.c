/*
 * sysv_shm.c - System V shared memory: identifiers, permissions, errors, and above all how many are attached.
 *
 * Central rule: the tests run beside whatever else uses shared memory on the machine, so each looks at its own segments alone, and removes them.
 */
#include "check.h"

#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <time.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

#define TEST_KEY 0x7c0bb1ce

static int segment(size_t size, int mode)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | mode);

	CHECK(id >= 0);
	return id;
}

static struct shmid_ds status(int id)
{
	struct shmid_ds ds;

	CHECK(shmctl(id, IPC_STAT, &ds) == 0);
	return ds;
}

static unsigned long attached(int id)
{
	return status(id).shm_nattch;
}

static uint8_t *attach(int id, int flags)
{
	void *p = shmat(id, NULL, flags);

	CHECK(p != (void *)-1);
	return p;
}

static void remove_segment(int id)
{
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static bool exists(int id)
{
	struct shmid_ds ds;

	return shmctl(id, IPC_STAT, &ds) == 0;
}

/* --- identifiers --- */

TEST(sysv, shm_keys)
{
	int id, other;

	TRY(shmget(TEST_KEY, PAGE, 0600));
	TRY(shmget(TEST_KEY, 0, IPC_CREAT | 0600));
	id = shmget(TEST_KEY, 2 * PAGE, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	CHECK_EQ(shmget(TEST_KEY, 0, 0), id);
	CHECK_EQ(shmget(TEST_KEY, 2 * PAGE, 0600), id);
	CHECK_EQ(shmget(TEST_KEY, 1, IPC_CREAT | 0600), id);
	TRY(shmget(TEST_KEY, 2 * PAGE + 1, 0600));
	TRY(shmget(TEST_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_EQ(status(id).shm_perm.__key, TEST_KEY);
	/* Removed but attached: the key is free for another one. */
	uint8_t *p = attach(id, 0);
	remove_segment(id);
	CHECK_EQ(status(id).shm_perm.__key, IPC_PRIVATE);
	CHECK_EQ(status(id).shm_perm.mode, SHM_DEST | 0640);
	TRY(shmget(TEST_KEY, PAGE, 0600));
	other = shmget(TEST_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(other >= 0 && other != id);
	CHECK(shmdt(p) == 0);
	CHECK(!exists(id));
	remove_segment(other);
	CHECK(!exists(other));
	CHECK_ERRNO(shmctl(other, IPC_RMID, NULL), EINVAL);
}

TEST(sysv, shm_ids_are_not_used_again_at_once)
{
	int first = segment(PAGE, 0600);

	remove_segment(first);
	int second = segment(PAGE, 0600);
	CHECK(second != first);
	CHECK_ERRNO(shmat(first, NULL, 0), EINVAL);
	remove_segment(second);
	for (int i = 0; i < 200; i++) {
		int id = segment(PAGE, 0600);

		CHECK(id != first && id != second);
		remove_segment(id);
	}
}

TEST(sysv, shm_sizes)
{
	TRY(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600));
	TRY(shmget(IPC_PRIVATE, -1, IPC_CREAT | 0600));
	TRY(shmget(IPC_PRIVATE, 18446744073692774399ul, IPC_CREAT | 0600));
	TRY(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 14 << 26 | 0600));
	if (is_root()) {
		TRY(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600));
		TRY(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 21 << 26 | 0600));
		become_user();
	}
	TRY(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600));
	int id = segment(PAGE + 1, 0600);
	CHECK_EQ(status(id).shm_segsz, PAGE + 1);
	uint8_t *p = attach(id, 0);
	CHECK_STR(maps_shape(p, 2), "rw-s*2");
	CHECK(all_bytes(p, 2 * PAGE, 0));
	p[2 * PAGE - 1] = 1;
	remove_segment(id);
}

/* --- what a new one says --- */

TEST(sysv, shm_status)
{
	int id = segment(3 * PAGE, 0640);
	struct shmid_ds ds = status(id);
	time_t now = time(NULL);

	CHECK_EQ(ds.shm_perm.mode, 0640);
	CHECK_EQ(ds.shm_perm.uid, geteuid());
	CHECK_EQ(ds.shm_perm.gid, getegid());
	CHECK_EQ(ds.shm_perm.cuid, geteuid());
	CHECK_EQ(ds.shm_perm.cgid, getegid());
	CHECK_EQ(ds.shm_segsz, 3 * PAGE);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK(ds.shm_ctime >= now - 5 && ds.shm_ctime <= now + 1);
	CHECK_EQ(ds.shm_nattch, 0);
	uint8_t *p = attach(id, 0);
	ds = status(id);
	CHECK_EQ(ds.shm_lpid, getpid());
	CHECK(ds.shm_atime >= now - 5 && ds.shm_atime <= now + 5);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK_EQ(ds.shm_nattch, 1);
	CHILD (0) {
		CHECK(shmdt(p) == 0);
		CHECK_EQ(status(id).shm_lpid, getpid());
		CHECK_EQ(status(id).shm_cpid, getppid());
	}
	ds = status(id);
	CHECK(ds.shm_lpid != getpid());
	CHECK(ds.shm_dtime >= now - 5 && ds.shm_dtime <= now + 5);
	CHECK(shmdt(p) == 0);
	remove_segment(id);
}

TEST(sysv, shm_info)
{
	struct shminfo limits;
	struct shm_info info;
	struct shmid_ds ds;
	int id = segment(2 * PAGE, 0600), place = id & 0x7fff;

	CHECK(shmctl(0, IPC_INFO, (void *)&limits) >= place);
	say("%lu %lu %lu\n", limits.shmmin, limits.shmmni, limits.shmseg);
	CHECK(shmctl(0, SHM_INFO, (void *)&info) >= place);
	CHECK(info.used_ids >= 1 && info.shm_tot >= 2 && info.shm_tot >= info.shm_rss);
	CHECK_EQ(shmctl(place, SHM_STAT, &ds), id);
	CHECK_EQ(ds.shm_segsz, 2 * PAGE);
	CHECK_EQ(shmctl(place, SHM_STAT_ANY, &ds), id);
	CHECK_ERRNO(shmctl(0x7ff0, SHM_STAT, &ds), EINVAL);
	remove_segment(id);
	CHECK_ERRNO(shmctl(place, SHM_STAT, &ds), EINVAL);
}

/* --- errors --- */

TEST(sysv, shmat_errors)
{
	int id = segment(2 * PAGE, 0600);
	uint8_t *taken = map_anon(4);

	TRY(shmat(-1, NULL, 0));
	TRY(shmat(id + 0x8000, NULL, 0));
	TRY(shmat(id, (void *)1, 0));
	TRY(shmat(id, (void *)1, SHM_RND | SHM_REMAP));
	TRY(shmat(id, NULL, SHM_REMAP));
	TRY(shmat(id, (void *)0x7ffffffff000, 0));
	TRY(shmat(id, (void *)0xfffffffffffff000, 0));
	TRY(shmat(id, (void *)0xffff800000000000, 0));
	CHECK_ERRNO(shmat(id, taken, 0), EINVAL);
	CHECK_ERRNO(shmat(id, taken + 3 * PAGE, 0), EINVAL);
	CHECK_ERRNO(shmat(id, taken + 1, 0), EINVAL);
	CHECK_STR(maps_shape(taken, 4), "rw-p*4");
	CHECK_EQ(attached(id), 0);
	TRY(shmdt(NULL));
	TRY(shmdt((void *)1));
	TRY(shmdt((void *)-4096));
	CHECK_ERRNO(shmdt(taken), EINVAL);
	CHECK_STR(maps_shape(taken, 4), "rw-p*4");
	remove_segment(id);
}

TEST(sysv, shmctl_errors)
{
	int id = segment(PAGE, 0600);
	struct shmid_ds ds;

	CHECK_ERRNO(shmctl(-1, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id, -1, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id, 99, &ds), EINVAL);
	CHECK_ERRNO(shmctl(-1, IPC_INFO, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id + 0x8000, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(shmctl(id + 0x8000, IPC_RMID, NULL), EINVAL);
	CHECK_ERRNO(shmctl(id + 0x8000, SHM_LOCK, NULL), EINVAL);
	CHECK_EQ(shmctl(id + 0x8000, SHM_STAT, &ds), id);
	CHECK_EQ(raw_syscall(SYS_shmctl, id, IPC_STAT, 8, 0, 0, 0), -EFAULT);
	CHECK_EQ(raw_syscall(SYS_shmctl, id, IPC_SET, 8, 0, 0, 0), -EFAULT);
	CHECK_EQ(raw_syscall(SYS_shmctl, id, SHM_STAT, 8, 0, 0, 0), -EFAULT);
	CHECK_EQ(raw_syscall(SYS_shmctl, 0, IPC_INFO, 8, 0, 0, 0), -EFAULT);
	CHECK_EQ(raw_syscall(SYS_shmctl, 0, SHM_INFO, 8, 0, 0, 0), -EFAULT);
	ds = status(id);
	ds.shm_perm.uid = -1;
	CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EINVAL);
	remove_segment(id);
}

/* --- permissions --- */

static void try_all(int id, struct shmid_ds ds)
{
	struct shmid_ds now;

	TRY(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
	TRY(shmat(id, NULL, SHM_RDONLY) == (void *)-1 ? -1 : 0);
	TRY(shmat(id, NULL, SHM_RDONLY | SHM_EXEC) == (void *)-1 ? -1 : 0);
	TRY(shmctl(id, IPC_STAT, &now));
	TRY(shmctl(id & 0x7fff, SHM_STAT, &now) == -1 ? -1 : 0);
	TRY(shmctl(id & 0x7fff, SHM_STAT_ANY, &now) == -1 ? -1 : 0);
	TRY(shmctl(id, IPC_SET, &ds));
	TRY(shmctl(id, SHM_LOCK, NULL));
	TRY(shmctl(id, SHM_UNLOCK, NULL));
	TRY(shmget(TEST_KEY, 0, 0) == -1 ? -1 : 0);
	TRY(shmget(TEST_KEY, 0, 0400) == -1 ? -1 : 0);
	TRY(shmget(TEST_KEY, 0, 0600) == -1 ? -1 : 0);
}

TEST(sysv, shm_permissions)
{
	static const int modes[] = { 0600, 0640, 0604, 0606, 0700, 0705, 0000 };
	int id = shmget(TEST_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	struct shmid_ds ds = status(id);

	if (!is_root()) {
		remove_segment(id);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		ds.shm_perm.mode = modes[i] | 07000;
		CHECK(shmctl(id, IPC_SET, &ds) == 0);
		CHECK_EQ(status(id).shm_perm.mode, modes[i]);
		say("mode %o\n", modes[i]);
		CHILD (0) {
			become_user();
			try_all(id, ds);
		}
	}
	say("owner\n");
	ds.shm_perm.uid = ds.shm_perm.gid = 1000;
	ds.shm_perm.mode = 0400;
	CHECK(shmctl(id, IPC_SET, &ds) == 0);
	CHECK_EQ(status(id).shm_perm.cuid, 0);
	CHILD (0) {
		become_user();
		try_all(id, ds);
		remove_segment(id);
	}
	CHECK(!exists(id));
}

TEST(sysv, shm_read_only_and_executable)
{
	int id = segment(PAGE, 0700);
	uint8_t *rw = attach(id, 0), *ro = attach(id, SHM_RDONLY), *x = attach(id, SHM_EXEC);
	int result;

	CHECK_STR(maps_shape(rw, 1), "rw-s*1");
	CHECK_STR(maps_shape(ro, 1), "r--s*1");
	CHECK_STR(maps_shape(x, 1), "rwxs*1");
	memcpy(rw, "\xb8\x2a\0\0\0\xc3", 6); /* mov $42, %eax; ret */
	CHECK_EQ(ro[1], 42);
	CHECK_FAULT(probe_write(ro, 1), SIGSEGV, SEGV_ACCERR, ro);
	CHECK_EQ(probe_call(x, &result), 0);
	CHECK_EQ(result, 42);
	CHECK_FAULT(probe_call(rw, &result), SIGSEGV, SEGV_ACCERR, rw);
	CHECK_ERRNO(mprotect(ro, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK(mprotect(ro, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK_EQ(probe_call(ro, &result), 0);
	CHECK_EQ(attached(id), 3);
	remove_segment(id);
}

/* --- where --- */

TEST(sysv, shmat_addresses)
{
	int id = segment(2 * PAGE, 0600);
	uint8_t *hole = map_anon(8);

	CHECK(munmap(hole + 2 * PAGE, 4 * PAGE) == 0);
	CHECK(shmat(id, hole + 2 * PAGE, 0) == hole + 2 * PAGE);
	CHECK(shmat(id, hole + 4 * PAGE + 123, SHM_RND) == hole + 4 * PAGE);
	*(volatile uint8_t *)(hole + 2 * PAGE) =
		7; /* the compiler must not think it knows better */
	CHECK_EQ(*(volatile uint8_t *)(hole + 4 * PAGE), 7);
	CHECK_STR(maps_shape(hole, 8), "rw-p*2 rw-s*2 rw-s*2 rw-p*2");
	CHECK_EQ(attached(id), 2);
	/* Over other memory, and over half of itself. */
	CHECK(shmat(id, hole, SHM_REMAP) == hole);
	CHECK_EQ(hole[0], 7);
	CHECK(shmat(id, hole + 3 * PAGE, SHM_REMAP | SHM_RDONLY) == hole + 3 * PAGE);
	CHECK_STR(maps_shape(hole, 8), "rw-s*2 rw-s*1 r--s*2 rw-s*1 rw-p*2");
	CHECK_EQ(attached(id), 4);
	CHECK(shmdt(hole + 2 * PAGE) == 0); /* its first half */
	CHECK(shmdt(hole + 4 * PAGE) == 0); /* what is left is the second half */
	CHECK_STR(maps_shape(hole, 8), "rw-s*2 .*1 r--s*2 .*1 rw-p*2");
	CHECK_EQ(attached(id), 2);
	remove_segment(id);
	CHECK(shmdt(hole + 3 * PAGE) == 0);
	CHECK(exists(id));
	CHECK(shmdt(hole) == 0);
	CHECK(!exists(id));
	CHECK_ERRNO(shmdt(hole), EINVAL);
}

/* The line of /proc/self/maps from its file's device on. */
static void maps_line(const void *at, char *out)
{
	char line[512], start[32];
	FILE *f = fopen("/proc/self/maps", "r");

	snprintf(start, sizeof(start), "%lx-", (unsigned long)at);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, start, strlen(start)) == 0)
			strcpy(out, strchr(line, ' ') + 1);
	fclose(f);
}

TEST(sysv, shm_names_in_maps)
{
	int id = shmget(TEST_KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	int private = segment(PAGE, 0600);
	uint8_t *p = attach(id, 0), *q = attach(private, SHM_RDONLY);
	unsigned long inode;
	char line[512], name[64] = "";

	maps_line(p, line);
	CHECK_EQ(sscanf(line, "rw-s 00000000 00:01 %lu %63s", &inode, name), 2);
	CHECK_EQ(inode, id);
	say("%s\n", name);
	remove_segment(id);
	maps_line(p, line);
	CHECK_EQ(sscanf(line, "rw-s 00000000 00:01 %lu %63s", &inode, name), 2);
	say("%s%s", name, strstr(line, " (deleted)"));
	maps_line(q, line);
	CHECK_EQ(sscanf(line, "r--s 00000000 00:01 %lu %63s", &inode, name), 2);
	CHECK_EQ(inode, private);
	say("%s\n", name);
	remove_segment(private);
}

/* The columns of its line in /proc/sysvipc/shm; 0: there is none. */
static int proc_line(int id, unsigned long column[16])
{
	FILE *f = fopen("/proc/sysvipc/shm", "r");
	char line[512];
	int n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		char *at = line;

		for (n = 0; n < 16; n++)
			column[n] = strtoul(at, &at, n == 2 ? 8 : 10);
		if (column[1] == (unsigned long)id && strstr(line, "key") == NULL) {
			fclose(f);
			return (int)strlen(line);
		}
	}
	fclose(f);
	return 0;
}

TEST(sysv, shm_in_proc)
{
	unsigned long c[16];
	char text[4096];
	int id = shmget(TEST_KEY, 3 * PAGE, IPC_CREAT | IPC_EXCL | 0640);
	uint8_t *p = attach(id, 0);

	p[0] = p[PAGE] = 1;
	file_read_text("/proc/sysvipc/shm", text, sizeof(text));
	*strchr(text, '\n') = '\0';
	say("%s\n", text);
	say("%d\n", proc_line(id, c));
	CHECK_EQ(c[0], TEST_KEY);
	say("%lo %lu\n", c[2], c[3]);
	CHECK_EQ(c[4], getpid());
	CHECK_EQ(c[5], getpid());
	say("%lu\n", c[6]);
	CHECK_EQ(c[7], geteuid());
	CHECK_EQ(c[9], geteuid());
	CHECK(c[11] && !c[12] && c[13]);
	say("%lu %lu\n", c[14], c[15]);
	remove_segment(id);
	CHECK(proc_line(id, c));
	say("%lu %lo\n", c[0], c[2]);
	CHECK(shmdt(p) == 0);
	CHECK(!proc_line(id, c));
}

/* --- how many are attached --- */

TEST(sysv, shm_attached_across_fork_exec_and_exit)
{
	int id = segment(4 * PAGE, 0600);
	struct gate ready = gate_make(), go = gate_make();
	uint8_t *p = attach(id, 0), *q = attach(id, SHM_RDONLY);

	CHECK_EQ(attached(id), 2);
	pid_t pid = child_fork();
	if (pid == 0) {
		pid_t grandchild = child_fork();
		if (grandchild == 0) {
			CHECK_EQ(attached(id), 6);
			p[1] = 33;
			CHECK(shmdt(q) == 0);
			gate_open(&ready);
			gate_wait(&go);
			_exit(0);
		}
		child_expect(grandchild, 0);
		gate_open(&ready);
		gate_wait(&go);
		CHECK_EQ(attached(id), 4);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	gate_wait(&ready);
	CHECK_EQ(attached(id), 5);
	CHECK_EQ(p[1], 33);
	gate_open(&go);
	gate_wait(&ready);
	CHECK_EQ(attached(id), 4);
	gate_open(&go);
	child_expect(pid, 0);
	CHECK_EQ(attached(id), 2);
	pid = child_fork();
	if (pid == 0) {
		gate_open(&ready);
		pause();
	}
	gate_wait(&ready);
	CHECK_EQ(attached(id), 4);
	CHECK(kill(pid, SIGKILL) == 0);
	child_expect(pid, -SIGKILL);
	CHECK_EQ(attached(id), 2);
	/* Not inherited. */
	CHECK(madvise(p, 4 * PAGE, MADV_DONTFORK) == 0);
	CHILD (0) {
		CHECK_EQ(attached(id), 3);
		CHECK_STR(maps_shape(p, 4), ".*4");
		CHECK_EQ(q[1], 33);
	}
	/* A child outlives the parent's attachments and the segment's name. */
	pid = child_fork();
	if (pid == 0) {
		gate_wait(&go);
		CHECK_EQ(attached(id), 1);
		CHECK_EQ(q[1], 33);
		CHECK(shmdt(q) == 0);
		CHECK(!exists(id));
		_exit(0);
	}
	remove_segment(id);
	CHECK(shmdt(p) == 0 && shmdt(q) == 0);
	gate_open(&go);
	child_expect(pid, 0);
	gate_close(&ready);
	gate_close(&go);
}

TEST(sysv, shm_attached_follows_areas)
{
	int id = segment(8 * PAGE, 0600);
	uint8_t *p = attach(id, 0);

	fill(p, 8, 0x10);
	CHECK(mprotect(p, 8 * PAGE, PROT_READ) == 0);
	CHECK_EQ(attached(id), 1);
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*2 rw-s*2 r--s*4");
	CHECK_EQ(attached(id), 3);
	/* An area whose end is counted is not merged away... */
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*2 r--s*2 r--s*4");
	CHECK_EQ(attached(id), 3);
	/* ... but the boundary of two may move. */
	CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*2 rw-s*3 r--s*3");
	CHECK(mprotect(p + 4 * PAGE, PAGE, PROT_READ) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*2 rw-s*2 r--s*4");
	CHECK(mprotect(p + 1 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*1 rw-s*3 r--s*4");
	CHECK_EQ(attached(id), 3);
	CHILD (0) {
		CHECK_EQ(attached(id), 6);
		CHECK_STR(maps_shape(p, 8), "r--s*1 rw-s*3 r--s*4");
	}
	CHECK(munmap(p + 7 * PAGE, PAGE) == 0);
	CHECK_EQ(attached(id), 3);
	CHECK(munmap(p + 5 * PAGE, PAGE) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*1 rw-s*3 r--s*1 .*1 r--s*1 .*1");
	CHECK_EQ(attached(id), 4);
	CHECK(mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0);
	CHECK(madvise(p + PAGE, PAGE, MADV_DONTFORK) == 0);
	CHECK_STR(maps_shape(p, 8), "r--s*1 rw-s*1 rw-s*2 r--s*1 .*1 r--s*1 .*1");
	CHECK_EQ(attached(id), 5);
	CHILD (0) {
		CHECK_EQ(attached(id), 9);
		CHECK_STR(maps_shape(p, 8), "r--s*1 .*1 rw-s*2 r--s*1 .*1 r--s*1 .*1");
		CHECK(shmdt(p) == 0);
		CHECK_STR(maps_shape(p, 8), ".*8");
		CHECK_EQ(attached(id), 5);
	}
	CHECK(filled(p + 6 * PAGE, 1, 0x16));
	CHECK(shmdt(p) == 0);
	CHECK_STR(maps_shape(p, 8), ".*8");
	CHECK_EQ(attached(id), 0);
	remove_segment(id);
	CHECK(!exists(id));
}

TEST(sysv, shm_attached_across_mremap)
{
	int id = segment(4 * PAGE, 0600);
	uint8_t *p = attach(id, 0), *room = map_anon(8);

	fill(p, 4, 0x20);
	CHECK(munmap(room, 8 * PAGE) == 0);
	/* A part moves: it is not where shmat put it any more. */
	CHECK(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
	CHECK_EQ(attached(id), 3);
	CHECK(filled(room, 1, 0x22));
	/* A second mapping of it. */
	CHECK(mremap(room, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 4 * PAGE) ==
	      room + 4 * PAGE);
	CHECK_EQ(attached(id), 4);
	CHECK(shmdt(p) == 0);
	CHECK_STR(maps_shape(p, 4), ".*4");
	CHECK_EQ(attached(id), 2);
	CHECK_ERRNO(shmdt(room), EINVAL);
	CHECK(munmap(room, PAGE) == 0);
	remove_segment(id);
	CHECK_EQ(attached(id), 1);
	/* Longer than the segment: there is nothing. */
	CHECK(mremap(room + 4 * PAGE, PAGE, 3 * PAGE, 0) == room + 4 * PAGE);
	say("%s\n", maps_shape(room + 4 * PAGE, 3)); /* it is one area still */
	CHECK(filled(room + 4 * PAGE, 2, 0x22));
	CHECK_FAULT(probe_read(room + 6 * PAGE), SIGBUS, BUS_ADRERR, room + 6 * PAGE);
	CHECK(munmap(room + 4 * PAGE, 3 * PAGE) == 0);
	CHECK(!exists(id));
}

TEST(sysv, shm_goes_with_its_last_user)
{
	int id = segment(2 * PAGE, 0600);

	CHILD (0) {
		uint8_t *p = attach(id, 0);

		remove_segment(id);
		remove_segment(id); /* once more */
		/* Attached by its number, while it lasts. */
		uint8_t *q = attach(id, 0);
		q[PAGE] = 5;
		CHECK_EQ(p[PAGE], 5);
		CHECK_EQ(attached(id), 2);
		CHECK(munmap(p, PAGE) == 0);
		CHECK(munmap(q, 2 * PAGE) == 0);
		CHECK(exists(id));
	}
	CHECK(!exists(id));
}

TEST(sysv, shm_contents_stay_without_users)
{
	int id = segment(64 * PAGE, 0600);

	CHILD (0)
		fill(attach(id, 0), 64, 0x30);
	CHECK_EQ(attached(id), 0);
	CHILD (0) {
		uint8_t *p = attach(id, SHM_RDONLY);

		CHECK(filled(p, 64, 0x30));
		CHECK(shmdt(p) == 0);
		CHECK_FAULT(probe_read(p), SIGSEGV, SEGV_MAPERR, p);
	}
	remove_segment(id);
}

TEST(sysv, shm_lock)
{
	int id = segment(4 * PAGE, 0600);
	struct rlimit room = { 2 * PAGE, 2 * PAGE }, none = { 0, 0 };

	CHECK(shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK_EQ(status(id).shm_perm.mode, SHM_LOCKED | 0600);
	CHECK(shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_EQ(status(id).shm_perm.mode, 0600);
	remove_segment(id);
	if (!is_root())
		return;
	become_user();
	id = segment(PAGE, 0600);
	int second = segment(PAGE, 0600), third = segment(1, 0600);
	CHECK(setrlimit(RLIMIT_MEMLOCK, &room) == 0);
	TRY(shmctl(id, SHM_LOCK, NULL));
	TRY(shmctl(second, SHM_LOCK, NULL));
	TRY(shmctl(third, SHM_LOCK, NULL));
	TRY(shmctl(id, SHM_LOCK, NULL));
	remove_segment(id);
	TRY(shmctl(third, SHM_LOCK, NULL));
	CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	TRY(shmctl(third, SHM_LOCK, NULL));
	TRY(shmctl(third, SHM_UNLOCK, NULL));
	TRY(shmctl(third, SHM_LOCK, NULL));
	remove_segment(second);
	remove_segment(third);
}

/* --- limits: they are the whole machine's, so only where that is a virtual one of our own --- */

static void limit_set(const char *name, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	file_write_text(path, value, 0644);
}

TEST(sysv, shm_limits)
{
	int id[3];

	if (!on_coppice() || !is_root())
		return;
	limit_set("shmmax", "8192\n");
	id[0] = segment(8192, 0600);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 8193, IPC_CREAT | 0600), EINVAL);
	limit_set("shmall", "3\n");
	id[1] = segment(1, 0600);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600), ENOSPC);
	limit_set("shmall", "18446744073692774399\n");
	limit_set("shmmni", "3\n");
	id[2] = segment(PAGE, 0600);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600), ENOSPC);
	int fd = open("/proc/sys/kernel/shmmni", O_WRONLY);
	CHECK_ERRNO(write(fd, "32769\n", 6), EINVAL);
	CHECK_ERRNO(write(fd, "x\n", 2), EINVAL);
	close(fd);
	limit_set("shmmni", "4096\n");
	limit_set("shmmax", "18446744073692774399\n");
	for (int i = 0; i < 3; i++)
		remove_segment(id[i]);
}

TEST(sysv, shm_rmid_forced)
{
	int fd[2], id, kept;

	if (!on_coppice() || !is_root())
		return;
	CHECK(pipe(fd) == 0);
	/* An orphan from before goes when the rule is switched on; what is attached, when it is detached. */
	CHILD (0) {
		int ids[] = { segment(PAGE, 0600), segment(PAGE, 0600) };
		CHECK(write(fd[1], ids, sizeof(ids)) == sizeof(ids));
	}
	CHECK(read(fd[0], &id, sizeof(id)) == sizeof(id));
	CHECK(read(fd[0], &kept, sizeof(kept)) == sizeof(kept));
	uint8_t *p = attach(kept, 0);
	int mine = segment(PAGE, 0600);
	limit_set("shm_rmid_forced", "1\n");
	CHECK(!exists(id) && exists(kept) && exists(mine));
	CHECK(shmdt(p) == 0);
	CHECK(!exists(kept));
	CHECK(shmdt(attach(mine, 0)) == 0);
	CHECK(!exists(mine));
	CHILD (0) {
		id = segment(PAGE, 0600);
		CHECK(write(fd[1], &id, sizeof(id)) == sizeof(id));
	}
	CHECK(read(fd[0], &id, sizeof(id)) == sizeof(id));
	CHECK(!exists(id));
	limit_set("shm_rmid_forced", "0\n");
}

/* --- POSIX shared memory: files of /dev/shm --- */

TEST(sysv, posix_shm)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/coppice-test-%d", getpid());
	CHECK_ERRNO(shm_open(name, O_RDWR, 0), ENOENT);
	int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(fd >= 0);
	CHECK_ERRNO(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	uint8_t *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && all_bytes(p, 4 * PAGE, 0));
	CHILD (0) {
		int mine = shm_open(name, O_RDWR, 0);
		uint8_t *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, PAGE);

		CHECK(q != MAP_FAILED);
		q[5] = 44;
		p[6] = 45;
		CHECK(shm_unlink(name) == 0);
	}
	CHECK_EQ(p[PAGE + 5], 44);
	CHECK_EQ(p[6], 45);
	CHECK_ERRNO(shm_unlink(name), ENOENT);
	CHECK(fstat(fd, &st) == 0);
	say("%ld %ld %lu\n", (long)st.st_size, (long)st.st_blocks, (unsigned long)st.st_nlink);
	CHECK(ftruncate(fd, PAGE) == 0);
	CHECK_FAULT(probe_read(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
	CHECK(close(fd) == 0);
	CHECK_EQ(p[6], 45);
}

/* Pages that nobody wrote to may be dropped, but not those of a segment that is locked. */
TEST(sysv, a_locked_segment_keeps_its_clean_pages)
{
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	volatile uint8_t *p = shmat(id, NULL, 0);
	unsigned char in[4];

	CHECK(p != (void *)-1);
	for (int locked = 0; locked < 2; locked++) {
		if (locked)
			CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(p[i * PAGE], 0);
		CHECK_EQ(madvise((void *)p, 4 * PAGE, MADV_PAGEOUT), 0);
		CHECK_EQ(mincore((void *)p, 4 * PAGE, in), 0);
		say("locked %d: %d%d%d%d\n", locked, in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1);
	}
	CHECK_EQ(shmdt((void *)p), 0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}
