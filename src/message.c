/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base clock envelope sender taking receiver mailbox. */
/*
 * The public calls that move messages: they check what they are given, enter
 * one end of the handle, and leave it.
 */
#include "base.h"
#include "clock.h"
#include "envelope.h"
#include "mailbox.h"

#define SEND_FLAGS CUBBY_SYNCHRONOUS
#define RECEIVE_FLAGS CUBBY_PEEK

int64_t
cubby_deadline_after(int64_t nanoseconds)
{
	int64_t now = clock_now();

	if (nanoseconds < 0)
		nanoseconds = 0;
	return nanoseconds < CUBBY_FOREVER - now ? now + nanoseconds :
	       CUBBY_FOREVER;
}

/* Sending ---------------------------------------------------------------------- */

static inline int
check_size(const struct cubby_mailbox *mailbox, size_t size)
{
	if (unlikely(size > mailbox->message_max))
		return -EMSGSIZE;
	if (unlikely(mailbox->fixed) && size != mailbox->message_max)
		return -EMSGSIZE;
	return 0;
}

/* Waits for room and sends; *ret_position is the message's. */
static int
send_one(struct cubby_mailbox *mailbox, const void *data,
	 const struct parcel *parcel, int64_t deadline, uint64_t *ret_position)
{
	struct sender *sender = &mailbox->sender;
	int r;

	sender_enter(sender);
	r = sender_wait_room(sender, deadline);
	if (likely(r == 0))
		r = sender_send(sender, parcel, data);
	*ret_position = sender->writer.position - 1;
	sender_leave(sender);
	return r;
}

static COLD int
send_general(struct cubby_mailbox *mailbox, const void *data, size_t size)
{
	const struct parcel parcel = { .size = size };
	uint64_t position;
	int r;

	r = mailbox_check(mailbox, CUBBY_SEND);
	if (r == 0)
		r = check_size(mailbox, size);
	if (r < 0)
		return r;
	return send_one(mailbox, data, &parcel, CUBBY_FOREVER, &position);
}

/*
 * The plain case makes no call, so that it saves no registers: each store to
 * the stack waits in the store queue behind those to the receiver's lines.
 */
int
cubby_send(cubby_mailbox *mailbox, const void *data, size_t size)
{
	const struct parcel parcel = { .size = size };

	if (unlikely(mailbox_check(mailbox, CUBBY_SEND) < 0) ||
	    unlikely(size > mailbox->plain_max) ||
	    unlikely(size < mailbox->plain_min) ||
	    unlikely(exclusion_is_needed()) ||
	    unlikely(!sender_is_plain(&mailbox->sender)))
		return send_general(mailbox, data, size);
	lane_send(&mailbox->sender.writer, &parcel, data);
	return 0;
}

/* The message is queued, and stays so. */
static int
wait_synchronous(struct sender *sender, uint64_t position, int64_t deadline)
{
	int r;

	sender_enter(sender);
	r = sender_wait_passed(sender, position, deadline);
	sender_leave(sender);
	return r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR ? -EINPROGRESS :
	       r;
}

static int
check_send(const struct cubby_mailbox *mailbox, const void *data, size_t size,
	   const struct cubby_envelope *envelope, int flags)
{
	int r;

	r = mailbox_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if ((!data && size) || flags & ~SEND_FLAGS)
		return -EINVAL;
	r = envelope_check(envelope);
	return r < 0 ? r : check_size(mailbox, size);
}

int
cubby_send_full(cubby_mailbox *mailbox, const void *data, size_t size,
		struct cubby_envelope *envelope, int flags, int64_t deadline)
{
	struct parcel parcel = { .size = size };
	uint64_t position;
	int r;

	r = check_send(mailbox, data, size, envelope, flags);
	if (unlikely(r < 0))
		return r;
	if (envelope) {
		parcel.tag = envelope->tag;
		parcel.type = (uint64_t)envelope->type;
	}
	r = send_one(mailbox, data, &parcel, deadline, &position);
	if (unlikely(r < 0))
		return r;
	envelope_sent(envelope, mailbox->sender.writer.lane + 1, position + 1);
	if (flags & CUBBY_SYNCHRONOUS)
		return wait_synchronous(&mailbox->sender, position, deadline);
	return 0;
}

int
cubby_wait_received(cubby_mailbox *mailbox, uint64_t sequence, int64_t deadline)
{
	struct sender *sender = &mailbox->sender;
	int r;

	r = mailbox_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	sender_enter(sender);
	if (!sequence || (int64_t)(sender->writer.position - sequence) < 0)
		r = -EINVAL;
	else
		r = sender_wait_passed(sender, sequence - 1, deadline);
	sender_leave(sender);
	return r;
}

int
cubby_published(cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag)
{
	uint64_t sequence, tag;
	int r;

	r = mailbox_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	sender_enter(&mailbox->sender);
	lane_last_published(&mailbox->sender.writer, &sequence, &tag);
	sender_leave(&mailbox->sender);
	if (ret_sequence)
		*ret_sequence = sequence;
	if (ret_tag)
		*ret_tag = tag;
	return 0;
}

/* Receiving --------------------------------------------------------------------- */

static int
read_filter(const struct cubby_filter *filter, struct wish *wish)
{
	if (!filter)
		return 0;
	if (filter->struct_size < sizeof(*filter))
		return -EINVAL;
	wish->sender = filter->sender;
	return 0;
}

static void
describe(const struct taken *taken, uid_t uid, uint32_t deliveries,
	 struct cubby_envelope *ret)
{
	struct cubby_envelope full = CUBBY_ENVELOPE_INIT;

	full.tag = taken->tag;
	full.type = (int64_t)taken->type;
	full.uid = uid;
	full.sender = taken->lane + 1;
	full.sequence = taken->position + 1;
	full.size = taken->size;
	full.deliveries = deliveries;
	envelope_write(ret, &full);
}

/* Waits for a message and copies it. */
static COLD int
receive_general(struct cubby_mailbox *mailbox, void *buffer, size_t size,
		size_t *ret_size)
{
	struct wish wish = { .kind = WISH_COPY, .buffer = buffer,
			     .size = size };
	struct receiver *receiver = &mailbox->receiver;
	int r;

	r = mailbox_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	receiver_enter(receiver);
	r = receiver_grant(receiver, &wish, CUBBY_FOREVER);
	receiver_leave(receiver);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = wish.taken.size;
	return r;
}

/* The bias was taken away just now: is the message that was copied ours? */
static COLD int
receive_contested(struct cubby_mailbox *mailbox, void *buffer, size_t size,
		  size_t *ret_size, uint64_t taken)
{
	struct lane_reader *reader = mailbox->receiver.turn;

	if (!lane_keep_plain(reader))
		return receive_general(mailbox, buffer, size, ret_size);
	if (lane_taken_plain(reader))
		lane_tell_sender(reader);
	if (ret_size)
		*ret_size = taken;
	return 0;
}

static COLD int
tell_sender(struct lane_reader *reader)
{
	lane_tell_sender(reader);
	return 0;
}

/* The message has been copied: takes it. */
static FAST int
take_plain(struct cubby_mailbox *mailbox, struct lane_reader *reader,
	   void *buffer, size_t size, size_t *ret_size, uint64_t taken)
{
	if (unlikely(!lane_pass_plain(reader)))
		return receive_contested(mailbox, buffer, size, ret_size,
					 taken);
	if (ret_size)
		*ret_size = taken;
	if (unlikely(lane_taken_plain(reader)))
		return tell_sender(reader);
	return 0;
}

/* There is none yet, or it is no plain one. */
static int
receive_waiting(struct cubby_mailbox *mailbox, void *buffer, size_t size,
		size_t *ret_size)
{
	struct lane_reader *reader = NULL;
	uint64_t taken = 0;

	if (mailbox_check(mailbox, CUBBY_RECEIVE) == 0 &&
	    !exclusion_is_needed())
		reader = receiver_await_turn(&mailbox->receiver);
	if (!reader || !lane_copy_plain(reader, buffer, size, &taken))
		return receive_general(mailbox, buffer, size, ret_size);
	return take_plain(mailbox, reader, buffer, size, ret_size, taken);
}

/* Of the plain case, see cubby_send(). */
int
cubby_receive(cubby_mailbox *mailbox, void *buffer, size_t size,
	      size_t *ret_size)
{
	struct lane_reader *reader = NULL;
	uint64_t taken = 0;

	if (likely(mailbox_check(mailbox, CUBBY_RECEIVE) == 0) &&
	    likely(!exclusion_is_needed()))
		reader = receiver_turn(&mailbox->receiver);
	if (unlikely(!reader) ||
	    unlikely(!lane_copy_plain(reader, buffer, size, &taken)))
		return receive_waiting(mailbox, buffer, size, ret_size);
	return take_plain(mailbox, reader, buffer, size, ret_size, taken);
}

int
cubby_receive_full(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		   int flags, int64_t deadline, void *buffer, size_t size,
		   size_t *ret_size, struct cubby_envelope *ret_envelope)
{
	struct wish wish = { .kind = WISH_COPY, .buffer = buffer,
			     .size = size };
	int r;

	r = mailbox_check(mailbox, CUBBY_RECEIVE);
	if (unlikely(r < 0))
		return r;
	if ((!buffer && size) || flags & ~RECEIVE_FLAGS ||
	    (ret_envelope && ret_envelope->struct_size < sizeof(size_t)))
		return -EINVAL;
	r = read_filter(filter, &wish);
	if (r < 0)
		return r;
	if (flags & CUBBY_PEEK)
		wish.kind = WISH_PEEK;
	receiver_enter(&mailbox->receiver);
	r = receiver_grant(&mailbox->receiver, &wish, deadline);
	receiver_leave(&mailbox->receiver);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = wish.taken.size;
	if (r == 0 && ret_envelope)
		describe(&wish.taken, wish.uid, wish.deliveries, ret_envelope);
	return r;
}

/* Drafts ------------------------------------------------------------------------- */

int
cubby_reserve(cubby_mailbox *mailbox, size_t size, int64_t deadline,
	      cubby_draft **ret)
{
	struct sender *sender = &mailbox->sender;
	int r;

	r = mailbox_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if (!ret)
		return -EINVAL;
	r = check_size(mailbox, size);
	if (r < 0)
		return r;
	sender_enter(sender);
	r = sender_wait_room(sender, deadline);
	if (r == 0)
		r = sender_reserve(sender, size, ret);
	if (r == 0)
		(*ret)->owner = mailbox;
	sender_leave(sender);
	return r;
}

void *
cubby_draft_data(cubby_draft *draft)
{
	return draft->data;
}

size_t
cubby_draft_size(const cubby_draft *draft)
{
	return draft->size;
}

int
cubby_commit(cubby_draft *draft, size_t size, struct cubby_envelope *envelope)
{
	struct cubby_mailbox *mailbox = draft->owner;
	struct sender *sender = &mailbox->sender;
	struct parcel parcel = { .size = size };
	uint64_t position;
	int r;

	r = check_send(mailbox, draft, size, envelope, 0);
	if (r < 0)
		return r;
	if (size > draft->size)
		return -EMSGSIZE;
	if (envelope) {
		parcel.tag = envelope->tag;
		parcel.type = (uint64_t)envelope->type;
	}
	sender_enter(sender);
	position = sender->writer.position;
	if (lane_is_broken(&sender->writer))
		r = -EBADMSG;
	else
		sender_commit(sender, draft, &parcel);
	sender_leave(sender);
	if (r == 0)
		envelope_sent(envelope, sender->writer.lane + 1, position + 1);
	return r;
}

void
cubby_abort(cubby_draft *draft)
{
	struct cubby_mailbox *mailbox;

	if (!draft)
		return;
	mailbox = draft->owner;
	if (mailbox_check(mailbox, CUBBY_SEND) < 0)
		return;		/* a child's: freed with its handle */
	sender_enter(&mailbox->sender);
	sender_abort(&mailbox->sender, draft);
	sender_leave(&mailbox->sender);
}

/* Held messages ------------------------------------------------------------------ */

/* None has come on the lane whose turn it is: look there for a moment first. */
static void
await_quickly(struct receiver *receiver)
{
	if (!exclusion_is_needed() && receiver->turn &&
	    !lane_has_plain(receiver->turn))
		receiver_await_turn(receiver);
}

int
cubby_hold(cubby_mailbox *mailbox, const struct cubby_filter *filter,
	   int64_t deadline, cubby_message **ret)
{
	struct wish wish = { .kind = WISH_HOLD };
	int r;

	r = mailbox_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	if (!ret)
		return -EINVAL;
	r = read_filter(filter, &wish);
	if (r < 0)
		return r;
	if (deadline == CUBBY_FOREVER)
		await_quickly(&mailbox->receiver);
	receiver_enter(&mailbox->receiver);
	r = receiver_grant(&mailbox->receiver, &wish, deadline);
	receiver_leave(&mailbox->receiver);
	if (r < 0)
		return r;
	wish.held->owner = mailbox;
	*ret = wish.held;
	return 0;
}

const void *
cubby_message_data(const cubby_message *message)
{
	return message->data;
}

size_t
cubby_message_size(const cubby_message *message)
{
	return message->taken.size;
}

int
cubby_message_envelope(const cubby_message *message, struct cubby_envelope *ret)
{
	if (!ret || ret->struct_size < sizeof(size_t))
		return -EINVAL;
	describe(&message->taken, message->reader->uid,
		 claim_deliveries(message->word), ret);
	return 0;
}

int
cubby_release(cubby_message *message)
{
	struct cubby_mailbox *mailbox = message->owner;
	int r;

	r = mailbox_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;	/* a child's: freed with its handle */
	receiver_enter(&mailbox->receiver);
	r = taking_release(&mailbox->receiver, message);
	receiver_leave(&mailbox->receiver);
	return r;
}

int
cubby_reject(cubby_message *message)
{
	struct cubby_mailbox *mailbox = message->owner;
	int r;

	r = mailbox_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	receiver_enter(&mailbox->receiver);
	taking_reject(&mailbox->receiver, message);
	receiver_leave(&mailbox->receiver);
	return 0;
}
