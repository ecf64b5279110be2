/* SPDX-License-Identifier: MIT */
/*
 * cubby top: mailboxes, who is attached to them, and how messages move, again
 * and again. By looking alone: nobody notices, and nothing is received.
 */
#include "top.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "output.h"
#include "table.h"
#include "watch.h"

#define MSEC INT64_C(1000000)
#define SECOND (1000 * MSEC)
#define LOOK_TIME (2 * MSEC) /* of every TOP_LOOK_EVERY */
#define HELPERS_SHOWN 4

const struct top_title top_titles[TOP_COLUMNS] = {
	{ "MAILBOX", "name", false, 0 }, { "WAITING", "waiting", true, 1 },
	{ "CAPACITY", "capacity", true, 8 }, { "IN/S", "in", true, 2 },
	{ "OUT/S", "out", true, 3 }, { "LATENCY", "latency", true, 6 },
	{ "OLDEST", "oldest", true, 7 }, { "SEND", "senders", true, 4 },
	{ "RECV", "receivers", true, 5 }, { "ASLEEP", "asleep", true, 11 },
	{ "HELD", "held", true, 9 }, { "MEMORY", "memory", true, 10 },
};

int
parse_column(const char *text, uint64_t *ret)
{
	for (uint64_t i = 0; i < TOP_COLUMNS; i++) {
		if (strcmp(text, top_titles[i].name) != 0)
			continue;
		*ret = i;
		return 0;
	}
	return -EINVAL;
}

/* Cells ------------------------------------------------------------------ */

/* A time to two or three digits: 12us, 3.4ms, 15s, 3m, 2h. */
static void
time_text(char *text, size_t size, const char *before, int64_t time)
{
	static const struct {
		const char *name;
		double length, most;
	} units[] = { { "us", 1e3, 1e6 },    { "ms", 1e6, 1e9 },
		      { "s", 1e9, 6e10 },    { "m", 6e10, 3.6e12 },
		      { "h", 3.6e12, 1e14 }, { "d", 8.64e13, 1e20 } };
	double count;
	size_t i = 0;

	while (i < sizeof(units) / sizeof(units[0]) - 1 &&
	       (double)time >= units[i].most)
		i++;
	count = (double)time / units[i].length;
	snprintf(text, size, "%s%.*f%s", before, count < 9.95, count,
		 units[i].name);
}

static void
number_text(char text[TOP_CELL], uint64_t number)
{
	if (number == CUBBY_UNKNOWN)
		snprintf(text, TOP_CELL, "?");
	else
		snprintf(text, TOP_CELL, "%llu", (unsigned long long)number);
}

static void
rate_text(char text[TOP_CELL], double rate)
{
	if (rate < 0)
		snprintf(text, TOP_CELL, "?");
	else if (rate < 9.95)
		snprintf(text, TOP_CELL, "%.*f", rate > 0, rate);
	else if (rate < 1e5)
		snprintf(text, TOP_CELL, "%.0f", rate);
	else if (rate < 9.995e6)
		snprintf(text, TOP_CELL, "%.*fk", 0, rate / 1e3);
	else
		snprintf(text, TOP_CELL, "%.1fM", rate / 1e6);
}

static void
latency_text(char text[TOP_CELL], const struct pace *pace)
{
	if (!pace->latency_known)
		snprintf(text, TOP_CELL, "-");
	else if (2 * pace->latency_least < pace->latency_most)
		time_text(text, TOP_CELL, "<", pace->latency_most);
	else
		time_text(text, TOP_CELL, "",
			  (pace->latency_least + pace->latency_most) / 2);
}

static void
oldest_text(char text[TOP_CELL], const struct top *top, const struct pace *pace)
{
	bool at_least;
	int64_t oldest = pace_oldest(pace, top->snapshot.end, &at_least);

	if (oldest < 0)
		snprintf(text, TOP_CELL, "-");
	else
		time_text(text, TOP_CELL, at_least ? ">" : "", oldest);
}

static void
pace_cell(const struct top *top, const struct mailbox *mailbox,
	  enum top_column column, char text[TOP_CELL])
{
	const struct pace *pace = paces_find(&top->paces, mailbox);

	snprintf(text, TOP_CELL, "?");
	if (!pace)
		return;
	if (column == TOP_IN)
		rate_text(text, pace->in);
	else if (column == TOP_OUT)
		rate_text(text, pace->out);
	else if (column == TOP_LATENCY && mailbox->senders_known)
		latency_text(text, pace);
	else if (column == TOP_OLDEST && mailbox->senders_known)
		oldest_text(text, top, pace);
}

static void
capacity_text(char text[TOP_CELL], const struct cubby_info *info)
{
	if (info->buffering == CUBBY_UNLIMITED)
		snprintf(text, TOP_CELL, "none");
	else
		number_text(text, info->buffering == CUBBY_RENDEZVOUS ?
					  0 :
					  info->capacity);
}

/* What the next receives would get: given back or never handed out. */
static uint64_t
to_receive(const struct cubby_info *info)
{
	if (info->waiting == CUBBY_UNKNOWN || info->returned == CUBBY_UNKNOWN ||
	    info->order != CUBBY_ORDER_SENDER)
		return info->waiting;
	return info->waiting + info->returned;
}

void
top_cell(const struct top *top, const struct mailbox *mailbox,
	 enum top_column column, char text[TOP_CELL])
{
	const struct cubby_info *info = &mailbox->info;

	if (mailbox->error) {
		snprintf(text, TOP_CELL, "?");
		return;
	}
	switch (column) {
	case TOP_WAITING:
		number_text(text, to_receive(info));
		break;
	case TOP_CAPACITY:
		capacity_text(text, info);
		break;
	case TOP_SENDERS:
		number_text(text, info->senders);
		break;
	case TOP_RECEIVERS:
		number_text(text, info->receivers);
		break;
	case TOP_ASLEEP:
		number_text(text, info->sleeping);
		break;
	case TOP_HELD:
		number_text(text, info->held);
		break;
	case TOP_MEMORY:
		size_text(text, info->memory);
		break;
	default:
		pace_cell(top, mailbox, column, text);
	}
}

static uint64_t
add_known(uint64_t sum, uint64_t number)
{
	return sum + (number == CUBBY_UNKNOWN ? 0 : number);
}

void
top_summary(const struct top *top, char text[256])
{
	const struct snapshot *snapshot = &top->snapshot;
	uint64_t senders = 0, receivers = 0, asleep = 0, memory = 0;
	char one[COUNT_TEXT], two[COUNT_TEXT], three[COUNT_TEXT];
	char size[SIZE_TEXT];

	for (size_t i = 0; i < snapshot->mailbox_count; i++) {
		const struct cubby_info *info = &snapshot->mailboxes[i].info;

		senders = add_known(senders, info->senders);
		receivers = add_known(receivers, info->receivers);
		asleep = add_known(asleep, info->sleeping);
		memory = add_known(memory, info->memory);
	}
	size_text(size, memory);
	snprintf(text, 256, "%zu mailbox%s, %s, %s (%llu asleep), %s, %s",
		 snapshot->mailbox_count,
		 snapshot->mailbox_count == 1 ? "" : "es",
		 count_text(one, senders, "sender"),
		 count_text(two, receivers, "receiver"),
		 (unsigned long long)asleep,
		 count_text(three, top->analysis.knots, "deadlock"), size);
}

/* Parties ---------------------------------------------------------------- */

bool
top_shows(const struct party *party)
{
	return party->attached || party->died;
}

static size_t
wait_of(const struct top *top, size_t party)
{
	for (size_t i = 0; i < top->analysis.count; i++)
		if (top->analysis.parties[i] == party)
			return i;
	return top->analysis.count;
}

enum verdict
top_verdict(const struct top *top, size_t party)
{
	size_t process = top->snapshot.parties[party].process;

	return wait_of(top, party) == top->analysis.count ?
		       GOES_ON :
		       top->analysis.judgements[process].verdict;
}

/* Died, says the mailbox; but its process goes on: it has left it by executing
   another program, say. */
static const char *
state_of(const struct party *party)
{
	if (party->broken)
		return "cut off";
	if (!party->attached)
		return party->died ? "died" : "gone";
	if (party->sleeping || party->calling)
		return "asleep";
	return party->polling ? "polls" : "awake";
}

static void
user_text(char text[33], uid_t uid)
{
	static uid_t last = (uid_t)-1;
	static char name[33];
	const struct passwd *user;
	char *safe;

	if (uid != last) {
		user = getpwuid(uid);
		last = uid;
		safe = name_text(user ? user->pw_name : "");
		snprintf(name, sizeof(name), "%s", safe);
		free(safe);
		if (!*name)
			snprintf(name, sizeof(name), "%lu", (unsigned long)uid);
	}
	memcpy(text, name, sizeof(name));
}

static char *
waits_for(const struct top *top, size_t party)
{
	size_t index = wait_of(top, party), size;
	const struct wait *wait = &top->analysis.waits[index];
	char process[PROCESS_TEXT], *text = NULL;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		out_of_memory();
	if (index < top->analysis.count) {
		fputs(wait->kind == WAIT_ROOM	 ? "room" :
		      wait->kind == WAIT_MESSAGE ? "message" :
						   "reply",
		      stream);
		for (size_t i = 0; i < wait->helper_count; i++) {
			if (i == HELPERS_SHOWN) {
				fprintf(stream, " +%zu",
					wait->helper_count - i);
				break;
			}
			fprintf(stream, "%s %s", i ? "" : ":",
				process_text(process,
					     &top->snapshot.processes
						      [wait->helpers[i]]));
		}
	}
	if (fclose(stream))
		out_of_memory();
	return text;
}

void
top_party(const struct top *top, size_t index, struct top_party *ret)
{
	const struct party *party = &top->snapshot.parties[index];
	const struct process *process = NULL;

	if (party->process != NO_PROCESS)
		process = &top->snapshot.processes[party->process];
	if (process)
		process_text(ret->process, process);
	else if (party->pid)
		snprintf(ret->process, sizeof(ret->process), "%ld of ?",
			 (long)party->pid);
	else
		snprintf(ret->process, sizeof(ret->process), "-");
	user_text(ret->user, party->uid);
	ret->role = party->role == CUBBY_SEND ? "sends" : "receives";
	ret->state = state_of(party);
	ret->waits_for = waits_for(top, index);
	ret->command = name_text(process ? process->command : "");
}

void
top_party_free(struct top_party *party)
{
	free(party->waits_for);
	free(party->command);
}

/* Sorting ---------------------------------------------------------------- */

static double
key_of(const struct top *top, const struct mailbox *mailbox)
{
	const struct cubby_info *info = &mailbox->info;
	const struct pace *pace = paces_find(&top->paces, mailbox);
	bool at_least;

	switch (top->sort) {
	case TOP_IN:
		return pace ? pace->in : -1;
	case TOP_OUT:
		return pace ? pace->out : -1;
	case TOP_LATENCY:
		return pace && pace->latency_known ?
			       (double)pace->latency_most :
			       -1;
	case TOP_OLDEST:
		return pace ? (double)pace_oldest(pace, top->snapshot.end,
						  &at_least) :
			      -1;
	case TOP_CAPACITY:
		return (double)info->capacity;
	case TOP_SENDERS:
		return (double)info->senders;
	case TOP_RECEIVERS:
		return (double)info->receivers;
	case TOP_ASLEEP:
		return (double)info->sleeping;
	case TOP_HELD:
		return (double)info->held;
	case TOP_MEMORY:
		return (double)info->memory;
	default:
		return (double)to_receive(info);
	}
}

/* Largest first, names from a to z; equals by name. */
static int
compare(const void *one, const void *other, void *context)
{
	const struct top *top = context;
	const struct mailbox *a = &top->snapshot.mailboxes[*(const size_t *)one];
	const struct mailbox *b =
		&top->snapshot.mailboxes[*(const size_t *)other];
	double x = key_of(top, a), y = key_of(top, b);
	int result = x < y ? 1 : x > y ? -1 : 0;

	if (top->sort == TOP_NAME || !result)
		result = strcmp(a->name, b->name);
	return top->reversed ? -result : result;
}

void
top_sort(struct top *top)
{
	for (size_t i = 0; i < top->snapshot.mailbox_count; i++)
		top->order[i] = i;
	qsort_r(top->order, top->snapshot.mailbox_count, sizeof(*top->order),
		compare, top);
}

/* Looking ---------------------------------------------------------------- */

int
top_look(struct top *top)
{
	int error;

	analysis_free(&top->analysis);
	snapshot_free(&top->snapshot);
	error = snapshot_take(top->names, top->name_count, &top->snapshot);
	paces_frame(&top->paces, &top->snapshot);
	analyse(&top->snapshot, &top->suspicions, &top->analysis);
	top->order = allocate(top->order, top->snapshot.mailbox_count *
						  sizeof(*top->order));
	top_sort(top);
	return error;
}

void
top_look_on(struct top *top)
{
	paces_look(&top->paces, LOOK_TIME);
}

void
top_free(struct top *top)
{
	analysis_free(&top->analysis);
	snapshot_free(&top->snapshot);
	paces_free(&top->paces);
	free(top->suspicions.known);
	free(top->order);
}

/* Until the next frame. False: the command is to end. */
static bool
wait_for_frame(struct top *top, int64_t until)
{
	int64_t left;

	while ((left = until - monotonic_now()) > 0) {
		if (watch_cause())
			return false;
		if (left > TOP_LOOK_EVERY * MSEC)
			left = TOP_LOOK_EVERY * MSEC;
		poll(NULL, 0, (int)((left + MSEC - 1) / MSEC));
		top_look_on(top);
	}
	return !watch_cause();
}

static int
complain_of_look(int error)
{
	return complain_of("mailboxes", "list", error);
}

static int
run_batch(struct top *top, const struct arguments *arguments)
{
	uint64_t frames = number_or(arguments, OPTION_COUNT, UINT64_MAX);
	int64_t next = monotonic_now();
	int error = watch_start();

	/* The first look shows nothing: there are no rates yet. */
	for (uint64_t i = 0; !error; i++) {
		error = top_look(top);
		if (error)
			return complain_of_look(error);
		if (i) {
			if (given(arguments, OPTION_JSON))
				top_print_json(top);
			else
				top_print(top);
			error = output_flush();
		}
		next += top->delay;
		if (error || i == frames || !wait_for_frame(top, next))
			break;
	}
	return error ? output_complain(error) : EXIT_DONE;
}

static int
check_names(const struct arguments *arguments)
{
	for (int i = 0; i < arguments->count; i++) {
		struct cubby_info info = CUBBY_INFO_INIT;
		int error = cubby_inspect(arguments->words[i], &info);

		if (error < 0)
			return complain_of(arguments->words[i], "look at",
					   error);
	}
	return 0;
}

int
run_top(const struct arguments *arguments)
{
	bool batch = given(arguments, OPTION_BATCH) ||
		     given(arguments, OPTION_JSON);
	struct top top = {
		.names = arguments->words,
		.name_count = arguments->count,
		.delay = (int64_t)number_or(arguments, OPTION_DELAY,
					    (uint64_t)SECOND),
		.sort = (enum top_column)number_or(arguments, OPTION_SORT,
						   TOP_IN),
	};
	int code = check_names(arguments);

	if (code)
		return code;
	if (!batch && !output_is_terminal()) {
		complain("standard output is not a terminal; see: cubby top "
			 "--batch");
		return EXIT_USAGE;
	}
	code = batch ? run_batch(&top, arguments) : top_screen(&top);
	top_free(&top);
	return code;
}
