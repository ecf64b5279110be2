/* SPDX-License-Identifier: MIT */
/*
 * What is performed: by the victim, between its marks, and by those that sleep.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "play.h"

static int64_t
patience(void)
{
	return now() + FAR_OFF;
}

struct attached
attach(int flags)
{
	struct attached own;
	int result = cubby_region_open(REGION, flags | CUBBY_WRITE, NULL,
				       &own.region);

	if (result < 0)
		fail("attaching the region: %s", cubby_strerror(result));
	own.props = cubby_region_data(own.region);
	return own;
}

/* The calls -------------------------------------------------------------- */

static int
lock(struct attached *own)
{
	return cubby_mutex_lock(own->region, &own->props->mutex, CUBBY_FOREVER);
}

static int
try_lock(struct attached *own)
{
	return cubby_mutex_lock(own->region, &own->props->mutex, CUBBY_NOW);
}

/* A deadline that has passed: the way of one who waits, to its end. */
static int
lock_late(struct attached *own)
{
	return cubby_mutex_lock(own->region, &own->props->mutex, -1);
}

static int
unlock(struct attached *own)
{
	return cubby_mutex_unlock(own->region, &own->props->mutex);
}

int
lose(struct attached *own)
{
	int result;

	own->props->losing = true;
	result = unlock(own);
	if (result == 0)
		own->props->lost = true;
	return result;
}

bool
is_lost(const struct attached *own, int result)
{
	bool has_it = result == 0 || result == -EOWNERDEAD;

	if (result == -ENOTRECOVERABLE && !own->props->losing)
		fail("the mutex is lost, and nobody has lost it");
	/* Whoever says that he has lost it had it before us. */
	if (has_it && own->props->lost)
		fail("the mutex was lost, and is to be had");
	return result == -ENOTRECOVERABLE;
}

static int
make_consistent(struct attached *own)
{
	return cubby_mutex_consistent(own->region, &own->props->mutex);
}

static int
wait_condition(struct attached *own)
{
	return cubby_condition_wait(own->region, &own->props->condition,
				    &own->props->mutex, CUBBY_FOREVER);
}

static int
wait_condition_late(struct attached *own)
{
	return cubby_condition_wait(own->region, &own->props->condition,
				    &own->props->mutex, -1);
}

static int
signal_one(struct attached *own)
{
	return cubby_condition_signal(own->region, &own->props->condition);
}

static int
signal_all(struct attached *own)
{
	return cubby_condition_broadcast(own->region, &own->props->condition);
}

static int
wait_semaphore(struct attached *own)
{
	return cubby_semaphore_wait(own->region, &own->props->semaphore,
				    CUBBY_FOREVER);
}

static int
wait_semaphore_late(struct attached *own)
{
	return cubby_semaphore_wait(own->region, &own->props->semaphore, -1);
}

static int
try_semaphore(struct attached *own)
{
	return cubby_semaphore_wait(own->region, &own->props->semaphore,
				    CUBBY_NOW);
}

static int
post(struct attached *own)
{
	return cubby_semaphore_post(own->region, &own->props->semaphore);
}

static const struct act acts[] = {
	{ .operation.name = "mutex-lock/free", .perform = lock, .locks = true },
	{ .operation.name = "mutex-lock/held",
	  .perform = lock,
	  .held = true,
	  .locks = true },
	{ .operation.name = "mutex-lock/queue",
	  .perform = lock,
	  .held = true,
	  .bed = MUTEX_BED,
	  .early = 1,
	  .late = 1,
	  .locks = true },
	{ .operation.name = "mutex-lock/dead",
	  .perform = lock,
	  .ghost = true,
	  .expected = -EOWNERDEAD,
	  .locks = true },
	{ .operation.name = "mutex-lock/lost",
	  .perform = lock,
	  .lost = true,
	  .loses = true,
	  .expected = -ENOTRECOVERABLE,
	  .locks = true },
	{ .operation.name = "mutex-try/held",
	  .perform = try_lock,
	  .held = true,
	  .expected = -EAGAIN,
	  .locks = true },
	{ .operation.name = "mutex-try/dead",
	  .perform = try_lock,
	  .ghost = true,
	  .expected = -EOWNERDEAD,
	  .locks = true },
	{ .operation.name = "mutex-lock/late",
	  .perform = lock_late,
	  .held = true,
	  .expected = -ETIMEDOUT,
	  .locks = true },
	{ .operation.name = "mutex-lock/late-queue",
	  .perform = lock_late,
	  .held = true,
	  .bed = MUTEX_BED,
	  .early = 2,
	  .expected = -ETIMEDOUT,
	  .locks = true },
	{ .operation.name = "mutex-unlock/alone",
	  .perform = unlock,
	  .owns = true },
	{ .operation.name = "mutex-unlock/sleeper",
	  .perform = unlock,
	  .owns = true,
	  .bed = MUTEX_BED,
	  .early = 2 },
	{ .operation.name = "mutex-unlock/doubtful",
	  .perform = lose,
	  .owns = true,
	  .ghost = true,
	  .loses = true },
	{ .operation.name = "mutex-consistent",
	  .perform = make_consistent,
	  .owns = true,
	  .ghost = true },
	{ .operation.name = "condition-wait/alone",
	  .perform = wait_condition,
	  .owns = true,
	  .locks = true,
	  .waits = CONDITION_BED },
	{ .operation.name = "condition-wait/first",
	  .perform = wait_condition,
	  .owns = true,
	  .bed = CONDITION_BED,
	  .late = 1,
	  .locks = true,
	  .waits = CONDITION_BED },
	{ .operation.name = "condition-wait/last",
	  .perform = wait_condition,
	  .owns = true,
	  .bed = CONDITION_BED,
	  .early = 1,
	  .locks = true,
	  .waits = CONDITION_BED },
	{ .operation.name = "condition-wait/late",
	  .perform = wait_condition_late,
	  .owns = true,
	  .bed = CONDITION_BED,
	  .early = 1,
	  .expected = -ETIMEDOUT,
	  .locks = true,
	  .waits = CONDITION_BED },
	{ .operation.name = "condition-signal/nobody", .perform = signal_one },
	{ .operation.name = "condition-signal/sleeper",
	  .perform = signal_one,
	  .bed = CONDITION_BED,
	  .early = 1,
	  .tickets = 1 },
	{ .operation.name = "condition-broadcast/sleepers",
	  .perform = signal_all,
	  .bed = CONDITION_BED,
	  .early = 2,
	  .tickets = 2 },
	{ .operation.name = "semaphore-wait/unit",
	  .perform = wait_semaphore,
	  .units = 1,
	  .takes = true,
	  .waits = SEMAPHORE_BED },
	{ .operation.name = "semaphore-wait/alone",
	  .perform = wait_semaphore,
	  .takes = true,
	  .waits = SEMAPHORE_BED },
	{ .operation.name = "semaphore-wait/first",
	  .perform = wait_semaphore,
	  .bed = SEMAPHORE_BED,
	  .late = 1,
	  .takes = true,
	  .waits = SEMAPHORE_BED },
	{ .operation.name = "semaphore-wait/late",
	  .perform = wait_semaphore_late,
	  .bed = SEMAPHORE_BED,
	  .early = 1,
	  .expected = -ETIMEDOUT,
	  .takes = true,
	  .waits = SEMAPHORE_BED },
	{ .operation.name = "semaphore-try/none",
	  .perform = try_semaphore,
	  .expected = -EAGAIN,
	  .takes = true },
	{ .operation.name = "semaphore-post/nobody",
	  .perform = post,
	  .posts = true },
	{ .operation.name = "semaphore-post/sleeper",
	  .perform = post,
	  .bed = SEMAPHORE_BED,
	  .early = 2,
	  .posts = true },
};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

const struct act *
act_of(const struct scenario *scenario)
{
	return (const struct act *)scenario->operation;
}

const char *
scenario_name(const struct scenario *scenario)
{
	return scenario->operation->name;
}

/*
 * Whether looking before a sleep pays is asked once in a process. The workers,
 * and so the victims, run on one processor each and would not look, and their
 * path would be another than their users'. So it is asked here, before they are
 * there.
 */
static void
look_once(void)
{
	struct attached own;

	if (cubby_region_open(NULL, CUBBY_CREATE, NULL, &own.region) < 0)
		return;
	own.props = cubby_region_data(own.region);
	cubby_semaphore_wait(own.region, &own.props->semaphore, -1);
	cubby_region_close(own.region);
}

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[ACTS];

	if (!list[0].operation) {
		for (int i = 0; i < ACTS; i++)
			list[i].operation = &acts[i].operation;
		look_once();
	}
	*ret_count = ACTS;
	return list;
}

/* Lives ------------------------------------------------------------------ */

static void
must_be(int result, int expected, const char *what)
{
	if (result != expected)
		fail("%s: %s", what, cubby_strerror(result));
}

/* What the mutex's word is when the victim has it. */
static void
note_word(struct attached *own)
{
	must_be(lock(own), 0, "the victim's first lock");
	own->props->victim_word = own->props->mutex.words[0] & ~UINT64_C(1);
	must_be(unlock(own), 0, "the victim's first unlock");
}

/* False: the mutex is lost, and with it what it guards. */
static bool
take_ticket(struct attached *own)
{
	int result;

	while (!own->props->tickets) {
		result = cubby_condition_wait(own->region,
					      &own->props->condition,
					      &own->props->mutex, patience());
		if (is_lost(own, result))
			return false;
		if (result == -EOWNERDEAD)
			result = make_consistent(own);
		must_be(result, 0, "a wait for the condition");
	}
	own->props->tickets--;
	own->props->tickets_taken++;
	return true;
}

/* After the call: what it has got is given back, or used. */
static void
conclude(const struct act *act, struct attached *own, int result)
{
	bool waited = act->locks && act->owns;
	bool has_it = waited || act->perform == make_consistent ||
		      (act->locks && (result == 0 || result == -EOWNERDEAD));

	if (result == -EOWNERDEAD)
		must_be(make_consistent(own), 0, "consistent");
	if (waited && !take_ticket(own))
		fail("the victim's mutex is lost");
	if (has_it)
		must_be(unlock(own), 0, "the victim's last unlock");
}

/* What the survivors did meanwhile may have changed it: given what was not
   there, or taken what was. */
static bool
is_expected(const struct act *act, int result)
{
	if (result == act->expected)
		return true;
	if (act->loses)
		return result == -ENOTRECOVERABLE;
	if (act->perform == try_lock)
		return result == 0 || result == -EAGAIN;
	return result == 0 && (act->locks || act->takes);
}

void
act_live(const struct act *act, struct stage *stage, bool heir)
{
	struct attached own = { 0 };

	complain_to(stage);
	tracee_offer();
	if (!act->enters)
		own = attach(0);
	if (!heir)
		note_word(&own);
	victim_mark(stage, MARK_FURNISH);
	if (act->owns)
		must_be(lock(&own), act->ghost ? -EOWNERDEAD : 0,
			"the victim's lock");
	victim_mark(stage, MARK_SEND);
	victim_mark(stage, MARK_START);
	stage->result = act->perform(&own);
	victim_mark(stage, MARK_END);
	if (act->locks)
		is_lost(&own, stage->result);
	if (!heir && !is_expected(act, stage->result))
		fail("the victim was told: %s", cubby_strerror(stage->result));
	if (!heir)
		conclude(act, &own, stage->result);
	cubby_region_close(own.region);
	_exit(0);
}

/* In the call that locks the mutex, or then in that which waits for the
   condition. */
static void
sleep_for_mutex(struct attached *own, enum bed bed)
{
	int result = cubby_mutex_lock(own->region, &own->props->mutex,
				      patience());

	if (is_lost(own, result))
		return;
	if (result == -EOWNERDEAD)
		result = make_consistent(own);
	must_be(result, 0, "a sleeper's lock");
	if (bed == CONDITION_BED && !take_ticket(own))
		return;
	must_be(unlock(own), 0, "a sleeper's unlock");
}

void
act_sleep(enum bed bed, struct stage *stage)
{
	struct attached own;
	int result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	complain_to(stage);
	own = attach(0);
	if (bed == SEMAPHORE_BED) {
		result = cubby_semaphore_wait(own.region, &own.props->semaphore,
					      patience());
		must_be(result, 0, "a sleeper's wait for the semaphore");
		own.props->units_taken++;
	} else {
		sleep_for_mutex(&own, bed);
	}
	cubby_region_close(own.region);
	_exit(0);
}
