/* SPDX-License-Identifier: MIT */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H
/*
 * Writes JSON, one value after the other. key is NULL in an array and at the top.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	const char *program; /* for messages */
	FILE *file;
	int lines; /* what lies this deep, or less, begins a line of its own */
	int depth;
	bool more; /* there is one before, in the same object or array */
};

/* Exits with a message if it cannot be written. */
void
json_open(struct json *json, const char *path, const char *program, int lines);
void
json_close(struct json *json);

void
json_object(struct json *json, const char *key);
void
json_array(struct json *json, const char *key);
/* One line for all that is in it. */
void
json_end_object(struct json *json);
void
json_end_array(struct json *json);

/* NULL: null. */
void
json_string(struct json *json, const char *key, const char *value);
/* Not a number: null. */
void
json_number(struct json *json, const char *key, double value);
void
json_bool(struct json *json, const char *key, bool value);
void
json_null(struct json *json, const char *key);

#endif
