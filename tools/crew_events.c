/* SPDX-License-Identifier: MIT */
/*
 * What a crew waits for.
 *
 * All of it is waited for by one poll(2): signals come by a signalfd, and those
 * that tell of ended commands among them. After each wake-up everything is
 * looked at, which needs no account of what caused it.
 *
 * Output is printed command by command: of those that have ended the oldest
 * first, or, if none has, of one that has written so much that it is not kept
 * in memory any longer; that one prints until it has ended.
 *
 * A first signal that asks to end lets what runs finish. A second ends it, by
 * SIGTERM, and SIGKILL after PATIENCE; a third kills at once.
 */
#include "crew_events.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "output.h"

#define SECOND	 INT64_C(1000000000)
#define PATIENCE (5 * SECOND) /* with a command that was told to end */
#define LOOK	 (5 * SECOND) /* whether the mailbox is there still */

/* How long to leave alone a mailbox with messages, of which none is wanted. */
#define LET_BE (SECOND / 50)

/* Signals ---------------------------------------------------------------- */

static bool
is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 &&
	       action.sa_handler == SIG_IGN;
}

/* SIGXFSZ is told as EFBIG. One that is ignored is to stay so. */
int
crew_watch(struct crew *crew)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP };
	sigset_t watched, blocked;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!is_ignored(signals[i]))
			sigaddset(&watched, signals[i]);
	crew->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (crew->signals < 0)
		return -errno;
	blocked = watched;
	sigaddset(&blocked, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &blocked, &crew->former_mask);
	crew->arrivals = cubby_fd(crew->mailbox, CUBBY_RECEIVE);
	return 0;
}

static void
unblock(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void
crew_end_watch(struct crew *crew)
{
	close(crew->signals);
	if (!crew->signal)
		return;
	signal(crew->signal, SIG_DFL);
	raise(crew->signal);
	unblock(crew->signal);
}

static void
signal_all(const struct crew *crew, int number)
{
	for (struct job *job = crew->jobs; job; job = job->next)
		process_signal(&job->process, number);
}

/* With those who run stopped, too. */
static void
stand_still(const struct crew *crew)
{
	sigset_t set;

	signal_all(crew, SIGSTOP);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_all(crew, SIGCONT);
}

static bool
has_ended(struct job *job)
{
	if (!process_ended(&job->process, &job->status))
		return false;
	job->state = JOB_HAS_ENDED;
	return true;
}

/* Tells a command to end: politely at first. */
static void
end_job(struct job *job)
{
	bool again = job->is_late || job->is_cut || job->is_excessive;

	process_signal(&job->process, again ? SIGKILL : SIGTERM);
	job->due = again ? CUBBY_FOREVER : cubby_deadline_after(PATIENCE);
}

static void
end_all(struct crew *crew)
{
	for (struct job *job = crew->jobs; job; job = job->next) {
		if (job->state != JOB_RUNS || has_ended(job))
			continue;
		end_job(job);
		job->is_cut = true;
	}
}

static void
ask_to_end(struct crew *crew, int number)
{
	unsigned int runs = 0;

	for (const struct job *job = crew->jobs; job; job = job->next)
		runs += job->state == JOB_RUNS;
	if (crew->signal) {
		crew->will = CREW_ENDS;
		end_all(crew);
		return;
	}
	crew->signal = number;
	crew_stop(crew, crew->code);
	if (runs)
		complain("%s: takes no more, and waits for %u command%s to end; "
			 "the same once more ends %s",
			 crew->name, runs, runs == 1 ? "" : "s",
			 runs == 1 ? "it" : "them");
}

static void
look_at_signals(struct crew *crew)
{
	struct signalfd_siginfo information;

	while (read(crew->signals, &information, sizeof(information)) ==
	       (ssize_t)sizeof(information)) {
		if (information.ssi_signo == SIGTSTP)
			stand_still(crew);
		else if (information.ssi_signo != SIGCHLD)
			ask_to_end(crew, (int)information.ssi_signo);
	}
}

/* Commands --------------------------------------------------------------- */

static void
look_at_jobs(struct crew *crew)
{
	int64_t now = cubby_deadline_after(0);

	for (struct job *job = crew->jobs; job; job = job->next) {
		if (job->state != JOB_RUNS)
			continue;
		process_listen(&job->process);
		if (has_ended(job)) {
			continue;
		} else if (crew->trade->keeps_output &&
			   job->process.out.is_full && !job->is_excessive) {
			end_job(job);
			job->is_excessive = true;
		} else if (job->due <= now) {
			end_job(job);
			job->is_late |= !job->is_cut;
		}
	}
}

/* Output ----------------------------------------------------------------- */

bool
crew_nobody_reads(void)
{
	struct pollfd pollfd = { STDOUT_FILENO, 0, 0 };

	return poll(&pollfd, 1, 0) > 0 && pollfd.revents & (POLLERR | POLLHUP);
}

/* What of a job's is to be printed next, and where; NULL: nothing yet. */
static struct gather *
printed_next(struct job *job, int *ret_fd)
{
	struct process *process = &job->process;
	bool has_ended = job->state == JOB_HAS_ENDED;

	*ret_fd = STDOUT_FILENO;
	if (!gather_is_empty(&process->out))
		return &process->out;
	*ret_fd = STDERR_FILENO;
	if (!gather_is_empty(&process->err) &&
	    (has_ended || process->err.is_full))
		return &process->err;
	return NULL;
}

static void
choose_printer(struct crew *crew)
{
	struct job *full = NULL;

	if (crew->printing || crew->trade->keeps_output ||
	    crew->output_is_broken)
		return;
	for (struct job *job = crew->jobs; job; job = job->next) {
		if (job->state == JOB_HAS_ENDED &&
		    process_has_output(&job->process)) {
			crew->printing = job;
			return;
		}
		if (!full && (job->process.out.is_full ||
			      job->process.err.is_full))
			full = job;
	}
	crew->printing = full;
}

/* What cannot be written any more: those whose it was go back. */
static void
break_output(struct crew *crew, int error)
{
	crew->output_is_broken = true;
	crew->printing = NULL;
	crew_stop(crew, output_complain(error));
	end_all(crew);
}

static void
print(struct crew *crew, const struct pollfd *event)
{
	struct gather *gather;
	int fd, error;

	if (!crew->printing || !event->revents)
		return;
	gather = printed_next(crew->printing, &fd);
	error = gather ? gather_pass_on(gather, fd) : 0;
	if (error)
		break_output(crew, error);
}

/* Time ------------------------------------------------------------------- */

/*
 * A mailbox that was removed can still be received from, by those who have it
 * open, of those who have it open. Who waits there for more is told so.
 */
static void
look_for_mailbox(struct crew *crew)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int64_t now = cubby_deadline_after(0);

	if (crew->has_told_of_removal || now < crew->next_look)
		return;
	crew->next_look = cubby_deadline_after(LOOK);
	if (cubby_inspect(crew->name, &info) != -ENOENT &&
	    info.receivers != 0)
		return;
	complain("%s has been removed: what is sent to it from now on does not "
		 "come here; end this command, and start it anew",
		 crew->name);
	crew->has_told_of_removal = true;
}

/*
 * Whether the next message is looked for by time: where there is no descriptor
 * to be had, or a message that is there is not the one that is wanted.
 */
static bool
looks_by_time(const struct crew *crew)
{
	return crew->arrivals < 0 || crew->is_rung;
}

/* In milliseconds, as poll(2) takes it; -1: for ever. */
static int
timeout_of(const struct crew *crew)
{
	int64_t due = CUBBY_FOREVER, now;

	for (const struct job *job = crew->jobs; job; job = job->next)
		if (job->due < due)
			due = job->due;
	if (crew_may_take(crew)) {
		now = cubby_deadline_after(looks_by_time(crew) ? LET_BE : LOOK);
		if (now < due)
			due = now;
	}
	if (due == CUBBY_FOREVER)
		return -1;
	now = cubby_deadline_after(0);
	if (due <= now)
		return 0;
	due = (due - now) / 1000000 + 1;
	return due < INT_MAX ? (int)due : INT_MAX;
}

/* Waiting ---------------------------------------------------------------- */

enum event {
	EVENT_SIGNAL,
	EVENT_MESSAGE,
	EVENT_READER,
	EVENT_PRINT,
	EVENT_JOBS
};

static void
add_event(struct pollfd *events, nfds_t *count, int fd, short what)
{
	if (fd >= 0)
		events[(*count)++] = (struct pollfd){ fd, what, 0 };
}

static void
add_gather(struct pollfd *events, nfds_t *count, const struct gather *gather)
{
	if (!gather->is_full)
		add_event(events, count, gather->fd, POLLIN);
}

/*
 * Lists what poll(2) is to wait for; the first few have their places. Of the
 * rest, there are no more than descriptors, as poll(2) demands.
 */
static nfds_t
list_events(struct crew *crew, struct pollfd **ret)
{
	struct pollfd *events;
	struct job *job;
	size_t most = EVENT_JOBS;
	nfds_t count = EVENT_JOBS;
	int fd = -1;

	for (job = crew->jobs; job; job = job->next)
		most += 2;
	events = allocate(NULL, most * sizeof(*events));
	if (crew->printing && !printed_next(crew->printing, &fd))
		fd = -1;
	events[EVENT_SIGNAL] = (struct pollfd){ crew->signals, POLLIN, 0 };
	events[EVENT_MESSAGE] = (struct pollfd){
		crew_may_take(crew) && !crew->is_rung ? crew->arrivals : -1,
		POLLIN, 0
	};
	events[EVENT_READER] = (struct pollfd){
		crew->will == CREW_GOES_ON && !crew->trade->keeps_output ?
			STDOUT_FILENO :
			-1,
		0, 0
	};
	events[EVENT_PRINT] = (struct pollfd){ fd, POLLOUT, 0 };
	for (job = crew->jobs; job; job = job->next) {
		add_gather(events, &count, &job->process.out);
		add_gather(events, &count, &job->process.err);
	}
	*ret = events;
	return count;
}

static bool
is_filtered(const struct crew *crew)
{
	return crew->filter.sender || crew->filter.sender_name ||
	       crew->filter.matching != CUBBY_MATCH_ANY;
}

void
crew_wait(struct crew *crew)
{
	struct pollfd *events;
	nfds_t count;
	int ready;

	choose_printer(crew);
	count = list_events(crew, &events);
	ready = poll(events, count, timeout_of(crew));
	/* A receive without a filter takes whatever rings. */
	crew->is_rung = ready > 0 && events[EVENT_MESSAGE].revents &&
			is_filtered(crew);
	if (ready > 0) {
		print(crew, &events[EVENT_PRINT]);
		if (events[EVENT_READER].revents)
			crew_stop(crew, EXIT_ERROR); /* nobody reads */
		look_at_signals(crew);
	}
	free(events);
	look_at_jobs(crew);
	if (crew_may_take(crew) && crew->is_empty)
		look_for_mailbox(crew);
}
