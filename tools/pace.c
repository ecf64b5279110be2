/* SPDX-License-Identifier: MIT */
/* How messages move through mailboxes; pace.h says what is measured. */
#include "pace.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"

#define MARKS 64
#define BURST_TIME 1000000	/* ns: looks in a row at one mailbox */

/* At `time` its last message was `tail`. */
struct mark {
	uint64_t tail;
	int64_t time;
};

/* What has been seen of one sender. */
struct track {
	uint64_t number;
	uint64_t tail, head;
	int64_t looked;		/* when the last look began */
	bool old;		/* marks[0] is of the first look of all */
	struct mark marks[MARKS];	/* rising; those behind the head are gone */
	size_t mark_count;
	/* One message that is followed until it is handed out. */
	bool follows;
	uint64_t followed;
	int64_t sent_least, sent_most;
};

/* One look at one sender: what was read lies between two times. */
struct look {
	int64_t begin, end;
	uint64_t number, tail, head;
};

/* Tracks ----------------------------------------------------------------- */

static struct track *
find_track(struct pace *pace, uint64_t number)
{
	for (size_t i = 0; i < pace->track_count; i++)
		if (pace->tracks[i].number == number)
			return &pace->tracks[i];
	return NULL;
}

/* Half of them are enough: a message between two is taken for as young as the
   later one. */
static void
thin_out(struct track *track)
{
	for (size_t i = 0; i < MARKS / 2; i++)
		track->marks[i] = track->marks[2 * i + (i > 0)];
	track->mark_count = MARKS / 2;
}

static void
add_mark(struct track *track, uint64_t tail, int64_t time)
{
	if (track->mark_count == MARKS)
		thin_out(track);
	track->marks[track->mark_count++] = (struct mark){ tail, time };
}

static void
drop_marks(struct track *track)
{
	size_t gone = 0;

	while (gone < track->mark_count &&
	       track->marks[gone].tail <= track->head)
		gone++;
	if (!gone)
		return;
	track->old = false;
	track->mark_count -= gone;
	memmove(track->marks, track->marks + gone,
		track->mark_count * sizeof(track->marks[0]));
}

/* One that was not there at the last look has sent all that waits since. */
static struct track *
begin_track(struct pace *pace, const struct look *look, bool first)
{
	struct track *track;

	pace->tracks = allocate(pace->tracks, (pace->track_count + 1) *
						      sizeof(*track));
	track = &pace->tracks[pace->track_count++];
	memset(track, 0, sizeof(*track));
	track->number = look->number;
	track->tail = first ? look->tail : look->head;
	track->head = look->head;
	track->looked = first ? look->begin : pace->looked;
	track->old = first;
	if (first && look->tail > look->head)
		add_mark(track, look->tail, look->end);
	return track;
}

/* The best of a frame is the one whose bounds are nearest to each other. */
static void
note_latency(struct pace *pace, int64_t least, int64_t most)
{
	if (least < 0)
		least = 0;
	if (pace->latency_known && pace->latency_fresh &&
	    most - least >= pace->latency_most - pace->latency_least)
		return;
	pace->latency_known = true;
	pace->latency_fresh = true;
	pace->latency_least = least;
	pace->latency_most = most;
}

static void
follow(struct pace *pace, struct track *track, const struct look *look)
{
	if (!track->follows && look->tail > track->tail &&
	    track->looked < look->begin) {
		track->follows = true;
		track->followed = look->tail;
		track->sent_least = track->looked;
		track->sent_most = look->end;
	}
	if (track->follows && look->head >= track->followed) {
		note_latency(pace, track->looked - track->sent_most,
			     look->end - track->sent_least);
		track->follows = false;
	}
}

static void
note_look(struct pace *pace, const struct look *look, bool first)
{
	struct track *track = find_track(pace, look->number);

	if (!track)
		track = begin_track(pace, look, first);
	if (look->tail < track->tail || look->head < track->head)
		return; /* read in the wrong order: an older look is as good */
	follow(pace, track, look);
	if (look->tail > track->tail)
		add_mark(track, look->tail, look->end);
	track->tail = look->tail;
	track->head = look->head;
	track->looked = look->begin;
	drop_marks(track);
}

int64_t
pace_oldest(const struct pace *pace, int64_t now, bool *at_least)
{
	int64_t oldest = -1;

	*at_least = false;
	for (size_t i = 0; pace->in_order && i < pace->track_count; i++) {
		const struct track *track = &pace->tracks[i];

		if (!track->mark_count || now - track->marks[0].time <= oldest)
			continue;
		oldest = now - track->marks[0].time;
		*at_least = track->old;
	}
	return oldest;
}

/* Looks ------------------------------------------------------------------ */

struct burst {
	struct pace *pace;
	int64_t begin;
	bool moved;
};

static int
note_sender(const struct cubby_sender_info *sender, void *context)
{
	struct burst *burst = context;
	const struct look look = {
		.begin = burst->begin,
		.end = monotonic_now(),
		.number = sender->sender,
		.tail = sender->sequence,
		.head = sender->sequence - sender->waiting,
	};
	const struct track *track = find_track(burst->pace, look.number);

	burst->moved |= !track || look.tail != track->tail || track->follows;
	note_look(burst->pace, &look, false);
	return 0;
}

/* Where something moves, looks in a row, to see how long one message takes. */
static void
look_at(struct pace *pace)
{
	struct burst burst = { .pace = pace };
	int64_t until = monotonic_now() + BURST_TIME;

	do {
		burst.begin = monotonic_now();
		burst.moved = false;
		if (cubby_inspect_senders(pace->name, note_sender, &burst))
			return;
		pace->looked = burst.begin;
	} while (burst.moved && monotonic_now() < until);
}

void
paces_look(struct paces *paces, int64_t time)
{
	int64_t until = monotonic_now() + time;

	for (size_t i = 0; i < paces->count && monotonic_now() < until; i++) {
		struct pace *pace = &paces->all[paces->next++ % paces->count];

		if (pace->in_order)
			look_at(pace);
	}
}

/* Frames ----------------------------------------------------------------- */

static size_t
find_pace(const struct paces *paces, const struct mailbox *mailbox)
{
	for (size_t i = 0; i < paces->count; i++)
		if (memcmp(paces->all[i].uuid, mailbox->info.uuid,
			   sizeof(mailbox->info.uuid)) == 0)
			return i;
	return paces->count;
}

const struct pace *
paces_find(const struct paces *paces, const struct mailbox *mailbox)
{
	size_t i = find_pace(paces, mailbox);

	return i < paces->count && !mailbox->error ? &paces->all[i] : NULL;
}

static struct pace *
add_pace(struct paces *paces, const struct mailbox *mailbox)
{
	struct pace *pace;

	paces->all = allocate(paces->all, (paces->count + 1) * sizeof(*pace));
	pace = &paces->all[paces->count++];
	memset(pace, 0, sizeof(*pace));
	memcpy(pace->uuid, mailbox->info.uuid, sizeof(pace->uuid));
	pace->name = strdup(mailbox->name);
	if (!pace->name)
		out_of_memory();
	pace->in_order = mailbox->info.order != CUBBY_ORDER_PRIORITY;
	return pace;
}

static double
rate(uint64_t now, uint64_t before, int64_t time)
{
	return now > before && time > 0 ?
		       (double)(now - before) * 1e9 / (double)time :
		       0;
}

static void
take_counts(struct pace *pace, const struct mailbox *mailbox, bool first)
{
	const struct cubby_info *info = &mailbox->info;
	uint64_t received = info->sent - info->waiting;
	int64_t time = mailbox->time - pace->frame;

	pace->in = pace->out = -1;
	if (info->sent == CUBBY_UNKNOWN || info->waiting == CUBBY_UNKNOWN)
		return;
	if (received > info->sent)
		received = 0;
	if (!first) {
		pace->in = rate(info->sent, pace->sent, time);
		pace->out = rate(received, pace->received, time);
	}
	pace->sent = info->sent;
	pace->received = received;
	pace->frame = mailbox->time;
}

/* Those who are not told of any more have nothing waiting. */
static void
forget_absent(struct pace *pace, const struct snapshot *snapshot,
	      const struct mailbox *mailbox)
{
	size_t i, k;

	for (i = 0; i < pace->track_count; i++) {
		struct track *track = &pace->tracks[i];

		for (k = 0; k < mailbox->count; k++) {
			const struct party *party =
				&snapshot->parties[mailbox->first + k];

			if (party->role == CUBBY_SEND &&
			    party->number == track->number)
				break;
		}
		if (k < mailbox->count)
			continue;
		track->mark_count = 0;
		track->follows = false;
	}
}

static void
take_parties(struct pace *pace, const struct snapshot *snapshot,
	     const struct mailbox *mailbox, bool first)
{
	forget_absent(pace, snapshot, mailbox);
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct party *party =
			&snapshot->parties[mailbox->first + i];
		const struct look look = {
			.begin = mailbox->time,
			.end = snapshot->end,
			.number = party->number,
			.tail = party->sequence,
			.head = party->sequence - party->waiting,
		};

		if (party->role == CUBBY_SEND)
			note_look(pace, &look, first);
	}
	pace->looked = mailbox->time;
}

static void
free_pace(struct pace *pace)
{
	free(pace->name);
	free(pace->tracks);
}

/* Those of mailboxes that are gone. */
static void
drop_absent(struct paces *paces)
{
	size_t kept = 0;

	for (size_t i = 0; i < paces->count; i++) {
		if (paces->all[i].present)
			paces->all[kept++] = paces->all[i];
		else
			free_pace(&paces->all[i]);
	}
	paces->count = kept;
}

void
paces_frame(struct paces *paces, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < paces->count; i++)
		paces->all[i].present = false;
	for (size_t i = 0; i < snapshot->mailbox_count; i++) {
		const struct mailbox *mailbox = &snapshot->mailboxes[i];
		size_t found = find_pace(paces, mailbox);
		bool first = found == paces->count;
		struct pace *pace;

		if (mailbox->error)
			continue;
		pace = first ? add_pace(paces, mailbox) : &paces->all[found];
		pace->present = true;
		take_counts(pace, mailbox, first);
		if (mailbox->senders_known)
			take_parties(pace, snapshot, mailbox, first);
		pace->latency_fresh = false;
	}
	drop_absent(paces);
}

void
paces_free(struct paces *paces)
{
	for (size_t i = 0; i < paces->count; i++)
		free_pace(&paces->all[i]);
	free(paces->all);
	memset(paces, 0, sizeof(*paces));
}
