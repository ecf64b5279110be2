/* SPDX-License-Identifier: MIT */
/* A worker dies over its job: the job goes back, and is marked. */
#include <cubby.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-hold"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
work(int is_last_day)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *jobs;
	cubby_message *job;

	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &jobs));
	check(cubby_hold(jobs, NULL, CUBBY_FOREVER, &job));
	check(cubby_message_envelope(job, &envelope));
	if (is_last_day)
		kill(getpid(), SIGKILL);
	printf("%.*s, handed out %u times\n", (int)cubby_message_size(job),
	       (const char *)cubby_message_data(job), envelope.deliveries);
	check(cubby_release(job));
	cubby_close(jobs);
}

int
main(void)
{
	cubby_mailbox *jobs;

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &jobs));
	check(cubby_send(jobs, "paint the door", 14));
	cubby_close(jobs);
	if (fork() == 0)
		work(1);
	wait(NULL);
	work(0);
	return cubby_unlink(NAME) != 0;
}
