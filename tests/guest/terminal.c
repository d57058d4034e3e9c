/*
 * terminal.c - pseudo-terminals: line editing, signals from keys, sessions and their foreground groups.
 *
 * Central rule: the test holds the master side and types; a child that is the session's leader lives on the slave side. Next: ../run, which runs all this.
 */
#include "check.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master;
static char slave_name[64];

/* A new terminal, without making it anybody's. */
static int terminal_make(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
	CHECK(ptsname_r(master, slave_name, sizeof(slave_name)) == 0);
	int slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	return slave;
}

/* Makes the caller the leader of a session on the terminal, which is its stdin. */
static void terminal_enter(void)
{
	CHECK(setsid() == getpid());
	int slave = open(slave_name, O_RDWR);
	CHECK(slave >= 0);
	CHECK(dup2(slave, 0) == 0);
	close(master);
}

static void type(const char *text)
{
	CHECK_EQ(write(master, text, strlen(text)), strlen(text));
}

/* Types, and waits until it can be read: Linux hands input on in the background. */
static void type_and_wait(const char *text, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	type(text);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	usleep(10000);
}

/* Prints what has come out of a descriptor, with control characters shown as ^X. */
static void say_read(const char *what, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char bytes[512];

	if (poll(&p, 1, 50) <= 0) {
		say("%s: nothing\n", what);
		return;
	}
	ssize_t n = read(fd, bytes, sizeof(bytes));
	say("%s: ", what);
	if (n < 0)
		say("%s", errno_name(errno));
	for (ssize_t i = 0; i < n; i++)
		say(bytes[i] < 32     ? "^%c"
		    : bytes[i] == 127 ? "^?"
				      : "%c",
		    bytes[i] < 32 ? bytes[i] + 64 : bytes[i]);
	say(n == 0 ? "the end\n" : "\n");
}

static void set_flags(int fd, tcflag_t local_off, tcflag_t local_on, int min, int time)
{
	struct termios t;

	CHECK(tcgetattr(fd, &t) == 0);
	t.c_lflag = (t.c_lflag & ~local_off) | local_on;
	t.c_cc[VMIN] = min;
	t.c_cc[VTIME] = time;
	CHECK(tcsetattr(fd, TCSANOW, &t) == 0);
}

TEST(terminal, settings_at_first)
{
	int slave = terminal_make();
	struct termios t;
	struct winsize size;

	CHECK(tcgetattr(slave, &t) == 0);
	say("iflag %o oflag %o cflag %o lflag %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
	say("cc");
	for (int i = 0; i < 17; i++)
		say(" %d", t.c_cc[i]);
	say("\nspeed %u\n", cfgetospeed(&t));
	CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0);
	say("size %d %d\n", size.ws_row, size.ws_col);
	TRY(isatty(slave));
	TRY(isatty(master));
	char name[64];
	CHECK(ttyname_r(slave, name, sizeof(name)) == 0);
	CHECK_STR(name, slave_name);
	struct stat st;
	CHECK(fstat(slave, &st) == 0 && S_ISCHR(st.st_mode));
	TRY(lseek(slave, 0, SEEK_CUR));
}

TEST(terminal, lines_are_edited_and_echoed)
{
	int slave = terminal_make();

	type("helo\177lo\n");
	say_read("line", slave);
	say_read("echo", master);
	type("wrong\025right\n");
	say_read("line", slave);
	type("one two\027three\n");
	say_read("line", slave);
	type("a\026\003b\n"); /* the next character as it is */
	say_read("line", slave);
	type("part");
	say_read("no line yet", slave);
	type("\004");
	say_read("without a newline", slave);
	type("\004");
	say_read("end of input", slave);
	type("return\r");
	say_read("return", slave);
	while (poll(&(struct pollfd){ .fd = master, .events = POLLIN }, 1, 0) > 0)
		read(master, (char[512]){ 0 }, 512);
	CHECK_EQ(write(slave, "out\n\ttab\n", 9), 9);
	say_read("output", master);
	char bytes[4];
	type("long line\n");
	TRY(read(slave, bytes, 4));
	TRY(read(slave, bytes, 4));
	TRY(read(slave, bytes, 4));
	type_and_wait("1\n2\n", slave);
	int waiting;
	CHECK(ioctl(slave, FIONREAD, &waiting) == 0);
	say("waiting %d\n", waiting);
	say_read("one line at a time", slave);
	say_read("and the next", slave);
	type_and_wait("thrown away\n", slave);
	CHECK(tcflush(slave, TCIFLUSH) == 0);
	say_read("flushed", slave);
}

TEST(terminal, raw_input)
{
	int slave = terminal_make();
	char bytes[16];

	set_flags(slave, ICANON | ECHO | ISIG, 0, 1, 0);
	type("ab");
	say_read("at once", slave);
	type("\003\004\177");
	say_read("control characters", slave);
	say_read("no echo", master);
	set_flags(slave, 0, 0, 0, 0);
	TRY(read(slave, bytes, 16)); /* VMIN 0: does not wait */
	set_flags(slave, 0, 0, 0, 1);
	TRY(read(slave, bytes, 16)); /* waits a tenth of a second */
	set_flags(slave, 0, 0, 3, 0);
	type("xyz");
	TRY(read(slave, bytes, 16));
	TRY(fcntl(slave, F_SETFL, O_NONBLOCK));
	TRY(read(slave, bytes, 16));
	struct termios t;
	CHECK(tcgetattr(slave, &t) == 0);
	cfmakeraw(&t);
	CHECK(tcsetattr(slave, TCSADRAIN, &t) == 0);
	CHECK_EQ(write(slave, "a\nb", 3), 3);
	say_read("output as it is", master);
	TRY(tcdrain(slave));
}

static volatile sig_atomic_t caught[65];

static void on_signal(int signal)
{
	caught[signal]++;
}

static void handle(int signal)
{
	struct sigaction sa = { .sa_handler = on_signal };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

TEST(terminal, keys_send_signals_to_the_foreground)
{
	struct gate background_ready = gate_make(), ready = gate_make();

	terminal_make();
	pid_t pid = child_fork();
	if (pid == 0) {
		terminal_enter();
		handle(SIGINT);
		handle(SIGQUIT);
		handle(SIGWINCH);
		pid_t background = child_fork();
		if (background == 0) {
			setpgid(0, 0);
			handle(SIGINT);
			gate_open(&background_ready);
			for (;;) {
				pause();
				say("the background got a signal\n");
			}
		}
		gate_wait(&background_ready);
		gate_open(&ready);
		while (!caught[SIGINT] || !caught[SIGQUIT] || !caught[SIGWINCH])
			usleep(1000);
		kill(background, SIGKILL);
		child_expect(background, -SIGKILL);
		_exit(0);
	}
	gate_wait(&ready);
	type("\003\034");
	struct winsize size = { 33, 77, 0, 0 };
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
	child_expect(pid, 0);
}

TEST(terminal, suspension_and_background_access)
{
	struct gate go = gate_make(), foreground = gate_make(), got_line = gate_make();

	terminal_make();
	pid_t pid = child_fork();
	if (pid == 0) {
		char byte;
		int status;

		terminal_enter();
		CHECK_EQ(tcgetpgrp(0), getpgrp());
		CHECK_EQ(tcgetsid(0), getpid());
		pid_t job = child_fork();
		if (job == 0) {
			setpgid(0, 0);
			gate_wait(&go);
			CHECK_EQ(read(0, &byte, 1), 1); /* from the background: SIGTTIN first */
			CHECK_EQ(byte, 'x');
			gate_open(&got_line);
			for (;;)
				pause();
		}
		setpgid(job, job);
		gate_open(&go);
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
		CHECK(tcsetpgrp(0, job) == 0);
		CHECK_EQ(tcgetpgrp(0), job);
		CHECK(kill(-job, SIGCONT) == 0);
		gate_open(&foreground);
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
		/* We are in the background now, and may not take the terminal back without SIGTTOU ignored. */
		signal(SIGTTOU, SIG_IGN);
		CHECK(tcsetpgrp(0, getpgrp()) == 0);
		CHECK_ERRNO(tcsetpgrp(0, 0x7ffffff), ESRCH);
		kill(job, SIGKILL);
		CHECK_EQ(waitpid(job, &status, 0), job);
		_exit(0);
	}
	gate_wait(&foreground);
	type("x\n");
	gate_wait(&got_line);
	type("\032");
	child_expect(pid, 0);
}

TEST(terminal, the_background_may_be_kept_from_writing)
{
	int slave = terminal_make();

	set_flags(slave, 0, TOSTOP, 1, 0);
	CHILD (0) {
		int status;

		terminal_enter();
		pid_t job = child_fork();
		if (job == 0) {
			setpgid(0, 0);
			CHECK_EQ(write(0, "x", 1), 1);
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
		kill(job, SIGKILL);
		child_expect(job, -SIGKILL);
		job = child_fork();
		if (job == 0) { /* ignored: it goes through */
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			CHECK_EQ(write(0, "y", 1), 1);
			signal(SIGTTIN, SIG_IGN);
			CHECK_ERRNO(read(0, &status, 1), EIO);
			_exit(0);
		}
		child_expect(job, 0);
	}
	say_read("output", master);
}

TEST(terminal, the_controlling_terminal)
{
	terminal_make();
	TRY_FD(open("/dev/tty", O_RDWR));
	CHILD (0) {
		CHECK(setsid() == getpid());
		int slave = open(slave_name, O_RDWR | O_NOCTTY);
		TRY_FD(open("/dev/tty", O_RDWR));
		TRY(ioctl(slave, TIOCSCTTY, 0));
		TRY_FD(open("/dev/tty", O_RDWR));
		int tty = open("/dev/tty", O_RDWR);
		TRY(tcgetsid(tty) == getpid());
		TRY(write(tty, "x", 1));
		CHILD (0) {
			TRY_FD(open("/dev/tty", O_RDWR));
			CHECK(setsid() == getpid()); /* a new session has none */
			TRY_FD(open("/dev/tty", O_RDWR));
			TRY(ioctl(slave, TIOCSCTTY, 0)); /* it is another session's */
			TRY(tcgetpgrp(slave));
		}
		signal(SIGHUP, SIG_IGN);
		TRY(ioctl(slave, TIOCNOTTY));
		TRY_FD(open("/dev/tty", O_RDWR));
		TRY(tcgetpgrp(slave));
	}
	say_read("output", master);
}

TEST(terminal, closing_the_master_hangs_up)
{
	struct gate ready = gate_make();
	int slave = terminal_make();

	close(slave);
	pid_t pid = child_fork();
	if (pid == 0) {
		char byte;

		terminal_enter();
		handle(SIGHUP);
		gate_open(&ready);
		while (!caught[SIGHUP])
			usleep(1000);
		TRY(read(0, &byte, 1));
		TRY(write(0, "x", 1));
		struct termios t;
		TRY(tcgetattr(0, &t));
		_exit(0);
	}
	gate_wait(&ready);
	close(master);
	child_expect(pid, 0);
	CHECK_EQ(access(slave_name, F_OK), -1);
}

TEST(terminal, the_leader_takes_its_terminal_along)
{
	struct gate ready = gate_make(), told = gate_make();

	terminal_make();
	pid_t pid = child_fork();
	if (pid == 0) {
		terminal_enter();
		if (child_fork() == 0) { /* in the foreground: told by SIGHUP */
			handle(SIGHUP);
			gate_open(&ready);
			while (!caught[SIGHUP])
				usleep(1000);
			TRY_FD(open("/dev/tty", O_RDWR));
			gate_open(&told);
			_exit(0);
		}
		gate_wait(&ready);
		_exit(0);
	}
	child_expect(pid, 0);
	gate_wait(&told);
}

TEST(terminal, the_master_sees_the_last_close)
{
	int slave = terminal_make();
	char byte;

	CHECK_EQ(write(slave, "last", 4), 4);
	close(slave);
	say_read("what was written", master);
	TRY(read(master, &byte, 1));
	struct pollfd p = { .fd = master, .events = POLLIN | POLLOUT };
	TRY(poll(&p, 1, 0));
	say("hung up: %s\n", p.revents & POLLHUP ? "yes" : "no");
	slave = open(slave_name, O_RDWR | O_NOCTTY); /* and it can be opened again */
	CHECK(slave >= 0);
	CHECK_EQ(write(slave, "again", 5), 5);
	say_read("written again", master);
	TRY_FD(open("/dev/pts/99999", O_RDWR));
}

TEST(terminal, much_output_waits_for_its_reader)
{
	enum { SIZE = 100000 };
	int slave = terminal_make();
	static char bytes[SIZE];

	memset(bytes, 'x', SIZE);
	pid_t pid = child_fork();
	if (pid == 0) {
		CHECK_EQ(write(slave, bytes, SIZE), SIZE);
		_exit(0);
	}
	close(slave);
	size_t got = 0;
	for (ssize_t n; (n = read(master, bytes, 1000)) > 0;)
		got += n;
	CHECK_EQ(got, SIZE);
	child_expect(pid, 0);
}

/* Prints the status byte that a master in packet mode reads, or the length of the data behind a zero. */
static void packet_show(const char *what)
{
	struct pollfd p = { master, POLLIN | POLLPRI, 0 };
	unsigned char b[64];

	poll(&p, 1, 5000);
	long n = read(master, b, sizeof(b));
	say("%s: poll %#x, %ld bytes, status %#x\n", what, p.revents, n, n > 0 ? b[0] : 0);
}

TEST(terminal, packet_mode)
{
	int slave = terminal_make(), on = 1;
	struct termios t;

	CHECK(tcgetattr(slave, &t) == 0);
	t.c_lflag &= ~(tcflag_t)ECHO;
	CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
	TRY(ioctl(master, TIOCPKT, &on));
	CHECK(write(slave, "abc", 3) == 3);
	packet_show("data");
	CHECK(tcflow(slave, TCOOFF) == 0);
	packet_show("stopped");
	CHECK(tcflow(slave, TCOON) == 0);
	packet_show("started");
	CHECK(tcflush(slave, TCIFLUSH) == 0);
	packet_show("input flushed");
	t.c_iflag &= ~(tcflag_t)IXON;
	CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
	packet_show("no flow control");
	t.c_iflag |= IXON;
	CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
	packet_show("flow control");
	on = 0;
	TRY(ioctl(master, TIOCPKT, &on));
	CHECK(write(slave, "abc", 3) == 3);
	char b[8];
	TRY(read(master, b, sizeof(b)));
}
