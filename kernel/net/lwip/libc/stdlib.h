/* stdlib.h - for lwIP, which asks for the C library's: what it uses of that. */
#ifndef NET_LWIP_LIBC_STDLIB_H
#define NET_LWIP_LIBC_STDLIB_H

int atoi(const char *s);

#endif
