/* SPDX-License-Identifier: MIT */
/*
 * Does every peer still carry messages? A few of them through each in every
 * shape and mode, each word compared; no time is looked at.
 */
#include <stdio.h>
#include <string.h>

#include "comparison.h"

#define MESSAGES 40u

static const size_t sizes[] = { 8, 1024, 1u << 20 };
static const int shapes[][2] = { { 1, 1 }, { 3, 1 }, { 1, 3 }, { 2, 2 } };
#define SHAPES 4

struct tally {
	int carried, refused;
	bool failed;
};

static bool
carry(const struct peer *peer, struct plan *plan, char *ret_reason, size_t size)
{
	struct team *team = team_start(peer, plan, ret_reason, size);
	bool carried = team != NULL;
	int places[PEER_MEMBERS_MAX];

	/* Where the kernel likes: it may be busy elsewhere. */
	for (int i = 0; i < plan->members; i++)
		places[i] = PROCESS_UNPLACED;
	/* The second round meets what the first has left behind. */
	for (int i = 0; carried && i < 2; i++)
		carried = team_round(team, places, 0, MESSAGES, ret_reason,
				     size) != NULL;
	team_stop(team);
	return carried;
}

static void
check_one(const struct choice *choice, const struct peer *peer,
	  const struct comparison *comparison, struct tally *tally)
{
	struct plan plan;
	char reason[200];

	if (comparison_plan(comparison, peer, choice->tick_scale, &plan)) {
		tally->refused++;
		return;
	}
	plan.checked = true;
	if (carry(peer, &plan, reason, sizeof(reason))) {
		tally->carried++;
		return;
	}
	tally->failed = true;
	printf("%s: FAILED: %s, %s, %zu bytes, %d to %d: %s\n", peer->name,
	       comparison->test, mode_names[comparison->mode], comparison->size,
	       comparison->senders, comparison->receivers, reason);
}

static void
check_size(const struct choice *choice, const struct peer *peer, size_t size,
	   struct tally *tally)
{
	for (enum mode mode = SPINNING; mode <= ASLEEP; mode++) {
		struct comparison comparison = {
			.test = "round_trip",
			.workload = mode == ASLEEP ? THERE_AND_BACK_ASLEEP :
						     THERE_AND_BACK,
			.mode = mode,
			.senders = 1,
			.receivers = 1,
			.size = size,
			.touched = true,
		};

		/* Who spins in a crowd waits for whom he keeps from running. */
		int shapes_tried = mode == SHIPPED  ? SHAPES :
				   mode == SPINNING ? 1 :
						      0;

		check_one(choice, peer, &comparison, tally);
		for (int i = 0; i < shapes_tried; i++) {
			comparison.test = "rate";
			comparison.workload = ONE_WAY;
			comparison.senders = shapes[i][0];
			comparison.receivers = shapes[i][1];
			check_one(choice, peer, &comparison, tally);
		}
	}
}

bool
check_all(const struct choice *choice)
{
	bool fine = true;

	for (int i = 0; i < choice->count; i++) {
		const struct peer *peer = choice->peers[i];
		struct tally tally = { 0, 0, false };

		if (choice->absent[i][0]) {
			printf("%s: absent: %s\n", peer->name,
			       choice->absent[i]);
			continue;
		}
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++)
			check_size(choice, peer, sizes[j], &tally);
		printf("%s: %d carried, %d not offered%s\n", peer->name,
		       tally.carried, tally.refused,
		       tally.failed ? ", FAILED" : "");
		fflush(stdout);
		fine &= !tally.failed && tally.carried;
	}
	return fine;
}
