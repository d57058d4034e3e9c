/*
 * session.c - the life of one guest: a loop over the channel, the program's input and output, and
 * signals.
 *
 * Central rule: nothing here waits for one peer alone. Every descriptor is served when poll says
 * that it is ready, output is kept by sinks within the window of the protocol, and input is read
 * only against the guest's credit, so that a reader that stalls, a closed pipe or a silent
 * terminal stops its own stream and nothing else. Next: session_frames.c.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "session_priv.h"
#include "terminal.h"

#define SECOND_NS INT64_C(1000000000)
#define HELLO_WAIT_NS (60 * SECOND_NS)    /* a kernel that has not said hello by then never will */
#define POWER_OFF_WAIT_NS (SECOND_NS / 2) /* for the counters of a program that timed out */
#define DOUBLE_SIGNAL_NS (2 * SECOND_NS)
#define OUT_BACKLOG 65536 /* no more input is read while this much waits for the channel */
#define VM_TEXT_MAX 8192
#define VM_TEXT_WAIT_MS 1000

/* Signals that are the program's business. */
static const int forwarded_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
/* Signals that are ours. */
static const int own_signals[] = { SIGWINCH, SIGTSTP, SIGCONT };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT(forwarded_signals); i++) {
		if (!is_ignored(forwarded_signals[i]))
			sigaddset(set, forwarded_signals[i]);
	}
	for (size_t i = 0; i < COUNT(own_signals); i++) {
		if (!is_ignored(own_signals[i]))
			sigaddset(set, own_signals[i]);
	}
}

void session_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

void session_end(struct session *s, enum outcome outcome)
{
	if (s->outcome == OUTCOME_RUNNING)
		s->outcome = outcome;
}

void session_fail(struct session *s, const char *text)
{
	if (s->outcome == OUTCOME_RUNNING)
		s->failure_text = text;
	session_end(s, OUTCOME_FAILED);
}

void session_put_clock(struct session *s)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	frame_put_u64(&s->out, HOST_CLOCK, 0, now.tv_sec * (uint64_t)SECOND_NS + now.tv_nsec);
}

static void put_window_size(struct session *s)
{
	struct host_winsize size;

	if (terminal_size(&size))
		frame_put(&s->out, HOST_WINSIZE, 0, &size, sizeof(size));
}

void session_want_terminal(struct session *s)
{
	if (!s->terminal_wanted || terminal_take())
		return;
	/*
	 * In the background. A program that reads its terminal there is stopped, with its process
	 * group, until the user brings it back; SIGCONT then leads here again. (The group of an
	 * orphan is not stopped; it goes without input.)
	 */
	vm_signal(s->vm, SIGSTOP);
	kill(0, SIGTTIN);
	vm_signal(s->vm, SIGCONT);
}

/*
 * Ctrl-Z on a terminal that the guest has not taken, or kill -TSTP: stop with the guest, as one
 * job.
 */
static void stop_by_signal(struct session *s, int signal)
{
	sigset_t set;

	terminal_release();
	vm_signal(s->vm, SIGSTOP);
	sigemptyset(&set);
	sigaddset(&set, signal);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &set, NULL);
	vm_signal(s->vm, SIGCONT);
}

static void continue_after_stop(struct session *s)
{
	if (!s->hello)
		s->hello_deadline = monotonic_ns() + HELLO_WAIT_NS;
	session_put_clock(s);
	put_window_size(s);
	session_want_terminal(s);
}

static void forward_signal(struct session *s, int signal)
{
	int64_t now = monotonic_ns();
	bool insistent = signal == SIGTERM || signal == SIGINT;

	if (insistent && s->last_signal && now - s->last_signal < DOUBLE_SIGNAL_NS) {
		s->kill_signal = signal;
		session_end(s, OUTCOME_KILLED);
		return;
	}
	if (insistent)
		s->last_signal = now;
	frame_put_u32(&s->out, HOST_SIGNAL, 0, signal);
}

static void take_signals(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			put_window_size(s);
			break;
		case SIGTSTP:
			stop_by_signal(s, SIGTSTP);
			break;
		case SIGCONT:
			continue_after_stop(s);
			break;
		default:
			forward_signal(s, info.ssi_signo);
		}
	}
}

static void read_channel(struct session *s)
{
	ssize_t n = read(s->channel, bytes_reserve(&s->in, 2 * HOST_FRAME_MAX), 2 * HOST_FRAME_MAX);

	if (n > 0) {
		bytes_added(&s->in, n);
		session_take_frames(s);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		session_end(s, bytes_length(&s->panic_text) ? OUTCOME_PANICKED : OUTCOME_CLOSED);
	}
}

static void write_channel(struct session *s)
{
	while (bytes_length(&s->out) > 0) {
		ssize_t n = send(s->channel, bytes_data(&s->out), bytes_length(&s->out),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		/*
		 * An error other than EAGAIN means that QEMU is gone, which read_channel finds
		 * out.
		 */
		if (n < 0)
			return;
		bytes_consume(&s->out, n);
	}
}

static bool source_is_wanted(const struct session *s, const struct source *source)
{
	return source->open && source->credit > 0 && bytes_length(&s->out) < OUT_BACKLOG;
}

static void read_source(struct session *s, struct source *source, uint8_t fd)
{
	static uint8_t buffer[HOST_FRAME_MAX];
	size_t length = source->credit < sizeof(buffer) ? source->credit : sizeof(buffer);
	ssize_t n = handle_read(&source->handle, buffer, length);

	if (n > 0) {
		source->credit -= n;
		frame_put(&s->out, HOST_STDIN, fd, buffer, n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		source->open = false;
		frame_put(&s->out, HOST_STDIN_EOF, fd, NULL, 0);
	}
}

/* QEMU's own words are kept for the report; it has none as long as all goes well. */
static void read_vm(struct session *s)
{
	char text[1024];
	ssize_t n = read(s->vm->output, text, sizeof(text));

	if (n > 0 && bytes_length(&s->vm_text) + n <= VM_TEXT_MAX)
		bytes_append(&s->vm_text, text, n);
	/* After this QEMU stops the guest for good but stays. */
	if (n > 0 &&
	    memmem(bytes_data(&s->vm_text), bytes_length(&s->vm_text), "KVM internal error", 18))
		session_fail(s, "qemu: KVM internal error; try --accel tcg");
}

/* Acknowledge what was written, and tell of what cannot be written. */
static void put_acknowledgements(struct session *s)
{
	for (unsigned int fd = 0; fd < SINK_COUNT; fd++) {
		struct sink *sink = &s->sinks[fd];

		if (sink->written > 0)
			frame_put_u32(&s->out, HOST_OUTPUT_ACK, fd, sink->written);
		sink->written = 0;
		if (sink->error && !sink->error_reported) {
			frame_put_u32(&s->out, HOST_OUTPUT_GONE, fd, sink->error);
			sink->error_reported = true;
		}
	}
}

static int64_t session_deadline(const struct session *s)
{
	int64_t deadline = s->config->deadline;

	if (s->hello_deadline < deadline)
		deadline = s->hello_deadline;
	return s->end_deadline < deadline ? s->end_deadline : deadline;
}

static void check_deadlines(struct session *s)
{
	int64_t now = monotonic_ns();

	if (now >= s->end_deadline) {
		session_end(s, bytes_length(&s->panic_text) ? OUTCOME_PANICKED : OUTCOME_TIMED_OUT);
	} else if (now >= s->config->deadline && s->end_deadline == INT64_MAX) {
		if (s->hello && (s->config->stats || s->config->missing_syscalls)) {
			frame_put(&s->out, HOST_POWER_OFF, 0, NULL, 0);
			s->end_deadline = now + POWER_OFF_WAIT_NS;
		} else {
			session_end(s, OUTCOME_TIMED_OUT);
		}
	} else if (now >= s->hello_deadline) {
		session_fail(s, "the kernel did not start within a minute; run with -v");
	}
}

/* In milliseconds, rounded up, for poll. */
static int wait_time(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - monotonic_ns();
	if (left <= 0)
		return 0;
	left = (left + 999999) / 1000000;
	return left < INT32_MAX ? left : INT32_MAX;
}

/* The places in the poll set. */
enum {
	POLL_SIGNALS,
	POLL_SINKS, /* SINK_COUNT of them */
	POLL_LOG = POLL_SINKS + SINK_COUNT,
	POLL_END, /* how many are polled when the guest has ended */
	POLL_CHANNEL = POLL_END,
	POLL_INPUT,
	POLL_TERMINAL,
	POLL_VM,
	POLL_COUNT,
};

static void prepare_sink(struct pollfd *pollfd, const struct sink *sink)
{
	*pollfd = (struct pollfd){ .fd = sink_poll_fd(sink), .events = sink_poll_events(sink) };
}

static void serve_sink(const struct pollfd *pollfd, struct sink *sink)
{
	if (pollfd->revents & POLLOUT)
		sink_flush(sink);
	else if (pollfd->revents & (POLLERR | POLLHUP | POLLNVAL))
		sink_fail(sink, terminal_present() && sink->handle.fd == terminal_handle()->fd
					? EIO
					: EPIPE);
}

static void prepare_sinks(struct session *s, struct pollfd *set)
{
	set[POLL_SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	for (unsigned int fd = 0; fd < SINK_COUNT; fd++)
		prepare_sink(&set[POLL_SINKS + fd], &s->sinks[fd]);
	prepare_sink(&set[POLL_LOG], &s->log);
}

static void serve_sinks(struct session *s, const struct pollfd *set)
{
	for (unsigned int fd = 0; fd < SINK_COUNT; fd++)
		serve_sink(&set[POLL_SINKS + fd], &s->sinks[fd]);
	serve_sink(&set[POLL_LOG], &s->log);
}

static void prepare_guest(const struct session *s, struct pollfd *set)
{
	bool terminal_ready = terminal_taken() && source_is_wanted(s, &s->terminal);

	set[POLL_CHANNEL] = (struct pollfd){ .fd = s->channel, .events = POLLIN };
	if (bytes_length(&s->out) > 0)
		set[POLL_CHANNEL].events |= POLLOUT;
	set[POLL_INPUT] =
		(struct pollfd){ .fd = source_is_wanted(s, &s->input) ? s->input.handle.fd : -1,
				 .events = POLLIN };
	set[POLL_TERMINAL] = (struct pollfd){ .fd = terminal_ready ? s->terminal.handle.fd : -1,
					      .events = POLLIN };
	set[POLL_VM] = (struct pollfd){ .fd = s->vm->output, .events = POLLIN };
}

static void serve_guest(struct session *s, const struct pollfd *set)
{
	if (set[POLL_CHANNEL].revents & ~POLLOUT)
		read_channel(s);
	if (set[POLL_INPUT].revents)
		read_source(s, &s->input, 0);
	if (set[POLL_TERMINAL].revents)
		read_source(s, &s->terminal, HOST_FD_TTY);
	/*
	 * At its end (POLLHUP alone) the channel is at its end too, and says so once it has been
	 * read out.
	 */
	if (set[POLL_VM].revents & POLLIN)
		read_vm(s);
}

static void serve(struct session *s)
{
	struct pollfd set[POLL_COUNT];

	while (s->outcome == OUTCOME_RUNNING) {
		prepare_sinks(s, set);
		prepare_guest(s, set);
		if (poll(set, POLL_COUNT, wait_time(session_deadline(s))) > 0) {
			if (set[POLL_SIGNALS].revents)
				take_signals(s);
			serve_sinks(s, set);
			serve_guest(s, set);
		}
		put_acknowledgements(s);
		write_channel(s);
		check_deadlines(s);
	}
}

static bool sinks_are_idle(const struct session *s)
{
	for (unsigned int fd = 0; fd < SINK_COUNT; fd++) {
		if (!sink_is_idle(&s->sinks[fd]))
			return false;
	}
	return sink_is_idle(&s->log);
}

/*
 * The guest has ended: write what it left. A reader may take its time, as with any program; a
 * signal ends the wait.
 */
static void drain(struct session *s)
{
	struct pollfd set[POLL_END];
	struct signalfd_siginfo info;

	while (!sinks_are_idle(s)) {
		prepare_sinks(s, set);
		if (poll(set, POLL_END, wait_time(s->config->deadline)) == 0)
			return;
		serve_sinks(s, set);
		if (!set[POLL_SIGNALS].revents ||
		    read(s->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGTSTP)
			stop_by_signal(s, SIGTSTP);
		else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
			return;
	}
}

/* The channel was closed: QEMU ends, and may say why. */
static void read_last_words(struct session *s)
{
	int64_t deadline = monotonic_ns() + VM_TEXT_WAIT_MS * INT64_C(1000000);
	struct pollfd pollfd = { .fd = s->vm->output, .events = POLLIN };

	while (poll(&pollfd, 1, wait_time(deadline)) > 0) {
		if (!(pollfd.revents & POLLIN))
			return;
		read_vm(s);
	}
}

static int access_mode(int fd)
{
	return fcntl(fd, F_GETFL) & O_ACCMODE;
}

static void open_streams(struct session *s)
{
	const struct descriptor *descriptors = s->config->descriptors;
	const struct handle none = { HANDLE_NONE, -1 };

	for (int fd = 0; fd < 3; fd++) {
		bool writable = descriptors[fd].kind == HOST_STDIO_STREAM &&
				access_mode(fd) != O_RDONLY;

		sink_open(&s->sinks[fd], writable ? handle_open(fd, O_WRONLY) : none);
	}
	sink_open(&s->sinks[HOST_FD_TTY], terminal_present() ? *terminal_handle() : none);
	sink_open(&s->log, descriptors[2].kind == HOST_STDIO_TTY ? *terminal_handle()
								 : handle_open(2, O_WRONLY));
	if (descriptors[0].kind == HOST_STDIO_STREAM && access_mode(0) != O_WRONLY)
		s->input = (struct source){ .handle = handle_open(0, O_RDONLY), .open = true };
	if (terminal_present())
		s->terminal = (struct source){ .handle = *terminal_handle(), .open = true };
}

int session_run(const struct session_config *config, struct vm *vm, int channel)
{
	struct session session = {
		.config = config,
		.vm = vm,
		.channel = channel,
		.hello_deadline = config->gdb ? INT64_MAX : monotonic_ns() + HELLO_WAIT_NS,
		.end_deadline = INT64_MAX,
	};
	sigset_t set;
	int vm_status;

	signal_set(&set);
	session.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (session.signals < 0)
		fail("cannot watch signals: %s", strerror(errno));
	open_streams(&session);
	serve(&session);
	if (session.outcome == OUTCOME_CLOSED)
		read_last_words(&session);
	vm_status = vm_end(vm);
	if (session.outcome != OUTCOME_KILLED)
		drain(&session);
	terminal_release();
	return session_report(&session, vm_status);
}
