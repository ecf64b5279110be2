/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* An inbox is one process's: nobody else receives there while it lives, and who
   sends there is told when it has gone. */
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NAME "@worker"

/* What the inbox is made with: each test is run with each. */
static struct cubby_options made = CUBBY_OPTIONS_INIT;

static cubby_mailbox *
open_receiver(void)
{
	return open_mailbox(NAME, CUBBY_CREATE | CUBBY_RECEIVE, &made);
}

static cubby_mailbox *
open_sender(void)
{
	return open_mailbox(NAME, CUBBY_CREATE | CUBBY_SEND, &made);
}

/* A child that receives there, and does nothing; forked from one that has no
   descriptor of it. */
static void
owner_fork(struct child *ret)
{
	struct gate opened = gate_make();

	in_child(ret) {
		open_receiver();
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
}

/* Until the kernel's clock has ticked: what was asked before counts no more. */
static void
next_tick(void)
{
	struct timespec first, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &first);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_nsec == first.tv_nsec && now.tv_sec == first.tv_sec);
}

static int
open_again(int flags)
{
	cubby_mailbox *other = NULL;
	int result = cubby_open(NAME, flags, NULL, &other);

	if (result < 0)
		expect(other == NULL);
	else
		cubby_close(other);
	return result;
}

/* Every call that sends. */
static void
expect_gone(cubby_mailbox *sender)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_draft *draft = NULL;
	uint64_t waiting = inspect(NAME).waiting;

	expect_result(cubby_send(sender, "x", 1), -EPIPE);
	expect_result(cubby_send_full(sender, "x", 1, &envelope, 0, soon()),
		      -EPIPE);
	expect_int(envelope.sequence, 0);
	expect_result(cubby_send_full(sender, "x", 1, NULL, 0, CUBBY_NOW),
		      -EPIPE);
	expect_result(cubby_send_full(sender, "x", 1, NULL, CUBBY_SYNCHRONOUS,
				      soon()),
		      -EPIPE);
	if (made.buffering != CUBBY_RENDEZVOUS)
		expect_result(cubby_reserve(sender, 1, soon(), &draft), -EPIPE);
	expect(draft == NULL);
	expect_int(inspect(NAME).waiting, waiting);
}

/* Who receives ------------------------------------------------------------ */

static void
one_handle_receives_at_a_time(void)
{
	cubby_mailbox *own = open_receiver(), *idle;
	struct child child;

	expect_result(open_again(CUBBY_RECEIVE), -EBUSY);
	expect_result(open_again(BOTH), -EBUSY);
	in_child(&child)
		expect_result(open_again(CUBBY_CREATE | BOTH), -EBUSY);
	child_finish(&child);
	/* Other roles are as for any mailbox. */
	idle = open_mailbox(NAME, 0, NULL);
	expect_ok(open_again(CUBBY_SEND));
	expect_int(inspect(NAME).receivers, 1);
	cubby_close(own);
	cubby_close(idle);
	expect_ok(open_again(BOTH));
}

static void
several_inboxes_are_several(void)
{
	cubby_mailbox *own = open_receiver(), *other, *shared;

	other = open_mailbox("@other", CUBBY_CREATE | BOTH, &made);
	shared = open_mailbox("/@worker", CUBBY_CREATE | BOTH, &made);
	send_text(shared, "machine-wide");
	send_text(other, "other");
	expect_text(other, "other");
	expect_text(shared, "machine-wide");
	expect_empty(own);
	cubby_close(shared);
	expect_ok(cubby_unlink("/@worker"));
	cubby_close(other);
	cubby_close(own);
}

static void
a_stopped_owner_keeps_it_and_a_dead_one_is_replaced(void)
{
	cubby_mailbox *own, *sender = open_sender();
	struct child child;

	for (int round = 0; round < 20; round++) {
		owner_fork(&child);
		send_number(sender, (uint64_t)round);
		expect_result(open_again(CUBBY_RECEIVE), -EBUSY);
		child_stop(&child);
		expect_result(open_again(CUBBY_RECEIVE), -EBUSY);
		if (round % 2)
			child_kill(&child);
		else
			child_kill_to_zombie(&child);
		own = open_receiver();
		expect_number(own, (uint64_t)round);
		cubby_close(own);
		if (round % 2 == 0)
			child_reap(&child);
	}
	cubby_close(sender);
}

static void
of_many_at_once_one_receives(void)
{
	enum { CROWD = 4 };
	_Atomic int *opened = shared_memory(sizeof(*opened));
	struct gate start = gate_make(), tried = gate_make(),
		    end = gate_make();

	for (int round = 0; round < MANY(50); round++) {
		struct child children[CROWD], dead;

		owner_fork(&dead);
		atomic_store(opened, 0);
		for (int i = 0; i < CROWD; i++)
			in_child(&children[i]) {
				cubby_mailbox *own = NULL;
				int result;

				gate_wait(&start);
				result = cubby_open(NAME, BOTH, NULL, &own);
				if (result == 0)
					atomic_fetch_add(opened, 1);
				else
					expect_result(result, -EBUSY);
				gate_open(&tried);
				gate_wait(&end);
				cubby_close(own);
			}
		child_kill(&dead);
		for (int i = 0; i < CROWD; i++)
			gate_open(&start);
		for (int i = 0; i < CROWD; i++)
			gate_wait(&tried);
		expect_int(atomic_load(opened), 1);
		expect_int(inspect(NAME).receivers, 1);
		for (int i = 0; i < CROWD; i++)
			gate_open(&end);
		for (int i = 0; i < CROWD; i++)
			child_finish(&children[i]);
	}
}

static void
a_child_neither_keeps_nor_ends_it(void)
{
	struct gate opened = gate_make(), closed = gate_make();
	struct gate end = gate_make();
	pid_t *orphan = shared_memory(sizeof(*orphan));
	cubby_mailbox *sender;
	struct child parent;

	in_child(&parent) {
		cubby_mailbox *own = open_receiver();
		struct child child;

		in_child(&child) {
			/* It outlives its parent. */
			expect_system(prctl(PR_SET_PDEATHSIG, 0));
			*orphan = getpid();
			cubby_close(own);
			gate_open(&closed);
			gate_wait(&end);
		}
		gate_wait(&closed);
		expect_result(open_again(CUBBY_RECEIVE), -EBUSY);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	sender = open_sender();
	send_text(sender, "to the parent");
	child_kill(&parent);
	next_tick();
	expect_gone(sender);
	gate_open(&end);
	expect_system(waitpid(*orphan, NULL, 0));
	cubby_close(sender);
}

/* Who sends --------------------------------------------------------------- */

static void
messages_wait_for_the_first_owner(void)
{
	cubby_mailbox *sender = open_sender(), *own;

	expect_result(cubby_send_full(sender, "early", 5, NULL,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EINPROGRESS);
	next_tick();
	send_text(sender, "still early");
	own = open_receiver();
	expect_text(own, "early");
	expect_text(own, "still early");
	cubby_close(own);
	expect_gone(sender);
	cubby_close(sender);
}

static void
a_close_is_told_at_once(void)
{
	cubby_mailbox *own = open_receiver(), *sender = open_sender(), *late;

	for (int round = 0; round < 100; round++) {
		send_number(sender, 1);
		cubby_close(own);
		expect_result(cubby_send(sender, "x", 1), -EPIPE);
		own = open_receiver();
		send_number(sender, 2);
		expect_number(own, 1);
		expect_number(own, 2);
	}
	cubby_close(own);
	expect_gone(sender);
	late = open_sender();
	expect_gone(late);
	cubby_close(late);
	cubby_close(sender);
}

static void
a_death_is_told(void)
{
	cubby_mailbox *sender = open_sender(), *late, *own;
	struct child child;

	owner_fork(&child);
	send_text(sender, "to the dead");
	child_kill(&child);
	/* One that has not asked yet asks. */
	late = open_sender();
	expect_gone(late);
	next_tick();
	expect_gone(sender);
	own = open_receiver();
	expect_text(own, "to the dead");
	send_text(sender, "to the successor");
	expect_text(own, "to the successor");
	send_text(late, "to him too");
	expect_text(own, "to him too");
	cubby_close(own);
	cubby_close(late);
	cubby_close(sender);
}

/* However many messages flow, and however fast. */
static void
a_death_is_told_in_full_flow(void)
{
	cubby_mailbox *sender;
	struct gate flows = gate_make();
	struct child child;
	uint64_t n = 0;
	int result;

	in_child(&child) {
		cubby_mailbox *own = open_receiver();

		for (uint64_t i = 0;; i++) {
			if (i == 1000)
				gate_open(&flows);
			expect_number(own, i);
		}
	}
	sender = open_sender();
	while (n < 2000)
		send_number(sender, n++);
	gate_wait(&flows);
	child_kill(&child);
	/* What is full must not be waited for. */
	do {
		result = cubby_send_full(sender, &n, sizeof(n), NULL, 0,
					 soon());
		n++;
	} while (result == 0);
	expect_result(result, -EPIPE);
	cubby_close(sender);
}

static void
a_commit_to_nobody_leaves_the_draft(void)
{
	cubby_mailbox *own = open_receiver(), *sender = open_sender();
	cubby_draft *small, *large;

	expect_ok(cubby_reserve(sender, 10, soon(), &small));
	expect_ok(cubby_reserve(sender, 5000, soon(), &large));
	memcpy(cubby_draft_data(small), "small", 5);
	memset(cubby_draft_data(large), 'L', 5000);
	cubby_close(own);
	expect_result(cubby_commit(small, 5, NULL), -EPIPE);
	expect_result(cubby_commit(large, 5000, NULL), -EPIPE);
	own = open_receiver();
	expect_ok(cubby_commit(small, 5, NULL));
	expect_text(own, "small");
	cubby_close(own);
	expect_result(cubby_commit(large, 3, NULL), -EPIPE);
	cubby_abort(large);
	cubby_close(sender);
}

static void
a_region_to_nobody_stays_its_owner_s(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_mailbox *own = open_receiver(), *sender = open_sender();
	cubby_region *region = NULL;

	options.size = 8192;
	cubby_close(own);
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE,
				    &options, &region));
	memcpy(cubby_region_data(region), "mine", 5);
	expect_result(cubby_send_region(sender, region, NULL, soon()),
		      -EPIPE);
	expect(!strcmp(cubby_region_data(region), "mine"));
	own = open_receiver();
	expect_empty(own);
	cubby_region_close(region);
	cubby_close(own);
	cubby_close(sender);
}

/* Who waits ----------------------------------------------------------------- */

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

/* All of it, at random moments ------------------------------------------------ */

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

/* Others -------------------------------------------------------------------- */

/* Who may send can read the file, and so lock all of it for reading. */
static void
a_stranger_s_lock_keeps_nobody_out(void)
{
	struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	cubby_mailbox *own, *sender = open_sender();
	struct child owner;
	char path[PATH_MAX];
	int fd;

	find_file("/receivers", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_system(fd);
	expect_system(fcntl(fd, F_OFD_SETLK, &all));
	owner_fork(&owner);
	send_text(sender, "one");
	expect_result(open_again(CUBBY_RECEIVE), -EBUSY);
	child_kill(&owner);
	/* As long as it stays, the dead are not told from the living. */
	next_tick();
	send_text(sender, "two");
	close(fd);
	next_tick();
	expect_gone(sender);
	own = open_receiver();
	expect_text(own, "one");
	expect_text(own, "two");
	cubby_close(own);
	expect_gone(sender);
	cubby_close(sender);
}

static void
who_may_only_send_is_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate opened = gate_make(), sent = gate_make(),
		    dead = gate_make();
	struct child owner, sender;

	need_root();
	share_root();
	options.mode = 0622;
	in_child(&owner) {
		become(61001, 61001, 0);
		open_mailbox("/@w", CUBBY_CREATE | CUBBY_RECEIVE, &options);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	in_child(&sender) {
		cubby_mailbox *own, *other = NULL;

		become(61002, 61002, 0);
		own = open_mailbox("/@w", CUBBY_SEND, NULL);
		send_text(own, "x");
		expect_result(cubby_open("/@w", CUBBY_RECEIVE, NULL, &other),
			      -EACCES);
		gate_open(&sent);
		gate_wait(&dead);
		next_tick();
		expect_result(cubby_send(own, "x", 1), -EPIPE);
		cubby_close(own);
	}
	gate_wait(&sent);
	child_kill(&owner);
	gate_open(&dead);
	child_finish(&sender);
	in_child(&owner) {
		become(61001, 61001, 0);
		expect_ok(cubby_unlink("/@w"));
	}
	child_finish(&owner);
}

static void
a_temporary_inbox_ends_with_its_owner(void)
{
	struct cubby_options options = made;
	struct gate opened = gate_make();
	cubby_mailbox *sender = NULL;
	struct child owner;

	options.lifetime = CUBBY_TEMPORARY;
	in_child(&owner) {
		open_mailbox(NAME, CUBBY_CREATE | CUBBY_RECEIVE, &options);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	cubby_close(open_mailbox(NAME, CUBBY_SEND, NULL));
	child_kill(&owner);
	expect_result(cubby_open(NAME, CUBBY_SEND, NULL, &sender), -ENOENT);
}

/* An open that fails leaves the place. */
static void
an_open_that_fails_holds_nothing(void)
{
	struct cubby_options options = made;
	cubby_mailbox *named, *other = NULL, *sender;

	options.sender = "Ada";
	named = open_mailbox(NAME, CUBBY_CREATE | CUBBY_SEND, &options);
	expect_result(cubby_open(NAME, BOTH, &options, &other), -EBUSY);
	cubby_close(named);
	/* It has not been there: what is sent waits for the first. */
	sender = open_sender();
	send_text(sender, "first");
	other = open_mailbox(NAME, BOTH, &options);
	expect_text(other, "first");
	cubby_close(other);
	cubby_close(sender);
}

/* The same of a queue, and without any buffer. */
#define OF_QUEUE(test) \
	static void test##_of_a_queue(void) \
	{ \
		made.order = CUBBY_ORDER_ARRIVAL; \
		test(); \
	}
#define OF_RENDEZVOUS(test) \
	static void test##_at_a_rendezvous(void) \
	{ \
		made.order = CUBBY_ORDER_PRIORITY; \
		made.buffering = CUBBY_RENDEZVOUS; \
		test(); \
	}

OF_QUEUE(one_handle_receives_at_a_time)
OF_QUEUE(several_inboxes_are_several)
OF_QUEUE(a_stopped_owner_keeps_it_and_a_dead_one_is_replaced)
OF_QUEUE(of_many_at_once_one_receives)
OF_QUEUE(a_close_is_told_at_once)
OF_QUEUE(a_death_is_told)
OF_QUEUE(a_death_is_told_in_full_flow)
OF_QUEUE(a_commit_to_nobody_leaves_the_draft)
OF_QUEUE(who_waits_for_room_is_told)
OF_QUEUE(who_watches_is_told)
OF_QUEUE(a_region_to_nobody_stays_its_owner_s)
OF_QUEUE(what_the_dead_have_received_is_received)
OF_QUEUE(killed_at_random_nothing_is_lost_or_doubled)
OF_QUEUE(a_stranger_s_lock_keeps_nobody_out)
OF_QUEUE(a_temporary_inbox_ends_with_its_owner)
OF_QUEUE(an_open_that_fails_holds_nothing)
OF_QUEUE(a_message_that_waits_is_withdrawn)
OF_RENDEZVOUS(one_handle_receives_at_a_time)
OF_RENDEZVOUS(of_many_at_once_one_receives)
OF_RENDEZVOUS(a_message_that_waits_is_withdrawn)

static const struct test tests[] = {
	TEST(one_handle_receives_at_a_time),
	TEST(several_inboxes_are_several),
	TEST(a_stopped_owner_keeps_it_and_a_dead_one_is_replaced),
	TEST(of_many_at_once_one_receives),
	TEST(a_child_neither_keeps_nor_ends_it),
	TEST(messages_wait_for_the_first_owner),
	TEST(a_close_is_told_at_once),
	TEST(a_death_is_told),
	TEST(a_death_is_told_in_full_flow),
	TEST(a_commit_to_nobody_leaves_the_draft),
	TEST(who_waits_for_room_is_told),
	TEST(who_waits_in_a_crowd_is_told),
	TEST(who_waits_for_its_message_is_told),
	TEST(what_the_dead_have_received_is_received),
	TEST(killed_at_random_nothing_is_lost_or_doubled),
	TEST(a_stranger_s_lock_keeps_nobody_out),
	TEST(who_may_only_send_is_told),
	TEST(who_watches_is_told),
	TEST(a_region_to_nobody_stays_its_owner_s),
	TEST(a_temporary_inbox_ends_with_its_owner),
	TEST(an_open_that_fails_holds_nothing),
	TEST(one_handle_receives_at_a_time_of_a_queue),
	TEST(several_inboxes_are_several_of_a_queue),
	TEST(a_stopped_owner_keeps_it_and_a_dead_one_is_replaced_of_a_queue),
	TEST(of_many_at_once_one_receives_of_a_queue),
	TEST(a_close_is_told_at_once_of_a_queue),
	TEST(a_death_is_told_of_a_queue),
	TEST(a_death_is_told_in_full_flow_of_a_queue),
	TEST(a_commit_to_nobody_leaves_the_draft_of_a_queue),
	TEST(who_waits_for_room_is_told_of_a_queue),
	TEST(who_watches_is_told_of_a_queue),
	TEST(a_region_to_nobody_stays_its_owner_s_of_a_queue),
	TEST(what_the_dead_have_received_is_received_of_a_queue),
	TEST(killed_at_random_nothing_is_lost_or_doubled_of_a_queue),
	TEST(a_stranger_s_lock_keeps_nobody_out_of_a_queue),
	TEST(a_temporary_inbox_ends_with_its_owner_of_a_queue),
	TEST(an_open_that_fails_holds_nothing_of_a_queue),
	TEST(a_message_that_waits_is_withdrawn_of_a_queue),
	TEST(one_handle_receives_at_a_time_at_a_rendezvous),
	TEST(of_many_at_once_one_receives_at_a_rendezvous),
	TEST(a_message_that_waits_is_withdrawn_at_a_rendezvous),
};

int
main(void)
{
	return RUN_TESTS("inboxes", tests);
}
