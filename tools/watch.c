/* SPDX-License-Identifier: MIT */
/*
 * A thread that waits for a reason to end, and interrupts the main one.
 *
 * A signal that arrives after the main thread has looked at the cause and
 * before it sleeps would be missed, so one signal is not enough: the thread
 * sets the cause, then signals the main thread again and again until that says
 * that it has noticed, by watch_end(). The handler does nothing; the point is
 * that the call which the main thread is in, or is about to enter, returns
 * EINTR.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NUDGE_EVERY 10 /* ms */

static bool watching;
static pthread_t main_thread, watcher;
static int signal_fd, end_fd;
static sigset_t former_mask;
static atomic_int cause;

static void
do_nothing(int number)
{
	(void)number;
}

static int
ask_cause(const struct pollfd *signals, const struct pollfd *reader)
{
	struct signalfd_siginfo information;

	if (signals->revents &&
	    read(signal_fd, &information, sizeof(information)) ==
		    (ssize_t)sizeof(information))
		return (int)information.ssi_signo;
	if (reader->revents) /* POLLERR, POLLHUP: always told */
		return WATCH_NOBODY_READS;
	return 0;
}

static void *
watch(void *unused)
{
	struct pollfd pollfds[] = { { end_fd, POLLIN, 0 },
				    { signal_fd, POLLIN, 0 },
				    { STDOUT_FILENO, 0, 0 } };

	(void)unused;
	while (!atomic_load(&cause)) {
		if (poll(pollfds, 3, -1) < 0)
			continue;
		if (pollfds[0].revents)
			return NULL;
		atomic_store(&cause, ask_cause(&pollfds[1], &pollfds[2]));
	}
	do
		pthread_kill(main_thread, SIGRTMIN);
	while (poll(pollfds, 1, NUDGE_EVERY) <= 0);
	return NULL;
}

/* Those that would end this process: one that is ignored is to stay so. */
static void
ending_signals(sigset_t *ret)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;

	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(ret, signals[i]);
}

static int
open_descriptors(const sigset_t *signals)
{
	signal_fd = signalfd(-1, signals, SFD_CLOEXEC);
	if (signal_fd < 0)
		return -errno;
	end_fd = eventfd(0, EFD_CLOEXEC);
	if (end_fd < 0) {
		int error = -errno;

		close(signal_fd);
		return error;
	}
	return 0;
}

int
watch_start(void)
{
	struct sigaction action = { .sa_handler = do_nothing };
	sigset_t signals;
	int error;

	if (watching)
		return 0;
	ending_signals(&signals);
	error = open_descriptors(&signals);
	if (error)
		return error;
	sigaction(SIGRTMIN, &action, NULL);
	pthread_sigmask(SIG_BLOCK, &signals, &former_mask);
	main_thread = pthread_self();
	error = pthread_create(&watcher, NULL, watch, NULL);
	if (error) {
		pthread_sigmask(SIG_SETMASK, &former_mask, NULL);
		close(signal_fd);
		close(end_fd);
		/* EAGAIN: no thread to be had; not that there is no message. */
		return error == EAGAIN ? -ENOMEM : -error;
	}
	watching = true;
	return 0;
}

int
watch_cause(void)
{
	return atomic_load(&cause);
}

bool
watch_sleep(int64_t until)
{
	struct timespec time = { .tv_sec = until / 1000000000,
				 .tv_nsec = until % 1000000000 };

	while (!watch_cause())
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time,
				    NULL) == 0)
			return true;
	return false;
}

void
watch_end(void)
{
	const uint64_t one = 1;
	int number;

	if (!watching)
		return;
	watching = false;
	while (write(end_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(watcher, NULL);
	close(signal_fd);
	close(end_fd);
	number = watch_cause();
	if (number > 0) {
		signal(number, SIG_DFL);
		raise(number);
	}
	pthread_sigmask(SIG_SETMASK, &former_mask, NULL);
}
