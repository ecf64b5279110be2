/* SPDX-License-Identifier: MIT */
/* A queue, whose file changes while both ends use it. */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum kind kinds[] = { KIND_ARRIVAL, KIND_PRIORITY,
					   KIND_RENDEZVOUS };
	struct script script = { data, data + size };
	enum kind kind = kinds[script_byte(&script) % COUNT_OF(kinds)];
	static struct play play;

	image_restore(kind, script_byte(&script) & 1);
	play_begin(&play, kind);
	play_open(&play, 0, BOTH, NULL);
	play_open(&play, 1, CUBBY_SEND, "n");
	play_open(&play, 2, CUBBY_RECEIVE, NULL);
	play.parts = kind_parts(kind);
	flips_begin(&script, play.parts);
	play_all(&play, &script);
	flips_end();
	play_end(&play);
	return 0;
}
