/* SPDX-License-Identifier: MIT */
/* In libuv's loop: a process answers what comes while timers go on. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <uv.h>

#define WORK "example-libuv"
#define JOBS 3

static int
check(int result)
{
	return result < 0 ? errx(1, "%s", cubby_strerror(result)), 0 : result;
}

static void
on_timer(uv_timer_t *timer)
{
	static int job;

	job++;
	check(cubby_send(timer->data, &job, sizeof job));
	if (job == JOBS)
		uv_close((uv_handle_t *)timer, NULL);
}

/* Until there is nothing: only then the descriptor waits again. */
static void
on_readable(uv_poll_t *poll, int status, int events)
{
	int job = 0;

	while (!status && events &&
	       !cubby_receive_full(poll->data, NULL, 0, CUBBY_NOW, &job,
				   sizeof job, NULL, NULL))
		printf("job %d\n", job);
	if (job == JOBS)
		uv_close((uv_handle_t *)poll, NULL);
}

int
main(void)
{
	uv_timer_t producer;
	uv_poll_t consumer;
	cubby_mailbox *work;

	check(cubby_open(WORK, CUBBY_CREATE | CUBBY_RECEIVE | CUBBY_SEND, NULL,
			 &work));
	producer.data = consumer.data = work;
	uv_timer_init(uv_default_loop(), &producer);
	uv_timer_start(&producer, on_timer, 10, 10);
	uv_poll_init(uv_default_loop(), &consumer,
		     check(cubby_fd(work, CUBBY_RECEIVE)));
	uv_poll_start(&consumer, UV_READABLE, on_readable);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	cubby_close(work);
	return check(cubby_unlink(WORK));
}
