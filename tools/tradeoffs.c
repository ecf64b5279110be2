/* SPDX-License-Identifier: MIT */
/*
 * cubby tradeoffs: measures, then tells.
 *
 * Everything that bears a name lies in a directory of its own, in the memory
 * where mailboxes lie, which goes away when this ends, however that comes about
 * but for SIGKILL; what that leaves, the next one clears away. It is a whole
 * root of mailboxes, so that no mailbox of the user's is seen or touched.
 */
#include "tradeoffs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "output.h"
#include "tradeoffs_pair.h"

#define DEFAULT_SECONDS 30
#define PREFIX "cubby-tradeoffs-"

char tradeoffs_root[TRADEOFFS_ROOT];
static int root_fd; /* its flock says that somebody uses it */

/* Figures ---------------------------------------------------------------- */

static int
compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static double
quantile(const double *values, int count, double fraction)
{
	double place = fraction * (double)(count - 1);
	int below = (int)place;
	double part = place - (double)below;

	if (below + 1 == count)
		return values[below];
	return values[below] * (1 - part) + values[below + 1] * part;
}

struct figure
figure_of(double *values, int count)
{
	if (count < 1)
		return (struct figure){ 0, 0, 0, 0 };
	qsort(values, (size_t)count, sizeof(*values), compare);
	return (struct figure){ quantile(values, count, 0.5),
				quantile(values, count, 0.25),
				quantile(values, count, 0.75), count };
}

void
findings_miss(struct findings *findings, const char *format, ...)
{
	va_list arguments;
	char *text;

	if (!findings || findings->missing_count == MISSING_MAX)
		return;
	text = findings->missing[findings->missing_count];
	va_start(arguments, format);
	vsnprintf(text, MISSING_TEXT, format, arguments);
	va_end(arguments);
	for (int i = 0; i < findings->missing_count; i++)
		if (strcmp(findings->missing[i], text) == 0)
			return; /* told already */
	findings->missing_count++;
}

/* The root --------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *status, int type,
	   struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	remove(path);
	return 0;
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Removes the root of one that was killed: nobody has it locked. */
static void
remove_stale(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		remove_tree(path);
	close(fd);
}

static void
remove_all_stale(const char *where)
{
	char pattern[TRADEOFFS_ROOT];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/" PREFIX "*", where);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		remove_stale(found.gl_pathv[i]);
	globfree(&found);
}

/*
 * Makes the root, under a name that is not its own until it is locked: another
 * that clears away would take it for one that was left.
 */
static int
make_root(void)
{
	const char *where = getenv("CUBBY_ROOT");
	char path[sizeof(tradeoffs_root)];
	int error;

	if (!where || !*where)
		where = "/dev/shm";
	if (strlen(where) > TRADEOFFS_ROOT - 64)
		return -ENAMETOOLONG;
	remove_all_stale(where);
	snprintf(path, sizeof(path), "%s/.cubby-XXXXXX", where);
	snprintf(tradeoffs_root, sizeof(tradeoffs_root), "%s/" PREFIX "%ld",
		 where, (long)getpid());
	if (!mkdtemp(path))
		return -errno;
	root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd >= 0 && flock(root_fd, LOCK_EX) == 0 &&
	    rename(path, tradeoffs_root) == 0 &&
	    setenv("CUBBY_ROOT", tradeoffs_root, 1) == 0)
		return 0;
	error = -errno;
	rmdir(path);
	return error;
}

static void
end_root(void)
{
	remove_tree(tradeoffs_root);
	close(root_fd);
}

/* Progress --------------------------------------------------------------- */

static int64_t begun, shown;
static double planned; /* seconds */

static void
show_progress(void)
{
	int64_t now = now_ns();
	double passed = (double)(now - begun) / 1e9;

	if (now - shown < 500000000)
		return;
	shown = now;
	fprintf(stderr, "\rmeasuring: %.0f of about %.0f s ", passed,
		passed > planned ? passed : planned);
	fflush(stderr);
}

static void
hide_progress(void)
{
	if (shown)
		fprintf(stderr, "\r%40s\r", "");
	fflush(stderr);
}

/* Measuring -------------------------------------------------------------- */

/* Each step with its part of the time. Times take what is left. */
static int
measure(struct findings *findings, double seconds)
{
	static int (*const steps[])(struct findings *,
				    double) = { measure_lines,
						measure_synchronisation,
						measure_setup, measure_calls };
	int signal = 0;

	findings->pinned[0] = findings->pinned[1] = -1;
	if (getloadavg(&findings->load, 1) < 1)
		findings->load = 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !signal; i++)
		signal = steps[i](findings, seconds * 0.04);
	if (!signal)
		signal = measure_times(
			findings, seconds - (double)(now_ns() - begun) / 1e9);
	findings->seconds = (double)(now_ns() - begun) / 1e9;
	return signal;
}

static void
tell(const struct arguments *arguments, const struct findings *findings)
{
	char *reading;

	if (given(arguments, OPTION_JSON)) {
		tradeoffs_json(findings);
		return;
	}
	tradeoffs_table(findings);
	tradeoffs_plot(findings);
	reading = tradeoffs_reading(findings);
	output_text("\n");
	output_wrapped("", 0, reading);
	free(reading);
}

int
run_tradeoffs(const struct arguments *arguments)
{
	struct findings *findings = pair_memory(sizeof(*findings));
	int signal, error;

	planned = (double)number_or(arguments, OPTION_SECONDS, DEFAULT_SECONDS);
	begun = now_ns();
	if (isatty(STDERR_FILENO))
		pair_tick = show_progress;
	pair_block_signals();
	error = make_root();
	if (error) {
		pair_unblock_signals(0);
		complain("cannot make a place for what is measured: %s",
			 cubby_strerror(error));
		return EXIT_ERROR;
	}
	signal = measure(findings, planned);
	end_root();
	hide_progress();
	pair_unblock_signals(signal);
	tell(arguments, findings);
	return EXIT_DONE;
}
