/*
 * tty.h - terminals as the other folders see them: sessions and their signals.
 *
 * A terminal is counted: open files hold it, and the session whose controlling terminal it is (from
 * session_set_tty to session_clear_tty, or until tty_session_ended).
 */
#ifndef FS_TTY_H
#define FS_TTY_H

#include "fs/vfs.h"

struct tty;

void tty_get(struct tty *t);
void tty_put(struct tty *t); /* may sleep */
/* st_rdev of its device file: tty_nr of /proc/PID/stat. */
u64 tty_device(const struct tty *t);
/* Its foreground process group, or 0. */
u32 tty_foreground(const struct tty *t);

/*
 * The leader of session sid, which had t as its controlling terminal, has exited: the foreground
 * group gets SIGHUP and SIGCONT, and t belongs to no session any more. proc calls it when it has
 * taken t from the session, and with it gives up the session's reference. May sleep.
 */
void tty_session_ended(struct tty *t, u32 sid);

/* The console (fs/console.c), which reaches the host's terminal. Made at start. */
extern struct tty *console_tty;
void console_init(void); /* after host_init */
/*
 * The current process is the first program: signals from the host are for it unless its terminal,
 * where it has one, has a foreground group.
 */
void console_start_session(bool with_terminal);

#endif
