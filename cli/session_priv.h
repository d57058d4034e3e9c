/*
 * session_priv.h - the state of a session, shared by session.c (the poll loop), session_frames.c
 * (what the kernel says) and session_report.c (what is said at the end).
 */
#ifndef CLI_SESSION_PRIV_H
#define CLI_SESSION_PRIV_H

#include "bytes.h"
#include "frame.h"
#include "session.h"
#include "sink.h"

/* How a session ended. */
enum outcome {
	OUTCOME_RUNNING,
	OUTCOME_EXITED, /* HOST_EXIT: exit_status is the program's */
	OUTCOME_TIMED_OUT,
	OUTCOME_PANICKED, /* panic_text */
	OUTCOME_KILLED,   /* by a second signal: kill_signal */
	OUTCOME_CLOSED,   /* the channel ended without a word */
	OUTCOME_FAILED,   /* failure_text */
};

/* One input stream. */
struct source {
	struct handle handle;
	bool open;       /* not at its end yet */
	uint32_t credit; /* bytes that the guest is ready to take */
};

#define SINK_COUNT (HOST_FD_TTY + 1)

struct session {
	const struct session_config *config;
	struct vm *vm;
	int channel, signals;
	struct bytes in, out; /* of the channel */
	struct sink sinks[SINK_COUNT];
	struct sink log; /* -v: to stderr, not counted against a window */
	struct source input, terminal;
	bool terminal_wanted; /* the guest has asked for the terminal's input */
	bool hello;
	int64_t hello_deadline, end_deadline; /* ns; INT64_MAX: none */
	int64_t last_signal;                  /* when the last SIGTERM or SIGINT came; 0: never */

	enum outcome outcome;
	int exit_status;    /* as wait(2) encodes it */
	int exec_error;     /* errno of HOST_EXEC_FAILED; 0: the program was started */
	bool out_of_memory; /* the guest killed the program for want of memory */
	int kill_signal;
	const char *failure_text;
	struct bytes panic_text, stats_text, missing_text, vm_text;
};

/* The session ends so; only the first call counts. */
void session_end(struct session *session, enum outcome outcome);
void session_fail(struct session *session, const char *text);

/* Tell the guest the time. */
void session_put_clock(struct session *session);

/*
 * Take the terminal for the guest if it has asked for it and we may; stop, as a background program
 * that reads does, if we may not.
 */
void session_want_terminal(struct session *session);

/* Carry out every whole frame in session->in. */
void session_take_frames(struct session *session);

/*
 * Say what there is to say after the end; `vm_status` is QEMU's wait status. Returns the exit
 * status.
 */
int session_report(struct session *session, int vm_status);

#endif
