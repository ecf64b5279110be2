/* SPDX-License-Identifier: MIT */
/*
 * Nobody sends where these receive, and nobody receives where these send; so any
 * number of processes may wait side by side.
 */
#include "deadlines.h"
#include "handle.h"
#include <cubby_sync.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define SPAN (INT64_C(40) * 1000000)
#define LONG_SPAN (INT64_C(400) * 1000000) /* several looks of a sleeper */
/* Of one that is late is said how much; of one that is as late as this, and later
   than a sleep beside it, that it is wrong: there are steps of hours. */
#define TOO_LATE (INT64_C(15) * 1000000000)

/* Not by the library's eyes. */
static int64_t
now(void)
{
	struct timespec time;

	expect_system(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time));
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static struct {
	const char *who, *worst_name;
	int64_t worst;
	unsigned int waits;
	_Atomic int64_t *sleep;
} all;

/* How late the machine is by itself: a process that only sleeps, beside. */
static _Noreturn void
sleep_for_ever(void)
{
	int64_t deadline = now();

	for (;;) {
		struct timespec time;
		int64_t late;

		deadline += 10 * 1000000;
		time.tv_sec = deadline / 1000000000;
		time.tv_nsec = deadline % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		late = now() - deadline;
		if (late > *all.sleep)
			*all.sleep = late;
		if (late > 0)
			deadline += late;
	}
}

static void
check(const char *name, int64_t deadline, int got, int wanted)
{
	int64_t late = now() - deadline;

	if (got != wanted)
		fail_at(__FILE__, __LINE__, "%s, %s: %d, not %d", all.who, name,
			got, wanted);
	if (late < 0 || late > TOO_LATE + *all.sleep)
		fail_at(__FILE__, __LINE__, "%s, %s: %lld ns after the deadline",
			all.who, name, (long long)late);
	if (late > all.worst) {
		all.worst = late;
		all.worst_name = name;
	}
	all.waits++;
}

/* call: with `deadline` in it. */
#define WAITS(name, span, wanted, call) \
	do { \
		int64_t deadline = cubby_deadline_after(span); \
		int result = (call); \
\
		check(name, deadline, result, wanted); \
	} while (0)

static cubby_mailbox *
open_one(const char *name, enum cubby_order order,
	 enum cubby_buffering buffering, enum cubby_delivery delivery)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = NULL;

	options.order = order;
	options.buffering = buffering;
	options.delivery = delivery;
	/* So many are open at a time, that 32 bits would not address their lanes. */
	options.message_max = options.memory_limit = 64 << 10;
	if (buffering == CUBBY_LIMITED)
		options.capacity = 4;
	expect_ok(cubby_open(name, CUBBY_CREATE | BOTH, &options, &mailbox));
	return mailbox;
}

/* For messages ----------------------------------------------------------------- */

static void
wait_to_receive(cubby_mailbox *m, bool every)
{
	struct cubby_batch_entry entry = { 0 };
	struct cubby_wait_entry one = { m, CUBBY_RECEIVE, 0 };
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct pollfd asked = { .events = POLLIN };
	cubby_message *message = NULL;
	cubby_region *region = NULL;
	char buffer[64];

	WAITS("receive", SPAN, -ETIMEDOUT,
	      cubby_receive_full(m, NULL, 0, deadline, buffer, sizeof(buffer),
				 NULL, NULL));
	WAITS("peek", SPAN, -ETIMEDOUT,
	      cubby_receive_full(m, NULL, CUBBY_PEEK, deadline, buffer,
				 sizeof(buffer), NULL, NULL));
	WAITS("hold", SPAN, -ETIMEDOUT,
	      cubby_hold(m, NULL, deadline, &message));
	WAITS("receive a batch", SPAN, -ETIMEDOUT,
	      cubby_receive_batch(m, NULL, 0, deadline, &entry, 1, buffer,
				  sizeof(buffer)));
	WAITS("wait for a message", SPAN, -ETIMEDOUT,
	      cubby_wait(&one, 1, deadline));
	filter.sender_name = "nobody";
	WAITS("receive from one", SPAN, -ETIMEDOUT,
	      cubby_receive_full(m, &filter, 0, deadline, buffer,
				 sizeof(buffer), NULL, NULL));
	if (every)
		return;
	WAITS("receive a region", SPAN, -ETIMEDOUT,
	      cubby_receive_region(m, NULL, deadline, &region, NULL));
	WAITS("receive, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_receive_full(m, NULL, 0, deadline, buffer, sizeof(buffer),
				 NULL, NULL));
	/* The timer of a descriptor: it is lit again by itself. */
	asked.fd = cubby_fd(m, CUBBY_RECEIVE);
	expect(asked.fd >= 0);
	expect_empty(m);
	expect_int(poll(&asked, 1, TOO_LATE / 1000000), 1);
}

/* For room ---------------------------------------------------------------------- */

static void
fill(cubby_mailbox *m)
{
	while (cubby_send_full(m, "x", 1, NULL, 0, CUBBY_NOW) == 0)
		;
}

static void
wait_for_room(cubby_mailbox *m, bool every)
{
	struct cubby_batch_entry entry = { "x", 1, NULL };
	struct cubby_wait_entry one = { m, CUBBY_SEND, 0 };
	cubby_region *region = NULL;
	cubby_draft *draft = NULL;
	char reply[8];

	fill(m);
	WAITS("send", SPAN, -ETIMEDOUT,
	      cubby_send_full(m, "x", 1, NULL, 0, deadline));
	WAITS("send, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_send_full(m, "x", 1, NULL, 0, deadline));
	WAITS("send a batch", SPAN, -ETIMEDOUT,
	      cubby_send_batch(m, &entry, 1, 0, deadline));
	WAITS("reserve", SPAN, -ETIMEDOUT,
	      cubby_reserve(m, 1, deadline, &draft));
	WAITS("wait for room", SPAN, -ETIMEDOUT, cubby_wait(&one, 1, deadline));
	if (every)
		return; /* neither requests nor regions */
	WAITS("call, for room", SPAN, -ETIMEDOUT,
	      cubby_call(m, "x", 1, reply, sizeof(reply), NULL, deadline));
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	WAITS("send a region", SPAN, -ETIMEDOUT,
	      cubby_send_region(m, region, NULL, deadline));
	cubby_region_close(region);
}

/* For its being taken ------------------------------------------------------------- */

static void
wait_to_be_taken(cubby_mailbox *m, bool lanes)
{
	uint64_t sequence, tag;

	WAITS("send synchronously", SPAN, lanes ? -EINPROGRESS : -ETIMEDOUT,
	      cubby_send_full(m, "x", 1, NULL, CUBBY_SYNCHRONOUS, deadline));
	if (!lanes)
		expect_ok(cubby_send_full(m, "x", 1, NULL, 0, CUBBY_NOW));
	expect_ok(cubby_published(m, &sequence, &tag));
	WAITS("wait until it is received", SPAN, -ETIMEDOUT,
	      cubby_wait_received(m, sequence, deadline));
}

static void
wait_for_replies(cubby_mailbox *m)
{
	cubby_request *request = NULL;
	char reply[8];

	WAITS("call", SPAN, -ETIMEDOUT,
	      cubby_call(m, "x", 1, reply, sizeof(reply), NULL, deadline));
	expect_ok(cubby_call_begin(m, "x", 1, NULL, CUBBY_NOW, &request));
	WAITS("end a call", SPAN, -ETIMEDOUT,
	      cubby_call_end(request, reply, sizeof(reply), NULL, deadline));
	cubby_call_cancel(request);
}

/* Where sender and receiver meet ---------------------------------------------------- */

static void
wait_to_meet(void)
{
	cubby_mailbox *m = open_one("offers", CUBBY_ORDER_ARRIVAL,
				    CUBBY_RENDEZVOUS, CUBBY_ONE);

	WAITS("offer", SPAN, -ETIMEDOUT,
	      cubby_send_full(m, "x", 1, NULL, 0, deadline));
	WAITS("offer, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_send_full(m, "x", 1, NULL, CUBBY_SYNCHRONOUS, deadline));
	cubby_close(m);
	m = open_one("askers", CUBBY_ORDER_PRIORITY, CUBBY_RENDEZVOUS,
		     CUBBY_ONE);
	wait_to_receive(m, false);
	cubby_close(m);
}

/* On several -------------------------------------------------------------------------- */

static void
wait_for_many(size_t count)
{
	struct cubby_wait_entry *entries = calloc(count, sizeof(*entries));
	char name[32];

	expect(entries != NULL);
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "one-of-many-%zu", i % 9);
		entries[i].mailbox = open_one(name, (enum cubby_order)(i % 3),
					      CUBBY_LIMITED, CUBBY_ONE);
		entries[i].events = CUBBY_RECEIVE;
	}
	WAITS("wait for many", SPAN, -ETIMEDOUT,
	      cubby_wait(entries, count, deadline));
	WAITS("wait for many, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_wait(entries, count, deadline));
	for (size_t i = 0; i < count; i++)
		cubby_close(entries[i].mailbox);
	free(entries);
	WAITS("wait for nothing", SPAN, -ETIMEDOUT,
	      cubby_wait(NULL, 0, deadline));
}

/* Behind one who stands still ----------------------------------------------------------- */

/* Starts that in a child, and waits until it has stopped itself over it. */
static void
start_stopped(struct child *child, void (*body)(void))
{
	siginfo_t info;

	in_child(child)
		body();
	expect_system(waitid(P_PID, (id_t)child->pid, &info,
			     WSTOPPED | WEXITED | WNOWAIT));
	expect_int(info.si_code, CLD_STOPPED);
}

struct shared {
	cubby_mutex mutex, free;
	cubby_condition condition;
	cubby_semaphore semaphore;
};

static char region_name[32], queue_name[32];

static struct shared *
open_shared(cubby_region **ret)
{
	expect_ok(cubby_region_open(region_name, CUBBY_CREATE | CUBBY_WRITE,
				    NULL, ret));
	return cubby_region_data(*ret);
}

static void
lock_and_stop(void)
{
	cubby_region *region = NULL;
	struct shared *shared = open_shared(&region);

	expect_ok(cubby_mutex_lock(region, &shared->mutex, soon()));
	raise(SIGSTOP);
}

static void
wait_for_locks(void)
{
	cubby_region *region = NULL;
	struct shared *shared;
	struct child holder;

	start_stopped(&holder, lock_and_stop);
	shared = open_shared(&region);
	WAITS("lock a mutex", SPAN, -ETIMEDOUT,
	      cubby_mutex_lock(region, &shared->mutex, deadline));
	WAITS("lock a mutex, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_mutex_lock(region, &shared->mutex, deadline));
	WAITS("wait for a semaphore", SPAN, -ETIMEDOUT,
	      cubby_semaphore_wait(region, &shared->semaphore, deadline));
	WAITS("wait for a semaphore, for long", LONG_SPAN, -ETIMEDOUT,
	      cubby_semaphore_wait(region, &shared->semaphore, deadline));
	expect_ok(cubby_mutex_lock(region, &shared->free, soon()));
	WAITS("wait for a condition", SPAN, -ETIMEDOUT,
	      cubby_condition_wait(region, &shared->condition, &shared->free,
				   deadline));
	expect_ok(cubby_mutex_unlock(region, &shared->free));
	child_kill(&holder);
	cubby_region_close(region);
}

/* A queue's own lock, which only what is killed or stopped inside keeps. */
static void
enter_and_stop(void)
{
	cubby_mailbox *m = open_one(queue_name, CUBBY_ORDER_ARRIVAL,
				    CUBBY_LIMITED, CUBBY_ONE);

	expect_ok(queue_enter(&m->queue, soon()));
	raise(SIGSTOP);
}

static void
wait_behind_the_stopped(void)
{
	struct cubby_wait_entry entries[2] = { { .events = CUBBY_RECEIVE },
					       { .events = CUBBY_SEND } };
	cubby_message *message = NULL;
	cubby_mailbox *m[4];
	struct child owner;
	char buffer[8];

	for (size_t i = 0; i < COUNT_OF(m); i++)
		m[i] = open_one(queue_name, CUBBY_ORDER_ARRIVAL, CUBBY_LIMITED,
				CUBBY_ONE);
	entries[0].mailbox = m[2];
	entries[1].mailbox = m[3];
	start_stopped(&owner, enter_and_stop);
	WAITS("receive behind the stopped", SPAN, -ETIMEDOUT,
	      cubby_receive_full(m[0], NULL, 0, deadline, buffer,
				 sizeof(buffer), NULL, NULL));
	WAITS("hold behind the stopped", LONG_SPAN, -ETIMEDOUT,
	      cubby_hold(m[0], NULL, deadline, &message));
	WAITS("send behind the stopped", SPAN, -ETIMEDOUT,
	      cubby_send_full(m[1], "x", 1, NULL, 0, deadline));
	WAITS("send behind the stopped, synchronously", LONG_SPAN, -ETIMEDOUT,
	      cubby_send_full(m[1], "x", 1, NULL, CUBBY_SYNCHRONOUS, deadline));
	WAITS("wait behind the stopped", SPAN, -ETIMEDOUT,
	      cubby_wait(entries, 2, deadline));
	child_kill(&owner);
	for (size_t i = 0; i < COUNT_OF(m); i++)
		cubby_close(m[i]);
}

/* All ---------------------------------------------------------------------------- */

static void
wait_at(const char *name, enum cubby_order order,
	enum cubby_delivery delivery)
{
	bool lanes = order == CUBBY_ORDER_SENDER;
	bool every = delivery != CUBBY_ONE;
	char full[64];
	cubby_mailbox *m;

	snprintf(full, sizeof(full), "%s-empty", name);
	m = open_one(full, order, CUBBY_LIMITED, delivery);
	wait_to_receive(m, every);
	cubby_close(m);
	/* Of a broadcast, this handle receives as well, and holds itself up. */
	snprintf(full, sizeof(full), "%s-full", name);
	m = open_one(full, order, CUBBY_LIMITED, delivery);
	wait_for_room(m, every);
	cubby_close(m);
	snprintf(full, sizeof(full), "%s-taken", name);
	m = open_one(full, order, CUBBY_UNLIMITED, CUBBY_ONE);
	wait_to_be_taken(m, lanes);
	wait_for_replies(m);
	cubby_close(m);
}

void
wait_in_each_call(const char *who)
{
	struct child sleeper;

	memset(&all, 0, sizeof(all));
	all.who = who;
	all.sleep = shared_memory(sizeof(*all.sleep));
	in_child(&sleeper)
		sleep_for_ever();
	snprintf(region_name, sizeof(region_name), "shared-%s", who);
	snprintf(queue_name, sizeof(queue_name), "behind-%s", who);
	wait_at("lanes", CUBBY_ORDER_SENDER, CUBBY_ONE);
	wait_at("arrival", CUBBY_ORDER_ARRIVAL, CUBBY_ONE);
	wait_at("priority", CUBBY_ORDER_PRIORITY, CUBBY_ONE);
	wait_at("every", CUBBY_ORDER_SENDER, CUBBY_EVERY);
	wait_to_meet();
	wait_for_many(8);
	wait_for_many(160);
	wait_for_locks();
	wait_behind_the_stopped();
	child_kill(&sleeper);
	printf("%s: %u waits, the latest %.3f ms late: %s (a sleep beside them: "
	       "%.3f ms)\n",
	       who, all.waits, (double)all.worst / 1e6, all.worst_name,
	       (double)*all.sleep / 1e6);
	fflush(stdout);
}
