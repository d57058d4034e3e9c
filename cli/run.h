/*
 * run.h - `coppice run`.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "options.h"

/* Run the program in a guest. Returns the exit status of the command. */
int run(const struct options *options);

#endif
