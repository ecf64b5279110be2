/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 240. */
/*
 * PID namespaces that end: three of them, one in the other, each with processes
 * of the same ids, and an init that is killed, so that the kernel kills all that
 * are in its namespace and below, without a word. What they held goes back, what
 * they had locked is free, what they had sent arrives, and those outside are not
 * taken for them. Needs root.
 */
#include "handle.h"
#include "support/support.h"
#include <cubby_sync.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define DEPTH 3

/* What the levels share. */
static struct {
	pid_t pids[DEPTH + 1];	/* as seen from outside; 0: here */
	pid_t inside[DEPTH + 1];
} *levels;
static struct gate ready;

static pid_t
outer_pid(void)
{
	char link[16] = "";

	/* The test's own /proc is that of the namespace outside. */
	expect(readlink("/proc/self", link, sizeof(link) - 1) > 0);
	return atoi(link);
}

/*
 * Process 1 of a namespace in a namespace in a namespace; in each, what body does
 * at that level, and then waits. The child is what waits outside.
 */
static void
descend(struct child *child, void (*body)(int level))
{
	need_root();
	in_child(child)
		for (int level = 1; level <= DEPTH; level++) {
			pid_t pid;

			if (unshare(CLONE_NEWPID) != 0)
				skip_test("cannot make a PID namespace");
			pid = fork();
			expect_system(pid);
			if (pid > 0) {
				/* Of the first, the child of the test waits
				   here; of the others, the init above. */
				int status;

				expect_int(waitpid(pid, &status, 0), pid);
				if (level > 1)
					pause();
				_exit(WIFSIGNALED(status) ? 0 :
					      WEXITSTATUS(status));
			}
			expect_int(getpid(), 1);
			levels->pids[level] = outer_pid();
			levels->inside[level] = getpid();
			body(level);
			gate_open(&ready);
			if (level == DEPTH)
				pause();
		}
	for (int level = 1; level <= DEPTH; level++)
		gate_wait(&ready);
}

static void
begin(void)
{
	levels = shared_memory(sizeof(*levels));
	ready = gate_make();
}

/* The init of that level; all below it go too. Until the last is a zombie, or no
   more, it lives. */
static void
kill_level(int level)
{
	int fds[DEPTH + 1];

	for (int i = level; i <= DEPTH; i++) {
		fds[i] = (int)syscall(SYS_pidfd_open, levels->pids[i], 0);
		/* It may have been killed before. */
		expect(fds[i] >= 0 || (i > level && errno == ESRCH));
	}
	expect_system(kill(levels->pids[level], SIGKILL));
	for (int i = level; i <= DEPTH; i++) {
		struct pollfd end = { fds[i], POLLIN, 0 };

		if (fds[i] < 0)
			continue;
		expect_int(poll(&end, 1, 20000), 1);
		close(fds[i]);
	}
}

/* Holding, and sending ------------------------------------------------------------ */

static cubby_mailbox *mine;
static cubby_message *held;

/* Each holds one of the messages that are there, and has sent one. */
static void
hold_and_send(int level)
{
	mine = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_ok(cubby_hold(mine, NULL, soon(), &held));
	send_number(open_mailbox("s", CUBBY_SEND, NULL),
		    100 + (uint64_t)level);
}

/* What there is now, each once. */
static void
expect_sum(cubby_mailbox *mailbox, int count, uint64_t sum)
{
	uint64_t got = 0;

	for (int i = 0; i < count; i++)
		got += receive_number(mailbox);
	expect_int(got, sum);
	expect_empty(mailbox);
}

static void
an_init_that_is_killed_takes_its_namespace_along(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *sent = open_mailbox("s", CUBBY_CREATE | CUBBY_RECEIVE,
					   NULL);
	struct child child;

	begin();
	for (uint64_t n = 1; n <= DEPTH; n++)
		send_number(mailbox, n);
	descend(&child, hold_and_send);
	/* All alive: what they hold is theirs. What they have sent comes. */
	expect_int(inspect("m").receivers, 1 + DEPTH);
	expect_int(inspect("m").held, DEPTH);
	expect_empty(mailbox);
	expect_ok(cubby_sweep("m", NULL));
	expect_empty(mailbox);
	/* The two innermost. */
	kill_level(2);
	expect_int(inspect("m").receivers, 2);
	expect_ok(cubby_sweep("m", NULL));
	for (int i = 0; i < 2; i++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
		uint64_t number = 0;

		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &number,
					     sizeof(number), NULL, &envelope));
		expect(number >= 1 && number <= DEPTH);
		expect_int(envelope.deliveries, 2);
	}
	expect_empty(mailbox);
	expect_int(inspect("m").held, 1);
	/* What the dead have sent comes. */
	expect_sum(sent, DEPTH, 101 + 102 + 103);
	kill_level(1);
	child_finish(&child);
	expect_int(inspect("s").senders, 0);
	expect_int(inspect("m").receivers, 1);
	/* And without a sweep: whoever waits finds out by himself. */
	receive_number(mailbox);
	expect_empty(mailbox);
	cubby_close(mailbox);
	cubby_close(sent);
}

/* Woken and served across three levels ----------------------------------------------- */

static void
relay(int level)
{
	char from[16], to[16];
	uint64_t n;

	snprintf(from, sizeof(from), "r%d", level);
	snprintf(to, sizeof(to), "r%d", level + 1);
	mine = open_mailbox(from, CUBBY_CREATE, NULL);
	if (level == DEPTH)
		snprintf(to, sizeof(to), "r0");
	/* A process of its own, so that the level below can be made. */
	if (fork() == 0) {
		cubby_mailbox *own = open_mailbox(from, CUBBY_RECEIVE, NULL);
		cubby_mailbox *next = open_mailbox(
			to, CUBBY_SEND | CUBBY_CREATE, NULL);

		expect(getpid() > 1);
		for (int i = 0; i < 200; i++) {
			n = receive_number(own);
			send_number(next, n + 1);
		}
		_exit(0);
	}
}

/* Down through all of them, and back: each sleeps, and is woken from outside. */
static void
messages_go_down_three_levels_and_come_back(void)
{
	cubby_mailbox *first, *last;
	struct child child;

	begin();
	last = open_mailbox("r0", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	descend(&child, relay);
	first = open_mailbox("r1", CUBBY_SEND, NULL);
	for (uint64_t n = 0; n < 200; n++) {
		send_number(first, n);
		expect_number(last, n + DEPTH);
	}
	cubby_close(first);
	cubby_close(last);
	kill_level(1);
	child_finish(&child);
}

/* Locks ---------------------------------------------------------------------------- */

static void
lock_and_stay(int level)
{
	cubby_region *region = NULL;
	cubby_mutex *mutexes;

	expect_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	mutexes = cubby_region_data(region);
	expect_ok(cubby_mutex_lock(region, &mutexes[level], soon()));
	/* A queue's own lock, in which one level can be. */
	mine = open_mailbox("q", BOTH, NULL);
	if (level == DEPTH)
		expect_ok(queue_enter(&mine->queue, soon()));
}

static void
what_the_dead_had_locked_is_free(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_region *region = NULL;
	cubby_mailbox *mailbox;
	cubby_mutex *mutexes;
	struct child child;

	begin();
	expect_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	mutexes = cubby_region_data(region);
	options.order = CUBBY_ORDER_ARRIVAL;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	descend(&child, lock_and_stay);
	/* Of the living, whose ids are all the same, none is taken for dead. */
	for (int level = 1; level <= DEPTH; level++)
		expect_result(cubby_mutex_lock(region, &mutexes[level],
					       cubby_deadline_after(20000000)),
			      -ETIMEDOUT);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0,
				      cubby_deadline_after(20000000)),
		      -ETIMEDOUT);
	kill_level(2);
	expect_result(cubby_mutex_lock(region, &mutexes[1],
				       cubby_deadline_after(20000000)),
		      -ETIMEDOUT);
	for (int level = 2; level <= DEPTH; level++) {
		expect_result(cubby_mutex_lock(region, &mutexes[level], soon()),
			      -EOWNERDEAD);
		expect_ok(cubby_mutex_consistent(region, &mutexes[level]));
		expect_ok(cubby_mutex_unlock(region, &mutexes[level]));
	}
	send_text(mailbox, "x");
	expect_text(mailbox, "x");
	kill_level(1);
	child_finish(&child);
	expect_result(cubby_mutex_lock(region, &mutexes[1], soon()),
		      -EOWNERDEAD);
	expect_ok(cubby_mutex_consistent(region, &mutexes[1]));
	expect_ok(cubby_mutex_unlock(region, &mutexes[1]));
	cubby_close(mailbox);
	cubby_region_close(region);
}

/* Inboxes ---------------------------------------------------------------------------- */

static void
have_an_inbox(int level)
{
	char name[16];

	snprintf(name, sizeof(name), "@%d", level);
	mine = open_mailbox(name, CUBBY_CREATE | CUBBY_RECEIVE, NULL);
}

/* By its pid nobody is found from another namespace, be it an outer one, from which
   its process can be seen; by name everybody is. */
static void
an_inbox_goes_with_its_namespace(void)
{
	cubby_mailbox *senders[DEPTH + 1], *other = NULL;
	struct child child;
	int result;

	begin();
	descend(&child, have_an_inbox);
	for (int level = 1; level <= DEPTH; level++) {
		char name[16];

		expect_int(levels->inside[level], 1);
		expect_result(cubby_open_process(levels->pids[level],
						 CUBBY_SEND, NULL, &other),
			      -ESRCH);
		snprintf(name, sizeof(name), "@%d", level);
		senders[level] = open_mailbox(name, CUBBY_SEND, NULL);
		send_text(senders[level], "x");
	}
	expect_result(cubby_open_process(1, CUBBY_SEND, NULL, &other), -ESRCH);
	kill_level(2);
	send_text(senders[1], "x");
	for (int level = 2; level <= DEPTH; level++) {
		/* From the next tick of the clock on. */
		while ((result = cubby_send_full(senders[level], "x", 1, NULL,
						 0, soon())) == 0)
			;
		expect_result(result, -EPIPE);
		cubby_close(senders[level]);
	}
	kill_level(1);
	child_finish(&child);
	cubby_close(senders[1]);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(an_init_that_is_killed_takes_its_namespace_along),
		TEST(messages_go_down_three_levels_and_come_back),
		TEST(what_the_dead_had_locked_is_free),
		TEST(an_inbox_goes_with_its_namespace),
	};

	return RUN_TESTS("namespaces that end", tests);
}
