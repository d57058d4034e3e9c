/* panic.h - text on the way down. */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

#include "lib/print.h"

/*
 * Add to the panic's report; goes to the command and to a serial port if the machine has one. Only
 * while panicking.
 */
void panic_print(const char *fmt, ...) __printf(1, 2);

/*
 * Hooks: proc/: the current thread and process. dev/host.c: a text to the command, by polling.
 */
void panic_dump_process(void);
void host_panic_text(const char *text, size_t n);

#endif
