/*
 * resolver.c - the guest's /etc/resolv.conf: the root's own, unless that is of no use in the guest.
 */
#include "resolver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define SERVER "10.0.2.3" /* QEMU's, in its user network */
#define KEYWORD "nameserver"

/* Whether a line names a server; its address then. */
static bool names_server(const char *line, char address[INET6_ADDRSTRLEN])
{
	size_t length = strlen(KEYWORD);

	if (strncmp(line, KEYWORD, length) != 0 || !isblank((unsigned char)line[length]))
		return false;
	line += length + strspn(line + length, " \t");
	length = strcspn(line, " \t\r\n%");
	if (length >= INET6_ADDRSTRLEN)
		length = INET6_ADDRSTRLEN - 1;
	memcpy(address, line, length);
	address[length] = '\0';
	return true;
}

/* The guest has an IPv4 network of its own, from which it reaches all but this host's loopback. */
static bool is_reachable(const char *address)
{
	struct in_addr in;

	return inet_pton(AF_INET, address, &in) == 1 && ntohl(in.s_addr) >> 24 != IN_LOOPBACKNET &&
	       in.s_addr != INADDR_ANY;
}

char *resolver_text(const char *root)
{
	char path[PATH_MAX], address[INET6_ADDRSTRLEN], *line = NULL, *text = NULL;
	size_t line_size = 0, text_size;
	bool reachable = false;
	FILE *in, *out;

	snprintf(path, sizeof(path), "%s/etc/resolv.conf", root);
	in = fopen(path, "re");
	out = open_memstream(&text, &text_size);
	if (!out)
		fail("out of memory");
	while (in && getline(&line, &line_size, in) > 0) {
		if (names_server(line, address))
			reachable |= is_reachable(address);
		else
			fputs(line, out);
	}
	fputs(KEYWORD " " SERVER "\n", out);
	if (fclose(out) != 0)
		fail("out of memory");
	free(line);
	if (in)
		fclose(in);
	if (!reachable)
		return text;
	free(text);
	return NULL;
}
