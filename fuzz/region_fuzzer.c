/* SPDX-License-Identifier: MIT */
/* Regions, attached and in messages, and the mutexes, conditions and semaphores
   in them, whose bytes change meanwhile. */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, data + size };
	static struct play play;

	image_restore(KIND_REGION, script_byte(&script) & 1);
	play_begin(&play, KIND_REGION);
	CALL(cubby_region_open(REGION, CUBBY_WRITE, NULL, &play.regions[0]),
	     "cubby_region_open", EBADMSG);
	play.writable[0] = true;
	play_open(&play, 1, BOTH, NULL);
	play.parts = PART(PART_MEMORY);
	flips_begin(&script, play.parts);
	play_all(&play, &script);
	flips_end();
	play_end(&play);
	return 0;
}
