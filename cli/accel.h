/*
 * accel.h - which accelerator QEMU runs the guest with.
 */
#ifndef CLI_ACCEL_H
#define CLI_ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum accel {
	ACCEL_AUTO,
	ACCEL_KVM,
	ACCEL_TCG,
};

const char *accel_name(enum accel accel);

/*
 * ACCEL_KVM if the processor can, /dev/kvm opens, and a guest started from `kernel` by `qemu`
 * (both paths) was seen to run and end; else ACCEL_TCG. `why` is set to a few words that explain
 * the choice. Takes ACCEL_PROBE_MS at most, and only when no earlier answer for the same boot,
 * kernel and QEMU is remembered.
 */
#define ACCEL_PROBE_MS 3000
enum accel accel_choose(const char *qemu, const char *kernel, const char **why);

/* Whether the first processor in a text in the form of /proc/cpuinfo has vmx or svm. */
bool cpuinfo_has_virtualization(FILE *cpuinfo);

/*
 * The remembered answer: two lines, what it is valid for and the accelerator, in the file `path`.
 * A file that is not a regular file of this user is not believed. recall returns ACCEL_AUTO for
 * "not known"; remember returns false if it could not, which costs the next run a probe and
 * nothing else.
 */
enum accel accel_recall(const char *path, const char *key);
bool accel_remember(const char *path, const char *key, enum accel accel);

#endif
