/* SPDX-License-Identifier: MIT */
/*
 * A command that runs beside this one.
 *
 * Its standard input is a file in memory that holds all of it, not a pipe:
 * nobody has to feed it, and a command that does not read it hurts nobody. What
 * it writes comes by pipes, which have no position that two writers could
 * disagree about (tee /dev/stderr).
 *
 * Why it could not be started comes by one more pipe, which a successful
 * execvp(3) closes.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#define PIECE	    ((size_t)65536) /* that is read at a time */

bool sigpipe_was_ignored;

/* The descriptors of a command that is being started. */
struct ends {
	int in;
	int out; /* -1: as ours */
	int err;
	int told; /* where to tell why it could not be started */
};

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
write_all(int fd, const char *bytes, size_t size)
{
	ssize_t count;

	for (; size; bytes += count, size -= (size_t)count) {
		do
			count = write(fd, bytes, size);
		while (count < 0 && errno == EINTR);
		if (count < 0)
			return -errno;
	}
	return 0;
}

/* Returns a descriptor to read the input from, or a negative errno. */
static int
open_input(const struct process_plan *plan)
{
	int fd, error;

	if (!plan->input) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	fd = memfd_create("cubby-message", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = write_all(fd, plan->input, plan->input_size);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	if (error)
		close_end(&fd);
	return error ? error : fd;
}

/* A pipe whose reading end is the gather's, and does not block. */
static int
open_gather(struct gather *gather, int *ret_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	gather->fd = ends[0];
	*ret_end = ends[1];
	return 0;
}

/* In the child: becomes the command. Tells why if it cannot. */
__attribute__((noreturn)) static void
become(const struct process_plan *plan, const struct ends *ends, pid_t parent)
{
	int error = 0;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it has died before that */
		_exit(1);
	if (!sigpipe_was_ignored)
		signal(SIGPIPE, SIG_DFL);
	if (dup2(ends->in, STDIN_FILENO) < 0 ||
	    (ends->out >= 0 && dup2(ends->out, STDOUT_FILENO) < 0) ||
	    (ends->err >= 0 && dup2(ends->err, STDERR_FILENO) < 0))
		error = errno;
	sigprocmask(SIG_SETMASK, &plan->mask, NULL);
	if (!error)
		execvp(plan->words[0], plan->words);
	error = error ? error : errno;
	while (write(ends->told, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* Waits until the child has become the command. */
static int
ask_started(struct process *process, int fd)
{
	int error = 0;
	ssize_t count;

	do
		count = read(fd, &error, sizeof(error));
	while (count < 0 && errno == EINTR);
	if (count != (ssize_t)sizeof(error))
		return 0;
	while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
		;
	process->pid = 0;
	return -error;
}

static int
start(struct process *process, const struct process_plan *plan,
      struct ends *ends)
{
	int told[2], error;
	pid_t parent = getpid();

	if (pipe2(told, O_CLOEXEC) < 0)
		return -errno;
	ends->told = told[1];
	process->pid = fork();
	if (process->pid == 0)
		become(plan, ends, parent);
	error = process->pid < 0 ? -errno : 0;
	close(told[1]);
	if (!error)
		error = ask_started(process, told[0]);
	else
		process->pid = 0;
	close(told[0]);
	return error;
}

int
process_start(struct process *process, const struct process_plan *plan)
{
	struct ends ends = { .in = -1, .out = -1, .err = -1 };
	int error;

	*process = (struct process){ .out.fd = -1, .err.fd = -1 };
	process->out.most = process->err.most = plan->most;
	ends.in = open_input(plan);
	error = ends.in < 0 ? ends.in : 0;
	if (!error && plan->gather_out)
		error = open_gather(&process->out, &ends.out);
	if (!error && plan->gather_err)
		error = open_gather(&process->err, &ends.err);
	if (!error)
		error = start(process, plan, &ends);
	close_end(&ends.in);
	close_end(&ends.out);
	close_end(&ends.err);
	if (error)
		process_free(process);
	return error;
}

static void
make_room(struct gather *gather)
{
	size_t size = gather->end - gather->begin;

	if (gather->room - gather->end >= PIECE)
		return;
	memmove(gather->data, gather->data + gather->begin, size);
	gather->begin = 0;
	gather->end = size;
	if (gather->room - size >= PIECE)
		return;
	gather->room = 2 * gather->room + PIECE;
	gather->data = allocate(gather->data, gather->room);
}

/* limit: as much as may be kept in memory. */
static void
listen_to(struct gather *gather, size_t limit)
{
	ssize_t count;

	while (gather->fd >= 0) {
		gather->is_full = gather->end - gather->begin >= limit;
		if (gather->is_full)
			return;
		make_room(gather);
		count = read(gather->fd, gather->data + gather->end, PIECE);
		if (count > 0)
			gather->end += (size_t)count;
		else if (count < 0 && errno == EAGAIN)
			return;
		else if (count == 0 || errno != EINTR)
			close_end(&gather->fd);
	}
}

void
process_listen(struct process *process)
{
	listen_to(&process->out, process->out.most);
	listen_to(&process->err, process->err.most);
}

/* Takes in what is in the pipe now; what follows is nobody's any more. */
static void
finish_listening(struct gather *gather)
{
	int rest;

	if (gather->fd >= 0 && ioctl(gather->fd, FIONREAD, &rest) == 0)
		listen_to(gather, gather->end - gather->begin + (size_t)rest);
	close_end(&gather->fd);
	gather->is_full = false;
}

/*
 * What it wrote before it ended is in the pipes. What it has left behind may
 * keep them open; that is not waited for.
 */
bool
process_ended(struct process *process, int *ret)
{
	if (!process->pid || waitpid(process->pid, ret, WNOHANG) <= 0)
		return false;
	process->pid = 0;
	finish_listening(&process->out);
	finish_listening(&process->err);
	return true;
}

/* A pipe with room has room for PIPE_BUF bytes, if for anything. */
int
gather_pass_on(struct gather *gather, int fd)
{
	size_t size = gather->end - gather->begin;
	ssize_t count;

	if (size > PIPE_BUF)
		size = PIPE_BUF;
	count = write(fd, gather->data + gather->begin, size);
	if (count < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	gather->begin += (size_t)count;
	return 0;
}

void
process_signal(const struct process *process, int number)
{
	if (!process->pid)
		return;
	kill(-process->pid, number);
	if (number != SIGSTOP)
		kill(-process->pid, SIGCONT);
}

void
process_free(struct process *process)
{
	close_end(&process->out.fd);
	close_end(&process->err.fd);
	free(process->out.data);
	free(process->err.data);
	*process = (struct process){ .out.fd = -1, .err.fd = -1 };
}
