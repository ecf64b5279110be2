/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H
/*
 * What is common to the programs of the bench: their options, and what they tell
 * of the machine.
 */
#include <stddef.h>

#include "bench.h"

/* For messages. */
extern const char *settings_program;

/* Ends the program with a message: the option's value makes no sense. */
_Noreturn void
settings_wrong(const char *what, const char *value);

/* The number that text is; ends the program if it lies outside. */
double
settings_number(const char *text, double least, double most);

/* Sets the processors from a list such as "0,2". */
void
settings_cpus(struct settings *settings, const char *list);

/* All that this process may run on. */
void
settings_cpus_allowed(struct settings *settings);

/* What no option by itself can be blamed for. */
void
settings_check(const struct settings *settings);

/* The model of the first processor. */
void
settings_processor(char *ret, size_t size);

#endif
