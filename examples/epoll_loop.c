/* SPDX-License-Identifier: MIT */
/* An event loop of one's own: a mailbox beside a timer, in one epoll set. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define WORK "example-epoll"

static int
check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, cubby_strerror(result));
	return result;
}

static void
watch(int set, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "watch");
}

/* Until there is nothing: only then the descriptor waits again. */
static int
receive_all(cubby_mailbox *work)
{
	int job = 0;

	while (!cubby_receive_full(work, NULL, 0, CUBBY_NOW, &job, sizeof job,
				   NULL, NULL))
		printf("job %d\n", job);
	return job;
}

int
main(void)
{
	int set = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec a_minute = { .it_value.tv_sec = 60 };
	cubby_mailbox *work;
	struct epoll_event event;

	check(cubby_open(WORK, CUBBY_CREATE | CUBBY_RECEIVE | CUBBY_SEND, NULL,
			 &work), WORK);
	timerfd_settime(timer, 0, &a_minute, NULL);
	watch(set, timer);
	watch(set, check(cubby_fd(work, CUBBY_RECEIVE), "cubby_fd"));
	for (int job = 1; job <= 3; job++)
		check(cubby_send(work, &job, sizeof job), "send");
	while (epoll_wait(set, &event, 1, -1) >= 0)
		if (event.data.fd == timer || receive_all(work) == 3)
			break;
	cubby_close(work);
	return check(cubby_unlink(WORK), WORK);
}
