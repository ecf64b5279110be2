/* SPDX-License-Identifier: MIT */
/*
 * Who gives regions away in messages, who gets them; and who locks what lies in a
 * region that all have attached: two numbers that are equal whenever the mutex is
 * free, and the same as a third one in the account. Who dies with it leaves them
 * one apart at the most, and says so: -EOWNERDEAD.
 */
#include <cubby_sync.h>
#include <errno.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

/* In messages -------------------------------------------------------------------- */

static void
give_one(struct actor *actor)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t id = ID(actor->life, actor->next);
	cubby_region *region;
	int64_t before, deadline = choose_deadline(actor);
	int result;

	options.size = contents_size(actor->mailbox, id);
	options.size_max = 1 << 20;
	result = cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, &options,
				   &region);
	if (result < 0)
		wrong_result(actor, "cubby_region_open", result);
	contents_fill(cubby_region_data(region), options.size, id);
	envelope.tag = id;
	enter_begun(actor->life, actor->next);
	begin_doing(actor, SENDING);
	before = now();
	result = cubby_send_region(actor->handle, region, &envelope, deadline);
	if (result == 0) {
		enter_accepted(actor->life, actor->next++, before, now());
	} else {
		enter_refused(actor->life, actor->next);
		cubby_region_close(region);
		if (!is_nothing(result))
			wrong_result(actor, "cubby_send_region", result);
	}
	end_doing(actor);
}

void
play_giver(struct actor *actor)
{
	if (!begin_life(actor) ||
	    !open_box(actor, actor->mailbox, CUBBY_SEND, NULL, &actor->handle))
		return;
	while (!senders_end() && actor->next < LIFE_MESSAGES) {
		pause_now_and_then(actor);
		give_one(actor);
	}
	leave(actor);
}

int
get_region(struct actor *actor, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region;
	int64_t before;
	uint64_t id;
	int result;

	begin_doing(actor, RECEIVING);
	before = now();
	result = cubby_receive_region(actor->handle, NULL, deadline, &region,
				      &envelope);
	if (result < 0) {
		end_doing(actor);
		if (!is_nothing(result))
			wrong_result(actor, "cubby_receive_region", result);
		return result;
	}
	id = envelope.tag;
	enter_handed(&(struct handed){ .me = actor->number,
				       .mailbox = actor->mailbox,
				       .id = id,
				       .deliveries = envelope.deliveries,
				       .before = before,
				       .after = now() });
	end_doing(actor);
	if (!contents_hold(cubby_region_data(region),
			   contents_size(actor->mailbox, id), id))
		found(DAMAGED,
		      "person %u: the region of message %u of sender "
		      "%u",
		      actor->number, NUMBER_OF(id), LIFE_OF(id));
	pause_now_and_then(actor);
	cubby_region_close(region);
	enter_done(id);
	atomic_fetch_add(&account->regions, 1);
	return 0;
}

void
play_getter(struct actor *actor)
{
	if (!open_box(actor, actor->mailbox, CUBBY_RECEIVE, NULL,
		      &actor->handle))
		return;
	while (!receivers_end()) {
		pause_now_and_then(actor);
		get_region(actor, choose_deadline(actor));
	}
	leave(actor);
}

/* Locks ---------------------------------------------------------------------------- */

struct locked {
	cubby_mutex mutex;
	cubby_condition changed;
	cubby_semaphore units;
	uint64_t first, second;
};

/*
 * The region of a round, before anybody has it. The words of cubby_sync.h count as
 * well, and are zeros in a new region: here they begin shortly before their counts
 * wrap round. (cubby_format(5): a lock's count of unlocks, {version:32, number:31,
 * waiting:1} of a condition and a semaphore.)
 */
void
make_locked(void)
{
	cubby_region *region;
	struct locked *l;

	if (cubby_region_open("locked", CUBBY_CREATE | CUBBY_WRITE, NULL,
			      &region) < 0) {
		found(WRONG, "the region to be locked cannot be made");
		return;
	}
	l = cubby_region_data(region);
	l->mutex.words[1] = UINT32_MAX - 30;
	l->changed.words[0] = (uint64_t)(UINT32_MAX - 60) << 32 |
			      (UINT32_MAX - 61);
	l->units.words[0] = (uint64_t)(UINT32_MAX - 50) << 32;
	cubby_region_close(region);
}

/* With the mutex. died: its last owner has. */
static void
check_locked(struct actor *actor, struct locked *l, bool died)
{
	uint64_t first = l->first, second = l->second;
	uint64_t times = atomic_load(&account->locked_times);

	if (died ? first - times > 1 || first - second > 1 :
		   first != second || first != times)
		found(DAMAGED,
		      "person %u has the mutex%s: the numbers are "
		      "%llu and %llu, and in the account %llu",
		      actor->number, died ? " of a dead one" : "",
		      (unsigned long long)first, (unsigned long long)second,
		      (unsigned long long)times);
	l->second = l->first;
	atomic_store(&account->locked_times, l->first);
}

static void
unlock(struct actor *actor, cubby_region *region, struct locked *l)
{
	int result = cubby_mutex_unlock(region, &l->mutex);

	if (result < 0)
		wrong_result(actor, "cubby_mutex_unlock", result);
}

static void
mend(struct actor *actor, cubby_region *region, struct locked *l)
{
	int result;

	check_locked(actor, l, true);
	atomic_fetch_add(&account->owners_died, 1);
	result = cubby_mutex_consistent(region, &l->mutex);
	if (result < 0)
		wrong_result(actor, "cubby_mutex_consistent", result);
}

static void
use_lock(struct actor *actor, cubby_region *region, struct locked *l)
{
	int result = cubby_mutex_lock(region, &l->mutex,
				      choose_deadline(actor));

	if (is_nothing(result))
		return;
	if (result < 0 && result != -EOWNERDEAD)
		wrong_result(actor, "cubby_mutex_lock", result);
	if (result < 0)
		mend(actor, region, l);
	else
		check_locked(actor, l, false);
	l->first++;
	/* Long and often enough that some are killed with it, and stopped. */
	if (below(&actor->random, 6) == 0)
		stand_idle(10000 + below(&actor->random, 2000000));
	l->second++;
	atomic_fetch_add(&account->locked_times, 1);
	atomic_fetch_add(&account->locked, 1);
	if (below(&actor->random, 4) == 0) {
		result = cubby_condition_wait(region, &l->changed, &l->mutex,
					      choose_deadline(actor));
		if (result == -EOWNERDEAD)
			mend(actor, region, l);
		else if (result < 0 && !is_nothing(result))
			wrong_result(actor, "cubby_condition_wait", result);
		else
			check_locked(actor, l, false);
	}
	unlock(actor, region, l);
	result = below(&actor->random, 2) ?
			 cubby_condition_signal(region, &l->changed) :
			 cubby_condition_broadcast(region, &l->changed);
	if (result < 0)
		wrong_result(actor, "cubby_condition_signal", result);
}

static void
use_semaphore(struct actor *actor, cubby_region *region, struct locked *l)
{
	int result =
		below(&actor->random, 2) ?
			cubby_semaphore_post(region, &l->units) :
			cubby_semaphore_wait(region, &l->units,
					     cubby_deadline_after(1000000));

	if (result < 0 && !is_nothing(result))
		wrong_result(actor, "of a semaphore, a call", result);
}

void
play_locker(struct actor *actor)
{
	cubby_region *region;
	struct locked *l;
	int result = cubby_region_open("locked", CUBBY_CREATE | CUBBY_WRITE,
				       NULL, &region);

	if (result < 0)
		wrong_result(actor, "cubby_region_open", result);
	l = cubby_region_data(region);
	while (!receivers_end()) {
		pause_now_and_then(actor);
		if (below(&actor->random, 3))
			use_lock(actor, region, l);
		else
			use_semaphore(actor, region, l);
	}
	atomic_store(&actor->me->leaving, true);
	cubby_region_close(region);
}
