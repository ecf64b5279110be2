/* SPDX-License-Identifier: MIT */
/* What a shell offers when the user asks it to complete a command line. */
#ifndef CUBBY_TOOLS_COMPLETE_H
#define CUBBY_TOOLS_COMPLETE_H

/*
 * cubby --complete WORD...: prints what the last word (which may be empty) can
 * become, if those before it stand after "cubby": a line each, the word, a tab,
 * and what it is. A line without a word asks the shell for what it knows itself:
 *
 *	<tab>files		names of files
 *	<tab>groups		groups of users
 *	<tab>command N		from the N-th word (the verb is the first) on, it
 *				is a command line of its own
 *
 * If the last word is --OPTION=VALUE, so are the words; for files and groups,
 * VALUE alone is meant. Never fails: what cannot be completed gives no line.
 */
int
complete(int count, char **words);

#endif
