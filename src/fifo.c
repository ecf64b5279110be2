/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base fifo. */
/*
 * FIFOs; fifo.h says what for.
 *
 * What lies under the name may be anything: it is looked at once it is open. A
 * byte goes into a FIFO alone, and into one without a second name, so that
 * nobody is made to write into something that another could not write to
 * himself.
 *
 * SIGPIPE is raised in the thread that writes. It is blocked there meanwhile,
 * and taken back if it came, unless one was pending before.
 */
#include "base.h"
#include "fifo.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DRAINS_MAX	32	/* somebody fills it as fast as we empty it */

static int
check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISFIFO(st.st_mode) && st.st_nlink == 1 ? 0 : -EBADMSG;
}

static int
open_checked(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC |
			O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = check(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int
check_own(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() ? 0 : -EBADMSG;
}

int
fifo_make(int dir, const char *name)
{
	int fd, r;

	if (mkfifoat(dir, name, 0600) < 0)
		return -errno;
	fd = open_checked(dir, name, O_RDWR);
	/* The umask may have closed it to its own maker. */
	if (fd == -EACCES &&
	    fchmodat(dir, name, 0600, AT_SYMLINK_NOFOLLOW) == 0)
		fd = open_checked(dir, name, O_RDWR);
	r = fd < 0 ? fd : check_own(fd);
	if (fd >= 0 && r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int
fifo_open(int dir, const char *name)
{
	return open_checked(dir, name, O_WRONLY);
}

static int
write_byte(int fd)
{
	ssize_t n;

	do
		n = write(fd, "", 1);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EPIPE ? -EPIPE : 0;
}

/* One that this thread alone can have, since it has been blocked. */
static void
take_back(const sigset_t *signal)
{
	struct timespec at_once = { 0, 0 };

	while (sigtimedwait(signal, NULL, &at_once) < 0 && errno == EINTR)
		;
}

int
fifo_tell(int fd)
{
	sigset_t signal, mask, pending;
	bool was_pending = false;
	int r;

	sigemptyset(&signal);
	sigaddset(&signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &signal, &mask);
	/* What was not blocked was not pending either. */
	if (sigismember(&mask, SIGPIPE) == 1 && sigpending(&pending) == 0)
		was_pending = sigismember(&pending, SIGPIPE) == 1;
	r = write_byte(fd);
	if (r == -EPIPE && !was_pending)
		take_back(&signal);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return r;
}

void
fifo_drain(int fd)
{
	char bytes[256];
	ssize_t n = sizeof(bytes);
	int i;

	for (i = 0; i < DRAINS_MAX && n == (ssize_t)sizeof(bytes); i++)
		do
			n = read(fd, bytes, sizeof(bytes));
		while (n < 0 && errno == EINTR);
}
