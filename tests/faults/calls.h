/* SPDX-License-Identifier: MIT */
/* Which system call can fail how. */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H

#include <stdint.h>

#define CALL_ERRORS_MAX 12
#define CALL_ALLOCATION (-1)

enum call_traits {
	CALL_CLOSES = 1,	/* even if it fails */
	CALL_REMOVES = 2	/* if it fails, a file stays behind */
};

struct call {
	const char *name;
	long number;
	int argument;		/* -1: whatever the arguments are */
	uint64_t mask, value;	/* that argument & mask == value */
	int traits;
	int errors[CALL_ERRORS_MAX];	/* those that it can have; then 0 */
};

/* The first row that fits; NULL: none. Makes no system call. */
const struct call *
call_find(long number, const uint64_t arguments[6]);

#endif
