/*
 * tcp_remote.c - TCP with other machines: a socket of ours and a connection (pcb) of lwIP's.
 *
 * Central rule: lwIP calls back under its lock, in any thread, and everything here that touches a
 * pcb holds that lock. A pcb has a reference to its socket until one lets go of the other. What
 * lwIP receives goes to the socket's stream; it is told of room again when the program has taken
 * it, so that the window says what SO_RCVBUF and the reader allow.
 */
#include <linux/tcp.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/inet/convert.h"
#include "net/inet/tcp_priv.h"
#include "net/lwip/stack.h"

#define CHUNK_MAX 16384u           /* bytes that are copied from the program at a time */
#define UPDATE_AT (TCP_WND / 4)    /* so much room is worth telling of */
#define LOW_ROOM (TCP_SND_BUF / 3) /* senders are woken when there is so much room */

/* One for each port that somebody listens on: lwIP's listener, whoever of ours gets the connection. */
struct remote_listener {
	struct list link; /* M: in remote_listeners */
	struct tcp_pcb *pcb;
	u16 port;
	u32 users; /* M: listening sockets */
};
static struct list remote_listeners = LIST_INIT(remote_listeners);

/* --- callbacks; M held --- */

static void room_update(struct tcp_socket *t)
{
	struct tcp_pcb *pcb = t->pcb;
	bool room = pcb && tcp_sndqueuelen(pcb) < TCP_SND_QUEUELEN - TCP_SND_QUEUELEN / 8;

	store_release(&t->room, room ? pcb->snd_buf : 0);
}

/* The pcb is gone, or not ours any more. */
static void pcb_forget(struct tcp_socket *t)
{
	if (!t->pcb)
		return;
	t->pcb = NULL;
	room_update(t);
	socket_put(&t->inet.s);
}

static void connection_ended(struct tcp_socket *t, s32 error, bool reset)
{
	tcp_lock();
	if (t->state != TCP_CLOSE_STATE) {
		t->reset = reset;
		tcp_ended(t, error);
	}
	tcp_unlock();
	socket_wake_all(&t->inet.s);
}

static s32 error_number(const struct tcp_socket *t, err_t err)
{
	bool connecting = tcp_state(t) == TCP_SYN_SENT_STATE;

	switch (err) {
	case ERR_RST:
		if (connecting)
			return ECONNREFUSED;
		return tcp_state(t) == TCP_CLOSE_WAIT_STATE ? EPIPE : ECONNRESET;
	case ERR_CLSD:
		return 0;
	default:
		return ETIMEDOUT;
	}
}

/* lwIP has given the pcb up already. */
static void on_error(void *arg, err_t err)
{
	struct tcp_socket *t = arg;

	if (!t)
		return;
	connection_ended(t, error_number(t, err), err != ERR_CLSD);
	pcb_forget(t);
}

static void on_finish(struct tcp_socket *t)
{
	bool over;

	tcp_lock();
	over = t->state != TCP_ESTABLISHED_STATE;
	if (over)
		tcp_ended(t, 0);
	else
		store_release(&t->state, TCP_CLOSE_WAIT_STATE);
	atomic_or(&t->inet.s.shutdown, SHUTDOWN_RECEIVE);
	tcp_unlock();
	socket_wake_all(&t->inet.s);
}

/* The bytes of p into buffers of the stream: false: no memory, nothing was done. */
static bool stream_take(struct tcp_socket *t, struct pbuf *p)
{
	struct list filled = LIST_INIT(filled);
	struct net_buffer *b, *next;
	u64 charge = 0;

	for (u32 at = 0; at < p->tot_len;) {
		b = net_buffer_new(p->tot_len - at);
		if (!b) {
			net_buffers_free(&filled);
			return false;
		}
		b->length = pbuf_copy_partial(p, b->data, (u16)min(b->capacity, p->tot_len - at),
					      (u16)at);
		at += b->length;
		charge += b->charge;
		list_push_back(&filled, &b->link);
	}
	spin_lock(&t->in.lock);
	list_for_each_safe (b, next, &filled, link) {
		list_remove(&b->link);
		list_push_back(&t->in.buffers, &b->link);
	}
	t->in.bytes += p->tot_len;
	t->in.charge += charge;
	t->in.appended++;
	spin_unlock(&t->in.lock);
	return true;
}

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct tcp_socket *t = arg;

	if (!t)
		return tcp_recv_null(NULL, pcb, p, err);
	if (!p) {
		on_finish(t);
		return ERR_OK;
	}
	if (!stream_take(t, p))
		return ERR_MEM; /* lwIP keeps it and asks again */
	t->delivered += p->tot_len;
	pbuf_free(p);
	socket_wake_receivers(&t->inet.s);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
	struct tcp_socket *t = arg;

	if (!t)
		return ERR_OK;
	room_update(t);
	if (load_relaxed(&t->room) >= LOW_ROOM)
		socket_wake_senders(&t->inet.s);
	return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_socket *t = arg;

	if (!t)
		return ERR_OK;
	room_update(t);
	tcp_lock();
	tcp_grow_buffers(t);
	store_release(&t->state, TCP_ESTABLISHED_STATE);
	tcp_unlock();
	socket_wake_all(&t->inet.s);
	return ERR_OK;
}

/* t and pcb belong together from now on. */
static void pcb_adopt(struct tcp_socket *t, struct tcp_pcb *pcb)
{
	socket_get(&t->inet.s);
	t->pcb = pcb;
	store_release(&t->remote, true);
	tcp_arg(pcb, t);
	tcp_err(pcb, on_error);
	tcp_recv(pcb, on_receive);
	tcp_sent(pcb, on_sent);
}

/* --- options --- */

static void options_apply(struct tcp_socket *t, struct tcp_pcb *pcb)
{
	const struct tcp_options *o = &t->options;
	s32 ttl = load_relaxed(&t->inet.ttl);

	if (load_relaxed(&o->nodelay))
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	if (socket_option(&t->inet.s, OPTION_KEEPALIVE))
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = (u32)load_relaxed(&o->keep_idle) * 1000;
	pcb->keep_intvl = (u32)load_relaxed(&o->keep_interval) * 1000;
	pcb->keep_cnt = (u32)load_relaxed(&o->keep_count);
	pcb->tos = (u8)load_relaxed(&t->inet.tos);
	if (ttl > 0)
		pcb->ttl = (u8)ttl;
}

void tcp_options_remote(struct tcp_socket *t)
{
	if (!load_relaxed(&t->remote))
		return;
	stack_lock();
	if (t->pcb) {
		options_apply(t, t->pcb);
		if (load_relaxed(&t->options.nodelay) || !load_relaxed(&t->options.cork))
			tcp_output(t->pcb);
	}
	stack_unlock();
}

void tcp_info_remote(struct tcp_socket *t, struct tcp_info *info)
{
	stack_lock();
	if (t->pcb) {
		info->tcpi_snd_mss = t->pcb->mss;
		info->tcpi_snd_cwnd = t->pcb->cwnd / max(t->pcb->mss, (u16)1);
		info->tcpi_unacked = t->pcb->snd_queuelen;
		info->tcpi_rcv_space = t->pcb->rcv_wnd;
	}
	stack_unlock();
}

u64 tcp_unsent_remote(struct tcp_socket *t)
{
	u64 n = 0;

	stack_lock();
	if (t->pcb)
		n = TCP_SND_BUF - t->pcb->snd_buf;
	stack_unlock();
	return n;
}

/* --- connecting --- */

/* M held. */
static int connect_locked(struct tcp_socket *t, const struct inet_end *to)
{
	struct port_entry *p = &t->inet.port;
	struct tcp_pcb *pcb;
	ip_addr_t from, address;
	err_t err;

	pcb = tcp_new_ip_type(inet_is4(&to->address) ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
	if (!pcb)
		return -ENOMEM;
	ip_set_option(pcb, SOF_REUSEADDR); /* whose a port is, is decided here */
	inet_to_lwip(&p->local.address, &from);
	inet_to_lwip(&to->address, &address);
	inet_set_zone(&address, stack_network());
	err = tcp_bind(pcb, &from, p->local.port);
	if (!err) {
		options_apply(t, pcb);
		pcb_adopt(t, pcb);
		err = tcp_connect(pcb, &address, to->port, on_connected);
	}
	if (!err)
		return 0;
	tcp_arg(pcb, NULL);
	tcp_close(pcb);
	pcb_forget(t);
	store_relaxed(&t->remote, false);
	return err == ERR_MEM ? -ENOMEM : err == ERR_RTE ? -ENETUNREACH : -EADDRNOTAVAIL;
}

int tcp_connect_remote(struct tcp_socket *t, const struct inet_end *to)
{
	struct port_entry *p = &t->inet.port;
	struct inet_address from;
	int err;

	if (!stack_start() || inet_is_loopback(&p->local.address))
		return inet_is_loopback(&p->local.address) ? -EINVAL : -ENETUNREACH;
	from = inet_source_for(&to->address);
	tcp_lock();
	if (inet_is_any(&p->local.address))
		p->local.address = from;
	p->remote = *to;
	err = port_taken(p) ? 0 : port_bind_connect(&tcp_ports, p);
	if (!err)
		store_release(&t->state, TCP_SYN_SENT_STATE);
	tcp_unlock();
	if (!err) {
		stack_lock();
		err = connect_locked(t, to);
		stack_unlock();
	}
	if (!err)
		return -EINPROGRESS;
	tcp_attempt_undo(t);
	return err;
}

/* --- listening --- */

/* Who of ours takes this connection: counted, or NULL. */
static struct tcp_socket *listener_for(const struct inet_end *local, const struct inet_end *remote)
{
	struct port_entry *e;
	struct tcp_socket *l = NULL;

	tcp_lock();
	e = port_find_listener(&tcp_ports, local, remote);
	if (e) {
		l = container_of(e, struct tcp_socket, inet.port);
		socket_get(&l->inet.s);
	}
	tcp_unlock();
	return l;
}

/* Into l's queue, or to those that wait for room in it. False: l does not listen any more. */
static bool child_enqueue(struct tcp_socket *l, struct tcp_socket *child, struct tcp_pcb *pcb)
{
	bool listens, held;

	tcp_lock();
	child->state = TCP_ESTABLISHED_STATE;
	tcp_grow_buffers(child);
	listens = l->state == TCP_LISTEN_STATE;
	held = listens && !tcp_enqueue(l, child);
	if (held)
		list_push_back(&l->held, &child->link);
	if (listens)
		port_inherit(&tcp_ports, &child->inet.port);
	tcp_unlock();
	if (held)
		tcp_backlog_delayed(pcb); /* lwIP bounds how many there are */
	return listens;
}

void tcp_admitted_remote(struct tcp_socket *t)
{
	stack_lock();
	if (t->pcb)
		tcp_backlog_accepted(t->pcb);
	stack_unlock();
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct inet_end local = { 0 }, remote = { 0 };
	struct tcp_socket *l, *child;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	inet_from_lwip(&pcb->local_ip, &local.address);
	inet_from_lwip(&pcb->remote_ip, &remote.address);
	local.port = pcb->local_port;
	remote.port = pcb->remote_port;
	l = listener_for(&local, &remote);
	child = l ? tcp_child(l, &local, &remote) : NULL;
	if (!child || !child_enqueue(l, child, pcb)) {
		if (child)
			socket_put(&child->inet.s);
		if (l)
			socket_put(&l->inet.s);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	options_apply(child, pcb);
	pcb_adopt(child, pcb);
	room_update(child);
	socket_wake_receivers(&l->inet.s);
	socket_put(&l->inet.s);
	return ERR_OK;
}

static struct remote_listener *listener_find(u16 port)
{
	struct remote_listener *r;

	list_for_each (r, &remote_listeners, link)
		if (r->port == port)
			return r;
	return NULL;
}

/* M held. Without memory it is heard from this machine alone. */
static struct remote_listener *listener_new(u16 port)
{
	struct remote_listener *r = kzalloc(sizeof(*r));
	struct tcp_pcb *pcb = r ? tcp_new_ip_type(IPADDR_TYPE_ANY) : NULL, *listening = NULL;

	if (pcb) {
		ip_set_option(pcb, SOF_REUSEADDR);
		if (tcp_bind(pcb, IP_ANY_TYPE, port) == ERR_OK)
			listening = tcp_listen_with_backlog(pcb, TCP_DEFAULT_LISTEN_BACKLOG);
		if (!listening)
			tcp_close(pcb);
	}
	if (!listening) {
		kfree(r);
		return NULL;
	}
	tcp_accept(listening, on_accept);
	r->pcb = listening;
	r->port = port;
	list_push_back(&remote_listeners, &r->link);
	return r;
}

void tcp_listen_remote(struct tcp_socket *t)
{
	u16 port = t->inet.port.local.port;
	struct remote_listener *r;

	if (!stack_start())
		return;
	stack_lock();
	if (!t->remote_listener) {
		r = listener_find(port);
		if (!r)
			r = listener_new(port);
		if (r)
			r->users++;
		t->remote_listener = r;
	}
	stack_unlock();
}

void tcp_unlisten_remote(struct tcp_socket *t)
{
	struct remote_listener *r;

	if (!stack_online())
		return;
	stack_lock();
	r = t->remote_listener;
	t->remote_listener = NULL;
	if (r && --r->users == 0) {
		list_remove(&r->link);
		tcp_close(r->pcb);
		kfree(r);
	}
	stack_unlock();
}

/* --- data --- */

static bool room_or_end(void *arg)
{
	struct tcp_socket *t = arg;

	return load_acquire(&t->room) || load_relaxed(&t->inet.s.error) ||
	       load_acquire(&t->inet.s.shutdown) & SHUTDOWN_SEND;
}

/* Give lwIP what it takes of n bytes: how many, or -EPIPE. M held. */
static ssize write_locked(struct tcp_socket *t, const u8 *bytes, size_t n, bool more)
{
	struct tcp_pcb *pcb = t->pcb;
	size_t done = 0;

	if (!pcb || load_relaxed(&t->inet.s.shutdown) & SHUTDOWN_SEND)
		return -EPIPE;
	while (done < n) {
		size_t part = min(n - done, (size_t)pcb->snd_buf);
		bool last = part == n - done;

		part = min(part, (size_t)pcb->mss * 4);
		if (!part || tcp_write(pcb, bytes + done, (u16)part,
				       TCP_WRITE_FLAG_COPY |
					       (more || !last ? TCP_WRITE_FLAG_MORE : 0)) != ERR_OK)
			break;
		done += part;
	}
	if (!load_relaxed(&t->options.cork))
		tcp_output(pcb);
	room_update(t);
	if (done < n)
		store_release(&t->room, 0); /* until something was acknowledged */
	return (ssize)done;
}

/* One bufferful: bytes, 0: no room, or errno. */
static ssize send_chunk(struct tcp_socket *t, struct iter *it, u8 *chunk, bool more)
{
	size_t n = min(it->left, (u64)CHUNK_MAX);
	ssize done;

	if (iter_copy_from(it, chunk, n) < n)
		return -EFAULT;
	stack_lock();
	done = write_locked(t, chunk, n, more || it->left);
	stack_unlock();
	iter_revert(it, done < 0 ? n : n - (size_t)done);
	return done;
}

ssize tcp_send_remote(struct tcp_socket *t, struct iter *it, u64 deadline, u32 flags)
{
	u8 *chunk = kmalloc(min(it->left, (u64)CHUNK_MAX));
	ssize done = 0, r = 0;

	if (!chunk)
		return -ENOMEM;
	while (it->left) {
		r = send_chunk(t, it, chunk, flags & MSG_MORE);
		if (r < 0)
			break;
		done += r;
		if (!it->left)
			break;
		r = socket_wait(&t->inet.s.send_wait, room_or_end, t, deadline);
		if (r)
			break;
	}
	kfree(chunk);
	return done ? done : r;
}

void tcp_received_remote(struct tcp_socket *t)
{
	u64 n, left = stream_bytes(&t->in);

	if (load_relaxed(&t->delivered) - load_relaxed(&t->acknowledged) - left < UPDATE_AT && left)
		return;
	stack_lock();
	n = t->delivered - t->acknowledged - stream_bytes(&t->in);
	if (n && t->pcb) {
		t->acknowledged += n;
		while (n) {
			u16 part = (u16)min(n, (u64)UINT16_MAX);

			tcp_recved(t->pcb, part);
			n -= part;
		}
	}
	stack_unlock();
}

/* --- the end --- */

void tcp_finish_remote(struct tcp_socket *t)
{
	stack_lock();
	tcp_lock();
	if (t->state == TCP_ESTABLISHED_STATE)
		store_release(&t->state, TCP_FIN_WAIT2_STATE);
	else if (t->state == TCP_CLOSE_WAIT_STATE)
		tcp_ended(t, 0);
	tcp_unlock();
	if (t->pcb)
		tcp_shutdown(t->pcb, 0, 1);
	room_update(t);
	stack_unlock();
}

void tcp_close_remote(struct tcp_socket *t, bool abort)
{
	struct tcp_pcb *pcb;

	stack_lock();
	pcb = t->pcb;
	if (pcb) {
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
		if (abort)
			tcp_abort(pcb);
		else
			tcp_close(pcb);
		pcb_forget(t);
	}
	tcp_lock();
	if (t->state != TCP_CLOSE_STATE)
		tcp_ended(t, 0);
	tcp_unlock();
	store_relaxed(&t->remote, false);
	t->delivered = t->acknowledged = 0;
	stack_unlock();
}
