/* SPDX-License-Identifier: MIT */
/* Requests and replies, whose slots, and the lane or the queue that carries the
   requests, change meanwhile. */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = { KIND_LANES, KIND_ARRIVAL,
					   KIND_UNLIMITED, KIND_INBOX,
					   KIND_RENDEZVOUS };
	struct script script = { data, data + size };
	enum kind kind = kinds[script_byte(&script) % COUNT_OF(kinds)];
	uint8_t how = script_byte(&script);
	static struct play play;

	image_restore(kind, how & 1);
	play_begin(&play, kind);
	play_open(&play, 0, CUBBY_SEND, "n");
	play_open(&play, 1, CUBBY_RECEIVE, NULL);
	play.parts = PART(PART_REPLY);
	if (how & 2)
		play.parts |= PART(PART_LANE) | PART(PART_QUEUE);
	/* So that there is a file. */
	CALL(cubby_call_begin(play.handles[0], NULL, 0, NULL, CUBBY_NOW,
			      &play.requests[0]),
	     "cubby_call_begin", EAGAIN, ENOMEM);
	flips_begin(&script, play.parts);
	play_all(&play, &script);
	flips_end();
	play_end(&play);
	return 0;
}
