/* SPDX-License-Identifier: MIT */
/* JSON on stdout, value by value; the commas see to themselves. */
#ifndef CUBBY_TOOLS_JSON_H
#define CUBBY_TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begin and end an object or a list: bracket is one of {}[]. */
void
json_open(char bracket);
void
json_close(char bracket);

/* "name": , before what the next call prints. Only within an object. */
void
json_name(const char *name);

/* A value. */
void
json_number(uint64_t number);
void
json_string(const char *bytes, size_t size);

/* A new line before the next value of a list. */
void
json_break(void);

/* Ends the line, and with it a value that stands alone. */
void
json_end_line(void);

/* Whole members. A count may be CUBBY_UNKNOWN: null. */
void
json_member_number(const char *name, uint64_t number);
void
json_member_count(const char *name, uint64_t count);
void
json_member_real(const char *name, double finite);
void
json_member_flag(const char *name, bool flag);
void
json_member_text(const char *name, const char *text);

/*
 * Bytes of whatever kind: as a string called name if they are UTF-8, else in
 * base64, called otherwise.
 */
void
json_member_bytes(const char *name, const char *otherwise, const char *bytes,
		  size_t size);

#endif
