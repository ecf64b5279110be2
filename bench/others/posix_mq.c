/* SPDX-License-Identifier: MIT */
/*
 * mq_overview(7): a message queue, as deep as wanted if the limits allow, else as
 * they do. Its name is gone as soon as it is made; the members inherit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "limits.h"
#include "peer_loops.h"

struct side {
	mqd_t queue;
};

static void
version(char *ret, size_t size)
{
	struct utsname name;

	uname(&name);
	snprintf(ret, size, "Linux %s", name.release);
}

/* Bytes that all of a user's queues may take, by RLIMIT_MSGQUEUE; two of them,
   there and back, have to fit. */
static const char *
refuses(const struct channel *channel)
{
	size_t size = (channel->size + 256) * (channel->alternating ? 2 : 1);
	struct rlimit bytes = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_MSGQUEUE, &bytes);
	if (channel->size > limits_read("fs/mqueue/msgsize_max"))
		return "larger than fs.mqueue.msgsize_max";
	return size > bytes.rlim_cur ? "larger than RLIMIT_MSGQUEUE" : NULL;
}

/* As deep as wanted, or as is allowed. */
static mqd_t
open_queue(const char *name, const struct channel *channel)
{
	size_t limit = limits_read("fs/mqueue/msg_max");
	size_t depth = channel->alternating ? 1 : channel->depth;
	int flags = O_CREAT | O_EXCL | O_RDWR |
		    (channel->spinning ? O_NONBLOCK : 0);
	mqd_t queue;

	if (limit && limit < depth)
		depth = limit;
	do {
		struct mq_attr attributes = {
			.mq_maxmsg = (long)depth,
			.mq_msgsize = (long)channel->size,
		};

		queue = mq_open(name, flags, 0600, &attributes);
		depth /= 2;
	} while (queue == (mqd_t)-1 && errno == EMFILE && depth);
	return queue;
}

static int
make(const struct channel *channel, void **ret)
{
	struct side *side = calloc(1, sizeof(*side));
	char name[64];

	if (!side)
		return -ENOMEM;
	snprintf(name, sizeof(name), "/%s", channel->name);
	side->queue = open_queue(name, channel);
	if (side->queue == (mqd_t)-1) {
		int error = -errno;

		free(side);
		return error;
	}
	mq_unlink(name);
	*ret = side;
	return 0;
}

static void
unmake(void *pointer)
{
	struct side *side = pointer;

	mq_close(side->queue);
	free(side);
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	(void)channel;
	(void)role;
	(void)number;
	*ret = made;
	return 0;
}

static void
close_end(void *side)
{
	(void)side;
}

ALWAYS_INLINE int
send_message(struct side *side, const void *message, size_t size)
{
	while (mq_send(side->queue, message, size, 0)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		spin_pause();
	}
	return 0;
}

ALWAYS_INLINE int
receive_message(struct side *side, void *buffer, size_t size)
{
	while (mq_receive(side->queue, buffer, size, NULL) != (ssize_t)size) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		spin_pause();
	}
	return 0;
}

PEER_COPYING(run, struct side, send_message, receive_message)

const struct peer posix_mq_peer = {
	.name = "POSIX message queue",
	.manual = "mq_overview(7)",
	.note = "its limits are raised where the bench may, else it holds 10 "
		"messages of 8 KiB; RLIMIT_MSGQUEUE bounds what it holds of "
		"large ones",
	.kind = KIND_PEER,
	.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
		  OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
	.version = version,
	.refuses = refuses,
	.make = make,
	.unmake = unmake,
	.open = open_end,
	.run = run,
	.close = close_end,
};
