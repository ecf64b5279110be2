/* SPDX-License-Identifier: MIT */
/* What victims do who receive, or look. */
#include <errno.h>
#include <poll.h>

#include "acts.h"

void
receive(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, 0,
					    in_a_moment(), victim->buffer,
					    BUFFER, &victim->size,
					    &victim->envelope);
}

void
peek(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, CUBBY_PEEK,
					    in_a_moment(), victim->buffer,
					    BUFFER, &victim->size,
					    &victim->envelope);
}

void
receive_batch(struct victim *victim)
{
	victim->result = cubby_receive_batch(victim->mailbox, NULL, 0,
					     in_a_moment(), victim->entries,
					     BATCH, victim->buffer, BUFFER);
}

void
hold(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, in_a_moment(),
				    &victim->message);
}

void
prepare_held(struct victim *victim)
{
	hold(victim);
	manage(victim->result, "holding");
}

/* The bytes are read in place, as its users do. */
void
release(struct victim *victim)
{
	const unsigned char *data = cubby_message_data(victim->message);
	size_t size = cubby_message_size(victim->message);

	for (size_t i = 0; i < size; i++)
		own.bytes[i % BUFFER] ^= data[i];
	victim->result = cubby_release(victim->message);
	victim->message = NULL;
}

void
reject(struct victim *victim)
{
	victim->result = cubby_reject(victim->message);
	victim->message = NULL;
}

void
wait_for_message(struct victim *victim)
{
	struct cubby_wait_entry entry = { victim->mailbox, CUBBY_RECEIVE, 0 };

	victim->result = cubby_wait(&entry, 1, in_a_moment());
	if (victim->result > 0)
		receive(victim);
}

void
prepare_descriptor(struct victim *victim)
{
	manage(cubby_fd(victim->mailbox, own.act->roles), "descriptor");
}

/* As an event loop does: what is not there yet is waited for. */
void
poll_for_message(struct victim *victim)
{
	int fd = cubby_fd(victim->mailbox, CUBBY_RECEIVE);
	struct pollfd event = { fd, POLLIN, 0 };
	int64_t deadline = in_a_moment();

	victim->result = fd;
	while (fd >= 0) {
		victim->result = cubby_receive_full(
			victim->mailbox, NULL, 0, CUBBY_NOW, victim->buffer,
			BUFFER, &victim->size, NULL);
		if (victim->result != -EAGAIN || now() >= deadline)
			return;
		poll(&event, 1, 100);	/* may be readable for nothing */
	}
}

/* One message of the next ring is there. */
void
prepare_next_ring(struct victim *victim)
{
	for (int i = 0; i < RING; i++) {
		receive(victim);
		manage(victim->result, "first receives");
	}
}

static int
visit(const struct cubby_sender_info *sender, void *context)
{
	(void)sender, (void)context;
	return 0;
}

void
inspect(struct victim *victim)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	victim->result = cubby_inspect(stage_mailbox(own.act), &info);
	if (victim->result == 0)
		victim->result = cubby_inspect_senders(stage_mailbox(own.act),
						       visit, NULL);
}

void
sweep(struct victim *victim)
{
	victim->result = cubby_sweep(stage_mailbox(own.act), NULL);
}
