/* SPDX-License-Identifier: MIT */
/*
 * The comment above each declaration in the public headers has a part that begins
 * with "Errors", as documents.py wants it, with each error as -ENAME. "those of
 * cubby_x()" are those of that call too; "the kernel's" are the ones that the
 * header's opening comment gives for what the process has run out of.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "documented.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 4

static char text[1 << 17];	/* both headers */

static void
read_header(const char *path)
{
	size_t length = strlen(text);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text + length,
				       sizeof(text) - 1 - length);

	if (n <= 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	text[length + (size_t)n] = '\0';
	close(fd);
}

/* The words of one comment, without line ends and stars. */
static void
flatten(const char *from, const char *end, char *to, size_t room)
{
	char *last = to + room - 1;

	while (from < end && to < last) {
		if (*from == '\n') {
			while (from < end && (isspace((unsigned char)*from) ||
					      (*from == '*' && from[1] != '/')))
				from++;
			*to++ = ' ';
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* The text of the part "Errors" above the declaration of that call. */
static bool
find_errors(const char *call, char *ret, size_t room)
{
	const char *at, *begin = NULL, *end = NULL, *next;
	char *errors, declaration[80];

	snprintf(declaration, sizeof(declaration), "\n%s(", call);
	at = strstr(text, declaration);
	if (!at)
		return false;
	for (next = text; (next = strstr(next, "*/")) && next < at; next += 2)
		end = next;
	for (next = text; end && (next = strstr(next, "/*")) && next < end;
	     next += 2)
		begin = next;
	if (!begin)
		return false;
	flatten(begin, end, ret, room);
	errors = strstr(ret, "Errors");
	if (errors)
		memmove(ret, errors, strlen(errors) + 1);
	else
		*ret = '\0';
	return true;
}

static bool
names(const char *errors, int error)
{
	const char *name = strerrorname_np(error), *at = errors;
	size_t length;

	if (error == EOPNOTSUPP)
		name = "EOPNOTSUPP";
	length = name ? strlen(name) : 0;
	while (name && (at = strstr(at, name))) {
		if (at > errors && at[-1] == '-' &&
		    !isalnum((unsigned char)at[length]))
			return true;
		at += length;
	}
	return false;
}

/* One of those that the header's opening comment lists so. */
static bool
is_the_kernels(int error)
{
	static char kernels[512];
	const char *at = strstr(text, "those of the kernel");

	if (!at)
		return false;
	if (!*kernels)
		flatten(at, strstr(at, "Out-parameters"), kernels,
			sizeof(kernels));
	return names(kernels, error);
}

static bool
is_listed(const char *call, int error, int depth)
{
	char errors[8192], other[64];
	const char *at = errors;

	if (!find_errors(call, errors, sizeof(errors))) {
		fprintf(stderr, "the headers do not have %s()\n", call);
		exit(2);
	}
	if (names(errors, error) ||
	    (strstr(errors, "kernel's") && is_the_kernels(error)))
		return true;
	while (depth && (at = strstr(at, "those of "))) {
		at += strlen("those of ");
		if (sscanf(at, "%63[a-z_]()", other) == 1 &&
		    !strncmp(other, "cubby_", 6) &&
		    is_listed(other, error, depth - 1))
			return true;
	}
	return false;
}

bool
documented(const char *call, int error)
{
	if (!*text) {
		read_header(CUBBY_HEADERS "/cubby.h");
		read_header(CUBBY_HEADERS "/cubby_sync.h");
	}
	return is_listed(call, error, DEPTH_MAX);
}
