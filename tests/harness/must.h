/* SPDX-License-Identifier: MIT */
#ifndef MUST_H
#define MUST_H

/* Ends the process if a call of a survivor's has failed (cast.c). */
void
must(int result, const char *what);

#endif
