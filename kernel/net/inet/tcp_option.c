/*
 * tcp_option.c - the options of level IPPROTO_TCP, tcp(7), and TCP's ioctls.
 *
 * Numbers that a program sets and reads back are in a table with their ranges. What concerns
 * packets alone (TCP_NODELAY, TCP_CORK...) has an effect where there are packets: in connections
 * to other machines.
 */
#include <asm-generic/ioctls.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "net/inet/tcp_priv.h"
#include "net/lwip/stack.h"

#define HEADERS4 40 /* bytes of the headers of IPv4 and TCP */
#define LOOPBACK_SEGMENT 65483
#define SEGMENT_DEFAULT 536
#define KEEP_IDLE_MAX 32767
#define KEEP_INTERVAL_MAX 32767
#define KEEP_COUNT_MAX 127
#define SYN_COUNT_MAX 127
#define LINGER2_MAX 120
#define MAXSEG_MIN 88
#define MAXSEG_MAX 32767
#define CONGESTION "cubic"
#define CONGESTION_NAME_MAX 16u
#define RTO_US 204000
#define ATO_US 40000

void tcp_options_init(struct tcp_options *o)
{
	*o = (struct tcp_options){ .keep_idle = 7200,
				   .keep_interval = 75,
				   .keep_count = 9,
				   .syn_count = 6,
				   .linger2 = 60,
				   .quickack = 1 };
}

struct number_option {
	u8 name;
	u8 offset; /* in struct tcp_options */
	bool flag; /* on or off: any number but 0 is 1 */
	s32 lowest, highest;
};

#define OFFSET(field) offsetof(struct tcp_options, field)
static const struct number_option numbers[] = {
	{ TCP_NODELAY, OFFSET(nodelay), true },
	{ TCP_CORK, OFFSET(cork), true },
	{ TCP_QUICKACK, OFFSET(quickack), true },
	{ TCP_SAVE_SYN, OFFSET(save_syn), true },
	{ TCP_FASTOPEN_CONNECT, OFFSET(fastopen_connect), true },
	{ TCP_KEEPIDLE, OFFSET(keep_idle), false, 1, KEEP_IDLE_MAX },
	{ TCP_KEEPINTVL, OFFSET(keep_interval), false, 1, KEEP_INTERVAL_MAX },
	{ TCP_KEEPCNT, OFFSET(keep_count), false, 1, KEEP_COUNT_MAX },
	{ TCP_SYNCNT, OFFSET(syn_count), false, 1, SYN_COUNT_MAX },
	{ TCP_DEFER_ACCEPT, OFFSET(defer_accept), false, INT32_MIN, INT32_MAX },
	{ TCP_LINGER2, OFFSET(linger2), false, INT32_MIN, INT32_MAX },
	{ TCP_USER_TIMEOUT, OFFSET(user_timeout), false, 0, INT32_MAX },
	{ TCP_MAXSEG, OFFSET(max_segment), false, MAXSEG_MIN, MAXSEG_MAX },
	{ TCP_WINDOW_CLAMP, OFFSET(window_clamp), false, 0, INT32_MAX },
	{ TCP_NOTSENT_LOWAT, OFFSET(notsent_low), false, INT32_MIN, INT32_MAX },
	{ TCP_FASTOPEN, OFFSET(fastopen), false, 0, INT32_MAX },
};

static const struct number_option *number_find(s32 name)
{
	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].name == name)
			return &numbers[i];
	return NULL;
}

static s32 *number_at(struct tcp_socket *t, const struct number_option *n)
{
	return (s32 *)((u8 *)&t->options + n->offset);
}

/* What Linux makes of a number in the range. */
static int adjust(struct tcp_socket *t, s32 name, s32 *v)
{
	switch (name) {
	case TCP_DEFER_ACCEPT: /* counted in retransmissions: 1, 3, 7, 15... seconds */
		for (s32 seconds = 1; *v > 0; seconds = seconds * 2 + 1)
			if (seconds >= *v || seconds > INT32_MAX / 4) {
				*v = seconds;
				return 0;
			}
		*v = 0;
		return 0;
	case TCP_LINGER2:
		if (*v < 0)
			*v = -1;
		else if (*v > LINGER2_MAX)
			*v = LINGER2_MAX;
		else if (*v == 0)
			*v = 60;
		return 0;
	case TCP_FASTOPEN:
		return tcp_state(t) == TCP_CLOSE_STATE || tcp_state(t) == TCP_LISTEN_STATE
			       ? 0
			       : -EINVAL;
	default:
		return 0;
	}
}

static int set_congestion(const void *value, u32 length)
{
	char name[CONGESTION_NAME_MAX];

	if (length < 1)
		return -EINVAL;
	length = min(length, CONGESTION_NAME_MAX - 1);
	memcpy(name, value, length);
	name[length] = '\0';
	return strcmp(name, CONGESTION) == 0 || strcmp(name, "reno") == 0 ? 0 : -ENOENT;
}

int tcp_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	struct tcp_socket *t = tcp_of(s);
	const struct number_option *n;
	s32 v;
	int err;

	if (level != IPPROTO_TCP)
		return inet_setsockopt(s, level, name, value, length);
	if (name == TCP_CONGESTION)
		return set_congestion(value, length);
	if (length < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	n = number_find(name);
	if (!n)
		return -ENOPROTOOPT;
	if (n->flag)
		v = v != 0;
	else if (v < n->lowest || v > n->highest)
		if (name != TCP_MAXSEG || v)
			return -EINVAL;
	err = adjust(t, name, &v);
	if (err)
		return err;
	store_relaxed(number_at(t, n), v);
	tcp_options_remote(t);
	return 0;
}

/* --- what the connection is like --- */

static s32 segment_size(struct tcp_socket *t)
{
	s32 chosen = load_relaxed(&t->options.max_segment);

	if (tcp_state(t) == TCP_CLOSE_STATE || tcp_state(t) == TCP_LISTEN_STATE)
		return chosen ? chosen : SEGMENT_DEFAULT;
	if (load_relaxed(&t->remote))
		return NETWORK_MTU - HEADERS4;
	return LOOPBACK_SEGMENT;
}

static int get_info(struct tcp_socket *t, void *value, u32 *length)
{
	struct tcp_info info = { 0 };

	info.tcpi_state = (u8)tcp_state(t);
	info.tcpi_rto = 1000000;
	if (tcp_state(t) == TCP_LISTEN_STATE) {
		info.tcpi_unacked = load_relaxed(&t->queued);
		info.tcpi_sacked = t->backlog;
		return option_give_bytes(value, length, &info, sizeof(info));
	}
	info.tcpi_snd_mss = (u32)segment_size(t);
	info.tcpi_rcv_mss = SEGMENT_DEFAULT;
	info.tcpi_snd_ssthresh = INT32_MAX;
	info.tcpi_snd_cwnd = 10;
	info.tcpi_reordering = 3;
	if (tcp_state(t) != TCP_CLOSE_STATE && tcp_state(t) != TCP_SYN_SENT_STATE) {
		info.tcpi_options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
		info.tcpi_snd_wscale = info.tcpi_rcv_wscale = 7;
		info.tcpi_rto = RTO_US;
		info.tcpi_ato = ATO_US;
		info.tcpi_advmss = (u32)segment_size(t);
		info.tcpi_pmtu = load_relaxed(&t->remote) ? NETWORK_MTU : LOOPBACK_MTU - 1;
	}
	if (load_relaxed(&t->remote))
		tcp_info_remote(t, &info);
	return option_give_bytes(value, length, &info, sizeof(info));
}

static int get_congestion(void *value, u32 *length)
{
	char name[CONGESTION_NAME_MAX] = CONGESTION;

	return option_give_bytes(value, length, name, sizeof(name));
}

int tcp_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length)
{
	struct tcp_socket *t = tcp_of(s);
	const struct number_option *n;

	if (level != IPPROTO_TCP)
		return inet_getsockopt(s, level, name, value, length);
	switch (name) {
	case TCP_INFO:
		return get_info(t, value, length);
	case TCP_CONGESTION:
		return get_congestion(value, length);
	case TCP_MAXSEG:
		return option_give(value, length, segment_size(t));
	case TCP_ULP:
		*length = 0;
		return 0;
	case TCP_TIMESTAMP:
	case TCP_REPAIR:
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK:
	case TCP_INQ:
		return option_give(value, length, 0);
	}
	n = number_find(name);
	if (!n)
		return -ENOPROTOOPT;
	return option_give(value, length, load_relaxed(number_at(t, n)));
}

/* --- ioctl --- */

static u64 unsent(struct tcp_socket *t)
{
	struct tcp_socket *peer = tcp_peer(t);
	u64 n = 0;

	/* What has reached the other socket has been acknowledged. */
	if (peer)
		socket_put(&peer->inet.s);
	else if (load_relaxed(&t->remote))
		n = tcp_unsent_remote(t);
	return n;
}

long tcp_ioctl(struct socket *s, u32 request, u64 arg)
{
	struct tcp_socket *t = tcp_of(s);
	u64 n;

	switch (request) {
	case FIONREAD:
	case SIOCATMARK:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		break;
	default:
		return inet_ioctl(s, request, arg);
	}
	if (tcp_state(t) == TCP_LISTEN_STATE && request != SIOCATMARK)
		return -EINVAL;
	if (request == FIONREAD)
		n = stream_bytes(&t->in);
	else if (request == SIOCATMARK)
		n = stream_at_mark(&t->in);
	else
		n = unsent(t);
	return put_user((s32)min(n, (u64)INT32_MAX), (s32 __user *)arg);
}
