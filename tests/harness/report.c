/* SPDX-License-Identifier: MIT */
/* What a worker tells the process that watches it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static struct report *report;
static struct stage *complaints;

void
report_to(struct report *to)
{
	report = to;
}

void
complain_to(struct stage *stage)
{
	complaints = stage;
	report = NULL;
}

static void
write_down(const char *format, va_list arguments)
{
	if (complaints)
		vsnprintf(complaints->complaint, sizeof(complaints->complaint),
			  format, arguments);
	else if (report)
		vsnprintf(report->failure, sizeof(report->failure), format,
			  arguments);
	else
		vfprintf(stderr, format, arguments);
}

void
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_down(format, arguments);
	va_end(arguments);
	_exit(3);
}

void
fail_hang(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_down(format, arguments);
	va_end(arguments);
	if (report)
		report->hang = true;
	_exit(3);
}

void
progress(const char *doing)
{
	if (!report)
		return;
	report->doing = doing;
	report->moved = now();
}

void
waited(const char *what, int64_t since)
{
	int64_t time = now() - since;

	if (!report || time <= report->longest)
		return;
	report->longest = time;
	report->longest_what = what;
}
