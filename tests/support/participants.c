/* SPDX-License-Identifier: MIT */
#include "participants.h"
#include "atomics.h"
#include "support.h"
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/wait.h>

static char lives[PATH_MAX]; /* a byte of this file for each slot's life */
static int lives_fd;
static word64 *generations; /* of the slots; in memory of all */

void
participants_begin(void)
{
	generations = shared_memory(PARTICIPANTS * sizeof(*generations));
	expect(snprintf(lives, sizeof(lives), "%s/lives", test_root()) <
	       (int)sizeof(lives));
	lives_fd = open(lives, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	expect_system(lives_fd);
}

void
participants_end(void)
{
	close(lives_fd);
	unlink(lives);
}

int
participant_alive(void *context, uint32_t slot, uint64_t generation)
{
	int answer;

	(void)context;
	if (slot >= PARTICIPANTS ||
	    word64_load_acquire(&generations[slot]) != generation)
		return 0;
	answer = liveness_ask(lives_fd, slot);
	return word64_load_acquire(&generations[slot]) == generation ? answer :
								       0;
}

void
participant_join(uint32_t slot, struct participant *ret)
{
	uint64_t generation = word64_load_relaxed(&generations[slot]) + 1;

	expect_ok(liveness_take_at(AT_FDCWD, lives, slot, &ret->liveness));
	word64_store_release(&generations[slot], generation);
	ret->locker.self = robust_lock_self(slot, generation);
	ret->locker.alive = participant_alive;
	ret->locker.context = NULL;
}

void
participant_leave(struct participant *participant)
{
	liveness_drop(&participant->liveness);
}

_Noreturn void
participant_stay(void)
{
	for (;;)
		pause();
}

void
participant_enter_namespace(void)
{
	pid_t pid;
	int status;

	need_root();
	if (unshare(CLONE_NEWPID) != 0)
		skip_test("cannot make a PID namespace");
	pid = fork();
	expect_system(pid);
	if (pid == 0) {
		expect_int(getpid(), 1);
		return;
	}
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status) || WIFSIGNALED(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
