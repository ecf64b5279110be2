/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base probe clock envelope parcel sender receiver handle message pollable. */
/*
 * The public calls that move messages: they check what they are given, and go
 * through the handle's table of operations.
 */
#include "base.h"
#include "clock.h"
#include "envelope.h"
#include "handle.h"
#include "message.h"
#include "pollable.h"
#include "probe.h"

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

/* Sending ---------------------------------------------------------------- */

static inline int
check_size(const struct cubby_mailbox *mailbox, size_t size)
{
	if (unlikely(size > mailbox->message_max))
		return -EMSGSIZE;
	if (unlikely(mailbox->fixed) && size != mailbox->message_max)
		return -EMSGSIZE;
	return 0;
}

static COLD int
send_general(struct cubby_mailbox *mailbox, const void *data, size_t size)
{
	const struct parcel parcel = { .size = size };
	struct sent sent;
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r == 0)
		r = check_size(mailbox, size);
	if (r < 0)
		return r;
	r = mailbox->operations->send(mailbox, data, &parcel, false,
				      CUBBY_FOREVER, &sent);
	if (r == 0)
		PROBE2(send, mailbox, size);
	return pollable_told(mailbox, CUBBY_SEND, r);
}

/*
 * The plain case makes no call, so that it saves no registers: each store to
 * the stack waits in the store queue behind those to the receiver's lines.
 */
int
cubby_send(cubby_mailbox *mailbox, const void *data, size_t size)
{
	const struct parcel parcel = { .size = size };

	if (unlikely(handle_check(mailbox, CUBBY_SEND) < 0) ||
	    unlikely(size > mailbox->plain_max) ||
	    unlikely(size < mailbox->plain_min) ||
	    unlikely(exclusion_is_needed()) ||
	    unlikely(!sender_is_plain(&mailbox->sender)))
		return send_general(mailbox, data, size);
	/* Before, while its arguments are at hand. */
	PROBE2(send, mailbox, size);
	lane_send(&mailbox->sender.writer, &parcel, data);
	if (lane_fetch_is_due(&mailbox->sender.writer))
		return lane_fetch_lines(&mailbox->sender.writer, size);
	return 0;
}

/* The same, of a call that is told more. False: it is not that. */
static FAST bool
send_plain(struct cubby_mailbox *mailbox, const void *data, size_t size)
{
	const struct parcel parcel = { .size = size };

	if (handle_check(mailbox, CUBBY_SEND) < 0 || !data ||
	    size > mailbox->plain_max || size < mailbox->plain_min ||
	    exclusion_is_needed() || !sender_is_plain(&mailbox->sender))
		return false;
	PROBE2(send, mailbox, size);
	lane_send(&mailbox->sender.writer, &parcel, data);
	if (lane_fetch_is_due(&mailbox->sender.writer))
		lane_fetch_lines(&mailbox->sender.writer, size);
	return true;
}

static int
check_send(const struct cubby_mailbox *mailbox, const void *data, size_t size,
	   const struct cubby_envelope *envelope, int flags)
{
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if ((!data && size) || flags & ~SEND_FLAGS)
		return -EINVAL;
	r = envelope_check(envelope, mailbox->view.attributes.order);
	return r < 0 ? r : check_size(mailbox, size);
}

int
message_check_send(const struct cubby_mailbox *mailbox, const void *data,
		   size_t size, const struct cubby_envelope *envelope)
{
	return check_send(mailbox, data, size, envelope, 0);
}

int
cubby_send_full(cubby_mailbox *mailbox, const void *data, size_t size,
		struct cubby_envelope *envelope, int flags, int64_t deadline)
{
	struct parcel parcel;
	struct sent sent;
	int r;

	/* The plain case waits for nothing. */
	if (!envelope && !flags && send_plain(mailbox, data, size))
		return 0;
	r = check_send(mailbox, data, size, envelope, flags);
	if (unlikely(r < 0))
		return r;
	parcel = envelope_parcel(size, envelope);
	r = mailbox->operations->send(mailbox, data, &parcel,
				      flags & CUBBY_SYNCHRONOUS, deadline,
				      &sent);
	if (r == 0 || r == -EINPROGRESS) {
		PROBE2(send, mailbox, size);
		envelope_sent(envelope, sent.sender, sent.sequence);
	}
	return pollable_told(mailbox, CUBBY_SEND, r);
}

int
cubby_wait_received(cubby_mailbox *mailbox, uint64_t sequence, int64_t deadline)
{
	int r = handle_check(mailbox, CUBBY_SEND);

	if (r < 0)
		return r;
	if (!sequence)
		return -EINVAL;
	return mailbox->operations->wait_received(mailbox, sequence, deadline);
}

int
cubby_published(cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag)
{
	uint64_t sequence, tag;
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	mailbox->operations->published(mailbox, &sequence, &tag);
	if (ret_sequence)
		*ret_sequence = sequence;
	if (ret_tag)
		*ret_tag = tag;
	return 0;
}

/* Receiving -------------------------------------------------------------- */

/* What the first version had; no caller knows less. */
#define FILTER_SMALLEST offsetof(struct cubby_filter, matching)
#define FILTER_LARGEST 4096

static int
read_filter(const struct cubby_filter *filter, struct wish *wish)
{
	const unsigned char *bytes = (const unsigned char *)filter;
	struct cubby_filter f = CUBBY_FILTER_INIT;
	size_t i;

	if (!filter)
		return 0;
	if (filter->struct_size < FILTER_SMALLEST ||
	    filter->struct_size > FILTER_LARGEST)
		return -EINVAL;
	/* A newer header's must ask for nothing that we do not know. */
	for (i = sizeof(f); i < filter->struct_size; i++)
		if (bytes[i])
			return -EINVAL;
	memcpy(&f, filter, min_u64(filter->struct_size, sizeof(f)));
	if (f.matching > CUBBY_MATCH_LOWEST ||
	    (f.matching ? f.type <= 0 : f.type != 0) ||
	    (f.sender_name && (!*f.sender_name ||
			       strlen(f.sender_name) > SENDER_NAME_MAX)))
		return -EINVAL;
	wish->sender = f.sender;
	wish->name = f.sender_name;
	wish->matching = f.matching;
	wish->type = (uint64_t)f.type;
	return 0;
}

/* Waits for a message and copies it. */
static COLD int
receive_general(struct cubby_mailbox *mailbox, void *buffer, size_t size,
		size_t *ret_size)
{
	struct wish wish = { .kind = WISH_COPY, .buffer = buffer,
			     .size = size };
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	r = mailbox->operations->receive(mailbox, &wish, CUBBY_FOREVER);
	if (r == 0)
		PROBE2(receive, mailbox, wish.taken.size);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = wish.taken.size;
	return pollable_told(mailbox, CUBBY_RECEIVE, r);
}

/* The bias was taken away just now: is the message that was copied ours? */
static COLD int
receive_contested(struct cubby_mailbox *mailbox, void *buffer, size_t size,
		  size_t *ret_size, uint64_t taken)
{
	struct lane_reader *reader = mailbox->receiver.turn;

	if (!lane_keep_plain(reader))
		return receive_general(mailbox, buffer, size, ret_size);
	PROBE2(receive, mailbox, taken);
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
	PROBE2(receive, mailbox, taken);
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

	if (handle_check(mailbox, CUBBY_RECEIVE) == 0 &&
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

	if (likely(handle_check(mailbox, CUBBY_RECEIVE) == 0) &&
	    likely(!exclusion_is_needed()))
		reader = receiver_turn(&mailbox->receiver);
	if (unlikely(!reader) ||
	    unlikely(!lane_copy_plain(reader, buffer, size, &taken)))
		return receive_waiting(mailbox, buffer, size, ret_size);
	return take_plain(mailbox, reader, buffer, size, ret_size, taken);
}

/* The plain case of cubby_receive_full(). False: it is not that. */
static bool
receive_told(struct cubby_mailbox *mailbox, struct wish *wish,
	     int64_t deadline)
{
	struct receiver *receiver = &mailbox->receiver;
	struct lane_reader *reader;

	if (unlikely(exclusion_is_needed()))
		return false;
	reader = receiver_turn(receiver);
	if (likely(reader) && taking_plain(receiver, reader, wish))
		return true;
	if (deadline != CUBBY_FOREVER)
		return false;
	reader = receiver_await_turn(receiver);
	return reader && taking_plain(receiver, reader, wish);
}

int
cubby_receive_full(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		   int flags, int64_t deadline, void *buffer, size_t size,
		   size_t *ret_size, struct cubby_envelope *ret_envelope)
{
	struct wish wish = { .kind = WISH_COPY, .buffer = buffer,
			     .size = size };
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
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
	wish.replies = ret_envelope && envelope_tells_call(ret_envelope);
	if (filter || flags || !receive_told(mailbox, &wish, deadline))
		r = mailbox->operations->receive(mailbox, &wish, deadline);
	if (r == 0 && wish.kind == WISH_COPY)
		PROBE2(receive, mailbox, wish.taken.size);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = wish.taken.size;
	if (r == 0 && ret_envelope)
		envelope_describe(&wish.taken, wish.uid, wish.deliveries,
				  wish.priority, wish.missed,
				  ret_envelope);
	return pollable_told(mailbox, CUBBY_RECEIVE, r);
}

int
cubby_sender_name(cubby_mailbox *mailbox, uint64_t sender, char *buffer,
		  size_t size)
{
	char name[SENDER_NAME_MAX + 1];
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	if (!buffer || !sender)
		return -EINVAL;
	r = mailbox->operations->sender_name(mailbox, sender, name);
	if (r < 0)
		return r;
	if (strlen(name) >= size)
		return -EMSGSIZE;
	strcpy(buffer, name);
	return 0;
}

int
message_read_filter(const struct cubby_filter *filter, struct wish *wish)
{
	return read_filter(filter, wish);
}

/* Drafts ----------------------------------------------------------------- */

int
cubby_reserve(cubby_mailbox *mailbox, size_t size, int64_t deadline,
	      cubby_draft **ret)
{
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if (!ret)
		return -EINVAL;
	r = check_size(mailbox, size);
	if (r == 0)
		r = mailbox->operations->reserve(mailbox, size, deadline, ret);
	if (r == 0)
		(*ret)->owner = mailbox;
	return pollable_told(mailbox, CUBBY_SEND, r);
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
	struct parcel parcel;
	struct sent sent;
	int r;

	r = check_send(mailbox, draft, size, envelope, 0);
	if (r < 0)
		return r;
	if (size > draft->size)
		return -EMSGSIZE;
	parcel = envelope_parcel(size, envelope);
	r = mailbox->operations->commit(mailbox, draft, &parcel, &sent);
	if (r == 0) {
		PROBE2(send, mailbox, size);
		envelope_sent(envelope, sent.sender, sent.sequence);
	}
	return r;
}

void
cubby_abort(cubby_draft *draft)
{
	struct cubby_mailbox *mailbox;

	if (!draft)
		return;
	mailbox = draft->owner;
	if (handle_check(mailbox, CUBBY_SEND) < 0)
		return;		/* a child's: freed with its handle */
	mailbox->operations->abort(mailbox, draft);
}

/* Held messages ---------------------------------------------------------- */

int
cubby_hold(cubby_mailbox *mailbox, const struct cubby_filter *filter,
	   int64_t deadline, cubby_message **ret)
{
	struct wish wish = { .kind = WISH_HOLD, .replies = true };
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	if (!ret)
		return -EINVAL;
	r = read_filter(filter, &wish);
	if (r < 0)
		return r;
	r = mailbox->operations->receive(mailbox, &wish, deadline);
	if (r < 0)
		return pollable_told(mailbox, CUBBY_RECEIVE, r);
	wish.held->owner = mailbox;
	PROBE3(hold, mailbox, wish.held->taken.size, wish.held->deliveries);
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
	envelope_describe(&message->taken, message->uid, message->deliveries,
			  message->priority, message->missed, ret);
	return 0;
}

int
cubby_release(cubby_message *message)
{
	struct cubby_mailbox *mailbox = message->owner;
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;	/* a child's: freed with its handle */
	PROBE1(release, mailbox);
	return mailbox->operations->release(mailbox, message);
}

int
cubby_reject(cubby_message *message)
{
	struct cubby_mailbox *mailbox = message->owner;
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	PROBE1(reject, mailbox);
	if (!mailbox->operations->reject) {
		mailbox->operations->release(mailbox, message);
		return -EOPNOTSUPP;
	}
	mailbox->operations->reject(mailbox, message);
	return 0;
}
