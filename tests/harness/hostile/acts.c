/* SPDX-License-Identifier: MIT */
/* In which scene each is performed, and which files are damaged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "acts.h"

#define RECEIVES(its_name, its_size, its_waiting, its_prepare, its_perform) \
	.operation.name = its_name, .roles = CUBBY_RECEIVE,		\
	.company = SEND_TO_VICTIM, .size = its_size,			\
	.waiting = its_waiting, .prepare = its_prepare,			\
	.perform = its_perform
#define SENDS_IT(its_name, its_size, its_prepare, its_perform)		\
	.operation.name = its_name, .roles = CUBBY_SEND,		\
	.company = TAKE_FROM_VICTIM, .size = its_size,			\
	.prepare = its_prepare, .perform = its_perform
#define CALLS(its_name, its_size, its_prepare, its_perform)		\
	.operation.name = its_name, .roles = CUBBY_SEND,		\
	.company = SERVE_VICTIM, .size = its_size,			\
	.prepare = its_prepare, .perform = its_perform
#define SERVES(its_name, its_size, its_prepare, its_perform)		\
	.operation.name = its_name, .roles = CUBBY_RECEIVE,		\
	.company = CALL_VICTIM, .size = its_size,			\
	.waiting = 1, .prepare = its_prepare,		\
	.perform = its_perform
#define USES(its_name, its_prepare, its_perform)			\
	.operation.name = its_name, .company = POST_TO_VICTIM,		\
	.prepare = its_prepare, .perform = its_perform
#define FILES_OF_LANES	.files = { LANE, RECEIVERS, DOORBELL }
#define FILES_OF_SENDER	.files = { OWN, RECEIVERS, DOORBELL }
#define FILES_OF_QUEUE	.files = { RECEIVERS, QUEUE, BLOCKS }

static const struct act acts[] = {
	{ RECEIVES("receive", SHORT, 2, NULL, receive),
	  .files = { LANE, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ RECEIVES("receive-large", LONG, 2, NULL, receive), FILES_OF_LANES },
	{ RECEIVES("receive-settled", SHORT, 2, NULL, receive),
	  .settles = true, FILES_OF_LANES },
	{ RECEIVES("receive-asleep", SHORT, 0, NULL, receive),
	  FILES_OF_LANES },
	{ RECEIVES("receive-batch", SHORT, 4, NULL, receive_batch),
	  FILES_OF_LANES },
	{ RECEIVES("peek", LONG, 1, NULL, peek), FILES_OF_LANES },
	{ RECEIVES("hold", SHORT, 2, NULL, hold), FILES_OF_LANES },
	{ RECEIVES("hold-large", LONG, 2, NULL, hold), FILES_OF_LANES },
	{ RECEIVES("release", LONG, 2, prepare_held, release),
	  FILES_OF_LANES },
	{ RECEIVES("reject", LONG, 2, prepare_held, reject), FILES_OF_LANES },
	{ RECEIVES("wait", SHORT, 1, NULL, wait_for_message),
	  FILES_OF_LANES },
	{ RECEIVES("wait-asleep", SHORT, 0, NULL, wait_for_message),
	  FILES_OF_LANES },
	{ RECEIVES("poll", SHORT, 1, NULL, poll_for_message),
	  FILES_OF_LANES },
	{ RECEIVES("poll-asleep", SHORT, 0, prepare_descriptor,
		   poll_for_message), FILES_OF_LANES },
	{ RECEIVES("open-receive", SHORT, 1, NULL, open_mailbox),
	  .opens = true, .also = -EPROTO,
	  .files = { LANE, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ RECEIVES("close-receive", SHORT, 1, NULL, close_mailbox),
	  .files = { LANE, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ RECEIVES("inspect", SHORT, 1, NULL, inspect), .also = -EPROTO,
	  FILES_OF_LANES },
	{ RECEIVES("sweep", SHORT, 1, NULL, sweep), .also = -EPROTO,
	  FILES_OF_LANES },
	{ RECEIVES("receive-unlimited", SHORT, 1, NULL, receive),
	  .kind = UNLIMITED, FILES_OF_LANES },
	{ RECEIVES("receive-turn", SHORT, 2 * RING, prepare_next_ring, receive),
	  .unlimited = true, FILES_OF_LANES },
	{ RECEIVES("receive-every", SHORT, 2, NULL, receive),
	  .delivery = CUBBY_EVERY, .files = { LANE, RECEIVERS, DOORBELL } },
	{ RECEIVES("receive-every-large", LONG, 2, NULL, receive),
	  .delivery = CUBBY_EVERY_OVERTAKE,
	  .files = { LANE, RECEIVERS, DOORBELL } },
	{ RECEIVES("receive-inbox", SHORT, 1, NULL, receive),
	  .mailbox = "/@stage",
	  .files = { LANE, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ RECEIVES("receive-arrival", SHORT, 2, NULL, receive),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("receive-arrival-large", LONG, 2, NULL, receive),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("receive-arrival-asleep", SHORT, 0, NULL, receive),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("receive-arrival-batch", SHORT, 4, NULL, receive_batch),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("hold-priority", LONG, 2, NULL, hold), .kind = PRIORITY,
	  FILES_OF_QUEUE },
	{ RECEIVES("release-priority", LONG, 2, prepare_held, release),
	  .kind = PRIORITY, FILES_OF_QUEUE },
	{ RECEIVES("wait-arrival", SHORT, 0, NULL, wait_for_message),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("poll-arrival", SHORT, 0, prepare_descriptor,
		   poll_for_message), .kind = ARRIVAL, FILES_OF_QUEUE },
	{ RECEIVES("open-arrival", SHORT, 1, NULL, open_mailbox),
	  .kind = ARRIVAL, .opens = true, .also = -EPROTO, FILES_OF_QUEUE },
	{ RECEIVES("inspect-arrival", SHORT, 1, NULL, inspect),
	  .kind = ARRIVAL, .also = -EPROTO, FILES_OF_QUEUE },
	{ RECEIVES("receive-rendezvous", SHORT, 0, NULL, receive),
	  .kind = RENDEZVOUS, FILES_OF_QUEUE },

	{ SENDS_IT("send", SHORT, NULL, send_it),
	  .files = { OWN, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ SENDS_IT("send-large", LONG, NULL, send_it), FILES_OF_SENDER },
	{ SENDS_IT("send-full", SHORT, prepare_full, send_it),
	  FILES_OF_SENDER },
	{ SENDS_IT("send-synchronous", SHORT, NULL, send_synchronously),
	  .also = -EINPROGRESS, FILES_OF_SENDER },
	{ SENDS_IT("send-batch", SHORT, NULL, send_batch), FILES_OF_SENDER },
	{ SENDS_IT("reserve-commit", LONG, NULL, reserve_commit),
	  FILES_OF_SENDER },
	{ SENDS_IT("wait-room", SHORT, prepare_full, wait_for_room),
	  FILES_OF_SENDER },
	{ SENDS_IT("open-send", SHORT, NULL, open_mailbox), .opens = true,
	  .also = -EPROTO, .files = { RECEIVERS, DOORBELL } },
	{ SENDS_IT("open-take-over", LONG, prepare_left, open_mailbox),
	  .opens = true, .also = -EPROTO, FILES_OF_SENDER },
	{ SENDS_IT("close-send", SHORT, NULL, close_mailbox),
	  FILES_OF_SENDER },
	{ SENDS_IT("send-unlimited", SHORT, NULL, send_it),
	  .kind = UNLIMITED, FILES_OF_SENDER },
	{ SENDS_IT("send-grow", SHORT, prepare_ring, send_it),
	  .unlimited = true, FILES_OF_SENDER },
	{ SENDS_IT("send-every", SHORT, prepare_full, send_it),
	  .delivery = CUBBY_EVERY,
	  .files = { OWN, RECEIVERS, DOORBELL, ATTENDANCE } },
	{ SENDS_IT("send-overtaking", LONG, NULL, send_it),
	  .delivery = CUBBY_EVERY_OVERTAKE, FILES_OF_SENDER },
	{ SENDS_IT("send-inbox", SHORT, NULL, send_it), .mailbox = "/@stage",
	  .files = { OWN, RECEIVERS, DOORBELL, ATTENDANCE },
	  .also = -EPIPE },
	{ SENDS_IT("send-arrival", SHORT, NULL, send_it), .kind = ARRIVAL,
	  .files = { RECEIVERS, QUEUE, BLOCKS, ATTENDANCE } },
	{ SENDS_IT("send-arrival-large", LONG, NULL, send_it),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ SENDS_IT("send-arrival-full", SHORT, prepare_full, send_it),
	  .kind = ARRIVAL, FILES_OF_QUEUE },
	{ SENDS_IT("send-priority", SHORT, NULL, send_it), .kind = PRIORITY,
	  FILES_OF_QUEUE },
	{ SENDS_IT("send-rendezvous", SHORT, NULL, send_it),
	  .kind = RENDEZVOUS, FILES_OF_QUEUE },
	{ SENDS_IT("reserve-commit-arrival", LONG, NULL, reserve_commit),
	  .kind = ARRIVAL, FILES_OF_QUEUE },

	{ CALLS("call", SHORT, NULL, call), .also = -EPIPE,
	  .files = { OWN, RECEIVERS, DOORBELL, REPLY } },
	{ CALLS("call-again", LONG, prepare_call_again, call), .also = -EPIPE,
	  .files = { OWN, RECEIVERS, DOORBELL, REPLY } },
	{ CALLS("end-waiting", SHORT, prepare_called, end_call),
	  .also = -EPIPE, .files = { OWN, RECEIVERS, REPLY } },
	{ CALLS("end-answered", LONG, prepare_answered, end_call),
	  .also = -EPIPE, .files = { OWN, RECEIVERS, REPLY } },
	{ CALLS("cancel", SHORT, prepare_called, cancel),
	  .files = { OWN, RECEIVERS, REPLY } },
	{ CALLS("call-arrival", SHORT, NULL, call), .kind = ARRIVAL,
	  .also = -EPIPE, .files = { RECEIVERS, QUEUE, REPLY } },
	{ SERVES("take", SHORT, NULL, receive),
	  .files = { LANE, RECEIVERS, DOORBELL, REPLY } },
	{ SERVES("reply", SHORT, prepare_taken, reply), .also = -EPIPE,
	  .files = { LANE, RECEIVERS, REPLY } },
	{ SERVES("reply-large", LONG, prepare_taken, reply), .also = -EPIPE,
	  .files = { LANE, RECEIVERS, REPLY } },
	{ SERVES("reply-arrival", SHORT, prepare_taken, reply),
	  .kind = ARRIVAL, .also = -EPIPE,
	  .files = { RECEIVERS, QUEUE, REPLY } },

	{ USES("region-open", NULL, open_region), .also = -EPROTO,
	  .files = { MEMORY, PLACES } },
	{ USES("region-read", NULL, open_region_to_read), .also = -EPROTO,
	  .files = { MEMORY } },
	{ USES("region-use", prepare_ground, use_region),
	  .files = { MEMORY, PLACES } },
	{ USES("region-close", prepare_ground, close_region),
	  .files = { MEMORY, PLACES } },
	{ USES("mutex", prepare_ground, lock_region), .also = -EOWNERDEAD,
	  .and_also = -EPERM, .files = { MEMORY, PLACES } },
	{ USES("semaphore", prepare_ground, wait_in_region),
	  .files = { MEMORY, PLACES } },
	{ USES("condition", prepare_ground, await_in_region),
	  .also = -EOWNERDEAD, .and_also = -EPERM, .files = { MEMORY } },
	{ SENDS_IT("region-send", REGIONAL, prepare_own_region, send_region),
	  .files = { OWN, RECEIVERS, SENT_REGION } },
	{ .operation.name = "region-receive", .roles = CUBBY_RECEIVE,
	  .company = SEND_REGION_TO_VICTIM, .size = REGIONAL, .waiting = 1,
	  .perform = receive_region, .also = -ENOMSG,
	  .files = { LANE, RECEIVERS, SENT_REGION } },
	{ .operation.name = "region-end", .roles = CUBBY_RECEIVE,
	  .company = SEND_REGION_TO_VICTIM, .size = REGIONAL, .waiting = 1,
	  .prepare = prepare_received_region, .perform = close_region,
	  .files = { LANE, RECEIVERS, SENT_REGION } },
};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

bool
is_spare(enum file file)
{
	return file == DOORBELL || file == ATTENDANCE || file == PLACES;
}

const struct act *
act_of(const struct scenario *scenario)
{
	return (const struct act *)scenario->operation;
}

const char *
stage_mailbox(const struct act *act)
{
	return act->mailbox ? act->mailbox : "/" MAILBOX;
}

const char *
scenario_name(const struct scenario *scenario)
{
	return scenario->operation->name;
}

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[ACTS];

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: it takes several users: run as "
			"root\n");
		exit(77);
	}
	damage_prepare_names();
	for (int i = 0; i < ACTS; i++) {
		list[i].operation = &acts[i].operation;
		list[i].kind = acts[i].kind;
	}
	*ret_count = ACTS;
	return list;
}
