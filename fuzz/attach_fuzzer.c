/* SPDX-License-Identifier: MIT */
/*
 * Mailboxes and regions of every kind, any of whose files has been patched, cut
 * short or replaced before they are opened, and again between calls.
 */
#include "fuzz.h"

#define PATCHES 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, data + size };
	enum kind kind = script_byte(&script) % KINDS;
	uint8_t how = script_byte(&script);
	static struct play play;

	image_restore(kind, !(how & 1));
	play_begin(&play, kind);
	play.parts = kind_parts(kind);
	play.truncate = true;
	for (int i = how >> 1; i % PATCHES; i--)
		patch(&script, play.parts, true);
	play_all(&play, &script);
	play_end(&play);
	return 0;
}
