/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/*
 * Processes whose monotonic clocks are hours apart, each in a time namespace of
 * its own, share mailboxes. Each keeps to its deadlines, and none takes another's
 * time for its own. Needs root.
 */
#include "support/deadlines.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define HOURS INT64_C(3600)

static int64_t
seconds(void)
{
	struct timespec now;

	expect_system(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec;
}

/* Its clock must not be less than 0: on a machine that has just been started,
   it is less behind. Returns by how much it is another one. */
static int64_t
set_clock(int64_t ahead)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	char text[64];
	int n;

	if (ahead < -seconds() / 2)
		ahead = -seconds() / 2;
	n = snprintf(text, sizeof(text), "monotonic %lld 0\nboottime %lld 0\n",
		     (long long)ahead, (long long)ahead);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		skip_test("cannot set the clock of a time namespace");
	close(fd);
	return ahead;
}

static bool
enter_namespace(int64_t ahead)
{
	int64_t before = seconds();
	pid_t pid;
	int status;

	need_root();
	if (unshare(CLONE_NEWTIME) != 0)
		skip_test("cannot make a time namespace");
	ahead = set_clock(ahead);
	pid = fork();
	expect_system(pid);
	if (pid == 0) {
		expect(seconds() >= before + ahead);
		expect(seconds() < before + ahead + 600);
		return true;
	}
	expect_int(waitpid(pid, &status, 0), pid);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Runs the block that follows in a child whose clock is so much ahead. */
#define in_time(child, ahead) \
	in_child(child) \
		if (enter_namespace(ahead))

/* The same mailboxes, at the same time, three clocks. */
static void
every_wait_keeps_to_its_own_clock(void)
{
	struct child behind, ahead;

	in_time(&ahead, 10 * HOURS)
		wait_in_each_call("ahead");
	in_time(&behind, -10 * HOURS)
		wait_in_each_call("behind");
	wait_in_each_call("here");
	child_finish(&ahead);
	child_finish(&behind);
}

static void
sleepers_are_woken_across_clocks(void)
{
	enum { MESSAGES = 300 };

	for (int order = 0; order < 3; order++) {
		struct cubby_options options = CUBBY_OPTIONS_INIT;
		struct child ahead, behind;
		cubby_mailbox *keeper;

		options.order = (enum cubby_order)order;
		if (order)
			options.buffering = CUBBY_RENDEZVOUS;
		else
			options.capacity = 1;
		keeper = open_mailbox("m", CUBBY_CREATE, &options);
		in_time(&ahead, 10 * HOURS) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE,
							  NULL);

			for (uint64_t n = 0; n < MESSAGES; n++)
				expect_number(own, n);
			cubby_close(own);
		}
		in_time(&behind, -10 * HOURS) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

			for (uint64_t n = 0; n < MESSAGES; n++)
				send_number(own, n);
			cubby_close(own);
		}
		child_finish(&behind);
		child_finish(&ahead);
		cubby_close(keeper);
		expect_ok(cubby_unlink("m"));
	}
}

/* One that waits at a rendezvous, in a namespace, and dies there. In that
   namespace its process is the child's child, which dies with its parent. */
static cubby_mailbox *
meet_the_dead(int64_t ahead, int (*waits)(cubby_mailbox *mailbox))
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	pid_t *pid = shared_memory(sizeof(*pid));
	struct gate opened = gate_make();
	cubby_mailbox *mailbox;
	struct child child;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	in_time(&child, ahead) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);

		*pid = getpid();
		gate_open(&opened);
		waits(own);
	}
	gate_wait(&opened);
	thread_wait_asleep(*pid);
	expect_system(kill(*pid, SIGKILL));
	expect_system(waitpid(child.pid, NULL, 0));
	close(child.pidfd);
	return mailbox;
}

static int
receives(cubby_mailbox *mailbox)
{
	char buffer[8];

	return cubby_receive(mailbox, buffer, sizeof(buffer), NULL);
}

static int
sends(cubby_mailbox *mailbox)
{
	return cubby_send(mailbox, "x", 1);
}

/* (By one's own clock, the dead count as living for a millisecond.) */
static const int64_t clocks[] = { 10 * HOURS, -10 * HOURS, 1 };

/* Nobody is there to take it: it is not given to one who has died, whatever his
   clock said when he went to sleep. */
static void
nothing_is_given_to_the_dead_of_another_clock(void)
{
	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		cubby_mailbox *mailbox = meet_the_dead(clocks[i], receives);

		expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0,
					      CUBBY_NOW),
			      -EAGAIN);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
nothing_is_taken_from_the_dead_of_another_clock(void)
{
	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		cubby_mailbox *mailbox = meet_the_dead(clocks[i], sends);

		expect_empty(mailbox);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
the_dead_of_another_clock_are_no_room(void)
{
	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		cubby_mailbox *mailbox = meet_the_dead(clocks[i], receives);
		struct cubby_wait_entry entry = { mailbox, CUBBY_SEND, 0 };

		expect_result(cubby_wait(&entry, 1, CUBBY_NOW), -EAGAIN);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(sleepers_are_woken_across_clocks),
		TEST(nothing_is_given_to_the_dead_of_another_clock),
		TEST(nothing_is_taken_from_the_dead_of_another_clock),
		TEST(the_dead_of_another_clock_are_no_room),
		TEST(every_wait_keeps_to_its_own_clock),
	};

	return RUN_TESTS("time_namespaces", tests);
}
