/* SPDX-License-Identifier: MIT */
/* Layer 14. May include: base probe envelope parcel caller handle pollable message. */
/*
 * The public calls of request and reply: they check what they are given, send the
 * request as any other message, and leave the rest to caller.c and answers.c.
 */
#include "base.h"
#include "caller.h"
#include "envelope.h"
#include "handle.h"
#include "message.h"
#include "pollable.h"
#include "probe.h"

#include <stdlib.h>

/* What keeps a request that is under way from being taken. */
static int
check(void *context)
{
	struct cubby_mailbox *mailbox = context;

	return mailbox->operations->check(mailbox);
}

static int
check_call(const struct cubby_mailbox *mailbox, const void *data, size_t size,
	   const struct cubby_envelope *envelope)
{
	int r = message_check_send(mailbox, data, size, envelope);

	if (r < 0)
		return r;
	if (envelope && envelope->tag)
		return -EINVAL;
	return mailbox->operations->reply_word ? 0 : -EOPNOTSUPP;
}

/* As cubby_send() does in the plain case. */
static bool
is_plain(const struct cubby_mailbox *mailbox, size_t size,
	 const struct cubby_envelope *envelope)
{
	return likely(!envelope) && likely(size <= mailbox->plain_max) &&
	       likely(size >= mailbox->plain_min) &&
	       likely(!exclusion_is_needed()) &&
	       likely(sender_is_plain(&mailbox->sender));
}

static int
send_request(struct cubby_mailbox *mailbox, const void *data, size_t size,
	     struct cubby_envelope *envelope, int64_t deadline,
	     struct calling *calling)
{
	const struct operations *operations = mailbox->operations;
	struct parcel parcel = { .size = size, .call = true };
	struct sent sent;
	int r;

	r = caller_begin(&mailbox->caller, operations->reply_word(mailbox),
			 calling);
	if (unlikely(r < 0))
		return r;
	parcel.tag = caller_reference(&mailbox->caller, calling);
	if (envelope) {
		parcel.type = (uint64_t)envelope->type;
		parcel.priority = (uint32_t)envelope->priority;
	}
	if (likely(is_plain(mailbox, size, envelope))) {
		PROBE2(call, mailbox, size);
		lane_send(&mailbox->sender.writer, &parcel, data);
		return 0;
	}
	r = operations->send(mailbox, data, &parcel, false, deadline, &sent);
	if (unlikely(r < 0)) {
		caller_unsend(&mailbox->caller, calling);
	} else {
		PROBE2(call, mailbox, size);
		envelope_sent(envelope, sent.sender, sent.sequence);
	}
	return pollable_told(mailbox, CUBBY_SEND, r);
}

static int
wait_for(struct cubby_mailbox *mailbox, const struct calling *calling,
	 void *buffer, size_t size, size_t *ret_size, int64_t deadline)
{
	const struct caller_trust trust = {
		.check = check, .context = mailbox,
		.watched = mailbox->inbox,
	};
	size_t told = 0;
	int r;

	r = caller_wait(&mailbox->caller, calling, &trust, buffer, size, &told,
			deadline);
	if (ret_size && (r == 0 || r == -EMSGSIZE))
		*ret_size = told;
	return r;
}

int
cubby_call(cubby_mailbox *mailbox, const void *request, size_t request_size,
	   void *reply, size_t size, size_t *ret_size, int64_t deadline)
{
	struct calling calling;
	int r;

	r = check_call(mailbox, request, request_size, NULL);
	if (unlikely(r < 0))
		return r;
	if (!reply && size)
		return -EINVAL;
	r = send_request(mailbox, request, request_size, NULL, deadline,
			 &calling);
	if (unlikely(r < 0))
		return r;
	caller_fetch_next(&mailbox->caller);
	r = wait_for(mailbox, &calling, reply, size, ret_size, deadline);
	if (unlikely(caller_goes_on(r)))
		caller_cancel(&mailbox->caller, &calling);
	return r;
}

int
cubby_call_begin(cubby_mailbox *mailbox, const void *data, size_t size,
		 struct cubby_envelope *envelope, int64_t deadline,
		 cubby_request **ret)
{
	struct cubby_request *request;
	int r;

	r = check_call(mailbox, data, size, envelope);
	if (r < 0)
		return r;
	if (!ret)
		return -EINVAL;
	request = malloc(sizeof(*request));
	if (!request)
		return -ENOMEM;
	r = send_request(mailbox, data, size, envelope, deadline,
			 &request->calling);
	if (r < 0) {
		free(request);
		return r;
	}
	request->owner = mailbox;
	caller_list(&mailbox->caller, request);
	*ret = request;
	return 0;
}

int
cubby_call_end(cubby_request *request, void *buffer, size_t size,
	       size_t *ret_size, int64_t deadline)
{
	struct cubby_mailbox *mailbox = request->owner;
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if (!buffer && size)
		return -EINVAL;
	r = wait_for(mailbox, &request->calling, buffer, size, ret_size,
		     deadline);
	if (!caller_goes_on(r))
		caller_unlist(&mailbox->caller, request);
	return r;
}

void
cubby_call_cancel(cubby_request *request)
{
	struct cubby_mailbox *mailbox;

	if (!request)
		return;
	mailbox = request->owner;
	if (handle_check(mailbox, CUBBY_SEND) < 0)
		return;		/* a child's: freed with its handle */
	caller_cancel(&mailbox->caller, &request->calling);
	caller_unlist(&mailbox->caller, request);
}

int
cubby_reply(cubby_mailbox *mailbox, const struct cubby_envelope *request,
	    const void *data, size_t size)
{
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (unlikely(r < 0))
		return r;
	if ((!data && size) || !request || !envelope_tells_call(request) ||
	    !request->call || !request->sender)
		return -EINVAL;
	if (size > mailbox->message_max)
		return -EMSGSIZE;
	if (!mailbox->operations->reply)
		return -EOPNOTSUPP;
	r = mailbox->operations->reply(mailbox, request->sender - 1,
				       request->call, data, size);
	if (r == 0)
		PROBE2(reply, mailbox, size);
	return r;
}
