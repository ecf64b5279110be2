/* SPDX-License-Identifier: MIT */
/* The worker's part: the scene, the strike, the survivors, and the account. */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

/* The worker's view of a run. */
static struct play {
	struct run *run;
	const struct act *act;
	cubby_mailbox *sender;
	struct part other;
	uint64_t sent, fresh_sent;
} play;

static void
must(int result, const char *what)
{
	if (result == -ETIMEDOUT)
		fail_hang("%s: no progress in 10 seconds", what);
	if (result < 0)
		fail("%s: %s", what, cubby_strerror(result));
}

static bool
hears(void)
{
	return play.act->roles & CUBBY_RECEIVE;
}

/* Sends the next of the worker's; 0 or -EAGAIN. */
static int
send_next(uint64_t tag, int64_t deadline)
{
	int result = part_send(play.sender, WORKER, play.sent, play.act->size,
			       tag, 0, deadline);

	if (result == 0)
		play.sent++;
	else if (result != -EAGAIN)
		must(result, "the worker's send");
	return result;
}

/* Nobody holds it up. */
static void
send_freely(int count)
{
	int64_t since;

	for (; count > 0; count--) {
		since = now();
		part_drain(&play.other);
		send_next(0, since + PATIENCE);
		waited("send", since);
	}
	part_drain(&play.other);
}

/* The scene -------------------------------------------------------------- */

static void
be_ghost(void)
{
	cubby_mailbox *mailbox;

	if (play.act->ghost_receiver)
		part_open(play.act, CUBBY_RECEIVE, 0, 0);
	if (!play.act->ghost_sender)
		return;
	mailbox = part_open(play.act, CUBBY_SEND, 0, 0);
	for (uint64_t i = 0; i < GHOSTS; i++)
		must(part_send(mailbox, GHOST_VOICE, i, play.act->size, 0, 0,
			       CUBBY_NOW), "the ghost's send");
}

static void
raise_ghost(void)
{
	int status;
	pid_t pid;

	if (!play.act->ghost_sender && !play.act->ghost_receiver)
		return;
	progress("a ghost dies");
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		complain_to(play.run->stage);
		be_ghost();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the ghost gave up: %s", play.run->stage->complaint);
}

static void
enter(struct run *run)
{
	progress("the scene is set");
	play = (struct play){ .run = run, .act = act_of(run->scenario) };
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	run->stage->victim_begun = 0;
	run->stage->victim_accepted = 0;
	play.other.mailbox = part_open(play.act, CUBBY_RECEIVE, CUBBY_CREATE,
				       0);
	for (int i = 0; i < VOICES; i++)
		play.other.known[i] = true;
	play.sender = part_open(play.act, CUBBY_SEND, 0, 0);
	raise_ghost();
}

/* The victim is there, or about to come. */
static void
furnish(void)
{
	if (play.act->overtaken)
		send_freely(LONG_RUN);
	for (int i = 0; i < play.act->waiting; i++)
		send_next(0, CUBBY_NOW);
}

static void
oblige(enum mark mark)
{
	part_drain(&play.other);
	if (mark == MARK_SEND)
		must(send_next(LAST, CUBBY_NOW), "the last message");
	else if (mark != MARK_TAKE)
		fail("a mark in the wrong place");
	part_drain(&play.other);
}

static void
start_victim(struct run *run)
{
	enum stop stop;
	enum mark mark;
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
		mark = path_marked(run, stop, "preparing");
		if (mark == MARK_START)
			return;
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
	part_drain(&play.other);
	if (run->supplied)
		return;
	if (hears())
		must(send_next(0, CUBBY_NOW), "what the victim waits for");
	part_drain(&play.other);
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

/* One that comes now gets what is sent from now on; and one that sends now is
   heard. */
static void
come_fresh(bool free)
{
	struct part fresh = { .mailbox = part_open(play.act, CUBBY_RECEIVE, 0,
						   0) };
	cubby_mailbox *sender = part_open(play.act, CUBBY_SEND, 0, 0);

	progress("fresh ones come");
	part_drain(&play.other);
	must(part_send(sender, FRESH_VOICE, play.fresh_sent, play.act->size, 0,
		       0, free ? now() + PATIENCE : CUBBY_NOW),
	     "a fresh one's send");
	play.fresh_sent++;
	if (free)
		send_freely(1);
	part_drain(&fresh);
	part_drain(&play.other);
	if (fresh.next[FRESH_VOICE] != play.fresh_sent)
		fail("a fresh receiver has not heard a fresh sender");
	if (free && fresh.next[WORKER] != play.sent)
		fail("a fresh receiver has not heard the worker");
	cubby_close(fresh.mailbox);
	cubby_close(sender);
}

/* stopped: the victim stands still; else it is dead, or has gone. */
static void
survive(bool stopped)
{
	bool free = !stopped || !hears() || play.act->delivery != CUBBY_EVERY;
	int i;

	progress("the survivors go on");
	part_drain(&play.other);
	if (free) {
		send_freely(play.act->delivery == CUBBY_EVERY ? RUN : LONG_RUN);
	} else {
		for (i = 0; i < RUN && send_next(0, CUBBY_NOW) == 0; i++)
			part_drain(&play.other);
		part_drain(&play.other);
	}
	come_fresh(free);
}

/* The other has got all that was accepted. */
static void
settle(const struct run *run)
{
	const struct part *other = &play.other;
	uint64_t heard = other->next[VICTIM_VOICE];

	part_drain(&play.other);
	heard = other->next[VICTIM_VOICE];
	if (other->gaps || other->missed)
		fail("the other has missed %d, and was told of %d",
		     (int)other->gaps, (int)other->missed);
	if (other->next[WORKER] != play.sent ||
	    other->next[FRESH_VOICE] != play.fresh_sent ||
	    other->next[GHOST_VOICE] !=
		    (play.act->ghost_sender ? (uint64_t)GHOSTS : 0))
		fail("the other has heard %d of %d of the worker, and %d of a "
		     "ghost", (int)other->next[WORKER], (int)play.sent,
		     (int)other->next[GHOST_VOICE]);
	if (heard < run->stage->victim_accepted ||
	    heard > run->stage->victim_begun)
		fail("the other has heard %d of the victim, who sent %d",
		     (int)heard, (int)run->stage->victim_accepted);
}

static void
leave(struct run *run)
{
	const char *leftover;

	progress("all leave");
	cubby_close(play.other.mailbox);
	cubby_close(play.sender);
	must(cubby_unlink(MAILBOX), "unlinking");
	cubby_sweep(NULL, NULL);
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
finish(struct run *run, bool in_syscall)
{
	struct user_regs_struct registers;
	bool before = run->supplied;
	int64_t since = now(), entered = since;
	enum stop stop;

	progress("the victim is continued");
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
	waited("the victim, continued", since);
}

static void
see_off(struct run *run)
{
	enum stop stop;

	progress("the victim leaves");
	do {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP) {
			part_drain(&play.other);
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
	settle(run);
	leave(run);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	bool reached;

	enter(run);
	start_victim(run);
	reached = path_reach(run, index);
	if (strike == KILLED || !reached) {
		tracee_kill(&run->victim);
		survive(false);
	} else {
		survive(true);
		/* There is something for it by now. */
		run->supplied = !act_of(run->scenario)->awaits ||
				play.other.next[VICTIM_VOICE];
		run->supplied_at = now();
		finish(run, run->points->list[index].moment == BEFORE);
		see_off(run);
		survive(false);
	}
	settle(run);
	leave(run);
	return reached;
}
