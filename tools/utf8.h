/* SPDX-License-Identifier: MIT */
/* UTF-8: which bytes are a character. */
#ifndef CUBBY_TOOLS_UTF8_H
#define CUBBY_TOOLS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The size of the character at text, of which left bytes are there; 0 if they
 * are not one: too long a form of it, a surrogate, beyond U+10FFFF, cut off.
 */
size_t
utf8_character(const char *text, size_t left);

/* The same, and 0 for control characters as well, those among them that change
   the direction of the text. */
size_t
utf8_printable(const char *text, size_t left);

/* Whether all of it is characters. */
bool
utf8_is_valid(const char *text, size_t size);

#endif
