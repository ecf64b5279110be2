/* SPDX-License-Identifier: MIT */
/* Standard input, in pieces that end with a separator. */
#ifndef CUBBY_TOOLS_INPUT_H
#define CUBBY_TOOLS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	int separator; /* a byte, or -1: all of it is one piece */
	size_t limit;  /* the longest piece */
	char *buffer;
	size_t room;
	size_t begin; /* of what has been read and not handed out */
	size_t end;
	bool is_over; /* read to its end */
};

/*
 * Gets the next piece, without its separator; it is valid until the next call.
 * A last piece needs no separator. A piece is handed out as soon as it is
 * there. Blocks while there is none.
 *
 * Returns 1, 0 at the end, -EMSGSIZE for a piece beyond the limit, or what
 * read(2) failed with.
 */
int
input_next(struct input *input, const char **ret_piece, size_t *ret_size);

#endif
