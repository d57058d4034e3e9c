/* init.c - which families of sockets there are. */
#include "net/families.h"

void net_init(void)
{
	socket_register_family(&unix_family);
#ifdef COPPICE_INET
	inet_init();
#endif
}
