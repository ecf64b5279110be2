/* SPDX-License-Identifier: MIT */
/*
 * Those who are not the victim: the bystanders, whose handles the worker has
 * had open since before the victim was forked; a ghost, that died before; a
 * sleeper, asleep on the other side; and who comes after the victim was struck.
 *
 * Every call that may wait has a deadline; one that passes is a hang.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "must.h"

static const struct operation *
operation_of(const struct run *run)
{
	return run->scenario->operation;
}

void
cast_count(struct run *run, int senders)
{
	run->present += (uint32_t)senders;
	if (run->present > run->crowd)
		run->crowd = run->present;
}

static void
enter(struct run *run, enum actor actor, int role, int flags)
{
	int64_t since = now();
	struct cubby_options options;

	progress("a survivor opens");
	mailbox_options(run->scenario, &options);
	if (actor == BYSTANDER && operation_of(run)->effects & NAMED)
		options.sender = BYSTANDER_NAME;
	must(cubby_open(mailbox_name(operation_of(run)), role | flags,
			flags & CUBBY_CREATE ? &options : NULL,
			role & CUBBY_SEND ? &run->senders[actor] :
					    &run->receivers[actor]),
	     "a survivor's open");
	waited("open", since);
	if (role & CUBBY_SEND)
		cast_count(run, 1);
}

static void
leave(struct run *run, enum actor actor)
{
	progress("a survivor closes");
	if (run->senders[actor])
		cast_count(run, -1);
	cubby_close(run->senders[actor]);
	cubby_close(run->receivers[actor]);
	run->senders[actor] = NULL;
	run->receivers[actor] = NULL;
}

bool
cast_is_victims(const struct run *run)
{
	return operation_of(run)->effects & INBOX &&
	       operation_of(run)->roles & CUBBY_RECEIVE &&
	       !run->receivers[BYSTANDER];
}

/* To the victim's inbox: what there is no room for is not sent, nor what it has
   not come to receive yet, or does not any more. */
static void
send_to_victim(struct run *run, enum actor actor, size_t size)
{
	unsigned comes_or_goes = operation_of(run)->effects &
				 (OPENS | LEAVES);
	int result;

	result = actor_send(run->stage, run->senders[actor], actor, size,
			    CUBBY_NOW);
	if (result != -EAGAIN && (result != -EPIPE || !comes_or_goes))
		must(result, "a survivor's send to the victim");
}

static void
send_one(struct run *run, enum actor actor, size_t size)
{
	int64_t since = now();

	if (run->scenario->kind == RENDEZVOUS) {
		partner_send(run, actor, size);
		return;
	}
	progress("a survivor sends");
	if (cast_is_victims(run))
		send_to_victim(run, actor, size);
	else
		must(actor_send(run->stage, run->senders[actor], actor, size,
				since + FAR_OFF),
		     "a survivor's send");
	waited("send", since);
}

/* false: there was none */
static bool
take_now(struct run *run, enum actor actor)
{
	int64_t since = now();
	int result;

	progress("a survivor receives, without waiting");
	result = actor_take(run->stage, run->receivers[actor], actor,
			    CUBBY_NOW);
	waited("receive without waiting", since);
	if (result == -EAGAIN)
		return false;
	must(result, "a survivor's receive");
	return true;
}

static void
take_one(struct run *run, enum actor actor)
{
	int64_t since = now();

	progress("a survivor receives");
	must(actor_take(run->stage, run->receivers[actor], actor,
			since + FAR_OFF),
	     "a survivor's receive");
	waited("receive", since);
}

/* The starting state ----------------------------------------------------- */

int
cast_backlog(const struct scenario *scenario, int *ret_through)
{
	static const int waiting[STARTS] = {
		[ONE] = 1,
		[WRAPPED] = 2,
		[SEVERAL] = 2,
	};

	*ret_through = scenario->start == WRAPPED ? 2 * CAPACITY + 3 : 0;
	return scenario->start == FULL ? scenario_capacity(scenario) :
					 waiting[scenario->start];
}

/* The next send leaves the second ring, from which all has been received. */
static void
stock_to_be_passed(struct run *run)
{
	for (int i = 0; i < RING + LOOK + 1; i++)
		send_one(run, BYSTANDER, operation_of(run)->size);
	cast_drain(run);
	for (int i = 0; i < LOOK - 1; i++) {
		send_one(run, BYSTANDER, operation_of(run)->size);
		take_one(run, BYSTANDER);
	}
}

static void
stock(struct run *run, enum actor actor)
{
	size_t size = operation_of(run)->size;
	int through;
	int waiting = cast_backlog(run->scenario, &through);

	if (operation_of(run)->effects & PASSED) {
		if (actor == BYSTANDER)
			stock_to_be_passed(run);
		return;
	}
	if (operation_of(run)->effects & GROWS) {
		waiting = cast_large_backlog(run->scenario->start);
		through = 0;
	}
	if (scenario_waits_for_victim(run->scenario))
		through = 0; /* it has received that itself */
	while (through--) {
		send_one(run, actor, size);
		take_one(run, BYSTANDER);
	}
	while (waiting--)
		send_one(run, actor, size);
}

/* Sends until the next one needs more slots. */
static void
use_up(struct run *run)
{
	while (queue_view_free(run))
		send_one(run, BYSTANDER, SHORT);
}

static void
give_one_back(struct run *run)
{
	cubby_message *message;

	must(actor_hold(run->stage, run->receivers[BYSTANDER], BYSTANDER,
			CUBBY_NOW, &message),
	     "hold");
	must(actor_reject(run->stage, message), "reject");
}

/* Whether the messages that wait at the start are the bystanders'. */
static bool
bystanders_stock(const struct run *run)
{
	const struct operation *operation = operation_of(run);
	bool ghost_stocks = operation->scenery == GHOST_SENDER ||
			    operation->scenery == GHOST_SENDER_HELD ||
			    operation->scenery == GHOST_GONE;

	if (run->scenario->start == SEVERAL)
		return true;
	return !ghost_stocks &&
	       (!(operation->roles & CUBBY_SEND) || operation->effects & OPENS);
}

/* Receives many messages of one sender while nobody else receives. */
static void
settle_down(struct run *run)
{
	for (int i = 0; i < STREAK; i++) {
		send_one(run, BYSTANDER, operation_of(run)->size);
		take_one(run, BYSTANDER);
	}
}

static void
enter_second(struct run *run)
{
	enter(run, SECOND, CUBBY_SEND, 0);
	if (!(operation_of(run)->effects & INBOX))
		enter(run, SECOND, CUBBY_RECEIVE, 0);
	stock(run, SECOND);
}

static void
enter_scenery(struct run *run)
{
	switch (operation_of(run)->scenery) {
	case REJECTED:
		give_one_back(run);
		break;
	case GHOST_SENDER:
	case GHOST_SENDER_HELD:
	case GHOST_GONE:
	case GHOST_HOLDER:
	case GHOST_DRAFTS:
	case GHOST_OWNER:
	case GHOST_POLLER:
		ghost_enter(run);
		break;
	case USED_UP:
		use_up(run);
		break;
	case NOTHING:
	case UNTOUCHED:
	case CROWDED:
	case SETTLED_BYSTANDER:
	case SETTLED_VICTIM:
	case LATE_SENDER:
	case POLLER:
	case WAITER:
		break;
	}
}

static void
enter_crowd(struct run *run)
{
	for (int i = 0; i < CROWD; i++) {
		must(cubby_open(mailbox_name(operation_of(run)), CUBBY_SEND,
				NULL, &run->crowd_of[i]),
		     "open");
		cast_count(run, 1);
	}
}

/* The bystander has received from the inbox, and somebody else does now: the
   sleeper, or the victim when it comes. */
static bool
is_predecessor(const struct run *run)
{
	unsigned effects = operation_of(run)->effects;
	enum start start = run->scenario->start;

	if (!(effects & INBOX))
		return false;
	if (operation_of(run)->roles & CUBBY_RECEIVE)
		return effects & OPENS && start == WRAPPED;
	return start == ASLEEP_THERE;
}

static void
leave_inbox(struct run *run)
{
	cubby_close(run->receivers[BYSTANDER]);
	run->receivers[BYSTANDER] = NULL;
}

/* All that has to wait until a victim has settled down. */
static void
furnish(struct run *run)
{
	enum scenery scenery = operation_of(run)->scenery;

	if (!cast_is_victims(run) || is_predecessor(run))
		enter(run, BYSTANDER, CUBBY_RECEIVE, 0);
	if (scenery == SETTLED_BYSTANDER)
		settle_down(run);
	if (scenery == CROWDED)
		enter_crowd(run);
	if (scenery != UNTOUCHED && scenery != CROWDED && !cast_is_victims(run)) {
		send_one(run, BYSTANDER, SHORT);
		if (run->scenario->kind != RENDEZVOUS)
			take_one(run, BYSTANDER);
	}
	if (run->scenario->start == SEVERAL)
		enter_second(run);
	if (bystanders_stock(run))
		stock(run, BYSTANDER);
	if (is_predecessor(run))
		leave_inbox(run);
	enter_scenery(run);
	if (run->scenario->start == ASLEEP_THERE)
		sleeper_enter(run);
}

void
cast_enter(struct run *run)
{
	memset(run->stage, 0, sizeof(*run->stage));
	run->stage->account.kind = (int)run->scenario->kind;
	run->descriptors = count_descriptors();
	run->mappings = count_mappings(run->root);
	if (operation_of(run)->effects & CREATES) {
		enter_scenery(run);
		return;
	}
	enter(run, BYSTANDER, CUBBY_SEND, CUBBY_CREATE | CUBBY_EXCLUSIVE);
	queue_view_open(run);
	if (operation_of(run)->effects & RETURNS)
		cast_count(run, 1); /* a lane that is kept for its name */
	if (operation_of(run)->effects & NAMED_REGION &&
	    run->scenario->start != EMPTY)
		named_region_begin();
	run->stage->owner = getpid();
	if (!scenario_waits_for_victim(run->scenario))
		furnish(run);
}

/* Who sleeps would see to it first. */
static void
break_lock(struct run *run)
{
	cast_still(run);
	queue_view_break(run);
}

void
cast_oblige(struct run *run, enum mark mark)
{
	if (mark == MARK_SEND)
		send_one(run, BYSTANDER, operation_of(run)->size);
	else if (mark == MARK_FURNISH)
		furnish(run);
	else if (mark == MARK_BREAK)
		break_lock(run);
	else if (mark == MARK_ROOM)
		cast_make_way(run);
	else
		cast_drain(run);
}

/* What goes on ----------------------------------------------------------- */

void
cast_drain(struct run *run)
{
	for (int actor = 1; actor < ACTORS; actor++) {
		while (run->receivers[actor] && take_now(run, actor))
			;
	}
}

/* Round its ring, so that the cell that the victim was at is another's; out of
   all of its rings but the first, if it has several. */
static void
overtake(struct run *run)
{
	int rounds = operation_of(run)->effects & GROWS ? ROUNDS :
							  2 * CAPACITY + 3;

	for (int i = 0; i < rounds; i++) {
		send_one(run, BYSTANDER, operation_of(run)->size);
		cast_drain(run);
	}
}

void
cast_go_on(struct run *run)
{
	cast_drain(run);
	if (operation_of(run)->effects & NAMED_REGION)
		named_region_use();
	if (operation_of(run)->scenery == SETTLED_VICTIM ||
	    (operation_of(run)->effects & GROWS && run->senders[BYSTANDER]))
		overtake(run);
	for (int actor = BYSTANDER; actor <= SECOND; actor++) {
		if (!run->senders[actor])
			continue;
		send_one(run, actor, SHORT);
		send_one(run, actor, LONG);
	}
}

void
cast_pass(struct run *run)
{
	for (int i = 0; i < ROUNDS; i++)
		send_one(run, BYSTANDER, operation_of(run)->size);
}

void
cast_send_again(struct run *run)
{
	for (int actor = 1; actor < ACTORS; actor++) {
		if (run->senders[actor])
			send_one(run, actor, SHORT);
	}
	cast_drain(run);
}

void
cast_release(struct run *run)
{
	if (!run->held)
		return;
	must(actor_release(run->stage, run->held), "release");
	run->held = NULL;
}

/* Into the lane as it is; if there is no room, as it is when drained. */
static void
send_at_once(struct run *run, enum actor actor, size_t size)
{
	int result;

	progress("a survivor sends, without waiting");
	if (cast_is_victims(run)) {
		send_to_victim(run, actor, size);
		return;
	}
	result = actor_send(run->stage, run->senders[actor], actor, size,
			    CUBBY_NOW);
	if (result != -EAGAIN) {
		must(result, "a survivor's send");
		return;
	}
	cast_drain(run);
	send_one(run, actor, size);
}

static void
enter_fresh(struct run *run)
{
	bool gone = operation_of(run)->effects & (CREATES | UNLINKS);

	enter(run, FRESH, CUBBY_SEND, gone ? CUBBY_CREATE : 0);
	if (!(operation_of(run)->effects & INBOX))
		enter(run, FRESH, CUBBY_RECEIVE, 0);
}

static int
open_inbox(struct run *run)
{
	int64_t since = now();
	int result;

	progress("a survivor opens another one's inbox");
	result = cubby_open(mailbox_name(operation_of(run)), CUBBY_RECEIVE,
			    NULL, &run->receivers[BYSTANDER]);
	waited("open", since);
	return result;
}

void
cast_succeed(struct run *run, bool sure)
{
	int result;

	if (!cast_is_victims(run))
		return;
	result = open_inbox(run);
	if (result != -EBUSY || sure)
		must(result, "a survivor's open of the victim's inbox");
}

void
cast_inherit(struct run *run)
{
	must(open_inbox(run), "a survivor's open of a dead one's inbox");
}

void
cast_fresh(struct run *run)
{
	enum actor receives;

	enter_fresh(run);
	returner_comes(run);
	receives = run->receivers[FRESH] ? FRESH : BYSTANDER;
	send_at_once(run, FRESH, LONG);
	send_at_once(run, FRESH, SHORT);
	if (cast_is_victims(run))
		return;
	progress("a survivor holds");
	if (run->scenario->kind == RENDEZVOUS)
		partner_offer(run, SHORT);
	must(actor_hold_release(run->stage,
				run->receivers[receives], receives,
				now() + FAR_OFF),
	     "a survivor's hold");
	partners_leave(run);
}

/* The two mailboxes of an unlink: looks at both in turn. */
static void
collect_anywhere(struct run *run, int left, int64_t since)
{
	while (account_waiting(&run->stage->account) > left) {
		if (now() > since + 6 * PATIENCE)
			fail_hang("accepted messages do not come");
		cast_drain(run);
	}
}

void
cast_collect(struct run *run, int left)
{
	int64_t since = now();
	enum actor turn = FRESH;

	if (operation_of(run)->effects & UNLINKS)
		collect_anywhere(run, left, since);
	while (account_waiting(&run->stage->account) > left &&
	       !cast_is_victims(run)) {
		if (!run->receivers[FRESH] ||
		    (turn == FRESH && run->receivers[BYSTANDER]))
			turn = BYSTANDER;
		else
			turn = FRESH;
		take_one(run, turn);
	}
	waited("accepted messages", since);
}

void
cast_supply(struct run *run)
{
	enum actor actor = run->senders[BYSTANDER] ? BYSTANDER : FRESH;

	if (run->scenario->kind == RENDEZVOUS)
		partner_offer(run, operation_of(run)->size);
	else
		send_one(run, actor, operation_of(run)->size);
	/* It may have come to the other one of that name. */
	if (run->stage->replaced && operation_of(run)->effects & OPENS &&
	    run->senders[FRESH])
		send_one(run, FRESH, operation_of(run)->size);
	run->supplied = true;
	run->supplied_at = now();
}

/* What there is room for. */
static void
fill(struct run *run, enum actor actor)
{
	bool limited = run->scenario->kind != UNLIMITED &&
		       !(operation_of(run)->effects & GROWS);
	int room = limited ? scenario_capacity(run->scenario) : RING;
	size_t own = operation_of(run)->size, other = own == REGIONAL ? own : LONG;
	int result = 0;

	for (int i = 0; i < room && result == 0; i++)
		result = actor_send(run->stage, run->senders[actor], actor,
				    i % 2 ? other : own, CUBBY_NOW);
	if (result != -EAGAIN && result != -EPIPE)
		must(result, "filling it up again");
}

/* Who waits for room is given it a message at a time. */
void
cast_refill(struct run *run)
{
	enum actor actor = run->senders[BYSTANDER] ? BYSTANDER : FRESH;
	unsigned effects = operation_of(run)->effects;

	progress("all is drained, and filled again");
	for (int i = 0; i < 2 * CAPACITY + 3; i++) {
		send_one(run, actor, operation_of(run)->size);
		if (run->senders[SECOND])
			send_one(run, SECOND, operation_of(run)->size);
		cast_drain(run);
	}
	if (run->scenario->kind == RENDEZVOUS) {
		if (effects & (TAKES | HOLDS))
			cast_supply(run);
		return;
	}
	fill(run, actor);
	run->supplied_at = now();
	if (run->scenario->kind == LANES || effects & (TAKES | HOLDS))
		return;
	run->supplied = false;
	run->tight = true;
}

void
cast_clash(struct run *run)
{
	/* Neither before nor after what the victim takes. */
	run->stage->account.era = BESIDE_VICTIM;
	cast_drain(run);
	run->stage->account.era = BEFORE_STRIKE;
	cast_supply(run);
}

void
cast_assist(struct run *run)
{
	unsigned effects = operation_of(run)->effects;

	cast_rouse(run);
	/* Who has slept takes what the victim waits to be taken. */
	if (run->sleeper && effects & AWAITS)
		return;
	/* It sleeps beside it: it is for the victim to find out. */
	if (run->supplied || effects & ENDS_BY_ITSELF)
		return;
	if (effects & (TAKES | HOLDS)) {
		cast_supply(run);
		return;
	}
	/* There may be nobody yet: a short wait in the kernel is no sleep. */
	if (effects & AWAITS)
		cast_drain(run);
	else if (run->receivers[BYSTANDER])
		take_now(run, BYSTANDER);
	run->supplied = !run->tight && (!(effects & AWAITS) ||
			account_last_ended(&run->stage->account, VICTIM));
	run->supplied_at = now();
}

/* The end ---------------------------------------------------------------- */

/*
 * The next sender takes over what the victim left, and must find all of the
 * capacity and the memory for it.
 */
void
cast_check_room(struct run *run, int left)
{
	bool grows = operation_of(run)->effects & GROWS ||
		     run->scenario->kind == UNLIMITED;
	int most = scenario_capacity(run->scenario);
	int room = grows ? ROUNDS : most + 1;
	int sent = 0, result = 0;

	leave(run, FRESH);
	enter_fresh(run);
	progress("the room is filled");
	while (sent < room && (result = actor_send(run->stage,
						   run->senders[FRESH], FRESH,
						   LONG, CUBBY_NOW)) == 0)
		sent++;
	if (result < 0 && result != -EAGAIN)
		fail("filling it: %s", cubby_strerror(result));
	if (sent != (grows ? room : most))
		fail("%d messages fill it, not %d", sent, most);
	cast_collect(run, left);
	cast_drain(run);
}

/* After a sweep no more is in use than what the senders' lanes take. */
void
cast_check_memory(struct run *run)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	const char *region;
	int result;

	progress("the memory is looked at");
	must(cubby_sweep(NULL, NULL), "sweep");
	region = tree_region(run->root);
	/* That of one unlinked, which is still in use, goes with it. */
	if (region && !(operation_of(run)->effects & UNLINKS))
		fail("left behind: %s", region);
	result = cubby_inspect(mailbox_name(operation_of(run)), &info);
	if (result == -ENOENT && operation_of(run)->effects & UNLINKS)
		return;
	must(result, "inspect");
	if (run->scenario->kind == LANES && info.lanes > run->crowd)
		fail("%llu lanes; there were %u senders at most",
		     (unsigned long long)info.lanes, run->crowd);
	if (info.held || info.returned || info.waiting || info.broken)
		fail("empty, but: %llu held, %llu returned, %llu waiting, "
		     "%llu broken",
		     (unsigned long long)info.held,
		     (unsigned long long)info.returned,
		     (unsigned long long)info.waiting,
		     (unsigned long long)info.broken);
}

void
cast_leave(struct run *run)
{
	int result;

	partners_leave(run);
	queue_view_close(run);
	for (int actor = 1; actor < ACTORS; actor++)
		leave(run, actor);
	for (int i = 0; i < CROWD; i++)
		cubby_close(run->crowd_of[i]);
	growing_check(run);
	progress("all is removed");
	if (operation_of(run)->effects & NAMED_REGION)
		named_region_end();
	temporary_check(run);
	result = cubby_unlink(mailbox_name(operation_of(run)));
	if (result != -ENOENT ||
	    !(operation_of(run)->effects & (UNLINKS | TEMPORARY)))
		must(result, "unlink");
	must(cubby_sweep(NULL, NULL), "sweep");
	must_leave_nothing(run);
}
