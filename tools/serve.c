/* SPDX-License-Identifier: MIT */
/*
 * cubby serve: a command for each request; what it prints is the reply.
 *
 * A caller waits for each request, so that there is always somebody to be told:
 * a request whose command fails is released unanswered, of which its caller
 * learns at once. What is no request, and so has nobody who waits for it, is not
 * lost either: it goes to the dead letters.
 */
#include <errno.h>
#include <stdio.h>

#include "crew.h"
#include "dead_letters.h"

#define ATTEMPTS 1

struct serve {
	uint64_t attempts; /* 0: for ever */
	struct dead_letters dead;
};

/* "jobs: request 7 of sender 1" */
static void
complain_of_request(const struct crew *crew, const struct job *job,
		    const char *what)
{
	complain("%s: request %llu of sender %llu: %s", crew->name,
		 (unsigned long long)job->envelope.sequence,
		 (unsigned long long)job->envelope.sender, what);
}

static bool
accept(struct crew *crew, struct job *job)
{
	struct serve *serve = crew->context;
	int code;

	if (job->envelope.call)
		return true;
	complain("%s: a message came that is no request: cubby call sends "
		 "those, and cubby work deals with messages; it goes to %s",
		 crew->name, serve->dead.name);
	code = dead_letters_add(&serve->dead, &crew->info, job->message,
				&job->envelope);
	if (code) {
		crew_stop(crew, code);
		crew_give_back(crew, job);
	} else {
		crew_release(crew, job);
	}
	return false;
}

/* EPIPE: the caller has given up, which is its own affair. */
static void
succeed(struct crew *crew, struct job *job)
{
	const struct gather *out = &job->process.out;
	size_t size = out->end - out->begin;
	char text[160];
	int error;

	error = cubby_reply(crew->mailbox, &job->envelope,
			    size ? out->data + out->begin : "", size);
	if (error < 0 && error != -EPIPE) {
		snprintf(text, sizeof(text),
			 "cannot be replied to: %s; its caller is told",
			 error == -EMSGSIZE ? "the reply is too large" :
					      cubby_strerror(error));
		complain_of_request(crew, job, text);
	}
	crew_release(crew, job);
}

static void
fail(struct crew *crew, struct job *job)
{
	const struct serve *serve = crew->context;
	bool is_last = serve->attempts &&
		       job->envelope.deliveries >= serve->attempts;
	char text[HOW_TEXT + 80], how[HOW_TEXT];

	snprintf(text, sizeof(text), "%.60s %s", crew->template.words[0],
		 crew_how(crew, job, how, sizeof(how)));
	complain_of_request(crew, job, text);
	if (is_last || job->error)
		crew_release(crew, job);
	else
		crew_give_back(crew, job);
}

int
run_serve(const struct arguments *arguments)
{
	static const struct trade trade = {
		.keeps_output = true,
		.accept = accept,
		.succeed = succeed,
		.fail = fail,
	};
	struct serve serve = {
		.attempts = number_or(arguments, OPTION_ATTEMPTS, ATTEMPTS),
	};
	int code = dead_letters_name(&serve.dead, arguments->words[0], NULL);

	if (!code)
		code = crew_run(arguments, &trade, &serve);
	dead_letters_close(&serve.dead);
	return code;
}
