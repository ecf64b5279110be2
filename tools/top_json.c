/* SPDX-License-Identifier: MIT */
/* A frame of cubby top as a line of JSON. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "info.h"
#include "json.h"
#include "top.h"

/* A name that anybody may have chosen. */
static void
member_name(const char *name, const char *otherwise, const char *text)
{
	json_member_bytes(name, otherwise, text, strlen(text));
}

static void
member_known(const char *name, double value, bool known)
{
	if (known)
		json_member_real(name, value);
	else
		json_member_count(name, CUBBY_UNKNOWN);
}

static void
members_of_process(const struct process *process)
{
	json_member_number("pid", (uint64_t)process->pid);
	json_member_number("pid_namespace", process->pid_namespace);
	json_member_number("pid_here", (uint64_t)process->here);
	json_member_number("uid", process->user);
	if (!process->known)
		return;
	member_name("command", "command_base64", process->command);
	json_member_number("threads", process->threads);
}

static void
print_wait(const struct top *top, size_t index)
{
	const struct wait *wait = &top->analysis.waits[index];
	const struct party *party =
		&top->snapshot.parties[top->analysis.parties[index]];

	json_open('{');
	json_member_number("pid",
			   (uint64_t)top->snapshot.processes[wait->process].pid);
	member_name("mailbox", "mailbox_base64",
		    top->snapshot.mailboxes[party->mailbox].name);
	json_member_text("for", wait->kind == WAIT_ROOM	   ? "room" :
				wait->kind == WAIT_MESSAGE ? "message" :
							     "reply");
	json_member_flag("open", wait->open || !wait->helper_count);
	json_name("helpers");
	json_open('[');
	for (size_t i = 0; i < wait->helper_count; i++)
		json_number((uint64_t)top->snapshot.processes[wait->helpers[i]]
				    .pid);
	json_close(']');
	json_close('}');
}

static void
print_party(const struct top *top, const struct party *party)
{
	json_open('{');
	json_member_text("role", party->role == CUBBY_SEND ? "send" :
							     "receive");
	json_member_number("number", party->number);
	if (party->role == CUBBY_SEND) {
		member_name("name", "name_base64", party->name);
		json_member_number("waiting", party->waiting);
		json_member_number("sequence", party->sequence);
		json_member_number("calling", party->calling);
	} else {
		json_member_number("held", party->held);
	}
	json_member_flag("attached", party->attached);
	json_member_flag("died", party->died);
	json_member_flag("sleeping", party->sleeping);
	json_member_flag("polling", party->polling);
	if (party->process != NO_PROCESS)
		members_of_process(&top->snapshot.processes[party->process]);
	else
		json_member_number("uid", party->uid);
	json_close('}');
}

static void
print_parties(const struct top *top, const struct mailbox *mailbox)
{
	json_name("parties");
	json_open('[');
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *party =
			&top->snapshot.parties[mailbox->first + i];

		if (top_shows(party))
			print_party(top, party);
	}
	json_close(']');
}

static void
members_of_pace(const struct top *top, const struct mailbox *mailbox)
{
	const struct pace *pace = paces_find(&top->paces, mailbox);
	bool at_least = false, timed = pace && mailbox->senders_known;
	int64_t oldest = timed ? pace_oldest(pace, top->snapshot.end,
					     &at_least) :
				 -1;

	member_known("in_rate", pace ? pace->in : 0, pace && pace->in >= 0);
	member_known("out_rate", pace ? pace->out : 0, pace && pace->out >= 0);
	timed = timed && pace->latency_known;
	member_known("latency_least",
		     timed ? (double)pace->latency_least / 1e9 : 0, timed);
	member_known("latency_most",
		     timed ? (double)pace->latency_most / 1e9 : 0, timed);
	member_known("oldest", (double)oldest / 1e9, oldest >= 0);
	json_member_flag("oldest_at_least", at_least);
}

static void
print_mailbox(const struct top *top, const struct mailbox *mailbox)
{
	const struct cubby_info *info = &mailbox->info;

	json_open('{');
	member_name("name", "name_base64", mailbox->name);
	if (mailbox->error) {
		json_member_text("error", cubby_strerror(mailbox->error));
		json_close('}');
		return;
	}
	json_member_text("order", info_order(info->order));
	json_member_count("waiting", info->waiting);
	json_member_count("returned", info->returned);
	json_member_count("held", info->held);
	json_member_count("sent", info->sent);
	json_member_count("capacity", info->capacity);
	json_member_count("senders", info->senders);
	json_member_count("receivers", info->receivers);
	json_member_count("sleeping", info->sleeping);
	json_member_count("memory", info->memory);
	members_of_pace(top, mailbox);
	print_parties(top, mailbox);
	json_close('}');
}

static bool
is_of_knot(const struct top *top, size_t process, size_t knot)
{
	return top->analysis.judgements[process].verdict == DEADLOCKED &&
	       top->analysis.judgements[process].knot == knot;
}

static void
print_deadlock(const struct top *top, size_t knot)
{
	const struct analysis *analysis = &top->analysis;
	char *text = deadlock_text(&top->snapshot, analysis, knot);

	json_open('{');
	json_member_flag("certain", analysis->certain[knot]);
	json_member_real("seconds", (double)(top->snapshot.time -
					     analysis->since[knot]) /
					    1e9);
	json_member_text("text", text);
	json_name("processes");
	json_open('[');
	for (size_t p = 0; p < top->snapshot.process_count; p++)
		if (is_of_knot(top, p, knot))
			json_number((uint64_t)top->snapshot.processes[p].pid);
	json_close(']');
	json_close('}');
	free(text);
}

static void
print_waits(const struct top *top)
{
	json_name("waits");
	json_open('[');
	for (size_t i = 0; i < top->analysis.count; i++)
		print_wait(top, i);
	json_close(']');
	json_name("deadlocks");
	json_open('[');
	for (size_t knot = 0; knot < top->analysis.knots; knot++)
		print_deadlock(top, knot);
	json_close(']');
}

void
top_print_json(const struct top *top)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_open('{');
	json_name("time");
	json_number((uint64_t)now.tv_sec);
	json_name("mailboxes");
	json_open('[');
	for (size_t i = 0; i < top->snapshot.mailbox_count; i++)
		print_mailbox(top,
			      &top->snapshot.mailboxes[top->order[i]]);
	json_close(']');
	print_waits(top);
	json_close('}');
	json_end_line();
}
