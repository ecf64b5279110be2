/* SPDX-License-Identifier: MIT */
/* What the actions of cubby region share. */
#ifndef CUBBY_TOOLS_REGION_H
#define CUBBY_TOOLS_REGION_H

#include "options.h"

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
region_ls(const struct arguments *arguments);

/*
 * Tells that something failed with a region, and what to do about it. deed: as
 * in "you may not DEED pixels". Returns the exit code.
 */
int
region_complain(const char *name, const char *deed, int error);

#endif
