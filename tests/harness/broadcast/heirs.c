/* SPDX-License-Identifier: MIT */
/* Who meets what a dead victim left: see double.h. None of them waits. */
#include <errno.h>

#include "../double.h"
#include "play.h"

static int
enter_receive(struct part *own)
{
	int result = open_it(own);

	return result < 0 ? result : receive_now(own);
}

static int
enter_send(struct part *own)
{
	int result = open_it(own);

	return result < 0 ? result : send_now(own);
}

static int
sweep(struct part *own)
{
	(void)own;
	return cubby_sweep(MAILBOX, NULL);
}

static int
sweep_all(struct part *own)
{
	(void)own;
	return cubby_sweep(NULL, NULL);
}

#define HEIR(title, ...) { .operation.name = title, .result = 1, __VA_ARGS__ }
#define HEARS(title, ...) HEIR(title, .roles = CUBBY_RECEIVE, __VA_ARGS__)
#define SENDS_IT(title, ...) HEIR(title, .roles = CUBBY_SEND, __VA_ARGS__)

static const struct act heirs[] = {
	HEARS("open-receiver", .joins = true, .perform = open_it),
	HEARS("open-history", .joins = true, .history = 3, .perform = open_it),
	HEARS("enter-receive", .joins = true, .perform = enter_receive),
	HEARS("receive", .perform = receive_now),
	HEARS("hold", .perform = hold_now),
	HEARS("close-receiver", .perform = close_it),
	SENDS_IT("open-sender", .joins = true, .perform = open_it),
	SENDS_IT("enter-send", .joins = true, .perform = enter_send),
	SENDS_IT("send", .perform = send_now),
	/* the victim has not received it, if it receives */
	SENDS_IT("send-full", .own = ROOM, .perform = send_now),
	SENDS_IT("send-large", .size = LONG, .own = ROOM, .perform = send_now),
	SENDS_IT("close-sender", .own = 2, .perform = close_it),
	HEIR("sweep", .perform = sweep),
	HEIR("sweep-all", .perform = sweep_all),
};

uint32_t
heirs_count(void)
{
	return sizeof(heirs) / sizeof(heirs[0]);
}

const char *
heir_name(uint32_t heir)
{
	return heirs[heir].operation.name;
}

bool
heir_fits(const struct scenario *scenario, uint32_t heir)
{
	(void)scenario, (void)heir;
	return true;
}

const struct scenario *
heir_scenario(const struct scenario *scenario, uint32_t heir)
{
	static struct act act;
	static struct scenario own;

	act = heirs[heir];
	act.delivery = act_of(scenario)->delivery;
	own = (struct scenario){ .operation = &act.operation };
	return &own;
}

bool
heir_may_return(const struct scenario *scenario, uint32_t heir, int result)
{
	(void)scenario;
	return result >= 0 || (result == -EAGAIN && heirs[heir].roles);
}
