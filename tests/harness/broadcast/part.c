/* SPDX-License-Identifier: MIT */
/* What everybody does: send a letter, receive one and look whether it is whole and
   the next. */
#include <errno.h>
#include <string.h>

#include "play.h"

int
part_try_open(const struct act *act, int roles, int flags, uint64_t history,
	      cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.delivery = act->delivery;
	options.capacity = ROOM;
	options.history = history;
	return cubby_open(MAILBOX, roles | flags, &options, ret);
}

cubby_mailbox *
part_open(const struct act *act, int roles, int flags, uint64_t history)
{
	cubby_mailbox *mailbox;
	int result = part_try_open(act, roles, flags, history, &mailbox);

	if (result < 0)
		fail("opening the mailbox: %s", cubby_strerror(result));
	return mailbox;
}

static void
write_letter(struct letter_to_all *letter, enum voice voice, uint64_t number)
{
	letter->voice = voice;
	letter->number = number;
	for (size_t i = 0; i < sizeof(letter->filler); i++)
		letter->filler[i] = (unsigned char)(number * 7 + voice + i);
}

int
part_send(cubby_mailbox *mailbox, enum voice voice, uint64_t number,
	  size_t size, uint64_t tag, int flags, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct letter_to_all letter;

	if (!size)
		size = SHORT;
	write_letter(&letter, voice, number);
	envelope.tag = tag;
	return cubby_send_full(mailbox, &letter, size, &envelope, flags,
			       deadline);
}

void
part_enter(struct part *part, const void *bytes, size_t size,
	   const struct cubby_envelope *envelope)
{
	struct letter_to_all should;
	uint64_t head[2];

	if (size < sizeof(head) || size > sizeof(should))
		fail("a message of %zu bytes came", size);
	memcpy(head, bytes, sizeof(head));
	if (head[0] >= VOICES)
		fail("a message that nobody sent came");
	write_letter(&should, (enum voice)head[0], head[1]);
	if (memcmp(bytes, &should, size) != 0)
		fail("message %d of voice %d is not whole", (int)head[1],
		     (int)head[0]);
	if (head[0] == FRESH_VOICE) {
		/* Of several senders: they come in any order. */
		if (part->next[FRESH_VOICE] <= head[1])
			part->next[FRESH_VOICE] = head[1] + 1;
		part->missed += envelope->missed;
		return;
	}
	if (part->known[head[0]] && head[1] < part->next[head[0]])
		fail("message %d of voice %d came after %d", (int)head[1],
		     (int)head[0], (int)part->next[head[0]] - 1);
	if (part->known[head[0]])
		part->gaps += head[1] - part->next[head[0]];
	part->known[head[0]] = true;
	part->next[head[0]] = head[1] + 1;
	part->missed += envelope->missed;
	part->last |= envelope->tag == LAST;
}

int
part_take(struct part *part, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	unsigned char bytes[sizeof(struct letter_to_all)];
	size_t size;
	int result = cubby_receive_full(part->mailbox, NULL, 0, deadline, bytes,
					sizeof(bytes), &size, &envelope);

	if (result == 0)
		part_enter(part, bytes, size, &envelope);
	return result;
}

void
part_drain(struct part *part)
{
	int result;

	while ((result = part_take(part, CUBBY_NOW)) == 0)
		;
	if (result != -EAGAIN)
		fail("a receive: %s", cubby_strerror(result));
}
