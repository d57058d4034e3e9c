/* dev_priv.h - what the files of dev/ know of each other, but for virtio (virtio_priv.h). */
#ifndef DEV_DEV_PRIV_H
#define DEV_DEV_PRIV_H

#include "dev/device.h"

/* host.c: send what the log has gained, if -v asks for it and the channel is free. Any context. */
void host_log_push(void);

/* --- the console that carries the channel (virtio_console.c) --- */

/* One message goes out in one piece: at most so many bytes. */
#define CONSOLE_MESSAGE_MAX 16384u

/* Set up the device, if there is one; from here on console_emergency works. Early. */
void console_device_find(void);
/*
 * Let it run: receive is called from a kernel thread with what comes in, piece by piece. False:
 * there is none that can be used.
 */
bool console_device_start(void (*receive)(const u8 *data, size_t n));
/*
 * Begin a message: the buffer to fill with up to CONSOLE_MESSAGE_MAX bytes. console_send waits (for
 * the device only); console_try returns NULL instead, and may be called in any context. Then
 * finish by console_push, without sleeping in between: other senders wait meanwhile. n 0: nothing
 * is sent after all.
 */
u8 *console_begin(void);
u8 *console_try(void);
void console_push(size_t n);
/* Wait, without sleeping, until the device has taken all that was pushed, or so long. */
void console_drain(u64 cycles);
/* Send without locks and interrupts: for panic. */
void console_emergency(const void *data, size_t n);

/* --- random.c --- */
/* Mix more bytes into the generator's key. */
void random_add(const void *data, size_t n);
/* Something happened at a time that nobody can foretell. Any context. */
void random_event(void);

#endif
