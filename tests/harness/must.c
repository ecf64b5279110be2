/* SPDX-License-Identifier: MIT */
/* What must go well. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "must.h"

void
must(int result, const char *what)
{
	if (result == -ETIMEDOUT)
		fail_hang("%s: timed out", what);
	if (result < 0)
		fail("%s: %s", what, cubby_strerror(result));
}

pid_t
must_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	return pid;
}

void
must_leave_nothing(const struct run *run)
{
	const char *leftover = tree_leftover(run->root);

	if (leftover)
		fail("left behind: %s", leftover + strlen(run->root) + 1);
	if (count_mappings(run->root) != run->mappings)
		fail("mappings are left behind");
	if (count_descriptors() != run->descriptors)
		fail("descriptors are left behind");
}
