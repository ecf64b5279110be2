/* SPDX-License-Identifier: MIT */
/*
 * The path of a victim from START to END: listing its points, and taking it to
 * one of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "harness.h"

#define SYSCALL_INSTRUCTION 0x050f
#define ZERO_FLAG (1UL << 6)	/* a compare-and-exchange has exchanged */

/* A sleeper looks for itself after 50 ms: who was supplied sooner than this
   after it went to sleep, and still slept until then, was not woken. */
#define PROMPT (25 * 1000 * 1000)
/* After 4 ms, who waits for somebody's inbox. */
#define PROMPT_OF_INBOX (2 * 1000 * 1000)

/* The victim's part: stopping at a mark ---------------------------------- */

/* The address of the trap is how the tracer knows it. */
__attribute__((noinline, noclone)) static void
trap(void)
{
	__asm__ volatile(".globl mark_instruction\n"
			 "mark_instruction: int3" ::
				 : "memory");
}

void
victim_mark(struct stage *stage, enum mark mark)
{
	stage->mark = mark;
	trap();
}

void
victim_pass_time(void)
{
	int64_t end = now() + 60 * NANOSECONDS / 1000;
	struct timespec until = { end / NANOSECONDS, end % NANOSECONDS };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

/* Stops that are wrong, and marks that are not --------------------------- */

noreturn void
path_failed(struct run *run, enum stop stop, const char *where)
{
	struct user_regs_struct registers;
	int status = run->victim.status;

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
enum mark
path_marked(struct run *run, enum stop stop, const char *where)
{
	if (stop != STOP_MARK)
		path_failed(run, stop, where);
	return run->stage->mark;
}

/* Recording -------------------------------------------------------------- */

/* How recording knows where it is. */
struct trail {
	uint8_t visits[1 << 20]; /* by offset into the text */
	uintptr_t site;		 /* last address in the text */
	uint16_t site_visit;
	uint16_t nth; /* system calls since */
	uint16_t number;
	bool in_syscall, inside;
	bool competes;	 /* that was a compare-and-exchange, and the competitor
			    had been there */
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
		.moment = (uint8_t)moment,
		.locked = run->is_locked &&
			  run->is_locked(run, run->victim.pid),
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
	if (!run->scenario->operation->clash ||
	    !is_compare_exchange(tracee_peek(&run->victim, trail->site)))
		return;
	trail->competes = run->points->clash != NO_CLASH;
	if (++trail->locked != run->scenario->operation->clash)
		return;
	if (trail->site_visit > VISITS)
		fail("the competitor's moment is no point");
	run->points->clash = run->points->count - 1;
	trail->competes = true;
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
void
path_check_wake(const struct run *run, int64_t slept_at, bool supplied_before,
		long result)
{
	unsigned effects = run->scenario->operation->effects;
	int64_t prompt = effects & INBOX ? PROMPT_OF_INBOX : PROMPT;

	if (result != -ETIMEDOUT || !run->supplied ||
	    effects & ENDS_BY_ITSELF)
		return;
	/* Its slice was over when it came to sleep: it has not slept. */
	if (now() < slept_at + NANOSECONDS / 1000)
		return;
	if (supplied_before)
		fail("went to sleep, and slept, though it had no need to");
	/* Its slice was nearly over when it came to sleep. */
	if (now() < slept_at + prompt + prompt / 2)
		return;
	if (run->supplied_at < slept_at + prompt)
		fail("was not woken: slept %.1f ms, and had what it needed "
		     "after %.1f", (double)(now() - slept_at) / 1e6,
		     (double)(run->supplied_at - slept_at) / 1e6);
}

static void
leave_syscall(struct run *run, struct trail *trail, long result)
{
	path_check_wake(run, trail->syscall_at, false, result);
	trail->in_syscall = false;
	if (trail->site && trail->site_visit <= VISITS)
		add_point(run, trail, AFTER);
	trail->nth++;
}

static bool
is_in_text(const struct run *run, uintptr_t address)
{
	return address >= run->text->start && address < run->text->end;
}

/* The length of rep movs, stos and their like of libc's, which are an instruction
   for each byte that they move; 0: it is another one. */
static int
repeated(const struct run *run, uintptr_t counter, long word)
{
	unsigned char byte[3] = { word & 0xff, word >> 8 & 0xff,
				  word >> 16 & 0xff };
	int i = (byte[1] & 0xf0) == 0x40 ? 2 : 1;

	if (is_in_text(run, counter) || (byte[0] != 0xf3 && byte[0] != 0xf2))
		return 0;
	return (byte[i] & 0xf6) == 0xa4 || (byte[i] & 0xfe) == 0xaa ? i + 1 :
								     0;
}

/* Past one of them at once. */
static enum stop
step_over(struct run *run, uintptr_t next)
{
	enum stop stop;

	tracee_break(&run->victim, 0, next);
	stop = tracee_resume(&run->victim, PTRACE_CONT);
	tracee_unbreak(&run->victim, 0);
	return stop == STOP_BREAK ? STOP_STEP : stop;
}

/* One instruction; one that is a system call may sleep. */
static enum stop
step(struct run *run, const struct trail *trail, uintptr_t counter, long word)
{
	int length = repeated(run, counter, word);
	enum stop stop;

	if (!trail->in_syscall && length)
		return step_over(run, counter + (uintptr_t)length);
	if (!trail->in_syscall)
		return tracee_step(&run->victim);
	stop = tracee_resume(&run->victim, PTRACE_SINGLESTEP);
	while (stop == STOP_ASLEEP) {
		cast_assist(run);
		stop = tracee_wait(&run->victim, PTRACE_SINGLESTEP);
	}
	return stop;
}

/* Through libc at once, to where it returns to, from system call to system call. */
static enum stop
run_through(struct run *run, struct trail *trail, uintptr_t back)
{
	struct user_regs_struct registers;
	enum stop stop;

	tracee_break(&run->victim, 0, back);
	while ((stop = path_resume(run, PTRACE_SYSCALL)) == STOP_SYSCALL) {
		tracee_registers(&run->victim, &registers);
		if (trail->in_syscall)
			leave_syscall(run, trail, (long)registers.rax);
		else
			meet_syscall(run, trail,
				     (uint16_t)registers.orig_rax);
	}
	tracee_unbreak(&run->victim, 0);
	return stop == STOP_BREAK ? STOP_STEP : stop;
}

/* Where libcubby has called, in haste: what it calls returns into it. (A callback
   of libc's is passed over then.) */
static uintptr_t
returns_to(const struct run *run, const struct user_regs_struct *registers)
{
	uintptr_t back = (uintptr_t)tracee_peek(&run->victim, registers->rsp);

	return is_in_text(run, back) ? back : 0;
}

/* Returns where it is run through to; 0: step by step. */
static uintptr_t
meet(struct run *run, struct trail *trail, bool hasty, long *ret_word,
     uintptr_t *ret_counter)
{
	struct user_regs_struct registers;
	bool inside = trail->inside;

	tracee_registers(&run->victim, &registers);
	if (trail->competes)
		run->points->lost |= !(registers.eflags & ZERO_FLAG);
	trail->competes = false;
	*ret_counter = registers.rip;
	*ret_word = tracee_peek(&run->victim, registers.rip);
	trail->inside = is_in_text(run, registers.rip);
	if (trail->in_syscall)
		leave_syscall(run, trail, (long)registers.rax);
	if (trail->inside)
		meet_text(run, trail, registers.rip);
	else if (hasty && inside && returns_to(run, &registers))
		return returns_to(run, &registers);
	else if ((*ret_word & 0xffff) == SYSCALL_INSTRUCTION)
		meet_syscall(run, trail, (uint16_t)registers.rax);
	return 0;
}

static void
follow(struct run *run, struct trail *trail, bool hasty)
{
	enum stop stop;
	uintptr_t back, counter;
	long word;

	for (;;) {
		back = meet(run, trail, hasty, &word, &counter);
		if (run->points->steps++ % 4096 == 0)
			progress("the points are listed");
		stop = back ? run_through(run, trail, back) :
			      step(run, trail, counter, word);
		if (stop == STOP_MARK)
			return;
		if (stop != STOP_STEP)
			path_failed(run, stop, "step by step");
	}
}

void
path_record(struct run *run, bool hasty)
{
	static struct trail trail;

	memset(&trail, 0, sizeof(trail));
	if (run->text->end - run->text->start > sizeof(trail.visits))
		fail("libcubby has grown: make struct trail larger");
	run->points->count = 0;
	run->points->steps = 0;
	run->points->clash = NO_CLASH;
	run->points->lost = false;
	follow(run, &trail, hasty);
}

bool
path_calls(const struct run *run, int number)
{
	for (uint32_t i = 0; i < run->points->count; i++)
		if (run->points->list[i].syscall == number)
			return true;
	return false;
}

bool
path_passes(const struct run *run, const char *function)
{
	uintptr_t start, end, address;

	if (!text_function(run->text, function, &start, &end))
		fail("libcubby has no function %s", function);
	for (uint32_t i = 0; i < run->points->count; i++) {
		address = run->points->list[i].address;
		if (address >= start && address < end)
			return true;
	}
	return false;
}

void
path_check_aims(const struct run *run, const struct aim *aims)
{
	const char *name = scenario_name(run->scenario);

	for (; aims->name; aims++)
		if (!strncmp(name, aims->name, strlen(aims->name)) &&
		    !path_passes(run, aims->function))
			fail("its path does not come by %s", aims->function);
}

/* Taking the victim to a point ------------------------------------------- */

/* Runs on, giving it what it sleeps for. */
enum stop
path_resume(struct run *run, int how)
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
		stop = path_resume(run, PTRACE_SYSCALL);
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
	path_marked(run, stop, "on its way");
	tracee_unbreak(&run->victim, 0);
	tracee_unbreak(&run->victim, 1);
	return false;
}

/* false: it came by another way, to the end. */
bool
path_reach(struct run *run, uint32_t index)
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
		stop = path_resume(run, PTRACE_SYSCALL);
		if (stop == STOP_SYSCALL)
			continue;
		path_marked(run, stop, "on its way through system calls");
		return false;
	}
	return true;
}

void
path_finish(struct run *run, uint32_t index)
{
	bool in_syscall = run->points->list[index].moment == BEFORE;
	struct user_regs_struct registers;
	bool supplied = run->supplied;
	int64_t since = now(), entered = since;
	enum stop stop;

	progress("the victim is continued");
	while ((stop = path_resume(run, PTRACE_SYSCALL)) == STOP_SYSCALL) {
		in_syscall = !in_syscall;
		tracee_registers(&run->victim, &registers);
		if (in_syscall) {
			supplied = run->supplied;
			entered = now();
		} else if (is_futex_call(registers.orig_rax)) {
			path_check_wake(run, entered, supplied,
					(long)registers.rax);
		}
	}
	if (path_marked(run, stop, "continued") != MARK_END)
		fail("a mark in the wrong place");
	waited("the victim, continued", since);
}

enum mark
path_prepare(struct run *run)
{
	enum stop stop = tracee_resume(&run->victim, PTRACE_CONT);

	while (stop == STOP_ASLEEP)
		stop = tracee_wait(&run->victim, PTRACE_CONT);
	return path_marked(run, stop, "preparing");
}
