/* SPDX-License-Identifier: MIT */
/*
 * The mailbox for messages that nobody could deal with.
 *
 * It is made when the first one comes. It has no limit, so that it does not
 * fill up while nobody looks, and the order, sizes and rights of the mailbox
 * that its messages come from, so that all of a message is kept and the same
 * people may see it.
 *
 * A message is sent there before it is released where it was: a crash in
 * between leaves two of it, never none. In between it is looked whether the
 * mailbox is there still. Whoever has read the dead letters may well remove it,
 * and then the message is sent again, to a new one.
 */
#include "dead_letters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define SUFFIX ".dead"

/* An inbox is one process's; its dead letters are anybody's: without the @. */
static int
default_name(const char *source, char *name, size_t size)
{
	const char *at = source + (*source == '/');
	size_t slash = (size_t)(at - source);
	int length = snprintf(name, size, "%.*s%s" SUFFIX, (int)slash, source,
			      at + (*at == '@'));

	return length < (int)size ? 0 : -ENAMETOOLONG;
}

int
dead_letters_name(struct dead_letters *letters, const char *source,
		  const char *name)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int error;

	letters->source = source;
	if (!name) {
		if (!default_name(source, letters->name, sizeof(letters->name)))
			return 0;
		complain("%s" SUFFIX " is too long a name; say where to put "
			 "what fails, with --dead-letter NAME",
			 source);
		return EXIT_USAGE;
	}
	if (strcmp(name, source) == 0) {
		complain("--dead-letter %s is the mailbox itself; to try again "
			 "for ever, say --attempts 0",
			 name);
		return EXIT_USAGE;
	}
	error = cubby_inspect(name, &info);
	if (error == -EINVAL || error == -ENAMETOOLONG)
		return complain_of(name, "send to", error);
	strcpy(letters->name, name);
	return 0;
}

/* As the source, but unlimited. */
static int
make(struct dead_letters *letters, const struct cubby_info *info,
     bool with_group)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	char group[24];
	int error;

	options.order = info->order;
	options.buffering = CUBBY_UNLIMITED;
	options.sizing = info->sizing;
	options.message_max = info->message_max;
	options.cell_size = info->cell_size;
	options.mode = info->mode;
	snprintf(group, sizeof(group), "%lu", (unsigned long)info->gid);
	if (with_group)
		options.group = group;
	error = cubby_open(letters->name, CUBBY_SEND | CUBBY_CREATE, &options,
			   &mailbox);
	if (!error)
		cubby_close(mailbox);
	return error;
}

/* -ESTALE: what was made has been removed already. */
static int
open_or_make(struct dead_letters *letters, const struct cubby_info *info)
{
	int error = target_open(&letters->target);

	if (error != -ENOENT)
		return error;
	error = make(letters, info, info->gid != getegid());
	if (error == -EPERM || error == -EACCES) /* not a group of ours */
		error = make(letters, info, false);
	if (error && error != -EEXIST) /* somebody else has just made it */
		return error;
	error = target_open(&letters->target);
	return error == -ENOENT ? -ESTALE : error;
}

/* One that was there before may be of another order. */
static void
look_for_priorities(struct dead_letters *letters,
		    const struct cubby_info *source)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	letters->has_no_priorities = 0;
	if (source->order != CUBBY_ORDER_PRIORITY ||
	    cubby_inspect(letters->name, &info) < 0 ||
	    info.order == CUBBY_ORDER_PRIORITY)
		return;
	letters->has_no_priorities = 1;
	complain("%s was not made with --order priority: the messages that go "
		 "there lose their priorities",
		 letters->name);
}

static int
complain_of_full(const struct dead_letters *letters)
{
	complain("%s is full; see what is in it (cubby receive --all %s), or "
		 "name another one with --dead-letter",
		 letters->name, letters->name);
	return EXIT_ERROR;
}

static int
complain_of_letters(const struct dead_letters *letters, int error)
{
	if (error == -EAGAIN)
		return complain_of_full(letters);
	if (error == -EMSGSIZE)
		complain("%s does not take messages of that size; name another "
			 "mailbox with --dead-letter",
			 letters->name);
	else if (error == -ENOENT)
		complain_of_root(letters->name);
	else
		complain_of(letters->name, "send to", error);
	return EXIT_ERROR;
}

/* Errors: those of cubby_send_full(); those of cubby_open(), if it cannot be
   opened; -ESTALE if it has been removed. */
static int
send_once(struct dead_letters *letters, const struct cubby_info *info,
	  const cubby_message *message, const struct cubby_envelope *envelope)
{
	struct cubby_envelope copy = CUBBY_ENVELOPE_INIT;
	int error = 0, gone;

	if (!letters->target.mailbox) {
		error = open_or_make(letters, info);
		if (error)
			return error;
		look_for_priorities(letters, info);
	}
	copy.tag = envelope->tag;
	copy.type = envelope->type;
	if (!letters->has_no_priorities)
		copy.priority = envelope->priority;
	do
		error = cubby_send_full(letters->target.mailbox,
					cubby_message_data(message),
					cubby_message_size(message), &copy, 0,
					CUBBY_NOW);
	while (error == -EINTR);
	gone = target_check(&letters->target);
	return gone ? gone : error;
}

int
dead_letters_add(struct dead_letters *letters, const struct cubby_info *info,
		 const cubby_message *message,
		 const struct cubby_envelope *envelope)
{
	int error;

	letters->target.name = letters->name;
	do
		error = send_once(letters, info, message, envelope);
	while (error == -ESTALE);
	return error ? complain_of_letters(letters, error) : 0;
}

void
dead_letters_close(struct dead_letters *letters)
{
	target_close(&letters->target);
}
