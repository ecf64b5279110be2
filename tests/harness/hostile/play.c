/* SPDX-License-Identifier: MIT */
/*
 * The worker's part: the scene, the damage, those who go on beside it, and what
 * is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cubby_sync.h>
#include "../must.h"
#include "play.h"

enum { REQUESTS_MAX = 8, ROOM = 16 };

/* The worker's view of a run. */
static struct {
	struct run *run;
	const struct act *act;
	cubby_mailbox *bystander, *taker;	/* root's: sends, receives */
	cubby_mailbox *hostile;			/* sends */
	cubby_region *region;
	cubby_request *requests[REQUESTS_MAX];
	int count;
	bool damaged;
	enum file file;
} play;

static unsigned char bytes[BUFFER];

/* What the others meet: nothing, if they can do without the damaged file. */
static void
meet(int result, const char *what)
{
	if (!play.damaged || is_spare(play.file))
		if (result != -EAGAIN && result != -ETIMEDOUT &&
		    result != -ENOSPC &&
		    !(result == -EPIPE && play.act->mailbox))
			must(result, what);
}

/* What the others do ------------------------------------------------------ */

static void
send_by(cubby_mailbox *mailbox, const void *data, size_t size)
{
	int64_t deadline = CUBBY_NOW;

	if (play.act->kind == RENDEZVOUS)
		deadline = now() + 20 * 1000 * 1000;
	meet(cubby_send_full(mailbox, data, size, NULL, 0, deadline),
	     "a send beside the victim");
}

static void
send_region_by_hostile(void)
{
	cubby_region *region;

	act_as(HOSTILE_UID);
	must(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
			       &region), "a region");
	must(cubby_send_region(play.hostile, region, NULL, CUBBY_NOW),
	     "sending a region");
	act_as(0);
}

static void
call_by_hostile(void)
{
	if (play.count == REQUESTS_MAX)
		fail("the victim wants too many requests");
	act_as(HOSTILE_UID);
	must(cubby_call_begin(play.hostile, bytes, play.act->size, NULL,
			      now() + FAR_OFF, &play.requests[play.count++]),
	     "a request");
	act_as(0);
}

static void
take_all(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region;
	int result, i;

	for (i = 0; i < 64; i++) {
		result = cubby_receive_full(play.taker, NULL, 0, CUBBY_NOW,
					    bytes, BUFFER, NULL, &envelope);
		if (result == 0 && envelope.call)
			meet(cubby_reply(play.taker, &envelope, bytes,
					 play.act->size), "a reply");
		if (result == -EOPNOTSUPP)
			result = cubby_receive_region(play.taker, NULL,
						      CUBBY_NOW, &region,
						      NULL);
		else
			region = NULL;
		if (result == 0)
			cubby_region_close(region);
		if (result == 0)
			continue;
		meet(result, "a receive beside the victim");
		if (result != -EBADMSG)
			return;
	}
}

static void
post(void)
{
	struct {
		cubby_mutex mutex;
		cubby_condition condition;
		cubby_semaphore semaphore;
	} *ground = cubby_region_data(play.region);

	meet(cubby_semaphore_post(play.region, &ground->semaphore), "a post");
	meet(cubby_condition_broadcast(play.region, &ground->condition),
	     "a broadcast");
}

/* The victim gets what it asks for, or sleeps for. */
static void
furnish(void)
{
	switch (play.act->company) {
	case SEND_TO_VICTIM:
		send_by(play.hostile, bytes, play.act->size);
		break;
	case CALL_VICTIM:
		call_by_hostile();
		break;
	case SEND_REGION_TO_VICTIM:
		send_region_by_hostile();
		break;
	case TAKE_FROM_VICTIM:
	case SERVE_VICTIM:
		take_all();
		break;
	case POST_TO_VICTIM:
		post();
		break;
	}
}

/* After the strike. */
static void
go_on(void)
{
	struct stage *stage = play.run->stage;

	progress(!DAMAGE_DONE(stage) ? "all goes on" :
		 damage_name(play.file, (int)DAMAGE_DONE(stage) - 1));
	if (play.act->company == SEND_TO_VICTIM) {
		send_by(play.bystander, "ok", 3);
		send_by(play.bystander, "ok", 3);
	} else if (play.act->company == TAKE_FROM_VICTIM ||
		   play.act->company == SERVE_VICTIM) {
		take_all();
	} else if (play.act->company == POST_TO_VICTIM) {
		post();
	}
}

/* The scene --------------------------------------------------------------- */

static void
act_on(enum mark mark)
{
	int count = mark == MARK_FURNISH ? STREAK : mark == MARK_SEND ?
		    play.act->waiting : 1;

	if (mark == MARK_TAKE) {
		take_all();
		return;
	}
	for (int i = 0; i < count; i++)
		furnish();
}

void
cast_assist(struct run *run)
{
	(void)run;
	furnish();
}

void
cast_clash(struct run *run)
{
	(void)run;
	fail("no competitor in this play");
}

static void
open_stage(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	const char *name = stage_mailbox(play.act);

	if (play.act->kind == PRIORITY)
		options.order = CUBBY_ORDER_PRIORITY;
	else if (play.act->kind == ARRIVAL || play.act->kind == RENDEZVOUS)
		options.order = CUBBY_ORDER_ARRIVAL;
	options.capacity = play.act->settles ? 2 * STREAK : ROOM;
	if (play.act->kind == RENDEZVOUS)
		options.buffering = CUBBY_RENDEZVOUS;
	if (play.act->kind == UNLIMITED || play.act->unlimited)
		options.buffering = CUBBY_UNLIMITED;
	if (play.act->kind == RENDEZVOUS || play.act->kind == UNLIMITED ||
	    play.act->unlimited)
		options.capacity = 0;
	if (play.act->unlimited)
		options.cell_size = 4096;
	options.delivery = play.act->delivery;
	options.message_max = BUFFER;
	options.mode = 0666;
	must(cubby_open(name, CUBBY_CREATE | CUBBY_SEND, &options,
			&play.bystander), "the bystander's open");
	if (play.act->company == TAKE_FROM_VICTIM ||
	    play.act->company == SERVE_VICTIM)
		must(cubby_open(name, CUBBY_RECEIVE, NULL, &play.taker),
		     "the taker's open");
	act_as(HOSTILE_UID);
	must(cubby_open(name, CUBBY_SEND, NULL, &play.hostile),
	     "the hostile's open");
	act_as(0);
}

static void
open_ground(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	options.mode = 0666;
	must(cubby_region_open(GROUND, CUBBY_CREATE | CUBBY_WRITE, &options,
			       &play.region), "the region");
}

static void
enter(struct run *run)
{
	progress("the scene is set");
	memset(&play, 0, sizeof(play));
	play.run = run;
	play.act = act_of(run->scenario);
	damage_mount(run->root);
	DAMAGE_DONE(run->stage) = 0;
	DAMAGED_FILE(run->stage) = NO_FILE;
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	memset(bytes, 'h', sizeof(bytes));
	if (play.act->company == POST_TO_VICTIM)
		open_ground();
	else
		open_stage();
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
		while (stop == STOP_ASLEEP) {
			cast_assist(run);
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		}
		mark = path_marked(run, stop, "preparing");
		if (mark == MARK_START)
			return;
		act_on(mark);
	}
}

/* The strike -------------------------------------------------------------- */

/* Which of all damages: a file, and a way. */
static uint32_t
choose(uint32_t point, enum strike strike)
{
	const char *round = getenv("CUBBY_HOSTILE_ROUND");
	uint32_t mixed = point * UINT32_C(2654435761) >> 8, files = 0;

	while (files < FILES && play.act->files[files])
		files++;
	if (strike == STOPPED)
		mixed += files * WAYS / 2 + 1;
	return (mixed + (uint32_t)(round ? atoi(round) : 0)) % (files * WAYS);
}

static void
strike_file(struct run *run, int way)
{
	play.damaged = true;
	progress(damage_name(play.file, way));
	damage_do(run, play.file, way);
	DAMAGE_DONE(run->stage) = (uint64_t)way + 1;
}

/* Alone from now on: signals are its own. */
static void
let_go(struct run *run)
{
	if (ptrace(PTRACE_DETACH, run->victim.pid, NULL, NULL) < 0)
		fail("PTRACE_DETACH: %s", strerror(errno));
}

static void
see_off(struct run *run)
{
	struct timespec look = { 0, 500 * 1000 };
	struct tracee *victim = &run->victim;
	/* Alone it may have to wait long for a processor. */
	int64_t since = now(), patience = since + 6 * PATIENCE;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (waitpid(victim->pid, &victim->status, WNOHANG | __WALL) == 0) {
		go_on();
		sigtimedwait(&child, NULL, &look);
		if (look.tv_nsec < 50 * 1000 * 1000)
			look.tv_nsec *= 2;
		if (now() < patience)
			continue;
		kill(victim->pid, SIGKILL);
		fail_hang("the victim does not come to its end");
	}
	waited("the victim", since);
	close(victim->proc);
	if (WIFSIGNALED(victim->status))
		fail("the victim died of signal %d", WTERMSIG(victim->status));
	if (WEXITSTATUS(victim->status))
		fail("the victim gave up: %s", run->stage->complaint);
	victim->pid = 0;
}

/* What is left ------------------------------------------------------------ */

/* One who comes after all that is told of damage, or served. */
static void
use_again(void)
{
	if (play.act->company == POST_TO_VICTIM || !play.damaged)
		return;
	if (!play.taker)
		meet(cubby_open(stage_mailbox(play.act), CUBBY_RECEIVE, NULL,
				&play.taker), "a new receiver's open");
	if (play.taker)
		take_all();
}

static void
leave(struct run *run)
{
	progress("all leave");
	damage_relieve(run);
	use_again();
	act_as(HOSTILE_UID);
	for (int i = 0; i < play.count; i++)
		cubby_call_cancel(play.requests[i]);
	cubby_close(play.hostile);
	act_as(0);
	cubby_close(play.taker);
	cubby_close(play.bystander);
	cubby_region_close(play.region);
	if (play.region)
		must(cubby_region_unlink(GROUND), "unlinking the region");
	else
		must(cubby_unlink(stage_mailbox(play.act)), "unlinking");
	must(cubby_sweep(NULL, NULL), "a sweep");
	must_leave_nothing(run);
}

/* The run ----------------------------------------------------------------- */

void
run_record(struct run *run)
{
	enter(run);
	start_victim(run);
	path_record(run, false);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	let_go(run);
	see_off(run);
	leave(run);
}

bool
run_strike(struct run *run, uint32_t index, enum strike strike)
{
	uint32_t choice;
	bool reached;

	enter(run);
	choice = choose(index, strike);
	play.file = play.act->files[choice / WAYS];
	DAMAGED_FILE(run->stage) = play.file;
	start_victim(run);
	reached = path_reach(run, index);
	if (reached) {
		strike_file(run, (int)(choice % WAYS));
		if (strike == STOPPED)
			go_on();
	}
	let_go(run);
	see_off(run);
	leave(run);
	return reached;
}
