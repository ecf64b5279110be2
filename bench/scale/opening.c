/* SPDX-License-Identifier: MIT */
/*
 * What it takes to open: for sending, until the first message has been sent, by
 * a sender that is new (it makes a lane) and by one that comes after another has
 * left (it takes that one's lane over); for receiving, until a message is there;
 * and to make a mailbox; each with so many idle senders at the mailbox.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/clock.h"
#include "cubby.h"
#include "rows.h"

#define SENDERS_MOST 1000
#define FEW 20

#define OPEN(what) \
	{ \
		.name = "open", \
		.title = "To open, until the first message", \
		.series = what, \
		.x = "idle senders of the mailbox", \
		.unit = "ns", \
	}
static const struct curve new_curve = OPEN("to send, with a new lane");
static const struct curve again_curve =
	OPEN("to send, with a lane that another has left");
static const struct curve receive_curve =
	OPEN("to receive what waits there already");
static const struct curve make_curve = {
	.name = "open_make",
	.title = "To make a mailbox, until the first message is received",
	.series = "by one who sends and receives",
	.x = "mailboxes that there are",
	.unit = "ns",
};
static const struct target target = {
	"open_to_first",
	"to open an existing mailbox for sending, until the first message is "
	"sent",
	"us", AT_MOST, 100
};

struct point {
	int senders;
	struct sample new, again, receive;
};

static int
open_and_send(cubby_mailbox **ret, double *ret_ns)
{
	uint64_t begun = clock_now(), message = 1;
	int error = cubby_open("opening", CUBBY_SEND, NULL, ret);

	if (!error)
		error = cubby_send(*ret, &message, sizeof(message));
	*ret_ns = (double)(clock_now() - begun);
	return error;
}

static int
receive_all(cubby_mailbox *mailbox)
{
	uint64_t message;
	int error;

	do {
		error = cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					   &message, sizeof(message), NULL,
					   NULL);
	} while (!error);
	return error == -EAGAIN ? 0 : error;
}

static int
time_new(struct point *point, int tries)
{
	cubby_mailbox *opened[FEW];
	int error = 0, count = 0;

	while (count < tries && !error) {
		double ns;

		error = open_and_send(&opened[count], &ns);
		if (error)
			break;
		count++;
		sample_add(&point->new, ns);
	}
	while (count)
		cubby_close(opened[--count]);
	return error;
}

static int
time_again(struct point *point, cubby_mailbox *receiver, int tries)
{
	int error = 0;

	for (int i = 0; i < tries && !error; i++) {
		cubby_mailbox *opened;
		double ns;

		error = open_and_send(&opened, &ns);
		if (error)
			break;
		sample_add(&point->again, ns);
		cubby_close(opened);
		error = receive_all(receiver);
	}
	return error;
}

static int
time_receivers(struct point *point, cubby_mailbox *sender, int tries)
{
	int error = 0;

	for (int i = 0; i < tries && !error; i++) {
		cubby_mailbox *receiver;
		uint64_t message = 1, begun;

		error = cubby_send(sender, &message, sizeof(message));
		if (error)
			break;
		begun = clock_now();
		error = cubby_open("opening", CUBBY_RECEIVE, NULL, &receiver);
		if (error)
			break;
		error = cubby_receive(receiver, &message, sizeof(message),
				      NULL);
		sample_add(&point->receive, (double)(clock_now() - begun));
		cubby_close(receiver);
	}
	return error;
}

/* A mailbox with its receiver and its idle senders, of which a few new ones are
   timed. again: and the others, too. */
static int
one_mailbox(struct point *point, int new, int again)
{
	cubby_mailbox *receiver, *idle[SENDERS_MOST + 1];
	int error, count = 0;
	double ns;

	error = cubby_open("opening", CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			   &receiver);
	if (error)
		return error;
	while (count < point->senders && !error) {
		error = open_and_send(&idle[count], &ns);
		count += !error;
	}
	if (!error)
		error = receive_all(receiver);
	if (!error)
		error = time_new(point, new);
	if (!error)
		error = receive_all(receiver);
	if (!error)
		error = time_again(point, receiver, again);
	cubby_close(receiver);
	if (!error && count)
		error = time_receivers(point, idle[count / 2], again);
	while (count)
		cubby_close(idle[--count]);
	cubby_unlink("opening");
	return error;
}

/*
 * A new lane is made once, and then is one more. So with few senders each is
 * timed in a mailbox of its own; with many a few more do not matter.
 */
static int
one_point(struct point *point, int tries)
{
	int few = tries < FEW ? tries : FEW, error = 0;

	if (point->senders > 10)
		return one_mailbox(point, few, few);
	for (int i = 1; i < tries && !error; i++)
		error = one_mailbox(point, 1, 0);
	return error ? error : one_mailbox(point, 1, tries);
}

/* Made and kept, so that each is made beside those before. */
static int
make_one(int number, double *ret_ns)
{
	uint64_t begun = clock_now(), message = 1;
	cubby_mailbox *mailbox;
	char name[64];
	int error;

	snprintf(name, sizeof(name), "made-%d", number);
	error = cubby_open(name, CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			   NULL, &mailbox);
	if (error)
		return error;
	error = cubby_send(mailbox, &message, sizeof(message));
	if (!error)
		error = cubby_receive(mailbox, &message, sizeof(message), NULL);
	*ret_ns = (double)(clock_now() - begun);
	cubby_close(mailbox);
	return error;
}

static int
run_make(bool quick)
{
	int count = quick ? 20 : 2000, next = quick ? 10 : 100, error = 0;
	struct sample sample = { NULL, 0, 0 };

	rows_curve(&make_curve);
	for (int i = 0; i < count && !error; i++) {
		double ns;

		error = make_one(i, &ns);
		if (error)
			break;
		sample_add(&sample, ns);
		if (i + 1 == next) {
			rows_values(&make_curve, next, &sample);
			sample_free(&sample);
			next *= quick ? 2 : next == 100 ? 5 : 4;
		}
	}
	sample_free(&sample);
	for (int i = 0; i < count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "made-%d", i);
		cubby_unlink(name);
	}
	return error;
}

static void
report(struct point *points, int count)
{
	rows_curve(&new_curve);
	for (int i = 0; i < count; i++)
		rows_values(&new_curve, points[i].senders, &points[i].new);
	rows_curve(&again_curve);
	for (int i = 0; i < count; i++)
		rows_values(&again_curve, points[i].senders, &points[i].again);
	rows_curve(&receive_curve);
	for (int i = 0; i < count; i++)
		rows_values(&receive_curve, points[i].senders,
			    &points[i].receive);
}

static bool
run_test(const struct scale *scale)
{
	struct point points[] = { { .senders = 0 },
				  { .senders = 1 },
				  { .senders = 10 },
				  { .senders = 100 },
				  { .senders = 1000 } };
	int count = scale->quick ? 3 : 5, tries = scale->quick ? 10 : 100;
	double first = NAN;
	int error = 0;

	for (int i = 0; i < count && !error; i++)
		error = one_point(&points[i], tries);
	if (!error) {
		report(points, count);
		first = sample_quantile(&points[0].new, 0.5) / 1000;
		error = run_make(scale->quick);
	}
	for (int i = 0; i < count; i++) {
		sample_free(&points[i].new);
		sample_free(&points[i].again);
		sample_free(&points[i].receive);
	}
	rows_target(&target, first, NAN, NAN, "it could not be opened");
	return !error || scale_fail("open", "opening", error);
}

const struct scale_test open_test = { "open", "time to open", run_test };
