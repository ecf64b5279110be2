/* SPDX-License-Identifier: MIT */
/* A consumer: checks each piece, in place, and sends it on. */
#include "demo.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct consumer {
	struct run *run;
	unsigned index;
	cubby_mailbox *pieces;
	cubby_mailbox *checked;
	cubby_message *end; /* held until there is nothing else */
};

static bool
piece_is_whole(const struct piece *piece, size_t size, uint64_t files)
{
	return size >= HEADER_SIZE && size <= MESSAGE_MAX &&
	       piece->check == piece_check(piece, size) &&
	       (piece->kind == PIECE_END || piece->file < files);
}

/* A copy of the piece with one bit that is not as it was. */
static int
send_spoilt(struct consumer *consumer, const struct piece *piece, size_t size)
{
	unsigned char copy[MESSAGE_MAX];

	memcpy(copy, piece, size);
	copy[size - 1] ^= 1;
	return cubby_send(consumer->checked, copy, size);
}

static int
send_on(struct consumer *consumer, const struct piece *piece, size_t size)
{
	struct run *run = consumer->run;
	uint64_t file = piece->file;
	uint64_t offset = piece->offset;

	if (sabotaged(run, KILL_CONSUMER, file, offset))
		raise(SIGKILL);
	if (sabotaged(run, LOSE, file, offset))
		return 0;
	if (sabotaged(run, SPOIL, file, offset))
		return send_spoilt(consumer, piece, size);
	int error = cubby_send(consumer->checked, piece, size);
	if (error == 0 && sabotaged(run, DOUBLE, file, offset))
		error = cubby_send(consumer->checked, piece, size);
	return error;
}

/* Deals with one message, which is ended, or is the end and is kept. */
static int
consume_one(struct consumer *consumer, cubby_message *message)
{
	const struct piece *piece = cubby_message_data(message);
	size_t size = cubby_message_size(message);

	if (!piece_is_whole(piece, size, consumer->run->count)) {
		complain("a damaged piece of %zu bytes has come", size);
		return -EBADMSG;
	}
	if (piece->kind == PIECE_END) {
		consumer->end = message;
		return 0;
	}
	int error = send_on(consumer, piece, size);
	if (error < 0)
		return error;
	count(consumer->run, CONSUMER, consumer->index, size - HEADER_SIZE);
	return cubby_release(message);
}

/*
 * The end may overtake what the producers have sent. So whoever gets it first
 * takes all that is there, and only then lets the next consumer have it.
 */
static int
consume_all(struct consumer *consumer)
{
	cubby_message *message;
	int error = 0;

	while (error == 0) {
		int64_t deadline = consumer->end != NULL ? CUBBY_NOW :
							   CUBBY_FOREVER;
		error = cubby_hold(consumer->pieces, NULL, deadline, &message);
		if (error == -EAGAIN && consumer->end != NULL)
			return cubby_reject(consumer->end);
		if (error == 0)
			error = consume_one(consumer, message);
	}
	return error;
}

int
consume(struct run *run, unsigned index)
{
	struct consumer consumer = { .run = run, .index = index };
	char name[MAILBOX_NAME_SIZE];
	int error = -ENOENT;

	pieces_name(run, name);
	consumer.pieces = open_mailbox(name, CUBBY_RECEIVE);
	checked_name(run, name);
	consumer.checked = open_mailbox(name, CUBBY_SEND);
	if (consumer.pieces != NULL && consumer.checked != NULL) {
		trace_if_asked(run, CONSUMER, index);
		error = consume_all(&consumer);
		if (error < 0)
			complain("cannot go on: %s", cubby_strerror(error));
	}
	cubby_close(consumer.pieces);
	cubby_close(consumer.checked);
	return error < 0;
}
