/* SPDX-License-Identifier: MIT */
/*
 * Many mailboxes open: in one process, which receives from all of them; and on
 * one machine, in several processes. What it takes to make one more, to open one
 * of them for sending until its first message is there, and what each takes.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/clock.h"
#include "cubby.h"
#include "memory.h"
#include "root.h"
#include "rows.h"
#include "troop.h"

#define TRIES_MOST 200

enum { ORDER_OPEN, ORDER_MEASURE };

/* What a member has found out. */
struct found {
	int open, error; /* how many; why there are no more */
	double make_ns[TRIES_MOST], first_ns[TRIES_MOST];
	int makes, firsts;
	double files, private, tables; /* bytes each */
	double descriptors, mappings;  /* each */
	double private_before, tables_before;
	double descriptors_before, mappings_before;
};

static struct {
	struct found *found; /* of each member */
} shared;

/* A member's own. */
static cubby_mailbox **mine;
static int mine_count;

static void
name_of(int member, int number, char *ret, size_t size)
{
	snprintf(ret, size, "many-%d-%d", member, number);
}

/* In a member ------------------------------------------------------------ */

/* What a process needs for its first mailbox is not that mailbox's. */
static void
take_stock(int member, struct found *found)
{
	cubby_mailbox *first;
	char name[64];

	snprintf(name, sizeof(name), "first-%d", member);
	if (cubby_open(name, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &first) == 0) {
		memory_of_files(name);
		cubby_close(first);
	}
	memory_private();
	found->private_before = memory_private();
	found->tables_before = memory_tables();
	found->descriptors_before = (double)memory_descriptors();
	found->mappings_before = (double)memory_mappings();
}

/* As many as it is to have, or as can be had. Returns 0: that ends the curve. */
static int
open_up_to(int member, struct found *found, int count)
{
	if (!mine) {
		mine = calloc(100000, sizeof(*mine));
		if (!mine)
			return -ENOMEM;
		take_stock(member, found);
	}
	found->makes = 0;
	while (mine_count < count && !found->error) {
		uint64_t begun = clock_now();
		char name[64];

		name_of(member, mine_count, name, sizeof(name));
		found->error = cubby_open(name, CUBBY_CREATE | CUBBY_RECEIVE,
					  NULL, &mine[mine_count]);
		if (found->error)
			break;
		mine_count++;
		/* The last ones count. */
		found->make_ns[found->makes++ % TRIES_MOST] =
			(double)(clock_now() - begun);
	}
	if (found->makes > TRIES_MOST)
		found->makes = TRIES_MOST;
	found->open = mine_count;
	return 0;
}

/* One is opened for sending, until it has a first message. */
static int
send_first(int member, int number, double *ret_ns)
{
	uint64_t begun = clock_now(), message = 1;
	cubby_mailbox *to;
	char name[64];
	int error;

	name_of(member, number, name, sizeof(name));
	error = cubby_open(name, CUBBY_SEND, NULL, &to);
	if (error)
		return error;
	error = cubby_send(to, &message, sizeof(message));
	if (!error)
		error = cubby_receive(mine[number], &message, sizeof(message),
				      NULL);
	*ret_ns = (double)(clock_now() - begun);
	cubby_close(to);
	return error;
}

static int
measure(int member, struct found *found, int tries)
{
	double each = mine_count ? 1.0 / mine_count : NAN;
	int error = 0;
	char name[64];

	found->private = (memory_private() - found->private_before) * each;
	found->tables = (memory_tables() - found->tables_before) * each;
	found->descriptors = ((double)memory_descriptors() -
			      found->descriptors_before) *
			     each;
	found->mappings =
		((double)memory_mappings() - found->mappings_before) * each;
	name_of(member, mine_count - 1, name, sizeof(name));
	found->files = memory_of_files(name);
	found->firsts = 0;
	for (int i = 0; i < tries && i < mine_count && !error; i++)
		error = send_first(member,
				   (int)((long)i * mine_count / tries) %
					   mine_count,
				   &found->first_ns[found->firsts++]);
	/* It takes three descriptors more, which there may not be. */
	if (error == -EMFILE) {
		found->firsts--;
		return 0;
	}
	return error;
}

static int
act(struct troop *troop, int member, int order, long argument)
{
	struct found *found = &shared.found[member];

	(void)troop;
	return order == ORDER_OPEN ? open_up_to(member, found, (int)argument) :
				     measure(member, found, (int)argument);
}

/* In the coordinator ----------------------------------------------------- */

struct curves {
	struct curve make, first, files, private, tables, descriptors, mappings;
};

#define OF_MAILBOXES(its_name, its_title, its_series, its_unit) \
	{ \
		.name = its_name, \
		.title = its_title, \
		.series = its_series, \
		.x = "mailboxes", \
		.unit = its_unit, \
	}
#define TIMES "Mailboxes that one process receives from: time"
#define SIZES "Mailboxes that one process receives from: bytes each"
#define HANDLES "Mailboxes that one process receives from: handles each"
#define MACHINE "Mailboxes that several processes receive from: time"

static const struct curves in_one_process = {
	OF_MAILBOXES("mailboxes", TIMES, "to make one more", "ns"),
	OF_MAILBOXES("mailboxes", TIMES,
		     "to open one for sending, until a message is received",
		     "ns"),
	OF_MAILBOXES("mailboxes_memory", SIZES, "files", "bytes"),
	OF_MAILBOXES("mailboxes_memory", SIZES, "private memory", "bytes"),
	OF_MAILBOXES("mailboxes_memory", SIZES, "page tables", "bytes"),
	OF_MAILBOXES("mailboxes_handles", HANDLES, "descriptors", "handles"),
	OF_MAILBOXES("mailboxes_handles", HANDLES, "mappings", "handles"),
};
static const struct curve machine_make =
	OF_MAILBOXES("mailboxes_machine", MACHINE, "to make one more", "ns");
static const struct curve machine_first =
	OF_MAILBOXES("mailboxes_machine", MACHINE,
		     "to open one for sending, until a message is received",
		     "ns");

struct point {
	double x, reached; /* how many there were to be, and are */
	struct sample make, first;
	struct found found; /* of member 0 */
	char reason[200];   /* "": it was reached */
};

static void
describe(const struct found *found, int wanted, struct point *ret)
{
	if (found->open >= wanted)
		return;
	snprintf(ret->reason, sizeof(ret->reason),
		 "after %d in one process: %s; it has %.1f descriptors and "
		 "%.1f mappings for each",
		 found->open, cubby_strerror(found->error), found->descriptors,
		 found->mappings);
}

/* All members open up to that many each; member 0 measures. */
static bool
one_point(struct troop *troop, int members, int each, int tries,
	  struct point *ret)
{
	struct found *found = shared.found;

	ret->x = (double)each * members;
	if (!troop_order(troop, 0, members, ORDER_OPEN, each) ||
	    !troop_order(troop, 0, 1, ORDER_MEASURE, tries))
		return false;
	for (int i = 0; i < found->makes; i++)
		sample_add(&ret->make, found->make_ns[i]);
	for (int i = 0; i < found->firsts; i++)
		sample_add(&ret->first, found->first_ns[i]);
	for (int i = 0; i < members; i++) {
		ret->reached += found[i].open;
		if (!ret->reason[0])
			describe(&found[i], each, ret);
	}
	ret->found = *found;
	return true;
}

static void
report_times(const struct curve *curve, struct point *points, int count,
	     bool first)
{
	rows_curve(curve);
	for (int i = 0; i < count; i++) {
		rows_values(curve, points[i].reached,
			    first ? &points[i].first : &points[i].make);
		if (points[i].reason[0])
			rows_end(curve, points[i].x, points[i].reason);
	}
}

static void
report_sizes(const struct curve *curve, const struct point *points, int count,
	     size_t offset)
{
	rows_curve(curve);
	for (int i = 0; i < count; i++) {
		const char *found = (const char *)&points[i].found;

		rows_value(curve, points[i].reached,
			   *(const double *)(found + offset));
		if (points[i].reason[0])
			rows_end(curve, points[i].x, points[i].reason);
	}
}

static void
report_process(struct point *points, int count)
{
	const struct curves *curves = &in_one_process;

	report_times(&curves->make, points, count, false);
	report_times(&curves->first, points, count, true);
	report_sizes(&curves->files, points, count,
		     offsetof(struct found, files));
	report_sizes(&curves->private, points, count,
		     offsetof(struct found, private));
	report_sizes(&curves->tables, points, count,
		     offsetof(struct found, tables));
	report_sizes(&curves->descriptors, points, count,
		     offsetof(struct found, descriptors));
	report_sizes(&curves->mappings, points, count,
		     offsetof(struct found, mappings));
}

/* Points until one that is not reached. */
static bool
run_points(int members, const int *each, int count, int tries,
	   void (*report)(struct point *points, int count))
{
	struct point *points = calloc((size_t)count, sizeof(*points));
	struct troop *troop;
	int error, done = 0;
	bool fine = true;

	shared.found = process_share((size_t)members * sizeof(*shared.found));
	troop = troop_start(members, act, &error);
	if (error)
		fine = scale_fail("mailboxes", "fork", error);
	while (fine && done < count) {
		fine = one_point(troop, members, each[done], tries,
				 &points[done]);
		if (!fine)
			scale_fail("mailboxes", troop_reason(troop), 0);
		else if (points[done++].reason[0])
			break;
	}
	troop_end(troop);
	if (fine)
		report(points, done);
	for (int i = 0; i < count; i++) {
		sample_free(&points[i].make);
		sample_free(&points[i].first);
	}
	free(points);
	return fine;
}

static void
report_machine(struct point *points, int count)
{
	report_times(&machine_make, points, count, false);
	report_times(&machine_first, points, count, true);
}

static bool
run_test(const struct scale *scale)
{
	static const int in_one[] = { 1, 10, 100, 1000, 3000, 10000 };
	static const int in_each[] = { 25, 250, 1000, 2500 };
	char reason[200];
	bool fine;

	if (!scale->quick && !memory_suffices(512e6, 512e6, reason,
					      sizeof(reason))) {
		rows_curve(&in_one_process.make);
		rows_end(&in_one_process.make, 1, reason);
		return true;
	}
	fine = run_points(1, in_one, scale->quick ? 3 : 6,
			  scale->quick ? 10 : 100, report_process);
	root_clear();
	fine &= run_points(4, in_each, scale->quick ? 1 : 4,
			   scale->quick ? 10 : 100, report_machine);
	root_clear();
	return fine;
}

const struct scale_test mailboxes_test = {
	"mailboxes", "10,000 mailboxes open in one process, and on one machine",
	run_test
};
