/*
 * session_report.c - what the command says at the end, and its exit status.
 *
 * Central rule: silent on success. A failure of Coppice is one line that says what to do, and
 * status 125; a program that could not be started is reported as a shell reports it. The terminal
 * has been given back by now, and all of the program's output is written.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "message.h"
#include "session_priv.h"

/* The next line of a text, without its newline; false at the end. */
static bool next_line(const char **text, size_t *left, const char **line, size_t *length)
{
	const char *newline;

	if (*left == 0)
		return false;
	*line = *text;
	newline = memchr(*text, '\n', *left);
	*length = newline ? (size_t)(newline - *text) : *left;
	*text += *length + (newline != NULL);
	*left -= *length + (newline != NULL);
	return true;
}

/* What QEMU said: its first line that is not a warning, without its own name. */
static bool vm_complaint(const struct session *s, const char **line, size_t *length)
{
	const char *text = (const char *)bytes_data(&s->vm_text);
	size_t left = bytes_length(&s->vm_text);

	while (next_line(&text, &left, line, length)) {
		const char *colon;

		if (*length == 0 || memmem(*line, *length, "warning:", 8))
			continue;
		/* "qemu-system-x86_64: ", and in some places another "qemu: ". */
		while (*length > 4 && memcmp(*line, "qemu", 4) == 0 &&
		       (colon = memmem(*line, *length, ": ", 2))) {
			*length -= colon + 2 - *line;
			*line = colon + 2;
		}
		return true;
	}
	return false;
}

static void report_closed(const struct session *s, int vm_status)
{
	bool vm_failed = WIFEXITED(vm_status) ? WEXITSTATUS(vm_status) != 0
					      : WTERMSIG(vm_status) != SIGKILL;
	const char *line;
	size_t length;

	if (vm_failed && vm_complaint(s, &line, &length)) {
		if (memmem(line, length, "Cannot allocate memory", 22))
			message("this host has no memory for a guest of %llu MiB; give a smaller "
				"--memory",
				(unsigned long long)(s->config->memory >> 20));
		else
			message("qemu: %.*s", (int)length, line);
	} else if (vm_failed) {
		message("qemu ended by itself (%s %d)", WIFEXITED(vm_status) ? "status" : "signal",
			WIFEXITED(vm_status) ? WEXITSTATUS(vm_status) : WTERMSIG(vm_status));
	} else if (s->config->verbose) {
		message("the kernel stopped without a word");
	} else {
		message("the kernel stopped without a word; run with -v");
	}
}

static void report_panic(const struct session *s)
{
	size_t length = bytes_length(&s->panic_text);
	const char *text = (const char *)bytes_data(&s->panic_text);

	while (length > 0 && text[length - 1] == '\n')
		length--;
	message("kernel panic: %.*s", (int)length, text);
}

/* "number name count" lines, in words. */
static void report_missing(const struct session *s)
{
	const char *text = (const char *)bytes_data(&s->missing_text), *line;
	size_t left = bytes_length(&s->missing_text), length;

	if (left == 0)
		message("no system call was missing");
	while (next_line(&text, &left, &line, &length)) {
		char copy[160], name[64];
		unsigned long long number, count;

		snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
		if (sscanf(copy, "%llu %63s %llu", &number, name, &count) == 3)
			message("missing system call: %s (%llu), called %llu time%s", name, number,
				count, count == 1 ? "" : "s");
	}
}

static void report_counters(const struct session *s)
{
	if (s->config->stats)
		dprintf(STDERR_FILENO, "%.*s", (int)bytes_length(&s->stats_text),
			(const char *)bytes_data(&s->stats_text));
	if (s->config->missing_syscalls)
		report_missing(s);
}

/* The program could not be started: what a shell says. */
static void report_exec(const struct session *s)
{
	const char *program = s->config->program;

	if (s->exec_error == ENOENT && !strchr(program, '/'))
		message("%s: command not found", program);
	else
		message("%s: %s", program, strerror(s->exec_error));
}

/*
 * Output that could not be written, other than to a reader that had enough, is a failure even if
 * the program did not notice.
 */
static int report_lost_output(const struct session *s)
{
	for (unsigned int fd = 0; fd < SINK_COUNT; fd++) {
		int error = s->sinks[fd].error;

		if (error && error != EPIPE && fd != HOST_FD_TTY) {
			message("cannot write the program's %s: %s",
				fd == 2 ? "standard error" : "standard output", strerror(error));
			return EXIT_OWN_FAILURE;
		}
	}
	return 0;
}

static int report_exited(const struct session *s)
{
	if (s->exec_error)
		report_exec(s);
	if (s->out_of_memory)
		message("%s: killed: out of memory (%llu MiB); give a larger --memory",
			s->config->program, (unsigned long long)(s->config->memory >> 20));
	report_counters(s);
	if (WIFSIGNALED(s->exit_status))
		return 128 + WTERMSIG(s->exit_status);
	if (WEXITSTATUS(s->exit_status) == 0)
		return report_lost_output(s);
	return WEXITSTATUS(s->exit_status);
}

int session_report(struct session *s, int vm_status)
{
	if (s->config->verbose && bytes_length(&s->vm_text) > 0)
		dprintf(STDERR_FILENO, "%.*s", (int)bytes_length(&s->vm_text),
			(const char *)bytes_data(&s->vm_text));
	switch (s->outcome) {
	case OUTCOME_EXITED:
		return report_exited(s);
	case OUTCOME_TIMED_OUT:
		message("the program ran longer than its --timeout");
		report_counters(s);
		return EXIT_TIMED_OUT;
	case OUTCOME_PANICKED:
		report_panic(s);
		return EXIT_OWN_FAILURE;
	case OUTCOME_KILLED:
		return 128 + s->kill_signal;
	case OUTCOME_FAILED:
		message("%s", s->failure_text);
		return EXIT_OWN_FAILURE;
	case OUTCOME_CLOSED:
	case OUTCOME_RUNNING:
		break;
	}
	report_closed(s, vm_status);
	return EXIT_OWN_FAILURE;
}
