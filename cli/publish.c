/*
 * publish.c - ports of the guest that are reachable on the host.
 *
 * QEMU listens on them and says little when it cannot; so they are tried here first.
 */
#include "publish.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

/* A port number at *text; moves *text behind it. */
static bool parse_port(const char **text, uint16_t *port)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	number = strtoul(*text, &end, 10);
	if (number < 1 || number > UINT16_MAX)
		return false;
	*port = number;
	*text = end;
	return true;
}

/* The address that the first `length` bytes of text are. */
static bool parse_address(const char *text, size_t length, char address[INET_ADDRSTRLEN])
{
	struct in_addr in;

	if (length == 0 || length >= INET_ADDRSTRLEN)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return inet_pton(AF_INET, address, &in) == 1;
}

bool publish_parse(const char *text, struct publish *publish)
{
	const char *ports = strchr(text, ':');

	*publish = (struct publish){ .text = text, .address = PUBLISH_ADDRESS_DEFAULT };
	if (ports && strchr(ports + 1, ':')) {
		if (!parse_address(text, ports - text, publish->address))
			return false;
		text = ports + 1;
	}
	if (!parse_port(&text, &publish->host) || *text++ != ':' ||
	    !parse_port(&text, &publish->guest))
		return false;
	publish->udp = strcmp(text, "/udp") == 0;
	return publish->udp || strcmp(text, "/tcp") == 0 || *text == '\0';
}

void publish_add(struct publish_list *list, const struct publish *publish)
{
	struct publish *items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		fail("out of memory");
	items[list->count++] = *publish;
	list->items = items;
}

/* As QEMU takes ports: a server that has just ended does not keep its port. */
static int try_port(const struct publish *publish)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(publish->host) };
	int fd = socket(AF_INET, publish->udp ? SOCK_DGRAM : SOCK_STREAM, 0), on = 1, err = 0;

	if (fd < 0)
		return errno;
	inet_pton(AF_INET, publish->address, &address.sin_addr);
	if (!publish->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    (!publish->udp && listen(fd, 1) != 0))
		err = errno;
	close(fd);
	return err;
}

void publish_check(const struct publish_list *list)
{
	for (unsigned int i = 0; i < list->count; i++) {
		int err = try_port(&list->items[i]);

		if (err == EADDRINUSE)
			fail("--publish %s: port %u of this machine is taken", list->items[i].text,
			     list->items[i].host);
		if (err)
			fail("--publish %s: %s", list->items[i].text, strerror(err));
	}
}
