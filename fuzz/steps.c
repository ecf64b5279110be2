/* SPDX-License-Identifier: MIT */
/* Each step that a script may take, on one of its handles. */
#include "play.h"
#include <poll.h>

typedef void
step(struct play *play, struct script *script, int handle);

/* Sending ------------------------------------------------------------------ */

static void
send_one(struct play *play, struct script *script, int handle)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint8_t how = script_byte(script);
	size_t size = message_make(play, handle, script_byte(script), 0);
	int64_t deadline = deadline_of(script);
	int result;

	envelope.type = how >> 2 & 3;
	if (envelope.type == 3)
		envelope.type = INT64_C(1) << 40;
	envelope.tag = how;
	if (play->kind == KIND_PRIORITY)
		envelope.priority = how >> 4;
	result = CALL(cubby_send_full(play->handles[handle], play->buffer, size,
				      how & 2 ? &envelope : NULL,
				      how & 1 && deadline ? CUBBY_SYNCHRONOUS :
							    0,
				      deadline),
		      "cubby_send_full", SEND_FULL_ERRORS);
	if (result == 0 || result == -EINPROGRESS) {
		message_sent(play, handle, 1);
		play->sequences[handle] = envelope.sequence;
	}
}

static void
send_many(struct play *play, struct script *script, int handle)
{
	static struct cubby_batch_entry entries[40];
	static unsigned char bytes[40][256];
	size_t count = script_byte(script) % COUNT_OF(entries), i;
	uint8_t how = script_byte(script);
	int result;

	for (i = 0; i < count; i++) {
		entries[i].size = message_make(play, handle, how % 128, i);
		entries[i].data = bytes[i];
		entries[i].envelope = NULL;
		memcpy(bytes[i], play->buffer, sizeof(bytes[i]));
	}
	result = CALL(cubby_send_batch(play->handles[handle], entries, count, 0,
				       deadline_of(script)),
		      "cubby_send_batch", SEND_BATCH_ERRORS);
	if (result > (int)count)
		finding("cubby_send_batch has sent %d of %zu", result, count);
	if (result > 0)
		message_sent(play, handle, (uint64_t)result);
}

static void
reserve(struct play *play, struct script *script, int handle)
{
	uint8_t how = script_byte(script);
	size_t size = message_make(play, handle, how, 0);

	if (play->drafts[handle]) {
		cubby_abort(play->drafts[handle]);
		play->drafts[handle] = NULL;
	}
	CALL(cubby_reserve(play->handles[handle], size, deadline_of(script),
			   &play->drafts[handle]),
	     "cubby_reserve", RESERVE_ERRORS);
}

static void
commit(struct play *play, struct script *script, int handle)
{
	cubby_draft *draft = play->drafts[handle];
	size_t size;

	(void)script;
	if (!draft)
		return;
	size = cubby_draft_size(draft);
	message_make(play, handle, 255, 0);
	memcpy(cubby_draft_data(draft), play->buffer, size);
	if (CALL(cubby_commit(draft, size, NULL), "cubby_commit",
		 COMMIT_ERRORS))
		return;
	message_sent(play, handle, 1);
	play->drafts[handle] = NULL;
}

static void
abort_draft(struct play *play, struct script *script, int handle)
{
	(void)script;
	cubby_abort(play->drafts[handle]);
	play->drafts[handle] = NULL;
}

static void
wait_received(struct play *play, struct script *script, int handle)
{
	uint64_t sequence = 0, tag;

	if (CALL(cubby_published(play->handles[handle], &sequence, &tag),
		 "cubby_published", EBADF))
		return;
	if (script_byte(script) & 1)
		sequence = play->sequences[handle];
	CALL(cubby_wait_received(play->handles[handle], sequence,
				 deadline_of(script)),
	     "cubby_wait_received", WAIT_RECEIVED_ERRORS);
}

/* Receiving ---------------------------------------------------------------- */

static const struct cubby_filter *
filter_of(struct play *play, struct script *script)
{
	static struct cubby_filter filter;
	uint8_t how = script_byte(script);

	if (how < 0xc0 || play->good >= 0)
		return NULL;
	filter = (struct cubby_filter)CUBBY_FILTER_INIT;
	if (how & 1)
		filter.sender = script_value(script);
	if (how & 2 && play->kind >= KIND_ARRIVAL) {
		filter.matching = how >> 2 & 3;
		filter.type = 1 + (how >> 4 & 1);
	}
	if (how & 32)
		filter.sender_name = "n";
	return &filter;
}

static void
receive_one(struct play *play, struct script *script, int handle)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint8_t how = script_byte(script);
	size_t room = how & 2 ? (size_t)how : 4096, size = 0;
	const struct cubby_filter *filter = filter_of(play, script);
	int result;

	memset(play->buffer, 0x77, room + 1);
	result = CALL(cubby_receive_full(play->handles[handle], filter,
					 how & 1 ? CUBBY_PEEK : 0,
					 deadline_of(script), play->buffer,
					 room, &size, &envelope),
		      "cubby_receive_full", RECEIVE_FULL_ERRORS);
	if (play->buffer[room] != 0x77)
		finding("a byte beyond the buffer was written");
	if (result == -EMSGSIZE && size <= room)
		finding("%zu bytes do not fit into %zu", size, room);
	if (result)
		return;
	if (size > room)
		finding("%zu bytes were received into %zu", size, room);
	message_seen(play, &envelope, play->buffer, size, !(how & 1));
	if (envelope.call)
		play->asked = envelope;
}

static void
receive_many(struct play *play, struct script *script, int handle)
{
	static struct cubby_batch_entry entries[40];
	static struct cubby_envelope envelopes[40];
	size_t count = script_byte(script) % COUNT_OF(entries), i;
	uint8_t how = script_byte(script);
	size_t size = (size_t)how * 16;
	const struct cubby_filter *filter = filter_of(play, script);
	const unsigned char *bytes;
	int result;

	for (i = 0; i < count; i++) {
		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		entries[i] =
			(struct cubby_batch_entry){ .envelope = &envelopes[i] };
	}
	result = CALL(cubby_receive_batch(play->handles[handle], filter, 0,
					  deadline_of(script), entries, count,
					  play->buffer, size),
		      "cubby_receive_batch", RECEIVE_FULL_ERRORS);
	if (result > (int)count)
		finding("%d of %zu were received", result, count);
	for (i = 0; (int)i < result; i++) {
		bytes = entries[i].data;
		if (bytes < play->buffer || entries[i].size > size ||
		    bytes + entries[i].size > play->buffer + size)
			finding("entry %zu lies outside of the buffer", i);
		message_seen(play, &envelopes[i], bytes, entries[i].size, true);
	}
}

void
play_release(struct play *play, int handle)
{
	cubby_message *message = play->messages[handle];

	play->messages[handle] = NULL;
	CALL(cubby_release(message), "cubby_release", EBADMSG);
}

/* So large can only be what is let be by attributes that have been patched. */
static void
see_large(struct play *play, const unsigned char *bytes, size_t size)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(play->name, &info) == 0 && size > info.message_max)
		finding("%zu bytes are held", size);
	for (size_t i = 0; i < size; i += 4096)
		play->buffer[0] ^= bytes[i];
}

static void
hold(struct play *play, struct script *script, int handle)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	const struct cubby_filter *filter = filter_of(play, script);
	const unsigned char *bytes;
	cubby_message *message;
	size_t size;

	if (play->messages[handle])
		play_release(play, handle);
	if (CALL(cubby_hold(play->handles[handle], filter, deadline_of(script),
			    &play->messages[handle]),
		 "cubby_hold", HOLD_ERRORS))
		return;
	message = play->messages[handle];
	CALL(cubby_message_envelope(message, &envelope),
	     "cubby_message_envelope", EINVAL);
	size = cubby_message_size(message);
	bytes = cubby_message_data(message);
	if (size > BUFFER) {
		see_large(play, bytes, size);
		return;
	}
	memcpy(play->buffer, bytes, size);
	message_seen(play, &envelope, play->buffer, size, true);
	if (envelope.call)
		play->asked = envelope;
}

static void
release(struct play *play, struct script *script, int handle)
{
	(void)script;
	if (play->messages[handle])
		play_release(play, handle);
}

static void
reject(struct play *play, struct script *script, int handle)
{
	cubby_message *message = play->messages[handle];

	(void)script;
	if (!message)
		return;
	play->messages[handle] = NULL;
	CALL(cubby_reject(message), "cubby_reject", EOPNOTSUPP);
}

static void
sender_name(struct play *play, struct script *script, int handle)
{
	char name[64];
	size_t size = script_byte(script) & 1 ? 64 : 2;

	if (CALL(cubby_sender_name(play->handles[handle], script_value(script),
				   name, size),
		 "cubby_sender_name", EBADF, EINVAL, EMSGSIZE, EACCES, ENOENT,
		 ENOMEM))
		return;
	if (strnlen(name, size) == size)
		finding("a sender's name has no end");
}

/* Waiting ------------------------------------------------------------------ */

static void
wait_for_several(struct play *play, struct script *script, int handle)
{
	struct cubby_wait_entry entries[HANDLES];
	uint8_t how = script_byte(script);
	size_t count = 0;

	(void)handle;
	for (int i = 0; i < HANDLES; i++) {
		if (!play->handles[i] || !(how >> 2 * i & 3))
			continue;
		entries[count].mailbox = play->handles[i];
		entries[count++].events = how >> 2 * i & 3;
	}
	CALL(cubby_wait(entries, count, deadline_of(script)), "cubby_wait",
	     EAGAIN, EBADF, EINVAL, ENOMEM, ENOSPC, ETIMEDOUT, EUSERS);
}

static void
descriptor(struct play *play, struct script *script, int handle)
{
	struct pollfd entry = { .events = POLLIN };
	int role = script_byte(script) & 1 ? CUBBY_SEND : CUBBY_RECEIVE;

	entry.fd = CALL(cubby_fd(play->handles[handle], role), "cubby_fd",
			EBADF, EBADMSG, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP,
			EACCES, ENOENT);
	if (entry.fd >= 0)
		need(poll(&entry, 1, 0) >= 0);
}

/* Request and reply -------------------------------------------------------- */

static void
call_begin(struct play *play, struct script *script, int handle)
{
	size_t size;

	if (handle == play->good)
		return;
	cubby_call_cancel(play->requests[handle]);
	play->requests[handle] = NULL;
	size = message_make(play, handle, script_byte(script), 0);
	CALL(cubby_call_begin(play->handles[handle], play->buffer, size, NULL,
			      deadline_of(script), &play->requests[handle]),
	     "cubby_call_begin", CALL_BEGIN_ERRORS);
}

static void
call_end(struct play *play, struct script *script, int handle)
{
	size_t room = (size_t)script_byte(script) * 16, size = 0;
	int result;

	if (!play->requests[handle])
		return;
	play->buffer[room] = 0x77;
	result = CALL(cubby_call_end(play->requests[handle], play->buffer, room,
				     &size, deadline_of(script)),
		      "cubby_call_end", EAGAIN, EBADMSG, EINVAL, EMSGSIZE,
		      EPIPE, ETIMEDOUT);
	if (play->buffer[room] != 0x77)
		finding("a byte beyond the buffer was written");
	if (result == 0 && size > room)
		finding("a reply of %zu bytes in %zu", size, room);
	if (result == -EMSGSIZE && size <= room)
		finding("a reply of %zu bytes does not fit %zu", size, room);
	if (result != -EAGAIN && result != -ETIMEDOUT && result != -EMSGSIZE &&
	    result != -EINVAL)
		play->requests[handle] = NULL;
}

static void
call_cancel(struct play *play, struct script *script, int handle)
{
	(void)script;
	cubby_call_cancel(play->requests[handle]);
	play->requests[handle] = NULL;
}

static void
reply(struct play *play, struct script *script, int handle)
{
	uint8_t how = script_byte(script);
	size_t size = message_make(play, -2, script_byte(script), 0);

	if (how & 0x80)
		play->asked.call = script_value(script);
	CALL(cubby_reply(play->handles[handle], &play->asked, play->buffer,
			 size),
	     "cubby_reply", EBADF, EINVAL, EMSGSIZE, ENOSPC, EOPNOTSUPP, EPIPE,
	     ENOMEM, EACCES);
}

/* Looking and cleaning up -------------------------------------------------- */

static int
see_sender(const struct cubby_sender_info *sender, void *context)
{
	uint64_t *count = context;

	if (strnlen(sender->name, sizeof(sender->name)) == sizeof(sender->name))
		finding("a sender's name has no end");
	return ++*count > 100000 ? 1 : 0;
}

static int
see_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	uint64_t *count = context;

	(void)receiver;
	return ++*count > 100000 ? 1 : 0;
}

static int
see_name(const char *name, void *context)
{
	(void)context;
	return strlen(name) > CUBBY_NAME_MAX + 1;
}

static void
look(struct play *play, struct script *script, int handle)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	uint64_t count = 0;

	(void)script;
	(void)handle;
	CALL(cubby_inspect(play->name, &info), "cubby_inspect", INSPECT_ERRORS);
	if (CALL(cubby_inspect_senders(play->name, see_sender, &count),
		 "cubby_inspect_senders", INSPECT_ERRORS) > 0)
		finding("there is no end of senders");
	count = 0;
	if (CALL(cubby_inspect_receivers(play->name, see_receiver, &count),
		 "cubby_inspect_receivers", INSPECT_ERRORS) > 0)
		finding("there is no end of receivers");
	CALL(cubby_list(see_name, NULL), "cubby_list", ENOMEM, EPERM);
}

static void
sweep(struct play *play, struct script *script, int handle)
{
	(void)handle;
	CALL(cubby_sweep(script_byte(script) & 1 ? play->name : NULL, NULL),
	     "cubby_sweep", INSPECT_ERRORS);
}

static void
unlink_it(struct play *play, struct script *script, int handle)
{
	(void)handle;
	if (script_byte(script) & 3 || play->good >= 0)
		return;
	CALL(cubby_unlink(play->name), "cubby_unlink", EACCES, EINVAL, ENOENT,
	     ENOTDIR, EPERM);
}

/* To open is slow, and leads to much that is new: without a bound, inputs would
   come to do little else. */
#define OPENED_MAX 6

static void
open_one(struct play *play, struct script *script, int handle)
{
	uint8_t how = script_byte(script);
	int flags = how & BOTH;

	if (handle == play->good || play->opened == OPENED_MAX)
		return;
	play->opened++;
	if (how & 4)
		flags |= CUBBY_CREATE;
	if (how & 8)
		flags |= CUBBY_TRUST_SENDERS;
	play_open(play, handle, flags, how & 16 && how & 1 ? "n" : NULL);
}

static void
close_one(struct play *play, struct script *script, int handle)
{
	(void)script;
	if (handle != play->good)
		play_close(play, handle);
}

static void
patch_now(struct play *play, struct script *script, int handle)
{
	(void)handle;
	if (play->parts)
		patch(script, play->parts, play->truncate);
}

/* -------------------------------------------------------------------------- */

static step *const steps[] = {
	patch_now,  open_one,	  send_one,	 receive_one, hold,
	send_many,  receive_many, release,	 reject,      reserve,
	commit,	    abort_draft,  wait_received, sender_name, wait_for_several,
	descriptor, call_begin,	  call_end,	 call_cancel, reply,
	look,	    sweep,	  unlink_it,	 close_one,
};

void
play_step(struct play *play, struct script *script)
{
	uint8_t which = script_byte(script), handle = which >> 5 & 3;
	step *next;

	which &= 31;
	if (play->kind == KIND_REGION && which & 16) {
		region_step(play, script, which & 15, handle);
		return;
	}
	next = steps[which % COUNT_OF(steps)];
	if (!play->handles[handle] && next != patch_now && next != look &&
	    next != sweep && next != unlink_it && next != wait_for_several)
		next = open_one;
	next(play, script, handle);
}
