/* SPDX-License-Identifier: MIT */
/* The sleeper: a child that is asleep on the other side when the victim begins. */
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "harness.h"
#include "must.h"

static cubby_mailbox *
attend(struct run *run, int roles)
{
	cubby_mailbox *mailbox;

	must(cubby_open(mailbox_name(run->scenario->operation), roles, NULL,
			&mailbox),
	     "the sleeper's open");
	return mailbox;
}

static void
sleeper_receives(struct run *run)
{
	cubby_mailbox *mailbox;

	mailbox = attend(run, CUBBY_RECEIVE);
	must(actor_take(run->stage, mailbox, SLEEPER, now() + FAR_OFF),
	     "the sleeper's receive");
	run->stage->gone = true;
}

/* Who is told that the inbox's process has gone has no more to send. */
static void
sleeper_sends(struct run *run)
{
	cubby_mailbox *mailbox;
	int result = 0;

	mailbox = attend(run, CUBBY_SEND);
	for (int i = 0; i < scenario_capacity(run->scenario) + 1; i++) {
		result = actor_send(run->stage, mailbox, SLEEPER,
				    run->scenario->operation->size,
				    now() + FAR_OFF);
		if (result == -EPIPE && run->stage->gone)
			return;
		must(result, "the sleeper's send");
	}
}

/* Until it is readable. Whatever wakes it up: it asks again. */
static void
poll_once(cubby_mailbox *mailbox, int role)
{
	struct pollfd asked = { .fd = cubby_fd(mailbox, role),
				.events = POLLIN };

	must(asked.fd, "the sleeper's descriptor");
	if (poll(&asked, 1, FAR_OFF / NANOSECONDS * 1000) == 0)
		fail("the sleeper was not told");
}

/* -ETIMEDOUT: one who stands still has the queue's lock, and it is not known. */
static bool
asks_again(int result)
{
	return result == -EAGAIN || result == -ETIMEDOUT;
}

static void
poller_receives(struct run *run)
{
	cubby_mailbox *mailbox = attend(run, CUBBY_RECEIVE);
	int result;

	must(cubby_fd(mailbox, CUBBY_RECEIVE), "the sleeper's descriptor");
	while (asks_again(result = actor_take(run->stage, mailbox, SLEEPER,
					      CUBBY_NOW)))
		poll_once(mailbox, CUBBY_RECEIVE);
	must(result, "the sleeper's receive");
}

static void
poller_sends(struct run *run)
{
	cubby_mailbox *mailbox = attend(run, CUBBY_SEND);
	int result;

	must(cubby_fd(mailbox, CUBBY_SEND), "the sleeper's descriptor");
	for (int i = 0; i < scenario_capacity(run->scenario) + 1; i++) {
		while (asks_again(result = actor_send(run->stage, mailbox,
				SLEEPER, run->scenario->operation->size,
				CUBBY_NOW)))
			poll_once(mailbox, CUBBY_SEND);
		must(result, "the sleeper's send");
	}
}

/* Until that is ready; in the other one nothing happens. */
static void
wait_once(cubby_mailbox *mailbox, int role)
{
	static cubby_mailbox *beside;
	struct cubby_wait_entry entries[] = { { NULL, CUBBY_RECEIVE, 0 },
					      { mailbox, role, 0 } };

	if (!beside) {
		must(cubby_open("asleep", CUBBY_CREATE | CUBBY_RECEIVE, NULL,
				&beside),
		     "another mailbox");
		must(cubby_unlink("asleep"), "its unlink");
	}
	entries[0].mailbox = beside;
	must(cubby_wait(entries, 2, now() + FAR_OFF), "the sleeper's wait");
}

static void
waiter_receives(struct run *run)
{
	cubby_mailbox *mailbox = attend(run, CUBBY_RECEIVE);
	int result;

	do {
		wait_once(mailbox, CUBBY_RECEIVE);
		result = actor_take(run->stage, mailbox, SLEEPER, CUBBY_NOW);
	} while (asks_again(result));
	must(result, "the sleeper's receive");
}

static void
waiter_sends(struct run *run)
{
	cubby_mailbox *mailbox = attend(run, CUBBY_SEND);
	int result;

	for (int i = 0; i < scenario_capacity(run->scenario) + 1; i++) {
		do {
			wait_once(mailbox, CUBBY_SEND);
			result = actor_send(run->stage, mailbox, SLEEPER,
					    run->scenario->operation->size,
					    CUBBY_NOW);
		} while (asks_again(result));
		must(result, "the sleeper's send");
	}
}

static void
sleeper_offers(struct run *run)
{
	cubby_mailbox *mailbox;
	int result;

	mailbox = attend(run, CUBBY_SEND);
	result = actor_send_synchronous(run->stage, mailbox, SLEEPER,
					run->scenario->operation->size,
					now() + 3 * NANOSECONDS / 10);
	if (result != -ETIMEDOUT)
		must(result, "the sleeper's synchronous send");
}

static bool
sleeper_is_sender(const struct run *run)
{
	return run->scenario->operation->roles == CUBBY_RECEIVE;
}

/* Returns when it sleeps. */
void
sleeper_enter(struct run *run)
{
	bool sends = sleeper_is_sender(run);

	if (run->scenario->operation->scenery == LATE_SENDER)
		run->sleeper = helper_fork(run, sleeper_offers);
	else if (run->scenario->operation->scenery == POLLER)
		run->sleeper = helper_fork(run, sends ? poller_sends :
							poller_receives);
	else if (run->scenario->operation->scenery == WAITER)
		run->sleeper = helper_fork(run, sends ? waiter_sends :
							waiter_receives);
	else
		run->sleeper = helper_fork(run, sends ? sleeper_sends :
							sleeper_receives);
	if (sends)
		cast_count(run, 1);
	else
		run->stage->owner = run->sleeper;
	/* One with a deadline may have come to its end already. */
	if (!helper_lull(run->sleeper) &&
	    run->scenario->operation->scenery != LATE_SENDER)
		fail("the sleeper: %s", run->stage->complaint);
}

/* It may have been given one already, and be on its way. */
static void
send_to_sleeper(struct run *run)
{
	int64_t since = now();
	int result;

	if (run->scenario->kind != RENDEZVOUS) {
		result = actor_send(run->stage, run->senders[BYSTANDER],
				    BYSTANDER, SHORT, since + FAR_OFF);
		if (result != -EPIPE || !run->stage->gone)
			must(result, "a send to the sleeper");
		return;
	}
	do
		result = actor_send(run->stage, run->senders[BYSTANDER],
				    BYSTANDER, SHORT, now() + NANOSECONDS / 10);
	while (result == -ETIMEDOUT && now() < since + FAR_OFF &&
	       helper_lull(run->sleeper));
	if (result != -ETIMEDOUT)
		must(result, "a send to the sleeper");
}

void
cast_still(struct run *run)
{
	if (run->sleeper && !run->still)
		helper_still(run, run->sleeper, "the sleeper");
	run->still = true;
}

void
cast_rouse(struct run *run)
{
	if (run->sleeper)
		kill(run->sleeper, SIGCONT);
	run->still = false;
}

static void
leave(struct run *run)
{
	cast_rouse(run);
	helper_bury(run, run->sleeper, "the sleeper");
	run->sleeper = 0;
	account_died(&run->stage->account, SLEEPER);
	if (sleeper_is_sender(run))
		cast_count(run, -1);
	else if (run->scenario->operation->effects & INBOX)
		cast_inherit(run);
}

void
cast_make_way(struct run *run)
{
	const struct entry *own = run->stage->account.entries[SLEEPER];
	bool room = false;

	for (int number = 1; number < NUMBERS; number++)
		room = room || own[number].ended;
	if (run->sleeper && room)
		leave(run);
}

void
cast_forsake(struct run *run)
{
	if (run->sleeper && cast_is_victims(run))
		leave(run);
}

void
cast_outlast(struct run *run)
{
	if (!run->sleeper || run->scenario->operation->scenery != LATE_SENDER)
		return;
	leave(run);
}

void
cast_wake(struct run *run, bool send)
{
	cast_rouse(run);
	/* Who sends to the victim's inbox waits for the victim, or a successor. */
	if (!run->sleeper || cast_is_victims(run))
		return;
	if (sleeper_is_sender(run))
		cast_drain(run);
	else if (send)
		send_to_sleeper(run);
	leave(run);
}
