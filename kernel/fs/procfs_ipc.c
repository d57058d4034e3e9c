/*
 * procfs_ipc.c - System V IPC: /proc/sysvipc, and its parameters in /proc/sys/kernel.
 *
 * The rule of procfs_sys.c holds: what can be set is kept where it is used.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "lib/err.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "proc/ipc.h"

/* --- /proc/sysvipc --- */

static int shm_show(struct text *t, const struct proc_node *n)
{
	struct shm_status s;

	text_string(t,
		    "       key      shmid perms                  size  cpid  lpid nattch   uid   "
		    "gid  cuid  cgid      atime      dtime      ctime                   rss     "
		    "             swap\n");
	for (u64 place = 0; shm_next(&place, &s); place++) {
		text_printf(t, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u ", s.ipc.key,
			    s.ipc.id, s.ipc.mode, s.size, s.creator_pid, s.last_pid, s.attached,
			    s.ipc.uid, s.ipc.gid, s.ipc.cuid, s.ipc.cgid);
		text_printf(t, "%10lu %10lu %10lu %21lu %21lu\n", (u64)s.atime, (u64)s.dtime,
			    (u64)s.ctime, (u64)(s.resident_pages * PAGE_SIZE),
			    (u64)(s.swapped_pages * PAGE_SIZE));
	}
	return 0;
}

static int sem_show(struct text *t, const struct proc_node *n)
{
	struct sem_status s;

	text_string(
		t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
		   "ctime\n");
	for (u64 place = 0; sem_next(&place, &s); place++)
		text_printf(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", s.ipc.key,
			    s.ipc.id, s.ipc.mode, s.count, s.ipc.uid, s.ipc.gid, s.ipc.cuid,
			    s.ipc.cgid, (u64)s.otime, (u64)s.ctime);
	return 0;
}

static int msg_show(struct text *t, const struct proc_node *n)
{
	struct msg_status s;

	text_string(
		t,
		"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
		"cgid      stime      rtime      ctime\n");
	for (u64 place = 0; msg_next(&place, &s); place++) {
		text_printf(t, "%10d %10d  %4o  %10lu %10u %5u %5u %5u %5u %5u %5u ", s.ipc.key,
			    s.ipc.id, s.ipc.mode, s.bytes, s.count, s.send_pid, s.receive_pid,
			    s.ipc.uid, s.ipc.gid, s.ipc.cuid, s.ipc.cgid);
		text_printf(t, "%10lu %10lu %10lu\n", (u64)s.stime, (u64)s.rtime, (u64)s.ctime);
	}
	return 0;
}

const struct proc_entry proc_sysvipc_children[PROC_SYSVIPC_CHILDREN] = {
	PROC_FILE("msg", 0444, msg_show),
	PROC_FILE("sem", 0444, sem_show),
	PROC_FILE("shm", 0444, shm_show),
};

/* --- parameters --- */

int proc_shmall_show(struct text *t, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	text_printf(t, "%lu\n", l.all);
	return 0;
}

int proc_shmmax_show(struct text *t, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	text_printf(t, "%lu\n", l.max);
	return 0;
}

int proc_shmmni_show(struct text *t, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	text_printf(t, "%u\n", l.segments);
	return 0;
}

int proc_shm_rmid_forced_show(struct text *t, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	text_printf(t, "%u\n", l.rmid_forced);
	return 0;
}

/* A number at most `most` and nothing else but blanks around it. */
static int parse(const char *text, u64 most, u64 *out)
{
	const char *end;

	while (*text == ' ' || *text == '\t')
		text++;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	*out = string_to_u64(text, &end);
	while (*end == ' ' || *end == '\t' || *end == '\n')
		end++;
	return *end || *out > most ? -EINVAL : 0;
}

int proc_shmall_store(const char *text, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	int err = parse(text, UINT64_MAX, &l.all);
	return err ? err : shm_set_limits(&l);
}

int proc_shmmax_store(const char *text, const struct proc_node *n)
{
	struct shm_limits l;

	shm_get_limits(&l);
	int err = parse(text, UINT64_MAX, &l.max);
	return err ? err : shm_set_limits(&l);
}

int proc_shmmni_store(const char *text, const struct proc_node *n)
{
	struct shm_limits l;
	u64 segments;

	shm_get_limits(&l);
	int err = parse(text, UINT32_MAX, &segments);
	l.segments = (u32)segments;
	return err ? err : shm_set_limits(&l);
}

int proc_shm_rmid_forced_store(const char *text, const struct proc_node *n)
{
	struct shm_limits l;
	u64 forced;

	shm_get_limits(&l);
	int err = parse(text, 1, &forced);
	l.rmid_forced = forced;
	return err ? err : shm_set_limits(&l);
}
