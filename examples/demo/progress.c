/* SPDX-License-Identifier: MIT */
/* A progress bar with its rate; on other than a terminal, a line at the end. */
#include "demo.h"

#include <string.h>
#include <unistd.h>

#define BAR 30
#define TERMINAL_EVERY INT64_C(100000000)
#define LINE_EVERY INT64_C(2000000000)

static void
draw(const struct progress *progress, uint64_t done, uint64_t total,
     int64_t time)
{
	static const char full[BAR + 1] = "##############################";
	double part = total > 0 ? (double)done / total : 1;
	double seconds = (time - progress->start) / 1e9;
	double megabytes = done / 1e6;
	int bars;

	if (part > 1) /* a file has grown since */
		part = 1;
	bars = part * BAR;
	if (progress->terminal)
		printf("\r%-15s [%-*.*s] ", progress->label, BAR, bars, full);
	else
		printf("%-15s ", progress->label);
	printf("%3d%% %10.1f MB %8.1f MB/s", (int)(part * 100), megabytes,
	       seconds > 0 ? megabytes / seconds : 0);
	if (progress->terminal)
		printf("\033[K");
}

void
progress_start(struct progress *progress, const char *label)
{
	progress->label = label;
	progress->start = now();
	progress->shown = progress->start;
	progress->terminal = isatty(STDOUT_FILENO) == 1;
}

void
progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	int64_t time = now();
	int64_t every = progress->terminal ? TERMINAL_EVERY : LINE_EVERY;

	if (time - progress->shown < every)
		return;
	progress->shown = time;
	draw(progress, done, total, time);
	if (!progress->terminal)
		putchar('\n');
	fflush(stdout);
}

void
progress_end(struct progress *progress, uint64_t done)
{
	draw(progress, done, done, now());
	putchar('\n');
	fflush(stdout);
}
