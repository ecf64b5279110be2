/* SPDX-License-Identifier: MIT */
/* A producer: reads files, in pieces, straight into the mailbox. */
#include "demo.h"

#include <signal.h>
#include <unistd.h>

struct producer {
	struct run *run;
	unsigned index;
	cubby_mailbox *pieces;
	cubby_mailbox *credits;
	uint64_t ahead; /* pieces that are not known to be joined */
};

static int
wait_for_credit(struct producer *producer)
{
	while (producer->ahead >= WINDOW) {
		struct credit credit;
		int error = cubby_receive(producer->credits, &credit,
					  sizeof(credit), NULL);
		if (error < 0)
			return error;
		producer->ahead -= credit.joined;
	}
	return 0;
}

/* Enough for what is left of the file, and a byte to see that it ends there. */
static size_t
room_for(uint64_t size, uint64_t offset)
{
	if (offset <= size && size - offset < DATA_MAX)
		return size - offset + 1;
	return DATA_MAX;
}

/*
 * Sends the piece of the file that begins at offset; fd may be an error. Its
 * kind and its size are returned.
 */
static int
send_piece(struct producer *producer, uint64_t file, int fd, uint64_t offset,
	   enum piece_kind *ret_kind, size_t *ret_size)
{
	size_t room = room_for(producer->run->files[file].size, offset);
	cubby_draft *draft;
	int error = cubby_reserve(producer->pieces, HEADER_SIZE + room,
				  CUBBY_FOREVER, &draft);

	if (error < 0)
		return error;
	struct piece *piece = cubby_draft_data(draft);
	ssize_t got = fd < 0 ? fd : read_file(fd, piece->data, room);
	size_t size = got < 0 ? 0 : got;
	piece->file = file;
	piece->offset = offset;
	piece->kind = size == room ? PIECE_MORE : PIECE_LAST;
	piece->producer = producer->index;
	piece->error = got < 0 ? -got : 0;
	piece->check = piece_check(piece, HEADER_SIZE + size);
	*ret_kind = piece->kind;
	*ret_size = size;
	if (sabotaged(producer->run, KILL_PRODUCER, file, offset))
		raise(SIGKILL);
	error = cubby_commit(draft, HEADER_SIZE + size, NULL);
	if (error < 0)
		cubby_abort(draft);
	return error;
}

static int
send_file(struct producer *producer, uint64_t file)
{
	int fd = open_file(producer->run->files[file].path);
	enum piece_kind kind = PIECE_MORE;
	uint64_t offset = 0;
	size_t size = 0;
	int error = 0;

	while (error == 0 && kind != PIECE_LAST) {
		error = wait_for_credit(producer);
		if (error == 0)
			error = send_piece(producer, file, fd, offset, &kind,
					   &size);
		if (error == 0) {
			producer->ahead++;
			offset += size;
			count(producer->run, PRODUCER, producer->index, size);
		}
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static int
send_files(struct producer *producer)
{
	struct run *run = producer->run;
	uint64_t file;

	while ((file = atomic_fetch_add(&run->board->next_file, 1)) <
	       run->count) {
		int error = send_file(producer, file);
		if (error < 0) {
			complain("cannot send a piece of %s: %s",
				 printable(run->files[file].path),
				 cubby_strerror(error));
			return 1;
		}
	}
	return 0;
}

int
produce(struct run *run, unsigned index)
{
	struct producer producer = { .run = run, .index = index };
	char name[MAILBOX_NAME_SIZE];
	int status = 1;

	pieces_name(run, name);
	producer.pieces = open_mailbox(name, CUBBY_SEND);
	credit_name(run, index, name);
	producer.credits = open_mailbox(name, CUBBY_RECEIVE);
	if (producer.pieces != NULL && producer.credits != NULL) {
		trace_if_asked(run, PRODUCER, index);
		status = send_files(&producer);
	}
	cubby_close(producer.pieces);
	cubby_close(producer.credits);
	return status;
}
