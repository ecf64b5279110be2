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

/* Each is process 1 and has an inbox; who asks for process 1 means his own. */
static void
a_pid_means_one_s_own_namespace(void)
{
	static const char *const names[] = { "@a", "@b" };
	struct gate opened = gate_make(), both = gate_make(),
		    done = gate_make();
	struct child children[2], without;
	cubby_mailbox *other = NULL;

	for (int i = 0; i < 2; i++)
		in_namespace(&children[i]) {
			cubby_mailbox *own, *self = NULL;

			own = open_mailbox(names[i],
					   CUBBY_CREATE | CUBBY_RECEIVE, NULL);
			gate_open(&opened);
			gate_wait(&both);
			expect_ok(cubby_open_process(1, CUBBY_SEND, NULL,
						     &self));
			send_text(self, names[i]);
			expect_text(own, names[i]);
			gate_open(&opened);
			gate_wait(&done);
			cubby_close(self);
			cubby_close(own);
		}
	gate_wait(&opened);
	gate_wait(&opened);
	/* From where they have other ids, and from where nobody has an inbox. */
	expect_result(cubby_open_process(1, CUBBY_SEND, NULL, &other), -ESRCH);
	expect_result(cubby_open_process(children[0].pid, CUBBY_SEND, NULL,
					 &other),
		      -ESRCH);
	in_namespace(&without)
		expect_result(cubby_open_process(1, CUBBY_SEND, NULL, &other),
			      -ESRCH);
	child_finish(&without);
	gate_open(&both);
	gate_open(&both);
	gate_wait(&opened);
	gate_wait(&opened);
	gate_open(&done);
	gate_open(&done);
	child_finish(&children[0]);
	child_finish(&children[1]);
}

/* By name the inbox is one for all, and so is the news of its owner's death. */
static void
an_inbox_and_its_end_are_seen_from_elsewhere(void)
{
	struct gate opened = gate_make(), sent = gate_make(),
		    dead = gate_make();
	cubby_mailbox *own = NULL;
	struct child owner, sender;

	in_namespace(&owner) {
		open_mailbox("@a", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
		gate_open(&opened);
		gate_wait(&dead);
		/* Without closing. */
		_exit(0);
	}
	gate_wait(&opened);
	expect_result(cubby_open("@a", CUBBY_RECEIVE, NULL, &own), -EBUSY);
	in_namespace(&sender) {
		cubby_mailbox *other = NULL;

		own = open_mailbox("@a", CUBBY_SEND, NULL);
		send_text(own, "x");
		expect_result(cubby_open("@a", CUBBY_RECEIVE, NULL, &other),
			      -EBUSY);
		fill_mailbox(own);
		gate_open(&sent);
		expect_result(cubby_send(own, "x", 1), -EPIPE);
		cubby_close(own);
	}
	gate_wait(&sent);
	gate_open(&dead);
	child_finish(&owner);
	child_finish(&sender);
	own = open_mailbox("@a", CUBBY_RECEIVE, NULL);
	expect_text(own, "x");
	cubby_close(own);
}

static const struct test tests[] = {
	TEST(a_pid_means_one_s_own_namespace),
	TEST(an_inbox_and_its_end_are_seen_from_elsewhere),
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
