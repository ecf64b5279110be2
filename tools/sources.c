/* SPDX-License-Identifier: MIT */
/*
 * Receiving from several mailboxes: those that have something are asked in
 * turns, so that none of them has to wait for another to be empty; when none
 * has, all of them are waited for at once.
 */
#include "sources.h"

#include <errno.h>
#include <stdlib.h>

#include "command.h"

int
sources_open(const struct arguments *arguments, struct sources *ret)
{
	size_t count = (size_t)arguments->count, i;
	struct source *source;
	int code = 0;

	ret->count = ret->turn = 0;
	ret->list = allocate(NULL, count * sizeof(*ret->list));
	ret->entries = allocate(NULL, count * sizeof(*ret->entries));
	for (i = 0; i < count && !code; i++) {
		source = &ret->list[i];
		source->arguments = *arguments;
		source->arguments.words += i;
		source->arguments.count = 1;
		source->cut = 0;
		code = open_mailbox(&source->arguments, CUBBY_RECEIVE,
				    "receive from", &source->mailbox);
		if (code)
			break;
		ret->entries[i] = (struct cubby_wait_entry){
			source->mailbox, CUBBY_RECEIVE, 0
		};
		ret->count++;
	}
	if (code)
		sources_close(ret);
	return code;
}

void
sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		cubby_close(sources->list[i].mailbox);
	free(sources->list);
	free(sources->entries);
}

/* Without waiting. -EAGAIN: none of them has one. */
static int
hold_any(struct sources *sources, const struct cubby_filter *filter,
	 struct source **ret_source, cubby_message **ret)
{
	int result = -EAGAIN;
	size_t i, n;

	for (i = 0; i < sources->count && result == -EAGAIN; i++) {
		n = (sources->turn + i) % sources->count;
		*ret_source = &sources->list[n];
		result = cubby_hold(sources->list[n].mailbox, filter, CUBBY_NOW,
				    ret);
		if (result != -EAGAIN)
			sources->turn = n + 1;
	}
	return result;
}

int
sources_hold(struct sources *sources, const struct cubby_filter *filter,
	     int64_t deadline, struct source **ret_source, cubby_message **ret)
{
	int result;

	*ret_source = sources->list;
	if (sources->count == 1)
		return cubby_hold(sources->list->mailbox, filter, deadline,
				  ret);
	for (;;) {
		result = hold_any(sources, filter, ret_source, ret);
		if (result != -EAGAIN || deadline == CUBBY_NOW)
			return result;
		result = cubby_wait(sources->entries, sources->count, deadline);
		if (result < 0)
			return result;
	}
}
