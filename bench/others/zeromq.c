/* SPDX-License-Identifier: MIT */
/*
 * ZeroMQ over ipc: PUSH to PULL, as in libzmq's own perf/local_thr.cpp and
 * remote_thr.cpp: a message is allocated by the library, filled in place, and
 * closed when it has been read. zmq_ipc(7): "@" is the abstract namespace. Each
 * receiver binds, each sender connects to all of them, and deals in turn.
 */
#ifdef BENCH_HAVE_ZEROMQ

#include <errno.h>
#include <stdlib.h>

#include <zmq.h>

#include "peer_loops.h"

struct side {
	void *context, *socket;
	zmq_msg_t message;
	int flags;
};

static void
version(char *ret, size_t size)
{
	int major, minor, patch;

	zmq_version(&major, &minor, &patch);
	snprintf(ret, size, "%d.%d.%d", major, minor, patch);
}

static int
set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int
attach(const struct channel *channel, struct side *side, enum role role,
       int number)
{
	char name[80];

	if (role == ROLE_RECEIVER) {
		snprintf(name, sizeof(name), "ipc://@%s-%d", channel->name,
			 number);
		return zmq_bind(side->socket, name);
	}
	for (int i = 0; i < channel->receivers; i++) {
		snprintf(name, sizeof(name), "ipc://@%s-%d", channel->name, i);
		if (zmq_connect(side->socket, name))
			return -1;
	}
	return 0;
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	int type = role == ROLE_SENDER ? ZMQ_PUSH : ZMQ_PULL;
	/* Of small ones as many as it holds by default. */
	int held = channel->size <= 4096 ? 1000 : (int)channel->depth;
	struct side *side = calloc(1, sizeof(*side));

	(void)made;
	if (!side)
		return -ENOMEM;
	*ret = side;
	side->flags = channel->spinning ? ZMQ_DONTWAIT : 0;
	side->context = zmq_ctx_new();
	if (side->context)
		side->socket = zmq_socket(side->context, type);
	if (!side->socket || set(side->socket, ZMQ_LINGER, 0) ||
	    set(side->socket, ZMQ_SNDHWM, held) ||
	    set(side->socket, ZMQ_RCVHWM, held) ||
	    attach(channel, side, role, number) || zmq_msg_init(&side->message))
		return -errno;
	return 0;
}

static void
close_end(void *pointer)
{
	struct side *side = pointer;

	zmq_close(side->socket);
	zmq_ctx_term(side->context);
	free(side);
}

ALWAYS_INLINE int
loan(struct side *side, size_t size, void **ret)
{
	if (zmq_msg_init_size(&side->message, size))
		return -errno;
	*ret = zmq_msg_data(&side->message);
	return 0;
}

ALWAYS_INLINE int
publish(struct side *side, void *message, size_t size)
{
	(void)message;
	(void)size;
	while (zmq_msg_send(&side->message, side->socket, side->flags) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

ALWAYS_INLINE int
take(struct side *side, size_t size, const void **ret)
{
	while (zmq_msg_recv(&side->message, side->socket, side->flags) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	*ret = zmq_msg_data(&side->message);
	return zmq_msg_size(&side->message) == size ? 0 : -EBADMSG;
}

ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	(void)message;
	return zmq_msg_close(&side->message) ? -errno :
	       zmq_msg_init(&side->message)  ? -errno :
					       0;
}

PEER_IN_PLACE(run, struct side, loan, publish, take, give_back)

const struct peer zeromq_peer = {
	.name = "ZeroMQ ipc",
	.manual = "libzmq perf/remote_thr.cpp, zmq_ipc(7)",
	.note = "its own thread carries what is sent; small messages: holds "
		"1,000 at each side, its default",
	.kind = KIND_PEER,
	.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
		  OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
	.helpers = true,
	.version = version,
	.open = open_end,
	.run = run,
	.close = close_end,
};
#else
#include "peer.h"

const struct peer zeromq_peer =
	PEER_ABSENT("ZeroMQ ipc", KIND_PEER,
		    OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
			    OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
		    "libzmq was not found when this was configured");
#endif
