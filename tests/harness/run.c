/* SPDX-License-Identifier: MIT */
/*
 * One run: the victim is taken to a point and struck; the others go on.
 */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

enum { RECORDINGS = 5 };	/* until a path comes by what it is about */

static const struct operation *
operation_of(const struct run *run)
{
	return run->scenario->operation;
}

bool
run_is_sender(const struct run *run)
{
	unsigned effects = operation_of(run)->effects;

	return (operation_of(run)->roles & CUBBY_SEND &&
		!(effects & RETURNS)) || effects & BORROWS;
}

int
run_in_hand(const struct run *run, unsigned ways)
{
	unsigned effects = operation_of(run)->effects;

	if (effects & TEMPORARY)
		return scenario_capacity(run->scenario);
	return !(effects & ways) ? 0 : effects & MANY ? BATCH : 1;
}

void
run_start(struct run *run, enum actor actor)
{
	enum stop stop;
	pid_t pid;

	progress("the victim prepares");
	run->supplied = false;
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0)
		victim_live(run->scenario, run->stage, actor);
	if (run_is_sender(run))
		cast_count(run, 1);
	tracee_take(&run->victim, pid);
	for (;;) {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP)
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		if (path_marked(run, stop, "preparing") == MARK_START)
			break;
		cast_oblige(run, run->stage->mark);
	}
	/* Its own, if nobody else has made it. */
	if (!(operation_of(run)->effects & OPENS))
		queue_view_open(run);
}

/* What happens after ----------------------------------------------------- */

void
run_see_off(struct run *run)
{
	int roles = operation_of(run)->roles;
	int64_t since = now();
	enum stop stop;

	progress("the victim leaves");
	queue_view_open(run);
	cast_wake(run, !(operation_of(run)->effects & SENDS));
	if (roles & CUBBY_RECEIVE) {
		cast_drain(run);
		if (run->senders[BYSTANDER])
			cast_supply(run);
	}
	do {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP) {
			if (run->scenario->kind == RENDEZVOUS &&
			    roles & CUBBY_SEND)
				cast_drain(run);
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		}
		if (stop == STOP_MARK)
			cast_oblige(run, run->stage->mark);
	} while (stop == STOP_MARK);
	if (stop != STOP_EXIT || run->victim.status != 0)
		path_failed(run, stop, "after the operation");
	waited("the victim's end", since);
	close(run->victim.proc);
	run->victim.pid = 0;
	if (run_is_sender(run))
		cast_count(run, -1);
	cast_forsake(run);
	cast_succeed(run, true);
	cast_drain(run);
	partners_leave(run);
}

static void
check(struct run *run, const struct deaths *deaths)
{
	struct allowance allowance = {
		.missing = deaths->missing,
		.gaps = deaths->gaps,
		.unseen = deaths->unseen,
		.ordered = deaths->ordered,
		.several = operation_of(run)->effects & (UNLINKS | TEMPORARY),
		.filtered = operation_of(run)->effects & CHOOSES,
	};
	const char *wrong = account_check(&run->stage->account, &allowance);

	if (wrong)
		fail("%s", wrong);
}

/* The survivors go on; left: accepted messages that may be missing. */
static void
survive(struct run *run, int left)
{
	enum scenery scenery = operation_of(run)->scenery;

	cast_wake(run, true);
	if (scenery == GHOST_SENDER || scenery == GHOST_SENDER_HELD ||
	    scenery == GHOST_GONE) {
		cast_fresh(run);
		cast_go_on(run);
	} else {
		cast_go_on(run);
		cast_fresh(run);
	}
	cast_collect(run, left);
	cast_drain(run);
	cast_release(run);
}

/* Everyone who is left, to the end. */
static void
wind_up(struct run *run, const struct deaths *deaths)
{
	returner_comes(run);
	if (operation_of(run)->effects & (RETURNS | TEMPORARY))
		cast_drain(run);
	cast_check_room(run, deaths->missing);
	check(run, deaths);
	cast_check_memory(run);
	cast_leave(run);
}

/* A message that was sent on is there as what it was or as what it became, if
   nobody has taken it with him. */
static void
check_moved(const struct run *run, int missing)
{
	int came = account_came(&run->stage->account, run->stage->moved_from,
				run->stage->moved_to);

	if (operation_of(run)->effects & MOVES &&
	    (came > 1 || came < 1 - missing))
		fail("a region that was sent on came %d times", came);
}

void
run_after_deaths(struct run *run, const struct deaths *deaths)
{
	/* In every other run somebody looks after the dead first; then what
	   the victim held comes before all that follows it. */
	progress("the dead are looked after");
	if (deaths->ordered)
		cubby_sweep(mailbox_name(operation_of(run)), NULL);
	if (deaths->forsaken)
		cast_forsake(run);
	cast_succeed(run, true);
	survive(run, deaths->missing);
	cubby_sweep(NULL, NULL);
	cast_drain(run);
	if (deaths->moved)
		check_moved(run, deaths->missing -
					 run_in_hand(run, TAKES | ENDS));
	wind_up(run, deaths);
}

void
run_kill(struct run *run, enum actor actor)
{
	run->stage->gone = run->stage->gone || run->sleeper;
	tracee_kill(&run->victim);
	account_died(&run->stage->account, actor);
	if (run_is_sender(run))
		cast_count(run, -1);
}

static void
after_kill(struct run *run, uint32_t index)
{
	bool there = !(operation_of(run)->effects & (CREATES | UNLINKS));
	struct deaths deaths = {
		.missing = run_in_hand(run, TAKES | ENDS),
		.unseen = 1,
		.ordered = index % 2 && there,
		.forsaken = index & 2 && !(operation_of(run)->effects & OPENS),
		.moved = true,
	};

	run_kill(run, VICTIM);
	run_after_deaths(run, &deaths);
}

/*
 * It stands still with the lock of the queue: all the others can do is to give up
 * when their deadlines pass. It finishes first, and then they go on.
 */
static void
after_stop_locked(struct run *run, uint32_t index)
{
	int missing = run_in_hand(run, TAKES | HOLDS | ENDS | GIVES_BACK);

	cast_outlast(run);
	cast_held_up(run, index);
	run->supplied = false;
	path_finish(run, index);
	survive(run, missing);
	run_see_off(run);
	cast_send_again(run);
	wind_up(run, &(struct deaths){ .missing = run_in_hand(run, 0),
				       .unseen = 1 });
}

void
run_regard_unlinked(struct run *run)
{
	static struct operation operation;
	static struct scenario scenario;

	operation = *run->scenario->operation;
	operation.effects |= UNLINKS;
	scenario = *run->scenario;
	scenario.operation = &operation;
	run->scenario = &scenario;
}

/* What the victim is at loses its name, and another one has it. */
static void
replace(struct run *run)
{
	bool may_have_gone = operation_of(run)->effects & UNLINKS;
	int result;

	progress("what the victim is at is replaced");
	run->stage->replaced = true;
	if (operation_of(run)->effects & NAMED_REGION) {
		named_region_replace();
		return;
	}
	run_regard_unlinked(run);
	result = cubby_unlink(MAILBOX);
	if (result < 0 && (result != -ENOENT || !may_have_gone))
		fail("the mailbox cannot be unlinked");
}

/* Is there for the victim what it is after? */
static void
supply(struct run *run, enum strike strike)
{
	unsigned effects = operation_of(run)->effects;

	run->supplied = !(effects & AWAITS) ||
			account_last_ended(&run->stage->account, VICTIM);
	run->supplied_at = now();
	if (strike == REFILLED)
		cast_refill(run);
	else if (effects & (TAKES | HOLDS))
		cast_supply(run);
}

static void
after_stop(struct run *run, uint32_t index, enum strike strike)
{
	unsigned effects = operation_of(run)->effects;
	int missing = run_in_hand(run, TAKES | HOLDS | ENDS | GIVES_BACK);

	if (strike == REPLACED && (run->receivers[BYSTANDER] ||
				   effects & NAMED_REGION))
		replace(run);
	cast_succeed(run, false);
	if (run->sleeper && cast_is_victims(run))
		helper_let_look(run->sleeper);
	if (effects & (TAKES | HOLDS))
		cast_feed(run);
	if (effects & PASSED)
		cast_pass(run);
	else
		survive(run, missing);
	if (!(effects & PASSED) &&
	    (run->receivers[BYSTANDER] || run->receivers[FRESH]))
		check(run, &(struct deaths){ .missing = missing,
					     .unseen = 1 });
	supply(run, strike);
	path_finish(run, index);
	run_see_off(run);
	cast_send_again(run);
	wind_up(run, &(struct deaths){ .missing = run_in_hand(run, 0),
				       .unseen = 1 });
}

/* Not a mailbox that is begun, or is another's; and a partner comes by the
   name. */
static bool
can_be_replaced(const struct scenario *scenario)
{
	unsigned not = CREATES | INBOX | PASSED;

	return scenario->kind != RENDEZVOUS &&
	       !(scenario->operation->effects & not);
}

unsigned
run_strikes(const struct scenario *scenario)
{
	unsigned strikes = 1 << KILLED | 1 << STOPPED;

	if (!(scenario->operation->effects & (PASSED | NAMED_REGION)))
		strikes |= 1 << REFILLED;
	if (can_be_replaced(scenario))
		strikes |= 1 << REPLACED;
	return strikes;
}

static void
record_once(struct run *run)
{
	run->is_locked = queue_view_locked;
	cast_enter(run);
	run_start(run, VICTIM);
	cast_still(run);
	path_record(run, false);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	run_see_off(run);
	cast_fresh(run);
	cast_collect(run, run_in_hand(run, 0));
	cast_release(run);
	wind_up(run, &(struct deaths){ .missing = run_in_hand(run, 0) });
}

void
run_record(struct run *run)
{
	const struct run begun = *run;
	const char *missed;
	int times = 0;

	do {
		*run = begun;
		record_once(run);
		missed = aims_missed(run);
	} while (missed && ++times < RECORDINGS);
	if (missed)
		fail("its path does not come by %s", missed);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	bool reached;

	cast_enter(run);
	run_start(run, VICTIM);
	reached = path_reach(run, index);
	run->stage->account.era = AFTER_STRIKE;
	if (strike == KILLED || !reached)
		after_kill(run, index);
	else if (queue_view_locked(run, run->victim.pid))
		after_stop_locked(run, index);
	else
		after_stop(run, index, strike);
	return reached;
}
