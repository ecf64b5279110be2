/* SPDX-License-Identifier: MIT */
/*
 * cubby watch: a line for each thing that happens to mailboxes.
 *
 * It is what differs between one look and the next: so what happens and is undone
 * between two looks is not told, and messages are told by their number. That
 * somebody waits is told when two looks in a row find it in the same sleep; that
 * somebody died, only if the mailbox says so and its process is not there any
 * more.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "deadlock.h"
#include "json.h"
#include "output.h"
#include "snapshot.h"
#include "table.h"
#include "watch.h"

#define MSEC INT64_C(1000000)
#define DELAY (200 * MSEC)

struct events {
	const struct arguments *arguments;
	uint64_t left; /* to be told */
	struct snapshot before, now;
	struct suspicions suspicions;
	struct analysis analysis, analysis_before;
};

/* Telling ---------------------------------------------------------------- */

/* party: whom it is about, or NULL. Returns whether another one is wanted. */
__attribute__((format(printf, 5, 6))) static void
tell(struct events *events, const struct mailbox *mailbox,
     const struct party *party, const char *event, const char *format, ...)
{
	char clock[32], *text, *name;
	struct timespec now;
	va_list arguments;
	struct tm tm;

	if (!events->left)
		return;
	events->left--;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory();
	va_end(arguments);
	clock_gettime(CLOCK_REALTIME, &now);
	if (given(events->arguments, OPTION_JSON)) {
		json_open('{');
		json_member_number("time_ns", (uint64_t)now.tv_sec *
						      UINT64_C(1000000000) +
						      (uint64_t)now.tv_nsec);
		if (mailbox)
			json_member_bytes("mailbox", "mailbox_base64",
					  mailbox->name,
					  strlen(mailbox->name));
		json_member_text("event", event);
		if (party) {
			json_member_text("role", party->role == CUBBY_SEND ?
							 "send" :
							 "receive");
			json_member_number("number", party->number);
			json_member_number("pid", (uint64_t)party->pid);
		}
		json_member_text("text", text);
		json_close('}');
		json_end_line();
	} else {
		localtime_r(&now.tv_sec, &tm);
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		name = name_text(mailbox ? mailbox->name : "");
		output_format("%s.%03ld  %s%s%s\n", clock, now.tv_nsec / 1000000,
			      name, mailbox ? "  " : "", text);
		free(name);
	}
	free(text);
}

/* "sender 3 (Ada), 4711 python3 x.py". The caller frees it. */
static char *
party_text(const struct snapshot *snapshot, const struct party *party)
{
	const struct process *process = NULL;
	char *text, *name = name_text(party->name), *command, pid[PROCESS_TEXT];

	if (party->process != NO_PROCESS)
		process = &snapshot->processes[party->process];
	command = name_text(process ? process->command : "");
	if (process)
		process_text(pid, process);
	else
		snprintf(pid, sizeof(pid), "%ld", (long)party->pid);
	if (asprintf(&text, "%s %llu%s%s%s, %s%s%s",
		     party->role == CUBBY_SEND ? "sender" : "receiver",
		     (unsigned long long)party->number, *name ? " (" : "", name,
		     *name ? ")" : "", pid, *command ? " " : "", command) < 0)
		out_of_memory();
	free(name);
	free(command);
	return text;
}

static void
tell_of_party(struct events *events, const struct snapshot *snapshot,
	      const struct mailbox *mailbox, const struct party *party,
	      const char *event, const char *words)
{
	char *text = party_text(snapshot, party);

	tell(events, mailbox, party, event, "%s %s", text, words);
	free(text);
}

/* Parties ---------------------------------------------------------------- */

static struct party *
find_party(const struct snapshot *snapshot, const struct mailbox *mailbox,
	   const struct party *party)
{
	for (size_t i = 0; mailbox && i < mailbox->count; i++) {
		struct party *other = &snapshot->parties[mailbox->first + i];

		if (other->role == party->role &&
		    other->number == party->number)
			return other;
	}
	return NULL;
}

static bool
is_same_one(const struct party *one, const struct party *other)
{
	return one && other && one->attached && other->attached &&
	       one->pid == other->pid &&
	       one->pid_namespace == other->pid_namespace &&
	       one->generation == other->generation;
}

/* Its process is there still: it has left without closing, by executing another
   program, say. */
static bool
lives_on(const struct snapshot *before, const struct party *party)
{
	const struct process *was;
	struct process is;

	if (party->process == NO_PROCESS)
		return false;
	was = &before->processes[party->process];
	procfs_look(was->pid_namespace, was->pid, was->user, &is);
	return was->known && is.known && is.started == was->started &&
	       is.state != 'Z';
}

static void
tell_departure(struct events *events, const struct mailbox *mailbox,
	       const struct party *was, const struct party *is)
{
	bool died = is && !is->attached && is->died &&
		    !lives_on(&events->before, was);

	tell_of_party(events, &events->before, mailbox, was,
		      died ? "died" : "left", died ? "died" : "left");
}

static bool
is_asleep(const struct party *party)
{
	return party->sleeping || party->calling;
}

static const char *
wait_of(const struct party *party)
{
	return party->calling		      ? "waits for a reply" :
	       party->role == CUBBY_RECEIVE ? "waits for a message" :
					      "waits for room";
}

/* Twice found in the same sleep; and one who looks round is not awake. */
static bool
goes_on_waiting(const struct party *was, const struct party *is)
{
	return is->ticket == was->ticket &&
	       (was->waits ? is_asleep(is) || is_asleep(was) :
			     is_asleep(is) && is_asleep(was));
}

static void
compare_waits(struct events *events, const struct mailbox *mailbox,
	      const struct party *was, struct party *is)
{
	is->waits = goes_on_waiting(was, is);
	if (is->waits && !was->waits)
		tell_of_party(events, &events->now, mailbox, is, "waits",
			      wait_of(is));
	if (!is->waits && was->waits)
		tell_of_party(events, &events->now, mailbox, is, "goes on",
			      "goes on");
}

static void
compare_parties(struct events *events, const struct mailbox *was,
		const struct mailbox *is)
{
	for (size_t i = 0; i < was->count; i++) {
		const struct party *one = &events->before.parties[was->first + i];
		const struct party *other = find_party(&events->now, is, one);

		if (one->attached && !is_same_one(one, other))
			tell_departure(events, is, one, other);
	}
	for (size_t i = 0; i < is->count; i++) {
		struct party *other = &events->now.parties[is->first + i];
		const struct party *one = find_party(&events->before, was,
						     other);

		if (is_same_one(one, other))
			compare_waits(events, is, one, other);
		else if (other->attached)
			tell_of_party(events, &events->now, is, other,
				      "attached", "attached");
	}
}

/* Mailboxes -------------------------------------------------------------- */

static bool
is_known(const struct cubby_info *info)
{
	return info->sent != CUBBY_UNKNOWN && info->waiting != CUBBY_UNKNOWN;
}

static uint64_t
received(const struct cubby_info *info)
{
	return info->sent > info->waiting ? info->sent - info->waiting : 0;
}

/* Of a mailbox of order sender: that one sender's room is full. */
static bool
is_full(const struct cubby_info *info)
{
	return info->buffering == CUBBY_LIMITED &&
	       info->fullest >= info->capacity;
}

static void
compare_counts(struct events *events, const struct mailbox *was,
	       const struct mailbox *is)
{
	const struct cubby_info *a = &was->info, *b = &is->info;

	if (!is_known(a) || !is_known(b))
		return;
	if (a->sent != b->sent || received(a) != received(b))
		tell(events, is, NULL, "messages",
		     "%llu sent, %llu received, %llu waiting",
		     (unsigned long long)(b->sent - a->sent),
		     (unsigned long long)(received(b) > received(a) ?
						  received(b) - received(a) :
						  0),
		     (unsigned long long)b->waiting);
	if (is_full(b) && !is_full(a))
		tell(events, is, NULL, "full",
		     b->order == CUBBY_ORDER_SENDER ? "full, for a sender" :
						      "full");
	if (!is_full(b) && is_full(a))
		tell(events, is, NULL, "room", "has room again");
	if (!b->waiting && a->waiting)
		tell(events, is, NULL, "empty", "empty");
}

static bool
is_same_mailbox(const struct mailbox *one, const struct mailbox *other)
{
	return one && other && !one->error && !other->error &&
	       memcmp(one->info.uuid, other->info.uuid,
		      sizeof(one->info.uuid)) == 0;
}

/* What is there: at the first look, and of a new one. */
static void
tell_of_mailbox(struct events *events, const struct mailbox *mailbox,
		const char *event)
{
	const struct cubby_info *info = &mailbox->info;
	char waiting[COUNT_TEXT];

	tell(events, mailbox, NULL, event, "%s, %s", event,
	     count_text(waiting, info->waiting, "message"));
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *party =
			&events->now.parties[mailbox->first + i];

		if (party->attached)
			tell_of_party(events, &events->now, mailbox, party,
				      "attached", "attached");
	}
}

static void
compare_mailboxes(struct events *events, bool first)
{
	for (size_t i = 0; i < events->before.mailbox_count; i++) {
		const struct mailbox *was = &events->before.mailboxes[i];

		if (!was->error &&
		    !is_same_mailbox(was,
				     snapshot_find(&events->now, was->name)))
			tell(events, was, NULL, "removed", "removed");
	}
	for (size_t i = 0; i < events->now.mailbox_count; i++) {
		const struct mailbox *is = &events->now.mailboxes[i];
		const struct mailbox *was = snapshot_find(&events->before,
							  is->name);

		if (is->error)
			continue;
		if (!is_same_mailbox(was, is)) {
			tell_of_mailbox(events, is,
					first ? "is there" : "made");
			continue;
		}
		compare_counts(events, was, is);
		compare_parties(events, was, is);
	}
}

/* Deadlocks -------------------------------------------------------------- */

static void
compare_deadlocks(struct events *events)
{
	const struct analysis *was = &events->analysis_before;
	const struct analysis *is = &events->analysis;
	char *text;

	for (size_t knot = 0; knot < is->knots; knot++) {
		/* One that was told before bears the time of then. */
		size_t k = 0;

		while (k < was->knots && was->since[k] != is->since[knot])
			k++;
		if (k < was->knots)
			continue;
		text = deadlock_text(&events->now, is, knot);
		tell(events, NULL, NULL, "deadlock", "%s", text);
		free(text);
	}
}

/* Running ---------------------------------------------------------------- */

static int
look(struct events *events, bool first)
{
	const struct arguments *arguments = events->arguments;
	int error;

	snapshot_free(&events->before);
	analysis_free(&events->analysis_before);
	events->before = events->now;
	events->analysis_before = events->analysis;
	error = snapshot_take(arguments->words, arguments->count,
			      &events->now);
	analyse(&events->now, &events->suspicions, &events->analysis);
	if (error)
		return complain_of("mailboxes", "list", error);
	compare_mailboxes(events, first);
	compare_deadlocks(events);
	error = output_flush();
	return error ? output_complain(error) : 0;
}

static int
run(struct events *events)
{
	int64_t delay = (int64_t)number_or(events->arguments, OPTION_DELAY,
					   (uint64_t)DELAY);
	int64_t next = monotonic_now();
	int code = look(events, true);

	while (!code && events->left && watch_sleep(next += delay))
		code = look(events, false);
	return code;
}

int
run_watch(const struct arguments *arguments)
{
	struct events events = {
		.arguments = arguments,
		.left = number_or(arguments, OPTION_COUNT, UINT64_MAX),
	};
	int error = watch_start(), code;

	if (error)
		return output_complain(error);
	code = run(&events);
	snapshot_free(&events.before);
	snapshot_free(&events.now);
	analysis_free(&events.analysis);
	analysis_free(&events.analysis_before);
	free(events.suspicions.known);
	return code;
}
