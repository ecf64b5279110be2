/* SPDX-License-Identifier: MIT */
/*
 * The floor of being woken: one message at a time lies in shared memory, and the
 * other side is woken by a futex, futex(2), or an eventfd, eventfd(2). There is no
 * mailbox that does less. Without a room of its own for a second message this
 * serves to go there and back, and nothing else.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "peer_loops.h"

/* In shared memory; the message lies behind it. */
struct word {
	ALIGNED(64) uint32_t full; /* 1: there is one */
	ALIGNED(64) char message[];
};

struct side {
	struct word *word;
	size_t size;
	int fd;
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
	return channel->alternating && !channel->spinning ?
		       NULL :
		       "a floor for being woken, there and back";
}

static int
make(const struct channel *channel, void **ret)
{
	struct side *side = calloc(1, sizeof(*side));

	if (!side)
		return -ENOMEM;
	side->size = sizeof(*side->word) + channel->size;
	side->fd = eventfd(0, EFD_CLOEXEC);
	side->word = mmap(NULL, side->size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (side->fd < 0 || side->word == MAP_FAILED) {
		int error = -errno;

		if (side->fd >= 0)
			close(side->fd);
		free(side);
		return error;
	}
	*ret = side;
	return 0;
}

static void
unmake(void *pointer)
{
	struct side *side = pointer;

	close(side->fd);
	munmap(side->word, side->size);
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
loan(struct side *side, size_t size, void **ret)
{
	(void)size;
	*ret = side->word->message;
	return 0;
}

/* It is empty again when it has been read: there is one at a time. */
ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	(void)side;
	(void)message;
	return 0;
}

/* futex ------------------------------------------------------------------ */

ALWAYS_INLINE int
publish_by_futex(struct side *side, void *message, size_t size)
{
	(void)message;
	(void)size;
	__atomic_store_n(&side->word->full, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &side->word->full, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

/* The kernel compares the word before it lets one sleep: no wake-up is lost. */
ALWAYS_INLINE int
take_by_futex(struct side *side, size_t size, const void **ret)
{
	(void)size;
	while (!__atomic_load_n(&side->word->full, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &side->word->full, FUTEX_WAIT, 0, NULL, NULL,
			0);
	__atomic_store_n(&side->word->full, 0, __ATOMIC_RELAXED);
	*ret = side->word->message;
	return 0;
}

PEER_IN_PLACE(run_futex, struct side, loan, publish_by_futex, take_by_futex,
	      give_back)

/* eventfd ---------------------------------------------------------------- */

ALWAYS_INLINE int
publish_by_eventfd(struct side *side, void *message, size_t size)
{
	uint64_t one = 1;

	(void)message;
	(void)size;
	return write(side->fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

ALWAYS_INLINE int
take_by_eventfd(struct side *side, size_t size, const void **ret)
{
	uint64_t count;

	(void)size;
	*ret = side->word->message;
	return read(side->fd, &count, sizeof(count)) == sizeof(count) ? 0 :
									-errno;
}

PEER_IN_PLACE(run_eventfd, struct side, loan, publish_by_eventfd,
	      take_by_eventfd, give_back)

#define FLOOR(its_name, its_manual, its_run) \
	{ \
		.name = its_name, .manual = its_manual, .kind = KIND_FLOOR, \
		.offers = OFFERS_BLOCKING | OFFERS_IN_PLACE, \
		.version = version, .refuses = refuses, .make = make, \
		.unmake = unmake, .open = open_end, .run = its_run, \
		.close = close_end, \
	}

const struct peer futex_peer = FLOOR("bare futex", "futex(2)", run_futex);
const struct peer eventfd_peer = FLOOR("bare eventfd", "eventfd(2)",
				       run_eventfd);
