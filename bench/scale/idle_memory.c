/* SPDX-License-Identifier: MIT */
/*
 * The memory of an idle mailbox, of an idle sender, of a message that waits.
 *
 * Of a mailbox: its files, once it has been received from and sent to by nobody.
 * Of a sender: all that there is more of when one more process has opened the
 * mailbox with the default options and has sent once: the mailbox's files, the
 * private memory and page tables of the sender's process for its handle, and the
 * same of the receiver's for what it keeps of that sender. Many handles in one
 * process, divided by their number: the process itself does not count.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cubby.h"
#include "memory.h"
#include "rows.h"
#include "troop.h"

#define SENDERS_MOST 1000
#define SIZES 6

enum { RECEIVER, SENDER, MEMBERS };
enum { ORDER_OPEN, ORDER_STOCK, ORDER_MORE, ORDER_DRAIN };

/* A process's, in bytes. */
struct stock {
	double private, tables;
};

static struct stock *stocks; /* of each member, shared */

static cubby_mailbox *handles[SENDERS_MOST];
static int handle_count;

/* In a member ------------------------------------------------------------ */

static int
take_stock(int member)
{
	stocks[member].private = memory_private();
	stocks[member].tables = memory_tables();
	return 0;
}

static int
open_more(int count)
{
	uint64_t message = 1;
	int error = 0;

	while (handle_count < count && !error) {
		error = cubby_open("idle", CUBBY_SEND, NULL,
				   &handles[handle_count]);
		if (!error)
			error = cubby_send(handles[handle_count++], &message,
					   sizeof(message));
	}
	return error;
}

static int
drain(void)
{
	uint64_t message;
	int error;

	do {
		error = cubby_receive_full(handles[0], NULL, 0, CUBBY_NOW,
					   &message, sizeof(message), NULL,
					   NULL);
	} while (!error);
	return error == -EAGAIN ? 0 : error;
}

static int
act(struct troop *troop, int member, int order, long argument)
{
	(void)troop;
	switch (order) {
	case ORDER_OPEN:
		return cubby_open("idle", CUBBY_CREATE | CUBBY_RECEIVE, NULL,
				  &handles[0]);
	case ORDER_STOCK:
		return take_stock(member);
	case ORDER_MORE:
		return open_more((int)argument);
	default:
		return drain();
	}
}

/* An idle sender --------------------------------------------------------- */

#define OF_SENDER(what) \
	{ \
		.name = "memory_sender", \
		.title = "Memory of an idle sender, each", \
		.series = what, \
		.x = "senders of the mailbox", \
		.unit = "bytes", \
	}
static const struct curve sender_curves[] = {
	OF_SENDER("all in all"),
	OF_SENDER("files"),
	OF_SENDER("private, in its process"),
	OF_SENDER("page tables of its process"),
	OF_SENDER("private and page tables, in the receiver's process"),
};
#define PARTS 5

static const struct target sender_target = {
	"idle_sender_memory",
	"an idle sender, default options: its files, and what it takes in its "
	"own process and in the receiver's",
	"KiB", AT_MOST, 32
};

static bool
stock(struct troop *troop, struct stock ret[MEMBERS], double *ret_files)
{
	if (!troop_order(troop, 0, MEMBERS, ORDER_STOCK, 0))
		return false;
	for (int i = 0; i < MEMBERS; i++)
		ret[i] = stocks[i];
	*ret_files = memory_of_files("idle");
	return true;
}

/* From the first on, so many at a time; parts in the order of the curves. */
static bool
measure_senders(struct troop *troop, const int *points, int count,
		double ret[][PARTS])
{
	struct stock before[MEMBERS], after[MEMBERS];
	double files_before, files;

	/* What the process needs for its first handle. */
	if (!troop_order(troop, RECEIVER, 1, ORDER_OPEN, 0) ||
	    !troop_order(troop, SENDER, 1, ORDER_MORE, 1) ||
	    !troop_order(troop, RECEIVER, 1, ORDER_DRAIN, 0) ||
	    !stock(troop, before, &files_before))
		return false;
	for (int i = 0; i < count; i++) {
		double each = 1.0 / points[i];

		if (!troop_order(troop, SENDER, 1, ORDER_MORE, points[i] + 1) ||
		    !troop_order(troop, RECEIVER, 1, ORDER_DRAIN, 0) ||
		    !stock(troop, after, &files))
			return false;
		ret[i][1] = (files - files_before) * each;
		ret[i][2] = (after[SENDER].private - before[SENDER].private) *
			    each;
		ret[i][3] = (after[SENDER].tables - before[SENDER].tables) *
			    each;
		ret[i][4] = (after[RECEIVER].private -
			     before[RECEIVER].private +
			     after[RECEIVER].tables - before[RECEIVER].tables) *
			    each;
		ret[i][0] = ret[i][1] + ret[i][2] + ret[i][3] + ret[i][4];
	}
	return true;
}

static bool
run_senders(const struct scale *scale)
{
	static const int points[] = { 30, 100, 300, 900 };
	int count = scale->quick ? 1 : 4, error;
	double parts[4][PARTS];
	struct troop *troop;
	bool fine;

	stocks = process_share(MEMBERS * sizeof(*stocks));
	troop = troop_start(MEMBERS, act, &error);
	fine = !error && measure_senders(troop, points, count, parts);
	if (!fine)
		scale_fail("memory", troop_reason(troop), error);
	for (int i = 0; fine && i < PARTS; i++) {
		rows_curve(&sender_curves[i]);
		for (int j = 0; j < count; j++)
			rows_value(&sender_curves[i], points[j], parts[j][i]);
	}
	rows_target(&sender_target, fine ? parts[count - 1][0] / 1024 : NAN,
		    NAN, NAN, "it could not be measured");
	troop_end(troop);
	cubby_unlink("idle");
	return fine;
}

/* An idle mailbox -------------------------------------------------------- */

static const struct curve mailbox_curve = {
	.name = "memory_mailbox",
	.title = "Memory of an idle mailbox",
	.series = "files",
	.x = "receivers",
	.unit = "bytes",
};
static const struct target mailbox_target = {
	"idle_mailbox_memory",
	"an idle mailbox, default options, that somebody receives from: its "
	"files",
	"KiB", AT_MOST, 24
};

static bool
run_mailbox(void)
{
	cubby_mailbox *mailbox;
	double files[2] = { 0, 0 };
	int error;

	error = cubby_open("alone", CUBBY_CREATE, NULL, &mailbox);
	if (!error) {
		files[0] = memory_of_files("alone");
		cubby_close(mailbox);
		error = cubby_open("alone", CUBBY_RECEIVE, NULL, &mailbox);
	}
	if (error)
		return scale_fail("memory", "opening a mailbox", error);
	files[1] = memory_of_files("alone");
	cubby_close(mailbox);
	cubby_unlink("alone");
	rows_curve(&mailbox_curve);
	rows_value(&mailbox_curve, 0, files[0]);
	rows_value(&mailbox_curve, 1, files[1]);
	rows_target(&mailbox_target, files[1] / 1024, NAN, NAN, NULL);
	return true;
}

/* A message -------------------------------------------------------------- */

static const struct curve message_curve = {
	.name = "memory_message",
	.title = "Memory of a message that waits",
	.series = "files, without a limit",
	.x = "bytes of the message",
	.unit = "bytes",
	.x_is_bytes = true,
};

/* So many that what the mailbox itself takes does not matter. */
static bool
measure_message(size_t size, int count, double *ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	void *data = calloc(1, size);
	double before = 0;
	int error;

	options.buffering = CUBBY_UNLIMITED;
	error = data ? cubby_open("messages", CUBBY_CREATE | CUBBY_SEND,
				  &options, &mailbox) :
		       -ENOMEM;
	if (error) {
		free(data);
		return scale_fail("memory", "opening a mailbox", error);
	}
	before = memory_of_files("messages");
	for (int i = 0; i < count && !error; i++)
		error = cubby_send(mailbox, data, size);
	*ret = (memory_of_files("messages") - before) / count;
	cubby_close(mailbox);
	cubby_unlink("messages");
	free(data);
	return !error || scale_fail("memory", "sending", error);
}

static bool
run_messages(const struct scale *scale)
{
	static const size_t sizes[SIZES] = { 8,	   64,	 104,
					     1024, 8192, 65536 };
	int most = scale->quick ? 2000 : 100000;
	char reason[200];

	rows_curve(&message_curve);
	for (int i = 0; i < SIZES; i++) {
		int count = (int)(256e6 / (double)sizes[i]);
		double each = NAN;

		if (!memory_suffices(400e6, 0, reason, sizeof(reason))) {
			rows_end(&message_curve, (double)sizes[i], reason);
			break;
		}
		if (!measure_message(sizes[i], count < most ? count : most,
				     &each))
			return false;
		rows_value(&message_curve, (double)sizes[i], each);
	}
	return true;
}

static bool
run_test(const struct scale *scale)
{
	bool fine = run_mailbox();

	fine &= run_senders(scale);
	fine &= run_messages(scale);
	return fine;
}

const struct scale_test memory_test = {
	"memory", "of an idle mailbox, an idle sender, a message that waits",
	run_test
};
