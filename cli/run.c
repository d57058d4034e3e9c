/*
 * run.c - `coppice run`: from options to a running guest.
 *
 * Central rule: everything that can be found wrong is found before QEMU is started, and said in
 * one line. Next: launch.c for what the kernel is told, vm.c for the machine, session.c for what
 * follows.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "message.h"
#include "session.h"
#include "resolver.h"
#include "swap.h"
#include "terminal.h"
#include "vm.h"

/*
 * The machine has eight virtio transports: console, root, network, and these, of which --swap takes
 * one.
 */
#define RW_MAX 5
#define HOST_NAME_SIZE 65 /* as the kernel's utsname */

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *text_of(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		fail("out of memory");
	va_end(arguments);
	return text;
}

/*
 * The kernel to start: as given, beside the command (a build tree), or in lib/coppice of the same
 * prefix. The caller frees it.
 */
static char *find_kernel(const char *given)
{
	char command[PATH_MAX];
	char *directory, *path;
	ssize_t length;

	if (given) {
		if (access(given, R_OK) != 0)
			fail("cannot read the kernel %s: %s", given, strerror(errno));
		return text_of("%s", given);
	}
	length = readlink("/proc/self/exe", command, sizeof(command) - 1);
	if (length < 0)
		fail("cannot tell where this command is, to find its kernel (is /proc mounted?); "
		     "use --kernel");
	command[length] = '\0';
	directory = command;
	*strrchr(command, '/') = '\0';
	path = text_of("%s/kernel.elf", directory);
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	path = text_of("%s/../lib/coppice/kernel.elf", directory);
	if (access(path, R_OK) == 0)
		return path;
	fail("there is no kernel at %s/kernel.elf or %s; build or install Coppice, or use --kernel",
	     directory, path);
}

/* QEMU's own words about a file that is no kernel mislead. */
static void check_kernel(const char *path)
{
	static const char magic[4] = { 0x7f, 'E', 'L', 'F' };
	char head[sizeof(magic)] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	if (n != sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0)
		fail("%s is not a Coppice kernel", path);
}

static char *find_qemu(const char *program)
{
	char *path = vm_find(program);

	if (path)
		return path;
	if (strchr(program, '/'))
		fail("cannot run %s: %s", program, strerror(errno));
	fail("%s is not installed; install the package qemu-system-x86", program);
}

/* The directory's absolute path without links. The caller frees it. */
static char *find_directory(const char *option, const char *given)
{
	char *path = realpath(given, NULL);
	struct stat stat_buffer;

	if (!path || stat(path, &stat_buffer) != 0)
		fail("%s %s: %s", option, given, strerror(errno));
	if (!S_ISDIR(stat_buffer.st_mode))
		fail("%s %s: %s", option, given, strerror(ENOTDIR));
	return path;
}

/*
 * A directory to pass through. The guest has its own /proc, /sys and /dev, and its root stays in
 * memory: those cannot be written through.
 */
static char *find_writable_directory(const char *given)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };
	char *path = find_directory("--rw", given);

	if (access(path, R_OK | X_OK) != 0)
		fail("--rw %s: %s", given, strerror(errno));
	if (strcmp(path, "/") == 0)
		fail("--rw /: the root cannot be written through; give directories below it");
	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		size_t length = strlen(own[i]);

		if (strncmp(path, own[i], length) == 0 && strchr("/", path[length]))
			fail("--rw %s: the guest has its own %s", given, own[i]);
	}
	return path;
}

/*
 * The working directory, where it exists below the guest's root too; else "/". The caller frees
 * it.
 */
static char *find_working_directory(const char *root)
{
	char *directory = getcwd(NULL, 0);
	struct stat stat_buffer;
	char *inside;
	bool exists;

	/*
	 * A deleted or unreachable directory has no path, or one that does not start with a slash.
	 */
	if (!directory || *directory != '/') {
		free(directory);
		return text_of("/");
	}
	if (strcmp(root, "/") == 0)
		return directory;
	inside = text_of("%s%s", root, directory);
	exists = stat(inside, &stat_buffer) == 0 && S_ISDIR(stat_buffer.st_mode);
	free(inside);
	if (exists)
		return directory;
	free(directory);
	return text_of("/");
}

static uint64_t host_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info) != 0)
		return 0;
	return (uint64_t)info.totalram * info.mem_unit;
}

static uint32_t launch_flags(const struct options *options)
{
	return (options->verbose ? HOST_FLAG_VERBOSE : 0) | (options->stats ? HOST_FLAG_STATS : 0) |
	       (options->missing_syscalls ? HOST_FLAG_MISSING : 0) |
	       (options->no_aslr ? HOST_FLAG_NO_ASLR : 0) | (options->check ? HOST_FLAG_CHECK : 0);
}

static mode_t current_umask(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return mask;
}

/*
 * What this command was started with, which is what the program inherits. From /proc, as the C
 * library does not tell of the signals that it keeps for itself.
 */
static struct host_launch_signals current_signals(void)
{
	struct host_launch_signals signals = { 0 };
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "SigIgn: %" SCNx64, &signals.ignored) != 1)
			(void)sscanf(line, "SigBlk: %" SCNx64, &signals.blocked);
	}
	if (status)
		fclose(status);
	return signals;
}

/* The supplementary groups. The caller frees them. */
static gid_t *current_groups(unsigned int *count)
{
	int n = getgroups(0, NULL);
	gid_t *groups = calloc(n > 0 ? n : 1, sizeof(*groups));

	if (!groups)
		fail("out of memory");
	if (n > 0)
		n = getgroups(n, groups);
	*count = n > 0 ? n : 0;
	return groups;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* A file in memory with the launch record; QEMU reads it as the initrd. */
static int make_launch_file(const struct launch *launch)
{
	struct bytes record = { 0 };
	int fd = memfd_create("coppice-launch", MFD_CLOEXEC);
	size_t written = 0;

	if (fd < 0)
		fail("cannot make the launch record: %s", strerror(errno));
	if (!launch_encode(launch, &record))
		fail("the arguments and environment are too long");
	while (written < bytes_length(&record)) {
		ssize_t n =
			write(fd, bytes_data(&record) + written, bytes_length(&record) - written);

		if (n < 0 && errno != EINTR)
			fail("cannot write the launch record: %s", strerror(errno));
		if (n > 0)
			written += n;
	}
	bytes_free(&record);
	return fd;
}

static void get_random(void *out, size_t size)
{
	if (getrandom(out, size, 0) != (ssize_t)size)
		fail("cannot get random bytes: %s", strerror(errno));
}

/* Tell the kernel who and where we are. */
static int make_launch(const struct options *options, const struct descriptor *descriptors,
		       const struct vm_config *vm)
{
	char host_name[HOST_NAME_SIZE] = "coppice";
	char *directory = find_working_directory(vm->root);
	char *resolver = resolver_text(vm->root);
	struct launch launch = {
		.arguments = options->program,
		.environment = environ,
		.directory = directory,
		.host_name = host_name,
		.uid = getuid(),
		.gid = getgid(),
		.umask = current_umask(),
		.signals = current_signals(),
		.rw = vm->rw,
		.rw_count = vm->rw_count,
		.flags = launch_flags(options),
		.swap = vm->has_swap ? SWAP_SERIAL : NULL,
		.resolver = resolver,
		.time_ns = realtime_ns(),
	};
	gid_t *groups = current_groups(&launch.group_count);
	int fd;

	launch.groups = groups;
	memcpy(launch.descriptors, descriptors, sizeof(launch.descriptors));
	launch.has_window_size = terminal_size(&launch.window_size);
	for (unsigned int resource = 0; resource < RLIM_NLIMITS; resource++)
		getrlimit(resource, &launch.limits[resource]);
	gethostname(host_name, sizeof(host_name) - 1);
	get_random(launch.seed, sizeof(launch.seed));
	fd = make_launch_file(&launch);
	free(resolver);
	free(groups);
	free(directory);
	return fd;
}

static unsigned int rw_max(const struct options *options)
{
	return RW_MAX - (options->swap != 0);
}

static int make_swap(uint64_t size)
{
	uint8_t uuid[16];

	get_random(uuid, sizeof(uuid));
	return swap_file_make(size, uuid);
}

static void choose_accel(const struct options *options, struct vm_config *config)
{
	const char *why = "as asked";

	config->accel = options->accel;
	if (options->icount) {
		config->accel = ACCEL_TCG;
		why = "for --icount";
	} else if (options->accel == ACCEL_AUTO) {
		config->accel = accel_choose(config->qemu, config->kernel, &why);
	}
	if (options->verbose)
		message("accelerator: %s (%s)", accel_name(config->accel), why);
}

/* Start QEMU with a channel to it, and serve it to its end. */
static int run_guest(const struct options *options, const struct descriptor *descriptors,
		     struct vm_config *config)
{
	struct session_config session = {
		.descriptors = descriptors,
		.program = options->program[0],
		.memory = config->memory,
		.deadline = options->timeout_ns ? monotonic_ns() + (int64_t)options->timeout_ns
						: INT64_MAX,
		.stats = options->stats,
		.missing_syscalls = options->missing_syscalls,
		.verbose = options->verbose,
		.gdb = options->gdb,
	};
	struct vm vm;
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
		fail("cannot make the channel to the guest: %s", strerror(errno));
	fcntl(channel[0], F_SETFL, O_NONBLOCK);
	config->console_fd = channel[1];
	config->launch_fd = make_launch(options, descriptors, config);
	session_block_signals();
	if (options->gdb)
		message("waiting for a debugger: (gdb) target remote localhost:1234");
	if (!vm_start(&vm, config))
		fail("cannot start a process for QEMU: %s", strerror(errno));
	close(channel[1]);
	close(config->launch_fd);
	if (config->has_swap)
		close(config->swap_fd);
	return session_run(&session, &vm, channel[0]);
}

int run(const struct options *options)
{
	struct descriptor descriptors[3];
	struct string_list rw = { 0 };
	struct vm_config config = {
		.memory = options->memory ? options->memory : default_memory(host_memory()),
		.cpus = options->cpus,
		.icount = options->icount,
		.gdb = options->gdb,
		.publish = &options->publish,
		.extra = &options->qemu_arguments,
	};
	int terminal;

	descriptors_survey(descriptors);
	publish_check(&options->publish);
	config.kernel = find_kernel(options->kernel);
	check_kernel(config.kernel);
	config.qemu = find_qemu(options->qemu);
	config.root = find_directory("--root", options->root ? options->root : "/");
	config.has_swap = options->swap != 0;
	if (options->rw.count > rw_max(options))
		fail("--rw may be given %u times at most%s; give a directory that holds several",
		     rw_max(options), options->swap ? " beside --swap" : "");
	for (unsigned int i = 0; i < options->rw.count; i++)
		string_list_add(&rw, find_writable_directory(options->rw.items[i]));
	config.rw = rw.items;
	config.rw_count = rw.count;
	if (config.has_swap)
		config.swap_fd = make_swap(options->swap);
	choose_accel(options, &config);
	terminal = descriptors_terminal(descriptors);
	if (terminal >= 0)
		terminal_open(terminal, descriptors[1].kind == HOST_STDIO_TTY);
	return run_guest(options, descriptors, &config);
}
