/* SPDX-License-Identifier: MIT */
/*
 * nng over ipc: push0 to pull0, as in nng's own tests/perf: nng_msg_alloc, filled
 * in place, nng_sendmsg; nng_recvmsg, nng_msg_free. nng_ipc(7): "abstract" is the
 * same transport in the abstract namespace. Each receiver listens, each sender
 * dials all of them.
 */
#ifdef BENCH_HAVE_NNG

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "peer_loops.h"

struct side {
	nng_socket socket;
	nng_msg *message;
	int flags;
};

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%s", nng_version());
}

static int
error_of(int error)
{
	switch (error) {
	case 0:
		return 0;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	case NNG_ENOTSUP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static int
attach(const struct channel *channel, struct side *side, enum role role,
       int number)
{
	char name[80];
	int error = 0;

	if (role == ROLE_RECEIVER) {
		snprintf(name, sizeof(name), "abstract://%s-%d", channel->name,
			 number);
		return nng_listen(side->socket, name, NULL, 0);
	}
	for (int i = 0; !error && i < channel->receivers; i++) {
		snprintf(name, sizeof(name), "abstract://%s-%d", channel->name,
			 i);
		error = nng_dial(side->socket, name, NULL, 0);
	}
	return error;
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	struct side *side = calloc(1, sizeof(*side));
	int error;

	(void)made;
	if (!side)
		return -ENOMEM;
	*ret = side;
	side->flags = channel->spinning ? NNG_FLAG_NONBLOCK : 0;
	error = role == ROLE_SENDER ? nng_push0_open(&side->socket) :
				      nng_pull0_open(&side->socket);
	/* No bound of its own; and room, where the protocol has any. */
	if (!error)
		error = nng_socket_set_size(side->socket, NNG_OPT_RECVMAXSZ, 0);
	if (!error && role == ROLE_SENDER)
		nng_socket_set_int(side->socket, NNG_OPT_SENDBUF,
				   (int)channel->depth);
	if (!error)
		error = attach(channel, side, role, number);
	return error_of(error);
}

static void
close_end(void *pointer)
{
	struct side *side = pointer;

	nng_close(side->socket);
	free(side);
}

ALWAYS_INLINE int
loan(struct side *side, size_t size, void **ret)
{
	int error = nng_msg_alloc(&side->message, size);

	if (error)
		return error_of(error);
	*ret = nng_msg_body(side->message);
	return 0;
}

ALWAYS_INLINE int
publish(struct side *side, void *message, size_t size)
{
	int error;

	(void)message;
	(void)size;
	do
		error = nng_sendmsg(side->socket, side->message, side->flags);
	while (error == NNG_EAGAIN || error == NNG_EINTR);
	return error_of(error);
}

ALWAYS_INLINE int
take(struct side *side, size_t size, const void **ret)
{
	int error;

	do
		error = nng_recvmsg(side->socket, &side->message, side->flags);
	while (error == NNG_EAGAIN || error == NNG_EINTR);
	if (error)
		return error_of(error);
	*ret = nng_msg_body(side->message);
	return nng_msg_len(side->message) == size ? 0 : -EBADMSG;
}

ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	(void)message;
	nng_msg_free(side->message);
	return 0;
}

PEER_IN_PLACE(run, struct side, loan, publish, take, give_back)

const struct peer nng_peer = {
	.name = "nng ipc",
	.manual = "nng_push(7), nng_sendmsg(3), nng_ipc(7)",
	.note = "its own threads carry what is sent",
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

const struct peer nng_peer =
	PEER_ABSENT("nng ipc", KIND_PEER,
		    OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
			    OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
		    "libnng was not found when this was configured");
#endif
