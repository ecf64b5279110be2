/* SPDX-License-Identifier: MIT */
/* Which errors a public call may return: what its header says, read from it. */
#ifndef FAULTS_DOCUMENTED_H
#define FAULTS_DOCUMENTED_H

#include <stdbool.h>

/* error: positive. Ends the program if the header does not have the call. */
bool
documented(const char *call, int error);

#endif
