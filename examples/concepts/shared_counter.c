/* SPDX-License-Identifier: MIT */
/* Shared memory: two processes count in one place, one at a time. */
#include <cubby.h>
#include <cubby_sync.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-counter"

struct counter {
	cubby_mutex mutex; /* zero: unlocked */
	int value;
};

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;
	struct counter *counter;
	pid_t child = fork();

	options.size = sizeof(struct counter);
	check(cubby_region_open(NAME, CUBBY_CREATE | CUBBY_WRITE, &options,
				&region));
	counter = cubby_region_data(region);
	for (int i = 0; i < 1000; i++) {
		check(cubby_mutex_lock(region, &counter->mutex, CUBBY_FOREVER));
		counter->value++;
		check(cubby_mutex_unlock(region, &counter->mutex));
	}
	if (child == 0)
		return 0;
	wait(NULL);
	printf("counted to %d\n", counter->value);
	cubby_region_close(region);
	return cubby_region_unlink(NAME) != 0;
}
