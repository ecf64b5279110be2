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

#include "play.h"

static struct play play; /* of the run under way */

static void
must(int result, const char *what)
{
	if (result == -ETIMEDOUT)
		fail_hang("%s: no progress in 10 seconds", what);
	if (result < 0)
		fail("%s: %s", what, cubby_strerror(result));
}

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
				  since + PATIENCE);
	waited("lock", since);
	*ret_told = result == -EOWNERDEAD;
	if (result == -EOWNERDEAD)
		result = cubby_mutex_consistent(who->region,
						&who->props->mutex);
	if (result == -ENOTRECOVERABLE && play.act->loses)
		return false;
	must(result, "a survivor's lock");
	return true;
}

static void
unlock_by(const struct attached *who)
{
	must(cubby_mutex_unlock(who->region, &who->props->mutex),
	     "a survivor's unlock");
}

static void
worker_lock(void)
{
	bool told;

	if (!lock_by(&play.own, &told))
		fail("the mutex is lost");
	play.holding = true;
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
	worker_lock();
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
	uint64_t count;

	worker_lock();
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
	int64_t end = now() + PATIENCE;
	int i = 0, proc;
	pid_t pid;

	progress("a sleeper goes to sleep");
	while (play.sleepers[i])
		i++;
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0)
		act_sleep(play.act->bed, play.run->stage);
	play.sleepers[i] = pid;
	proc = asleep_open(pid);
	while (!asleep(proc)) {
		if (has_left(&play.sleepers[i]))
			fail("a sleeper did not sleep");
		if (now() > end)
			fail_hang("a sleeper does not fall asleep");
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
await_sleepers(int left, uint64_t (*available)(void), const char *what)
{
	int64_t since = now();

	progress("sleepers are waited for");
	while (sleepers_left() > left && (!available || available())) {
		if (now() > since + PATIENCE)
			fail_hang("%s", what);
		pause_a_moment();
	}
	waited("a sleeper", since);
}

static uint64_t
units_available(void)
{
	return units();
}

/* Those that sleep get what they wait for; but first they must find by themselves
   what is there already. */
static void
serve_sleepers(void)
{
	bool signalled = signals() != play.signals;

	switch (play.act->bed) {
	case NO_BED:
		break;
	case MUTEX_BED:
		await_sleepers(0, NULL, "a sleeper does not get the mutex");
		break;
	case CONDITION_BED:
		if (signalled)
			await_sleepers(0, tickets, "a signal was lost");
		issue_tickets(sleepers_left() - (int)tickets());
		for (int left = sleepers_left(); left > 0; left--)
			signal_by_worker();
		await_sleepers(0, NULL, "a sleeper is not signalled");
		break;
	case SEMAPHORE_BED:
		await_sleepers(0, units_available, "a post was lost");
		post_units(sleepers_left());
		await_sleepers(0, NULL, "a sleeper gets no unit");
		break;
	}
}

/* The scene -------------------------------------------------------------- */

static void
die_with_mutex(void)
{
	struct attached own;
	int status;
	pid_t pid;

	progress("a ghost dies");
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		complain_to(play.run->stage);
		own = attach(0);
		must(cubby_mutex_lock(own.region, &own.props->mutex, CUBBY_NOW),
		     "the ghost's lock");
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the ghost gave up: %s", play.run->stage->complaint);
}

static void
lose_mutex(void)
{
	die_with_mutex();
	if (cubby_mutex_lock(play.own.region, mutex(), CUBBY_NOW) !=
	    -EOWNERDEAD)
		fail("the worker is not told that the ghost has died");
	unlock_by(&play.own);
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
	for (int i = 0; i < play.act->late && !play.late_came; i++)
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

static void
enter(struct run *run)
{
	progress("the scene is set");
	play = (struct play){ .run = run, .act = act_of(run->scenario) };
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	play.own = attach(CUBBY_CREATE);
}

static void
start_victim(struct run *run)
{
	enum stop stop;
	pid_t pid;

	progress("the victim prepares");
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0)
		act_live(play.act, run->stage);
	tracee_take(&run->victim, pid);
	for (;;) {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP)
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		switch (path_marked(run, stop, "preparing")) {
		case MARK_FURNISH:
			set_scene();
			break;
		case MARK_SEND:
			complete_scene();
			break;
		default:
			return;
		}
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

	if (lock_by(&fresh, &told) == lost)
		fail("lost for one, and not for another");
	if (told)
		fail("told of a death twice");
	if (!lost)
		unlock_by(&fresh);
	must(cubby_semaphore_post(fresh.region, &fresh.props->semaphore),
	     "a fresh one's post");
	must(cubby_semaphore_wait(fresh.region, &fresh.props->semaphore,
				  now() + PATIENCE),
	     "a fresh one's wait");
	cubby_region_close(fresh.region);
}

/* stopped: the victim stands still; else it is dead, or has gone. */
static void
survive(bool stopped)
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
	serve_sleepers();
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
	if (!killed || (act->takes && there + 1 != posted) ||
	    (act->posts && there != posted + 1) || (!act->takes && !act->posts))
		fail("%u units were posted, %u taken, and %u are there", posted,
		     taken + props->units_taken, units());
}

static void
leave(struct run *run)
{
	const char *leftover;

	progress("all leave");
	cubby_region_close(play.own.region);
	must(cubby_region_unlink(REGION), "unlinking the region");
	leftover = tree_leftover(run->root);
	if (leftover)
		fail("%s is left", leftover);
	if (count_descriptors() != run->descriptors)
		fail("a descriptor is left open");
	if (count_mappings(run->root) != run->mappings)
		fail("something is left mapped");
}

/* Each sleep of the victim is looked at: had it a reason, was it ended? */
static void
continue_to_end(struct run *run, bool in_syscall)
{
	struct user_regs_struct registers;
	bool before = run->supplied;
	int64_t entered = now();
	enum stop stop;

	while ((stop = path_resume(run, PTRACE_SYSCALL)) == STOP_SYSCALL) {
		in_syscall = !in_syscall;
		tracee_registers(&run->victim, &registers);
		if (in_syscall) {
			before = run->supplied;
			entered = now();
		} else if (is_futex_call(registers.orig_rax)) {
			path_check_wake(run, entered, before,
					(long)registers.rax);
		}
	}
	if (path_marked(run, stop, "continued") != MARK_END)
		fail("a mark in the wrong place");
}

/* The stopped victim finishes the call; compete: and must wait for the worker,
   who has the mutex, if it wants that. */
static void
finish(struct run *run, bool compete, bool in_syscall)
{
	int64_t since = now();
	int result;

	if (compete && !victim_has_it()) {
		worker_lock();
		run->supplied = false;
	}
	progress("the victim is continued");
	continue_to_end(run, in_syscall);
	waited("the victim, continued", since);
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

void
run_record(struct run *run)
{
	enter(run);
	start_victim(run);
	path_record(run, false);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	see_off(run);
	survive(false);
	settle(run, false);
	leave(run);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	const struct act *act = act_of(run->scenario);
	bool reached;

	enter(run);
	start_victim(run);
	reached = path_reach(run, index);
	if (strike == KILLED || !reached) {
		tracee_kill(&run->victim);
		survive(false);
	} else {
		survive(true);
		finish(run, index % 2 && !act->loses,
		       run->points->list[index].moment == BEFORE);
		see_off(run);
		survive(false);
	}
	settle(run, strike == KILLED || !reached);
	leave(run);
	return reached;
}
