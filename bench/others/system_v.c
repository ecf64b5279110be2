/* SPDX-License-Identifier: MIT */
/*
 * sysvipc(7), msgop(2): a System V message queue, which is limited by bytes. The
 * type of a message lies in the word before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/utsname.h>

#include "limits.h"
#include "peer_loops.h"

struct side {
	int queue, flags;
};

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
	if (channel->size > limits_read("kernel/msgmax"))
		return "larger than kernel.msgmax";
	return NULL;
}

static int
make(const struct channel *channel, void **ret)
{
	struct side *side = calloc(1, sizeof(*side));
	struct msqid_ds state;

	if (!side)
		return -ENOMEM;
	side->flags = channel->spinning ? IPC_NOWAIT : 0;
	side->queue = msgget(IPC_PRIVATE, 0600);
	if (side->queue < 0) {
		int error = -errno;

		free(side);
		return error;
	}
	if (!msgctl(side->queue, IPC_STAT, &state)) {
		state.msg_qbytes = channel->size * channel->depth;
		msgctl(side->queue, IPC_SET, &state);
	}
	*ret = side;
	return 0;
}

static void
unmake(void *pointer)
{
	struct side *side = pointer;

	msgctl(side->queue, IPC_RMID, NULL);
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

/* The long before the buffer is the peer's: struct msgbuf begins there. */
ALWAYS_INLINE int
send_message(struct side *side, const void *message, size_t size)
{
	long *whole = (long *)(uintptr_t)message - 1;

	*whole = 1;
	while (msgsnd(side->queue, whole, size, side->flags)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		spin_pause();
	}
	return 0;
}

ALWAYS_INLINE int
receive_message(struct side *side, void *buffer, size_t size)
{
	long *whole = (long *)buffer - 1;

	while (msgrcv(side->queue, whole, size, 0, side->flags) !=
	       (ssize_t)size) {
		if (errno != ENOMSG && errno != EINTR)
			return -errno;
		spin_pause();
	}
	return 0;
}

PEER_COPYING(run, struct side, send_message, receive_message)

const struct peer system_v_peer = {
	.name = "System V message queue",
	.manual = "sysvipc(7), msgop(2)",
	.note = "its limits are raised where the bench may; else 16 KiB in all",
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
