/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H
/*
 * What the files of results have in common: what they begin with, and how bounds
 * on a figure are told. A figure that is not a number is not known.
 */
#include "json.h"
#include "settings.h"

/* Opens the file and begins its object: program, time, machine. Exits with a
   message if it cannot be written. */
void
report_begin(struct json *json, const char *path, const char *program,
	     const struct settings *settings);

/* The time in UTC. */
void
report_when(char *ret, size_t size);

/* The model of the first processor. */
void
report_processor(char *ret, size_t size);

enum sense { AT_MOST, AT_LEAST };

/* False also of a value that is not known. */
bool
report_holds(enum sense sense, double limit, double value);

/* Of these, the one that is further from being held; or the one that is known. */
double
report_worse(enum sense sense, double one, double other);

/* "sense" and "goal", as all files have them. */
void
report_bound(struct json *json, enum sense sense, double limit);

/* As the table has it. */
const char *
report_sign(enum sense sense);

/* "held": null, if the value is not known. */
void
report_held(struct json *json, enum sense sense, double limit, double value);

/* In the table: "held", "MISSED", or what is said of one that is not known. */
const char *
report_verdict(enum sense sense, double limit, double value,
	       const char *unknown);

#endif
