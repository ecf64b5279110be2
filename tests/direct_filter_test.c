/* SPDX-License-Identifier: MIT */
/* Receiving from one who is named, and being told when it has gone. */
#include "support/support.h"
#include <limits.h>

#define INBOX "@worker"
#define FROM(name) { .struct_size = sizeof(struct cubby_filter), \
		     .sender_name = (name) }

/* What mailboxes are made with: some tests are run with a queue too. */
static struct cubby_options made = CUBBY_OPTIONS_INIT;

static const struct cubby_filter from_ada = FROM("Ada"), from_bob = FROM("Bob");

static cubby_mailbox *
open_named(const char *mailbox, const char *name)
{
	struct cubby_options options = made;

	options.sender = name;
	return open_mailbox(mailbox, CUBBY_CREATE | CUBBY_SEND, &options);
}

static cubby_mailbox *
open_receiver(const char *mailbox)
{
	return open_mailbox(mailbox, CUBBY_CREATE | CUBBY_RECEIVE, &made);
}

static int
receive_from(cubby_mailbox *mailbox, const struct cubby_filter *filter,
	     int flags, int64_t deadline, const char *text)
{
	char buffer[64] = "";
	size_t size = 0;
	int result;

	result = cubby_receive_full(mailbox, filter, flags, deadline, buffer,
				    sizeof(buffer), &size, NULL);
	if (result == 0)
		expect_bytes(buffer, size, text, strlen(text));
	return result;
}

static void
only_that_one_s_messages_come(void)
{
	static const char *const mailboxes[] = { INBOX, "jobs" };

	for (size_t i = 0; i < COUNT_OF(mailboxes); i++) {
		const char *name = mailboxes[i];
		cubby_mailbox *own = open_receiver(name), *ada, *bob, *nobody;
		cubby_message *message;

		nobody = open_mailbox(name, CUBBY_SEND, NULL);
		bob = open_named(name, "Bob");
		ada = open_named(name, "Ada");
		send_text(nobody, "unnamed");
		send_text(bob, "bob's");
		expect_result(receive_from(own, &from_ada, 0, CUBBY_NOW, ""),
			      -EAGAIN);
		expect_result(receive_from(own, &from_ada, 0,
					   cubby_deadline_after(1000), ""),
			      -ETIMEDOUT);
		send_text(ada, "one");
		send_text(ada, "two");
		expect_ok(receive_from(own, &from_ada, CUBBY_PEEK, CUBBY_NOW,
				       "one"));
		expect_ok(cubby_hold(own, &from_ada, CUBBY_NOW, &message));
		expect_ok(receive_from(own, &from_ada, 0, CUBBY_NOW, "two"));
		expect_ok(cubby_reject(message));
		/* What went back is its sender's still. */
		expect_ok(receive_from(own, &from_bob, 0, soon(), "bob's"));
		expect_ok(receive_from(own, &from_ada, 0, soon(), "one"));
		expect_result(receive_from(own, &from_ada, 0, CUBBY_NOW, ""),
			      -EAGAIN);
		expect_text(own, "unnamed");
		cubby_close(ada);
		cubby_close(bob);
		cubby_close(nobody);
		cubby_close(own);
	}
}

static void
by_number_and_name_both_must_fit(void)
{
	struct cubby_filter filter = FROM("Ada");
	cubby_mailbox *own = open_receiver(INBOX), *ada, *bob;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	bob = open_named(INBOX, "Bob");
	ada = open_named(INBOX, "Ada");
	expect_ok(cubby_send_full(bob, "b", 1, &envelope, 0, soon()));
	filter.sender = envelope.sender;
	expect_ok(cubby_send_full(ada, "a", 1, &envelope, 0, soon()));
	expect_result(receive_from(own, &filter, 0, CUBBY_NOW, ""), -EAGAIN);
	filter.sender = envelope.sender;
	expect_ok(receive_from(own, &filter, 0, CUBBY_NOW, "a"));
	cubby_close(ada);
	cubby_close(bob);
	cubby_close(own);
}

static void
one_that_comes_later_is_waited_for(void)
{
	cubby_mailbox *own = open_receiver(INBOX), *other;
	struct gate heard = gate_make();
	struct child sender;

	in_child(&sender) {
		cubby_mailbox *bob = open_named(INBOX, "Bob"), *ada;

		for (int i = 0; i < 50; i++)
			send_text(bob, "not that one");
		ada = open_named(INBOX, "Ada");
		send_text(ada, "here I am");
		gate_wait(&heard);
		cubby_close(ada);
		cubby_close(bob);
	}
	expect_ok(receive_from(own, &from_ada, 0, soon(), "here I am"));
	gate_open(&heard);
	child_finish(&sender);
	other = open_mailbox(INBOX, CUBBY_SEND, NULL);
	expect_int(inspect(INBOX).waiting, 50);
	cubby_close(other);
	cubby_close(own);
}

/* It sleeps already, and is rung for others first. */
static void
a_sleeper_is_woken_for_that_one(void)
{
	static const char *const mailboxes[] = { INBOX, "jobs" };

	for (size_t i = 0; i < COUNT_OF(mailboxes); i++) {
		const char *name = mailboxes[i];
		cubby_mailbox *ada, *bob = open_named(name, "Bob");
		struct child receiver;

		in_child(&receiver) {
			cubby_mailbox *own = open_receiver(name);

			expect_ok(receive_from(own, &from_ada, 0, soon(),
					       "here"));
			cubby_close(own);
		}
		child_wait_asleep(&receiver);
		send_text(bob, "not that one");
		child_wait_asleep(&receiver);
		ada = open_named(name, "Ada");
		child_wait_asleep(&receiver);
		send_text(ada, "here");
		child_finish(&receiver);
		cubby_close(ada);
		cubby_close(bob);
	}
}

/* The other end ---------------------------------------------------------- */

static void
who_has_gone_is_told(void)
{
	cubby_mailbox *own = open_receiver(INBOX), *ada;
	cubby_message *message;

	/* It was never there. */
	expect_result(receive_from(own, &from_ada, 0, CUBBY_NOW, ""), -EAGAIN);
	expect_result(receive_from(own, &from_ada, 0,
				   cubby_deadline_after(20000000), ""),
		      -ETIMEDOUT);
	ada = open_named(INBOX, "Ada");
	expect_result(receive_from(own, &from_ada, 0,
				   cubby_deadline_after(20000000), ""),
		      -ETIMEDOUT);
	send_text(ada, "one");
	send_text(ada, "two");
	cubby_close(ada);
	/* What it has left comes first. */
	expect_ok(receive_from(own, &from_ada, 0, CUBBY_FOREVER, "one"));
	expect_ok(cubby_hold(own, &from_ada, CUBBY_FOREVER, &message));
	expect_ok(cubby_reject(message));
	expect_ok(receive_from(own, &from_ada, 0, CUBBY_FOREVER, "two"));
	expect_result(receive_from(own, &from_ada, 0, CUBBY_FOREVER, ""),
		      -EPIPE);
	expect_result(receive_from(own, &from_ada, CUBBY_PEEK, CUBBY_FOREVER,
				   ""),
		      -EPIPE);
	expect_result(cubby_hold(own, &from_ada, soon(), &message), -EPIPE);
	/* Others are not concerned. */
	expect_empty(own);
	expect_result(receive_from(own, &from_bob, 0,
				   cubby_deadline_after(1000), ""),
		      -ETIMEDOUT);
	/* It comes back. */
	ada = open_named(INBOX, "Ada");
	expect_result(receive_from(own, &from_ada, 0,
				   cubby_deadline_after(20000000), ""),
		      -ETIMEDOUT);
	send_text(ada, "three");
	expect_ok(receive_from(own, &from_ada, 0, CUBBY_FOREVER, "three"));
	cubby_close(ada);
	cubby_close(own);
}

/* Not from a mailbox that is nobody's inbox: there it may come back. */
static void
a_mailbox_waits_for_its_return(void)
{
	cubby_mailbox *own = open_receiver("jobs");

	cubby_close(open_named("jobs", "Ada"));
	expect_result(receive_from(own, &from_ada, 0, CUBBY_NOW, ""), -EAGAIN);
	expect_result(receive_from(own, &from_ada, 0,
				   cubby_deadline_after(20000000), ""),
		      -ETIMEDOUT);
	cubby_close(own);
}

static void
who_only_polls_is_told(void)
{
	cubby_mailbox *own = open_receiver(INBOX);
	int64_t end = soon();
	int result;

	cubby_close(open_named(INBOX, "Ada"));
	do
		result = receive_from(own, &from_ada, 0, CUBBY_NOW, "");
	while (result == -EAGAIN && cubby_deadline_after(0) < end);
	expect_result(result, -EPIPE);
	cubby_close(own);
}

static void
a_sleeper_learns_of_the_death(void)
{
	struct gate there = gate_make(), sent = gate_make();
	struct child sender, receiver;

	for (int round = 0; round < 10; round++) {
		in_child(&receiver) {
			cubby_mailbox *own = open_receiver(INBOX);

			gate_open(&there);
			gate_wait(&sent);
			if (round % 2)
				expect_ok(receive_from(own, &from_ada, 0,
						       CUBBY_FOREVER,
						       "last words"));
			expect_result(receive_from(own, &from_ada, 0,
						   CUBBY_FOREVER, ""),
				      -EPIPE);
			cubby_close(own);
		}
		in_child(&sender) {
			cubby_mailbox *ada = open_named(INBOX, "Ada");

			gate_wait(&there);
			if (round % 2)
				send_text(ada, "last words");
			gate_open(&sent);
			pause();
		}
		child_wait_asleep(&receiver);
		/* A stopped one is waited for. */
		child_stop(&sender);
		child_wait_asleep(&receiver);
		child_kill(&sender);
		child_finish(&receiver);
	}
}

/* A receiver died with a message of the dead in its hands. */
static void
what_the_dead_held_of_the_dead_comes_first(void)
{
	struct gate held = gate_make();
	cubby_mailbox *ada = open_named(INBOX, "Ada"), *own;
	struct child owner;

	send_text(ada, "held");
	send_text(ada, "after it");
	in_child(&owner) {
		cubby_message *message;

		own = open_receiver(INBOX);
		expect_ok(cubby_hold(own, &from_ada, soon(), &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	child_kill(&owner);
	cubby_close(ada);
	own = open_receiver(INBOX);
	expect_ok(receive_from(own, &from_ada, 0, CUBBY_FOREVER, "held"));
	expect_ok(receive_from(own, &from_ada, 0, CUBBY_FOREVER, "after it"));
	expect_result(receive_from(own, &from_ada, 0, CUBBY_FOREVER, ""),
		      -EPIPE);
	cubby_close(own);
}

/* Where Ada begins: one message has been sent, and received. */
static uint64_t
last_published(cubby_mailbox *own)
{
	cubby_mailbox *ada = open_named(INBOX, "Ada");
	uint64_t n, tag;

	send_number(ada, 0);
	expect_number(own, 0);
	expect_ok(cubby_published(ada, &n, &tag));
	cubby_close(ada);
	return n;
}

/* Killed while it sends, again and again: no message is lost or doubled, and
   each death is told. */
static void
killed_senders_are_told_after_their_last_message(void)
{
	_Atomic uint64_t *sent = shared_memory(sizeof(*sent));
	cubby_mailbox *own = open_receiver(INBOX);
	struct gate opened = gate_make();
	uint64_t number, next;
	struct child sender;
	int result = 0;

	next = last_published(own) + 1;
	atomic_store(sent, next - 1);
	for (int round = 0; round < MANY(60); round++) {
		uint64_t aim = atomic_load(sent) + (uint64_t)round * 7 % 100;

		in_child(&sender) {
			cubby_mailbox *ada = open_named(INBOX, "Ada");
			uint64_t n, tag;

			expect_ok(cubby_published(ada, &n, &tag));
			gate_open(&opened);
			for (;;) {
				send_number(ada, ++n);
				atomic_store(sent, n);
			}
		}
		gate_wait(&opened);
		while ((int64_t)(aim - next) >= 0) {
			expect_ok(cubby_receive_full(own, &from_ada, 0, soon(),
						     &number, sizeof(number),
						     NULL, NULL));
			expect_int(number, next++);
		}
		child_kill(&sender);
		for (;;) {
			result = cubby_receive_full(own, &from_ada, 0,
						    CUBBY_FOREVER, &number,
						    sizeof(number), NULL,
						    NULL);
			if (result < 0)
				break;
			expect_int(number, next++);
		}
		expect_result(result, -EPIPE);
		expect((int64_t)(next - atomic_load(sent)) > 0);
	}
	cubby_close(own);
}

/* Names ------------------------------------------------------------------ */

static void
a_sender_s_name_is_told(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char longest[64], name[64];
	cubby_mailbox *own = open_receiver(INBOX), *sender;
	const char *names[] = { NULL, "Ada", longest };

	memset(longest, 'x', 63);
	longest[63] = 0;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		sender = names[i] ? open_named(INBOX, names[i]) :
				    open_mailbox(INBOX, CUBBY_SEND, NULL);
		send_text(sender, "x");
		expect_ok(cubby_receive_full(own, NULL, 0, soon(), name,
					     sizeof(name), NULL, &envelope));
		expect_ok(cubby_sender_name(own, envelope.sender, name,
					    sizeof(name)));
		expect(!strcmp(name, names[i] ? names[i] : ""));
		cubby_close(sender);
		/* Also of one that has left. */
		expect_ok(cubby_sender_name(own, envelope.sender, name,
					    strlen(name) + 1));
		if (names[i])
			expect_result(cubby_sender_name(own, envelope.sender,
							name, strlen(name)),
				      -EMSGSIZE);
	}
	expect_result(cubby_sender_name(own, 1, name, 0), -EMSGSIZE);
	expect_result(cubby_sender_name(own, 0, name, sizeof(name)), -EINVAL);
	expect_result(cubby_sender_name(own, 4, name, sizeof(name)), -EINVAL);
	expect_result(cubby_sender_name(own, 4097, name, sizeof(name)),
		      -EINVAL);
	expect_result(cubby_sender_name(own, UINT64_MAX, name, sizeof(name)),
		      -EINVAL);
	expect_result(cubby_sender_name(own, 1, NULL, sizeof(name)), -EINVAL);
	cubby_close(own);
}

static void
roles_and_children_are_refused(void)
{
	cubby_mailbox *own = open_receiver(INBOX), *sender;
	struct child child;
	char name[64];

	sender = open_mailbox(INBOX, CUBBY_SEND, NULL);
	expect_result(cubby_sender_name(sender, 1, name, sizeof(name)),
		      -EBADF);
	in_child(&child)
		expect_result(cubby_sender_name(own, 1, name, sizeof(name)),
			      -ECHILD);
	child_finish(&child);
	cubby_close(sender);
	cubby_close(own);
}

static void
filters_are_checked(void)
{
	static const struct cubby_filter bad[] = {
		FROM(""),
		FROM("0123456789012345678901234567890123456789"
		     "012345678901234567890123"),
		{ .struct_size = 8, .sender_name = NULL },
	};
	struct cubby_filter old = FROM("");
	cubby_mailbox *own = open_receiver(INBOX), *ada;
	cubby_message *message;
	struct {
		struct cubby_filter filter;
		uint64_t later;
	} newer = { .filter = FROM("Ada") };

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		expect_result(receive_from(own, &bad[i], 0, CUBBY_NOW, ""),
			      -EINVAL);
		expect_result(cubby_hold(own, &bad[i], CUBBY_NOW, &message),
			      -EINVAL);
	}
	ada = open_named(INBOX, "Ada");
	send_text(ada, "one");
	send_text(ada, "two");
	/* What an older header did not have is not looked at. */
	old.struct_size = offsetof(struct cubby_filter, sender_name);
	expect_ok(receive_from(own, &old, 0, CUBBY_NOW, "one"));
	newer.filter.struct_size = sizeof(newer);
	expect_ok(receive_from(own, &newer.filter, 0, CUBBY_NOW, "two"));
	newer.later = 1;
	expect_result(receive_from(own, &newer.filter, 0, CUBBY_NOW, ""),
		      -EINVAL);
	cubby_close(ada);
	cubby_close(own);
}

/* The same of a queue. */
#define OF_QUEUE(test) \
	static void test##_of_a_queue(void) \
	{ \
		made.order = CUBBY_ORDER_ARRIVAL; \
		test(); \
	}

OF_QUEUE(only_that_one_s_messages_come)
OF_QUEUE(one_that_comes_later_is_waited_for)
OF_QUEUE(a_sleeper_is_woken_for_that_one)
OF_QUEUE(who_has_gone_is_told)
OF_QUEUE(a_mailbox_waits_for_its_return)
OF_QUEUE(who_only_polls_is_told)
OF_QUEUE(a_sleeper_learns_of_the_death)
OF_QUEUE(what_the_dead_held_of_the_dead_comes_first)
OF_QUEUE(killed_senders_are_told_after_their_last_message)

static const struct test tests[] = {
	TEST(only_that_one_s_messages_come),
	TEST(by_number_and_name_both_must_fit),
	TEST(one_that_comes_later_is_waited_for),
	TEST(a_sleeper_is_woken_for_that_one),
	TEST(who_has_gone_is_told),
	TEST(a_mailbox_waits_for_its_return),
	TEST(who_only_polls_is_told),
	TEST(a_sleeper_learns_of_the_death),
	TEST(what_the_dead_held_of_the_dead_comes_first),
	TEST(killed_senders_are_told_after_their_last_message),
	TEST(a_sender_s_name_is_told),
	TEST(roles_and_children_are_refused),
	TEST(filters_are_checked),
	TEST(only_that_one_s_messages_come_of_a_queue),
	TEST(one_that_comes_later_is_waited_for_of_a_queue),
	TEST(a_sleeper_is_woken_for_that_one_of_a_queue),
	TEST(who_has_gone_is_told_of_a_queue),
	TEST(a_mailbox_waits_for_its_return_of_a_queue),
	TEST(who_only_polls_is_told_of_a_queue),
	TEST(a_sleeper_learns_of_the_death_of_a_queue),
	TEST(what_the_dead_held_of_the_dead_comes_first_of_a_queue),
	TEST(killed_senders_are_told_after_their_last_message_of_a_queue),
};

int
main(void)
{
	return RUN_TESTS("receiving by name", tests);
}
