/*
 * launch.c - the launch record (kernel/dev/host_protocol.h) from what the command knows.
 *
 * Central rule: this file only encodes; it asks the host nothing, so that the record depends on
 * its argument alone. run.c gathers.
 */
#include "launch.h"

#include <stdio.h>
#include <string.h>

void launch_tag(char tag[LAUNCH_TAG_SIZE], unsigned int index)
{
	snprintf(tag, LAUNCH_TAG_SIZE, "rw%u", index);
}

static void put_padding(struct bytes *out)
{
	static const uint8_t zeros[8];

	bytes_append(out, zeros, -bytes_length(out) % sizeof(zeros));
}

static void put_item(struct bytes *out, uint32_t kind, const void *data, size_t length)
{
	struct host_launch_item item = { kind, length };

	bytes_append(out, &item, sizeof(item));
	bytes_append(out, data, length);
	put_padding(out);
}

static void put_string(struct bytes *out, uint32_t kind, const char *string)
{
	put_item(out, kind, string, strlen(string));
}

static void put_u32(struct bytes *out, uint32_t kind, uint32_t value)
{
	put_item(out, kind, &value, sizeof(value));
}

static void put_program(const struct launch *launch, struct bytes *out)
{
	struct host_launch_ids ids = { launch->uid, launch->gid };

	for (char *const *argument = launch->arguments; *argument; argument++)
		put_string(out, HOST_LAUNCH_ARG, *argument);
	for (char *const *variable = launch->environment; *variable; variable++)
		put_string(out, HOST_LAUNCH_ENV, *variable);
	put_string(out, HOST_LAUNCH_CWD, launch->directory);
	put_item(out, HOST_LAUNCH_IDS, &ids, sizeof(ids));
	for (unsigned int i = 0; i < launch->group_count; i++)
		put_u32(out, HOST_LAUNCH_GROUP, launch->groups[i]);
	put_u32(out, HOST_LAUNCH_UMASK, launch->umask);
	put_item(out, HOST_LAUNCH_SIGNALS, &launch->signals, sizeof(launch->signals));
	for (unsigned int resource = 0; resource < RLIM_NLIMITS; resource++) {
		struct host_launch_rlimit limit = {
			.resource = resource,
			.soft = launch->limits[resource].rlim_cur,
			.hard = launch->limits[resource].rlim_max,
		};

		put_item(out, HOST_LAUNCH_RLIMIT, &limit, sizeof(limit));
	}
}

static void put_streams(const struct launch *launch, struct bytes *out)
{
	for (unsigned int fd = 0; fd < 3; fd++) {
		const struct descriptor *d = &launch->descriptors[fd];
		struct host_launch_stdio stdio = { fd, d->kind, d->mode, d->same_as };

		put_item(out, HOST_LAUNCH_STDIO, &stdio, sizeof(stdio));
	}
	if (launch->has_window_size)
		put_item(out, HOST_LAUNCH_WINSIZE, &launch->window_size,
			 sizeof(launch->window_size));
}

static void put_mounts(const struct launch *launch, struct bytes *out)
{
	for (unsigned int i = 0; i < launch->rw_count; i++) {
		char tag[LAUNCH_TAG_SIZE];
		struct host_launch_item item = { .kind = HOST_LAUNCH_RW };

		/* "TAG\0/path": the NUL of the tag counts, the path has none. */
		launch_tag(tag, i);
		item.length = strlen(tag) + 1 + strlen(launch->rw[i]);
		bytes_append(out, &item, sizeof(item));
		bytes_append(out, tag, strlen(tag) + 1);
		bytes_append(out, launch->rw[i], strlen(launch->rw[i]));
		put_padding(out);
	}
}

bool launch_encode(const struct launch *launch, struct bytes *out)
{
	struct host_launch_header header = { .magic = HOST_LAUNCH_MAGIC,
					     .version = HOST_PROTOCOL_VERSION };

	bytes_append(out, &header, sizeof(header));
	put_program(launch, out);
	put_string(out, HOST_LAUNCH_HOSTNAME, launch->host_name);
	put_streams(launch, out);
	put_mounts(launch, out);
	put_u32(out, HOST_LAUNCH_FLAGS, launch->flags);
	put_item(out, HOST_LAUNCH_TIME, &launch->time_ns, sizeof(launch->time_ns));
	put_item(out, HOST_LAUNCH_SEED, launch->seed, sizeof(launch->seed));
	if (launch->swap)
		put_string(out, HOST_LAUNCH_SWAP, launch->swap);
	if (launch->resolver)
		put_string(out, HOST_LAUNCH_RESOLVER, launch->resolver);
	if (bytes_length(out) > UINT32_MAX)
		return false;
	header.size = bytes_length(out);
	memcpy(out->buffer + out->start, &header, sizeof(header));
	return true;
}
