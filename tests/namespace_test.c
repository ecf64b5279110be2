/* SPDX-License-Identifier: MIT */
/*
 * Two PID namespaces that share the directory: each participant is process 1
 * where it lives, and still they take each other neither for themselves nor
 * for dead.
 */
#include "support/support.h"
#include <sched.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* Like in_child(), with the block run by process 1 of a new namespace; the
   child is that process's parent, and waits for it. */
#define in_namespace(child) \
	in_child(child) \
		if (enter_namespace())

static bool
enter_namespace(void)
{
	pid_t pid;
	int status;

	need_root();
	if (unshare(CLONE_NEWPID) != 0)
		skip_test("cannot make a PID namespace");
	pid = fork();
	expect_system(pid);
	if (pid == 0) {
		expect_int(getpid(), 1);
		return true;
	}
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status) || WIFSIGNALED(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void
messages_cross(void)
{
	cubby_mailbox *keeper = open_mailbox("m", CUBBY_CREATE, NULL);
	struct child sender, receiver;
	enum { MESSAGES = 3000 };

	in_namespace(&receiver) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		for (uint64_t n = 0; n < MESSAGES; n++)
			expect_number(own, n);
		expect_empty(own);
		cubby_close(own);
	}
	in_namespace(&sender) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < MESSAGES; n++)
			send_number(own, n);
		cubby_close(own);
	}
	child_finish(&sender);
	child_finish(&receiver);
	cubby_close(keeper);
}

/* Their ids are the same; they are two all the same. */
static void
the_living_are_not_taken_for_each_other(void)
{
	struct gate opened = gate_make(), done = gate_make();
	struct child children[2];

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	for (uint64_t i = 0; i < 2; i++)
		in_namespace(&children[i]) {
			cubby_mailbox *own = open_mailbox("m", BOTH, NULL);

			send_number(own, i);
			gate_open(&opened);
			gate_wait(&done);
			cubby_close(own);
		}
	gate_wait(&opened);
	gate_wait(&opened);
	expect_int(inspect("m").senders, 2);
	expect_int(inspect("m").receivers, 2);
	expect_int(inspect("m").lanes, 2);
	gate_open(&done);
	gate_open(&done);
	child_finish(&children[0]);
	child_finish(&children[1]);
	expect_int(inspect("m").senders, 0);
}

static void
a_holder_is_not_taken_for_dead(void)
{
	struct gate held = gate_make(), looked = gate_make();
	struct child holder, other;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);

	send_number(mailbox, 5);
	in_namespace(&holder) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, soon(), &message));
		gate_open(&held);
		gate_wait(&looked);
		expect_ok(cubby_release(message));
		cubby_close(own);
	}
	gate_wait(&held);
	in_namespace(&other) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_empty(own);
		expect_ok(cubby_sweep("m", NULL));
		expect_empty(own);
		cubby_close(own);
	}
	child_finish(&other);
	gate_open(&looked);
	child_finish(&holder);
	expect_int(inspect("m").held + inspect("m").returned, 0);
	cubby_close(mailbox);
}

/* The namespace ends with its process 1, here by its own hand. */
static void
the_dead_are_seen_from_elsewhere(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);
	struct child child;
	uint64_t lane;

	send_number(mailbox, 7);
	in_namespace(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, soon(), &message));
		send_number(own, 8);
		/* Without closing: its memory goes with it. */
		_exit(0);
	}
	child_finish(&child);
	expect_int(inspect("m").receivers, 0);
	expect_int(inspect("m").senders, 1);
	lane = inspect("m").lanes;
	expect_int(lane, 2);
	in_namespace(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
		uint64_t sum = 0;

		/* Its lane is taken over, its message has gone back. */
		send_number(own, 9);
		for (int i = 0; i < 3; i++)
			sum += receive_number(own);
		expect_int(sum, 7 + 8 + 9);
		expect_empty(own);
		cubby_close(own);
	}
	child_finish(&child);
	expect_int(inspect("m").lanes, 2);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(messages_cross),
	TEST(the_living_are_not_taken_for_each_other),
	TEST(a_holder_is_not_taken_for_dead),
	TEST(the_dead_are_seen_from_elsewhere),
};

int
main(void)
{
	return RUN_TESTS("namespaces", tests);
}
