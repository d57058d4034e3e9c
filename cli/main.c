/*
 * main.c - the `coppice` command: picks the subcommand. Next: options.c and run.c.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "options.h"
#include "run.h"

const char *argp_program_version = "coppice " COPPICE_VERSION;

static int command_run(int argc, char **argv)
{
	static char name[] = "coppice run"; /* what usage texts call it */
	struct options options;
	char error[256];

	argv[0] = name;
	if (!options_parse(argc, argv, &options, error, sizeof(error)))
		fail("%s", error);
	return run(&options);
}

static error_t parse_command(int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (strcmp(argument, "help") == 0)
			argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		if (strcmp(argument, "run") != 0)
			fail("there is no command '%s'; try 'coppice run %s' or 'coppice --help'",
			     argument, argument);
		*(int *)state->input = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		fail("no command given; try 'coppice run PROGRAM' or 'coppice --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_command,
		.args_doc = "run [OPTION...] [--] PROGRAM [ARG...]",
		.doc = "Run programs of this host on the Coppice kernel, in a small virtual "
		       "machine.\v"
		       "The program sees this host's files. What it writes stays in the guest and "
		       "is "
		       "gone when it ends, except below the directories given by --rw. "
		       "'coppice run --help' lists the options; coppice(1) tells the rest.",
	};
	int command = argc;

	argp_err_exit_status = EXIT_OWN_FAILURE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command) != 0)
		return EXIT_OWN_FAILURE;
	return command_run(argc - command, argv + command);
}
