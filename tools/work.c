/* SPDX-License-Identifier: MIT */
/*
 * cubby work: a command for each message. What fails goes back, and after
 * --attempts of it to the dead letters; nothing is dropped.
 *
 * Attempts are counted by the mailbox, as deliveries: so they count whoever
 * made them, and a message that brings its worker down each time counts too.
 * One that was handed out so often and never dealt with is not tried again.
 */
#include <stdio.h>

#include "crew.h"
#include "dead_letters.h"

#define ATTEMPTS 3

struct work {
	uint64_t attempts; /* 0: for ever */
	struct dead_letters dead;
};

/* "jobs: message 7 of sender 1" */
static void
message_text(const struct crew *crew, const struct job *job, char *text,
	     size_t size)
{
	snprintf(text, size, "%s: message %llu of sender %llu", crew->name,
		 (unsigned long long)job->envelope.sequence,
		 (unsigned long long)job->envelope.sender);
}
#define MESSAGE_TEXT (CUBBY_NAME_MAX + 80)

/* Moves it to the dead letters; if that fails it goes back, and work ends. */
static void
bury(struct crew *crew, struct job *job)
{
	struct work *work = crew->context;
	char text[MESSAGE_TEXT];
	int code;

	code = dead_letters_add(&work->dead, &crew->info, job->message,
				&job->envelope);
	if (code) {
		crew_stop(crew, code);
		crew_give_back(crew, job);
		return;
	}
	message_text(crew, job, text, sizeof(text));
	complain("%s is in %s now", text, work->dead.name);
	crew->code = EXIT_ERROR;
	crew_release(crew, job);
}

static bool
accept(struct crew *crew, struct job *job)
{
	const struct work *work = crew->context;
	char text[MESSAGE_TEXT];

	if (!work->attempts || job->envelope.deliveries <= work->attempts)
		return true;
	message_text(crew, job, text, sizeof(text));
	complain("%s was handed out %u times before, and never dealt with",
		 text, job->envelope.deliveries - 1);
	bury(crew, job);
	return false;
}

static void
complain_of_failure(const struct crew *crew, const struct job *job)
{
	const struct work *work = crew->context;
	char text[MESSAGE_TEXT], how[HOW_TEXT], of[32] = "";

	message_text(crew, job, text, sizeof(text));
	if (work->attempts)
		snprintf(of, sizeof(of), " of %llu",
			 (unsigned long long)work->attempts);
	complain("%s: %s %s (attempt %u%s)", text, crew->template.words[0],
		 crew_how(crew, job, how, sizeof(how)),
		 job->envelope.deliveries, of);
}

/* What cannot be given to the command now cannot be given to it later. */
static void
fail(struct crew *crew, struct job *job)
{
	const struct work *work = crew->context;
	bool is_last = work->attempts &&
		       job->envelope.deliveries >= work->attempts;

	complain_of_failure(crew, job);
	if (is_last || job->error)
		bury(crew, job);
	else if (given(crew->arguments, OPTION_RETRY_DELAY))
		crew_rest(crew, job,
			  (int64_t)number_or(crew->arguments,
					     OPTION_RETRY_DELAY, 0));
	else
		crew_give_back(crew, job);
}

int
run_work(const struct arguments *arguments)
{
	static const struct trade trade = {
		.accept = accept,
		.succeed = crew_release,
		.fail = fail,
	};
	struct work work = {
		.attempts = number_or(arguments, OPTION_ATTEMPTS, ATTEMPTS),
	};
	int code = dead_letters_name(&work.dead, arguments->words[0],
				     text_of(arguments, OPTION_DEAD_LETTER));

	if (!code)
		code = crew_run(arguments, &trade, &work);
	dead_letters_close(&work.dead);
	return code;
}
