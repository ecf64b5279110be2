/* SPDX-License-Identifier: MIT */
/*
 * The collector: joins the pieces of each file, in order, and hashes it.
 *
 * A piece that comes before its turn stays in the mailbox, held. There are
 * never more of them than the producers may be ahead: WINDOW for each.
 */
#include "demo.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* A piece that has come too early. */
struct early {
	struct early *next; /* by offset */
	cubby_message *message;
	uint64_t offset;
};

/* A file of which some pieces have come, and not all. */
struct joint {
	struct joint *next;
	uint64_t file;
	uint64_t offset; /* of the piece whose turn it is */
	uint64_t pieces;
	XXH3_state_t *state;
	struct early *early;
};

struct collector {
	struct run *run;
	cubby_mailbox *checked;
	cubby_mailbox *credits[PROCESSES_MAX];
	uint64_t joined[PROCESSES_MAX]; /* not told yet */
	struct joint *joints;
	bool end;
};

static struct joint *
joint_find(struct collector *collector, uint64_t file)
{
	struct joint *joint = collector->joints;

	while (joint != NULL && joint->file != file)
		joint = joint->next;
	return joint;
}

static struct joint *
joint_new(struct collector *collector, uint64_t file)
{
	struct joint *joint = calloc(1, sizeof(*joint));

	if (joint == NULL)
		return NULL;
	joint->state = XXH3_createState();
	if (joint->state == NULL) {
		free(joint);
		return NULL;
	}
	XXH3_128bits_reset(joint->state);
	joint->file = file;
	joint->next = collector->joints;
	collector->joints = joint;
	return joint;
}

static void
joint_free(struct collector *collector, struct joint *joint)
{
	struct joint **link = &collector->joints;

	while (*link != joint)
		link = &(*link)->next;
	*link = joint->next;
	while (joint->early != NULL) {
		struct early *early = joint->early;
		joint->early = early->next;
		free(early); /* closing the mailbox gives the message back */
	}
	XXH3_freeState(joint->state);
	free(joint);
}

/* Tells the producer, now and then, how many of its pieces are joined. */
static int
give_credit(struct collector *collector, unsigned producer)
{
	struct credit credit = { .joined = ++collector->joined[producer] };

	if (credit.joined < CREDIT_EVERY)
		return 0;
	collector->joined[producer] = 0;
	count_credit(collector->run);
	return cubby_send(collector->credits[producer], &credit,
			  sizeof(credit));
}

/* The piece whose turn it is; *ret_last: its file is complete. */
static int
join(struct collector *collector, struct joint *joint, cubby_message *message,
     bool *ret_last)
{
	const struct piece *piece = cubby_message_data(message);
	size_t size = cubby_message_size(message) - HEADER_SIZE;

	XXH3_128bits_update(joint->state, piece->data, size);
	joint->offset += size;
	joint->pieces++;
	if (piece->kind == PIECE_LAST)
		collector->run->outcomes[joint->file] = (struct outcome){
			.hash = XXH3_128bits_digest(joint->state),
			.size = joint->offset,
			.pieces = joint->pieces,
			.error = piece->error,
		};
	*ret_last = piece->kind == PIECE_LAST;
	count(collector->run, COLLECTOR, 0, size);
	int error = give_credit(collector, piece->producer);
	return error < 0 ? error : cubby_release(message);
}

/* The early ones whose turn it is now. */
static int
join_early(struct collector *collector, struct joint *joint, bool *ret_last)
{
	int error = 0;

	while (error == 0 && !*ret_last && joint->early != NULL &&
	       joint->early->offset == joint->offset) {
		struct early *early = joint->early;
		joint->early = early->next;
		error = join(collector, joint, early->message, ret_last);
		free(early);
	}
	return error;
}

/* -EEXIST: there is one already. */
static int
keep_early(struct joint *joint, uint64_t offset, cubby_message *message)
{
	struct early **link = &joint->early;

	while (*link != NULL && (*link)->offset < offset)
		link = &(*link)->next;
	if (*link != NULL && (*link)->offset == offset)
		return -EEXIST;
	struct early *early = malloc(sizeof(*early));
	if (early == NULL)
		return -ENOMEM;
	*early = (struct early){ *link, message, offset };
	*link = early;
	return 0;
}

/* -EEXIST: it has come before. */
static int
collect_piece(struct collector *collector, cubby_message *message)
{
	const struct piece *piece = cubby_message_data(message);
	struct joint *joint = joint_find(collector, piece->file);
	uint64_t offset = piece->offset;
	bool last = false;

	if (sabotaged(collector->run, KILL_COLLECTOR, piece->file, offset))
		raise(SIGKILL);
	if (collector->run->outcomes[piece->file].pieces > 0)
		return -EEXIST;
	if (joint == NULL)
		joint = joint_new(collector, piece->file);
	if (joint == NULL)
		return -ENOMEM;
	if (offset < joint->offset)
		return -EEXIST;
	if (offset > joint->offset)
		return keep_early(joint, offset, message);
	int error = join(collector, joint, message, &last);
	if (error == 0)
		error = join_early(collector, joint, &last);
	if (error == 0 && last && joint->early != NULL)
		error = -EEXIST;
	if (error == 0 && last)
		joint_free(collector, joint);
	return error;
}

static int
collect_one(struct collector *collector, cubby_message *message)
{
	const struct piece *piece = cubby_message_data(message);
	struct run *run = collector->run;

	if (piece->kind == PIECE_END) {
		collector->end = true;
		return cubby_release(message);
	}
	if (cubby_message_size(message) < HEADER_SIZE ||
	    piece->file >= run->count ||
	    piece->producer >= run->processes[PRODUCER]) {
		complain("a piece has come that makes no sense");
		return -EBADMSG;
	}
	uint64_t file = piece->file;
	int error = collect_piece(collector, message);
	if (error == -EEXIST)
		complain("a piece of %s has come twice",
			 printable(run->files[file].path));
	return error;
}

/* After the end, what there is: the end may have overtaken it. */
static int
collect_all(struct collector *collector)
{
	cubby_message *message;
	int error = 0;

	while (error == 0) {
		int64_t deadline = collector->end ? CUBBY_NOW : CUBBY_FOREVER;
		error = cubby_hold(collector->checked, NULL, deadline,
				   &message);
		if (error == -EAGAIN && collector->end)
			return 0;
		if (error == 0)
			error = collect_one(collector, message);
	}
	return error;
}

static bool
open_all(struct collector *collector)
{
	struct run *run = collector->run;
	char name[MAILBOX_NAME_SIZE];

	checked_name(run, name);
	collector->checked = open_mailbox(name, CUBBY_RECEIVE);
	if (collector->checked == NULL)
		return false;
	for (unsigned i = 0; i < run->processes[PRODUCER]; i++) {
		credit_name(run, i, name);
		collector->credits[i] = open_mailbox(name, CUBBY_SEND);
		if (collector->credits[i] == NULL)
			return false;
	}
	return true;
}

int
collect(struct run *run, unsigned index)
{
	struct collector collector = { .run = run };
	int error = -ENOENT;

	if (open_all(&collector)) {
		trace_if_asked(run, COLLECTOR, index);
		error = collect_all(&collector);
		if (error < 0 && error != -EEXIST)
			complain("cannot go on: %s", cubby_strerror(error));
	}
	while (collector.joints != NULL)
		joint_free(&collector, collector.joints);
	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		cubby_close(collector.credits[i]);
	cubby_close(collector.checked);
	return error < 0;
}
