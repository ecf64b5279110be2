/* SPDX-License-Identifier: MIT */
/* UTF-8, after table 3-7 of the Unicode standard: well-formed sequences. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/*
 * How many bytes the character has that begins with this byte, and between what
 * the second one must lie: that is where the wrong forms differ.
 */
static size_t
form(unsigned char first, unsigned char *low, unsigned char *high)
{
	*low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t
utf8_character(const char *text, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned char low, high;
	size_t size;

	if (!left)
		return 0;
	size = form(bytes[0], &low, &high);
	if (size > left)
		return 0;
	if (size > 1 && (bytes[1] < low || bytes[1] > high))
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

/*
 * Those that change the order in which a terminal shows what follows (the
 * bidirectional formatting characters of Unicode's annex 9), or end a line: with
 * them a name could pass for another one.
 */
static bool
is_misleading(const unsigned char *bytes, size_t size)
{
	if (size == 2) /* U+061C */
		return bytes[0] == 0xd8 && bytes[1] == 0x9c;
	if (size != 3 || bytes[0] != 0xe2)
		return false;
	if (bytes[1] == 0x80) /* U+200E, U+200F, U+2028 to U+202E */
		return bytes[2] == 0x8e || bytes[2] == 0x8f ||
		       (bytes[2] >= 0xa8 && bytes[2] <= 0xae);
	/* U+2066 to U+2069 */
	return bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9;
}

size_t
utf8_printable(const char *text, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size = utf8_character(text, left);

	if (size == 1 && (bytes[0] < 0x20 || bytes[0] == 0x7f))
		return 0;
	if (size == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0)
		return 0; /* U+0080 to U+009F */
	return is_misleading(bytes, size) ? 0 : size;
}

bool
utf8_is_valid(const char *text, size_t size)
{
	size_t step;
	uint64_t word;

	for (; size; text += step, size -= step) {
		step = sizeof(word);
		if (size >= step) {
			memcpy(&word, text, step);
			if (!(word & UINT64_C(0x8080808080808080)))
				continue; /* eight of ASCII */
		}
		step = utf8_character(text, size);
		if (!step)
			return false;
	}
	return true;
}
