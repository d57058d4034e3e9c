/*
 * vm.h - the QEMU process that runs the guest.
 */
#ifndef CLI_VM_H
#define CLI_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "accel.h"
#include "options.h"
#include "publish.h"

/* What the machine is made of. Strings are borrowed. */
struct vm_config {
	const char *qemu; /* path */
	const char *kernel;
	enum accel accel; /* ACCEL_KVM or ACCEL_TCG */
	uint64_t memory;  /* bytes */
	unsigned int cpus;
	bool icount, gdb;
	bool probe;       /* a machine without devices, to end at once: nothing below is used */
	const char *root; /* directory */
	const char *const *rw; /* directories; number i gets the tag of launch_tag(i) */
	unsigned int rw_count;
	int launch_fd;  /* file with the launch record */
	int console_fd; /* QEMU's end of the channel */
	bool has_swap;
	int swap_fd; /* file to swap to */
	const struct publish_list *publish;
	const struct string_list *extra;
};

/*
 * QEMU's argument vector. It and its strings are in one arena that the caller gives back by
 * vm_arguments_free.
 */
char **vm_arguments(const struct vm_config *config);
void vm_arguments_free(char **arguments);

struct vm {
	pid_t pid;
	int output; /* what QEMU itself prints; non-blocking; at its end when QEMU has ended */
};

/*
 * The full path of `program`: itself if it has a slash, else looked up in PATH. NULL if there is
 * no such executable; the caller frees it.
 */
char *vm_find(const char *program);

/*
 * Start QEMU. It leads a process group of its own (so that Ctrl-C on the terminal is for us to
 * forward, not for QEMU to die of), dies with us, and inherits no descriptor but launch_fd,
 * console_fd and swap_fd. Returns false, with errno, if no process could be made; if QEMU cannot be executed
 * the process ends at once with a line on vm->output.
 */
bool vm_start(struct vm *vm, const struct vm_config *config);

/* Send a signal to QEMU, and to what it was started through (--qemu may name a script). */
void vm_signal(const struct vm *vm, int signal);

/* End QEMU now, wait for it, and close the descriptors. Returns its wait status. */
int vm_end(struct vm *vm);

#endif
