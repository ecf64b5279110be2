/* SPDX-License-Identifier: MIT */
/*
 * Standard output, with a buffer that knows how far it has been written: so
 * that a message is released only when all its bytes are out. The first error
 * stays; what is written after it is dropped.
 */
#ifndef CUBBY_TOOLS_OUTPUT_H
#define CUBBY_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void
output(const void *bytes, size_t size);

void
output_text(const char *text);

__attribute__((format(printf, 1, 2))) void
output_format(const char *format, ...);

/* A line of help: what stands on the left, and a text wrapped right of it. */
void
output_wrapped(const char *left, size_t indent, const char *text);

/*
 * Writes out what is in the buffer. Blocks as write(2) does; interrupted when
 * watch_cause() says that the command is to end.
 *
 * Returns 0, or the first error there was; -EPIPE: nobody reads, -EINTR: the
 * command is to end.
 */
int
output_flush(void);

/* Tells of a failed output_flush(), quietly if nobody reads. */
int
output_complain(int error);

/* Bytes taken in so far, and bytes of these that have been written. */
uint64_t
output_taken(void);
uint64_t
output_written(void);

/* Whether stdout is a terminal, and one that wants colour. */
bool
output_is_terminal(void);
bool
output_has_colour(void);

/* The width of the terminal; 80 if it is not known. */
size_t
output_width(void);

/*
 * Makes a pipe hold one page, so that output_wait_read() can tell when its
 * reader has taken everything. Returns whether stdout is such a pipe now. The
 * size is put back by output_end().
 */
bool
output_narrow_pipe(void);

/*
 * Blocks until the reader of a narrow pipe has read all that was written.
 * -EPIPE: it has gone and left some; -EINTR: the command is to end.
 */
int
output_wait_read(void);

/* Writes out the rest. Returns as output_flush(). */
int
output_end(void);

#endif
