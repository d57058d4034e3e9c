/*
 * rights.c - who a process is and what it may: ids, capabilities, prctl, and calls that are refused to it.
 *
 * Central rule: what is not permitted says EPERM before it says anything else is wrong, where Linux does so.
 */
#include "check.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/xattr.h>

static void ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	CHECK(getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0);
	say("%u %u %u, %u %u %u\n", r, e, s, rg, eg, sg);
}

/* Whether it has these capabilities: effective, permitted, inheritable, ambient. */
static void capabilities(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK(syscall(SYS_capget, &h, d) == 0);
	say("%d: %d%d%d%d\n", cap, d[cap / 32].effective >> cap % 32 & 1,
	    d[cap / 32].permitted >> cap % 32 & 1, d[cap / 32].inheritable >> cap % 32 & 1,
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0));
}

static long set_capabilities(unsigned int effective, unsigned int permitted,
			     unsigned int inheritable)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { effective, permitted, inheritable }, {} };

	return syscall(SYS_capset, &h, d);
}

TEST(rights, ids_are_changed_within_limits)
{
	if (!is_root())
		return;
	CHILD (0) {
		TRY(setresuid(1000, 1001, 1002));
		ids();
		TRY(setuid(0));
		TRY(setuid(1002));
		ids();
		TRY(seteuid(1000));
		TRY(setreuid(-1, 1002));
		TRY(setreuid(1002, -1));
		ids();
		TRY(setresuid(-1, -1, -1));
		TRY(setresuid(-1, 1005, -1));
		TRY(setgid(5));
		TRY(setgroups(0, NULL));
	}
	CHILD (0) {
		TRY(setresgid(1000, 1001, 1002));
		TRY(setgid(7));
		ids();
		TRY(setregid(8, 9));
		ids();
		gid_t groups[3] = { 5, 4, 4 };
		TRY(setgroups(3, groups));
		gid_t got[8];
		TRY(getgroups(0, NULL));
		TRY(getgroups(2, got));
		TRY(getgroups(8, got));
		for (int i = 0; i < 3; i++)
			TRY(got[i]);
		TRY(syscall(SYS_setgroups, -1, groups));
		TRY(syscall(SYS_setgroups, 2, 8));
		TRY(setuid(-1));
		TRY(setfsuid(1234));
		TRY(setfsuid(-1));
		TRY(setfsgid(1234));
		TRY(setfsgid(-1));
	}
}

TEST(rights, capabilities_follow_ids)
{
	if (!is_root())
		return;
	CHILD (0) {
		capabilities(CAP_KILL);
		TRY(seteuid(1000));
		capabilities(CAP_KILL);
		TRY(seteuid(0));
		capabilities(CAP_KILL);
		TRY(prctl(PR_SET_KEEPCAPS, 1));
		TRY(prctl(PR_GET_KEEPCAPS));
		TRY(setresuid(1000, 1000, 1000));
		capabilities(CAP_KILL);
		TRY(set_capabilities(1 << CAP_KILL, 1 << CAP_KILL, 1 << CAP_KILL));
		capabilities(CAP_KILL);
		capabilities(CAP_CHOWN);
		TRY(kill(1, 0));
		TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
		TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
		capabilities(CAP_KILL);
		TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0));
		TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
		TRY(prctl(PR_CAP_AMBIENT, 9, 0, 0, 0));
		TRY(set_capabilities(1 << CAP_CHOWN, 1 << CAP_KILL, 0));
		TRY(set_capabilities(0, 1 << CAP_CHOWN, 0));
		TRY(set_capabilities(0, 1 << CAP_KILL, 1 << CAP_CHOWN));
		TRY(prctl(PR_CAPBSET_DROP, CAP_KILL));
		TRY(prctl(PR_CAPBSET_READ, CAP_KILL));
		TRY(prctl(PR_CAPBSET_READ, 99));
		TRY(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
	}
	CHILD (0) {
		TRY(prctl(PR_CAPBSET_DROP, CAP_KILL));
		TRY(prctl(PR_CAPBSET_READ, CAP_KILL));
		TRY(prctl(PR_CAPBSET_DROP, 99));
		capabilities(CAP_KILL);
		TRY(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
		TRY(prctl(PR_GET_SECUREBITS));
		TRY(setresuid(1000, 1000, 1000));
		capabilities(CAP_CHOWN);
		TRY(prctl(PR_SET_SECUREBITS, 0x10000));
		TRY(prctl(PR_SET_SECUREBITS,
			  SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
		TRY(prctl(PR_SET_SECUREBITS, 0));
	}
	struct __user_cap_header_struct h = { 1, 0 };
	struct __user_cap_data_struct d[2];
	TRY(syscall(SYS_capget, &h, NULL));
	TRY(h.version);
	h.version = 1;
	TRY(syscall(SYS_capget, &h, d));
	TRY(syscall(SYS_capget, 8, d));
	h.pid = 0x3fffffff;
	TRY(syscall(SYS_capget, &h, d));
	h.pid = -1;
	TRY(syscall(SYS_capget, &h, d));
	h.pid = getppid();
	TRY(syscall(SYS_capset, &h, d));
}

TEST(rights, prctl_knows_its_options)
{
	int value = 0;
	char name[16];

	TRY(prctl(PR_SET_NAME, "a name that is far too long"));
	TRY(prctl(PR_GET_NAME, name));
	say("%s\n", name);
	TRY(prctl(PR_SET_NAME, 8));
	TRY(prctl(PR_GET_NAME, 8));
	TRY(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	TRY(prctl(PR_GET_PDEATHSIG, &value));
	TRY(value);
	TRY(prctl(PR_SET_PDEATHSIG, 65));
	TRY(prctl(PR_GET_PDEATHSIG, 8));
	TRY(prctl(PR_GET_DUMPABLE));
	TRY(prctl(PR_SET_DUMPABLE, 0));
	TRY(prctl(PR_GET_DUMPABLE));
	TRY(prctl(PR_SET_DUMPABLE, 2));
	TRY(prctl(PR_SET_DUMPABLE, 1));
	TRY(prctl(PR_SET_CHILD_SUBREAPER, 1));
	TRY(prctl(PR_GET_CHILD_SUBREAPER, &value));
	TRY(value);
	TRY(prctl(PR_GET_CHILD_SUBREAPER, 8));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	TRY(prctl(PR_GET_TIMERSLACK));
	TRY(prctl(PR_SET_TIMERSLACK, 123));
	TRY(prctl(PR_GET_TIMERSLACK));
	TRY(prctl(PR_SET_TIMERSLACK, 0));
	TRY(prctl(PR_GET_TIMERSLACK));
	TRY(prctl(PR_GET_TIMING));
	TRY(prctl(PR_SET_TIMING, 0));
	TRY(prctl(PR_SET_TIMING, 1));
	TRY(prctl(PR_GET_TSC, &value));
	TRY(value);
	TRY(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	TRY(prctl(PR_SET_TSC, 7));
	TRY(prctl(PR_GET_UNALIGN, &value));
	TRY(prctl(PR_GET_FPEMU, &value));
	TRY(prctl(PR_GET_FPEXC, &value));
	TRY(prctl(PR_GET_ENDIAN, &value));
	TRY(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	TRY(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
	TRY(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	TRY(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	TRY(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0));
	TRY(prctl(PR_MCE_KILL, 7, 0, 0, 0));
	TRY(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0));
	TRY(prctl(9999));
	TRY(prctl(-1));
}

TEST(rights, calls_for_root_alone)
{
	int number = 5;

	if (!is_root())
		return;
	CHILD (0) {
		become_user();
		TRY(unshare(CLONE_NEWNS));
		TRY(unshare(CLONE_NEWUTS));
		TRY(unshare(CLONE_NEWNET));
		TRY(unshare(1));
		TRY(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
		TRY(unshare(CLONE_THREAD));
		TRY(setns(99, 0));
		TRY(setns(0, 0));
		TRY(sethostname("x", 1));
		TRY(syscall(SYS_setdomainname, "x", 1));
		TRY(syscall(SYS_reboot, 1, 2, 3, 4));
		TRY(syscall(SYS_pivot_root, "/", "/"));
		TRY(chroot("/"));
		TRY(mknod("node", S_IFCHR | 0600, 0x103));
		TRY(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
		TRY(syscall(SYS_umount2, "/tmp", 0));
		TRY(syscall(SYS_swapon, "/nothing", 0));
		TRY(syscall(SYS_settimeofday, &(struct timeval){ 1, 0 }, NULL));
		TRY(setpriority(PRIO_PROCESS, 0, -1));
		TRY(setpriority(PRIO_PROCESS, 0, 3));
		TRY(getpriority(PRIO_PROCESS, 0));
		TRY(setpriority(PRIO_PROCESS, 0, 2));
		TRY(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 }));
		TRY(syscall(SYS_setgroups, 1, &number));
		TRY(kill(1, SIGTERM));
		TRY(syscall(SYS_vhangup));
	}
}

TEST(rights, randomness_and_the_machine)
{
	unsigned char b[64] = {}, zero[64] = {};
	struct sysinfo s;

	TRY(getrandom(b, sizeof(b), 0));
	CHECK(memcmp(b, zero, sizeof(b)) != 0);
	TRY(getrandom(b, sizeof(b), GRND_NONBLOCK | GRND_RANDOM));
	TRY(getrandom(b, 0, 0));
	TRY(getrandom(b, 10, 0x10));
	TRY(getrandom(b, 10, GRND_RANDOM | GRND_INSECURE));
	TRY(getrandom((void *)8, 10, 0));
	TRY(syscall(SYS_sysinfo, 8));
	CHECK(sysinfo(&s) == 0 && s.mem_unit > 0 && s.totalram >= s.freeram && s.procs > 0 &&
	      s.uptime > 0);
	unsigned int cpu = 99, node = 99;
	CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 99 && node == 0);
	TRY(syscall(SYS_getcpu, NULL, NULL, NULL));
	TRY(syscall(SYS_getcpu, 8, NULL, NULL));
	TRY(syscall(SYS_uname, 8));
}

TEST(rights, attributes_of_files_in_memory)
{
	char name[] = "/dev/shm/guest-XXXXXX", b[128];
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	TRY(setxattr(name, "user.one", "1", 1, 0));
	TRY(setxattr(name, "user.two", "22", 2, XATTR_CREATE));
	TRY(setxattr(name, "user.two", "22", 2, XATTR_CREATE));
	TRY(setxattr(name, "user.three", "3", 1, XATTR_REPLACE));
	TRY(getxattr(name, "user.two", b, sizeof(b)));
	TRY(getxattr(name, "user.two", b, 1));
	TRY(getxattr(name, "user.two", NULL, 0));
	TRY(getxattr(name, "user.missing", b, sizeof(b)));
	TRY(fgetxattr(fd, "user.one", b, sizeof(b)));
	TRY(listxattr(name, NULL, 0));
	TRY(listxattr(name, b, 3));
	TRY(removexattr(name, "user.one"));
	TRY(removexattr(name, "user.one"));
	TRY(setxattr(name, "nothing.one", "1", 1, 0));
	TRY(setxattr(name, "user.", "1", 1, 0));
	TRY(setxattr(name, "", "1", 1, 0));
	TRY(setxattr(name, "user.x", "1", 1, 7));
	TRY(setxattr(name, "user.x", "1", 70000, 0));
	TRY(setxattr(name, "user.empty", "", 0, 0));
	TRY(getxattr(name, "user.empty", b, sizeof(b)));
	TRY(setxattr("/dev/shm/guest-missing", "user.x", "1", 1, 0));
	TRY(fsetxattr(99, "user.x", "1", 1, 0));
	if (is_root()) {
		TRY(setxattr(name, "trusted.x", "1", 1, 0));
		TRY(getxattr(name, "trusted.x", b, sizeof(b)));
		CHECK(chmod(name, 0600) == 0);
		CHILD (0) {
			become_user();
			TRY(getxattr(name, "user.two", b, sizeof(b)));
			TRY(getxattr(name, "trusted.x", b, sizeof(b)));
			TRY(setxattr(name, "user.x", "1", 1, 0));
			TRY(setxattr(name, "trusted.y", "1", 1, 0));
		}
	}
	unlink(name);
}
