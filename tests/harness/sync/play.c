/* SPDX-License-Identifier: MIT */
/*
 * The worker's part: the scene, the strike, the survivors, and the account.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../double.h"
#include "../must.h"
#include "play.h"

static struct play play; /* of the run under way */

static cubby_mutex *
mutex(void)
{
	return &play.own.props->mutex;
}

/* What the survivors do -------------------------------------------------- */

/* Locks it through that handle. ret_told: its owner had died. false: lost. */
static bool
lock_by(const struct attached *who, bool *ret_told)
{
	int64_t since = now();
	int result;

	progress("a survivor locks the mutex");
	result = cubby_mutex_lock(who->region, &who->props->mutex,
				  since + FAR_OFF);
	waited("lock", since);
	*ret_told = result == -EOWNERDEAD;
	if (is_lost(who, result))
		return false;
	if (result == -EOWNERDEAD)
		result = cubby_mutex_consistent(who->region,
						&who->props->mutex);
	must(result, "a survivor's lock");
	return true;
}

static void
unlock_by(const struct attached *who)
{
	must(cubby_mutex_unlock(who->region, &who->props->mutex),
	     "a survivor's unlock");
}

/* False: an heir has lost it. */
static bool
worker_lock(void)
{
	bool told;

	play.holding = lock_by(&play.own, &told);
	return play.holding;
}

static void
worker_unlock(void)
{
	if (!play.holding)
		return;
	play.holding = false;
	unlock_by(&play.own);
}

static void
issue_tickets(int count)
{
	if (!worker_lock())
		return;
	play.own.props->tickets += (uint64_t)count;
	play.tickets_issued += (uint32_t)count;
	worker_unlock();
}

static void
signal_by_worker(void)
{
	must(cubby_condition_signal(play.own.region,
				    &play.own.props->condition),
	     "a survivor's signal");
}

static void
post_units(int count)
{
	for (; count > 0; count--, play.units_posted++)
		must(cubby_semaphore_post(play.own.region,
					  &play.own.props->semaphore),
		     "a survivor's post");
}

static uint32_t
units(void)
{
	uint32_t value;

	must(cubby_semaphore_value(play.own.region, &play.own.props->semaphore,
				   &value),
	     "the semaphore's value");
	return value;
}

static uint64_t
tickets(void)
{
	uint64_t count = 0;

	if (worker_lock())
		count = play.own.props->tickets;
	worker_unlock();
	return count;
}

/* How often the condition was signalled, from its word. */
static uint32_t
signals(void)
{
	return (uint32_t)play.own.props->condition.words[0] >> 1;
}

/* Sleepers --------------------------------------------------------------- */

static void
pause_a_moment(void)
{
	struct timespec moment = { 0, 200 * 1000 };

	nanosleep(&moment, NULL);
}

/* Has it ended? It must have ended well. */
static bool
has_left(pid_t *pid)
{
	int status;

	if (!*pid)
		return true;
	if (waitpid(*pid, &status, WNOHANG) != *pid)
		return false;
	if (status != 0)
		fail("a sleeper gave up (status %#x): %s", status,
		     play.run->stage->complaint);
	*pid = 0;
	return true;
}

static void
start_sleeper(void)
{
	int i = 0, proc;
	pid_t pid;

	progress("a sleeper goes to sleep");
	while (play.sleepers[i])
		i++;
	pid = must_fork();
	if (pid == 0)
		act_sleep(play.act->bed, play.run->stage);
	play.sleepers[i] = pid;
	proc = asleep_open(pid);
	while (!asleep(proc)) {
		if (has_left(&play.sleepers[i]))
			fail("a sleeper did not sleep");
		pause_a_moment();
	}
	close(proc);
}

static int
sleepers_left(void)
{
	int left = 0;

	for (int i = 0; i < SLEEPERS; i++)
		left += !has_left(&play.sleepers[i]);
	return left;
}

/* Until no more than `left` of them are there, or (available) that, which they
   wait for, has been taken. */
static void
await_sleepers(int left, uint64_t (*available)(void), const char *doing)
{
	int64_t since = now();

	progress(doing);
	while (sleepers_left() > left && (!available || available()))
		pause_a_moment();
	waited("a sleeper", since);
}

static uint64_t
units_available(void)
{
	return units();
}

/* Those that sleep get what they wait for; but first they must find by themselves
   what is there already, as they must that the mutex is lost. */
static void
serve_sleepers(bool lost)
{
	bool signalled = signals() != play.signals;

	if (lost && play.act->bed != SEMAPHORE_BED) {
		await_sleepers(0, NULL, "the sleepers find the mutex lost");
		return;
	}
	switch (play.act->bed) {
	case NO_BED:
		break;
	case MUTEX_BED:
		await_sleepers(0, NULL, "the sleepers get the mutex");
		break;
	case CONDITION_BED:
		if (signalled)
			await_sleepers(0, tickets, "signals are on their way");
		issue_tickets(sleepers_left() - (int)tickets());
		for (int left = sleepers_left(); left > 0; left--)
			signal_by_worker();
		await_sleepers(0, NULL, "the sleepers are signalled");
		break;
	case SEMAPHORE_BED:
		await_sleepers(0, units_available, "posts are on their way");
		post_units(sleepers_left());
		await_sleepers(0, NULL, "the sleepers get units");
		break;
	}
}

/* The scene -------------------------------------------------------------- */

static void
be_ghost(struct run *run)
{
	struct attached own = attach(0);

	(void)run;
	must(cubby_mutex_lock(own.region, &own.props->mutex, CUBBY_NOW),
	     "the ghost's lock");
}

static void
die_with_mutex(void)
{
	helper_bury(play.run, helper_fork(play.run, be_ghost), "a ghost");
}

static void
lose_mutex(void)
{
	die_with_mutex();
	if (cubby_mutex_lock(play.own.region, mutex(), CUBBY_NOW) !=
	    -EOWNERDEAD)
		fail("the worker is not told that the ghost has died");
	must(lose(&play.own), "losing the mutex");
}

/* Before the victim has locked the mutex, if it does. */
static void
set_scene(void)
{
	const struct act *act = play.act;

	for (int i = 0; i < act->early && act->bed != MUTEX_BED; i++)
		start_sleeper();
	issue_tickets(act->tickets);
	post_units(act->units);
	if (act->ghost)
		die_with_mutex();
	if (act->lost)
		lose_mutex();
	if (act->held)
		worker_lock();
}

/* After. */
static void
complete_scene(void)
{
	for (int i = 0; i < play.act->early && play.act->bed == MUTEX_BED; i++)
		start_sleeper();
	play.signals = signals();
}

/* What the victim waits for is there: it has no need to sleep any more. (Where
   others wait for the same, they may take it.) */
static void
supplied(void)
{
	if (play.act->bed != NO_BED)
		return;
	play.run->supplied = true;
	play.run->supplied_at = now();
}

/* The victim gets what it waits for, if it waits for anything. */
static void
supply(void)
{
	const struct act *act = play.act;

	if (play.holding) {
		worker_unlock();
		supplied();
	} else if (act->waits == SEMAPHORE_BED && !units()) {
		post_units(1);
		supplied();
	} else if (act->waits == CONDITION_BED && !tickets()) {
		issue_tickets(act->early + 1);
		for (int i = 0; i <= act->early; i++)
			signal_by_worker();
		supplied();
	}
}

/* The victim sleeps: whoever comes late comes, and it is supplied. */
void
cast_assist(struct run *run)
{
	(void)run;
	/* They come by the name. */
	for (int i = 0; i < play.act->late && !play.late_came &&
			!play.second.region; i++)
		start_sleeper();
	play.late_came = true;
	supply();
}

/* Nobody competes here. */
void
cast_clash(struct run *run)
{
	(void)run;
	fail("no competitor in this play");
}

/* The run ---------------------------------------------------------------- */

void
play_enter(struct run *run)
{
	progress("the scene is set");
	play = (struct play){ .run = run, .act = act_of(run->scenario) };
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	play.own = attach(CUBBY_CREATE);
}

void
play_start(struct run *run, enum actor actor)
{
	bool heir = actor == HEIR;
	enum mark mark;
	pid_t pid;

	progress("the victim prepares");
	pid = must_fork();
	if (pid == 0)
		act_live(act_of(run->scenario), run->stage, heir);
	tracee_take(&run->victim, pid);
	while ((mark = path_prepare(run)) != MARK_START) {
		if (mark == MARK_FURNISH && !heir)
			set_scene();
		else if (mark == MARK_SEND && !heir)
			complete_scene();
	}
}

/* Does the victim, which stands still, have the mutex? */
static bool
victim_has_it(void)
{
	return (mutex()->words[0] & ~UINT64_C(1)) ==
	       play.own.props->victim_word;
}

/* It holds others up until their deadline, and is not taken for dead. */
static void
be_held_up(void)
{
	int64_t deadline;
	int result;

	progress("the survivors are held up");
	result = cubby_mutex_lock(play.own.region, mutex(), CUBBY_NOW);
	if (result != -EAGAIN)
		fail("a mutex that a stopped one has: %s",
		     cubby_strerror(result));
	deadline = now() + 2 * 1000 * 1000;
	result = cubby_mutex_lock(play.own.region, mutex(), deadline);
	if (result != -ETIMEDOUT || now() < deadline)
		fail("a deadline did not hold: %s", cubby_strerror(result));
}

/* One that comes now finds all in order. */
static void
come_fresh(bool lost)
{
	struct attached fresh = attach(0);
	bool told;

	if (lock_by(&fresh, &told) == (lost && !play.second.region))
		fail("lost for one, and not for another");
	if (told)
		fail("told of a death twice");
	if (!lost || play.second.region)
		unlock_by(&fresh);
	must(cubby_semaphore_post(fresh.region, &fresh.props->semaphore),
	     "a fresh one's post");
	must(cubby_semaphore_wait(fresh.region, &fresh.props->semaphore,
				  now() + FAR_OFF),
	     "a fresh one's wait");
	cubby_region_close(fresh.region);
}

/* Round and round: each word has been counted on, and is what it was. (Signals
   alone are for nobody: all who wait for the condition have left.) */
static void
turn(void)
{
	progress("all goes round many times");
	for (int i = 0; i < TURNS; i++) {
		worker_lock();
		worker_unlock();
		signal_by_worker();
		must(cubby_semaphore_post(play.own.region,
					  &play.own.props->semaphore),
		     "a survivor's post");
		must(cubby_semaphore_wait(play.own.region,
					  &play.own.props->semaphore,
					  now() + FAR_OFF),
		     "a survivor's wait");
	}
}

/* The region loses its name, and another one has it. */
static void
replace(void)
{
	progress("the region is replaced");
	must(cubby_region_unlink(REGION), "unlinking the region");
	play.second = attach(CUBBY_CREATE);
}

/* stopped: the victim stands still; else it is dead, or has gone. */
static void
survive(bool stopped, enum strike strike)
{
	bool told = false, lost;

	if (play.holding)
		supply();
	if (stopped && victim_has_it()) {
		be_held_up();
		return;
	}
	lost = !lock_by(&play.own, &told);
	if (told && stopped && !play.act->ghost)
		fail("a stopped one was taken for dead");
	if (!lost)
		unlock_by(&play.own);
	serve_sleepers(lost);
	if (strike == REFILLED && !lost)
		turn();
	come_fresh(lost);
	if (stopped)
		supply();
}

/* Tickets and units; doubt: the victim may have taken or given one. */
static void
settle(const struct run *run, bool killed)
{
	const struct act *act = play.act;
	struct props *props = play.own.props;
	uint32_t there = units() + props->units_taken;
	uint32_t posted = play.units_posted, taken = 0;
	bool done = !killed && run->stage->result == 0;

	if (play.tickets_issued != props->tickets + props->tickets_taken)
		fail("%u tickets were issued, %u taken, and %u are there",
		     play.tickets_issued, props->tickets_taken,
		     (uint32_t)props->tickets);
	if (act->posts)
		posted += done;
	else if (act->takes)
		taken += done;
	if (there + taken == posted)
		return;
	/* Two have died, and each may have taken one or given one. */
	if (play.two_died && there + 2 >= posted && there <= posted + 2)
		return;
	if (!killed || (act->takes && there + 1 != posted) ||
	    (act->posts && there != posted + 1) || (!act->takes && !act->posts))
		fail("%u units were posted, %u taken, and %u are there", posted,
		     taken + props->units_taken, units());
}

static void
leave(struct run *run)
{
	progress("all leave");
	cubby_region_close(play.own.region);
	cubby_region_close(play.second.region);
	must(cubby_region_unlink(REGION), "unlinking the region");
	must_leave_nothing(run);
}

/* The stopped victim finishes the call; compete: and must wait for the worker,
   who has the mutex, if it wants that. */
static void
finish(struct run *run, bool compete, uint32_t index)
{
	int result;

	if (compete && !victim_has_it()) {
		worker_lock();
		run->supplied = false;
	}
	path_finish(run, index);
	result = run->stage->result;
	if (!play.holding || !play.act->locks)
		return;
	if (victim_has_it() || result == 0 || result == -EOWNERDEAD)
		fail("the mutex was given to two");
}

static void
see_off(struct run *run)
{
	enum stop stop;

	progress("the victim leaves");
	worker_unlock();
	do {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP) {
			cast_assist(run);
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		}
	} while (stop == STOP_MARK);
	if (stop != STOP_EXIT || run->victim.status != 0)
		path_failed(run, stop, "after the call");
	close(run->victim.proc);
	run->victim.pid = 0;
}

unsigned
run_strikes(const struct scenario *scenario)
{
	(void)scenario;
	return 1 << KILLED | 1 << STOPPED | 1 << REFILLED | 1 << REPLACED;
}

static const struct aim aims[] = {
	{ "mutex-lock/held", "futex_wait" },
	{ "mutex-lock/queue", "futex_wait" },
	{ "mutex-lock/late", "robust_lock_take_slowly" },
	{ "mutex-lock/dead", "liveness_ask" },
	{ "mutex-try/dead", "liveness_ask" },
	{ "mutex-unlock/sleeper", "futex_wake" },
	{ "mutex-unlock/doubtful", "futex_wake" },
	{ "condition-wait/alone", "futex_wait" },
	{ "condition-wait/first", "futex_wait" },
	{ "condition-wait/last", "futex_wait" },
	{ "condition-wait/late", "sync_sleep" },
	{ "condition-signal/sleeper", "futex_wake" },
	{ "condition-broadcast/sleepers", "futex_wake" },
	{ "semaphore-wait/alone", "futex_wait" },
	{ "semaphore-wait/first", "futex_wait" },
	{ "semaphore-wait/late", "sync_sleep" },
	{ "semaphore-post/sleeper", "futex_wake" },
	{ NULL, NULL }
};

void
run_record(struct run *run)
{
	play_enter(run);
	play_start(run, VICTIM);
	path_record(run, false);
	path_check_aims(run, aims);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	see_off(run);
	survive(false, KILLED);
	settle(run, false);
	leave(run);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	const struct act *act = act_of(run->scenario);
	bool reached;

	play_enter(run);
	play_start(run, VICTIM);
	reached = path_reach(run, index);
	if (strike == KILLED || !reached) {
		tracee_kill(&run->victim);
		survive(false, KILLED);
	} else {
		if (strike == REPLACED)
			replace();
		survive(true, strike);
		finish(run, index % 2 && !act->loses, index);
		see_off(run);
		survive(false, KILLED);
	}
	settle(run, strike == KILLED || !reached);
	leave(run);
	return reached;
}

/* Two deaths ------------------------------------------------------------- */

bool
play_is_early(const struct scenario *heir)
{
	return !act_of(heir)->enters;
}

void
play_leave(struct run *run)
{
	see_off(run);
}

void
play_die(struct run *run, enum actor actor)
{
	(void)actor;
	tracee_kill(&run->victim);
}

void
play_bury(struct run *run, const struct scenario *heir,
	  const struct pair *pair, enum strike strike, uint32_t second)
{
	(void)strike;
	(void)heir;
	play.two_died = true;
	if ((pair->first + second) % 2)
		must(cubby_sweep(NULL, NULL), "a sweep");
	survive(false, KILLED);
	settle(run, true);
	leave(run);
}
