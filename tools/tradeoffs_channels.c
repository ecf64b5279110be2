/* SPDX-License-Identifier: MIT */
/*
 * The ways from one process to another that are not cubby, each as it comes:
 * a pipe, a pair of connected Unix sockets and a POSIX queue, with the limits
 * that the system sets. All that can be inherited is; a queue's name is taken
 * away as soon as it has been made.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cubby.h>

#include "tradeoffs.h"

/* Both directions, as descriptors: of member 0 and of member 1. */
struct descriptors {
	int in[2];
	int out[2];
};

static int
write_all(int fd, const void *data, size_t size)
{
	const char *bytes = data;

	while (size) {
		ssize_t count = write(fd, bytes, size);

		if (count < 0)
			return -errno;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

static int
read_all(int fd, void *data, size_t size)
{
	char *bytes = data;

	while (size) {
		ssize_t count = read(fd, bytes, size);

		if (count <= 0)
			return count ? -errno : -EPIPE;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}

/* A member's end: its two descriptors. */
struct end {
	int in, out;
};

static int
join(void *made, int member, void **ret_end)
{
	const struct descriptors *all = made;
	struct end *end = malloc(sizeof(*end));

	if (!end)
		return -ENOMEM;
	*end = (struct end){ all->in[member], all->out[member] };
	*ret_end = end;
	return 0;
}

static void
unmake(void *made)
{
	struct descriptors *all = made;

	for (int i = 0; i < 2; i++) {
		close(all->in[i]);
		if (all->out[i] != all->in[i])
			close(all->out[i]);
	}
	free(all);
}

static int
produce(struct side *side, uint64_t first)
{
	const struct end *end = side->end;

	words_fill(side->buffer, side->size, first);
	return write_all(end->out, side->buffer, side->size);
}

static int
consume(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;
	int error = read_all(end->in, side->buffer, side->size);

	*ret_sum = words_sum(side->buffer, side->size);
	return error;
}

/* Pipe ------------------------------------------------------------------- */

static int
make_pipe(size_t size, size_t depth, void **ret)
{
	struct descriptors *all = calloc(1, sizeof(*all));
	int there[2], back[2], error;

	(void)size;
	(void)depth;
	if (!all)
		return -ENOMEM;
	if (pipe2(there, O_CLOEXEC) == 0) {
		if (pipe2(back, O_CLOEXEC) == 0) {
			*all = (struct descriptors){ { there[0], back[0] },
						     { back[1], there[1] } };
			*ret = all;
			return 0;
		}
		close(there[0]);
		close(there[1]);
	}
	error = -errno;
	free(all);
	return error;
}

/* Unix socket ------------------------------------------------------------ */

static int
make_socket(size_t size, size_t depth, void **ret)
{
	struct descriptors *all = calloc(1, sizeof(*all));
	int both[2], error;

	(void)size;
	(void)depth;
	if (!all)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0) {
		error = -errno;
		free(all);
		return error;
	}
	*all = (struct descriptors){ { both[0], both[1] },
				     { both[0], both[1] } };
	*ret = all;
	return 0;
}

/* POSIX queue ------------------------------------------------------------ */

static size_t
read_limit(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

size_t
queue_message_max(void)
{
	return read_limit("/proc/sys/fs/mqueue/msgsize_max");
}

#define QUEUE_NAME 64

static void
queue_name(char name[QUEUE_NAME], pid_t pid)
{
	snprintf(name, QUEUE_NAME, "/cubby-tradeoffs-%ld", (long)pid);
}

void
queue_unlink(pid_t pid)
{
	char name[QUEUE_NAME];

	queue_name(name, pid);
	mq_unlink(name);
}

/* As deep as the system's limit and this user's let it be. */
static int
open_queue(size_t size, size_t depth, int *ret)
{
	size_t most = read_limit("/proc/sys/fs/mqueue/msg_max");
	struct mq_attr attributes = { .mq_msgsize = (long)size };
	char name[QUEUE_NAME];

	queue_name(name, getpid());
	if (!most)
		return -ENOSYS;
	for (depth = depth < most ? depth : most; depth; depth--) {
		attributes.mq_maxmsg = (long)depth;
		*ret = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			       0600, &attributes);
		if (*ret >= 0) {
			mq_unlink(name);
			return 0;
		}
		if (errno != EMFILE)
			break; /* EMFILE: beyond RLIMIT_MSGQUEUE */
	}
	return depth ? -errno : -EMFILE;
}

static int
make_queue(size_t size, size_t depth, void **ret)
{
	struct descriptors *all = calloc(1, sizeof(*all));
	int there, back, error;

	if (!all)
		return -ENOMEM;
	error = open_queue(size, depth, &there);
	if (!error) {
		error = open_queue(size, depth, &back);
		if (error)
			mq_close(there);
	}
	if (error) {
		free(all);
		return error;
	}
	*all = (struct descriptors){ { there, back }, { back, there } };
	*ret = all;
	return 0;
}

static void
unmake_queue(void *made)
{
	struct descriptors *all = made;

	mq_close(all->in[0]);
	mq_close(all->in[1]);
	free(all);
}

static int
produce_queued(struct side *side, uint64_t first)
{
	const struct end *end = side->end;

	words_fill(side->buffer, side->size, first);
	return mq_send(end->out, (const char *)side->buffer, side->size, 0) <
			       0 ?
		       -errno :
		       0;
}

static int
consume_queued(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;

	if (mq_receive(end->in, (char *)side->buffer, side->size, NULL) < 0)
		return -errno;
	*ret_sum = words_sum(side->buffer, side->size);
	return 0;
}

/* Why there is none ------------------------------------------------------ */

const char *
transport_obstacle(enum transport_id transport, int error)
{
	if (transport == TRANSPORT_QUEUE && error == -ENOSYS)
		return "this system has none";
	if (transport == TRANSPORT_QUEUE && error == -EMFILE)
		return "no memory is left for this user's (ulimit -q)";
	return cubby_strerror(error);
}

/* The tables ------------------------------------------------------------- */

const struct transport transports[TRANSPORTS] = {
	[TRANSPORT_SHARED] = { "shared memory", raw_make, raw_join, raw_leave,
			       raw_unmake },
	[TRANSPORT_PIPE] = { "pipe", make_pipe, join, free, unmake },
	[TRANSPORT_SOCKET] = { "Unix socket", make_socket, join, free, unmake },
	[TRANSPORT_QUEUE] = { "POSIX queue", make_queue, join, free,
			      unmake_queue },
	[TRANSPORT_CUBBY] = { "cubby", ours_make, ours_join, ours_leave,
			      ours_unmake },
};

const struct contender contenders[CONTENDERS] = {
	[SHARED] = { "shared", "SHARED",
		     "shared memory, a mutex and two conditions; filled and "
		     "read in place",
		     's', TRANSPORT_SHARED, false, 0, 2, raw_produce,
		     raw_consume },
	[SHARED_UNTOUCHED] = { "shared_untouched", "SHARED*",
			       "the same, neither filled nor read", 0,
			       TRANSPORT_SHARED, true, 0, 2, raw_pass,
			       raw_take },
	[PIPE] = { "pipe", "PIPE", "a pipe: write and read", 'p',
		   TRANSPORT_PIPE, false, 2, 2, produce, consume },
	[SOCKET] = { "socket", "SOCKET", "a pair of Unix stream sockets", 'u',
		     TRANSPORT_SOCKET, false, 2, 2, produce, consume },
	[QUEUE] = { "queue", "MQUEUE", "a POSIX message queue", 'q',
		    TRANSPORT_QUEUE, false, 2, 2, produce_queued,
		    consume_queued },
	[CUBBY_COPIED] = { "cubby", "CUBBY", "cubby_send and cubby_receive",
			   'c', TRANSPORT_CUBBY, false, 2, 0, ours_produce,
			   ours_consume },
	[CUBBY_IN_PLACE] = { "cubby_in_place", "INPLACE",
			     "cubby reserve and commit, hold and release; "
			     "filled and read in place",
			     'i', TRANSPORT_CUBBY, false, 0, 0,
			     ours_produce_in_place, ours_consume_in_place },
	[CUBBY_UNTOUCHED] = { "cubby_untouched", "INPLACE*",
			      "the same, neither filled nor read", '*',
			      TRANSPORT_CUBBY, true, 0, 0, ours_pass,
			      ours_take },
};
