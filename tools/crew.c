/* SPDX-License-Identifier: MIT */
/*
 * A command for each message, several at a time.
 *
 * One thread and one loop: hold what there is and room for, start its command,
 * wait for whatever comes first (crew_events.c), and settle what has ended. A
 * message stays held until it is settled, so that whatever ends this process, a
 * message whose command has not ended well goes back by itself; and only then
 * is its output complete, so that it is printed whole before the message is
 * released.
 *
 * A command that cannot be started is no fault of the message, and would be the
 * same with the next: that stops the crew, and gives the message back. What
 * cannot be started with this message only (too large for an argument, or with
 * a NUL in it) is this message's failure.
 */
#include "crew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew_events.h"
#include "message.h"

/* What a message must add to the arguments to be why they are too large. */
#define LARGE_MESSAGE ((size_t)65536)

/* Of what a command prints, before it is its turn. */
#define OUTPUT_MOST ((size_t)16 << 20)

/* Jobs ------------------------------------------------------------------- */

static struct job *
add_job(struct crew *crew, cubby_message *message)
{
	struct job **place = &crew->jobs;
	struct job *job = allocate(NULL, sizeof(*job));

	*job = (struct job){
		.message = message,
		.envelope = CUBBY_ENVELOPE_INIT,
		.process = { .out.fd = -1, .err.fd = -1 },
		.due = CUBBY_FOREVER,
	};
	cubby_message_envelope(message, &job->envelope);
	while (*place)
		place = &(*place)->next;
	*place = job;
	crew->busy++;
	return job;
}

/* Its command has ended, and so its place is free. */
static void
leave_place(struct crew *crew, struct job *job)
{
	if (crew->printing == job)
		crew->printing = NULL;
	process_free(&job->process);
	crew->busy--;
}

static void
remove_job(struct crew *crew, struct job *job)
{
	struct job **place = &crew->jobs;

	if (job->state != JOB_RESTS)
		leave_place(crew, job);
	while (*place != job)
		place = &(*place)->next;
	*place = job->next;
	free(job);
	crew->has_enough = false;
}

void
crew_release(struct crew *crew, struct job *job)
{
	if (cubby_release(job->message) < 0) {
		complain("%s: a message was damaged by its sender while it was "
			 "worked on",
			 crew->name);
		crew->code = EXIT_ERROR;
	}
	remove_job(crew, job);
	if (++crew->finished >= crew->wanted)
		crew_stop(crew, crew->code);
}

void
crew_give_back(struct crew *crew, struct job *job)
{
	cubby_reject(job->message);
	crew->is_empty = false;
	remove_job(crew, job);
}

void
crew_rest(struct crew *crew, struct job *job, int64_t nanoseconds)
{
	leave_place(crew, job);
	crew->has_enough = false;
	job->state = JOB_RESTS;
	job->due = cubby_deadline_after(nanoseconds);
}

void
crew_stop(struct crew *crew, int code)
{
	if (crew->will == CREW_GOES_ON)
		crew->will = CREW_FINISHES;
	crew->code = code;
}

const char *
crew_how(const struct crew *crew, const struct job *job, char *text,
	 size_t size)
{
	const char *timeout = text_of(crew->arguments, OPTION_TIMEOUT);
	int number = WIFSIGNALED(job->status) ? WTERMSIG(job->status) : 0;

	if (job->error == -EILSEQ)
		snprintf(text, size,
			 "takes no message with a NUL in it as an argument; let "
			 "it read standard input, by leaving %s out",
			 crew->template.mark);
	else if (job->error == -E2BIG)
		snprintf(text, size,
			 "takes no argument of %zu bytes; let it read standard "
			 "input, by leaving %s out",
			 cubby_message_size(job->message), crew->template.mark);
	else if (job->error)
		snprintf(text, size, "could not be started: %s",
			 strerror(-job->error));
	else if (job->is_excessive)
		snprintf(text, size,
			 "printed more than %llu bytes, the largest reply of %.60s",
			 (unsigned long long)crew->info.message_max, crew->name);
	else if (job->is_late)
		snprintf(text, size, "took longer than %.20s", timeout);
	else if (number)
		snprintf(text, size, "was killed by signal %d (%s)", number,
			 strsignal(number));
	else
		snprintf(text, size, "ended with %d", WEXITSTATUS(job->status));
	return text;
}

/* Starting --------------------------------------------------------------- */

static void
set_number(const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	setenv(name, text, 1);
}

/* What the command may want to know of its message. */
static void
set_environment(const struct crew *crew, const struct job *job)
{
	const struct cubby_envelope *envelope = &job->envelope;
	char sender[SENDER_NAME_MAX + 1] = "";

	cubby_sender_name(crew->mailbox, envelope->sender, sender,
			  sizeof(sender));
	setenv("CUBBY_MAILBOX", crew->name, 1);
	setenv("CUBBY_SENDER_NAME", sender, 1);
	set_number("CUBBY_SENDER", envelope->sender);
	set_number("CUBBY_SEQUENCE", envelope->sequence);
	set_number("CUBBY_UID", envelope->uid);
	set_number("CUBBY_TAG", envelope->tag);
	set_number("CUBBY_TYPE", (uint64_t)envelope->type);
	set_number("CUBBY_PRIORITY", (uint64_t)envelope->priority);
	set_number("CUBBY_SIZE", cubby_message_size(job->message));
	set_number("CUBBY_DELIVERIES", envelope->deliveries);
	set_number("CUBBY_SLOT", job->slot);
}

static int
start_process(struct crew *crew, struct job *job)
{
	const void *data = cubby_message_data(job->message);
	size_t size = cubby_message_size(job->message);
	bool groups = crew->places > 1 &&
		      !given(crew->arguments, OPTION_UNGROUP);
	struct process_plan plan = {
		.words = template_fill(&crew->template, data, size),
		.gather_out = groups || crew->trade->keeps_output,
		.gather_err = groups && !crew->trade->keeps_output,
		.most = crew->trade->keeps_output ?
				crew->info.message_max + 1 :
				OUTPUT_MOST,
		.mask = crew->former_mask,
	};
	int error;

	if (!plan.words)
		return -EILSEQ;
	if (!crew->template.marks) {
		plan.input = size ? data : "";
		plan.input_size = size;
	}
	set_environment(crew, job);
	error = process_start(&job->process, &plan);
	template_free(plan.words);
	return error;
}

static bool
is_passing(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EMFILE ||
	       error == -ENFILE;
}

/* Whether the command could be started with another message. */
static bool
is_of_message(const struct crew *crew, const struct job *job, int error)
{
	size_t size = cubby_message_size(job->message);

	if (error == -E2BIG)
		return size * crew->template.marks >= LARGE_MESSAGE;
	return error == -EILSEQ || error == -EFBIG ||
	       template_varies(&crew->template);
}

static void
complain_of_start(const struct crew *crew, int error)
{
	const char *word = crew->template.words[0];

	if (error == -ENOENT && template_is_line(&crew->template) &&
	    crew->template.marks)
		complain("there is no command \"%s\"; for a line of shell, in "
			 "which \"$1\" is the message: cubby %s %s -- sh -c "
			 "'...' sh %s",
			 word, crew->arguments->verb->name, crew->name,
			 crew->template.mark);
	else if (error == -ENOENT && template_is_line(&crew->template))
		complain("there is no command \"%s\"; for a line of shell: "
			 "cubby %s %s -- sh -c '%s'",
			 word, crew->arguments->verb->name, crew->name, word);
	else if (error == -ENOENT && strchr(word, '/'))
		complain("there is no command %s, or what it is to be run by is "
			 "missing",
			 word);
	else if (error == -ENOENT)
		complain("there is no command %s in PATH", word);
	else if (error == -EACCES)
		complain("%s is not a file that you may execute; see: chmod +x",
			 word);
	else
		complain("cannot start %s: %s", word, strerror(-error));
}

static void
start_job(struct crew *crew, struct job *job)
{
	int error = start_process(crew, job);

	if (!error) {
		job->state = JOB_RUNS;
		if (given(crew->arguments, OPTION_TIMEOUT))
			job->due = cubby_deadline_after((int64_t)number_or(
				crew->arguments, OPTION_TIMEOUT, 0));
	} else if (is_passing(error) && crew->busy > 1) {
		crew->has_enough = true;
	} else if (is_of_message(crew, job, error)) {
		job->error = error;
		crew->trade->fail(crew, job);
	} else {
		complain_of_start(crew, error);
		crew_stop(crew, EXIT_ERROR);
		crew_give_back(crew, job);
	}
}

/* Taking ----------------------------------------------------------------- */

/* As receive does: one sender's nonsense is not to end the others' service. */
static bool
cut_off(struct crew *crew)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(crew->name, &info) < 0 || ++crew->cut > info.lanes)
		return false;
	complain("%s: what a sender left there makes no sense; it is cut off, "
		 "the others go on; see: cubby info %s",
		 crew->name, crew->name);
	crew->code = EXIT_ERROR;
	return true;
}

static cubby_message *
hold_message(struct crew *crew)
{
	cubby_message *message;
	int result;

	do
		result = cubby_hold(crew->mailbox, &crew->filter, CUBBY_NOW,
				    &message);
	while (result == -EINTR || (result == -EBADMSG && cut_off(crew)));
	/* -ETIMEDOUT: another stands still under the queue's lock. The descriptor
	   tells when to try again. */
	crew->is_empty = result == -EAGAIN || result == -ETIMEDOUT;
	if (result == 0)
		return message;
	if (crew->is_empty)
		return NULL;
	if (result == -ENOSPC && crew->jobs)
		crew->has_enough = true;
	else
		crew_stop(crew, message_complain(crew->arguments, result));
	return NULL;
}

static bool
is_slot_taken(const struct crew *crew, unsigned int slot)
{
	for (const struct job *job = crew->jobs; job; job = job->next)
		if (job->slot == slot && job->state != JOB_RESTS)
			return true;
	return false;
}

/* The lowest that no command runs in, from 1 up. */
static unsigned int
free_slot(const struct crew *crew)
{
	unsigned int slot = 1;

	while (is_slot_taken(crew, slot))
		slot++;
	return slot;
}

bool
crew_may_take(const struct crew *crew)
{
	return crew->will == CREW_GOES_ON && !crew->has_enough &&
	       crew->busy < crew->places &&
	       crew->busy + crew->finished < crew->wanted;
}

/* Those that could not be started for now. */
static void
start_new(struct crew *crew)
{
	struct job *job, *next;

	for (job = crew->jobs; job && !crew->has_enough; job = next) {
		next = job->next;
		if (job->state == JOB_IS_NEW)
			start_job(crew, job);
	}
}

static void
take_messages(struct crew *crew)
{
	cubby_message *message;
	unsigned int slot;
	struct job *job;

	start_new(crew);
	while (crew_may_take(crew)) {
		message = hold_message(crew);
		if (!message)
			return;
		slot = free_slot(crew);
		job = add_job(crew, message);
		job->slot = slot;
		if (crew->trade->accept(crew, job))
			start_job(crew, job);
	}
}

/* Settling --------------------------------------------------------------- */

static void
settle(struct crew *crew, struct job *job)
{
	if (job->is_cut || (!crew->trade->keeps_output &&
			    process_has_output(&job->process))) {
		crew_give_back(crew, job);
	} else if (!job->is_late && !job->is_excessive &&
		   WIFEXITED(job->status) &&
		   WEXITSTATUS(job->status) == 0) {
		crew->trade->succeed(crew, job);
	} else if (!crew->trade->keeps_output && crew_nobody_reads()) {
		/* That is why it failed, and so would the others. */
		crew_stop(crew, EXIT_ERROR);
		crew_give_back(crew, job);
	} else {
		crew->trade->fail(crew, job);
	}
}

/* Whether there is nothing more to wait for. */
static bool
is_settled(const struct crew *crew, const struct job *job)
{
	switch (job->state) {
	case JOB_IS_NEW:
		return crew->will != CREW_GOES_ON;
	case JOB_RUNS:
		return false;
	case JOB_HAS_ENDED:
		return crew->trade->keeps_output || crew->output_is_broken ||
		       crew->will == CREW_ENDS ||
		       !process_has_output(&job->process);
	case JOB_RESTS:
		return crew->will != CREW_GOES_ON ||
		       job->due <= cubby_deadline_after(0);
	}
	return true;
}

static void
settle_all(struct crew *crew)
{
	struct job *job, *next;

	for (job = crew->jobs; job; job = next) {
		next = job->next;
		if (!is_settled(crew, job))
			continue;
		if (job->state == JOB_HAS_ENDED)
			settle(crew, job);
		else
			crew_give_back(crew, job);
	}
}

static bool
is_over(const struct crew *crew)
{
	if (crew->jobs)
		return false;
	return crew->will != CREW_GOES_ON ||
	       (given(crew->arguments, OPTION_ALL) && crew->is_empty);
}

static void
work(struct crew *crew)
{
	for (;;) {
		settle_all(crew);
		take_messages(crew);
		if (is_over(crew))
			return;
		crew_wait(crew);
	}
}

/* In a broadcast nothing goes back: what failed would be lost. */
static int
look_at_mailbox(struct crew *crew)
{
	int error = cubby_inspect(crew->name, &crew->info);

	if (!error && crew->info.delivery != CUBBY_ONE) {
		complain("every receiver of %s gets every message, and none goes "
			 "back (it was made with --broadcast); a mailbox whose "
			 "messages are shared out is made without",
			 crew->name);
		return EXIT_ERROR;
	}
	if (!error)
		error = crew_watch(crew);
	return error ? complain_of(crew->name, "receive from", error) : 0;
}

static int
open_crew(struct crew *crew)
{
	const struct arguments *arguments = crew->arguments;
	int code, error;

	code = message_check_options(arguments);
	if (!code)
		code = message_filter(arguments, &crew->filter);
	error = code ? 0 : template_find(&crew->template);
	if (error) {
		complain_of_start(crew, error);
		return EXIT_ERROR;
	}
	if (!code)
		code = open_mailbox(arguments, CUBBY_RECEIVE, "receive from",
				    &crew->mailbox);
	if (code)
		return code;
	code = look_at_mailbox(crew);
	if (code)
		cubby_close(crew->mailbox);
	return code;
}

int
crew_run(const struct arguments *arguments, const struct trade *trade,
	 void *context)
{
	const char *mark = text_of(arguments, OPTION_REPLACE);
	struct crew crew = {
		.arguments = arguments,
		.name = arguments->words[0],
		.trade = trade,
		.context = context,
		.filter = CUBBY_FILTER_INIT,
		.info = CUBBY_INFO_INIT,
		.places = (unsigned int)number_or(arguments, OPTION_JOBS, 1),
		.wanted = number_or(arguments, OPTION_COUNT, UINT64_MAX),
	};
	int code;

	if (mark && !*mark) {
		complain("--replace needs a text that stands for the message");
		return EXIT_USAGE;
	}
	template_make(&crew.template, arguments->words + 1,
		      arguments->count - 1, mark ? mark : "{}");
	code = open_crew(&crew);
	if (!code) {
		work(&crew);
		cubby_close(crew.mailbox);
		crew_end_watch(&crew);
		code = crew.code;
	}
	free(crew.template.words);
	return code;
}
