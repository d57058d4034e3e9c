/*
 * tty_priv.h - the inside of a terminal: what tty.c, its input and output halves, its ioctls and
 * the two drivers (console.c, pty.c) share.
 *
 * A terminal stands between programs, which open it as a file, and a driver, which is the other
 * side: the host's terminal or the master of a pty.
 *
 * 	program --write--> tty_output.c --driver->output--> the other side
 * 	program <--read--- input ring <--tty_input.c------- the other side (tty_receive)
 */
#ifndef FS_TTY_PRIV_H
#define FS_TTY_PRIV_H

#include <asm-generic/termbits.h>

#include "fs/tty.h"

/*
 * The layout of Linux's struct termios2, so that it goes to user memory as it is; its first 36
 * bytes are struct termios.
 */
struct terminal_modes {
	u32 input, output, control, local;
	u8 line;
	u8 chars[19]; /* VINTR... */
	u32 input_speed, output_speed;
};
_Static_assert(sizeof(struct terminal_modes) == sizeof(struct termios2), "termios2");
_Static_assert(NCCS == 19, "termios");

/* The layout of Linux's struct winsize. */
struct terminal_size {
	u16 rows, columns, xpixel, ypixel;
};

struct tty;

/* Called with the terminal locked, not sleeping, unless it says otherwise. */
struct tty_driver {
	/* Bytes of output that the other side takes at once: only `output` makes it smaller. */
	u32 (*room)(struct tty *t);
	/* n <= room. */
	void (*output)(struct tty *t, const void *data, u32 n);
	/* Output on its way: for TIOCOUTQ and draining. NULL: none */
	u32 (*pending)(struct tty *t);
	/* Forget output on its way (TCOFLUSH). NULL: nothing */
	void (*discard)(struct tty *t);
	/* Not locked, may sleep: a program wants input, or has made room for it. NULL: nothing */
	void (*want_input)(struct tty *t);
	/* TIOCPKT_*: what a master in packet mode is to know. NULL: nothing */
	void (*tell)(struct tty *t, u32 events);
	/*
	 * Not locked, may sleep: the first program has opened it, the last has closed it. NULL:
	 * nothing
	 */
	void (*opened)(struct tty *t);
	void (*closed)(struct tty *t);
	/* Not locked: requests of this driver: -ENOTTY if unknown. NULL: none */
	long (*ioctl)(struct tty *t, struct file *f, u32 request, u64 arg);
	/* The last reference is gone. */
	void (*free)(struct tty *t);
};

#define TTY_INPUT_SIZE 4096u /* power of 2 */

struct tty {
	struct refcount refs;
	struct list link;                /* list of all, under ttys_lock */
	const struct tty_driver *driver; /* C */
	void *data;                      /* C: of the driver */
	u64 device;                      /* C: st_rdev */

	struct mutex lock;           /* RANK_TTY: guards L (single words are read without) */
	struct terminal_modes modes; /* L */
	struct terminal_modes
		frozen; /* L: bits and characters of `modes` that stay (TIOCSLCKTRMIOS) */
	struct terminal_size size; /* L */
	u32 session;    /* L: 0: none. With it comes a reference, which the session holds */
	u32 foreground; /* L: process group; 0: none */
	u32 opens;      /* L: open files of programs */
	bool hung_up;   /* L: for good */
	bool exclusive; /* L: TIOCEXCL */
	bool stopped;   /* L: output, by ^S or TCOOFF */

	/*
	 * L: input: bytes [tail, head) of the ring by free-running index; of them [tail, line_end)
	 * are complete lines in canonical mode. A bit in `marks` says that the byte ends a line; a
	 * marked NUL is the end-of-file character.
	 */
	u8 input[TTY_INPUT_SIZE];
	u8 marks[TTY_INPUT_SIZE / 8];
	u32 head, line_end, tail;
	bool literal; /* L: the next character has no special meaning (^V) */

	u32 column;      /* L: of the cursor, as far as output tells */
	u32 line_column; /* L: where the line being edited began */
	u8 echo[256];    /* L: gathered by tty_receive */
	u32 echo_length;

	struct waitq read_wait, write_wait; /* programs, pollers too */
};

static inline u8 tty_char(const struct tty *t, u32 which)
{
	return t->modes.chars[which];
}

static inline void tty_tell(struct tty *t, u32 events)
{
	if (t->driver->tell)
		t->driver->tell(t, events);
}

/* tty.c */
int tty_init(struct tty *t, const struct tty_driver *driver, void *data, u64 device);
extern const struct file_ops tty_file_ops;
extern const struct file_ops current_tty_file_ops; /* /dev/tty */
/*
 * Make f, being opened, a file of t. The caller's reference on t becomes the file's. 0 or -EIO,
 * -EBUSY.
 */
int tty_open_file(struct tty *t, struct file *f);
/* May sleep, t not locked: the other side is gone. SIGHUP to the session. */
void tty_hangup(struct tty *t);
/* The rule for background groups: 0, -EIO, or -ERESTARTSYS after sending SIGTTIN or SIGTTOU. */
int tty_check_background(struct tty *t, int sig);
/* Make t the current session's terminal, where it has none and t has no session: 0 or -EPERM. */
int tty_become_controlling(struct tty *t, bool steal);
void tty_give_up_controlling(struct tty *t);
bool tty_is_controlling(struct tty *t); /* of the current process */
void tty_signal_foreground(struct tty *t, int sig);
void tty_resize(struct tty *t, const struct terminal_size *size); /* SIGWINCH */

/* tty_input.c */
/*
 * Input from the other side: bytes taken; the rest has no room until programs read
 * (driver->want_input). t not locked.
 */
size_t tty_receive(struct tty *t, const u8 *data, size_t n);
bool tty_input_ready(const struct tty *t); /* read(2) would not wait, VMIN and VTIME apart */
u32 tty_input_count(const struct tty *t);  /* bytes that read(2) can get */
bool tty_input_has_room(const struct tty *t);
/*
 * Locked: take up to n bytes; in canonical mode up to the end of a line. *ended: a line, or the
 * file, ended.
 */
u32 tty_input_take(struct tty *t, u8 *out, u32 n, bool *ended);
void tty_input_flush(struct tty *t);                       /* locked */
void tty_input_mode_changed(struct tty *t, u32 old_local); /* locked: ICANON may have changed */

/* tty_output.c */
#define TTY_EXPANSION_MAX 8 /* bytes that one byte can become */
/* Locked: stop output, or let it go on (then tty_wake_writers, unlocked). */
void tty_set_stopped(struct tty *t, bool stopped);
/* Locked: process and put out as much as there is room for: bytes of data used. */
size_t tty_output(struct tty *t, const u8 *data, size_t n);
ssize tty_write(struct file *f, struct iter *it, u64 *pos);
bool tty_output_ready(struct tty *t);
/* Wait until all output has left: 0 or -ERESTARTSYS. */
int tty_drain(struct tty *t);
/* The other side has made room. Any context. */
void tty_wake_writers(struct tty *t);

/* tty_ioctl.c */
long tty_ioctl(struct file *f, u32 request, u64 arg);
/* On whichever side of the terminal it is asked: modes, size, groups. -ENOTTY: not one of these. */
long tty_ioctl_common(struct tty *t, u32 request, u64 arg);
void tty_set_default_modes(struct terminal_modes *m);

#endif
