/* serial_priv.h - the first serial port, for panics on machines that have one. */
#ifndef ARCH_SERIAL_PRIV_H
#define ARCH_SERIAL_PRIV_H

#include "lib/types.h"

/* Write by polling; nothing happens if there is no port. */
void serial_write(const char *text, size_t n);

#endif
