/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 120. */
/*
 * A descriptor is readable while there is a message (or room), and not for long
 * after there is none.
 *
 * Who makes a mailbox ready has rung when its call returns. So in one process
 * it can be asked at once whether the descriptor is readable. It may be so for
 * nothing too, by its timer: then whoever polls finds nothing and asks again.
 */
#include "support/support.h"
#include "layout.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define PATIENCE 20000 /* ms, that only a failure takes */

static int
descriptor(cubby_mailbox *mailbox, int role)
{
	int fd = cubby_fd(mailbox, role);

	if (fd < 0)
		fail_at(__FILE__, __LINE__, "cubby_fd: %s", cubby_strerror(fd));
	return fd;
}

static bool
is_readable(int fd, int patience)
{
	struct pollfd asked = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&asked, 1, patience);
	while (n < 0 && errno == EINTR);
	expect_system(n);
	expect(n == 0 || asked.revents == POLLIN);
	return n;
}

#define expect_lit(fd) expect(is_readable(fd, 0))

static int
receive_now(cubby_mailbox *mailbox, uint64_t *ret)
{
	return cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, ret,
				  sizeof(*ret), NULL, NULL);
}

static int
send_now(cubby_mailbox *mailbox)
{
	return cubby_send_full(mailbox, "12345678", 8, NULL, 0, CUBBY_NOW);
}

/* Its timer may end at any time: then the next call that finds nothing says so. */
static void
expect_dark(int fd, cubby_mailbox *mailbox, int role)
{
	uint64_t got;
	int i;

	for (i = 0; i < 1000 && is_readable(fd, 0); i++)
		expect_result(role == CUBBY_RECEIVE ?
			      receive_now(mailbox, &got) : send_now(mailbox),
			      -EAGAIN);
	expect(i < 1000);
}

static void
one_message_is_enough(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	expect_int(cubby_fd(mailbox, CUBBY_RECEIVE), fd);
	for (uint64_t n = 0; n < MANY(1000); n++) {
		expect_dark(fd, mailbox, CUBBY_RECEIVE);
		send_number(mailbox, n);
		expect_lit(fd);
		expect_ok(receive_now(mailbox, &got));
		expect_int(got, n);
		expect_result(receive_now(mailbox, &got), -EAGAIN);
	}
	cubby_close(mailbox);
}

static void
what_waits_already_is_told_at_once(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	uint64_t got;
	int fd;

	send_number(mailbox, 1);
	send_number(mailbox, 2);
	fd = descriptor(mailbox, CUBBY_RECEIVE);
	expect_lit(fd);
	expect_ok(receive_now(mailbox, &got));
	expect_lit(fd);
	expect_ok(receive_now(mailbox, &got));
	expect_result(receive_now(mailbox, &got), -EAGAIN);
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	cubby_close(mailbox);
}

/* Readable as long as there is one, not once for each. */
static void
it_is_a_level(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	for (uint64_t n = 0; n < 100; n++)
		send_number(mailbox, n);
	for (uint64_t n = 0; n < 100; n++) {
		expect_lit(fd);
		expect_ok(receive_now(mailbox, &got));
	}
	expect_result(receive_now(mailbox, &got), -EAGAIN);
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	cubby_close(mailbox);
}

static void
room_is_told(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_SEND);
	uint64_t got;

	expect_lit(fd);
	fill_mailbox(mailbox);
	for (int n = 0; n < MANY(1000); n++) {
		expect_dark(fd, mailbox, CUBBY_SEND);
		expect_ok(receive_now(mailbox, &got));
		expect_lit(fd);
		expect_ok(send_now(mailbox));
		expect_result(send_now(mailbox), -EAGAIN);
	}
	cubby_close(mailbox);
}

static void
an_aborted_draft_is_room(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_SEND);
	cubby_draft *draft;

	expect_ok(cubby_reserve(mailbox, 8, CUBBY_NOW, &draft));
	fill_mailbox(mailbox);
	expect_dark(fd, mailbox, CUBBY_SEND);
	cubby_abort(draft);
	expect_lit(fd);
	expect_result(cubby_reserve(mailbox, 8, CUBBY_NOW, &draft), 0);
	cubby_abort(draft);
	cubby_close(mailbox);
}

static void
both_ends_have_one(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int receiving = descriptor(mailbox, CUBBY_RECEIVE);
	int sending = descriptor(mailbox, CUBBY_SEND);
	uint64_t got;

	expect(receiving != sending);
	expect_lit(sending);
	expect_dark(receiving, mailbox, CUBBY_RECEIVE);
	fill_mailbox(mailbox);
	expect_lit(receiving);
	expect_dark(sending, mailbox, CUBBY_SEND);
	expect_ok(receive_now(mailbox, &got));
	expect_lit(sending);
	expect_lit(receiving);
	cubby_close(mailbox);
}

/* Calls that find nothing. */
static int
look_by(int call, cubby_mailbox *mailbox)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_wait_entry entry = { mailbox, CUBBY_RECEIVE, 0 };
	struct cubby_batch_entry one = { 0 };
	cubby_message *message;
	cubby_region *region;
	uint64_t got;

	filter.sender = 1;
	switch (call) {
	case 0:
		return receive_now(mailbox, &got);
	case 1:
		return cubby_hold(mailbox, NULL, CUBBY_NOW, &message);
	case 2:
		return cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
					  &got, sizeof(got), NULL, NULL);
	case 3:
		return cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, &got,
					  sizeof(got), NULL, NULL);
	case 4:
		return cubby_receive_full(mailbox, NULL, 0,
					  cubby_deadline_after(1000), &got,
					  sizeof(got), NULL, NULL);
	case 5:
		return cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					    NULL);
	case 6:
		return cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, &one, 1,
					   &got, sizeof(got));
	default:
		return cubby_wait(&entry, 1, CUBBY_NOW);
	}
}

/* Whatever call it is that finds nothing, it alone. (The timer may end between
   it and the poll; not each time.) */
static void
every_call_that_finds_nothing_arms(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE), tries, r;
	uint64_t got;

	for (int call = 0; call < 8; call++) {
		for (tries = 0; tries < 100; tries++) {
			send_number(mailbox, 1);
			expect_lit(fd);
			expect_ok(receive_now(mailbox, &got));
			/* Only one that finds nothing may take its byte. */
			expect_lit(fd);
			r = look_by(call, mailbox);
			expect(r == -EAGAIN || r == -ETIMEDOUT);
			if (!is_readable(fd, 0))
				break;
		}
		expect(tries < 100);
	}
	cubby_close(mailbox);
}

/* What goes back is there again. */
static void
a_rejected_message_is_told(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	cubby_message *message;

	send_number(mailbox, 1);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, &(cubby_message *){
				 NULL }), -EAGAIN);
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	expect_ok(cubby_reject(message));
	expect_lit(fd);
	cubby_close(mailbox);
}

/* A filter finds nothing, others would: it stays readable. */
static void
what_a_filter_refuses_is_told(void)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	filter.sender = 77;
	send_number(mailbox, 1);
	expect_result(cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, &got,
					 sizeof(got), NULL, NULL), -EAGAIN);
	expect_lit(fd);
	expect_ok(receive_now(mailbox, &got));
	cubby_close(mailbox);
}

/* Who is told need not receive. So all are. */
static void
all_who_poll_are_told(void)
{
	cubby_mailbox *sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					     NULL), *receivers[20];
	int fds[20];
	uint64_t got;

	for (size_t i = 0; i < COUNT_OF(receivers); i++) {
		receivers[i] = open_mailbox("m", CUBBY_RECEIVE, NULL);
		fds[i] = descriptor(receivers[i], CUBBY_RECEIVE);
	}
	for (uint64_t n = 0; n < MANY(100); n++) {
		for (size_t i = 0; i < COUNT_OF(receivers); i++)
			expect_dark(fds[i], receivers[i], CUBBY_RECEIVE);
		send_number(sender, n);
		for (size_t i = 0; i < COUNT_OF(receivers); i++)
			expect_lit(fds[i]);
		expect_ok(receive_now(receivers[n % COUNT_OF(receivers)],
				      &got));
	}
	for (size_t i = 0; i < COUNT_OF(receivers); i++)
		cubby_close(receivers[i]);
	cubby_close(sender);
}

/* One that is told and does not heed it keeps nothing from one who sleeps. */
static void
one_that_sleeps_is_woken_beside_one_that_polls(void)
{
	cubby_mailbox *polling = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct gate ready = gate_make(), done = gate_make();
	int fd = descriptor(polling, CUBBY_RECEIVE);
	struct child child;

	in_child(&child) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);

		gate_open(&ready);
		for (uint64_t n = 0; n < 20; n++) {
			expect_number(mailbox, n);
			gate_open(&done);
		}
		cubby_close(mailbox);
	}
	gate_wait(&ready);
	for (uint64_t n = 0; n < 20; n++) {
		expect_dark(fd, polling, CUBBY_RECEIVE);
		child_wait_asleep(&child);
		send_number(polling, n);
		expect_lit(fd);
		gate_wait(&done);
	}
	child_finish(&child);
	cubby_close(polling);
}

/* A sleep that has ended takes nothing back of what the descriptor has said. */
static void
who_has_slept_in_vain_polls_on(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	expect_result(cubby_receive_full(mailbox, NULL, 0,
					 cubby_deadline_after(1000000), &got,
					 sizeof(got), NULL, NULL), -ETIMEDOUT);
	expect(!is_readable(fd, 0));
	send_number(sender, 1);
	expect_lit(fd);
	cubby_close(sender);
	cubby_close(mailbox);
}

/* Do senders have to look who sleeps? */
static bool
is_attention_asked(void)
{
	const struct receivers_file *file;
	char path[PATH_MAX];
	bool asked = false;
	int fd;

	find_file("receivers", path);
	fd = open(path, O_RDONLY);
	file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	for (int i = 0; i < RECEIVERS_MAX / 64; i++)
		asked = asked || word64_load_relaxed(&file->attention[i]);
	munmap((void *)file, PAGE);
	close(fd);
	return asked;
}

/* Once it has been rung, a receiver that always finds something costs its
   senders no more than one that has no descriptor. */
static void
a_stream_is_not_looked_after(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);

	need_order_sender();
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	expect(is_attention_asked());
	for (int n = 0; n < 2000; n++) {
		send_number(mailbox, 1);
		expect_number(mailbox, 1);
	}
	expect(!is_attention_asked());
	/* And it is armed as before. */
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	send_number(mailbox, 1);
	expect_lit(fd);
	cubby_close(mailbox);
}

/* What a sender says in its lane of how it sleeps. */
static uint32_t
sleep_flags(void)
{
	const struct lane_file *file;
	char path[PATH_MAX];
	uint32_t flags;
	int fd;

	find_file("lane.0", path);
	fd = open(path, O_RDONLY);
	file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	flags = (uint32_t)word64_load_relaxed(&file->sleep);
	munmap((void *)file, PAGE);
	close(fd);
	return flags;
}

/* One that was armed often goes to sleep without a barrier, so receivers have to
   fence for it, armed or not. */
static void
who_polled_for_room_often_is_looked_after(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_SEND);
	cubby_draft *draft;
	uint64_t got;

	need_order_sender();
	expect_ok(cubby_reserve(mailbox, 8, CUBBY_NOW, &draft));
	fill_mailbox(mailbox);
	for (int n = 0; n < 10; n++) {
		expect_dark(fd, mailbox, CUBBY_SEND);
		expect_ok(receive_now(mailbox, &got));
		fill_mailbox(mailbox);
	}
	expect_int(sleep_flags(), SLEEP_POLLS | SLEEP_ATTENTION);
	cubby_abort(draft);
	expect_int(sleep_flags(), SLEEP_ATTENTION);
	cubby_close(mailbox);
}

/* In a queue those who wait are served in turn. */
static void
one_that_polls_a_queue_stands_before_one_that_sleeps(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate ready = gate_make();
	cubby_mailbox *polling;
	struct child child;
	int fd;

	options.order = CUBBY_ORDER_ARRIVAL;
	polling = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	in_child(&child) {
		cubby_mailbox *mailbox = open_mailbox("q", CUBBY_RECEIVE, NULL);

		gate_open(&ready);
		expect_number(mailbox, 1);
		cubby_close(mailbox);
	}
	gate_wait(&ready);
	child_wait_asleep(&child);
	fd = descriptor(polling, CUBBY_RECEIVE);
	expect_dark(fd, polling, CUBBY_RECEIVE);
	send_number(polling, 1);
	expect_lit(fd);
	child_finish(&child);
	cubby_close(polling);
}

/* Nothing is buffered: who offers is a message, who waits is room. */
static void
both_ends_of_a_rendezvous_are_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate ready = gate_make();
	cubby_mailbox *mailbox;
	struct child child;
	int receiving, sending;
	uint64_t got;

	options.buffering = CUBBY_RENDEZVOUS;
	options.order = CUBBY_ORDER_ARRIVAL;
	mailbox = open_mailbox("r", CUBBY_CREATE | BOTH, &options);
	receiving = descriptor(mailbox, CUBBY_RECEIVE);
	sending = descriptor(mailbox, CUBBY_SEND);
	expect_dark(receiving, mailbox, CUBBY_RECEIVE);
	in_child(&child) {
		cubby_mailbox *other = open_mailbox("r", BOTH, NULL);

		send_number(other, 1);
		gate_wait(&ready);
		expect_number(other, 2);
		cubby_close(other);
	}
	while (receive_now(mailbox, &got) != 0)
		expect(is_readable(receiving, PATIENCE));
	expect_int(got, 1);
	expect_dark(sending, mailbox, CUBBY_SEND);
	gate_open(&ready);
	got = 2;
	while (cubby_send_full(mailbox, &got, sizeof(got), NULL, 0, CUBBY_NOW))
		expect(is_readable(sending, PATIENCE));
	child_finish(&child);
	cubby_close(mailbox);
}

/* Each has every message, and each is told of it. */
static void
the_audience_of_a_broadcast_is_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *sender, *receivers[3];
	int fds[3], room;
	uint64_t got;

	need_order_sender();
	options.delivery = CUBBY_EVERY;
	sender = open_mailbox("b", CUBBY_CREATE | CUBBY_SEND, &options);
	room = descriptor(sender, CUBBY_SEND);
	for (int i = 0; i < 3; i++) {
		receivers[i] = open_mailbox("b", CUBBY_RECEIVE, NULL);
		fds[i] = descriptor(receivers[i], CUBBY_RECEIVE);
		expect_dark(fds[i], receivers[i], CUBBY_RECEIVE);
	}
	fill_mailbox(sender);
	expect_dark(room, sender, CUBBY_SEND);
	for (int i = 0; i < 3; i++)
		expect_lit(fds[i]);
	for (int i = 0; i < 2; i++)
		while (receive_now(receivers[i], &got) == 0)
			;
	expect_dark(room, sender, CUBBY_SEND);
	expect_ok(receive_now(receivers[2], &got));
	expect_lit(room);
	expect_ok(send_now(sender));
	expect_dark(room, sender, CUBBY_SEND);
	/* The last to hold it back leaves. */
	cubby_close(receivers[2]);
	expect_lit(room);
	cubby_close(receivers[1]);
	cubby_close(receivers[0]);
	cubby_close(sender);
}

/* One handle, shared: one thread sleeps in a receive, another polls. */
static void *
receive_one(void *argument)
{
	uint64_t got = 0;

	expect_ok(cubby_receive(argument, &got, sizeof(got), NULL));
	return (void *)(uintptr_t)got;
}

static void
threads_may_sleep_and_poll(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	for (uint64_t n = 1; n <= MANY(200); n++) {
		pthread_t thread;
		void *its;

		expect_int(pthread_create(&thread, NULL, receive_one, mailbox),
			   0);
		expect_dark(fd, mailbox, CUBBY_RECEIVE);
		send_number(sender, n);
		send_number(sender, n + 1000);
		expect_int(pthread_join(thread, &its), 0);
		expect_lit(fd);
		expect_ok(receive_now(mailbox, &got));
		expect_int(got + (uintptr_t)its, 2 * n + 1000);
		expect_result(receive_now(mailbox, &got), -EAGAIN);
	}
	cubby_close(sender);
	cubby_close(mailbox);
}

/* Across processes, many times: none is missed for longer than a look. */
static void
a_stream_arrives(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	struct child child;
	uint64_t got, n = 0;

	in_child(&child) {
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
		int room = descriptor(sender, CUBBY_SEND);

		for (uint64_t i = 0; i < MANY(20000); i++)
			while (cubby_send_full(sender, &i, sizeof(i), NULL, 0,
					       CUBBY_NOW) != 0)
				expect(is_readable(room, PATIENCE));
		cubby_close(sender);
	}
	while (n < MANY(20000)) {
		expect(is_readable(fd, PATIENCE));
		while (receive_now(mailbox, &got) == 0)
			expect_int(got, n++);
	}
	child_finish(&child);
	cubby_close(mailbox);
}

/* With an edge: after -EAGAIN, the next message is told anew. */
static void
an_edge_is_enough(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE), set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	uint64_t got;

	expect_system(set);
	expect_system(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	for (uint64_t n = 0; n < MANY(1000); n++) {
		/* What it was told before: its timer's end, at most. */
		expect_dark(fd, mailbox, CUBBY_RECEIVE);
		expect_system(epoll_wait(set, &event, 1, 0));
		expect_result(receive_now(mailbox, &got), -EAGAIN);
		send_number(mailbox, n);
		expect_int(epoll_wait(set, &event, 1, PATIENCE), 1);
		while (receive_now(mailbox, &got) == 0)
			;
	}
	close(set);
	cubby_close(mailbox);
}

/* Death ------------------------------------------------------------------ */

static void
poll_for_ever(struct gate *ready, struct gate *go)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	uint64_t got;

	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	gate_open(ready);
	gate_wait(go);
	while (receive_now(mailbox, &got) == 0)
		;
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	gate_open(ready);
	for (;;)
		pause();
}

/* The FIFO that it has left is nobody's: no signal, and it goes with its slot. */
static void
who_rings_a_dead_one_lives_on(void)
{
	cubby_mailbox *sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					     NULL), *next;
	struct gate ready = gate_make(), go = gate_make();
	size_t files = count_files();
	struct child child;

	in_child(&child)
		poll_for_ever(&ready, &go);
	gate_wait(&ready);
	send_number(sender, 1);
	gate_open(&go);
	gate_wait(&ready);
	child_kill(&child);
	/* Through the descriptor that it has kept. */
	send_number(sender, 2);
	next = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_int(count_files(), files);
	expect_number(next, 2);
	cubby_close(next);
	cubby_close(sender);
}

static void
a_sweep_removes_what_a_dead_one_left(void)
{
	cubby_mailbox *sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					     NULL);
	struct gate ready = gate_make(), go = gate_make();
	size_t files = count_files();
	struct child child;

	in_child(&child)
		poll_for_ever(&ready, &go);
	gate_wait(&ready);
	expect_int(count_files(), files + 1);
	/* Not of one who lives. */
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_files(), files + 1);
	child_kill(&child);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_files(), files);
	cubby_close(sender);
}

static void
fill_and_poll_for_ever(struct gate *ready)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	int fd = descriptor(mailbox, CUBBY_SEND);

	fill_mailbox(mailbox);
	expect_dark(fd, mailbox, CUBBY_SEND);
	gate_open(ready);
	for (;;)
		pause();
}

static void
a_dead_sender_leaves_nothing_to_its_successor(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL), *next;
	struct gate ready = gate_make();
	struct child child;
	size_t files;

	cubby_close(open_mailbox("m", CUBBY_SEND, NULL));
	files = count_files();
	in_child(&child)
		fill_and_poll_for_ever(&ready);
	gate_wait(&ready);
	expect_int(count_files(), files + 1);
	child_kill(&child);
	next = open_mailbox("m", CUBBY_SEND, NULL);
	expect_int(count_files(), files);
	/* Rings nobody. */
	receive_number(mailbox);
	cubby_close(next);
	cubby_close(mailbox);
}

/* A named one's lane is nobody else's to take over, and is swept all the same. */
static void
a_sweep_removes_what_a_dead_sender_left(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	struct gate ready = gate_make();
	struct child child;
	size_t files;

	options.sender = "Ada";
	cubby_close(open_mailbox("m", CUBBY_SEND, &options));
	files = count_files();
	in_child(&child) {
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, &options);

		descriptor(sender, CUBBY_SEND);
		gate_open(&ready);
		for (;;)
			pause();
	}
	gate_wait(&ready);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_files(), files + 1);
	child_kill(&child);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_files(), files);
	cubby_close(mailbox);
}

static void
closing_takes_it_down(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	size_t files = count_files();

	for (int n = 0; n < 50; n++) {
		cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);

		descriptor(other, CUBBY_RECEIVE);
		expect_int(count_files(), files + 1);
		cubby_close(other);
		expect_int(count_files(), files);
		send_number(mailbox, 1);
		expect_number(mailbox, 1);
	}
	cubby_close(mailbox);
}

static void
a_child_leaves_it_to_its_parent(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE);
	struct child child;
	uint64_t got;

	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	in_child(&child) {
		expect_result(cubby_fd(mailbox, CUBBY_RECEIVE), -ECHILD);
		cubby_close(mailbox);
	}
	child_finish(&child);
	send_number(mailbox, 1);
	expect_lit(fd);
	expect_ok(receive_now(mailbox, &got));
	cubby_close(mailbox);
}

/* Errors ----------------------------------------------------------------- */

static void
what_makes_no_sense_is_refused(void)
{
	cubby_mailbox *receiver = open_mailbox("m", CUBBY_CREATE |
					       CUBBY_RECEIVE, NULL);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);

	expect_result(cubby_fd(NULL, CUBBY_RECEIVE), -EINVAL);
	expect_result(cubby_fd(receiver, 0), -EINVAL);
	expect_result(cubby_fd(receiver, BOTH), -EINVAL);
	expect_result(cubby_fd(receiver, CUBBY_SEND), -EBADF);
	expect_result(cubby_fd(sender, CUBBY_RECEIVE), -EBADF);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
without_descriptors_nothing_is_left(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	size_t files = count_files();
	struct rlimit limit;
	rlim_t before, first;
	int next, r;

	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	before = limit.rlim_cur;
	next = dup(0);
	close(next);
	/* One more is allowed each time, until they are enough. */
	for (first = (rlim_t)next;; first++) {
		limit.rlim_cur = first;
		expect_system(setrlimit(RLIMIT_NOFILE, &limit));
		r = cubby_fd(mailbox, CUBBY_RECEIVE);
		limit.rlim_cur = before;
		expect_system(setrlimit(RLIMIT_NOFILE, &limit));
		if (r >= 0)
			break;
		expect_int(r, -EMFILE);
		expect_int(count_files(), files);
	}
	expect(first > (rlim_t)next + 1);
	send_number(mailbox, 1);
	expect_lit(r);
	cubby_close(mailbox);
}

/* Who has none left to ring with leaves it to the timer. */
static void
without_descriptors_a_send_is_no_less_sent(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	int fd = descriptor(mailbox, CUBBY_RECEIVE), next;
	struct rlimit limit;
	uint64_t got;
	rlim_t before;

	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	before = limit.rlim_cur;
	next = dup(0);
	close(next);
	limit.rlim_cur = (rlim_t)next;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
	expect_dark(fd, mailbox, CUBBY_RECEIVE);
	send_number(mailbox, 1);
	expect(is_readable(fd, PATIENCE));
	expect_ok(receive_now(mailbox, &got));
	limit.rlim_cur = before;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
	cubby_close(mailbox);
}

int
main(void)
{
	const struct test tests[] = {
		TEST(one_message_is_enough),
		TEST(what_waits_already_is_told_at_once),
		TEST(it_is_a_level),
		TEST(room_is_told),
		TEST(an_aborted_draft_is_room),
		TEST(both_ends_have_one),
		TEST(every_call_that_finds_nothing_arms),
		TEST(a_rejected_message_is_told),
		TEST(what_a_filter_refuses_is_told),
		TEST(all_who_poll_are_told),
		TEST(one_that_sleeps_is_woken_beside_one_that_polls),
		TEST(who_has_slept_in_vain_polls_on),
		TEST(a_stream_is_not_looked_after),
		TEST(who_polled_for_room_often_is_looked_after),
		TEST(one_that_polls_a_queue_stands_before_one_that_sleeps),
		TEST(both_ends_of_a_rendezvous_are_told),
		TEST(the_audience_of_a_broadcast_is_told),
		TEST(threads_may_sleep_and_poll),
		TEST(a_stream_arrives),
		TEST(an_edge_is_enough),
		TEST(who_rings_a_dead_one_lives_on),
		TEST(a_sweep_removes_what_a_dead_one_left),
		TEST(a_dead_sender_leaves_nothing_to_its_successor),
		TEST(a_sweep_removes_what_a_dead_sender_left),
		TEST(closing_takes_it_down),
		TEST(a_child_leaves_it_to_its_parent),
		TEST(what_makes_no_sense_is_refused),
		TEST(without_descriptors_nothing_is_left),
		TEST(without_descriptors_a_send_is_no_less_sent),
	};

	return RUN_TESTS("pollable", tests);
}
