/*
 * test_cli.c - the parts of the `coppice` command that are functions of their arguments: options,
 * launch record, frames, QEMU's command line, the remembered accelerator. Next: test_cli_run.c,
 * the command as a whole.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel.h"
#include "bytes.h"
#include "dev/swap_header.h"
#include "frame.h"
#include "launch.h"
#include "options.h"
#include "publish.h"
#include "sink.h"
#include "swap.h"
#include "vm.h"

#define MEBIBYTE (UINT64_C(1) << 20)

/* --- values --- */

static void sizes_have_binary_suffixes(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_true(parse_size("512M", &bytes) && bytes == 512 * MEBIBYTE);
	assert_true(parse_size("2G", &bytes) && bytes == 2048 * MEBIBYTE);
	assert_true(parse_size("65536k", &bytes) && bytes == 64 * MEBIBYTE);
	assert_true(parse_size("1t", &bytes) && bytes == MEBIBYTE << 20);
	assert_true(parse_size("256", &bytes) && bytes == 256 * MEBIBYTE);
}

static void sizes_that_are_none_are_refused(void **state)
{
	static const char *const wrong[] = { "",
					     "M",
					     "-1M",
					     " 5M",
					     "5MB",
					     "5X",
					     "1.5G",
					     "99999999999999999999",
					     "18446744073709551615K" };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(parse_size(wrong[i], &bytes));
}

static void seconds_may_have_a_fraction(void **state)
{
	uint64_t ns;

	(void)state;
	assert_true(parse_seconds("3", &ns) && ns == 3000000000);
	assert_true(parse_seconds("0.25", &ns) && ns == 250000000);
	assert_true(parse_seconds(".5", &ns) && ns == 500000000);
	assert_true(parse_seconds("1.0000000019", &ns) && ns == 1000000001);
	assert_false(parse_seconds("0", &ns));
	assert_false(parse_seconds("", &ns));
	assert_false(parse_seconds(".", &ns));
	assert_false(parse_seconds("-1", &ns));
	assert_false(parse_seconds("1s", &ns));
	assert_false(parse_seconds("99999999999999", &ns));
}

static void publish_takes_an_address_and_two_ports(void **state)
{
	struct publish p;

	(void)state;
	assert_true(publish_parse("8080:80", &p) && p.host == 8080 && p.guest == 80 && !p.udp);
	assert_string_equal(p.address, "127.0.0.1");
	assert_true(publish_parse("0.0.0.0:53:5353/udp", &p) && p.host == 53 && p.guest == 5353);
	assert_string_equal(p.address, "0.0.0.0");
	assert_true(p.udp);
	assert_true(publish_parse("1:2/tcp", &p) && !p.udp);
	assert_false(publish_parse("8080", &p));
	assert_false(publish_parse("0:80", &p));
	assert_false(publish_parse("80:65536", &p));
	assert_false(publish_parse("80:80:80", &p));
	assert_false(publish_parse("1.2.3.4:80", &p));
	assert_false(publish_parse("1.2.3:80:80", &p));
	assert_false(publish_parse(":80:80", &p));
	assert_false(publish_parse(":80", &p));
	assert_false(publish_parse("80:80/sctp", &p));
	assert_false(publish_parse("80:80,hostfwd=tcp::1-:1", &p));
}

static void default_memory_fits_the_host(void **state)
{
	(void)state;
	assert_int_equal(default_memory(64 * 1024 * MEBIBYTE), 1024 * MEBIBYTE);
	assert_int_equal(default_memory(1001 * MEBIBYTE + 5), 500 * MEBIBYTE);
	assert_int_equal(default_memory(40 * MEBIBYTE), 32 * MEBIBYTE);
	assert_int_equal(default_memory(0), 32 * MEBIBYTE);
}

/* --- options --- */

#define ARGUMENTS_MAX 32

/* Parse a copy of the arguments, which stays allocated: the options point into it. */
static bool parse(struct options *options, char error[256], const char *const arguments[])
{
	char **argv = calloc(ARGUMENTS_MAX, sizeof(*argv));
	int argc = 0;

	argv[argc++] = strdup("coppice run");
	while (*arguments)
		argv[argc++] = strdup(*arguments++);
	return options_parse(argc, argv, options, error, 256);
}

#define PARSE(options, error, ...) parse(options, error, (const char *const[]){ __VA_ARGS__, NULL })

static void options_have_defaults(void **state)
{
	struct options o;
	char error[256];
	cpu_set_t mine;

	(void)state;
	assert_true(PARSE(&o, error, "true"));
	assert_int_equal(o.memory, 0);
	assert_int_equal(o.swap, 0);
	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	assert_int_equal(o.cpus, CPU_COUNT(&mine));
	assert_int_equal(o.accel, ACCEL_AUTO);
	assert_int_equal(o.timeout_ns, 0);
	assert_null(o.root);
	assert_string_equal(o.qemu, "qemu-system-x86_64");
	assert_false(o.stats || o.verbose || o.check || o.icount || o.gdb || o.no_aslr ||
		     o.missing_syscalls);
	assert_string_equal(o.program[0], "true");
	assert_null(o.program[1]);
}

static void options_before_the_program_are_ours(void **state)
{
	struct options o;
	char error[256];

	(void)state;
	assert_true(PARSE(&o, error, "-m", "64M", "--swap", "2G", "--cpus=4", "--rw", "/a", "--rw",
			  "/b", "--accel", "tcg", "--timeout", "2.5", "--stats",
			  "--missing-syscalls", "--no-aslr", "--check", "--icount", "-v", "--gdb",
			  "--qemu-arg", "-d", "ls", "-l"));
	assert_int_equal(o.memory, 64 * MEBIBYTE);
	assert_int_equal(o.swap, 2048 * MEBIBYTE);
	assert_int_equal(o.cpus, 4);
	assert_int_equal(o.rw.count, 2);
	assert_string_equal(o.rw.items[1], "/b");
	assert_int_equal(o.accel, ACCEL_TCG);
	assert_int_equal(o.timeout_ns, 2500000000);
	assert_true(o.stats && o.verbose && o.check && o.icount && o.gdb && o.no_aslr &&
		    o.missing_syscalls);
	assert_string_equal(o.qemu_arguments.items[0], "-d");
	assert_string_equal(o.program[0], "ls");
	assert_string_equal(o.program[1], "-l");
}

static void options_after_the_program_are_its_own(void **state)
{
	struct options o;
	char error[256];

	(void)state;
	assert_true(PARSE(&o, error, "-v", "env", "--stats", "--", "-m"));
	assert_false(o.stats);
	assert_string_equal(o.program[0], "env");
	assert_string_equal(o.program[1], "--stats");
	assert_string_equal(o.program[2], "--");
	assert_string_equal(o.program[3], "-m");
}

static void two_dashes_end_our_options(void **state)
{
	struct options o;
	char error[256];

	(void)state;
	assert_true(PARSE(&o, error, "--stats", "--", "-odd-name", "--"));
	assert_true(o.stats);
	assert_string_equal(o.program[0], "-odd-name");
	assert_string_equal(o.program[1], "--");
	assert_null(o.program[2]);
}

static void wrong_values_say_what_is_wrong(void **state)
{
	struct options o;
	char error[256];

	(void)state;
	assert_false(PARSE(&o, error, "-m", "16M", "true"));
	assert_string_equal(error, "--memory: 16M is too small; give at least 32M");
	assert_false(PARSE(&o, error, "--swap", "much", "true"));
	assert_string_equal(error, "--swap: 'much' is not a size such as 512M or 2G");
	assert_false(PARSE(&o, error, "--swap", "1023K", "true"));
	assert_string_equal(error, "--swap: 1023K is too small; give at least 1M");
	assert_false(PARSE(&o, error, "--swap", "17T", "true"));
	assert_string_equal(error, "--swap: 17T is too much; give at most 16T");
	assert_false(PARSE(&o, error, "--cpus", "65", "true"));
	assert_string_equal(error, "--cpus: '65' is not a number from 1 to 64");
	assert_false(PARSE(&o, error, "--accel", "xen", "true"));
	assert_string_equal(error, "--accel: 'xen' is not one of auto, kvm and tcg");
	assert_false(PARSE(&o, error, "--timeout", "0", "true"));
	assert_string_equal(error, "--timeout: '0' is not a number of seconds such as 10 or 0.5");
	assert_false(PARSE(&o, error, "--icount", "--accel", "kvm", "true"));
	assert_string_equal(error, "--icount needs TCG; leave out --accel kvm");
	assert_false(PARSE(&o, error, "-v"));
	assert_string_equal(error, "no program given; try 'coppice run --help'");
	assert_false(PARSE(&o, error, "--"));
}

/* --- frames --- */

static void frames_come_out_as_they_went_in(void **state)
{
	struct bytes queue = { 0 };
	struct frame frame;
	uint32_t value;

	(void)state;
	frame_put(&queue, HOST_OUTPUT, 2, "hello", 5);
	frame_put_u32(&queue, HOST_OUTPUT_ACK, 1, 77);
	frame_put(&queue, HOST_STDIN_EOF, 0, NULL, 0);
	assert_int_equal(frame_take(&queue, &frame), 1);
	assert_int_equal(frame.type, HOST_OUTPUT);
	assert_int_equal(frame.fd, 2);
	assert_int_equal(frame.length, 5);
	assert_memory_equal(frame.payload, "hello", 5);
	assert_false(frame_u32(&(struct frame){ .length = 3 }, &value));
	assert_int_equal(frame_take(&queue, &frame), 1);
	assert_true(frame_u32(&frame, &value));
	assert_int_equal(value, 77);
	assert_int_equal(frame_take(&queue, &frame), 1);
	assert_int_equal(frame.length, 0);
	assert_int_equal(frame_take(&queue, &frame), 0);
	bytes_free(&queue);
}

static void frame_is_taken_only_when_it_is_whole(void **state)
{
	struct bytes whole = { 0 }, queue = { 0 };
	struct frame frame;

	(void)state;
	frame_put(&whole, HOST_LOG, 0, "0123456789", 10);
	for (size_t i = 0; i < bytes_length(&whole); i++) {
		assert_int_equal(frame_take(&queue, &frame), 0);
		bytes_append(&queue, bytes_data(&whole) + i, 1);
	}
	assert_int_equal(frame_take(&queue, &frame), 1);
	assert_memory_equal(frame.payload, "0123456789", 10);
	bytes_free(&whole);
	bytes_free(&queue);
}

static void frame_that_is_too_long_is_refused(void **state)
{
	struct host_frame header = { .type = HOST_OUTPUT, .length = HOST_FRAME_MAX + 1 };
	struct bytes queue = { 0 };
	struct frame frame;

	(void)state;
	bytes_append(&queue, &header, sizeof(header));
	assert_int_equal(frame_take(&queue, &frame), -1);
	bytes_free(&queue);
}

/* --- the launch record --- */

struct item {
	uint32_t kind, length;
	const uint8_t *data;
};

/* The items of a record, checking its form. Returns how many. */
static size_t record_items(const struct bytes *record, struct item items[], size_t max)
{
	const uint8_t *data = bytes_data(record);
	size_t at = sizeof(struct host_launch_header), count = 0;
	struct host_launch_header header;

	memcpy(&header, data, sizeof(header));
	assert_memory_equal(data, "COPICE1", 8);
	assert_int_equal(header.version, HOST_PROTOCOL_VERSION);
	assert_int_equal(header.size, bytes_length(record));
	while (at < header.size) {
		struct host_launch_item item;

		assert_true(count < max && at % 8 == 0 && header.size - at >= sizeof(item));
		memcpy(&item, data + at, sizeof(item));
		at += sizeof(item);
		assert_true(item.length <= header.size - at);
		items[count++] = (struct item){ item.kind, item.length, data + at };
		at += item.length;
		for (; at % 8; at++)
			assert_int_equal(data[at], 0);
	}
	assert_int_equal(at, header.size);
	return count;
}

/* Item number `index` of its kind is these bytes. */
static void assert_item(const struct item items[], size_t count, uint32_t kind, unsigned int index,
			const void *data, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind != kind || index-- > 0)
			continue;
		assert_int_equal(items[i].length, length);
		assert_memory_equal(items[i].data, data, length);
		return;
	}
	fail_msg("there is no such item of kind %u", kind);
}

static void launch_record_holds_what_was_put_in(void **state)
{
	char *arguments[] = { "sh", "", "-c", NULL },
	     *environment[] = { "A=1", "LONG=0123456789", NULL };
	const char *rw[] = { "/srv/data", "/tmp" };
	gid_t groups[] = { 4, 24 };
	struct launch launch = {
		.arguments = arguments,
		.environment = environment,
		.directory = "/home/u",
		.host_name = "box",
		.uid = 1000,
		.gid = 1001,
		.groups = groups,
		.group_count = 2,
		.umask = 027,
		.rw = rw,
		.rw_count = 2,
		.flags = HOST_FLAG_STATS | HOST_FLAG_NO_ASLR,
		.descriptors = { { HOST_STDIO_TTY, S_IFCHR | 0620, 0 },
				 { HOST_STDIO_STREAM, S_IFIFO | 0600, 1 },
				 { HOST_STDIO_TTY, S_IFCHR, 0 } },
		.has_window_size = true,
		.window_size = { 24, 80, 0, 0 },
		.time_ns = 1234567890123456789,
		.seed = { 1, 2, 3 },
	};
	struct bytes record = { 0 };
	struct item items[64];
	size_t count;

	(void)state;
	launch.limits[RLIMIT_NOFILE] = (struct rlimit){ 1024, 4096 };
	assert_true(launch_encode(&launch, &record));
	count = record_items(&record, items, 64);
	assert_item(items, count, HOST_LAUNCH_ARG, 0, "sh", 2);
	assert_item(items, count, HOST_LAUNCH_ARG, 1, "", 0);
	assert_item(items, count, HOST_LAUNCH_ARG, 2, "-c", 2);
	assert_item(items, count, HOST_LAUNCH_ENV, 1, "LONG=0123456789", 15);
	assert_item(items, count, HOST_LAUNCH_CWD, 0, "/home/u", 7);
	assert_item(items, count, HOST_LAUNCH_HOSTNAME, 0, "box", 3);
	assert_item(items, count, HOST_LAUNCH_IDS, 0, (uint32_t[]){ 1000, 1001 }, 8);
	assert_item(items, count, HOST_LAUNCH_GROUP, 1, (uint32_t[]){ 24 }, 4);
	assert_item(items, count, HOST_LAUNCH_UMASK, 0, (uint32_t[]){ 027 }, 4);
	assert_item(items, count, HOST_LAUNCH_RW, 0, "rw0\0/srv/data", 13);
	assert_item(items, count, HOST_LAUNCH_RW, 1, "rw1\0/tmp", 8);
	assert_item(items, count, HOST_LAUNCH_FLAGS, 0,
		    (uint32_t[]){ HOST_FLAG_STATS | HOST_FLAG_NO_ASLR }, 4);
	assert_item(items, count, HOST_LAUNCH_STDIO, 1,
		    &(struct host_launch_stdio){ 1, HOST_STDIO_STREAM, S_IFIFO | 0600, 1 }, 16);
	assert_item(items, count, HOST_LAUNCH_STDIO, 2,
		    &(struct host_launch_stdio){ 2, HOST_STDIO_TTY, S_IFCHR, 0 }, 16);
	assert_item(items, count, HOST_LAUNCH_WINSIZE, 0, (uint16_t[]){ 24, 80, 0, 0 }, 8);
	assert_item(items, count, HOST_LAUNCH_TIME, 0, &launch.time_ns, 8);
	assert_item(items, count, HOST_LAUNCH_SEED, 0, launch.seed, 64);
	assert_item(items, count, HOST_LAUNCH_RLIMIT, RLIMIT_NOFILE,
		    &(struct host_launch_rlimit){
			    .resource = RLIMIT_NOFILE, .soft = 1024, .hard = 4096 },
		    24);
	bytes_free(&record);
}

static void launch_record_leaves_out_a_size_that_is_not_there(void **state)
{
	char *nothing[] = { NULL };
	struct launch launch = {
		.arguments = nothing, .environment = nothing, .directory = "/", .host_name = ""
	};
	struct bytes record = { 0 };
	struct item items[64];
	size_t count;

	(void)state;
	assert_true(launch_encode(&launch, &record));
	count = record_items(&record, items, 64);
	for (size_t i = 0; i < count; i++)
		assert_true(items[i].kind != HOST_LAUNCH_WINSIZE &&
			    items[i].kind != HOST_LAUNCH_RW && items[i].kind != HOST_LAUNCH_ARG);
	bytes_free(&record);
}

/* --- QEMU's command line --- */

static bool has_argument(char **arguments, const char *option, const char *value)
{
	for (; arguments[0] && arguments[1]; arguments++) {
		if (strcmp(arguments[0], option) == 0 && strcmp(arguments[1], value) == 0)
			return true;
	}
	return false;
}

static void machine_is_what_was_asked_for(void **state)
{
	const char *rw[] = { "/a,b" };
	struct string_list extra = { 0 };
	struct publish_list published = { 0 };
	struct publish port;
	struct vm_config config = {
		.qemu = "/usr/bin/qemu",
		.kernel = "/k",
		.accel = ACCEL_TCG,
		.memory = 96 * MEBIBYTE,
		.cpus = 3,
		.root = "/",
		.rw = rw,
		.rw_count = 1,
		.launch_fd = 7,
		.console_fd = 9,
		.publish = &published,
		.extra = &extra,
	};
	char **arguments;

	(void)state;
	string_list_add(&extra, "-d");
	assert_true(publish_parse("8080:80", &port));
	publish_add(&published, &port);
	assert_true(publish_parse("10.1.2.3:53:5353/udp", &port));
	publish_add(&published, &port);
	arguments = vm_arguments(&config);
	assert_string_equal(arguments[0], "/usr/bin/qemu");
	assert_true(has_argument(arguments, "-global", "virtio-mmio.force-legacy=false"));
	assert_true(has_argument(arguments, "-kernel", "/k"));
	assert_true(has_argument(arguments, "-m", "98304K"));
	assert_true(has_argument(arguments, "-smp", "3"));
	assert_true(has_argument(arguments, "-cpu", "max"));
	assert_true(has_argument(arguments, "-initrd", "/proc/self/fd/7"));
	assert_true(has_argument(arguments, "-chardev", "socket,id=c0,fd=9"));
	assert_true(has_argument(
		arguments, "-fsdev",
		"local,id=root,path=/,security_model=none,multidevs=remap,readonly=on"));
	assert_true(has_argument(arguments, "-fsdev",
				 "local,id=rw0,path=/a,,b,security_model=none,multidevs=remap"));
	assert_true(has_argument(arguments, "-device", "virtio-9p-device,fsdev=rw0,mount_tag=rw0"));
	assert_true(has_argument(arguments, "-netdev",
				 "user,id=n0,hostfwd=tcp:127.0.0.1:8080-:80,"
				 "hostfwd=udp:10.1.2.3:53-:5353"));
	assert_true(has_argument(arguments, "-device", "virtio-net-device,netdev=n0"));
	assert_false(has_argument(arguments, "-append", "probe"));
	for (char **argument = arguments; *argument; argument++)
		assert_null(strstr(*argument, "virtio-blk"));
	vm_arguments_free(arguments);
	free(published.items);
	free(extra.items);
}

static void machine_has_a_disk_to_swap_to(void **state)
{
	struct string_list none = { 0 };
	struct vm_config config = {
		.qemu = "qemu",
		.kernel = "/k",
		.accel = ACCEL_KVM,
		.memory = 64 * MEBIBYTE,
		.cpus = 1,
		.root = "/",
		.has_swap = true,
		.swap_fd = 11,
		.publish = &(struct publish_list){ 0 },
		.extra = &none,
	};
	char **arguments = vm_arguments(&config);

	(void)state;
	assert_true(has_argument(
		arguments, "-blockdev",
		"driver=raw,node-name=swap,discard=unmap,cache.direct=off,cache.no-flush=on,"
		"file.driver=file,file.filename=/proc/self/fd/11,file.locking=off,"
		"file.discard=unmap,file.cache.direct=off,file.cache.no-flush=on"));
	assert_true(has_argument(arguments, "-device",
				 "virtio-blk-device,drive=swap,serial=coppice-swap"
				 ",physical_block_size=4096,werror=report,rerror=report"));
	vm_arguments_free(arguments);
}

static void machine_for_a_probe_has_no_devices(void **state)
{
	struct vm_config config = { .qemu = "qemu",
				    .kernel = "/k",
				    .accel = ACCEL_KVM,
				    .memory = 64 * MEBIBYTE,
				    .cpus = 1,
				    .probe = true };
	char **arguments = vm_arguments(&config);

	(void)state;
	assert_true(has_argument(arguments, "-accel", "kvm"));
	assert_true(has_argument(arguments, "-cpu", "host"));
	assert_true(has_argument(arguments, "-append", "probe"));
	for (char **argument = arguments; *argument; argument++)
		assert_string_not_equal(*argument, "-device");
	vm_arguments_free(arguments);
}

static void instruction_counting_has_one_thread(void **state)
{
	struct string_list none = { 0 };
	struct vm_config config = {
		.qemu = "qemu",
		.kernel = "/k",
		.accel = ACCEL_TCG,
		.memory = 64 * MEBIBYTE,
		.cpus = 2,
		.icount = true,
		.root = "/",
		.publish = &(struct publish_list){ 0 },
		.extra = &none,
	};
	char **arguments = vm_arguments(&config);

	(void)state;
	assert_true(has_argument(arguments, "-icount", "shift=0"));
	assert_true(has_argument(arguments, "-accel", "tcg,thread=single,tb-size=256"));
	vm_arguments_free(arguments);
}

/* --- the file to swap to --- */

static void swap_file_is_sparse_and_has_no_name(void **state)
{
	char directory[] = "/tmp/test_cli.XXXXXX";
	const uint8_t uuid[16] = { 1, 2, 3 };
	struct swap_header header;
	struct stat stat;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("TMPDIR", directory, 1);
	fd = swap_file_make(8 * MEBIBYTE + 5000, uuid);
	assert_int_equal(rmdir(directory), 0); /* it is empty */
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_nlink, 0);
	assert_int_equal(stat.st_mode & 0777, 0600);
	assert_int_equal(stat.st_size, 8 * MEBIBYTE + 4096);
	assert_true(stat.st_blocks < 64);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_memory_equal(header.signature, "SWAPSPACE2", 10);
	assert_int_equal(header.version, 1);
	assert_int_equal(header.last_page, 2048);
	assert_int_equal(header.nr_badpages, 0);
	assert_int_equal(header.uuid[0], 1);
	assert_int_equal(header.uuid[6], 0x40);
	close(fd);
	unsetenv("TMPDIR");
}

/* --- the accelerator --- */

static bool cpuinfo(const char *text)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");
	bool found = cpuinfo_has_virtualization(file);

	fclose(file);
	return found;
}

static void virtualization_is_a_flag_of_the_processor(void **state)
{
	(void)state;
	assert_true(cpuinfo("processor\t: 0\nflags\t\t: fpu vmx sse\nbugs\t\t:\n"));
	assert_true(cpuinfo("flags\t\t: fpu svm\n"));
	assert_false(cpuinfo("flags\t\t: fpu svm_lock vmxx hypervisor\nvmx flags\t: vnmi\n"));
	assert_false(cpuinfo("model name\t: vmx\n"));
	assert_false(cpuinfo("\n"));
}

static void accelerator_is_remembered_for_its_key(void **state)
{
	char directory[] = "/tmp/test_cli.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/answer", directory);
	assert_int_equal(accel_recall(path, "key 1"), ACCEL_AUTO);
	assert_true(accel_remember(path, "key 1", ACCEL_KVM));
	assert_int_equal(accel_recall(path, "key 1"), ACCEL_KVM);
	assert_int_equal(accel_recall(path, "key"), ACCEL_AUTO);
	assert_int_equal(accel_recall(path, "key 12"), ACCEL_AUTO);
	assert_true(accel_remember(path, "key 2", ACCEL_TCG));
	assert_int_equal(accel_recall(path, "key 2"), ACCEL_TCG);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(accel_recall(path, "key 2"), ACCEL_AUTO);
	unlink(path);
	rmdir(directory);
	assert_false(accel_remember(path, "key 1", ACCEL_KVM));
}

/* --- sinks --- */

static void sink_keeps_what_its_reader_does_not_take(void **state)
{
	static char data[300000], back[300000];
	struct sink sink;
	size_t got = 0;
	int out[2];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	assert_int_equal(pipe(out), 0);
	sink_open(&sink, handle_open(out[1], O_WRONLY));
	sink_put(&sink, data, 200000);
	assert_false(sink_is_idle(&sink));
	assert_int_equal(sink.written + bytes_length(&sink.pending), 200000);
	sink_put(&sink, data + 200000, 100000);
	while (got < sizeof(back)) {
		ssize_t n = read(out[0], back + got, sizeof(back) - got);

		assert_true(n > 0);
		got += n;
		sink_flush(&sink);
	}
	assert_true(sink_is_idle(&sink));
	assert_int_equal(sink.written, 300000);
	assert_memory_equal(data, back, sizeof(data));
	close(sink.handle.fd);
	close(out[0]);
	close(out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_binary_suffixes),
		cmocka_unit_test(sizes_that_are_none_are_refused),
		cmocka_unit_test(seconds_may_have_a_fraction),
		cmocka_unit_test(publish_takes_an_address_and_two_ports),
		cmocka_unit_test(default_memory_fits_the_host),
		cmocka_unit_test(options_have_defaults),
		cmocka_unit_test(options_before_the_program_are_ours),
		cmocka_unit_test(options_after_the_program_are_its_own),
		cmocka_unit_test(two_dashes_end_our_options),
		cmocka_unit_test(wrong_values_say_what_is_wrong),
		cmocka_unit_test(frames_come_out_as_they_went_in),
		cmocka_unit_test(frame_is_taken_only_when_it_is_whole),
		cmocka_unit_test(frame_that_is_too_long_is_refused),
		cmocka_unit_test(launch_record_holds_what_was_put_in),
		cmocka_unit_test(launch_record_leaves_out_a_size_that_is_not_there),
		cmocka_unit_test(machine_is_what_was_asked_for),
		cmocka_unit_test(machine_for_a_probe_has_no_devices),
		cmocka_unit_test(instruction_counting_has_one_thread),
		cmocka_unit_test(machine_has_a_disk_to_swap_to),
		cmocka_unit_test(swap_file_is_sparse_and_has_no_name),
		cmocka_unit_test(virtualization_is_a_flag_of_the_processor),
		cmocka_unit_test(accelerator_is_remembered_for_its_key),
		cmocka_unit_test(sink_keeps_what_its_reader_does_not_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
