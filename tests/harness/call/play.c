/* SPDX-License-Identifier: MIT */
/*
 * The worker's part: the scene, the strike, the survivors, and what is left.
 */
#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "../double.h"
#include "../must.h"
#include "play.h"

enum { REQUESTS_MAX = 8 };

/* The worker's view of a run. */
static struct {
	struct run *run;
	const struct act *act;
	cubby_mailbox *caller, *server;
	cubby_mailbox *caller_there, *server_there;	/* in the one that has
							   the name now */
	cubby_request *requests[REQUESTS_MAX];	/* for the victim to serve */
	int count;
	bool in_hand;			/* the victim's request is ours */
	bool heir_lives;		/* and may have asked for something */
	struct cubby_envelope envelope;	/* of it */
} play;

static unsigned char bytes[BUFFER], made[BUFFER];

/* Calling ---------------------------------------------------------------- */

static cubby_request *
begin_by(cubby_mailbox *caller)
{
	cubby_request *request;

	fill(made, play.act->size, REQUEST);
	must(cubby_call_begin(caller, made, play.act->size, NULL,
			      now() + FAR_OFF, &request), "a request");
	return request;
}

static cubby_request *
begin(void)
{
	return begin_by(play.caller);
}

static void
begin_for_victim(void)
{
	if (play.count == REQUESTS_MAX)
		fail("the victim wants too many requests");
	play.requests[play.count++] = begin();
}

/* Waits for the end of it: 0 or -EPIPE. */
static int
end(cubby_request *request)
{
	int64_t since = now();
	size_t size = 0;
	int result;

	progress("a caller waits");
	result = cubby_call_end(request, bytes, sizeof(bytes), &size,
				since + FAR_OFF);
	waited("a reply", since);
	if (result != -EPIPE)
		must(result, "a call");
	if (result == 0 && (size != play.act->size ||
			    !is_filled(bytes, size, REPLY)))
		fail("a caller got another reply");
	return result;
}

/* Serving ---------------------------------------------------------------- */

static void
open_server(void)
{
	if (!play.server)
		must(cubby_open(MAILBOX, CUBBY_RECEIVE, NULL, &play.server),
		     "opening a server");
}

/* What there is. */
static bool
take_by(cubby_mailbox *server, struct cubby_envelope *ret)
{
	size_t size = 0;
	int result;

	*ret = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	result = cubby_receive_full(server, NULL, 0, CUBBY_NOW, bytes,
				    sizeof(bytes), &size, ret);
	if (result == -EAGAIN)
		return false;
	must(result, "a receive");
	if (!ret->call)
		return take_by(server, ret);	/* of a streak */
	if (size != play.act->size ||
	    (!is_filled(bytes, size, REQUEST) &&
	     !(play.heir_lives && is_filled(bytes, size, REQUEST_OF_HEIR))))
		fail("a server got another request");
	return true;
}

static bool
take(struct cubby_envelope *ret)
{
	return take_by(play.server, ret);
}

static void
answer_by(cubby_mailbox *server, const struct cubby_envelope *envelope)
{
	int result;

	fill(made, play.act->size, REPLY);
	result = cubby_reply(server, envelope, made, play.act->size);
	if (result != -EPIPE)
		must(result, "a reply");
}

static void
answer(const struct cubby_envelope *envelope)
{
	answer_by(play.server, envelope);
}

static int
serve_all(void)
{
	struct cubby_envelope envelope;
	int served = 0;

	for (; take(&envelope); served++)
		answer(&envelope);
	return served;
}

/* Somebody calls, another serves: whatever has become of the victim. */
static void
call_beside_victim(void)
{
	struct cubby_envelope envelope;
	cubby_request *request;

	progress("others call");
	serve_all();
	request = begin();
	/* What was not in the way before may be now: the victim's. */
	while (take(&envelope))
		answer(&envelope);
	if (end(request) < 0)
		fail("a call beside the victim failed");
}

/* The scene -------------------------------------------------------------- */

static void
send_streak(void)
{
	for (int i = 0; i < STREAK; i++)
		must(cubby_send_full(play.caller, "x", 1, NULL, 0, CUBBY_NOW),
		     "a streak");
}

static void
act_on(enum mark mark)
{
	switch (mark) {
	case MARK_FURNISH:
		send_streak();
		break;
	case MARK_SEND:
		begin_for_victim();
		break;
	case MARK_TAKE:
		serve_all();
		break;
	case MARK_BREAK:
		if (!take(&play.envelope))
			fail("the victim's request is not there");
		play.in_hand = true;
		break;
	default:
		fail("a mark in the wrong place");
	}
}

/* The victim sleeps: it is called, or served. */
void
cast_assist(struct run *run)
{
	(void)run;
	if (play.act->part == CALLS)
		serve_all();
	else
		begin_for_victim();
}

void
cast_clash(struct run *run)
{
	(void)run;
	fail("no competitor in this play");
}

static void
make_mailbox(cubby_mailbox **ret_caller)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	if (play.act->kind == ARRIVAL)
		options.order = CUBBY_ORDER_ARRIVAL;
	options.message_max = BUFFER;
	must(cubby_open(MAILBOX, CUBBY_CREATE | CUBBY_SEND, &options,
			ret_caller), "opening a caller");
}

void
play_enter(struct run *run)
{
	progress("the scene is set");
	memset(&play, 0, sizeof(play));
	memset(run->stage, 0, sizeof(*run->stage));
	play.run = run;
	play.act = act_of(run->scenario);
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	make_mailbox(&play.caller);
	if (play.act->part == CALLS || play.act->beside)
		open_server();
}

void
play_start(struct run *run, enum actor actor)
{
	enum stop stop;
	enum mark mark;
	pid_t pid;

	progress("the victim prepares");
	play.heir_lives = actor == HEIR;
	pid = must_fork();
	if (pid == 0)
		act_live(act_of(run->scenario), run->stage, actor == HEIR);
	tracee_take(&run->victim, pid);
	for (;;) {
		stop = path_resume(run, PTRACE_CONT);
		mark = path_marked(run, stop, "preparing");
		if (mark == MARK_START)
			return;
		act_on(mark);
	}
}

/* The survivors ---------------------------------------------------------- */

/* Whether a caller lives is asked once in each. */
static void
wait_for_tick(void)
{
	struct timespec before, later;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &later);
	while (before.tv_sec == later.tv_sec &&
	       before.tv_nsec == later.tv_nsec);
}

/* What the victim had called for is handed to nobody. */
static void
bury_caller(void)
{
	struct cubby_envelope envelope;

	wait_for_tick();
	if (take(&envelope))
		fail("a dead caller's request was handed out");
	if (play.in_hand)
		answer(&play.envelope);
	call_beside_victim();
}

/* Each of those who called the victim has an end. gone: it has left, and if it
   was well, `told` says how; else it is dead. */
static void
bury_server(bool killed)
{
	struct cubby_envelope envelope;
	int result, served = 0;

	open_server();
	must(cubby_sweep(MAILBOX, NULL), "a sweep");
	for (; take(&envelope); served++)
		answer(&envelope);
	if (served && killed && play.act->has && !play.act->returns)
		fail("a request was served twice");
	for (int i = 0; i < play.count; i++) {
		if (!play.requests[i])
			continue;
		result = end(play.requests[i]);
		if (result < 0 && !killed && play.act->told == 0)
			fail("a call that was served failed");
	}
	play.count = 0;
	call_beside_victim();
}

/* Called, and in hand, before the victim goes on. */
static struct rival {
	cubby_request *request;
	struct cubby_envelope envelope;
} rival;

/* Those whom the victim is to serve give up, and another calls in their place. */
static void
give_up(void)
{
	GIVEN_UP(play.run->stage) = true;
	for (int i = 0; i < play.count; i++) {
		cubby_call_cancel(play.requests[i]);
		play.requests[i] = NULL;
	}
	rival.request = begin();
	if (!take(&rival.envelope))
		fail("what another asks for is not there");
}

/* Whatever the victim has replied meanwhile was not to the other. */
static void
serve_rival(void)
{
	int result;

	if (!rival.request)
		return;
	result = cubby_call_end(rival.request, bytes, sizeof(bytes), NULL,
				CUBBY_NOW);
	if (result != -EAGAIN)
		fail("nobody has replied, and yet: %s",
		     cubby_strerror(result));
	answer(&rival.envelope);
	if (end(rival.request) < 0)
		fail("a call in another's place failed");
	rival.request = NULL;
}

static void
refill(void)
{
	for (int i = 0; i < TURNS; i++)
		call_beside_victim();
	if (play.act->part == SERVES)
		give_up();
}

/* The mailbox loses its name, and another one has it. */
static void
replace(void)
{
	progress("the mailbox is replaced");
	play.run->stage->replaced = true;
	must(cubby_unlink(MAILBOX), "unlinking");
	make_mailbox(&play.caller_there);
	must(cubby_open(MAILBOX, CUBBY_RECEIVE, NULL, &play.server_there),
	     "opening a server");
}

/* Those who came by the name after that. */
static void
call_there(void)
{
	struct cubby_envelope envelope;
	cubby_request *request;

	if (!play.caller_there)
		return;
	request = begin_by(play.caller_there);
	if (!take_by(play.server_there, &envelope))
		fail("a request to the mailbox that has the name is not there");
	answer_by(play.server_there, &envelope);
	if (end(request) < 0)
		fail("a call to the mailbox that has the name failed");
}

/* The victim stands still. It may have the lock of a queue, and who meets that is
   another play's matter. */
static void
go_on_beside(enum strike strike)
{
	rival.request = NULL;
	if (play.act->kind != LANES)
		return;
	open_server();
	if (strike == REPLACED)
		replace();
	call_beside_victim();
	call_there();
	if (strike == REFILLED)
		refill();
}

static void
bury(bool killed)
{
	if (play.act->part == SERVES)
		bury_server(killed);
	else if (killed)
		bury_caller();
	else
		call_beside_victim();
}

static int
find_reply(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	return !strncmp(path + at->base, "reply.", 6);
}

static void
leave(struct run *run)
{
	progress("all leave");
	cubby_close(play.caller);
	cubby_close(play.server);
	call_there();
	cubby_close(play.caller_there);
	cubby_close(play.server_there);
	must(cubby_sweep(MAILBOX, NULL), "a sweep");
	if (nftw(run->root, find_reply, 8, FTW_PHYS) == 1)
		fail("a reply file is left");
	must(cubby_unlink(MAILBOX), "unlinking");
	must_leave_nothing(run);
}

/* The run ---------------------------------------------------------------- */

static void
see_off(struct run *run)
{
	enum stop stop;

	progress("the victim leaves");
	for (;;) {
		stop = tracee_resume(&run->victim, PTRACE_CONT);
		while (stop == STOP_ASLEEP) {
			cast_assist(run);
			stop = tracee_wait(&run->victim, PTRACE_CONT);
		}
		if (stop != STOP_MARK)
			break;
		if (run->stage->mark == MARK_TAKE)
			serve_all();
	}
	if (stop != STOP_EXIT || run->victim.status != 0)
		path_failed(run, stop, "after the call");
	close(run->victim.proc);
	run->victim.pid = 0;
}

unsigned
run_strikes(const struct scenario *scenario)
{
	unsigned strikes = 1 << KILLED | 1 << STOPPED;

	if (scenario->kind == LANES)
		strikes |= 1 << REFILLED | 1 << REPLACED;
	return strikes;
}

/* So an heir is there before the victim is at any point of a queue. */
static bool
may_be_locked(const struct run *run, pid_t victim)
{
	(void)victim;
	return run->scenario->kind != LANES;
}

static const struct aim aims[] = {
	{ "take/asleep", "futex_wait" },
	{ "arrival-take/asleep", "futex_wait" },
	{ "call/", "futex_wait" },
	{ "arrival-call/", "futex_wait" },
	{ "call/first", "reply_file_make" },
	{ "end/waiting", "futex_wait" },
	{ "end/late", "futex_wait" },
	{ "reply/", "answers_reply" },
	{ "arrival-reply/", "answers_reply" },
	{ "release/unanswered", "answers_refuse" },
	{ "arrival-release/unanswered", "answers_refuse" },
	{ "take-untold/", "answers_refuse" },
	{ "reject/held", "claims_return" },
	{ "close-server/held", "claims_return" },
	{ "close-server/unanswered", "answers_end" },
	{ "close-caller/", "reply_file_unlink" },
	{ NULL, NULL }
};

void
run_record(struct run *run)
{
	run->is_locked = may_be_locked;
	play_enter(run);
	play_start(run, VICTIM);
	path_record(run, false);
	path_check_aims(run, aims);
	if (run->stage->mark != MARK_END)
		fail("a mark in the wrong place");
	see_off(run);
	bury(false);
	leave(run);
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
		bury(true);
	} else {
		go_on_beside(strike);
		path_finish(run, index);
		serve_rival();
		see_off(run);
		bury(false);
	}
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
	tracee_kill(&run->victim);
	if (actor == HEIR)
		play.heir_lives = false;
}

/* Each of those who called has an end, and nobody is handed what one of the dead
   has called for. */
void
play_bury(struct run *run, const struct scenario *heir,
	  const struct pair *pair, enum strike strike, uint32_t second)
{
	struct cubby_envelope envelope;

	(void)heir, (void)strike;
	open_server();
	wait_for_tick();
	if ((pair->first + second) % 2)
		must(cubby_sweep(MAILBOX, NULL), "a sweep");
	while (take(&envelope)) {
		if (play.act->part == CALLS)
			fail("a dead caller's request was handed out");
		answer(&envelope);
	}
	for (int i = 0; i < play.count; i++)
		end(play.requests[i]);
	if (play.in_hand)
		answer(&play.envelope);
	call_beside_victim();
	leave(run);
}
