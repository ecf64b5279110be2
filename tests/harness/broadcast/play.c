/* SPDX-License-Identifier: MIT */
/* The worker's part: the scene, the strike, the survivors, and the account. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>
#include <sys/wait.h>

#include "../double.h"
#include "../must.h"
#include "play.h"

/* A mailbox of that name, with the worker in it. */
struct house {
	cubby_mailbox *sender;
	struct part other;
	uint64_t sent, fresh_sent;
};

/* The worker's view of a run. */
static struct play {
	struct run *run;
	const struct act *act;
	struct house first, second;	/* the second, if it is replaced */
	bool furnished;
	pid_t sleeper;			/* 0: none, or it has left */
	pid_t doomed;			/* 0: none, or it has died */
	bool still;			/* it is stopped */
} play;

static bool
hears(void)
{
	return play.act->roles & CUBBY_RECEIVE;
}

/* Where who comes by the name comes to. */
static struct house *
named_house(void)
{
	return play.second.sender ? &play.second : &play.first;
}

static void
drain(void)
{
	part_drain(&play.first.other);
	if (play.second.sender)
		part_drain(&play.second.other);
}

/* Sends the next of the worker's; 0 or -EAGAIN. */
static int
send_next(struct house *house, uint64_t tag, int64_t deadline)
{
	int result = part_send(house->sender, WORKER, house->sent,
			       play.act->size, tag, 0, deadline);

	if (result == 0)
		house->sent++;
	else if (result != -EAGAIN)
		must(result, "the worker's send");
	return result;
}

/* A sleeper that receives does so by itself, when it runs. */
static int64_t
at_once(void)
{
	return play.sleeper ? now() + FAR_OFF : CUBBY_NOW;
}

/* Nobody holds it up. */
static void
send_freely(struct house *house, int count)
{
	int64_t since;

	for (; count > 0; count--) {
		since = now();
		part_drain(&house->other);
		send_next(house, 0, since + FAR_OFF);
		waited("send", since);
	}
	part_drain(&house->other);
}

/* The scene -------------------------------------------------------------- */

static void
be_ghost(struct run *run)
{
	cubby_mailbox *mailbox;

	(void)run;
	if (play.act->ghost_receiver)
		part_open(play.act, CUBBY_RECEIVE, 0, 0);
	if (!play.act->ghost_sender)
		return;
	mailbox = part_open(play.act, CUBBY_SEND, 0, 0);
	for (uint64_t i = 0; i < GHOSTS; i++)
		must(part_send(mailbox, GHOST_VOICE, i, play.act->size, 0, 0,
			       CUBBY_NOW), "the ghost's send");
}

/* For what the victim sends first there is a receiver, which dies then. */
static void
be_doomed(struct run *run)
{
	(void)run;
	part_open(play.act, CUBBY_RECEIVE, 0, 0);
	raise(SIGSTOP);
}

static void
raise_doomed(void)
{
	int status;

	play.doomed = helper_fork(play.run, be_doomed);
	if (waitpid(play.doomed, &status, WUNTRACED) != play.doomed ||
	    !WIFSTOPPED(status))
		fail("a ghost: %s", play.run->stage->complaint);
}

static void
kill_doomed(void)
{
	if (!play.doomed)
		return;
	kill(play.doomed, SIGKILL);
	waitpid(play.doomed, NULL, 0);
	play.doomed = 0;
}

static void
raise_ghost(void)
{
	if (play.act->ghost_receiver && play.act->own)
		raise_doomed();
	else if (play.act->ghost_sender || play.act->ghost_receiver)
		helper_bury(play.run, helper_fork(play.run, be_ghost),
			    "a ghost");
}

static void
enter_house(struct house *house)
{
	house->other.mailbox = part_open(play.act, CUBBY_RECEIVE, CUBBY_CREATE,
					 0);
	for (int i = 0; i < VOICES; i++)
		house->other.known[i] = true;
	house->sender = part_open(play.act, CUBBY_SEND, 0, 0);
}

void
play_enter(struct run *run)
{
	progress("the scene is set");
	play = (struct play){ .run = run, .act = act_of(run->scenario) };
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	memset(run->stage, 0, sizeof(*run->stage));
	enter_house(&play.first);
	raise_ghost();
}

/* The victim is there, or about to come. */
static void
furnish(void)
{
	kill_doomed();
	if (play.furnished)
		return;
	play.furnished = true;
	if (play.act->overtaken)
		send_freely(&play.first, LONG_RUN);
	for (int i = 0; i < play.act->waiting; i++)
		send_next(&play.first, 0, CUBBY_NOW);
	play.sleeper = sleeper_start(play.run, play.act);
	if (play.sleeper)
		drain();
}

static void
oblige(enum mark mark)
{
	drain();
	if (mark == MARK_SEND) {
		must(send_next(&play.first, LAST, at_once()),
		     "the last message");
		if (play.second.sender)
			must(send_next(&play.second, LAST, CUBBY_NOW),
			     "the last message");
	} else if (mark != MARK_TAKE) {
		fail("a mark in the wrong place");
	}
	drain();
}

void
play_start(struct run *run, enum actor actor)
{
	enum mark mark;
	pid_t pid;

	progress("the victim prepares");
	pid = must_fork();
	if (pid == 0)
		act_live(act_of(run->scenario), run->stage,
			 actor == HEIR ? HEIR_VOICE : VICTIM_VOICE);
	tracee_take(&run->victim, pid);
	while ((mark = path_prepare(run)) != MARK_START) {
		if (mark == MARK_FURNISH)
			furnish();
		else
			oblige(mark);
	}
}

/* The victim sleeps: it gets what it waits for. */
void
cast_assist(struct run *run)
{
	drain();
	if (run->supplied)
		return;
	if (hears())
		must(send_next(&play.first, 0, CUBBY_NOW),
		     "what the victim waits for");
	drain();
	run->supplied = true;
	run->supplied_at = now();
}

/* Nobody competes here. */
void
cast_clash(struct run *run)
{
	(void)run;
	fail("no competitor in this play");
}

/* The survivors ---------------------------------------------------------- */

/* 0; -EAGAIN: the victim has to receive first. */
static int
send_fresh(struct house *house, bool free)
{
	cubby_mailbox *sender = part_open(play.act, CUBBY_SEND, 0, 0);
	int result = part_send(sender, FRESH_VOICE, house->fresh_sent,
			       play.act->size, 0, 0,
			       free ? now() + FAR_OFF : CUBBY_NOW);

	if (free || result != -EAGAIN)
		must(result, "a fresh one's send");
	house->fresh_sent += result == 0;
	cubby_close(sender);
	return result;
}

/* One that comes now gets what is sent from now on; and one that sends now is
   heard. */
static void
come_fresh(bool free)
{
	struct house *house = named_house();
	struct part fresh = { .mailbox = part_open(play.act, CUBBY_RECEIVE, 0,
						   0) };
	int result;

	progress("fresh ones come");
	part_drain(&house->other);
	result = send_fresh(house, free);
	if (free)
		send_freely(house, 1);
	part_drain(&fresh);
	part_drain(&house->other);
	if (result == 0 && fresh.next[FRESH_VOICE] != house->fresh_sent)
		fail("a fresh receiver has not heard a fresh sender");
	if (house->other.next[FRESH_VOICE] != house->fresh_sent)
		fail("the other has not heard a fresh sender");
	if (free && fresh.next[WORKER] != house->sent)
		fail("a fresh receiver has not heard the worker");
	cubby_close(fresh.mailbox);
}

/* Whether nobody waits for the victim, which stands still. */
static bool
is_free(bool stopped)
{
	return !stopped || !hears() || play.act->delivery != CUBBY_EVERY;
}

/* What there is room for. */
static void
send_what_fits(struct house *house, int count)
{
	while (count-- > 0 && send_next(house, 0, CUBBY_NOW) == 0)
		part_drain(&house->other);
	part_drain(&house->other);
}

/* stopped: the victim stands still; else it is dead, or has gone. */
static void
survive(bool stopped)
{
	bool free = is_free(stopped);

	progress("the survivors go on");
	drain();
	if (free)
		send_freely(&play.first, play.act->delivery == CUBBY_EVERY ?
						 RUN : LONG_RUN);
	else
		send_what_fits(&play.first, RUN);
	come_fresh(free || play.second.sender);
}

/* Round and round, with others in the neighbours' places, and then full. */
static void
refill(void)
{
	bool free = is_free(true);

	progress("all is drained, and filled again");
	for (int i = 0; i < TURNS; i++) {
		if (free)
			send_freely(&play.first, RUN);
		come_fresh(free);
	}
	send_what_fits(&play.first, ROOM);
}

/* The mailbox loses its name, and another one has it. */
static void
replace(void)
{
	progress("the mailbox is replaced");
	play.run->stage->replaced = true;
	must(cubby_unlink(MAILBOX), "unlinking");
	enter_house(&play.second);
}

/* The sleeper has what it waits for, or gets it. */
static void
wake_sleeper(void)
{
	if (!play.sleeper)
		return;
	progress("the sleeper is waited for");
	if (play.act->bed < SEND_BED) {
		part_drain(&play.first.other);
		must(send_next(&play.first, LAST, now() + FAR_OFF),
		     "the sleeper's last message");
	}
	helper_bury(play.run, play.sleeper, "the sleeper");
	play.sleeper = 0;
}

static void
check_heard(const struct run *run, enum voice voice)
{
	uint64_t heard = play.first.other.next[voice];

	if (heard < run->stage->accepted[voice] ||
	    heard > run->stage->begun[voice])
		fail("the other has heard %d of voice %d, who sent %d",
		     (int)heard, (int)voice,
		     (int)run->stage->accepted[voice]);
}

static void
check_house(const struct house *house)
{
	const struct part *other = &house->other;

	if (other->gaps || other->missed)
		fail("the other has missed %d, and was told of %d",
		     (int)other->gaps, (int)other->missed);
	if (other->next[WORKER] != house->sent ||
	    other->next[FRESH_VOICE] != house->fresh_sent)
		fail("the other has heard %d of %d of the worker",
		     (int)other->next[WORKER], (int)house->sent);
}

/* The other has got all that was accepted. */
static void
settle(const struct run *run)
{
	const struct part *other = &play.first.other;

	wake_sleeper();
	drain();
	check_house(&play.first);
	if (play.second.sender)
		check_house(&play.second);
	if (other->next[GHOST_VOICE] != (play.act->ghost_sender ? GHOSTS : 0U))
		fail("the other has heard %d of a ghost",
		     (int)other->next[GHOST_VOICE]);
	if (other->next[SLEEPER_VOICE] != (play.act->bed >= SEND_BED ?
						   ROOM + 1U : 0))
		fail("the other has heard %d of the sleeper",
		     (int)other->next[SLEEPER_VOICE]);
	check_heard(run, VICTIM_VOICE);
	check_heard(run, HEIR_VOICE);
}

static void
leave_house(struct house *house)
{
	cubby_close(house->other.mailbox);
	cubby_close(house->sender);
}

static void
leave(struct run *run)
{
	progress("all leave");
	leave_house(&play.first);
	leave_house(&play.second);
	if (cubby_unlink(MAILBOX) < 0 && !run->stage->replaced)
		fail("the mailbox cannot be unlinked");
	cubby_sweep(NULL, NULL);
	must_leave_nothing(run);
}

static void
see_off(struct run *run)
{
	enum stop stop;

	progress("the victim leaves");
	do {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP) {
			drain();
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		}
		if (stop == STOP_MARK)
			oblige(run->stage->mark);
	} while (stop == STOP_MARK);
	if (stop != STOP_EXIT || run->victim.status != 0)
		path_failed(run, stop, "after the call");
	close(run->victim.proc);
	run->victim.pid = 0;
}

/* The run ---------------------------------------------------------------- */

/* There may be one end of a mailbox without a name. */
unsigned
run_strikes(const struct scenario *scenario)
{
	(void)scenario;
	return 1 << KILLED | 1 << STOPPED | 1 << REFILLED | 1 << REPLACED;
}

static const struct aim aims[] = {
	{ "receive-none/", "futex_wait" },
	{ "wait-by-", "wait_by_descriptors" },
	{ "wait-send-by-", "wait_by_descriptors" },
	{ "receive-for-sleeper", "futex_wake" },
	{ "receive-for-waiter", "futex_wake" },
	{ "receive-for-poller", "fifo_tell" },
	{ "hold-for-sleeper", "futex_wake" },
	{ "close-for-sleeper", "futex_wake" },
	{ "take-over", "ring_inherit" },
	{ "send-full/every", "futex_wait" },
	{ "send-full-large/every", "futex_wait" },
	{ "send-full-try/every", "audience_ask" },
	{ "send-full-of-dead", "audience_ask" },
	{ "send-synchronous", "futex_wait" },
	{ "send-to-sleeper/", "futex_wake" },
	{ "send-to-poller/", "fifo_tell" },
	{ "send-to-waiter/", "futex_wake" },
	{ NULL, NULL }
};

void
run_record(struct run *run)
{
	bool lets_sleep;

	play_enter(run);
	play_start(run, VICTIM);
	lets_sleep = play.sleeper && !play.act->sleeps && !play.act->awaits;
	if (lets_sleep)
		helper_still(run, play.sleeper, "the sleeper");
	path_record(run, false);
	if (lets_sleep)
		kill(play.sleeper, SIGCONT);
	path_check_aims(run, aims);
	if (play.act->calls && !path_calls(run, play.act->calls))
		fail("its path has no system call %d", play.act->calls);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	see_off(run);
	survive(false);
	settle(run);
	leave(run);
}

static void
after_stop(struct run *run, uint32_t index, enum strike strike)
{
	if (strike == REPLACED)
		replace();
	survive(true);
	if (strike == REFILLED)
		refill();
	/* There is something for it by now. */
	run->supplied = !play.act->awaits ||
			play.first.other.next[VICTIM_VOICE];
	run->supplied_at = now();
	path_finish(run, index);
	see_off(run);
	survive(false);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	bool reached;

	play_enter(run);
	play_start(run, VICTIM);
	reached = path_reach(run, index);
	if (strike == KILLED || !reached) {
		tracee_kill(&run->victim);
		survive(false);
	} else {
		after_stop(run, index, strike);
	}
	settle(run);
	leave(run);
	return reached;
}

/* Two deaths ------------------------------------------------------------- */

bool
play_is_early(const struct scenario *heir)
{
	const struct act *act = act_of(heir);

	return act->roles && !act->joins;
}

void
play_leave(struct run *run)
{
	see_off(run);
}

/* The heir meets what the victim left as it was: the sleeper's own look, when its
   slice is over, would find the dead at another moment in each run. */
static void
still_sleeper(bool still)
{
	if (play.sleeper && play.still != still)
		kill(play.sleeper, still ? SIGSTOP : SIGCONT);
	play.still = still;
}

void
play_die(struct run *run, enum actor actor)
{
	if (actor == VICTIM)
		still_sleeper(true);
	tracee_kill(&run->victim);
}

void
play_bury(struct run *run, const struct scenario *heir,
	  const struct pair *pair, enum strike strike, uint32_t second)
{
	(void)heir, (void)strike;
	still_sleeper(false);
	/* In every other run somebody looks after the dead first. */
	if ((pair->first + second) % 2)
		must(cubby_sweep(MAILBOX, NULL), "a sweep");
	survive(false);
	settle(run);
	leave(run);
}
