/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 120. */
/* cubby_inspect_receivers(), and what cubby_inspect_senders() tells of who
   sleeps and who died; and that those who are looked at do not notice. */
#include "support/support.h"
#include "support/trace.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define OBSERVATIONS 1000
#define CALLS 70 /* enough to use what has been used before */

struct seen {
	struct cubby_receiver_info receivers[8];
	struct cubby_sender_info senders[8];
	int count;
	int stop_after;
};

static int
note_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	struct seen *seen = context;

	expect(seen->count < (int)COUNT_OF(seen->receivers));
	expect_int(receiver->struct_size, sizeof(*receiver));
	seen->receivers[seen->count++] = *receiver;
	return seen->count == seen->stop_after ? 42 : 0;
}

static int
note_sender(const struct cubby_sender_info *sender, void *context)
{
	struct seen *seen = context;

	expect(seen->count < (int)COUNT_OF(seen->senders));
	seen->senders[seen->count++] = *sender;
	return 0;
}

static struct seen
receivers_of(const char *name)
{
	struct seen seen = { .count = 0 };

	expect_ok(cubby_inspect_receivers(name, note_receiver, &seen));
	return seen;
}

static struct cubby_receiver_info
only_receiver(const char *name)
{
	struct seen seen = receivers_of(name);

	expect_int(seen.count, 1);
	return seen.receivers[0];
}

static struct cubby_sender_info
sender_of(const char *name, pid_t pid)
{
	struct seen seen = { .count = 0 };

	expect_ok(cubby_inspect_senders(name, note_sender, &seen));
	for (int i = 0; i < seen.count; i++)
		if (seen.senders[i].pid == pid)
			return seen.senders[i];
	fail_at(__FILE__, __LINE__, "no sender %d", pid);
}

static uint64_t
own_namespace(void)
{
	struct stat st;

	expect_system(stat("/proc/self/ns/pid", &st));
	return st.st_ino;
}

static void
receivers_are_told_one_by_one(void)
{
	cubby_mailbox *one = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_message *first, *second;
	struct seen seen;

	send_text(one, "a");
	send_text(one, "b");
	expect_ok(cubby_hold(other, NULL, soon(), &first));
	expect_ok(cubby_hold(other, NULL, soon(), &second));
	seen = receivers_of("m");
	expect_int(seen.count, 2);
	expect(seen.receivers[0].receiver < seen.receivers[1].receiver);
	for (int i = 0; i < 2; i++) {
		expect_int(seen.receivers[i].attached, 1);
		expect_int(seen.receivers[i].died, 0);
		expect_int(seen.receivers[i].sleeping, 0);
		expect_int(seen.receivers[i].pid, getpid());
		expect_int(seen.receivers[i].uid, geteuid());
		expect_int(seen.receivers[i].pid_namespace, own_namespace());
	}
	expect_int(seen.receivers[0].held, 0);
	expect_int(seen.receivers[1].held, 2);
	expect_ok(cubby_release(first));
	expect_ok(cubby_reject(second));
	expect_int(receivers_of("m").receivers[1].held, 0);
	expect_int(sender_of("m", getpid()).pid_namespace, own_namespace());
	cubby_close(other);
	expect_int(only_receiver("m").receiver, seen.receivers[0].receiver);
	cubby_close(one);
	expect_int(receivers_of("m").count, 0);
}

static void
the_next_one_of_a_number_is_told_apart(void)
{
	struct cubby_receiver_info first, next;
	cubby_mailbox *own;

	own = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	first = only_receiver("m");
	cubby_close(own);
	own = open_mailbox("m", CUBBY_RECEIVE, NULL);
	next = only_receiver("m");
	expect_int(next.receiver, first.receiver);
	expect(next.generation != first.generation);
	cubby_close(own);
}

/* The receiver that sleeps; it may be having a look of its own just now. */
static struct cubby_receiver_info
sleeper_of(const char *name)
{
	struct cubby_receiver_info receiver;

	do {
		receiver = only_receiver(name);
		sched_yield();
	} while (!receiver.sleeping);
	return receiver;
}

static void
a_receiver_that_waits_is_asleep_until_it_is_woken(void)
{
	cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	struct cubby_receiver_info first, again;
	struct child child;

	in_child(&child) {
		cubby_mailbox *its = open_mailbox("m", CUBBY_RECEIVE, NULL);

		receive_number(its);
		receive_number(its);
		cubby_close(its);
	}
	child_wait_asleep(&child);
	first = sleeper_of("m");
	expect_int(first.pid, child.pid);
	expect(sleeper_of("m").ticket == first.ticket);
	send_number(own, 1);
	do {
		child_wait_asleep(&child);
		again = sleeper_of("m");
	} while (again.ticket == first.ticket);
	expect_int(again.generation, first.generation);
	send_number(own, 2);
	child_finish(&child);
	expect_int(receivers_of("m").count, 0);
	cubby_close(own);
}

static void
await_sleeping_sender(pid_t pid)
{
	while (!sender_of("m", pid).sleeping)
		sched_yield();
}

static void
a_sender_that_waits_for_room_is_asleep(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *own;
	struct child child;

	options.capacity = 2;
	own = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	in_child(&child) {
		cubby_mailbox *its = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < 4; n++)
			send_number(its, n);
		cubby_close(its);
	}
	/* Of a lane, it is told to wait once its receiver has met it. */
	expect_number(own, 0);
	child_wait_asleep(&child);
	await_sleeping_sender(child.pid);
	expect_int(sender_of("m", child.pid).waiting, 2);
	for (uint64_t n = 1; n < 4; n++)
		expect_number(own, n);
	child_finish(&child);
	cubby_close(own);
}

static void
a_sender_whose_message_is_to_be_taken_is_asleep(void)
{
	cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					  NULL);
	struct child child;

	in_child(&child) {
		cubby_mailbox *its = open_mailbox("m", CUBBY_SEND, NULL);

		for (int i = 0; i < 2; i++)
			expect_ok(cubby_send_full(its, "x", 1, NULL,
						  CUBBY_SYNCHRONOUS, soon()));
		cubby_close(its);
	}
	expect_text(own, "x");
	child_wait_asleep(&child);
	await_sleeping_sender(child.pid);
	expect_text(own, "x");
	child_finish(&child);
	cubby_close(own);
}

/* A request, for which the sender waits. Which one: its envelope says. */
static void
take_request(cubby_mailbox *mailbox, struct cubby_envelope *ret)
{
	char buffer[8];

	*ret = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				     sizeof(buffer), NULL, ret));
	expect(ret->call != 0);
}

/* taken: by the only receiver there is. */
static void
await_caller(pid_t pid, bool taken)
{
	uint64_t only = only_receiver("m").receiver;
	uint64_t server = taken ? only : 0;
	struct cubby_sender_info caller;

	do {
		caller = sender_of("m", pid);
		expect(caller.calling <= 1);
		expect(caller.server == 0 || caller.server == only);
		sched_yield();
	} while (!caller.calling || caller.server != server);
	expect_int(caller.sleeping, 0);
}

static void
a_caller_sleeps_until_its_reply_comes(void)
{
	cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					  NULL);
	struct cubby_envelope request;
	struct child child;

	in_child(&child) {
		cubby_mailbox *its = open_mailbox("m", CUBBY_SEND, NULL);

		for (int i = 0; i < CALLS; i++)
			expect_ok(cubby_call(its, "x", 1, NULL, 0, NULL,
					     soon()));
		cubby_close(its);
	}
	child_wait_asleep(&child);
	for (int i = 0; i < CALLS; i++) {
		/* Nobody's yet, whoever had the one before. */
		await_caller(child.pid, false);
		take_request(own, &request);
		await_caller(child.pid, true);
		expect_ok(cubby_reply(own, &request, NULL, 0));
	}
	child_finish(&child);
	cubby_close(own);
}

static void
the_stopped_live_and_the_killed_have_died(void)
{
	struct gate opened = gate_make();
	struct seen seen = { .count = 0 };
	struct cubby_receiver_info its;
	struct child child;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);

		send_text(own, "left");
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	child_stop(&child);
	its = only_receiver("m");
	expect_int(its.attached, 1);
	expect_int(its.died, 0);
	expect_int(sender_of("m", child.pid).died, 0);
	child_kill_to_zombie(&child);
	its = only_receiver("m");
	expect_int(its.attached, 0);
	expect_int(its.died, 1);
	expect_int(its.pid, 0);
	expect_ok(cubby_inspect_senders("m", note_sender, &seen));
	expect_int(seen.count, 1);
	expect_int(seen.senders[0].attached, 0);
	expect_int(seen.senders[0].died, 1);
	child_reap(&child);
}

static void
one_who_closed_has_not_died(void)
{
	struct seen seen = { .count = 0 };
	cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	send_text(own, "x");
	cubby_close(own);
	expect_int(receivers_of("m").count, 0);
	expect_ok(cubby_inspect_senders("m", note_sender, &seen));
	expect_int(seen.count, 1);
	expect_int(seen.senders[0].died, 0);
}

static void
a_mailbox_made_again_is_another(void)
{
	struct cubby_info first, again, third;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	first = inspect("m");
	again = inspect("m");
	expect(memcmp(first.uuid, again.uuid, sizeof(first.uuid)) == 0);
	expect_ok(cubby_unlink("m"));
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	third = inspect("m");
	expect(memcmp(first.uuid, third.uuid, sizeof(first.uuid)) != 0);
}

static void
the_visit_ends_when_the_visitor_says_so(void)
{
	cubby_mailbox *receivers[3];
	struct seen seen = { .stop_after = 2 };

	for (int i = 0; i < 3; i++)
		receivers[i] = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					    NULL);
	expect_int(cubby_inspect_receivers("m", note_receiver, &seen), 42);
	expect_int(seen.count, 2);
	for (int i = 0; i < 3; i++)
		cubby_close(receivers[i]);
}

static void
errors_are_told(void)
{
	char name[300], path[4096];
	struct seen seen = { .count = 0 };

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	expect_result(cubby_inspect_receivers("none", note_receiver, &seen),
		      -ENOENT);
	expect_result(cubby_inspect_receivers("", note_receiver, &seen),
		      -EINVAL);
	expect_result(cubby_inspect_receivers("m", NULL, &seen), -EINVAL);
	expect_result(cubby_inspect_receivers(name, note_receiver, &seen),
		      -ENAMETOOLONG);
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	find_file("/attendance", path);
	expect_system(unlink(path));
	expect_result(cubby_inspect_receivers("m", note_receiver, &seen),
		      -ENOENT);
	find_file("/receivers", path);
	expect_system(truncate(path, 0));
	expect_result(cubby_inspect_receivers("m", note_receiver, &seen),
		      -EBADMSG);
}

static void
who_may_only_send_is_refused(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct seen seen = { .count = 0 };
	struct child child;

	need_root();
	need_order_sender(); /* of the others, who may send may receive */
	share_root();
	options.mode = 0622;
	cubby_close(open_mailbox("/m", CUBBY_CREATE, &options));
	in_child(&child) {
		become(61001, 61001, 0);
		expect_result(cubby_inspect_receivers("/m", note_receiver,
						      &seen),
			      -EACCES);
	}
	child_finish(&child);
}

/* Those who are looked at do not notice ---------------------------------- */

/* No page of a mailbox's is mapped writable here, no file of it open so. */
static int
expect_nothing_writable(void)
{
	char line[4096 + 100], permissions[5];
	FILE *maps = fopen("/proc/self/maps", "re");
	int mapped = 0;

	expect(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, test_root()))
			continue;
		expect_int(sscanf(line, "%*s %4s", permissions), 1);
		expect(permissions[1] == '-');
		mapped++;
	}
	fclose(maps);
	for (int fd = 3; fd < 100; fd++) {
		char link[32], path[4096] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 &&
		    strstr(path, test_root()))
			expect_int(fcntl(fd, F_GETFL) & (O_WRONLY | O_RDWR),
				   0);
	}
	return mapped;
}

static int
look_at_maps_of_receiver(const struct cubby_receiver_info *receiver,
			 void *context)
{
	(void)receiver;
	*(int *)context += expect_nothing_writable();
	return 0;
}

static int
look_at_maps_of_sender(const struct cubby_sender_info *sender, void *context)
{
	(void)sender;
	*(int *)context += expect_nothing_writable();
	return 0;
}

static void
the_observer_maps_all_of_it_read_only(void)
{
	struct gate opened = gate_make();
	struct child child;
	int mapped = 0;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	in_child(&child) {
		send_text(open_mailbox("m", BOTH, NULL), "x");
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_ok(cubby_inspect_receivers("m", look_at_maps_of_receiver,
					  &mapped));
	expect(mapped > 0);
	expect_ok(cubby_inspect_senders("m", look_at_maps_of_sender, &mapped));
	child_kill(&child);
}

static int
ignore_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	(void)receiver;
	(void)context;
	return 0;
}

static int
ignore_sender(const struct cubby_sender_info *sender, void *context)
{
	(void)sender;
	(void)context;
	return 0;
}

/* Under strace: sends to itself and receives, until another number comes. Between
   the marks nothing else is done. */
static int
be_observed(void)
{
	cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
	uint64_t got = 0;

	expect_ok(cubby_send(own, &got, sizeof(got)));
	trace_mark();
	while (got == 0) {
		expect_ok(cubby_receive(own, &got, sizeof(got), NULL));
		if (got == 0)
			expect_ok(cubby_send(own, &got, sizeof(got)));
	}
	trace_mark();
	cubby_close(own);
	return 0;
}

static void
look_on(uint64_t at_least)
{
	for (int i = 0; i < OBSERVATIONS || inspect("m").sent < at_least; i++) {
		expect_int(inspect("m").broken, 0);
		expect_ok(cubby_inspect_receivers("m", ignore_receiver, NULL));
		expect_ok(cubby_inspect_senders("m", ignore_sender, NULL));
	}
}

/* Those that it makes, it makes by itself: its own look now and then, and when
   the last message comes. */
static void
the_observed_make_no_system_call_for_it(void)
{
	cubby_mailbox *own;
	struct child child;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer makes system calls");
	own = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	trace_start(&child, "observed", "all");
	while (inspect("m").sent < 1000)
		sched_yield();
	look_on(100 * OBSERVATIONS);
	send_number(own, 1);
	child_finish(&child);
	expect(trace_count_marked() < OBSERVATIONS / 4);
	cubby_close(own);
}

static const struct test tests[] = {
	TEST(receivers_are_told_one_by_one),
	TEST(the_next_one_of_a_number_is_told_apart),
	TEST(a_receiver_that_waits_is_asleep_until_it_is_woken),
	TEST(a_sender_that_waits_for_room_is_asleep),
	TEST(a_sender_whose_message_is_to_be_taken_is_asleep),
	TEST(a_caller_sleeps_until_its_reply_comes),
	TEST(the_stopped_live_and_the_killed_have_died),
	TEST(one_who_closed_has_not_died),
	TEST(a_mailbox_made_again_is_another),
	TEST(the_visit_ends_when_the_visitor_says_so),
	TEST(errors_are_told),
	TEST(who_may_only_send_is_refused),
	TEST(the_observer_maps_all_of_it_read_only),
	TEST(the_observed_make_no_system_call_for_it),
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "observed") == 0)
		return be_observed();
	return RUN_TESTS("inspect receivers", tests);
}
