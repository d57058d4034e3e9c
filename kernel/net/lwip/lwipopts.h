/*
 * lwipopts.h - how lwIP is built into the kernel (its options are in its own lwip/opt.h). It reads
 * this file by this name.
 *
 * The rules: only the raw interface, whose callers hold the lock of net/lwip/stack.h; its memory is
 * the kernel's, object by object, so that nothing is kept that nobody uses; sockets, ports and
 * everything between two programs of this machine are net/inet's.
 */
#ifndef NET_LWIP_LWIPOPTS_H
#define NET_LWIP_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_STATS 0
/* net/lwip/stack.c has the timers: a machine that idles has none. */
#define LWIP_TIMERS 0

#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_SIZE (8 << 20) /* not a limit with malloc; larger than any single request */
#define mem_clib_malloc lwip_malloc
#define mem_clib_calloc lwip_calloc
#define mem_clib_free lwip_free

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define ETHARP_TABLE_MATCH_NETIF 1
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 64
#define IP_DEFAULT_TTL 64
#define IP_REASSEMBLY 1
#define IP_FRAG 1
#define IP_REASS_MAX_PBUFS 180 /* two datagrams of the largest size */
#define MEMP_NUM_REASSDATA 16
#define LWIP_ICMP 1
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_ICMP6_HL 64
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0 /* who gives the address out is alone on the link */
#define IPV6_FRAG_COPYHEADER 1          /* pointers are too large to overlay headers with */
#define LWIP_MULTICAST_TX_OPTIONS 1

/* The machine's own addresses are answered by it: for raw sockets (TCP and UDP do not come here). */
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 256
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0

#define LWIP_TCP 1
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT 32768
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSL 30000 /* ms; twice that is Linux's TIME_WAIT */
#define SO_REUSE 1    /* net/inet keeps the ports */
#define SO_REUSE_RXTOALL 0
#define LWIP_TCP_PCB_NUM_EXT_ARGS 0
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN

#define LWIP_CHKSUM_ALGORITHM 3
#define LWIP_CHECKSUM_ON_COPY 0

#endif
