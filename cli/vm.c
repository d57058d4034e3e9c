/*
 * vm.c - the QEMU process that runs the guest: its command line, its start and its end.
 *
 * Central rule: nothing in the machine that the kernel does not drive. QEMU's microvm board with
 * no PC devices, qboot as its firmware (which it takes by itself when ACPI is off) and no option
 * ROMs reaches the first instruction of the kernel about 18 ms after exec, of which 10 ms are
 * QEMU's own loading; SeaBIOS (bios-microvm.bin with option ROMs) takes 34 ms. The device order
 * does not matter: the kernel scans the virtio-mmio windows that QEMU appends to its command line.
 */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch.h"
#include "message.h"
#include "swap.h"

/* A growing argument vector that owns its strings. */
struct argument_list {
	char **items;
	size_t count;
};

static void add(struct argument_list *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct argument_list *list, const char *format, ...)
{
	char **items = realloc(list->items, (list->count + 2) * sizeof(*items));
	va_list arguments;

	if (!items)
		fail("out of memory");
	list->items = items;
	va_start(arguments, format);
	if (vasprintf(&items[list->count], format, arguments) < 0)
		fail("out of memory");
	va_end(arguments);
	items[++list->count] = NULL;
}

static void add_option(struct argument_list *list, const char *option, const char *value)
{
	add(list, "%s", option);
	add(list, "%s", value);
}

/*
 * A path as a value inside of a QEMU option: a comma in it is written twice. The caller frees it.
 */
static char *quote_commas(const char *path)
{
	char *quoted = malloc(2 * strlen(path) + 1), *q = quoted;

	if (!quoted)
		fail("out of memory");
	for (; *path; path++) {
		if (*path == ',')
			*q++ = ',';
		*q++ = *path;
	}
	*q = '\0';
	return quoted;
}

/*
 * One directory over 9p. security_model=none: files belong to whom QEMU runs as; when that is
 * root, to the user that the guest's request names. multidevs=remap keeps inode numbers unique
 * when the tree spans file systems.
 */
static void add_directory(struct argument_list *list, const char *tag, const char *path,
			  bool writable)
{
	char *quoted = quote_commas(path);

	add(list, "-fsdev");
	add(list, "local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag, quoted,
	    writable ? "" : ",readonly=on");
	add(list, "-device");
	add(list, "virtio-9p-device,fsdev=%s,mount_tag=%s", tag, tag);
	free(quoted);
}

/*
 * The disk to swap to. Nobody needs what is on it once the guest has ended, so a flush need not
 * reach the host's disk; what the guest frees is given back to the host. Errors are the guest's to
 * handle: QEMU would stop it, without a word, when the host's disk is full.
 */
static void add_swap(struct argument_list *list, int fd)
{
	add(list, "-blockdev");
	add(list,
	    "driver=raw,node-name=swap,discard=unmap,cache.direct=off,cache.no-flush=on,"
	    "file.driver=file,file.filename=/proc/self/fd/%d,file.locking=off,"
	    "file.discard=unmap,file.cache.direct=off,file.cache.no-flush=on",
	    fd);
	add_option(list, "-device",
		   "virtio-blk-device,drive=swap,serial=" SWAP_SERIAL
		   ",physical_block_size=4096,werror=report,rerror=report");
}

/*
 * The network: QEMU's own, of this one machine, which needs no privilege. It answers as 10.0.2.2
 * (the host) and 10.0.2.3 (the host's name servers), and connects as this user.
 */
static void add_network(struct argument_list *list, const struct publish_list *publish)
{
	char *options = NULL;
	size_t size;
	FILE *f = open_memstream(&options, &size);

	if (!f)
		fail("out of memory");
	fputs("user,id=n0", f);
	for (unsigned int i = 0; i < publish->count; i++) {
		const struct publish *p = &publish->items[i];

		fprintf(f, ",hostfwd=%s:%s:%u-:%u", p->udp ? "udp" : "tcp", p->address, p->host,
			p->guest);
	}
	if (fclose(f) != 0)
		fail("out of memory");
	add_option(list, "-netdev", options);
	add_option(list, "-device", "virtio-net-device,netdev=n0");
	free(options);
}

static void add_machine(struct argument_list *list, const struct vm_config *config)
{
	add_option(list, "-M",
		   "microvm,pit=off,pic=off,rtc=off,isa-serial=off,acpi=off,x-option-roms=off");
	add_option(list, "-global", "virtio-mmio.force-legacy=false");
	add(list, "-nodefaults");
	add(list, "-no-user-config");
	add(list, "-no-reboot");
	add_option(list, "-display", "none");
	if (config->accel == ACCEL_KVM) {
		add_option(list, "-accel", "kvm");
		add_option(list, "-cpu", "host");
	} else {
		/* Instruction counting orders all processors, so they share one thread. */
		add_option(list, "-accel",
			   config->icount ? "tcg,thread=single,tb-size=256"
					  : "tcg,thread=multi,tb-size=256");
		add_option(list, "-cpu", "max");
	}
	add(list, "-m");
	add(list, "%lluK", (unsigned long long)(config->memory >> 10));
	add(list, "-smp");
	add(list, "%u", config->cpus);
	add_option(list, "-kernel", config->kernel);
	if (config->icount)
		add_option(list, "-icount", "shift=0");
	if (config->gdb) {
		add(list, "-s");
		add(list, "-S");
	}
}

static void add_devices(struct argument_list *list, const struct vm_config *config)
{
	add(list, "-initrd");
	add(list, "/proc/self/fd/%d", config->launch_fd);
	add(list, "-chardev");
	add(list, "socket,id=c0,fd=%d", config->console_fd);
	/*
	 * A serial port waits while the socket is full; a console port (number 0) would drop what
	 * does not fit.
	 */
	add_option(list, "-device", "virtio-serial-device,max_ports=2");
	add_option(list, "-device", "virtserialport,chardev=c0,nr=1");
	add_directory(list, "root", config->root, false);
	for (unsigned int i = 0; i < config->rw_count; i++) {
		char tag[LAUNCH_TAG_SIZE];

		launch_tag(tag, i);
		add_directory(list, tag, config->rw[i], true);
	}
	if (config->has_swap)
		add_swap(list, config->swap_fd);
	add_network(list, config->publish);
	for (unsigned int i = 0; i < config->extra->count; i++)
		add(list, "%s", config->extra->items[i]);
}

char **vm_arguments(const struct vm_config *config)
{
	struct argument_list list = { 0 };

	add(&list, "%s", config->qemu);
	add_machine(&list, config);
	if (config->probe)
		add_option(&list, "-append", "probe");
	else
		add_devices(&list, config);
	return list.items;
}

void vm_arguments_free(char **arguments)
{
	for (char **argument = arguments; *argument; argument++)
		free(*argument);
	free(arguments);
}

char *vm_find(const char *program)
{
	const char *path = getenv("PATH");
	char *candidate;

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? strdup(program) : NULL;
	if (!path)
		path = "/usr/bin:/bin";
	while (true) {
		size_t length = strcspn(path, ":");

		if (asprintf(&candidate, "%.*s%s%s", (int)length, path, length ? "/" : "./",
			     program) < 0)
			fail("out of memory");
		if (access(candidate, X_OK) == 0)
			return candidate;
		free(candidate);
		if (path[length] == '\0')
			return NULL;
		path += length + 1;
	}
}

static void keep_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* In the child: become QEMU. Never returns. */
static void child_exec(const struct vm_config *config, char **arguments, int output, pid_t parent)
{
	struct rlimit no_core = { 0, 0 }, files;
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_OWN_FAILURE);
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	/*
	 * QEMU holds a descriptor for each file that the guest has open, and the guest applies the
	 * user's limit itself.
	 */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	/*
	 * The user's descriptors above 2 are not QEMU's business: it would keep pipes open that
	 * others wait on.
	 */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (!config->probe) {
		keep_open(config->launch_fd);
		keep_open(config->console_fd);
		if (config->has_swap)
			keep_open(config->swap_fd);
	}
	execv(config->qemu, arguments);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", config->qemu, strerror(errno));
	_exit(EXIT_OWN_FAILURE);
}

bool vm_start(struct vm *vm, const struct vm_config *config)
{
	char **arguments = vm_arguments(config);
	pid_t parent = getpid();
	int output[2];
	int saved_errno;

	if (pipe2(output, O_CLOEXEC) != 0)
		goto fail_pipe;
	vm->pid = fork();
	if (vm->pid == 0)
		child_exec(config, arguments, output[1], parent);
	if (vm->pid < 0)
		goto fail_fork;
	/* The child does so too: whoever comes first. Then the group is there for vm_signal. */
	setpgid(vm->pid, vm->pid);
	vm->output = output[0];
	fcntl(vm->output, F_SETFL, O_NONBLOCK);
	close(output[1]);
	vm_arguments_free(arguments);
	return true;

fail_fork:
	saved_errno = errno;
	close(output[0]);
	close(output[1]);
	errno = saved_errno;
fail_pipe:
	saved_errno = errno;
	vm_arguments_free(arguments);
	errno = saved_errno;
	return false;
}

void vm_signal(const struct vm *vm, int signal)
{
	kill(-vm->pid, signal);
}

int vm_end(struct vm *vm)
{
	int status = 0;

	vm_signal(vm, SIGKILL);
	while (waitpid(vm->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(vm->output);
	return status;
}
