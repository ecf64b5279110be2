/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/*
 * Each error that the calls of request and reply document; what is left behind
 * when somebody gives up; files that others spoil; children that inherit a handle.
 */
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MSEC INT64_C(1000000)
#define SECOND (1000 * MSEC)
#define UNDER_WAY 1024

static cubby_mailbox *
open_server(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
}

static cubby_mailbox *
open_caller(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
}

static cubby_request *
begin(cubby_mailbox *caller)
{
	cubby_request *request = NULL;

	expect_ok(cubby_call_begin(caller, "request", 7, NULL, CUBBY_NOW,
				   &request));
	return request;
}

static struct cubby_envelope
take(cubby_mailbox *server)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[16];

	expect_ok(cubby_receive_full(server, NULL, 0, soon(), buffer,
				     sizeof(buffer), NULL, &envelope));
	expect(envelope.call);
	return envelope;
}

/* Calls ------------------------------------------------------------------ */

static void
what_makes_no_sense_is_refused(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_envelope old = CUBBY_ENVELOPE_INIT;
	cubby_request *request;
	char byte;

	expect_result(cubby_call(server, "x", 1, &byte, 1, NULL, CUBBY_NOW),
		      -EBADF);
	expect_result(cubby_call(caller, NULL, 1, &byte, 1, NULL, CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_call(caller, "x", 1, NULL, 1, NULL, CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_call_begin(server, "x", 1, NULL, CUBBY_NOW,
				       &request), -EBADF);
	expect_result(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW, NULL),
		      -EINVAL);
	envelope.tag = 1;
	expect_result(cubby_call_begin(caller, "x", 1, &envelope, CUBBY_NOW,
				       &request), -EINVAL);
	envelope.tag = 0;
	envelope.type = -1;
	expect_result(cubby_call_begin(caller, "x", 1, &envelope, CUBBY_NOW,
				       &request), -EINVAL);
	envelope.type = 0;
	expect_result(cubby_reply(caller, &envelope, "x", 1), -EBADF);
	expect_result(cubby_reply(server, NULL, "x", 1), -EINVAL);
	expect_result(cubby_reply(server, &envelope, "x", 1), -EINVAL);
	envelope.call = 1;
	expect_result(cubby_reply(server, &envelope, "x", 1), -EINVAL);
	envelope.sender = 1;
	expect_result(cubby_reply(server, &envelope, NULL, 1), -EINVAL);
	expect_result(cubby_reply(server, &envelope, "x", 1), -EPIPE);
	envelope.sender = UINT64_MAX;
	envelope.call = UINT64_MAX;
	expect_result(cubby_reply(server, &envelope, "x", 1), -EPIPE);
	old.struct_size = offsetof(struct cubby_envelope, call);
	expect_result(cubby_reply(server, &old, "x", 1), -EINVAL);
	request = begin(caller);
	expect_result(cubby_call_end(request, NULL, 1, NULL, CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_NOW),
		      -EAGAIN);
	cubby_call_cancel(request);
	cubby_call_cancel(NULL);
	cubby_close(caller);
	cubby_close(server);
}

static void
type_and_priority_are_passed_on(void)
{
	static const int64_t types[] = { 0, 1, (1 << 30) - 1, 1 << 30,
					 INT32_MAX, INT64_C(1) << 31,
					 INT64_MAX };
	cubby_mailbox *server = open_server(), *caller = open_caller();
	bool has = test_order() == CUBBY_ORDER_PRIORITY;

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct cubby_envelope sent = CUBBY_ENVELOPE_INIT, got;
		cubby_request *request;

		sent.type = types[i];
		sent.priority = has ? 77 : 0;
		expect_ok(cubby_call_begin(caller, "request", 7, &sent,
					   CUBBY_NOW, &request));
		got = take(server);
		expect(got.type == types[i]);
		expect_int(got.priority, sent.priority);
		expect_int(got.sequence, sent.sequence);
		expect_int(got.sender, sent.sender);
		expect_int(got.deliveries, 1);
		expect_ok(cubby_reply(server, &got, NULL, 0));
		expect_ok(cubby_call_end(request, NULL, 0, NULL, soon()));
	}
	cubby_close(caller);
	cubby_close(server);
}

static void
a_named_senders_tag_is_not_that_of_a_request(void)
{
	cubby_mailbox *caller = open_caller();
	uint64_t sequence, tag = 1;

	cubby_call_cancel(begin(caller));
	expect_ok(cubby_published(caller, &sequence, &tag));
	expect_int(sequence, first_sequence());
	expect_int(tag, 0);
	cubby_close(caller);
}

/* Received by one who does not want to know of it: its caller is told at once. */
static void
a_request_received_in_a_batch_without_an_envelope_has_failed(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	struct cubby_envelope old = CUBBY_ENVELOPE_INIT;
	struct cubby_envelope full = CUBBY_ENVELOPE_INIT;
	struct cubby_envelope *envelopes[] = { NULL, &old, &full };
	char buffer[64];

	old.struct_size = offsetof(struct cubby_envelope, call);
	for (size_t i = 0; i < COUNT_OF(envelopes); i++) {
		struct cubby_batch_entry entry = { .envelope = envelopes[i] };
		cubby_request *request = begin(caller);
		char byte;

		expect_int(cubby_receive_batch(server, NULL, 0, soon(), &entry, 1,
					       buffer, sizeof(buffer)), 1);
		expect_int(entry.size, 7);
		if (envelopes[i] == &full)
			expect_ok(cubby_reply(server, &full, "y", 1));
		expect_result(cubby_call_end(request, &byte, 1, NULL, soon()),
			      envelopes[i] == &full ? 0 : -EPIPE);
	}
	cubby_close(caller);
	cubby_close(server);
}

/* What everybody gets is no request. */
static void
where_everybody_receives_nobody_replies(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox;
	char byte;

	need_order_sender();
	options.delivery = CUBBY_EVERY;
	mailbox = open_mailbox("every", CUBBY_CREATE | CUBBY_SEND |
			       CUBBY_RECEIVE, &options);
	expect_result(cubby_call(mailbox, "x", 1, &byte, 1, NULL, CUBBY_NOW),
		      -EOPNOTSUPP);
	envelope.call = envelope.sender = 1;
	expect_result(cubby_reply(mailbox, &envelope, "x", 1), -EOPNOTSUPP);
	cubby_close(mailbox);
}

static void
what_is_too_large_is_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *server, *caller;
	struct cubby_envelope envelope;
	static char data[9000];
	cubby_request *request;
	size_t size = 0;

	options.message_max = 8000;
	caller = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	server = open_server();
	expect_result(cubby_call(caller, data, 8001, NULL, 0, NULL, CUBBY_NOW),
		      -EMSGSIZE);
	request = begin(caller);
	envelope = take(server);
	expect_result(cubby_reply(server, &envelope, data, 8001), -EMSGSIZE);
	expect_ok(cubby_reply(server, &envelope, data, 8000));
	expect_result(cubby_call_end(request, data, 7999, &size, CUBBY_NOW),
		      -EMSGSIZE);
	expect_int(size, 8000);
	expect_ok(cubby_call_end(request, data, 8000, &size, CUBBY_NOW));
	cubby_close(caller);
	cubby_close(server);
}

static void
deadlines_hold(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *caller;
	cubby_request *request, *other;
	int64_t deadline;

	options.capacity = 1;
	caller = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	request = begin(caller);
	deadline = cubby_deadline_after(3 * MSEC);
	expect_result(cubby_call_end(request, NULL, 0, NULL, deadline),
		      -ETIMEDOUT);
	expect(cubby_deadline_after(0) >= deadline);
	expect_result(cubby_call_end(request, NULL, 0, NULL, -1), -ETIMEDOUT);
	expect_result(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW, &other),
		      -EAGAIN);
	expect_result(cubby_call_begin(caller, "x", 1, NULL,
				       cubby_deadline_after(MSEC), &other),
		      -ETIMEDOUT);
	expect_result(cubby_call(caller, "x", 1, NULL, 0, NULL, CUBBY_NOW),
		      -EAGAIN);
	cubby_call_cancel(request);
	cubby_close(caller);
}

static void
count_signal(int number)
{
	(void)number;
}

static void
a_signal_ends_the_wait_and_not_the_request(void)
{
	cubby_mailbox *server = open_server();
	struct child child;

	in_child(&child) {
		struct sigaction action = { .sa_handler = count_signal };
		cubby_mailbox *caller = open_caller();
		cubby_request *request = begin(caller);

		sigaction(SIGUSR1, &action, NULL);
		expect_result(cubby_call_end(request, NULL, 0, NULL, soon()),
			      -EINTR);
		expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_NOW),
			      -EAGAIN);
		cubby_close(caller);
	}
	child_interrupt(&child, SIGUSR1);
	child_finish(&child);
	expect_empty(server);
	cubby_close(server);
}

/* What is left behind ---------------------------------------------------- */

static size_t
count_reply_files(void)
{
	char path[PATH_MAX], *end;
	struct dirent *d;
	size_t count = 0;
	DIR *dir;

	find_file("/receivers", path);
	end = strrchr(path, '/');
	strcpy(end, "/lanes");
	dir = opendir(path);
	expect(dir != NULL);
	while ((d = readdir(dir)))
		count += !strncmp(d->d_name, "reply.", 6);
	closedir(dir);
	return count;
}

static void
a_reply_file_goes_with_its_caller(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	uint64_t before = inspect("m").memory;
	cubby_request *request;

	expect_int(count_reply_files(), 0);
	request = begin(caller);
	expect_int(count_reply_files(), 1);
	expect(inspect("m").memory > before);
	cubby_call_cancel(request);
	begin(caller);
	cubby_close(caller);
	expect_int(count_reply_files(), 0);
	expect_empty(server);
	cubby_close(server);
}

/* Dies with a call under way. */
static void
let_one_die(void)
{
	struct gate sent = gate_make();
	struct child child;

	in_child(&child) {
		begin(open_caller());
		gate_open(&sent);
		pause();
	}
	gate_wait(&sent);
	child_kill(&child);
}

static void
a_dead_callers_file_is_removed_by_whoever_comes_by(void)
{
	cubby_mailbox *server = open_server(), *caller;

	/* A server that meets its request. */
	let_one_die();
	expect_int(count_reply_files(), 1);
	expect_empty(server);
	expect_int(count_reply_files(), 0);
	/* A sweep. */
	let_one_die();
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_reply_files(), 0);
	/* The next caller in its place. */
	let_one_die();
	caller = open_caller();
	begin(caller);
	expect_int(count_reply_files(), 1);
	cubby_close(caller);
	cubby_close(server);
}

static void
memory_of_large_replies_goes_back(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	static char data[1 << 20];
	cubby_request *request = begin(caller);
	struct cubby_envelope envelope = take(server);
	uint64_t before = inspect("m").memory;

	expect_ok(cubby_reply(server, &envelope, data, sizeof(data)));
	expect(inspect("m").memory >= before + sizeof(data));
	expect_ok(cubby_call_end(request, data, sizeof(data), NULL, soon()));
	expect_int(inspect("m").memory, before);
	request = begin(caller);
	envelope = take(server);
	expect_ok(cubby_reply(server, &envelope, data, sizeof(data)));
	cubby_call_cancel(request);
	expect_int(inspect("m").memory, before);
	request = begin(caller);
	envelope = take(server);
	cubby_call_cancel(request);
	expect_result(cubby_reply(server, &envelope, data, sizeof(data)),
		      -EPIPE);
	expect_int(inspect("m").memory, before);
	cubby_close(caller);
	cubby_close(server);
}

/* A slot is not used again while somebody may write into it. */
static void
calls_given_up_count_until_their_servers_have_done(void)
{
	static struct cubby_envelope taken[UNDER_WAY];
	cubby_mailbox *server, *caller;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_request *request;

	options.capacity = 2 * UNDER_WAY;
	server = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	caller = open_caller();
	for (int i = 0; i < UNDER_WAY; i++) {
		request = begin(caller);
		taken[i] = take(server);
		cubby_call_cancel(request);
	}
	expect_result(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW,
				       &request), -EUSERS);
	for (int i = 0; i < UNDER_WAY; i++)
		expect_result(cubby_reply(server, &taken[i], "late", 4),
			      -EPIPE);
	/* Those that nobody had taken do not count. */
	for (int i = 0; i < 3 * UNDER_WAY; i++) {
		cubby_call_cancel(begin(caller));
		if (i % 100 == 0)
			expect_empty(server);
	}
	expect_empty(server);
	request = begin(caller);
	taken[0] = take(server);
	expect_ok(cubby_reply(server, &taken[0], "x", 1));
	cubby_call_cancel(request);
	cubby_close(caller);
	cubby_close(server);
}

/* Of a server that has died, it is the kernel that says so. */
static void
what_dead_servers_had_can_be_used_again(void)
{
	static cubby_request *requests[UNDER_WAY];
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate taken = gate_make();
	cubby_mailbox *caller;
	struct child child;

	options.capacity = 2 * UNDER_WAY;
	caller = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	for (int i = 0; i < UNDER_WAY; i++)
		requests[i] = begin(caller);
	in_child(&child) {
		cubby_mailbox *server = open_server();

		for (int i = 0; i < UNDER_WAY; i++)
			take(server);
		gate_open(&taken);
		pause();
	}
	gate_wait(&taken);
	for (int i = 0; i < UNDER_WAY; i++)
		cubby_call_cancel(requests[i]);
	child_kill(&child);
	for (int i = 0; i < UNDER_WAY; i++)
		requests[i] = begin(caller);
	cubby_close(caller);
}

/* Others' doings --------------------------------------------------------- */

static void
reply_path(char ret[PATH_MAX])
{
	char *end;
	struct dirent *d;
	DIR *dir;

	find_file("/receivers", ret);
	end = strrchr(ret, '/');
	strcpy(end, "/lanes");
	dir = opendir(ret);
	expect(dir != NULL);
	while ((d = readdir(dir)))
		if (!strncmp(d->d_name, "reply.", 6)) {
			strcat(ret, "/");
			strcat(ret, d->d_name);
			break;
		}
	expect(d != NULL);
	closedir(dir);
}

static void
a_file_cut_short_fails_the_call_and_not_the_next(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	struct cubby_envelope envelope;
	cubby_request *request = begin(caller);
	char path[PATH_MAX], buffer[8];

	envelope = take(server);
	reply_path(path);
	expect_system(truncate(path, 0));
	expect_result(cubby_reply(server, &envelope, "x", 1), -EPIPE);
	expect_result(cubby_call_end(request, buffer, sizeof(buffer), NULL,
				     soon()), -EBADMSG);
	request = begin(caller);
	envelope = take(server);
	expect_ok(cubby_reply(server, &envelope, "x", 1));
	expect_ok(cubby_call_end(request, buffer, sizeof(buffer), NULL,
				 soon()));
	cubby_close(caller);
	cubby_close(server);
}

static void
a_large_reply_cut_short_is_told(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	cubby_request *request = begin(caller);
	struct cubby_envelope envelope = take(server);
	static char data[100000];
	char path[PATH_MAX];
	struct stat st;

	expect_ok(cubby_reply(server, &envelope, data, sizeof(data)));
	reply_path(path);
	expect_system(stat(path, &st));
	expect_system(truncate(path, st.st_size - 50000));
	expect_result(cubby_call_end(request, data, sizeof(data), NULL,
				     soon()), -EBADMSG);
	cubby_close(caller);
	cubby_close(server);
}

/* Any bytes, while both are at it: errors, and no harm. */
static void
a_file_full_of_nonsense_harms_nobody(void)
{
	static char data[8000], random[8 * 4096];
	unsigned seed = 1;

	for (int round = 0; round < MANY(300); round++) {
		cubby_mailbox *server = open_server(), *caller = open_caller();
		cubby_request *request = begin(caller);
		struct cubby_envelope envelope = take(server);
		char path[PATH_MAX];
		int fd, result;

		for (size_t i = 0; i < sizeof(random); i++)
			random[i] = (char)(rand_r(&seed) >> 8);
		reply_path(path);
		fd = open(path, O_RDWR);
		expect(fd >= 0);
		if (round % 3 == 0)
			expect(cubby_reply(server, &envelope, data,
					   sizeof(data)) == 0);
		/* Behind the head, which says what it is; or all of it. */
		expect(pwrite(fd, random, sizeof(random),
			      round % 2 ? 4096 : 0) == sizeof(random));
		close(fd);
		result = cubby_reply(server, &envelope, data, sizeof(data));
		expect(result == 0 || result == -EPIPE);
		result = cubby_call_end(request, data, sizeof(data), NULL,
					cubby_deadline_after(MSEC));
		expect(result == 0 || result == -EPIPE || result == -EBADMSG ||
		       result == -EMSGSIZE || result == -ETIMEDOUT);
		if (result == -EMSGSIZE || result == -ETIMEDOUT)
			cubby_call_cancel(request);
		result = cubby_call(caller, "x", 1, data, sizeof(data), NULL,
				    cubby_deadline_after(MSEC / 10));
		expect(result < 0);
		cubby_close(caller);
		cubby_close(server);
		expect_ok(cubby_unlink("m"));
	}
}

static void
what_is_planted_under_the_name_is_passed_over(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	cubby_request *request = begin(caller);
	char path[PATH_MAX];

	reply_path(path);
	expect_system(unlink(path));
	expect_system(mkdir(path, 0700));
	expect_empty(server);
	expect_result(cubby_call_end(request, NULL, 0, NULL,
				     cubby_deadline_after(MSEC)), -ETIMEDOUT);
	cubby_close(caller);
	expect_system(rmdir(path));
	cubby_close(server);
}

/* fork() ----------------------------------------------------------------- */

static void
a_child_cannot_use_what_it_inherits(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	cubby_request *request = begin(caller);
	struct cubby_envelope envelope = take(server);
	struct child child;

	in_child(&child) {
		char byte;

		expect_result(cubby_call(caller, "x", 1, &byte, 1, NULL,
					 CUBBY_NOW), -ECHILD);
		expect_result(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW,
					       &request), -ECHILD);
		expect_result(cubby_call_end(request, &byte, 1, NULL,
					     CUBBY_NOW), -ECHILD);
		expect_result(cubby_reply(server, &envelope, "x", 1), -ECHILD);
		cubby_call_cancel(request);
		cubby_close(caller);
		cubby_close(server);
	}
	child_finish(&child);
	expect_int(count_reply_files(), 1);
	expect_ok(cubby_reply(server, &envelope, NULL, 0));
	expect_ok(cubby_call_end(request, NULL, 0, NULL, soon()));
	cubby_close(caller);
	cubby_close(server);
}

/* A child that lives on does not keep a dead server alive. */
static void
a_servers_child_does_not_stand_for_it(void)
{
	cubby_mailbox *caller = open_caller();
	cubby_request *request = begin(caller);
	struct gate taken = gate_make(), done = gate_make();
	struct child child;

	in_child(&child) {
		cubby_mailbox *server = open_server();

		take(server);
		if (fork() == 0) {
			gate_wait(&done);
			_exit(0);
		}
		gate_open(&taken);
		pause();
	}
	gate_wait(&taken);
	child_kill(&child);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	gate_open(&done);
	while (wait(NULL) > 0)
		;
	cubby_close(caller);
}

/* An inbox --------------------------------------------------------------- */

static void
a_call_to_an_inbox_ends_with_its_process(void)
{
	struct gate ready = gate_make();
	cubby_mailbox *caller;
	cubby_request *request;
	struct child child;

	in_child(&child) {
		open_mailbox("@m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
		gate_open(&ready);
		pause();
	}
	gate_wait(&ready);
	caller = open_mailbox("@m", CUBBY_SEND, NULL);
	request = begin(caller);
	child_kill(&child);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	expect_result(cubby_call(caller, "x", 1, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	cubby_close(caller);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(what_makes_no_sense_is_refused),
		TEST(type_and_priority_are_passed_on),
		TEST(a_named_senders_tag_is_not_that_of_a_request),
		TEST(a_request_received_in_a_batch_without_an_envelope_has_failed),
		TEST(where_everybody_receives_nobody_replies),
		TEST(what_is_too_large_is_told),
		TEST(deadlines_hold),
		TEST(a_signal_ends_the_wait_and_not_the_request),
		TEST(a_reply_file_goes_with_its_caller),
		TEST(a_dead_callers_file_is_removed_by_whoever_comes_by),
		TEST(memory_of_large_replies_goes_back),
		TEST(calls_given_up_count_until_their_servers_have_done),
		TEST(what_dead_servers_had_can_be_used_again),
		TEST(a_file_cut_short_fails_the_call_and_not_the_next),
		TEST(a_large_reply_cut_short_is_told),
		TEST(a_file_full_of_nonsense_harms_nobody),
		TEST(what_is_planted_under_the_name_is_passed_over),
		TEST(a_child_cannot_use_what_it_inherits),
		TEST(a_servers_child_does_not_stand_for_it),
		TEST(a_call_to_an_inbox_ends_with_its_process),
	};

	return RUN_TESTS("call_error", tests);
}
