/* SPDX-License-Identifier: MIT */
#ifndef MUST_H
#define MUST_H
/* What every play's worker does: each ends it if that does not go well. */
#include <sys/types.h>

struct run;

/* A call of a survivor's. */
void
must(int result, const char *what);

pid_t
must_fork(void);

/* All have left: nothing is there, nothing open, nothing mapped that was not. */
void
must_leave_nothing(const struct run *run);

#endif
