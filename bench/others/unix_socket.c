/* SPDX-License-Identifier: MIT */
/*
 * unix(7). A stream has no bounds of messages: each sender has a connection of
 * its own, and there is one receiver. SOCK_SEQPACKET keeps each message whole, so
 * all can share one pair. socket(7), SO_SNDBUF: room for what is to be in flight.
 */
#include <sys/socket.h>
#include <sys/utsname.h>

#include "streams.h"

/* A message's own cost in the buffer, beside its bytes. */
#define OVERHEAD 1024u

static void
version(char *ret, size_t size)
{
	struct utsname name;

	uname(&name);
	snprintf(ret, size, "Linux %s", name.release);
}

static const char *
refuses_stream(const struct channel *channel)
{
	return channel->receivers > 1 ?
		       "a stream has no messages: several readers would get "
		       "pieces" :
		       NULL;
}

/* Beyond the system's limit, where one may. */
static void
enlarge(int fd, const struct channel *channel)
{
	int size = (int)(channel->depth * (channel->size + OVERHEAD));

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int
make(const struct channel *channel, int type, int wanted, void **ret)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	type |= SOCK_CLOEXEC | (channel->spinning ? SOCK_NONBLOCK : 0);
	if (!streams)
		return -ENOMEM;
	for (; streams->count < wanted; streams->count++) {
		int fds[2];

		if (socketpair(AF_UNIX, type, 0, fds)) {
			int error = -errno;

			streams_unmake(streams);
			return error;
		}
		streams->read_fd[streams->count] = fds[0];
		streams->write_fd[streams->count] = fds[1];
		enlarge(fds[1], channel);
	}
	*ret = streams;
	return 0;
}

static int
make_stream(const struct channel *channel, void **ret)
{
	return make(channel, SOCK_STREAM, channel->senders, ret);
}

static int
make_seqpacket(const struct channel *channel, void **ret)
{
	return make(channel, SOCK_SEQPACKET, 1, ret);
}

PEER_COPYING(run, struct stream_side, streams_send, streams_receive)

#define UNIX_SOCKET(its_name, its_note, its_offers, its_refuses, its_make) \
	{ \
		.name = its_name, .manual = "unix(7), socket(7) SO_SNDBUF", \
		.note = its_note, .kind = KIND_PEER, \
		.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES | \
			  OFFERS_MANY_SENDERS | (its_offers), \
		.version = version, .refuses = its_refuses, .make = its_make, \
		.unmake = streams_unmake, .open = streams_open, .run = run, \
		.close = streams_close, \
	}

const struct peer unix_stream_peer =
	UNIX_SOCKET("Unix socket, stream", "senders have a connection each", 0,
		    refuses_stream, make_stream);
const struct peer unix_seqpacket_peer = UNIX_SOCKET("Unix socket, seqpacket",
						    NULL, OFFERS_MANY_RECEIVERS,
						    NULL, make_seqpacket);
