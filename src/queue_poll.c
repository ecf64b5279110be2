/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock exclusion layout_queue bell waiters queue. */
/*
 * The descriptors of a handle on a queue: one for each of its ends.
 *
 * A descriptor that is armed is a record in the list of those who wait for a
 * message, or for room; waiters.h says how it differs from a thread's. It is
 * enlisted under the lock under which there was found to be nothing, so no look
 * is needed after that:
 *
 *	who polls				who sends
 *	empties the bell			lock
 *	lock; nothing there			queues a message
 *	enlists its record			the record: RECEIVES -> SERVED
 *	unlock					unlock; a byte into the bell
 *	poll() sleeps on the bell
 *
 * It is emptied before the lock is taken. So a byte for an earlier message is
 * gone with that message seen, and one for a later message stays.
 *
 * If the lock is not to be had at once, it is not known whether there is
 * something: then it is rung by its owner, who will ask again.
 */
#include "base.h"
#include "clock.h"
#include "queue.h"

#include <cubby.h>

static int
end_of(uint32_t role)
{
	return role == CUBBY_SEND;
}

static enum waiter_state
state_of(uint32_t role)
{
	return role == CUBBY_SEND ? WAITER_ROOM : WAITER_RECEIVES;
}

void
queue_hang(struct queue *queue, uint32_t role, const struct bell *bell)
{
	struct queue_participant *p = queue_participant(&queue->map,
							queue->member.slot);
	int end = end_of(role);

	exclusion_enter(&queue->exclusion);
	if (!bell)
		queue_end_wait(queue, &queue->descriptors[end],
			       state_of(role));
	queue->bells[end] = bell ? bell->number : 0;
	/* relaxed: before the FIFO is made, and who meets one that nobody names
	   has looked at all of these after it was */
	word64_store_relaxed(&p->bell[end], queue->bells[end]);
	exclusion_leave(&queue->exclusion);
}

/* -EAGAIN: armed. */
static int
enlist(struct queue *queue, uint32_t role)
{
	uint32_t *waiter = &queue->descriptors[end_of(role)];
	uint64_t bell = queue->bells[end_of(role)];
	int r = role == CUBBY_SEND ? queue_check(queue) : 0;

	if (r < 0)
		return r;
	return role == CUBBY_SEND ?
	       queue_enlist_for_room(queue, QUEUE_AT_ONCE, bell, waiter) :
	       queue_enlist_for_one(queue, QUEUE_AT_ONCE, bell, waiter);
}

int
queue_arm(struct queue *queue, uint32_t role, int64_t *ret_slice)
{
	uint32_t *waiter = &queue->descriptors[end_of(role)];
	bool armed, all = true;
	int r;

	exclusion_enter(&queue->exclusion);
	/* Its timer stands for the end of a sleep. */
	if (clock_now() >= queue->next_look)
		all = queue_look(queue);
	armed = *waiter != WAITER_NONE && !queue_is_served(queue, *waiter);
	r = enlist(queue, role);
	if (r == -EAGAIN)
		r = armed ? -EALREADY : 0;
	else
		/* Off its list, or the lock was not to be had: it may stay. */
		r = r == 0 ? 1 : r;
	*ret_slice = (role == CUBBY_SEND && queue->addressee) ||
		     queue_looks_on(queue, all) ?
		     QUEUE_SLICE_FIRST : QUEUE_SLICE_LONGEST;
	exclusion_leave(&queue->exclusion);
	return r;
}

void
queue_take_down_bells(struct queue *queue, uint32_t n, uint64_t dead)
{
	struct queue_participant *p = queue_participant(&queue->map, n);
	uint64_t bell;
	int end;

	for (end = 0; p && end < 2; end++) {
		/* QBELL-A1 acquire: whose it is, after it. Pairs with
		   MEMBER-R1. */
		bell = word64_load_acquire(&p->bell[end]);
		/* A later one's, perhaps, who lives. */
		if (!bell || get64(&p->generation) > dead)
			continue;
		bell_remove_left(queue->view, BELL_OF_OTHERS, bell);
		/* QBELL-C1 acq_rel: unless another has come meanwhile. Pairs
		   with QBELL-A1. */
		word64_cas_acq_rel(&p->bell[end], &bell, 0);
	}
}
