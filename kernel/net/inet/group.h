/*
 * group.h - multicast groups that sockets have joined (group.c).
 */
#ifndef NET_INET_GROUP_H
#define NET_INET_GROUP_H

#include "net/inet/inet_priv.h"

bool group_interface_exists(u32 index);
/* {IP,IPV6}_{ADD,DROP}_MEMBERSHIP, MCAST_{JOIN,LEAVE}_GROUP. 0 or errno */
int group_option(struct inet_socket *i, s32 level, s32 name, const void *value, u32 length);
/* The socket goes: it leaves all. */
void group_leave_all(struct inet_socket *i);
/* Does i, bound to its port, get what comes to this group? */
bool group_joined(struct inet_socket *i, const struct inet_address *group);

#endif
