/* string.h - for lwIP, which asks for the C library's. */
#ifndef NET_LWIP_LIBC_STRING_H
#define NET_LWIP_LIBC_STRING_H

#include "lib/string.h"

#endif
