/* SPDX-License-Identifier: MIT */
/*
 * A paragraph that reads the figures. Each sentence is one comparison of what
 * was measured in this run, and is left out when a part of it is missing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "table.h"
#include "tradeoffs.h"

/* Differences of less than this part are none. */
#define NOTABLE 1.25

struct reading {
	const struct findings *findings;
	FILE *out;
};

static double
handover(const struct reading *reading, enum contender_id contender, int size)
{
	return reading->findings->times[contender][size][HANDOVER].median;
}

static double
stream(const struct reading *reading, enum contender_id contender, int size)
{
	return reading->findings->times[contender][size][STREAM].median;
}

__attribute__((format(printf, 2, 3))) static void
say(const struct reading *reading, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(reading->out, format, arguments);
	va_end(arguments);
}

/* "3 times", "1.4 times". */
static const char *
times_text(char text[TIME_TEXT], double ratio)
{
	snprintf(text, TIME_TEXT, ratio < 9.95 ? "%.1f times" : "%.0f times",
		 ratio);
	return text;
}

/* The largest size that a contender was measured at; -1: none. */
static int
largest(const struct reading *reading, enum contender_id contender)
{
	int size = SIZES - 1;

	while (size >= 0 &&
	       !reading->findings->times[contender][size][HANDOVER].rounds)
		size--;
	return size;
}

/* From which load on others take what is being measured. */
#define BUSY 0.5

static void
say_load(const struct reading *reading)
{
	const struct findings *findings = reading->findings;

	if (findings->load > BUSY * findings->cpu_count)
		say(reading,
		    "The machine was busy when this began (%.1f processes on "
		    "%d processors): the figures are larger than they need be, "
		    "and may contradict one another. ",
		    findings->load, findings->cpu_count);
}

static void
say_calls(const struct reading *reading)
{
	const struct findings *findings = reading->findings;
	char call[TIME_TEXT], wake[TIME_TEXT], ratio[TIME_TEXT];

	if (!findings->system_call.rounds)
		return;
	say(reading,
	    "Here a system call that does nothing takes %s, and to wake a "
	    "process that sleeps takes %s, %s as long. ",
	    time_text(call, findings->system_call.median),
	    time_text(wake, findings->wake.median),
	    times_text(ratio,
		       findings->wake.median / findings->system_call.median));
}

static void
say_cores(const struct reading *reading)
{
	const struct findings *findings = reading->findings;
	char near_text[TIME_TEXT], far_text[TIME_TEXT];
	double near = 0, far = 0;

	for (int i = 0; i < findings->pair_count; i++) {
		double ns = findings->pairs[i].ns.median;

		near = i && near < ns ? near : ns;
		far = far > ns ? far : ns;
	}
	if (findings->pair_count < 1)
		return;
	if (far > near * NOTABLE)
		say(reading,
		    "Which cores two processes run on matters: a cache line "
		    "goes there and back in %s between the nearest and in %s "
		    "between the farthest. ",
		    time_text(near_text, near), time_text(far_text, far));
	else
		say(reading,
		    "Which cores two processes run on hardly matters: a cache "
		    "line goes there and back in %s between any two. ",
		    time_text(near_text, near));
}

/* Who hands a small message over the fastest, and what the others do then. */
static void
say_small(const struct reading *reading)
{
	char ours[TIME_TEXT], pipe[TIME_TEXT], shared[TIME_TEXT];
	double cubby = handover(reading, CUBBY_COPIED, 0);
	double other = handover(reading, PIPE, 0);
	double raw = handover(reading, SHARED, 0);

	if (!(cubby > 0 && other > 0 && raw > 0))
		return;
	say(reading,
	    "A message of 8 bytes that is waited for arrives after %s by "
	    "cubby, %s by a pipe, %s by shared memory with a mutex and "
	    "conditions",
	    time_text(ours, cubby), time_text(pipe, other),
	    time_text(shared, raw));
	if (raw > cubby * NOTABLE)
		say(reading,
		    ": it is waking that costs, whichever memory the bytes "
		    "are in, and cubby looks for a moment before it sleeps. ");
	else
		say(reading, ". ");
}

static void
say_stream(const struct reading *reading)
{
	char ours[TIME_TEXT], pipe[TIME_TEXT], ratio[TIME_TEXT];
	double cubby = stream(reading, CUBBY_COPIED, 0);
	double other = stream(reading, PIPE, 0);
	bool faster = cubby < other;

	if (!(cubby > 0 && other > 0))
		return;
	say(reading,
	    "When they follow one another nobody has to be woken for each: "
	    "%s by cubby, %s by a pipe, %s as %s. ",
	    time_text(ours, cubby), time_text(pipe, other),
	    times_text(ratio, faster ? other / cubby : cubby / other),
	    faster ? "long" : "fast");
}

/* From which size on one contender stays notably below another; -1: never. */
static int
overtakes(const struct reading *reading, enum contender_id one,
	  enum contender_id other)
{
	int last = largest(reading, one), size = last;

	while (size >= 0 && handover(reading, one, size) > 0 &&
	       handover(reading, one, size) * NOTABLE <
		       handover(reading, other, size))
		size--;
	return size == last ? -1 : size + 1;
}

static void
say_place(const struct reading *reading)
{
	int from = overtakes(reading, CUBBY_IN_PLACE, CUBBY_COPIED);
	int last = largest(reading, CUBBY_IN_PLACE);
	char size[SIZE_TEXT], end[SIZE_TEXT], ratio[TIME_TEXT];

	if (last < 0)
		return;
	size_text(end, tradeoffs_sizes[last]);
	times_text(ratio, handover(reading, CUBBY_COPIED, last) /
				  handover(reading, CUBBY_IN_PLACE, last));
	if (from < 0) {
		say(reading,
		    "Copying costs little beside writing and reading the "
		    "message: up to %s, in place is not much faster. ",
		    end);
		return;
	}
	size_text(size, tradeoffs_sizes[from]);
	say(reading,
	    "From %s on it pays to fill and read a message in place: at %s, "
	    "copying in and out takes %s as long. ",
	    size, end, ratio);
}

static void
say_untouched(const struct reading *reading)
{
	int last = largest(reading, CUBBY_UNTOUCHED);
	char all[TIME_TEXT], passed[TIME_TEXT], size[SIZE_TEXT];

	if (last < 0)
		return;
	size_text(size, tradeoffs_sizes[last]);
	say(reading,
	    "The passing itself does not grow with the size: %s of it, "
	    "untouched, change hands in %s, and the rest of the %s is memory "
	    "being written and read. ",
	    size, time_text(passed, handover(reading, CUBBY_UNTOUCHED, last)),
	    time_text(all, handover(reading, CUBBY_IN_PLACE, last)));
}

static void
say_setup(const struct reading *reading)
{
	const struct findings *findings = reading->findings;
	double ours = findings->setup[TRANSPORT_CUBBY].median;
	double pipe = findings->setup[TRANSPORT_PIPE].median;
	double gain = handover(reading, PIPE, 0) -
		      handover(reading, CUBBY_COPIED, 0);
	char ours_text[TIME_TEXT], pipe_text[TIME_TEXT];

	if (!(ours > 0 && pipe > 0))
		return;
	say(reading, "To set up, cubby takes %s, a pipe %s",
	    time_text(ours_text, ours), time_text(pipe_text, pipe));
	if (ours > pipe && gain > 0)
		say(reading, ": made up for after %.0f messages. ",
		    (ours - pipe) / gain + 1);
	else
		say(reading, ". ");
}

/* Whether raw memory moves the largest messages notably faster than ours. */
static bool
raw_is_faster(const struct reading *reading, int size)
{
	return handover(reading, SHARED, size) * NOTABLE <
		       handover(reading, CUBBY_IN_PLACE, size) ||
	       stream(reading, SHARED, size) * NOTABLE <
		       stream(reading, CUBBY_IN_PLACE, size);
}

/* What to choose: by what was found, and by what no figure shows. */
static void
say_choice(const struct reading *reading)
{
	int last = largest(reading, CUBBY_IN_PLACE);
	int from = overtakes(reading, CUBBY_IN_PLACE, CUBBY_COPIED);
	char size[SIZE_TEXT];

	if (last < 0 || !(handover(reading, SHARED, last) > 0))
		return;
	say(reading, "So: cubby_send and cubby_receive for %s; ",
	    from < 0 ? "messages of any size" : "small messages");
	if (from >= 0) {
		size_text(size, tradeoffs_sizes[from]);
		say(reading, "reserve and hold from %s on; ", size);
	}
	if (raw_is_faster(reading, last))
		say(reading,
		    "raw shared memory for large data, which it moves faster "
		    "here, if you see to death and rights yourself; ");
	else
		say(reading,
		    "raw shared memory for data that stay and that many "
		    "processes change, since to pass a message it is no "
		    "faster, and a process that dies in its mutex stops the "
		    "other; ");
	say(reading, "a pipe or socket to a program that knows nothing else.");
}

char *
tradeoffs_reading(const struct findings *findings)
{
	char *text = NULL;
	size_t size = 0;
	struct reading reading = { findings, open_memstream(&text, &size) };

	if (!reading.out)
		out_of_memory();
	say_load(&reading);
	say_calls(&reading);
	say_cores(&reading);
	say_small(&reading);
	say_stream(&reading);
	say_place(&reading);
	say_untouched(&reading);
	say_setup(&reading);
	say_choice(&reading);
	if (fclose(reading.out) != 0 || !text)
		out_of_memory();
	return text;
}
