/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base layout_queue members queue. */
/*
 * Senders of a queue by their names.
 *
 * A name is one slot's, for good (members.h). So who waits for messages of a
 * sender that has not come yet gives the name a slot, and waits for that slot's:
 * the sender will find it there and can join in no other.
 */
#include "base.h"
#include "members.h"
#include "queue.h"

int
queue_sender_name(struct queue *queue, uint64_t sender,
		  char ret[SENDER_NAME_MAX + 1])
{
	const struct queue_participant *p;

	if (!sender || sender > get32(&queue->map.file->participants_committed))
		return -EINVAL;
	p = queue_participant(&queue->map, (uint32_t)sender - 1);
	if (!p || !get64(&p->generation))
		return -EINVAL;
	members_name(&queue->map, (uint32_t)sender - 1, ret);
	return 0;
}

int
queue_named_sender(struct queue *queue, const char *name, uint64_t *ret)
{
	uint32_t slot;
	int r = members_give_name(queue->view, &queue->map, queue_fd(queue), name,
				  &slot);

	if (r == 0)
		*ret = slot + 1;
	return r;
}
