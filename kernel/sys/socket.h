/* socket.h - what the calls on sockets share. */
#ifndef SYS_SOCKET_H
#define SYS_SOCKET_H

#include "net/socket.h"

/* The open file of a descriptor that is a socket: counted; ERR_PTR(-EBADF, -ENOTSOCK). */
struct file *socket_fd_file(int fd);
/* An address that a program gives: 0, -EINVAL, -EFAULT. */
int address_from_user(struct socket_address *a, const void __user *user, s32 length);
/*
 * An address that a program gets, cut to *user_length, which becomes its whole length: 0, -EINVAL,
 * -EFAULT.
 */
int address_to_user(const struct socket_address *a, void __user *user, s32 __user *user_length);

#endif
