/* SPDX-License-Identifier: MIT */
/*
 * cubby receive: hold, write, then release.
 *
 * A message is released only when all its bytes have been written, and into a
 * pipe only when they have been read too: what its reader leaves in the pipe is
 * lost as surely as what never got there. What is not released when something
 * fails, or a signal ends the command, goes back when the mailbox is closed:
 * the next receiver gets it.
 *
 * Into a file or a terminal, messages that wait already are written together.
 * Into a pipe they go one at a time, the next when the reader has taken the
 * last. It is not waited for when the command has printed one message in all:
 * somebody may wait for the command to end before reading what it said.
 *
 * Nothing is held back: the buffer is flushed whenever no further message
 * waits.
 */
#include <errno.h>
#include <stdbool.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "sources.h"
#include "watch.h"

#define BATCH 64

struct held {
	cubby_message *message;
	struct source *source;
	uint64_t end; /* bytes of output up to its end */
};

struct receiver {
	const struct arguments *arguments;
	struct sources sources;
	struct source *failed; /* what an error is about */
	struct cubby_filter filter;
	uint64_t wanted; /* messages */
	uint64_t printed;
	bool until_empty; /* --all */
	bool one_by_one;  /* stdout is a pipe, and no --batch */
	bool damaged;	  /* what was printed may be wrong, or lacks */
	int write_error;
	uint64_t arrived; /* bytes of output; in a pipe: that were read */
	size_t count;	  /* of held ones */
	struct held batch[BATCH + 1];
};

static const char *
name_of(const struct source *source)
{
	return source->arguments.words[0];
}

static void
release(struct receiver *receiver, const struct held *held)
{
	if (cubby_release(held->message) >= 0)
		return;
	complain("%s: a message was damaged by its sender while it was printed",
		 name_of(held->source));
	receiver->damaged = true;
}

/* Releases those whose bytes have arrived to the last. */
static void
settle(struct receiver *receiver)
{
	struct held *batch = receiver->batch;
	size_t done = 0;

	while (done < receiver->count && batch[done].end <= receiver->arrived)
		release(receiver, &batch[done++]);
	receiver->count -= done;
	for (size_t i = 0; i < receiver->count; i++)
		batch[i] = batch[done + i];
}

/*
 * Writes out what has been printed, and releases it. is_last: no more is to
 * come.
 */
static int
deliver(struct receiver *receiver, bool is_last)
{
	bool wait = receiver->one_by_one &&
		    !(is_last && receiver->printed == 1);
	int error = output_flush();

	if (wait && !error)
		error = output_wait_read();
	if (!wait || !error)
		receiver->arrived = output_written();
	settle(receiver);
	receiver->write_error = error;
	return error;
}

/*
 * A lane that makes no sense is cut off and told of once, which is not to end
 * everybody else's service. Told of more often than there are lanes, it is the
 * mailbox that makes no sense. Returns whether to go on.
 */
static bool
cut_off(struct receiver *receiver)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	struct source *source = receiver->failed;

	if (cubby_inspect(name_of(source), &info) < 0 ||
	    ++source->cut > info.lanes)
		return false;
	complain("%s: what a sender left there makes no sense; it is cut off, "
		 "the others go on; see: cubby info %s",
		 name_of(source), name_of(source));
	receiver->damaged = true;
	return true;
}

/* Holds one more message. */
static int
hold(struct receiver *receiver, int64_t deadline)
{
	struct held *held = &receiver->batch[receiver->count];
	int result;

	do {
		if (watch_cause())
			return -EINTR;
		result = sources_hold(&receiver->sources, &receiver->filter,
				      deadline, &held->source, &held->message);
		receiver->failed = held->source;
	} while (result == -EINTR || (result == -EBADMSG && cut_off(receiver)));
	if (result == 0) {
		held->end = UINT64_MAX;
		receiver->count++;
	}
	return result;
}

/*
 * Holds the next message; delivers what has been printed before it waits for
 * one. Returns -EAGAIN at the end of --all.
 */
static int
hold_next(struct receiver *receiver)
{
	bool waits = !receiver->until_empty ||
		     given(receiver->arguments, OPTION_TIMEOUT);
	bool holds = receiver->count > 0;
	int result = hold(receiver, CUBBY_NOW);
	int error;

	/* ENOSPC: no more can be held at a time. */
	if (!(result == -EAGAIN && waits) && !(result == -ENOSPC && holds))
		return result;
	error = deliver(receiver, false);
	if (!error)
		error = watch_start();
	if (error)
		return error;
	return hold(receiver, deadline_of(receiver->arguments));
}

static void
print_last(struct receiver *receiver)
{
	struct held *held = &receiver->batch[receiver->count - 1];
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	bool named = given(receiver->arguments, OPTION_WITH_NAME) ||
		     (receiver->sources.count > 1 &&
		      given(receiver->arguments, OPTION_JSON));

	cubby_message_envelope(held->message, &envelope);
	message_print(&held->source->arguments,
		      named ? name_of(held->source) : NULL,
		      held->source->mailbox,
		      cubby_message_data(held->message),
		      cubby_message_size(held->message), &envelope);
	held->end = output_taken();
	receiver->printed++;
}

/* Returns 0, or why it ended before it had printed all that was wanted. */
static int
receive_wanted(struct receiver *receiver)
{
	size_t most = receiver->one_by_one ? 1 : BATCH;
	int result;

	while (receiver->printed < receiver->wanted) {
		result = hold_next(receiver);
		if (result == 0 && receiver->count > most)
			result = deliver(receiver, false);
		if (result < 0)
			return result;
		print_last(receiver);
	}
	return 0;
}

/* Of one mailbox; or, none has a message, of all of them. */
static int
complain_of_result(const struct receiver *receiver, int error)
{
	if (receiver->sources.count == 1 ||
	    (error != -EAGAIN && error != -ETIMEDOUT))
		return message_complain(&receiver->failed->arguments, error);
	if (error == -EAGAIN)
		complain("none of the %zu mailboxes has a message",
			 receiver->sources.count);
	else
		complain("no message came within %s in any of %zu mailboxes",
			 text_of(receiver->arguments, OPTION_TIMEOUT),
			 receiver->sources.count);
	return error == -EAGAIN ? EXIT_NOTHING : EXIT_LATE;
}

/* Delivers the rest and tells how it ended. Returns the exit code. */
static int
finish(struct receiver *receiver, int result)
{
	bool is_empty = result == -EAGAIN || result == -ETIMEDOUT;

	if (!receiver->write_error && result != -EINTR)
		deliver(receiver, true);
	if (receiver->write_error)
		return output_complain(receiver->write_error);
	if (result == -EINTR)
		return EXIT_ERROR;
	if (is_empty && receiver->until_empty &&
	    (receiver->printed || !given(receiver->arguments, OPTION_TRY)))
		result = 0;
	if (result < 0)
		return complain_of_result(receiver, result);
	return receiver->damaged ? EXIT_ERROR : EXIT_DONE;
}

/*
 * One message that is there already needs no watch, which costs a thread: to
 * be killed on the way gives it back as well.
 */
static int
receive(struct receiver *receiver)
{
	const struct arguments *arguments = receiver->arguments;
	bool many = given(arguments, OPTION_ALL) ||
		    given(arguments, OPTION_FOLLOW);
	int result = 0;

	receiver->until_empty = given(arguments, OPTION_ALL);
	receiver->wanted = number_or(arguments, OPTION_COUNT,
				     many ? UINT64_MAX : 1);
	receiver->one_by_one = !given(arguments, OPTION_BATCH) &&
			       output_narrow_pipe();
	if (receiver->wanted > 1)
		result = watch_start();
	if (!result)
		result = receive_wanted(receiver);
	return finish(receiver, result);
}

/* A message that is not wanted would make its mailbox ready for ever. */
static int
check_choice(const struct arguments *arguments)
{
	static const enum option_id choices[] = {
		OPTION_FROM, OPTION_TYPE, OPTION_NOT_TYPE, OPTION_TYPE_UP_TO
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (arguments->count == 1 || !given(arguments, choices[i]))
			continue;
		complain("%s takes one mailbox, not several",
			 option_name(arguments, choices[i]));
		return EXIT_USAGE;
	}
	return 0;
}

int
run_receive(const struct arguments *arguments)
{
	struct receiver receiver = {
		.arguments = arguments,
		.filter = CUBBY_FILTER_INIT,
	};
	int code = message_check_options(arguments);

	if (!code)
		code = check_choice(arguments);
	if (!code)
		code = sources_open(arguments, &receiver.sources);
	if (code)
		return code;
	code = message_filter(arguments, &receiver.filter);
	if (!code)
		code = receive(&receiver);
	sources_close(&receiver.sources);
	return code;
}
