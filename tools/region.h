/* SPDX-License-Identifier: MIT */
/* What the actions of cubby region share. */
#ifndef CUBBY_TOOLS_REGION_H
#define CUBBY_TOOLS_REGION_H

#include <stddef.h>

#include <cubby.h>

#include "options.h"

struct region_action {
	const char *name;
	const char *words; /* that follow */
	int least_words;
	int most_words;
	uint64_t options; /* a bit for each that it takes */
	int (*run)(const struct arguments *arguments);
};

/* The n-th action, from 0, or NULL. */
const struct region_action *
region_action(size_t n);

/*
 * The actions, each with the words that follow its own. Each returns an exit
 * code.
 */
int
region_create(const struct arguments *arguments);
int
region_dump(const struct arguments *arguments);
int
region_load(const struct arguments *arguments);
int
region_receive(const struct arguments *arguments);
int
region_send(const struct arguments *arguments);
int
region_ls(const struct arguments *arguments);

/* Prints a region's bytes, as --hex says. */
void
region_print(const struct arguments *arguments, const cubby_region *region);

/*
 * Copies standard input to the region's beginning, and makes it grow as it must;
 * name is for what is told when that fails. Returns 0 or the exit code.
 */
int
region_fill(const char *name, cubby_region *region, uint64_t *ret_size);

/*
 * Tells that something failed with a region, and what to do about it. deed: as
 * in "you may not DEED pixels". Returns the exit code.
 */
int
region_complain(const char *name, const char *deed, int error);

#endif
