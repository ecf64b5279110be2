/* SPDX-License-Identifier: MIT */
/* What the examinations of cubby doctor share. */
#ifndef CUBBY_TOOLS_DOCTOR_H
#define CUBBY_TOOLS_DOCTOR_H

#include <stdbool.h>

#include "options.h"

enum verdict {
	FINE,
	WARN, /* it works; something may fail, or cost more than it must */
	BAD   /* something fails now */
};

/* One finding of a check, printed at once. cure: what to do, or NULL. */
__attribute__((format(printf, 4, 5))) void
diagnose(enum verdict verdict, const char *check, const char *cure,
	 const char *format, ...);

/*
 * The directory that mailboxes lie in, and that of the user's own; what the file
 * system can do; how much room it has. Whether it is fit for the rest.
 */
bool
doctor_place(void);

/* What dead processes have left behind. */
void
doctor_leftovers(void);

/* The kernel, the limits of this process, and who clears /dev/shm. */
void
doctor_system(void);

/* Where mailboxes lie: CUBBY_ROOT or /dev/shm. */
const char *
doctor_root(void);

#endif
