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

#include "play.h"

enum { REQUESTS_MAX = 8 };

/* The worker's view of a run. */
static struct {
	struct run *run;
	const struct act *act;
	cubby_mailbox *caller, *server;
	cubby_request *requests[REQUESTS_MAX];	/* for the victim to serve */
	int count;
	bool in_hand;			/* the victim's request is ours */
	struct cubby_envelope envelope;	/* of it */
} play;

static unsigned char bytes[BUFFER], made[BUFFER];

static void
must(int result, const char *what)
{
	if (result == -ETIMEDOUT)
		fail_hang("%s: no progress in 10 seconds", what);
	if (result < 0)
		fail("%s: %s", what, cubby_strerror(result));
}

/* Calling ---------------------------------------------------------------- */

static cubby_request *
begin(void)
{
	cubby_request *request;

	fill(made, play.act->size, REQUEST);
	must(cubby_call_begin(play.caller, made, play.act->size, NULL,
			      now() + PATIENCE, &request), "a request");
	return request;
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
				since + PATIENCE);
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
take(struct cubby_envelope *ret)
{
	size_t size = 0;
	int result;

	*ret = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	result = cubby_receive_full(play.server, NULL, 0, CUBBY_NOW, bytes,
				    sizeof(bytes), &size, ret);
	if (result == -EAGAIN)
		return false;
	must(result, "a receive");
	if (!ret->call)
		return take(ret);	/* of a streak */
	if (size != play.act->size || !is_filled(bytes, size, REQUEST))
		fail("a server got another request");
	return true;
}

static void
answer(const struct cubby_envelope *envelope)
{
	int result;

	fill(made, play.act->size, REPLY);
	result = cubby_reply(play.server, envelope, made, play.act->size);
	if (result != -EPIPE)
		must(result, "a reply");
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
enter(struct run *run)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	progress("the scene is set");
	memset(&play, 0, sizeof(play));
	play.run = run;
	play.act = act_of(run->scenario);
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	run->supplied = false;
	if (play.act->kind == ARRIVAL)
		options.order = CUBBY_ORDER_ARRIVAL;
	options.message_max = BUFFER;
	must(cubby_open(MAILBOX, CUBBY_CREATE | CUBBY_SEND, &options,
			&play.caller), "opening a caller");
	if (play.act->part == CALLS || play.act->beside)
		open_server();
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

/* The victim stands still. It may have the lock of a queue, and who meets that is
   another play's matter. */
static void
go_on_beside(void)
{
	if (play.act->kind != LANES)
		return;
	open_server();
	call_beside_victim();
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
	const char *leftover;

	progress("all leave");
	cubby_close(play.caller);
	cubby_close(play.server);
	must(cubby_sweep(MAILBOX, NULL), "a sweep");
	if (nftw(run->root, find_reply, 8, FTW_PHYS) == 1)
		fail("a reply file is left");
	must(cubby_unlink(MAILBOX), "unlinking");
	leftover = tree_leftover(run->root);
	if (leftover)
		fail("%s is left", leftover);
	if (count_descriptors() != run->descriptors)
		fail("a descriptor is left open");
	if (count_mappings(run->root) != run->mappings)
		fail("something is left mapped");
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

/* The stopped victim finishes the call. */
static void
finish(struct run *run)
{
	int64_t since = now();
	enum stop stop;

	progress("the victim is continued");
	while ((stop = path_resume(run, PTRACE_CONT)) == STOP_SYSCALL)
		;
	waited("the victim, continued", since);
	if (path_marked(run, stop, "continued") != MARK_END)
		fail("a mark in the wrong place");
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
	bury(false);
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
		bury(true);
	} else {
		go_on_beside();
		finish(run);
		see_off(run);
		bury(false);
	}
	leave(run);
	return reached;
}
