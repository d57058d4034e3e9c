/*
 * options.c - the options of `coppice run`.
 *
 * Central rule: parsing stops at the program; all that follows it is the program's. Values are
 * checked here, so that the rest of the command works with options that make sense. Next: run.c,
 * which carries them out.
 */
#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "swap.h"

/* 146 years: so that a time in ns still fits when it is added to the clock. */
#define SECONDS_MAX (INT64_MAX / UINT64_C(1000000000) / 2)

enum option_key {
	OPTION_CPUS = 256,
	OPTION_SWAP,
	OPTION_ROOT,
	OPTION_RW,
	OPTION_ACCEL,
	OPTION_TIMEOUT,
	OPTION_STATS,
	OPTION_MISSING,
	OPTION_NO_ASLR,
	OPTION_CHECK,
	OPTION_ICOUNT,
	OPTION_KERNEL,
	OPTION_QEMU,
	OPTION_QEMU_ARG,
	OPTION_GDB,
};

static const struct argp_option option_table[] = {
	{ NULL, 0, NULL, 0, "The machine:", 1 },
	{ "memory", 'm', "SIZE", 0,
	  "Memory of the guest, with suffix K, M, G or T; a plain number is MiB (default 1G, at "
	  "most half of the host's; at least 32M)",
	  0 },
	{ "swap", OPTION_SWAP, "SIZE", 0,
	  "Give the guest a disk to swap to, in a file of the host that has no name and goes with "
	  "the guest; SIZE as for --memory (default none)",
	  0 },
	{ "cpus", OPTION_CPUS, "N", 0,
	  "Processors of the guest, 1 to 64 (default: those this command may use)", 0 },
	{ "accel", OPTION_ACCEL, "auto|kvm|tcg", 0,
	  "How QEMU runs it; auto takes KVM where a guest was seen to run with it (default auto)",
	  0 },
	{ NULL, 0, NULL, 0, "What the program sees:", 2 },
	{ "root", OPTION_ROOT, "DIR", 0, "Root file system, read-only (default /)", 0 },
	{ "rw", OPTION_RW, "DIR", 0, "Pass this directory through, writable; up to 5 times", 0 },
	{ "publish", 'p', "[ADDRESS:]HOST:GUEST[/udp]", 0,
	  "Make a port of the guest reachable as a port of the host, at this IPv4 address of it "
	  "(default 127.0.0.1: from the host alone; 0.0.0.0: at all of them); may be repeated",
	  0 },
	{ "no-aslr", OPTION_NO_ASLR, NULL, 0, "Do not randomize addresses", 0 },
	{ NULL, 0, NULL, 0, "Limits and reports:", 3 },
	{ "timeout", OPTION_TIMEOUT, "SECONDS", 0,
	  "End the program after this time, with status 124", 0 },
	{ "stats", OPTION_STATS, NULL, 0, "Print the kernel's counters on stderr at the end", 0 },
	{ "missing-syscalls", OPTION_MISSING, NULL, 0,
	  "Print on stderr which system calls the program asked for that the kernel lacks", 0 },
	{ "check", OPTION_CHECK, NULL, 0,
	  "Prove the invariants of the memory manager when the program has ended; a broken one, or "
	  "a leak, is a panic",
	  0 },
	{ "verbose", 'v', NULL, 0, "Print the accelerator and the kernel's log on stderr", 0 },
	{ NULL, 0, NULL, 0, "For work on the kernel:", 4 },
	{ "kernel", OPTION_KERNEL, "FILE", 0,
	  "Kernel to start (default: the one installed with this command)", 0 },
	{ "icount", OPTION_ICOUNT, NULL, 0,
	  "Let virtual time follow the number of instructions, so that runs are repeatable (TCG "
	  "only)",
	  0 },
	{ "gdb", OPTION_GDB, NULL, 0,
	  "Wait for a debugger on TCP port 1234 before the first instruction", 0 },
	{ "qemu", OPTION_QEMU, "PROGRAM", 0, "QEMU to use (default qemu-system-x86_64)", 0 },
	{ "qemu-arg", OPTION_QEMU_ARG, "ARG", 0, "One more argument for QEMU; may be repeated", 0 },
	{ NULL, 0, NULL, 0, "Help:", -1 },
	{ 0 },
};

struct parse_state {
	struct options *options;
	char *error;
	unsigned int error_size;
};

void string_list_add(struct string_list *list, const char *string)
{
	const char **items = realloc(list->items, (list->count + 2) * sizeof(*items));

	if (!items)
		fail("out of memory");
	items[list->count++] = string;
	items[list->count] = NULL;
	list->items = items;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	unsigned int shift = 20;
	uint64_t number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		static const char suffixes[] = "kmgt";
		const char *suffix = strchr(suffixes, tolower((unsigned char)*end));

		if (!suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (number > UINT64_MAX >> shift)
		return false;
	*bytes = number << shift;
	return true;
}

bool parse_seconds(const char *text, uint64_t *ns)
{
	const uint64_t second = UINT64_C(1000000000);
	uint64_t whole = 0, fraction = 0, digit_value = second / 10;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++) {
		whole = whole * 10 + (*p - '0');
		if (whole > SECONDS_MAX)
			return false;
	}
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p); p++) {
			fraction += (*p - '0') * digit_value;
			digit_value /= 10;
		}
	}
	*ns = whole * second + fraction;
	return *p == '\0' && *ns > 0;
}

uint64_t default_memory(uint64_t host_bytes)
{
	const uint64_t mebibyte = UINT64_C(1) << 20;
	uint64_t memory = host_bytes / 2 / mebibyte * mebibyte;

	if (memory > UINT64_C(1) << 30)
		memory = UINT64_C(1) << 30;
	return memory < OPTIONS_MEMORY_MIN ? OPTIONS_MEMORY_MIN : memory;
}

static bool parse_accel(const char *text, enum accel *accel)
{
	for (enum accel a = ACCEL_AUTO; a <= ACCEL_TCG; a++) {
		if (strcmp(text, accel_name(a)) == 0) {
			*accel = a;
			return true;
		}
	}
	return false;
}

static bool parse_cpus(const char *text, unsigned int *cpus)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || number < 1 || number > OPTIONS_CPUS_MAX)
		return false;
	*cpus = number;
	return true;
}

/*
 * As many as this process may run on; one where instructions are counted, for the processors of such
 * a machine take turns.
 */
static unsigned int default_cpus(bool icount)
{
	cpu_set_t set;

	if (icount)
		return 1;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return OPTIONS_CPUS_MAX;
	return CPU_COUNT(&set) < OPTIONS_CPUS_MAX ? CPU_COUNT(&set) : OPTIONS_CPUS_MAX;
}

/* Record the failure; argp then stops and options_parse returns false. */
static error_t parse_failure(struct parse_state *state, const char *format, const char *argument)
{
	snprintf(state->error, state->error_size, format, argument);
	return EINVAL;
}

static error_t parse_publish(const char *argument, struct parse_state *state)
{
	struct publish publish;

	if (!publish_parse(argument, &publish))
		return parse_failure(state,
				     "--publish: '%s' is not [ADDRESS:]HOST:GUEST[/udp], an IPv4 "
				     "address and two ports from 1 to 65535",
				     argument);
	publish_add(&state->options->publish, &publish);
	return 0;
}

static error_t parse_swap(const char *argument, struct parse_state *state)
{
	uint64_t *swap = &state->options->swap;

	if (!parse_size(argument, swap))
		return parse_failure(state, "--swap: '%s' is not a size such as 512M or 2G",
				     argument);
	if (*swap < SWAP_SIZE_MIN)
		return parse_failure(state, "--swap: %s is too small; give at least 1M", argument);
	if (*swap > SWAP_SIZE_MAX)
		return parse_failure(state, "--swap: %s is too much; give at most 16T", argument);
	return 0;
}

/* The options that have a value that may be wrong. */
static error_t parse_valued(int key, const char *argument, struct parse_state *state)
{
	struct options *o = state->options;

	switch (key) {
	case 'm':
		if (!parse_size(argument, &o->memory))
			return parse_failure(
				state, "--memory: '%s' is not a size such as 512M or 2G", argument);
		if (o->memory < OPTIONS_MEMORY_MIN)
			return parse_failure(state, "--memory: %s is too small; give at least 32M",
					     argument);
		return 0;
	case OPTION_SWAP:
		return parse_swap(argument, state);
	case 'p':
		return parse_publish(argument, state);
	case OPTION_CPUS:
		if (!parse_cpus(argument, &o->cpus))
			return parse_failure(state, "--cpus: '%s' is not a number from 1 to 64",
					     argument);
		return 0;
	case OPTION_ACCEL:
		if (!parse_accel(argument, &o->accel))
			return parse_failure(state, "--accel: '%s' is not one of auto, kvm and tcg",
					     argument);
		return 0;
	case OPTION_TIMEOUT:
		if (!parse_seconds(argument, &o->timeout_ns))
			return parse_failure(
				state,
				"--timeout: '%s' is not a number of seconds such as 10 or 0.5",
				argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *argument, struct argp_state *argp_state)
{
	struct parse_state *state = argp_state->input;
	struct options *o = state->options;

	switch (key) {
	case OPTION_ROOT:
		o->root = argument;
		return 0;
	case OPTION_RW:
		string_list_add(&o->rw, argument);
		return 0;
	case OPTION_STATS:
		o->stats = true;
		return 0;
	case OPTION_MISSING:
		o->missing_syscalls = true;
		return 0;
	case OPTION_NO_ASLR:
		o->no_aslr = true;
		return 0;
	case OPTION_CHECK:
		o->check = true;
		return 0;
	case OPTION_ICOUNT:
		o->icount = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case OPTION_KERNEL:
		o->kernel = argument;
		return 0;
	case OPTION_GDB:
		o->gdb = true;
		return 0;
	case OPTION_QEMU:
		o->qemu = argument;
		return 0;
	case OPTION_QEMU_ARG:
		string_list_add(&o->qemu_arguments, argument);
		return 0;
	case ARGP_KEY_ARG:
		/* The program. Whatever follows is its own: stop here. */
		o->program = argp_state->argv + argp_state->next - 1;
		argp_state->next = argp_state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		return parse_failure(state, "no program given; try '%s --help'", "coppice run");
	default:
		return parse_valued(key, argument, state);
	}
}

bool options_parse(int argc, char **argv, struct options *options, char *error,
		   unsigned int error_size)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Run a program of this host on the Coppice kernel, in a small virtual "
		       "machine.\v"
		       "The program sees this host's files, working directory, environment and "
		       "user. "
		       "What it writes stays in the guest and is gone when it ends, except below "
		       "the "
		       "--rw directories.\n\n"
		       "The exit status is the program's own; 128+N if signal N killed it; 126 or "
		       "127 "
		       "if it could not be started; 124 after --timeout; 125 if Coppice itself "
		       "failed.",
	};
	struct parse_state state = { options, error, error_size };

	*options = (struct options){ .accel = ACCEL_AUTO, .qemu = "qemu-system-x86_64" };
	argp_err_exit_status = EXIT_OWN_FAILURE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &state) != 0)
		return false;
	if (options->icount && options->accel == ACCEL_KVM) {
		snprintf(error, error_size, "--icount needs TCG; leave out --accel kvm");
		return false;
	}
	if (!options->cpus)
		options->cpus = default_cpus(options->icount);
	return true;
}
