/* SPDX-License-Identifier: MIT */
/*
 * cubby record: what goes through a mailbox, into a file.
 *
 * Where every receiver gets every message, it is one more receiver, and steals
 * nothing. Where each message goes to one receiver, to read it is to take it,
 * or to stand in the others' way at the front of the queue, and to miss what
 * goes by meanwhile: so that is not done unasked. With --take it receives, and
 * with --to passes on what it has received.
 *
 * A message is released when it is in the file (and has been passed on): who is
 * killed on the way loses none, and may record one twice, the second time with
 * deliveries above 1. What waits already is written together; nothing is held
 * back while nothing comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "recording.h"
#include "target.h"
#include "watch.h"

#define BATCH 64
#define NANOSECONDS INT64_C(1000000000)

struct recorder {
	const struct arguments *arguments;
	const char *name;
	cubby_mailbox *mailbox;
	struct target to;  /* of no name: nothing is passed on */
	int64_t began;	   /* on the monotonic clock */
	uint64_t count;	   /* of messages */
	uint64_t missed;
	uint64_t cut;	   /* lanes that made no sense */
	uint64_t *senders; /* whose names have been written */
	size_t senders_count;
	cubby_message *held[BATCH];
	size_t held_count;
};

static int64_t
now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

/* Where from, and where to ----------------------------------------------- */

static int
check_delivery(const struct arguments *arguments, const struct cubby_info *info)
{
	const char *name = arguments->words[0];
	bool take = given(arguments, OPTION_TAKE);

	if (info->delivery == CUBBY_ONE && !take) {
		complain(
			"%s delivers each message to one receiver: who reads it "
			"takes it. Take them (--take, and --to NAME to pass them "
			"on), or make the mailbox with --broadcast",
			name);
		return EXIT_ERROR;
	}
	if (info->delivery != CUBBY_ONE && take) {
		complain("%s delivers every message to every receiver: nothing "
			 "has to be taken",
			 name);
		return EXIT_USAGE;
	}
	return 0;
}

static int
check_options(const struct arguments *arguments)
{
	const char *to = text_of(arguments, OPTION_TO);

	if (to && !given(arguments, OPTION_TAKE))
		complain("--to takes --take");
	else if (to && strcmp(to, arguments->words[0]) == 0)
		complain("--to %s would go round in a circle", to);
	else if (!text_of(arguments, OPTION_OUTPUT) && isatty(STDOUT_FILENO))
		complain(
			"a recording is not for a terminal; use --output FILE");
	else
		return 0;
	return EXIT_USAGE;
}

/* What is written goes to stdout from then on. */
static int
open_output(const char *path)
{
	int fd, error;

	if (!path || strcmp(path, "-") == 0)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0) {
		close(fd);
		return 0;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	complain("cannot write %s: %s", path, strerror(error));
	return EXIT_ERROR;
}

static int
open_to(struct target *to)
{
	int error = to->name ? target_open(to) : 0;

	return error < 0 ? complain_of(to->name, "send to", error) : 0;
}

/* Recording -------------------------------------------------------------- */

static void
write_head(struct recorder *recorder, const struct cubby_info *info)
{
	struct recording_head head = {
		.began = (uint64_t)now(CLOCK_REALTIME),
		.message_max = info->message_max,
		.order = info->order,
	};

	recorder->began = now(CLOCK_MONOTONIC);
	if (info->sizing == CUBBY_FIXED)
		head.flags |= RECORDING_FIXED;
	if (info->delivery != CUBBY_ONE)
		head.flags |= RECORDING_EVERY;
	if (info->delivery == CUBBY_EVERY_OVERTAKE)
		head.flags |= RECORDING_OVERTAKE;
	if (given(recorder->arguments, OPTION_TAKE))
		head.flags |= RECORDING_TAKEN;
	snprintf(head.name, sizeof(head.name), "%s", recorder->name);
	recording_write_head(&head);
}

static bool
is_named_already(struct recorder *recorder, uint64_t sender)
{
	for (size_t i = 0; i < recorder->senders_count; i++)
		if (recorder->senders[i] == sender)
			return true;
	recorder->senders = allocate(recorder->senders,
				     (recorder->senders_count + 1) *
					     sizeof(*recorder->senders));
	recorder->senders[recorder->senders_count++] = sender;
	return false;
}

/* Before the first message of a sender that has a name. */
static void
write_name(struct recorder *recorder, uint64_t sender, uint64_t time)
{
	char name[SENDER_NAME_MAX + 1] = "";
	struct recording_entry entry = {
		.kind = RECORDING_NAME,
		.time = time,
		.sender = sender,
		.data = name,
	};

	if (is_named_already(recorder, sender) ||
	    cubby_sender_name(recorder->mailbox, sender, name, sizeof(name)) <
		    0)
		return;
	entry.size = strlen(name);
	if (entry.size)
		recording_write(&entry);
}

static void
write_message(struct recorder *recorder, const cubby_message *message)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct recording_entry entry = {
		.kind = RECORDING_MESSAGE,
		.time = (uint64_t)(now(CLOCK_MONOTONIC) - recorder->began),
		.size = cubby_message_size(message),
		.data = cubby_message_data(message),
	};

	cubby_message_envelope(message, &envelope);
	write_name(recorder, envelope.sender, entry.time);
	entry.sender = envelope.sender;
	entry.sequence = envelope.sequence;
	entry.tag = envelope.tag;
	entry.type = envelope.type;
	entry.priority = (uint32_t)envelope.priority;
	entry.uid = envelope.uid;
	entry.deliveries = envelope.deliveries;
	entry.missed = envelope.missed;
	recording_write(&entry);
	recorder->count++;
	recorder->missed += envelope.missed;
}

static void
write_done(const struct recorder *recorder)
{
	const struct recording_entry entry = {
		.kind = RECORDING_DONE,
		.time = (uint64_t)(now(CLOCK_MONOTONIC) - recorder->began),
		.sequence = recorder->count,
		.missed = recorder->missed,
		.data = "",
	};

	recording_write(&entry);
}

/* Returns 0, or -EINTR, or -ESTALE: it was removed, or an error, told. */
static int
pass_on_once(struct recorder *recorder, const cubby_message *message,
	     struct cubby_envelope *envelope)
{
	struct target *to = &recorder->to;
	int result;

	do
		result = cubby_send_full(to->mailbox,
					 cubby_message_data(message),
					 cubby_message_size(message), envelope,
					 0, CUBBY_FOREVER);
	while (result == -EINTR && !watch_cause());
	if (result == 0)
		result = target_check(to);
	if (result < 0 && result != -EINTR && result != -ESTALE)
		complain_of(to->name, "send to", result);
	return result;
}

/* Again, if the mailbox was removed and there is another one. */
static int
pass_on(struct recorder *recorder, const cubby_message *message)
{
	struct cubby_envelope in = CUBBY_ENVELOPE_INIT;
	struct cubby_envelope out = CUBBY_ENVELOPE_INIT;
	int result;

	if (!recorder->to.name)
		return 0;
	cubby_message_envelope(message, &in);
	out.tag = in.tag;
	out.type = in.type;
	out.priority = in.priority;
	do {
		result = pass_on_once(recorder, message, &out);
		if (result == -ESTALE && open_to(&recorder->to) != 0)
			return -ECANCELED;
	} while (result == -ESTALE);
	return result;
}

/* All that is held is in the file, and passed on; then it is let go. Returns 0,
   or an error that has been told, or -EINTR. */
static int
settle(struct recorder *recorder)
{
	int result = output_flush();
	size_t done = 0;

	if (result < 0) {
		if (result != -EINTR)
			output_complain(result);
		return result;
	}
	while (result == 0 && done < recorder->held_count) {
		result = pass_on(recorder, recorder->held[done]);
		if (result == 0)
			cubby_release(recorder->held[done++]);
	}
	recorder->held_count -= done;
	memmove(recorder->held, recorder->held + done,
		recorder->held_count * sizeof(recorder->held[0]));
	return result;
}

/* A lane that makes no sense is cut off, and told of once; the others go on. */
static bool
cut_off(struct recorder *recorder)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(recorder->name, &info) < 0 ||
	    ++recorder->cut > info.lanes)
		return false;
	complain("%s: what a sender left there makes no sense; it is cut off, "
		 "the others go on",
		 recorder->name);
	return true;
}

/* What is there is written together; before a wait, all is settled. */
static int
hold_next(struct recorder *recorder)
{
	cubby_message **held = &recorder->held[recorder->held_count];
	int result = -EAGAIN;

	if (recorder->held_count < BATCH)
		result = cubby_hold(recorder->mailbox, NULL, CUBBY_NOW, held);
	if (result != -EAGAIN && result != -ENOSPC)
		return result;
	if (recorder->held_count) {
		result = settle(recorder);
		return result < 0 ? -ECANCELED : -EAGAIN;
	}
	if (given(recorder->arguments, OPTION_ALL))
		return -ENODATA;
	return cubby_hold(recorder->mailbox, NULL,
			  deadline_of(recorder->arguments), held);
}

/* -ENODATA: the mailbox is empty, with --all; -ECANCELED: it has been told. */
static int
record_wanted(struct recorder *recorder)
{
	uint64_t wanted = number_or(recorder->arguments, OPTION_COUNT,
				    UINT64_MAX);
	int result;

	while (recorder->count < wanted) {
		if (watch_cause())
			return -EINTR;
		result = hold_next(recorder);
		if (result == 0)
			write_message(recorder,
				      recorder->held[recorder->held_count++]);
		else if (result != -EAGAIN && result != -EINTR &&
			 !(result == -EBADMSG && cut_off(recorder)))
			return result;
	}
	return 0;
}

static int
finish(struct recorder *recorder, int result)
{
	int error = 0;

	if (result != -ECANCELED)
		error = settle(recorder);
	/* Though a signal ends the command, the file is whole. */
	if (result != -ECANCELED && (error == 0 || error == -EINTR))
		write_done(recorder);
	if (recorder->missed)
		complain("%s: %" PRIu64 " messages were overtaken before they "
			 "could be recorded",
			 recorder->name, recorder->missed);
	if (error || result == -ECANCELED || (recorder->cut && !result))
		return EXIT_ERROR;
	if (result == 0 || result == -ENODATA || result == -EINTR)
		return EXIT_DONE;
	return message_complain(recorder->arguments, result);
}

static int
record(struct recorder *recorder, const struct cubby_info *info)
{
	int result;

	write_head(recorder, info);
	result = output_flush();
	if (result == 0)
		result = watch_start();
	if (result < 0)
		return output_complain(result);
	return finish(recorder, record_wanted(recorder));
}

int
run_record(const struct arguments *arguments)
{
	struct recorder recorder = {
		.arguments = arguments,
		.name = arguments->words[0],
		.to = { .name = text_of(arguments, OPTION_TO) },
	};
	struct cubby_info info = CUBBY_INFO_INIT;
	int error, code = check_options(arguments);

	if (code)
		return code;
	error = cubby_inspect(recorder.name, &info);
	if (error < 0)
		return complain_of(recorder.name, "look at", error);
	code = check_delivery(arguments, &info);
	if (!code)
		code = open_mailbox(arguments, CUBBY_RECEIVE, "receive from",
				    &recorder.mailbox);
	if (!code)
		code = open_to(&recorder.to);
	if (!code)
		code = open_output(text_of(arguments, OPTION_OUTPUT));
	if (!code)
		code = record(&recorder, &info);
	target_close(&recorder.to);
	cubby_close(recorder.mailbox);
	free(recorder.senders);
	return code;
}
