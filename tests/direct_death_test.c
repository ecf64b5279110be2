/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/* Who waits for an inbox's process when it goes is told, and nothing is lost or
   doubled by whoever is killed. */
#include "support/inbox.h"

/* Who waits -------------------------------------------------------------- */

/* Both ends of an owner: it closes, or is killed. */
enum { CLOSED, KILLED, ENDS };

static void
end_owner(struct child *owner, struct gate *end, int how)
{
	if (how == KILLED) {
		child_kill(owner);
	} else {
		gate_open(end);
		child_finish(owner);
	}
}

static void
closing_owner_fork(struct child *ret, struct gate *end)
{
	struct gate opened = gate_make();

	in_child(ret) {
		cubby_mailbox *own = open_receiver();

		gate_open(&opened);
		gate_wait(end);
		cubby_close(own);
	}
	gate_wait(&opened);
}

static void
who_waits_for_room_is_told(void)
{
	struct gate end = gate_make();
	cubby_mailbox *own;
	struct child owner, waiter;
	uint64_t sent;

	for (int how = 0; how < ENDS; how++) {
		closing_owner_fork(&owner, &end);
		in_child(&waiter) {
			cubby_mailbox *sender = open_sender();

			fill_mailbox(sender);
			expect_result(cubby_send(sender, "x", 1), -EPIPE);
			cubby_close(sender);
		}
		child_wait_asleep(&waiter);
		sent = inspect(NAME).waiting;
		expect_int(sent, 128);
		end_owner(&owner, &end, how);
		child_finish(&waiter);
		expect_int(inspect(NAME).waiting, sent);
		own = open_receiver();
		for (uint64_t n = 0; n < sent; n++)
			expect_number(own, n);
		expect_empty(own);
		cubby_close(own);
	}
}

/* No receiver has made memory for what they wait on. */
static void
who_waits_in_a_crowd_is_told(void)
{
	enum { CROWD = 40 };
	cubby_mailbox *crowd[CROWD];
	struct gate end = gate_make();
	struct child owner, waiter;

	for (int how = 0; how < ENDS; how++) {
		closing_owner_fork(&owner, &end);
		for (int i = 0; i < CROWD; i++)
			crowd[i] = open_sender();
		in_child(&waiter) {
			cubby_mailbox *sender = open_sender();

			fill_mailbox(sender);
			expect_result(cubby_send(sender, "x", 1), -EPIPE);
			cubby_close(sender);
		}
		child_wait_asleep(&waiter);
		end_owner(&owner, &end, how);
		child_finish(&waiter);
		for (int i = 0; i < CROWD; i++)
			cubby_close(crowd[i]);
		expect_ok(cubby_unlink(NAME));
	}
}

/* Its message has been sent, and stays. */
static void
who_waits_for_its_message_is_told(void)
{
	struct gate end = gate_make();
	cubby_mailbox *own;
	struct child owner, waiter;

	for (int how = 0; how < ENDS; how++) {
		closing_owner_fork(&owner, &end);
		in_child(&waiter) {
			struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
			cubby_mailbox *sender = open_sender();

			expect_result(cubby_send_full(sender, "stays", 5,
						      &envelope,
						      CUBBY_SYNCHRONOUS,
						      CUBBY_FOREVER),
				      -EINPROGRESS);
			expect(envelope.sequence > 0);
			expect_result(cubby_wait_received(sender,
							  envelope.sequence,
							  CUBBY_FOREVER),
				      -EPIPE);
			expect_result(cubby_send(sender, "x", 1), -EPIPE);
			cubby_close(sender);
		}
		child_wait_asleep(&waiter);
		end_owner(&owner, &end, how);
		child_finish(&waiter);
		own = open_receiver();
		expect_text(own, "stays");
		expect_empty(own);
		cubby_close(own);
	}
}

/* A queue can take it back. */
static void
a_message_that_waits_is_withdrawn(void)
{
	struct gate end = gate_make();
	cubby_mailbox *own;
	struct child owner, waiter;

	for (int how = 0; how < ENDS; how++) {
		closing_owner_fork(&owner, &end);
		in_child(&waiter) {
			struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
			cubby_mailbox *sender = open_sender();

			expect_result(cubby_send_full(sender, "goes", 4,
						      &envelope,
						      CUBBY_SYNCHRONOUS,
						      CUBBY_FOREVER),
				      -EPIPE);
			expect_int(envelope.sequence, 0);
			expect_gone(sender);
			cubby_close(sender);
		}
		child_wait_asleep(&waiter);
		end_owner(&owner, &end, how);
		child_finish(&waiter);
		own = open_receiver();
		expect_empty(own);
		cubby_close(own);
	}
}

/* By cubby_wait_received(). */
static void
who_watches_is_told(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct gate end = gate_make();
	struct child owner, waiter;
	cubby_mailbox *own;

	for (int how = 0; how < ENDS; how++) {
		closing_owner_fork(&owner, &end);
		in_child(&waiter) {
			cubby_mailbox *sender = open_sender();

			expect_ok(cubby_send_full(sender, "stays", 5,
						  &envelope, 0, soon()));
			expect_result(cubby_wait_received(sender,
							  envelope.sequence,
							  CUBBY_FOREVER),
				      -EPIPE);
			cubby_close(sender);
		}
		child_wait_asleep(&waiter);
		end_owner(&owner, &end, how);
		child_finish(&waiter);
		own = open_receiver();
		expect_text(own, "stays");
		cubby_close(own);
	}
}

/* He took it, and then died: it has been received. */
static void
what_the_dead_have_received_is_received(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *sender = open_sender();
	struct gate taken = gate_make();
	struct child owner;

	in_child(&owner) {
		cubby_mailbox *own = open_receiver();

		expect_text(own, "taken");
		gate_open(&taken);
		pause();
	}
	expect_ok(cubby_send_full(sender, "taken", 5, &envelope, 0, soon()));
	gate_wait(&taken);
	child_kill(&owner);
	next_tick();
	expect_ok(cubby_wait_received(sender, envelope.sequence, soon()));
	expect_gone(sender);
	cubby_close(sender);
}

/* All of it, at random moments ------------------------------------------- */

enum { SENDERS = 3 };

struct tale {
	_Atomic uint64_t last[SENDERS];	/* number received, by sender */
	_Atomic uint64_t accepted[SENDERS];
	_Atomic uint64_t owed[SENDERS];	/* passed over, to come back; 0: none */
	_Atomic bool enough;
	_Atomic int done;		/* senders */
};

static void
keep_sending(struct tale *tale, uint64_t who)
{
	int flags = who == 1 ? CUBBY_SYNCHRONOUS : 0, result;
	cubby_mailbox *own = open_sender();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t number = 1;

	envelope.tag = who;
	while (!atomic_load(&tale->enough)) {
		if (who == 2)
			result = cubby_send_full(own, &number, sizeof(number),
						 &envelope, 0, CUBBY_NOW);
		else
			result = cubby_send_full(own, &number, sizeof(number),
						 &envelope, flags,
						 CUBBY_FOREVER);
		/* Nothing was sent: the same one again. */
		if (result == -EPIPE ||
		    (who == 2 && (result == -EAGAIN || result == -ETIMEDOUT)))
			continue;
		if (result != -EINPROGRESS)
			expect_ok(result);
		atomic_store(&tale->accepted[who], number++);
	}
	cubby_close(own);
	atomic_fetch_add(&tale->done, 1);
}

/*
 * Its first delivery: the one after the last. Of a queue, what a dead owner held
 * may be noticed later, if somebody stands still under the lock just then.
 */
static void
enter_first(struct tale *tale, uint64_t who, uint64_t number)
{
	uint64_t next = atomic_load(&tale->last[who]) + 1;

	if (made.order != CUBBY_ORDER_SENDER && number == next + 1) {
		expect_int(atomic_load(&tale->owed[who]), 0);
		atomic_store(&tale->last[who], number);
		atomic_store(&tale->owed[who], next);
		return;
	}
	expect_int(number, next);
	atomic_store(&tale->last[who], number);
}

/* It comes again, or for the first time that the tale knows of. */
static void
enter_again(struct tale *tale, uint64_t who, uint64_t number)
{
	uint64_t last = atomic_load(&tale->last[who]);

	if (number == atomic_load(&tale->owed[who]))
		atomic_store(&tale->owed[who], 0);
	else if (number == last + 1)
		atomic_store(&tale->last[who], number);
	else
		expect(number <= last);
}

static int
take_next(struct tale *tale, cubby_mailbox *own, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	uint64_t number;
	int result = cubby_hold(own, NULL, deadline, &message);

	if (result < 0)
		return result;
	expect_ok(cubby_message_envelope(message, &envelope));
	expect(envelope.tag < SENDERS);
	memcpy(&number, cubby_message_data(message), sizeof(number));
	if (envelope.deliveries == 1)
		enter_first(tale, envelope.tag, number);
	else
		enter_again(tale, envelope.tag, number);
	expect_ok(cubby_release(message));
	return 0;
}

static void
killed_at_random_nothing_is_lost_or_doubled(void)
{
	struct tale *tale = shared_memory(sizeof(*tale));
	struct child senders[SENDERS], owner;
	cubby_mailbox *own;

	for (uint64_t i = 0; i < SENDERS; i++)
		in_child(&senders[i])
			keep_sending(tale, i);
	for (int round = 0; round < MANY(150); round++) {
		uint64_t aim = atomic_load(&tale->last[0]) +
			       (uint64_t)(round * 7919 % 400);

		in_child(&owner) {
			own = open_receiver();
			for (;;)
				expect_ok(take_next(tale, own, soon()));
		}
		while (atomic_load(&tale->last[0]) < aim)
			;
		child_kill(&owner);
	}
	/* A last one, so that nobody is left waiting. */
	own = open_receiver();
	atomic_store(&tale->enough, true);
	while (atomic_load(&tale->done) < SENDERS)
		take_next(tale, own, CUBBY_NOW);
	for (int i = 0; i < SENDERS; i++)
		child_finish(&senders[i]);
	expect_ok(cubby_sweep(NAME, NULL));
	while (take_next(tale, own, CUBBY_NOW) == 0)
		;
	for (int i = 0; i < SENDERS; i++) {
		expect_int(tale->last[i], tale->accepted[i]);
		expect_int(tale->owed[i], 0);
	}
	cubby_close(own);
}

OF_QUEUE(who_waits_for_room_is_told)
OF_QUEUE(who_watches_is_told)
OF_QUEUE(what_the_dead_have_received_is_received)
OF_QUEUE(killed_at_random_nothing_is_lost_or_doubled)
OF_QUEUE(a_message_that_waits_is_withdrawn)
OF_RENDEZVOUS(a_message_that_waits_is_withdrawn)

static const struct test tests[] = {
	TEST(who_waits_for_room_is_told),
	TEST(who_waits_in_a_crowd_is_told),
	TEST(who_waits_for_its_message_is_told),
	TEST(what_the_dead_have_received_is_received),
	TEST(killed_at_random_nothing_is_lost_or_doubled),
	TEST(who_watches_is_told),
	TEST(who_waits_for_room_is_told_of_a_queue),
	TEST(who_watches_is_told_of_a_queue),
	TEST(what_the_dead_have_received_is_received_of_a_queue),
	TEST(killed_at_random_nothing_is_lost_or_doubled_of_a_queue),
	TEST(a_message_that_waits_is_withdrawn_of_a_queue),
	TEST(a_message_that_waits_is_withdrawn_at_a_rendezvous),
};

int
main(void)
{
	return RUN_TESTS("deaths at an inbox", tests);
}
