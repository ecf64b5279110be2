/* SPDX-License-Identifier: MIT */
/* Test: tsan. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "futex.h"
#include "guard.h"
#include "support/forked.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREVER INT64_MAX

static void *
map(int fd, int prot)
{
	void *page = mmap(NULL, PAGE, prot, MAP_SHARED, fd, 0);

	need(page != MAP_FAILED);
	return page;
}

static word32 *
shared_word(void)
{
	return map(forked_file(PAGE), PROT_READ | PROT_WRITE);
}

/* A child that sleeps on the word, and then needs that result. */
static pid_t
sleeper(const word32 *word, int result)
{
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid)
		_exit(futex_wait(word, 0, FOREVER) != result);
	return pid;
}

/* Wakes until that many have been found asleep. */
static void
wake_all(const word32 *word, int sleepers)
{
	int woken;

	while (sleepers) {
		woken = futex_wake(word, INT32_MAX);
		need(woken >= 0 && woken <= sleepers);
		sleepers -= woken;
		sched_yield();
	}
}

static void
another_value_ends_the_wait_at_once(void)
{
	need(futex_wait(shared_word(), 1, FOREVER) == 0);
}

static void
a_deadline_ends_the_wait_and_not_earlier(void)
{
	word32 *word = shared_word();
	int64_t deadline = clock_now() + 20 * NSEC_PER_MSEC;

	need(futex_wait(word, 0, deadline) == -ETIMEDOUT);
	need(clock_now() >= deadline);
}

static void
a_deadline_in_the_past_does_not_sleep(void)
{
	word32 *word = shared_word();

	need(futex_wait(word, 0, 0) == -ETIMEDOUT);
	need(futex_wait(word, 0, -1) == -ETIMEDOUT);
	need(futex_wait(word, 0, INT64_MIN) == -ETIMEDOUT);
	need(futex_wait(word, 0, clock_now() - 1) == -ETIMEDOUT);
	/* Nor while others change the word all the time. */
	need(futex_wait(word, 1, 0) == -ETIMEDOUT);
	need(futex_wait(word, 1, clock_now() - 1) == -ETIMEDOUT);
}

static void
another_process_wakes_a_sleeper(void)
{
	word32 *word = shared_word();
	pid_t pid = sleeper(word, 0);

	wake_all(word, 1);
	forked_join(pid);
}

static void
both_sides_may_be_read_only(void)
{
	int fd = forked_file(PAGE);
	pid_t pid = sleeper(map(fd, PROT_READ), 0);

	wake_all(map(fd, PROT_READ), 1);
	forked_join(pid);
}

static void
wake_tells_how_many(void)
{
	word32 *word = shared_word();
	pid_t pids[3];
	int i;

	need(futex_wake(word, INT32_MAX) == 0);
	for (i = 0; i < 3; i++)
		pids[i] = sleeper(word, 0);
	wake_all(word, 3);
	for (i = 0; i < 3; i++)
		forked_join(pids[i]);
}

static void
wake_wakes_no_more_than_count(void)
{
	word32 *word = shared_word();
	pid_t first = sleeper(word, 0);
	pid_t second = sleeper(word, 0);
	int woken;

	for (woken = 0; woken < 2;) {
		int now = futex_wake(word, 1);

		need(now <= 1);
		woken += now;
	}
	forked_join(first);
	forked_join(second);
}

static void
do_nothing(int number)
{
	(void)number;
}

/* Even where the handler asks for a restart, and there is no deadline. */
static void
a_signal_ends_the_wait(void)
{
	struct sigaction action = { .sa_handler = do_nothing,
				    .sa_flags = SA_RESTART };
	word32 *word = shared_word();
	int status;
	pid_t pid;

	need(!sigaction(SIGUSR1, &action, NULL));
	pid = sleeper(word, -EINTR);
	while (waitpid(pid, &status, WNOHANG) == 0)
		need(!kill(pid, SIGUSR1));
	need(status == 0);
}

/* Of a file that another has cut short: the guard is told, as by any look. */
static void
a_page_that_is_not_there_ends_the_wait(void)
{
	int fd = forked_file(PAGE);
	word32 *word = map(fd, PROT_READ);
	struct futex_ticket tickets[2] = { { shared_word(), 0 }, { word, 0 } };
	struct guard *guard;

	need(!guard_add(word, PAGE, PROT_READ, &guard));
	need(!ftruncate(fd, 0));
	need(futex_wake(word, 1) == 0);
	need(!guard_is_broken(guard));
	need(futex_wait(word, 0, FOREVER) == 0);
	need(guard_is_broken(guard));
	guard_remove(guard);

	word = map(fd, PROT_READ);
	tickets[1].word = word;
	need(!guard_add(word, PAGE, PROT_READ, &guard));
	if (futex_wait_many(tickets, 2, FOREVER) != -ENOSYS)
		need(guard_is_broken(guard));
	guard_remove(guard);
}

/* The Dekker of all sleepers: my store, your look; your store, my look. */
struct rounds {
	/* the round that each has announced */
	word32 runner __attribute__((aligned(CACHE_LINE)));
	word32 sleeper __attribute__((aligned(CACHE_LINE)));
	/* 2 * round + whether the runner saw the sleeper */
	word32 seen_by_runner __attribute__((aligned(CACHE_LINE)));
	word32 done; /* the last round that both have ended */
};
#define ROUNDS 5000

/* Waits in turns with others when the processors are taken. */
static uint32_t
wait_for(const word32 *word, uint32_t from)
{
	uint32_t value;
	int spins = 0;

	while ((value = word32_load_acquire(word)) < from)
		if (++spins % 256)
			cpu_relax();
		else
			sched_yield();
	return value;
}

static void *
run(void *argument)
{
	struct rounds *r = argument;
	uint32_t round;
	bool saw;

	need(barrier_register());
	for (round = 1; round <= ROUNDS; round++) {
		wait_for(&r->done, round - 1);
		word32_store_relaxed(&r->runner, round);
		order_compiler();
		saw = word32_load_relaxed(&r->sleeper) == round;
		word32_store_release(&r->seen_by_runner, 2 * round + saw);
	}
	return NULL;
}

static void
one_side_s_barrier_serves_both(void)
{
	static struct rounds r;
	pthread_t thread;
	uint32_t round, seen;
	bool saw;

	if (!barrier_register())
		forked_skip("the kernel has no membarrier");
	need(!pthread_create(&thread, NULL, run, &r));
	for (round = 1; round <= ROUNDS; round++) {
		word32_store_relaxed(&r.sleeper, round);
		need(barrier_all());
		saw = word32_load_relaxed(&r.runner) == round;
		seen = wait_for(&r.seen_by_runner, 2 * round);
		need(saw || seen % 2);
		word32_store_release(&r.done, round);
	}
	need(!pthread_join(thread, NULL));
}

static void
registering_twice_is_allowed_and_a_child_may_too(void)
{
	pid_t pid;

	if (!barrier_register())
		forked_skip("the kernel has no membarrier");
	need(barrier_register());
	pid = fork();
	need(pid >= 0);
	if (!pid)
		_exit(!(barrier_register() && barrier_all()));
	forked_join(pid);
}

static void
without_membarrier_it_is_told(void)
{
	forked_deny(SYS_membarrier, ENOSYS);
	need(!barrier_register());
	need(!barrier_all());
}

/* A want may pass; what the kernel lacks it lacks. */
static void
that_many_cannot_be_waited_for_is_remembered(void)
{
	static word32 words[2];
	const struct futex_ticket tickets[] = { { &words[0], 0 },
						{ &words[1], 0 } };

	forked_deny(SYS_futex_waitv, ENOMEM);
	need(futex_wait_many(tickets, 2, 0) == -ENOSYS);
	need(futex_waits_for_many());
	forked_deny(SYS_futex_waitv, ENOSYS);
	need(futex_wait_many(tickets, 2, 0) == -ENOSYS);
	need(!futex_waits_for_many());
}

static const struct forked_test tests[] = {
	FORKED_TEST(another_value_ends_the_wait_at_once),
	FORKED_TEST(a_deadline_ends_the_wait_and_not_earlier),
	FORKED_TEST(a_deadline_in_the_past_does_not_sleep),
	FORKED_TEST(another_process_wakes_a_sleeper),
	FORKED_TEST(both_sides_may_be_read_only),
	FORKED_TEST(wake_tells_how_many),
	FORKED_TEST(wake_wakes_no_more_than_count),
	FORKED_TEST(a_signal_ends_the_wait),
	FORKED_TEST(a_page_that_is_not_there_ends_the_wait),
	FORKED_TEST(one_side_s_barrier_serves_both),
	FORKED_TEST(registering_twice_is_allowed_and_a_child_may_too),
	FORKED_TEST(without_membarrier_it_is_told),
	FORKED_TEST(that_many_cannot_be_waited_for_is_remembered),
};

int
main(void)
{
	return forked_run("futex", tests, ARRAY_SIZE(tests));
}
