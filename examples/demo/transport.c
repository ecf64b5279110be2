/* SPDX-License-Identifier: MIT */
/* One run: the files are read plainly, or go through cubby. */
#include "demo.h"

#include <string.h>
#include <unistd.h>

struct mailboxes {
	cubby_mailbox *pieces;
	cubby_mailbox *checked;
	cubby_mailbox *credits[PROCESSES_MAX];
};

static cubby_mailbox *
create_mailbox(const char *name, int role, const struct cubby_options *options)
{
	int flags = CUBBY_CREATE | CUBBY_EXCLUSIVE | role;
	cubby_mailbox *mailbox;
	int error = cubby_open(name, flags, options, &mailbox);

	if (error < 0) {
		complain("cannot create %s: %s", name, cubby_strerror(error));
		return NULL;
	}
	return mailbox;
}

/* Temporary ones: killed, we leave nothing behind. */
static int
create_mailboxes(const struct run *run, struct mailboxes *mailboxes)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	char name[MAILBOX_NAME_SIZE];
	bool good;

	memset(mailboxes, 0, sizeof(*mailboxes));
	options.lifetime = CUBBY_TEMPORARY;
	options.message_max = MESSAGE_MAX;
	options.capacity = CAPACITY;
	pieces_name(run, name);
	mailboxes->pieces = create_mailbox(name, CUBBY_SEND, &options);
	checked_name(run, name);
	mailboxes->checked = create_mailbox(name, CUBBY_SEND, &options);
	good = mailboxes->pieces != NULL && mailboxes->checked != NULL;
	options.message_max = sizeof(struct credit);
	options.sizing = CUBBY_FIXED;
	for (unsigned i = 0; good && i < run->processes[PRODUCER]; i++) {
		credit_name(run, i, name);
		mailboxes->credits[i] = create_mailbox(name, 0, &options);
		good = mailboxes->credits[i] != NULL;
	}
	return good ? 0 : -1;
}

static void
close_mailboxes(struct mailboxes *mailboxes)
{
	cubby_close(mailboxes->pieces);
	cubby_close(mailboxes->checked);
	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		cubby_close(mailboxes->credits[i]);
}

static int
send_end(cubby_mailbox *mailbox)
{
	struct piece piece = { .kind = PIECE_END };

	piece.check = piece_check(&piece, HEADER_SIZE);
	int error = cubby_send(mailbox, &piece, HEADER_SIZE);
	if (error < 0)
		complain("cannot send the end: %s", cubby_strerror(error));
	return error;
}

/*
 * The end is sent when all that comes before it has been: behind the last
 * producer, and behind the last consumer.
 */
static int
transport(struct crew *crew, struct mailboxes *mailboxes)
{
	if (crew_start(crew, COLLECTOR) < 0 || crew_start(crew, CONSUMER) < 0 ||
	    crew_start(crew, PRODUCER) < 0)
		return -1;
	if (crew_wait(crew, PRODUCER) < 0 || send_end(mailboxes->pieces) < 0)
		return -1;
	if (crew_wait(crew, CONSUMER) < 0 || send_end(mailboxes->checked) < 0)
		return -1;
	return crew_wait(crew, COLLECTOR);
}

int
run_plainly(struct run *run, const char *label)
{
	struct crew *crew = crew_new(run, label);

	if (crew == NULL)
		return -1;
	int error = crew_start(crew, READER);
	if (error == 0)
		error = crew_wait(crew, READER);
	crew_free(crew);
	return error;
}

int
run_through_cubby(struct run *run, const char *label)
{
	struct mailboxes mailboxes;
	struct crew *crew = NULL;
	int64_t start = now();
	int error = create_mailboxes(run, &mailboxes);

	if (error == 0)
		crew = crew_new(run, label);
	if (crew != NULL) {
		error = transport(crew, &mailboxes);
		run->nanoseconds = now() - start;
		memcpy(run->calls, crew_system_calls(crew), sizeof(run->calls));
		crew_free(crew);
	}
	close_mailboxes(&mailboxes);
	return crew != NULL ? error : -1;
}
