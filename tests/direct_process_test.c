/* SPDX-License-Identifier: MIT */
/* A process's inbox by its pid: found once, and meant for good. */
#include "support/support.h"
#include <sys/resource.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* What inboxes are made with: some tests are run with a queue too. */
static struct cubby_options made = CUBBY_OPTIONS_INIT;

static int
find(pid_t pid)
{
	cubby_mailbox *mailbox = NULL;
	int result = cubby_open_process(pid, CUBBY_SEND, NULL, &mailbox);

	if (result < 0)
		expect(mailbox == NULL);
	else
		cubby_close(mailbox);
	return result;
}

static cubby_mailbox *
open_process(pid_t pid)
{
	cubby_mailbox *mailbox = NULL;

	expect_ok(cubby_open_process(pid, CUBBY_SEND, NULL, &mailbox));
	return mailbox;
}

/* A child that receives from that inbox, and does nothing. */
static void
owner_fork(struct child *ret, const char *name)
{
	struct gate opened = gate_make();

	in_child(ret) {
		open_mailbox(name, CUBBY_CREATE | CUBBY_RECEIVE, &made);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
}

/* A pid is the owner's own word: an inbox of another user's than the process's
   does not count. */
static void
an_inbox_of_another_user_is_not_the_processes(void)
{
	struct gate opened = gate_make();
	struct cubby_options options = made;
	struct child child;

	need_root();
	share_root();
	options.mode = 0666;
	cubby_close(open_mailbox("/@shared", CUBBY_CREATE, &options));
	in_child(&child) {
		become(1000, 1000, 0);
		open_mailbox("/@shared", CUBBY_RECEIVE, NULL);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_result(find(child.pid), -ESRCH);
	child_kill(&child);
	expect_ok(cubby_unlink("/@shared"));
}

static void
a_process_is_found_by_its_pid(void)
{
	static const char *const names[] = { "@one", "@two", "/@three" };
	struct child owners[COUNT_OF(names)];
	cubby_mailbox *sender;

	cubby_close(open_mailbox("jobs", CUBBY_CREATE | BOTH, NULL));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		owner_fork(&owners[i], names[i]);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		sender = open_process(owners[i].pid);
		send_number(sender, i);
		cubby_close(sender);
	}
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		expect_int(inspect(names[i]).waiting, 1);
		child_stop(&owners[i]);
		expect_ok(find(owners[i].pid));
		child_kill(&owners[i]);
		sender = open_mailbox(names[i], CUBBY_RECEIVE, NULL);
		expect_number(sender, i);
		cubby_close(sender);
	}
	expect_ok(cubby_unlink("/@three"));
}

/* It need not send: it keeps a temporary inbox, say. */
static void
a_handle_may_have_no_role(void)
{
	cubby_mailbox *own, *other = NULL;

	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	expect_ok(cubby_open_process(getpid(), 0, NULL, &other));
	expect_result(cubby_send(other, "x", 1), -EBADF);
	cubby_close(other);
	cubby_close(own);
}

static void
who_has_no_inbox_is_not_found(void)
{
	struct gate end = gate_make();
	cubby_mailbox *own;
	struct child child;

	/* Nobody has any. */
	expect_result(find(getpid()), -ESRCH);
	own = open_mailbox("jobs", CUBBY_CREATE | BOTH, NULL);
	expect_result(find(getpid()), -ESRCH);
	cubby_close(own);
	/* To send to one, or to have it open, is not to receive. */
	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_SEND, NULL);
	expect_result(find(getpid()), -ESRCH);
	cubby_close(own);
	own = open_mailbox("@worker", BOTH, NULL);
	expect_ok(find(getpid()));
	/* A child is another process. */
	in_child(&child)
		gate_wait(&end);
	expect_result(find(child.pid), -ESRCH);
	gate_open(&end);
	child_finish(&child);
	expect_result(find(getppid()), -ESRCH);
	expect_result(find(INT32_MAX), -ESRCH);
	cubby_close(own);
	expect_result(find(getpid()), -ESRCH);
	/* Once more, with what it left. */
	own = open_mailbox("@worker", CUBBY_RECEIVE, NULL);
	expect_ok(find(getpid()));
	cubby_close(own);
}

static void
arguments_are_checked(void)
{
	cubby_mailbox *own, *other = NULL;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static const int flags[] = { CUBBY_RECEIVE, CUBBY_CREATE,
				     CUBBY_CREATE | CUBBY_EXCLUSIVE,
				     CUBBY_TRUST_SENDERS, 1 << 30 };

	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	expect_result(cubby_open_process(0, CUBBY_SEND, NULL, &other),
		      -EINVAL);
	expect_result(cubby_open_process(-getpid(), CUBBY_SEND, NULL, &other),
		      -EINVAL);
	expect_result(cubby_open_process(getpid(), CUBBY_SEND, NULL, NULL),
		      -EINVAL);
	for (size_t i = 0; i < COUNT_OF(flags); i++)
		expect_result(cubby_open_process(getpid(), flags[i], NULL,
						 &other),
			      -EINVAL);
	options.capacity = 5;
	expect_result(cubby_open_process(getpid(), CUBBY_SEND, &options,
					 &other),
		      -EEXIST);
	options.capacity = 128;
	options.sender = "Ada";
	expect_ok(cubby_open_process(getpid(), CUBBY_SEND, &options, &other));
	options.struct_size = 1;
	expect_result(cubby_open_process(getpid(), CUBBY_SEND, &options,
					 &other),
		      -EINVAL);
	cubby_close(other);
	cubby_close(own);
}

/* Whoever has too few descriptors to look is told that, not that nobody is there. */
static void
what_has_run_out_is_told(void)
{
	cubby_mailbox *own, *to = NULL;
	struct rlimit limit, before;
	int result = 0, wants = 0;

	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, &made);
	expect_ok(find(getpid()));
	expect_system(getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	for (limit.rlim_cur = 3; limit.rlim_cur < 100; limit.rlim_cur++) {
		expect_system(setrlimit(RLIMIT_NOFILE, &limit));
		result = cubby_open_process(getpid(), CUBBY_SEND, NULL, &to);
		if (result == 0)
			break;
		expect_result(result, -EMFILE);
		wants++;
	}
	expect_system(setrlimit(RLIMIT_NOFILE, &before));
	expect_ok(result);
	expect(wants > 3);
	cubby_close(to);
	cubby_close(own);
}

static void
the_dead_are_not_found(void)
{
	struct child owner;

	owner_fork(&owner, "@worker");
	expect_ok(find(owner.pid));
	child_kill_to_zombie(&owner);
	expect_result(find(owner.pid), -ESRCH);
	child_reap(&owner);
	expect_result(find(owner.pid), -ESRCH);
}

/* Another has the name, and then the very same process has it again. */
static void
a_successor_is_not_meant(void)
{
	cubby_mailbox *bound, *by_name, *own;
	struct child owner;

	for (int closes = 0; closes < 2; closes++) {
		if (closes) {
			own = open_mailbox("@worker", CUBBY_RECEIVE, NULL);
			bound = open_process(getpid());
			send_text(bound, "to that one");
			expect_text(own, "to that one");
			cubby_close(own);
		} else {
			owner_fork(&owner, "@worker");
			bound = open_process(owner.pid);
			child_kill(&owner);
		}
		own = open_mailbox("@worker", CUBBY_RECEIVE, NULL);
		expect_result(cubby_send(bound, "x", 1), -EPIPE);
		by_name = open_mailbox("@worker", CUBBY_SEND, NULL);
		send_text(by_name, "to whom it concerns");
		expect_text(own, "to whom it concerns");
		expect_result(cubby_send(bound, "x", 1), -EPIPE);
		expect_empty(own);
		cubby_close(by_name);
		cubby_close(bound);
		cubby_close(own);
	}
}

/* What waits, waits for the one that was meant. */
static void
who_waits_is_not_kept_by_a_successor(void)
{
	struct child owner, waiter, successor;

	owner_fork(&owner, "@worker");
	in_child(&waiter) {
		cubby_mailbox *bound = open_process(owner.pid);

		fill_mailbox(bound);
		expect_result(cubby_send(bound, "x", 1), -EPIPE);
		cubby_close(bound);
	}
	child_wait_asleep(&waiter);
	child_kill(&owner);
	owner_fork(&successor, "@worker");
	child_finish(&waiter);
	child_kill(&successor);
}

/* The name, with another mailbox behind it. */
static void
an_unlinked_inbox_is_not_found(void)
{
	cubby_mailbox *own, *bound;
	struct child other;

	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	bound = open_process(getpid());
	expect_ok(cubby_unlink("@worker"));
	expect_result(find(getpid()), -ESRCH);
	owner_fork(&other, "@worker");
	expect_result(find(getpid()), -ESRCH);
	expect_ok(find(other.pid));
	/* Those who were in go on. */
	send_text(bound, "still");
	expect_text(own, "still");
	child_kill(&other);
	cubby_close(bound);
	cubby_close(own);
}

/* What is none, or damaged, or not ours to see, is passed by. */
static void
others_rubbish_is_passed_by(void)
{
	cubby_mailbox *own;
	char path[4200];

	own = open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	cubby_close(open_mailbox("@broken", CUBBY_CREATE, NULL));
	find_file("@broken/receivers", path);
	expect_system(truncate(path, 100));
	expect_ok(find(getpid()));
	cubby_close(own);
}

/* The same of a queue. */
#define OF_QUEUE(test) \
	static void test##_of_a_queue(void) \
	{ \
		made.order = CUBBY_ORDER_PRIORITY; \
		test(); \
	}

OF_QUEUE(a_process_is_found_by_its_pid)
OF_QUEUE(the_dead_are_not_found)
OF_QUEUE(a_successor_is_not_meant)
OF_QUEUE(who_waits_is_not_kept_by_a_successor)
OF_QUEUE(an_unlinked_inbox_is_not_found)

static const struct test tests[] = {
	TEST(a_process_is_found_by_its_pid_of_a_queue),
	TEST(the_dead_are_not_found_of_a_queue),
	TEST(a_successor_is_not_meant_of_a_queue),
	TEST(who_waits_is_not_kept_by_a_successor_of_a_queue),
	TEST(an_unlinked_inbox_is_not_found_of_a_queue),
	TEST(an_inbox_of_another_user_is_not_the_processes),
	TEST(a_process_is_found_by_its_pid),
	TEST(a_handle_may_have_no_role),
	TEST(who_has_no_inbox_is_not_found),
	TEST(arguments_are_checked),
	TEST(what_has_run_out_is_told),
	TEST(the_dead_are_not_found),
	TEST(a_successor_is_not_meant),
	TEST(who_waits_is_not_kept_by_a_successor),
	TEST(an_unlinked_inbox_is_not_found),
	TEST(others_rubbish_is_passed_by),
};

int
main(void)
{
	return RUN_TESTS("inboxes by process", tests);
}
