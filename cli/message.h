/*
 * message.h - the lines that the command says in its own name, and its own exit statuses.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

/* Exit statuses that are not the program's: as timeout(1), env(1) and the shells use them. */
enum {
	EXIT_TIMED_OUT = 124,
	EXIT_OWN_FAILURE = 125,
};

/* One line on stderr, "coppice: ..." and a newline, in one write. errno is kept. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then exit(EXIT_OWN_FAILURE). */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
