/*
 * launch.c - the launch record (host_protocol.h) as a struct launch.
 *
 * Central rule: the record is checked whole before anything is believed: each item lies inside of
 * it and has the size that its kind asks for. What is wrong is the command's fault, not the
 * program's, so it is a panic that says what. Strings are copied, because in the record they carry
 * no NUL.
 */
#include "dev/device.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

struct launch launch;

/* How many there are of the kinds that may repeat: known before the arrays are made. */
struct counts {
	u32 args, envs, groups, rlimits, rws;
};

static void *allocate(size_t size)
{
	void *p = kzalloc(size);

	if (!p)
		panic("launch record: no memory for %lu bytes of it", size);
	return p;
}

static char *copy_string(const void *text, u32 length)
{
	char *s = allocate((size_t)length + 1);

	memcpy(s, text, length);
	return s;
}

/* A text that a program is to see as a string has no NUL inside. */
static char *take_string(const void *text, u32 length, const char *what)
{
	if (memchr(text, 0, length))
		panic("launch record: a NUL in %s", what);
	return copy_string(text, length);
}

static void take_fixed(void *out, size_t size, const void *data, u32 length, const char *what)
{
	if (length != size)
		panic("launch record: %s has %u bytes, not %lu", what, length, size);
	memcpy(out, data, size);
}

static void take_rw(const char *data, u32 length)
{
	struct launch_rw *rw = &launch.rw[launch.nrw++];
	const char *nul = memchr(data, 0, length);

	if (!nul || nul + 1 == data + length || nul[1] != '/')
		panic("launch record: a writable directory without tag or path");
	rw->tag = copy_string(data, (u32)(nul - data));
	rw->path = take_string(nul + 1, length - (u32)(nul + 1 - data), "a directory's path");
}

static void take_stdio(const void *data, u32 length)
{
	struct host_launch_stdio stdio;

	take_fixed(&stdio, sizeof(stdio), data, length, "a standard descriptor");
	if (stdio.fd > 2 || stdio.kind > HOST_STDIO_NULL || stdio.same_as > stdio.fd)
		panic("launch record: standard descriptor %u of kind %u like %u", stdio.fd,
		      stdio.kind, stdio.same_as);
	launch.stdio[stdio.fd] = stdio;
}

static void take_seed(const void *data, u32 length)
{
	launch.seed_length = min(length, (u32)sizeof(launch.seed));
	memcpy(launch.seed, data, launch.seed_length);
}

static void take_ids(const void *data, u32 length)
{
	struct host_launch_ids ids;

	take_fixed(&ids, sizeof(ids), data, length, "the user's numbers");
	launch.uid = ids.uid;
	launch.gid = ids.gid;
}

/* A kind that is not known is from a newer command, which can do without it. */
static void take_item(u32 kind, const void *data, u32 length)
{
	switch (kind) {
	case HOST_LAUNCH_ARG:
		launch.argv[launch.argc++] = take_string(data, length, "an argument");
		break;
	case HOST_LAUNCH_ENV:
		launch.envp[launch.envc++] = take_string(data, length, "the environment");
		break;
	case HOST_LAUNCH_CWD:
		launch.cwd = take_string(data, length, "the directory");
		break;
	case HOST_LAUNCH_IDS:
		take_ids(data, length);
		break;
	case HOST_LAUNCH_GROUP:
		take_fixed(&launch.groups[launch.ngroups++], sizeof(u32), data, length, "a group");
		break;
	case HOST_LAUNCH_HOSTNAME:
		launch.hostname = take_string(data, length, "the host's name");
		break;
	case HOST_LAUNCH_STDIO:
		take_stdio(data, length);
		break;
	case HOST_LAUNCH_WINSIZE:
		take_fixed(&launch.winsize, sizeof(launch.winsize), data, length, "the window");
		break;
	case HOST_LAUNCH_RW:
		take_rw(data, length);
		break;
	case HOST_LAUNCH_FLAGS:
		take_fixed(&launch.flags, sizeof(launch.flags), data, length, "the flags");
		break;
	case HOST_LAUNCH_TIME:
		take_fixed(&launch.realtime_ns, sizeof(u64), data, length, "the time");
		break;
	case HOST_LAUNCH_SEED:
		take_seed(data, length);
		break;
	case HOST_LAUNCH_RLIMIT:
		take_fixed(&launch.rlimits[launch.nrlimits++], sizeof(*launch.rlimits), data,
			   length, "a limit");
		break;
	case HOST_LAUNCH_SIGNALS:
		take_fixed(&launch.signals, sizeof(launch.signals), data, length, "the signals");
		break;
	case HOST_LAUNCH_UMASK:
		take_fixed(&launch.umask, sizeof(launch.umask), data, length, "the umask");
		break;
	case HOST_LAUNCH_SWAP:
		launch.swap = take_string(data, length, "the disk to swap to");
		break;
	case HOST_LAUNCH_RESOLVER:
		launch.resolver = take_string(data, length, "the resolver");
		break;
	default:
		break;
	}
}

static void count_item(struct counts *n, u32 kind)
{
	n->args += kind == HOST_LAUNCH_ARG;
	n->envs += kind == HOST_LAUNCH_ENV;
	n->groups += kind == HOST_LAUNCH_GROUP;
	n->rlimits += kind == HOST_LAUNCH_RLIMIT;
	n->rws += kind == HOST_LAUNCH_RW;
}

/* Walk the items of the record, which has `size` bytes: count them, or (n NULL) take them. */
static void walk_items(const u8 *record, u64 size, struct counts *n)
{
	u64 at = sizeof(struct host_launch_header);

	while (at < size) {
		struct host_launch_item item;
		u64 data = at + sizeof(item);

		if (data > size)
			panic("launch record: cut off at byte %lu", at);
		memcpy(&item, record + at, sizeof(item));
		if (item.length > size - data)
			panic("launch record: item of kind %u at byte %lu has %u bytes, %lu are "
			      "left",
			      item.kind, at, item.length, size - data);
		if (n)
			count_item(n, item.kind);
		else
			take_item(item.kind, record + data, item.length);
		at = data + ROUND_UP((u64)item.length, 8);
	}
}

static void make_arrays(const struct counts *n)
{
	launch.argv = allocate((n->args + 1ul) * sizeof(*launch.argv));
	launch.envp = allocate((n->envs + 1ul) * sizeof(*launch.envp));
	launch.groups = allocate((n->groups + 1ul) * sizeof(*launch.groups));
	launch.rlimits = allocate((n->rlimits + 1ul) * sizeof(*launch.rlimits));
	launch.rw = allocate((n->rws + 1ul) * sizeof(*launch.rw));
}

static void set_defaults(void)
{
	launch = (struct launch){ .cwd = "/", .hostname = "coppice", .umask = 022 };
	for (u32 fd = 0; fd < ARRAY_SIZE(launch.stdio); fd++)
		launch.stdio[fd] = (struct host_launch_stdio){ fd, HOST_STDIO_NULL, 0, fd };
}

void launch_init(const void *record, u64 size)
{
	struct host_launch_header header;
	struct counts n = { 0 };

	if (size < sizeof(header))
		panic("launch record: only %lu bytes", size);
	memcpy(&header, record, sizeof(header));
	if (header.magic != HOST_LAUNCH_MAGIC)
		panic("launch record: the initrd is something else");
	if (header.version != HOST_PROTOCOL_VERSION)
		panic("launch record: version %u; this kernel knows version %u", header.version,
		      HOST_PROTOCOL_VERSION);
	if (header.size > size || header.size < sizeof(header))
		panic("launch record: %lu bytes came of %u", size, header.size);
	set_defaults();
	walk_items(record, header.size, &n);
	make_arrays(&n);
	walk_items(record, header.size, NULL);
	if (launch.argc == 0)
		panic("launch record: no program");
	if (launch.cwd[0] != '/')
		panic("launch record: the directory is not an absolute path");
}
