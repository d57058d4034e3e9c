/*
 * sysv_sem.c - System V semaphores: all operations of a call or none, in the order of arrival; what is undone; errors.
 *
 * Central rule: who is to wait is known to wait (GETNCNT, GETZCNT) before anything else happens, so nothing depends on time.
 */
#include "check.h"

#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#define TEST_KEY 0x7c0bb15e

static int set_make(int count)
{
	int id = semget(IPC_PRIVATE, (int)count, IPC_CREAT | 0600);

	CHECK(id >= 0);
	return id;
}

static int value(int id, int number)
{
	return semctl(id, number, GETVAL);
}

static int op(int id, int number, int change, int flags)
{
	struct sembuf b = { (unsigned short)number, (short)change, (short)flags };

	return semop(id, &b, 1);
}

/* A child that makes one call and exits with 0, or the errno. */
static pid_t caller(int id, int number, int change, int flags)
{
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(op(id, number, change, flags) == 0 ? 0 : errno);
	return pid;
}

/* Until so many wait for the semaphore to be increased, or to be zero. */
static void await_waiting(int id, int number, int command, int count)
{
	while (semctl(id, number, command) != count)
		usleep(1000);
}

TEST(sysv, sem_errors)
{
	struct sembuf b[501] = { { 0, 1, 0 } };
	struct timespec ts = { 0, 1000000000 };
	struct semid_ds ds;
	int id = set_make(3);

	TRY(semget(IPC_PRIVATE, -1, 0600));
	TRY(semget(IPC_PRIVATE, 32001, 0600));
	TRY(semget(TEST_KEY, 0, 0600));
	TRY(semget(TEST_KEY, 0, IPC_CREAT | 0600));
	TRY(semctl(id, 3, GETVAL));
	TRY(semctl(id, -1, GETVAL));
	TRY(semctl(id, 0, SETVAL, -1));
	TRY(semctl(id, 0, SETVAL, 32768));
	TRY(semctl(id, 5, SETVAL, 32768));
	TRY(semctl(id, 5, SETVAL, 3));
	TRY(semctl(id + 0x8000, 5, SETVAL, 3));
	TRY(semctl(id, 0, 99));
	TRY(semctl(-1, 0, GETVAL));
	TRY(semctl(id, 0, GETALL, 8));
	TRY(semctl(id, 0, SETALL, 8));
	TRY(semctl(id + 0x8000, 0, SETALL, 8));
	TRY(semctl(id, 0, IPC_STAT, 8));
	TRY(semctl(id, 0, IPC_SET, 8));
	TRY(semop(id, b, 0));
	TRY(semop(id, b, 501));
	TRY(semop(-1, b, 1));
	TRY(semop(id + 0x8000, (void *)8, 1));
	TRY(semop(id + 0x8000, b, 1));
	b[0].sem_num = 3;
	TRY(semop(id, b, 1));
	TRY(op(id, 0, 32767, 0));
	TRY(op(id, 0, 1, 0));
	TRY(op(id, 0, -32768, IPC_NOWAIT));
	TRY(op(id, 0, 0, IPC_NOWAIT));
	b[0] = (struct sembuf){ 1, -1, 0 };
	TRY(semtimedop(id, b, 1, &ts));
	ts.tv_nsec = 1000;
	TRY(semtimedop(id, b, 1, &ts));
	ts.tv_sec = -1;
	TRY(semtimedop(id, b, 1, &ts));
	TRY(semtimedop(id, b, 1, (void *)8));
	TRY(op(id, 2, 32767, SEM_UNDO));
	TRY(op(id, 2, -32767, 0));
	TRY(op(id, 2, 32767, SEM_UNDO));
	TRY(op(id, 2, 1, 0));
	CHECK(semctl(id, 0, IPC_STAT, &ds) == 0);
	say("%lu\n", ds.sem_nsems);
	ds.sem_perm.uid = -1;
	TRY(semctl(id, 0, IPC_SET, &ds));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semctl(id, 0, IPC_RMID));
}

TEST(sysv, sem_info)
{
	struct seminfo si;
	int id = set_make(3);

	CHECK(semctl(0, 0, IPC_INFO, &si) >= (id & 0x7fff));
	say("%d %d %d %d %d %d %d %d %d %d\n", si.semmap, si.semmni, si.semmns, si.semmnu,
	    si.semmsl, si.semopm, si.semume, si.semusz, si.semvmx, si.semaem);
	CHECK(semctl(0, 0, SEM_INFO, &si) >= (id & 0x7fff));
	CHECK(si.semusz >= 1 && si.semaem >= 3);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

TEST(sysv, sem_keys_and_status)
{
	struct semid_ds ds;
	time_t now = time(NULL);
	int id = semget(TEST_KEY, 2, IPC_CREAT | IPC_EXCL | 0640);

	CHECK(id >= 0);
	TRY(semget(TEST_KEY, 2, IPC_CREAT | IPC_EXCL | 0640));
	CHECK_EQ(semget(TEST_KEY, 0, 0), id);
	TRY(semget(TEST_KEY, 3, 0));
	CHECK(semctl(id, 0, IPC_STAT, &ds) == 0);
	say("%o %lu %ld\n", ds.sem_perm.mode, ds.sem_nsems, (long)ds.sem_otime);
	CHECK(ds.sem_ctime >= now - 5 && ds.sem_ctime <= now + 5);
	CHECK(op(id, 1, 3, 0) == 0);
	CHECK(semctl(id, 0, IPC_STAT, &ds) == 0);
	CHECK(ds.sem_otime >= now - 5 && ds.sem_otime <= now + 5);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_EQ(semctl(id & 0x7fff, 0, SEM_STAT, &ds), id);
	if (is_root()) {
		CHILD (0) {
			become_user();
			TRY(semctl(id, 0, GETVAL));
			TRY(op(id, 0, 1, 0));
			TRY(op(id, 0, 0, 0));
			TRY(semctl(id, 0, SETVAL, 1));
			TRY(semctl(id, 0, IPC_SET, &ds));
			TRY(semctl(id, 0, IPC_RMID));
		}
		ds.sem_perm.mode = 0604;
		CHECK(semctl(id, 0, IPC_SET, &ds) == 0);
		CHILD (0) {
			become_user();
			TRY(semctl(id, 1, GETVAL));
			TRY(op(id, 0, 1, 0));
			TRY(op(id, 0, 0, 0));
		}
	}
	char text[4096];
	file_read_text("/proc/sysvipc/sem", text, sizeof(text));
	*strchr(text, '\n') = '\0';
	say("%s\n", text);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	TRY(semget(TEST_KEY, 2, 0));
}

TEST(sysv, sem_all_or_nothing)
{
	unsigned short values[3] = { 1, 5, 0 };
	int id = set_make(3);

	CHECK(semctl(id, 0, SETALL, values) == 0);
	struct sembuf fails[] = { { 0, -1, 0 }, { 1, 3, 0 }, { 2, -1, IPC_NOWAIT } };
	TRY(semop(id, fails, 3));
	CHECK(semctl(id, 0, GETALL, values) == 0);
	say("%d %d %d\n", values[0], values[1], values[2]);
	/* One after the other within the call. */
	struct sembuf works[] = { { 2, 2, 0 }, { 2, -1, 0 }, { 0, -1, 0 }, { 0, 0, 0 } };
	TRY(semop(id, works, 4));
	CHECK(semctl(id, 0, GETALL, values) == 0);
	say("%d %d %d\n", values[0], values[1], values[2]);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

TEST(sysv, sem_waits)
{
	int id = set_make(2);
	pid_t one, two, zero;

	/* The first takes what the second cannot have. */
	one = caller(id, 0, -2, 0);
	await_waiting(id, 0, GETNCNT, 1);
	two = caller(id, 0, -1, 0);
	await_waiting(id, 0, GETNCNT, 2);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK(op(id, 0, 2, 0) == 0);
	child_expect(one, 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(value(id, 0), 0);
	CHECK(op(id, 0, 1, 0) == 0);
	child_expect(two, 0);
	/* But who can go on does, though another waits longer. */
	one = caller(id, 0, -2, 0);
	await_waiting(id, 0, GETNCNT, 1);
	two = caller(id, 0, -1, 0);
	await_waiting(id, 0, GETNCNT, 2);
	CHECK(op(id, 0, 1, 0) == 0);
	child_expect(two, 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	/* For zero, which the other brings about. */
	CHECK(semctl(id, 1, SETVAL, 1) == 0);
	zero = caller(id, 1, 0, 0);
	await_waiting(id, 1, GETZCNT, 1);
	CHECK_EQ(semctl(id, 1, GETNCNT), 0);
	CHECK(op(id, 1, -1, 0) == 0);
	child_expect(zero, 0);
	/* SETVAL serves as well. */
	CHECK(semctl(id, 0, SETVAL, 5) == 0);
	child_expect(one, 0);
	CHECK_EQ(value(id, 0), 3);
	/* Removed: nobody waits for what is not there. */
	one = caller(id, 1, -1, 0);
	await_waiting(id, 1, GETNCNT, 1);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	child_expect(one, EIDRM);
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST(sysv, sem_waits_end_by_signals)
{
	int id = set_make(1);
	pid_t pid = child_fork();

	if (pid == 0) {
		struct sigaction a = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

		sigaction(SIGUSR1, &a, NULL);
		_exit(op(id, 0, -1, 0) == 0 ? 0 : errno);
	}
	await_waiting(id, 0, GETNCNT, 1);
	CHECK(kill(pid, SIGUSR1) == 0);
	child_expect(pid, EINTR);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	pid = caller(id, 0, -1, 0);
	await_waiting(id, 0, GETNCNT, 1);
	CHECK(kill(pid, SIGKILL) == 0);
	child_expect(pid, -SIGKILL);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

TEST(sysv, sem_undo)
{
	int id = set_make(3);
	pid_t waits;

	CHECK(semctl(id, 0, SETVAL, 1) == 0);
	CHILD (0) {
		CHECK(op(id, 0, -1, SEM_UNDO) == 0);
		CHECK(op(id, 1, 4, SEM_UNDO) == 0);
		CHECK(op(id, 1, -1, SEM_UNDO) == 0);
		CHECK(op(id, 2, 7, SEM_UNDO) == 0);
		CHECK_EQ(value(id, 0), 0);
		CHECK_EQ(value(id, 1), 3);
		/* A value that was set is not corrected; a child has nothing to undo. */
		CHECK(semctl(id, 2, SETVAL, 9) == 0);
		CHILD (0)
			CHECK_EQ(value(id, 1), 3);
		CHECK_EQ(value(id, 1), 3);
	}
	say("%d %d %d\n", value(id, 0), value(id, 1), value(id, 2));
	/* Undoing serves who waits; nothing falls below zero. */
	CHECK(op(id, 0, -1, 0) == 0);
	waits = caller(id, 0, -2, 0);
	await_waiting(id, 0, GETNCNT, 1);
	CHILD (0) {
		CHECK(op(id, 1, 5, SEM_UNDO) == 0);
		CHECK(op(id, 1, -3, 0) == 0);
		CHECK(semctl(id, 0, SETVAL, 0) == 0);
		/* 2 come and go: they are there for the one that waits at the end alone. */
		CHECK(semctl(id, 2, SETVAL, 2) == 0);
		CHECK(op(id, 2, -2, SEM_UNDO) == 0);
	}
	say("%d %d %d\n", value(id, 0), value(id, 1), value(id, 2));
	CHECK(op(id, 0, 2, 0) == 0);
	child_expect(waits, 0);
	waits = caller(id, 2, -3, 0);
	await_waiting(id, 2, GETNCNT, 1);
	CHECK(semctl(id, 2, SETVAL, 2) == 0);
	CHILD (0) {
		CHECK(op(id, 2, -1, SEM_UNDO) == 0);
		CHECK(op(id, 2, 1, 0) == 0);
	}
	child_expect(waits, 0);
	say("%d\n", value(id, 2));
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}
