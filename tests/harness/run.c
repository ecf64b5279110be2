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

#include "harness.h"

#define SYSCALL_INSTRUCTION 0x050f

/* A sleeper looks for itself after 50 ms: who was supplied sooner than this
   after it went to sleep, and still slept until then, was not woken. */
#define PROMPT (25 * 1000 * 1000)

static const struct operation *
operation_of(const struct run *run)
{
	return run->scenario->operation;
}

/* Whether the victim has a lane, or may have. */
static bool
is_sender(const struct run *run)
{
	return operation_of(run)->roles & CUBBY_SEND ||
	       operation_of(run)->effects & BORROWS;
}

static noreturn void
victim_failed(struct run *run, enum stop stop, const char *where)
{
	struct user_regs_struct registers;
	int status = run->victim.status;

	if (stop == STOP_LATE)
		fail_hang("the victim does not come on (%s)", where);
	if (stop == STOP_EXIT && WIFSIGNALED(status))
		fail("the victim died of signal %d (%s)", WTERMSIG(status),
		     where);
	if (stop == STOP_EXIT)
		fail("the victim gave up (%s): %s", where,
		     run->stage->complaint);
	tracee_registers(&run->victim, &registers);
	fail("the victim stopped (%s): signal %d, %s", where, WSTOPSIG(status),
	     text_name(run->text, registers.rip));
}

/* Is stopped, by a mark; any other stop is wrong. */
static enum mark
marked(struct run *run, enum stop stop, const char *where)
{
	if (stop != STOP_MARK)
		victim_failed(run, stop, where);
	return run->stage->mark;
}

/* Forks the victim and takes it to START. */
static void
victim_start(struct run *run)
{
	enum stop stop;
	pid_t pid;

	progress("the victim prepares");
	run->supplied = false;
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0)
		victim_live(run->scenario, run->stage);
	if (is_sender(run))
		cast_count(run, 1);
	tracee_take(&run->victim, pid);
	for (;;) {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP)
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		if (marked(run, stop, "preparing") == MARK_START)
			return;
		cast_oblige(run, run->stage->mark);
	}
}

/* Recording -------------------------------------------------------------- */

/* How recording knows where it is. */
struct trail {
	uint8_t visits[1 << 20]; /* by offset into the text */
	uintptr_t site;		/* last address in the text */
	uint16_t site_visit;
	uint16_t nth; /* system calls since */
	uint16_t number;
	bool in_syscall;
	int64_t syscall_at;
	int locked; /* locked instructions met */
};

static void
add_point(struct run *run, const struct trail *trail, enum moment moment)
{
	struct points *points = run->points;

	if (points->count == POINTS_MAX)
		fail("more than %d points", POINTS_MAX);
	points->list[points->count++] = (struct point){
		.address = trail->site,
		.visit = trail->site_visit,
		.nth = moment == AT ? 0 : trail->nth,
		.syscall = moment == AT ? 0 : trail->number,
		.moment = moment,
	};
}

/* lock cmpxchg, with or without a REX prefix */
static bool
is_compare_exchange(long word)
{
	unsigned char byte[4] = { word & 0xff, word >> 8 & 0xff,
				  word >> 16 & 0xff, word >> 24 & 0xff };
	int i = (byte[1] & 0xf0) == 0x40 ? 2 : 1;

	return byte[0] == 0xf0 && byte[i] == 0x0f &&
	       (byte[i + 1] & 0xfe) == 0xb0;
}

/* The competitor acts just before the victim's nth compare-and-exchange. */
static void
meet_clash(struct run *run, struct trail *trail)
{
	if (!operation_of(run)->clash ||
	    !is_compare_exchange(tracee_peek(&run->victim, trail->site)))
		return;
	if (++trail->locked != operation_of(run)->clash)
		return;
	if (trail->site_visit > VISITS)
		fail("the competitor's moment is no point");
	run->points->clash = run->points->count - 1;
	cast_clash(run);
}

static void
meet_text(struct run *run, struct trail *trail, uintptr_t counter)
{
	uint8_t *visits = &trail->visits[counter - run->text->start];

	*visits += *visits <= VISITS;
	trail->site = counter;
	trail->site_visit = *visits;
	trail->nth = 0;
	if (*visits <= VISITS)
		add_point(run, trail, AT);
	meet_clash(run, trail);
}

static void
meet_syscall(struct run *run, struct trail *trail, uint16_t number)
{
	trail->number = number;
	trail->in_syscall = true;
	trail->syscall_at = now();
	if (trail->site && trail->site_visit <= VISITS)
		add_point(run, trail, BEFORE);
}

/* Slept although it had been woken? */
static void
check_wake(const struct run *run, int64_t slept_at, bool supplied_before,
	   long result)
{
	if (result != -ETIMEDOUT || !run->supplied)
		return;
	if (supplied_before)
		fail("went to sleep, and slept, though it had no need to");
	if (run->supplied_at < slept_at + PROMPT)
		fail("was not woken");
}

static void
leave_syscall(struct run *run, struct trail *trail, long result)
{
	check_wake(run, trail->syscall_at, false, result);
	trail->in_syscall = false;
	if (trail->site && trail->site_visit <= VISITS)
		add_point(run, trail, AFTER);
	trail->nth++;
}

/* One instruction; one that is a system call may sleep. */
static enum stop
step(struct run *run, const struct trail *trail)
{
	enum stop stop;

	run->points->steps++;
	if (!trail->in_syscall)
		return tracee_step(&run->victim);
	stop = tracee_resume(&run->victim, PTRACE_SINGLESTEP);
	while (stop == STOP_ASLEEP) {
		cast_assist(run);
		stop = tracee_wait(&run->victim, PTRACE_SINGLESTEP);
	}
	return stop;
}

static void
record_path(struct run *run, struct trail *trail)
{
	struct user_regs_struct registers;
	enum stop stop;

	for (;;) {
		tracee_registers(&run->victim, &registers);
		if (trail->in_syscall)
			leave_syscall(run, trail, (long)registers.rax);
		if (registers.rip >= run->text->start &&
		    registers.rip < run->text->end)
			meet_text(run, trail, registers.rip);
		else if ((tracee_peek(&run->victim, registers.rip) & 0xffff) ==
			 SYSCALL_INSTRUCTION)
			meet_syscall(run, trail, (uint16_t)registers.rax);
		if (run->points->steps % 4096 == 0)
			progress("the points are listed");
		stop = step(run, trail);
		if (stop == STOP_MARK)
			return;
		if (stop != STOP_STEP)
			victim_failed(run, stop, "step by step");
	}
}

/* Taking the victim to a point ------------------------------------------- */

/* Runs on, giving it what it sleeps for. */
static enum stop
resume(struct run *run, int how)
{
	enum stop stop = tracee_resume(&run->victim, how);

	while (stop == STOP_ASLEEP) {
		cast_assist(run);
		stop = tracee_wait(&run->victim, how);
	}
	return stop;
}

static bool
reach_address(struct run *run, const struct point *point,
	      const struct point *clash)
{
	unsigned visit = 0, clash_visit = 0;
	bool same = clash && clash->address == point->address;
	uintptr_t address;
	enum stop stop;

	tracee_break(&run->victim, 0, point->address);
	if (clash && !same)
		tracee_break(&run->victim, 1, clash->address);
	for (;;) {
		/* By system calls, so that each sleep is told of. */
		stop = resume(run, PTRACE_SYSCALL);
		if (stop == STOP_SYSCALL)
			continue;
		if (stop != STOP_BREAK)
			break;
		address = tracee_broke_at(&run->victim);
		if (clash && address == clash->address &&
		    ++clash_visit == clash->visit) {
			cast_clash(run);
		}
		if (address == point->address && ++visit == point->visit) {
			tracee_unbreak(&run->victim, 0);
			tracee_unbreak(&run->victim, 1);
			return true;
		}
		tracee_pass(&run->victim);
	}
	marked(run, stop, "on its way");
	return false;
}

/* false: it came by another way, to the end. */
static bool
reach(struct run *run, uint32_t index)
{
	const struct points *points = run->points;
	const struct point *point = &points->list[index];
	const struct point *clash = NULL;
	unsigned stops = 2U * point->nth + (point->moment == BEFORE ? 1 : 2);
	enum stop stop;

	progress("the victim is taken to the point");
	if (points->clash < index)
		clash = &points->list[points->clash];
	if (!reach_address(run, point, clash))
		return false;
	for (; point->moment != AT && stops; stops--) {
		stop = resume(run, PTRACE_SYSCALL);
		if (stop == STOP_SYSCALL)
			continue;
		marked(run, stop, "on its way through system calls");
		return false;
	}
	return true;
}

/* What happens after ------------------------------------------------------ */

/*
 * The stopped victim finishes the operation. What it may be waiting for is
 * there already; if it sleeps all the same until it looks for itself, a
 * wake-up was lost.
 */
static void
finish(struct run *run, bool in_syscall)
{
	struct user_regs_struct registers;
	bool supplied = run->supplied;
	int64_t since = now(), entered = since;
	enum stop stop;

	progress("the victim is continued");
	while ((stop = resume(run, PTRACE_SYSCALL)) == STOP_SYSCALL) {
		in_syscall = !in_syscall;
		tracee_registers(&run->victim, &registers);
		if (in_syscall) {
			supplied = run->supplied;
			entered = now();
		} else if (registers.orig_rax == SYS_futex) {
			check_wake(run, entered, supplied, (long)registers.rax);
		}
	}
	marked(run, stop, "continued");
	waited("the victim, continued", since);
}

/* After END: it uses what it has, closes and exits. */
static void
see_off(struct run *run)
{
	int roles = operation_of(run)->roles;
	int64_t since = now();
	enum stop stop;

	progress("the victim leaves");
	cast_wake(run, !(operation_of(run)->effects & SENDS));
	if (roles & CUBBY_RECEIVE) {
		cast_drain(run);
		if (run->senders[BYSTANDER])
			cast_supply(run);
	}
	do {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP)
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		if (stop == STOP_MARK)
			cast_oblige(run, run->stage->mark);
	} while (stop == STOP_MARK);
	if (stop != STOP_EXIT || run->victim.status != 0)
		victim_failed(run, stop, "after the operation");
	waited("the victim's end", since);
	close(run->victim.proc);
	run->victim.pid = 0;
	if (is_sender(run))
		cast_count(run, -1);
	cast_succeed(run, true);
	cast_drain(run);
}

static void
check(struct run *run, int missing, int unseen, bool ordered)
{
	struct allowance allowance = {
		.missing = missing,
		.unseen = unseen,
		.ordered = ordered,
		.several = operation_of(run)->effects & UNLINKS,
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
	if (scenery == GHOST_SENDER || scenery == GHOST_SENDER_HELD) {
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
wind_up(struct run *run, int missing, int unseen, bool ordered)
{
	cast_check_room(run, missing);
	check(run, missing, unseen, ordered);
	cast_check_memory(run);
	cast_leave(run);
}

static void
after_kill(struct run *run, uint32_t index)
{
	unsigned effects = operation_of(run)->effects;
	int missing = effects & (TAKES | ENDS) ? 1 : 0;
	bool ordered = index % 2;

	tracee_kill(&run->victim);
	account_died(&run->stage->account, VICTIM);
	if (is_sender(run))
		cast_count(run, -1);
	/* In every other run somebody looks after the dead first; then what
	   the victim held comes before all that follows it. */
	progress("the dead are looked after");
	if (ordered && !(effects & (CREATES | UNLINKS)))
		cubby_sweep(mailbox_name(operation_of(run)), NULL);
	cast_succeed(run, true);
	survive(run, missing);
	cubby_sweep(NULL, NULL);
	cast_drain(run);
	if (effects & MOVES &&
	    account_came(&run->stage->account, run->stage->moved_from,
			 run->stage->moved_to) != 1)
		fail("a region that was sent on came %d times",
		     account_came(&run->stage->account,
				  run->stage->moved_from,
				  run->stage->moved_to));
	wind_up(run, missing, 1, ordered);
}

static void
after_stop(struct run *run, uint32_t index)
{
	unsigned effects = operation_of(run)->effects;
	int missing = effects & (TAKES | HOLDS | ENDS | GIVES_BACK) ? 1 : 0;

	cast_succeed(run, false);
	survive(run, missing);
	if (run->receivers[BYSTANDER] || run->receivers[FRESH])
		check(run, missing, 1, false);
	run->supplied = !(effects & AWAITS) ||
			account_last_ended(&run->stage->account, VICTIM);
	run->supplied_at = now();
	if (effects & (TAKES | HOLDS))
		cast_supply(run);
	finish(run, run->points->list[index].moment == BEFORE);
	see_off(run);
	cast_send_again(run);
	wind_up(run, 0, 1, false);
}

void
run_record(struct run *run)
{
	static struct trail trail;

	memset(&trail, 0, sizeof(trail));
	if (run->text->end - run->text->start > sizeof(trail.visits))
		fail("libcubby has grown: make struct trail larger");
	run->points->count = 0;
	run->points->steps = 0;
	run->points->clash = NO_CLASH;
	cast_enter(run);
	victim_start(run);
	record_path(run, &trail);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	see_off(run);
	cast_fresh(run);
	cast_collect(run, 0);
	cast_release(run);
	wind_up(run, 0, 0, false);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	bool reached;

	cast_enter(run);
	victim_start(run);
	reached = reach(run, index);
	run->stage->account.era = AFTER_STRIKE;
	if (strike == KILLED || !reached)
		after_kill(run, index);
	else
		after_stop(run, index);
	return reached;
}
