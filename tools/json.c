/* SPDX-License-Identifier: MIT */
/* JSON on stdout. */
#include "json.h"

#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "utf8.h"

static bool comma; /* is due before the next member */

static void
separate(void)
{
	if (comma)
		output_text(",");
	comma = true;
}

void
json_open(char bracket)
{
	separate();
	output(&bracket, 1);
	comma = false;
}

void
json_close(char bracket)
{
	output(&bracket, 1);
	comma = true;
}

void
json_break(void)
{
	separate();
	output_text("\n");
	comma = false;
}

void
json_end_line(void)
{
	output_text("\n");
	comma = false;
}

void
json_name(const char *name)
{
	separate();
	output_format("\"%s\":", name);
	comma = false;
}

void
json_number(uint64_t number)
{
	separate();
	output_format("%llu", (unsigned long long)number);
}

static void
escape(unsigned char byte)
{
	if (byte == '\n')
		output_text("\\n");
	else if (byte == '\t')
		output_text("\\t");
	else if (byte == '"' || byte == '\\')
		output_format("\\%c", byte);
	else
		output_format("\\u%04x", byte);
}

static bool
must_escape(char byte)
{
	return (unsigned char)byte < 0x20 || byte == '"' || byte == '\\' ||
	       byte == 0x7f;
}

void
json_string(const char *bytes, size_t size)
{
	const char *end = bytes + size;
	const char *plain;

	separate();
	output_text("\"");
	while (bytes < end) {
		for (plain = bytes; bytes < end && !must_escape(*bytes);)
			bytes++;
		output(plain, (size_t)(bytes - plain));
		if (bytes < end)
			escape((unsigned char)*bytes++);
	}
	output_text("\"");
}

static void
base64(const unsigned char *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/";
	char text[4];

	for (; size; bytes += 3) {
		size_t count = size < 3 ? size : 3;
		uint32_t group = (uint32_t)bytes[0] << 16;

		if (count > 1)
			group |= (uint32_t)bytes[1] << 8;
		if (count > 2)
			group |= bytes[2];
		for (size_t i = 0; i < 4; i++)
			text[i] = i > count ?
					  '=' :
					  digits[group >> (18 - 6 * i) & 63];
		output(text, sizeof(text));
		size -= count;
	}
}

void
json_member_number(const char *name, uint64_t number)
{
	json_name(name);
	json_number(number);
}

void
json_member_real(const char *name, double finite)
{
	json_name(name);
	separate();
	output_format("%.6g", finite);
}

void
json_member_count(const char *name, uint64_t count)
{
	if (count != CUBBY_UNKNOWN) {
		json_member_number(name, count);
		return;
	}
	json_name(name);
	separate();
	output_text("null");
}

void
json_member_flag(const char *name, bool flag)
{
	json_name(name);
	separate();
	output_text(flag ? "true" : "false");
}

void
json_member_text(const char *name, const char *text)
{
	json_name(name);
	json_string(text, strlen(text));
}

void
json_member_bytes(const char *name, const char *otherwise, const char *bytes,
		  size_t size)
{
	if (utf8_is_valid(bytes, size)) {
		json_name(name);
		json_string(bytes, size);
		return;
	}
	json_name(otherwise);
	separate();
	output_text("\"");
	base64((const unsigned char *)bytes, size);
	output_text("\"");
}
