/* SPDX-License-Identifier: MIT */
/*
 * A message's tag says who sent it and which it is, so that one of no bytes is
 * accounted for as well; its bytes follow from the tag. Each sender in turn
 * copies, fills in place and sends synchronously; each receiver in turn copies,
 * holds, and gives back before it holds again.
 *
 * By batches, each sender sends them so alone, of all lengths up to the longest;
 * each receiver copies so, and holds, and gives back.
 *
 * Senders end when the last of theirs has been handed out. Then nothing waits,
 * and one message for each receiver ends those, one after the other, so that
 * no batch has two.
 */
#include "exchange.h"
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <signal.h>

#define NAME "exchange"
#define TAG_END UINT64_MAX
#define WORKERS_MAX 16
#define BATCH_MAX 256
#define TYPE_OF(n) ((int64_t)((n) % 7))

struct account {
	_Atomic uint64_t received;     /* all of them, for good */
	_Atomic uint64_t handed_out;   /* given back and handed out again */
	_Atomic int ended;	       /* receivers */
	_Atomic unsigned char times[]; /* [sender * messages + number] */
};

struct worker {
	const struct exchange *exchange;
	struct account *account;
	cubby_mailbox *mailbox; /* one_handle: shared */
	int index;
	bool sends;
	uint64_t next[WORKERS_MAX]; /* of each sender, the least that may
					   come */
	uint64_t sequence;	    /* of what was sent last */
	char *buffer;
};

static uint64_t
tag_of(int sender, uint64_t number)
{
	return (uint64_t)sender << 40 | number;
}

static size_t
buffer_size(const struct exchange *exchange)
{
	return (exchange->size_max + 8) *
	       (exchange->batch ? (size_t)exchange->batch : 1);
}

/* Mostly short, now and then as large as can be. */
static size_t
size_of(const struct exchange *exchange, uint64_t tag)
{
	uint64_t random = (tag + 1) * UINT64_C(0xd6e8feb86659fd93) >> 20;
	size_t most = exchange->size_max;

	switch (random % 16) {
	case 0:
		return 0;
	case 1:
		return random / 16 % (most + 1);
	case 2:
		return random / 16 % 512 <= most ? random / 16 % 512 : most;
	default:
		return random / 16 % 128 <= most ? random / 16 % 128 : most;
	}
}

/* Sending ---------------------------------------------------------------- */

static int
send_copied(struct worker *worker, size_t size, struct cubby_envelope *envelope)
{
	return cubby_send_full(worker->mailbox, worker->buffer, size, envelope,
			       0, soon());
}

static int
send_in_place(struct worker *worker, size_t size,
	      struct cubby_envelope *envelope)
{
	cubby_draft *draft;
	int result = cubby_reserve(worker->mailbox, size, soon(), &draft);

	if (result < 0)
		return result;
	if (size > 0)
		memcpy(cubby_draft_data(draft), worker->buffer, size);
	return cubby_commit(draft, size, envelope);
}

static int
send_synchronously(struct worker *worker, size_t size,
		   struct cubby_envelope *envelope)
{
	int result = cubby_send_full(worker->mailbox, worker->buffer, size,
				     envelope, CUBBY_SYNCHRONOUS, soon());

	/* A signal came; it is queued, and will be delivered. */
	return result == -EINPROGRESS && worker->exchange->storm_us ? 0 :
								      result;
}

static void
send_one(struct worker *worker, uint64_t number)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t tag = tag_of(worker->index, number);
	size_t size = size_of(worker->exchange, tag);
	int result;

	pattern_fill(worker->buffer, size, tag);
	do {
		envelope.tag = tag;
		envelope.type = TYPE_OF(number);
		if (number % 64 == 5)
			result = send_synchronously(worker, size, &envelope);
		else if (number % 3 == 0)
			result = send_in_place(worker, size, &envelope);
		else
			result = send_copied(worker, size, &envelope);
	} while (result == -EINTR && worker->exchange->storm_us);
	expect_ok(result);
	if (number > 0 && !worker->exchange->one_handle)
		expect_int(envelope.sequence - worker->sequence, 1);
	worker->sequence = envelope.sequence;
}

/* The next ones, as many as may be sent at once; returns how many were. */
static int
send_some(struct worker *worker, uint64_t number)
{
	static _Thread_local struct cubby_envelope envelopes[BATCH_MAX];
	const struct exchange *exchange = worker->exchange;
	struct cubby_batch_entry entries[BATCH_MAX];
	uint64_t left = exchange->messages - number;
	int count = 1 + (int)(number % (uint64_t)exchange->batch), result;
	char *bytes = worker->buffer;

	if ((uint64_t)count > left)
		count = (int)left;
	for (int i = 0; i < count; i++) {
		uint64_t tag = tag_of(worker->index, number + (uint64_t)i);
		size_t size = size_of(exchange, tag);

		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		envelopes[i].tag = tag;
		envelopes[i].type = TYPE_OF(number + (uint64_t)i);
		pattern_fill(bytes, size, tag);
		entries[i] = (struct cubby_batch_entry){ bytes, size,
							 &envelopes[i] };
		bytes += size;
	}
	do
		result = cubby_send_batch(worker->mailbox, entries,
					  (size_t)count, 0, soon());
	while (result == -EINTR && exchange->storm_us);
	expect(result > 0 && result <= count);
	expect(result == count || exchange->storm_us);
	for (int i = 0; i < result && !exchange->one_handle; i++) {
		if (number + (uint64_t)i > 0)
			expect_int(envelopes[i].sequence - worker->sequence, 1);
		worker->sequence = envelopes[i].sequence;
	}
	return result;
}

static void
wait_received_all(struct worker *worker)
{
	uint64_t sequence, tag;
	int result;

	expect_ok(cubby_published(worker->mailbox, &sequence, &tag));
	if (!worker->exchange->one_handle)
		expect_int(tag, tag_of(worker->index,
				       worker->exchange->messages - 1));
	do
		result = cubby_wait_received(worker->mailbox, sequence, soon());
	while (result == -EINTR && worker->exchange->storm_us);
	expect_ok(result);
}

static void
send_all(struct worker *worker)
{
	for (uint64_t n = 0; n < worker->exchange->messages;)
		if (worker->exchange->batch) {
			n += (uint64_t)send_some(worker, n);
		} else {
			send_one(worker, n);
			n++;
		}
	wait_received_all(worker);
}

/* Receiving -------------------------------------------------------------- */

/* Returns false at the end. */
static bool
check_message(struct worker *worker, const struct cubby_envelope *envelope,
	      const void *data, size_t size)
{
	const struct exchange *exchange = worker->exchange;
	uint64_t sender = envelope->tag >> 40;
	uint64_t number = envelope->tag & ((UINT64_C(1) << 40) - 1);

	if (envelope->tag == TAG_END)
		return false;
	expect(sender < (uint64_t)exchange->senders);
	expect(number < exchange->messages);
	expect_int(envelope->size, size);
	expect_int(size, size_of(exchange, envelope->tag));
	expect_int(envelope->type, TYPE_OF(number));
	expect_int(envelope->uid, geteuid());
	expect(pattern_holds(data, size, envelope->tag));
	/* With several that share a handle, whose first is not known. */
	if (envelope->deliveries == 1) {
		if (number < worker->next[sender])
			fail_at(__FILE__, __LINE__,
				"sender %d: %llu after "
				"%llu",
				(int)sender, (long long)number,
				(long long)worker->next[sender] - 1);
		worker->next[sender] = number + 1;
	}
	return true;
}

static void
count_message(struct worker *worker, uint64_t tag)
{
	uint64_t index = (tag >> 40) * worker->exchange->messages +
			 (tag & ((UINT64_C(1) << 40) - 1));

	if (atomic_fetch_add(&worker->account->times[index], 1) != 0)
		fail_at(__FILE__, __LINE__, "message %#llx came twice",
			(long long)tag);
	atomic_fetch_add(&worker->account->received, 1);
}

static bool
receive_copied(struct worker *worker)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t size = 0;
	int result;

	do
		result = cubby_receive_full(worker->mailbox, NULL, 0, soon(),
					    worker->buffer,
					    worker->exchange->size_max, &size,
					    &envelope);
	while (result == -EINTR && worker->exchange->storm_us);
	expect_ok(result);
	if (!check_message(worker, &envelope, worker->buffer, size))
		return false;
	count_message(worker, envelope.tag);
	return true;
}

static bool
receive_some(struct worker *worker)
{
	static _Thread_local struct cubby_envelope envelopes[BATCH_MAX];
	const struct exchange *exchange = worker->exchange;
	struct cubby_batch_entry entries[BATCH_MAX];
	bool more = true;
	int result;

	for (int i = 0; i < exchange->batch; i++) {
		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		entries[i].envelope = &envelopes[i];
	}
	do
		result = cubby_receive_batch(worker->mailbox, NULL, 0, soon(),
					     entries, (size_t)exchange->batch,
					     worker->buffer,
					     buffer_size(exchange));
	while (result == -EINTR && exchange->storm_us);
	expect(result > 0 && result <= exchange->batch);
	for (int i = 0; i < result; i++) {
		if (check_message(worker, &envelopes[i], entries[i].data,
				  entries[i].size))
			count_message(worker, envelopes[i].tag);
		else
			more = false;
	}
	return more;
}

static bool
receive_held(struct worker *worker, bool reject)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	int result;

	do
		result = cubby_hold(worker->mailbox, NULL, soon(), &message);
	while (result == -EINTR && worker->exchange->storm_us);
	expect_ok(result);
	expect_ok(cubby_message_envelope(message, &envelope));
	if (!check_message(worker, &envelope, cubby_message_data(message),
			   cubby_message_size(message))) {
		expect_ok(cubby_release(message));
		return false;
	}
	/* Once only, or it might never end. */
	if (reject && envelope.deliveries == 1) {
		atomic_fetch_add(&worker->account->handed_out, 1);
		expect_ok(cubby_reject(message));
		return true;
	}
	count_message(worker, envelope.tag);
	expect_ok(cubby_release(message));
	return true;
}

static void
receive_all(struct worker *worker)
{
	uint64_t turn = 0;
	bool more;

	do {
		turn++;
		if (turn % 4 == 1)
			more = receive_held(worker, turn % 32 == 1);
		else if (worker->exchange->batch)
			more = receive_some(worker);
		else
			more = receive_copied(worker);
	} while (more);
}

/* Workers ---------------------------------------------------------------- */

static void
on_storm(int number)
{
	(void)number;
}

static void
start_storm(unsigned int microseconds)
{
	struct sigaction action = { .sa_handler = on_storm };
	struct itimerval often = { { 0, microseconds }, { 0, microseconds } };

	expect_system(sigaction(SIGALRM, &action, NULL));
	expect_system(setitimer(ITIMER_REAL, &often, NULL));
}

static void
stop_storm(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &never, NULL);
}

static void *
run_worker(void *context)
{
	struct worker *worker = context;
	int role = worker->sends ? CUBBY_SEND : CUBBY_RECEIVE;

	worker->buffer = malloc(buffer_size(worker->exchange));
	expect(worker->buffer != NULL);
	if (!worker->exchange->one_handle)
		worker->mailbox = open_mailbox(NAME, role, NULL);
	if (worker->exchange->storm_us)
		start_storm(worker->exchange->storm_us);
	if (worker->sends)
		send_all(worker);
	else
		receive_all(worker);
	if (!worker->sends)
		atomic_fetch_add(&worker->account->ended, 1);
	if (worker->exchange->storm_us)
		stop_storm();
	if (!worker->exchange->one_handle)
		cubby_close(worker->mailbox);
	free(worker->buffer);
	return NULL;
}

struct crew {
	struct worker workers[WORKERS_MAX];
	struct child children[WORKERS_MAX];
	pthread_t threads[WORKERS_MAX];
	int count;
};

static void
crew_start(struct crew *crew, int index)
{
	struct worker *worker = &crew->workers[index];

	if (worker->exchange->threads) {
		expect_int(pthread_create(&crew->threads[index], NULL,
					  run_worker, worker),
			   0);
		return;
	}
	in_child(&crew->children[index])
		run_worker(worker);
}

static void
crew_join(struct crew *crew, int index)
{
	if (crew->workers[index].exchange->threads)
		expect_int(pthread_join(crew->threads[index], NULL), 0);
	else
		child_finish(&crew->children[index]);
}

static void
crew_fill(struct crew *crew, const struct exchange *exchange,
	  struct account *account, cubby_mailbox *shared)
{
	memset(crew, 0, sizeof(*crew));
	crew->count = exchange->senders + exchange->receivers;
	expect(crew->count <= WORKERS_MAX);
	for (int i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];

		worker->exchange = exchange;
		worker->account = account;
		worker->mailbox = exchange->one_handle ? shared : NULL;
		worker->sends = i < exchange->senders;
		worker->index = worker->sends ? i : i - exchange->senders;
	}
}

static void
send_ends(cubby_mailbox *mailbox, struct account *account, int count)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.tag = TAG_END;
	for (int i = 0; i < count; i++) {
		while (atomic_load(&account->ended) < i)
			sched_yield();
		expect_ok(cubby_send_full(mailbox, NULL, 0, &envelope, 0,
					  soon()));
	}
}

static void
check_account(const struct exchange *exchange, const struct account *account)
{
	uint64_t all = exchange->messages * exchange->senders;
	struct cubby_info info = inspect(NAME);

	for (uint64_t i = 0; i < all; i++)
		if (account->times[i] != 1)
			fail_at(__FILE__, __LINE__,
				"sender %llu's message "
				"%llu came %d times",
				(long long)(i / exchange->messages),
				(long long)(i % exchange->messages),
				account->times[i]);
	expect_int(account->received, all);
	expect_int(info.waiting, 0);
	expect_int(info.held, 0);
	expect_int(info.returned, 0);
	expect_int(info.broken, 0);
	expect_int(info.sent, all + exchange->receivers);
}

void
exchange_run(const struct exchange *exchange)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint64_t all = exchange->messages * exchange->senders;
	struct account *account = shared_memory(sizeof(*account) + all);
	cubby_mailbox *mailbox;
	static struct crew crew;

	options.capacity = exchange->capacity;
	options.message_max = exchange->size_max;
	mailbox = open_mailbox(NAME,
			       CUBBY_CREATE | CUBBY_EXCLUSIVE |
				       (exchange->one_handle ?
						CUBBY_SEND | CUBBY_RECEIVE :
						CUBBY_SEND),
			       &options);
	crew_fill(&crew, exchange, account, mailbox);
	for (int i = 0; i < crew.count; i++)
		crew_start(&crew, i);
	for (int i = 0; i < exchange->senders; i++)
		crew_join(&crew, i);
	send_ends(mailbox, account, exchange->receivers);
	for (int i = exchange->senders; i < crew.count; i++)
		crew_join(&crew, i);
	check_account(exchange, account);
	cubby_close(mailbox);
	expect_ok(cubby_unlink(NAME));
}
