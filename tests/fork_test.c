/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/*
 * A child's inherited handle is refused by every call, and the parent is not
 * disturbed; the child opens its own.
 */
#include "support/support.h"
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* What a parent may have open when it forks. */
struct inheritance {
	cubby_mailbox *mailbox;
	cubby_draft *draft;
	cubby_draft *other_draft;
	cubby_message *message;
	cubby_message *other_message;
};

static void
acquire(struct inheritance *all)
{
	all->mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	send_text(all->mailbox, "held");
	send_text(all->mailbox, "held too");
	expect_ok(cubby_hold(all->mailbox, NULL, CUBBY_NOW, &all->message));
	expect_ok(
		cubby_hold(all->mailbox, NULL, CUBBY_NOW, &all->other_message));
	expect_ok(cubby_reserve(all->mailbox, 7, CUBBY_NOW, &all->draft));
	memcpy(cubby_draft_data(all->draft), "drafted", 7);
	expect_ok(cubby_reserve(all->mailbox, 5000, CUBBY_NOW,
				&all->other_draft));
	send_text(all->mailbox, "waiting");
}

/* All of the parent's is as it was. */
static void
expect_undisturbed(struct inheritance *all, uint64_t lanes)
{
	struct cubby_info info = inspect("m");

	expect_int(info.senders, 1);
	expect_int(info.receivers, 1);
	expect_int(info.lanes, lanes);
	expect_int(info.held, 2);
	expect_bytes(cubby_message_data(all->message), 4, "held", 4);
	expect_ok(cubby_release(all->message));
	expect_bytes(cubby_message_data(all->other_message), 8, "held too", 8);
	expect_ok(cubby_release(all->other_message));
	expect_text(all->mailbox, "waiting");
	expect_ok(cubby_commit(all->draft, 7, NULL));
	cubby_abort(all->other_draft);
	expect_text(all->mailbox, "drafted");
	expect_empty(all->mailbox);
	expect_int(fill_mailbox(all->mailbox), 128);
	cubby_close(all->mailbox);
}

static void
expect_refused(struct inheritance *all)
{
	cubby_mailbox *mailbox = all->mailbox;
	char buffer[64];
	uint64_t sequence, tag;
	cubby_draft *draft;
	cubby_message *message;

	expect_result(cubby_send(mailbox, "x", 1), -ECHILD);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0, CUBBY_NOW),
		      -ECHILD);
	expect_result(cubby_wait_received(mailbox, 1, CUBBY_NOW), -ECHILD);
	expect_result(cubby_published(mailbox, &sequence, &tag), -ECHILD);
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), NULL),
		      -ECHILD);
	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer,
					 sizeof(buffer), NULL, NULL),
		      -ECHILD);
	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
					 buffer, sizeof(buffer), NULL, NULL),
		      -ECHILD);
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &draft), -ECHILD);
	expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, &message), -ECHILD);
	expect_result(cubby_commit(all->draft, 7, NULL), -ECHILD);
	cubby_abort(all->other_draft);
	expect_result(cubby_release(all->message), -ECHILD);
	expect_result(cubby_reject(all->other_message), -ECHILD);
}

static void
a_child_is_refused_and_disturbs_nobody(void)
{
	struct inheritance all;
	struct child child;

	acquire(&all);
	in_child(&child)
		expect_refused(&all);
	child_finish(&child);
	expect_undisturbed(&all, 1);
}

static void
a_child_that_closes_disturbs_nobody(void)
{
	struct inheritance all;
	struct child child;

	acquire(&all);
	in_child(&child)
		cubby_close(all.mailbox);
	child_finish(&child);
	in_child(&child) {
		expect_refused(&all);
		cubby_close(all.mailbox);
	}
	child_finish(&child);
	expect_undisturbed(&all, 1);
}

static void
a_child_opens_its_own(void)
{
	struct inheritance all;
	struct child child;

	acquire(&all);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
		cubby_message *message;

		expect_int(inspect("m").senders, 2);
		expect_result(cubby_send(all.mailbox, "x", 1), -ECHILD);
		expect_text(own, "waiting");
		send_text(own, "of the child");
		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		expect_ok(cubby_release(message));
		cubby_close(all.mailbox);
		send_text(own, "waiting");
		cubby_close(own);
	}
	child_finish(&child);
	expect_int(inspect("m").lanes, 2);
	expect_int(inspect("m").senders, 1);
	expect_ok(cubby_release(all.message));
	expect_ok(cubby_release(all.other_message));
	expect_text(all.mailbox, "waiting");
	expect_ok(cubby_commit(all.draft, 7, NULL));
	expect_text(all.mailbox, "drafted");
	cubby_abort(all.other_draft);
	cubby_close(all.mailbox);
}

/* Both of them, in any order: they have been handed out before. */
static void
expect_text_of(cubby_mailbox *mailbox, const char *one, const char *other)
{
	char texts[2][16] = { "", "" };

	for (int i = 0; i < 2; i++)
		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), texts[i],
					     sizeof(texts[i]) - 1, NULL, NULL));
	expect((strcmp(texts[0], one) == 0 && strcmp(texts[1], other) == 0) ||
	       (strcmp(texts[0], other) == 0 && strcmp(texts[1], one) == 0));
}

/* The child's life must not keep the parent's lane or what it held. */
static void
a_child_does_not_keep_the_parent_alive(void)
{
	struct gate ready = gate_make(), done = gate_make();
	cubby_mailbox *receiver;
	struct child parent;
	pid_t *grandchild = shared_memory(sizeof(*grandchild));

	in_child(&parent) {
		struct inheritance all;

		acquire(&all);
		if (fork() == 0) {
			*grandchild = getpid();
			gate_open(&ready);
			gate_wait(&done);
			_exit(0);
		}
		pause();
	}
	gate_wait(&ready);
	child_kill(&parent);
	expect_int(inspect("m").senders, 0);
	expect_int(inspect("m").receivers, 0);
	receiver = open_mailbox("m", BOTH, NULL);
	expect_int(inspect("m").lanes, 1);
	expect_int(inspect("m").returned, 2);
	expect_text_of(receiver, "held", "held too");
	expect_text(receiver, "waiting");
	expect_empty(receiver);
	gate_open(&done);
	/* It is ours now: this process takes orphans in. */
	expect_int(waitpid(*grandchild, NULL, 0), *grandchild);
	cubby_close(receiver);
}

static void
a_grandchild_is_refused_too(void)
{
	struct inheritance all;
	struct child child, grandchild;

	acquire(&all);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		in_child(&grandchild) {
			expect_refused(&all);
			expect_result(cubby_send(own, "x", 1), -ECHILD);
			cubby_close(own);
		}
		child_finish(&grandchild);
		cubby_close(own);
	}
	child_finish(&child);
	expect_undisturbed(&all, 2);
}

/* Without the C library: its handlers for fork() do not run. */
static void
a_raw_clone_is_refused_too(void)
{
	struct inheritance all;
	pid_t pid;
	int status;

	acquire(&all);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	expect_system(pid);
	if (pid == 0) {
		expect_refused(&all);
		cubby_close(all.mailbox);
		_exit(0);
	}
	expect_int(waitpid(pid, &status, 0), pid);
	expect_int(status, 0);
	expect_undisturbed(&all, 1);
}

/* A child that closes every descriptor, as daemons do. */
static void
closing_all_descriptors_leaves_a_handle_working(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct gate closed = gate_make(), checked = gate_make();
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
		char block[5000] = "block";
		cubby_message *message;

		send_text(own, "held");
		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		/* All but those by which it tells. */
		for (int fd = 3; fd < 1024; fd++)
			if (fd != closed.fd && fd != checked.fd)
				close(fd);
		gate_open(&closed);
		gate_wait(&checked);
		send_text(own, "small");
		expect_text(own, "small");
		expect_ok(cubby_release(message));
		/* This may need the descriptors; it must not use others'. */
		cubby_send_full(own, block, sizeof(block), NULL, 0, CUBBY_NOW);
	}
	gate_wait(&closed);
	/* It is alive still: its lane and its message are its own. */
	cubby_close(open_mailbox("m", CUBBY_RECEIVE, NULL));
	expect_empty(mailbox);
	expect_int(inspect("m").senders, 2);
	expect_int(inspect("m").held, 1);
	gate_open(&checked);
	child_finish(&child);
	cubby_close(mailbox);
}

/* After fork(), the parent goes on sending with what it had, in private. */
static void
parent_and_child_send_at_the_same_time(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct child children[4];
	uint64_t next[5] = { 0 };

	need_order_sender();
	for (uint64_t i = 1; i < 5; i++)
		in_child(&children[i - 1]) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			for (uint64_t n = 0; n < 1000; n++)
				send_number(own, i << 32 | n);
			cubby_close(own);
		}
	for (uint64_t n = 0; n < 1000; n++) {
		send_number(mailbox, n);
		for (int i = 0; i < 5; i++) {
			uint64_t number = receive_number(mailbox);

			expect_int(number & UINT32_MAX, next[number >> 32]++);
		}
	}
	for (int i = 0; i < 4; i++)
		child_finish(&children[i]);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(a_child_is_refused_and_disturbs_nobody),
	TEST(a_child_that_closes_disturbs_nobody),
	TEST(a_child_opens_its_own),
	TEST(a_child_does_not_keep_the_parent_alive),
	TEST(a_grandchild_is_refused_too),
	TEST(a_raw_clone_is_refused_too),
	TEST(closing_all_descriptors_leaves_a_handle_working),
	TEST(parent_and_child_send_at_the_same_time),
};

int
main(void)
{
	return RUN_TESTS("fork", tests);
}
