/* SPDX-License-Identifier: MIT */
/*
 * Looking at a process's system calls, through strace.
 *
 * The test's own executable is run again under it, with the name of a part
 * that its main() calls instead of the tests.
 */
#ifndef CUBBY_TESTS_TRACE_H
#define CUBBY_TESTS_TRACE_H

#include "support.h"

/* Runs `part` of this executable under strace, writing to trace_path(). Skips
   the test where there is no strace. calls: for its option -e trace=. */
void
trace_start(struct child *ret, const char *part, const char *calls);

/* A file of this test's, outside of the root. */
const char *
trace_path(void);

/* In the traced part: what is counted begins, or ends, here. */
void
trace_mark(void);

/* The system calls of all processes, each from its first mark to its second. */
unsigned long
trace_count_marked(void);

/* The calls whose line contains that text and that returned 0 or more. */
unsigned long
trace_count_successful(const char *text);

#endif
