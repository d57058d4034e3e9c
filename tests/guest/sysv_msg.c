/*
 * sysv_msg.c - System V message queues: types, order, room, waiting, errors.
 *
 * Central rule: a receiver that is to wait first says so and then calls; what it gets does not depend on whether it waited already.
 */
#include "check.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <limits.h>

#define TEST_KEY 0x7c0bb35c

static struct {
	long type;
	char text[16384];
} m;

static int queue_make(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	CHECK(id >= 0);
	return id;
}

static int put(int id, long type, const char *text, int flags)
{
	m.type = type;
	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text) + 1, flags);
}

/* What msgrcv gives: "type text", or the errno. */
static const char *get(int id, long type, int flags)
{
	static char buffer[64];
	long n = msgrcv(id, &m, sizeof(m.text), type, flags);

	if (n < 0)
		return errno_name(errno);
	snprintf(buffer, sizeof(buffer), "%ld %ld %.8s", n, m.type, m.text);
	return buffer;
}

TEST(sysv, msg_errors)
{
	struct msqid_ds ds;
	int id = queue_make();

	m.type = 1;
	TRY(msgsnd(id, &m, 8193, 0));
	TRY(msgsnd(id, &m, -1, 0));
	TRY(put(id, 0, "x", 0));
	TRY(put(id, -1, "x", 0));
	m.type = 1;
	TRY(msgsnd(id, (void *)8, 1, 0));
	TRY(msgsnd(-1, &m, 1, 0));
	TRY(msgsnd(id + 0x8000, &m, 1, 0));
	TRY(msgrcv(id, &m, -1, 0, 0));
	TRY(msgrcv(-1, &m, 1, 0, 0));
	TRY(msgrcv(id, &m, 1, 0, IPC_NOWAIT));
	TRY(msgrcv(id, &m, 1, 0, MSG_COPY));
	TRY(msgrcv(id, &m, 1, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
	TRY(msgrcv(id, &m, 1, 0, MSG_COPY | IPC_NOWAIT));
	TRY(put(id, 1, "x", 0));
	TRY(msgrcv(id, (void *)8, 10, 0, 0)); /* and it is lost */
	TRY(msgrcv(id, &m, 10, 0, IPC_NOWAIT));
	TRY(msgctl(id, 99, &ds));
	TRY(msgctl(-1, IPC_STAT, &ds));
	TRY(msgctl(id, IPC_STAT, (void *)8));
	TRY(msgctl(id, IPC_SET, (void *)8));
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	ds.msg_perm.uid = -1;
	TRY(msgctl(id, IPC_SET, &ds));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgget(TEST_KEY, 0600));
}

TEST(sysv, msg_types_and_order)
{
	int id = queue_make();

	CHECK(put(id, 3, "a", 0) == 0 && put(id, 2, "b", 0) == 0 && put(id, 3, "c", 0) == 0);
	CHECK(put(id, 1, "d", 0) == 0 && put(id, 2, "e", 0) == 0 && put(id, 5, "f", 0) == 0);
	say("%s\n", get(id, 2, 0));
	say("%s\n", get(id, 4, IPC_NOWAIT));
	say("%s\n", get(id, 3, MSG_EXCEPT));
	say("%s\n", get(id, -2, 0));
	say("%s\n", get(id, -2, IPC_NOWAIT));
	say("%s\n", get(id, 1, MSG_COPY | IPC_NOWAIT));
	say("%s\n", get(id, 3, MSG_COPY | IPC_NOWAIT));
	say("%s\n", get(id, 0, 0));
	say("%s\n", get(id, -4, 0));
	say("%s\n", get(id, LONG_MIN, 0));
	say("%s\n", get(id, 0, IPC_NOWAIT));
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

TEST(sysv, msg_sizes)
{
	struct msqid_ds ds;
	int id = queue_make();

	m.type = 1;
	memset(m.text, 'x', sizeof(m.text));
	TRY(msgsnd(id, &m, 8192, 0));
	TRY(msgsnd(id, &m, 8192, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 0, IPC_NOWAIT));
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	say("%lu %lu %lu\n", ds.__msg_cbytes, ds.msg_qnum, ds.msg_qbytes);
	TRY(msgrcv(id, &m, 100, 0, 0));
	TRY(msgrcv(id, &m, 100, 0, MSG_COPY | IPC_NOWAIT));
	TRY(msgrcv(id, &m, 100, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR));
	TRY(msgrcv(id, &m, 100, 0, MSG_NOERROR));
	TRY(msgrcv(id, &m, 8192, 0, 0));
	TRY(msgrcv(id, &m, 0, 0, 0));
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	say("%lu %lu\n", ds.__msg_cbytes, ds.msg_qnum);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK_EQ(ds.msg_lrpid, getpid());
	ds.msg_qbytes = 10;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	TRY(msgsnd(id, &m, 11, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 10, IPC_NOWAIT));
	if (is_root()) {
		ds.msg_perm.uid = 1000;
		ds.msg_perm.mode = 0400;
		CHECK(msgctl(id, IPC_SET, &ds) == 0);
		CHILD (0) {
			become_user();
			TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
			TRY(msgrcv(id, &m, 10, 0, IPC_NOWAIT));
			ds.msg_qbytes = 16385;
			TRY(msgctl(id, IPC_SET, &ds));
			ds.msg_qbytes = 16384;
			TRY(msgctl(id, IPC_SET, &ds));
		}
	}
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

TEST(sysv, msg_waits)
{
	int id = queue_make();
	struct gate ready = gate_make();
	pid_t pid = child_fork();

	if (pid == 0) {
		gate_open(&ready);
		_exit(strcmp(get(id, 7, 0), "2 7 b") ? 1 : 0);
	}
	gate_wait(&ready);
	CHECK(put(id, 6, "a", 0) == 0 && put(id, 7, "b", 0) == 0);
	child_expect(pid, 0);
	say("%s\n", get(id, 0, 0));
	/* A sender waits for room. */
	CHECK(put(id, 1, "c", 0) == 0);
	m.type = 2;
	CHECK(msgsnd(id, &m, 8192, 0) == 0);
	pid = child_fork();
	if (pid == 0) {
		gate_open(&ready);
		_exit(msgsnd(id, &m, 8192, 0) == 0 ? 0 : errno);
	}
	gate_wait(&ready);
	say("%s\n", get(id, 1, 0));
	child_expect(pid, 0);
	struct msqid_ds ds;
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	say("%lu %lu\n", ds.__msg_cbytes, ds.msg_qnum);
	/* Removed while one waits. */
	pid = child_fork();
	if (pid == 0) {
		gate_open(&ready);
		int r = msgsnd(id, &m, 8192, 0);
		_exit(r == 0 ? 0 : errno == EINVAL ? EIDRM : errno); /* perhaps too late to wait */
	}
	gate_wait(&ready);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	child_expect(pid, EIDRM);
	gate_close(&ready);
}

TEST(sysv, msg_keys_and_info)
{
	struct msginfo mi;
	struct msqid_ds ds;
	char text[4096];
	int id = msgget(TEST_KEY, IPC_CREAT | IPC_EXCL | 0640);

	CHECK(id >= 0);
	TRY(msgget(TEST_KEY, IPC_CREAT | IPC_EXCL | 0640));
	CHECK_EQ(msgget(TEST_KEY, 0), id);
	CHECK(msgctl(0, IPC_INFO, (void *)&mi) >= (id & 0x7fff));
	say("%d %d %d %d %d %d %d %d\n", mi.msgpool, mi.msgmap, mi.msgmax, mi.msgmnb, mi.msgmni,
	    mi.msgssz, mi.msgtql, mi.msgseg);
	CHECK(put(id, 1, "x", 0) == 0);
	CHECK(msgctl(0, MSG_INFO, (void *)&mi) >= (id & 0x7fff));
	CHECK(mi.msgpool >= 1 && mi.msgmap >= 1 && mi.msgtql >= 2);
	CHECK_EQ(msgctl(id & 0x7fff, MSG_STAT, &ds), id);
	say("%o %lu\n", ds.msg_perm.mode, ds.msg_qnum);
	file_read_text("/proc/sysvipc/msg", text, sizeof(text));
	*strchr(text, '\n') = '\0';
	say("%s\n", text);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}
