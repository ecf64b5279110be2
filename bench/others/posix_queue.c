/* SPDX-License-Identifier: MIT */
/*
 * A POSIX message queue: mq_send() and mq_receive(), each a system call. Its
 * name is gone as soon as it is made; the members inherit the descriptor.
 *
 * How deep one may be is for the system to say: 10 messages, as it comes. Who
 * may have a namespace of his own for such queues (root) has a limit of his own
 * there, and nothing outside is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../loops.h"
#include "others.h"

struct detail {
	long depth;
	bool polls;
};

struct made {
	mqd_t queue;
};

/* What the limits, or a kernel without it, say to mq_open(). */
static int
refusal(int error)
{
	switch (error) {
	case EINVAL:
	case EMFILE:
	case ENOSYS:
	case ENOMEM:
	case ENOSPC:
		return -EOPNOTSUPP;
	default:
		return -error;
	}
}

static bool
allow_depth(long depth)
{
	FILE *file;
	bool written;

	if (unshare(CLONE_NEWIPC))
		return false;
	file = fopen("/proc/sys/fs/mqueue/msg_max", "we");
	if (!file)
		return false;
	written = fprintf(file, "%ld", depth) > 0;
	return fclose(file) == 0 && written;
}

static mqd_t
open_queue(const struct detail *detail)
{
	struct mq_attr attributes = { .mq_maxmsg = detail->depth,
				      .mq_msgsize = LINE };
	int flags = O_CREAT | O_EXCL | O_RDWR |
		    (detail->polls ? O_NONBLOCK : 0);
	static int number;
	char name[64];
	mqd_t queue;

	snprintf(name, sizeof(name), "/cubby-bench-%ld-%d", (long)getpid(),
		 number++);
	queue = mq_open(name, flags, 0600, &attributes);
	if (queue == (mqd_t)-1 && errno == EINVAL) {
		if (allow_depth(detail->depth))
			queue = mq_open(name, flags, 0600, &attributes);
		else
			errno = EINVAL;
	}
	if (queue != (mqd_t)-1)
		mq_unlink(name);
	return queue;
}

static int
make(const struct contender *self, void **ret)
{
	struct made *made = malloc(sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	made->queue = open_queue(self->detail);
	if (made->queue == (mqd_t)-1) {
		error = refusal(errno);
		free(made);
		return error;
	}
	*ret = made;
	return 0;
}

static int
join(const struct contender *self, void *made, int member, void **ret)
{
	(void)self;
	(void)member;
	*ret = made;
	return 0;
}

static void
leave(void *side)
{
	(void)side;
}

static void
unmake(void *pointer)
{
	struct made *made = pointer;

	mq_close(made->queue);
	free(made);
}

ALWAYS_INLINE int
produce(void *pointer, uint64_t first)
{
	struct made *made = pointer;
	uint64_t message[LINE / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	while (mq_send(made->queue, (char *)message, sizeof(message), 0)) {
		if (errno != EAGAIN)
			return -errno;
		spin_pause();
	}
	return 0;
}

ALWAYS_INLINE int
consume(void *pointer, uint64_t *ret_sum)
{
	struct made *made = pointer;
	uint64_t message[LINE / sizeof(uint64_t)];

	while (mq_receive(made->queue, (char *)message, sizeof(message),
			  NULL) != sizeof(message)) {
		if (errno != EAGAIN)
			return -errno;
		spin_pause();
	}
	*ret_sum = words_sum(message, sizeof(message));
	return 0;
}

static void
run(void *side, int member, struct round *round)
{
	if (member < round->receivers)
		loop_receive_of_many(round, member, side, consume, LINE);
	else
		loop_send_to_many(round, member, side, produce, LINE);
}

#define QUEUE(name, its_system, its_depth, its_polls) \
	const struct contender name = { \
		.system = its_system, \
		.lacks = "POSIX message queues of that depth are not " \
			 "allowed here", \
		.size = LINE, \
		.senders = 2, \
		.receivers = 2, \
		.detail = &(const struct detail){ its_depth, its_polls }, \
		.make = make, \
		.join = join, \
		.run = run, \
		.leave = leave, \
		.unmake = unmake, \
	}

QUEUE(posix_queue_10, "POSIX message queue, 10 deep", 10, false);
QUEUE(posix_queue_10_polling, "POSIX message queue, 10 deep, polling", 10,
      true);
QUEUE(posix_queue_128, "POSIX message queue, 128 deep", 128, false);
QUEUE(posix_queue_128_polling, "POSIX message queue, 128 deep, polling", 128,
      true);
