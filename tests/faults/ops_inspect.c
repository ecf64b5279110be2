/* SPDX-License-Identifier: MIT */
/*
 * Inspecting: whatever fails, what is told is what was told when nothing failed, to the
 * last field, or it is an error.
 */
#include "faults.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CARRY (TO_ONE | QUEUES)

/* What is told ------------------------------------------------------------- */

enum { TOLD_MAX = 8 };

/* When nothing failed. */
static struct {
	struct cubby_info info;
	struct cubby_sender_info senders[TOLD_MAX];
	struct cubby_receiver_info receivers[TOLD_MAX];
	unsigned sender_count, receiver_count;
} told;

static int
note_sender(const struct cubby_sender_info *sender, void *context)
{
	(void)context;
	need(told.sender_count < TOLD_MAX);
	told.senders[told.sender_count++] = *sender;
	return 0;
}

static int
note_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	(void)context;
	need(told.receiver_count < TOLD_MAX);
	told.receivers[told.receiver_count++] = *receiver;
	return 0;
}

static void
note_all(struct stage *s)
{
	memset(&told, 0, sizeof(told));
	told.info.struct_size = sizeof(told.info);
	need_ok(cubby_inspect(s->name, &told.info));
	need_ok(cubby_inspect_senders(s->name, note_sender, NULL));
	need_ok(cubby_inspect_receivers(s->name, note_receiver, NULL));
}

static int
inspect_act(struct stage *s)
{
	int r = cubby_inspect(s->name, &s->outs.info);

	if (r == 0 && limit_has_locked) {
		need(s->outs.info.memory >= told.info.memory);
		told.info.memory = s->outs.info.memory;
	}
	/* What follows the last field is nobody's. */
	need(r < 0 || !memcmp(&s->outs.info, &told.info,
			      offsetof(struct cubby_info, delivery)));
	return r;
}

static int
is_same_sender(const struct cubby_sender_info *sender, void *context)
{
	struct stage *s = context;

	need(s->visited < told.sender_count);
	need(!memcmp(sender, &told.senders[s->visited],
		     offsetof(struct cubby_sender_info, polling)));
	s->visited++;
	return 0;
}

static int
senders_act(struct stage *s)
{
	int r;

	s->visited = 0;
	r = cubby_inspect_senders(s->name, is_same_sender, s);
	need(r < 0 || s->visited == told.sender_count);
	return r;
}

static int
is_same_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	struct stage *s = context;
	const struct cubby_receiver_info *same = &told.receivers[s->visited];

	need(s->visited < told.receiver_count);
	need(receiver->receiver == same->receiver);
	need(receiver->generation == same->generation);
	need(receiver->pid == same->pid);
	need(receiver->attached == same->attached);
	need(receiver->died == same->died);
	need(receiver->sleeping == same->sleeping);
	need(receiver->polling == same->polling);
	need(receiver->held == same->held);
	s->visited++;
	return 0;
}

static int
receivers_act(struct stage *s)
{
	int r;

	s->visited = 0;
	r = cubby_inspect_receivers(s->name, is_same_receiver, s);
	need(r < 0 || s->visited == told.receiver_count);
	return r;
}

/* In use ------------------------------------------------------------------- */

static void
used_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 2, SMALL);
	send_many(s, s->others[1], 1, LARGE);
	note_all(s);
	need(is_every(s) || told.info.waiting == 3);
	need(told.info.senders == 2 && told.info.receivers == 1);
	need(told.sender_count == 2 && told.receiver_count == 1);
}

/* The dead ----------------------------------------------------------------- */

static void
holds_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_message *message;

	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
}

static void
dead_set(struct stage *s)
{
	unsigned i, dead = 0;

	s->has_returned = true;
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 3, SMALL);
	die_after(s, holds_and_dies);
	note_all(s);
	for (i = 0; i < told.sender_count; i++)
		dead += told.senders[i].died;
	for (i = 0; i < told.receiver_count; i++)
		dead += told.receivers[i].died && told.receivers[i].held == 1;
	need(dead == 2 && told.info.held == 1);
}

/* Calls -------------------------------------------------------------------- */

static void
calls(struct stage *s)
{
	cubby_mailbox *mailbox;
	uint64_t number = 0;
	size_t size;

	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	atomic_fetch_add(&s->common->ready, 1);
	need_ok(again(cubby_call(mailbox, &number, sizeof(number), s->buffer,
				 sizeof(s->buffer), &size, soon())));
	need(size == sizeof(number));
	cubby_close(mailbox);
}

static bool
somebody_calls(struct stage *s)
{
	unsigned i, count = 0;

	note_all(s);
	for (i = 0; i < told.sender_count; i++)
		count += told.senders[i].calling == 1;
	return count == 1;
}

/* It is stopped in its sleep: else it would wake now and then, and look for itself
   whether anybody serves. */
static void
calling_set(struct stage *s)
{
	int status;

	open_mine(s, CUBBY_RECEIVE);
	help(s, calls);
	for (;;) {
		while (!somebody_calls(s))
			sched_yield();
		kill(s->helpers[0], SIGSTOP);
		need(waitpid(s->helpers[0], &status, WUNTRACED) > 0);
		need(WIFSTOPPED(status));
		if (somebody_calls(s))
			return;
		kill(s->helpers[0], SIGCONT);
	}
}

static void
calling_check(struct stage *s)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t size;

	kill(s->helpers[0], SIGCONT);
	need_ok(again(cubby_receive_full(s->mine, NULL, 0, soon(), s->buffer,
					 sizeof(s->buffer), &size, &envelope)));
	need(envelope.call && size == 8);
	need_ok(again(cubby_reply(s->mine, &envelope, s->buffer, size)));
	helpers_end(s);
}

/* A region ----------------------------------------------------------------- */

static void
region_set(struct stage *s)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;

	options.size = 1 << 20;
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	need_ok(cubby_region_open(NULL, CUBBY_CREATE, &options, &region));
	need_ok(cubby_send_region(s->others[0], region, NULL, soon()));
	note_all(s);
	need(told.info.memory > options.size);
}

static void
region_check(struct stage *s)
{
	cubby_region *region;

	need_ok(again(cubby_receive_region(s->mine, NULL, CUBBY_NOW, &region,
					   NULL)));
	cubby_region_close(region);
}

static const struct scenario list[] = {
	{ "inspect", "cubby_inspect", BUFFERED, 0, used_set, inspect_act,
	  NULL },
	{ "inspect-dead", "cubby_inspect", CARRY & ~ONLY(INBOX), 0, dead_set,
	  inspect_act, NULL },
	{ "inspect-calling", "cubby_inspect", CARRY, NO_LIMITS, calling_set,
	  inspect_act, calling_check },
	{ "inspect-region", "cubby_inspect", CARRY, 0, region_set, inspect_act,
	  region_check },
	{ "inspect-senders", "cubby_inspect_senders", BUFFERED, 0, used_set,
	  senders_act, NULL },
	{ "inspect-senders-dead", "cubby_inspect_senders",
	  CARRY & ~ONLY(INBOX), 0, dead_set, senders_act, NULL },
	{ "inspect-senders-calling", "cubby_inspect_senders", CARRY, NO_LIMITS,
	  calling_set, senders_act, calling_check },
	{ "inspect-receivers", "cubby_inspect_receivers", BUFFERED, 0,
	  used_set, receivers_act, NULL },
	{ "inspect-receivers-dead", "cubby_inspect_receivers",
	  CARRY & ~ONLY(INBOX), 0, dead_set, receivers_act, NULL },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
