/* SPDX-License-Identifier: MIT */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H
/*
 * Channels of descriptors that are read and written: pipes and sockets. The
 * coordinator makes them, and the members inherit them.
 *
 * Where what two senders write at the same time could be mixed, each sender has a
 * descriptor of its own, and the receiver waits for all of them by poll(2); it
 * begins with another one each time.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer_loops.h"

struct streams {
	int count; /* 1: all senders and receivers share it */
	int write_fd[PEER_MEMBERS_MAX], read_fd[PEER_MEMBERS_MAX];
	bool spinning;
};

struct stream_side {
	int count, turn;
	bool spinning;
	struct pollfd ends[PEER_MEMBERS_MAX];
};

static inline void
streams_unmake(void *made)
{
	struct streams *streams = made;

	for (int i = 0; i < streams->count; i++) {
		close(streams->write_fd[i]);
		close(streams->read_fd[i]);
	}
	free(streams);
}

static inline int
streams_open(const struct channel *channel, void *made, enum role role,
	     int number, void **ret)
{
	const struct streams *streams = made;
	struct stream_side *side = calloc(1, sizeof(*side));

	if (!side)
		return -ENOMEM;
	side->spinning = channel->spinning;
	side->count = role == ROLE_SENDER ? 1 : streams->count;
	for (int i = 0; i < side->count; i++) {
		side->ends[i].events = POLLIN;
		side->ends[i].fd = role == ROLE_RECEIVER ?
					   streams->read_fd[i] :
				   streams->count == 1 ?
					   streams->write_fd[0] :
					   streams->write_fd[number];
	}
	*ret = side;
	return 0;
}

static inline void
streams_close(void *side)
{
	free(side);
}

/* From which end a message is to be read; it has come, or begun to. */
static inline int
streams_await(struct stream_side *side)
{
	int ready;

	do {
		ready = poll(side->ends, (nfds_t)side->count,
			     side->spinning ? 0 : -1);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	if (ready < 0)
		return -errno;
	do
		side->turn = (side->turn + 1) % side->count;
	while (!side->ends[side->turn].revents);
	return side->turn;
}

ALWAYS_INLINE int
streams_send(struct stream_side *side, const void *message, size_t size)
{
	const char *at = message;

	while (size) {
		ssize_t written = write(side->ends[0].fd, at, size);

		if (written >= 0) {
			at += written;
			size -= (size_t)written;
		} else if (errno == EAGAIN) {
			spin_pause();
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

ALWAYS_INLINE int
streams_receive(struct stream_side *side, void *buffer, size_t size)
{
	int end = side->count == 1 ? 0 : streams_await(side);
	char *at = buffer;

	if (end < 0)
		return end;
	while (size) {
		ssize_t got = read(side->ends[end].fd, at, size);

		if (got > 0) {
			at += got;
			size -= (size_t)got;
		} else if (got == 0) {
			return -EPIPE;
		} else if (errno == EAGAIN) {
			spin_pause();
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

#endif
