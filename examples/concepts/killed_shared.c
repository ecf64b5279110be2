/* SPDX-License-Identifier: MIT */
/* Killed with the mutex locked: the next to lock is told, and has to repair. */
#include <cubby.h>
#include <cubby_sync.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct buffer {
	cubby_mutex mutex;
	unsigned int count, in, out, slots[4];
};

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static struct buffer *
join(cubby_region **ret)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	options.size = sizeof(struct buffer);
	check(cubby_region_open("concept-killed", CUBBY_CREATE | CUBBY_WRITE,
				&options, ret));
	return cubby_region_data(*ret);
}

int
main(void)
{
	cubby_region *region;
	struct buffer *b;

	if (fork() == 0) { /* the consumer; three items are there */
		b = join(&region);
		b->count = b->in = 3;
		check(cubby_mutex_lock(region, &b->mutex, CUBBY_FOREVER));
		b->out++; /* it takes the first */
		kill(getpid(), SIGKILL);
	}
	wait(NULL);
	b = join(&region);
	if (cubby_mutex_lock(region, &b->mutex, CUBBY_FOREVER) == -EOWNERDEAD) {
		printf("count %u, indices %u\n", b->count, b->in - b->out);
		b->count = b->in - b->out;
		check(cubby_mutex_consistent(region, &b->mutex));
	}
	check(cubby_mutex_unlock(region, &b->mutex));
	printf("%u items are left; the first is lost\n", b->count);
	cubby_region_close(region);
	return cubby_region_unlink("concept-killed") != 0;
}
