/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/*
 * cubby_sync.h as its users have it: objects in a region. What the protocols do
 * in detail is tested by sync_mutex_test.c and its neighbours.
 */
#include "support/participants.h"
#include "support/support.h"
#include <cubby_sync.h>
#include <limits.h>
#include <pthread.h>

#define NAME "r"

enum { ROOM = 2, TIMES = MANY(5000) };

struct shared {
	cubby_mutex mutex;
	cubby_condition filled, emptied;
	cubby_semaphore semaphore;
	uint64_t buffer[ROOM]; /* guarded by the mutex, as all below */
	uint64_t used, put, taken, sum;
};

struct user {
	cubby_region *region;
	struct shared *shared;
};

static struct user
attach(int flags)
{
	struct user user = { NULL, NULL };

	expect_ok(cubby_region_open(NAME, flags, NULL, &user.region));
	user.shared = cubby_region_data(user.region);
	return user;
}

static struct user
make(void)
{
	return attach(CUBBY_CREATE | CUBBY_WRITE);
}

static int
lock_by(struct user *user, int64_t deadline)
{
	return cubby_mutex_lock(user->region, &user->shared->mutex, deadline);
}

static int
unlock_by(struct user *user)
{
	return cubby_mutex_unlock(user->region, &user->shared->mutex);
}

static int
wait_by(struct user *user, int64_t deadline)
{
	return cubby_condition_wait(user->region, &user->shared->filled,
				    &user->shared->mutex, deadline);
}

static uint32_t
value(struct user *user)
{
	uint32_t units;

	expect_ok(cubby_semaphore_value(user->region, &user->shared->semaphore,
					&units));
	return units;
}

/* Working ---------------------------------------------------------------- */

static void
produce(struct user *user)
{
	struct shared *s = user->shared;

	for (uint64_t i = 1; i <= TIMES; i++) {
		expect_ok(lock_by(user, soon()));
		while (s->used == ROOM)
			expect_ok(cubby_condition_wait(user->region,
						       &s->emptied, &s->mutex,
						       soon()));
		s->buffer[s->put++ % ROOM] = i;
		s->used++;
		expect_ok(unlock_by(user));
		expect_ok(cubby_condition_signal(user->region, &s->filled));
	}
}

static void
consume(struct user *user)
{
	struct shared *s = user->shared;

	for (int i = 0; i < TIMES; i++) {
		expect_ok(lock_by(user, soon()));
		while (!s->used)
			expect_ok(wait_by(user, soon()));
		s->sum += s->buffer[s->taken++ % ROOM];
		s->used--;
		expect_ok(cubby_condition_broadcast(user->region, &s->emptied));
		expect_ok(unlock_by(user));
	}
}

static void
a_bounded_buffer_between_processes(void)
{
	struct user user = make();
	struct child producers[2], consumers[2];

	for (int i = 0; i < 2; i++) {
		in_child(&producers[i]) {
			struct user own = attach(CUBBY_WRITE);

			produce(&own);
			cubby_region_close(own.region);
		}
		in_child(&consumers[i]) {
			struct user own = attach(CUBBY_WRITE);

			consume(&own);
			cubby_region_close(own.region);
		}
	}
	for (int i = 0; i < 2; i++) {
		child_finish(&producers[i]);
		child_finish(&consumers[i]);
	}
	expect_int(user.shared->sum,
		   2 * (uint64_t)TIMES * ((uint64_t)TIMES + 1) / 2);
	cubby_region_close(user.region);
}

static void *
produce_in_thread(void *user)
{
	produce(user);
	return NULL;
}

/* Of one handle, of a region without a name. */
static void
a_bounded_buffer_between_threads(void)
{
	struct user user;
	pthread_t thread;

	expect_ok(cubby_region_open(NULL, CUBBY_CREATE, NULL, &user.region));
	user.shared = cubby_region_data(user.region);
	expect_int(pthread_create(&thread, NULL, produce_in_thread, &user), 0);
	consume(&user);
	expect_int(pthread_join(thread, NULL), 0);
	expect_int(user.shared->sum,
		   (uint64_t)TIMES * ((uint64_t)TIMES + 1) / 2);
	cubby_region_close(user.region);
}

static void
a_semaphore_counts(void)
{
	struct user user = make(), reader = attach(0);
	cubby_semaphore *s = &user.shared->semaphore;
	struct child child;

	in_child(&child) {
		struct user own = attach(CUBBY_WRITE);

		expect_ok(cubby_semaphore_wait(own.region,
					       &own.shared->semaphore, soon()));
		cubby_region_close(own.region);
	}
	for (int i = 0; i < 3; i++)
		expect_ok(cubby_semaphore_post(user.region, s));
	child_finish(&child);
	expect_int(value(&user), 2);
	expect_int(value(&reader), 2);
	expect_ok(cubby_semaphore_wait(user.region, s, CUBBY_NOW));
	expect_ok(cubby_semaphore_wait(user.region, s, CUBBY_FOREVER));
	expect_result(cubby_semaphore_wait(user.region, s, CUBBY_NOW), -EAGAIN);
	expect_result(cubby_semaphore_wait(user.region, s,
					   cubby_deadline_after(1000)),
		      -ETIMEDOUT);
	cubby_region_close(reader.region);
	cubby_region_close(user.region);
}

/* Deaths ----------------------------------------------------------------- */

static void
start_owner(struct child *child)
{
	struct gate locked = gate_make();

	in_child(child) {
		struct user own = attach(CUBBY_WRITE);

		expect_ok(lock_by(&own, soon()));
		gate_open(&locked);
		participant_stay();
	}
	gate_wait(&locked);
}

static void
the_next_is_told_that_the_owner_died(void)
{
	struct user user = make();
	struct child owner;

	start_owner(&owner);
	expect_result(lock_by(&user, CUBBY_NOW), -EAGAIN);
	child_kill(&owner);
	expect_result(lock_by(&user, CUBBY_NOW), -EOWNERDEAD);
	expect_ok(cubby_mutex_consistent(user.region, &user.shared->mutex));
	expect_ok(unlock_by(&user));
	expect_ok(lock_by(&user, CUBBY_NOW));
	expect_ok(unlock_by(&user));
	start_owner(&owner);
	child_kill(&owner);
	expect_result(lock_by(&user, CUBBY_NOW), -EOWNERDEAD);
	expect_ok(unlock_by(&user));
	expect_result(lock_by(&user, CUBBY_NOW), -ENOTRECOVERABLE);
	expect_result(lock_by(&user, CUBBY_FOREVER), -ENOTRECOVERABLE);
	cubby_region_close(user.region);
}

/* Who closes the region has gone, as far as its mutexes can tell. */
static void
who_closes_the_region_with_it_counts_as_dead(void)
{
	struct user user = make(), other = attach(CUBBY_WRITE);

	expect_ok(lock_by(&other, CUBBY_NOW));
	expect_result(lock_by(&user, CUBBY_NOW), -EAGAIN);
	cubby_region_close(other.region);
	expect_result(lock_by(&user, CUBBY_NOW), -EOWNERDEAD);
	/* The slot is taken again, but not by him. */
	other = attach(CUBBY_WRITE);
	expect_result(lock_by(&other, CUBBY_NOW), -EAGAIN);
	expect_result(unlock_by(&other), -EPERM);
	cubby_region_close(other.region);
	cubby_region_close(user.region);
}

static void
who_waits_is_told_that_the_owner_died(void)
{
	struct user user = make();
	struct child owner, sleeper;

	in_child(&sleeper) {
		struct user own = attach(CUBBY_WRITE);
		int result;

		expect_ok(lock_by(&own, soon()));
		do
			result = wait_by(&own, soon());
		while (result == 0);
		expect_result(result, -EOWNERDEAD);
		expect_ok(cubby_mutex_consistent(own.region,
						 &own.shared->mutex));
		expect_ok(unlock_by(&own));
		cubby_region_close(own.region);
	}
	child_wait_asleep(&sleeper);
	start_owner(&owner);
	child_kill(&owner);
	child_finish(&sleeper);
	expect_ok(lock_by(&user, CUBBY_NOW));
	cubby_region_close(user.region);
}

static void
two_pid_namespaces_do_not_matter(void)
{
	struct gate locked = gate_make(), tried = gate_make();
	struct user user = make();
	struct child owner, other;

	in_child(&owner) {
		struct user own;

		participant_enter_namespace();
		own = attach(CUBBY_WRITE);
		expect_ok(lock_by(&own, soon()));
		gate_open(&locked);
		gate_wait(&tried);
		_exit(0); /* with the mutex */
	}
	gate_wait(&locked);
	in_child(&other) {
		struct user own;

		participant_enter_namespace();
		own = attach(CUBBY_WRITE);
		expect_result(lock_by(&own, CUBBY_NOW), -EAGAIN);
		expect_result(unlock_by(&own), -EPERM);
		gate_open(&tried);
		expect_result(lock_by(&own, soon()), -EOWNERDEAD);
		_exit(0); /* with it too */
	}
	child_finish(&owner);
	child_finish(&other);
	expect_result(lock_by(&user, CUBBY_NOW), -EOWNERDEAD);
	cubby_region_close(user.region);
}

/* Errors ----------------------------------------------------------------- */

static void
errors_of_a_mutex_and_a_condition(void)
{
	struct user user = make(), other = attach(CUBBY_WRITE);
	cubby_mutex *mutex = &user.shared->mutex;

	expect_result(unlock_by(&user), -EPERM);
	expect_result(wait_by(&user, soon()), -EPERM);
	expect_result(cubby_mutex_consistent(user.region, mutex), -EPERM);
	expect_ok(lock_by(&user, CUBBY_NOW));
	expect_result(cubby_mutex_consistent(user.region, mutex), -EINVAL);
	expect_result(lock_by(&user, CUBBY_NOW), -EDEADLK);
	expect_result(lock_by(&user, CUBBY_FOREVER), -EDEADLK);
	expect_result(lock_by(&other, CUBBY_NOW), -EAGAIN);
	expect_result(lock_by(&other, cubby_deadline_after(1000)), -ETIMEDOUT);
	expect_result(wait_by(&user, CUBBY_NOW), -EAGAIN);
	expect_result(wait_by(&user, cubby_deadline_after(1000)), -ETIMEDOUT);
	expect_ok(unlock_by(&user));
	cubby_region_close(other.region);
	cubby_region_close(user.region);
}

/* Every call, on an object at that place, says that. */
static void
expect_of_all_at(struct user *user, void *at, int result)
{
	cubby_region *region = user->region;
	cubby_mutex *good = &user->shared->mutex;

	expect_result(cubby_mutex_lock(region, at, CUBBY_NOW), result);
	expect_result(cubby_mutex_unlock(region, at), result);
	expect_result(cubby_mutex_consistent(region, at), result);
	expect_result(cubby_condition_wait(region, at, good, CUBBY_NOW),
		      result);
	expect_result(cubby_condition_wait(region, &user->shared->filled, at,
					   CUBBY_NOW),
		      result);
	expect_result(cubby_condition_signal(region, at), result);
	expect_result(cubby_condition_broadcast(region, at), result);
	expect_result(cubby_semaphore_wait(region, at, CUBBY_NOW), result);
	expect_result(cubby_semaphore_post(region, at), result);
}

static void
an_object_lies_in_the_region(void)
{
	struct user user = make();
	uint64_t size = cubby_region_size(user.region);
	char *data = cubby_region_data(user.region);
	cubby_mutex outside = { { 0 } };
	uint32_t units = 77;

	expect_of_all_at(&user, &outside, -EINVAL);
	expect_of_all_at(&user, NULL, -EINVAL);
	expect_of_all_at(&user, data + 4, -EINVAL);
	expect_of_all_at(&user, data - 8, -EINVAL);
	expect_of_all_at(&user, data + size - 24, -EINVAL);
	expect_of_all_at(&user, data + size, -EINVAL);
	expect_result(cubby_semaphore_value(user.region,
					    (void *)(data + size), &units),
		      -EINVAL);
	expect_int(units, 77);
	expect_ok(cubby_mutex_lock(user.region, (void *)(data + size - 32),
				   CUBBY_NOW));
	cubby_region_close(user.region);
}

static void
a_region_may_be_smaller_than_an_object(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	struct user user = { .region = NULL };

	options.size = sizeof(cubby_mutex) - 1;
	options.size_max = 4096;
	expect_ok(cubby_region_open("small", CUBBY_CREATE | CUBBY_WRITE,
				    &options, &user.region));
	user.shared = cubby_region_data(user.region);
	expect_of_all_at(&user, cubby_region_data(user.region), -EINVAL);
	expect_ok(cubby_region_grow(user.region, sizeof(cubby_mutex)));
	expect_ok(cubby_mutex_lock(user.region, cubby_region_data(user.region),
				   CUBBY_NOW));
	expect_of_all_at(&user, (char *)cubby_region_data(user.region) + 8,
			 -EINVAL);
	cubby_region_close(user.region);
	expect_ok(cubby_region_unlink("small"));
}

static void
what_another_has_added_will_do(void)
{
	struct user user = make();
	uint64_t size = cubby_region_size(user.region);
	char *data = cubby_region_data(user.region);
	struct child child;

	in_child(&child) {
		struct user own = attach(CUBBY_WRITE);

		expect_ok(cubby_region_grow(own.region, size + 4096));
		cubby_region_close(own.region);
	}
	child_finish(&child);
	expect_ok(cubby_mutex_lock(user.region, (void *)(data + size + 4064),
				   CUBBY_NOW));
	cubby_region_close(user.region);
}

static void
one_who_may_only_read_cannot_lock(void)
{
	struct user user = make(), reader = attach(0);

	expect_of_all_at(&reader, &reader.shared->mutex, -EACCES);
	cubby_region_close(reader.region);
	cubby_region_close(user.region);
}

static void
a_child_opens_its_own(void)
{
	struct user user = make();
	struct child child;

	expect_ok(lock_by(&user, CUBBY_NOW));
	in_child(&child) {
		uint32_t units = 77;

		/* Nothing of it is mapped here: not even looked at. */
		expect_of_all_at(&user, &user.shared->mutex, -ECHILD);
		expect_result(cubby_semaphore_value(user.region,
						    &user.shared->semaphore,
						    &units),
			      -ECHILD);
		expect_int(units, 77);
		cubby_region_close(user.region);
		user = attach(CUBBY_WRITE);
		expect_result(lock_by(&user, CUBBY_NOW), -EAGAIN);
		expect_result(unlock_by(&user), -EPERM);
		cubby_region_close(user.region);
	}
	child_finish(&child);
	expect_ok(unlock_by(&user));
	cubby_region_close(user.region);
}

static void
a_file_that_was_cut_short_is_told(void)
{
	struct user user = make();
	uint32_t units = 77;
	char path[PATH_MAX];

	find_file("/memory", path);
	expect_system(truncate(path, 0));
	/* The first touch finds out. */
	expect_int(user.shared->used, 0);
	expect_of_all_at(&user, &user.shared->mutex, -EBADMSG);
	expect_result(cubby_semaphore_value(user.region,
					    &user.shared->semaphore, &units),
		      -EBADMSG);
	expect_int(units, 77);
	cubby_region_close(user.region);
}

/* Also to who waits for ever. */
static void
a_file_that_is_cut_short_during_a_wait_is_told(void)
{
	struct child children[2];
	struct user user = make();
	char path[PATH_MAX];

	in_child(&children[0]) {
		struct user own = attach(CUBBY_WRITE);

		expect_result(cubby_semaphore_wait(own.region,
						   &own.shared->semaphore,
						   CUBBY_FOREVER),
			      -EBADMSG);
		cubby_region_close(own.region);
	}
	in_child(&children[1]) {
		struct user own = attach(CUBBY_WRITE);
		int result;

		expect_ok(lock_by(&own, soon()));
		do
			result = wait_by(&own, CUBBY_FOREVER);
		while (result == 0);
		expect_result(result, -EBADMSG);
		cubby_region_close(own.region);
	}
	child_wait_asleep(&children[0]);
	child_wait_asleep(&children[1]);
	find_file("/memory", path);
	expect_system(truncate(path, 0));
	child_finish(&children[0]);
	child_finish(&children[1]);
	cubby_region_close(user.region);
}

static void
a_semaphore_has_a_limit(void)
{
	struct user user = make();

	/* Up to one below it, by hand: the low half is twice the count. */
	user.shared->semaphore.words[0] = 2 * (CUBBY_SEMAPHORE_MAX -
					       UINT64_C(1));
	expect_int(value(&user), CUBBY_SEMAPHORE_MAX - 1);
	expect_ok(cubby_semaphore_post(user.region, &user.shared->semaphore));
	expect_result(cubby_semaphore_post(user.region,
					   &user.shared->semaphore),
		      -EOVERFLOW);
	expect_int(value(&user), CUBBY_SEMAPHORE_MAX);
	cubby_region_close(user.region);
}

static const struct test tests[] = {
	TEST(a_bounded_buffer_between_processes),
	TEST(a_bounded_buffer_between_threads),
	TEST(a_semaphore_counts),
	TEST(the_next_is_told_that_the_owner_died),
	TEST(who_closes_the_region_with_it_counts_as_dead),
	TEST(who_waits_is_told_that_the_owner_died),
	TEST(two_pid_namespaces_do_not_matter),
	TEST(errors_of_a_mutex_and_a_condition),
	TEST(an_object_lies_in_the_region),
	TEST(a_region_may_be_smaller_than_an_object),
	TEST(what_another_has_added_will_do),
	TEST(one_who_may_only_read_cannot_lock),
	TEST(a_child_opens_its_own),
	TEST(a_file_that_was_cut_short_is_told),
	TEST(a_file_that_is_cut_short_during_a_wait_is_told),
	TEST(a_semaphore_has_a_limit),
};

int
main(void)
{
	return RUN_TESTS("synchronisation", tests);
}
