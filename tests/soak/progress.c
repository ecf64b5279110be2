/* SPDX-License-Identifier: MIT */
/* Does anybody stand still who need not? */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "kinds.h"
#include "progress.h"

struct crowd {
	uint32_t receiving, sending; /* in a call, not stopped */
	uint32_t stopped;
};

static int64_t since[KINDS];

void
progress_begin(int64_t time)
{
	for (int i = 0; i < KINDS; i++)
		since[i] = time;
}

static void
count_person(const struct person *person, struct crowd *crowd)
{
	if (person->doomed || person->stopped)
		crowd->stopped++;
	else if (person->doing == RECEIVING)
		crowd->receiving++;
	else if (person->doing != ELSEWHERE)
		crowd->sending++;
}

static void
note_stall(uint32_t mailbox, int64_t time, const struct crowd *crowd,
	   int64_t waiting)
{
	int64_t length = time - since[mailbox];

	if (length <= account->longest)
		return;
	account->longest = length;
	/* So many at least (see progress.h). Those who are stopped may have none
	   in hand: of an empty mailbox that leaves fewer than none. */
	snprintf(account->longest_what, sizeof(account->longest_what),
		 "%s: %u receive, %u send, %u stopped, at least %lld wait",
		 kinds[mailbox].name, crowd->receiving, crowd->sending,
		 crowd->stopped, (long long)(waiting > 0 ? waiting : 0));
	if (length < STALL_SECONDS * INT64_C(1000000000))
		return;
	found(STALLED, "nothing has happened for %lld ms at %s",
	      (long long)(length / 1000000), account->longest_what);
	since[mailbox] = time;
}

static void
sample_mailbox(uint32_t mailbox, int64_t time, const struct crowd *crowd)
{
	const struct box *box = &account->box[mailbox];
	int64_t waiting = box->waiting - box->doubts - box->blanks -
			  crowd->stopped;
	bool work = crowd->receiving && (waiting > 0 || crowd->sending) &&
		    kinds[mailbox].use != USE_FLEETING;

	if (kinds[mailbox].order && crowd->stopped)
		work = false;
	if (!work)
		since[mailbox] = time;
	else if (box->moved > since[mailbox])
		since[mailbox] = box->moved;
	note_stall(mailbox, time, crowd, waiting);
}

void
progress_sample(const struct place *places, uint32_t count)
{
	struct crowd crowds[KINDS + 1];
	int64_t time = now();
	uint32_t i;

	memset(crowds, 0, sizeof(crowds));
	for (i = 0; i < count; i++)
		if (places[i].pid) {
			const struct person *person =
				&account->person[places[i].person];

			count_person(person, &crowds[person->mailbox]);
		}
	for (i = 0; i < KINDS; i++)
		sample_mailbox(i, time, &crowds[i]);
}
