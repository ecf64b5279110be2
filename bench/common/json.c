/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static void
text(struct json *json, const char *value)
{
	putc('"', json->file);
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if (byte == '"' || byte == '\\')
			fprintf(json->file, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(json->file, "\\u%04x", byte);
		else
			putc(byte, json->file);
	}
	putc('"', json->file);
}

static void
begin(struct json *json, const char *key)
{
	if (json->more)
		putc(',', json->file);
	if (json->depth <= json->lines)
		putc('\n', json->file);
	else if (json->more)
		putc(' ', json->file);
	json->more = true;
	if (key) {
		text(json, key);
		fputs(": ", json->file);
	}
}

static _Noreturn void
fail(const struct json *json, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", json->program, what, strerror(errno));
	exit(1);
}

void
json_open(struct json *json, const char *path, const char *program, int lines)
{
	*json = (struct json){ program, fopen(path, "we"), lines, 0, false };
	if (!json->file)
		fail(json, path);
}

void
json_close(struct json *json)
{
	putc('\n', json->file);
	if (fclose(json->file))
		fail(json, "the results");
}

static void
open_one(struct json *json, const char *key, int bracket)
{
	begin(json, key);
	putc(bracket, json->file);
	json->depth++;
	json->more = false;
}

static void
end_one(struct json *json, int bracket)
{
	json->depth--;
	if (json->depth < json->lines)
		putc('\n', json->file);
	putc(bracket, json->file);
	json->more = true;
	fflush(json->file);
}

void
json_object(struct json *json, const char *key)
{
	open_one(json, key, '{');
}

void
json_array(struct json *json, const char *key)
{
	open_one(json, key, '[');
}

void
json_end_object(struct json *json)
{
	end_one(json, '}');
}

void
json_end_array(struct json *json)
{
	end_one(json, ']');
}

void
json_string(struct json *json, const char *key, const char *value)
{
	if (!value) {
		json_null(json, key);
		return;
	}
	begin(json, key);
	text(json, value);
}

void
json_number(struct json *json, const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(json, key);
		return;
	}
	begin(json, key);
	fprintf(json->file, "%.10g", value);
}

void
json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->file);
}

void
json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->file);
}
