/*
 * host_protocol.h - what `coppice run` (cli/) and the kernel (kernel/dev) say to each other.
 *
 * Shared by both sides, so it uses only <stdint.h> types. All integers are little-endian.
 *
 * 1. The launch record: the initrd of the VM. A header, then a sequence of items, each an item
 * header followed by
 *    `length` bytes, padded with zeros to a multiple of 8. Unknown items are ignored. Strings carry
 *    no terminating NUL.
 * 2. The channel: a byte stream in each direction over port 1 of the VM's only virtio console (port
 * 0, a console, would lose bytes
 *    while the host is slow), carrying frames: a frame header followed by `length` payload bytes
 *    (at most HOST_FRAME_MAX).
 *
 * Four byte streams travel in the channel, named by `fd` of the frame: 0, 1, 2 are the program's
 * stdin, stdout and stderr where they are HOST_STDIO_STREAM, and HOST_FD_TTY is the terminal, in
 * both directions, for those that are HOST_STDIO_TTY (and for the guest's /dev/tty). So `run ... |
 * less` keeps what is written to stdout apart from what is written to the terminal.
 *
 * Flow control. Input is sent only against credit: the guest grants by HOST_STDIN_WANT (payload:
 * u32 number of bytes that it is ready to take more); the command reads its own stdin or terminal
 * only while it has credit, so that it never takes input which the program did not ask for. Output
 * of each stream is limited to HOST_OUTPUT_WINDOW unacknowledged bytes; the command acknowledges by
 * HOST_OUTPUT_ACK once it has written them to its own descriptor. So none of the streams blocks
 * another.
 *
 * The terminal. The command puts the host's terminal into raw mode at the first credit for
 * HOST_FD_TTY; all line editing, echo and signal characters are the guest's from then on. The guest
 * should grant that first credit when a program first reads the tty, polls it for input, or changes
 * its modes (a program that never does leaves the keyboard to others, and Ctrl-C arrives as
 * HOST_SIGNAL); from then on it takes what comes, and grants again as it does, so that Ctrl-C
 * arrives though nobody reads.
 */
#ifndef DEV_HOST_PROTOCOL_H
#define DEV_HOST_PROTOCOL_H

#include <stdint.h>

#define HOST_LAUNCH_MAGIC 0x31454349504f43ull /* "COPICE1" */
#define HOST_PROTOCOL_VERSION 1

struct host_launch_header {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* whole record, this header included */
};

struct host_launch_item {
	uint32_t kind; /* enum host_launch_kind */
	uint32_t length;
};

enum host_launch_kind {
	HOST_LAUNCH_ARG =
		/*
		 * one argument; several, in order. The first is also the program to look up in PATH
		 */
	1,
	HOST_LAUNCH_ENV = 2,      /* one "NAME=value"; several */
	HOST_LAUNCH_CWD = 3,      /* absolute path */
	HOST_LAUNCH_IDS = 4,      /* struct host_launch_ids */
	HOST_LAUNCH_GROUP = 5,    /* u32 supplementary gid; several */
	HOST_LAUNCH_HOSTNAME = 6, /* string */
	HOST_LAUNCH_STDIO = 7,    /* struct host_launch_stdio, one per descriptor 0, 1, 2 */
	HOST_LAUNCH_WINSIZE = 8,  /* struct host_winsize */
	HOST_LAUNCH_RW =
		/* string "TAG\0/absolute/path": 9p mount tag, and where it is mounted, writable */
	9,
	HOST_LAUNCH_FLAGS = 10, /* u32, HOST_FLAG_* */
	HOST_LAUNCH_TIME =
		/*
		 * u64: CLOCK_REALTIME of the host in ns when the record was made (a first estimate)
		 */
	11,
	HOST_LAUNCH_SEED = 12,    /* 32 or more random bytes */
	HOST_LAUNCH_RLIMIT = 13,  /* struct host_launch_rlimit; several */
	HOST_LAUNCH_UMASK = 14,   /* u32 */
	HOST_LAUNCH_SIGNALS = 15, /* struct host_launch_signals */
	HOST_LAUNCH_SWAP =
		/*
		 * string: serial number of the disk, a swap area, that is in use from the start
		 */
	16,
	HOST_LAUNCH_RESOLVER = 17, /* string: what /etc/resolv.conf says in place of the root's */
};

struct host_launch_ids {
	uint32_t uid, gid;
};

enum host_stdio_kind {
	HOST_STDIO_CLOSED = 0, /* the descriptor is closed in the program too */
	HOST_STDIO_TTY = 1,    /* a terminal: the guest's console tty */
	HOST_STDIO_STREAM =
		/*
		 * anything else; `mode` says what (S_IFMT bits: pipe, file, character device,
		 * socket)
		 */
	2,
	HOST_STDIO_NULL = 3, /* /dev/null */
};

struct host_launch_stdio {
	uint32_t fd;   /* 0, 1, 2 */
	uint32_t kind; /* enum host_stdio_kind */
	uint32_t mode; /* st_mode on the host */
	uint32_t
		/*
		 * the lowest descriptor that is the same open file (2>&1); its own number if none
		 */
		same_as;
};

/* What the program inherits; bit n-1: signal n. */
struct host_launch_signals {
	uint64_t ignored, blocked;
};

struct host_winsize {
	uint16_t rows, columns, xpixel, ypixel;
};

struct host_launch_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint32_t reserved;
	uint64_t soft, hard;
};

#define HOST_FLAG_VERBOSE 0x1 /* -v: the kernel prints its log */
#define HOST_FLAG_STATS 0x2   /* --stats: send HOST_STATS before HOST_EXIT */
#define HOST_FLAG_MISSING 0x4 /* --missing-syscalls: send HOST_MISSING before HOST_EXIT */
#define HOST_FLAG_NO_ASLR 0x8 /* --no-aslr */
#define HOST_FLAG_CHECK \
	0x10 /* --check: run the mm checker when the program has ended; report leaks as a panic */

#define HOST_FD_TTY 3 /* the stream of the terminal; 0, 1, 2 are the standard ones */

#define HOST_FRAME_MAX 32768
#define HOST_OUTPUT_WINDOW 262144

struct host_frame {
	uint8_t type; /* enum host_frame_type */
	/*
	 * output frames: 0-2 (0 is a socket, say) or HOST_FD_TTY; input frames: 0 or HOST_FD_TTY;
	 * else 0
	 */
	uint8_t fd;
	uint16_t reserved;
	uint32_t length; /* payload bytes that follow */
};

enum host_frame_type {
	/* guest to host */
	HOST_HELLO = 1,      /* u32 version: the kernel is up; the host answers HOST_CLOCK */
	HOST_OUTPUT = 2,     /* bytes for fd */
	HOST_STDIN_WANT = 3, /* u32 bytes of credit for input of fd */
	HOST_EXIT = 4, /* u32 status as wait(2) encodes it; last frame. The host then ends the VM */
	HOST_PANIC =
		/*
		 * text, may be split over several frames; no HOST_EXIT follows; the host waits 200
		 * ms for more, then ends the VM
		 */
	5,
	HOST_LOG = 6,     /* text of the kernel log (only with HOST_FLAG_VERBOSE) */
	HOST_STATS = 7,   /* text: "name value\n" lines */
	HOST_MISSING = 8, /* text: "number name count\n" lines */
	HOST_EXEC_FAILED =
		/*
		 * i32 errno: the program could not be started (ENOENT, EACCES, ...); HOST_EXIT
		 * follows with status 127 or 126
		 */
	10,
	HOST_OUT_OF_MEMORY = 11, /* nothing: the guest killed the program for want of memory;
				    HOST_EXIT follows */
	/* host to guest */
	HOST_STDIN = 32,      /* bytes of input for fd */
	HOST_STDIN_EOF = 33,  /* end of input of fd (for HOST_FD_TTY: the terminal hung up) */
	HOST_OUTPUT_ACK = 34, /* u32 bytes of fd that were written */
	HOST_OUTPUT_GONE =
		35, /* u32 errno: fd takes no more, writers get this error; with EPIPE (the reader is gone) also SIGPIPE.
				  What is unacknowledged is lost, and needs no acknowledgement any more */
	HOST_WINSIZE = 36, /* struct host_winsize */
	HOST_SIGNAL =
		/*
		 * u32 signal number, for the terminal's foreground process group, or the first
		 * process if there is none
		 */
	37,
	HOST_CLOCK = 38, /* u64 CLOCK_REALTIME in ns, now */
	HOST_POWER_OFF =
		/*
		 * the command gives up (time-out): send what HOST_FLAG_STATS and _MISSING ask for
		 * and HOST_EXIT, now
		 */
	39,
};

#endif
