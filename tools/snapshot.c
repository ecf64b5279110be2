/* SPDX-License-Identifier: MIT */
/* Mailboxes, and who is attached to them, at about one moment. */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

int64_t
monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Parties ---------------------------------------------------------------- */

static struct party *
add_party(struct snapshot *snapshot)
{
	struct party *party;

	snapshot->parties = allocate(snapshot->parties,
				     (snapshot->party_count + 1) *
					     sizeof(*party));
	party = &snapshot->parties[snapshot->party_count++];
	memset(party, 0, sizeof(*party));
	party->mailbox = snapshot->mailbox_count;
	party->process = NO_PROCESS;
	return party;
}

static int
note_sender(const struct cubby_sender_info *sender, void *context)
{
	struct party *party;

	if (!sender->attached && !sender->died && !sender->waiting)
		return 0;
	party = add_party(context);
	party->role = CUBBY_SEND;
	party->number = sender->sender;
	party->ticket = sender->ticket;
	party->sequence = sender->sequence;
	party->waiting = sender->waiting;
	memcpy(party->name, sender->name, sizeof(party->name));
	party->name[sizeof(party->name) - 1] = '\0';
	party->uid = sender->uid;
	party->pid = sender->pid;
	party->pid_namespace = sender->pid_namespace;
	party->attached = sender->attached;
	party->died = sender->died;
	party->sleeping = sender->sleeping;
	party->polling = sender->polling;
	party->broken = sender->broken;
	party->calling = sender->calling;
	party->server = sender->server;
	return 0;
}

static int
note_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	struct party *party = add_party(context);

	party->role = CUBBY_RECEIVE;
	party->number = receiver->receiver;
	party->generation = receiver->generation;
	party->ticket = receiver->ticket;
	party->held = receiver->held;
	party->uid = receiver->uid;
	party->pid = receiver->pid;
	party->pid_namespace = receiver->pid_namespace;
	party->attached = receiver->attached;
	party->died = receiver->died;
	party->sleeping = receiver->sleeping;
	party->polling = receiver->polling;
	return 0;
}

static size_t
find_process(const struct snapshot *snapshot, const struct party *party)
{
	for (size_t i = 0; i < snapshot->process_count; i++)
		if (snapshot->processes[i].pid == party->pid &&
		    snapshot->processes[i].user == party->uid &&
		    snapshot->processes[i].pid_namespace ==
			    party->pid_namespace)
			return i;
	return NO_PROCESS;
}

/* A pid of which nobody knows in what namespace it counts may be anybody's; and
   one that two users claim is one of each, of which /proc knows one. */
static void
find_processes(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->party_count; i++) {
		struct party *party = &snapshot->parties[i];

		if (!party->attached || !party->pid || !party->pid_namespace)
			continue;
		party->process = find_process(snapshot, party);
		if (party->process != NO_PROCESS)
			continue;
		snapshot->processes = allocate(snapshot->processes,
					       (snapshot->process_count + 1) *
						       sizeof(struct process));
		party->process = snapshot->process_count++;
		procfs_look(party->pid_namespace, party->pid, party->uid,
			    &snapshot->processes[party->process]);
	}
}

/* Mailboxes -------------------------------------------------------------- */

static void
look_at(struct snapshot *snapshot, const char *name)
{
	struct mailbox mailbox = { .info = CUBBY_INFO_INIT };

	mailbox.time = monotonic_now();
	mailbox.error = cubby_inspect(name, &mailbox.info);
	if (mailbox.error == -ENOENT)
		return;
	mailbox.name = strdup(name);
	if (!mailbox.name)
		out_of_memory();
	mailbox.first = snapshot->party_count;
	if (!mailbox.error) {
		mailbox.senders_known =
			cubby_inspect_senders(name, note_sender, snapshot) == 0;
		mailbox.receivers_known =
			cubby_inspect_receivers(name, note_receiver,
						snapshot) == 0;
	}
	mailbox.count = snapshot->party_count - mailbox.first;
	snapshot->mailboxes = allocate(snapshot->mailboxes,
				       (snapshot->mailbox_count + 1) *
					       sizeof(mailbox));
	snapshot->mailboxes[snapshot->mailbox_count++] = mailbox;
}

static int
visit(const char *name, void *context)
{
	look_at(context, name);
	return 0;
}

int
snapshot_take(char *const *names, int count, struct snapshot *ret)
{
	int error = 0;

	memset(ret, 0, sizeof(*ret));
	ret->time = monotonic_now();
	if (!count)
		error = cubby_list(visit, ret);
	for (int i = 0; i < count; i++)
		look_at(ret, names[i]);
	ret->end = monotonic_now();
	procfs_forget();
	find_processes(ret);
	return error;
}

void
snapshot_free(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->mailbox_count; i++)
		free(snapshot->mailboxes[i].name);
	free(snapshot->mailboxes);
	free(snapshot->parties);
	free(snapshot->processes);
	memset(snapshot, 0, sizeof(*snapshot));
}

const struct mailbox *
snapshot_find(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->mailbox_count; i++)
		if (strcmp(snapshot->mailboxes[i].name, name) == 0)
			return &snapshot->mailboxes[i];
	return NULL;
}
