/* SPDX-License-Identifier: MIT */
#include "passing.h"
#include <cubby_sync.h>
#include <poll.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NOT_A_MESSAGE UINT64_MAX

static void
be(void (*what)(void))
{
	if (what)
		what();
}

static cubby_mailbox *
open_there(const struct passing *p, const char *name, int flags)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = p->capacity;
	return open_mailbox(name, flags, &options);
}

/* Made, and left: who opens it next is what he has become by then. */
static void
make(const struct passing *p, const char *name)
{
	cubby_close(open_there(p, name, CUBBY_CREATE));
}

static void
send_numbers(cubby_mailbox *mailbox, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		send_number(mailbox, i);
}

static void
expect_numbers(cubby_mailbox *mailbox, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		expect_int(receive_number(mailbox), i);
	expect_empty(mailbox);
}

void
passing_to_and_fro(const struct passing *p)
{
	cubby_mailbox *out, *in;
	struct child child;

	make(p, "there");
	make(p, "back");
	in_child(&child) {
		be(p->there);
		in = open_there(p, "there", CUBBY_RECEIVE);
		out = open_there(p, "back", CUBBY_SEND);
		for (uint64_t i = 0; i < p->count; i++) {
			expect_int(receive_number(in), i);
			send_number(out, i);
		}
		cubby_close(in);
		cubby_close(out);
	}
	be(p->here);
	out = open_there(p, "there", CUBBY_SEND);
	in = open_there(p, "back", CUBBY_RECEIVE);
	for (uint64_t i = 0; i < p->count; i++) {
		send_number(out, i);
		expect_int(receive_number(in), i);
	}
	child_finish(&child);
	cubby_close(in);
	cubby_close(out);
}

void
passing_from_there(const struct passing *p)
{
	cubby_mailbox *mailbox;
	struct child child;

	make(p, "m");
	in_child(&child) {
		be(p->there);
		mailbox = open_there(p, "m", CUBBY_SEND);
		send_numbers(mailbox, p->count);
		cubby_close(mailbox);
	}
	be(p->here);
	mailbox = open_there(p, "m", CUBBY_RECEIVE);
	expect_numbers(mailbox, p->count);
	child_finish(&child);
	cubby_close(mailbox);
}

void
passing_from_here(const struct passing *p)
{
	cubby_mailbox *mailbox;
	struct child child;

	make(p, "m");
	in_child(&child) {
		be(p->there);
		mailbox = open_there(p, "m", CUBBY_RECEIVE);
		expect_numbers(mailbox, p->count);
		cubby_close(mailbox);
	}
	be(p->here);
	mailbox = open_there(p, "m", CUBBY_SEND);
	send_numbers(mailbox, p->count);
	child_finish(&child);
	cubby_close(mailbox);
}

void
passing_through_several(const struct passing *p)
{
	struct cubby_wait_entry entries[2] = { { 0 } };
	cubby_mailbox *a, *b;
	struct child child;
	uint64_t got = 0;

	make(p, "a");
	make(p, "b");
	in_child(&child) {
		be(p->there);
		a = open_there(p, "a", CUBBY_SEND);
		b = open_there(p, "b", CUBBY_SEND);
		for (uint64_t i = 0; i < p->count; i++)
			send_number(i % 3 ? a : b, i);
		cubby_close(a);
		cubby_close(b);
	}
	be(p->here);
	a = open_there(p, "a", CUBBY_RECEIVE);
	b = open_there(p, "b", CUBBY_RECEIVE);
	while (got < p->count) {
		entries[0] = (struct cubby_wait_entry){
			.mailbox = a, .events = CUBBY_RECEIVE };
		entries[1] = (struct cubby_wait_entry){
			.mailbox = b, .events = CUBBY_RECEIVE };
		expect(cubby_wait(entries, 2, soon()) > 0);
		for (int i = 0; i < 2; i++)
			if (entries[i].ready) {
				receive_number(entries[i].mailbox);
				got++;
			}
	}
	expect_empty(a);
	expect_empty(b);
	child_finish(&child);
	cubby_close(a);
	cubby_close(b);
}

static void
wait_lit(cubby_mailbox *mailbox, int role)
{
	struct pollfd fd = { .fd = cubby_fd(mailbox, role), .events = POLLIN };

	expect(fd.fd >= 0);
	expect_int(poll(&fd, 1, 60000), 1);
}

static void
send_watched(cubby_mailbox *mailbox, uint64_t count)
{
	int r;

	for (uint64_t i = 0; i < count;) {
		r = cubby_send_full(mailbox, &i, sizeof(i), NULL, 0, CUBBY_NOW);
		if (r == -EAGAIN) {
			wait_lit(mailbox, CUBBY_SEND);
			continue;
		}
		expect_ok(r);
		i++;
	}
}

static void
receive_watched(cubby_mailbox *mailbox, uint64_t count)
{
	uint64_t number;
	int r;

	for (uint64_t i = 0; i < count;) {
		r = cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, &number,
				       sizeof(number), NULL, NULL);
		if (r == -EAGAIN) {
			wait_lit(mailbox, CUBBY_RECEIVE);
			continue;
		}
		expect_ok(r);
		expect_int(number, i);
		i++;
	}
}

void
passing_watched(const struct passing *p)
{
	cubby_mailbox *mailbox;
	struct child child;

	make(p, "m");
	in_child(&child) {
		be(p->there);
		mailbox = open_there(p, "m", CUBBY_SEND);
		send_watched(mailbox, p->count);
		cubby_close(mailbox);
	}
	be(p->here);
	mailbox = open_there(p, "m", CUBBY_RECEIVE);
	receive_watched(mailbox, p->count);
	expect_empty(mailbox);
	child_finish(&child);
	cubby_close(mailbox);
}

/* Until there is one that says so; adds up the others. */
static void
receive_some(cubby_mailbox *mailbox, _Atomic uint64_t *sum)
{
	uint64_t number;

	while ((number = receive_number(mailbox)) != NOT_A_MESSAGE)
		*sum += number;
}

void
passing_to_both(const struct passing *p)
{
	_Atomic uint64_t *sum = shared_memory(sizeof(*sum));
	struct gate joined = gate_make();
	struct child child, sender;
	cubby_mailbox *mailbox;

	make(p, "m");
	in_child(&child) {
		be(p->there);
		mailbox = open_there(p, "m", CUBBY_RECEIVE);
		gate_open(&joined);
		receive_some(mailbox, sum);
		cubby_close(mailbox);
	}
	in_child(&sender) {
		gate_wait(&joined);
		gate_wait(&joined);
		mailbox = open_there(p, "m", CUBBY_SEND);
		send_numbers(mailbox, p->count);
		send_number(mailbox, NOT_A_MESSAGE);
		send_number(mailbox, NOT_A_MESSAGE);
		cubby_close(mailbox);
	}
	be(p->here);
	mailbox = open_there(p, "m", CUBBY_RECEIVE);
	gate_open(&joined);
	receive_some(mailbox, sum);
	child_finish(&child);
	child_finish(&sender);
	expect_empty(mailbox);
	expect_int(*sum, p->count * (p->count - 1) / 2);
	cubby_close(mailbox);
}

void
passing_calls(const struct passing *p)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox;
	struct child child;
	uint64_t number, answer;
	size_t size;

	make(p, "m");
	in_child(&child) {
		be(p->there);
		mailbox = open_there(p, "m", CUBBY_SEND);
		for (uint64_t i = 0; i < p->count; i++) {
			expect_ok(cubby_call(mailbox, &i, sizeof(i), &answer,
					     sizeof(answer), &size, soon()));
			expect_int(answer, i + 1);
		}
		cubby_close(mailbox);
	}
	be(p->here);
	mailbox = open_there(p, "m", CUBBY_RECEIVE);
	for (uint64_t i = 0; i < p->count; i++) {
		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &number,
					     sizeof(number), &size, &envelope));
		expect_int(number, i);
		number++;
		expect_ok(cubby_reply(mailbox, &envelope, &number,
				      sizeof(number)));
	}
	child_finish(&child);
	cubby_close(mailbox);
}

struct shared {
	cubby_mutex mutex;
	cubby_condition changed;
	cubby_semaphore done;
	uint64_t turn;
};

static void
take_turns(cubby_region *region, uint64_t parity, uint64_t count)
{
	struct shared *shared = cubby_region_data(region);

	for (uint64_t i = 0; i < count; i++) {
		expect_ok(cubby_mutex_lock(region, &shared->mutex, soon()));
		while (shared->turn % 2 != parity)
			expect_ok(cubby_condition_wait(region,
				&shared->changed, &shared->mutex, soon()));
		shared->turn++;
		expect_ok(cubby_condition_broadcast(region, &shared->changed));
		expect_ok(cubby_mutex_unlock(region, &shared->mutex));
	}
	expect_ok(cubby_semaphore_post(region, &shared->done));
}

static cubby_region *
open_region(int flags)
{
	cubby_region *region = NULL;

	expect_ok(cubby_region_open("r", flags | CUBBY_WRITE, NULL, &region));
	return region;
}

void
passing_turns(const struct passing *p)
{
	cubby_region *region = open_region(CUBBY_CREATE);
	struct shared *shared = cubby_region_data(region);
	struct child child;

	in_child(&child) {
		cubby_region *own;

		be(p->there);
		own = open_region(0);
		take_turns(own, 1, p->count);
		cubby_region_close(own);
	}
	be(p->here);
	take_turns(region, 0, p->count);
	expect_ok(cubby_semaphore_wait(region, &shared->done, soon()));
	expect_ok(cubby_semaphore_wait(region, &shared->done, soon()));
	expect_int(shared->turn, 2 * p->count);
	child_finish(&child);
	cubby_region_close(region);
	expect_ok(cubby_region_unlink("r"));
}
