/*
 * mm_seal.c - seals of memfd_create(2) against mappings, and memory of other processes by process_vm_readv(2).
 *
 * Everything is printed, for Linux to be the judge. Next: mm_file.c.
 */
#include "check.h"

#include <pthread.h>
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 0x10
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static int sealable(size_t pages)
{
	int fd = memfd_create("seal", MFD_ALLOW_SEALING);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, pages * PAGE), 0);
	return fd;
}

#define MAPS(...)                                                                            \
	do {                                                                                 \
		void *p_ = mmap(__VA_ARGS__);                                                \
		say(#__VA_ARGS__ ": %s\n", p_ == MAP_FAILED ? errno_name(errno) : "mapped"); \
		if (p_ != MAP_FAILED)                                                        \
			munmap(p_, PAGE);                                                    \
	} while (0)

TEST(mm, a_write_seal_and_mappings)
{
	int fd = sealable(4);
	uint8_t *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), *q;

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* a writable mapping is there */
	CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* it may become writable again */
	CHECK_EQ(munmap(p, PAGE), 0);
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	q[0] = 7;
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* a private one does not matter */
	TRY(fcntl(fd, F_GET_SEALS));
	MAPS(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	MAPS(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	MAPS(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	TRY(mprotect(p, PAGE, RW));
	TRY(madvise(p, PAGE, MADV_REMOVE));
	TRY(remap_file_pages(p, PAGE, 0, 1, 0)); /* shared still: the file is open for writing */
	TRY(pwrite(fd, "x", 1, 0));
	TRY(pwrite(fd, "x", 0, 0));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	TRY(ftruncate(fd, 2 * PAGE));
	say("%d\n", q[0]);
	close(fd);
}

TEST(mm, a_future_write_seal_and_mappings)
{
	int fd = sealable(4);
	uint8_t *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), *q;

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)); /* what is there stays */
	p[0] = 5;
	MAPS(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	TRY(mprotect(q, PAGE, RW));
	TRY(remap_file_pages(q, PAGE, 0, 0, 0));
	TRY(pwrite(fd, "x", 1, 0));
	say("%d\n", q[0]);
	TRY(madvise(p, PAGE, MADV_REMOVE));      /* a hole in the file is a write to it */
	TRY(remap_file_pages(p, PAGE, 0, 1, 0)); /* that would be a new one */
	CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
	TRY(remap_file_pages(p, PAGE, 0, 1, 0));
	TRY(mprotect(p, PAGE, RW));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_EQ(munmap(p, PAGE), 0);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
}

TEST(mm, memfd_flags_and_seals_of_execution)
{
	struct stat st;
	int fd;

	TRY_FD(memfd_create("m", 0));
	TRY_FD(memfd_create("m", MFD_EXEC | MFD_NOEXEC_SEAL));
	TRY_FD(memfd_create("m", 0x20));
	TRY_FD(memfd_create("m", 1u << 31));
	TRY_FD(memfd_create(NULL, 0));
	fd = memfd_create("m", MFD_NOEXEC_SEAL);
	CHECK_EQ(fstat(fd, &st), 0);
	say("%o\n", st.st_mode);
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fchmod(fd, 0700));
	TRY(fchmod(fd, 0600));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	close(fd);
	fd = memfd_create("m", MFD_EXEC | MFD_ALLOW_SEALING);
	CHECK_EQ(fstat(fd, &st), 0);
	say("%o\n", st.st_mode);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fchmod(fd, 0600));
	TRY(fchmod(fd, 0711));
	TRY(pwrite(fd, "x", 1, 0));
	close(fd);
	fd = memfd_create("m", MFD_EXEC);
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	TRY(fcntl(fd, F_ADD_SEALS, 0x40));
	close(fd);
}

enum { ROUNDS = 300 };

struct race {
	int fd;
	pthread_barrier_t start;
	uint8_t *map;
};

static void *mapper(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(&r->start);
	r->map = mmap(NULL, PAGE, RW, MAP_SHARED, r->fd, 0);
	return NULL;
}

/* Either the seal is there or the mapping, never both. */
TEST(mm, a_mapping_and_a_seal_at_once)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct race r = { .fd = sealable(1) };
		pthread_t thread;
		int sealed;

		CHECK_EQ(pthread_barrier_init(&r.start, NULL, 2), 0);
		CHECK_EQ(pthread_create(&thread, NULL, mapper, &r), 0);
		pthread_barrier_wait(&r.start);
		sealed = fcntl(r.fd, F_ADD_SEALS, F_SEAL_WRITE);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK(!(sealed == 0 && r.map != MAP_FAILED));
		if (r.map != MAP_FAILED)
			CHECK_EQ(munmap(r.map, PAGE), 0);
		close(r.fd);
	}
}

TEST(mm, process_vm_calls_refuse)
{
	uint8_t *p = map_anon(4), *q = map_anon(4);
	struct iovec local[] = { { p, PAGE }, { p + PAGE, PAGE } },
		     remote[] = { { q, PAGE }, { q + PAGE, PAGE } };
	struct iovec negative = { p, (size_t)-1 }, nowhere = { (void *)8, PAGE },
		     over = { q + 3 * PAGE, 2 * PAGE };

	CHECK_EQ(munmap(q + 4 * PAGE - PAGE, PAGE), 0);
	over.iov_base = q + 2 * PAGE;
	TRY(process_vm_readv(getpid(), local, 2, remote, 2, 0));
	TRY(process_vm_readv(getpid(), local, 2, remote, 2, 1));
	TRY(process_vm_readv(getpid(), local, 0, remote, 2, 0));
	TRY(process_vm_readv(getpid(), local, 2, remote, 0, 0));
	TRY(process_vm_readv(getpid(), local, 1025, remote, 2, 0));
	TRY(process_vm_readv(getpid(), local, 2, remote, 1025, 0));
	TRY(process_vm_readv(getpid(), NULL, 1, remote, 2, 0));
	TRY(process_vm_readv(getpid(), local, 2, NULL, 1, 0));
	TRY(process_vm_readv(getpid(), &negative, 1, remote, 1, 0));
	TRY(process_vm_readv(getpid(), local, 1, &negative, 1, 0));
	TRY(process_vm_readv(getpid(), local, 2, &nowhere, 1, 0));
	TRY(process_vm_readv(getpid(), &nowhere, 1, remote, 1, 0));
	TRY(process_vm_readv(getpid(), local, 2, &over, 1, 0)); /* as far as it is there */
	TRY(process_vm_writev(getpid(), local, 2, &over, 1, 0));
	TRY(process_vm_readv(0, local, 2, remote, 2, 0));
	TRY(process_vm_readv(-1, local, 2, remote, 2, 0));
	CHECK_EQ(mprotect(q, PAGE, PROT_READ), 0);
	TRY(process_vm_writev(getpid(), local, 1, remote, 1, 0));
	CHECK_EQ(mprotect(q, PAGE, PROT_NONE), 0);
	TRY(process_vm_readv(getpid(), local, 1, remote, 1, 0));
	become_user();
	TRY(process_vm_readv(1, local, 1, remote, 1, 0));
}
