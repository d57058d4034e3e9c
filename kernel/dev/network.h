/*
 * network.h - a network device: Ethernet frames out and in (dev/virtio_net.c).
 */
#ifndef DEV_NETWORK_H
#define DEV_NETWORK_H

#include "lib/types.h"

#define NETWORK_FRAME_MAX 1514u /* bytes: Ethernet's header and 1,500 */
#define NETWORK_PARTS_MAX 31u   /* of one frame */

struct network_part {
	const void *data; /* in the direct map */
	u32 length;
};

/*
 * Start the device, once; false: there is none that can be used. event is called, in an interrupt,
 * when a frame has come or sending has room again. sent is called with the token of each frame that
 * the device is done with, by network_send and network_reap.
 */
bool network_start(void (*event)(void), void (*sent)(void *token));
void network_address(u8 mac[6]);

/*
 * The rest is for one caller at a time. Send a frame; the memory stays as it is until `sent` was
 * called with the token. False: the device is behind, nothing was done.
 */
bool network_send(const struct network_part *parts, u32 nparts, void *token);
/* Tell the device of the frames that were sent. False: there are none. */
bool network_flush(void);
/* Call `sent` for what has been sent. How many are still on their way. */
u32 network_reap(void);
/* Whether event is to be called for what was sent, too. */
void network_want_sent(bool want);
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
