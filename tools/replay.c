/* SPDX-License-Identifier: MIT */
/*
 * cubby replay: what cubby record has written, sent again, or printed.
 *
 * Each message is due at a point of time counted from when it began, so that a
 * wait that took too long shortens those that follow, and nothing drifts.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "recording.h"
#include "table.h"
#include "watch.h"

#define NANOSECONDS INT64_C(1000000000)
#define ONE UINT64_C(1000000) /* a speed */

/* What a sender called itself. */
struct name {
	uint64_t sender;
	size_t size;
	char text[SENDER_NAME_MAX + 1];
};

struct replayer {
	const struct arguments *arguments;
	const char *path;
	const char *to;
	struct recording_reader reader;
	struct recording_head head;
	cubby_mailbox *mailbox;
	bool has_priorities;
	uint64_t from; /* ns after the recording began */
	uint64_t until;
	uint64_t speed; /* millionths; 0: no pauses */
	int64_t began;	/* on the monotonic clock */
	uint64_t count; /* sent or printed */
	struct name *names;
	size_t names_count;
};

static int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

/* Opening ---------------------------------------------------------------- */

static int
complain_of_file(const struct replayer *replayer, int error)
{
	const char *path = replayer->path;

	if (error == -EBADMSG && !replayer->reader.offset)
		complain("%s is not a recording", path);
	else if (error == -EBADMSG)
		complain("%s makes no sense at byte %" PRIu64, path,
			 replayer->reader.offset);
	else if (error == -EPROTO)
		complain("%s was made by a later version of cubby", path);
	else
		complain("cannot read %s: %s", path, strerror(-error));
	return EXIT_ERROR;
}

static int
open_file(struct replayer *replayer)
{
	bool is_input = strcmp(replayer->path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(replayer->path, "re");
	int error;

	if (!file)
		return complain_of_file(replayer, -errno);
	if (is_input)
		replayer->path = "standard input";
	replayer->reader.file = file;
	error = recording_read_head(&replayer->reader, &replayer->head);
	return error < 0 ? complain_of_file(replayer, error) : 0;
}

/* Like the one that was recorded. */
static void
options_of(const struct replayer *replayer, struct cubby_options *ret)
{
	const struct recording_head *head = &replayer->head;

	ret->order = head->order <= CUBBY_ORDER_PRIORITY ?
			     (enum cubby_order)head->order :
			     CUBBY_ORDER_SENDER;
	ret->sizing = head->flags & RECORDING_FIXED ? CUBBY_FIXED :
						      CUBBY_VARIABLE;
	ret->delivery = head->flags & RECORDING_OVERTAKE ?
				CUBBY_EVERY_OVERTAKE :
			head->flags & RECORDING_EVERY ? CUBBY_EVERY :
							CUBBY_ONE;
	ret->message_max = head->message_max;
}

static int
open_to(struct replayer *replayer)
{
	const struct arguments *arguments = replayer->arguments;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_info info = CUBBY_INFO_INIT;
	const char *as = text_of(arguments, OPTION_AS);
	int error;

	if (as && (!*as || strlen(as) > SENDER_NAME_MAX)) {
		complain("--as %s is not a sender's name: 1 to %d bytes", as,
			 SENDER_NAME_MAX);
		return EXIT_USAGE;
	}
	options.sender = as;
	error = cubby_open(replayer->to, CUBBY_SEND, &options,
			   &replayer->mailbox);
	if (error == -ENOENT && given(arguments, OPTION_CREATE)) {
		options_of(replayer, &options);
		error = cubby_open(replayer->to, CUBBY_SEND | CUBBY_CREATE,
				   &options, &replayer->mailbox);
	}
	if (error < 0)
		return complain_of(replayer->to, "send to", error);
	if (cubby_inspect(replayer->to, &info) == 0)
		replayer->has_priorities = info.order == CUBBY_ORDER_PRIORITY;
	return 0;
}

/* Names ------------------------------------------------------------------ */

static void
note_name(struct replayer *replayer, const struct recording_entry *entry)
{
	struct name *name;

	if (entry->size > SENDER_NAME_MAX)
		return;
	replayer->names = allocate(replayer->names,
				   (replayer->names_count + 1) *
					   sizeof(*replayer->names));
	name = &replayer->names[replayer->names_count++];
	name->sender = entry->sender;
	name->size = entry->size;
	memcpy(name->text, entry->data, entry->size);
}

static const struct name *
name_of(const struct replayer *replayer, uint64_t sender)
{
	for (size_t i = 0; i < replayer->names_count; i++)
		if (replayer->names[i].sender == sender)
			return &replayer->names[i];
	return NULL;
}

/* Sending, or printing --------------------------------------------------- */

static void
print(const struct replayer *replayer, const struct recording_entry *entry)
{
	const struct name *name = name_of(replayer, entry->sender);

	json_open('{');
	json_member_number("time", entry->time);
	json_member_number("sequence", entry->sequence);
	json_member_number("sender", entry->sender);
	if (name)
		json_member_bytes("sender_name", "sender_name_base64",
				  name->text, name->size);
	json_member_number("uid", entry->uid);
	json_member_number("tag", entry->tag);
	json_member_number("type", (uint64_t)entry->type);
	json_member_number("priority", entry->priority);
	json_member_number("size", entry->size);
	json_member_number("deliveries", entry->deliveries);
	if (entry->missed)
		json_member_number("missed", entry->missed);
	json_member_bytes("data", "base64", entry->data, entry->size);
	json_close('}');
	json_end_line();
}

/* time * ONE / speed, or `most` if that is less. (The product may have more than
   64 bits, and not every machine has wider numbers.) */
static uint64_t
pause_of(uint64_t time, uint64_t speed, uint64_t most)
{
	uint64_t whole = time / speed, rest = time % speed;

	if (whole > most / ONE)
		return most;
	/* Of so high a speed, what is less than a millionth is no matter. */
	rest = speed <= UINT64_MAX / ONE ? rest * ONE / speed :
					   rest / (speed / ONE);
	return whole * ONE > most - rest ? most : whole * ONE + rest;
}

/* Until the message is due. -EINTR: the command is to end. */
static int
wait_for(const struct replayer *replayer, uint64_t time)
{
	struct timespec until;
	int64_t due;

	if (!replayer->speed)
		return watch_cause() ? -EINTR : 0;
	due = replayer->began +
	      (int64_t)pause_of(time - replayer->from, replayer->speed,
				(uint64_t)(INT64_MAX - replayer->began));
	until.tv_sec = due / NANOSECONDS;
	until.tv_nsec = due % NANOSECONDS;
	while (!watch_cause() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
						 &until, NULL) == EINTR)
		continue;
	return watch_cause() ? -EINTR : 0;
}

static int
complain_of_send(const struct replayer *replayer,
		 const struct recording_entry *entry, int error)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (error == -EMSGSIZE && cubby_inspect(replayer->to, &info) == 0)
		complain("a message has %" PRIu64
			 " bytes, and %s takes messages "
			 "of %s %" PRIu64 "; %" PRIu64 " sent before",
			 entry->size, replayer->to,
			 info.sizing == CUBBY_FIXED ? "exactly" : "at most",
			 info.message_max, replayer->count);
	else if (error == -EPIPE)
		complain("the process that receives from %s has gone; %" PRIu64
			 " sent before",
			 replayer->to, replayer->count);
	else
		return complain_of(replayer->to, "send to", error);
	return EXIT_ERROR;
}

/* Returns 0, -EINTR or an error of the send. */
static int
send_again(struct replayer *replayer, const struct recording_entry *entry)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int result = wait_for(replayer, entry->time);

	if (result < 0)
		return result;
	envelope.tag = entry->tag;
	envelope.type = entry->type;
	if (replayer->has_priorities)
		envelope.priority = (int32_t)entry->priority;
	do
		result = cubby_send_full(replayer->mailbox, entry->data,
					 (size_t)entry->size, &envelope, 0,
					 CUBBY_FOREVER);
	while (result == -EINTR && !watch_cause());
	return result;
}

/* Tells what is wrong with the file, but not that it ends too early: all that
   is there has been replayed. */
static int
end_of_file(const struct replayer *replayer, int result)
{
	char text[COUNT_TEXT];

	if (result == 0)
		return EXIT_DONE;
	if (result != -ENODATA)
		return complain_of_file(replayer, result);
	complain(
		"%s was cut off: its recorder was killed, or a part is missing; "
		"%s there",
		replayer->path,
		count_text(text, replayer->count, "whole message"));
	return EXIT_DONE;
}

static int
replay_one(struct replayer *replayer, const struct recording_entry *entry)
{
	int result = 0;

	if (entry->kind == RECORDING_NAME) {
		note_name(replayer, entry);
		return EXIT_DONE;
	}
	if (entry->time < replayer->from)
		return EXIT_DONE;
	if (replayer->mailbox)
		result = send_again(replayer, entry);
	else
		print(replayer, entry);
	if (result == 0) {
		replayer->count++;
		return EXIT_DONE;
	}
	return result == -EINTR ? EXIT_ERROR :
				  complain_of_send(replayer, entry, result);
}

static int
replay(struct replayer *replayer)
{
	struct recording_entry entry;
	int result, code = EXIT_DONE;

	replayer->began = now();
	while (code == EXIT_DONE) {
		result = recording_read(&replayer->reader, &entry);
		if (result <= 0)
			return end_of_file(replayer, result);
		if (entry.time > replayer->until)
			break;
		code = replay_one(replayer, &entry);
	}
	return code;
}

static int
prepare(struct replayer *replayer)
{
	const struct arguments *arguments = replayer->arguments;
	int error, code = open_file(replayer);

	if (code || given(arguments, OPTION_JSON))
		return code;
	replayer->to = text_of(arguments, OPTION_TO);
	if (!replayer->to)
		replayer->to = replayer->head.name;
	code = open_to(replayer);
	if (code)
		return code;
	error = watch_start();
	return error < 0 ? complain_of(replayer->to, "send to", error) : 0;
}

int
run_replay(const struct arguments *arguments)
{
	struct replayer replayer = {
		.arguments = arguments,
		.path = arguments->words[0],
		.from = number_or(arguments, OPTION_FROM, 0),
		.until = number_or(arguments, OPTION_UNTIL, UINT64_MAX),
		.speed = number_or(arguments, OPTION_SPEED, ONE),
	};
	int code = prepare(&replayer);

	if (!code)
		code = replay(&replayer);
	cubby_close(replayer.mailbox);
	if (replayer.reader.file && replayer.reader.file != stdin)
		fclose(replayer.reader.file);
	free(replayer.reader.data);
	free(replayer.names);
	return code;
}
