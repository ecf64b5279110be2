/* SPDX-License-Identifier: MIT */
/*
 * cubby region: which action, and with what; and the short ones: create, rm,
 * grant.
 */
#include "region.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "values.h"

int
region_complain(const char *name, const char *deed, int error)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	switch (-error) {
	case ENOENT:
		complain("no region %s; make it with: cubby region create %s",
			 name, name);
		return EXIT_NO_MAILBOX;
	case EACCES:
		if (cubby_region_inspect(name, &info) == 0)
			complain("you may not %s the region %s: its mode is "
				 "%04o, its owner user %lu, its group %lu",
				 deed, name, (unsigned int)info.mode,
				 (unsigned long)info.uid,
				 (unsigned long)info.gid);
		else
			complain("you may not %s the region %s", deed, name);
		return EXIT_ERROR;
	case EFBIG:
		if (cubby_region_inspect(name, &info) == 0)
			complain("the region %s cannot grow beyond %llu bytes; "
				 "see: cubby region create --max",
				 name, (unsigned long long)info.size_max);
		else
			complain("cannot %s the region %s: %s", deed, name,
				 cubby_strerror(error));
		return EXIT_ERROR;
	case ENOSPC:
	case EUSERS:
	case EBADMSG:
		complain("cannot %s the region %s: %s; see: cubby region ls "
			 "%s",
			 deed, name, cubby_strerror(error), name);
		return EXIT_ERROR;
	default:
		return complain_of(name, deed, error);
	}
}

/* create ----------------------------------------------------------------- */

static int
complain_of_create(const struct arguments *arguments, int error)
{
	const char *name = arguments->words[0];

	if (error == -EEXIST && given(arguments, OPTION_EXCLUSIVE))
		complain("the region %s exists already", name);
	else if (error == -EEXIST)
		complain("the region %s exists, with another size; see: cubby "
			 "region ls %s",
			 name, name);
	else if (error == -ENOENT)
		return complain_of_root(name);
	else
		return region_complain(name, "create", error);
	return EXIT_ERROR;
}

int
region_create(const struct arguments *arguments)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	int flags = CUBBY_CREATE;
	cubby_region *region;
	int error;

	options.size = number_or(arguments, OPTION_SIZE, 0);
	options.size_max = number_or(arguments, OPTION_MAX, 0);
	options.mode = (mode_t)number_or(arguments, OPTION_MODE, 0);
	options.group = text_of(arguments, OPTION_GROUP);
	if (options.size_max && options.size > options.size_max) {
		complain("--size %s is more than --max %s",
			 text_of(arguments, OPTION_SIZE),
			 text_of(arguments, OPTION_MAX));
		return EXIT_USAGE;
	}
	if (options.group && !is_group(options.group)) {
		complain("there is no group %s; see: getent group",
			 options.group);
		return EXIT_USAGE;
	}
	if (given(arguments, OPTION_EXCLUSIVE))
		flags |= CUBBY_EXCLUSIVE;
	error = cubby_region_open(arguments->words[0], flags, &options,
				  &region);
	if (error < 0)
		return complain_of_create(arguments, error);
	cubby_region_close(region);
	return EXIT_DONE;
}

/* rm --------------------------------------------------------------------- */

static int
region_rm(const struct arguments *arguments)
{
	int code = EXIT_DONE;

	for (int i = 0; i < arguments->count; i++) {
		int error = cubby_region_unlink(arguments->words[i]);

		if (error == -ENOENT && given(arguments, OPTION_FORCE))
			continue;
		if (error == -ENOENT) {
			complain("no region %s", arguments->words[i]);
			code = EXIT_NO_MAILBOX;
		} else if (error < 0) {
			code = region_complain(arguments->words[i], "remove",
					       error);
		}
	}
	return code;
}

/* grant ------------------------------------------------------------------ */

static int
read_rights(const char *text, int *ret)
{
	static const struct {
		const char *name;
		int rights;
	} all[] = {
		{ "none", CUBBY_REGION_NONE },
		{ "read", CUBBY_REGION_READ },
		{ "write", CUBBY_REGION_WRITE },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].name, text) == 0) {
			*ret = all[i].rights;
			return 0;
		}
	}
	complain("%s is not a right: none, read or write", text);
	return EXIT_USAGE;
}

static bool
has_prefix(const char *who)
{
	return strncmp(who, "user:", 5) == 0 || strncmp(who, "group:", 6) == 0;
}

/* -EINVAL is about the name of the region, or about who. */
static int
complain_of_grant(const char *name, const char *who, int error)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	if (error != -EINVAL || cubby_region_inspect(name, &info) == -EINVAL)
		return region_complain(name, "grant", error);
	complain("there is no %s", who);
	return EXIT_ERROR;
}

static int
region_grant(const struct arguments *arguments)
{
	const char *name = arguments->words[0], *who = arguments->words[1];
	int rights, error, code = read_rights(arguments->words[2], &rights);

	if (!code && !has_prefix(who)) {
		complain("%s is not user:NAME or group:NAME", who);
		code = EXIT_USAGE;
	}
	if (code)
		return code;
	error = cubby_region_grant(name, who, rights);
	return error < 0 ? complain_of_grant(name, who, error) : EXIT_DONE;
}

/* Which ------------------------------------------------------------------ */

#define TAKES(option) (UINT64_C(1) << OPTION_##option)

static const struct region_action actions[] = {
	{ "create", "NAME", 1, 1,
	  TAKES(SIZE) | TAKES(MAX) | TAKES(MODE) | TAKES(GROUP) |
		  TAKES(EXCLUSIVE),
	  region_create },
	{ "ls", "[NAME...]", 0, INT_MAX, TAKES(JSON), region_ls },
	{ "rm", "NAME...", 1, INT_MAX, TAKES(FORCE), region_rm },
	{ "dump", "NAME", 1, 1, TAKES(HEX), region_dump },
	{ "load", "NAME", 1, 1, 0, region_load },
	{ "grant", "NAME WHO RIGHT", 3, 3, 0, region_grant },
	{ "send", "MAILBOX", 1, 1, TAKES(TRY) | TAKES(TIMEOUT), region_send },
	{ "receive", "MAILBOX", 1, 1, TAKES(HEX) | TAKES(TRY) | TAKES(TIMEOUT),
	  region_receive },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

const struct region_action *
region_action(size_t n)
{
	return n < ACTIONS ? &actions[n] : NULL;
}

static const struct region_action *
find_action(const char *name)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	complain("region does not know %s; see: cubby help region", name);
	return NULL;
}

static int
check_words(const struct region_action *action, const struct arguments *arguments)
{
	if (arguments->count >= action->least_words &&
	    arguments->count <= action->most_words)
		return 0;
	complain("it is: cubby region %s %s; see: cubby help region",
		 action->name, action->words);
	return EXIT_USAGE;
}

/* An option of the verb that this action has no use for is a mistake. */
static int
check_options(const struct region_action *action, const struct arguments *arguments)
{
	for (int i = 0; i < OPTIONS_ALL; i++) {
		if (!given(arguments, i) || action->options & UINT64_C(1) << i)
			continue;
		complain("region %s has no option %s; see: cubby help region",
			 action->name, option_name(arguments, i));
		return EXIT_USAGE;
	}
	return 0;
}

int
run_region(const struct arguments *arguments)
{
	const struct region_action *action = find_action(arguments->words[0]);
	struct arguments its = *arguments;
	int code;

	if (!action)
		return EXIT_USAGE;
	its.words++;
	its.count--;
	code = check_words(action, &its);
	if (!code)
		code = check_options(action, &its);
	return code ? code : action->run(&its);
}
