/* SPDX-License-Identifier: MIT */
/*
 * Standard output, with a buffer that knows how far it has been written.
 *
 * A pipe is more than one page deep, and what its reader has not read when it
 * ends is gone. "receive --follow | head -1" must not lose what head did not
 * want, so the pipe is narrowed to one page, of which poll() says POLLOUT when
 * the reader has emptied it, and POLLERR when there is no reader any more.
 * (The kernel counts pages, not bytes: a page with one byte in it is taken.)
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "watch.h"

#define BUFFER_SIZE ((size_t)65536)

static char buffer[BUFFER_SIZE];
static size_t used;	     /* of the buffer */
static uint64_t taken;	     /* bytes since the command began */
static uint64_t written;     /* bytes of these */
static int failure;	     /* the first error */
static int former_pipe_size; /* 0: it was not changed */

/* After errno was EINTR: whether to go on (0), or to end. */
static int
interrupted(void)
{
	return watch_cause() ? -EINTR : 0;
}

/* Blocks until stdout, left non-blocking by somebody, takes more. */
static int
wait_writable(void)
{
	struct pollfd pollfd = { STDOUT_FILENO, POLLOUT, 0 };

	if (poll(&pollfd, 1, -1) >= 0)
		return 0;
	return errno == EINTR ? interrupted() : -errno;
}

static int
write_some(const char *bytes, size_t size, size_t *ret_size)
{
	ssize_t count = write(STDOUT_FILENO, bytes, size);

	*ret_size = count > 0 ? (size_t)count : 0;
	if (count >= 0)
		return 0;
	if (errno == EAGAIN)
		return wait_writable();
	return errno == EINTR ? interrupted() : -errno;
}

static void
write_all(const char *bytes, size_t size)
{
	size_t count;

	while (size && !failure) {
		failure = write_some(bytes, size, &count);
		written += count;
		bytes += count;
		size -= count;
	}
}

int
output_flush(void)
{
	size_t size = used;

	used = 0;
	write_all(buffer, size);
	return failure;
}

void
output(const void *bytes, size_t size)
{
	taken += size;
	if (size > BUFFER_SIZE - used)
		output_flush();
	if (size >= BUFFER_SIZE) {
		write_all(bytes, size);
	} else if (size) {
		memcpy(buffer + used, bytes, size);
		used += size;
	}
}

void
output_text(const char *text)
{
	output(text, strlen(text));
}

void
output_format(const char *format, ...)
{
	va_list arguments;
	char *text;
	int size;

	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0)
		out_of_memory();
	output(text, (size_t)size);
	free(text);
}

/* The number of bytes of text that fit the width, cut between words. */
static size_t
fitting(const char *text, size_t width)
{
	size_t fits = 0;

	for (size_t i = 0; i <= width; i++) {
		if (text[i] == '\0')
			return i;
		if (text[i] == ' ')
			fits = i;
	}
	return fits ? fits : strcspn(text, " ");
}

/* How many columns a text takes: what switches colour takes none. */
static size_t
columns(const char *text)
{
	size_t count = 0;

	for (; *text; text++) {
		if (*text == '\033')
			text += strcspn(text, "m");
		else
			count++;
	}
	return count;
}

void
output_wrapped(const char *left, size_t indent, const char *text)
{
	size_t size, column = columns(left);

	output_text(left);
	if (column && column >= indent) {
		output_text("\n");
		column = 0;
	}
	do {
		size = fitting(text, 79 - indent);
		output_format("%*s%.*s\n", (int)(indent - column), "",
			      (int)size, text);
		text += size + (text[size] == ' ');
		column = 0;
	} while (*text);
}

uint64_t
output_taken(void)
{
	return taken;
}

uint64_t
output_written(void)
{
	return written;
}

bool
output_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

bool
output_has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return output_is_terminal() && !(no_colour && *no_colour) && term &&
	       strcmp(term, "dumb") != 0;
}

size_t
output_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

bool
output_narrow_pipe(void)
{
	long page = sysconf(_SC_PAGESIZE);
	struct stat status;
	int size;

	if (former_pipe_size)
		return true;
	if (fstat(STDOUT_FILENO, &status) < 0 || !S_ISFIFO(status.st_mode))
		return false;
	size = fcntl(STDOUT_FILENO, F_GETPIPE_SZ);
	/* EBUSY: it holds more than that already, of another writer's. */
	if (size < 0 || fcntl(STDOUT_FILENO, F_SETPIPE_SZ, (int)page) != page)
		return false;
	former_pipe_size = size;
	return true;
}

int
output_wait_read(void)
{
	struct pollfd pollfd = { STDOUT_FILENO, POLLOUT, 0 };
	int count;

	for (;;) {
		/* What has been read is read, also when we are to end. */
		count = poll(&pollfd, 1, watch_cause() ? 0 : -1);
		if (count > 0 && pollfd.revents & POLLOUT)
			return 0;
		if (count > 0)
			return -EPIPE;
		if (count == 0)
			return -EINTR;
		if (errno != EINTR)
			return -errno;
	}
}

int
output_end(void)
{
	int result = output_flush();

	if (former_pipe_size)
		fcntl(STDOUT_FILENO, F_SETPIPE_SZ, former_pipe_size);
	former_pipe_size = 0;
	return result;
}

int
output_complain(int error)
{
	if (error == -EPIPE || error == -EINTR)
		return EXIT_ERROR;
	complain("cannot write to standard output: %s", strerror(-error));
	return EXIT_ERROR;
}
