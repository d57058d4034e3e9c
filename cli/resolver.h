/*
 * resolver.h - the guest's /etc/resolv.conf.
 */
#ifndef CLI_RESOLVER_H
#define CLI_RESOLVER_H

/*
 * What the guest's file is to say where the root's own names no server that the guest can reach
 * (one at a loopback address, say): its other lines, and QEMU's server, which asks this host's.
 * The caller frees it. NULL: the root's own file will do.
 */
char *resolver_text(const char *root);

#endif
