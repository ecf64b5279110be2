/* SPDX-License-Identifier: MIT */
/* What a point is called. */
#include <stdio.h>

#include "harness.h"

const char *
point_name(const struct text *text, const struct point *point)
{
	static const char *const moments[] = {
		[AT] = "at",
		[BEFORE] = "before a system call from",
		[AFTER] = "after a system call from",
	};
	static char name[300];
	int length;

	length = snprintf(name, sizeof(name), "%s %s, visit %u",
			  moments[point->moment],
			  text_name(text, point->address), point->visit);
	if (point->moment != AT)
		snprintf(name + length, sizeof(name) - (size_t)length,
			 ", system call %u (its %u.)", point->syscall,
			 point->nth + 1U);
	return name;
}
