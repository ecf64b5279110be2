/* SPDX-License-Identifier: MIT */
/*
 * A lane whose bytes change while receivers read it. What another sender sends
 * meanwhile, on a lane that nobody disturbs, comes whole and in order.
 */
#include "play.h"

enum { RECEIVER, HOSTILE, GOOD };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = { KIND_LANES, KIND_UNLIMITED,
					   KIND_FIXED, KIND_INBOX,
					   KIND_EVERY, KIND_OVERTAKE };
	struct script script = { data, data + size };
	enum kind kind = kinds[script_byte(&script) % COUNT_OF(kinds)];
	static struct play play;

	image_restore(kind, false);
	play_begin(&play, kind);
	play_open(&play, RECEIVER, CUBBY_RECEIVE, NULL);
	play_open(&play, HOSTILE, CUBBY_SEND, "n");
	play_open(&play, GOOD, CUBBY_SEND, NULL);
	/* Where each receiver gets his own, there is not one order of all. */
	if (kind != KIND_EVERY && kind != KIND_OVERTAKE) {
		play.good = GOOD;
		play.good_sender = 2;
	}
	play.parts = PART(PART_LANE);
	flips_begin(&script, PART(PART_LANE));
	play_all(&play, &script);
	flips_end();
	if (play.good == GOOD) {
		/* What others hold goes back. */
		for (int i = 0; i < HANDLES; i++)
			if (i != GOOD)
				play_close(&play, i);
		play_open(&play, RECEIVER, CUBBY_RECEIVE, NULL);
		play_drain(&play, RECEIVER);
	}
	play_end(&play);
	return 0;
}
