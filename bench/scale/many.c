/* SPDX-License-Identifier: MIT */
/*
 * Many senders, many receivers, and more processes than processors: rates of
 * messages of 40 bytes, all in all.
 */
#include <math.h>
#include <string.h>

#include "stream.h"

#define ROUND 150000000u /* ns */
#define ROUND_QUICK 5000000u
#define LAPS_MOST 7

static struct stream
prepare(const char *test, const struct stream_point *points, int count,
	const struct scale *scale)
{
	int laps = scale->settings.rounds;

	return (struct stream){
		.test = test,
		.points = points,
		.count = count,
		.laps = laps < LAPS_MOST ? laps : LAPS_MOST,
		.duration = scale->quick ? ROUND_QUICK : ROUND,
	};
}

/* Senders ---------------------------------------------------------------- */

static const struct curve senders_curve = {
	.name = "busy_senders",
	.title = "Busy senders to one receiver",
	.series = "rate, all in all",
	.x = "senders",
	.unit = "messages/s",
	.more_is_better = true,
};

static bool
run_senders(const struct scale *scale)
{
	static const struct stream_point points[] = {
		{ 1, 1, 1, false },	{ 2, 2, 1, false },
		{ 4, 4, 1, false },	{ 8, 8, 1, false },
		{ 16, 16, 1, false },	{ 32, 32, 1, false },
		{ 64, 64, 1, false },	{ 125, 125, 1, false },
		{ 250, 250, 1, false }, { 500, 500, 1, false },
		{ 1000, 1000, 1, false },
	};
	struct stream stream = prepare("busy_senders", points,
				       scale->quick ? 4 : 11, scale);
	bool fine;

	/* Rounds of a thousand processes are longer than they last. */
	if (stream.laps > 5)
		stream.laps = 5;
	fine = stream_run(&stream);
	if (fine)
		stream_report(&stream, &senders_curve);
	stream_free(&stream);
	return fine;
}

const struct scale_test busy_senders_test = {
	"busy_senders", "1 to 1,000 senders to one mailbox, all busy",
	run_senders
};

/* Receivers -------------------------------------------------------------- */

static const struct curve receivers_curve = {
	.name = "receivers",
	.title = "Receivers of what four senders send",
	.series = "rate, all in all",
	.x = "receivers",
	.unit = "messages/s",
	.more_is_better = true,
};

static bool
run_receivers(const struct scale *scale)
{
	static const struct stream_point points[] = {
		{ 1, 4, 1, false },   { 2, 4, 2, false },
		{ 4, 4, 4, false },   { 8, 4, 8, false },
		{ 16, 4, 16, false }, { 32, 4, 32, false },
		{ 64, 4, 64, false },
	};
	struct stream stream = prepare("receivers", points,
				       scale->quick ? 3 : 7, scale);
	bool fine = stream_run(&stream);

	if (fine)
		stream_report(&stream, &receivers_curve);
	stream_free(&stream);
	return fine;
}

const struct scale_test receivers_test = {
	"receivers", "1 to 64 receivers of one mailbox", run_receivers
};

/* More processes than processors ----------------------------------------- */

#define OVERSUBSCRIPTION(what) \
	{ \
		.name = "oversubscription", \
		.title = "More processes than processors: rate, all in all", \
		.series = what, \
		.x = "processes a processor", \
		.unit = "messages/s", \
		.more_is_better = true, \
	}
static const struct curve pairs_curve =
	OVERSUBSCRIPTION("pairs, each with a mailbox");
static const struct curve shared_curve =
	OVERSUBSCRIPTION("half send, half receive, at one mailbox");
static const struct target target = {
	"oversubscribed",
	"eight processes a processor: rate beside that of one a processor (the "
	"worse of pairs and of one mailbox for all)",
	"ratio", AT_LEAST, 0.5
};

/* The ratio at the last point, or not a number. */
static double
run_one(const struct scale *scale, bool pairs, const struct curve *curve,
	bool *fine)
{
	static const int factors[] = { 1, 2, 4, 8 };
	struct stream_point points[4];
	int half = scale->settings.cpu_count / 2, count = scale->quick ? 2 : 4;
	struct stream stream;
	double ratio = NAN;

	for (int i = 0; i < count; i++)
		points[i] = (struct stream_point){ factors[i],
						   half * factors[i],
						   half * factors[i], pairs };
	stream = prepare("oversubscribed", points, count, scale);
	if (!stream_run(&stream))
		*fine = false;
	else
		stream_report(&stream, curve);
	if (stream.ended == 4 && stream.ratios[3].count)
		ratio = sample_quantile(&stream.ratios[3], 0.5);
	stream_free(&stream);
	return ratio;
}

static bool
run_oversubscribed(const struct scale *scale)
{
	double pairs, shared;
	bool fine = true;

	if (scale->settings.cpu_count < 2) {
		rows_curve(&pairs_curve);
		rows_end(&pairs_curve, 1, "it takes two processors");
		rows_target(&target, NAN, NAN, NAN, "it takes two processors");
		return true;
	}
	pairs = run_one(scale, true, &pairs_curve, &fine);
	shared = run_one(scale, false, &shared_curve, &fine);
	rows_target(&target,
		    isnan(pairs) || isnan(shared) ? NAN : fmin(pairs, shared),
		    NAN, NAN,
		    scale->quick ? "a quick run" : "it could not be run");
	return fine;
}

const struct scale_test oversubscribed_test = {
	"oversubscribed", "more processes than processors", run_oversubscribed
};
