/* SPDX-License-Identifier: MIT */
/*
 * Errors, told so that one knows what happened, to which mailbox, and what to
 * do about it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "utf8.h"

/* Names are other people's: nothing of them may steer the terminal. */
static void
put_safely(const char *text)
{
	size_t left = strlen(text), size;

	for (; left; text += size, left -= size) {
		size = utf8_printable(text, left);
		if (*text == '\n' || *text == '\t')
			size = 1;
		if (size)
			fwrite(text, 1, size, stderr);
		else
			fprintf(stderr, "\\%03o", (unsigned char)*text);
		size += !size;
	}
}

void
complain(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	fputs("cubby: ", stderr);
	if (text)
		put_safely(text);
	else
		fputs("the memory of this process is used up", stderr);
	fputc('\n', stderr);
	free(text);
}

void
out_of_memory(void)
{
	complain("the memory of this process is used up");
	exit(EXIT_ERROR);
}

void *
allocate(void *old, size_t size)
{
	void *new = realloc(old, size ? size : 1);

	if (!new)
		out_of_memory();
	return new;
}

static const char *
root(void)
{
	const char *name = getenv("CUBBY_ROOT");

	return name && *name ? name : "/dev/shm";
}

static int
complain_of_name(const char *mailbox)
{
	complain(
		"%s is not a name for a mailbox or region: 1 to 200 bytes, no '/' but a "
		"leading one, not beginning with '.'",
		mailbox);
	return EXIT_USAGE;
}

int
complain_of_root(const char *mailbox)
{
	complain("cannot make %s: the directory %s does not exist", mailbox,
		 root());
	return EXIT_ERROR;
}

static int
complain_of_rights(const char *mailbox, const char *deed)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(mailbox, &info) == 0)
		complain("you may not %s %s: its mode is %04o, its owner user "
			 "%lu, its group %lu",
			 deed, mailbox, (unsigned int)info.mode,
			 (unsigned long)info.uid, (unsigned long)info.gid);
	else
		complain("you may not %s %s", deed, mailbox);
	return EXIT_ERROR;
}

int
complain_of(const char *mailbox, const char *deed, int error)
{
	switch (-error) {
	case ENOENT:
		complain("no mailbox %s; make it with: cubby create %s",
			 mailbox, mailbox);
		return EXIT_NO_MAILBOX;
	case EACCES:
		return complain_of_rights(mailbox, deed);
	case EINVAL:
	case ENAMETOOLONG:
		return complain_of_name(mailbox);
	case EPERM:
		complain("cannot %s %s: %s: %s", deed, mailbox, root(),
			 cubby_strerror(error));
		return EXIT_ERROR;
	case ENOSPC:
		complain("cannot %s %s: %s; see: df -h %s; cubby info %s", deed,
			 mailbox, cubby_strerror(error), root(), mailbox);
		return EXIT_ERROR;
	case EUSERS:
		complain("cannot %s %s: %s; see: cubby info %s", deed, mailbox,
			 cubby_strerror(error), mailbox);
		return EXIT_ERROR;
	case EPROTO:
		complain("cannot %s %s: %s; this is version %s", deed, mailbox,
			 cubby_strerror(error), cubby_version());
		return EXIT_ERROR;
	default:
		complain("cannot %s %s: %s", deed, mailbox,
			 cubby_strerror(error));
		return EXIT_ERROR;
	}
}

int64_t
deadline_of(const struct arguments *arguments)
{
	if (given(arguments, OPTION_TRY))
		return CUBBY_NOW;
	if (!given(arguments, OPTION_TIMEOUT))
		return CUBBY_FOREVER;
	return cubby_deadline_after(
		(int64_t)number_or(arguments, OPTION_TIMEOUT, 0));
}

/* One sender of a name at a time; and an inbox is one process's. */
static int
complain_of_busy(const char *mailbox, const char *deed, const char *sender)
{
	if (sender)
		complain("cannot %s %s: a sender called %s has it open already",
			 deed, mailbox, sender);
	else
		complain("cannot %s %s: another process does; an inbox (@NAME) "
			 "is one process's at a time",
			 deed, mailbox);
	return EXIT_ERROR;
}

static int
complain_of_open(const struct arguments *arguments, int roles, const char *deed,
		 int error)
{
	const char *name = arguments->words[0];
	const char *sender = text_of(arguments, OPTION_AS);

	if (error == -ENOENT && roles & CUBBY_CREATE)
		return complain_of_root(name);
	if (error == -EBUSY)
		return complain_of_busy(name, deed, sender);
	if (error == -EOPNOTSUPP && given(arguments, OPTION_LAST)) {
		complain("%s delivers each message to one receiver; --last is for "
			 "mailboxes made with --broadcast", name);
		return EXIT_ERROR;
	}
	return complain_of(name, deed, error);
}

int
open_mailbox(const struct arguments *arguments, int roles, const char *deed,
	     cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	int error;

	options.history = number_or(arguments, OPTION_LAST, 0);
	options.sender = text_of(arguments, OPTION_AS);
	if (options.sender &&
	    (!*options.sender || strlen(options.sender) > SENDER_NAME_MAX)) {
		complain("--as %s is not a sender's name: 1 to %d bytes",
			 options.sender, SENDER_NAME_MAX);
		return EXIT_USAGE;
	}
	if (given(arguments, OPTION_CREATE))
		roles |= CUBBY_CREATE;
	error = cubby_open(arguments->words[0], roles, &options, ret);
	return error < 0 ? complain_of_open(arguments, roles, deed, error) : 0;
}
