/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comparison.h"

const char *const mode_names[] = { "spinning", "shipped", "asleep" };

static const size_t sizes[] = { 8, 64, 1024, 65536, 1u << 20 };
static const int shapes[][2] = { { 1, 1 }, { 3, 1 }, { 1, 3 }, { 2, 2 } };

#define SIZES (sizeof(sizes) / sizeof(*sizes))
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

static int
list_sized(struct comparison *ret, size_t size)
{
	int count = 0;

	for (enum mode mode = SPINNING; mode <= ASLEEP; mode++)
		ret[count++] = (struct comparison){
			"round_trip",
			mode == ASLEEP ? THERE_AND_BACK_ASLEEP : THERE_AND_BACK,
			mode,
			1,
			1,
			size,
			true,
			false
		};
	for (size_t i = 0; i < SHAPES; i++) {
		for (enum mode mode = SPINNING; mode <= SHIPPED; mode++)
			ret[count++] = (struct comparison){
				"rate",	      ONE_WAY, mode, shapes[i][0],
				shapes[i][1], size,    true, false
			};
	}
	return count;
}

int
comparisons_list(struct comparison ret[COMPARISONS_MAX])
{
	int count = 0;

	for (size_t i = 0; i < SIZES; i++)
		count += list_sized(ret + count, sizes[i]);
	ret[count++] = (struct comparison){
		"rate_untouched", ONE_WAY, SHIPPED, 1, 1, 1u << 20, false, false
	};
	ret[count++] = (struct comparison){
		"even_load", ONE_WAY_PACED, SHIPPED, 1, 1, 64, true, false
	};
	ret[count++] = (struct comparison){
		"even_load", ONE_WAY_PACED, SHIPPED, 1, 1, 1024, true, false
	};
	ret[count++] = (struct comparison){
		"calls_rate", ONE_WAY, SHIPPED, 1, 1, 64, true, true
	};
	ret[count++] = (struct comparison){ "calls_round_trip",
					    THERE_AND_BACK,
					    SHIPPED,
					    1,
					    1,
					    64,
					    true,
					    true };
	ret[count++] = (struct comparison){
		"calls_even_load", ONE_WAY_PACED, SHIPPED, 1, 1, 64, true, true
	};
	return count;
}

/* Enough that nobody waits for room where messages are small, and not so much
   that large ones fill the caches. */
static unsigned
depth_for(size_t size)
{
	return size <= 4096 ? 128 : size <= 65536 ? 16 : 8;
}

static const char *
refusal(const struct comparison *comparison, const struct peer *peer)
{
	if (comparison->mode == ASLEEP && !(peer->offers & OFFERS_BLOCKING))
		return "it never sleeps";
	if (comparison->mode == SPINNING && !(peer->offers & OFFERS_SPINNING))
		return "it cannot but sleep";
	if (comparison->workload == ONE_WAY_PACED &&
	    (peer->offers & OFFERS_BATCHES))
		return "messages that come one by one make no batch";
	if (comparison->senders > 1 && !(peer->offers & OFFERS_MANY_SENDERS))
		return "one sender alone";
	if (comparison->receivers > 1 &&
	    !(peer->offers & OFFERS_MANY_RECEIVERS))
		return "no message to one of several receivers";
	return NULL;
}

const char *
comparison_plan(const struct comparison *comparison, const struct peer *peer,
		uint64_t tick_scale, struct plan *ret)
{
	bool both_ways = comparison->workload < ONE_WAY;
	const char *reason = refusal(comparison, peer);
	static int number;

	if (reason)
		return reason;
	*ret = (struct plan){
		.workload = comparison->workload,
		.members = comparison->senders + comparison->receivers,
		.channel_count = both_ways ? 2 : 1,
		.touched = comparison->touched,
		.count_calls = comparison->count_calls,
		.tick_scale = tick_scale,
	};
	for (int i = 0; i < ret->channel_count; i++) {
		struct channel *channel = &ret->channels[i];

		*channel = (struct channel){
			.senders = comparison->senders,
			.receivers = comparison->receivers,
			.size = comparison->size,
			.depth = depth_for(comparison->size),
			.spinning = comparison->mode == SPINNING ||
				    !(peer->offers & OFFERS_BLOCKING),
			.alternating = both_ways,
		};
		snprintf(channel->name, sizeof(channel->name),
			 "cubby-compare-%ld-%d", (long)getpid(), number++);
	}
	return peer->refuses ? peer->refuses(&ret->channels[0]) : NULL;
}
