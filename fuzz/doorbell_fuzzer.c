/* SPDX-License-Identifier: MIT */
/*
 * A doorbell that is rewritten while both sides sleep and wake each other:
 * everything comes, in order, if later.
 */
#include "fuzz.h"
#include <pthread.h>

#define PATIENCE (INT64_C(30) * 1000000000)
#define MESSAGES 24

static cubby_mailbox *sender;
static uint64_t messages;
static int flags;

static void *
send_all(void *unused)
{
	int result;

	for (uint64_t i = 0; i < messages; i++) {
		do
			result = cubby_send_full(
				sender, &i, sizeof(i), NULL, flags,
				cubby_deadline_after(PATIENCE));
		while (result == -EINTR); /* libFuzzer's alarm */
		if (result)
			finding("message %llu cannot be sent: %s",
				(unsigned long long)i, strerror(-result));
	}
	return unused;
}

static void
receive_all(cubby_mailbox *receiver, uint8_t how)
{
	struct cubby_wait_entry entry = { receiver, CUBBY_RECEIVE, 0 };
	uint64_t number = 0;
	int result;

	for (uint64_t i = 0; i < messages; i++) {
		result = how & 1 ? cubby_wait(&entry, 1,
					      cubby_deadline_after(PATIENCE)) :
				   0;
		if (result < 0 && result != -EINTR)
			finding("message %llu is not seen: %s",
				(unsigned long long)i, strerror(-result));
		do
			result = cubby_receive_full(
				receiver, NULL, 0,
				cubby_deadline_after(PATIENCE), &number,
				sizeof(number), NULL, NULL);
		while (result == -EINTR); /* libFuzzer's alarm */
		if (result)
			finding("message %llu does not come: %s",
				(unsigned long long)i, strerror(-result));
		if (number != i)
			finding("message %llu is %llu", (unsigned long long)i,
				(unsigned long long)number);
		calls_made += 2;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = { KIND_LANES, KIND_UNLIMITED,
					   KIND_INBOX, KIND_EVERY };
	struct script script = { data, data + size };
	enum kind kind = kinds[script_byte(&script) % COUNT_OF(kinds)];
	uint8_t how = script_byte(&script);
	static struct play play;
	pthread_t thread;

	image_restore(kind, false);
	play_begin(&play, kind);
	play_open(&play, 0, CUBBY_RECEIVE, NULL);
	play_open(&play, 1, CUBBY_SEND, NULL);
	sender = play.handles[1];
	messages = script_byte(&script) % MESSAGES;
	flags = how & 2 ? CUBBY_SYNCHRONOUS : 0;
	if (how & 4)
		cubby_fd(play.handles[0], CUBBY_RECEIVE);
	flips_begin(&script, PART(PART_DOORBELL));
	need(pthread_create(&thread, NULL, send_all, NULL) == 0);
	receive_all(play.handles[0], how);
	need(pthread_join(thread, NULL) == 0);
	flips_end();
	play_end(&play);
	return 0;
}
