/* SPDX-License-Identifier: MIT */
/*
 * A round: receivers count each message where all can see it; the coordinator
 * reads the sum of these after the warm-up and again at the end, and tells the
 * senders to stop. When all have, and as much has been received as they say
 * that they sent, each receiver is sent a message that ends its round.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/words.h"
#include "cubby.h"
#include "stream.h"

#define AT_ONCE 32
#define DRAIN_LONGEST 60000000000ull /* ns */
#define END 0 /* the first word of the message that ends a round */

enum { ORDER_OPEN, ORDER_SEND, ORDER_RECEIVE, ORDER_END };

/*
 * field	written by		read by
 * stop		the coordinator		senders, each message
 * messages	its member: a receiver	the coordinator
 *		each time, a sender
 *		at the end
 * sum, done	its member at the end	the coordinator
 */
struct board {
	_Alignas(128) _Atomic uint32_t stop;
	struct {
		_Alignas(128) _Atomic uint64_t messages;
		uint64_t sum;
		_Atomic bool done;
	} member[];
};

/* Known to all, before they are forked. */
static struct {
	struct stream *stream;
	struct board *board;
	int receivers; /* the most of any point: members below it */
	cubby_mailbox **keep;
	int kept;
} streams;

/* A member's own. */
static cubby_mailbox *mailboxes[POINTS_MAX];

static void
name_of(int point, int pair, char *ret, size_t size)
{
	snprintf(ret, size, "stream-%d-%d", point, pair);
}

/* In a member ------------------------------------------------------------ */

static int
send_all(int member, cubby_mailbox *mailbox)
{
	uint64_t message[SMALL / sizeof(uint64_t)], sum = 0, count = 0;
	int error = 0;

	while (!error && !atomic_load_explicit(&streams.board->stop,
					       memory_order_relaxed)) {
		words_fill(message, sizeof(message), ++count);
		sum += words_expected(sizeof(message), count);
		error = cubby_send(mailbox, message, sizeof(message));
	}
	streams.board->member[member].sum = sum;
	atomic_store(&streams.board->member[member].messages, count);
	atomic_store(&streams.board->member[member].done, true);
	return error;
}

static int
receive_all(int member, cubby_mailbox *mailbox)
{
	uint64_t message[SMALL / sizeof(uint64_t)], sum = 0, count = 0;
	int error;

	for (;;) {
		error = cubby_receive(mailbox, message, sizeof(message), NULL);
		if (error || message[0] == END)
			break;
		sum += words_sum(message, sizeof(message));
		atomic_store_explicit(&streams.board->member[member].messages,
				      ++count, memory_order_relaxed);
	}
	streams.board->member[member].sum = sum;
	return error;
}

static int
send_ends(int point, cubby_mailbox *mailbox)
{
	const struct stream_point *its = &streams.stream->points[point];
	uint64_t message[SMALL / sizeof(uint64_t)] = { END };
	int count = its->pairs ? 1 : its->receivers, error = 0;

	while (count-- && !error)
		error = cubby_send(mailbox, message, sizeof(message));
	return error;
}

static int
open_one(int member, int point)
{
	bool sends = member >= streams.receivers;
	int number = sends ? member - streams.receivers : member;
	char name[64];

	name_of(point, streams.stream->points[point].pairs ? number : 0, name,
		sizeof(name));
	return cubby_open(name, sends ? CUBBY_SEND : CUBBY_RECEIVE, NULL,
			  &mailboxes[point]);
}

static int
act(struct troop *troop, int member, int order, long point)
{
	(void)troop;
	switch (order) {
	case ORDER_OPEN:
		return open_one(member, (int)point);
	case ORDER_SEND:
		return send_all(member, mailboxes[point]);
	case ORDER_RECEIVE:
		return receive_all(member, mailboxes[point]);
	default:
		return send_ends((int)point, mailboxes[point]);
	}
}

/* In the coordinator ----------------------------------------------------- */

static bool
fail(const char *what, int error)
{
	return scale_fail(streams.stream->test, what, error);
}

static int
make_mailboxes(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	const struct stream *stream = streams.stream;
	int error = 0, most = 0;

	options.lifetime = CUBBY_TEMPORARY;
	for (int i = 0; i < stream->count; i++)
		most += stream->points[i].pairs ? stream->points[i].senders : 1;
	streams.keep = calloc((size_t)most, sizeof(*streams.keep));
	streams.kept = 0;
	if (!streams.keep)
		return -ENOMEM;
	for (int i = 0; i < stream->count; i++) {
		const struct stream_point *point = &stream->points[i];

		for (int j = 0; j < (point->pairs ? point->senders : 1); j++) {
			char name[64];

			name_of(i, j, name, sizeof(name));
			error = cubby_open(name, CUBBY_CREATE | CUBBY_EXCLUSIVE,
					   &options,
					   &streams.keep[streams.kept]);
			if (error)
				return error;
			streams.kept++;
		}
	}
	return 0;
}

static void
unmake_mailboxes(void)
{
	while (streams.kept)
		cubby_close(streams.keep[--streams.kept]);
	free(streams.keep);
}

static uint64_t
messages_of(int first, int count)
{
	uint64_t sum = 0;

	for (int i = first; i < first + count; i++)
		sum += atomic_load_explicit(&streams.board->member[i].messages,
					    memory_order_relaxed);
	return sum;
}

static uint64_t
sum_of(int first, int count)
{
	uint64_t sum = 0;

	for (int i = first; i < first + count; i++)
		sum += streams.board->member[i].sum;
	return sum;
}

static void
pass(uint64_t ns)
{
	struct timespec time = { (time_t)(ns / 1000000000),
				 (long)(ns % 1000000000) };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

/* Messages a second, after the warm-up. */
static double
watch(const struct stream_point *point)
{
	uint64_t begun, ended, before, after, warm;

	warm = streams.stream->duration / 4;
	pass(warm);
	before = messages_of(0, point->receivers);
	begun = clock_now();
	pass(streams.stream->duration - warm);
	after = messages_of(0, point->receivers);
	ended = clock_now();
	return (double)(after - before) * 1e9 / (double)(ended - begun);
}

/* Until all that was sent has been received. */
static bool
drain(const struct stream_point *point)
{
	uint64_t begun = clock_now();

	while (messages_of(0, point->receivers) !=
	       messages_of(streams.receivers, point->senders)) {
		if (clock_now() - begun > DRAIN_LONGEST)
			return fail("not all that was sent was received", 0);
		pass(200000);
	}
	return true;
}

/*
 * Senders are waited for by what they say that they have sent, as the receivers
 * are under way all the time.
 */
static bool
senders_are_done(const struct stream_point *point)
{
	uint64_t begun = clock_now();
	int i = 0;

	while (i < point->senders) {
		if (atomic_load(
			    &streams.board->member[streams.receivers + i]
				     .done)) {
			i++;
			continue;
		}
		if (clock_now() - begun > DRAIN_LONGEST)
			return fail("a sender did not end", 0);
		pass(200000);
	}
	return true;
}

static bool
one_round(struct troop *troop, int number, double *ret)
{
	const struct stream_point *point = &streams.stream->points[number];
	int receivers = streams.receivers;

	atomic_store(&streams.board->stop, 0);
	for (int i = 0; i < troop_members(troop); i++) {
		atomic_store(&streams.board->member[i].messages, 0);
		atomic_store(&streams.board->member[i].done, false);
	}
	troop_give(troop, 0, point->receivers, ORDER_RECEIVE, number);
	troop_give(troop, receivers, point->senders, ORDER_SEND, number);
	*ret = watch(point);
	atomic_store(&streams.board->stop, 1);
	if (!senders_are_done(point) || !drain(point))
		return false;
	if (!troop_order(troop, receivers, point->pairs ? point->senders : 1,
			 ORDER_END, number))
		return fail(troop_reason(troop), 0);
	if (sum_of(0, point->receivers) != sum_of(receivers, point->senders))
		return fail("what was received is not what was sent", 0);
	return true;
}

/* Receivers first, and then some senders at a time. */
static bool
attach(struct troop *troop)
{
	const struct stream *stream = streams.stream;

	for (int i = 0; i < stream->ended; i++) {
		const struct stream_point *point = &stream->points[i];

		if (!troop_order_in_turn(troop, 0, point->receivers, AT_ONCE,
					 ORDER_OPEN, i) ||
		    !troop_order_in_turn(troop, streams.receivers,
					 point->senders, AT_ONCE, ORDER_OPEN,
					 i))
			return fail(troop_reason(troop), 0);
	}
	return true;
}

static bool
all_laps(struct troop *troop)
{
	struct stream *stream = streams.stream;
	double rates[POINTS_MAX];

	for (int lap = 0; lap < stream->laps; lap++) {
		for (int i = 0; i < stream->ended; i++) {
			int point = lap % 2 ? stream->ended - 1 - i : i;

			if (!one_round(troop, point, &rates[point]))
				return false;
		}
		for (int i = 0; i < stream->ended; i++) {
			sample_add(&stream->rates[i], rates[i]);
			if (rates[0] > 0)
				sample_add(&stream->ratios[i],
					   rates[i] / rates[0]);
		}
	}
	return true;
}

/* The most senders, and the most receivers, of any point. */
static int
most(bool senders)
{
	const struct stream *stream = streams.stream;
	int count = 0;

	for (int i = 0; i < stream->count; i++) {
		const struct stream_point *point = &stream->points[i];
		int its = senders ? point->senders : point->receivers;

		if (its > count)
			count = its;
	}
	return count;
}

/* Points for which there are enough processes. */
static void
leave_out(struct stream *stream, int members, int error)
{
	stream->ended = stream->count;
	for (int i = stream->count - 1; i >= 0; i--) {
		if (stream->points[i].senders > members - streams.receivers)
			stream->ended = i;
	}
	if (stream->ended < stream->count)
		snprintf(stream->reason, sizeof(stream->reason),
			 "no more than %d processes to be had: %s", members,
			 strerror(-error));
}

bool
stream_run(struct stream *stream)
{
	struct troop *troop;
	int members, error;
	size_t size;
	bool fine;

	streams.stream = stream;
	streams.receivers = most(false);
	members = streams.receivers + most(true);
	size = sizeof(struct board) +
	       (size_t)members * sizeof(streams.board->member[0]);
	streams.board = process_share(size);
	error = make_mailboxes();
	if (error) {
		unmake_mailboxes();
		return fail("making mailboxes", error);
	}
	troop = troop_start(members, act, &error);
	leave_out(stream, troop_members(troop), error);
	fine = attach(troop) && all_laps(troop);
	troop_end(troop);
	unmake_mailboxes();
	munmap(streams.board, size);
	return fine;
}

void
stream_report(struct stream *stream, const struct curve *curve)
{
	rows_curve(curve);
	for (int i = 0; i < stream->ended; i++)
		rows_values(curve, stream->points[i].x, &stream->rates[i]);
	if (stream->ended < stream->count)
		rows_end(curve, stream->points[stream->ended].x,
			 stream->reason);
}

void
stream_free(struct stream *stream)
{
	for (int i = 0; i < POINTS_MAX; i++) {
		sample_free(&stream->rates[i]);
		sample_free(&stream->ratios[i]);
	}
}
