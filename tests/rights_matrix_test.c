/* SPDX-License-Identifier: MIT */
/* Test: timeout 300. */
/*
 * The matrix of rights: every mode that there is, every kind of mailbox, every
 * user, every call. What comes of it is compared with what the manual says of
 * that mode (support/actors.h), and messages, requests and regions go from each
 * who may send to each who may receive. Needs root, to be several users.
 */
#include "support/actors.h"
#include <poll.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* What a user is told ------------------------------------------------------ */

enum call {
	OPEN_NONE,
	OPEN_SEND,
	OPEN_RECEIVE,
	OPEN_BOTH,
	CREATE_OR_OPEN,
	CREATE_EXCLUSIVELY,
	FD_SEND,
	FD_RECEIVE,
	INSPECT,
	INSPECT_SENDERS,
	INSPECT_RECEIVERS,
	LIST,
	SWEEP,
	UNLINK,
	CALLS
};

static const char *const call_names[CALLS] = {
	"open without a role", "open to send", "open to receive", "open both",
	"create or open", "create exclusively", "fd to send", "fd to receive",
	"inspect", "inspect senders", "inspect receivers", "list", "sweep",
	"unlink",
};

static struct {
	char name[16];
	bool unlinks;
	int results[CALLS];
	struct cubby_info info;
} *asked;

static int
try_open(int flags)
{
	cubby_mailbox *mailbox = NULL;
	int result = cubby_open(asked->name, flags, NULL, &mailbox);

	if (result == 0)
		cubby_close(mailbox);
	return result;
}

static int
try_fd(int role)
{
	cubby_mailbox *mailbox = NULL;
	int result = cubby_open(asked->name, role, NULL, &mailbox);

	if (result == 0) {
		result = cubby_fd(mailbox, role);
		cubby_close(mailbox);
	}
	return result < 0 ? result : 0;
}

static int
visit_sender(const struct cubby_sender_info *sender, void *context)
{
	(void)sender;
	(void)context;
	return 0;
}

static int
visit_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	(void)receiver;
	(void)context;
	return 0;
}

static int
is_it(const char *name, void *context)
{
	(void)context;
	return !strcmp(name, asked->name);
}

static int
ask(void *argument)
{
	int *results = asked->results;

	(void)argument;
	results[OPEN_NONE] = try_open(0);
	results[OPEN_SEND] = try_open(CUBBY_SEND);
	results[OPEN_RECEIVE] = try_open(CUBBY_RECEIVE);
	results[OPEN_BOTH] = try_open(BOTH);
	results[CREATE_OR_OPEN] = try_open(BOTH | CUBBY_CREATE);
	results[CREATE_EXCLUSIVELY] =
		try_open(BOTH | CUBBY_CREATE | CUBBY_EXCLUSIVE);
	results[FD_SEND] = try_fd(CUBBY_SEND);
	results[FD_RECEIVE] = try_fd(CUBBY_RECEIVE);
	asked->info = (struct cubby_info)CUBBY_INFO_INIT;
	results[INSPECT] = cubby_inspect(asked->name, &asked->info);
	results[INSPECT_SENDERS] =
		cubby_inspect_senders(asked->name, visit_sender, NULL);
	results[INSPECT_RECEIVERS] =
		cubby_inspect_receivers(asked->name, visit_receiver, NULL);
	results[LIST] = cubby_list(is_it, NULL);
	results[SWEEP] = cubby_sweep(asked->name, NULL);
	results[UNLINK] = asked->unlinks ? cubby_unlink(asked->name) : 0;
	return 0;
}

static int
told(unsigned int has, unsigned int needs)
{
	return (has & needs) == needs ? 0 : -EACCES;
}

/* What the manual promises. */
static int
expected(mode_t mode, enum actor actor, enum call call)
{
	unsigned int has = rights_of(mode, actor);

	switch (call) {
	case OPEN_SEND:
	case FD_SEND:
		return told(has, MAY_SEND);
	case OPEN_RECEIVE:
	case FD_RECEIVE:
	case INSPECT_SENDERS:
	case INSPECT_RECEIVERS:
	case SWEEP:
		return told(has, MAY_RECEIVE);
	case OPEN_BOTH:
	case CREATE_OR_OPEN:
		return told(has, MAY_SEND | MAY_RECEIVE);
	case CREATE_EXCLUSIVELY:
		return -EEXIST;
	case OPEN_NONE:
	case INSPECT:
		return may_look(mode, actor) ? 0 : -EACCES;
	case LIST:
		return may_look(mode, actor);
	case UNLINK:
		return actor == OWNER || actor == ROOT ? 0 : -EACCES;
	default:
		return 0;
	}
}

/* Who receives sees all; who does not, no number of messages but his own. */
static void
expect_info(const struct kind *kind, mode_t mode, enum actor actor,
	    uint64_t others)
{
	const struct cubby_info *info = &asked->info;
	bool receives = rights_of(mode, actor) & MAY_RECEIVE;

	expect_int(info->mode, mode);
	expect_int(info->uid, actor_uid(OWNER));
	expect_int(info->gid, ACTORS_GROUP);
	if (receives) {
		expect(info->waiting != CUBBY_UNKNOWN);
		expect(info->senders != CUBBY_UNKNOWN);
		expect(info->receivers != CUBBY_UNKNOWN);
	} else if (others && !kind->queue) {
		if (info->waiting != CUBBY_UNKNOWN ||
		    info->receivers != CUBBY_UNKNOWN)
			fail_at(__FILE__, __LINE__,
				"%s of mode %04o, %s: sees what waits",
				kind->label, mode, actor_names[actor]);
	}
}

static void
expect_calls(const struct kind *kind, mode_t mode, enum actor actor,
	     uint64_t others)
{
	strcpy(asked->name, kind->name);
	asked->unlinks = actor != OWNER && actor != ROOT;
	expect_ok(actor_do(actor, ask, NULL));
	for (int call = 0; call < CALLS; call++) {
		int wanted = expected(mode, actor, (enum call)call);

		if (call == UNLINK && !asked->unlinks)
			continue;
		if (asked->results[call] != wanted)
			fail_at(__FILE__, __LINE__,
				"%s of mode %04o, %s: %s gives %d, not %d",
				kind->label, mode, actor_names[actor],
				call_names[call], asked->results[call],
				wanted);
	}
	if (asked->results[INSPECT] == 0)
		expect_info(kind, mode, actor, others);
}

/* From one to the other ------------------------------------------------------ */

static struct {
	char name[16];
	bool every;
	uid_t sender;
	uint64_t number;
} *parcel;

static cubby_mailbox *own; /* each actor's */

static int
open_to_send(void *argument)
{
	(void)argument;
	return cubby_open(parcel->name, CUBBY_SEND, NULL, &own);
}

static int
open_to_receive(void *argument)
{
	(void)argument;
	return cubby_open(parcel->name, CUBBY_RECEIVE, NULL, &own);
}

static int
close_own(void *argument)
{
	(void)argument;
	cubby_close(own);
	return 0;
}

/* A message that fits a cell, one that does not, a request, and a region. */
static int
send_all(void *argument)
{
	static char large[20000], reply[20000];
	cubby_region *region = NULL;
	size_t size = 0;
	int result;

	(void)argument;
	send_number(own, parcel->number);
	pattern_fill(large, sizeof(large), parcel->number);
	expect_ok(cubby_send_full(own, large, sizeof(large), NULL, 0, soon()));
	result = cubby_call(own, large, 3000, reply, sizeof(reply), &size,
			    soon());
	expect_result(result, parcel->every ? -EOPNOTSUPP : 0);
	if (result == 0)
		expect(size == 3001 &&
		       pattern_holds(reply, size, parcel->number + 1));
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	memcpy(cubby_region_data(region), &parcel->number, 8);
	result = cubby_send_region(own, region, NULL, soon());
	if (result < 0)
		cubby_region_close(region);
	return result;
}

static void
receive_one(void *buffer, size_t room, size_t *size,
	    struct cubby_envelope *envelope)
{
	expect_ok(cubby_receive_full(own, NULL, 0, soon(), buffer, room, size,
				     envelope));
	expect_int(envelope->uid, parcel->sender);
}

static void
serve_one(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	static char data[20000];
	size_t size = 0;

	receive_one(data, sizeof(data), &size, &envelope);
	expect(envelope.call && size == 3000);
	pattern_fill(data, 3001, parcel->number + 1);
	expect_ok(cubby_reply(own, &envelope, data, 3001));
}

static void
receive_the_region(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region = NULL;

	expect_ok(cubby_receive_region(own, NULL, soon(), &region, &envelope));
	expect_int(envelope.uid, parcel->sender);
	expect(!memcmp(cubby_region_data(region), &parcel->number, 8));
	((char *)cubby_region_data(region))[100] = 1;
	cubby_region_close(region);
}

static int
receive_all(void *argument)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	static char data[20000];
	size_t size = 0;

	(void)argument;
	receive_one(data, sizeof(data), &size, &envelope);
	expect_bytes(data, size, &parcel->number, 8);
	receive_one(data, sizeof(data), &size, &envelope);
	expect(size == sizeof(data) &&
	       pattern_holds(data, size, parcel->number));
	if (!parcel->every) {
		serve_one();
		receive_the_region();
	}
	expect_empty(own);
	return 0;
}

/* (Of one who does both, a handle is opened for both, by himself.) */
static void
send_between(const struct kind *kind, enum actor sender, enum actor receiver)
{
	int result;

	strcpy(parcel->name, kind->name);
	parcel->every = kind->every;
	parcel->sender = actor_uid(sender);
	parcel->number++;
	expect_ok(actor_do(receiver, open_to_receive, NULL));
	expect_ok(actor_do(sender, open_to_send, NULL));
	actor_begin(sender, send_all, NULL);
	expect_ok(actor_do(receiver, receive_all, NULL));
	result = actor_result(sender);
	expect_result(result, kind->every ? -EOPNOTSUPP : 0);
	expect_ok(actor_do(sender, close_own, NULL));
	expect_ok(actor_do(receiver, close_own, NULL));
}

static uint64_t
send_all_ways(const struct kind *kind, mode_t mode)
{
	uint64_t pairs = 0;

	for (int s = 0; s < ACTORS; s++)
		for (int r = 0; r < ACTORS; r++)
			if (s != r &&
			    rights_of(mode, (enum actor)s) & MAY_SEND &&
			    rights_of(mode, (enum actor)r) & MAY_RECEIVE) {
				send_between(kind, (enum actor)s,
					     (enum actor)r);
				pairs++;
			}
	return pairs;
}

/* The matrix ------------------------------------------------------------------ */

static struct {
	unsigned int mailboxes, refused, calls, pairs;
} count;

static void
try_mode(const struct kind *kind, mode_t mode)
{
	uint64_t pairs;

	kind_create(kind, mode);
	for (int actor = 0; actor < ACTORS; actor++)
		expect_calls(kind, mode, (enum actor)actor, 0);
	/* Again, when others' lanes lie there. */
	pairs = send_all_ways(kind, mode);
	for (int actor = 0; actor < ACTORS; actor++)
		expect_calls(kind, mode, (enum actor)actor, pairs);
	kind_remove(kind);
	count.mailboxes++;
	count.pairs += (unsigned int)pairs;
	count.calls += 2 * ACTORS * CALLS;
}

static void
try_kind(const struct kind *kind)
{
	asked = shared_memory(sizeof(*asked));
	parcel = shared_memory(sizeof(*parcel));
	actors_start();
	for (mode_t mode = 1; mode <= 0777; mode++) {
		if (is_mode(mode, kind->queue)) {
			try_mode(kind, mode);
			continue;
		}
		expect_result(kind_try_create(kind, mode, NULL), -EINVAL);
		expect_int(count_files(), 0);
		count.refused++;
	}
	/* What is not a mode. */
	expect_result(kind_try_create(kind, 01600, NULL), -EINVAL);
	expect_result(kind_try_create(kind, 02660, NULL), -EINVAL);
	expect_result(kind_try_create(kind, 0100600, NULL), -EINVAL);
	/* Zero is the default. */
	expect_ok(kind_try_create(kind, 0, ACTORS_GROUP_TEXT));
	for (int actor = 0; actor < ACTORS; actor++)
		expect_calls(kind, 0600, (enum actor)actor, 0);
	kind_remove(kind);
	actors_end();
	printf("%s: %u mailboxes, %u modes refused, %u calls, %u pairs\n",
	       kind->label, count.mailboxes, count.refused, count.calls,
	       count.pairs);
	fflush(stdout);
}

#define OF_KIND(name, number) \
	static void every_mode_##name(void) \
	{ \
		try_kind(&kinds[number]); \
	}
OF_KIND(of_lanes, 0)
OF_KIND(without_a_limit, 1)
OF_KIND(of_an_inbox, 2)
OF_KIND(of_a_broadcast, 3)
OF_KIND(of_one_that_overtakes, 4)
OF_KIND(of_arrival, 5)
OF_KIND(of_priority, 6)
OF_KIND(of_a_rendezvous, 7)
OF_KIND(of_a_queued_inbox, 8)

int
main(void)
{
	static const struct test tests[] = {
		TEST(every_mode_of_lanes),
		TEST(every_mode_without_a_limit),
		TEST(every_mode_of_an_inbox),
		TEST(every_mode_of_a_broadcast),
		TEST(every_mode_of_one_that_overtakes),
		TEST(every_mode_of_arrival),
		TEST(every_mode_of_priority),
		TEST(every_mode_of_a_rendezvous),
		TEST(every_mode_of_a_queued_inbox),
	};

	return RUN_TESTS("rights_matrix", tests);
}
