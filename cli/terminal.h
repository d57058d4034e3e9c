/*
 * terminal.h - the host's terminal while a program in the guest uses it.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

#include "descriptor.h"

/*
 * Whether standard output is the terminal says whether other programs of a pipeline are likely to
 * write to it too.
 */
void terminal_open(int fd, bool stdout_is_terminal);

/* True once terminal_open has been called. */
bool terminal_present(void);

/* A handle that reads and writes the terminal. */
const struct handle *terminal_handle(void);

/*
 * Put the terminal into raw mode: from now on keys arrive as they are pressed. Returns false if
 * this process group is in the background and so may not. Taking it twice is harmless.
 */
bool terminal_take(void);

/* Give the terminal back as it was found. Also done when the command exits or crashes. */
void terminal_release(void);

bool terminal_taken(void);

/*
 * Whether the terminal turns \n into \r\n by itself, so that a \r\n from the guest must reach it
 * as \n.
 */
bool terminal_maps_newline(void);

/* False if it has no size. */
bool terminal_size(struct host_winsize *size);

#endif
