/* SPDX-License-Identifier: MIT */
/*
 * What anyone on the stage can do: each act checks what libcubby gave, and is
 * entered in the account.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"

static int
send_letter(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	    size_t size, int flags, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct letter letter;
	int result;

	letter_write(&stage->account, actor, size, &letter);
	letter_address(&stage->account, &letter, &envelope);
	result = cubby_send_full(mailbox, letter.bytes, size, &envelope, flags,
				 deadline);
	account_sent(&stage->account, &letter, result);
	return result;
}

int
actor_send(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   size_t size, int64_t deadline)
{
	if (size == REGIONAL)
		return actor_send_region(stage, mailbox, actor, deadline);
	return send_letter(stage, mailbox, actor, size, 0, deadline);
}

int
actor_send_synchronous(struct stage *stage, cubby_mailbox *mailbox,
		       enum actor actor, size_t size, int64_t deadline)
{
	return send_letter(stage, mailbox, actor, size, CUBBY_SYNCHRONOUS,
			   deadline);
}

void
actor_enter(struct stage *stage, enum actor actor, const void *bytes,
	    const struct cubby_envelope *envelope, bool held, uint64_t asked)
{
	enum actor from;
	uint32_t number;
	const char *wrong = letter_read(&stage->account, bytes, envelope, &from,
					&number);

	if (wrong)
		fail("actor %d received %s (tag %llx, %llu bytes)", actor,
		     wrong, (unsigned long long)envelope->tag,
		     (unsigned long long)envelope->size);
	account_handed(&stage->account, actor, envelope, held, asked);
}

static int
take_message(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	     int64_t deadline)
{
	static unsigned char buffer[BUFFER];
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t asked = account_tick(&stage->account);
	size_t size;
	int result;

	memset(buffer, 0xee, LONG);
	result = cubby_receive_full(mailbox, NULL, 0, deadline, buffer,
				    sizeof(buffer), &size, &envelope);
	if (result < 0)
		return result;
	if (size != envelope.size)
		fail("the size (%zu) is not the envelope's", size);
	actor_enter(stage, actor, buffer, &envelope, false, asked);
	return 0;
}

/* Of one that does not count, there may be nothing left. */
int
actor_take(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   int64_t deadline)
{
	int result;

	do {
		result = take_message(stage, mailbox, actor, deadline);
		if (result == -EOPNOTSUPP) {
			result = actor_take_region(stage, mailbox, actor);
			if (result == -EAGAIN)
				result = -EOPNOTSUPP;
		}
	} while (result == -EOPNOTSUPP || result == -ENOMSG);
	return result;
}

static void
look_at(const cubby_message *message, struct cubby_envelope *ret)
{
	int result = cubby_message_envelope(message, ret);

	if (result < 0)
		fail("cubby_message_envelope: %s", cubby_strerror(result));
	if (ret->size != cubby_message_size(message))
		fail("the held message's size is not the envelope's");
}

int
actor_hold(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   int64_t deadline, cubby_message **ret)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t asked = account_tick(&stage->account);
	int result = cubby_hold(mailbox, NULL, deadline, ret);

	if (result < 0)
		return result;
	look_at(*ret, &envelope);
	actor_enter(stage, actor, cubby_message_data(*ret), &envelope, true,
		    asked);
	return 0;
}

/* The bytes must be what they were when the hold began. */
static void
look_again(struct stage *stage, const cubby_message *message,
	   struct cubby_envelope *ret)
{
	enum actor from;
	uint32_t number;
	const char *wrong;

	look_at(message, ret);
	wrong = letter_read(&stage->account, cubby_message_data(message), ret,
			    &from, &number);
	if (wrong)
		fail("while it was held, a message got %s", wrong);
}

int
actor_release(struct stage *stage, cubby_message *message)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int result;

	look_again(stage, message, &envelope);
	result = cubby_release(message);
	if (result == 0)
		account_released(&stage->account, &envelope, true);
	return result;
}

int
actor_reject(struct stage *stage, cubby_message *message)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int result;

	look_again(stage, message, &envelope);
	result = cubby_reject(message);
	if (result == 0)
		account_released(&stage->account, &envelope, false);
	return result;
}

int
actor_hold_release(struct stage *stage, cubby_mailbox *mailbox,
		   enum actor actor, int64_t deadline)
{
	cubby_message *message;
	int result = actor_hold(stage, mailbox, actor, deadline, &message);

	if (result == -EOPNOTSUPP)
		return actor_take(stage, mailbox, actor, deadline);
	if (result < 0)
		return result;
	return actor_release(stage, message);
}
