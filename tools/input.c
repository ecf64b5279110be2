/* SPDX-License-Identifier: MIT */
/* Standard input, in pieces that end with a separator. */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define LEAST_ROOM ((size_t)65536)

/* Makes room behind what is there: by moving it down, or by a larger buffer. */
static void
make_room(struct input *input)
{
	size_t size = input->end - input->begin;

	if (input->end < input->room)
		return;
	if (size <= input->room / 2 && input->room) {
		memmove(input->buffer, input->buffer + input->begin, size);
		input->begin = 0;
		input->end = size;
		return;
	}
	input->room = input->room ? 2 * input->room : LEAST_ROOM;
	input->buffer = allocate(input->buffer, input->room);
}

/* Reads more. Returns 0, also at the end, or a negative errno. */
static int
fill(struct input *input)
{
	ssize_t count;

	make_room(input);
	do
		count = read(STDIN_FILENO, input->buffer + input->end,
			     input->room - input->end);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	if (count == 0)
		input->is_over = true;
	input->end += (size_t)count;
	return 0;
}

/* Hands out size bytes and passes over the separator that follows. */
static int
hand_out(struct input *input, size_t size, bool separated,
	 const char **ret_piece, size_t *ret_size)
{
	if (size > input->limit)
		return -EMSGSIZE;
	*ret_piece = input->buffer + input->begin;
	*ret_size = size;
	input->begin += size + separated;
	return 1;
}

int
input_next(struct input *input, const char **ret_piece, size_t *ret_size)
{
	size_t looked_at = 0;
	int error;

	if (!input->buffer)
		make_room(input);
	for (;;) {
		const char *begin = input->buffer + input->begin;
		size_t size = input->end - input->begin;
		const char *found = NULL;

		if (input->separator >= 0 && size > looked_at)
			found = memchr(begin + looked_at, input->separator,
				       size - looked_at);
		if (found)
			return hand_out(input, (size_t)(found - begin), true,
					ret_piece, ret_size);
		if (size > input->limit)
			return -EMSGSIZE;
		if (input->is_over)
			return size ? hand_out(input, size, false, ret_piece,
					       ret_size) :
				      0;
		looked_at = size;
		error = fill(input);
		if (error)
			return error;
	}
}
