/*
 * options.h - what `coppice run` was asked for.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "accel.h"
#include "publish.h"

#define OPTIONS_MEMORY_MIN (UINT64_C(32) << 20)
#define OPTIONS_CPUS_MAX 64

/* A growing list of strings, NULL-terminated once it has one. The strings are not its own. */
struct string_list {
	const char **items;
	unsigned int count;
};

void string_list_add(struct string_list *list, const char *string);

struct options {
	uint64_t memory; /* bytes; 0: not given */
	uint64_t swap;   /* bytes; 0: none */
	unsigned int cpus;
	const char *root;      /* NULL: the host's / */
	struct string_list rw; /* directories as given */
	struct publish_list publish;
	enum accel accel;
	uint64_t timeout_ns; /* 0: none */
	bool stats, missing_syscalls, no_aslr, check, icount, verbose, gdb;
	const char *kernel; /* NULL: look beside the command */
	const char *qemu;   /* program name or path */
	struct string_list qemu_arguments;
	char **program; /* NULL-terminated: the program and its arguments */
};

/*
 * Parse the arguments of `coppice run` (argv[0] is the name for usage texts). Returns true, or
 * false with one line in `error` (at most `error_size` bytes). Prints and exits by itself for
 * --help, --usage, and for an option that does not exist (status EXIT_OWN_FAILURE).
 */
bool options_parse(int argc, char **argv, struct options *options, char *error,
		   unsigned int error_size);

/*
 * "512M", "2G", "65536K", or a plain number of MiB, to bytes. False if it is none of these or does
 * not fit.
 */
bool parse_size(const char *text, uint64_t *bytes);

/* Seconds with an optional decimal fraction, above zero, to nanoseconds. */
bool parse_seconds(const char *text, uint64_t *ns);

/* The default of --memory for a host with `host_bytes` of memory. */
uint64_t default_memory(uint64_t host_bytes);

#endif
