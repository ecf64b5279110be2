/* SPDX-License-Identifier: MIT */
/*
 * Every call that blocks, each until a deadline that passes. None may come back
 * early, by the clock that the kernel tells this process; how late each was is
 * measured, and the worst is told.
 */
#ifndef CUBBY_TESTS_DEADLINES_H
#define CUBBY_TESTS_DEADLINES_H

#include "support.h"

/*
 * Waits in each call, on mailboxes on which others may do the same at the same
 * time. who: for names, and for what is printed: another one in each process.
 * Prints the worst.
 */
void
wait_in_each_call(const char *who);

#endif
