/* SPDX-License-Identifier: MIT */
/* The mailboxes of a round, and the roles that persons play in them. */
#include "kinds.h"
#include "actors.h"
#include "contents.h"

#define KI(n) ((n)*1024)
#define ALL_SENDS (SEND_PLAIN | SEND_SYNCHRONOUS | SEND_BATCH | SEND_DRAFT)

const struct kind kinds[KINDS + 1] = {
	[LANES] = {
		.name = "lanes", .capacity = 32,
		.size_min = CONTENTS_HEAD, .size_max = KI(64),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_COPY | TAKE_BATCH |
			TAKE_PEEK | TAKE_OF_SENDER,
	},
	[ENDLESS] = {
		.name = "endless", .buffering = CUBBY_UNLIMITED,
		.size_max = KI(64),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_PEEK,
	},
	[LARGE] = {
		.name = "large", .capacity = 8, .size_max = KI(1024),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_OF_SENDER,
	},
	[ARRIVAL] = {
		.name = "arrival", .order = CUBBY_ORDER_ARRIVAL,
		.capacity = 64, .size_max = KI(64),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_PEEK,
	},
	[TYPED_ARRIVAL] = {
		.name = "typed", .order = CUBBY_ORDER_ARRIVAL,
		.capacity = 32, .size_min = CONTENTS_HEAD, .size_max = KI(8),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_COPY | TAKE_BATCH |
			TAKE_OF_TYPE | TYPED,
	},
	[PRIORITY] = {
		.name = "priority", .order = CUBBY_ORDER_PRIORITY,
		.buffering = CUBBY_UNLIMITED, .size_max = KI(64),
		.ways = ALL_SENDS | TAKE_HOLD | TAKE_PEEK,
	},
	[MEETING] = {
		.name = "meeting", .order = CUBBY_ORDER_ARRIVAL,
		.buffering = CUBBY_RENDEZVOUS, .size_max = KI(64),
		.ways = SEND_PLAIN | TAKE_HOLD,
	},
	[EVERY] = {
		.name = "every", .use = USE_BROADCAST, .delivery = CUBBY_EVERY,
		.capacity = 64, .size_max = KI(64),
		.ways = SEND_PLAIN | SEND_BATCH | SEND_DRAFT,
	},
	[OVERTAKE] = {
		.name = "overtake", .use = USE_BROADCAST,
		.delivery = CUBBY_EVERY_OVERTAKE,
		.capacity = 64, .size_max = KI(64),
		.ways = SEND_PLAIN | SEND_BATCH | SEND_DRAFT,
	},
	[INBOX] = {
		.name = "@inbox", .capacity = 32, .size_max = KI(64),
		.ways = ALL_SENDS | TAKE_HOLD,
	},
	[CALLS] = {
		.name = "calls", .use = USE_CALLS, .capacity = 64,
		.size_min = CONTENTS_HEAD, .size_max = KI(64),
	},
	[CALLS_QUEUED] = {
		.name = "calls.queued", .use = USE_CALLS,
		.order = CUBBY_ORDER_ARRIVAL, .capacity = 64,
		.size_min = CONTENTS_HEAD, .size_max = KI(8),
	},
	[REGIONS] = {
		.name = "regions", .use = USE_REGIONS, .capacity = 16,
		.size_min = CONTENTS_HEAD, .size_max = KI(64),
	},
	[FLEETING] = {
		.name = "fleeting", .use = USE_FLEETING,
		.lifetime = CUBBY_TEMPORARY, .capacity = 64,
		.size_max = KI(64), .ways = SEND_PLAIN | SEND_DRAFT | TAKE_HOLD,
	},
	[NO_MAILBOX] = { .name = "-", .use = USE_NOTHING },
};

/* The ones that come first are there in runs of few processes as well. */
const struct role roles[] = {
	{ "send", play_sender, LANES, true, false, 3 },
	{ "receive", play_receiver, LANES, false, false, 3 },
	{ "send", play_sender, ARRIVAL, true, false, 2 },
	{ "receive", play_receiver, ARRIVAL, false, false, 2 },
	{ "return", play_sender, LARGE, true, true, 2 },
	{ "receive", play_receiver, LARGE, false, false, 2 },
	{ "send", play_sender, ENDLESS, true, false, 2 },
	{ "poll", play_poller, ENDLESS, false, false, 1 },
	{ "return", play_sender, PRIORITY, true, true, 1 },
	{ "poll", play_poller, PRIORITY, false, false, 1 },
	{ "send", play_sender, TYPED_ARRIVAL, true, false, 1 },
	{ "receive", play_receiver, TYPED_ARRIVAL, false, false, 2 },
	{ "send", play_sender, MEETING, true, false, 1 },
	{ "receive", play_receiver, MEETING, false, false, 1 },
	{ "send", play_sender, EVERY, true, false, 1 },
	{ "hear", play_hearer, EVERY, false, false, 2 },
	{ "send", play_sender, OVERTAKE, true, false, 1 },
	{ "hear", play_hearer, OVERTAKE, false, false, 1 },
	{ "send", play_sender, INBOX, true, false, 1 },
	{ "receive", play_receiver, INBOX, false, false, 1 },
	{ "call", play_caller, CALLS, true, false, 2 },
	{ "serve", play_server, CALLS, false, false, 2 },
	{ "call", play_caller, CALLS_QUEUED, true, false, 1 },
	{ "serve", play_server, CALLS_QUEUED, false, false, 1 },
	{ "give", play_giver, REGIONS, true, false, 1 },
	{ "get", play_getter, REGIONS, false, false, 1 },
	{ "lock", play_locker, NO_MAILBOX, false, false, 2 },
	{ "sweep", play_sweeper, NO_MAILBOX, false, false, 1 },
	{ "send", play_sender, FLEETING, true, false, 1 },
	{ "receive", play_receiver, FLEETING, false, false, 1 },
	{ "wait", play_waiter, NO_MAILBOX, false, false, 1 },
	{ "return", play_sender, LANES, true, true, 1 },
	{ "return", play_sender, ARRIVAL, true, true, 1 },
	{ "receive", play_receiver, PRIORITY, false, false, 1 },
	{ "receive", play_receiver, ENDLESS, false, false, 1 },
};
const uint32_t roles_count = sizeof(roles) / sizeof(roles[0]);

struct cubby_options
kind_options(uint32_t mailbox)
{
	const struct kind *kind = &kinds[mailbox];
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = kind->order;
	options.buffering = kind->buffering;
	options.delivery = kind->delivery;
	options.lifetime = kind->lifetime;
	options.capacity = kind->capacity;
	options.message_max = kind->size_max;
	return options;
}
