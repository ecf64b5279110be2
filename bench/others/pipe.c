/* SPDX-License-Identifier: MIT */
/*
 * pipe(7): what is written in pieces of at most PIPE_BUF bytes is not mixed with
 * what others write. So these share one pipe; of larger messages each sender has
 * a pipe of its own. F_SETPIPE_SZ: a larger pipe lets the writer run ahead.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/utsname.h>

#include "streams.h"

static void
version(char *ret, size_t size)
{
	struct utsname name;

	uname(&name);
	snprintf(ret, size, "Linux %s", name.release);
}

static const char *
refuses(const struct channel *channel)
{
	if (channel->receivers > 1 && channel->size > PIPE_BUF)
		return "larger than PIPE_BUF: several readers would get pieces";
	return NULL;
}

/* As large as it may be, for what it is to hold. */
static void
enlarge(int fd, size_t wanted)
{
	size_t size = 1u << 20;

	if (wanted < size)
		size = wanted;
	while (size > 65536 && fcntl(fd, F_SETPIPE_SZ, (int)size) < 0)
		size /= 2;
}

static int
make(const struct channel *channel, void **ret)
{
	struct streams *streams = calloc(1, sizeof(*streams));
	int flags = O_CLOEXEC | (channel->spinning ? O_NONBLOCK : 0);
	int wanted = channel->size > PIPE_BUF ? channel->senders : 1;

	if (!streams)
		return -ENOMEM;
	for (; streams->count < wanted; streams->count++) {
		int fds[2];

		if (pipe2(fds, flags)) {
			int error = -errno;

			streams_unmake(streams);
			return error;
		}
		streams->read_fd[streams->count] = fds[0];
		streams->write_fd[streams->count] = fds[1];
		enlarge(fds[0], channel->size * channel->depth);
	}
	*ret = streams;
	return 0;
}

PEER_COPYING(run, struct stream_side, streams_send, streams_receive)

const struct peer pipe_peer = {
	.name = "pipe",
	.manual = "pipe(7), fcntl(2) F_SETPIPE_SZ",
	.note = "senders of more than PIPE_BUF bytes have a pipe each",
	.kind = KIND_PEER,
	.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_MANY_SENDERS |
		  OFFERS_MANY_RECEIVERS,
	.version = version,
	.refuses = refuses,
	.make = make,
	.unmake = streams_unmake,
	.open = streams_open,
	.run = run,
	.close = streams_close,
};
