/*
 * message.c - the lines that the command says in its own name.
 *
 * Central rule: one failure, one line, and it says what to do. A line is one write, so that lines
 * of several commands that share a terminal or a log do not mix.
 */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void message_write(const char *format, va_list arguments)
{
	int saved_errno = errno;
	char *text = NULL, *line = NULL;
	int length = -1;

	if (vasprintf(&text, format, arguments) >= 0)
		length = asprintf(&line, "coppice: %s\n", text);
	if (length > 0 && write(STDERR_FILENO, line, length) < 0) {
		/*
		 * stderr is closed or broken: there is nobody left to tell, and the exit status
		 * still says it.
		 */
	}
	free(line);
	free(text);
	errno = saved_errno;
}

void message(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(format, arguments);
	va_end(arguments);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(format, arguments);
	va_end(arguments);
	exit(EXIT_OWN_FAILURE);
}
