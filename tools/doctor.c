/* SPDX-License-Identifier: MIT */
/* cubby doctor: is this machine, and what lies in shared memory, as it must be? */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "json.h"
#include "output.h"

#define INDENT 18

static const struct {
	const char *name;
	const char *colour;
} verdicts[] = {
	[FINE] = { "ok", "\033[32m" },
	[WARN] = { "warn", "\033[33m" },
	[BAD] = { "bad", "\033[31m" },
};

static bool as_json;
static enum verdict worst;

const char *
doctor_root(void)
{
	const char *root = getenv("CUBBY_ROOT");

	return root && *root ? root : "/dev/shm";
}

static void
tell_json(enum verdict verdict, const char *check, const char *cure,
	  const char *text)
{
	json_break();
	json_open('{');
	json_member_text("check", check);
	json_member_text("verdict", verdicts[verdict].name);
	json_member_text("finding", text);
	if (cure)
		json_member_text("cure", cure);
	json_close('}');
}

static void
tell_text(enum verdict verdict, const char *check, const char *cure,
	  const char *text)
{
	bool colour = output_has_colour();
	char left[60];

	snprintf(left, sizeof(left), "%s%-4s%s  %s",
		 colour ? verdicts[verdict].colour : "", verdicts[verdict].name,
		 colour ? "\033[0m" : "", check);
	output_wrapped(left, INDENT, text);
	if (cure)
		output_wrapped("      to cure:", INDENT, cure);
}

void
diagnose(enum verdict verdict, const char *check, const char *cure,
	 const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		out_of_memory();
	if (verdict > worst)
		worst = verdict;
	(as_json ? tell_json : tell_text)(verdict, check, cure, text);
	free(text);
}

int
run_doctor(const struct arguments *arguments)
{
	as_json = given(arguments, OPTION_JSON);
	if (as_json)
		json_open('[');
	if (doctor_place())
		doctor_leftovers();
	doctor_system();
	if (as_json) {
		json_close(']');
		json_end_line();
	}
	return worst == BAD ? EXIT_ERROR : EXIT_DONE;
}
