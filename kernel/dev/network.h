/*
 * network.h - a network device: Ethernet frames out and in (dev/virtio_net.c).
 */
#ifndef DEV_NETWORK_H
#define DEV_NETWORK_H

#include "lib/types.h"

#define NETWORK_FRAME_MAX 1514u /* bytes: Ethernet's header and 1,500 */
#define NETWORK_HEADER 12u      /* bytes before a frame that the device wants for itself */

/*
 * Start the device, once; false: there is none that can be used. event is called, in an interrupt,
 * when a frame has come.
 */
bool network_start(void (*event)(void));
void network_address(u8 mac[6]);

/*
 * The rest is for one caller at a time. Send the frame of `length` bytes that lies NETWORK_HEADER
 * bytes behind the start of block, from kmalloc, which is freed when it is sent. False: the device
 * is behind; it was dropped.
 */
bool network_send(u8 *block, u32 length);
/* Tell the device of the frames that were sent. False: there are none. */
bool network_flush(void);
void network_reap(void); /* free what has been sent */
/*
 * The next frame that has come, in memory that the caller gives up by kfree(*block); NULL: none.
 */
const void *network_receive(u32 *length, void **block);
/* Whether event is to be called when a frame comes. True: one is there already. */
bool network_want_received(bool want);

struct network_counters {
	u64 received, received_bytes, received_dropped;
	u64 sent, sent_bytes, sent_dropped;
};
void network_counters(struct network_counters *out);

#endif
