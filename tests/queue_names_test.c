/* SPDX-License-Identifier: MIT */
/* Senders of a queue by their names. */
#include "atomics.h"
#include "layout_queue.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

#define FROM(name) { .struct_size = sizeof(struct cubby_filter), \
		     .sender_name = (name) }

static const struct cubby_filter from_ada = FROM("Ada"), from_bob = FROM("Bob");

static const enum cubby_order orders[] = { CUBBY_ORDER_ARRIVAL,
					   CUBBY_ORDER_PRIORITY };

static cubby_mailbox *
open_as(const char *name, int role, enum cubby_order order)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = order;
	options.sender = name;
	return open_mailbox(order == CUBBY_ORDER_ARRIVAL ? "arrival" :
							    "priority",
			    CUBBY_CREATE | role, &options);
}

/* What is received, or what the receive failed with. */
static void
expect_from(cubby_mailbox *mailbox, const struct cubby_filter *filter,
	    const char *text)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[64], name[64] = "";
	size_t size;
	int result = cubby_receive_full(mailbox, filter, 0, CUBBY_NOW, buffer,
					sizeof(buffer), &size, &envelope);

	if (!text) {
		expect_result(result, -EAGAIN);
		return;
	}
	expect_ok(result);
	expect_bytes(buffer, size, text, strlen(text));
	expect_ok(cubby_sender_name(mailbox, envelope.sender, name,
				    sizeof(name)));
	expect(strcmp(name, filter->sender_name ? filter->sender_name : "") ==
	       0);
}

static void
messages_of_an_unnamed_one_are_never_a_named_one_s(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, orders[i]);
		const struct cubby_filter anyone = CUBBY_FILTER_INIT;
		cubby_mailbox *sender;

		sender = open_as(NULL, CUBBY_SEND, orders[i]);
		send_text(sender, "unnamed");
		cubby_close(sender);
		expect_from(own, &from_ada, NULL);
		sender = open_as("Bob", CUBBY_SEND, orders[i]);
		send_text(sender, "bob's");
		cubby_close(sender);
		expect_from(own, &from_ada, NULL);
		expect_from(own, &from_bob, "bob's");
		expect_from(own, &anyone, "unnamed");
		cubby_close(own);
	}
}

static void
one_can_be_waited_for_that_has_not_come(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, orders[i]);
		struct child child;

		expect_from(own, &from_ada, NULL);
		in_child(&child) {
			cubby_mailbox *bob, *ada;

			bob = open_as("Bob", CUBBY_SEND, orders[i]);
			ada = open_as("Ada", CUBBY_SEND, orders[i]);
			send_text(bob, "bob's");
			send_text(ada, "ada's");
			cubby_close(bob);
			cubby_close(ada);
		}
		{
			char buffer[64];
			size_t size;

			expect_ok(cubby_receive_full(own, &from_ada, 0,
						     CUBBY_FOREVER, buffer,
						     sizeof(buffer), &size,
						     NULL));
			expect_bytes(buffer, size, "ada's", 5);
		}
		child_finish(&child);
		expect_from(own, &from_ada, NULL);
		expect_from(own, &from_bob, "bob's");
		cubby_close(own);
	}
}

static void
a_name_that_was_waited_for_is_one_sender_s_at_a_time(void)
{
	cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, CUBBY_ORDER_ARRIVAL);
	cubby_mailbox *ada, *other;
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	expect_from(own, &from_ada, NULL);
	ada = open_as("Ada", CUBBY_SEND, CUBBY_ORDER_ARRIVAL);
	options.sender = "Ada";
	expect_result(cubby_open("arrival", CUBBY_SEND, &options, &other),
		      -EBUSY);
	cubby_close(ada);
	expect_ok(cubby_open("arrival", CUBBY_SEND, &options, &other));
	send_text(other, "hi");
	expect_from(own, &from_ada, "hi");
	cubby_close(other);
	cubby_close(own);
}

static void
senders_that_there_are_not_have_no_name(void)
{
	cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, CUBBY_ORDER_ARRIVAL);
	char name[64];

	for (uint64_t sender = 2; sender; sender *= 2)
		expect_result(cubby_sender_name(own, sender, name,
						sizeof(name)),
			      -EINVAL);
	expect_result(cubby_sender_name(own, UINT64_MAX, name, sizeof(name)),
		      -EINVAL);
	cubby_close(own);
}

static void
sender_and_name_that_are_not_one(void)
{
	cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, CUBBY_ORDER_ARRIVAL);
	struct cubby_filter filter = FROM("Ada");
	cubby_mailbox *ada = open_as("Ada", CUBBY_SEND, CUBBY_ORDER_ARRIVAL);

	send_text(ada, "hi");
	filter.sender = 1; /* ourselves */
	expect_result(cubby_receive_full(own, &filter, 0, CUBBY_NOW, NULL, 0,
					 NULL, NULL),
		      -EINVAL);
	filter.sender = 2;
	expect_from(own, &filter, "hi");
	cubby_close(ada);
	cubby_close(own);
}

/* Gives slot 3 the first name and takes it away again, until it is killed. */
static void
flicker(struct gate *gate)
{
	static const char name[8] = "Ada";
	struct queue_file *file;
	struct queue_participant *p;
	char path[PATH_MAX];
	uint64_t word;
	int fd;

	memcpy(&word, name, sizeof(word));
	find_file("/queue", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	file = mmap(NULL, MIB(4), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	/* relaxed: whatever there is, and in whatever order */
	word32_store_relaxed(&file->participants_committed, UINT32_MAX);
	p = (struct queue_participant *)(file + 1);
	word64_store_relaxed(&p[3].name[0], word);
	word32_store_relaxed(&p[3].number, 1);
	gate_open(gate);
	for (;;) {
		word32_store_relaxed(&p->given, 4);
		word32_store_relaxed(&p->given, 0);
	}
}

/* Somebody hostile takes it away between two looks at it. */
static void
a_name_that_comes_and_goes_harms_nobody(void)
{
	cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, CUBBY_ORDER_ARRIVAL);
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate gate = gate_make();
	struct child child;

	in_child(&child)
		flicker(&gate);
	gate_wait(&gate);
	options.sender = "Ada";
	for (int i = 0; i < 500; i++) {
		cubby_mailbox *ada;
		int r = cubby_open("arrival", CUBBY_SEND, &options, &ada);

		expect(r == 0 || r == -EBUSY || r == -EUSERS);
		if (r == 0)
			cubby_close(ada);
	}
	child_kill(&child);
	cubby_close(own);
}

/* Of a mailbox, for good: a name that is waited for takes a place. */
static void
there_are_only_so_many_names(void)
{
	cubby_mailbox *own = open_as(NULL, CUBBY_RECEIVE, CUBBY_ORDER_ARRIVAL);
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	cubby_mailbox *sender, *none = NULL;
	char name[16], buffer[8];
	int result, count = 0;

	do {
		snprintf(name, sizeof(name), "n%d", count);
		filter.sender_name = name;
		result = cubby_receive_full(own, &filter, 0, CUBBY_NOW, buffer,
					    sizeof(buffer), NULL, NULL);
	} while (result == -EAGAIN && ++count <= PARTICIPANTS_MAX);
	expect_result(result, -EUSERS);
	/* Its own place is another one. */
	expect_int(count, PARTICIPANTS_MAX - 1);
	expect_result(cubby_open("arrival", CUBBY_SEND, NULL, &none), -EUSERS);
	expect(!none);
	sender = open_as("n7", CUBBY_SEND, CUBBY_ORDER_ARRIVAL);
	send_text(sender, "seven");
	filter.sender_name = "n8";
	expect_result(cubby_receive_full(own, &filter, 0, CUBBY_NOW, buffer,
					 sizeof(buffer), NULL, NULL),
		      -EAGAIN);
	filter.sender_name = "n7";
	expect_from(own, &filter, "seven");
	cubby_close(sender);
	cubby_close(own);
}

static const struct test tests[] = {
	TEST(messages_of_an_unnamed_one_are_never_a_named_one_s),
	TEST(one_can_be_waited_for_that_has_not_come),
	TEST(a_name_that_was_waited_for_is_one_sender_s_at_a_time),
	TEST(senders_that_there_are_not_have_no_name),
	TEST(sender_and_name_that_are_not_one),
	TEST(a_name_that_comes_and_goes_harms_nobody),
	TEST(there_are_only_so_many_names),
};

int
main(void)
{
	return RUN_TESTS("names in a queue", tests);
}
