/*
 * session.h - the life of one guest, from the start of QEMU to the program's exit status.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "descriptor.h"
#include "vm.h"

struct session_config {
	const struct descriptor
		*descriptors; /* three; terminal_open has been called if one is a terminal */
	const char *program;  /* for "command not found" */
	uint64_t memory;
	int64_t deadline; /* CLOCK_MONOTONIC in ns: when --timeout ends; INT64_MAX: never */
	bool stats, missing_syscalls, verbose, gdb;
};

/* Now, CLOCK_MONOTONIC, in ns. */
int64_t monotonic_ns(void);

/*
 * Block the signals that a session takes through its signalfd. To be called before QEMU is
 * started, so that none is lost in between. Those that the command found ignored stay ignored.
 */
void session_block_signals(void);

/*
 * Serve the guest of `vm` over `channel` until it ends, say what there is to say, and end QEMU.
 * Returns the exit status of the command.
 */
int session_run(const struct session_config *config, struct vm *vm, int channel);

#endif
