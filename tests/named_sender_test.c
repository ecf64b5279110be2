/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* A sender with a name comes back to its own lane, and reads there what it
   published last. */
#include "support/support.h"
#include <limits.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static struct cubby_options
named(const char *name)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.sender = name;
	return options;
}

static cubby_mailbox *
open_named(const char *name)
{
	struct cubby_options options = named(name);

	return open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
}

static struct cubby_envelope
send_tagged(cubby_mailbox *mailbox, uint64_t tag)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.tag = tag;
	expect_ok(cubby_send_full(mailbox, &tag, sizeof(tag), &envelope, 0,
				  soon()));
	return envelope;
}

static void
a_named_sender_reads_what_it_published(void)
{
	cubby_mailbox *mailbox = open_named("Ada"), *receiver;
	struct cubby_envelope last;
	uint64_t sequence, tag;

	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t n = 1; n <= 50; n++) {
		last = send_tagged(mailbox, 1000 + n);
		cubby_close(mailbox);
		/* Also when it has been received. */
		if (n % 3 == 0)
			while (inspect("m").waiting > 0)
				receive_number(receiver);
		mailbox = open_named("Ada");
		expect_ok(cubby_published(mailbox, &sequence, &tag));
		expect(sequence == last.sequence);
		expect_int(tag, 1000 + n);
	}
	expect_int(inspect("m").lanes, 1);
	cubby_close(mailbox);
	cubby_close(receiver);
}

static void
names_have_lanes_of_their_own(void)
{
	cubby_mailbox *mailbox, *receiver;
	uint64_t ada, bob, unnamed;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	mailbox = open_named("Ada");
	ada = send_tagged(mailbox, 1).sender;
	cubby_close(mailbox);
	mailbox = open_named("Bob");
	bob = send_tagged(mailbox, 2).sender;
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	unnamed = send_tagged(mailbox, 3).sender;
	cubby_close(mailbox);
	expect(ada != bob && ada != unnamed && bob != unnamed);
	expect_int(inspect("m").lanes, 3);
	mailbox = open_named("Bob");
	expect_int(send_tagged(mailbox, 4).sender, bob);
	cubby_close(mailbox);
	mailbox = open_named("ada");
	expect(send_tagged(mailbox, 5).sender != ada);
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	expect_int(send_tagged(mailbox, 6).sender, unnamed);
	cubby_close(mailbox);
	expect_int(inspect("m").lanes, 4);
	cubby_close(receiver);
}

static void
a_name_in_use_is_busy(void)
{
	struct cubby_options options = named("Ada");
	cubby_mailbox *mailbox = open_named("Ada"), *other = NULL;
	struct gate opened = gate_make();
	struct child child;

	expect_result(cubby_open("m", CUBBY_SEND, &options, &other), -EBUSY);
	expect(other == NULL);
	in_child(&child)
		expect_result(cubby_open("m", CUBBY_SEND, &options, &other),
			      -EBUSY);
	child_finish(&child);
	send_text(mailbox, "still mine");
	cubby_close(mailbox);
	in_child(&child) {
		open_named("Ada");
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_result(cubby_open("m", CUBBY_SEND, &options, &other), -EBUSY);
	child_stop(&child);
	expect_result(cubby_open("m", CUBBY_SEND, &options, &other), -EBUSY);
	child_kill(&child);
	cubby_close(open_named("Ada"));
	expect_int(inspect("m").lanes, 1);
}

/* It sends numbers, is killed wherever it is, and resumes after what it reads
   that it has published. */
static void
a_killed_sender_resumes_exactly_once(void)
{
	_Atomic uint64_t *published = shared_memory(sizeof(*published));
	cubby_mailbox *receiver;
	uint64_t next = 1;
	struct child child;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int round = 0; round < MANY(200); round++) {
		uint64_t wanted = next + (uint64_t)round % 40;

		in_child(&child) {
			cubby_mailbox *own = open_named("Ada");
			uint64_t sequence, tag;

			expect_ok(cubby_published(own, &sequence, &tag));
			for (;;) {
				send_tagged(own, ++tag);
				atomic_store(published, tag);
			}
		}
		while (next <= wanted)
			expect_number(receiver, next++);
		child_kill(&child);
	}
	expect_int(inspect("m").lanes, 1);
	while (inspect("m").waiting > 0)
		expect_number(receiver, next++);
	expect_empty(receiver);
	expect(next > *published);
	cubby_close(receiver);
}

/* Of many that open one name at once, one gets it, and it has one lane. */
static void
one_of_many_at_once_gets_the_name(void)
{
	enum { CROWD = 4 };
	_Atomic int *opened = shared_memory(sizeof(*opened));
	struct gate start = gate_make(), tried = gate_make(),
		    end = gate_make();
	cubby_mailbox *receiver;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int round = 0; round < MANY(50); round++) {
		struct child children[CROWD];

		atomic_store(opened, 0);
		for (int i = 0; i < CROWD; i++)
			in_child(&children[i]) {
				struct cubby_options options;
				cubby_mailbox *own = NULL;
				char name[16];
				int result;

				snprintf(name, sizeof(name), "x%d", round);
				options = named(name);
				gate_wait(&start);
				result = cubby_open("m", CUBBY_SEND, &options,
						    &own);
				if (result == 0)
					atomic_fetch_add(opened, 1);
				else
					expect_result(result, -EBUSY);
				gate_open(&tried);
				gate_wait(&end);
				cubby_close(own);
			}
		for (int i = 0; i < CROWD; i++)
			gate_open(&start);
		for (int i = 0; i < CROWD; i++)
			gate_wait(&tried);
		expect_int(atomic_load(opened), 1);
		for (int i = 0; i < CROWD; i++)
			gate_open(&end);
		for (int i = 0; i < CROWD; i++)
			child_finish(&children[i]);
		expect_int(inspect("m").lanes, round + 1);
	}
	cubby_close(receiver);
}

/* Whose sender has unlinked it: he may. */
static void
unlink_lane(const char *suffix)
{
	char path[PATH_MAX];

	find_file(suffix, path);
	expect_system(unlink(path));
}

static void
a_name_is_found_behind_a_gap(void)
{
	cubby_mailbox *first, *mailbox;
	uint64_t ada;

	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	first = mailbox;
	mailbox = open_named("Ada");
	ada = send_tagged(mailbox, 1).sender;
	cubby_close(mailbox);
	unlink_lane("/lane.0");
	mailbox = open_named("Ada");
	expect_int(send_tagged(mailbox, 2).sender, ada);
	cubby_close(mailbox);
	cubby_close(first);
}

/* What looks like a lane's name, and is none, ends no search for a name. */
static void
what_others_put_beside_lanes_is_passed_over(void)
{
	static const char *const names[] = { "lane.01", "lane.", "lane.x",
					     "lane.1x", "lane.-1", "lane.9999",
					     "lane.99999999999999999999" };
	cubby_mailbox *mailbox;
	char path[PATH_MAX];
	char *end;

	mailbox = open_named("Ada");
	send_tagged(mailbox, 1);
	cubby_close(mailbox);
	find_file("/lane.0", path);
	end = strrchr(path, '/') + 1;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		strcpy(end, names[i]);
		expect_system(mkdir(path, 0700));
	}
	mailbox = open_named("Bob");
	expect_int(send_tagged(mailbox, 1).sender, 2);
	cubby_close(mailbox);
	mailbox = open_named("Ada");
	expect_int(send_tagged(mailbox, 2).sender, 1);
	cubby_close(mailbox);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		strcpy(end, names[i]);
		expect_system(rmdir(path));
	}
}

/* Who sweeps has the lane for a moment, or longer if he is stopped; its sender
   would be told -EBUSY. */
static void
a_sweep_leaves_a_named_lane_to_its_sender(void)
{
	static char data[100000];
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	struct gate sent = gate_make();
	cubby_mailbox *receiver;
	struct child child;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int has_name = 0; has_name < 2; has_name++) {
		in_child(&child) {
			cubby_mailbox *own;

			own = has_name ? open_named("Ada") :
				      open_mailbox("m", CUBBY_SEND, NULL);
			expect_ok(cubby_send(own, data, sizeof(data)));
			gate_open(&sent);
			pause();
		}
		gate_wait(&sent);
		child_kill(&child);
		expect_ok(cubby_receive(receiver, data, sizeof(data), NULL));
		expect_ok(cubby_sweep("m", &swept));
		expect_int(swept.lanes, has_name ? 0 : 1);
	}
	expect_int(inspect("m").lanes, 2);
	cubby_close(open_named("Ada"));
	cubby_close(receiver);
}

static const struct test tests[] = {
	TEST(a_sweep_leaves_a_named_lane_to_its_sender),
	TEST(one_of_many_at_once_gets_the_name),
	TEST(a_name_is_found_behind_a_gap),
	TEST(what_others_put_beside_lanes_is_passed_over),
	TEST(a_named_sender_reads_what_it_published),
	TEST(names_have_lanes_of_their_own),
	TEST(a_name_in_use_is_busy),
	TEST(a_killed_sender_resumes_exactly_once),
};

int
main(void)
{
	return RUN_TESTS("named senders", tests);
}
