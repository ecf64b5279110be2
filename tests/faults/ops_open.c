/* SPDX-License-Identifier: MIT */
/* Opening, closing, unlinking. */
#include "faults.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static int
open_as(struct stage *s, int flags)
{
	return cubby_open(s->name, flags, &s->options, &s->outs.mailbox);
}

static void
keep(struct stage *s, int flags)
{
	s->mine = s->outs.mailbox;
	s->my_flags = flags;
}

/* Making a mailbox. */
static int
create_act(struct stage *s)
{
	return open_as(s, CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_SEND |
			  CUBBY_RECEIVE);
}

static void
both_check(struct stage *s)
{
	keep(s, CUBBY_SEND | CUBBY_RECEIVE);
}

/* Joining one that others use and that holds messages. */
static void
used_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	if (s->kind != INBOX)
		open_other(s, CUBBY_RECEIVE);
	if (s->kind != RENDEZVOUS)
		send_many(s, s->others[0], 3, SMALL);
	if (s->kind != RENDEZVOUS)
		send_many(s, s->others[0], 2, LARGE);
}

static int
send_act(struct stage *s)
{
	return open_as(s, CUBBY_SEND);
}

static void
send_check(struct stage *s)
{
	keep(s, CUBBY_SEND);
}

static int
receive_act(struct stage *s)
{
	return open_as(s, CUBBY_RECEIVE);
}

static void
receive_check(struct stage *s)
{
	keep(s, CUBBY_RECEIVE);
}

/* The lane of one who has died, with what he has sent. */
static void
sender_dies(struct stage *s)
{
	cubby_mailbox *mailbox;

	s->options.sender = "returning";
	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	send_many(s, mailbox, 1, SMALL);
}

static void
named_set(struct stage *s)
{
	open_other(s, CUBBY_RECEIVE);
	die_after(s, sender_dies);
	s->options.sender = "returning";
	accept_number(s, ++s->next);
}

/* A receiver that has died holding. */
static void
receiver_dies(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_message *message;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
}

static void
after_death_set(struct stage *s)
{
	s->has_returned = true;
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 3, SMALL);
	die_after(s, receiver_dies);
}

/* Many receivers and senders are there: their files grow. */
static void
crowd_set(struct stage *s)
{
	unsigned i;

	for (i = 0; i < 70; i++)
		open_other(s, CUBBY_SEND);
}

/* A process's inbox. */
static void
process_set(struct stage *s)
{
	open_other(s, CUBBY_RECEIVE);
}

static int
process_act(struct stage *s)
{
	return cubby_open_process(getpid(), CUBBY_SEND, &s->options,
				  &s->outs.mailbox);
}

/* Closing. */
static void
close_set(struct stage *s)
{
	used_set(s);
	open_mine(s, CUBBY_SEND);
	if (s->kind != RENDEZVOUS)
		send_many(s, s->mine, 2, LARGE);
}

static void
close_receiver_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	if (s->kind != INBOX)
		open_other(s, CUBBY_RECEIVE);
	if (s->kind != RENDEZVOUS)
		send_many(s, s->others[0], 3, LARGE);
	if (s->kind != RENDEZVOUS && !is_every(s))
		need_ok(cubby_hold(s->mine, NULL, soon(), &s->message));
	s->message = NULL;	/* goes back when its holder closes */
}

static int
close_act(struct stage *s)
{
	cubby_mailbox *mailbox = s->mine;

	s->mine = NULL;
	cubby_close(mailbox);
	return 0;
}

/* The last one of a temporary mailbox. */
static void
close_last_set(struct stage *s)
{
	s->options.lifetime = CUBBY_TEMPORARY;
	open_mine(s, CUBBY_SEND | CUBBY_RECEIVE);
}

static void
close_one_of_two_set(struct stage *s)
{
	s->options.lifetime = CUBBY_TEMPORARY;
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 3, SMALL);
	open_mine(s, CUBBY_SEND);
}

/* One that has been unlinked already, and another that still uses it. */
static void
close_unlinked_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 3, SMALL);
	open_mine(s, CUBBY_RECEIVE);
	need_ok(cubby_unlink(s->name));
}

/* The sender left, alone, still finds its mailbox; so does nobody else. */
static void
close_unlinked_check(struct stage *s)
{
	need_ok(again(send_one(s, s->others[0], LARGE, soon())));
	cubby_close(s->others[0]);
	s->other_count = 0;
	s->accepted_count = 0;
}

static void
unlink_set(struct stage *s)
{
	used_set(s);
	open_mine(s, CUBBY_RECEIVE);
}

static void
unlink_inbox_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	if (s->kind != RENDEZVOUS)
		send_many(s, s->others[0], 3, SMALL);
	open_mine(s, CUBBY_RECEIVE);
}

static int
unlink_act(struct stage *s)
{
	return cubby_unlink(s->name);
}

static void
unlink_check(struct stage *s)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	need(again(cubby_inspect(s->name, &info)) == -ENOENT);
}

static void
unlink_unused_set(struct stage *s)
{
	used_set(s);
	while (s->other_count)
		cubby_close(s->others[--s->other_count]);
	s->accepted_count = 0;
}

#define OPENS 0

static const struct scenario list[] = {
	{ "create", "cubby_open", ALL_KINDS, OPENS, NULL, create_act,
	  both_check },
	{ "create-first", "cubby_open", ONLY(LIMITED) | ONLY(ARRIVAL), COLD,
	  NULL, create_act, both_check },
	{ "open-send", "cubby_open", ALL_KINDS, OPENS, used_set, send_act,
	  send_check },
	{ "open-receive", "cubby_open", ALL_KINDS & ~ONLY(INBOX), OPENS,
	  used_set, receive_act, receive_check },
	{ "open-named", "cubby_open", ONLY(LIMITED) | ONLY(UNLIMITED) |
	  ONLY(ARRIVAL), OPENS, named_set, send_act, send_check },
	{ "open-after-death", "cubby_open", TO_ONE | QUEUES, OPENS,
	  after_death_set, receive_act, receive_check },
	{ "open-in-crowd", "cubby_open", ONLY(LIMITED) | ONLY(ARRIVAL), MANY,
	  crowd_set, send_act, send_check },
	{ "open-receive-crowd", "cubby_open", ONLY(LIMITED) | ONLY(EVERY), MANY,
	  crowd_set, receive_act, receive_check },
	{ "open-process", "cubby_open_process", ONLY(INBOX), OPENS, process_set,
	  process_act, send_check },
	{ "close-sender", "cubby_close", ALL_KINDS, GONE, close_set, close_act,
	  NULL },
	{ "close-receiver", "cubby_close", ALL_KINDS, GONE, close_receiver_set,
	  close_act, NULL },
	{ "close-last", "cubby_close", ALL_KINDS, GONE, close_last_set,
	  close_act, NULL },
	{ "close-one-of-two", "cubby_close", TO_ONE | QUEUES, GONE,
	  close_one_of_two_set, close_act, NULL },
	{ "close-unlinked", "cubby_close",
	  (TO_ONE | QUEUES) & ~ONLY(INBOX), GONE,
	  close_unlinked_set, close_act, close_unlinked_check },
	{ "unlink", "cubby_unlink", (ALL_KINDS & ~ONLY(INBOX)), FILES_GO,
	  unlink_set, unlink_act, unlink_check },
	{ "unlink-inbox", "cubby_unlink", ONLY(INBOX), FILES_GO,
	  unlink_inbox_set, unlink_act, unlink_check },
	{ "unlink-unused", "cubby_unlink", ALL_KINDS, FILES_GO,
	  unlink_unused_set, unlink_act, unlink_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
