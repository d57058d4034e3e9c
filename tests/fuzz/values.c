/*
 * values.c - hostile values: what lies at, just below and just above each limit that somebody may have forgotten, and now and then something ordinary, so that calls get past
 * their first check.
 *
 * A pointer is good three times in five; the rest is null, unmapped, not canonical, the kernel's, read-only, without permission, beyond a file's end, or good with its end in one of those.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <asm-generic/ioctls.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <netinet/in.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(f, list) ((list)[draw(&(f)->random, COUNT_OF(list))])

/* Parts of the arena, in pages. */
#define PART_RW 0
#define PART_READ_ONLY 64
#define PART_NONE 68
#define PART_FILE 80 /* 2 pages of a file, and 2 beyond its end */
#define PART_SHARED 96
#define PART_EXEC 128
#define PART_STACK 192 /* grows down */

void random_seed(struct random *r, uint64_t seed)
{
	r->state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	if (!r->state)
		r->state = 1;
	for (int i = 0; i < 8; i++)
		random_next(r);
}

uint64_t random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

uint32_t draw(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) % n);
}

/* --- memory --- */

static void map(uint64_t page, uint64_t pages, int prot, int flags, int fd)
{
	raw_syscall(SYS_mmap, (long)(ARENA + page * PAGE), (long)(pages * PAGE), prot,
		    flags | MAP_FIXED, fd, 0);
}

void arena_make(struct fuzzer *f)
{
	const int rw = PROT_READ | PROT_WRITE;
	long fd = raw_syscall(SYS_open, (long)"arena", O_RDWR | O_CREAT, 0600, 0, 0, 0);

	(void)f;
	map(PART_RW, 64, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map(PART_READ_ONLY, 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map(PART_NONE, 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (fd >= 0) {
		raw_syscall(SYS_ftruncate, fd, 2 * PAGE, 0, 0, 0, 0);
		map(PART_FILE, 4, rw, MAP_SHARED, (int)fd);
		map(PART_FILE + 4, 4, rw, MAP_PRIVATE, (int)fd);
		raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
	}
	map(PART_SHARED, 16, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
	map(PART_EXEC, 2, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map(PART_STACK, 4, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
}

static uint64_t bad_pointer(struct fuzzer *f)
{
	static const uint64_t fixed[] = {
		0,
		1,
		8,
		0xfff,
		PAGE,
		UINT64_MAX,
		UINT64_MAX - 7,
		UINT64_MAX - 0xfff,
		0x00007ffffffff000ull,
		0x00007fffffffeff8ull,
		0x00007fffffffefffull,
		0x0000800000000000ull,
		0x8000000000000000ull,
		0xffff800000000000ull,
		0xffff800000100000ull,
		0xffffc00000000000ull,
		0xffffffff80000000ull,
		0xffffffff80100000ull,
		0xffffffffff600000ull,
		0xffffffff00000000ull,
		TALLY + PAGE,
		ARENA - 8,
		ARENA + PART_READ_ONLY * PAGE,
		ARENA + (PART_READ_ONLY + 2) * PAGE - 8,
		ARENA + PART_NONE * PAGE,
		ARENA + (PART_FILE + 2) * PAGE,
		ARENA + (PART_FILE + 2) * PAGE - 8,
		ARENA + (PART_FILE + 6) * PAGE - 4,
		ARENA + PART_EXEC * PAGE,
		ARENA + PART_STACK * PAGE - 8,
		ARENA + 64 * PAGE - 8,
		ARENA + 64 * PAGE - 1,
		ARENA + 64 * PAGE - 16,
		ARENA + ARENA_PAGES * PAGE,
	};

	return draw(&f->random, 8) ? PICK(f, fixed)
				   : random_next(&f->random) >> draw(&f->random, 63);
}

static uint64_t good_pointer(struct fuzzer *f)
{
	uint64_t at = (uint64_t)draw(&f->random, 60) * PAGE;

	switch (draw(&f->random, 8)) {
	case 0:
		return CANARY + draw(&f->random, CANARY_PAGES) * PAGE + draw(&f->random, 2) * 4000;
	case 1:
		return ARENA + (PART_SHARED + draw(&f->random, 15)) * PAGE;
	case 2:
		return ARENA + (PART_FILE + draw(&f->random, 2)) * PAGE;
	case 3:
		return ARENA + at + draw(&f->random, PAGE);
	default:
		return ARENA + at;
	}
}

/* Room for n bytes of what the current call's arguments point to. */
static void *scratch_take(struct fuzzer *f, size_t n)
{
	void *p = f->scratch + f->used;

	n = (n + 15) & ~15ul;
	if (f->used + n > SCRATCH_SIZE / 2)
		return f->scratch;
	f->used += n;
	return p;
}

/* Where a structure was built that is hostile enough by its contents: at times it lies badly, too. */
static uint64_t structure_at(struct fuzzer *f, void *p)
{
	return draw(&f->random, 10) ? (uint64_t)p : bad_pointer(f);
}

static uint64_t number_small(struct fuzzer *f)
{
	static const uint64_t edges[] = { UINT64_MAX, INT32_MAX, (uint64_t)INT32_MIN,
					  UINT32_MAX, 0xffff,    0x8000,
					  64,         63,        65 };

	switch (draw(&f->random, 8)) {
	case 0:
		return PICK(f, edges);
	case 1:
		return draw(&f->random, 300);
	case 2:
	case 3:
		return draw(&f->random, 40);
	default:
		return draw(&f->random, 10);
	}
}

static uint64_t length(struct fuzzer *f)
{
	static const uint64_t edges[] = { 0,
					  1,
					  7,
					  8,
					  16,
					  63,
					  64,
					  128,
					  4095,
					  4096,
					  4097,
					  8192,
					  65535,
					  65536,
					  1 << 20,
					  INT32_MAX,
					  INT32_MAX + 1u,
					  UINT32_MAX,
					  1ull << 32,
					  1ull << 47,
					  1ull << 62,
					  INT64_MAX,
					  UINT64_MAX - 7,
					  UINT64_MAX };

	return draw(&f->random, 3)
		       ? draw(&f->random, 2) ? draw(&f->random, 200) : draw(&f->random, 3 * PAGE)
		       : PICK(f, edges);
}

static uint64_t offset(struct fuzzer *f)
{
	static const uint64_t edges[] = { INT64_MAX,
					  INT64_MAX - 4095,
					  (uint64_t)INT64_MIN,
					  UINT64_MAX,
					  1ull << 40,
					  1ull << 31,
					  8 << 20,
					  4095,
					  4097 };

	return draw(&f->random, 4) ? draw(&f->random, 16) * (draw(&f->random, 4) ? PAGE : 511)
				   : PICK(f, edges);
}

static uint64_t flags(struct fuzzer *f)
{
	uint64_t v = 0;

	switch (draw(&f->random, 6)) {
	case 0:
		return random_next(&f->random);
	case 1:
		return 0;
	default:
		for (uint32_t n = draw(&f->random, 4); n; n--)
			v |= 1ull << draw(&f->random, draw(&f->random, 3) ? 18 : 32);
		return v;
	}
}

static uint64_t address(struct fuzzer *f)
{
	static const uint64_t edges[] = { 0,
					  PAGE,
					  0x10000,
					  0x7ffffffff000ull,
					  0x7fffffffe000ull,
					  0x800000000000ull,
					  UINT64_MAX & ~0xfffull,
					  0xffff800000000000ull,
					  123 };

	if (draw(&f->random, 12) == 0)
		return PICK(f, edges);
	return ARENA + draw(&f->random, ARENA_PAGES) * PAGE +
	       (draw(&f->random, 20) ? 0 : draw(&f->random, PAGE));
}

static uint64_t size(struct fuzzer *f)
{
	static const uint64_t edges[] = {
		0,          1,          4095,       4097,       2 << 20,
		1ull << 30, 1ull << 46, 1ull << 47, UINT64_MAX, UINT64_MAX - 4094,
		INT64_MAX
	};

	return draw(&f->random, 8) ? (1 + draw(&f->random, 32)) * PAGE : PICK(f, edges);
}

/* --- names --- */

static uint64_t path(struct fuzzer *f)
{
	static const char *const names[] = { "a",
					     "b",
					     "c",
					     "d/e",
					     "d",
					     "d/..",
					     "link",
					     "fifo",
					     "socket",
					     "arena",
					     ".",
					     "..",
					     "",
					     "/",
					     "a/",
					     "a/b",
					     "./././a",
					     "/etc/passwd",
					     "/dev/null",
					     "/dev/zero",
					     "/dev/full",
					     "/dev/urandom",
					     "/dev/ptmx",
					     "/dev/tty",
					     "/proc/self/maps",
					     "/proc/self/mem",
					     "/proc/self/smaps",
					     "/proc/self/pagemap",
					     "/proc/self/clear_refs",
					     "/proc/self/oom_score_adj",
					     "/proc/self/comm",
					     "/proc/self/environ",
					     "/proc/self/cmdline",
					     "/proc/self/exe",
					     "/proc/self/fd/3",
					     "/proc/self/fd",
					     "/proc/self/fdinfo/5",
					     "/proc/self/task",
					     "/proc/self/status",
					     "/proc/self/cwd",
					     "/proc/self/root",
					     "/proc/1/mem",
					     "/proc/1/environ",
					     "/proc/meminfo",
					     "/proc/vmstat",
					     "/proc/stat",
					     "/proc/kpagecount",
					     "/proc/sys/vm/overcommit_memory",
					     "/proc/sys/kernel/hostname",
					     "/proc/sysrq-trigger",
					     "/proc/coppice/counters",
					     "/proc/coppice/check",
					     "/proc/coppice/fail",
					     "/sys/kernel/mm/transparent_hugepage/enabled",
					     "user.a",
					     "user.b",
					     "trusted.a",
					     "security.capability",
					     "system.posix_acl_access",
					     "/dev/shm/coppice-fuzz",
					     "tmpfs",
					     "proc" };
	char *text;
	uint32_t n;

	switch (draw(&f->random, 16)) {
	case 0:
		return bad_pointer(f);
	case 1: /* long: of one part, or of many */
		n = draw(&f->random, 2) ? 4000 + draw(&f->random, 300)
					: 200 + draw(&f->random, 100);
		text = scratch_take(f, n + 1);
		memset(text, 'x', n);
		for (uint32_t i = 5; n > 1000 && i < n; i += 6)
			text[i] = '/';
		text[n] = 0;
		return (uint64_t)text;
	case 2: /* up to the end of what is mapped, without an end of its own */
		return ARENA + 64 * PAGE - 1 - draw(&f->random, 20);
	case 3:
		text = scratch_take(f, 16);
		for (int i = 0; i < 15; i++)
			text[i] = (char)random_next(&f->random);
		text[15] = 0;
		return (uint64_t)text;
	default:
		return (uint64_t)PICK(f, names);
	}
}

/* --- structures --- */

static void *bytes(struct fuzzer *f, size_t n)
{
	uint8_t *p = scratch_take(f, n);
	uint32_t kind = draw(&f->random, 3);

	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = kind == 0                  ? random_next(&f->random)
			     : kind == 1                ? number_small(f)
			     : draw(&f->random, 5) == 0 ? length(f)
							: 0;
		memcpy(p + i, &v, 8);
	}
	return p;
}

static uint64_t pointer(struct fuzzer *f, bool in)
{
	if (draw(&f->random, 5) < 2)
		return bad_pointer(f);
	if (in && draw(&f->random, 2))
		return (uint64_t)bytes(f, 256);
	return good_pointer(f);
}

static uint64_t iovecs(struct fuzzer *f)
{
	struct iovec *v = scratch_take(f, 8 * sizeof(*v));

	for (int i = 0; i < 8; i++) {
		v[i].iov_base = (void *)(draw(&f->random, 6) ? good_pointer(f) : bad_pointer(f));
		v[i].iov_len = draw(&f->random, 6) ? draw(&f->random, 3 * PAGE) : length(f);
	}
	return structure_at(f, v);
}

static uint64_t timespec(struct fuzzer *f)
{
	static const int64_t odd[] = { -1,        INT64_MIN, INT64_MAX, 1000000000,
				       999999999, INT32_MAX, 1ll << 62 };
	int64_t *t = scratch_take(f, 4 * sizeof(*t)); /* an itimerspec, perhaps */

	for (int i = 0; i < 4; i++)
		t[i] = draw(&f->random, 6) ? i % 2 ? draw(&f->random, 100000) : 0 : PICK(f, odd);
	return draw(&f->random, 10) ? (uint64_t)t : draw(&f->random, 2) ? 0 : bad_pointer(f);
}

static uint64_t sockaddr(struct fuzzer *f)
{
	struct sockaddr_storage *s = scratch_take(f, sizeof(*s));

	memset(s, 0, sizeof(*s));
	switch (draw(&f->random, 5)) {
	case 0: {
		struct sockaddr_un *u = (void *)s;
		u->sun_family = AF_UNIX;
		strcpy(u->sun_path, draw(&f->random, 2) ? "socket" : "other");
		if (draw(&f->random, 3) == 0)
			u->sun_path[0] = 0;
		if (draw(&f->random, 5) == 0)
			memset(u->sun_path, 'y', sizeof(u->sun_path));
		break;
	}
	case 1:
	case 2: {
		struct sockaddr_in *in = (void *)s;
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)(draw(&f->random, 4) ? 20000 + draw(&f->random, 4)
								    : draw(&f->random, 1024)));
		in->sin_addr.s_addr = htonl(
			draw(&f->random, 3) ? INADDR_LOOPBACK : (uint32_t)random_next(&f->random));
		break;
	}
	case 3: {
		struct sockaddr_in6 *in = (void *)s;
		in->sin6_family = AF_INET6;
		in->sin6_port = htons((uint16_t)(20000 + draw(&f->random, 4)));
		in->sin6_addr.s6_addr[15] = 1;
		break;
	}
	default:
		s->ss_family = (sa_family_t)number_small(f);
		memcpy((char *)s + 2, bytes(f, 32), 32);
	}
	return structure_at(f, s);
}

static void message_fill(struct fuzzer *f, struct msghdr *m)
{
	char *control = scratch_take(f, 128);
	struct cmsghdr *c = (void *)control;
	int *fds = (int *)CMSG_DATA(c);

	memset(control, 0, 128);
	c->cmsg_len = draw(&f->random, 3) ? CMSG_LEN(4 * draw(&f->random, 8)) : length(f);
	c->cmsg_level = draw(&f->random, 4) ? SOL_SOCKET : (int)number_small(f);
	c->cmsg_type = draw(&f->random, 4) ? SCM_RIGHTS : (int)number_small(f);
	for (int i = 0; i < 8; i++)
		fds[i] = (int)value_make(f, FD);
	*m = (struct msghdr){
		.msg_name = (void *)(draw(&f->random, 2) ? sockaddr(f) : 0),
		.msg_namelen = (socklen_t)length(f),
		.msg_iov = (void *)iovecs(f),
		.msg_iovlen = draw(&f->random, 4) ? draw(&f->random, 8) : length(f),
		.msg_control = (void *)(draw(&f->random, 2) ? structure_at(f, control) : 0),
		.msg_controllen = draw(&f->random, 3) ? draw(&f->random, 120) : length(f)
	};
}

static uint64_t messages(struct fuzzer *f, uint32_t n)
{
	struct mmsghdr *m = scratch_take(f, n * sizeof(*m));

	for (uint32_t i = 0; i < n; i++)
		message_fill(f, &m[i].msg_hdr);
	return structure_at(f, m);
}

static uint64_t pollfds(struct fuzzer *f)
{
	struct pollfd *p = scratch_take(f, 16 * sizeof(*p));

	for (int i = 0; i < 16; i++)
		p[i] = (struct pollfd){ .fd = (int)value_make(f, FD),
					.events = (short)random_next(&f->random) };
	return structure_at(f, p);
}

static uint64_t epoll_event(struct fuzzer *f)
{
	struct epoll_event *e = scratch_take(f, sizeof(*e));

	e->events = (uint32_t)(flags(f) | (draw(&f->random, 2) ? EPOLLIN : 0) |
			       (draw(&f->random, 4) ? 0 : EPOLLET | EPOLLONESHOT));
	e->data.u64 = random_next(&f->random);
	return structure_at(f, e);
}

/* The kernel's struct sigaction. Handlers: none, or an address where nothing is. */
static uint64_t sigaction_make(struct fuzzer *f)
{
	uint64_t *a = scratch_take(f, 32);

	a[0] = draw(&f->random, 3) ? draw(&f->random, 2) : bad_pointer(f);
	a[1] = flags(f);
	a[2] = bad_pointer(f);
	a[3] = draw(&f->random, 2) ? random_next(&f->random) : 0;
	return structure_at(f, a);
}

static uint64_t strings(struct fuzzer *f)
{
	uint64_t *v = scratch_take(f, 8 * sizeof(*v));
	uint32_t n = draw(&f->random, 8);

	for (uint32_t i = 0; i < 8; i++)
		v[i] = i < n ? path(f) : 0;
	if (draw(&f->random, 8) == 0)
		v[7] = 1;
	return structure_at(f, v);
}

static uint64_t pointers(struct fuzzer *f)
{
	uint64_t *v = scratch_take(f, 16 * sizeof(*v));

	for (int i = 0; i < 16; i++)
		v[i] = draw(&f->random, 4) ? good_pointer(f) : bad_pointer(f);
	return structure_at(f, v);
}

/* --- descriptors --- */

static void descriptor_put(long from, int to)
{
	if (from < 0 || from == to)
		return;
	raw_syscall(SYS_dup2, from, to, 0, 0, 0, 0);
	raw_syscall(SYS_close, from, 0, 0, 0, 0, 0);
}

static void descriptor_open(int to, const char *name, int how)
{
	descriptor_put(raw_syscall(SYS_open, (long)name, how, 0600, 0, 0, 0), to);
}

static void pair_put(long error, const int pair[2], int to)
{
	if (error)
		return;
	raw_syscall(SYS_dup2, pair[0], to, 0, 0, 0, 0);
	raw_syscall(SYS_dup2, pair[1], to + 1, 0, 0, 0, 0);
	for (int i = 0; i < 2; i++)
		if (pair[i] != to && pair[i] != to + 1)
			raw_syscall(SYS_close, pair[i], 0, 0, 0, 0, 0);
}

void descriptors_make(struct fuzzer *f)
{
	static const struct {
		const char *name;
		int how;
	} files[] = {
		{ "/dev/null", O_RDWR },
		{ "/dev/zero", O_RDWR },
		{ "/dev/full", O_RDWR },
		{ "a", O_RDWR | O_CREAT },
		{ "b", O_RDWR | O_CREAT | O_APPEND },
		{ "a", O_RDONLY },
		{ "c", O_WRONLY | O_CREAT },
		{ "a", O_PATH },
		{ ".", O_RDONLY | O_DIRECTORY },
		{ "d", O_RDONLY | O_DIRECTORY },
		{ "/", O_RDONLY | O_DIRECTORY },
		{ "/proc/self", O_RDONLY | O_DIRECTORY },
		{ "/proc/self/mem", O_RDWR },
		{ "/proc/self/maps", O_RDONLY },
		{ "/proc/self/pagemap", O_RDONLY },
		{ "/proc/self/clear_refs", O_WRONLY },
		{ "/etc/passwd", O_RDONLY },
		{ "/dev/urandom", O_RDWR },
		{ "/dev/ptmx", O_RDWR | O_NOCTTY },
		{ "fifo", O_RDWR | O_NONBLOCK },
	};
	static const struct {
		int family, type;
	} sockets[] = { { AF_UNIX, SOCK_STREAM },  { AF_UNIX, SOCK_DGRAM },
			{ AF_INET, SOCK_STREAM },  { AF_INET, SOCK_DGRAM },
			{ AF_INET6, SOCK_STREAM }, { AF_NETLINK, SOCK_RAW } };
	uint64_t set = 0x1000;
	int next = 0, pair[2];

	raw_syscall(SYS_mkdir, (long)"d", 0700, 0, 0, 0, 0);
	raw_syscall(SYS_mknod, (long)"fifo", S_IFIFO | 0600, 0, 0, 0, 0);
	raw_syscall(SYS_symlink, (long)"a", (long)"link", 0, 0, 0, 0);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		descriptor_open(next++, files[i].name, files[i].how);
	raw_syscall(SYS_ftruncate, 3, 3 * PAGE + 100, 0, 0, 0, 0);
	pair_put(raw_syscall(SYS_pipe2, (long)pair, O_NONBLOCK, 0, 0, 0, 0), pair, next);
	next += 2;
	pair_put(raw_syscall(SYS_pipe2, (long)pair, 0, 0, 0, 0, 0), pair, next);
	next += 2;
	pair_put(raw_syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)pair, 0, 0), pair,
		 next);
	next += 2;
	pair_put(raw_syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, (long)pair,
			     0, 0),
		 pair, next);
	next += 2;
	descriptor_put(raw_syscall(SYS_eventfd2, 1, EFD_NONBLOCK, 0, 0, 0, 0), next++);
	descriptor_put(raw_syscall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK, 0, 0, 0, 0),
		       next++);
	descriptor_put(raw_syscall(SYS_signalfd4, -1, (long)&set, 8, SFD_NONBLOCK, 0, 0), next++);
	descriptor_put(raw_syscall(SYS_epoll_create1, 0, 0, 0, 0, 0, 0), next++);
	descriptor_put(raw_syscall(SYS_epoll_create1, 0, 0, 0, 0, 0, 0), next++);
	descriptor_put(raw_syscall(SYS_inotify_init1, IN_NONBLOCK, 0, 0, 0, 0, 0), next++);
	descriptor_put(raw_syscall(SYS_memfd_create, (long)"m", MFD_ALLOW_SEALING, 0, 0, 0, 0),
		       next);
	raw_syscall(SYS_ftruncate, next++, 3 * PAGE, 0, 0, 0, 0);
	descriptor_put(raw_syscall(SYS_pidfd_open, raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0), 0, 0,
				   0, 0, 0),
		       next++);
	for (size_t i = 0; i < COUNT_OF(sockets); i++)
		descriptor_put(raw_syscall(SYS_socket, sockets[i].family,
					   sockets[i].type | SOCK_NONBLOCK, 0, 0, 0, 0),
			       next++);
	(void)f;
}

static uint64_t descriptor(struct fuzzer *f)
{
	static const uint64_t odd[] = {
		UINT64_MAX,          (uint64_t)-100, 1023, 1024, INT32_MAX, UINT32_MAX,
		(uint64_t)INT32_MIN, 1ull << 32,     63,   64,   65,        255
	};

	return draw(&f->random, 12) ? draw(&f->random, FDS + 8) : PICK(f, odd);
}

static uint64_t pid(struct fuzzer *f)
{
	static const uint64_t odd[] = {
		1, UINT64_MAX, (uint64_t)INT32_MIN, INT32_MAX, 4194304, 2, 3
	};

	switch (draw(&f->random, 5)) {
	case 0:
		return PICK(f, odd);
	case 1:
		return 0;
	case 2:
		return (uint64_t)raw_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	case 3: /* a child's, perhaps, or a thread's */
		return (uint64_t)raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) + draw(&f->random, 12);
	default:
		return (uint64_t)raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
	}
}

static uint64_t ioctl_number(struct fuzzer *f)
{
	static const uint64_t known[] = {
		TCGETS,     TCSETS,    TCSETSW,   TCSETSF,   TIOCGPTN,  TIOCSPTLCK, TIOCGWINSZ,
		TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCSCTTY, TIOCNOTTY, TIOCGSID,   TIOCSTI,
		TIOCINQ,    TIOCOUTQ,  TCFLSH,    TCXONC,    TCSBRK,    TIOCPKT,    TIOCGPTPEER,
		FIONBIO,    FIONREAD,  FIOASYNC,  FIOCLEX,   FIONCLEX,  TIOCEXCL,   0x8912,
		0x8913,     0x8915,    0x8927,    0x8933,    0x1272,    0x80081272, 0x40086602,
		0x80086601, 0x5421,    0x5460,    0xc0045878
	};

	return draw(&f->random, 8) ? PICK(f, known) : random_next(&f->random);
}

uint64_t value_make(struct fuzzer *f, enum kind kind)
{
	static const int prots[] = { PROT_NONE,
				     PROT_READ,
				     PROT_WRITE,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC,
				     7,
				     -1,
				     0x1000000,
				     8 };
	static const uint64_t modes[] = { 0,
					  0600,
					  0777,
					  0644,
					  07777,
					  UINT64_MAX,
					  S_IFIFO | 0600,
					  S_IFSOCK | 0600,
					  S_IFREG | 0600,
					  S_IFCHR | 0600,
					  01000,
					  02000,
					  03600 };
	static const int open_flags[] = { O_RDONLY,
					  O_RDWR,
					  O_WRONLY,
					  O_CREAT | O_RDWR,
					  O_CREAT | O_EXCL | O_RDWR,
					  O_TRUNC | O_RDWR,
					  O_APPEND | O_WRONLY,
					  O_NONBLOCK,
					  O_DIRECTORY,
					  O_PATH,
					  O_CLOEXEC,
					  O_NOFOLLOW,
					  O_TMPFILE | O_RDWR,
					  O_DIRECT | O_RDWR,
					  O_CLOEXEC | O_NONBLOCK };
	static const uint64_t ids[] = { 0,     1,          1000,           65534,
					65535, UINT32_MAX, UINT32_MAX - 1, UINT64_MAX };

	switch (kind) {
	case NONE:
		return 0;
	case FD:
		return descriptor(f);
	case DIRFD:
		return draw(&f->random, 2) ? (uint64_t)AT_FDCWD : descriptor(f);
	case PATH:
		return path(f);
	case IN:
		return pointer(f, true);
	case OUT:
		return pointer(f, false);
	case LEN:
		return length(f);
	case SMALL:
		return number_small(f);
	case FLAGS:
		return flags(f);
	case PROT:
		return (uint64_t)PICK(f, prots);
	case PID:
		return pid(f);
	case SIG:
		return draw(&f->random, 6) ? draw(&f->random, 66) : random_next(&f->random);
	case ADDRESS:
		return address(f);
	case SIZE:
		return size(f);
	case OFFSET:
		return offset(f);
	case IOVECS:
		return iovecs(f);
	case COUNT:
		return draw(&f->random, 6)   ? draw(&f->random, 9)
		       : draw(&f->random, 2) ? 1024 + draw(&f->random, 2)
					     : length(f);
	case TIMESPEC:
		return timespec(f);
	case SIGSET:
		return draw(&f->random, 2) ? (uint64_t)bytes(f, 8) : pointer(f, false);
	case SIGSET_SIZE:
		return draw(&f->random, 12) ? 8 : length(f);
	case MODE:
		return PICK(f, modes);
	case ID:
		return PICK(f, ids);
	case STRINGS:
		return strings(f);
	case POINTERS:
		return pointers(f);
	case OPEN_FLAGS:
		return draw(&f->random, 6) ? (uint64_t)PICK(f, open_flags) : flags(f);
	case IOCTL:
		return ioctl_number(f);
	case SOCKADDR:
		return sockaddr(f);
	case MESSAGE:
		return messages(f, 1);
	case MESSAGES:
		return messages(f, 4);
	case EPOLL_EVENTS:
		return epoll_event(f);
	case POLLFDS:
		return pollfds(f);
	case SIGACTION:
		return sigaction_make(f);
	case ANY:
		return draw(&f->random, 3) ? number_small(f) : random_next(&f->random);
	}
	return 0;
}
