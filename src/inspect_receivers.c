/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base atomics shm liveness layout participants claims directory inspect_receivers. */
#include "base.h"
#include "claims.h"
#include "directory.h"
#include "inspect_receivers.h"
#include "liveness.h"
#include "participants.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* How many messages each slot's owner holds. */
static void
count_held(const struct view *view, uint64_t held[RECEIVERS_MAX])
{
	uint32_t i, count = claims_count(view);
	struct taken taken;
	uint64_t word;

	for (i = 0; i < count; i++)
		if (claims_read(view, i, &word, &taken) &&
		    claim_state(word) == CLAIM_HELD &&
		    claim_slot(word) < RECEIVERS_MAX)
			held[claim_slot(word)]++;
}

/* It has announced a sleep, and nobody has rung for it since. */
static bool
is_asleep(const struct doorbell_file *doorbell, uint32_t slot, uint64_t sleep)
{
	/* relaxed: for people */
	return (uint32_t)sleep & SLEEP_ASLEEP &&
	       word32_load_relaxed(&doorbell->events[slot]) ==
		       sleep_ticket(sleep);
}

/*
 * A slot's owner has gone without leaving: {generation, pid} stood there before
 * it was found dead, and do so after it. Who leaves in order takes his pid away
 * before his lock goes, and who joins is of another generation.
 */
static bool
has_died(const struct receiver_slot *s, uint64_t generation, uint32_t pid)
{
	/* PART-A4 acquire: the pid, before whose it is. Pairs with PART-R4. */
	return pid && word32_load_acquire(&s->pid) == pid &&
	       /* relaxed: after that */
	       word64_load_relaxed(&s->generation) == generation;
}

/* The same of its descriptor. */
static bool
is_armed(const struct doorbell_file *doorbell, uint32_t slot, uint64_t polls)
{
	/* relaxed: for people */
	return (uint32_t)polls & POLLS_ARMED &&
	       word32_load_relaxed(&doorbell->polled[slot]) ==
		       sleep_ticket(polls);
}

/* Errors: liveness_ask()'s. */
static int
read_receiver(const struct view *view, const struct doorbell_file *doorbell,
	      int attendance, uint32_t slot, struct cubby_receiver_info *ret)
{
	const struct receiver_slot *s = &view->receivers->slots[slot];
	/* relaxed: for people; of one who joins just now it may be a part */
	uint64_t generation = word64_load_relaxed(&s->generation);
	uint32_t pid = word32_load_relaxed(&s->pid);
	uint32_t uid = word32_load_relaxed(&s->uid);
	uint32_t pid_namespace = word32_load_relaxed(&s->pid_namespace);
	uint64_t sleep = word64_load_relaxed(&s->sleep);
	uint64_t polls = word64_load_relaxed(&s->polls);
	int alive = liveness_ask(attendance, slot);

	*ret = (struct cubby_receiver_info){
		.struct_size = sizeof(*ret),
		.receiver = slot + 1,
		.generation = generation,
		.uid = uid,
		.pid = alive == 1 ? (pid_t)pid : 0,
		.pid_namespace = alive == 1 ? pid_namespace : 0,
		.attached = alive == 1,
		.died = alive == 0 && has_died(s, generation, pid),
		.sleeping = alive == 1 && is_asleep(doorbell, slot, sleep),
		.polling = alive == 1 && is_armed(doorbell, slot, polls),
		.ticket = sleep_ticket(sleep),
	};
	return alive < 0 ? alive : 0;
}

static int
visit_slots(const struct view *view, const struct doorbell_file *doorbell,
	    int attendance,
	    int (*visit)(const struct cubby_receiver_info *, void *),
	    void *context)
{
	uint32_t slot, count = participants_slots(view);
	uint64_t held[RECEIVERS_MAX] = { 0 };
	struct cubby_receiver_info receiver;
	int r = 0;

	count_held(view, held);
	for (slot = 0; r == 0 && slot < count; slot++) {
		r = read_receiver(view, doorbell, attendance, slot, &receiver);
		receiver.held = held[slot];
		if (r == 0 && (receiver.attached || receiver.died))
			r = visit(&receiver, context);
	}
	return shm_is_broken(&view->receivers_mapping) ? -EBADMSG : r;
}

/* The event counts on which they sleep, for reading. */
static int
map_doorbell(const struct view *view, struct mapping *ret)
{
	int fd, r;

	fd = shm_open_at(view_directory(view), DOORBELL, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = shm_map(fd, sizeof(struct doorbell_file), PROT_READ, ret);
	close(fd);
	return r;
}

int
inspect_receivers(const struct view *view,
		  int (*visit)(const struct cubby_receiver_info *, void *),
		  void *context)
{
	struct mapping doorbell;
	int fd, r;

	fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = map_doorbell(view, &doorbell);
	if (r == 0) {
		r = visit_slots(view, doorbell.address, fd, visit, context);
		shm_unmap(&doorbell);
	}
	close(fd);
	return r;
}
