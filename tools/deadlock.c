/* SPDX-License-Identifier: MIT */
/* Who waits for whom, and which deadlocks there are; deadlock.h says how. */
#include "deadlock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "table.h"

/* Making the graph ------------------------------------------------------- */

/* Could it end that wait of another one in its mailbox? A message that is held
   may be given back; who has taken a request replies to it. */
static bool
may_help(const struct party *party, const struct party *waiter,
	 enum wait_kind kind)
{
	if (!party->attached)
		return false;
	switch (kind) {
	case WAIT_MESSAGE:
		return party->role == CUBBY_SEND || party->held;
	case WAIT_REPLY:
		return party->role == CUBBY_RECEIVE &&
		       (!waiter->server || waiter->server == party->number);
	default:
		return party->role == CUBBY_RECEIVE;
	}
}

static bool
somebody_sleeps(const struct snapshot *snapshot, const struct mailbox *mailbox,
		int role)
{
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *party =
			&snapshot->parties[mailbox->first + i];

		if (party->role == role && party->sleeping)
			return true;
	}
	return false;
}

/* Is there what it waits for, or may there be? Then it is about to wake up, or
   waits for something else than it seems. */
static bool
is_there(const struct snapshot *snapshot, const struct mailbox *mailbox,
	 const struct party *party, enum wait_kind kind)
{
	const struct cubby_info *info = &mailbox->info;

	if (kind == WAIT_REPLY)
		return false;
	if (info->buffering == CUBBY_RENDEZVOUS)
		return somebody_sleeps(snapshot, mailbox, CUBBY_SEND) &&
		       somebody_sleeps(snapshot, mailbox, CUBBY_RECEIVE);
	if (party->role == CUBBY_RECEIVE)
		return info->waiting || info->returned;
	if (party->waiting)
		return false;
	return info->order == CUBBY_ORDER_SENDER ||
	       info->waiting < info->capacity;
}

/* Is it known who could end it? */
static bool
is_open(const struct snapshot *snapshot, const struct mailbox *mailbox,
	const struct party *party, enum wait_kind kind)
{
	if (!mailbox->senders_known || !mailbox->receivers_known ||
	    is_there(snapshot, mailbox, party, kind))
		return true;
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *other =
			&snapshot->parties[mailbox->first + i];

		if (may_help(other, party, kind) &&
		    other->process == NO_PROCESS)
			return true;
	}
	return false;
}

/* Puts those who could end a wait behind `helpers`, each once. */
static size_t
find_helpers(const struct snapshot *snapshot, const struct mailbox *mailbox,
	     const struct party *waiter, enum wait_kind kind, size_t *helpers)
{
	size_t count = 0, k;

	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *party =
			&snapshot->parties[mailbox->first + i];

		if (!may_help(party, waiter, kind) ||
		    party->process == NO_PROCESS)
			continue;
		for (k = 0; k < count && helpers[k] != party->process; k++)
			;
		if (k == count)
			helpers[count++] = party->process;
	}
	return count;
}

/* Does it wait in that way? Each way it may: of several threads. */
static bool
is_wait(const struct party *party, enum wait_kind kind)
{
	if (!party->attached || party->process == NO_PROCESS)
		return false;
	switch (kind) {
	case WAIT_MESSAGE:
		return party->role == CUBBY_RECEIVE && party->sleeping;
	case WAIT_ROOM:
		return party->role == CUBBY_SEND && party->sleeping;
	default:
		return party->calling;
	}
}

static void
add_wait(const struct snapshot *snapshot, size_t party, enum wait_kind kind,
	 size_t *helpers, struct analysis *analysis)
{
	const struct party *waiter = &snapshot->parties[party];
	const struct mailbox *mailbox = &snapshot->mailboxes[waiter->mailbox];
	struct wait *wait = &analysis->waits[analysis->count];

	wait->process = waiter->process;
	wait->kind = kind;
	wait->open = is_open(snapshot, mailbox, waiter, wait->kind);
	wait->helpers = helpers;
	wait->helper_count = find_helpers(snapshot, mailbox, waiter, kind,
					  helpers);
	analysis->parties[analysis->count++] = party;
}

/* How many waits there are, and in *room how many helpers at the most. */
static size_t
count_waits(const struct snapshot *snapshot, size_t *room)
{
	size_t count = 0;

	*room = 0;
	for (size_t i = 0; i < snapshot->party_count; i++) {
		const struct party *party = &snapshot->parties[i];

		for (int kind = WAIT_MESSAGE; kind <= WAIT_REPLY; kind++) {
			if (!is_wait(party, (enum wait_kind)kind))
				continue;
			count++;
			*room += snapshot->mailboxes[party->mailbox].count;
		}
	}
	return count;
}

static void
make_graph(const struct snapshot *snapshot, struct analysis *ret)
{
	size_t room, *helpers;

	memset(ret, 0, sizeof(*ret));
	ret->count = count_waits(snapshot, &room);
	ret->waits = allocate(NULL, ret->count * sizeof(*ret->waits));
	ret->parties = allocate(NULL, ret->count * sizeof(*ret->parties));
	ret->helpers = allocate(NULL, room * sizeof(*ret->helpers));
	ret->judgements = allocate(NULL, snapshot->process_count *
						 sizeof(*ret->judgements));
	ret->count = 0;
	helpers = ret->helpers;
	for (size_t i = 0; i < snapshot->party_count; i++)
		for (int kind = WAIT_MESSAGE; kind <= WAIT_REPLY; kind++) {
			if (!is_wait(&snapshot->parties[i],
				     (enum wait_kind)kind))
				continue;
			add_wait(snapshot, i, (enum wait_kind)kind, helpers,
				 ret);
			helpers += ret->waits[ret->count - 1].helper_count;
		}
}

/* Judging ---------------------------------------------------------------- */

static bool
may_run(const struct process *process)
{
	return process->known && process->state != 'S';
}

/* cleared: for each process, that it has been seen to go on; or NULL. */
static size_t
judge(const struct snapshot *snapshot, struct analysis *analysis,
      const bool *cleared)
{
	bool *runs = allocate(NULL, snapshot->process_count);
	size_t knots;

	for (size_t p = 0; p < snapshot->process_count; p++)
		runs[p] = may_run(&snapshot->processes[p]) ||
			  (cleared && cleared[p]);
	knots = waits_judge(analysis->waits, analysis->count, runs,
			    snapshot->process_count, analysis->judgements);
	free(runs);
	return knots;
}

static bool
is_in_knot(const struct analysis *analysis, size_t process, size_t knot)
{
	return analysis->judgements[process].verdict == DEADLOCKED &&
	       analysis->judgements[process].knot == knot;
}

static bool
is_certain(const struct snapshot *snapshot, const struct analysis *analysis,
	   size_t knot)
{
	for (size_t p = 0; p < snapshot->process_count; p++) {
		const struct process *process = &snapshot->processes[p];

		if (is_in_knot(analysis, p, knot) &&
		    (!process->known || process->threads != 1))
			return false;
	}
	return true;
}

/* Looking again ---------------------------------------------------------- */

static bool
is_same_party(const struct party *one, const struct party *other)
{
	return one->role == other->role && one->number == other->number &&
	       one->generation == other->generation &&
	       one->ticket == other->ticket &&
	       one->sequence == other->sequence &&
	       one->waiting == other->waiting && one->held == other->held &&
	       one->calling == other->calling &&
	       one->server == other->server && one->pid == other->pid &&
	       one->pid_namespace == other->pid_namespace &&
	       one->attached == other->attached &&
	       one->sleeping == other->sleeping;
}

static bool
is_unchanged(const struct snapshot *first, const struct mailbox *one,
	     const struct snapshot *second, const struct mailbox *other)
{
	if (!other || other->error || one->count != other->count ||
	    memcmp(one->info.uuid, other->info.uuid, sizeof(one->info.uuid)) ||
	    one->info.sent != other->info.sent ||
	    one->info.waiting != other->info.waiting ||
	    one->info.returned != other->info.returned)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (!is_same_party(&first->parties[one->first + i],
				   &second->parties[other->first + i]))
			return false;
	return true;
}

/* The names of the mailboxes at which a knot waits. Returns how many. */
static int
names_of(const struct snapshot *snapshot, const struct analysis *analysis,
	 size_t knot, char **names)
{
	int count = 0, k;

	for (size_t i = 0; i < analysis->count; i++) {
		const struct party *party =
			&snapshot->parties[analysis->parties[i]];
		char *name = snapshot->mailboxes[party->mailbox].name;

		if (!is_in_knot(analysis, analysis->waits[i].process, knot))
			continue;
		for (k = 0; k < count && names[k] != name; k++)
			;
		if (k == count)
			names[count++] = name;
	}
	return count;
}

static bool
is_asleep_still(const struct snapshot *again, const struct process *process)
{
	for (size_t p = 0; p < again->process_count; p++) {
		const struct process *now = &again->processes[p];

		if (now->pid == process->pid && now->user == process->user &&
		    now->pid_namespace == process->pid_namespace)
			return !may_run(now) && now->known == process->known &&
			       now->started == process->started;
	}
	return false;
}

/* Has nothing at all happened to it since? */
static bool
confirm(const struct snapshot *snapshot, const struct analysis *analysis,
	size_t knot)
{
	char **names = allocate(NULL, analysis->count * sizeof(*names));
	int count = names_of(snapshot, analysis, knot, names);
	struct snapshot again;
	bool same = snapshot_take(names, count, &again) == 0;

	for (int i = 0; same && i < count; i++)
		same = is_unchanged(snapshot,
				    snapshot_find(snapshot, names[i]), &again,
				    snapshot_find(&again, names[i]));
	for (size_t p = 0; same && p < snapshot->process_count; p++)
		same = !is_in_knot(analysis, p, knot) ||
		       is_asleep_still(&again, &snapshot->processes[p]);
	snapshot_free(&again);
	free(names);
	return same;
}

/* Those that do not stand a second look go on. Returns whether all did. */
static bool
confirm_all(const struct snapshot *snapshot, const struct analysis *analysis,
	    bool *cleared)
{
	bool all = true;

	for (size_t knot = 0; knot < analysis->knots; knot++) {
		if (confirm(snapshot, analysis, knot))
			continue;
		all = false;
		for (size_t p = 0; p < snapshot->process_count; p++)
			if (is_in_knot(analysis, p, knot))
				cleared[p] = true;
	}
	return all;
}

/* Two looks in a row ----------------------------------------------------- */

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* The same for the same waits of the same processes, in whatever order. */
static uint64_t
hash_of(const struct snapshot *snapshot, const struct analysis *analysis,
	size_t knot)
{
	uint64_t sum = 0, hash;

	for (size_t i = 0; i < analysis->count; i++) {
		const struct party *party =
			&snapshot->parties[analysis->parties[i]];
		const struct mailbox *mailbox =
			&snapshot->mailboxes[party->mailbox];

		if (!is_in_knot(analysis, analysis->waits[i].process, knot))
			continue;
		memcpy(&hash, mailbox->info.uuid, sizeof(hash));
		hash = mix(hash, party->pid_namespace);
		hash = mix(hash, (uint64_t)party->pid);
		hash = mix(hash, party->number << 2 | (uint64_t)party->role);
		sum += mix(hash, party->ticket);
	}
	return sum;
}

static const struct suspicion *
find_suspicion(const struct suspicions *suspicions, uint64_t hash)
{
	for (size_t i = 0; i < suspicions->count; i++)
		if (suspicions->known[i].hash == hash)
			return &suspicions->known[i];
	return NULL;
}

/* Remembers those of this look. cleared: those that are seen for the first
   time. Returns whether there were none such. */
static bool
remember(const struct snapshot *snapshot, const struct analysis *analysis,
	 struct suspicions *suspicions, bool *cleared)
{
	struct suspicions now = { allocate(NULL, analysis->knots *
							 sizeof(*now.known)),
				  analysis->knots };
	const struct suspicion *before;
	bool all = true;

	for (size_t knot = 0; knot < analysis->knots; knot++) {
		uint64_t hash = hash_of(snapshot, analysis, knot);

		before = find_suspicion(suspicions, hash);
		now.known[knot].hash = hash;
		now.known[knot].since = before ? before->since : snapshot->time;
		if (before)
			continue;
		all = false;
		for (size_t p = 0; p < snapshot->process_count; p++)
			if (is_in_knot(analysis, p, knot))
				cleared[p] = true;
	}
	free(suspicions->known);
	*suspicions = now;
	return all;
}

static void
tell(const struct snapshot *snapshot, const struct suspicions *suspicions,
     struct analysis *analysis)
{
	const struct suspicion *found;

	analysis->certain = allocate(NULL, analysis->knots * sizeof(bool));
	analysis->since = allocate(NULL, analysis->knots * sizeof(int64_t));
	for (size_t knot = 0; knot < analysis->knots; knot++) {
		analysis->certain[knot] = is_certain(snapshot, analysis, knot);
		found = find_suspicion(suspicions,
				       hash_of(snapshot, analysis, knot));
		analysis->since[knot] = found ? found->since : snapshot->time;
	}
}

void
analyse(const struct snapshot *snapshot, struct suspicions *suspicions,
	struct analysis *ret)
{
	bool *cleared = allocate(NULL, snapshot->process_count);

	memset(cleared, false, snapshot->process_count);
	make_graph(snapshot, ret);
	ret->knots = judge(snapshot, ret, NULL);
	if (!confirm_all(snapshot, ret, cleared))
		ret->knots = judge(snapshot, ret, cleared);
	if (!remember(snapshot, ret, suspicions, cleared))
		ret->knots = judge(snapshot, ret, cleared);
	tell(snapshot, suspicions, ret);
	free(cleared);
}

void
analysis_free(struct analysis *analysis)
{
	free(analysis->waits);
	free(analysis->parties);
	free(analysis->helpers);
	free(analysis->judgements);
	free(analysis->certain);
	free(analysis->since);
	memset(analysis, 0, sizeof(*analysis));
}

/* Words ------------------------------------------------------------------ */

const char *
process_text(char text[PROCESS_TEXT], const struct process *process)
{
	if (process->pid_namespace == procfs_namespace())
		snprintf(text, PROCESS_TEXT, "%ld", (long)process->pid);
	else
		snprintf(text, PROCESS_TEXT, "%ld of %llu", (long)process->pid,
			 (unsigned long long)process->pid_namespace);
	return text;
}

static void
print_process(FILE *stream, const struct process *process)
{
	char text[PROCESS_TEXT], *name = name_text(process->name);

	fputs(process_text(text, process), stream);
	if (*name)
		fprintf(stream, " (%s)", name);
	free(name);
}

static void
print_helpers(FILE *stream, const struct snapshot *snapshot,
	      const struct wait *wait)
{
	char text[PROCESS_TEXT];

	for (size_t i = 0; i < wait->helper_count; i++) {
		bool last = i + 1 == wait->helper_count;

		if (i)
			fputs(last ? " or " : ", ", stream);
		if (wait->helpers[i] == wait->process)
			fputs("itself", stream);
		else
			fputs(process_text(text,
					   &snapshot->processes
						    [wait->helpers[i]]),
			      stream);
	}
}

static void
print_wait(FILE *stream, const struct snapshot *snapshot,
	   const struct analysis *analysis, size_t index)
{
	const struct wait *wait = &analysis->waits[index];
	const struct party *party =
		&snapshot->parties[analysis->parties[index]];
	char *name = name_text(snapshot->mailboxes[party->mailbox].name);
	static const char *const whats[] = { "a message", "room", "a reply" };

	print_process(stream, &snapshot->processes[wait->process]);
	fprintf(stream, " waits for %s in %s", whats[wait->kind], name);
	free(name);
	if (!wait->helper_count) {
		fputs(wait->kind == WAIT_MESSAGE ? ", and nobody sends there" :
						   ", and nobody receives there",
		      stream);
		return;
	}
	fputs(wait->open ? ", which " : ", which only ", stream);
	print_helpers(stream, snapshot, wait);
	fputs(wait->kind == WAIT_ROOM ? " could make" : " could send", stream);
}

static FILE *
open_text(char **text, size_t *size)
{
	FILE *stream = open_memstream(text, size);

	if (!stream)
		out_of_memory();
	return stream;
}

static void
close_text(FILE *stream)
{
	if (fclose(stream))
		out_of_memory();
}

char *
wait_text(const struct snapshot *snapshot, const struct analysis *analysis,
	  size_t wait)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_text(&text, &size);

	print_wait(stream, snapshot, analysis, wait);
	close_text(stream);
	return text;
}

char *
deadlock_text(const struct snapshot *snapshot, const struct analysis *analysis,
	      size_t knot)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_text(&text, &size);
	const char *between = "";

	fputs(analysis->certain[knot] ? "deadlock: " : "perhaps a deadlock: ",
	      stream);
	for (size_t i = 0; i < analysis->count; i++) {
		if (!is_in_knot(analysis, analysis->waits[i].process, knot))
			continue;
		fputs(between, stream);
		print_wait(stream, snapshot, analysis, i);
		between = "; ";
	}
	close_text(stream);
	return text;
}
