/* SPDX-License-Identifier: MIT */
/* What was found, for programs. The fields are told of in cubby(1). */
#include <stdlib.h>
#include <string.h>

#include <cubby.h>

#include "json.h"
#include "tradeoffs.h"

static void
member_figure(const char *name, const struct figure *figure)
{
	if (!figure->rounds)
		return;
	json_name(name);
	json_open('{');
	json_member_real("median", figure->median);
	json_member_real("low", figure->low);
	json_member_real("high", figure->high);
	json_member_number("rounds", (uint64_t)figure->rounds);
	json_close('}');
}

static void
member_calls(const struct findings *findings, int contender)
{
	json_name("calls");
	json_open('[');
	for (int i = 0; i < CALL_SIZES; i++) {
		if (findings->calls[contender][i] < 0)
			continue;
		json_open('{');
		json_member_number("size", tradeoffs_call_sizes[i]);
		json_member_real("calls", findings->calls[contender][i]);
		json_member_flag("counted", findings->calls_counted);
		json_close('}');
	}
	json_close(']');
}

static void
member_times(const struct findings *findings, int contender)
{
	json_name("times");
	json_open('[');
	for (int i = 0; i < SIZES; i++) {
		const struct figure *its = findings->times[contender][i];

		if (!its[HANDOVER].rounds)
			continue;
		json_break();
		json_open('{');
		json_member_number("size", tradeoffs_sizes[i]);
		member_figure("handover_ns", &its[HANDOVER]);
		member_figure("stream_ns", &its[STREAM]);
		json_close('}');
	}
	json_close(']');
}

static void
member_systems(const struct findings *findings)
{
	json_name("systems");
	json_open('[');
	for (int i = 0; i < CONTENDERS; i++) {
		json_break();
		json_open('{');
		json_member_text("system", contenders[i].key);
		json_member_text("title", contenders[i].legend);
		json_member_flag("untouched", contenders[i].untouched);
		json_member_number("copies", (uint64_t)contenders[i].copies);
		member_figure("setup_ns",
			      &findings->setup[contenders[i].transport]);
		member_calls(findings, i);
		member_times(findings, i);
		json_close('}');
	}
	json_close(']');
}

static void
member_lines(const struct findings *findings)
{
	json_name("lines");
	json_open('[');
	for (int i = 0; i < findings->pair_count; i++) {
		json_open('{');
		json_name("cpus");
		json_open('[');
		json_number((uint64_t)findings->pairs[i].cpus[0]);
		json_number((uint64_t)findings->pairs[i].cpus[1]);
		json_close(']');
		member_figure("round_trip_ns", &findings->pairs[i].ns);
		json_close('}');
	}
	json_close(']');
}

static void
member_pinned(const struct findings *findings)
{
	json_name("pinned");
	json_open('[');
	for (int i = 0; i < 2; i++)
		if (findings->pinned[i] >= 0)
			json_number((uint64_t)findings->pinned[i]);
	json_close(']');
}

static void
member_missing(const struct findings *findings)
{
	json_name("missing");
	json_open('[');
	for (int i = 0; i < findings->missing_count; i++)
		json_string(findings->missing[i], strlen(findings->missing[i]));
	json_close(']');
}

void
tradeoffs_json(const struct findings *findings)
{
	char *reading = tradeoffs_reading(findings);

	json_open('{');
	json_member_text("version", cubby_version());
	json_member_number("processors", (uint64_t)findings->cpu_count);
	member_pinned(findings);
	json_member_real("seconds", findings->seconds);
	json_member_real("load", findings->load);
	member_figure("system_call_ns", &findings->system_call);
	member_figure("wake_ns", &findings->wake);
	member_figure("mutex_free_ns", &findings->mutex_free);
	member_figure("mutex_shared_ns", &findings->mutex_shared);
	member_figure("mutex_handover_ns", &findings->mutex_handover);
	member_lines(findings);
	member_systems(findings);
	member_missing(findings);
	json_member_text("reading", reading);
	json_close('}');
	json_end_line();
	free(reading);
}
