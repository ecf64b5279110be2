/* SPDX-License-Identifier: MIT */
/* Senders of every kind, who read a receivers' file that changes meanwhile; and
   receivers, whose own it is. */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = { KIND_LANES, KIND_UNLIMITED,
					   KIND_FIXED, KIND_INBOX,
					   KIND_EVERY, KIND_OVERTAKE };
	struct script script = { data, data + size };
	enum kind kind = kinds[script_byte(&script) % COUNT_OF(kinds)];
	static struct play play;

	image_restore(kind, script_byte(&script) & 1);
	play_begin(&play, kind);
	play_open(&play, 0, CUBBY_SEND, "n");
	play_open(&play, 1, CUBBY_RECEIVE, NULL);
	play_open(&play, 2, CUBBY_SEND, NULL);
	play.parts = PART(PART_RECEIVERS);
	flips_begin(&script, PART(PART_RECEIVERS));
	play_all(&play, &script);
	flips_end();
	play_end(&play);
	return 0;
}
