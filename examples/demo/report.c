/* SPDX-License-Identifier: MIT */
/* The figures. */
#include "demo.h"

#include <inttypes.h>
#include <string.h>

uint64_t
tallied(const struct run *run, enum role role)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < run->processes[role]; i++)
		sum += atomic_load(&run->board->tallies[role][i].messages);
	return sum;
}

/* Each piece crosses two mailboxes. */
static uint64_t
messages(const struct run *run)
{
	return tallied(run, PRODUCER) + tallied(run, CONSUMER) +
	       atomic_load(&run->board->tallies[COLLECTOR][0].credits);
}

/* 1234567 as "1,234,567". Static: one at a time. */
static const char *
grouped(uint64_t number)
{
	static char text[32];
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *out = text;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

static void
row(const char *name, const char *value)
{
	printf("%-22s %16s\n", name, value);
}

static void
row_number(const char *name, uint64_t number)
{
	row(name, grouped(number));
}

static void
print_files(const struct run *run, const struct tree *tree)
{
	uint64_t split = 0, empty = 0, unreadable = 0;

	for (uint64_t i = 0; i < run->count; i++) {
		const struct outcome *outcome = &run->outcomes[i];
		split += outcome->pieces > 1;
		empty += outcome->size == 0 && outcome->error == 0;
		unreadable += outcome->error != 0;
	}
	row_number("files", run->count);
	row_number("split files", split);
	row_number("empty files", empty);
	if (unreadable > 0)
		row_number("unreadable files", unreadable);
	if (tree->unreadable > 0)
		row_number("unreadable directories", tree->unreadable);
	if (tree->elsewhere > 0)
		row_number("other file systems", tree->elsewhere);
}

static int
untraceable(const struct run *run)
{
	for (unsigned role = 0; role < ROLES; role++)
		for (unsigned i = 0; i < PROCESSES_MAX; i++) {
			const struct tally *tally =
				&run->board->tallies[role][i];
			int error = atomic_load(&tally->untraceable);
			if (error != 0)
				return error;
		}
	return 0;
}

static void
print_system_calls(const struct run *counted)
{
	uint64_t sum = 0;
	char text[32];

	if (messages(counted) == 0)
		return;
	if (untraceable(counted) != 0) {
		row("system calls/message", "not counted");
		printf("  (tracing is not allowed here: %s)\n",
		       strerror(untraceable(counted)));
		return;
	}
	for (unsigned i = 0; i < SYSTEM_CALLS; i++)
		sum += counted->calls[i];
	snprintf(text, sizeof(text), "%.3f", (double)sum / messages(counted));
	row("system calls/message", text);
	printf("  %s in", grouped(sum));
	printf(" %s messages: ", grouped(messages(counted)));
	trace_print(counted->calls);
	printf("\n  counted by ptrace in a second run with %s files: all calls",
	       grouped(counted->count));
	printf(" of producers,\n  consumers and collector from the opening of"
	       " their mailboxes to their end,\n  but for the producers'"
	       " openat, read and close of files\n");
}

void
report(const struct run *run, const struct run *counted,
       const struct tree *tree)
{
	double seconds = run->nanoseconds / 1e9;
	uint64_t bytes = 0;
	char text[32];

	for (uint64_t i = 0; i < run->count; i++)
		bytes += run->outcomes[i].size;
	printf("\n");
	print_files(run, tree);
	row_number("bytes", bytes);
	row_number("messages", messages(run));
	row_number("messages/s", messages(run) / seconds);
	snprintf(text, sizeof(text), "%.1f", bytes / 1e6 / seconds);
	row("MB/s", text);
	print_system_calls(counted);
}
