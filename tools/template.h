/* SPDX-License-Identifier: MIT */
/* The command of work and serve, with the message put where its mark stands. */
#ifndef CUBBY_TOOLS_TEMPLATE_H
#define CUBBY_TOOLS_TEMPLATE_H

#include <stddef.h>

struct template {
	char **words;	  /* the command and its arguments, ending with NULL */
	const char *mark; /* what stands for the message, such as {} */
	size_t marks;	  /* how often it does so, in all words */
};

void
template_make(struct template *template, char **words, int count,
	      const char *mark);

/* Whether it is a line of shell, all in one word, which is no command. */
int
template_is_line(const struct template *template);

/*
 * Whether the command can be found and executed, as execvp(3) would look for
 * it; one that depends on the message is not looked for. Returns 0 or a
 * negative errno.
 */
int
template_find(const struct template *template);

/* Whether it depends on the message what is started. */
int
template_varies(const struct template *template);

/*
 * The words with the message in them, ending with NULL; template_free() them.
 * NULL if the message holds a NUL, which no argument can.
 */
char **
template_fill(const struct template *template, const void *message,
	      size_t size);

void
template_free(char **words);

#endif
