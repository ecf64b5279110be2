/* SPDX-License-Identifier: MIT */
/* What the victim performs, in which scene, and which files are damaged. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cubby_sync.h>
#include "play.h"

#define MOMENT	NANOSECONDS	/* what a call waits that may wait in vain */

/* More than the harness's struct victim has. */
static struct {
	struct stage *stage;
	const struct act *act;
	cubby_request *request;
	unsigned char bytes[BUFFER];
} own;

static void
must(int result, const char *what)
{
	if (result < 0)
		fail("the victim's %s: %s", what, cubby_strerror(result));
}

/* Step by step nothing is quick, and nothing in vain. */
static int64_t
in_a_moment(void)
{
	return now() + (DAMAGED_FILE(own.stage) ? MOMENT : 60 * NANOSECONDS);
}

/* Receiving --------------------------------------------------------------- */

static void
receive(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, 0,
					    in_a_moment(), victim->buffer,
					    BUFFER, &victim->size,
					    &victim->envelope);
}

static void
peek(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, CUBBY_PEEK,
					    in_a_moment(), victim->buffer,
					    BUFFER, &victim->size,
					    &victim->envelope);
}

static void
receive_batch(struct victim *victim)
{
	victim->result = cubby_receive_batch(victim->mailbox, NULL, 0,
					     in_a_moment(), victim->entries,
					     BATCH, victim->buffer, BUFFER);
}

static void
hold(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, in_a_moment(),
				    &victim->message);
}

static void
prepare_held(struct victim *victim)
{
	hold(victim);
	must(victim->result, "holding");
}

/* The bytes are read in place, as its users do. */
static void
release(struct victim *victim)
{
	const unsigned char *data = cubby_message_data(victim->message);
	size_t size = cubby_message_size(victim->message);

	for (size_t i = 0; i < size; i++)
		own.bytes[i % BUFFER] ^= data[i];
	victim->result = cubby_release(victim->message);
	victim->message = NULL;
}

static void
reject(struct victim *victim)
{
	victim->result = cubby_reject(victim->message);
	victim->message = NULL;
}

static void
wait_for_message(struct victim *victim)
{
	struct cubby_wait_entry entry = { victim->mailbox, CUBBY_RECEIVE, 0 };

	victim->result = cubby_wait(&entry, 1, in_a_moment());
	if (victim->result > 0)
		receive(victim);
}

static void
prepare_descriptor(struct victim *victim)
{
	must(cubby_fd(victim->mailbox, own.act->roles), "descriptor");
}

/* As an event loop does: what is not there yet is waited for. */
static void
poll_for_message(struct victim *victim)
{
	int fd = cubby_fd(victim->mailbox, CUBBY_RECEIVE);
	struct pollfd event = { fd, POLLIN, 0 };
	int64_t deadline = in_a_moment();

	victim->result = fd;
	while (fd >= 0) {
		victim->result = cubby_receive_full(
			victim->mailbox, NULL, 0, CUBBY_NOW, victim->buffer,
			BUFFER, &victim->size, NULL);
		if (victim->result != -EAGAIN || now() >= deadline)
			return;
		poll(&event, 1, 100);	/* may be readable for nothing */
	}
}

/* One message of the next ring is there. */
static void
prepare_next_ring(struct victim *victim)
{
	for (int i = 0; i < RING; i++) {
		receive(victim);
		must(victim->result, "first receives");
	}
}

static int
visit(const struct cubby_sender_info *sender, void *context)
{
	(void)sender, (void)context;
	return 0;
}

static void
inspect(struct victim *victim)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	victim->result = cubby_inspect(stage_mailbox(own.act), &info);
	if (victim->result == 0)
		victim->result = cubby_inspect_senders(stage_mailbox(own.act),
						       visit, NULL);
}

static void
sweep(struct victim *victim)
{
	victim->result = cubby_sweep(stage_mailbox(own.act), NULL);
}

/* Both -------------------------------------------------------------------- */

static void
open_mailbox(struct victim *victim)
{
	victim->result = cubby_open(stage_mailbox(own.act), own.act->roles,
				    NULL, &victim->mailbox);
}

static void
close_mailbox(struct victim *victim)
{
	cubby_close(victim->mailbox);
	victim->mailbox = NULL;
	victim->result = 0;
}

/* Sending ----------------------------------------------------------------- */

static void
send_it(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL, 0,
					 in_a_moment());
}

static void
send_synchronously(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL,
					 CUBBY_SYNCHRONOUS, in_a_moment());
}

static void
send_batch(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++)
		victim->entries[i] = (struct cubby_batch_entry){
			.data = own.bytes, .size = own.act->size
		};
	victim->result = cubby_send_batch(victim->mailbox, victim->entries,
					  BATCH, 0, in_a_moment());
}

static void
prepare_full(struct victim *victim)
{
	int result;

	do
		result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL, 0, CUBBY_NOW);
	while (result == 0);
	if (result != -EAGAIN)
		must(result, "filling");
}

static void
prepare_ring(struct victim *victim)
{
	for (int i = 0; i < RING; i++) {
		send_it(victim);
		must(victim->result, "first sends");
	}
}

/* Its user has left a lane behind. */
static void
prepare_left(struct victim *victim)
{
	cubby_mailbox *mailbox;

	(void)victim;
	must(cubby_open(stage_mailbox(own.act), CUBBY_SEND, NULL, &mailbox),
	     "opening");
	must(cubby_send_full(mailbox, own.bytes, own.act->size, NULL, 0,
			     CUBBY_NOW), "first send");
	cubby_close(mailbox);
}

static void
reserve_commit(struct victim *victim)
{
	victim->result = cubby_reserve(victim->mailbox, own.act->size,
				       in_a_moment(), &victim->draft);
	if (victim->result < 0)
		return;
	memcpy(cubby_draft_data(victim->draft), own.bytes, own.act->size);
	victim->result = cubby_commit(victim->draft, own.act->size, NULL);
	if (victim->result < 0)
		cubby_abort(victim->draft);
}

static void
wait_for_room(struct victim *victim)
{
	struct cubby_wait_entry entry = { victim->mailbox, CUBBY_SEND, 0 };

	victim->result = cubby_wait(&entry, 1, in_a_moment());
	if (victim->result > 0)
		send_it(victim);
}

/* Calls ------------------------------------------------------------------- */

static void
call(struct victim *victim)
{
	victim->result = cubby_call(victim->mailbox, own.bytes, own.act->size,
				    victim->buffer, BUFFER, &victim->size,
				    in_a_moment());
}

static void
prepare_called(struct victim *victim)
{
	victim->result = cubby_call_begin(victim->mailbox, own.bytes,
					  own.act->size, NULL, in_a_moment(),
					  &own.request);
	must(victim->result, "request");
}

static void
prepare_answered(struct victim *victim)
{
	prepare_called(victim);
	victim_mark(victim->stage, MARK_TAKE);
}

static void
prepare_call_again(struct victim *victim)
{
	prepare_answered(victim);
	must(cubby_call_end(own.request, victim->buffer, BUFFER, NULL,
			    in_a_moment()), "first call");
	own.request = NULL;
}

static void
end_call(struct victim *victim)
{
	victim->result = cubby_call_end(own.request, victim->buffer, BUFFER,
					&victim->size, in_a_moment());
	cubby_call_cancel(victim->result == -ETIMEDOUT ? own.request : NULL);
}

static void
cancel(struct victim *victim)
{
	cubby_call_cancel(own.request);
	victim->result = 0;
}

static void
prepare_taken(struct victim *victim)
{
	receive(victim);
	must(victim->result, "taking");
}

static void
reply(struct victim *victim)
{
	victim->result = cubby_reply(victim->mailbox, &victim->envelope,
				     own.bytes, own.act->size);
}

/* Regions ----------------------------------------------------------------- */

struct ground {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
};

static void
open_region(struct victim *victim)
{
	victim->result = cubby_region_open(GROUND, CUBBY_WRITE, NULL,
					   &victim->region);
}

static void
open_region_to_read(struct victim *victim)
{
	victim->result = cubby_region_open(GROUND, 0, NULL, &victim->region);
}

static void
prepare_ground(struct victim *victim)
{
	open_region(victim);
	must(victim->result, "region");
}

static void
use_region(struct victim *victim)
{
	unsigned char *data = cubby_region_data(victim->region);
	uint64_t size = cubby_region_size(victim->region);

	for (uint64_t i = 2048; i < size; i += 512)
		data[i]++;
	victim->result = cubby_region_grow(victim->region, size + 10000);
}

static void
lock_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);
	int result;

	result = cubby_mutex_lock(victim->region, &ground->mutex,
				  in_a_moment());
	victim->result = result;
	if (result == 0 || result == -EOWNERDEAD)
		victim->result = cubby_mutex_unlock(victim->region,
						    &ground->mutex);
}

static void
wait_in_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);

	victim->result = cubby_semaphore_wait(victim->region,
					      &ground->semaphore,
					      in_a_moment());
}

static void
await_in_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);
	int64_t deadline = in_a_moment();

	victim->result = cubby_mutex_lock(victim->region, &ground->mutex,
					  deadline);
	if (victim->result < 0)
		return;
	victim->result = cubby_condition_wait(victim->region,
					      &ground->condition,
					      &ground->mutex, deadline);
	cubby_mutex_unlock(victim->region, &ground->mutex);
}

static void
prepare_own_region(struct victim *victim)
{
	must(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
			       &victim->region), "region");
}

static void
send_region(struct victim *victim)
{
	victim->result = cubby_send_region(victim->mailbox, victim->region,
					   NULL, in_a_moment());
	if (victim->result == 0)
		victim->region = NULL;
}

static void
receive_region(struct victim *victim)
{
	unsigned char *data;

	victim->result = cubby_receive_region(victim->mailbox, NULL,
					      in_a_moment(), &victim->region,
					      &victim->envelope);
	if (victim->result < 0)
		return;
	data = cubby_region_data(victim->region);
	for (uint64_t i = 0; i < cubby_region_size(victim->region); i += 512)
		own.bytes[i % BUFFER] ^= data[i];
}

static void
prepare_received_region(struct victim *victim)
{
	receive_region(victim);
	must(victim->result, "receiving a region");
}

static void
close_region(struct victim *victim)
{
	cubby_region_close(victim->region);
	victim->region = NULL;
	victim->result = 0;
}

/* The acts ---------------------------------------------------------------- */

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

/* The victim's life ------------------------------------------------------- */

void
become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		fail("user %u: %s", uid, strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
}

/* The bystander's. */
static bool
is_sound(const unsigned char *bytes, size_t size)
{
	return size == 3 && !memcmp(bytes, "ok", 3);
}

/* May it be told that? damaged: something that it needs. */
static bool
is_told(int result, int way, bool damaged)
{
	if (result >= 0)
		return true;
	if (way && damage_fills(way - 1) &&
	    (result == -ENOSPC ||	/* it, or who would serve it */
	     (result == -ETIMEDOUT && own.act->company == SERVE_VICTIM)))
		return true;
	return damaged && (result == -EBADMSG || result == -EAGAIN ||
			   result == -ETIMEDOUT || result == -ENOSPC ||
			   result == own.act->also ||
			   result == own.act->and_also);
}

static bool
is_whole(const unsigned char *bytes, size_t size)
{
	size_t i = 0;

	while (i < size && bytes[i] == 'h')
		i++;
	return size ? i == size && size == own.act->size : false;
}

/* What was cut short has not been received: what has, is whole. */
static void
check_messages(const struct victim *victim)
{
	const struct cubby_batch_entry *entries = victim->entries;

	if (own.act->company != SEND_TO_VICTIM ||
	    damage_invents((int)DAMAGE_DONE(victim->stage) - 1))
		return;
	for (int i = 0; i < victim->result && own.act->perform == receive_batch;
	     i++)
		if (!is_whole(entries[i].data, entries[i].size) &&
		    !is_sound(entries[i].data, entries[i].size))
			fail("another message came, in a batch");
	if (victim->size != SIZE_MAX && victim->result == 0 &&
	    !is_whole(victim->buffer, victim->size) &&
	    !is_sound(victim->buffer, victim->size))
		fail("another message came");
}

static void
check_result(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	bool damaged = way && !is_spare(DAMAGED_FILE(victim->stage));

	check_messages(victim);
	if (!is_told(victim->result, way, damaged))
		fail("the victim was told: %s",
		     cubby_strerror(victim->result));
}

/* For as long as all goes well, or what is left of it. */
static int64_t
for_what_is_sound(const struct victim *victim)
{
	enum file file = DAMAGED_FILE(victim->stage);
	bool sound = is_spare(file) || file == LANE;

	return now() + (sound ? PATIENCE / 2 : MOMENT / 10);
}

/* Has the hostile user taken the memory that the bystander would need? */
static bool
is_starved(int way)
{
	return way && damage_fills(way - 1) && own.act->unlimited;
}

/* The bystander's messages come, whatever became of the hostile's lane. */
static void
receive_sound(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	enum file file = DAMAGED_FILE(victim->stage);
	int64_t deadline = for_what_is_sound(victim);
	int errors = 0, result;

	for (int sound = 0; way && !is_starved(way) && sound < 2;) {
		result = cubby_receive_full(victim->mailbox, NULL, 0, deadline,
					    victim->buffer, BUFFER,
					    &victim->size, NULL);
		if (result == 0)
			sound += is_sound(victim->buffer, victim->size);
		else if (file != LANE && !is_spare(file))
			return;
		else if (result == -EOPNOTSUPP)
			continue;	/* a region that is not his */
		else if (file != LANE || result != -EBADMSG)
			fail("the bystander's message: %s",
			     cubby_strerror(result));
		else if (++errors > 50)
			fail("-EBADMSG without end");
	}
}

static void
send_sound(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage), result;

	for (int i = 0; way && i < 2; i++) {
		result = cubby_send_full(victim->mailbox, "ok", 3, NULL, 0,
					 for_what_is_sound(victim));
		if (result < 0 && is_spare(DAMAGED_FILE(victim->stage)) &&
		    !(result == -ENOSPC && damage_fills(way - 1)))
			fail("the next send: %s", cubby_strerror(result));
		if (result < 0)
			return;
	}
}

/* The process is as good as before. */
static void
go_elsewhere(const struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	char bytes[8];

	if (!way || damage_fills(way - 1))
		return;
	options.capacity = 1;
	must(cubby_open(ELSEWHERE, CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			&options, &mailbox), "other mailbox");
	must(cubby_send(mailbox, "other", 6), "send elsewhere");
	must(cubby_receive(mailbox, bytes, sizeof(bytes), NULL),
	     "receive elsewhere");
	if (strcmp(bytes, "other"))
		fail("another message came elsewhere");
	cubby_close(mailbox);
	must(cubby_unlink(ELSEWHERE), "unlink elsewhere");
}

static void
conclude(struct victim *victim)
{
	check_result(victim);
	if (victim->message)
		cubby_release(victim->message);
	if (victim->mailbox && own.act->company == SEND_TO_VICTIM)
		receive_sound(victim);
	if (victim->mailbox && own.act->company == TAKE_FROM_VICTIM)
		send_sound(victim);
	cubby_region_close(victim->region);
	cubby_close(victim->mailbox);
	go_elsewhere(victim);
}

static void
settle_down(struct victim *victim)
{
	victim_mark(victim->stage, MARK_FURNISH);
	for (int i = 0; i < STREAK; i++)
		must(cubby_receive_full(victim->mailbox, NULL, 0, CUBBY_NOW,
					victim->buffer, BUFFER, NULL, NULL),
		     "streak");
}

void
act_live(const struct act *act, struct stage *stage)
{
	struct victim victim = { .stage = stage };
	int descriptors, mappings;

	complain_to(stage);
	become(VICTIM_UID);
	tracee_offer();
	own.act = act;
	own.stage = stage;
	memset(own.bytes, 'v', sizeof(own.bytes));
	descriptors = count_descriptors();
	mappings = count_mappings(getenv("CUBBY_ROOT"));
	victim.envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	victim.buffer = calloc(1, BUFFER);
	if (act->roles && !act->opens) {
		open_mailbox(&victim);
		must(victim.result, "opening");
	}
	if (act->settles)
		settle_down(&victim);
	if (act->waiting)
		victim_mark(stage, MARK_SEND);
	if (act->prepare)
		act->prepare(&victim);
	victim.size = SIZE_MAX;
	victim_mark(stage, MARK_START);
	act->perform(&victim);
	if (!DAMAGE_DONE(stage))
		victim_mark(stage, MARK_END);
	conclude(&victim);
	if (count_descriptors() != descriptors)
		fail("the victim leaves a descriptor open");
	if (count_mappings(getenv("CUBBY_ROOT")) != mappings)
		fail("the victim leaves something mapped");
	free(victim.buffer);
	_exit(0);
}
