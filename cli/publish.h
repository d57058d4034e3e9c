/*
 * publish.h - ports of the guest that are reachable on the host: --publish.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Without an address of the host: the host alone. */
#define PUBLISH_ADDRESS_DEFAULT "127.0.0.1"

struct publish {
	const char *text; /* as it was given */
	char address[INET_ADDRSTRLEN];
	uint16_t host, guest;
	bool udp;
};

struct publish_list {
	struct publish *items;
	unsigned int count;
};

/* "[ADDRESS:]HOST:GUEST[/tcp|/udp]": an IPv4 address and two ports from 1 to 65535. */
bool publish_parse(const char *text, struct publish *publish);
void publish_add(struct publish_list *list, const struct publish *publish);

/*
 * Whether this machine would let us have its ports just now; else it ends the command, with a line
 * that says which and why.
 */
void publish_check(const struct publish_list *list);

#endif
