/* SPDX-License-Identifier: MIT */
/*
 * What must hold when all persons of a round have gone. Order is about first
 * deliveries, and about what cannot have been so: of two messages the one that had
 * to come first was first asked for after the other one had been received. The
 * rule says which had to come first:
 *
 *	of one sender, that of the lower number
 *	arrival		that whose send had returned before the other one began
 *	priority	the same of equal ones; and a higher one that had been sent
 *			before the other one was asked for
 *	typed		as by arrival, of equal types, for receivers choose
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors.h"
#include "check.h"
#include "contents.h"

/* Lost ------------------------------------------------------------------------- */

static bool
is_accounted_for(uint64_t state)
{
	return !(state & ACCEPTED) || state & HANDED;
}

static void
check_message(uint32_t life, uint32_t number, int64_t *blanks)
{
	uint64_t state = account_message(life, number)->state;

	if (state & ACCEPTED)
		atomic_fetch_add(&account->messages, 1);
	if (is_accounted_for(state))
		return;
	if (state & DOUBT)
		atomic_fetch_add(&account->in_doubt, 1);
	else if (blanks[account->life[life].mailbox]-- > 0)
		atomic_fetch_add(&account->blanks, 1);
	else
		found_message(LOST, life, number,
			      "accepted and never handed "
			      "out, though the mailbox is empty");
}

static void
check_lost(void)
{
	int64_t blanks[KINDS];

	for (int i = 0; i < KINDS; i++)
		blanks[i] = account->box[i].blanks;
	for (uint32_t life = 0; life < account->lives; life++) {
		enum use use = kinds[account->life[life].mailbox].use;

		for (uint32_t n = 0; n < account->life[life].begun; n++)
			if (use == USE_MESSAGES || use == USE_REGIONS)
				check_message(life, n, blanks);
			else if (account_message(life, n)->state & ACCEPTED)
				atomic_fetch_add(&account->messages, 1);
	}
}

/* Order -------------------------------------------------------------------------- */

/* Receivers choose among types, and among priorities the mailbox does. */
static uint32_t
group_of(uint32_t mailbox, uint64_t id)
{
	if (kinds[mailbox].order == CUBBY_ORDER_PRIORITY)
		return (uint32_t)priority_of(mailbox, id);
	return kinds[mailbox].ways & TYPED ? (uint32_t)type_of(id) : 0;
}

static void
check_life_order(uint32_t life)
{
	uint32_t earliest[LEVELS + 1], which[LEVELS + 1];
	uint32_t mailbox = account->life[life].mailbox;

	memset(earliest, 0xff, sizeof(earliest));
	for (uint32_t n = account->life[life].begun; n-- > 0;) {
		const struct message *m = account_message(life, n);
		uint32_t group = group_of(mailbox, ID(life, n));

		if (!m->take_ended)
			continue;
		if (m->take_begun > earliest[group])
			found_message(DISORDERED, life, n,
				      "first asked for "
				      "after message %u of that sender had "
				      "been received (at %u us)",
				      which[group], earliest[group]);
		if (m->take_ended < earliest[group]) {
			earliest[group] = m->take_ended;
			which[group] = n;
		}
	}
}

/* One message of a queue, of those that have all four times. */
struct times {
	uint64_t id;
	uint32_t group;
	uint32_t send_begun, send_ended, take_begun, take_ended;
};

static int
by_send_ended(const void *a, const void *b)
{
	const struct times *first = a, *second = b;

	return (first->send_ended > second->send_ended) -
	       (first->send_ended < second->send_ended);
}

static int
by_send_begun(const void *a, const void *b)
{
	const struct times *first = a, *second = b;

	return (first->send_begun > second->send_begun) -
	       (first->send_begun < second->send_begun);
}

static int
by_take_begun(const void *a, const void *b)
{
	const struct times *first = a, *second = b;

	return (first->take_begun > second->take_begun) -
	       (first->take_begun < second->take_begun);
}

/*
 * Of the firsts, which had been sent at a time, the one that was asked for last
 * must not have been asked for after a second had been received; that time is
 * when the second was sent, or (later) asked for.
 */
static void
compare_times(struct times *firsts, size_t first_count, struct times *seconds,
	      size_t second_count, bool later)
{
	const struct times *last = NULL;
	size_t i, j;

	qsort(firsts, first_count, sizeof(*firsts), by_send_ended);
	qsort(seconds, second_count, sizeof(*seconds),
	      later ? by_take_begun : by_send_begun);
	for (i = j = 0; j < second_count; j++) {
		uint32_t when = later ? seconds[j].take_begun :
					seconds[j].send_begun;

		for (; i < first_count && firsts[i].send_ended < when; i++)
			if (!last || firsts[i].take_begun > last->take_begun)
				last = &firsts[i];
		if (last && last->take_begun > seconds[j].take_ended)
			found_message(
				DISORDERED, LIFE_OF(last->id),
				NUMBER_OF(last->id),
				"first asked for "
				"after message %u of sender %u (sent %u..%u "
				"us) had been received in %u..%u us",
				NUMBER_OF(seconds[j].id),
				LIFE_OF(seconds[j].id), seconds[j].send_begun,
				seconds[j].send_ended, seconds[j].take_begun,
				seconds[j].take_ended);
	}
}

/* Into ret, if not NULL; returns how many. Groups from lowest to highest. */
static size_t
gather(uint32_t mailbox, uint32_t lowest, uint32_t highest, struct times *ret)
{
	size_t count = 0;

	for (uint32_t life = 0; life < account->lives; life++) {
		if (account->life[life].mailbox != mailbox)
			continue;
		for (uint32_t n = 0; n < account->life[life].begun; n++) {
			const struct message *m = account_message(life, n);
			uint32_t group = group_of(mailbox, ID(life, n));

			if (!m->take_ended || !m->send_ended ||
			    group < lowest || group > highest)
				continue;
			if (ret)
				ret[count] = (struct times){
					ID(life, n),   group,
					m->send_begun, m->send_ended,
					m->take_begun, m->take_ended
				};
			count++;
		}
	}
	return count;
}

static void
compare_groups(uint32_t mailbox, uint32_t group)
{
	size_t count = gather(mailbox, group, group, NULL);
	size_t higher = gather(mailbox, group + 1, UINT32_MAX, NULL);
	struct times *these = calloc(2 * count + higher + 1, sizeof(*these));

	if (!these) {
		found(WRONG, "no memory to check the order");
		return;
	}
	gather(mailbox, group, group, these);
	gather(mailbox, group, group, these + count);
	compare_times(these, count, these + count, count, false);
	if (kinds[mailbox].order == CUBBY_ORDER_PRIORITY) {
		gather(mailbox, group + 1, UINT32_MAX, these + 2 * count);
		compare_times(these + 2 * count, higher, these + count, count,
			      true);
	}
	free(these);
}

void
check_account(void)
{
	check_lost();
	for (uint32_t life = 0; life < account->lives; life++)
		if (kinds[account->life[life].mailbox].use != USE_BROADCAST)
			check_life_order(life);
	for (uint32_t i = 0; i < KINDS; i++)
		if (kinds[i].order && kinds[i].use == USE_MESSAGES)
			for (uint32_t group = 0; group <= LEVELS; group++)
				compare_groups(i, group);
}

/* What is left ------------------------------------------------------------------- */

void
check_emptied(void)
{
	struct actor actor = { .me = &account->person[0], .role = &roles[0] };

	/* As one more person, who has no more to do with the first one. */
	actor.number = account->people - 1;
	actor.me = &account->person[actor.number];
	for (uint32_t i = 0; i < KINDS; i++) {
		if (kinds[i].use == USE_REGIONS) {
			actor.mailbox = i;
			actor.kind = &kinds[i];
			open_box(&actor, i, CUBBY_RECEIVE, NULL, &actor.handle);
			while (get_region(&actor, CUBBY_NOW) == 0)
				;
			cubby_close(actor.handle);
		} else if (kinds[i].use == USE_MESSAGES ||
			   kinds[i].use == USE_CALLS) {
			drain(&actor, i);
		}
	}
}

static int
unlink_mailbox(const char *name, void *context)
{
	(void)context;
	if (cubby_unlink(name) < 0)
		found(WRONG, "%s cannot be unlinked", name);
	return 0;
}

static int
unlink_region(const char *name, void *context)
{
	(void)context;
	if (cubby_region_unlink(name) < 0)
		found(WRONG, "the region %s cannot be unlinked", name);
	return 0;
}

/* A user's own directory stays, empty; nothing else may. */
static int
note_left(const char *path, const struct stat *status, int type,
	  struct FTW *where)
{
	const char *name = path + where->base;

	if (where->level == 0 || (where->level == 1 && type == FTW_D &&
				  strncmp(name, "cubby-", 6) == 0 &&
				  strncmp(name, "cubby-region.", 13) != 0))
		return 0;
	found(LEAKED, "%s, %lld bytes", path,
	      (long long)status->st_blocks * 512);
	return 0;
}

void
check_nothing_left(void)
{
	int result;

	if (cubby_list(unlink_mailbox, NULL) < 0 ||
	    cubby_region_list(unlink_region, NULL) < 0)
		found(WRONG, "what is there cannot be listed");
	result = cubby_sweep(NULL, NULL);
	if (result < 0)
		found(WRONG, "the last sweep returned %d", result);
	nftw(getenv("CUBBY_ROOT"), note_left, 16, FTW_PHYS);
}
