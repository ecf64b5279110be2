/* SPDX-License-Identifier: MIT */
/* cubby as a contender: copied, in place, and in place untouched. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cubby.h>

#include "tradeoffs.h"

#define THERE "there"
#define BACK "back"

struct made {
	size_t size, depth;
};

struct end {
	cubby_mailbox *in, *out;
};

/* The mailboxes are made by whoever joins first. */
int
ours_make(size_t size, size_t depth, void **ret)
{
	struct made *made = malloc(sizeof(*made));

	if (!made)
		return -ENOMEM;
	*made = (struct made){ size, depth };
	*ret = made;
	return 0;
}

void
ours_unmake(void *made)
{
	cubby_unlink(THERE);
	cubby_unlink(BACK);
	free(made);
}

/* Memory for what waits, and for what is being filled and read meanwhile. */
static int
attach(const struct made *made, const char *name, int role, cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = made->depth;
	options.message_max = made->size;
	options.memory_limit = 4 * (made->depth + 1) * (uint64_t)made->size;
	if (options.memory_limit < 1 << 20)
		options.memory_limit = 1 << 20;
	return cubby_open(name, CUBBY_CREATE | role, &options, ret);
}

int
ours_join(void *made, int member, void **ret_end)
{
	struct end *end = calloc(1, sizeof(*end));
	int error;

	if (!end)
		return -ENOMEM;
	error = attach(made, member ? BACK : THERE, CUBBY_RECEIVE, &end->in);
	if (!error)
		error = attach(made, member ? THERE : BACK, CUBBY_SEND,
			       &end->out);
	if (error) {
		ours_leave(end);
		return error;
	}
	*ret_end = end;
	return 0;
}

void
ours_leave(void *pointer)
{
	struct end *end = pointer;

	cubby_close(end->in);
	cubby_close(end->out);
	free(end);
}

/* Copied ----------------------------------------------------------------- */

int
ours_produce(struct side *side, uint64_t first)
{
	const struct end *end = side->end;

	words_fill(side->buffer, side->size, first);
	return cubby_send(end->out, side->buffer, side->size);
}

int
ours_consume(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;
	int error = cubby_receive(end->in, side->buffer, side->size, NULL);

	*ret_sum = words_sum(side->buffer, side->size);
	return error;
}

/* In place --------------------------------------------------------------- */

int
ours_produce_in_place(struct side *side, uint64_t first)
{
	const struct end *end = side->end;
	cubby_draft *draft;
	int error = cubby_reserve(end->out, side->size, CUBBY_FOREVER, &draft);

	if (error)
		return error;
	words_fill(cubby_draft_data(draft), side->size, first);
	return cubby_commit(draft, side->size, NULL);
}

int
ours_consume_in_place(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;
	cubby_message *message;
	int error = cubby_hold(end->in, NULL, CUBBY_FOREVER, &message);

	if (error)
		return error;
	*ret_sum = words_sum(cubby_message_data(message), side->size);
	return cubby_release(message);
}

/* In place, untouched ---------------------------------------------------- */

int
ours_pass(struct side *side, uint64_t first)
{
	const struct end *end = side->end;
	cubby_draft *draft;
	int error = cubby_reserve(end->out, side->size, CUBBY_FOREVER, &draft);

	(void)first;
	return error ? error : cubby_commit(draft, side->size, NULL);
}

int
ours_take(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;
	cubby_message *message;
	int error = cubby_hold(end->in, NULL, CUBBY_FOREVER, &message);

	*ret_sum = 0;
	return error ? error : cubby_release(message);
}
