/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* An inbox is one process's: nobody else receives there while it lives, and who
   sends there is told when it has gone. */
#include "support/inbox.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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

/* Who receives ----------------------------------------------------------- */

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

/* Who sends -------------------------------------------------------------- */

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

/* Others ----------------------------------------------------------------- */

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

OF_QUEUE(one_handle_receives_at_a_time)
OF_QUEUE(several_inboxes_are_several)
OF_QUEUE(a_stopped_owner_keeps_it_and_a_dead_one_is_replaced)
OF_QUEUE(of_many_at_once_one_receives)
OF_QUEUE(a_close_is_told_at_once)
OF_QUEUE(a_death_is_told)
OF_QUEUE(a_death_is_told_in_full_flow)
OF_QUEUE(a_commit_to_nobody_leaves_the_draft)
OF_QUEUE(a_region_to_nobody_stays_its_owner_s)
OF_QUEUE(a_stranger_s_lock_keeps_nobody_out)
OF_QUEUE(a_temporary_inbox_ends_with_its_owner)
OF_QUEUE(an_open_that_fails_holds_nothing)
OF_RENDEZVOUS(one_handle_receives_at_a_time)
OF_RENDEZVOUS(of_many_at_once_one_receives)

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
	TEST(a_stranger_s_lock_keeps_nobody_out),
	TEST(who_may_only_send_is_told),
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
	TEST(a_region_to_nobody_stays_its_owner_s_of_a_queue),
	TEST(a_stranger_s_lock_keeps_nobody_out_of_a_queue),
	TEST(a_temporary_inbox_ends_with_its_owner_of_a_queue),
	TEST(an_open_that_fails_holds_nothing_of_a_queue),
	TEST(one_handle_receives_at_a_time_at_a_rendezvous),
	TEST(of_many_at_once_one_receives_at_a_rendezvous),
};

int
main(void)
{
	return RUN_TESTS("inboxes", tests);
}
