/*
 * cc.h - what lwIP asks of its compiler and its host (its doc/sys_arch.txt). It reads this file by
 * this name; net/lwip/port.c has the functions.
 */
#ifndef NET_LWIP_ARCH_CC_H
#define NET_LWIP_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_ORDER LITTLE_ENDIAN

/* Of the headers of a C library only what is in net/lwip/libc. */
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_LIMITS_H 1
#define LWIP_NO_UNISTD_H 1
#define INT_MAX __INT_MAX__
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

/* Random numbers, the kernel's; the first number of a connection's bytes must not be guessed. */
uint32_t lwip_random(void);
#define LWIP_RAND() lwip_random()
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) lwip_random()

/* The router that leads out, for lwIP to ask instead of waiting for an advertisement. */
struct netif;
struct ip6_addr;
const struct ip6_addr *lwip_gateway6(struct netif *netif);
#define LWIP_HOOK_ND6_GET_GW(netif, dest) lwip_gateway6(netif)

/* reopen.c: a packet of that version has come; 0: go on with it. */
struct pbuf;
int lwip_ip4_arrives(struct pbuf *p);
int lwip_ip6_arrives(struct pbuf *p, struct netif *in);
#define LWIP_HOOK_IP4_INPUT(p, netif) lwip_ip4_arrives(p)
#define LWIP_HOOK_IP6_INPUT(p, netif) lwip_ip6_arrives(p, netif)

void lwip_assert_failed(const char *what, const char *file, int line) __attribute__((noreturn));
#define LWIP_PLATFORM_ASSERT(text) lwip_assert_failed(text, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(arguments) ((void)0)

/* Memory: kmalloc's. */
void *lwip_malloc(size_t size);
void *lwip_calloc(size_t count, size_t size);
void lwip_free(void *p);

#endif
