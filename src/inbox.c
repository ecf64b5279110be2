/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics clock shm liveness layout participants inbox. */
/*
 * Who receives from an inbox, and whether he lives; inbox.h has the protocol.
 */
#include "base.h"
#include "inbox.h"
#include "participants.h"

#include <fcntl.h>
#include <unistd.h>

#define NAMESPACE "/proc/self/ns/pid"
#define GENERATIONS 64	/* whose bytes may still be locked, tried in turn */

/* Of a file that holds no locks but these. */
static uint64_t
byte_of(uint64_t generation)
{
	return generation & INT32_MAX;
}

static uint64_t
word_make(uint64_t generation, unsigned flags)
{
	return generation << 2 | flags;
}

/* The owner's end -------------------------------------------------------- */

int
inbox_claim(const struct inbox_at *at, struct owner *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = liveness_take_at(at->directory, ATTENDANCE, INBOX,
			     &ret->exclusive);
	return r == -EAGAIN ? -EBUSY : r;
}

/* Locks a generation's byte, for reading if a stranger reads it; *flags says
   so. -EAGAIN: a dead one still has it. */
static int
lock_generation(const struct inbox_at *at, uint64_t generation,
		struct owner *owner, unsigned *flags)
{
	uint64_t byte = byte_of(generation);
	int r;

	*flags = INBOX_HERE;
	r = liveness_take_at(at->directory, at->file, byte, &owner->life);
	if (r != -EAGAIN)
		return r;
	*flags |= INBOX_SHARED;
	return liveness_share_at(at->directory, at->file, byte, &owner->life);
}

int
inbox_namespace(struct namespace *ret)
{
	struct stat st;

	if (stat(NAMESPACE, &st) < 0)
		return -errno;
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	return 0;
}

static void
introduce(struct inbox *inbox)
{
	struct namespace namespace = { .inode = 0 };

	/* Without /proc nobody finds us by our pid. */
	inbox_namespace(&namespace);
	/* INBOX-R2 release: nobody is there, before who is there. Pairs with
	   INBOX-A3. */
	atomics_fence_release();
	/* relaxed: between INBOX-R2 and INBOX-R3 */
	word64_store_relaxed(&inbox->pid, (uint64_t)getpid());
	word64_store_relaxed(&inbox->device, namespace.device);
	word64_store_relaxed(&inbox->inode, namespace.inode);
}

int
inbox_enter(const struct inbox_at *at, struct owner *owner)
{
	struct inbox *inbox = at->inbox;
	/* relaxed: its last writer is dead, and the lock tells so */
	uint64_t last = inbox_generation(word64_load_relaxed(&inbox->owner));
	uint64_t generation = last;
	int i, r = -EAGAIN;
	unsigned flags;

	/* relaxed: before INBOX-R2 */
	word64_store_relaxed(&inbox->owner, word_make(last, 0));
	for (i = 0; r == -EAGAIN && i < GENERATIONS; i++) {
		generation = counter_next(generation, 62, START_COUNTER(62, 5));
		r = lock_generation(at, generation, owner, &flags);
	}
	if (r < 0)
		return r == -EAGAIN ? -EBUSY : r;
	introduce(inbox);
	owner->word = word_make(generation, flags);
	/* INBOX-R3 release: his lock, and who he is, before he is there. Pairs
	   with INBOX-A1, INBOX-A2. */
	word64_store_release(&inbox->owner, owner->word);
	return 0;
}

void
inbox_say_gone(const struct inbox_at *at, struct owner *owner)
{
	if (owner->word)
		/* relaxed: a sender that reads it late sends to a successor,
		   or asks for our lock */
		word64_store_relaxed(&at->inbox->owner, owner->word &
				     ~(uint64_t)(INBOX_HERE | INBOX_SHARED));
	owner->word = 0;
}

void
inbox_leave(struct owner *owner)
{
	liveness_drop(&owner->life);
	liveness_drop(&owner->exclusive);
}

/* The sender's end ------------------------------------------------------- */

int
addressee_open(const struct inbox_at *at, struct addressee *ret)
{
	int fd = shm_open_at(at->directory, at->file, O_RDONLY, NULL), r;

	if (fd < 0)
		return fd;
	memset(ret, 0, sizeof(*ret));
	r = shm_identify(fd, &ret->is);
	if (r < 0) {
		close(fd);
		return r;
	}
	ret->inbox = at->inbox;
	ret->fd = fd;
	return 0;
}

void
addressee_close(struct addressee *addressee)
{
	if (addressee->inbox)
		shm_close_kept(addressee->fd, &addressee->is);
	addressee->inbox = NULL;
}

/* What cannot be asked counts as alive. */
static bool
is_alive(int fd, uint64_t word)
{
	uint64_t byte = byte_of(inbox_generation(word));

	if (!(word & INBOX_HERE))
		return false;
	return word & INBOX_SHARED ? liveness_ask_shared(fd, byte) :
				     liveness_ask(fd, byte);
}

COLD int
addressee_ask(struct addressee *addressee, uint64_t word, int64_t tick)
{
	uint64_t generation = inbox_generation(word);
	bool gone;

	if (addressee->bound && addressee->bound != generation)
		gone = true;
	else
		gone = generation && !is_alive(shm_still(addressee->fd,
						   &addressee->is), word);
	addressee->word = word;
	addressee->asked = gone ? INT64_MIN : tick;
	return gone ? -EPIPE : 0;
}

/* By process ------------------------------------------------------------- */

static bool
is_of(const struct inbox *inbox, pid_t pid, const struct namespace *namespace)
{
	/* relaxed: between INBOX-A2 and INBOX-A3 */
	return word64_load_relaxed(&inbox->pid) == (uint64_t)pid &&
	       word64_load_relaxed(&inbox->device) == namespace->device &&
	       word64_load_relaxed(&inbox->inode) == namespace->inode;
}

int
inbox_find(const struct inbox_at *at, pid_t pid,
	   const struct namespace *namespace, uint64_t *ret_generation)
{
	/* INBOX-A2 acquire: he, before who he is. Pairs with INBOX-R3. */
	uint64_t word = word64_load_acquire(&at->inbox->owner);
	bool found;
	int fd;

	*ret_generation = 0;
	if (!is_of(at->inbox, pid, namespace))
		return 0;
	fd = shm_open_at(at->directory, at->file, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	found = is_alive(fd, word);
	close(fd);
	/* INBOX-A3 acquire: who he is, before `owner` again. Pairs with
	   INBOX-R2. */
	atomics_fence_acquire();
	/* relaxed: after INBOX-A3 */
	if (found && word64_load_relaxed(&at->inbox->owner) == word)
		*ret_generation = inbox_generation(word);
	return 0;
}
