/*
 * inet_priv.h - AF_INET and AF_INET6: what their sockets have in common, addresses and ports.
 *
 * Ports are kept here (port.c), also those that lwIP uses. What goes from one socket of this
 * machine to another stays here as well (tcp.c, udp.c); what goes to other machines goes through
 * lwIP (tcp_remote.c, udp_remote.c). An IPv4 address is kept as the IPv6 one that stands for it
 * (::ffff:a.b.c.d), also in sockets of AF_INET.
 */
#ifndef NET_INET_PRIV_H
#define NET_INET_PRIV_H

#include <linux/in.h>
#include <linux/in6.h>

#include "net/socket.h"

struct inet_address {
	union {
		u8 bytes[16];
		u32 words[4]; /* network order */
	};
};

/* An address and a port: one end. */
struct inet_end {
	struct inet_address address;
	u16 port;  /* host order */
	u32 scope; /* interface of a link-local address; 0: none */
};

/* --- address.c --- */

/* sockaddr_in or sockaddr_in6 sizes */
#define SOCKADDR_IN_SIZE 16u
#define SOCKADDR_IN6_SIZE 28u
#define SOCKADDR_IN6_SIZE_MIN 24u

struct inet_address inet_address4(u32 host_order);
static inline bool inet_is4(const struct inet_address *a)
{
	return a->words[0] == 0 && a->words[1] == 0 && a->words[2] == 0xffff0000u;
}
u32 inet_get4(const struct inet_address *a); /* host order */
bool inet_equal(const struct inet_address *a, const struct inet_address *b);
bool inet_is_any(const struct inet_address *a); /* 0.0.0.0 or :: */
bool inet_is_loopback(const struct inet_address *a);
bool inet_is_multicast(const struct inet_address *a);
bool inet_is_broadcast(const struct inet_address *a);
bool inet_is_link_local6(const struct inet_address *a);
struct inet_address inet_wildcard(u32 family);
/* This machine's own: loopback or of its interface. */
bool inet_is_local(const struct inet_address *a);
/* The address that a packet to `to` comes from, by the routes; local ones from themselves. */
struct inet_address inet_source_for(const struct inet_address *to);
/* Of the interface: the link-local (index 0) or the other IPv6 address; zero while there is none. */
struct inet_address inet_network6(u32 index);
/* An end as the sockaddr of the family (AF_INET or AF_INET6). */
void inet_to_sockaddr(const struct inet_end *e, u32 family, struct socket_address *out);

/* --- sockets --- */

enum inet_flag {
	INET_V6ONLY,
	INET_FREEBIND,
	INET_TRANSPARENT,
	INET_HDRINCL,
	INET_RECVERR,
	INET_RECVERR6,
	INET_PKTINFO,
	INET_RECVPKTINFO6,
	INET_RECVTTL,
	INET_RECVTOS,
	INET_RECVHOPLIMIT6,
	INET_RECVTCLASS6,
	INET_ORIGDSTADDR,
	INET_MULTICAST_OFF,  /* IP_MULTICAST_LOOP is off; it begins on */
	INET_MULTICAST_OFF6, /* IPV6_MULTICAST_LOOP is off */
	INET_MULTICAST_ALL_OFF,
	INET_BIND_NO_PORT,
	INET_NODEFRAG,
	INET_AUTOFLOWLABEL6,
};

/* Ports in use. T: the table's lock. */
struct port_entry {
	struct list link;        /* T: in its bucket; empty: none */
	struct list listen_link; /* T: in its bucket of listeners */
	struct inet_end local;   /* T: what it is bound to; port 0: nothing */
	struct inet_end remote;  /* T: whom it speaks with; port 0: nobody */
	u32 family;              /* C */
	u32 uid;                 /* C: whose */
	bool chosen;             /* T: by bind(), not by the kernel */
	bool address_chosen;     /* T: the address was named by bind() */
	bool v6only;             /* A */
	/*
	 * The socket's options, which say whether it shares its port. NULL: of one that is gone
	 * these are what they were
	 */
	const u32 *options;
	bool reuse, reuseport; /* C */
	bool listening;        /* T */
	bool time_wait;        /* C: of struct time_wait */
};

struct port_table {
	struct spinlock lock; /* RANK_SOCKET_TABLE */
	struct list *buckets;
	struct list *listeners;
};

/*
 * Letters: C: constant; A: atomic; T: lock of the protocol's port table; M: the lock of lwIP.
 */
struct inet_socket {
	struct socket s;
	struct port_entry port;
	u32 flags;         /* A: bit enum inet_flag */
	s32 ttl;           /* A: IP_TTL; -1: the default */
	s32 hops6;         /* A: IPV6_UNICAST_HOPS; -1: the default */
	s32 multicast_ttl; /* A */
	s32 multicast_hops6;
	u32 tos, class6; /* A */
	u32 mtu_discover, mtu_discover6;
	u32 multicast_interface; /* A: index; 0: by the route */
	struct list memberships; /* the lock of UDP's port table: struct inet_membership */
};

static inline struct inet_socket *inet_of(struct socket *s)
{
	return container_of(s, struct inet_socket, s);
}
static inline bool inet_flag(const struct inet_socket *i, enum inet_flag f)
{
	return load_relaxed(&i->flags) >> f & 1;
}

/* inet.c */
void inet_socket_init(struct inet_socket *i, const struct socket_ops *ops, u32 family, u32 type,
		      u32 protocol);
void inet_socket_finish(struct inet_socket *i);
/*
 * The end that a program names, for bind (own) or to connect or send to: 0, -EINVAL, -EAFNOSUPPORT,
 * -ENETUNREACH.
 */
int inet_end_parse(const struct inet_socket *i, const struct socket_address *a, bool own,
		   struct inet_end *out);
/* bind(2), but for the port: may it have this address? 0, -EADDRNOTAVAIL, -EACCES */
int inet_bind_check(const struct inet_socket *i, const struct inet_end *e);
int inet_getname(struct socket *s, bool peer, struct socket_address *out);
int inet_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length);
int inet_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length);
long inet_ioctl(struct socket *s, u32 request, u64 arg);
/* Value of an option that is a number: 4 bytes, or 1 where the program gave fewer. */
int option_number(const void *value, u32 length, s32 *out);
int option_give(void *value, u32 *length, s32 number);
int option_give_bytes(void *value, u32 *length, const void *from, u32 n);

/* --- port.c --- */

#define PORT_FIRST_DEFAULT 32768u /* net.ipv4.ip_local_port_range */
#define PORT_LAST_DEFAULT 60999u
extern u32 port_first, port_last, port_unprivileged; /* A */

extern struct port_table tcp_ports, udp_ports;

void port_table_init(struct port_table *t);
void port_entry_init(struct port_entry *e, u32 family, u32 uid, const u32 *options);
static inline bool port_taken(const struct port_entry *e)
{
	return !list_empty(&e->link);
}
void port_entry_forget(struct port_entry *e); /* it is bound to nothing any more: no name */
bool port_reuse(const struct port_entry *e);
bool port_reuseport(const struct port_entry *e);
/*
 * Take e->local.port, or choose one (0). T held for the first; udp: without the rule about
 * listeners. 0, -EADDRINUSE
 */
int port_bind(struct port_table *t, struct port_entry *e, bool udp);
/* Choose a port for a connection from e->local.address to e->remote: 0 or -EADDRNOTAVAIL. T held. */
int port_bind_connect(struct port_table *t, struct port_entry *e);
/* May e, bound already, listen? T held. 0 or -EADDRINUSE */
int port_listen(struct port_table *t, struct port_entry *e);
/* A connection of a listener has its port. T held. */
void port_inherit(struct port_table *t, struct port_entry *e);
/* e keeps its name, but the port is free. T held; nothing if it has none. */
void port_release(struct port_table *t, struct port_entry *e);
/* Another connection between the same two ends, or NULL. T held. */
struct port_entry *port_find_twin(struct port_table *t, const struct port_entry *e);
/* Who listens at this end for packets from there: borrowed, or NULL. T held. */
struct port_entry *port_find_listener(struct port_table *t, const struct inet_end *to,
				      const struct inet_end *from);
struct list *port_bucket(struct port_table *t, u16 port); /* of port_entry.link; T guards it */
/* Calls fn for each, T held. */
void port_for_each(struct port_table *t, void (*fn)(struct port_entry *e, void *arg), void *arg);
/* Does e, bound, take packets that come to this address? */
bool port_accepts(const struct port_entry *e, const struct inet_address *to);
/* Which of n equal sockets takes what comes from there (SO_REUSEPORT). */
u32 port_spread(const struct inet_end *from, const struct inet_end *to, u32 n);

/* --- time_wait.c --- */
/* T held. A connection of e's has ended in good order: its port is kept for a while. */
void time_wait_enter(const struct port_entry *e);
bool time_wait_replaceable(const struct port_entry *e);
void time_wait_drop(struct port_entry *e);
u64 time_wait_left(const struct port_entry *e); /* ns */
u32 time_wait_count(void);

/* --- the families' parts --- */
struct socket *tcp_create(u32 family);
struct socket *udp_create(u32 family);
struct socket *raw_create(u32 family, u32 type, u32 protocol);
void tcp_sockets_init(void);
void udp_sockets_init(void);

#endif
