/*
 * device.h - what drivers offer to the rest of the kernel.
 */
#ifndef DEV_DEVICE_H
#define DEV_DEVICE_H

#include "dev/host_protocol.h"
#include "lib/types.h"

/* --- start-up, in order --- */
void log_init(void); /* earliest: ring in memory; nothing needs to exist */
void launch_init(
	const void *record,
	u64 size); /* parse the launch record (copied into kernel memory); after the slab */
void virtio_find(const char *
			 /*
		 * map the transports that it names ("virtio_mmio.device=SIZE@BASE:IRQ"); after
		 * cpu_init_memory. From here on a panic is heard
		 */
			 command_line);
void virtio_init(void); /* start the devices; in a thread */

/* --- the launch record (dev/launch.c): pointers stay valid for ever --- */
struct launch {
	u32 argc, envc, ngroups, nrlimits, nrw;
	char **argv, **envp;               /* NULL-terminated */
	const char *cwd, *hostname, *swap; /* swap: of which disk, or NULL */
	const char *resolver;              /* text of /etc/resolv.conf; NULL: as it is */
	u32 uid, gid, *groups, flags, umask;
	struct host_launch_stdio stdio[3];
	struct host_winsize winsize;
	struct host_launch_rlimit *rlimits;
	struct host_launch_signals signals;
	struct launch_rw {
		const char *tag, *path;
	} * rw;
	u64 realtime_ns;
	u8 seed[64];
	u32 seed_length;
};
extern struct launch launch;

/* --- the channel to the command (dev/host.c) --- */
void host_init(void); /* says HELLO, waits for CLOCK (sets the real-time clock) */
/*
 * Send output of fd 1 or 2. Sleeps while the window is closed: bytes taken (> 0), -EPIPE when the
 * host's reader is gone, -EAGAIN (nonblock), -ERESTARTSYS. data: kernel memory.
 */
ssize host_output(u32 fd, const void *data, size_t n, bool nonblock);
bool host_output_ready(u32 fd);
bool host_output_gone(u32 fd); /* writing gives an error */
/*
 * Bytes that host_output(fd) would take at once, without waiting, now; only host_output makes it
 * smaller. And how many it took that the host has not written yet.
 */
u32 host_output_room(u32 fd);
u32 host_output_pending(u32 fd);
/* Take input: asks the host for up to n bytes and waits. 0: end of input. -EAGAIN, -ERESTARTSYS. */
ssize host_input(void *data, size_t n, bool nonblock);
bool host_input_ready(
	void); /* asking: for poll, it also grants credit so that readiness can become true */
struct waitq *host_input_wait(void);
struct waitq *host_output_wait(void);
/*
 * Input of HOST_FD_TTY goes to this function (fs/console.c), called from a kernel thread; n 0: the
 * terminal hung up. It may sleep for a mutex, but not wait for the host. The host sends only what
 * host_tty_grant has granted.
 */
void host_set_input_sink(void (*sink)(const void *data, size_t n, void *arg), void *arg);
void host_tty_grant(u32 bytes);
void host_set_winsize_sink(void (*sink)(const struct host_winsize *w, void *arg), void *arg);
void host_set_signal_sink(void (*sink)(int signal, void *arg), void *arg);
/* End of the machine: flush, tell the status (as wait(2) encodes it) and power off. */
void __noreturn host_exit(u32 status);
void host_out_of_memory(void);  /* before host_exit, when the program was killed for want of it */
void host_exec_failed(s32 err); /* before host_exit, when the program could not be started */
/* For panic: polls the device, takes no locks, never returns to normal operation. */
void host_panic_text(const char *text, size_t n);
void host_text(u8 frame_type, const char *text, size_t n); /* HOST_STATS, HOST_MISSING, HOST_LOG */

/*
 * --- entropy (dev/random.c): ChaCha20 keyed from the launch seed, RDRAND, a virtio-rng device and
 * interrupt times ---
 */
void random_init(void);
void random_bytes(void *out, size_t n);

/* --- 9p (dev/virtio_9p.c, fs/9p*.c): a mounted tag --- */
struct virtio_9p;
struct virtio_9p *virtio_9p_find(const char *tag); /* NULL: no such device */
/*
 * One request: send `out` (a whole 9p message), receive into `in` (in_size bytes); both kernel
 * memory, or for the bulk of a read/write, extra buffers (up to 32 parts of contiguous memory)
 * appended to out or in. Sleeps until the answer is there. Length of the answer, or -EIO.
 */
struct virtio_part {
	void *data;
	u32 length;
};
ssize virtio_9p_request(struct virtio_9p *d, const void *out, u32 out_size, void *in, u32 in_size,
			const struct virtio_part *extra_out, u32 nout,
			const struct virtio_part *extra_in, u32 nin);
u32 virtio_9p_max_message(struct virtio_9p *d);
u64 virtio_9p_requests(void); /* answered so far, by all devices: statistics */

/* The kernel log (dev/log.c): for /dev/kmsg, -v and panic. */
size_t log_read(u64 *position, char *buf, size_t size); /* text after *position */

#endif
