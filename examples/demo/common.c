/* SPDX-License-Identifier: MIT */
/* What the processes of the demo have in common. */
#include "demo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *const role_names[ROLES] = {
	"reader",
	"producer",
	"consumer",
	"collector",
};

static char myself[32];

void
pieces_name(const struct run *run, char name[MAILBOX_NAME_SIZE])
{
	snprintf(name, MAILBOX_NAME_SIZE, "%s.pieces", run->name);
}

void
checked_name(const struct run *run, char name[MAILBOX_NAME_SIZE])
{
	snprintf(name, MAILBOX_NAME_SIZE, "%s.checked", run->name);
}

void
credit_name(const struct run *run, unsigned producer,
	    char name[MAILBOX_NAME_SIZE])
{
	snprintf(name, MAILBOX_NAME_SIZE, "%s.credit.%u", run->name, producer);
}

cubby_mailbox *
open_mailbox(const char *name, int flags)
{
	cubby_mailbox *mailbox;
	int error = cubby_open(name, flags, NULL, &mailbox);

	if (error < 0) {
		complain("cannot open %s: %s", name, cubby_strerror(error));
		return NULL;
	}
	return mailbox;
}

/* Relaxed: one writer, and who must have it exactly waits for its end first. */
static void
add(atomic_uint_least64_t *sum, uint64_t more)
{
	uint64_t before = atomic_load_explicit(sum, memory_order_relaxed);

	atomic_store_explicit(sum, before + more, memory_order_relaxed);
}

void
count(struct run *run, enum role role, unsigned index, uint64_t bytes)
{
	struct tally *tally = &run->board->tallies[role][index];

	add(&tally->messages, 1);
	add(&tally->bytes, bytes);
}

void
count_credit(struct run *run)
{
	add(&run->board->tallies[COLLECTOR][0].credits, 1);
}

void
trace_if_asked(struct run *run, enum role role, unsigned index)
{
	if (run->trace)
		run->board->tallies[role][index].untraceable = trace_me(role);
}

uint64_t
piece_check(const struct piece *piece, size_t size)
{
	size_t skip = sizeof(piece->check);

	return XXH3_64bits((const char *)piece + skip, size - skip);
}

bool
sabotaged(const struct run *run, enum sabotage how, uint64_t file,
	  uint64_t offset)
{
	return run->sabotage == how && file == run->count / 2 && offset == 0;
}

int
open_file(const char *path)
{
	/* What was a file when the tree was walked may be a pipe by now. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

ssize_t
read_file(int fd, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, (char *)buffer + done, size - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += got;
	}
	return done;
}

void
call_myself(enum role role, unsigned index)
{
	snprintf(myself, sizeof(myself), "%s %u: ", role_names[role],
		 index + 1);
}

void
complain(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* Over a progress bar, if one stands there. */
	fprintf(stderr, "%sdemo: %s%s\n",
		isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "", myself, text);
}

const char *
printable(const char *path)
{
	static char text[512];
	size_t used = 0;

	for (; *path != '\0' && used + 5 < sizeof(text); path++) {
		unsigned char byte = *path;
		/* Bytes from 128 up: UTF-8, mostly. */
		if (byte == '\\' || iscntrl(byte))
			used += snprintf(text + used, sizeof(text) - used,
					 "\\%03o", byte);
		else
			text[used++] = byte;
	}
	text[used] = '\0';
	return text;
}

int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}
