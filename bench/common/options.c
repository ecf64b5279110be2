/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define OPTIONS_MAX 24

static const struct program *program;

void
options_wrong(const char *what, const char *value)
{
	fprintf(stderr, "%s: %s: %s\nTry: %s --help\n", program->name, what,
		value, program->name);
	exit(2);
}

/* Filters ---------------------------------------------------------------- */

void
filter_add(struct filter *filter, const char *text)
{
	const int room = sizeof(filter->texts) / sizeof(*filter->texts);

	if (filter->count == room)
		options_wrong("too many of these", text);
	filter->texts[filter->count++] = text;
}

bool
filter_takes(const struct filter *filter, const char *text)
{
	for (int i = 0; i < filter->count; i++) {
		if (!strcmp(filter->texts[i], text))
			return true;
	}
	return !filter->count;
}

void
filter_check(const struct filter *filter, bool (*exists)(const char *text),
	     const char *what)
{
	for (int i = 0; i < filter->count; i++) {
		if (!exists(filter->texts[i]))
			options_wrong(what, filter->texts[i]);
	}
}

/* Values ----------------------------------------------------------------- */

/* The number that text is; ends the program if it lies outside. */
static double
number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most))
		options_wrong("not a number that makes sense here", text);
	return value;
}

/* Sets the processors from a list such as "0,2". */
static void
read_cpus(struct settings *settings, const char *list)
{
	const char *at = list;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		options_wrong("which processors are allowed", strerror(errno));
	settings->cpu_count = 0;
	while (*at) {
		char *end;
		long cpu = strtol(at, &end, 10);

		if (end == at || (*end && *end != ',') || cpu < 0 ||
		    cpu >= CPU_SETSIZE || settings->cpu_count == CPUS_MAX)
			options_wrong("not a list of processors", list);
		if (!CPU_ISSET(cpu, &allowed))
			options_wrong("a processor that is not there, or not "
				      "allowed",
				      list);
		CPU_CLR(cpu, &allowed); /* each once */
		settings->cpus[settings->cpu_count++] = (int)cpu;
		at = *end ? end + 1 : end;
	}
}

/* All that this process may run on. */
static void
take_all_cpus(struct settings *settings)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set) && settings->cpu_count < CPUS_MAX)
			settings->cpus[settings->cpu_count++] = i;
	}
}

/* What no option by itself can be blamed for. */
static void
check(const struct settings *settings)
{
	char text[64];

	snprintf(text, sizeof(text), "%g and %g", settings->near_from,
		 settings->far_from);
	if (settings->near_from >= settings->far_from)
		options_wrong("--near-from has to be less than --far-from",
			      text);
}

/* Beside the program, which is in the build tree. */
static void
default_json(char *ret, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(ret, size, "%s/%s", dirname(self), program->file);
}

/* The command line ------------------------------------------------------- */

void
options_list(const struct program *its, FILE *file)
{
	const char *name, *title;

	for (size_t i = 0; (name = its->test(i, &title)); i++)
		fprintf(file, "  %-16s %s\n", name, title);
}

static bool
test_exists(const char *text)
{
	const char *name, *title;

	for (size_t i = 0; (name = program->test(i, &title)); i++) {
		if (!strcmp(name, text))
			return true;
	}
	return false;
}

static void
usage(FILE *file)
{
	fprintf(file, "Usage: %s [OPTION]...\n%s\n\n", program->name,
		program->purpose);
	for (const struct program_option *option = program->options;
	     option->name; option++) {
		int width = fprintf(file, "  --%s%s%s", option->name,
				    option->argument ? " " : "",
				    option->argument ? option->argument : "");

		if (option->help)
			fprintf(file, "%*s%s",
				(int)strlen(OPTION_NEXT) - 1 - width, "",
				option->help);
		putc('\n', file);
	}
	if (program->test) {
		fputs("\nTests:\n", file);
		options_list(program, file);
	}
}

static void
take(struct options *options, void *context, int letter, const char *value)
{
	struct settings *settings = &options->settings;

	switch (letter) {
	case 't':
		filter_add(&options->tests, value);
		break;
	case 'r':
		settings->rounds = (int)number(value, 1, 1000);
		break;
	case 'm':
		settings->duration =
			(uint64_t)(1e6 * number(value, 0.1, 10000));
		break;
	case 'u':
		settings->hunt = (uint64_t)(1e9 * number(value, 0, 3600));
		break;
	case 'c':
		read_cpus(settings, value);
		break;
	case 'j':
		snprintf(options->json, sizeof(options->json), "%s", value);
		break;
	case 'n':
		settings->near_from = number(value, 0, 1e6);
		break;
	case 'f':
		settings->far_from = number(value, 0, 1e6);
		break;
	case 'h':
		usage(stdout);
		exit(0);
	case '?':
		usage(stderr);
		exit(2);
	default:
		program->take(context, letter, value);
	}
}

void
options_parse(const struct program *its, int argc, char **argv,
	      struct options *options, void *context)
{
	struct option all[OPTIONS_MAX + 1] = { { NULL, 0, NULL, 0 } };
	int letter;

	program = its;
	default_json(options->json, sizeof(options->json));
	for (int i = 0; i < OPTIONS_MAX && its->options[i].name; i++) {
		const struct program_option *option = &its->options[i];

		all[i] = (struct option){ option->name,
					  option->argument ? required_argument :
							     no_argument,
					  NULL, option->letter };
	}
	while ((letter = getopt_long(argc, argv, "", all, NULL)) != -1)
		take(options, context, letter, optarg);
	if (optind < argc)
		options_wrong("not an option", argv[optind]);
	if (its->test)
		filter_check(&options->tests, test_exists, "no such test");
	if (!options->settings.cpu_count)
		take_all_cpus(&options->settings);
	check(&options->settings);
}
