/*
 * terminal.c - the host's terminal while a program in the guest uses it.
 *
 * Central rule: the terminal is given back as it was found, however the command ends. It is taken
 * only when a program in the guest first reads it; until then it stays as the user's shell has set
 * it up, so that type-ahead, Ctrl-C and Ctrl-Z work as for any program that does not read, and the
 * rest of a pipeline can use it.
 *
 * There is one terminal per process, and a crash handler must find it: it is a static variable
 * here.
 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	bool present;
	volatile sig_atomic_t taken;
	bool sole_writer; /* stdout is the terminal too: taking it includes output processing */
	struct handle handle;
	struct termios found; /* as it was before terminal_take */
} terminal;

/* Set the mode found. Async-signal-safe. */
static void restore_mode(void)
{
	sigset_t stop, old;

	/*
	 * From the background tcsetattr would stop the process, which must go on (and often end).
	 */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stop, &old);
	tcsetattr(terminal.handle.fd, TCSANOW, &terminal.found);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void handle_crash(int signal)
{
	if (terminal.taken)
		restore_mode();
	/* The handler was reset by SA_RESETHAND, so this ends the process the usual way. */
	raise(signal);
}

static void catch_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_handler = handle_crash,
				    .sa_flags = SA_RESETHAND | SA_NODEFER };

	for (unsigned int i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
}

void terminal_open(int fd, bool stdout_is_terminal)
{
	terminal.handle = handle_open(fd, O_RDWR);
	terminal.sole_writer = stdout_is_terminal;
	terminal.present = true;
	if (tcgetattr(terminal.handle.fd, &terminal.found) != 0)
		terminal.found = (struct termios){ 0 };
	catch_crashes();
	atexit(terminal_release);
}

bool terminal_present(void)
{
	return terminal.present;
}

const struct handle *terminal_handle(void)
{
	return &terminal.handle;
}

bool terminal_taken(void)
{
	return terminal.taken;
}

bool terminal_take(void)
{
	struct termios raw;
	pid_t foreground = tcgetpgrp(terminal.handle.fd);

	if (terminal.taken)
		return true;
	/*
	 * An error means that it is not our controlling terminal, which has no foreground for us
	 * to be in.
	 */
	if (foreground >= 0 && foreground != getpgrp())
		return false;
	if (tcgetattr(terminal.handle.fd, &terminal.found) != 0)
		return true; /* hung up: reading it says so */
	raw = terminal.found;
	raw.c_iflag &=
		~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON | IXOFF);
	raw.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	if (terminal.sole_writer)
		raw.c_oflag &= ~OPOST;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	terminal.taken = true;
	tcsetattr(terminal.handle.fd, TCSANOW, &raw);
	return true;
}

void terminal_release(void)
{
	if (!terminal.taken)
		return;
	restore_mode();
	terminal.taken = false;
}

bool terminal_maps_newline(void)
{
	if (terminal.taken && terminal.sole_writer)
		return false;
	return (terminal.found.c_oflag & OPOST) && (terminal.found.c_oflag & ONLCR);
}

bool terminal_size(struct host_winsize *size)
{
	struct winsize w;

	if (!terminal.present || ioctl(terminal.handle.fd, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 ||
	    w.ws_col == 0)
		return false;
	*size = (struct host_winsize){ w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel };
	return true;
}
